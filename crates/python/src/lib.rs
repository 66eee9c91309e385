//! `penstock._core`: the only crate that knows Python. One file per Python module; everything else is in the crates it wraps.
use pyo3::prelude::*;

/// The compiled half of penstock.
#[pymodule(gil_used = false)]
fn _core(_module: &Bound<'_, PyModule>) -> PyResult<()> {
    Ok(())
}
