//! An HTTP answer as an archive has it: head, perhaps chunks, perhaps compressed.

use super::fetch::{Fetched, Validators, Wanted, charset_of, essence_of, is_wanted};
use super::sitemap::unzip;
use crate::collect::web::opt_out::reservation;
use crate::collect::web::refusal::Refusal;

/// Headers of one message that are read.
const MAX_HEADERS: usize = 256;

/// The page of an HTTP answer.
///
/// # Errors
/// It is none: another status, another type, too large, or broken.
pub(super) fn read_response(message: &[u8], max_bytes: u64) -> Result<Fetched, Refusal> {
    let broken = |reason: String| Refusal::Network { reason: format!("broken HTTP message: {reason}") };
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let body = match response.parse(message) {
        Ok(httparse::Status::Complete(head)) => &message[head..],
        Ok(httparse::Status::Partial) => return Err(broken("its head breaks off".to_owned())),
        Err(error) => return Err(broken(error.to_string())),
    };
    let status = response.code.unwrap_or_default();
    if status != 200 && status != 203 {
        return Err(Refusal::Status { status });
    }
    let stated = response.headers.iter().map(|h| (h.name, String::from_utf8_lossy(h.value)));
    // Who archived it asked under another name: only what is said to all counts.
    if let Some(statement) = stated.into_iter().find_map(|(name, value)| reservation(name, &value, "robots"))
    {
        return Err(Refusal::MiningReserved { statement });
    }
    let header = |name: &str| {
        let found = response.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name));
        found.map(|h| String::from_utf8_lossy(h.value).trim().to_owned())
    };
    let chunked = header("transfer-encoding").is_some_and(|e| e.to_ascii_lowercase().contains("chunked"));
    // Some archives undo the chunks and keep the header.
    let unchunked = if chunked { without_chunks(body) } else { None };
    let body = unchunked.as_deref().unwrap_or(body);
    let content_type = header("content-type").unwrap_or_default();
    let mut page = match header("content-encoding").unwrap_or_default().to_ascii_lowercase().as_str() {
        "" | "identity" => read_payload(body, &content_type, max_bytes)?,
        // Others undo the compression.
        "gzip" | "x-gzip" if !body.starts_with(&[0x1f, 0x8b]) => {
            read_payload(body, &content_type, max_bytes)?
        }
        "gzip" | "x-gzip" => read_payload(&unzip(body, max_bytes)?, &content_type, max_bytes)?,
        other => return Err(Refusal::ContentEncoding { found: other.to_owned() }),
    };
    page.validators = Validators { etag: header("etag"), last_modified: header("last-modified") };
    Ok(page)
}

/// The page that is `payload`.
///
/// # Errors
/// Its type is no page's, or it is too large.
pub(super) fn read_payload(payload: &[u8], content_type: &str, max_bytes: u64) -> Result<Fetched, Refusal> {
    let found = essence_of(content_type);
    if !is_wanted(Wanted::Page, &found) {
        return Err(Refusal::ContentType { found });
    }
    if payload.len() as u64 > max_bytes {
        return Err(Refusal::TooLarge { limit: max_bytes });
    }
    Ok(Fetched {
        bytes: payload.to_vec(),
        charset: charset_of(content_type),
        validators: Validators::default(),
    })
}

/// `body` without the sizes of its chunks; `None` where it has none.
fn without_chunks(body: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    let mut rest = body;
    loop {
        match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete((_, 0))) => return Some(whole),
            Ok(httparse::Status::Complete((start, length))) => {
                let end = start.checked_add(usize::try_from(length).ok()?)?;
                whole.extend_from_slice(rest.get(start..end)?);
                rest = rest[end..].strip_prefix(b"\r\n")?;
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::web::request::sitemap::tests::zip;

    fn read(head: &str, body: &[u8]) -> Result<String, Refusal> {
        let message = [format!("HTTP/1.1 {head}\r\n\r\n").as_bytes(), body].concat();
        read_response(&message, 1000).map(|page| String::from_utf8(page.bytes).unwrap())
    }

    #[test]
    fn chunks_and_compression_are_undone_where_they_are_there() {
        let html = "200 OK\r\nContent-Type: text/html";
        let chunks = b"4\r\nabcd\r\n3;x=y\r\nefg\r\n0\r\n\r\n";
        assert_eq!(read(&format!("{html}\r\nTransfer-Encoding: chunked"), chunks).unwrap(), "abcdefg");
        assert_eq!(
            read(&format!("{html}\r\ntransfer-encoding: chunked"), b"<p>undone").unwrap(),
            "<p>undone"
        );
        assert_eq!(read(&format!("{html}\r\nContent-Encoding: gzip"), &zip(b"abc")).unwrap(), "abc");
        assert_eq!(read(&format!("{html}\r\nContent-Encoding: gzip"), b"undone").unwrap(), "undone");
        let bomb = zip(&vec![b'a'; 1_000_000]);
        assert_eq!(
            read(&format!("{html}\r\nContent-Encoding: gzip"), &bomb),
            Err(Refusal::TooLarge { limit: 1000 })
        );
        let found = "br".to_owned();
        assert_eq!(
            read(&format!("{html}\r\nContent-Encoding: br"), b"x"),
            Err(Refusal::ContentEncoding { found })
        );
    }

    #[test]
    fn what_is_no_page_is_refused() {
        assert_eq!(read("404 Not Found", b""), Err(Refusal::Status { status: 404 }));
        let found = "image/png".to_owned();
        assert_eq!(read("200 OK\r\nContent-Type: Image/PNG", b""), Err(Refusal::ContentType { found }));
        assert!(matches!(read_response(b"HTTP/1.1 200", 9), Err(Refusal::Network { .. })));
        assert!(matches!(read_response(b"\x00\x01", 9), Err(Refusal::Network { .. })));
        let huge = b"ffffffffffffffff\r\nabc";
        let head = "200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked";
        assert_eq!(read(head, huge).unwrap().len(), huge.len(), "no chunks, so as it is");
    }
}
