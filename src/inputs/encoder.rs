//! Embeddings and tabular features to one input row, the features standardised; all learned on the training part.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::raw::RawInputs;
use super::tfidf::{Sparse, Terms, TfIdf};

/// A term in fewer training texts is no term.
const MIN_TEXTS: usize = 2;

/// How raw inputs become a head's input row: embedding, numeric features (missing → mean; as ln(1 + x) where no training
/// row is negative, since counts, minutes and prices are skewed), then for each categorical feature one indicator a known
/// value and one for "other".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputEncoder {
    embedding_dims: usize,
    /// Whether each numeric feature enters as ln(1 + x).
    logarithmic: Vec<bool>,
    /// Mean of each numeric feature, as it enters, on the training part.
    numeric_means: Vec<f32>,
    /// Known values of each categorical feature, sorted.
    categories: Vec<Vec<String>>,
    /// Vocabularies: none, or words and letters.
    vocabularies: Vec<TfIdf>,
    /// Subtracted from each tabular input.
    mean: Vec<f32>,
    /// Divides each tabular input; 1 where the training part has no spread.
    scale: Vec<f32>,
}

impl InputEncoder {
    /// Learn means, scales and categories from the rows `train` of `raw`.
    ///
    /// A category value seen in fewer than `min_count` training rows is "other"; with `terms`, those of at least two
    /// training rows make the vocabularies. The embedding passes as it is: its
    /// values are already of one scale, and standardising them measured worse on validation parts.
    pub fn learn(raw: &RawInputs, train: &[usize], min_count: usize, terms: bool) -> Self {
        let numeric_count = raw.numeric.first().map_or(0, Vec::len);
        let (mut logarithmic, mut numeric_means) = (Vec::new(), Vec::new());
        for feature in 0..numeric_count {
            let mut known: Vec<f32> = train.iter().filter_map(|&row| raw.numeric[row][feature]).collect();
            logarithmic.push(known.iter().all(|&v| v >= 0.0));
            known.iter_mut().for_each(|v| *v = entered(*v, logarithmic[feature]));
            let mean = known.iter().sum::<f32>() / known.len().max(1) as f32;
            numeric_means.push(mean);
        }
        let category_count = raw.categories.first().map_or(0, Vec::len);
        let categories = (0..category_count)
            .map(|feature| {
                let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
                for value in train.iter().flat_map(|&row| &raw.categories[row][feature]) {
                    *counts.entry(value).or_default() += 1;
                }
                counts.into_iter().filter(|&(_, n)| n >= min_count).map(|(v, _)| v.clone()).collect()
            })
            .collect();
        let texts = || train.iter().map(|&row| raw.texts[row].as_str());
        let vocabularies = if terms {
            [Terms::Words, Terms::Letters].map(|kind| TfIdf::learn(texts(), MIN_TEXTS, kind)).to_vec()
        } else {
            Vec::new()
        };
        let mut encoder = Self {
            embedding_dims: raw.embedding_dims,
            logarithmic,
            numeric_means,
            categories,
            vocabularies,
            mean: vec![],
            scale: vec![],
        };
        encoder.standardise(raw, train);
        encoder
    }

    /// Learn mean and standard deviation of each tabular input.
    fn standardise(&mut self, raw: &RawInputs, train: &[usize]) {
        let width = self.numeric_means.len() + self.categories.iter().map(|c| c.len() + 1).sum::<usize>();
        (self.mean, self.scale) = (vec![0.0; width], vec![1.0; width]);
        let (mut sum, mut squares) = (vec![0.0f64; width], vec![0.0f64; width]);
        for &row in train {
            for (i, value) in self.tabular(raw, row).into_iter().map(f64::from).enumerate() {
                sum[i] += value;
                squares[i] += value * value;
            }
        }
        let n = train.len().max(1) as f64;
        for i in 0..width {
            let mean = sum[i] / n;
            let deviation = (squares[i] / n - mean * mean).max(0.0).sqrt();
            self.mean[i] = mean as f32;
            if deviation > 1e-6 {
                self.scale[i] = deviation as f32;
            }
        }
    }

    /// The first so many inputs are embedding, the rest tabular.
    pub fn embedding_dims(&self) -> usize {
        self.embedding_dims
    }

    /// Length of an input row.
    pub fn width(&self) -> usize {
        self.embedding_dims + self.mean.len()
    }

    /// Input rows of `rows`, `rows.len() × width`, row-major.
    pub fn encode(&self, raw: &RawInputs, rows: &[usize]) -> Vec<f32> {
        let mut inputs = Vec::with_capacity(rows.len() * self.width());
        for &row in rows {
            let dims = self.embedding_dims;
            inputs.extend_from_slice(&raw.embedding[row * dims..(row + 1) * dims]);
            inputs.extend(self.tabular(raw, row));
        }
        inputs
    }

    /// Rows of words and letters, each half of length √½, where the head sees them.
    pub fn terms(&self, raw: &RawInputs, rows: &[usize]) -> Option<Sparse> {
        let [words, letters] = &self.vocabularies[..] else { return None };
        let texts = || rows.iter().map(|&row| raw.texts[row].as_str());
        Some(words.rows(texts()).beside(&letters.rows(texts()), std::f32::consts::FRAC_1_SQRT_2))
    }

    /// The tabular inputs of one row, standardised once means and scales are known.
    fn tabular(&self, raw: &RawInputs, row: usize) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.mean.len());
        for (feature, &mean) in self.numeric_means.iter().enumerate() {
            let value = raw.numeric[row][feature].map(|v| entered(v, self.logarithmic[feature]));
            values.push(value.unwrap_or(mean));
        }
        for (feature, known) in self.categories.iter().enumerate() {
            let indicators = values.len();
            values.resize(indicators + known.len() + 1, 0.0);
            for value in &raw.categories[row][feature] {
                let at = known.binary_search(value).unwrap_or(known.len());
                values[indicators + at] = 1.0;
            }
        }
        for (value, (mean, scale)) in values.iter_mut().zip(self.mean.iter().zip(&self.scale)) {
            *value = (*value - mean) / scale;
        }
        values
    }
}

/// A numeric feature as it enters.
fn entered(value: f32, logarithmic: bool) -> f32 {
    if logarithmic { value.max(0.0).ln_1p() } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw() -> RawInputs {
        let list = |values: &[&str]| vec![values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>()];
        RawInputs {
            embedding_dims: 1,
            embedding: vec![1.0, 3.0, 500.0],
            numeric: vec![vec![Some(10.0)], vec![None], vec![Some(-7.0)]],
            categories: vec![list(&["a", "b"]), list(&["a"]), list(&["z"])],
            texts: ["red ball", "red kite", "blue ball"].map(str::to_owned).to_vec(),
        }
    }

    #[test]
    fn only_the_training_rows_teach() {
        let encoder = InputEncoder::learn(&raw(), &[0, 1], 2, true);
        // inputs: embedding, number, is "a", is other
        assert_eq!(encoder.width(), 4);
        assert_eq!(encoder.categories, [["a"]]);
        // "red" alone among words; of letters also the space before the second word …
        assert_eq!(encoder.vocabularies[0].rows(["blue ball", "red"].into_iter()).ends, [0, 1]);
        assert_eq!(encoder.encode(&raw(), &[0]), [1.0, 0.0, 0.0, 1.0]);
        assert_eq!(encoder.encode(&raw(), &[1]), [3.0, 0.0, 0.0, -1.0]);
        // "a" is constant in training, so its scale is 1: absent is -1; the number's too: ln(1 + 0) - ln(1 + 10)
        assert_eq!(encoder.encode(&raw(), &[2]), [500.0, -(11.0f32.ln()), -1.0, 1.0]);
    }
}
