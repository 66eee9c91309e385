//! The choice of tokens: `decoding/sampling.py` asks here for every token of a text.
use crate::buffer::Table;
use crate::errors;
use penstock_tokens as tokens;
use penstock_tokens::{Noise, Row, Settings};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::sync::{Mutex, MutexGuard};

/// Chooses the tokens of one text: mask, truncation, and the keyed noise of `seed` and `sample`, in one call.
///
/// Parameters as in `Sampling`. Cost: 2 us and a pass over the row. Thread-safe.
#[pyclass(name = "Chooser", module = "penstock._core", frozen)]
pub struct PyChooser {
    settings: Settings,
    noise: Noise,
    chooser: Mutex<tokens::Chooser>,
}

fn refused(problem: tokens::NoChoice) -> PyErr {
    let (class, message, code) = match problem {
        tokens::NoChoice::NotANumber => (
            "GenerationError",
            "the model's logits hold `nan`; check its weights and its precision",
            "logits_not_finite",
        ),
        tokens::NoChoice::Nothing => (
            "DeadEndError",
            "no token is allowed after the mask and the processors; loosen `bad_words_ids` or `logit_bias`",
            "dead_end",
        ),
    };
    errors::raise(class, message.to_owned(), code, |_| Ok(()))
}

impl PyChooser {
    fn chooser(&self) -> PyResult<MutexGuard<'_, tokens::Chooser>> {
        self.chooser
            .lock()
            .map_err(|_| pyo3::exceptions::PyRuntimeError::new_err("an earlier choice panicked; start the text again"))
    }
}

fn checked(temperature: f64) -> PyResult<f64> {
    if temperature.is_finite() && temperature >= 0.0 {
        return Ok(temperature);
    }
    Err(PyValueError::new_err(format!(
        "`temperature` is `{temperature}`; give a finite number of at least 0"
    )))
}

#[pymethods]
impl PyChooser {
    #[new]
    #[pyo3(signature = (*, temperature=0.0, top_k=None, top_p=None, min_p=None, seed=0, sample=0))]
    fn new(
        temperature: f64,
        top_k: Option<usize>,
        top_p: Option<f64>,
        min_p: Option<f64>,
        seed: u64,
        sample: u64,
    ) -> PyResult<PyChooser> {
        let is_share = |share: Option<f64>| share.is_none_or(|share| (0.0..=1.0).contains(&share));
        if top_k == Some(0) || top_p == Some(0.0) || !is_share(top_p) || !is_share(min_p) {
            return Err(PyValueError::new_err(format!(
                "`top_k` is `{top_k:?}`, `top_p` `{top_p:?}`, `min_p` `{min_p:?}`; give them as `Sampling` takes them"
            )));
        }
        Ok(PyChooser {
            settings: Settings {
                temperature: checked(temperature)?,
                top_k,
                top_p,
                min_p,
            },
            noise: Noise { seed, sample },
            chooser: Mutex::default(),
        })
    }

    /// Return the token of one row. `logits`: float32 [vocab], contiguous. `bitmask`: int32 [words], or None where nothing is
    /// masked; tokens beyond it are not allowed. `temperature`: for this token alone, None the text's.
    ///
    /// Raises DeadEndError where no token is left, GenerationError (`logits_not_finite`) for a NaN of an allowed token.
    #[pyo3(signature = (logits, bitmask, output_index, temperature=None))]
    fn choose(
        &self,
        logits: &Bound<'_, PyAny>,
        bitmask: Option<&Bound<'_, PyAny>>,
        output_index: u64,
        temperature: Option<f64>,
    ) -> PyResult<u32> {
        let logits = Table::floats(logits)?;
        let bitmask = bitmask.map(Table::words).transpose()?;
        let row = Row {
            logits: logits.float_row(0)?,
            mask: bitmask.as_ref().map(|bitmask| bitmask.word_row(0)).transpose()?,
        };
        let mut settings = self.settings;
        settings.temperature = temperature.map_or(Ok(settings.temperature), checked)?;
        let key = self.noise.key(output_index);
        self.chooser()?.choose(row, &settings, key).map_err(refused)
    }

    /// Return the tokens along a draft tree: the choice behind node 0, then behind the child that carries it, until none does.
    ///
    /// `logits`: float32 [nodes, vocab]. Node 0 is followed by position `output_index` of the output. Raises as `choose` does for
    /// node 0; a later node without a choice ends the walk before it.
    fn choose_along(
        &self,
        logits: &Bound<'_, PyAny>,
        token_ids: Vec<i32>,
        parents: Vec<i32>,
        output_index: u64,
    ) -> PyResult<Vec<u32>> {
        let logits = Table::floats(logits)?;
        let num_nodes = token_ids.len();
        if num_nodes == 0 || parents.len() != num_nodes || logits.num_rows() < num_nodes {
            return Err(PyValueError::new_err(format!(
                "`{num_nodes}` tokens do not fit their parents or rows; give a parent and a row of logits for each"
            )));
        }
        let rows: Vec<&[f32]> = (0..num_nodes).map(|node| logits.float_row(node)).collect::<PyResult<_>>()?;
        let row_of = |node: usize| Row {
            logits: rows[node],
            mask: None,
        };
        let mut chooser = self.chooser()?;
        tokens::choose_along(
            &mut chooser,
            row_of,
            &token_ids,
            &parents,
            &self.settings,
            self.noise,
            output_index,
        )
        .map_err(refused)
    }
}

/// Adds what this file defines to `penstock._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyChooser>()
}
