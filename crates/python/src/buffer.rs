//! Bitmasks of any framework as rows of words, and arrays of NumPy to read: the buffer protocol, checked.
use crate::errors;
use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;

/// How the buffer protocol names int32 and uint32.
const INT32: &[&str] = &["i", "l", "I", "L"];

/// The memory of an array, held for the time of one call. It never leaves the thread that holds the GIL.
pub struct View(ffi::Py_buffer);

impl View {
    /// The buffer of an object as `flags` ask for it.
    pub fn new(object: &Bound<'_, PyAny>, flags: std::ffi::c_int) -> PyResult<View> {
        let mut view = std::mem::MaybeUninit::<ffi::Py_buffer>::zeroed();
        // SAFETY: the view is filled by a call that reports failure; it is released in `drop`.
        if unsafe { ffi::PyObject_GetBuffer(object.as_ptr(), view.as_mut_ptr(), flags) } != 0 {
            return Err(PyErr::fetch(object.py()));
        }
        // SAFETY: the call above succeeded, so the view is initialised.
        Ok(View(unsafe { view.assume_init() }))
    }

    /// Where its first element stands.
    pub fn start(&self) -> *mut u8 {
        self.0.buf.cast()
    }

    /// Bytes of one element.
    pub fn item_size(&self) -> usize {
        self.0.itemsize as usize
    }

    /// Elements along each axis; the flags must have asked for them.
    pub fn shape(&self) -> &[isize] {
        // SAFETY: every view that is made here has a shape of `ndim` entries.
        unsafe { std::slice::from_raw_parts(self.0.shape, self.0.ndim as usize) }
    }

    /// Bytes between neighbours along each axis, if the flags asked for them.
    pub fn strides(&self) -> &[isize] {
        if self.0.strides.is_null() {
            return &[];
        }
        // SAFETY: strides that are there have `ndim` entries.
        unsafe { std::slice::from_raw_parts(self.0.strides, self.0.ndim as usize) }
    }

    /// Rows and columns, one axis being one row; None for more axes, and for other items than those of four bytes and these formats.
    fn table(&self, formats: &[&str]) -> Option<(usize, usize)> {
        let is_right = self.item_size() == 4 && formats.contains(&self.format().as_str());
        match *self.shape() {
            [num_columns] if is_right => Some((1, num_columns as usize)),
            [num_rows, num_columns] if is_right => Some((num_rows as usize, num_columns as usize)),
            _ => None,
        }
    }

    /// The kind of its elements, without the sign of the byte order.
    fn format(&self) -> String {
        if self.0.format.is_null() {
            return "B".to_owned();
        }
        // SAFETY: `format` is a C string that lives as long as the view.
        let format = unsafe { std::ffi::CStr::from_ptr(self.0.format) };
        format.to_string_lossy().trim_start_matches(['<', '=', '@']).to_owned()
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // SAFETY: the view was obtained by `PyObject_GetBuffer`; this type never leaves the thread that holds the GIL.
        unsafe { ffi::PyBuffer_Release(&mut self.0) }
    }
}

/// A writable, C-contiguous int32 array of shape `[rows, words]` or `[words]`, held for the time of one call.
pub struct Rows {
    view: View,
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
        let flags = ffi::PyBUF_WRITABLE | ffi::PyBUF_C_CONTIGUOUS | ffi::PyBUF_FORMAT;
        let view = View::new(bitmask, flags).map_err(|cause| {
            wrong(format!(
                "the bitmask is no writable contiguous array ({cause}); make it with allocate_token_bitmask"
            ))
        })?;
        let (num_rows, num_words) = view.table(INT32).ok_or_else(|| {
            let (dimensions, format, size) = (view.shape().len(), view.format(), view.item_size());
            wrong(format!(
                "the bitmask has `{dimensions}` dimensions of `{format}` ({size} bytes), int32 of shape [rows, words] is needed; make it with allocate_token_bitmask"
            ))
        })?;
        Ok(Rows {
            view,
            num_rows,
            num_words,
        })
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
        Ok(
            unsafe {
                std::slice::from_raw_parts_mut(self.view.start().cast::<u32>().add(row * self.num_words), self.num_words)
            },
        )
    }

    /// All rows, for a batch.
    pub fn rows_mut(&mut self) -> Vec<&mut [u32]> {
        // SAFETY: as in `row`, for the whole buffer.
        let all = unsafe { std::slice::from_raw_parts_mut(self.view.start().cast::<u32>(), self.num_rows * self.num_words) };
        all.chunks_mut(self.num_words.max(1)).collect()
    }
}

/// A C-contiguous array of items of four bytes, shape `[rows, columns]` or `[columns]`, held for reading for the time of one call.
pub struct Table {
    view: View,
    num_rows: usize,
    num_columns: usize,
}

impl Table {
    /// Rows of float32, such as logits.
    pub fn floats(array: &Bound<'_, PyAny>) -> PyResult<Table> {
        Table::new(array, "float32", &["f"])
    }

    /// Rows of int32, such as a bitmask.
    pub fn words(array: &Bound<'_, PyAny>) -> PyResult<Table> {
        Table::new(array, "int32", INT32)
    }

    fn new(array: &Bound<'_, PyAny>, dtype: &str, formats: &[&str]) -> PyResult<Table> {
        let view = View::new(array, ffi::PyBUF_C_CONTIGUOUS | ffi::PyBUF_FORMAT)
            .map_err(|cause| PyValueError::new_err(format!("no contiguous array of `{dtype}` ({cause}); pass one of NumPy")))?;
        let is_aligned = view.start().cast::<u32>().is_aligned();
        let Some((num_rows, num_columns)) = view.table(formats).filter(|_| is_aligned) else {
            let (dimensions, format) = (view.shape().len(), view.format());
            return Err(PyValueError::new_err(format!(
                "`{dimensions}` dimensions of `{format}`, where aligned `{dtype}` of shape [columns] or [rows, columns] is needed; convert it"
            )));
        };
        Ok(Table {
            view,
            num_rows,
            num_columns,
        })
    }

    /// Number of rows.
    pub fn num_rows(&self) -> usize {
        self.num_rows
    }

    /// One row of a table of floats.
    pub fn float_row(&self, row: usize) -> PyResult<&[f32]> {
        self.row(row)
    }

    /// One row of a table of words.
    pub fn word_row(&self, row: usize) -> PyResult<&[u32]> {
        self.row(row)
    }

    /// `T` is a type of four bytes of which every bit pattern is a value.
    fn row<T>(&self, row: usize) -> PyResult<&[T]> {
        if row >= self.num_rows {
            let rows = self.num_rows;
            return Err(PyValueError::new_err(format!(
                "row `{row}` is outside the `{rows}` rows; pass as many as are asked for"
            )));
        }
        if self.num_columns == 0 {
            return Ok(&[]);
        }
        // SAFETY: the row lies within the buffer that the view keeps alive, and is aligned; both callers read four bytes of any
        // value. Nothing writes to it while the call lasts: the GIL is held, and the loop that made the array waits for it.
        Ok(unsafe { std::slice::from_raw_parts(self.view.start().cast::<T>().add(row * self.num_columns), self.num_columns) })
    }
}
