//! How varied the texts of a batch are, and whether they become less so: a generator that repeats itself is noticed here.

use serde::{Deserialize, Serialize};

use super::alike::nearest;
use super::gate_error::GateError;
use super::grams::Grams;
use super::trend::Tested;
use super::variety::{DiversitySettings, Fall};
use super::vectors::Vectors;
use crate::progress::Progress;

/// Rows below which a window says too little to be tested.
const LEAST_ROWS: usize = 8;
/// Rows of a window that are tested at most, evenly taken: the test's time grows with their square.
const MOST_ROWS: usize = 200;

/// The figures of some rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Mean cosine distance of a row to its nearest neighbour, in `[0, 2]`; `None` without vectors or of fewer than two rows.
    pub nearest_distance: Option<f64>,
    /// Distinct-1, -2 and -3 (Li et al. 2016, "A Diversity-Promoting Objective Function for Neural Conversation Models"), in
    /// `(0, 1]`; 1 where there are no words. They fall with the number of words, so compare equal numbers of rows.
    pub distinct: [f64; 3],
}

/// A part of the batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Its first row, counted from 0.
    pub first: usize,
    /// How many rows it has.
    pub rows: usize,
    /// Its figures.
    pub figures: Figures,
}

/// The variety of a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diversity {
    /// Of the whole batch.
    pub figures: Figures,
    /// In the order of the batch; none where a window would have fewer than eight rows.
    pub windows: Vec<Window>,
    /// The warning; `None` where there is none, or where there are no windows to compare.
    pub fall: Option<Fall>,
}

/// The variety of a batch of `texts` in their order, with their vectors where there are some.
///
/// The trend is tested by permutation: rows of the first and the last window change places, and the fall of each figure is held
/// against those of the permutations; the figures are tested together by the least of their p-values (Westfall & Young 1993), so
/// `level` holds for all four.
///
/// # Errors
/// A setting outside its range, as many vectors as texts are not there, or the user asked to stop.
pub fn diversity(
    texts: &[String],
    vectors: Option<Vectors<'_>>,
    (settings, seed): (&DiversitySettings, u64),
    progress: &dyn Progress,
) -> Result<Diversity, GateError> {
    settings.check()?;
    if let Some(found) = vectors.map(|vectors| vectors.rows()).filter(|&rows| rows != texts.len()) {
        return Err(GateError::Shape { what: "vectors of the batch", found, wanted: texts.len() });
    }
    let grams = Grams::of(texts);
    let figures = |rows: &[usize]| -> Result<Figures, GateError> {
        let nearest_distance = match vectors.filter(|_| rows.len() > 1) {
            Some(vectors) => Some(nearest_distance(vectors, rows, progress)?),
            None => None,
        };
        Ok(Figures { nearest_distance, distinct: grams.distinct(rows) })
    };
    let all: Vec<usize> = (0..texts.len()).collect();
    let size = texts.len() / settings.windows;
    let mut windows = Vec::new();
    let mut fall = None;
    if size >= LEAST_ROWS {
        for window in 0..settings.windows {
            // What is left over lies between the windows, so that all have the same size.
            let first = window * (texts.len() - size) / (settings.windows - 1);
            windows.push(Window { first, rows: size, figures: figures(&all[first..first + size])? });
        }
        let sample = |first: usize| -> Vec<usize> {
            let count = size.min(MOST_ROWS);
            (0..count).map(|row| first + row * size / count).collect()
        };
        let tested = Tested::new(&grams, vectors, [sample(0), sample(texts.len() - size)]);
        fall = tested.fall(settings, seed, progress)?;
    }
    Ok(Diversity { figures: figures(&all)?, windows, fall })
}

fn nearest_distance(vectors: Vectors<'_>, rows: &[usize], progress: &dyn Progress) -> Result<f64, GateError> {
    let values: Vec<f32> = rows.iter().flat_map(|&row| vectors.row(row)).copied().collect();
    let own = Vectors::new(&values, vectors.dims(), "batch")?;
    let cosines = nearest(own, own, true, progress)?;
    let distance: f64 = cosines.iter().flatten().map(|found| 1.0 - found.cosine).sum();
    Ok((distance / rows.len() as f64).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::gate::variety::Measure;
    use crate::progress::Silent;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn own(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_figures_are_those_of_the_definition() {
        // Words: a b a b | a c: 3 different of 6; pairs: ab ba ab | ac: 3 of 4; triples: aba bab: 2 of 2.
        let texts = own(&["A b, a b!", "a c"]);
        let vectors = [1.0, 0.0, 0.6, 0.8];
        let vectors = Vectors::new(&vectors, 2, "batch").unwrap();
        let found = diversity(&texts, Some(vectors), (&DiversitySettings::default(), 1), &Silent).unwrap();
        assert_eq!(found.figures.distinct, [0.5, 0.75, 1.0]);
        assert!((found.figures.nearest_distance.unwrap() - 0.4).abs() < 1e-6);
        assert_eq!((found.windows, found.fall), (vec![], None));
        let none = diversity(&[], None, (&DiversitySettings::default(), 1), &Silent).unwrap();
        assert_eq!(none.figures, Figures { nearest_distance: None, distinct: [1.0; 3] });
    }

    /// Texts of ten words and vectors on a sphere of `dims`; the words and the directions are those of a vocabulary and a cap
    /// that shrink by `loss` over the batch.
    fn batch(rows: usize, loss: f64, seed: u64) -> (Vec<String>, Vec<f32>) {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        let (mut texts, mut vectors) = (Vec::new(), Vec::new());
        for row in 0..rows {
            let breadth = 1.0 - loss * row as f64 / rows as f64;
            let words: Vec<String> = (0..10)
                .map(|_| format!("w{}", (generator.random::<f64>().powi(2) * breadth * 300.0) as usize))
                .collect();
            texts.push(words.join(" "));
            let mut vector: Vec<f32> =
                (0..6).map(|_| (generator.random::<f32>() - 0.5) * breadth as f32).collect();
            vector[0] += 0.5;
            let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
            vectors.extend(vector.iter().map(|v| v / length));
        }
        (texts, vectors)
    }

    fn warned(loss: f64, seed: u64) -> bool {
        let (texts, values) = batch(100, loss, seed);
        let vectors = Vectors::new(&values, 6, "batch").unwrap();
        let settings = DiversitySettings { permutations: 199, ..DiversitySettings::default() };
        diversity(&texts, Some(vectors), (&settings, seed + 1_000_000), &Silent).unwrap().fall.is_some()
    }

    #[test]
    fn healthy_batches_are_warned_about_at_the_level_and_those_that_narrow_are_found() {
        let alarms = (0..200).filter(|&seed| warned(0.0, seed)).count();
        // 200 draws of 0.05: 10 expected, 20 or more once in 600.
        assert!(alarms < 20, "{alarms} of 200");
        let found = (0..20).filter(|&seed| warned(0.7, 1000 + seed)).count();
        assert!(found >= 18, "{found} of 20");
    }

    #[test]
    fn a_fall_names_the_figure_and_windows_have_equal_sizes() {
        let (mut texts, _) = batch(103, 0.0, 5);
        texts[80..].iter_mut().for_each(|text| *text = "the very same text again and again".to_owned());
        let found = diversity(&texts, None, (&DiversitySettings::default(), 3), &Silent).unwrap();
        let firsts: Vec<usize> = found.windows.iter().map(|window| window.first).collect();
        assert_eq!(firsts, [0, 20, 41, 62, 83]);
        assert!(found.windows.iter().all(|window| window.rows == 20));
        let fall = found.fall.unwrap();
        assert!(
            fall.measure != Measure::NearestDistance && fall.last < 0.1 && fall.first > 0.5 && fall.p < 0.01
        );
        assert!((fall.first - 1.0).abs() < 0.5);
    }

    #[test]
    fn settings_that_allow_no_test_are_an_error() {
        for bad in [
            DiversitySettings { windows: 1, ..DiversitySettings::default() },
            DiversitySettings { permutations: 10, ..DiversitySettings::default() },
            DiversitySettings { level: f64::NAN, ..DiversitySettings::default() },
        ] {
            assert!(matches!(diversity(&[], None, (&bad, 1), &Silent), Err(GateError::Setting { .. })));
        }
    }
}
