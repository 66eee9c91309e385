//! Patterns and formats to languages, each read once.
use crate::machine::SchemaMachine;
use penstock_automata::{format, parse_search, Dialect, ParseError, ParseErrorKind, RegexId};

/// Why a pattern or a format has no language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PatternError {
    pub reason: String,
    pub is_syntax: bool,
}

impl From<ParseError> for PatternError {
    fn from(error: ParseError) -> PatternError {
        PatternError {
            is_syntax: error.kind == ParseErrorKind::Syntax,
            reason: error.message,
        }
    }
}

impl SchemaMachine {
    /// The texts in which a pattern matches somewhere.
    pub(crate) fn pattern_of(&mut self, pattern: &str) -> Result<RegexId, PatternError> {
        if let Some(known) = self.memo.patterns.get(pattern) {
            return known.clone();
        }
        let found = parse_search(&mut self.regexes, pattern, Dialect::Ecma).map_err(PatternError::from);
        self.memo.patterns.insert(pattern.into(), found.clone());
        found
    }

    /// The texts of a format; `None` if it is no known one.
    pub(crate) fn format_of(&mut self, name: &str) -> Result<Option<RegexId>, PatternError> {
        if let Some(known) = self.memo.formats.get(name) {
            return known.clone();
        }
        let found = format(&mut self.regexes, name).map_err(PatternError::from);
        self.memo.formats.insert(name.into(), found.clone());
        found
    }
}
