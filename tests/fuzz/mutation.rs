//! Inputs from inputs: bits, bytes, numbers, pieces and words changed, as AFL's "havoc" stage does (Zalewski, technical details of AFL).
//!
//! Written here because what is alive of its kind drives a fuzzer of nightly or wants LLVM's coverage; this runs wherever `cargo test` does.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Numbers at the edges of types, of sizes and of signs.
const EDGES: [u64; 20] = [
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x3fff_ffff_ffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_fff0,
    0xffff_ffff_ffff_ffff,
    0x7ff8_0000_0000_0000,
];

/// What numbers in a text become.
const NUMBERS: [&str; 16] = [
    "0",
    "-0",
    "-1",
    "1",
    "255",
    "65536",
    "2147483648",
    "4294967295",
    "9223372036854775807",
    "18446744073709551615",
    "99999999999999999999",
    "1e308",
    "1e999",
    "-1e-320",
    "0.5",
    "null",
];

/// Changes inputs, the same way for the same seed.
pub struct Mutator {
    random: ChaCha8Rng,
    words: &'static [&'static str],
    most: usize,
}

impl Mutator {
    /// Of inputs of at most `most` bytes, in which `words` mean something.
    pub fn new(seed: u64, words: &'static [&'static str], most: usize) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed), words, most }
    }

    /// A number below `end`; 0 of none.
    pub fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { self.random.random_range(0..end) }
    }

    /// `of` with a few changes, some of them pieces of `other`.
    pub fn mutated(&mut self, of: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = of.to_vec();
        for _ in 0..1 << self.below(5) {
            self.change(&mut bytes, other);
            bytes.truncate(self.most);
        }
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(bytes.len());
        match self.below(12) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
            1 if !bytes.is_empty() => bytes[at] = self.random.random(),
            2 => self.number(bytes, at),
            3 => self.digits(bytes, at),
            4 => bytes.truncate(at),
            5 => {
                let piece = self.piece(bytes.len(), 64);
                bytes.drain(piece);
            }
            6 => {
                let piece = self.piece(bytes.len(), 64);
                let times = 1 << self.below(6);
                let repeated = bytes[piece].repeat(times);
                bytes.splice(at..at, repeated);
            }
            7 => {
                let piece = self.piece(other.len(), 1024);
                bytes.splice(at..at, other[piece].iter().copied());
            }
            8 => {
                let (piece, over) = (self.piece(other.len(), 256), self.piece(bytes.len(), 256));
                bytes.splice(over, other[piece].iter().copied());
            }
            9 | 10 if !self.words.is_empty() => {
                let word = self.words[self.below(self.words.len())];
                let over = if self.below(2) == 0 { at..at } else { self.piece(bytes.len(), 2 * word.len()) };
                bytes.splice(over, word.bytes());
            }
            _ => {
                let (from, to) = (self.piece(bytes.len(), 64), self.below(bytes.len()));
                let moved: Vec<u8> = bytes.drain(from).collect();
                let to = to.min(bytes.len());
                bytes.splice(to..to, moved);
            }
        }
    }

    /// A place of at most `longest` of `length` bytes.
    fn piece(&mut self, length: usize, longest: usize) -> std::ops::Range<usize> {
        let from = self.below(length);
        from..from + self.below((length - from).min(longest) + 1)
    }

    /// A number of 1, 2, 4 or 8 bytes: an edge, or what stands there and a little more or less.
    fn number(&mut self, bytes: &mut [u8], at: usize) {
        let width = 1 << self.below(4);
        let Some(place) = bytes.get_mut(at..at + width) else { return };
        let mut known = [0; 8];
        known[..width].copy_from_slice(place);
        let swapped = self.below(2) == 0;
        let value = match self.below(3) {
            0 => u64::from_le_bytes(known).wrapping_add(self.below(35) as u64).wrapping_sub(17),
            _ => EDGES[self.below(EDGES.len())],
        };
        place.copy_from_slice(&value.to_le_bytes()[..width]);
        if swapped {
            place.reverse();
        }
    }

    /// The number in decimal digits at or behind `at`.
    fn digits(&mut self, bytes: &mut Vec<u8>, at: usize) {
        let digits = |b: &u8| b.is_ascii_digit();
        let Some(from) = bytes[at..].iter().position(digits).map(|more| at + more) else { return };
        let end = bytes[from..].iter().position(|b| !digits(b)).map_or(bytes.len(), |more| from + more);
        let number = NUMBERS[self.below(NUMBERS.len())];
        bytes.splice(from..end, number.bytes());
    }
}

#[test]
fn a_seed_gives_the_same_inputs_and_none_is_too_long() {
    let made = |seed: u64| {
        let mut mutator = Mutator::new(seed, &["word"], 50);
        let mut bytes = b"a,12\n".to_vec();
        let each = |_| {
            bytes = mutator.mutated(&bytes, b"other 7");
            assert!(bytes.len() <= 50);
            bytes.clone()
        };
        (0..2000).map(each).collect::<Vec<_>>()
    };
    assert_eq!(made(1), made(1));
    assert_ne!(made(1), made(2));
    Mutator::new(1, &[], 5).mutated(b"", b"");
}
