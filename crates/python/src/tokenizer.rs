//! `penstock.TokenizerInfo`.
use crate::errors;
use penstock_tokens as tokens;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyType};
use std::sync::Arc;

/// The bytes of every token id of a vocabulary, its special and its stop tokens.
///
/// `vocab[i]` is the spelling of id `i` in mid-text; `b""` marks ids that no text can produce. `vocab_size` may exceed the
/// vocabulary (padded heads). Immutable, shared, picklable. Cost: linear in the bytes: the tables of the mask engine are made
/// here, some 200 ms for 131,000 tokens, so that no compile has to.
#[pyclass(frozen, module = "penstock")]
pub struct TokenizerInfo {
    pub(crate) inner: Arc<tokens::TokenizerInfo>,
}

/// The bytes of a sequence of bytes objects.
fn spellings(vocab: &Bound<'_, PyAny>) -> PyResult<Vec<Vec<u8>>> {
    vocab
        .try_iter()?
        .map(|item| Ok(item?.cast::<PyBytes>()?.as_bytes().to_vec()))
        .collect()
}

fn load(
    class: &Bound<'_, PyType>,
    loader: &str,
    source: &Bound<'_, PyAny>,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<Py<TokenizerInfo>> {
    let py = class.py();
    let vocabulary = py.import("penstock.tokenizer")?.getattr(loader)?.call((source,), options)?;
    let ids = |name: &str| -> PyResult<Vec<u32>> { vocabulary.getattr(name)?.try_iter()?.map(|id| id?.extract()).collect() };
    let vocab_size = vocabulary.getattr("vocab_size")?.extract()?;
    let vocab = spellings(&vocabulary.getattr("vocab")?)?;
    Py::new(
        py,
        TokenizerInfo::build(py, vocab, ids("stop_token_ids")?, ids("special_token_ids")?, vocab_size)?,
    )
}

impl TokenizerInfo {
    fn build(
        py: Python<'_>,
        vocab: Vec<Vec<u8>>,
        stop: Vec<u32>,
        special: Vec<u32>,
        vocab_size: Option<usize>,
    ) -> PyResult<TokenizerInfo> {
        let inner = py.detach(|| {
            let inner = tokens::TokenizerInfo::new(vocab, stop, special, vocab_size)?;
            penstock_matcher::prepare_vocabulary(&inner);
            Ok(inner)
        });
        let inner = inner.map_err(|error| errors::tokenizer(&error))?;
        Ok(TokenizerInfo { inner: Arc::new(inner) })
    }
}

#[pymethods]
impl TokenizerInfo {
    #[new]
    #[pyo3(signature = (vocab, *, stop_token_ids, special_token_ids=None, vocab_size=None))]
    fn new(
        py: Python<'_>,
        vocab: &Bound<'_, PyAny>,
        stop_token_ids: &Bound<'_, PyAny>,
        special_token_ids: Option<&Bound<'_, PyAny>>,
        vocab_size: Option<usize>,
    ) -> PyResult<TokenizerInfo> {
        let ids = |ids: &Bound<'_, PyAny>| -> PyResult<Vec<u32>> { ids.try_iter()?.map(|id| id?.extract()).collect() };
        let special = special_token_ids.map_or(Ok(Vec::new()), ids)?;
        TokenizerInfo::build(py, spellings(vocab)?, ids(stop_token_ids)?, special, vocab_size)
    }

    /// From a fast tokenizer of transformers or a `tokenizers.Tokenizer`.
    #[classmethod]
    #[pyo3(signature = (tokenizer, **options))]
    fn from_huggingface(
        class: &Bound<'_, PyType>,
        tokenizer: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<Self>> {
        load(class, "vocabulary_from_huggingface", tokenizer, options)
    }

    /// From a `tiktoken.Encoding`.
    #[classmethod]
    #[pyo3(signature = (encoding, **options))]
    fn from_tiktoken(
        class: &Bound<'_, PyType>,
        encoding: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<Self>> {
        load(class, "vocabulary_from_tiktoken", encoding, options)
    }

    /// From a SentencePiece processor or the path of its model.
    #[classmethod]
    #[pyo3(signature = (model, **options))]
    fn from_sentencepiece(
        class: &Bound<'_, PyType>,
        model: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<Self>> {
        load(class, "vocabulary_from_sentencepiece", model, options)
    }

    /// From a tokenizer of mistral-common.
    #[classmethod]
    #[pyo3(signature = (tokenizer, **options))]
    fn from_mistral(
        class: &Bound<'_, PyType>,
        tokenizer: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<Self>> {
        load(class, "vocabulary_from_mistral", tokenizer, options)
    }

    /// Number of ids, those of a padded head included: the width of the model's logits.
    #[getter]
    fn vocab_size(&self) -> usize {
        self.inner.vocab_size()
    }

    /// The tokens that end an output, ascending.
    #[getter]
    fn stop_token_ids(&self) -> Vec<u32> {
        self.inner.stop_token_ids().to_vec()
    }

    /// The tokens that are symbols and no text, ascending; stop tokens are among them.
    #[getter]
    fn special_token_ids(&self) -> Vec<u32> {
        self.inner.special_token_ids().to_vec()
    }

    /// The bytes that `token_id` adds to the text; empty for special tokens.
    fn token_bytes<'py>(&self, py: Python<'py>, token_id: u32) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.inner.token_bytes(token_id))
    }

    /// A stable fingerprint of the whole vocabulary, as hexadecimal digits.
    #[getter]
    fn fingerprint(&self) -> String {
        format!("{:032x}", self.inner.fingerprint())
    }

    fn __len__(&self) -> usize {
        self.inner.vocab_size()
    }

    fn __eq__(&self, other: &TokenizerInfo) -> bool {
        self.inner == other.inner
    }

    fn __hash__(&self) -> u64 {
        self.inner.fingerprint() as u64
    }

    fn __repr__(&self) -> String {
        format!(
            "TokenizerInfo(vocab_size={}, stop_token_ids={:?})",
            self.inner.vocab_size(),
            self.inner.stop_token_ids()
        )
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let (py, info) = (slf.py(), &slf.get().inner);
        let vocab: Vec<Bound<'_, PyBytes>> = (0..info.num_spelled() as u32)
            .map(|id| PyBytes::new(py, info.spelling(id)))
            .collect();
        let arguments = (
            vocab,
            info.stop_token_ids().to_vec(),
            info.special_token_ids().to_vec(),
            info.vocab_size(),
        );
        Ok((
            py.import("penstock.tokenizer")?.getattr("_rebuild")?,
            arguments.into_pyobject(py)?.into_any(),
        ))
    }
}
