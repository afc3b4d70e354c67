//! One spelling for each page's address, and the shapes of addresses that lead nowhere.

use std::collections::HashMap;

use url::Url;

use super::refusal::Refusal;

/// Shapes of addresses that are traps rather than pages.
#[derive(Clone, Debug, PartialEq)]
pub struct UrlLimits {
    /// Longest address, in characters. Default 2,000: what browsers and servers all take.
    pub max_length: usize,
    /// How often one segment may stand in a path. Default 3; `/a/b/a/b/a/b/a/b` is a link that was resolved wrongly.
    pub max_repeats: usize,
}

impl Default for UrlLimits {
    fn default() -> Self {
        Self { max_length: 2000, max_repeats: 3 }
    }
}

/// Parameters of a query that say where a visitor came from, not what is shown.
const TRACKING: [&str; 9] =
    ["fbclid", "gclid", "dclid", "gbraid", "wbraid", "msclkid", "mc_cid", "mc_eid", "igshid"];

/// The address that `text` means, relative to `base`, in its one spelling: lower-case scheme and host, no default port, no
/// fragment, no dot segments, percent-encoding as RFC 3986 §6.2.2 has it, no tracking parameters, no session in the path.
///
/// # Errors
/// It is no address.
pub fn normalised(text: &str, base: Option<&Url>) -> Result<Url, Refusal> {
    let no_address = |reason: String| {
        let address = text.trim().chars().take(200).collect();
        Refusal::NoAddress { address, reason }
    };
    let mut url =
        Url::options().base_url(base).parse(text.trim()).map_err(|error| no_address(error.to_string()))?;
    url.set_fragment(None);
    if url.cannot_be_a_base() {
        return Ok(url);
    }
    let path = normal_escapes(strip_session(url.path()));
    url.set_path(&path);
    let query = url.query().map(|query| {
        let kept: Vec<&str> = query.split('&').filter(|p| !p.is_empty() && !is_tracking(p)).collect();
        normal_escapes(&kept.join("&"))
    });
    url.set_query(query.as_deref().filter(|q| !q.is_empty()));
    Ok(url)
}

/// Refuse an address whose shape is a trap's.
///
/// # Errors
/// It is longer, or its path repeats a segment more often, than `limits` allow.
pub fn check_shape(url: &Url, limits: &UrlLimits) -> Result<(), Refusal> {
    let length = url.as_str().chars().count();
    if length > limits.max_length {
        return Err(Refusal::LongAddress { length, limit: limits.max_length });
    }
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for segment in url.path_segments().into_iter().flatten().filter(|s| !s.is_empty()) {
        let times = counts.entry(segment).or_default();
        *times += 1;
        if *times > limits.max_repeats {
            return Err(Refusal::RepeatedSegment { segment: segment.to_owned(), times: *times });
        }
    }
    Ok(())
}

/// What is asked one request at a time: the host, with its port where that is not the scheme's own.
pub fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Whether a sitemap of host `a` may speak for host `b`: the same host, or one a subdomain of the other.
pub(super) fn are_related(a: &str, b: &str) -> bool {
    let below = |inner: &str, outer: &str| inner.strip_suffix(outer).is_some_and(|rest| rest.ends_with('.'));
    a == b || (a.contains('.') && b.contains('.') && (below(a, b) || below(b, a)))
}

fn is_tracking(parameter: &str) -> bool {
    let name = parameter.split('=').next().unwrap_or(parameter).to_ascii_lowercase();
    name.starts_with("utm_") || TRACKING.contains(&name.as_str())
}

/// Java servers put the session into the path: `/shop;jsessionid=1A2B`.
fn strip_session(path: &str) -> &str {
    let lower = path.to_ascii_lowercase();
    lower.find(";jsessionid=").map_or(path, |at| &path[..at])
}

/// Upper-case hexadecimal digits, and no escapes for characters that need none.
pub(super) fn normal_escapes(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        result.push_str(&rest[..at]);
        let escape = rest.get(at + 1..at + 3).filter(|e| e.bytes().all(|b| b.is_ascii_hexdigit()));
        match escape.and_then(|e| u8::from_str_radix(e, 16).ok()) {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => result.push(byte.into()),
            Some(byte) => result.push_str(&format!("%{byte:02X}")),
            None => {
                result.push('%');
                rest = &rest[at + 1..];
                continue;
            }
        }
        rest = &rest[at + 3..];
    }
    result + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelling(text: &str) -> String {
        normalised(text, None).unwrap().to_string()
    }

    #[test]
    fn one_spelling_each() {
        for (written, expected) in [
            ("HTTP://Example.ORG:80/a/../b/./c#top", "http://example.org/b/c"),
            ("https://example.org", "https://example.org/"),
            ("https://example.org:443/?", "https://example.org/"),
            ("https://example.org/%7euser/%e4%2f", "https://example.org/~user/%E4%2F"),
            ("https://example.org/?utm_source=x&a=1&gclid=9&b", "https://example.org/?a=1&b"),
            ("https://example.org/shop;JSESSIONID=1A2B?x=1", "https://example.org/shop?x=1"),
            ("https://example.org/100%", "https://example.org/100%"),
            ("https://example.org/%zz%4", "https://example.org/%zz%4"),
            ("https://bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4"),
            ("  https://example.org/a\n", "https://example.org/a"),
        ] {
            assert_eq!(spelling(written), expected, "{written}");
            assert_eq!(spelling(expected), expected, "the spelling is its own");
        }
        let base = Url::parse("https://example.org/a/b").unwrap();
        assert_eq!(normalised("../c", Some(&base)).unwrap().as_str(), "https://example.org/c");
        assert!(matches!(normalised("/c", None), Err(Refusal::NoAddress { .. })));
        // The order of parameters may mean something.
        assert_ne!(spelling("https://e.org/?a=1&b=2"), spelling("https://e.org/?b=2&a=1"));
    }

    #[test]
    fn traps_are_told_by_their_shape() {
        let limits = UrlLimits::default();
        let check = |text: &str| check_shape(&Url::parse(text).unwrap(), &limits);
        assert_eq!(check("http://a.example/x/y/x/y/x/y"), Ok(()));
        let refused = Refusal::RepeatedSegment { segment: "x".into(), times: 4 };
        assert_eq!(check("http://a.example/x/y/x/y/x/y/x"), Err(refused));
        assert_eq!(check("http://a.example////////"), Ok(()));
        let long = format!("http://a.example/{}", "a".repeat(2000));
        assert_eq!(check(&long), Err(Refusal::LongAddress { length: 2017, limit: 2000 }));
    }

    #[test]
    fn a_sitemap_speaks_for_its_own_site() {
        assert!(
            are_related("example.org", "www.example.org") && are_related("www.example.org", "example.org")
        );
        assert!(!are_related("example.org", "notexample.org") && !are_related("org", "example.org"));
        assert!(are_related("localhost", "localhost"));
    }
}
