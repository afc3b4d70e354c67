//! Term frequency times inverse document frequency, as scikit-learn's `TfidfVectorizer` with `sublinear_tf`: of words
//! (`ngram_range=(1, 2)`), or of groups of letters (`analyzer="char_wb", ngram_range=(2, 5)`).

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::counted::Counted;
use super::strings::Strings;
use super::terms::{Terms, for_each_term};

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

impl Sparse {
    /// Some of these rows.
    pub fn pick(&self, rows: impl Iterator<Item = usize>) -> Self {
        let mut picked = Self { width: self.width, ..Self::default() };
        for row in rows {
            for (column, value) in self.row(row) {
                picked.columns.push(column as u32);
                picked.values.push(value);
            }
            picked.ends.push(picked.columns.len());
        }
        picked
    }

    /// These rows and then `other`'s.
    pub fn above(&self, other: &Self) -> Self {
        let shifted = other.ends.iter().map(|end| end + self.columns.len());
        Self {
            width: self.width,
            ends: self.ends.iter().copied().chain(shifted).collect(),
            columns: [&self.columns[..], &other.columns].concat(),
            values: [&self.values[..], &other.values].concat(),
        }
    }

    /// These rows and `other`'s side by side, all values times `scale`.
    pub fn beside(&self, other: &Self, scale: f32) -> Self {
        let mut both = Self { width: self.width + other.width, ..Self::default() };
        for row in 0..self.ends.len() {
            let shifted = other.row(row).map(|(column, value)| (column + self.width, value));
            for (column, value) in self.row(row).chain(shifted) {
                both.columns.push(column as u32);
                both.values.push(value * scale);
            }
            both.ends.push(both.columns.len());
        }
        both
    }
}

/// A vocabulary with its document frequencies, learned from training texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct TfIdf {
    kind: Terms,
    /// In ascending order; the place is the column.
    terms: Strings,
    /// ln((1 + texts) / (1 + texts with the term)) + 1 of each column.
    idf: Vec<f32>,
}

/// From so many texts on, a table of all terms is worth making.
const MANY_TEXTS: usize = 200;

#[derive(Clone, Serialize, Deserialize)]
struct Saved {
    kind: Terms,
    terms: Strings,
    idf: Vec<f32>,
}

impl TryFrom<Saved> for TfIdf {
    type Error = String;

    fn try_from(Saved { kind, terms, idf }: Saved) -> Result<Self, String> {
        if terms.len() != idf.len() {
            return Err(format!("{} terms and {} frequencies", terms.len(), idf.len()));
        }
        match (1..terms.len()).find(|&i| terms.get(i - 1) >= terms.get(i)) {
            Some(i) => Err(format!("the terms are not in ascending order at {:?}", terms.get(i))),
            None => Ok(Self { kind, terms, idf }),
        }
    }
}

impl From<TfIdf> for Saved {
    fn from(TfIdf { kind, terms, idf }: TfIdf) -> Self {
        Self { kind, terms, idf }
    }
}

impl TfIdf {
    /// The terms, ascending; the place is the column.
    pub fn terms(&self) -> impl ExactSizeIterator<Item = &str> {
        self.terms.iter()
    }

    /// What each column's logarithmic count is multiplied by.
    pub fn idf(&self) -> &[f32] {
        &self.idf
    }

    /// Learn the terms that at least `min_texts` of `texts` have.
    pub fn learn<'t>(texts: impl ExactSizeIterator<Item = &'t str>, min_texts: usize, kind: Terms) -> Self {
        let count = texts.len();
        let mut having: HashMap<String, (usize, usize)> = HashMap::new();
        for (number, text) in texts.enumerate() {
            for_each_term(text, kind, &mut |term| match having.get_mut(term) {
                Some((_, last)) if *last == number => {}
                Some((texts, last)) => (*texts, *last) = (*texts + 1, number),
                None => {
                    having.insert(term.to_owned(), (1, number));
                }
            });
        }
        let mut kept: Vec<(String, usize)> = having
            .into_iter()
            .map(|(term, (texts, _))| (term, texts))
            .filter(|&(_, n)| n >= min_texts)
            .collect();
        kept.sort_unstable();
        let idf = kept.iter().map(|&(_, n)| idf(count, n)).collect();
        Self { kind, terms: kept.iter().map(|(term, _)| term.as_str()).collect(), idf }
    }

    /// As [`Self::learn`], from some texts whose terms are counted.
    pub fn learn_counted(counted: &Counted, texts: &[usize], min_texts: usize, kind: Terms) -> Self {
        let mut having = vec![0; counted.terms.len()];
        texts.iter().flat_map(|&text| counted.of(text)).for_each(|[term, _]| having[*term as usize] += 1);
        let kept = || counted.terms.iter().zip(&having).filter(|&(_, &n)| n >= min_texts);
        Self {
            kind,
            terms: kept().map(|(term, _)| term).collect(),
            idf: kept().map(|(_, &n)| idf(texts.len(), n)).collect(),
        }
    }

    /// As [`Self::rows`], of texts whose terms are counted.
    pub fn counted_rows(&self, counted: &Counted, texts: &[usize]) -> Sparse {
        let mut known = self.terms.iter().zip(0u32..).peekable();
        let column = |term: &str| {
            while known.next_if(|(own, _)| *own < term).is_some() {}
            known.next_if(|(own, _)| *own == term).map(|(_, column)| column)
        };
        let columns: Vec<Option<u32>> = counted.terms.iter().map(column).collect();
        let mut rows = Sparse { width: self.idf.len(), ..Sparse::default() };
        for &text in texts {
            let own = counted.of(text).iter();
            self.add_row(&mut rows, own.filter_map(|&[term, count]| Some((columns[term as usize]?, count))));
        }
        rows
    }

    /// One row a text, of length 1 (or 0 for a text without known terms): (1 + ln count) · idf, scaled.
    pub fn rows<'t>(&self, texts: impl ExactSizeIterator<Item = &'t str>) -> Sparse {
        let table: Option<HashMap<&str, u32>> =
            (texts.len() >= MANY_TEXTS).then(|| self.terms.iter().zip(0..).collect());
        let column = |term: &str| match &table {
            Some(table) => table.get(term).copied(),
            None => self.terms.find(term).map(|column| column as u32),
        };
        let mut rows = Sparse { width: self.idf.len(), ..Sparse::default() };
        let mut found: Vec<u32> = Vec::new();
        for text in texts {
            found.clear();
            for_each_term(text, self.kind, &mut |term| found.extend(column(term)));
            found.sort_unstable();
            let counts = found.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u32));
            self.add_row(&mut rows, counts);
        }
        rows
    }

    /// A row of columns, ascending, and counts.
    fn add_row(&self, rows: &mut Sparse, counts: impl Iterator<Item = (u32, u32)>) {
        let start = rows.columns.len();
        for (column, count) in counts {
            rows.columns.push(column);
            rows.values.push((1.0 + (count as f32).ln()) * self.idf[column as usize]);
        }
        let length = rows.values[start..].iter().map(|v| v * v).sum::<f32>().sqrt();
        rows.values[start..].iter_mut().for_each(|v| *v /= length);
        rows.ends.push(rows.columns.len());
    }
}

fn idf(texts: usize, having: usize) -> f32 {
    ((1 + texts) as f32 / (1 + having) as f32).ln() + 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scikit-learn 1.9: `TfidfVectorizer(sublinear_tf=True, …)` with the settings of the module, on the three texts.
    #[test]
    fn rows_agree_with_scikit_learn() {
        let texts = ["Build a fort, build it high", "Build a snow fort", "Read in the snow, read"];
        for (kind, width, expected) in [(Terms::Words, 18, &WORDS[..]), (Terms::Letters, 111, &LETTERS[..])] {
            let tfidf = TfIdf::learn(texts.into_iter(), 1, kind);
            let rows = tfidf.rows(texts.into_iter());
            assert_eq!(rows.width, width);
            for &(row, term, expected) in expected {
                let column = tfidf.terms.find(term);
                let found =
                    rows.row(row).find(|&(c, _)| Some(c) == column).map_or(0.0, |(_, v)| f64::from(v));
                assert!((found - expected).abs() < 1e-6, "{term}: {found}");
            }
            let stacked =
                tfidf.rows(texts[..1].iter().copied()).above(&tfidf.rows(texts[1..].iter().copied()));
            assert_eq!(stacked, rows);
            let saved = serde_json::to_string(&tfidf).unwrap();
            assert_eq!(serde_json::from_str::<TfIdf>(&saved).unwrap(), tfidf);
        }
    }

    #[test]
    fn what_is_counted_once_serves_as_well_as_the_texts() {
        let texts =
            ["Build a fort, build it high", "", "Build a snow fort", "Read in the snow, read", "Größe zählt"];
        for kind in [Terms::Words, Terms::Letters] {
            let counted = Counted::new(texts.into_iter(), kind);
            for (train, min_texts) in [(&[0, 2, 3][..], 1), (&[0, 2, 3, 4], 2), (&[1], 1)] {
                let learned = TfIdf::learn_counted(&counted, train, min_texts, kind);
                assert_eq!(learned, TfIdf::learn(train.iter().map(|&text| texts[text]), min_texts, kind));
                let asked = [4, 0, 1, 3];
                let rows = learned.counted_rows(&counted, &asked);
                assert_eq!(rows, learned.rows(asked.iter().map(|&text| texts[text])));
            }
        }
    }

    const WORDS: [(usize, &str, f64); 5] = [
        (0, "build", 0.44867993684083984),
        (0, "fort build", 0.3484399965175731),
        (1, "snow fort", 0.5174199439321682),
        (2, "read", 0.550922303815182),
        (2, "build", 0.0),
    ];

    const LETTERS: [(usize, &str, f64); 6] = [
        (0, "ui", 0.1616659067501124),
        (0, " fort", 0.0954824888269001),
        (1, " a ", 0.13645542482376402),
        (2, "ad ", 0.20652973141734654),
        (2, "w,", 0.12197978639343363),
        (0, "t,", 0.12554799838309175),
    ];

    #[test]
    fn rows_stand_side_by_side() {
        let row = |columns: Vec<u32>, width| Sparse { width, ends: vec![1], columns, values: vec![2.0] };
        let both = row(vec![1], 3).beside(&row(vec![0], 2), 0.5);
        assert_eq!(
            (both.width, both.columns, both.values, both.ends),
            (5, vec![1, 3], vec![1.0, 1.0], vec![2])
        );
    }

    #[test]
    fn rows_are_picked_in_the_order_asked_for() {
        let rows =
            Sparse { width: 9, ends: vec![1, 1, 3], columns: vec![4, 0, 7], values: vec![1.0, 2.0, 3.0] };
        let picked = rows.pick([2, 1, 0, 2].into_iter());
        assert_eq!((picked.columns, picked.ends), (vec![0, 7, 4, 0, 7], vec![2, 2, 3, 5]));
    }

    #[test]
    fn rare_and_unknown_terms_are_left_out() {
        let tfidf = TfIdf::learn(["red ball", "red kite", "blue"].into_iter(), 2, Terms::Words);
        assert_eq!(tfidf.terms.iter().collect::<Vec<_>>(), ["red"]);
        let rows = tfidf.rows(["green", "red green"].into_iter());
        assert_eq!((rows.ends, rows.columns, rows.values), (vec![0, 1], vec![0], vec![1.0]));
    }
}
