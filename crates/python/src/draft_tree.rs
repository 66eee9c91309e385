//! `penstock.DraftTree`.
use penstock_tokens::{DraftTree, DraftTreeError};
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

/// Proposed continuations of one text, as a tree; frozen and picklable.
///
/// Node 0 is the last committed token and its parent is -1; parents come before their children, best nodes first, so that
/// every beginning of the arrays is a tree. A budget never counts node 0. `logprobs`: natural logarithm of the drafter's belief
/// in each node given its parent. `sources`: a number from 0 to 255 for each node that says where it came from;
/// `RetrievalIndex` writes 0 for node 0, 1 for the request's own text, 2 for outputs of others, 3 for frequent tokens.
/// Raises ValueError where the arrays are no tree, LimitError (`draft_tree_too_large`) above 16,384 nodes.
#[pyclass(name = "DraftTree", module = "penstock", frozen, eq, skip_from_py_object)]
#[derive(Clone, PartialEq)]
pub struct PyDraftTree {
    /// The checked tree.
    pub tree: DraftTree,
}

/// The Python error for arrays that are no tree.
fn to_py_err(error: &DraftTreeError) -> PyErr {
    match error {
        DraftTreeError::TooManyNodes(_) => crate::errors::raise("LimitError", error.to_string(), error.code(), |_| Ok(())),
        _ => PyValueError::new_err(error.to_string()),
    }
}

impl PyDraftTree {
    fn node(&self, node: usize) -> PyResult<usize> {
        if node < self.tree.num_nodes() {
            return Ok(node);
        }
        let num_nodes = self.tree.num_nodes();
        Err(PyIndexError::new_err(format!(
            "node `{node}` is outside the tree of `{num_nodes}` nodes; count from 0"
        )))
    }
}

#[pymethods]
impl PyDraftTree {
    #[new]
    #[pyo3(signature = (token_ids, parents, *, logprobs=None, sources=None))]
    fn new(
        token_ids: Vec<i32>,
        parents: Vec<i32>,
        logprobs: Option<Vec<f32>>,
        sources: Option<Vec<u8>>,
    ) -> PyResult<PyDraftTree> {
        match DraftTree::new(token_ids, parents, logprobs, sources) {
            Ok(tree) => Ok(PyDraftTree { tree }),
            Err(error) => Err(to_py_err(&error)),
        }
    }

    /// The token of each node, as a new list of int.
    #[getter]
    fn token_ids(&self) -> Vec<i32> {
        self.tree.token_ids().to_vec()
    }

    /// The parent of each node, as a new list of int; -1 at node 0.
    #[getter]
    fn parents(&self) -> Vec<i32> {
        self.tree.parents().to_vec()
    }

    /// Natural logarithm of the belief in each node given its parent, as a new list of float; None if unknown.
    #[getter]
    fn logprobs(&self) -> Option<Vec<f32>> {
        self.tree.logprobs().map(<[f32]>::to_vec)
    }

    /// Where each node came from, as a new list of int; None if unknown.
    #[getter]
    fn sources(&self) -> Option<Vec<u16>> {
        self.tree
            .sources()
            .map(|sources| sources.iter().map(|&source| source.into()).collect())
    }

    /// Number of nodes, node 0 included; len(tree) is the same.
    #[getter]
    fn num_nodes(&self) -> usize {
        self.tree.num_nodes()
    }

    fn __len__(&self) -> usize {
        self.tree.num_nodes()
    }

    /// Return (token_ids, parents) as two lists. Cost: O(nodes).
    fn tolist(&self) -> (Vec<i32>, Vec<i32>) {
        (self.token_ids(), self.parents())
    }

    /// Return the child of `node` that carries `token_id`, or None. Raises IndexError for a node outside the tree.
    fn child(&self, node: usize, token_id: i32) -> PyResult<Option<usize>> {
        Ok(self.tree.child(self.node(node)?, token_id))
    }

    /// Return the children of `node`, best first. Raises IndexError for a node outside the tree.
    fn children(&self, node: usize) -> PyResult<Vec<usize>> {
        Ok(self.tree.children(self.node(node)?).collect())
    }

    /// Return the nodes from node 0 to `node`, both included. Raises IndexError for a node outside the tree.
    fn path(&self, node: usize) -> PyResult<Vec<usize>> {
        Ok(self.tree.path(self.node(node)?))
    }

    /// Return the distance of each node from node 0.
    fn depths(&self) -> Vec<u32> {
        self.tree.depths()
    }

    /// Return which nodes each node sees, itself and its ancestors: a numpy bool array [num_nodes, num_nodes].
    fn attention_mask<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let mask: Vec<u8> = self.tree.attention_mask().into_iter().map(u8::from).collect();
        let width = self.tree.num_nodes();
        let flat = py
            .import("numpy")?
            .call_method1("frombuffer", (PyBytes::new(py, &mask), "bool"))?;
        flat.call_method1("reshape", (width, width))?.call_method0("copy")
    }

    fn __repr__(&self) -> String {
        format!(
            "DraftTree(token_ids={:?}, parents={:?})",
            self.tree.token_ids(),
            self.tree.parents()
        )
    }

    fn __hash__(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        (self.tree.token_ids(), self.tree.parents()).hash(&mut hasher);
        hasher.finish()
    }

    fn __getnewargs_ex__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        let keywords = PyDict::new(py);
        keywords.set_item("logprobs", self.logprobs())?;
        keywords.set_item("sources", self.sources())?;
        Ok(((self.token_ids(), self.parents()).into_pyobject(py)?, keywords))
    }
}

/// Adds what this file defines to `penstock._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyDraftTree>()
}
