//! `penstock._core`: the only crate that knows Python. One file per Python module; everything else is in the crates it wraps.
use pyo3::prelude::*;

mod arrays;
mod batch;
mod buffer;
mod choice;
mod draft_tree;
mod drafting;
mod errors;
mod grammar;
mod json_value;
mod logits;
mod matcher;
mod pool;
mod tokenizer;

/// The compiled half of penstock.
#[pymodule(gil_used = false)]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    grammar::register(module)?;
    matcher::register(module)?;
    batch::register(module)?;
    logits::register(module)?;
    choice::register(module)?;
    draft_tree::register(module)?;
    drafting::register(module)
}
