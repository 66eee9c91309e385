//! Masking logits in the memory of their framework.
use crate::buffer::View;
use penstock_tokens::{mask_logits, LogitBits};
use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;

/// Set the logits that `bitmask` does not allow to the bits of minus infinity, in place.
///
/// `logits`: uint16, uint32 or uint64 `[num_rows, num_logits]`, a view of the floats; rows may lie apart. `bitmask`: int32
/// `[num_rows, num_words]`, contiguous. `rows`: those to mask, by default all.
#[pyfunction]
#[pyo3(signature = (logits, bitmask, infinity, rows=None))]
fn mask_logit_rows(
    logits: &Bound<'_, PyAny>,
    bitmask: &Bound<'_, PyAny>,
    infinity: u64,
    rows: Option<Vec<usize>>,
) -> PyResult<()> {
    let logits = View::new(logits, ffi::PyBUF_WRITABLE | ffi::PyBUF_STRIDES)?;
    let bitmask = View::new(bitmask, ffi::PyBUF_C_CONTIGUOUS)?;
    match logits.item_size() {
        2 => mask_rows::<u16>(&logits, &bitmask, infinity as u16, rows),
        4 => mask_rows::<u32>(&logits, &bitmask, infinity as u32, rows),
        8 => mask_rows::<u64>(&logits, &bitmask, infinity, rows),
        size => Err(PyValueError::new_err(format!(
            "logits have `{size}` bytes each; give a floating-point type of 16, 32 or 64 bits"
        ))),
    }
}

fn mask_rows<T: LogitBits>(logits: &View, bitmask: &View, infinity: T, rows: Option<Vec<usize>>) -> PyResult<()> {
    let (&[num_rows, num_logits], &[num_masks, num_words]) = (logits.shape(), bitmask.shape()) else {
        return Err(PyValueError::new_err(
            "logits and bitmask must have two axes; give `[num_rows, size]`",
        ));
    };
    let fits = bitmask.item_size() == 4 && (num_logits < 2 || logits.strides()[1] == size_of::<T>() as isize);
    let aligned = logits.start().cast::<T>().is_aligned() && logits.strides()[0] % align_of::<T>() as isize == 0;
    if !fits || !aligned || !bitmask.start().cast::<u32>().is_aligned() {
        return Err(PyValueError::new_err(
            "the rows of logits and bitmask must be contiguous and aligned, and the bitmask int32; pass copies of both",
        ));
    }
    let rows = rows.unwrap_or_else(|| (0..num_rows as usize).collect());
    if let Some(row) = rows.iter().find(|&&row| row >= num_rows.min(num_masks) as usize) {
        return Err(PyValueError::new_err(format!(
            "row `{row}` is outside logits or bitmask; name rows that both have"
        )));
    }
    for row in rows {
        // SAFETY: the row lies within both arrays, which the views keep alive, one slice at a time; the GIL is held, the
        // elements are integers, aligned and contiguous as checked above.
        unsafe {
            let start = logits.start().offset(row as isize * logits.strides()[0]).cast::<T>();
            let words = bitmask.start().cast::<u32>().add(row * num_words as usize);
            let words = std::slice::from_raw_parts(words, num_words as usize);
            mask_logits(std::slice::from_raw_parts_mut(start, num_logits as usize), words, infinity);
        }
    }
    Ok(())
}

/// Adds what this file defines to `penstock._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(mask_logit_rows, module)?)
}
