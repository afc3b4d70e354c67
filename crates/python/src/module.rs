//! The extension module.

use std::ffi::OsString;

use pyo3::prelude::*;

use crate::encoder::PyEncoder;
use crate::model::PyModel;

/// Run the program `pipeline` with these arguments, the first of them its name; the exit code.
#[pyfunction]
fn run(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| pipeline::cli::main_of(arguments))
}

#[pymodule]
fn _pipeline(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<PyEncoder>()?;
    module.add_class::<PyModel>()?;
    module.add_function(wrap_pyfunction!(run, module)?)
}
