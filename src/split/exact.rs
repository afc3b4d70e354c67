//! Every pair of rows compared.

use super::compare::{Comparison, NearPair, Stopped, products, tiles, triangle};
use super::vectors::Vectors;
use crate::progress::Progress;

/// Fewer products than this are taken without a word: two seconds on two cores.
const SAID: u64 = 2_000_000_000;

/// Call `found` for each pair `a < b` of rows with a product of at least `least`, those of the first 512 rows first. Memory is bounded by
/// blocks of rows; time grows with the square of the row count (docs/scale.md).
///
/// # Errors
/// The user asked to stop.
pub fn all_pairs(
    vectors: Vectors<'_>,
    least: f64,
    progress: &dyn Progress,
    found: impl FnMut(NearPair),
) -> Result<(), Stopped> {
    let rows: Vec<usize> = (0..vectors.rows()).collect();
    let wanted = products(triangle(&rows));
    let comparison = Comparison::new(vectors, least);
    said("comparing all rows", wanted, progress, |progress| {
        comparison.compare(triangle(&rows), |a, b| a < b, progress, found)
    })
}

/// Call `found` for each pair with a product of at least `least` of one of the rows of `sides[0]` and one of `sides[1]`, for each of the
/// `sides`. No row may be on two sides of one.
///
/// # Errors
/// The user asked to stop.
pub fn pairs_between(
    vectors: Vectors<'_>,
    sides: &[[Vec<usize>; 2]],
    least: f64,
    progress: &dyn Progress,
    found: impl FnMut(NearPair),
) -> Result<(), Stopped> {
    if vectors.dims() == 0 || least > 1.0 {
        return Ok(());
    }
    let all = sides.iter().flat_map(|[a, b]| tiles(a, b));
    let wanted = products(all.clone());
    if wanted == 0 {
        return Ok(());
    }
    let comparison = Comparison::new(vectors, least);
    said("comparing held-out rows with all others", wanted, progress, |progress| {
        comparison.compare(all, |_, _| true, progress, found)
    })
}

/// Do `work` of so many products, and draw how far it is where they are many.
pub(super) fn said(
    what: &str,
    products: u64,
    progress: &dyn Progress,
    work: impl FnOnce(&dyn Progress) -> Result<(), Stopped>,
) -> Result<(), Stopped> {
    if products < SAID {
        return work(&crate::progress::Background(progress));
    }
    progress.start(what, products, "pairs");
    let done = work(progress);
    progress.finish();
    done
}
