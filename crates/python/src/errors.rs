//! Errors of the library as exceptions of Python.

use pyo3::PyErr;
use pyo3::exceptions::{PyFileNotFoundError, PyValueError};

/// An error whose cause is what a path or an argument names; the hint says what can be done.
pub fn raised(error: &dyn std::error::Error, hint: Option<String>) -> PyErr {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        message += &format!(": {inner}");
        cause = inner.source();
    }
    if let Some(hint) = hint {
        message += &format!("; {hint}");
    }
    PyValueError::new_err(message)
}

/// The error that a folder is not there.
pub fn missing(path: &std::path::Path) -> PyErr {
    PyFileNotFoundError::new_err(format!("{} is no folder", path.display()))
}
