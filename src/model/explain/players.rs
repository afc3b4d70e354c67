//! What of a row may be there or not: the words of its texts, and its columns.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::shapley::Coalition;
use crate::table::Cells;

/// Players of a row, but for a few where it has more fields or columns than these; of longer texts neighbouring words are one. Sampling
/// costs a text for each in every order.
pub const MOST_PLAYERS: usize = 60;

/// One of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Player {
    /// Words of a text field, and what stands between them and the next.
    Words {
        /// The place of the field.
        field: usize,
        /// Bytes of its text.
        bytes: Range<usize>,
    },
    /// A number that is known, by the place of its feature.
    Number(usize),
    /// The values of a categorical feature that has some, by its place.
    Category(usize),
}

/// All players of a row: the words of each field in order, then its columns. What is empty is none.
pub fn players(cells: &Cells) -> Vec<Player> {
    let numbers = cells.numeric.iter().enumerate().filter(|(_, value)| value.is_some());
    let categories = cells.categories.iter().enumerate().filter(|(_, values)| !values.is_empty());
    let columns: Vec<Player> = numbers
        .map(|(place, _)| Player::Number(place))
        .chain(categories.map(|(place, _)| Player::Category(place)))
        .collect();
    let words: Vec<Vec<Range<usize>>> = cells.texts.iter().map(|text| words(text)).collect();
    let total: usize = words.iter().map(Vec::len).sum();
    let room = MOST_PLAYERS.saturating_sub(columns.len()).max(MOST_PLAYERS / 2);
    let mut players = Vec::new();
    for (field, words) in words.iter().enumerate() {
        let count = if total <= room { words.len() } else { (words.len() * room / total).max(1) };
        let one = |place: usize| {
            let [first, end] = [place, place + 1].map(|place| place * words.len() / count);
            Player::Words { field, bytes: words[first].start..words[end - 1].end }
        };
        players.extend((0..count.min(words.len())).map(one));
    }
    players.extend(columns);
    players
}

/// The words of a text (UAX #29), each with what stands behind it and the first with what stands before it, so that they are the text;
/// a text of signs alone is one word, a blank one has none.
fn words(text: &str) -> Vec<Range<usize>> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    let mut starts: Vec<usize> = text.unicode_word_indices().map(|(at, _)| at).collect();
    match starts.first_mut() {
        Some(first) => *first = 0,
        None => starts.push(0),
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
}

/// The row with the players of `coalition` alone. With all of them it is the row itself.
pub fn with(cells: &Cells, players: &[Player], coalition: &Coalition) -> Cells {
    if coalition.iter().all(|&here| here) {
        // A field of white space has no words, and stays as it is.
        return cells.clone();
    }
    let mut found = Cells {
        texts: vec![String::new(); cells.texts.len()],
        numeric: vec![None; cells.numeric.len()],
        categories: vec![Vec::new(); cells.categories.len()],
    };
    for (player, _) in players.iter().zip(coalition).filter(|(_, here)| **here) {
        match player {
            Player::Words { field, bytes } => {
                found.texts[*field].push_str(&cells.texts[*field][bytes.clone()]);
            }
            Player::Number(place) => found.numeric[*place] = cells.numeric[*place],
            Player::Category(place) => found.categories[*place].clone_from(&cells.categories[*place]),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(texts: &[&str]) -> Cells {
        Cells {
            texts: texts.iter().map(ToString::to_string).collect(),
            numeric: vec![None, Some(2.0)],
            categories: vec![vec!["a".into(), "b".into()], vec![]],
        }
    }

    fn shown(cells: &Cells) -> Vec<String> {
        let of = |player: &Player| match player {
            Player::Words { field, bytes } => cells.texts[*field][bytes.clone()].to_owned(),
            column => format!("{column:?}"),
        };
        players(cells).iter().map(of).collect()
    }

    #[test]
    fn words_and_columns_that_are_there_are_players() {
        let cells = row(&["\"Don't\", she said!", " ", "請付款", "!?"]);
        let own = ["\"Don't\", ", "she ", "said!", "請", "付", "款", "!?", "Number(1)", "Category(0)"];
        assert_eq!(shown(&cells), own);
        let players = players(&cells);
        let mut coalition = vec![true; players.len()];
        assert_eq!(with(&cells, &players, &coalition), cells);
        coalition[0] = false;
        coalition[7] = false;
        let found = with(&cells, &players, &coalition);
        assert_eq!(found.texts, ["she said!", "", "請付款", "!?"]);
        assert_eq!((found.numeric, found.categories), (vec![None, None], cells.categories.clone()));
        assert_eq!(with(&cells, &players, &vec![false; 9]).texts, ["", "", "", ""]);
    }

    #[test]
    fn neighbouring_words_of_long_texts_are_one_player() {
        let long = "word ".repeat(500);
        let cells = row(&[&long, "short text", &long]);
        let players = players(&cells);
        assert!(players.len() <= MOST_PLAYERS + 1, "{}", players.len());
        let of = |wanted: usize| {
            players
                .iter()
                .filter(move |p| matches!(p, Player::Words { field, .. } if *field == wanted))
                .count()
        };
        assert_eq!([of(0), of(1), of(2)], [28, 1, 28]);
    }

    proptest! {
        /// Whatever a text is, its words are the text, and none is lost.
        #[test]
        fn all_words_are_the_text(text in "\\PC{0,80}", other in "[a-z \\n]{0,400}") {
            let cells = row(&[&text, &other]);
            let players = players(&cells);
            prop_assert_eq!(&with(&cells, &players, &vec![true; players.len()]), &cells);
            let joined: String = players.iter().filter_map(|player| match player {
                Player::Words { field: 1, bytes } => Some(&other[bytes.clone()]),
                _ => None,
            }).collect();
            prop_assert_eq!(joined.trim(), other.trim());
        }
    }
}
