//! Bytes of a page to text, whatever they claim to be.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// A page's text, and what it was read as.
#[derive(Debug, PartialEq)]
pub struct Decoded {
    /// The text; bytes that mean nothing in the encoding are U+FFFD.
    pub text: String,
    /// Name of the encoding by the WHATWG standard, such as `windows-1251`.
    pub encoding: &'static str,
    /// The encoding that was claimed, where the bytes say otherwise.
    pub claimed: Option<&'static str>,
}

/// How far into a page its `<meta charset>` is looked for. The standard says 1,024 bytes; pages with long comments before
/// it are common.
const META_WITHIN: usize = 4096;

/// Read `bytes` as text: by byte order mark, else by the `charset` of the HTTP header, else by the page's `<meta>`, else by
/// detection. `host` lets the detection prefer what is usual under its top-level domain.
///
/// A claim is not believed against the bytes: text that is valid UTF-8 and not ASCII is UTF-8, and a claimed UTF-8 in which
/// more sequences are broken than whole is detected anew.
pub fn decode(bytes: &[u8], header: Option<&str>, host: &str) -> Decoded {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        let (text, _) = encoding.decode_without_bom_handling(&bytes[mark..]);
        return Decoded { text: text.into_owned(), encoding: encoding.name(), claimed: None };
    }
    let claimed = header.and_then(|label| Encoding::for_label(label.as_bytes())).or_else(|| meta(bytes));
    let actual = match claimed {
        Some(claimed) if contradicts(bytes, claimed) => detect(bytes, host),
        Some(claimed) => claimed,
        None => detect(bytes, host),
    };
    let (text, _) = actual.decode_without_bom_handling(bytes);
    let claimed = claimed.filter(|c| *c != actual).map(Encoding::name);
    Decoded { text: text.into_owned(), encoding: actual.name(), claimed }
}

fn contradicts(bytes: &[u8], claimed: &'static Encoding) -> bool {
    if claimed == UTF_8 {
        let (mut broken, mut whole) = (0, 0);
        for chunk in bytes.utf8_chunks() {
            broken += usize::from(!chunk.invalid().is_empty());
            whole += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        }
        return broken > whole;
    }
    // Random text of a single-byte encoding is hardly ever valid UTF-8. UTF-16 is told by its byte order mark or by its header.
    let wide = claimed == UTF_16LE || claimed == UTF_16BE;
    claimed.is_ascii_compatible() && !wide && !bytes.is_ascii() && std::str::from_utf8(bytes).is_ok()
}

fn detect(bytes: &[u8], host: &str) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    // The detector panics on a domain in anything but lower-case ASCII letters, digits and hyphens.
    let top = host.split(':').next().and_then(|h| h.rsplit('.').next()).map(str::as_bytes);
    let top = top.filter(|t| !t.is_empty() && t.iter().all(|b| b.is_ascii_lowercase()));
    detector.guess(top, Utf8Detection::Allow)
}

/// The encoding that a page names in `<meta charset="…">`, `<meta … content="text/html; charset=…">` or `<?xml encoding="…"?>`.
fn meta(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = &bytes[..bytes.len().min(META_WITHIN)];
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let xml = head.trim_start().starts_with("<?xml").then(|| value_after(&head, "encoding")).flatten();
    let label = xml.or_else(|| {
        let tags = head.split("<meta").skip(1).filter_map(|rest| rest.split('>').next());
        tags.filter_map(|tag| value_after(tag, "charset")).next()
    })?;
    let encoding = Encoding::for_label(label.as_bytes())?;
    // A page whose meta could be read as ASCII is not UTF-16, whatever it says.
    Some(if encoding == UTF_16LE || encoding == UTF_16BE { UTF_8 } else { encoding })
}

fn value_after<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let rest = text.split_once(name)?.1.trim_start().strip_prefix('=')?.trim_start();
    let rest = rest.trim_start_matches(['"', '\'']);
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-_:.".contains(c))).unwrap_or(rest.len());
    Some(&rest[..end]).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::{WINDOWS_1251, WINDOWS_1252};

    const RUSSIAN: &str = "<p>Мороженое из свежей клубники со сливками и сахаром</p>";

    #[test]
    fn the_first_that_speaks_is_believed() {
        let windows = WINDOWS_1251.encode(RUSSIAN).0;
        let by_header = decode(&windows, Some("windows-1251"), "a.example");
        assert_eq!(by_header, Decoded { text: RUSSIAN.into(), encoding: "windows-1251", claimed: None });
        let page = [b"<meta charset=windows-1251>".as_slice(), &windows].concat();
        assert!(decode(&page, None, "a.example").text.ends_with(RUSSIAN));
        let page = [b"<META content='text/html; charset=\"WINDOWS-1251\"'>".as_slice(), &windows].concat();
        assert!(decode(&page, None, "a.example").text.ends_with(RUSSIAN));
        let marked = [b"\xEF\xBB\xBF".as_slice(), RUSSIAN.as_bytes()].concat();
        assert_eq!(decode(&marked, Some("windows-1251"), "").text, RUSSIAN);
        let wide: Vec<u8> =
            [0xFEFF].into_iter().chain(RUSSIAN.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        assert_eq!(
            decode(&wide, None, ""),
            Decoded { text: RUSSIAN.into(), encoding: "UTF-16LE", claimed: None }
        );
    }

    #[test]
    fn without_a_claim_the_encoding_is_detected() {
        assert_eq!(decode(&WINDOWS_1251.encode(RUSSIAN).0, None, "сайт.рф").text, RUSSIAN);
        let latin = "<p>Crème brûlée à la façon de grand-mère, très légère</p>";
        assert_eq!(decode(&WINDOWS_1252.encode(latin).0, None, "cuisine.fr:80").text, latin);
        assert_eq!(decode(latin.as_bytes(), None, "x.COM").text, latin);
    }

    #[test]
    fn a_wrong_claim_is_not_believed_against_the_bytes() {
        let as_utf8 = decode(&WINDOWS_1251.encode(RUSSIAN).0, Some("utf-8"), "a.ru");
        assert_eq!((as_utf8.text.as_str(), as_utf8.claimed), (RUSSIAN, Some("UTF-8")));
        let as_latin = decode(RUSSIAN.as_bytes(), Some("iso-8859-1"), "a.ru");
        assert_eq!((as_latin.text.as_str(), as_latin.claimed), (RUSSIAN, Some("windows-1252")));
        // One broken byte in much good UTF-8 is a broken byte.
        let cut = &RUSSIAN.as_bytes()[..RUSSIAN.len() - 20];
        let cut = [&cut[..cut.len() / 2 * 2], b"\xD0 "].concat();
        assert_eq!(decode(&cut, Some("utf-8"), "a.ru").encoding, "UTF-8");
        assert_eq!(decode(b"plain", Some("no-such-charset"), "").text, "plain");
    }

    #[test]
    fn no_bytes_and_no_label_break_it() {
        let every: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for label in [
            "utf-8",
            "utf-16",
            "shift_jis",
            "gb18030",
            "iso-2022-jp",
            "replacement",
            "",
            "\u{0}",
            "x-user-defined",
        ] {
            for end in 0..100 {
                decode(&every[..end], Some(label), "-.example-.");
                decode(&every[900 - end..], None, "");
            }
        }
    }
}
