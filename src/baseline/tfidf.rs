//! Term frequency times inverse document frequency, as scikit-learn's `TfidfVectorizer` with `sublinear_tf`.

use std::collections::{BTreeMap, HashMap};

/// Rows of few non-zero values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sparse {
    /// Length of a row, zeros included.
    pub width: usize,
    /// Where each row ends in the two lists below.
    pub ends: Vec<usize>,
    /// Column of each value, ascending inside a row.
    pub columns: Vec<u32>,
    /// The values.
    pub values: Vec<f32>,
}

impl Sparse {
    /// Columns and values of one row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = (usize, f32)> {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        let range = start..self.ends[row];
        self.columns[range.clone()].iter().map(|&c| c as usize).zip(self.values[range].iter().copied())
    }
}

/// A vocabulary with its document frequencies, learned from training texts.
#[derive(Clone, Debug, PartialEq)]
pub struct TfIdf {
    columns: HashMap<String, u32>,
    /// ln((1 + texts) / (1 + texts with the term)) + 1 of each column.
    idf: Vec<f32>,
}

impl TfIdf {
    /// Learn the terms (words and pairs of neighbouring words) that at least `min_texts` of `texts` have.
    pub fn learn(texts: &[String], min_texts: usize) -> Self {
        let mut having: BTreeMap<String, usize> = BTreeMap::new();
        for text in texts {
            for term in counts(text).into_keys() {
                *having.entry(term).or_default() += 1;
            }
        }
        having.retain(|_, &mut n| n >= min_texts);
        let idf = having.values().map(|&n| ((1 + texts.len()) as f32 / (1 + n) as f32).ln() + 1.0).collect();
        let columns = having.into_keys().zip(0..).collect();
        Self { columns, idf }
    }

    /// One row a text, of length 1 (or 0 for a text without known terms): (1 + ln count) · idf, scaled.
    pub fn rows<'t>(&self, texts: impl IntoIterator<Item = &'t String>) -> Sparse {
        let mut rows = Sparse { width: self.idf.len(), ..Sparse::default() };
        for text in texts {
            let known = counts(text).into_iter().filter_map(|(t, n)| Some((*self.columns.get(&t)?, n)));
            let mut row: Vec<(u32, f32)> =
                known.map(|(c, n)| (c, (1.0 + (n as f32).ln()) * self.idf[c as usize])).collect();
            row.sort_unstable_by_key(|&(column, _)| column);
            let length = row.iter().map(|(_, v)| v * v).sum::<f32>().sqrt();
            rows.columns.extend(row.iter().map(|&(c, _)| c));
            rows.values.extend(row.iter().map(|(_, v)| v / length));
            rows.ends.push(rows.columns.len());
        }
        rows
    }
}

/// How often each term occurs. A word is a run of two or more letters, digits or underscores, in lower case.
fn counts(text: &str) -> HashMap<String, usize> {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| word.chars().nth(1).is_some())
        .collect();
    let mut counts = HashMap::new();
    for word in &words {
        *counts.entry((*word).to_owned()).or_default() += 1;
    }
    for pair in words.windows(2) {
        *counts.entry(pair.join(" ")).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scikit-learn 1.9: `TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2))`, fitted on the three texts.
    #[test]
    fn rows_agree_with_scikit_learn() {
        let texts =
            ["Build a fort, build it high", "Build a snow fort", "Read in the snow, read"].map(str::to_owned);
        let tfidf = TfIdf::learn(&texts, 1);
        let rows = tfidf.rows(&texts);
        assert_eq!(rows.width, 18);
        let value = |row: usize, term: &str| {
            let column = tfidf.columns[term] as usize;
            rows.row(row).find(|&(c, _)| c == column).map_or(0.0, |(_, v)| f64::from(v))
        };
        for (row, term, expected) in REFERENCE {
            assert!((value(row, term) - expected).abs() < 1e-6, "{term}: {}", value(row, term));
        }
    }

    const REFERENCE: [(usize, &str, f64); 5] = [
        (0, "build", 0.44867993684083984),
        (0, "fort build", 0.3484399965175731),
        (1, "snow fort", 0.5174199439321682),
        (2, "read", 0.550922303815182),
        (2, "build", 0.0),
    ];

    #[test]
    fn rare_and_unknown_terms_are_left_out() {
        let texts = ["red ball", "red kite", "blue"].map(str::to_owned);
        let tfidf = TfIdf::learn(&texts, 2);
        assert_eq!(tfidf.columns.keys().collect::<Vec<_>>(), ["red"]);
        let rows = tfidf.rows(&["green".to_owned(), "red green".to_owned()]);
        assert_eq!((rows.ends, rows.columns, rows.values), (vec![0, 1], vec![0], vec![1.0]));
    }
}
