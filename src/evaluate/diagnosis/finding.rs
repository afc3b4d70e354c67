//! A finding, and what it can be about.

use serde::{Deserialize, Serialize};

/// One thing that is wrong, or that is good to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is about.
    pub ill: Ill,
    /// Whether something is wrong.
    #[serde(default)]
    pub level: Level,
    /// What was found, in one sentence.
    pub finding: String,
    /// The numbers behind it.
    pub evidence: String,
    /// How sure it is: a p value, an interval, or that it was counted.
    #[serde(default)]
    pub sure: String,
    /// What to do.
    pub advice: String,
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Figures mislead, or the labels or the head are not what they seem. Of healthy runs at most one in twenty has any.
    #[default]
    Ill,
    /// What the data is like, and what it is too small for.
    Note,
}

/// What findings are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ill {
    /// A text or column from which the label can be read off.
    LabelLeakage,
    /// Near-duplicates in different parts.
    DuplicatesAcrossParts,
    /// Equal or nearly equal texts with different labels.
    Contradictions,
    /// The test part has far less right than the folds.
    TestBelowFolds,
    /// The test part has far more right than the folds.
    TestAboveFolds,
    /// The texts of the given test part are of another kind.
    TestOfAnotherKind,
    /// The classes have other shares in the given test part.
    TestOfOtherShares,
    /// What the labels mean changes with a date or year.
    Drift,
    /// The head is no better than the most frequent class, or worse than a baseline.
    NoBetterThanBaseline,
    /// A class that the head never answers.
    ClassNeverAnswered,
    /// Held-out rows are answered worse than the head believed.
    Overfitting,
    /// Probabilities do not mean what they say.
    Miscalibrated,
    /// Labels are wrong at random.
    LabelErrors,
    /// A class without rows, or with very few, in a part.
    TinyClass,
    /// The interval is too wide to conclude from.
    WideInterval,
    /// Many rows are near-copies of others.
    NearCopies,
    /// A simpler model is as good.
    AsGoodAsBaseline,
    /// The file of a row, or its place there, tells the class.
    ToldByPlace,
    /// Validation accuracy jumps from epoch to epoch.
    UnstableValidation,
    /// The largest class is much larger than the smallest.
    Imbalance,
    /// One class is often taken for another.
    Confusion,
}

/// How sure a finding is that was counted, not concluded.
pub(super) const COUNTED: &str = "counted";

pub(super) fn ill(ill: Ill, finding: &str, evidence: String, sure: String, advice: String) -> Finding {
    Finding { ill, level: Level::Ill, finding: finding.to_owned(), evidence, sure, advice }
}

pub(super) fn note(ill: Ill, finding: &str, evidence: String, sure: String, advice: String) -> Finding {
    Finding { level: Level::Note, ..self::ill(ill, finding, evidence, sure, advice) }
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
