//! Names of requests, so that an answer can be found in the log.

use rand::RngExt;

/// Letters of the longest name that is taken over.
const LONGEST: usize = 64;

/// The client's name for its request where it is fit for a log, else a new one of 16 hexadecimal digits.
pub fn request_id(asked: Option<&[u8]>) -> String {
    let sane = |id: &&[u8]| {
        (1..=LONGEST).contains(&id.len())
            && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
    };
    match asked.filter(sane).map(std::str::from_utf8) {
        Some(Ok(id)) => id.to_owned(),
        _ => format!("{:016x}", rand::rng().random::<u64>()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sane_names_are_taken_over() {
        assert_eq!(request_id(Some(b"7f9-A_b.c")), "7f9-A_b.c");
        let long = [b'a'; LONGEST + 1];
        for bad in [None, Some(&b""[..]), Some(b"a b"), Some(b"a\"b"), Some(b"\xff"), Some(&long)] {
            let (id, next) = (request_id(bad), request_id(bad));
            assert!(id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
            assert_ne!(id, next);
        }
    }
}
