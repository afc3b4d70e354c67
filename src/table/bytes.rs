//! The bytes of a raw file, unpacked where it is compressed: told by how it begins, whatever it is called.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

/// Endings that a compressed file has after that of its format.
pub const PACKED: [&str; 3] = ["gz", "zst", "zstd"];

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// A table has no more bytes than so many times those of its compressed file, but a file made to fill a disk has.
const MOST_TIMES: u64 = 1000;

type Packed = BufReader<Chain<Cursor<Vec<u8>>, File>>;

/// What `path` holds.
///
/// # Errors
/// It cannot be read. What is damaged is said where it is met.
pub fn opened(path: &Path) -> io::Result<Box<dyn Read>> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut first = Vec::new();
    (&mut file).take(ZSTD.len() as u64).read_to_end(&mut first)?;
    let (gzip, zstd) = (first.starts_with(GZIP), first == ZSTD);
    let whole = BufReader::new(Cursor::new(first).chain(file));
    let bounded = |inner| Box::new(Bounded { inner, left: size.saturating_mul(MOST_TIMES) });
    Ok(match (gzip, zstd) {
        (true, _) => bounded(Box::new(MultiGzDecoder::new(whole))),
        (_, true) => bounded(Box::new(Frames { packed: Some(whole), frame: None })),
        _ => Box::new(whole),
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

/// The frames of a file compressed by Zstandard, one behind the other.
struct Frames {
    /// What is packed, between two frames.
    packed: Option<Packed>,
    frame: Option<StreamingDecoder<Packed, ruzstd::decoding::FrameDecoder>>,
}

impl Read for Frames {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(mut frame) = self.frame.take() {
                let read = frame.read(buffer)?;
                if read > 0 || buffer.is_empty() {
                    self.frame = Some(frame);
                    return Ok(read);
                }
                self.packed = Some(frame.into_inner());
            }
            let Some(mut packed) = self.packed.take() else { return Ok(0) };
            if packed.fill_buf()?.is_empty() {
                return Ok(0);
            }
            self.frame = Some(StreamingDecoder::new(packed).map_err(damaged)?);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let mut all = Vec::new();
        opened(file.path())?.read_to_end(&mut all)?;
        Ok(all)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn packed_files_are_unpacked_to_the_last_frame() {
        let zstd = |bytes: &[u8]| compress_to_vec(bytes, CompressionLevel::Fastest);
        let (a, b): (Vec<u8>, &[u8]) =
            ((0..200_000u32).flat_map(u32::to_le_bytes).collect(), b"text,label\n");
        let both = [&a[..], b].concat();
        assert_eq!(read(&both).unwrap(), both);
        assert_eq!(read(&[gzip(&a), gzip(b)].concat()).unwrap(), both);
        assert_eq!(read(&[zstd(&a), zstd(b)].concat()).unwrap(), both);
        assert_eq!(read(b"").unwrap(), b"");
    }

    #[test]
    fn what_is_damaged_or_a_bomb_is_no_end_of_file() {
        let whole = gzip(&[b'a'; 10_000]);
        let cut = read(&whole[..whole.len() - 9]).unwrap_err();
        assert!(cut.to_string().contains("the compressed file is damaged"), "{cut}");
        let packed = compress_to_vec(&b"text,label\nand more\n".repeat(500)[..], CompressionLevel::Fastest);
        let cut = read(&packed[..packed.len() / 2]).unwrap_err();
        assert!(cut.to_string().contains("the compressed file is damaged"), "{cut}");
        let bomb = read(&gzip(&vec![0; 50 << 20])).unwrap_err();
        assert!(bomb.to_string().contains("more than 1000 times its size"), "{bomb}");
    }
}
