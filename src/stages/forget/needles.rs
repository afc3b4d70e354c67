//! What forgotten texts look like in files: whole or in pieces, as they are or escaped.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::{AhoCorasick, BuildError as TooLarge, MatchKind};

use super::journal::Journal;
use crate::table::items;

/// Characters of a piece: an excerpt of twice as many holds a whole one.
const PIECE: usize = 48;

/// Fewer bytes are met by chance in any larger file of numbers.
const SHORTEST: usize = 8;

/// Together fewer characters than this may stand in another row by chance. Guessed.
const TELLING: usize = 40;

/// Pieces of texts to look for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Needles {
    /// Each once.
    pub pieces: Vec<String>,
    /// The pieces of each row that has enough of them to be known by.
    pub rows: Vec<BTreeSet<usize>>,
    /// Texts that are too short to be told from chance.
    pub too_short: usize,
}

impl Needles {
    /// Of the rows and variants of a journal.
    pub fn of(journal: &Journal) -> Self {
        let (mut numbers, mut needles) = (BTreeMap::new(), Self::default());
        let mut short = BTreeSet::new();
        let mut add = |needles: &mut Self, text: String| -> BTreeSet<usize> {
            let pieces = pieces_of(&text);
            if pieces.is_empty() && !text.trim().is_empty() {
                short.insert(text);
            }
            let mut number = |piece: String| {
                *numbers.entry(piece.clone()).or_insert_with(|| {
                    needles.pieces.push(piece);
                    needles.pieces.len() - 1
                })
            };
            pieces.into_iter().map(&mut number).collect()
        };
        for row in &journal.rows {
            let texts = row.cells.values().flat_map(|cell| items(cell).0);
            let pieces: BTreeSet<usize> = texts.flat_map(|text| add(&mut needles, text)).collect();
            let characters: usize = pieces.iter().map(|&piece| needles.pieces[piece].chars().count()).sum();
            if characters >= TELLING {
                needles.rows.push(pieces);
            }
        }
        for variant in &journal.variants {
            add(&mut needles, variant.clone());
        }
        needles.too_short = short.len();
        needles
    }

    /// Whether these pieces have all of those of a row.
    pub fn hold_a_row(&self, pieces: &BTreeSet<usize>) -> bool {
        self.rows.iter().any(|row| row.is_subset(pieces))
    }

    /// Those pieces that `leave_out` does not have.
    pub fn without(&self, leave_out: &BTreeSet<usize>) -> Vec<String> {
        let stays = |number: &usize| !leave_out.contains(number);
        (0..self.pieces.len()).filter(stays).map(|number| self.pieces[number].clone()).collect()
    }
}

/// The pieces of a text: its lines where they are short, else parts of them.
fn pieces_of(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    for line in text.lines().map(str::trim) {
        let characters: Vec<char> = line.chars().collect();
        match characters.len() < 2 * PIECE {
            true => pieces.push(line.to_owned()),
            false => {
                pieces.extend(characters.chunks_exact(PIECE).map(|piece| piece.iter().collect::<String>()))
            }
        }
    }
    pieces.retain(|piece| piece.len() >= SHORTEST);
    pieces
}

/// Finds pieces in bytes, in whatever form.
pub struct Finder {
    searcher: AhoCorasick,
    /// For each pattern, the piece that it is a form of.
    of: Vec<usize>,
}

impl Finder {
    /// For these pieces, whatever the case of their ASCII letters.
    ///
    /// # Errors
    /// They are too many for memory.
    pub fn new(pieces: &[String]) -> Result<Self, TooLarge> {
        let (mut patterns, mut of) = (Vec::new(), Vec::new());
        for (number, piece) in pieces.iter().enumerate() {
            for form in forms(piece) {
                patterns.push(form);
                of.push(number);
            }
        }
        let mut builder = AhoCorasick::builder();
        builder.ascii_case_insensitive(true).match_kind(MatchKind::Standard);
        Ok(Self { searcher: builder.build(patterns)?, of })
    }

    /// The first piece in `bytes`, if any.
    pub fn first(&self, bytes: &[u8]) -> Option<usize> {
        Some(self.of[self.searcher.find(bytes)?.pattern().as_usize()])
    }

    /// All pieces in `bytes`.
    pub fn all(&self, bytes: &[u8]) -> BTreeSet<usize> {
        self.searcher.find_overlapping_iter(bytes).map(|found| self.of[found.pattern().as_usize()]).collect()
    }
}

/// A piece as files have it: as it is, in JSON (also all in ASCII), in HTML, in a quoted cell, in UTF-16.
fn forms(piece: &str) -> BTreeSet<Vec<u8>> {
    let json = serde_json::to_string(piece).unwrap_or_default();
    let json = json.get(1..json.len().saturating_sub(1)).unwrap_or_default().to_owned();
    let mut ascii = String::new();
    for character in json.chars() {
        match character.is_ascii() {
            true => ascii.push(character),
            false => {
                let mut units = [0; 2];
                let units = character.encode_utf16(&mut units).iter();
                ascii.extend(units.map(|unit| format!("\\u{unit:04x}")));
            }
        }
    }
    let html = piece.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let quoted = piece.replace('"', "\"\"");
    let mut forms: BTreeSet<Vec<u8>> = [
        piece.to_owned(),
        quoted,
        json.replace('/', "\\/"),
        html.replace('\'', "&#39;"),
        html.replace('\'', "&#x27;").replace('/', "&#x2f;"),
        html,
        ascii,
        json,
    ]
    .map(String::into_bytes)
    .into();
    forms.insert(piece.encode_utf16().flat_map(u16::to_le_bytes).collect());
    forms.insert(piece.encode_utf16().flat_map(u16::to_be_bytes).collect());
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_in_every_form_and_in_excerpts() {
        let long = "word ".repeat(15)
            + "and then the end of it, which nobody else has ever written down before today";
        let texts = ["Café \"Zur Post\" & <Sons>, 3/4", long.as_str()];
        let pieces: Vec<String> = texts.iter().flat_map(|text| pieces_of(text)).collect();
        let finder = Finder::new(&pieces).unwrap();
        let text = texts[0];
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let ascii = serde_json::to_string(text).unwrap().replace('é', "\\u00e9");
        for holds in [
            text.as_bytes().to_vec(),
            text.to_ascii_uppercase().into_bytes(),
            serde_json::to_string(text).unwrap().into_bytes(),
            ascii.into_bytes(),
            format!("\"{}\"", text.replace('"', "\"\"")).into_bytes(),
            b"Caf\xc3\xa9 &quot;Zur Post&quot; &amp; &lt;Sons&gt;, 3&#x2f;4".to_vec(),
            [b"\x93NUMPY".to_vec(), wide].concat(),
            long.as_bytes()[20..130].to_vec(),
        ] {
            assert!(finder.first(&holds).is_some(), "{}", String::from_utf8_lossy(&holds));
        }
        for other in [&b""[..], b"Cafe Zur Post & Sons, 3/4", b"word word word word word word and then"] {
            assert_eq!(finder.first(other), None);
        }
    }

    #[test]
    fn what_is_too_short_is_counted() {
        let row = |text: &str| super::super::journal::ForgottenRow {
            place: "a:2".into(),
            why: super::super::journal::Why::Asked,
            cells: [("text".to_owned(), text.to_owned())].into(),
            record: None,
            content: None,
        };
        let journal = Journal {
            rows: vec![row("yes"), row("[\"Pour it out.\", \"no\"]"), row("")],
            variants: ["Tip it out.".to_owned()].into(),
            ..Journal::default()
        };
        let needles = Needles::of(&journal);
        assert_eq!(needles.pieces, ["Pour it out.", "Tip it out."]);
        assert_eq!(needles.too_short, 2);
    }
}
