//! `penstock.RetrievalIndex` and the paper's `TrieStore`, each with its sessions.
//!
//! Proposals take microseconds and keep the GIL: handing it over costs more. What is linear in a long text gives it up. No lock
//! of the index is held while waiting for the GIL.
use std::sync::{Mutex, MutexGuard};

use crate::draft_tree::PyDraftTree;
use crate::errors;
use penstock_drafting::{
    BlendOptions, DraftingError, IndexOptions, Noise, Proposal, ProposeOptions, Request, RetrievalIndex, TrieMode, TrieOptions,
    TrieRequest, TrieSource, TrieStore, WidthCost,
};
use penstock_tokens::DraftTree;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

/// Texts from this length on are read and written without the GIL.
const LONG_TEXT: usize = 2048;

fn to_py_err(error: &DraftingError) -> PyErr {
    let message = error.to_string();
    match error.code() {
        "request_finished" => PyRuntimeError::new_err(message),
        "snapshot_refused" => errors::raise("PenstockError", message, error.code(), |_| Ok(())),
        _ if error.is_limit() => errors::raise("LimitError", message, error.code(), |_| Ok(())),
        _ => PyValueError::new_err(message),
    }
}

fn door<T>(result: Result<T, DraftingError>) -> PyResult<T> {
    result.map_err(|error| to_py_err(&error))
}

fn to_tree(proposal: Proposal) -> PyResult<PyDraftTree> {
    let tree = DraftTree::new(
        proposal.token_ids,
        proposal.parents,
        Some(proposal.logprobs),
        Some(proposal.sources),
    );
    let tree = tree.map_err(|error| PyRuntimeError::new_err(format!("a bug of penstock, please report it: {error}")))?;
    Ok(PyDraftTree { tree })
}

/// A session is used by one caller at a time; a second thread waits.
fn lock<T>(mutex: &Mutex<T>) -> PyResult<MutexGuard<'_, T>> {
    mutex
        .lock()
        .map_err(|_| PyRuntimeError::new_err("an earlier call failed in the middle; start a new request"))
}

/// Drafts by retrieval: what followed the last tokens before is proposed again, in this text or in finished ones.
///
/// Thread-safe; many requests share one index. `max_size_bytes` bounds everything that it holds: the oldest finished outputs
/// are evicted first, and a running text that no longer fits drafts nothing. The other numbers are those of the blend of match
/// lengths (documented in the crate's `blend.rs`); None takes the defaults, which serve code, chat and JSON alike: 256 MiB,
/// 32 places, other_weight 0.4, strength 3, exponent 0.8, knee 14, frequent_share 0.3, floor 1e-6.
#[pyclass(name = "RetrievalIndex", module = "penstock", frozen)]
pub struct PyRetrievalIndex {
    index: RetrievalIndex,
}

#[pymethods]
impl PyRetrievalIndex {
    #[new]
    #[pyo3(signature = (*, max_size_bytes=None, max_places=None, other_weight=None, strength=None, exponent=None, knee=None, frequent_share=None, floor=None))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        max_size_bytes: Option<usize>,
        max_places: Option<usize>,
        other_weight: Option<f64>,
        strength: Option<f64>,
        exponent: Option<f64>,
        knee: Option<f64>,
        frequent_share: Option<f64>,
        floor: Option<f64>,
    ) -> PyResult<PyRetrievalIndex> {
        let known = BlendOptions::default();
        let blend = BlendOptions {
            max_places: max_places.unwrap_or(known.max_places),
            other_weight: other_weight.unwrap_or(known.other_weight),
            strength: strength.unwrap_or(known.strength),
            exponent: exponent.unwrap_or(known.exponent),
            knee: knee.unwrap_or(known.knee),
            frequent_share: frequent_share.unwrap_or(known.frequent_share),
            floor: floor.unwrap_or(known.floor),
        };
        let max_size_bytes = max_size_bytes.unwrap_or(IndexOptions::default().max_size_bytes);
        let index = door(RetrievalIndex::new(IndexOptions { max_size_bytes, blend }))?;
        Ok(PyRetrievalIndex { index })
    }

    /// Begin a text; return its session, a context manager.
    ///
    /// Its output, never its prompt, becomes searchable for others of the same namespace when it finishes, unless `share` is
    /// False. Drafts reveal by their speed what others wrote: keep tenants in namespaces of their own. Cost: linear in the
    /// prompt.
    #[pyo3(signature = (prompt_ids, *, share=true, namespace=""))]
    fn start(&self, py: Python<'_>, prompt_ids: Vec<i32>, share: bool, namespace: &str) -> PyResult<PyRetrievalRequest> {
        let start = || self.index.start(&prompt_ids, share, namespace);
        let request = if prompt_ids.len() < LONG_TEXT {
            start()
        } else {
            py.detach(start)
        };
        let request = door(request)?;
        Ok(PyRetrievalRequest {
            id: request.id(),
            request: Mutex::new(request),
        })
    }

    /// Add an output that was written elsewhere, to warm up; return the id to remove it by. Cost: linear.
    #[pyo3(signature = (token_ids, *, namespace=""))]
    fn insert(&self, py: Python<'_>, token_ids: Vec<i32>, namespace: &str) -> PyResult<u64> {
        let id = py.detach(|| self.index.insert(&token_ids, namespace));
        door(id)
    }

    /// Remove a finished output without a trace; return whether there was one. Cost: linear in it.
    fn remove(&self, py: Python<'_>, request_id: u64) -> bool {
        py.detach(|| self.index.remove(request_id))
    }

    /// Remove all finished outputs. Running requests keep their own text.
    fn clear(&self, py: Python<'_>) {
        py.detach(|| self.index.clear());
    }

    /// Upper estimate of what running and finished requests hold, in bytes.
    #[getter]
    fn size_bytes(&self) -> usize {
        self.index.stats().size_bytes
    }

    /// Number of finished outputs that are searchable.
    #[getter]
    fn num_outputs(&self) -> usize {
        self.index.stats().num_outputs
    }

    /// Number of tokens in the finished outputs.
    #[getter]
    fn num_tokens(&self) -> usize {
        self.index.stats().num_tokens
    }

    /// Return the finished outputs as bytes, for `restore`. `fingerprint`: a number for the vocabulary that the ids belong to.
    #[pyo3(signature = (*, fingerprint=0))]
    fn to_bytes(&self, py: Python<'_>, fingerprint: u64) -> Vec<u8> {
        py.detach(|| self.index.to_bytes(fingerprint))
    }

    /// Add the outputs of `to_bytes`; return how many there were. Nothing is executed and nothing is added unless all of it is
    /// sound.
    ///
    /// Raises PenstockError (`snapshot_refused`) for foreign, damaged or newer data and for another vocabulary's.
    #[pyo3(signature = (data, *, fingerprint=0))]
    fn restore(&self, py: Python<'_>, data: &[u8], fingerprint: u64) -> PyResult<usize> {
        let count = py.detach(|| self.index.restore(data, fingerprint));
        door(count)
    }

    fn __repr__(&self) -> String {
        let stats = self.index.stats();
        format!(
            "RetrievalIndex(num_outputs={}, num_tokens={}, size_bytes={})",
            stats.num_outputs, stats.num_tokens, stats.size_bytes
        )
    }
}

/// The session of one text; `RetrievalIndex.start` makes it.
#[pyclass(name = "RetrievalRequest", module = "penstock", frozen)]
pub struct PyRetrievalRequest {
    id: u64,
    request: Mutex<Request>,
}

#[pymethods]
impl PyRetrievalRequest {
    /// Names the request, and its output once it is finished (`RetrievalIndex.remove`).
    #[getter]
    fn id(&self) -> u64 {
        self.id
    }

    /// Number of tokens, prompt and output, that are searchable.
    #[getter]
    fn num_tokens(&self) -> PyResult<usize> {
        Ok(lock(&self.request)?.num_tokens())
    }

    /// Append committed tokens; they are searchable at once. Cost: below a microsecond a token. Raises RuntimeError when
    /// finished.
    fn extend(&self, token_ids: Vec<i32>) -> PyResult<()> {
        door(lock(&self.request)?.extend(&token_ids))
    }

    /// Return the most probable continuations: at most `budget` nodes besides node 0, best first.
    ///
    /// `width_cost` a, `setup_cost` b: the budget is a ceiling, and the tree is the one that pays best when a forward over `width`
    /// drafted nodes costs 1 + b + a * width plain ones; none where nothing pays. `floor`: nodes less likely than that are left
    /// out. `noise`: an object with `seed` and `sample` as the sampler has it, for texts sampled at a temperature near 1. Cost:
    /// O(budget). Raises LimitError above 4,096 nodes, RuntimeError when finished.
    #[pyo3(signature = (budget, *, width_cost=None, setup_cost=0.0, floor=0.0, noise=None))]
    fn propose(
        &self,
        budget: usize,
        width_cost: Option<f64>,
        setup_cost: f64,
        floor: f64,
        noise: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyDraftTree> {
        let cost = width_cost.map(|per_node| WidthCost {
            per_node,
            setup: setup_cost,
        });
        let noise = noise.map(read_noise).transpose()?;
        to_tree(door(
            lock(&self.request)?.propose(budget, ProposeOptions { cost, floor, noise }),
        )?)
    }

    /// End the request; its output becomes searchable for others if it shares. Calling it again does nothing.
    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| lock(&self.request).map(|mut request| request.finish()))
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_error))]
    fn __exit__(&self, py: Python<'_>, _error: &Bound<'_, pyo3::types::PyTuple>) -> PyResult<()> {
        self.finish(py)
    }
}

fn read_noise(noise: &Bound<'_, PyAny>) -> PyResult<Noise> {
    Ok(Noise {
        seed: noise.getattr("seed")?.extract()?,
        sample: noise.getattr("sample")?.extract()?,
    })
}

/// The trie of the Lookahead paper (arXiv 2312.12728) with its parameters. `RetrievalIndex` drafts better; this one is for
/// comparison.
///
/// `mode`: "hierarchical" (branches share prefixes), "parallel" (each branch is paid for in full) or "one_branch". `source`:
/// "mix", "prompt" or "output" frequencies. `stop_token_ids`: a query of one token does not start from these. Thread-safe.
#[pyclass(name = "TrieStore", module = "penstock.drafting", frozen)]
pub struct PyTrieStore {
    store: TrieStore,
}

#[pymethods]
impl PyTrieStore {
    #[new]
    #[pyo3(signature = (*, branch_length=12, max_query_length=2, mode="hierarchical", source="mix", output_weight=1e-4, stop_token_ids=vec![], max_nodes=1 << 20))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        branch_length: usize,
        max_query_length: usize,
        mode: &str,
        source: &str,
        output_weight: f64,
        stop_token_ids: Vec<i32>,
        max_nodes: usize,
    ) -> PyResult<PyTrieStore> {
        let options = TrieOptions {
            branch_length,
            max_query_length,
            mode: trie_mode(mode)?,
            source: trie_source(source)?,
            output_weight,
            stop_tokens: stop_token_ids,
            max_nodes,
        };
        Ok(PyTrieStore {
            store: door(TrieStore::new(options))?,
        })
    }

    /// Begin a text; return its session. Cost: linear in the prompt, times `branch_length`.
    #[pyo3(signature = (prompt_ids, *, share=true))]
    fn start(&self, py: Python<'_>, prompt_ids: Vec<i32>, share: bool) -> PyResult<PyTrieRequest> {
        let request = py.detach(|| self.store.start(&prompt_ids, share));
        Ok(PyTrieRequest {
            request: Mutex::new(door(request)?),
        })
    }

    /// Add the branches of an output that was written elsewhere.
    fn insert(&self, py: Python<'_>, token_ids: Vec<i32>) -> PyResult<()> {
        let inserted = py.detach(|| self.store.insert(&token_ids));
        door(inserted)
    }

    /// Number of shared nodes.
    #[getter]
    fn num_nodes(&self) -> usize {
        self.store.num_nodes()
    }
}

fn trie_mode(name: &str) -> PyResult<TrieMode> {
    match name {
        "hierarchical" => Ok(TrieMode::Hierarchical),
        "parallel" => Ok(TrieMode::Parallel),
        "one_branch" => Ok(TrieMode::OneBranch),
        _ => Err(PyValueError::new_err(format!(
            "`mode` is `{name}`; use hierarchical, parallel or one_branch"
        ))),
    }
}

fn trie_source(name: &str) -> PyResult<TrieSource> {
    match name {
        "mix" => Ok(TrieSource::Mix),
        "prompt" => Ok(TrieSource::Prompt),
        "output" => Ok(TrieSource::Output),
        _ => Err(PyValueError::new_err(format!(
            "`source` is `{name}`; use mix, prompt or output"
        ))),
    }
}

/// The session of one text over a `TrieStore`.
#[pyclass(name = "TrieRequest", module = "penstock.drafting", frozen)]
pub struct PyTrieRequest {
    request: Mutex<TrieRequest>,
}

#[pymethods]
impl PyTrieRequest {
    /// Append committed tokens; their branches are searchable at once.
    fn extend(&self, token_ids: Vec<i32>) -> PyResult<()> {
        door(lock(&self.request)?.extend(&token_ids))
    }

    /// Return the branches behind the last tokens: at most `budget` nodes besides node 0 (the paper's decoding length).
    fn propose(&self, budget: usize) -> PyResult<PyDraftTree> {
        let proposal = lock(&self.request)?.propose(budget);
        to_tree(door(proposal)?)
    }

    /// End the request: its prompt branches go, its output branches are shared if it shares.
    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| lock(&self.request).map(|mut request| request.finish()))
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_error))]
    fn __exit__(&self, py: Python<'_>, _error: &Bound<'_, pyo3::types::PyTuple>) -> PyResult<()> {
        self.finish(py)
    }
}

/// Adds what this file defines to `penstock._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyRetrievalIndex>()?;
    module.add_class::<PyRetrievalRequest>()?;
    module.add_class::<PyTrieStore>()?;
    module.add_class::<PyTrieRequest>()
}
