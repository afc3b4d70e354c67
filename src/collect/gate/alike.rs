//! Candidates that are like rows that are there already, by the cosine of their embeddings.
//!
//! Products are taken block by block, so memory stays at a few megabytes a thread however many rows there are; time grows with
//! the product of both numbers of rows.

use ndarray::Array2;
use ndarray::linalg::general_mat_mul;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::gate_error::GateError;
use super::reason::{Among, Reason};
use super::same_text::{TextIndex, TextKeys};
use super::vectors::Vectors;
use crate::progress::Progress;

/// From which cosine on a candidate is too like a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlikeSettings {
    /// To rows that may be learned from, in `(0, 1]`; above 1 nothing is too like.
    pub known: f64,
    /// To candidates accepted earlier in the batch.
    pub batch: f64,
    /// To held-out rows: stricter, since a row like one of them makes the figures look better than they are.
    pub held_out: f64,
    /// Fields of which no two rows may have the same, such as a title.
    pub unique_fields: Vec<String>,
}

impl Default for AlikeSettings {
    /// Guesses for sentence encoders of the MiniLM kind: paraphrases of one text begin near 0.9.
    fn default() -> Self {
        Self { known: 0.92, batch: 0.92, held_out: 0.88, unique_fields: Vec::new() }
    }
}

impl AlikeSettings {
    /// That the limits are above 0, and the one of held-out rows no laxer than that of known ones.
    ///
    /// # Errors
    /// They are not.
    pub fn check(&self) -> Result<(), GateError> {
        for (key, value, most, wanted) in [
            ("alike.known", self.known, f64::INFINITY, "above 0"),
            ("alike.batch", self.batch, f64::INFINITY, "above 0"),
            ("alike.held_out", self.held_out, self.known, "above 0 and at most alike.known"),
        ] {
            let fits = value > 0.0 && value <= most;
            if !fits {
                return Err(GateError::Setting { key: key.to_owned(), value: value.to_string(), wanted });
            }
        }
        Ok(())
    }
}

/// The row that is most like another one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nearest {
    /// The row, counted from 0; of equals the first.
    pub row: usize,
    /// Their cosine, in `[-1, 1]` but for rounding.
    pub cosine: f64,
}

impl Nearest {
    /// The nearer of two, either of which may be missing; of equals the one with the lower row.
    fn nearer(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        match (a, b) {
            (Some(a), Some(b)) => {
                Some(if b.cosine > a.cosine || (b.cosine == a.cosine && b.row < a.row) { b } else { a })
            }
            (a, b) => a.or(b),
        }
    }

    fn reason(self, among: Among, limit: f64) -> Option<Reason> {
        let Self { row, cosine } = self;
        (cosine >= limit).then_some(Reason::Alike { among, row, cosine, limit })
    }
}

/// Rows of one side of a product.
const BLOCK: usize = 256;
/// Rows of its other side.
const AGAINST: usize = 1024;

/// For each row of `of` the nearest of `among`, `None` where there is none; both have the same number of dimensions. Where both
/// are the same rows, `but_itself` leaves each row itself out.
///
/// # Errors
/// The number of dimensions differs, or the user asked to stop.
pub fn nearest(
    of: Vectors<'_>,
    among: Vectors<'_>,
    but_itself: bool,
    progress: &dyn Progress,
) -> Result<Vec<Option<Nearest>>, GateError> {
    if of.dims() != among.dims() {
        let (found, wanted) = (of.dims(), among.dims());
        return Err(GateError::Shape { what: "dimensions of the candidates' vectors", found, wanted });
    }
    let starts: Vec<usize> = (0..of.rows()).step_by(BLOCK).collect();
    let blocks: Result<Vec<_>, GateError> = starts
        .par_iter()
        .map(|&first| {
            let mut best = vec![None; BLOCK.min(of.rows() - first)];
            for against in (0..among.rows()).step_by(AGAINST) {
                if progress.interrupted() {
                    return Err(GateError::Interrupted);
                }
                let products = products(of, first, among, against);
                for (row, (products, best)) in products.rows().into_iter().zip(&mut best).enumerate() {
                    for (column, &product) in products.iter().enumerate() {
                        let found = Nearest { row: against + column, cosine: f64::from(product) };
                        if !(but_itself && found.row == first + row) {
                            *best = Nearest::nearer(*best, Some(found));
                        }
                    }
                }
            }
            progress.advance(best.len() as u64);
            Ok(best)
        })
        .collect();
    Ok(blocks?.into_iter().flatten().collect())
}

/// Products of a block of rows from `first` on with one from `against` on.
fn products(of: Vectors<'_>, first: usize, among: Vectors<'_>, against: usize) -> Array2<f32> {
    let (a, b) = (of.block(first, BLOCK), among.block(against, AGAINST));
    let mut products = Array2::zeros((a.nrows(), b.nrows()));
    general_mat_mul(1.0, &a, &b.t(), 0.0, &mut products);
    products
}

/// The reasons against candidates that are too like one of the rows.
///
/// # Errors
/// As [`nearest`].
pub fn alike(
    candidates: Vectors<'_>,
    rows: Vectors<'_>,
    (among, limit): (Among, f64),
    progress: &dyn Progress,
) -> Result<Vec<Option<Reason>>, GateError> {
    let nearest = nearest(candidates, rows, false, progress)?;
    Ok(nearest.into_iter().map(|nearest| nearest?.reason(among, limit)).collect())
}

/// Candidates as they are compared with each other.
pub(crate) struct Within<'a> {
    pub vectors: Option<Vectors<'a>>,
    pub keys: &'a [TextKeys],
    /// Whether each candidate has passed all other checks: one that has not stands in nobody's way.
    pub passed: &'a [bool],
    pub settings: &'a AlikeSettings,
}

impl Within<'_> {
    /// The reasons against each candidate that is like one accepted before it, in the order of the batch.
    ///
    /// # Errors
    /// The user asked to stop.
    pub fn reasons(&self, progress: &dyn Progress) -> Result<Vec<Vec<Reason>>, GateError> {
        let mut accepted: Vec<bool> = Vec::with_capacity(self.passed.len());
        let mut texts = TextIndex::new(&self.settings.unique_fields);
        let mut all = Vec::with_capacity(self.passed.len());
        for first in (0..self.passed.len()).step_by(BLOCK) {
            let mut best = self.before_block(first, &accepted, progress)?;
            // Products of the block with itself: who is accepted in it is known only one by one.
            let own = self.vectors.map(|vectors| {
                let block = vectors.block(first, BLOCK);
                block.dot(&block.t())
            });
            for row in first..(first + BLOCK).min(self.passed.len()) {
                if let Some(own) = &own {
                    for other in (first..row).filter(|&other| accepted[other]) {
                        let cosine = f64::from(own[[row - first, other - first]]);
                        best[row - first] =
                            Nearest::nearer(best[row - first], Some(Nearest { row: other, cosine }));
                    }
                }
                let mut reasons = texts.reasons(&self.keys[row], Among::Batch, &self.settings.unique_fields);
                reasons.extend(best[row - first].and_then(|n| n.reason(Among::Batch, self.settings.batch)));
                accepted.push(self.passed[row] && reasons.is_empty());
                if accepted[row] {
                    texts.insert(&self.keys[row], row);
                }
                all.push(reasons);
            }
        }
        Ok(all)
    }

    /// For each row of the block from `first` on the nearest accepted one before the block.
    fn before_block(
        &self,
        first: usize,
        accepted: &[bool],
        progress: &dyn Progress,
    ) -> Result<Vec<Option<Nearest>>, GateError> {
        let rows = BLOCK.min(self.passed.len() - first);
        if progress.interrupted() {
            return Err(GateError::Interrupted);
        }
        let Some(vectors) = self.vectors else { return Ok(vec![None; rows]) };
        let starts: Vec<usize> = (0..first).step_by(AGAINST).collect();
        let found = starts.par_iter().map(|&against| {
            let products = products(vectors, first, vectors, against);
            let nearest = products.rows().into_iter().map(|products| {
                let earlier = products.iter().take(first - against).enumerate();
                let earlier = earlier.filter(|(column, _)| accepted[against + column]);
                earlier.fold(None, |best, (column, &product)| {
                    let found = Nearest { row: against + column, cosine: f64::from(product) };
                    Nearest::nearer(best, Some(found))
                })
            });
            nearest.collect::<Vec<_>>()
        });
        Ok(found.reduce(
            || vec![None; rows],
            |a, b| a.into_iter().zip(b).map(|(a, b)| Nearest::nearer(a, b)).collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    /// Unit vectors on a circle, one a degree of `angles`.
    fn circle(angles: impl IntoIterator<Item = f32>) -> Vec<f32> {
        angles.into_iter().flat_map(|angle| [angle.to_radians().cos(), angle.to_radians().sin()]).collect()
    }

    fn vectors(values: &[f32]) -> Vectors<'_> {
        Vectors::new(values, 2, "row").unwrap()
    }

    #[test]
    fn the_nearest_row_is_that_of_the_definition_across_blocks() {
        let (of, among) =
            (circle((0..600).map(|i| i as f32 * 0.37)), circle((0..1500).map(|i| i as f32 * 0.24 + 0.05)));
        let found = nearest(vectors(&of), vectors(&among), false, &Silent).unwrap();
        for (row, found) in found.into_iter().enumerate() {
            let dot = |other: usize| {
                let products = of[2 * row..2 * row + 2].iter().zip(&among[2 * other..2 * other + 2]);
                products.map(|(a, b)| f64::from(a * b)).sum::<f64>()
            };
            let best = (0..1500).map(dot).fold(f64::MIN, f64::max);
            let found = found.unwrap();
            assert!((found.cosine - best).abs() < 1e-6 && (dot(found.row) - best).abs() < 1e-6, "{row}");
        }
        let others = nearest(vectors(&of), vectors(&of), true, &Silent).unwrap();
        assert!(others.iter().enumerate().all(|(row, found)| found.unwrap().row.abs_diff(row) == 1));
        assert_eq!(nearest(vectors(&of[..2]), vectors(&of[..2]), true, &Silent).unwrap(), [None]);
    }

    #[test]
    fn vectors_of_other_encoders_do_not_compare() {
        let three = Vectors::new(&[1.0, 0.0, 0.0], 3, "row").unwrap();
        let error = nearest(three, vectors(&[1.0, 0.0]), false, &Silent).unwrap_err();
        assert_eq!(error.to_string(), "dimensions of the candidates' vectors: there are 3, not 2");
    }

    #[test]
    fn of_a_row_of_neighbours_those_far_enough_from_accepted_ones_stay() {
        // A degree apart, 0.999 allows 2.56 degrees: every third is taken. 300 rows are two blocks.
        let values = circle((0..300).map(|i| i as f32));
        let keys = vec![TextKeys::default(); 300];
        let settings = AlikeSettings { batch: 0.999, ..AlikeSettings::default() };
        let passed: Vec<bool> = (0..300).map(|row| row > 1).collect();
        let within =
            Within { vectors: Some(vectors(&values)), keys: &keys, passed: &passed, settings: &settings };
        let reasons = within.reasons(&Silent).unwrap();
        // The first two have failed another check, so the third is the first that counts.
        for (row, reasons) in reasons.iter().enumerate() {
            assert_eq!(reasons.is_empty(), row < 2 || row % 3 == 2, "{row}: {reasons:?}");
        }
        // Row 256 begins a block, the accepted one before it ends the last.
        match reasons[256].as_slice() {
            [Reason::Alike { among: Among::Batch, row: 254, cosine, limit: 0.999 }] => {
                assert!((cosine - 2f64.to_radians().cos()).abs() < 1e-6);
            }
            other => panic!("{other:?}"),
        }
        assert!(matches!(reasons[258][..], [Reason::Alike { row: 257, .. }]));
    }

    #[test]
    fn limits_out_of_order_are_an_error() {
        assert_eq!(AlikeSettings::default().check(), Ok(()));
        for bad in [
            AlikeSettings { held_out: 0.95, ..AlikeSettings::default() },
            AlikeSettings { batch: 0.0, ..AlikeSettings::default() },
            AlikeSettings { known: f64::NAN, ..AlikeSettings::default() },
        ] {
            assert!(matches!(bad.check(), Err(GateError::Setting { .. })));
        }
    }
}
