//! `penstock.Grammar`, `penstock.GrammarCompiler`, `penstock.CompiledGrammar`.
use crate::tokenizer::TokenizerInfo;
use crate::{errors, json_value};
use penstock_grammar as grammar;
use penstock_grammar::{JsonOptions, Whitespace};
use penstock_matcher as matcher;
use penstock_schema::{FormatMode, PropertyOrder, SchemaOptions};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyList, PyString};
use rustc_hash::FxHasher;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A language, not yet bound to a vocabulary. Immutable and picklable; `str(grammar)` is EBNF that parses back.
#[pyclass(frozen, module = "penstock")]
pub struct Grammar {
    inner: Arc<grammar::Grammar>,
}

impl From<grammar::Grammar> for Grammar {
    fn from(inner: grammar::Grammar) -> Grammar {
        Grammar { inner: Arc::new(inner) }
    }
}

/// The options of a JSON schema, as the keywords of `compile_json_schema` give them.
fn json_options(options: Option<&Bound<'_, PyDict>>) -> PyResult<JsonOptions> {
    let mut schema = SchemaOptions::default();
    let (mut whitespace, mut limits) = (Whitespace::Flexible, None);
    for (name, value) in options.into_iter().flatten() {
        let name: String = name.extract()?;
        match name.as_str() {
            _ if value.is_none() => {}
            "strict" => schema.strict = value.extract()?,
            "property_order" => {
                schema.property_order = one_of(
                    &name,
                    &value,
                    &[("any", PropertyOrder::Any), ("schema", PropertyOrder::Schema)],
                )?
            }
            "format" => {
                schema.format = one_of(
                    &name,
                    &value,
                    &[("assertion", FormatMode::Assertion), ("annotation", FormatMode::Annotation)],
                )?
            }
            "whitespace" => {
                if one_of(&name, &value, &[("flexible", false), ("compact", true)])? && whitespace == Whitespace::Flexible {
                    whitespace = Whitespace::Compact;
                }
            }
            "max_whitespace" => whitespace = Whitespace::AtMost(value.extract()?),
            "indent" => whitespace = Whitespace::Indent(value.extract()?),
            "separators" => {
                let (item, key) = value.extract()?;
                whitespace = separators(item, key)?;
            }
            "registry" => {
                for (uri, document) in value.cast::<PyDict>()? {
                    schema.registry.insert(uri.extract()?, json_value::from_object(&document)?);
                }
            }
            "limits" => limits = Some(value.cast::<PyDict>()?.clone()),
            _ => {
                return Err(PyTypeError::new_err(format!(
                    "unknown option `{name}`; use strict, property_order, whitespace, max_whitespace, indent, separators, format, registry or limits"
                )))
            }
        }
    }
    let mut options = JsonOptions { schema, whitespace };
    for (name, limit) in limits.iter().flatten() {
        set_limit(&mut options, &name.extract::<String>()?, limit.extract()?)?;
    }
    Ok(options)
}

fn set_limit(options: &mut JsonOptions, name: &str, limit: u32) -> PyResult<()> {
    options.set_limit(name, limit).ok_or_else(|| {
        let names: Vec<&str> = JsonOptions::limit_names().collect();
        PyValueError::new_err(format!("no limit is called `{name}`; use one of {}", names.join(", ")))
    })
}

fn separators(item: String, key: String) -> PyResult<Whitespace> {
    let known = ["", " ", "\n", "  "];
    let fits = |text: &str, symbol: char| text.strip_prefix(symbol).is_some_and(|gap| known.contains(&gap));
    if fits(&item, ',') && fits(&key, ':') {
        return Ok(Whitespace::Separators { item, key });
    }
    let message = format!("separators `{item:?}` and `{key:?}` are not supported; use a comma and a colon, each followed by nothing, a space, two spaces or a line break");
    Err(errors::raise(
        "UnsupportedFeatureError",
        message,
        "unsupported_separators",
        |_| Ok(()),
    ))
}

fn one_of<T: Copy>(name: &str, value: &Bound<'_, PyAny>, choices: &[(&str, T)]) -> PyResult<T> {
    let given: String = value.extract()?;
    let found = choices.iter().find(|choice| choice.0 == given);
    found.map(|choice| choice.1).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|choice| choice.0).collect();
        PyValueError::new_err(format!("{name} cannot be `{given}`; use one of {}", names.join(", ")))
    })
}

/// A schema as dict, bool, JSON text, or a Python type.
fn schema_value(schema: &Bound<'_, PyAny>) -> PyResult<serde_json::Value> {
    if let Ok(text) = schema.cast::<PyString>() {
        return json_value::from_text(text.to_str()?);
    }
    if schema.is_instance_of::<PyDict>() || schema.is_instance_of::<PyBool>() {
        return json_value::from_object(schema);
    }
    let types = schema.py().import("penstock.types")?;
    json_value::from_object(&types.getattr("json_schema_of")?.call1((schema,))?)
}

/// A structural tag as dict, JSON text, or the model of another library.
fn tag_value(tag: &Bound<'_, PyAny>) -> PyResult<serde_json::Value> {
    if let Ok(text) = tag.cast::<PyString>() {
        return json_value::from_text(text.to_str()?);
    }
    if tag.is_instance_of::<PyDict>() {
        return json_value::from_object(tag);
    }
    if !tag.hasattr("model_dump")? {
        let kind = tag.get_type().name()?;
        let message = format!("a `{kind}` is no structural tag; pass a dict, JSON text or a model with `model_dump`");
        return Err(errors::raise("GrammarSyntaxError", message, "tag_syntax", |_| Ok(())));
    }
    let known = PyDict::new(tag.py());
    known.set_item("by_alias", true)?;
    json_value::from_object(&tag.call_method("model_dump", (), Some(&known))?)
}

fn built(result: Result<grammar::Grammar, grammar::GrammarError>) -> PyResult<Grammar> {
    result.map(Grammar::from).map_err(|error| errors::grammar(&error))
}

#[pymethods]
impl Grammar {
    /// JSON texts that a JSON Schema accepts. Options are those of `GrammarCompiler.compile_json_schema`.
    #[staticmethod]
    #[pyo3(signature = (schema, **options))]
    fn from_json_schema(schema: &Bound<'_, PyAny>, options: Option<&Bound<'_, PyDict>>) -> PyResult<Grammar> {
        Ok(grammar::Grammar::from_json_schema(schema_value(schema)?, json_options(options)?).into())
    }

    /// A grammar in EBNF (a superset of GBNF). Errors list every mistake with line, column and a caret.
    #[staticmethod]
    #[pyo3(signature = (text, root="root"))]
    fn from_ebnf(text: &str, root: &str) -> PyResult<Grammar> {
        built(grammar::Grammar::from_ebnf(text, root))
    }

    /// The whole matches of a regular expression; `dialect`: "rust", "python" or "ecma".
    #[staticmethod]
    #[pyo3(signature = (pattern, *, dialect="python"))]
    fn from_regex(pattern: &str, dialect: &str) -> PyResult<Grammar> {
        let dialect = match dialect {
            "python" => grammar::Dialect::Python,
            "rust" => grammar::Dialect::Rust,
            "ecma" => grammar::Dialect::Ecma,
            _ => {
                return Err(PyValueError::new_err(format!(
                    "dialect cannot be `{dialect}`; use python, rust or ecma"
                )))
            }
        };
        built(grammar::Grammar::from_regex(pattern, dialect))
    }

    /// A grammar in llguidance's dialect of Lark; `named_grammars` are what `@name` stands for, texts being Lark too.
    #[staticmethod]
    #[pyo3(signature = (text, *, named_grammars=None))]
    fn from_lark(text: &str, named_grammars: Option<&Bound<'_, PyDict>>) -> PyResult<Grammar> {
        let mut named = BTreeMap::new();
        for (name, value) in named_grammars.into_iter().flatten() {
            let grammar = match value.cast::<PyString>() {
                Ok(text) => built(grammar::Grammar::from_lark_with(text.to_str()?, &named))?.inner,
                Err(_) => value.extract::<PyRef<'_, Grammar>>()?.inner.clone(),
            };
            named.insert(name.extract()?, (*grammar).clone());
        }
        built(grammar::Grammar::from_lark_with(text, &named))
    }

    /// A structural tag in XGrammar's JSON format: a dict, JSON text, or an object whose `model_dump()` is the dict.
    ///
    /// Options are those of `compile_json_schema` and hold for every schema in the tag; `any_order` there frees the order of members.
    /// Raises GrammarSyntaxError, UnsupportedFeatureError, LimitError, with the JSON pointer of the mistake as `location`.
    #[staticmethod]
    #[pyo3(signature = (tag, **options))]
    fn from_structural_tag(tag: &Bound<'_, PyAny>, options: Option<&Bound<'_, PyDict>>) -> PyResult<Grammar> {
        built(grammar::Grammar::from_structural_tag(tag_value(tag)?, json_options(options)?))
    }

    /// JSON texts of the values of a Python type; of `Ebnf(...)`, `Regex(...)` and their kin the grammar that they are.
    #[staticmethod]
    #[pyo3(signature = (python_type, **options))]
    fn from_type<'py>(python_type: &Bound<'py, PyAny>, options: Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyAny>> {
        let types = python_type.py().import("penstock.types")?;
        types.getattr("grammar_of")?.call((python_type,), options)
    }

    /// The texts of one grammar after those of another.
    #[staticmethod]
    #[pyo3(signature = (*grammars))]
    fn concat(grammars: Vec<PyRef<'_, Grammar>>) -> Grammar {
        let parts: Vec<grammar::Grammar> = grammars.iter().map(|part| (*part.inner).clone()).collect();
        grammar::Grammar::concat(&parts).into()
    }

    /// The texts of any of the grammars.
    #[staticmethod]
    #[pyo3(signature = (*grammars))]
    fn union(grammars: Vec<PyRef<'_, Grammar>>) -> Grammar {
        let parts: Vec<grammar::Grammar> = grammars.iter().map(|part| (*part.inner).clone()).collect();
        grammar::Grammar::choice(&parts).into()
    }

    /// What is odd about the grammar though its language is clear, each with its place: rules that nothing uses, and rules that no text
    /// matches. No mask changes by them. Cost: linear in the grammar.
    #[getter]
    fn remarks(&self) -> Vec<String> {
        self.inner.remarks().iter().map(ToString::to_string).collect()
    }

    fn __or__(&self, other: &Grammar) -> Grammar {
        grammar::Grammar::choice(&[(*self.inner).clone(), (*other.inner).clone()]).into()
    }

    fn __add__(&self, other: &Grammar) -> Grammar {
        grammar::Grammar::concat(&[(*self.inner).clone(), (*other.inner).clone()]).into()
    }

    fn __and__(&self, other: &Grammar) -> Grammar {
        grammar::Grammar::and(&[(*self.inner).clone(), (*other.inner).clone()]).into()
    }

    fn __invert__(&self) -> Grammar {
        self.inner.not().into()
    }

    fn __str__(&self) -> String {
        self.inner.to_ebnf()
    }

    fn __repr__(&self) -> String {
        format!("Grammar({:?})", self.inner.to_ebnf())
    }

    fn __eq__(&self, other: &Grammar) -> bool {
        self.inner == other.inner
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.inner.to_ebnf().hash(&mut hasher);
        hasher.finish()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
        Ok((
            slf.py().import("penstock.grammar")?.getattr("_rebuild_grammar")?,
            (slf.get().inner.to_ebnf(),),
        ))
    }
}

/// Compiled grammars by what they were made from. Equality decides, never a hash alone.
#[derive(Default)]
struct Cache {
    entries: HashMap<u64, Vec<(grammar::Grammar, Arc<matcher::CompiledGrammar>)>>,
    size_bytes: usize,
}

/// Compiles grammars for one vocabulary, and remembers what it compiled.
#[pyclass(frozen, module = "penstock")]
pub struct GrammarCompiler {
    info: Py<TokenizerInfo>,
    cache: Mutex<Cache>,
    cache_size_bytes: usize,
}

/// Default bound on remembered grammars: 512 MiB.
const CACHE_SIZE_BYTES: usize = 512 << 20;

impl GrammarCompiler {
    fn compile_grammar(&self, py: Python<'_>, grammar: &grammar::Grammar) -> PyResult<CompiledGrammar> {
        let key = fingerprint(grammar);
        let find = |cache: &Cache| {
            cache
                .entries
                .get(&key)?
                .iter()
                .find(|entry| entry.0 == *grammar)
                .map(|entry| entry.1.clone())
        };
        let known = find(&self.cache.lock().unwrap_or_else(PoisonError::into_inner));
        let info = self.info.get().inner.clone();
        let inner = match known {
            Some(inner) => inner,
            None => {
                let made = py.detach(|| matcher::CompiledGrammar::new(grammar, info));
                let made = Arc::new(made.map_err(|error| errors::compile(&error))?);
                self.remember(key, grammar, &made);
                made
            }
        };
        Ok(CompiledGrammar {
            inner,
            info: self.info.clone_ref(py),
        })
    }

    fn remember(&self, key: u64, grammar: &grammar::Grammar, made: &Arc<matcher::CompiledGrammar>) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.size_bytes += made.memory_usage();
        if cache.size_bytes > self.cache_size_bytes {
            // A full store is closed: live matchers keep what they use, and the next generation starts empty.
            cache.entries.clear();
            cache.size_bytes = made.memory_usage();
        }
        cache.entries.entry(key).or_default().push((grammar.clone(), made.clone()));
    }
}

/// A cheap hash of the shape of a grammar; equal grammars have equal ones.
fn fingerprint(grammar: &grammar::Grammar) -> u64 {
    let mut hasher = FxHasher::default();
    grammar.exprs().len().hash(&mut hasher);
    grammar.rules().iter().for_each(|rule| rule.name.hash(&mut hasher));
    for expr in grammar.exprs() {
        match expr {
            grammar::Expr::Text(text) => text.hash(&mut hasher),
            grammar::Expr::Regex { pattern, .. } => pattern.hash(&mut hasher),
            grammar::Expr::JsonSchema { schema, .. } => hash_value(schema, &mut hasher),
            grammar::Expr::SchemaText { schema, .. } => hash_value(schema, &mut hasher),
            grammar::Expr::StructuralTag { tag, .. } => hash_value(tag, &mut hasher),
            grammar::Expr::Dispatch { dispatch, .. } => dispatch.hash(&mut hasher),
            _ => {}
        }
    }
    hasher.finish()
}

fn hash_value(value: &serde_json::Value, hasher: &mut FxHasher) {
    match value {
        serde_json::Value::Object(members) => {
            members.len().hash(hasher);
            for (name, value) in members {
                name.hash(hasher);
                hash_value(value, hasher);
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| hash_value(item, hasher)),
        serde_json::Value::String(text) => text.hash(hasher),
        serde_json::Value::Number(number) => number.hash(hasher),
        serde_json::Value::Bool(truth) => truth.hash(hasher),
        serde_json::Value::Null => 0u8.hash(hasher),
    }
}

#[pymethods]
impl GrammarCompiler {
    /// A compiler for `info`. `cache_size_bytes` bounds what it remembers; live grammars are never touched.
    #[new]
    #[pyo3(signature = (info, *, max_threads=None, cache_size_bytes=None))]
    fn new(info: Py<TokenizerInfo>, max_threads: Option<usize>, cache_size_bytes: Option<usize>) -> GrammarCompiler {
        // Compiling is lazy and takes one thread; the argument keeps the signature of other engines.
        let _ = max_threads;
        GrammarCompiler {
            info,
            cache: Mutex::default(),
            cache_size_bytes: cache_size_bytes.unwrap_or(CACHE_SIZE_BYTES),
        }
    }

    /// The vocabulary.
    #[getter]
    fn tokenizer_info(&self, py: Python<'_>) -> Py<TokenizerInfo> {
        self.info.clone_ref(py)
    }

    /// Binds a grammar to the vocabulary. Cost: linear in the grammar; masks appear where the output goes.
    fn compile(&self, py: Python<'_>, grammar: &Grammar) -> PyResult<CompiledGrammar> {
        self.compile_grammar(py, &grammar.inner)
    }

    /// Compiles a JSON Schema: dict, bool, JSON text, or a Python type.
    ///
    /// Options: strict=True, property_order="any" | "schema", whitespace="flexible" | "compact",
    /// max_whitespace=None, indent=None, separators=None, format="assertion" | "annotation", registry={uri: document}.
    /// Raises UnsupportedFeatureError, EmptyLanguageError, GrammarSyntaxError, LimitError.
    #[pyo3(signature = (schema, **options))]
    fn compile_json_schema(
        &self,
        py: Python<'_>,
        schema: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<CompiledGrammar> {
        let grammar = grammar::Grammar::from_json_schema(schema_value(schema)?, json_options(options)?);
        self.compile_grammar(py, &grammar)
    }

    /// Compiles EBNF.
    #[pyo3(signature = (text, root="root"))]
    fn compile_ebnf(&self, py: Python<'_>, text: &str, root: &str) -> PyResult<CompiledGrammar> {
        self.compile_grammar(py, &Grammar::from_ebnf(text, root)?.inner)
    }

    /// Compiles a regular expression, matched as a whole.
    #[pyo3(signature = (pattern, *, dialect="python"))]
    fn compile_regex(&self, py: Python<'_>, pattern: &str, dialect: &str) -> PyResult<CompiledGrammar> {
        self.compile_grammar(py, &Grammar::from_regex(pattern, dialect)?.inner)
    }

    /// Compiles Lark.
    #[pyo3(signature = (text, *, named_grammars=None))]
    fn compile_lark(
        &self,
        py: Python<'_>,
        text: &str,
        named_grammars: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<CompiledGrammar> {
        self.compile_grammar(py, &Grammar::from_lark(text, named_grammars)?.inner)
    }

    /// Compiles a structural tag; as `Grammar.from_structural_tag` reads it. Special tokens that its texts name are those tokens.
    #[pyo3(signature = (tag, **options))]
    fn compile_structural_tag(
        &self,
        py: Python<'_>,
        tag: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<CompiledGrammar> {
        self.compile_grammar(py, &Grammar::from_structural_tag(tag, options)?.inner)
    }

    /// Memory of the grammars that are remembered, approximately.
    #[getter]
    fn size_bytes(&self) -> usize {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.entries.values().flatten().map(|entry| entry.1.memory_usage()).sum()
    }

    /// Compiles without remembering it, some shortcuts left out: masks are the same, their cost is not. For benchmarks and
    /// tests; `_techniques()` lists the names.
    fn _compile_without(&self, py: Python<'_>, grammar: &Grammar, techniques: Vec<String>) -> PyResult<CompiledGrammar> {
        let named = techniques.iter().map(|name| {
            matcher::Technique::named(name).ok_or_else(|| {
                let known = GrammarCompiler::_techniques().join(", ");
                PyValueError::new_err(format!("there is no technique `{name}`; use some of {known}"))
            })
        });
        let techniques = matcher::Techniques::without(named.collect::<PyResult<Vec<_>>>()?);
        let info = self.info.get().inner.clone();
        let made = py.detach(|| matcher::CompiledGrammar::with_techniques(&grammar.inner, info, techniques));
        Ok(CompiledGrammar {
            inner: Arc::new(made.map_err(|error| errors::compile(&error))?),
            info: self.info.clone_ref(py),
        })
    }

    /// The names that `_compile_without` takes.
    #[staticmethod]
    fn _techniques() -> Vec<&'static str> {
        matcher::Technique::ALL.iter().map(|technique| technique.name()).collect()
    }

    /// Forgets every compiled grammar; those in use live on.
    fn clear_cache(&self) {
        *self.cache.lock().unwrap_or_else(PoisonError::into_inner) = Cache::default();
    }
}

/// A grammar bound to a vocabulary. Shared by any number of matchers and threads.
#[pyclass(frozen, module = "penstock")]
pub struct CompiledGrammar {
    pub(crate) inner: Arc<matcher::CompiledGrammar>,
    info: Py<TokenizerInfo>,
}

#[pymethods]
impl CompiledGrammar {
    /// The vocabulary.
    #[getter]
    fn tokenizer_info(&self, py: Python<'_>) -> Py<TokenizerInfo> {
        self.info.clone_ref(py)
    }

    /// What became of each keyword of the JSON schemas: a dict of lists of (pointer, keyword, reason) under "enforced",
    /// "annotations" and "refused".
    #[getter]
    fn report<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let report = PyDict::new(py);
        for name in ["enforced", "annotations", "refused"] {
            report.set_item(name, PyList::empty(py))?;
        }
        for part in self.inner.reports().map_err(|error| errors::schema(&error))? {
            for (name, entries) in [
                ("enforced", &part.enforced),
                ("annotations", &part.annotations),
                ("refused", &part.refused),
            ] {
                let list = report.get_item(name)?.expect("the list was put there above");
                for entry in entries {
                    list.call_method1("append", ((&entry.pointer, &entry.keyword, &entry.reason),))?;
                }
            }
        }
        Ok(report)
    }

    /// Memory of automata and masks in bytes, approximately; it grows with use. The vocabulary's tables are apart.
    #[getter]
    fn size_bytes(&self) -> usize {
        self.inner.memory_usage()
    }

    /// Memory of the vocabulary's tables in bytes, shared by all grammars of one TokenizerInfo.
    #[getter]
    fn vocabulary_size_bytes(&self) -> usize {
        let (tables, tries, sweeps, shared) = self.inner.vocabulary_memory_usage();
        tables + tries + sweeps + shared
    }

    /// The same in parts, and the bytes of the tokens: (bitmaps and tables, tries, sweeps, shared masks, bytes).
    fn _vocabulary_parts(&self) -> (usize, usize, usize, usize, usize) {
        let (tables, tries, sweeps, shared) = self.inner.vocabulary_memory_usage();
        (tables, tries, sweeps, shared, self.inner.info().memory_usage())
    }

    /// (masks remembered, masks made) so far.
    #[getter]
    fn mask_counts(&self) -> (usize, u64) {
        self.inner.mask_counts()
    }

    /// Makes masks ahead, in a thread of its own: a Future of how many were looked at. Cancelling it stops the work.
    #[pyo3(signature = (max_masks=2000))]
    fn warm_up<'py>(slf: &Bound<'py, Self>, max_masks: usize) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("penstock.warm_up")?.getattr("start")?.call1((slf, max_masks))
    }

    /// The work of `warm_up` in this thread. `pause` is called every few milliseconds, with no lock held; what it raises
    /// ends the work.
    fn _warm_up(&self, py: Python<'_>, pause: &Bound<'_, PyAny>, max_masks: usize) -> PyResult<usize> {
        let mut ahead = matcher::Ahead::new(&self.inner, max_masks).map_err(|error| errors::matcher(&error))?;
        while py.detach(|| steps(&mut ahead)) {
            pause.call0()?;
        }
        Ok(ahead.num_masks())
    }

    /// Writes the grammar, and where its masks were needed, to a file.
    fn save(&self, py: Python<'_>, path: std::path::PathBuf) -> PyResult<()> {
        let inner = &self.inner;
        py.detach(|| std::fs::write(path, inner.to_bytes()))?;
        Ok(())
    }

    /// Reads what `save` wrote, for the same vocabulary, and makes its masks again.
    #[staticmethod]
    fn load(py: Python<'_>, path: std::path::PathBuf, info: Py<TokenizerInfo>) -> PyResult<CompiledGrammar> {
        let bytes = py.detach(|| std::fs::read(path))?;
        CompiledGrammar::_from_bytes(py, &bytes, info)
    }

    /// `load` from bytes.
    #[staticmethod]
    fn _from_bytes(py: Python<'_>, data: &[u8], info: Py<TokenizerInfo>) -> PyResult<CompiledGrammar> {
        let vocabulary = info.get().inner.clone();
        let inner = py.detach(|| matcher::CompiledGrammar::from_bytes(data, vocabulary));
        Ok(CompiledGrammar {
            inner: inner.map_err(|error| errors::load(&error))?,
            info,
        })
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let (py, this) = (slf.py(), slf.get());
        let bytes = py.detach(|| this.inner.to_bytes());
        let arguments = (PyBytes::new(py, &bytes), this.info.clone_ref(py));
        let rebuild = py.import("penstock.grammar")?.getattr("_rebuild_compiled")?;
        Ok((rebuild, arguments.into_pyobject(py)?.into_any()))
    }

    fn __repr__(&self) -> String {
        let (masks, _) = self.inner.mask_counts();
        format!(
            "CompiledGrammar(vocab_size={}, masks={masks})",
            self.inner.info().vocab_size()
        )
    }
}

/// How long a warm-up works before it looks up.
const WARM_UP_SLICE: Duration = Duration::from_millis(3);

/// Some steps of a warm-up; whether there is more to do.
fn steps(ahead: &mut matcher::Ahead) -> bool {
    let begin = Instant::now();
    while ahead.step() {
        if begin.elapsed() > WARM_UP_SLICE {
            return true;
        }
    }
    false
}

/// The classes of this file.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<TokenizerInfo>()?;
    module.add_class::<Grammar>()?;
    module.add_class::<GrammarCompiler>()?;
    module.add_class::<CompiledGrammar>()
}
