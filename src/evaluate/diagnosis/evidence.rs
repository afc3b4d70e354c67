//! What the diagnosis looks at.

use serde::Serialize;

use crate::evaluate::interval::Estimate;
use crate::evaluate::metrics::Metrics;
use crate::evaluate::noise::LabelNoise;
use crate::heads::Epoch;

/// The p value below which chance is no explanation: a twentieth, over the ten tests here (Bonferroni).
pub const SIGNIFICANT: f64 = 0.005;

/// A column, a piece of the text or a word that tells the class beyond what meaning can.
#[derive(Clone, Debug, PartialEq)]
pub struct Leak {
    /// The column, the piece, or the word in quotes.
    pub what: String,
    /// How it tells the class, in words.
    pub how: String,
    /// On rows not learned from: balanced accuracy of the column or piece alone; of a word the share of its rows that
    /// are of its class.
    pub accuracy: Estimate,
    /// p of a permutation test, corrected for all that were tried.
    pub p: f64,
    /// Candidates of its kind that were tried.
    pub tried: usize,
    /// Whether the model is given it: not the file of a row nor the row's place there.
    pub in_input: bool,
}

impl std::fmt::Display for Leak {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, how, p, tried, .. } = self;
        write!(f, "{what}: {how} (p = {p:.3}, corrected for {tried} tried)")
    }
}

/// Equal or nearly equal texts with different labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contradictions {
    /// Pairs of rows.
    pub pairs: usize,
    /// Rows in any of the pairs.
    pub rows: usize,
    /// Pairs of near-duplicates in all, with one label or two.
    pub near_pairs: usize,
    /// The first, as `file:line (label) file:line (label)`.
    pub first: Vec<String>,
}

/// How well texts of two kinds of rows are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TextShift {
    /// Area under the ROC curve of a classifier on rows that it has not learned; 0.5 where they are alike.
    pub auc: f64,
    /// How likely an area so great is if they are alike.
    pub p: f64,
}

impl TextShift {
    /// A smaller area says that a few texts differ.
    const AREA: f64 = 0.65;

    /// Whether they are of two kinds.
    pub fn is_found(self) -> bool {
        self.p < SIGNIFICANT && self.auc > Self::AREA
    }
}

/// How a given test part differs from the other rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Shift {
    /// How well texts of the test part are told from the others.
    pub texts: TextShift,
    /// How likely class shares so different are if they are drawn from the same.
    pub shares_p: f64,
    /// The class whose share differs most: its name, its share outside the test part and in it.
    pub share: (String, f64, f64),
}

/// How what the labels mean changes with a column of dates or years.
#[derive(Clone, Debug, PartialEq)]
pub struct Drift {
    /// The column.
    pub column: String,
    /// What separates the earlier half from the later one.
    pub from: String,
    /// Accuracy on rows of one half after learning from other rows of the same half.
    pub within: f64,
    /// The same after learning from the other half.
    pub across: f64,
    /// How likely such a loss is if nothing changed.
    pub p: f64,
}

/// What the diagnosis looks at.
pub struct Evidence<'a> {
    /// Class names.
    pub classes: &'a [String],
    /// The training history.
    pub history: &'a [Epoch],
    /// Whether the head is trained in epochs.
    pub has_epochs: bool,
    /// Whether `train.class_weights` is on.
    pub class_weights: bool,
    /// Whether answers serve balanced accuracy (`evaluate.decision`).
    pub balanced: bool,
    /// Figures of the test part, calibrated.
    pub test: &'a Metrics,
    /// Figures of the rows outside the test part, answered out of fold, calibrated.
    pub out_of_fold: &'a Metrics,
    /// Log loss found on held-out rows minus what the heads believed, over the folds.
    pub loss_gap: Estimate,
    /// Rows of each class in the train, validation and test part.
    pub part_rows: [Vec<usize>; 3],
    /// Share of rows that is drawn as the test part; `None` where the test part is given.
    pub test_share: Option<f64>,
    /// Groups of near-duplicates among all rows.
    pub groups: usize,
    /// Pairs of near-duplicates with one row in the test or validation part and one elsewhere.
    pub near_pairs_across: usize,
    /// Equal or nearly equal texts with different labels.
    pub contradictions: Contradictions,
    /// What alone tells the class, of the input and beside it.
    pub leaks: Vec<Leak>,
    /// Rows whose text names the label outright (`validate.names_label`).
    pub naming_rows: usize,
    /// How a given test part differs.
    pub shift: Option<Shift>,
    /// Changes over columns of dates or years.
    pub drifts: Vec<Drift>,
    /// Head minus each baseline, macro-F1 over the folds; the most frequent class is the first.
    pub differences: Vec<(String, Estimate)>,
    /// The share of labels that is wrong at random, where it can be told.
    pub noise: Option<LabelNoise>,
    /// Half-width of the accuracy interval that is aimed at.
    pub half_width: f64,
}
