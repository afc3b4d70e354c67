//! Near-duplicates of many rows: `cargo bench --bench neighbours -- 10000 100000`, or `-- --npy vectors.npy 100000` for real embeddings.
//!
//! Prints JSON objects: for each row count the seconds and pairs of near cells with what their own sample says of them, of all pairs compared
//! (not with `--no-exact`) with how many of these the cells have, and of comparing a share of held-out rows (`--held-out`, 0.2) with all others.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Instant;

use pipeline::progress::Silent;
use pipeline::split::{NearSearch, Searched, Vectors, pairs_between};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use rayon::prelude::*;

/// Values of a made-up row.
const DIMS: usize = 384;
/// Of so many rows one is a near-duplicate of another.
const ONE_IN: usize = 20;

struct Asked {
    counts: Vec<usize>,
    real: Option<PathBuf>,
    cosine: f64,
    held_out: f64,
    exact: bool,
}

fn asked() -> Asked {
    let mut asked = Asked { counts: Vec::new(), real: None, cosine: 0.95, held_out: 0.2, exact: true };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--npy" => asked.real = words.next().map(PathBuf::from),
            "--cosine" => asked.cosine = words.next().and_then(|w| w.parse().ok()).expect("a cosine"),
            "--held-out" => asked.held_out = words.next().and_then(|w| w.parse().ok()).expect("a share"),
            "--no-exact" => asked.exact = false,
            other => asked.counts.extend(other.parse::<usize>().ok()),
        }
    }
    if asked.counts.is_empty() {
        asked.counts = vec![10_000, 30_000, 100_000];
    }
    asked
}

fn scale(row: &mut [f32]) {
    let length = row.iter().map(|v| v * v).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    row.iter_mut().for_each(|v| *v /= length);
}

fn rng(seed: u64, stream: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream as u64);
    rng
}

/// Rows about made-up topics, fifty a topic, at a cosine of some 0.5; each twentieth is near the one before it (0.9 to 1).
fn made_up(rows: usize) -> Vec<f32> {
    let topics = rows / 50 + 1;
    let mut values = vec![0.0f32; rows * DIMS];
    let gauss = |rng: &mut ChaCha8Rng, of: &mut [f32], by: f32| {
        of.iter_mut().for_each(|v| *v += by * rng.sample::<f32, _>(StandardNormal) / (DIMS as f32).sqrt());
    };
    values.par_chunks_mut(DIMS).enumerate().for_each(|(row, values)| {
        let copies = row % ONE_IN == 1;
        let of = row - usize::from(copies);
        let mut own = rng(1, of);
        let topic = own.random_range(0..topics);
        gauss(&mut rng(2, topic), values, 1.0);
        gauss(&mut own, values, 1.0);
        if copies {
            let mut noise = rng(3, row);
            let by = noise.random_range(0.1..0.65);
            gauss(&mut noise, values, by);
        }
        scale(values);
    });
    values
}

/// The real rows, and as many more as are wanted, each of a real one and the difference of two others: one in twenty little of it.
fn blown_up(path: &PathBuf, rows: usize) -> (Vec<f32>, usize) {
    let file = npyz::NpyFile::new(std::fs::read(path).expect("a file").leak() as &[u8]).expect("a matrix");
    let dims = file.shape()[1] as usize;
    let mut real: Vec<f32> = file.into_vec().expect("32-bit floats");
    real.chunks_exact_mut(dims).for_each(scale);
    let count = real.len() / dims;
    let mut values = vec![0.0f32; rows * dims];
    values.par_chunks_mut(dims).enumerate().for_each(|(row, values)| {
        let mut rng = rng(4, row);
        let at = |row: usize| &real[row * dims..(row + 1) * dims];
        if row < count {
            values.copy_from_slice(at(row));
            return;
        }
        let [a, b, c] = [0; 3].map(|_| rng.random_range(0..count));
        let much = !row.is_multiple_of(ONE_IN);
        let by = if much { rng.random_range(0.35..0.85f32) } else { rng.random_range(0.07..0.25f32) };
        let pair = at(b).iter().zip(at(c));
        values.iter_mut().zip(at(a)).zip(pair).for_each(|((v, a), (b, c))| *v = a + by * (b - c));
        scale(values);
    });
    (values, dims)
}

/// Seconds of processors that this process has taken, of all threads; on Linux, elsewhere 0.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name in brackets, which may have blanks in it: the 12th and 13th field, in hundredths.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    fields.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Seconds that have passed, and those of processors.
struct Clock(Instant, f64);

impl Clock {
    fn start() -> Self {
        Self(Instant::now(), processor_seconds())
    }

    fn told(&self) -> String {
        let (passed, processors) = (self.0.elapsed().as_secs_f64(), processor_seconds() - self.1);
        format!("\"seconds\": {passed:.2}, \"processor_seconds\": {processors:.1}")
    }
}

fn found(search: NearSearch, vectors: Vectors<'_>, cosine: f64) -> (HashSet<[usize; 2]>, String, Searched) {
    let (clock, mut pairs) = (Clock::start(), HashSet::new());
    let searched = search
        .for_each_pair(vectors, cosine, &Silent, |pair| assert!(pairs.insert(pair.rows), "a pair twice"))
        .expect("nobody stops");
    (pairs, clock.told(), searched)
}

fn main() {
    let asked = asked();
    for &rows in &asked.counts {
        let (values, dims) = match &asked.real {
            Some(path) => blown_up(path, rows),
            None => (made_up(rows), DIMS),
        };
        let vectors = Vectors::new(&values, dims);
        let (pairs, seconds, searched) = found(NearSearch { exact_rows: 0, seed: 1 }, vectors, asked.cosine);
        let Searched::Approximate(recall) = searched else { unreachable!("no row is compared with all") };
        let sampled = recall.found.iter().filter(|found| **found).count();
        println!(
            "{{\"rows\": {rows}, \"dims\": {dims}, \"cosine\": {}, \"way\": \"cells\", {seconds}, \"pairs\": {}, \
             \"sampled_rows\": {}, \"sampled_pairs\": {}, \"sampled_found\": {sampled}}}",
            asked.cosine,
            pairs.len(),
            recall.rows,
            recall.found.len()
        );
        if asked.exact {
            let (all, seconds, _) =
                found(NearSearch { exact_rows: usize::MAX, seed: 1 }, vectors, asked.cosine);
            assert!(pairs.is_subset(&all), "the cells have a pair that is none");
            println!(
                "{{\"rows\": {rows}, \"dims\": {dims}, \"cosine\": {}, \"way\": \"exact\", {seconds}, \"pairs\": {}, \
                 \"found_by_cells\": {}}}",
                asked.cosine,
                all.len(),
                pairs.len()
            );
        }
        let held = (rows as f64 * asked.held_out) as usize;
        let (clock, mut across) = (Clock::start(), 0usize);
        let sides = [[(0..held).collect(), (held..rows).collect()]];
        pairs_between(vectors, &sides, asked.cosine, &Silent, |_| across += 1).expect("nobody stops");
        println!(
            "{{\"rows\": {rows}, \"dims\": {dims}, \"cosine\": {}, \"way\": \"held-out\", {}, \"pairs\": {across}, \
             \"held_out\": {held}}}",
            asked.cosine,
            clock.told()
        );
    }
}
