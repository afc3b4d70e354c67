//! Pages out of WARC files (ISO 28500), plain or gzip with a member for each record.
//!
//! Read by hand: the format is a few headers and a length, and the crates for it bring a second gzip and date library.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::fetch::Fetched;
use super::http_message::{read_payload, read_response};
use crate::collect::web::error::WebError;
use crate::collect::web::refusal::Refusal;

/// A page of a WARC file.
#[derive(Debug)]
pub struct Archived {
    /// Its address as recorded.
    pub url: String,
    /// When it was fetched, as recorded.
    pub date: String,
    /// The page, or why it is none.
    pub page: Result<Fetched, Refusal>,
}

/// A WARC file, record by record. Requests, metadata and the like are passed over. Ends at the first damage.
pub struct WarcFile {
    path: PathBuf,
    reader: Box<dyn BufRead>,
    record: usize,
    max_bytes: u64,
    over: bool,
}

/// Longest head of a record, in bytes.
const HEAD_BYTES: u64 = 64 << 10;

/// The headers of a record that are looked at.
#[derive(Default)]
struct Head {
    kind: String,
    url: String,
    date: String,
    content_type: String,
    length: Option<u64>,
}

impl WarcFile {
    /// Open the file at `path`; pages may have `max_bytes` after decompression.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(path: &Path, max_bytes: u64) -> Result<Self, WebError> {
        let fail = WebError::of("read", path);
        let mut file = BufReader::new(File::open(path).map_err(&fail)?);
        let zipped = file.fill_buf().map_err(&fail)?.starts_with(&[0x1f, 0x8b]);
        let reader: Box<dyn BufRead> =
            if zipped { Box::new(BufReader::new(MultiGzDecoder::new(file))) } else { Box::new(file) };
        Ok(Self { path: path.to_owned(), reader, record: 0, max_bytes, over: false })
    }

    /// The next page; `None` at the end of the file.
    fn next_page(&mut self) -> io::Result<Option<Archived>> {
        loop {
            let Some(head) = self.head()? else { return Ok(None) };
            let Some(length) = head.length else { return Err(damage("it has no Content-Length")) };
            let wanted = matches!(head.kind.as_str(), "response" | "resource");
            // The head of the HTTP message comes on top of the page.
            let kept = if wanted { length.min(self.max_bytes + HEAD_BYTES + 1) } else { 0 };
            let mut block = Vec::new();
            self.reader.by_ref().take(kept).read_to_end(&mut block)?;
            let rest = io::copy(&mut self.reader.by_ref().take(length - kept), &mut io::sink())?;
            if block.len() as u64 + rest != length {
                return Err(damage("it breaks off"));
            }
            if !wanted {
                continue;
            }
            let page = match head.kind.as_str() {
                // Other things than answers over HTTP are archived too, such as those of a name server.
                "response" if !head.content_type.starts_with("application/http") => continue,
                "response" => read_response(&block, self.max_bytes),
                _ => read_payload(&block, &head.content_type, self.max_bytes),
            };
            return Ok(Some(Archived { url: head.url, date: head.date, page }));
        }
    }

    /// The head of the next record; `None` at the end of the file.
    fn head(&mut self) -> io::Result<Option<Head>> {
        let mut left = HEAD_BYTES;
        let version = loop {
            match self.line(&mut left)? {
                None => return Ok(None),
                Some(line) if line.is_empty() => {}
                Some(line) => break line,
            }
        };
        self.record += 1;
        if !version.starts_with("WARC/") {
            return Err(damage(&format!(
                "it begins with {:?}",
                version.chars().take(40).collect::<String>()
            )));
        }
        let mut head = Head::default();
        loop {
            let line = self.line(&mut left)?.ok_or_else(|| damage("its head breaks off"))?;
            if line.is_empty() {
                return Ok(Some(head));
            }
            let Some((name, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "warc-type" => head.kind = value.to_ascii_lowercase(),
                // WARC 1.0 had it in angle brackets.
                "warc-target-uri" => head.url = value.trim_matches(['<', '>']).to_owned(),
                "warc-date" => head.date = value.to_owned(),
                "content-type" => head.content_type = value.to_owned(),
                "content-length" => head.length = value.parse().ok(),
                _ => {}
            }
        }
    }

    fn line(&mut self, left: &mut u64) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        let read = self.reader.by_ref().take(*left).read_until(b'\n', &mut line)?;
        *left -= read as u64;
        if read > 0 && !line.ends_with(b"\n") {
            return Err(damage(if *left == 0 { "its head is too long" } else { "its head breaks off" }));
        }
        Ok((read > 0).then(|| String::from_utf8_lossy(&line).trim_end().to_owned()))
    }
}

fn damage(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

impl Iterator for WarcFile {
    type Item = Result<Archived, WebError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        match self.next_page() {
            Ok(page) => page.map(Ok),
            Err(error) => {
                self.over = true;
                let reason = error.to_string();
                Some(Err(WebError::Warc { path: self.path.clone(), record: self.record, reason }))
            }
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::collect::web::request::sitemap::tests::zip;

    /// A record as writers make it.
    pub fn record(kind: &str, url: &str, content_type: &str, block: &[u8]) -> Vec<u8> {
        let head = format!(
            "WARC/1.1\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2025-02-03T04:05:06Z\r\n\
             Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            block.len()
        );
        [head.as_bytes(), block, b"\r\n\r\n"].concat()
    }

    /// A record of a page.
    pub fn response(url: &str, page: &str) -> Vec<u8> {
        let http = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{page}");
        record("response", url, "application/http; msgtype=response", http.as_bytes())
    }

    fn read(bytes: &[u8]) -> Vec<Result<Archived, WebError>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.warc");
        std::fs::write(&path, bytes).unwrap();
        WarcFile::open(&path, 1000).unwrap().collect()
    }

    fn records() -> Vec<Vec<u8>> {
        vec![
            record("warcinfo", "", "application/warc-fields", b"software: x\r\n"),
            record("request", "https://e.org/a", "application/http", b"GET / HTTP/1.1\r\n\r\n"),
            response("https://e.org/a", "<p>one"),
            record("response", "dns:e.org", "text/dns", b"20250203"),
            record("resource", "<https://e.org/b>", "text/html; charset=latin1", b"<p>two"),
            response("https://e.org/c", &"x".repeat(1001)),
        ]
    }

    #[test]
    fn pages_plain_and_zipped() {
        let zipped: Vec<u8> = records().iter().flat_map(|record| zip(record)).collect();
        for bytes in [records().concat(), zipped] {
            let pages: Vec<Archived> = read(&bytes).into_iter().map(Result::unwrap).collect();
            let urls: Vec<&str> = pages.iter().map(|page| page.url.as_str()).collect();
            assert_eq!(urls, ["https://e.org/a", "https://e.org/b", "https://e.org/c"]);
            assert_eq!(pages[0].date, "2025-02-03T04:05:06Z");
            assert_eq!(pages[0].page.as_ref().unwrap().bytes, b"<p>one");
            assert_eq!(pages[1].page.as_ref().unwrap().charset.as_deref(), Some("latin1"));
            assert_eq!(pages[2].page.as_ref().unwrap_err(), &Refusal::TooLarge { limit: 1000 });
        }
    }

    #[test]
    fn damage_ends_the_file_and_says_where() {
        let whole = [response("https://e.org/a", "<p>one"), response("https://e.org/b", "<p>two")].concat();
        for cut in [whole.len() - 6, whole.len() / 2 + 20, whole.len() / 2 + 150] {
            let read = read(&whole[..cut]);
            assert_eq!(read.len(), 2, "{cut}");
            assert!(read[0].is_ok());
            let message = read[1].as_ref().unwrap_err().to_string();
            assert!(message.contains("a.warc: record 2: it"), "{message}");
        }
        let zipped = zip(&whole);
        assert!(read(&zipped[..zipped.len() - 12]).last().unwrap().is_err());
        assert!(
            read(b"PK\x03\x04\n").remove(0).unwrap_err().to_string().contains("record 1: it begins with")
        );
        assert!(read(b"WARC/1.0\r\nContent-Length: -1\r\n\r\n").remove(0).is_err());
        assert!(read(format!("WARC/1.0\r\nX: {}\r\n\r\n", "x".repeat(70_000)).as_bytes()).remove(0).is_err());
        assert!(read(b"WARC/1.0\r\nContent-Length: 18446744073709551615\r\n\r\n").remove(0).is_err());
        assert!(read(b"").is_empty());
    }
}
