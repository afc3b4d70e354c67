//! `[evaluate]`: cross-validation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::Fault;
use super::number::{Number, real, whole};
use super::section::Section;

/// Most folds of a repeat.
pub(super) const MOST_FOLDS: usize = 1000;

/// Most folds of all repeats: each keeps the places of all rows, and trains a head and its baselines.
const MOST_TURNS: usize = 10_000;

/// Repeats of fewer rows than [`MANY_ROWS`].
const REPEATS: usize = 3;

/// Rows outside the test part from which on there is one repeat.
const MANY_ROWS: usize = 5000;

/// What an answer is to serve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// Macro-F1 where that costs less than a point of accuracy.
    #[default]
    Auto,
    /// Accuracy: the likeliest class.
    Accuracy,
    /// Macro-F1.
    MacroF1,
    /// Balanced accuracy.
    BalancedAccuracy,
}

/// A model that the head is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BaselineKind {
    /// The share of each class.
    Majority,
    /// Logistic regression on TF-IDF of the words.
    Tfidf,
    /// Logistic regression on the embeddings.
    Embeddings,
    /// Logistic regression on what the head sees.
    InputsLogistic,
    /// A linear support vector machine on what the head sees.
    InputsLinearSvm,
    /// A support vector machine with a Gaussian kernel on what the head sees.
    InputsRbfSvm,
}

impl BaselineKind {
    /// All, in the order in which reports have them.
    pub const ALL: [Self; 6] = [
        Self::Majority,
        Self::Tfidf,
        Self::Embeddings,
        Self::InputsLogistic,
        Self::InputsLinearSvm,
        Self::InputsRbfSvm,
    ];

    /// As reports have it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Majority => "majority class",
            Self::Tfidf => "TF-IDF + logistic regression",
            Self::Embeddings => "embeddings + logistic regression",
            Self::InputsLogistic => "inputs + logistic regression",
            Self::InputsLinearSvm => "inputs + linear SVM",
            Self::InputsRbfSvm => "inputs + RBF SVM",
        }
    }

    /// Whether it sees texts and nothing else.
    pub fn of_text(self) -> bool {
        matches!(self, Self::Tfidf | Self::Embeddings)
    }
}

/// `[evaluate]`: repeated stratified group k-fold cross-validation over the rows outside the test part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluateConfig {
    /// Folds of a repeat, in `[2, 1000]`; 5 by default.
    pub folds: usize,
    /// Times that the rows are dealt to folds anew, in `[1, 100]`; by default 3, from 5,000 rows outside the test part on 1: so
    /// many rows are judged by one dealing nearly as well, and three take three times as long. All folds together are at most
    /// 10,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeats: Option<usize>,
    /// Models that the head is compared with, each taught in every fold; all by default. Of many rows the ones on the head's
    /// inputs take as long as the head.
    pub baselines: Vec<BaselineKind>,
    /// Mistakes of the test part, the surest first, that the report explains word by word, in `[0, 50]`; 3 by default. Each takes
    /// some hundreds of texts through the encoder.
    #[serde(skip_serializing_if = "is_default_explain")]
    pub explain: usize,
    /// How calibrated probabilities become an answer.
    pub decision: DecisionKind,
    /// What an answer costs: for a true class, by the class answered, in `[0, 10⁶]`; 1 where it is not named, and nothing where the
    /// answer is right. With any, the answer is the one of the least expected cost.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub costs: BTreeMap<String, BTreeMap<String, f64>>,
}

/// [`EvaluateConfig::explain`] by default.
const EXPLAIN: usize = 3;

fn is_default_explain(explain: &usize) -> bool {
    *explain == EXPLAIN
}

impl EvaluateConfig {
    /// [`EvaluateConfig::repeats`] of so many rows outside the test part.
    pub fn repeats_of(&self, rows: usize) -> usize {
        self.repeats.unwrap_or(if rows < MANY_ROWS { REPEATS } else { 1 })
    }

    /// [`Self::baselines`] in the order in which reports have them.
    pub fn baselines(&self) -> Vec<BaselineKind> {
        BaselineKind::ALL.into_iter().filter(|kind| self.baselines.contains(kind)).collect()
    }
}

impl Section for EvaluateConfig {
    fn numbers(&self) -> Vec<Number> {
        let cost = real("evaluate.costs.*", None, 0.0..=1e6);
        let mut numbers = vec![
            whole("evaluate.folds", self.folds, 2..=MOST_FOLDS),
            whole("evaluate.repeats", self.repeats, 1..=100),
            whole("evaluate.explain", self.explain, 0..=50),
        ];
        for (truth, answers) in &self.costs {
            numbers.extend(answers.iter().map(|(answer, &of)| cost.at(format!("{truth}.{answer}"), of)));
        }
        numbers.push(cost);
        numbers
    }

    fn check(&self) -> Result<(), Fault> {
        let (folds, repeats) = (self.folds, self.repeats.unwrap_or(REPEATS));
        if folds * repeats > MOST_TURNS {
            let problem = format!(
                "of {folds} folds and {repeats} repeats trains {} heads; {MOST_TURNS} are most",
                folds * repeats
            );
            return Fault::at("evaluate", problem);
        }
        let twice = |(i, kind): (usize, &BaselineKind)| self.baselines[..i].contains(kind);
        if self.baselines.iter().enumerate().any(twice) {
            return Fault::at("evaluate.baselines", "has a model twice; name each once");
        }
        if let Some((class, _)) = self.costs.iter().find(|(truth, of)| of.contains_key(*truth)) {
            let problem = "is the cost of a right answer, which is nothing; remove it";
            return Fault::at(format!("evaluate.costs.{class}.{class}"), problem);
        }
        Ok(())
    }
}

impl Default for EvaluateConfig {
    fn default() -> Self {
        Self {
            folds: 5,
            repeats: None,
            baselines: BaselineKind::ALL.to_vec(),
            explain: EXPLAIN,
            decision: DecisionKind::Auto,
            costs: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_rows_are_dealt_once_unless_it_is_said() {
        let of = |repeats, rows| EvaluateConfig { repeats, ..EvaluateConfig::default() }.repeats_of(rows);
        assert_eq!([of(None, 4999), of(None, 5000), of(Some(3), 5000), of(Some(1), 10)], [3, 1, 3, 1]);
    }
}
