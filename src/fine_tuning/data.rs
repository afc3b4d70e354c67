//! What an encoder is tuned on.

use std::path::Path;

use super::error::TuningError;
use super::settings::{TuningRun, TuningSettings};

/// An encoder, what it is to learn, and where the tuned one goes.
#[derive(Clone, Copy, Debug)]
pub struct EncoderTuning<'a> {
    /// A folder of sentence-transformers or of transformers with a BERT.
    pub folder: &'a Path,
    /// The folder of sentence-transformers that is written, in the place of what is there.
    pub into: &'a Path,
    /// The rows.
    pub data: TuningData<'a>,
    /// How it learns.
    pub settings: &'a TuningSettings,
    /// Where it is kept meanwhile, if it is to survive being killed.
    pub run: Option<&'a TuningRun>,
}

/// Rows with texts, numbers and targets, checked by [`TuningData::check`].
#[derive(Clone, Copy, Debug)]
pub struct TuningData<'a> {
    /// Texts of a row, at least one.
    pub fields: usize,
    /// Numbers of a row, which stand behind the vectors of its texts.
    pub columns: usize,
    /// What is learned of a row; the first is the one that pairs are drawn by.
    pub tasks: &'a [TuningTask],
    /// Rows that are learned.
    pub train: TuningRows<'a>,
    /// Rows that say when to stop, none of them held out; without any, all epochs are run and the last is kept.
    pub validation: TuningRows<'a>,
    /// Of everything random.
    pub seed: u64,
}

/// A choice between classes.
#[derive(Clone, Debug, PartialEq)]
pub struct TuningTask {
    /// Its name, for messages.
    pub name: String,
    /// Classes, at least 2.
    pub classes: usize,
    /// Weight of its loss, from 0.
    pub weight: f64,
}

/// Rows of one part.
#[derive(Clone, Copy, Debug, Default)]
pub struct TuningRows<'a> {
    /// `rows × fields`.
    pub texts: &'a [&'a str],
    /// `rows × columns`.
    pub columns: &'a [f32],
    /// `rows × outputs`, the tasks side by side: shares of the classes that add up to what the row counts for the task, from 0. A
    /// row that counts for no task is as good as absent.
    pub targets: &'a [f32],
}

impl TuningData<'_> {
    /// Numbers that are answered to a row.
    pub fn outputs(&self) -> usize {
        self.tasks.iter().map(|task| task.classes).sum()
    }

    /// See that everything has its size and every number is one.
    ///
    /// # Errors
    /// What has not, or that no row counts.
    pub fn check(&self) -> Result<(), TuningError> {
        let refused = |reason: String| Err(TuningError::Data { reason });
        if self.fields == 0 || self.tasks.is_empty() {
            return refused(format!("{} texts and {} tasks a row", self.fields, self.tasks.len()));
        }
        for TuningTask { name, classes, weight } in self.tasks {
            if *classes < 2 || !weight.is_finite() || *weight < 0.0 {
                return refused(format!("the task `{name}` has {classes} classes and the weight {weight}"));
            }
        }
        for (part, rows) in [("training", self.train), ("validation", self.validation)] {
            let count = rows.texts.len() / self.fields;
            let (columns, outputs) = (count * self.columns, count * self.outputs());
            let found = [rows.texts.len(), rows.columns.len(), rows.targets.len()];
            if found != [count * self.fields, columns, outputs] {
                return refused(format!(
                    "the {part} part has {} texts, {} numbers and {} targets, which is no whole number of rows of {}, {} and {}",
                    found[0],
                    found[1],
                    found[2],
                    self.fields,
                    self.columns,
                    self.outputs()
                ));
            }
            if let Some(at) = rows.columns.iter().position(|value| !value.is_finite()) {
                return refused(format!(
                    "row {} of the {part} part has {}",
                    at / self.columns,
                    rows.columns[at]
                ));
            }
            if let Some(at) = rows.targets.iter().position(|t| !t.is_finite() || *t < 0.0) {
                let row = at / self.outputs();
                return refused(format!("row {row} of the {part} part has the target {}", rows.targets[at]));
            }
        }
        match self.train.targets.iter().any(|target| *target > 0.0) {
            true => Ok(()),
            false => refused("no row of the training part counts".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_not_its_size_or_is_no_number_is_said() {
        let tasks = [TuningTask { name: "label".into(), classes: 2, weight: 1.0 }];
        let train = TuningRows { texts: &["a", "b"], columns: &[1.0, 2.0], targets: &[1.0, 0.0, 0.5, 0.5] };
        let validation = TuningRows::default();
        let data = TuningData { fields: 1, columns: 1, tasks: &tasks, train, validation, seed: 1 };
        assert!(data.check().is_ok());
        let said = |train| TuningData { train, ..data }.check().unwrap_err().to_string();
        let error = said(TuningRows { texts: &["a"], ..train });
        assert!(error.contains("1 texts, 2 numbers and 4 targets"), "{error}");
        let error = said(TuningRows { columns: &[1.0, f32::NAN], ..train });
        assert!(error.contains("row 1 of the training part has NaN"), "{error}");
        let error = said(TuningRows { targets: &[1.0, -1.0, 0.0, 1.0], ..train });
        assert!(error.contains("row 0") && error.contains("-1"), "{error}");
        assert!(said(TuningRows { targets: &[0.0; 4], ..train }).contains("no row"));
        let one = [TuningTask { classes: 1, ..tasks[0].clone() }];
        assert!(TuningData { tasks: &one, ..data }.check().unwrap_err().to_string().contains("`label`"));
    }
}
