//! The terms of many texts, counted once: what fits that learn from parts of the same texts have in common.

use std::collections::HashMap;

use super::strings::Strings;
use super::terms::{Terms, for_each_term};

/// How often each text has each term.
#[derive(Clone, Debug, PartialEq)]
pub struct Counted {
    /// In ascending order; the place is the number of the term.
    pub terms: Strings,
    /// Where each text ends in the list below.
    ends: Vec<usize>,
    /// Term and count, terms ascending inside a text.
    counts: Vec<[u32; 2]>,
}

impl Counted {
    /// Of all `texts`.
    pub fn new<'t>(texts: impl Iterator<Item = &'t str>, kind: Terms) -> Self {
        let mut numbers: HashMap<String, u32> = HashMap::new();
        let (mut ends, mut counts) = (Vec::new(), Vec::new());
        let mut found: Vec<u32> = Vec::new();
        for text in texts {
            found.clear();
            for_each_term(text, kind, &mut |term| {
                let next = numbers.len() as u32;
                found.push(match numbers.get(term) {
                    Some(&number) => number,
                    None => {
                        numbers.insert(term.to_owned(), next);
                        next
                    }
                });
            });
            found.sort_unstable();
            counts.extend(found.chunk_by(|a, b| a == b).map(|same| [same[0], same.len() as u32]));
            ends.push(counts.len());
        }
        let mut ordered: Vec<(String, u32)> = numbers.into_iter().collect();
        ordered.sort_unstable();
        let mut place = vec![0; ordered.len()];
        (0..).zip(&ordered).for_each(|(at, (_, number))| place[*number as usize] = at);
        let mut begin = 0;
        for &end in &ends {
            let text = &mut counts[begin..end];
            text.iter_mut().for_each(|[term, _]| *term = place[*term as usize]);
            text.sort_unstable();
            begin = end;
        }
        let terms = ordered.iter().map(|(term, _)| term.as_str()).collect();
        Self { terms, ends, counts }
    }

    /// Term and count of each term of a text, ascending.
    pub fn of(&self, text: usize) -> &[[u32; 2]] {
        let begin = if text == 0 { 0 } else { self.ends[text - 1] };
        &self.counts[begin..self.ends[text]]
    }
}
