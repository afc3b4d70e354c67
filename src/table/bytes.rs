//! The bytes of a raw file, unpacked where it is compressed: told by how it begins, whatever it is called.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use zstd::stream::{read::Decoder as ZstdDecoder, write::Encoder as ZstdEncoder};

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Packing {
    /// By gzip.
    Gzip,
    /// By Zstandard.
    Zstd,
}

/// Endings that a compressed file has after that of its format.
const PACKED: [(&str, Packing); 3] =
    [(".gz", Packing::Gzip), (".zst", Packing::Zstd), (".zstd", Packing::Zstd)];

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// A table has no more bytes than so many times those of its compressed file, but a file made to fill a disk has.
const MOST_TIMES: u64 = 1000;

/// The name of a file in lower case, without the ending that says how it is compressed, and what that says.
pub fn name_unpacked(path: &Path) -> (String, Option<Packing>) {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let found = PACKED.iter().find_map(|(ending, packing)| Some((name.strip_suffix(ending)?, *packing)));
    match found {
        Some((name, packing)) => (name.to_owned(), Some(packing)),
        None => (name, None),
    }
}

/// How a file is compressed, by its beginning.
///
/// # Errors
/// It cannot be read.
pub fn packing_of(path: &Path) -> io::Result<Option<Packing>> {
    let mut first = Vec::new();
    File::open(path)?.take(ZSTD.len() as u64).read_to_end(&mut first)?;
    Ok(packing_in(&first))
}

/// What `path` holds, where it is compressed.
///
/// # Errors
/// It cannot be read.
pub fn unpacked(path: &Path) -> io::Result<Option<Box<dyn Read>>> {
    packing_of(path)?.map(|_| opened(path)).transpose()
}

fn packing_in(first: &[u8]) -> Option<Packing> {
    let found = [(GZIP, Packing::Gzip), (ZSTD, Packing::Zstd)];
    found.into_iter().find(|(magic, _)| first.starts_with(magic)).map(|(_, packing)| packing)
}

/// What `path` holds.
///
/// # Errors
/// It cannot be read. What is damaged is said where it is met.
pub fn opened(path: &Path) -> io::Result<Box<dyn Read>> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut first = Vec::new();
    (&mut file).take(ZSTD.len() as u64).read_to_end(&mut first)?;
    let packing = packing_in(&first);
    let whole = BufReader::new(Cursor::new(first).chain(file));
    let bounded = |inner| Box::new(Bounded { inner, left: size.saturating_mul(MOST_TIMES) });
    Ok(match packing {
        Some(Packing::Gzip) => bounded(Box::new(MultiGzDecoder::new(whole))),
        Some(Packing::Zstd) => bounded(Box::new(ZstdDecoder::with_buffer(whole)?)),
        None => Box::new(whole),
    })
}

fn damaged(reason: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the compressed file is damaged: {reason}"))
}

/// Refuses to give more than so many bytes.
struct Bounded {
    inner: Box<dyn Read>,
    left: u64,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            _ => damaged(error),
        })?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            damaged(format!("it unpacks to more than {MOST_TIMES} times its size, as no table does"))
        })?;
        Ok(read)
    }
}

/// Compresses what is written to it, or hands it on.
pub enum Packer<W: Write> {
    /// As it is.
    Plain(W),
    /// By gzip.
    Gzip(GzEncoder<W>),
    /// By Zstandard.
    Zstd(ZstdEncoder<'static, W>),
}

impl<W: Write> Packer<W> {
    /// For what is written to `to`, at the usual levels.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn new(to: W, packing: Option<Packing>) -> io::Result<Self> {
        Ok(match packing {
            None => Self::Plain(to),
            Some(Packing::Gzip) => Self::Gzip(GzEncoder::new(to, Compression::default())),
            Some(Packing::Zstd) => Self::Zstd(ZstdEncoder::new(to, zstd::DEFAULT_COMPRESSION_LEVEL)?),
        })
    }

    /// Write what is left; what it all was written to.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(self) -> io::Result<W> {
        match self {
            Self::Plain(to) => Ok(to),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Packer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(to) => to.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(to) => to.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let mut all = Vec::new();
        opened(file.path())?.read_to_end(&mut all)?;
        Ok(all)
    }

    fn packed(bytes: &[u8], packing: Packing) -> Vec<u8> {
        let mut packer = Packer::new(Vec::new(), Some(packing)).unwrap();
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn packed_files_are_unpacked_to_the_last_frame() {
        let (a, b): (Vec<u8>, &[u8]) =
            ((0..200_000u32).flat_map(u32::to_le_bytes).collect(), b"text,label\n");
        let both = [&a[..], b].concat();
        assert_eq!(read(&both).unwrap(), both);
        for packing in [Packing::Gzip, Packing::Zstd] {
            assert_eq!(read(&[packed(&a, packing), packed(b, packing)].concat()).unwrap(), both);
        }
        assert_eq!(read(b"").unwrap(), b"");
    }

    #[test]
    fn what_is_damaged_or_a_bomb_is_no_end_of_file() {
        let whole = packed(&[b'a'; 10_000], Packing::Gzip);
        let cut = read(&whole[..whole.len() - 9]).unwrap_err();
        assert!(cut.to_string().contains("the compressed file is damaged"), "{cut}");
        let whole = packed(&b"text,label\nand more\n".repeat(500), Packing::Zstd);
        let cut = read(&whole[..whole.len() / 2]).unwrap_err();
        assert!(cut.to_string().contains("the compressed file is damaged"), "{cut}");
        for packing in [Packing::Gzip, Packing::Zstd] {
            let bomb = read(&packed(&vec![0; 50 << 20], packing)).unwrap_err();
            assert!(bomb.to_string().contains("more than 1000 times its size"), "{bomb}");
        }
    }

    #[test]
    fn the_name_says_how_a_file_is_packed() {
        let of = |name| name_unpacked(Path::new(name));
        assert_eq!(of("d/A.csv.GZ"), ("a.csv".into(), Some(Packing::Gzip)));
        assert_eq!(of("a.zstd"), ("a".into(), Some(Packing::Zstd)));
        assert_eq!(of("gz"), ("gz".into(), None));
    }
}
