//! `penstock.Matcher`.
use crate::arrays;
use crate::buffer::Rows;
use crate::draft_tree::PyDraftTree;
use crate::errors;
use crate::grammar::CompiledGrammar;
use penstock_matcher as matcher;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// The state of one output under a compiled grammar.
///
/// `accept_token` and `fill_next_token_bitmask` keep one law: a bit is set exactly when the token would be accepted.
#[pyclass(module = "penstock")]
pub struct Matcher {
    pub(crate) inner: matcher::Matcher,
}

pub(crate) fn fail(error: matcher::MatcherError) -> PyErr {
    errors::matcher(&error)
}

/// A token id as Python gives it: negative ones are out of range, not a type error.
pub(crate) fn token_id(token: i64) -> PyResult<u32> {
    u32::try_from(token).map_err(|_| {
        let message = format!("token id `{token}` is outside the vocabulary; pass an id from 0 to the size of the vocabulary");
        errors::raise("MatcherStateError", message, "token_out_of_range", |_| Ok(()))
    })
}

fn token_ids(ids: &Bound<'_, PyAny>) -> PyResult<Vec<u32>> {
    ids.try_iter()?.map(|id| token_id(id?.extract()?)).collect()
}

#[pymethods]
impl Matcher {
    #[new]
    fn new(compiled: &CompiledGrammar) -> PyResult<Matcher> {
        Ok(Matcher {
            inner: matcher::Matcher::new(compiled.inner.clone()).map_err(fail)?,
        })
    }

    /// Reads one token. False: the grammar does not allow it, and nothing changed.
    ///
    /// Raises MatcherStateError after a stop token or for an id out of range; LimitError. The matcher is then unchanged.
    fn accept_token(&mut self, token_id: i64) -> PyResult<bool> {
        self.inner.accept_token(crate::matcher::token_id(token_id)?).map_err(fail)
    }

    /// Reads tokens up to the first that is refused; how many were taken.
    fn accept_tokens(&mut self, token_ids: &Bound<'_, PyAny>) -> PyResult<usize> {
        self.inner.accept_tokens(&crate::matcher::token_ids(token_ids)?).map_err(fail)
    }

    /// Reads bytes, which need not end at a token's border. Counts as one token for `rollback`.
    fn accept_bytes(&mut self, data: &[u8]) -> PyResult<bool> {
        self.inner.accept_bytes(data).map_err(fail)
    }

    /// How many of the tokens could be read one after the other; the state stays.
    fn validate_tokens(&mut self, token_ids: &Bound<'_, PyAny>) -> PyResult<usize> {
        self.inner
            .validate_tokens(&crate::matcher::token_ids(token_ids)?)
            .map_err(fail)
    }

    /// Writes the allowed tokens into row `row` of an int32 bitmask `[rows, ceil(vocab_size / 32)]`, bit 1 = allowed.
    ///
    /// The row is always written. False: every id is allowed, so nothing needs to be masked.
    /// Cost: about a microsecond for a mask that was made before, without a lock on the grammar after `accept_token`, which
    /// looked it up; the GIL is released while a new one is made.
    #[pyo3(signature = (bitmask, row=0))]
    fn fill_next_token_bitmask(&mut self, py: Python<'_>, bitmask: &Bound<'_, PyAny>, row: usize) -> PyResult<bool> {
        let known = arrays::row_of(bitmask, row).map(|mut row| self.inner.fill_remembered_bitmask(row.words()));
        let known = known.transpose().map_err(fail)?;
        if let Some(Some(masked)) = known {
            return Ok(masked);
        }
        // The view keeps the memory where it is while others may run.
        let mut rows = Rows::new(bitmask)?;
        let row = rows.row(row)?;
        if known.is_none() {
            if let Some(masked) = self.inner.fill_remembered_bitmask(row).map_err(fail)? {
                return Ok(masked);
            }
        }
        let inner = &mut self.inner;
        py.detach(|| inner.fill_next_token_bitmask(row)).map_err(fail)
    }

    /// Writes one row for each node of a draft tree, from row `row` on: what may follow the path to that node.
    ///
    /// Node 0 is the last token and has been accepted. The row of a node that the grammar refuses, or that ends the output,
    /// allows nothing. Raises MatcherStateError where the bitmask has too few rows. The state stays.
    #[pyo3(signature = (bitmask, tree, row=0))]
    fn fill_draft_tree_bitmask(
        &mut self,
        py: Python<'_>,
        bitmask: &Bound<'_, PyAny>,
        tree: &PyDraftTree,
        row: usize,
    ) -> PyResult<()> {
        let mut rows = Rows::new(bitmask)?;
        let mut rows = rows.rows_mut();
        let from = row.min(rows.len());
        let (inner, rows) = (&mut self.inner, &mut rows[from..]);
        py.detach(|| inner.fill_draft_tree_bitmask(&tree.tree, rows)).map_err(fail)
    }

    /// The legal nodes of a draft tree, best first, at most `budget` besides node 0.
    fn prune(&mut self, tree: &PyDraftTree, budget: usize) -> PyResult<PyDraftTree> {
        let keep = self.inner.legal_nodes(&tree.tree, budget).map_err(fail)?;
        Ok(PyDraftTree {
            tree: tree.tree.retain(&keep),
        })
    }

    /// Takes back the last `num_tokens` accepts.
    fn rollback(&mut self, num_tokens: usize) -> PyResult<()> {
        self.inner.rollback(num_tokens).map_err(fail)
    }

    /// A second matcher in the same state. Cost: constant.
    fn fork(&self) -> Matcher {
        Matcher {
            inner: self.inner.fork(),
        }
    }

    /// Back to the start.
    fn reset(&mut self) {
        self.inner.reset();
    }

    /// Whether the output may end here.
    fn is_accepting(&self) -> bool {
        self.inner.is_accepting()
    }

    /// Whether a stop token was accepted.
    fn is_terminated(&self) -> bool {
        self.inner.is_terminated()
    }

    /// How many accepts could be taken back.
    #[getter]
    fn num_tokens(&self) -> usize {
        self.inner.num_tokens()
    }

    /// The longest text that every completion starts with; it may end inside a character.
    ///
    /// `canonical=True`: where only spelling is free (whitespace, escapes), the usual spelling; for drafts only.
    #[pyo3(signature = (*, canonical=false))]
    fn jump_forward_bytes<'py>(&mut self, py: Python<'py>, canonical: bool) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.inner.jump_forward_bytes(canonical).map_err(fail)?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Tokens that spell the beginning of `jump_forward_bytes`, up to where a longer token could run past its end.
    #[pyo3(signature = (*, canonical=false))]
    fn jump_forward_tokens(&mut self, canonical: bool) -> PyResult<Vec<u32>> {
        self.inner.jump_forward_tokens(canonical).map_err(fail)
    }

    /// The texts of the rules that are to be captured, as `(name, bytes)`, in the order of their ends, inner ones first.
    ///
    /// Raises MatcherStateError while the output is not complete.
    fn captures<'py>(&self, py: Python<'py>) -> PyResult<Vec<(String, Bound<'py, PyBytes>)>> {
        let Some(found) = self.inner.captures().map_err(fail)? else {
            let message = "the output is not complete, so no reading of it is certain; ask when `is_accepting()` is true";
            return Err(errors::raise("MatcherStateError", message.to_owned(), "not_complete", |_| {
                Ok(())
            }));
        };
        let captures = found.into_iter().map(|(name, text)| (name, PyBytes::new(py, &text)));
        Ok(captures.collect())
    }

    /// The temperature that the innermost rule around this place asks for; None if none does.
    fn temperature(&self) -> Option<f64> {
        self.inner.temperature()
    }

    /// A short text that completes the output.
    fn shortest_completion_bytes<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.inner.shortest_completion_bytes().map_err(fail)?;
        Ok(PyBytes::new(py, &bytes))
    }
}

/// The class of this file.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Matcher>()
}
