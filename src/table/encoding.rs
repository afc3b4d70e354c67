//! What encoding a file has: decided once, from all of its bytes.

use std::io::{self, Read};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// The encoding of a file.
#[derive(Clone, Debug)]
pub struct Found {
    /// That of all its text.
    pub encoding: &'static Encoding,
    /// Where that is doubtful, what speaks for it.
    pub evidence: Option<String>,
}

/// Why a file is no text.
pub const BINARY: &str = "is a binary file (it holds many control characters), not a CSV";

/// Share of bytes that are control characters (but tabs, line ends and form feeds) above which a file is no text; one alone is a
/// slip.
const MOST_CONTROL: f64 = 0.01;

/// Characters beyond ASCII that say which legacy encoding a file has; of fewer anything can be made.
const FEWEST_LEGACY: u64 = 10;

/// Bytes, about, by which letters are known; of more it would be the same, and the detector is slow.
const LOOKED_AT: usize = 1 << 18;

/// Find the encoding of what `input` gives, if it is not `stated`.
///
/// A byte-order mark decides. Without one, a file of which every other byte is NUL is UTF-16. One of which at least three in four
/// characters beyond ASCII are not UTF-8, and ten at least, is of the legacy encoding that its letters look like (chardetng, as in
/// Firefox). Any other is UTF-8; what is not valid in it is read cell by cell: see [`cell`].
///
/// # Errors
/// The bytes cannot be read. `Ok(Err)` says why they are no text.
pub fn find(
    mut input: impl Read,
    stated: Option<&'static Encoding>,
) -> io::Result<Result<Found, &'static str>> {
    let mut seen = Seen::default();
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    let mut buffer = vec![0; 1 << 16];
    let (mut marked, mut fed) = (None, 0);
    loop {
        let count = match input.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if seen.bytes == 0 {
            marked = Encoding::for_bom(&buffer[..count]).map(|(encoding, _)| encoding);
        }
        if count == 0 {
            break;
        }
        seen.add(&buffer[..count]);
        if fed < LOOKED_AT && !buffer[..count].is_ascii() {
            detector.feed(&buffer[..count], false);
            fed += count;
        }
    }
    detector.feed(&[], true);
    let plain = |encoding| Ok(Ok(Found { encoding, evidence: None }));
    let wide = |encoding: &'static Encoding| encoding == UTF_16LE || encoding == UTF_16BE;
    if let Some(encoding) = marked.or(stated).filter(|encoding| wide(encoding)) {
        return plain(encoding);
    }
    if marked.is_none() && stated.is_none() {
        let half = seen.bytes / 2;
        let mostly = |here: u64, there: u64| here * 3 > half && there * 50 < half;
        let of = [(UTF_16LE, mostly(seen.nul[1], seen.nul[0])), (UTF_16BE, mostly(seen.nul[0], seen.nul[1]))];
        if let Some((encoding, _)) = of.into_iter().find(|(_, holds)| *holds) {
            let evidence = Some("every other byte of most of it is NUL".into());
            return Ok(Ok(Found { encoding, evidence }));
        }
    }
    let controls = seen.control + seen.nul[0] + seen.nul[1];
    if controls > 1 && controls as f64 > MOST_CONTROL * seen.bytes as f64 {
        return Ok(Err(BINARY));
    }
    if let Some(encoding) = marked.or(stated) {
        return plain(encoding);
    }
    if seen.invalid < FEWEST_LEGACY || seen.invalid < 3 * seen.valid {
        return plain(UTF_8);
    }
    let guess = detector.guess(None, Utf8Detection::Deny);
    if guess == WINDOWS_1252 {
        // Cells of UTF-8 that hold nothing valid are read so, and the few that are valid need not be spoilt.
        return plain(UTF_8);
    }
    let (invalid, all) = (seen.invalid, seen.valid + seen.invalid);
    let evidence = format!("{invalid} of {all} characters beyond ASCII are not UTF-8 and look like it");
    Ok(Ok(Found { encoding: guess, evidence: Some(evidence) }))
}

/// What the bytes so far hold.
#[derive(Default)]
struct Seen {
    bytes: u64,
    /// NUL at even and at odd places.
    nul: [u64; 2],
    /// Other control characters.
    control: u64,
    /// Characters beyond ASCII in UTF-8.
    valid: u64,
    /// Sequences beyond ASCII that are not UTF-8.
    invalid: u64,
    /// The beginning of a character that the next bytes may complete.
    open: Vec<u8>,
}

impl Seen {
    fn add(&mut self, bytes: &[u8]) {
        for (place, &byte) in bytes.iter().enumerate().filter(|(_, byte)| **byte < b' ') {
            match byte {
                0 => self.nul[(self.bytes as usize + place) % 2] += 1,
                b'\t' | b'\n' | b'\r' | b'\x0b' | b'\x0c' | b'\x1a' => {}
                _ => self.control += 1,
            }
        }
        self.bytes += bytes.len() as u64;
        if self.open.is_empty() && bytes.is_ascii() {
            return;
        }
        let mut all = std::mem::take(&mut self.open);
        all.extend_from_slice(bytes);
        let chunks: Vec<_> = all.utf8_chunks().collect();
        for (i, chunk) in chunks.iter().enumerate() {
            self.valid += chunk.valid().chars().filter(|c| !c.is_ascii()).count() as u64;
            if chunk.invalid().is_empty() {
                continue;
            }
            // At the end it may be a character that the next bytes go on with.
            if i + 1 == chunks.len()
                && chunk.invalid().len() < 4
                && std::str::from_utf8(chunk.invalid()).is_err_and(|e| e.error_len().is_none())
            {
                self.open = chunk.invalid().to_vec();
            } else {
                self.invalid += 1;
            }
        }
    }
}

/// The text of a cell of a file in UTF-8, and how it was mended.
///
/// A cell in which nothing beyond ASCII is UTF-8 is Windows-1252; in another one each invalid sequence becomes U+FFFD. NUL is left
/// out, and a line break within the cell becomes a line feed, whatever the file has.
pub fn cell(bytes: Vec<u8>) -> (String, Mended) {
    let mut mended = Mended::default();
    let mut text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let bytes = error.as_bytes();
            let any_valid = bytes.utf8_chunks().any(|chunk| !chunk.valid().is_ascii());
            if any_valid {
                mended.replaced = bytes.utf8_chunks().filter(|chunk| !chunk.invalid().is_empty()).count();
                String::from_utf8_lossy(bytes).into_owned()
            } else {
                mended.legacy = true;
                WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned()
            }
        }
    };
    if text.contains('\0') {
        mended.nul = text.matches('\0').count();
        text.retain(|c| c != '\0');
    }
    if text.contains('\r') {
        text = text.replace("\r\n", "\n").replace('\r', "\n");
    }
    (text, mended)
}

/// What was mended in one cell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mended {
    /// It was Windows-1252.
    pub legacy: bool,
    /// Sequences that became U+FFFD.
    pub replaced: usize,
    /// NULs left out.
    pub nul: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(bytes: &[u8]) -> Result<Found, &'static str> {
        find(bytes, None).unwrap()
    }

    #[test]
    fn the_encoding_of_whole_files() {
        let russian = "Сшей носок, нарисуй лицо и покажи спектакль; кухня, музыка, мячи.\n".repeat(3);
        for label in ["windows-1251", "koi8-u", "utf-8", "utf-16le"] {
            let encoding = Encoding::for_label(label.as_bytes()).unwrap();
            let bytes = match label {
                "utf-16le" => russian.encode_utf16().flat_map(u16::to_le_bytes).collect(),
                _ => encoding.encode(&russian).0.into_owned(),
            };
            // Cyrillic in UTF-16 has few NULs: without a mark that one must be stated.
            let stated = (label == "utf-16le").then_some(encoding);
            let found = find(&bytes[..], stated).unwrap().unwrap();
            assert_eq!(found.encoding, encoding, "{label}");
            assert_eq!(found.evidence.is_some(), label == "windows-1251" || label == "koi8-u", "{label}");
        }
        // Two sources in one file, most of it Windows-1252: its cells are told apart.
        let two = [&b"caf\xe9,\xe0 vous\n".repeat(20)[..], "é,ü\n".repeat(10).as_bytes()].concat();
        assert_eq!(found(&two).unwrap().encoding, UTF_8);
        let japanese =
            encoding_rs::SHIFT_JIS.encode("絵本を読んで、靴下で人形を作りましょう。").0.into_owned();
        assert_eq!(found(&japanese).unwrap().encoding, encoding_rs::SHIFT_JIS);
        let wide: Vec<u8> = "text,label\nSock,puppets\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(found(&wide).unwrap().encoding, UTF_16BE);
        assert_eq!(found(b"text\ncaf\xe9\n").unwrap().encoding, UTF_8);
        assert_eq!(found(b"").unwrap().encoding, UTF_8);
        assert!(found(b"a,b\n\0\x01").is_err());
        assert!(found(&[b"text,label\n".repeat(20), b"a\0b,c\n".to_vec()].concat()).is_ok());
    }

    /// A character that lies across two reads is one character.
    #[test]
    fn characters_across_reads() {
        struct Slow<'a>(&'a [u8]);
        impl Read for Slow<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let count = self.0.len().min(1);
                buffer[..count].copy_from_slice(&self.0[..count]);
                self.0 = &self.0[count..];
                Ok(count)
            }
        }
        let bytes = "é€😀".repeat(5).into_bytes();
        let mut seen = Seen::default();
        bytes.iter().for_each(|byte| seen.add(&[*byte]));
        assert_eq!((seen.valid, seen.invalid), (15, 0));
        assert_eq!(find(Slow(&bytes), None).unwrap().unwrap().encoding, UTF_8);
    }

    #[test]
    fn cells_keep_what_is_valid() {
        let of = |bytes: &[u8]| cell(bytes.to_vec());
        assert_eq!(of("Crème brûlée".as_bytes()), ("Crème brûlée".into(), Mended::default()));
        assert_eq!(of(b"Caf\xe9"), ("Café".into(), Mended { legacy: true, ..Mended::default() }));
        let cut = of(b"Cr\xc3\xa8me br\xc3\xbbl\xc3");
        assert_eq!(cut, ("Crème brûl\u{fffd}".into(), Mended { replaced: 1, ..Mended::default() }));
        assert_eq!(of(b"a\0b\r\nc\rd"), ("ab\nc\nd".into(), Mended { nul: 1, ..Mended::default() }));
    }
}
