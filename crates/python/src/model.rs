//! A saved model: rows to labels.

use std::path::{Path, PathBuf};

use pipeline::model::{ModelFiles, Places, Predictor, answered, json_of};
use pipeline::progress::Silent;
use pipeline::stages::Explainer;
use pipeline::table::json_rows;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors::{missing, raised};

/// A loaded model. Several threads may ask it at once.
#[pyclass(frozen, name = "Model", module = "pipeline._pipeline")]
pub struct PyModel {
    predictor: Predictor,
}

/// Rows that are answered together, between two looks at whether the user stops.
const ROWS: usize = 2048;

#[pymethods]
impl PyModel {
    /// The model in a folder, with its encoders from elsewhere where they are named.
    #[new]
    fn new(py: Python<'_>, path: PathBuf, encoders: Vec<PathBuf>, any_arithmetic: bool) -> PyResult<Self> {
        if !path.is_dir() {
            return Err(missing(&path));
        }
        py.detach(|| {
            let places = Places { root: Path::new(""), encoders: &encoders, any_arithmetic };
            let predictor = Predictor::load(&ModelFiles { folder: path }, places, None, &Silent);
            predictor.map(|predictor| Self { predictor }).map_err(|error| raised(&error, error.hint()))
        })
    }

    /// The classes of the label, in the order of the probabilities.
    #[getter]
    fn classes(&self) -> Vec<String> {
        self.predictor.card().classes.clone()
    }

    /// The columns with text.
    #[getter]
    fn text_fields(&self) -> Vec<String> {
        self.predictor.card().wanted().texts.to_vec()
    }

    /// All columns that it reads.
    #[getter]
    fn columns(&self) -> Vec<String> {
        self.predictor.card().wanted().columns().into_iter().map(str::to_owned).collect()
    }

    /// `model.json`.
    fn card(&self) -> PyResult<String> {
        serde_json::to_string(self.predictor.card()).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// The answers to rows, JSON lines both: what `pipeline predict --only --json` writes; with `samples`, explained over so many orders of
    /// their words. The interpreter's lock is given back meanwhile.
    fn answers(
        &self,
        py: Python<'_>,
        lines: &str,
        min_confidence: f32,
        samples: Option<usize>,
    ) -> PyResult<String> {
        let card = self.predictor.card();
        let (wanted, mut said) = (card.wanted(), String::new());
        let mut rows = json_rows(lines.as_bytes(), &wanted);
        // Explaining takes seconds a row, so that it looks more often whether the user stops.
        let size = if samples.is_some() { 1 } else { ROWS };
        loop {
            py.check_signals()?;
            let more = py.detach(|| {
                let batch: Vec<_> = rows
                    .by_ref()
                    .take(size)
                    .collect::<Result<_, _>>()
                    .map_err(|error| PyValueError::new_err(error.to_string()))?;
                if batch.is_empty() {
                    return Ok(false);
                }
                let cells: Vec<_> = batch.iter().filter_map(|row| row.cells.as_ref().ok()).collect();
                let predicted =
                    self.predictor.rows(&cells, &Silent).map_err(|error| raised(&error, error.hint()))?;
                let explained = samples.is_some();
                let form = pipeline::model::Form { min_confidence, explained, ..Default::default() };
                let layout = pipeline::model::Layout::new(card, form, &[]);
                let mut found = answered(&batch, &predicted, self.predictor.decision(), card.classes.len());
                if let Some(samples) = samples {
                    Explainer::new(&self.predictor, samples)
                        .explain(&batch, &predicted, &mut found, &Silent)
                        .map_err(|error| raised(&error, error.hint()))?;
                }
                for one in &found {
                    said += &json_of(&layout, one).to_string();
                    said.push('\n');
                }
                Ok::<_, PyErr>(true)
            })?;
            if !more {
                return Ok(said);
            }
        }
    }
}
