//! Near pairs of rows that share a cell, and which share of all near pairs that is.

use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;

use super::cells::{Cells, Members};
use super::compare::{Comparison, NearPair, Stopped, Tile, products, tiles};
use super::exact::said;
use super::vectors::Vectors;
use crate::progress::Progress;

/// Rows whose near rows are sought among all.
const SAMPLE: usize = 2000;
/// Near rows of one sampled row that count.
const COUNTED: usize = 100;
/// By how much rounding may change the length of a row.
const ROUNDING: f64 = 1e-3;

/// How broadly neighbours are sought.
#[derive(Clone, Copy, Debug)]
pub struct Breadth {
    /// Cells for the square root of the row count: more make each smaller.
    pub cells: f64,
    /// Cells in which a row looks.
    pub probes: usize,
}

impl Breadth {
    /// Chosen by what it misses (docs/scale.md): of 100,000 rows at cosine 0.95, a pair in some thousands at most.
    pub const USUAL: Self = Self { cells: 2.0, probes: 16 };
}

/// The near pairs of sampled rows, and which of them the search has found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recall {
    /// How many rows were sampled.
    pub rows: usize,
    /// For each near pair of a sampled row with any other, whether it was found; of one row a hundred at most.
    pub found: Vec<bool>,
    /// For each of these the sampled row.
    pub of: Vec<usize>,
}

/// Call `found` once for each near pair of rows that share a cell, and say how many do of a sample. Time grows with the row count to the
/// power of 1.5.
///
/// # Errors
/// The user asked to stop.
pub fn pairs_in_cells(
    vectors: Vectors<'_>,
    least: f64,
    (breadth, seed): (Breadth, u64),
    progress: &dyn Progress,
    mut found: impl FnMut(NearPair),
) -> Result<Recall, Stopped> {
    let count = (breadth.cells * (vectors.rows() as f64).sqrt()) as usize;
    let cells = Cells::new(vectors, count, breadth.probes, seed);
    // No other row is longer than 1, so that a shorter row (of blank fields) is near none, and many of them are in one cell.
    let is_long = |row: &usize| {
        vectors.row(*row).iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt() >= least - ROUNDING
    };
    let members = cells.members((0..vectors.rows()).filter(is_long));
    let all = members.iter().flat_map(of_cell);
    let comparison = Comparison::new(vectors, least);
    said("comparing rows of near cells", products(all.clone()), progress, |progress| {
        comparison.compare(
            all,
            |a, b| is_told(&cells, a, b),
            progress,
            |pair| {
                let [a, b] = pair.rows;
                found(NearPair { rows: [a.min(b), a.max(b)], ..pair });
            },
        )
    })?;
    recall(&comparison, &cells, vectors.rows(), seed, progress)
}

/// Those at home against all of the cell.
fn of_cell(cell: &Members) -> impl Iterator<Item = Tile<'_>> + Clone {
    tiles(&cell.rows[..cell.at_home], &cell.rows)
}

/// Whether the pair is told where `a` is at home: once, also where each is a guest in the home of the other.
fn is_told(cells: &Cells, a: usize, b: usize) -> bool {
    let [home, other] = [a, b].map(|row| cells.home(row));
    if home == other { a < b } else { !(other < home && cells.of(a).contains(&other)) }
}

/// What of the near pairs of a sample the cells have found.
fn recall(
    comparison: &Comparison<'_>,
    cells: &Cells,
    rows: usize,
    seed: u64,
    progress: &dyn Progress,
) -> Result<Recall, Stopped> {
    let mut drawn =
        sample(&mut ChaCha8Rng::seed_from_u64(seed.wrapping_add(1)), rows, rows.min(SAMPLE)).into_vec();
    drawn.sort_unstable();
    let mut place = vec![None; rows];
    drawn.iter().enumerate().for_each(|(at, &row)| place[row] = Some(at));
    let all: Vec<usize> = (0..rows).collect();
    let mut recall = Recall { rows: drawn.len(), ..Recall::default() };
    let mut counted = vec![0; drawn.len()];
    // Of two sampled rows the first has the pair.
    let keep = |a: usize, b: usize| a != b && (place[b].is_none() || a < b);
    let sampled = tiles(&drawn, &all);
    said("measuring what was found", products(sampled.clone()), progress, |progress| {
        comparison.compare(sampled, keep, progress, |NearPair { rows: [a, b], .. }| {
            if let Some(at) = place[a].filter(|&at| counted[at] < COUNTED) {
                counted[at] += 1;
                recall.of.push(a);
                recall.found.push(cells.meet(a, b));
            }
        })
    })?;
    Ok(recall)
}
