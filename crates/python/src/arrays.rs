//! Rows of NumPy arrays without the buffer protocol, which takes longer than writing a row does.
//!
//! The head of an array object is part of NumPy's binary interface: every extension compiled against its headers reads the
//! same fields at the same places. They are read anew at each call, so nothing can be out of date. Before the first one they
//! are compared with what an array says of itself in Python; where they differ, or NumPy is not there, nobody gets a row here
//! and the buffer protocol serves as for every other object.
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use std::ffi::c_int;
use std::marker::PhantomData;

/// The flags of memory that can be written as one C array of aligned items.
const CARRAY: c_int = 0x0001 | 0x0100 | 0x0400;

/// The head of `numpy.ndarray`.
#[repr(C)]
struct Head {
    object: ffi::PyObject,
    data: *mut u32,
    num_axes: c_int,
    shape: *const isize,
    strides: *const isize,
    base: *mut ffi::PyObject,
    dtype: *mut ffi::PyObject,
    flags: c_int,
}

/// What arrays of words are recognised by.
struct Known {
    array: Py<PyType>,
    int32: Py<PyAny>,
    uint32: Py<PyAny>,
}

static KNOWN: PyOnceLock<Option<Known>> = PyOnceLock::new();

/// A row of an array, as long as that is borrowed.
pub struct Row<'a> {
    start: *mut u32,
    num_words: usize,
    array: PhantomData<&'a PyAny>,
}

impl Row<'_> {
    /// The row, to be written before any other Python code runs.
    pub fn words(&mut self) -> &mut [u32] {
        // SAFETY: the row lies within an array that is contiguous, aligned and writable; int32 and u32 share size and alignment,
        // and every bit pattern is valid. The array lives as long as the reference, and while the GIL is held nobody else
        // changes it.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.num_words) }
    }
}

/// One row of an int32 array of NumPy of shape `[rows, words]` or `[words]`.
///
/// None for everything else, a row out of range and wrong arrays included: [`crate::buffer::Rows`] serves those, or says what is
/// wrong with them.
pub fn row_of<'a>(array: &'a Bound<'_, PyAny>, row: usize) -> Option<Row<'a>> {
    let known = KNOWN
        .get_or_init(array.py(), || Known::new(array.py()).ok().flatten())
        .as_ref()?;
    let head = known.head(array)?;
    let is_words = head.dtype == known.int32.as_ptr() || head.dtype == known.uint32.as_ptr();
    // Without an axis there is no shape to read.
    if !is_words || head.flags & CARRAY != CARRAY || head.num_axes == 0 {
        return None;
    }
    // SAFETY: `shape` has `num_axes` entries.
    let (num_rows, num_words) = match *unsafe { std::slice::from_raw_parts(head.shape, head.num_axes as usize) } {
        [num_words] => (1, num_words as usize),
        [num_rows, num_words] => (num_rows as usize, num_words as usize),
        _ => return None,
    };
    (row < num_rows).then(|| Row {
        // SAFETY: the row lies within the array.
        start: unsafe { head.data.add(row * num_words) },
        num_words,
        array: PhantomData,
    })
}

impl Known {
    /// None if arrays are not laid out as [`Head`] has it.
    fn new(py: Python<'_>) -> PyResult<Option<Known>> {
        let numpy = py.import("numpy")?;
        let dtype = |name: &str| numpy.getattr("dtype")?.call1((name,));
        let known = Known {
            array: numpy.getattr("ndarray")?.cast_into::<PyType>()?.unbind(),
            int32: dtype("int32")?.unbind(),
            uint32: dtype("uint32")?.unbind(),
        };
        let probe = numpy.call_method1("zeros", ((3, 5), &known.int32))?;
        let (address, is_read_only): (usize, bool) = probe.getattr("__array_interface__")?.get_item("data")?.extract()?;
        let strides: (isize, isize) = probe.getattr("strides")?.extract()?;
        let fits = known.head(&probe).is_some_and(|head| {
            // SAFETY: the array has two axes; a layout that puts them elsewhere has failed the tests before.
            head.data as usize == address
                && !is_read_only
                && head.num_axes == 2
                && head.dtype == known.int32.as_ptr()
                && head.flags & CARRAY == CARRAY
                && unsafe { (*head.shape, *head.shape.add(1)) == (3, 5) }
                && unsafe { (*head.strides, *head.strides.add(1)) == strides }
        });
        Ok(fits.then_some(known))
    }

    /// The head of an array; None for other objects and for those of subclasses.
    fn head<'a>(&self, array: &'a Bound<'_, PyAny>) -> Option<&'a Head> {
        // SAFETY: the type of a live object can be read.
        let is_array = unsafe { ffi::Py_TYPE(array.as_ptr()) }.cast() == self.array.as_ptr();
        // SAFETY: an object of exactly this type begins with this head.
        is_array.then(|| unsafe { &*array.as_ptr().cast::<Head>() })
    }
}
