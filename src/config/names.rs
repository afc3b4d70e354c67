//! Names: as files, and as what was probably meant.

/// The name of a text field as a file name: letters, digits, `-` and `_`; of a long one the beginning, and a hash of it all.
pub fn file_name(field: &str) -> String {
    // File systems allow 255 bytes, of which an ending and a temporary name want some.
    const LONGEST: usize = 120;
    let plain = |c: char| if c.is_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    let name: String = field.chars().map(plain).collect();
    if name.len() <= LONGEST {
        return name;
    }
    let end = (0..=LONGEST).rev().find(|&end| name.is_char_boundary(end)).unwrap_or(0);
    format!("{}-{}", &name[..end], &blake3::hash(field.as_bytes()).to_hex()[..16])
}

/// ` (did you mean `x`?)` for the known name nearest to `name`, or nothing when none is near.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    known
        .map(|k| (strsim::jaro_winkler(name, k), k))
        .filter(|(similarity, _)| *similarity > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or(String::new(), |(_, k)| format!(" (did you mean `{k}`?)"))
}

/// Add the nearest known key to serde's "unknown field `x`, expected one of `a`, `b`".
pub(super) fn with_nearest_key(message: &str) -> String {
    let Some(at) = message.find("unknown field `") else { return message.to_owned() };
    let mut names = message[at..].split('`').skip(1).step_by(2);
    let Some(unknown) = names.next() else { return message.to_owned() };
    let near = nearest(unknown, names);
    if near.is_empty() { message.to_owned() } else { format!("{message}\n  unknown key `{unknown}`{near}") }
}
