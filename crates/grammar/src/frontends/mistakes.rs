//! Collects the mistakes of one text, so that all of them are reported at once.
use crate::error::{GrammarError, GrammarErrorKind, Problem};
use crate::frontends::regex::compile_pattern;
use penstock_automata::{Dialect, Limit, Regexes};

/// How many mistakes of one text are reported.
pub(crate) const MAX_PROBLEMS: usize = 100;

/// The mistakes found so far, in the order in which they were found.
pub(super) struct Mistakes<'a> {
    pub text: &'a str,
    found: Vec<(usize, GrammarErrorKind, Problem)>,
    limit: Option<Limit>,
}

/// The byte at a line and column of a text, both from 1; 0 where the line is.
fn byte_at(text: &str, line: usize, column: usize) -> usize {
    let lines = text.split_inclusive('\n');
    let before: usize = lines.take(line.saturating_sub(1)).map(str::len).sum();
    let rest = &text[before..];
    let inside = rest.char_indices().nth(column.saturating_sub(1));
    before + inside.map_or(rest.len(), |(at, _)| at)
}

impl<'a> Mistakes<'a> {
    pub fn new(text: &'a str) -> Mistakes<'a> {
        Mistakes {
            text,
            found: Vec::new(),
            limit: None,
        }
    }

    pub fn syntax(&mut self, offset: usize, message: impl Into<String>, hint: impl Into<String>) {
        self.add(GrammarErrorKind::Syntax, offset, message.into(), hint.into());
    }

    pub fn unsupported(&mut self, offset: usize, message: impl Into<String>, hint: impl Into<String>) {
        self.add(GrammarErrorKind::Unsupported, offset, message.into(), hint.into());
    }

    pub fn limit(&mut self, offset: usize, limit: Limit, hint: impl Into<String>) {
        let message = format!("this exceeds `{}` of {}", limit.name, limit.configured);
        self.limit.get_or_insert(limit);
        self.add(GrammarErrorKind::Limit, offset, message, hint.into());
    }

    /// An error of another text that stands at `offset` of this one: a pattern inside `Regex(...)`.
    pub fn nested(&mut self, offset: usize, error: GrammarError) {
        if let Some(limit) = error.limit {
            self.limit.get_or_insert(limit);
        }
        for problem in error.problems {
            self.add(error.kind, offset, problem.message, problem.hint);
        }
    }

    /// Whether `pattern`, which stands behind the quote at `offset`, compiles as `whole`: the same with its flags. Else its
    /// mistakes are noted, at their places in the pattern where it is wrong without its flags, too.
    pub fn check_pattern(&mut self, offset: usize, pattern: &str, whole: &str, dialect: Dialect) -> bool {
        let Err(error) = compile_pattern(&mut Regexes::new(), whole, dialect) else {
            return true;
        };
        let plain = compile_pattern(&mut Regexes::new(), pattern, dialect).err();
        self.in_pattern(offset, pattern, plain.unwrap_or(error));
        false
    }

    /// An error of `pattern`, which stands behind the quote at `offset`. Where it is written with escapes the quote is the place.
    fn in_pattern(&mut self, offset: usize, pattern: &str, error: GrammarError) {
        let start = offset + 1;
        let as_written = self.text.get(start..).is_some_and(|text| text.starts_with(pattern));
        if !as_written {
            return self.nested(offset, error);
        }
        if let Some(limit) = error.limit {
            self.limit.get_or_insert(limit);
        }
        for problem in error.problems {
            let inner = byte_at(pattern, problem.line, problem.column);
            self.add(error.kind, start + inner, problem.message, problem.hint);
        }
    }

    fn add(&mut self, kind: GrammarErrorKind, offset: usize, message: String, hint: String) {
        // What is read several times is wrong once.
        let known = |found: &(usize, GrammarErrorKind, Problem)| found.0 == offset && found.2.message == message;
        if !self.is_full() && !self.found.iter().any(known) {
            self.found.push((offset, kind, Problem::at(self.text, offset, message, hint)));
        }
    }

    pub fn is_full(&self) -> bool {
        self.found.len() >= MAX_PROBLEMS
    }

    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All mistakes in the order of their places. A text that is no grammar is called so before anything else.
    pub fn into_error(mut self) -> GrammarError {
        use GrammarErrorKind::{EmptyLanguage, Limit, Syntax, Unsupported};
        self.found.sort_by_key(|mistake| mistake.0);
        let has = |kind| self.found.iter().any(|mistake| mistake.1 == kind);
        let kind = [Syntax, Limit, Unsupported, EmptyLanguage]
            .into_iter()
            .find(|&kind| has(kind))
            .unwrap_or(Syntax);
        GrammarError {
            limit: self.limit.filter(|_| kind == Limit),
            ..GrammarError::new(kind, self.found.into_iter().map(|mistake| mistake.2).collect())
        }
    }
}
