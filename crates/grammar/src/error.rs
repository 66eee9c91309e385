//! What is wrong with a grammar: every mistake at once, each with its place and a way out.
use penstock_automata::Limit;
use std::fmt;

/// How many characters of a line a snippet shows.
const MAX_SNIPPET_CHARS: usize = 100;

/// The sort of a [`GrammarError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GrammarErrorKind {
    /// The text is no grammar.
    Syntax,
    /// Correct, but refused: the problem names the construct.
    Unsupported,
    /// No text matches.
    EmptyLanguage,
    /// A named limit was reached.
    Limit,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// From 1; 0 where the mistake has no place in a text. Where there is a pointer, too: in the text that stands there.
    pub line: usize,
    /// In characters, from 1; 0 where the mistake has no place in a text.
    pub column: usize,
    /// What is wrong: lower case, values in backticks.
    pub message: String,
    /// JSON pointer of the mistake, or of the text that holds it, where JSON was read; else empty.
    pub pointer: String,
    /// The way out.
    pub hint: String,
    /// The line with a caret under the place; empty without a place.
    pub snippet: String,
}

impl Problem {
    /// A mistake that has no place in a text.
    pub fn without_place(message: impl Into<String>, hint: impl Into<String>) -> Problem {
        Problem {
            line: 0,
            column: 0,
            message: message.into(),
            pointer: String::new(),
            hint: hint.into(),
            snippet: String::new(),
        }
    }

    /// A mistake at a JSON pointer.
    pub fn at_pointer(pointer: String, message: impl Into<String>, hint: impl Into<String>) -> Problem {
        Problem {
            pointer,
            ..Problem::without_place(message, hint)
        }
    }

    /// A mistake at the byte `offset` of `text`.
    pub fn at(text: &str, offset: usize, message: impl Into<String>, hint: impl Into<String>) -> Problem {
        let before = &text[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[offset..].find('\n').map_or(text.len(), |at| offset + at);
        let column = text[line_start..offset].chars().count();
        Problem {
            line: before.matches('\n').count() + 1,
            column: column + 1,
            message: message.into(),
            pointer: String::new(),
            hint: hint.into(),
            snippet: snippet(text[line_start..line_end].trim_end_matches('\r'), column),
        }
    }
}

/// The line (its part around the place, where it is long) and a caret under the place.
fn snippet(line: &str, column: usize) -> String {
    let start = if column < MAX_SNIPPET_CHARS {
        0
    } else {
        column - MAX_SNIPPET_CHARS / 2
    };
    let shown: String = line
        .chars()
        .skip(start)
        .take(MAX_SNIPPET_CHARS)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    format!("{shown}\n{}^", " ".repeat(column - start))
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.pointer.is_empty() {
            write!(f, "at `{}`: ", self.pointer)?;
        }
        if self.line > 0 {
            write!(f, "{}:{}: ", self.line, self.column)?;
        }
        write!(f, "{}; {}", self.message, self.hint)?;
        for line in self.snippet.lines() {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}

/// A grammar that can't be used, with every mistake that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrammarError {
    /// The sort of the first problem that decides: syntax before refusals.
    pub kind: GrammarErrorKind,
    /// At least one, in the order of their places.
    pub problems: Vec<Problem>,
    /// The limit that was reached, where the kind is [`GrammarErrorKind::Limit`].
    pub limit: Option<Limit>,
}

impl GrammarError {
    /// An error of one kind.
    pub fn new(kind: GrammarErrorKind, problems: Vec<Problem>) -> GrammarError {
        GrammarError {
            kind,
            problems,
            limit: None,
        }
    }

    /// A limit of the grammar or of its automata was reached.
    pub fn limit(limit: Limit, what: impl fmt::Display) -> GrammarError {
        let problem = Problem::without_place(
            format!("{what} exceeds `{}` of {}", limit.name, limit.configured),
            format!("make it smaller or raise `{}`", limit.name),
        );
        GrammarError {
            limit: Some(limit),
            ..GrammarError::new(GrammarErrorKind::Limit, vec![problem])
        }
    }
}

impl fmt::Display for GrammarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for GrammarError {}
