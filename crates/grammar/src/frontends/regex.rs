//! A regular expression as a grammar of its own.
use crate::ast::{Expr, Grammar, GrammarBuilder};
use crate::error::{GrammarError, GrammarErrorKind, Problem};
use penstock_automata::{Dialect, Limit, ParseErrorKind, RegexId, Regexes};

/// The dialects as EBNF names them.
pub(crate) const DIALECT_NAMES: &str = "`ecma`, `rust`, `python`";

pub(crate) fn dialect_named(name: &str) -> Option<Dialect> {
    Some(match name {
        "ecma" => Dialect::Ecma,
        "rust" => Dialect::Rust,
        "python" => Dialect::Python,
        _ => return None,
    })
}

pub(crate) fn dialect_name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Ecma => "ecma",
        Dialect::Rust => "rust",
        Dialect::Python => "python",
    }
}

impl Grammar {
    /// Whole matches of `pattern`, as a grammar whose only rule is `root`.
    ///
    /// # Errors
    /// The pattern is none of the dialect, or holds what no regular expression can say; the place is one of the pattern.
    pub fn from_regex(pattern: &str, dialect: Dialect) -> Result<Grammar, GrammarError> {
        compile_pattern(&mut Regexes::new(), pattern, dialect)?;
        let mut builder = GrammarBuilder::new();
        let pattern = pattern.to_owned();
        let body = builder.add(Expr::Regex { pattern, dialect });
        let root = builder.rule("root");
        builder.define(root, body);
        builder.finish(root)
    }
}

/// The term of a pattern; its places are those of the pattern.
pub(crate) fn compile_pattern(regexes: &mut Regexes, pattern: &str, dialect: Dialect) -> Result<RegexId, GrammarError> {
    penstock_automata::parse(regexes, pattern, dialect).map_err(|error| {
        let offset = pattern.char_indices().nth(error.offset).map_or(pattern.len(), |(at, _)| at);
        let (message, hint) = error
            .message
            .rsplit_once("; ")
            .unwrap_or((&error.message, "write a pattern of its dialect"));
        let (kind, limit) = match error.kind {
            ParseErrorKind::Syntax => (GrammarErrorKind::Syntax, None),
            ParseErrorKind::Unsupported(_) => (GrammarErrorKind::Unsupported, None),
            ParseErrorKind::Limit { name, configured } => (GrammarErrorKind::Limit, Some(Limit { name, configured })),
        };
        GrammarError {
            limit,
            ..GrammarError::new(kind, vec![Problem::at(pattern, offset, message, hint)])
        }
    })
}
