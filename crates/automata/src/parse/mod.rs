//! Regular expressions as text -> terms.
//!
//! Three dialects share one parser: what differs is a question of escapes, classes and leniencies. `$` is the end of the
//! text only, in every dialect. Lazy quantifiers match the same texts as greedy ones. What no regular language can express
//! (backreferences), and what is not supported (lookbehind, atomic groups), is refused by name.
mod class;
mod escape;
mod sets;
mod syntax;

use crate::pattern::{Kinds, PatternId};
use crate::regex::{RegexId, Regexes};

/// Whose regular expressions these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// ECMA-262 with its Annex B leniencies over code points: `\d` and `\w` are ASCII, `.` excludes four line terminators.
    Ecma,
    /// The Rust `regex` crate, plus lookahead: `\d \w \s` are Unicode.
    Rust,
    /// Python's `re` for `str`, except that `$` is the end only, and `\B` holds in the empty text as from 3.14 on: `\d \w \s` are Unicode.
    Python,
}

/// Why a pattern was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseErrorKind {
    /// It is no regular expression of the dialect.
    Syntax,
    /// It is one, but the named feature is not supported.
    Unsupported(&'static str),
    /// A named limit was reached.
    Limit {
        /// The name of the limit, as in the documentation.
        name: &'static str,
        /// Its configured value.
        configured: u64,
    },
}

/// A pattern that was not read, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Stable, in snake_case.
    pub code: &'static str,
    /// For people: lower case, the last sentence is the way out.
    pub message: String,
    /// In characters from the start of the pattern.
    pub offset: usize,
    /// Which sort of error it is.
    pub kind: ParseErrorKind,
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (at character {})", self.message, self.offset)
    }
}

impl std::error::Error for ParseError {}

impl ParseError {
    pub(crate) fn syntax(offset: usize, message: impl Into<String>) -> ParseError {
        ParseError {
            code: "invalid_regex",
            message: message.into(),
            offset,
            kind: ParseErrorKind::Syntax,
        }
    }

    pub(crate) fn unsupported(offset: usize, feature: &'static str, way_out: &str) -> ParseError {
        ParseError {
            code: "unsupported_regex_feature",
            message: format!("{feature} is not supported in regular expressions; {way_out}"),
            offset,
            kind: ParseErrorKind::Unsupported(feature),
        }
    }

    pub(crate) fn limit(offset: usize, name: &'static str, configured: u64) -> ParseError {
        ParseError {
            code: "regex_limit",
            message: format!("limit `{name}` of {configured} reached; simplify the pattern"),
            offset,
            kind: ParseErrorKind::Limit { name, configured },
        }
    }
}

/// `max_regex_nesting`: how deep brackets and stacked quantifiers may nest.
pub(crate) const MAX_NESTING: usize = 200;
/// `max_regex_count`: the largest count in `{m,n}`.
pub(crate) const MAX_COUNT: u32 = 1_000_000;

/// The texts that match `pattern` from their first character to their last.
///
/// Cost: linear in the pattern, but for classes with large Unicode tables.
///
/// # Errors
/// A [`ParseError`] that names the place: syntax, an unsupported feature, or one of `max_regex_nesting`, `max_regex_count`,
/// `max_unrolled_assertions`.
pub fn parse(regexes: &mut Regexes, pattern: &str, dialect: Dialect) -> Result<RegexId, ParseError> {
    let (pattern, kinds) = read(regexes, pattern, dialect)?;
    Ok(regexes.whole_match(pattern, kinds))
}

/// The texts that hold a match of `pattern` somewhere, as JSON Schema's `pattern` means it.
///
/// # Errors
/// As for [`parse`].
pub fn parse_search(regexes: &mut Regexes, pattern: &str, dialect: Dialect) -> Result<RegexId, ParseError> {
    let (pattern, kinds) = read(regexes, pattern, dialect)?;
    Ok(regexes.search(pattern, kinds))
}

fn read(regexes: &mut Regexes, pattern: &str, dialect: Dialect) -> Result<(PatternId, Kinds), ParseError> {
    let line = regexes.class(sets::line_terminators(dialect));
    let word = regexes.class(sets::word(dialect));
    let pattern = syntax::Parser::new(regexes, pattern, dialect).parse()?;
    Ok((pattern, Kinds { line, word }))
}
