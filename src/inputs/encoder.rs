//! Embeddings and tabular features to one input row, the features standardised; all learned on the training part.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::raw::RawInputs;
use super::terms::Terms;
use super::tfidf::{Sparse, TfIdf};

/// A term in fewer training texts is no term.
const MIN_TEXTS: usize = 2;

/// How raw inputs become a head's input row: embedding, numeric features (missing → mean; as ln(1 + x) where no training
/// row is negative, since counts, minutes and prices are skewed; never beyond what training rows have), then for each categorical feature one indicator a known
/// value and one for "other".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputEncoder {
    embedding_dims: usize,
    /// Whether each numeric feature enters as ln(1 + x).
    logarithmic: Vec<bool>,
    /// Mean of each numeric feature, as it enters, on the training part.
    numeric_means: Vec<f32>,
    /// Between which values each numeric feature, as it enters, is believed: what lies outside becomes the nearer one. A
    /// head has learned nothing of what lies outside, and most heads go on as inside, the further the surer: of sentences
    /// alone a network learns that short ones are of a class, and a single word is then of that class whatever it says.
    /// Encoders of before have none.
    #[serde(default)]
    numeric_limits: Vec<[f32; 2]>,
    /// Known values of each categorical feature, sorted.
    categories: Vec<Vec<String>>,
    /// Vocabularies: none, or words and letters.
    vocabularies: Vec<TfIdf>,
    /// Subtracted from each tabular input.
    mean: Vec<f32>,
    /// Divides each tabular input; 1 where the training part has no spread.
    scale: Vec<f32>,
}

/// How the tabular inputs of a row are made: the numeric features, then for each categorical feature an indicator (0 or 1) of
/// each known value and one of any other; each less its mean, over its scale.
#[derive(Clone, Debug, PartialEq)]
pub struct TabularInputs {
    /// The numeric features in their order.
    pub numeric: Vec<NumericInput>,
    /// Known values of each categorical feature, sorted.
    pub categories: Vec<Vec<String>>,
    /// Subtracted from each input.
    pub mean: Vec<f32>,
    /// Divides each input; not 0.
    pub scale: Vec<f32>,
}

/// How a number becomes an input: ln(1 + max(0, x)) or as it is, then within the limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NumericInput {
    /// Whether it enters as the logarithm.
    pub logarithmic: bool,
    /// What stands for a missing one, as it enters.
    pub missing: f32,
    /// Least and greatest, as it enters.
    pub limits: Option<[f32; 2]>,
}

impl InputEncoder {
    /// Learn means, scales and categories from the rows `train` of `raw`.
    ///
    /// A category value seen in fewer than `min_count` training rows is "other", and a number beyond which fewer lie the
    /// limit of a numeric feature; with `terms`, those of at least two
    /// training rows make the vocabularies. The embedding passes as it is: its
    /// values are already of one scale, and standardising them measured worse on validation parts.
    pub fn learn(raw: &RawInputs, train: &[usize], min_count: usize, terms: bool) -> Self {
        let numeric_count = raw.numeric.first().map_or(0, Vec::len);
        let (mut logarithmic, mut numeric_means, mut numeric_limits) = (Vec::new(), Vec::new(), Vec::new());
        for feature in 0..numeric_count {
            let mut known: Vec<f32> = train.iter().filter_map(|&row| raw.numeric[row][feature]).collect();
            logarithmic.push(known.iter().all(|&v| v >= 0.0));
            known.iter_mut().for_each(|v| *v = entered(*v, logarithmic[feature]));
            let [low, high] = limits(known.clone(), min_count);
            let mean = known.iter().map(|v| v.clamp(low, high)).sum::<f32>() / known.len().max(1) as f32;
            numeric_means.push(mean);
            numeric_limits.push([low, high]);
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
        let learned = |kind| TfIdf::learn_counted(raw.count_terms(kind), train, MIN_TEXTS, kind);
        let vocabularies =
            if terms { [Terms::Words, Terms::Letters].map(learned).to_vec() } else { Vec::new() };
        let mut encoder = Self {
            embedding_dims: raw.embedding_dims,
            logarithmic,
            numeric_means,
            numeric_limits,
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

    /// Whether its parts belong together, and to embeddings of `embedding_dims` values: a file may say anything.
    ///
    /// # Errors
    /// What does not fit.
    pub fn check(&self, embedding_dims: usize) -> Result<(), String> {
        if self.embedding_dims != embedding_dims {
            return Err(format!(
                "it is of embeddings of {} values, not {embedding_dims}",
                self.embedding_dims
            ));
        }
        let numeric = self.numeric_means.len();
        let width = numeric + self.categories.iter().map(|known| known.len() + 1).sum::<usize>();
        if self.logarithmic.len() != numeric || ![0, numeric].contains(&self.numeric_limits.len()) {
            return Err("its numeric features are not as many everywhere".into());
        }
        if self.mean.len() != width || self.scale.len() != width {
            return Err(format!("it has not a mean and a scale for each of {width} inputs"));
        }
        if ![0, 2].contains(&self.vocabularies.len()) {
            return Err("it has other vocabularies than words and letters".into());
        }
        if !self.categories.iter().all(|known| known.is_sorted()) {
            return Err("its categories are not in order".into());
        }
        let in_order = |limits: &[f32; 2]| limits[0] <= limits[1];
        let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
        if !self.numeric_limits.iter().all(in_order)
            || !finite(&self.numeric_means)
            || !finite(&self.mean)
            || !finite(&self.scale)
            || self.scale.contains(&0.0)
        {
            return Err("one of its numbers is none, or divides by nothing".into());
        }
        Ok(())
    }

    /// The first so many inputs are embedding, the rest tabular.
    pub fn embedding_dims(&self) -> usize {
        self.embedding_dims
    }

    /// How the tabular inputs are made, for those who make them elsewhere.
    pub fn tabular_inputs(&self) -> TabularInputs {
        let numeric = (0..self.numeric_means.len()).map(|feature| NumericInput {
            logarithmic: self.logarithmic[feature],
            missing: self.numeric_means[feature],
            limits: self.numeric_limits.get(feature).copied(),
        });
        TabularInputs {
            numeric: numeric.collect(),
            categories: self.categories.clone(),
            mean: self.mean.clone(),
            scale: self.scale.clone(),
        }
    }

    /// The vocabularies, words and letters, for those who count terms elsewhere; `None` where a head sees none.
    pub fn vocabularies(&self) -> Option<[&TfIdf; 2]> {
        match &self.vocabularies[..] {
            [words, letters] => Some([words, letters]),
            _ => None,
        }
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
        let of = |vocabulary: &TfIdf, kind| match raw.counted_terms(kind) {
            Some(counted) => vocabulary.counted_rows(counted, rows),
            None => vocabulary.rows(rows.iter().map(|&row| raw.texts[row].as_str())),
        };
        let (words, letters) = (of(words, Terms::Words), of(letters, Terms::Letters));
        Some(words.beside(&letters, std::f32::consts::FRAC_1_SQRT_2))
    }

    /// The tabular inputs of one row, standardised once means and scales are known.
    fn tabular(&self, raw: &RawInputs, row: usize) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.mean.len());
        for (feature, &mean) in self.numeric_means.iter().enumerate() {
            let known = raw.numeric[row][feature].map(|v| entered(v, self.logarithmic[feature]));
            let value = known.unwrap_or(mean);
            let limits = self.numeric_limits.get(feature);
            values.push(limits.map_or(value, |&[low, high]| value.clamp(low, high)));
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

/// The values beyond which, on either side, fewer than `min_count` of the `known` ones lie; of few, not more than one in
/// twenty. As a category that fewer rows have is no category, what fewer rows reach is nothing that a head could learn, and
/// a single row that is far from the others would else leave all between them open.
fn limits(mut known: Vec<f32>, min_count: usize) -> [f32; 2] {
    known.sort_unstable_by(f32::total_cmp);
    let beyond = min_count.saturating_sub(1).min(known.len() / 20);
    let value = |place: usize| known.get(place).copied().unwrap_or(0.0);
    [value(beyond), value(known.len().saturating_sub(beyond + 1))]
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
            ..RawInputs::default()
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
        // "a" is constant in training, so its scale is 1: absent is -1; the number stays at the one that training saw.
        assert_eq!(encoder.encode(&raw(), &[2]), [500.0, 0.0, -1.0, 1.0]);
    }

    fn numbers(values: &[f32]) -> RawInputs {
        RawInputs {
            numeric: values.iter().map(|&v| vec![Some(v)]).collect(),
            categories: vec![vec![]; values.len()],
            texts: vec![String::new(); values.len()],
            ..RawInputs::default()
        }
    }

    #[test]
    fn a_number_that_no_training_row_comes_near_is_the_nearest_that_some_have() {
        // -50 … 50, and two far ones: of 103 rows, fewer than three lie beyond the limits.
        let mut values: Vec<f32> = (-50..=50i16).map(f32::from).collect();
        values.extend([-900.0, 900.0]);
        let train: Vec<usize> = (0..values.len()).collect();
        values.extend([-49.0, -1e9, 49.0, 1e9, 12.5]);
        let raw = numbers(&values);
        let encoder = InputEncoder::learn(&raw, &train, 3, false);
        let asked = encoder.encode(&raw, &[103, 104, 105, 106, 107]);
        assert_eq!((asked[0], asked[2]), (asked[1], asked[3]));
        assert!(asked[0] > -1.8 && asked[2] < 1.8 && asked[4] > asked[0] && asked[4] < asked[2], "{asked:?}");
        // A mark that enough rows have is one, however few they are.
        let mut marks = vec![0.0; 1000];
        marks[..3].fill(1.0);
        let (raw, train) = (numbers(&marks), (0..1000).collect::<Vec<_>>());
        let told = |min_count| {
            let marks = InputEncoder::learn(&raw, &train, min_count, false).encode(&raw, &[0, 999]);
            marks[0] > marks[1]
        };
        assert!(told(3) && !told(4));
    }

    #[test]
    fn an_encoder_of_before_has_no_limits_and_answers_as_before() {
        let learned = InputEncoder::learn(&raw(), &[0, 1], 2, false);
        let mut saved = serde_json::to_value(&learned).unwrap();
        assert!(saved.as_object_mut().unwrap().remove("numeric_limits").is_some());
        let before: InputEncoder = serde_json::from_value(saved).unwrap();
        // ln(1 + 0) - ln(1 + 10)
        assert_eq!(before.encode(&raw(), &[2])[1], -(11.0f32.ln()));
        assert_eq!(before.encode(&raw(), &[0, 1]), learned.encode(&raw(), &[0, 1]));
    }

    #[test]
    fn few_rows_and_none_have_limits_too() {
        assert_eq!(limits(vec![3.0, 1.0, 2.0], 5), [1.0, 3.0]);
        assert_eq!(limits((0..40).map(|v| v as f32).collect(), 5), [2.0, 37.0]);
        assert_eq!(limits((0..400).map(|v| v as f32).collect(), 5), [4.0, 395.0]);
        assert_eq!(limits(vec![], 5), [0.0, 0.0]);
        assert_eq!(limits(vec![7.0], 0), [7.0, 7.0]);
    }
}
