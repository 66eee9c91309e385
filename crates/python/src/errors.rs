//! Errors of the core as exceptions of `penstock.errors`, in one place.
use penstock_automata::Limit;
use penstock_grammar::{GrammarError, GrammarErrorKind, JsonOptions};
use penstock_matcher::{CompileError, LoadError, MatcherError};
use penstock_schema::{ErrorKind, SchemaError};
use penstock_tokens::TokenizerInfoError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

/// An exception of `penstock.errors`, with its code and details.
pub fn raise(class: &str, message: String, code: &str, details: impl FnOnce(&Bound<'_, PyDict>) -> PyResult<()>) -> PyErr {
    Python::attach(|py| {
        let build = || -> PyResult<PyErr> {
            let arguments = PyDict::new(py);
            arguments.set_item("code", code)?;
            details(&arguments)?;
            let class = py.import("penstock.errors")?.getattr(class)?;
            Ok(PyErr::from_value(class.call((message,), Some(&arguments))?))
        };
        build().unwrap_or_else(|error| error)
    })
}

/// A limit that was reached.
pub fn limit(limit: &Limit) -> PyErr {
    let (name, configured) = (limit.name, limit.configured);
    let way_out = if JsonOptions::limit_names().any(|known| known == name) {
        format!("simplify it, or raise the limit of a JSON schema with the option limits={{\"{name}\": ...}}")
    } else {
        "simplify the grammar; this limit is fixed, and docs/design/limits.md says what it guards against".to_owned()
    };
    let message = format!("limit `{name}` of {configured} reached; {way_out}");
    raise("LimitError", message, "limit_reached", |details| {
        details.set_item("limit", name)?;
        details.set_item("configured", configured)
    })
}

/// A vocabulary that cannot be used.
pub fn tokenizer(error: &TokenizerInfoError) -> PyErr {
    raise("TokenizerError", error.to_string(), error.code(), |details| {
        details.set_item("token_id", error.token_id())
    })
}

/// A grammar that cannot be used.
pub fn grammar(error: &GrammarError) -> PyErr {
    let (class, code) = match error.kind {
        GrammarErrorKind::Syntax => ("GrammarSyntaxError", "grammar_syntax"),
        GrammarErrorKind::Unsupported => ("UnsupportedFeatureError", "unsupported_feature"),
        GrammarErrorKind::EmptyLanguage => ("EmptyLanguageError", "empty_language"),
        GrammarErrorKind::Limit => ("LimitError", "limit_reached"),
    };
    raise(class, error.to_string(), code, |details| {
        if let Some(reached) = &error.limit {
            details.set_item("limit", reached.name)?;
            details.set_item("configured", reached.configured)?;
        }
        if let Some(first) = error.problems.first() {
            match first.pointer.is_empty() {
                true => details.set_item("location", (first.line, first.column))?,
                false => details.set_item("location", &first.pointer)?,
            }
        }
        let problems = error
            .problems
            .iter()
            .map(|problem| (problem.line, problem.column, problem.message.clone()));
        details.set_item("problems", problems.collect::<Vec<_>>())
    })
}

/// A JSON schema that cannot be used.
pub fn schema(error: &SchemaError) -> PyErr {
    let (class, code) = match error.kind {
        ErrorKind::Syntax => ("GrammarSyntaxError", "schema_syntax"),
        ErrorKind::Unsupported => ("UnsupportedFeatureError", "unsupported_feature"),
        ErrorKind::Empty => ("EmptyLanguageError", "empty_language"),
        ErrorKind::Limit => ("LimitError", "limit_reached"),
    };
    raise(class, error.to_string(), code, |details| {
        let py = details.py();
        if let Some(reached) = &error.limit {
            details.set_item("limit", reached.name)?;
            details.set_item("configured", reached.configured)?;
        }
        let refusals = PyList::empty(py);
        for problem in &error.problems {
            refusals.append((&problem.pointer, &problem.keyword, &problem.reason))?;
        }
        details.set_item("location", error.problems.first().map(|problem| problem.pointer.clone()))?;
        if let Some((pointer, _)) = error.conflict.first() {
            details.set_item("location", pointer)?;
            details.set_item("conflict", &error.conflict)?;
        }
        details.set_item("refusals", refusals)
    })
}

/// Anything that compiling can raise.
pub fn compile(error: &CompileError) -> PyErr {
    match error {
        CompileError::Grammar(error) => grammar(error),
        CompileError::Schema(error) => schema(error),
        CompileError::Limit(reached) => limit(reached),
        CompileError::Vocabulary(message) => raise("TokenizerError", message.clone(), "cannot_spell", |_| Ok(())),
        CompileError::Budget(message) => raise("UnsupportedFeatureError", message.clone(), "budget_too_small", |_| Ok(())),
        CompileError::Empty(rule) => {
            let message = format!("no text matches rule `{rule}`; give it an alternative that ends");
            raise("EmptyLanguageError", message, "empty_language", |_| Ok(()))
        }
    }
}

/// A saved grammar that cannot be used.
pub fn load(error: &LoadError) -> PyErr {
    let (class, code, message) = match error {
        LoadError::Compile(error) => return compile(error),
        LoadError::Damaged(what) => (
            "GrammarError",
            "saved_grammar_damaged",
            format!("this is no saved grammar, or a damaged one: {what}; compile the grammar and save it again"),
        ),
        LoadError::Version(version) => (
            "GrammarError",
            "saved_grammar_version",
            format!(
                "the grammar was saved in format `{version}`, which this version does not read; compile it and save it again"
            ),
        ),
        LoadError::Vocabulary => (
            "TokenizerError",
            "saved_for_another_vocabulary",
            "the grammar was saved for another vocabulary; pass the TokenizerInfo that it was compiled for".to_owned(),
        ),
    };
    raise(class, message, code, |_| Ok(()))
}

/// Anything that a matcher can raise.
pub fn matcher(error: &MatcherError) -> PyErr {
    let (code, message) = match error {
        MatcherError::Limit(reached) => return limit(reached),
        MatcherError::Terminated => (
            "terminated",
            "a stop token was accepted, so the output has ended; call rollback or reset first".to_owned(),
        ),
        MatcherError::OnlySpecialTokens => (
            "only_special_tokens",
            "no text completes the output, the grammar asks for special tokens; accept them with accept_token".to_owned(),
        ),
        MatcherError::RollbackTooFar { asked, accepted } => (
            "rollback_too_far",
            format!("cannot take back `{asked}` tokens, `{accepted}` were accepted; ask for at most that many"),
        ),
        MatcherError::TokenOutOfRange { token, vocab_size } => (
            "token_out_of_range",
            format!("token id `{token}` is outside the vocabulary of `{vocab_size}` ids; pass an id below it"),
        ),
        MatcherError::RowWidth { given, needed } => (
            "bitmask_shape",
            format!("the bitmask has `{given}` words a row, `{needed}` are needed; make it with allocate_token_bitmask"),
        ),
    };
    raise("MatcherStateError", message, code, |_| Ok(()))
}
