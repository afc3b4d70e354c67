//! Vectors of few values whose products are no smaller than the cosines of the rows: what rules most pairs out.
//!
//! A row is turned so that its first values hold most of its length, and what they leave is one more value, its length: by
//! Cauchy and Schwarz the product of two such sketches is at least that of the rows. The directions are the principal ones
//! of a sample, by subspace iteration (Halko, Martinsson & Tropp 2011, algorithm 4.4); whichever they are, no pair is lost.

use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::vectors::{Vectors, multiply_transposed};

/// Principal directions: of sentence embeddings, 31 rule out nearly as much, and of vectors without directions, much less.
const DIRECTIONS: usize = 63;
/// Values of a sketch.
const WIDTH: usize = DIRECTIONS + 1;
/// Rows from which the directions are learned.
const SAMPLE: usize = 2000;
/// Rounds of subspace iteration.
const ROUNDS: usize = 3;
/// Rows that are sketched at once.
const BLOCK: usize = 512;
/// What rounding may take from a squared length, in either direction.
const ROUNDING: f64 = 1e-5;
/// What rounding may make of the difference of two products.
const SLACK: f64 = 1e-4;
/// Products that are looked at together.
const LANES: usize = 16;

/// A sketch of each row: `rows × WIDTH`, row-major.
pub struct Sketch(Vec<f32>);

impl Sketch {
    /// Of all rows; `None` where the vectors are so short that it would not pay.
    pub fn of(vectors: Vectors<'_>) -> Option<Self> {
        (vectors.dims() >= 2 * WIDTH).then(|| {
            let directions = directions(vectors);
            let mut sketches = vec![0.0; vectors.rows() * WIDTH];
            sketches.par_chunks_mut(BLOCK * WIDTH).enumerate().for_each(|(block, sketches)| {
                let first = block * BLOCK;
                let rows: Vec<usize> = (first..first + sketches.len() / WIDTH).collect();
                let (mut values, mut products) = (Vec::new(), vec![0.0; rows.len() * DIRECTIONS]);
                vectors.gather(&rows, &mut values);
                multiply_transposed(&values, &directions, vectors.dims(), &mut products);
                let rows = values.chunks_exact(vectors.dims()).zip(products.chunks_exact(DIRECTIONS));
                for (sketch, (row, products)) in sketches.chunks_exact_mut(WIDTH).zip(rows) {
                    let rest = (squared(row) - squared(products)).max(0.0) + ROUNDING;
                    sketch[..DIRECTIONS].copy_from_slice(products);
                    sketch[DIRECTIONS] = rest.sqrt() as f32;
                }
            });
            Self(sketches)
        })
    }

    /// Those of the rows `a`, and those of `b`, that are in a pair of which `keep` wants to hear and whose product may be `least`.
    pub fn may_be_near(
        &self,
        [a, b]: [&[usize]; 2],
        least: f64,
        keep: impl Fn(usize, usize) -> bool,
        room: &mut Room,
    ) -> [Vec<usize>; 2] {
        let sketches = Vectors::new(&self.0, WIDTH);
        sketches.gather(a, &mut room.left);
        sketches.gather(b, &mut room.right);
        room.products.resize(room.products.len().max(a.len() * b.len()), 0.0);
        multiply_transposed(&room.left, &room.right, WIDTH, &mut room.products);
        let least = (least - SLACK) as f32;
        let mut wanted = [vec![false; a.len()], vec![false; b.len()]];
        for (i, products) in room.products.chunks_exact(b.len().max(1)).take(a.len()).enumerate() {
            for (lane, products) in products.chunks(LANES).enumerate() {
                // Without a branch a product: hardly any lane has one.
                if !products.iter().fold(false, |any, &product| any | (product >= least)) {
                    continue;
                }
                for (j, _) in products.iter().enumerate().filter(|(_, product)| **product >= least) {
                    let j = lane * LANES + j;
                    if keep(a[i], b[j]) {
                        (wanted[0][i], wanted[1][j]) = (true, true);
                    }
                }
            }
        }
        let chosen = |rows: &[usize], wanted: &[bool]| {
            rows.iter().zip(wanted).filter(|(_, wanted)| **wanted).map(|(row, _)| *row).collect()
        };
        [chosen(a, &wanted[0]), chosen(b, &wanted[1])]
    }
}

/// Memory that is used again for each block.
#[derive(Default)]
pub struct Room {
    pub left: Vec<f32>,
    pub right: Vec<f32>,
    pub products: Vec<f32>,
}

fn squared(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value).powi(2)).sum()
}

/// `DIRECTIONS × dims`, at right angles to each other and of length 1, or 0 where the sample has fewer.
fn directions(vectors: Vectors<'_>) -> Vec<f32> {
    let (rows, dims) = (vectors.rows(), vectors.dims());
    let drawn = sample(&mut ChaCha8Rng::seed_from_u64(0), rows, rows.min(SAMPLE));
    let drawn: Vec<usize> = drawn.iter().filter(|&row| squared(vectors.row(row)).is_finite()).collect();
    let mut sampled = Vec::new();
    vectors.gather(&drawn, &mut sampled);
    let across = transposed(&sampled, dims);
    let mut directions = vec![0.0; DIRECTIONS * dims];
    let begin = sampled.len().min(directions.len());
    directions[..begin].copy_from_slice(&sampled[..begin]);
    if drawn.is_empty() {
        return directions;
    }
    for _ in 0..ROUNDS {
        // The second moments of the sample times the directions, which are rows here.
        let mut weights = vec![0.0; DIRECTIONS * drawn.len()];
        multiply_transposed(&directions, &sampled, dims, &mut weights);
        multiply_transposed(&weights, &across, drawn.len(), &mut directions);
        orthonormalise(&mut directions, dims);
    }
    directions
}

/// The `rows × width` of `values` as `width × rows`.
fn transposed(values: &[f32], width: usize) -> Vec<f32> {
    let rows = values.len() / width;
    (0..width).flat_map(|column| (0..rows).map(move |row| values[row * width + column])).collect()
}

/// Gram and Schmidt, twice, in double precision ("twice is enough", Giraud et al. 2005). What depends on earlier rows becomes 0.
fn orthonormalise(rows: &mut [f32], dims: usize) {
    const LEAST: f64 = 1e-6;
    let mut done: Vec<Vec<f64>> = Vec::new();
    for row in rows.chunks_exact_mut(dims) {
        let mut new: Vec<f64> = row.iter().map(|&value| f64::from(value)).collect();
        let length = |of: &[f64]| of.iter().map(|value| value * value).sum::<f64>().sqrt();
        let before = length(&new);
        for _ in 0..2 {
            for other in &done {
                let product: f64 = new.iter().zip(other).map(|(a, b)| a * b).sum();
                new.iter_mut().zip(other).for_each(|(a, b)| *a -= product * b);
            }
        }
        let after = length(&new);
        let scale = if after > LEAST * before { 1.0 / after } else { 0.0 };
        new.iter_mut().for_each(|value| *value *= scale);
        row.iter_mut().zip(&new).for_each(|(to, &from)| *to = from as f32);
        if scale > 0.0 {
            done.push(new);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;

    #[test]
    fn products_of_sketches_are_no_smaller_than_those_of_the_rows() {
        let (rows, dims) = (200, 150);
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        // Some rows are alike, some zero, one is no row of numbers.
        let mut values: Vec<f32> = (0..rows * dims).map(|_| rng.random_range(-0.12..0.12f32)).collect();
        values[..10 * dims].fill(0.0);
        let alike = values[20 * dims..50 * dims].to_vec();
        values[50 * dims..80 * dims].copy_from_slice(&alike);
        values[99 * dims] = f32::NAN;
        let vectors = Vectors::new(&values, dims);
        let sketch = Sketch::of(vectors).unwrap();
        let of = Vectors::new(&sketch.0, WIDTH);
        let product = |a: &[f32], b: &[f32]| -> f64 {
            a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
        };
        let mut closer = 0;
        for a in (0..rows).filter(|row| *row != 99) {
            for b in (0..rows).filter(|row| *row != 99) {
                let (bound, cosine) =
                    (product(of.row(a), of.row(b)), product(vectors.row(a), vectors.row(b)));
                assert!(bound >= cosine - 1e-6, "{a} {b}: {bound} {cosine}");
                closer += usize::from(bound < 1.0);
            }
        }
        assert!(closer > 10_000, "bounds that say something: {closer}");
        assert!(Sketch::of(Vectors::new(&values, 100)).is_none());
    }
}
