//! The words, pairs and triples of words of texts, and how many of them differ.

use std::collections::HashMap;

use crate::table::normalise;

/// The words, pairs and triples of words of each text, as numbers.
pub(crate) struct Grams {
    /// Of each length, of each text.
    of_texts: [Vec<Vec<u32>>; 3],
    /// How many different ones there are of each length.
    pub different: [usize; 3],
}

impl Grams {
    pub fn of(texts: &[String]) -> Self {
        let words: Vec<Vec<String>> = texts
            .iter()
            .map(|text| normalise(text).split_whitespace().map(str::to_owned).collect())
            .collect();
        let mut different = [0; 3];
        let of_texts = std::array::from_fn(|n| {
            let mut numbers: HashMap<&[String], u32> = HashMap::new();
            let grams = words.iter().map(|words| {
                let grams = words.windows(n + 1).map(|gram| {
                    let next = numbers.len() as u32;
                    *numbers.entry(gram).or_insert(next)
                });
                grams.collect()
            });
            let grams = grams.collect();
            different[n] = numbers.len();
            grams
        });
        Self { of_texts, different }
    }

    pub fn distinct(&self, rows: &[usize]) -> [f64; 3] {
        self.distinct_with(rows, &mut self.different.map(|count| vec![0; count]), 1)
    }

    /// The share of different ones; `seen` holds the last `turn`, counted from 1, in which each was met.
    pub fn distinct_with(&self, rows: &[usize], seen: &mut [Vec<u32>; 3], turn: u32) -> [f64; 3] {
        std::array::from_fn(|n| {
            let (mut different, mut all) = (0usize, 0usize);
            for &gram in rows.iter().flat_map(|&row| &self.of_texts[n][row]) {
                let seen = &mut seen[n][gram as usize];
                different += usize::from(std::mem::replace(seen, turn) != turn);
                all += 1;
            }
            if all == 0 { 1.0 } else { different as f64 / all as f64 }
        })
    }
}
