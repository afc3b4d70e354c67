//! Rows that have a near neighbour.

use serde::Serialize;

use crate::evaluate::{Estimate, Sample};
use crate::progress::Progress;
use crate::split::{NearSearch, Recall, Searched, Stopped, Vectors};
use crate::table::Dataset;

/// Pairs listed in full; the counts are always of all.
const LISTED: usize = 50;

/// Rows that have a near neighbour.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NearDuplicates {
    /// Two rows are near when the mean cosine over the compared fields is at least this.
    pub cosine: f64,
    /// Rows with at least one near neighbour.
    pub rows: usize,
    /// Their share of the usable rows.
    pub share: f64,
    /// The first pairs, as `file:line` of each row.
    pub pairs: Vec<[String; 2]>,
    /// The share of the near pairs that was found, where there are more rows than `split.exact_rows`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recall: Option<Estimate>,
}

/// The rows of `dataset` with a near neighbour at each of two `cosines`; `vectors` has a row for each.
///
/// # Errors
/// The user asked to stop.
pub fn near_duplicates(
    dataset: &Dataset,
    vectors: Vectors<'_>,
    cosines: [f64; 2],
    search: NearSearch,
    progress: &dyn Progress,
) -> Result<[NearDuplicates; 2], Stopped> {
    let rows = dataset.rows.len();
    let mut found = cosines.map(|_| (vec![false; rows], Vec::new()));
    let least = cosines[0].min(cosines[1]);
    let searched = search.for_each_pair(vectors, least, progress, |pair| {
        let [a, b] = pair.rows;
        for ((near, pairs), cosine) in found.iter_mut().zip(cosines) {
            if f64::from(pair.cosine) >= cosine {
                (near[a], near[b]) = (true, true);
                if pairs.len() < LISTED {
                    pairs.push([dataset.place(a), dataset.place(b)]);
                }
            }
        }
    })?;
    let recall = match &searched {
        Searched::Exact => None,
        Searched::Approximate(recall) => Some(near_recall(recall)),
    };
    let mut found = found.into_iter();
    Ok(cosines.map(|cosine| {
        let (near, pairs) = found.next().unwrap_or_default();
        let rows = near.iter().filter(|near| **near).count();
        let share = rows as f64 / near.len().max(1) as f64;
        NearDuplicates { cosine, rows, share, pairs, recall }
    }))
}

/// The share of near pairs that a search has found, as a sample of rows says: Wilson's interval, each sampled row a cluster of its pairs.
pub fn near_recall(recall: &Recall) -> Estimate {
    Sample::new(recall.found.len(), Some(&recall.of)).proportion(|_| true, |pair| recall.found[pair])
}
