//! All near pairs of a table: each pair compared, or, of very many rows, those of near cells.

use super::approximate::{Breadth, Recall, pairs_in_cells};
use super::compare::{NearPair, Stopped};
use super::exact::all_pairs;
use super::vectors::Vectors;
use crate::progress::Progress;

/// How near pairs are sought.
#[derive(Clone, Copy, Debug)]
pub struct NearSearch {
    /// Up to so many rows, each is compared with all (`split.exact_rows`).
    pub exact_rows: usize,
    /// What the cells beyond are drawn from.
    pub seed: u64,
}

/// How they were.
#[derive(Clone, Debug, PartialEq)]
pub enum Searched {
    /// Each row was compared with all.
    Exact,
    /// With those of near cells; this share of the pairs was found.
    Approximate(Recall),
}

impl NearSearch {
    /// Whether so many rows are all compared.
    pub fn is_exact(&self, rows: usize) -> bool {
        rows <= self.exact_rows
    }

    /// Call `found` once for each pair of rows with a product of at least `least`, or most of them; of none where that is above 1.
    ///
    /// # Errors
    /// The user asked to stop.
    pub fn for_each_pair(
        &self,
        vectors: Vectors<'_>,
        least: f64,
        progress: &dyn Progress,
        found: impl FnMut(NearPair),
    ) -> Result<Searched, Stopped> {
        if vectors.rows() == 0 || least > 1.0 {
            return Ok(Searched::Exact);
        }
        if self.is_exact(vectors.rows()) {
            all_pairs(vectors, least, progress, found)?;
            return Ok(Searched::Exact);
        }
        pairs_in_cells(vectors, least, (Breadth::USUAL, self.seed), progress, found)
            .map(Searched::Approximate)
    }
}
