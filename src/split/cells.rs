//! Rows parted into cells about seeded centres: what is near is mostly in the same cell, or in one whose centre is near, too.
//!
//! The inverted file of Jégou, Douze & Schmid (2011), whose cells are those of spherical k-means (Dhillon & Modha 2001) on a sample. Graphs
//! (`hnsw_rs`, `instant-distance`, `usearch`) find the nearest few of a query, not all pairs within a distance, and what they find depends
//! on the order in which threads insert rows.

use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::vectors::{Vectors, multiply_transposed};

/// Rows of the sample from which a centre is learned, on average.
const ROWS_A_CENTRE: usize = 16;
/// Rounds of k-means: more move hardly a pair.
const ROUNDS: usize = 2;
/// Rows that are compared with the centres at once.
const BLOCK: usize = 256;

/// The cells of rows.
pub struct Cells {
    /// How many cells.
    count: usize,
    /// For each row its nearest cells, the nearest first: `rows × probes`.
    nearest: Vec<u32>,
    probes: usize,
}

impl Cells {
    /// `count` cells, of which each row gets the `probes` nearest; both are at least 1, and no more than there are rows and cells. The same
    /// `seed` makes the same cells on any number of threads.
    pub fn new(vectors: Vectors<'_>, count: usize, probes: usize, seed: u64) -> Self {
        let count = count.clamp(1, vectors.rows().max(1));
        let probes = probes.clamp(1, count);
        let centres = centres(vectors, count, seed);
        let rows: Vec<usize> = (0..vectors.rows()).collect();
        let nearest = nearest(vectors, &rows, &centres, probes);
        Self { count, nearest, probes }
    }

    /// The cells that are nearest to a row, the nearest first.
    pub fn of(&self, row: usize) -> &[u32] {
        &self.nearest[row * self.probes..(row + 1) * self.probes]
    }

    /// The cell whose centre is nearest to a row.
    pub fn home(&self, row: usize) -> u32 {
        self.nearest[row * self.probes]
    }

    /// Whether two rows are compared: where one has the other's home among its cells.
    pub fn meet(&self, a: usize, b: usize) -> bool {
        self.of(a).contains(&self.home(b)) || self.of(b).contains(&self.home(a))
    }

    /// Of those of `rows` that are at home in each cell, and of those that have it among theirs, the former first.
    pub fn members(&self, rows: impl Iterator<Item = usize>) -> Vec<Members> {
        let mut cells = vec![Members::default(); self.count];
        let mut guests: Vec<Vec<usize>> = vec![Vec::new(); self.count];
        for row in rows {
            let cell = &mut cells[self.home(row) as usize];
            cell.rows.push(row);
            cell.at_home += 1;
            self.of(row)[1..].iter().for_each(|&cell| guests[cell as usize].push(row));
        }
        cells.iter_mut().zip(guests).for_each(|(cell, guests)| cell.rows.extend(guests));
        cells
    }
}

/// The rows of a cell.
#[derive(Clone, Default)]
pub struct Members {
    /// Those at home, and then those that have it among their cells.
    pub rows: Vec<usize>,
    /// How many are at home.
    pub at_home: usize,
}

/// `count × dims` centres of length 1.
fn centres(vectors: Vectors<'_>, count: usize, seed: u64) -> Vec<f32> {
    let (rows, dims) = (vectors.rows(), vectors.dims());
    let drawn =
        sample(&mut ChaCha8Rng::seed_from_u64(seed), rows, rows.min(count * ROWS_A_CENTRE)).into_vec();
    let is_number = |row: &usize| vectors.row(*row).iter().all(|value| value.is_finite());
    let drawn: Vec<usize> = drawn.into_iter().filter(is_number).collect();
    let mut centres = vec![0.0; count * dims];
    for (centre, &row) in centres.chunks_exact_mut(dims).zip(&drawn) {
        centre.copy_from_slice(vectors.row(row));
    }
    for _ in 0..ROUNDS {
        let mut sums = vec![0.0f32; count * dims];
        for (&row, cell) in drawn.iter().zip(nearest(vectors, &drawn, &centres, 1)) {
            let sum = &mut sums[cell as usize * dims..][..dims];
            sum.iter_mut().zip(vectors.row(row)).for_each(|(sum, value)| *sum += value);
        }
        for (centre, sum) in centres.chunks_exact_mut(dims).zip(sums.chunks_exact(dims)) {
            let length = sum.iter().map(|value| value * value).sum::<f32>().sqrt();
            // A centre to which no row is nearest stays where it is.
            if length > 0.0 {
                centre.iter_mut().zip(sum).for_each(|(to, value)| *to = value / length);
            }
        }
    }
    centres
}

/// For each of `rows` the `count` nearest of the `centres`, the nearest first, of equals the one with the lower number.
fn nearest(vectors: Vectors<'_>, rows: &[usize], centres: &[f32], count: usize) -> Vec<u32> {
    let cells = centres.len() / vectors.dims();
    let of_block = |rows: &[usize]| {
        let (mut values, mut products) = (Vec::new(), vec![0.0; rows.len() * cells]);
        vectors.gather(rows, &mut values);
        multiply_transposed(&values, centres, vectors.dims(), &mut products);
        let mut found = Vec::with_capacity(rows.len() * count);
        let mut best: Vec<(f32, u32)> = Vec::with_capacity(count + 1);
        for products in products.chunks_exact(cells) {
            best.clear();
            for (cell, &product) in products.iter().enumerate() {
                if best.len() < count || product > best[count - 1].0 {
                    let place = best.partition_point(|known| known.0 >= product);
                    best.insert(place, (product, cell as u32));
                    best.truncate(count);
                }
            }
            found.extend(best.iter().map(|(_, cell)| *cell));
        }
        found
    };
    rows.par_chunks(BLOCK).flat_map_iter(of_block).collect()
}
