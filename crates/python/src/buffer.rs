//! Bitmasks of any framework as rows of words: the buffer protocol, checked.
use crate::errors;
use pyo3::ffi;
use pyo3::prelude::*;

/// A writable, C-contiguous int32 array of shape `[rows, words]` or `[words]`, held for the time of one call.
pub struct Rows {
    view: ffi::Py_buffer,
    num_rows: usize,
    num_words: usize,
}

fn wrong(message: String) -> PyErr {
    errors::raise("MatcherStateError", message, "bitmask_shape", |_| Ok(()))
}

impl Rows {
    /// The rows of a NumPy array, or of a torch tensor on the CPU.
    pub fn new(bitmask: &Bound<'_, PyAny>) -> PyResult<Rows> {
        // SAFETY: `PyObject_CheckBuffer` takes any live object.
        if unsafe { ffi::PyObject_CheckBuffer(bitmask.as_ptr()) } == 0 {
            if let Ok(numpy) = bitmask.call_method0("numpy") {
                return Rows::of_buffer(&numpy);
            }
        }
        Rows::of_buffer(bitmask)
    }

    fn of_buffer(bitmask: &Bound<'_, PyAny>) -> PyResult<Rows> {
        let mut view = std::mem::MaybeUninit::<ffi::Py_buffer>::zeroed();
        let flags = ffi::PyBUF_WRITABLE | ffi::PyBUF_C_CONTIGUOUS | ffi::PyBUF_FORMAT;
        // SAFETY: the view is filled by a call that reports failure; it is released in `drop`.
        if unsafe { ffi::PyObject_GetBuffer(bitmask.as_ptr(), view.as_mut_ptr(), flags) } != 0 {
            let cause = PyErr::fetch(bitmask.py());
            return Err(wrong(format!(
                "the bitmask is no writable contiguous array ({cause}); make it with allocate_token_bitmask"
            )));
        }
        // SAFETY: the call above succeeded, so the view is initialised.
        let view = unsafe { view.assume_init() };
        let mut rows = Rows {
            view,
            num_rows: 1,
            num_words: 0,
        };
        rows.check()?;
        Ok(rows)
    }

    fn check(&mut self) -> PyResult<()> {
        // SAFETY: `format` is null or a C string that lives as long as the view.
        let format = if self.view.format.is_null() {
            c"B"
        } else {
            unsafe { std::ffi::CStr::from_ptr(self.view.format) }
        };
        let format = format.to_string_lossy().trim_start_matches(['<', '=', '@']).to_owned();
        let is_int32 = self.view.itemsize == 4 && matches!(format.as_str(), "i" | "l" | "I" | "L");
        if !is_int32 || !(1..=2).contains(&self.view.ndim) {
            let (dimensions, size) = (self.view.ndim, self.view.itemsize);
            return Err(wrong(format!(
                "the bitmask has `{dimensions}` dimensions of `{format}` ({size} bytes), int32 of shape [rows, words] is needed; make it with allocate_token_bitmask"
            )));
        }
        // SAFETY: PyBUF_C_CONTIGUOUS includes the shape, of `ndim` entries.
        let shape = unsafe { std::slice::from_raw_parts(self.view.shape, self.view.ndim as usize) };
        self.num_words = shape[shape.len() - 1] as usize;
        self.num_rows = if shape.len() == 2 { shape[0] as usize } else { 1 };
        Ok(())
    }

    /// One row; out of range raises MatcherStateError.
    pub fn row(&mut self, row: usize) -> PyResult<&mut [u32]> {
        if row >= self.num_rows {
            let rows = self.num_rows;
            return Err(errors::raise(
                "MatcherStateError",
                format!("row `{row}` is outside the bitmask of `{rows}` rows; count from 0"),
                "bitmask_shape",
                |_| Ok(()),
            ));
        }
        // SAFETY: the row lies within the writable buffer that the view keeps alive; int32 and u32 share size and alignment,
        // and every bit pattern is valid. NumPy aligns its arrays; a misaligned one would be no contiguous int32 array.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.view.buf.cast::<u32>().add(row * self.num_words), self.num_words) })
    }

    /// All rows, for a batch.
    pub fn rows_mut(&mut self) -> Vec<&mut [u32]> {
        // SAFETY: as in `row`, for the whole buffer.
        let all = unsafe { std::slice::from_raw_parts_mut(self.view.buf.cast::<u32>(), self.num_rows * self.num_words) };
        all.chunks_mut(self.num_words.max(1)).collect()
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        // SAFETY: the view was obtained by `PyObject_GetBuffer`; this type never leaves the thread that holds the GIL.
        unsafe { ffi::PyBuffer_Release(&mut self.view) }
    }
}
