//! Addresses out of sitemaps (sitemaps.org protocol 0.9): lists of pages and lists of sitemaps, plain or gzip.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

use super::charset::decode;
use crate::collect::web::refusal::Refusal;

/// What a sitemap names.
#[derive(Debug, Default, PartialEq)]
pub struct Sitemap {
    /// Pages.
    pub pages: Vec<String>,
    /// Further sitemaps.
    pub sitemaps: Vec<String>,
    /// What is wrong with it from some place on.
    pub broken: Option<String>,
}

/// Most addresses of one sitemap, by the protocol.
const MAX_ADDRESSES: usize = 50_000;

/// Longest address that is read; what is longer is no address of any page.
const MAX_LENGTH: usize = 4096;

/// Read a sitemap of at most `max_bytes` after decompression.
///
/// # Errors
/// It is larger, is no gzip, or names nothing and is broken.
pub fn read_sitemap(bytes: &[u8], max_bytes: u64) -> Result<Sitemap, Refusal> {
    let unzipped;
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) {
        unzipped = unzip(bytes, max_bytes)?;
        &unzipped
    } else {
        bytes
    };
    let text = decode(bytes, None, "").text;
    let found = parse(&text);
    match &found.broken {
        Some(reason) if found.pages.is_empty() && found.sitemaps.is_empty() => {
            Err(Refusal::Markup { reason: format!("the sitemap is broken: {reason}") })
        }
        _ => Ok(found),
    }
}

/// The content of `gzip`, which may have several members.
///
/// # Errors
/// It is more than `max_bytes`, or broken.
pub(super) fn unzip(gzip: &[u8], max_bytes: u64) -> Result<Vec<u8>, Refusal> {
    let mut content = Vec::new();
    let read = MultiGzDecoder::new(gzip).take(max_bytes + 1).read_to_end(&mut content);
    match read {
        Err(error) => Err(Refusal::Network { reason: format!("broken gzip: {error}") }),
        Ok(_) if content.len() as u64 > max_bytes => Err(Refusal::TooLarge { limit: max_bytes }),
        Ok(_) => Ok(content),
    }
}

/// Where the reader is.
#[derive(Default)]
struct Place {
    /// In `<sitemap>`; else in `<url>`.
    in_sitemap: bool,
    in_loc: bool,
    address: String,
}

fn parse(text: &str) -> Sitemap {
    let mut found = Sitemap::default();
    let mut place = Place::default();
    let mut reader = Reader::from_str(text);
    loop {
        match reader.read_event() {
            Ok(Event::Eof) => return found,
            Err(error) => {
                found.broken = Some(error.to_string());
                return found;
            }
            Ok(event) => take(&event, &mut place, &mut found),
        }
        if found.pages.len() + found.sitemaps.len() >= MAX_ADDRESSES {
            found.broken =
                Some(format!("it names more than {MAX_ADDRESSES} addresses; the rest is left out"));
            return found;
        }
    }
}

fn take(event: &Event<'_>, place: &mut Place, found: &mut Sitemap) {
    match event {
        Event::Start(tag) => match tag.local_name().as_ref() {
            "sitemap" => place.in_sitemap = true,
            "url" => place.in_sitemap = false,
            // Pictures have a `loc` of their own, by a prefix.
            "loc"
                if tag.name().as_ref() == "loc"
                    || tag.name().prefix().is_none_or(|p| !is_media(p.as_ref())) =>
            {
                place.in_loc = true;
                place.address.clear();
            }
            _ => {}
        },
        Event::End(tag) if tag.local_name().as_ref() == "loc" && place.in_loc => {
            place.in_loc = false;
            let address = place.address.trim();
            if !address.is_empty() && address.len() <= MAX_LENGTH {
                let list = if place.in_sitemap { &mut found.sitemaps } else { &mut found.pages };
                list.push(address.to_owned());
            }
        }
        Event::Text(part) if place.in_loc => place.push(part),
        Event::CData(part) if place.in_loc => place.push(part),
        Event::GeneralRef(reference) if place.in_loc => match reference.resolve_char_ref() {
            Ok(Some(character)) => place.push(character.encode_utf8(&mut [0; 4])),
            _ => place.push(resolve_predefined_entity(reference).unwrap_or_default()),
        },
        _ => {}
    }
}

fn is_media(prefix: &str) -> bool {
    matches!(prefix, "image" | "video" | "news" | "xhtml")
}

impl Place {
    fn push(&mut self, part: &str) {
        if self.address.len() <= MAX_LENGTH {
            self.address.push_str(part);
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use std::io::Write;

    pub fn zip(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    const PAGES: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
        <urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:image="http://i.example/">
        <url><loc> https://e.org/a?x=1&amp;y=&#50; </loc><image:image><image:loc>https://e.org/i.png</image:loc></image:image></url>
        <url><loc><![CDATA[https://e.org/b?c&d]]></loc><lastmod>2026-01-01</lastmod></url></urlset>"#;

    #[test]
    fn pages_and_sitemaps() {
        let found = read_sitemap(PAGES.as_bytes(), 10_000).unwrap();
        assert_eq!(found.pages, ["https://e.org/a?x=1&y=2", "https://e.org/b?c&d"]);
        assert!(found.sitemaps.is_empty() && found.broken.is_none());
        let index = "<s:sitemapindex xmlns:s='x'><s:sitemap><s:loc>https://e.org/1.xml</s:loc></s:sitemap></s:sitemapindex>";
        assert_eq!(read_sitemap(index.as_bytes(), 10_000).unwrap().sitemaps, ["https://e.org/1.xml"]);
        assert_eq!(read_sitemap(&zip(PAGES.as_bytes()), 10_000).unwrap().pages.len(), 2);
    }

    #[test]
    fn what_stands_before_a_break_is_used() {
        let broken = "<urlset><url><loc>https://e.org/a</loc></url><url></loc>";
        let found = read_sitemap(broken.as_bytes(), 1000).unwrap();
        assert_eq!(found.pages, ["https://e.org/a"]);
        assert!(found.broken.is_some());
        assert!(read_sitemap(b"<urlset></x>", 1000).is_err());
        assert_eq!(read_sitemap(b"not xml", 1000).unwrap(), Sitemap::default());
    }

    #[test]
    fn bombs_end() {
        let bomb = zip(&vec![b' '; 10_000_000]);
        assert!(bomb.len() < 20_000);
        assert_eq!(read_sitemap(&bomb, 1_000_000), Err(Refusal::TooLarge { limit: 1_000_000 }));
        let cut = zip(PAGES.as_bytes());
        assert!(matches!(read_sitemap(&cut[..cut.len() / 2], 10_000), Err(Refusal::Network { .. })));
        let laughs = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><urlset><url><loc>https://e.org/&b;</loc></url></urlset>";
        assert_eq!(read_sitemap(laughs.as_bytes(), 1000).unwrap().pages, ["https://e.org/"]);
    }
}
