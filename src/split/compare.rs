//! Blocks of rows against blocks of rows: the pairs whose product is great enough.
//!
//! Whatever rules pairs out before, what decides is one product in one arithmetic, so that all ways find the same of the pairs that they
//! look at, on any number of threads.

use rayon::prelude::*;
use thiserror::Error;

use super::sketch::{Room, Sketch};
use super::vectors::{Vectors, multiply_transposed};
use crate::progress::Progress;

/// Rows of either side of a product.
const BLOCK: usize = 512;
/// Rows of the other side that a thread takes at once: of rows that are all alike every pair is near, and is held until it is told.
const STRIP: usize = 4 * BLOCK;
/// Of fewer rows all products are taken at once.
const SKETCHED_ROWS: usize = 10_000;

/// Two near rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NearPair {
    /// Which rows.
    pub rows: [usize; 2],
    /// Their product.
    pub cosine: f32,
}

/// The user asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("stopped")]
pub struct Stopped;

/// Two lists of rows, each of the one to be compared with each of the other.
pub type Tile<'t> = [&'t [usize]; 2];

/// The tiles of `a` against `b`, those of the first rows of `a` first.
pub fn tiles<'t>(a: &'t [usize], b: &'t [usize]) -> impl Iterator<Item = Tile<'t>> + Clone {
    a.chunks(BLOCK).flat_map(move |a| b.chunks(STRIP).map(move |b| [a, b]))
}

/// The tiles in which each row meets itself and all rows behind it.
pub fn triangle(rows: &[usize]) -> impl Iterator<Item = Tile<'_>> + Clone {
    rows.chunks(BLOCK).enumerate().flat_map(|(block, a)| tiles(a, &rows[block * BLOCK..]))
}

/// How many products the `tiles` ask for.
pub fn products<'t>(tiles: impl Iterator<Item = Tile<'t>>) -> u64 {
    tiles.map(|[a, b]| a.len() as u64 * b.len() as u64).sum()
}

/// What finds the near ones among rows that are to be compared.
pub struct Comparison<'a> {
    vectors: Vectors<'a>,
    sketch: Option<Sketch>,
    least: f64,
}

impl<'a> Comparison<'a> {
    /// Of pairs with a product of `least` and more.
    pub fn new(vectors: Vectors<'a>, least: f64) -> Self {
        let sketch = if vectors.rows() < SKETCHED_ROWS { None } else { Sketch::of(vectors) };
        Self { vectors, sketch, least }
    }

    /// Call `found` for each near pair of the `tiles` of which `keep` wants to hear, in their order; each product that is taken is one
    /// step of the progress.
    ///
    /// # Errors
    /// The user asked to stop.
    pub fn compare<'t>(
        &self,
        mut tiles: impl Iterator<Item = Tile<'t>>,
        keep: impl Fn(usize, usize) -> bool + Sync,
        progress: &dyn Progress,
        mut found: impl FnMut(NearPair),
    ) -> Result<(), Stopped> {
        loop {
            let batch: Vec<Tile<'t>> = tiles.by_ref().take(2 * rayon::current_num_threads()).collect();
            if batch.is_empty() {
                return Ok(());
            }
            if progress.interrupted() {
                return Err(Stopped);
            }
            let near = |room: &mut Room, &[a, b]: &Tile<'t>| {
                let mut pairs = Vec::new();
                b.chunks(BLOCK).for_each(|b| self.near([a, b], &keep, room, &mut pairs));
                pairs
            };
            let pairs: Vec<Vec<NearPair>> = batch.par_iter().map_init(Room::default, near).collect();
            pairs.into_iter().flatten().for_each(&mut found);
            progress.advance(products(batch.into_iter()));
        }
    }

    fn near(
        &self,
        [a, b]: Tile<'_>,
        keep: impl Fn(usize, usize) -> bool,
        room: &mut Room,
        pairs: &mut Vec<NearPair>,
    ) {
        let [a, b] = match &self.sketch {
            Some(sketch) => sketch.may_be_near([a, b], self.least, &keep, room),
            None => [a.to_vec(), b.to_vec()],
        };
        if a.is_empty() {
            return;
        }
        self.vectors.gather(&a, &mut room.left);
        self.vectors.gather(&b, &mut room.right);
        room.products.resize(room.products.len().max(a.len() * b.len()), 0.0);
        multiply_transposed(&room.left, &room.right, self.vectors.dims(), &mut room.products);
        for (&a, products) in a.iter().zip(room.products.chunks_exact(b.len())) {
            for (&b, &cosine) in b.iter().zip(products) {
                if f64::from(cosine) >= self.least && keep(a, b) {
                    pairs.push(NearPair { rows: [a, b], cosine });
                }
            }
        }
    }
}
