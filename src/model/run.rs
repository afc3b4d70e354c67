//! The record of a run: what a kept model was made from, and what it was worth.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::{Difference, differences};
use crate::evaluate::{Estimate, Evaluation, Figure};

/// The record of a run: `run.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its number, from 1.
    pub run: u32,
    /// When the model was finished, in UTC (RFC 3339).
    pub date: String,
    /// Version of the program that kept it.
    pub pipeline_version: String,
    /// The commit that the project was at, with `-dirty` behind it where files had changed since; absent outside git.
    pub commit: Option<String>,
    /// BLAKE3 over names and contents of the raw files, hex.
    pub data_blake3: String,
    /// BLAKE3 over names and contents of the model's files, hex: a model that is there already is not kept again.
    pub model_blake3: String,
    /// The resolved config of the training.
    pub config: Value,
    /// What it was worth; absent where the evaluation was not run.
    pub figures: Option<RunFigures>,
    /// Size of its files; 0 once they are pruned.
    pub bytes: u64,
}

/// What a run was worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunFigures {
    /// `out of fold` or, by older programs, `test`: the rows that `figures` are of.
    pub of: String,
    /// Each with its 95 % interval.
    pub figures: BTreeMap<Figure, Estimate>,
    /// The same of the test part.
    pub test: BTreeMap<Figure, Estimate>,
    /// Gates that it passed.
    pub gates_passed: usize,
    /// Gates that apply to it.
    pub gates: usize,
}

impl RunFigures {
    /// The figures that a record has.
    pub const FIGURES: [Figure; 4] =
        [Figure::Accuracy, Figure::MacroF1, Figure::LogLoss, Figure::BalancedAccuracy];

    /// Of an evaluation.
    pub fn new(evaluation: &Evaluation) -> Self {
        let (judged, of) = evaluation.judged();
        let few = |all: &BTreeMap<Figure, Estimate>| {
            Self::FIGURES.iter().filter_map(|f| all.get(f).map(|e| (*f, *e))).collect()
        };
        let applied = || evaluation.gates.iter().filter(|gate| gate.not_applied.is_none());
        Self {
            of: of.to_owned(),
            figures: few(&judged.figures),
            test: few(&evaluation.test.figures),
            gates_passed: applied().filter(|gate| gate.passed).count(),
            gates: applied().count(),
        }
    }
}

impl Run {
    /// What kind of head it has, as the config names it.
    pub fn head(&self) -> &str {
        self.config["train"]["head"].as_str().unwrap_or_default()
    }

    /// Whether its files are there.
    pub fn is_kept(&self) -> bool {
        self.bytes > 0
    }

    /// What makes this run another than `before`: config values by their dotted keys.
    pub fn differs_from(&self, before: &Self) -> Vec<Difference> {
        differences(&before.config, &self.config)
    }
}
