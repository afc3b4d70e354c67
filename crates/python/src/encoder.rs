//! An encoder: texts to vectors.

use std::ops::ControlFlow;

use pipeline::engine::on_disk;
use pipeline::progress::Silent;
use pipeline::store::user_cache;
use pipeline_encoder::{Backend, Encode, Encoder, Model, Precision, locate};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyByteArray;

use crate::errors::raised;

/// A loaded encoder. Several threads may ask it at once.
#[pyclass(frozen, name = "Encoder", module = "pipeline._pipeline")]
pub struct PyEncoder {
    encoder: Encoder,
    model: Model,
}

#[pymethods]
impl PyEncoder {
    /// The encoder in a folder, of that name in the per-user cache, or of the hub, which is downloaded first.
    #[new]
    fn new(
        py: Python<'_>,
        path: &str,
        max_tokens: Option<usize>,
        precision: &str,
        threads: Option<usize>,
    ) -> PyResult<Self> {
        let precision: Precision = serde_json::from_value(precision.into()).map_err(|_| {
            PyValueError::new_err(format!("precision is {precision:?}; give auto, f32 or bf16"))
        })?;
        py.detach(|| {
            let place = locate(path, "".as_ref(), &user_cache()).map_err(|e| raised(&e, e.hint()))?;
            let folder = on_disk(place, &Silent).map_err(|e| raised(&e, e.hint()))?;
            let model = Model::open(&folder, max_tokens, precision, Backend::Auto)
                .map_err(|error| raised(&error, error.hint()))?;
            let encoder =
                Encoder::load(&model.settings(threads)).map_err(|error| raised(&error, error.hint()))?;
            Ok(Self { encoder, model })
        })
    }

    /// Values of a vector.
    #[getter]
    fn dims(&self) -> usize {
        self.model.dims
    }

    /// Tokens of a text that count.
    #[getter]
    fn max_tokens(&self) -> usize {
        self.model.max_tokens
    }

    /// How it computes.
    #[getter]
    fn arithmetic(&self) -> String {
        self.model.arithmetic.name().to_string()
    }

    /// The vectors of `texts`, in order, as the bytes of `texts × dims` floats of single precision; the interpreter's lock is given back
    /// meanwhile. `progress`, where there is one, is told how many are done, and may raise to stop.
    fn encode<'py>(
        &self,
        py: Python<'py>,
        texts: Vec<String>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyByteArray>> {
        let dims = self.model.dims;
        let (values, stopped) = py.detach(|| {
            let mut values = vec![0f32; texts.len() * dims];
            let (mut done, mut stopped) = (0, None);
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let encoded = self.encoder.encode(&texts, &mut |batch| {
                done += batch.len();
                for one in batch {
                    values[one.text * dims..(one.text + 1) * dims].copy_from_slice(&one.embedding);
                }
                let told = Python::attach(|py| {
                    py.check_signals()?;
                    progress.as_ref().map(|tell| tell.call1(py, (done,))).transpose()
                });
                match told {
                    Ok(_) => ControlFlow::Continue(()),
                    Err(error) => {
                        stopped = Some(error);
                        ControlFlow::Break(())
                    }
                }
            });
            encoded.map(|_| (values, stopped)).map_err(|error| raised(&error, error.hint()))
        })?;
        match stopped {
            Some(error) => Err(error),
            None => {
                let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
                Ok(PyByteArray::new(py, &bytes))
            }
        }
    }
}
