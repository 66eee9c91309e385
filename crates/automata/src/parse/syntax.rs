//! Alternatives, sequences, groups, quantifiers and flags.
use super::escape::{backreference, Escape};
use super::{sets, Dialect, ParseError, MAX_COUNT, MAX_NESTING};
use crate::charset::CharSet;
use crate::pattern::{Pattern, PatternId, MAX_UNROLLED};
use crate::regex::{Regexes, INFINITE};

#[derive(Clone, Copy, Default)]
pub(super) struct Flags {
    pub ignore_case: bool,
    pub multi_line: bool,
    pub dot_all: bool,
    pub verbose: bool,
}

/// A recursive descent over characters whose depth is bounded by `max_regex_nesting`.
pub(super) struct Parser<'a> {
    regexes: &'a mut Regexes,
    pub text: Vec<char>,
    /// The next character, as an index into `text`.
    pub position: usize,
    pub dialect: Dialect,
    pub flags: Flags,
    /// How many capturing groups the whole pattern has: it decides what `\1` means in ECMA.
    pub num_groups: usize,
    pub has_named_groups: bool,
    depth: usize,
}

/// What a quantifier may follow.
#[derive(Clone, Copy, PartialEq)]
enum Quantifiable {
    Yes,
    No,
}

impl<'a> Parser<'a> {
    pub fn new(regexes: &'a mut Regexes, text: &str, dialect: Dialect) -> Parser<'a> {
        let text: Vec<char> = text.chars().collect();
        let (num_groups, has_named_groups) = count_groups(&text);
        Parser {
            regexes,
            text,
            position: 0,
            dialect,
            flags: Flags::default(),
            num_groups,
            has_named_groups,
            depth: 0,
        }
    }

    pub fn parse(mut self) -> Result<PatternId, ParseError> {
        let pattern = self.alternatives()?;
        match self.peek() {
            None => Ok(pattern),
            Some(_) => Err(ParseError::syntax(self.position, "unmatched `)`; escape it or open a group")),
        }
    }

    pub fn peek(&self) -> Option<char> {
        self.text.get(self.position).copied()
    }

    pub fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.position += 1;
        Some(character)
    }

    pub fn take(&mut self, expected: char) -> bool {
        let taken = self.peek() == Some(expected);
        self.position += usize::from(taken);
        taken
    }

    fn take_text(&mut self, expected: &str) -> bool {
        let taken = expected
            .chars()
            .enumerate()
            .all(|(i, c)| self.text.get(self.position + i) == Some(&c));
        self.position += if taken { expected.chars().count() } else { 0 };
        taken
    }

    fn alternatives(&mut self) -> Result<PatternId, ParseError> {
        let mut parts = vec![self.sequence()?];
        while self.take('|') {
            parts.push(self.sequence()?);
        }
        Ok(match parts[..] {
            [only] => only,
            _ => self.regexes.pattern_or(&parts),
        })
    }

    fn sequence(&mut self) -> Result<PatternId, ParseError> {
        let mut parts = Vec::new();
        loop {
            self.skip_comments();
            match self.peek() {
                None | Some('|' | ')') => return Ok(self.regexes.pattern_concat(&parts)),
                Some(_) => {
                    if let Some((part, quantifiable)) = self.item()? {
                        parts.push(self.quantified(part, quantifiable)?);
                    }
                }
            }
        }
    }

    /// In verbose mode, white space and comments mean nothing between items.
    fn skip_comments(&mut self) {
        while self.flags.verbose {
            match self.peek() {
                Some('#') => while self.next().is_some_and(|c| c != '\n') {},
                Some(c) if c.is_whitespace() => self.position += 1,
                _ => return,
            }
        }
    }

    /// `None` for what has no text and no place: flags, comments.
    fn item(&mut self) -> Result<Option<(PatternId, Quantifiable)>, ParseError> {
        let start = self.position;
        let character = self.next().expect("the caller saw a character");
        let rust = self.dialect == Dialect::Rust;
        let anchor = if rust { Quantifiable::Yes } else { Quantifiable::No };
        let pattern = match character {
            '(' => return self.group(start),
            '^' if self.flags.multi_line => return self.assertion(Pattern::LineStart, anchor),
            '$' if self.flags.multi_line => return self.assertion(Pattern::LineEnd, anchor),
            '^' => return self.assertion(Pattern::TextStart, anchor),
            '$' => return self.assertion(Pattern::TextEnd, anchor),
            '[' => {
                let set = self.class()?;
                self.set(set)
            }
            '.' => {
                let set = match self.flags.dot_all {
                    true => CharSet::all(),
                    false => sets::line_terminators(self.dialect).complement(),
                };
                self.set(set)
            }
            '\\' => match self.escape(false)? {
                Escape::Set(set) => self.folded(set),
                Escape::Character(character) => self.folded(CharSet::new([(character, character)])),
                Escape::WordBoundary { negated } => return self.assertion(Pattern::WordBoundary { negated }, anchor),
                Escape::TextStart => return self.assertion(Pattern::TextStart, anchor),
                Escape::TextEnd => return self.assertion(Pattern::TextEnd, anchor),
            },
            '*' | '+' | '?' => {
                return Err(ParseError::syntax(
                    start,
                    "nothing to repeat; escape the quantifier or move it",
                ))
            }
            '{' if rust || self.dialect == Dialect::Ecma && self.bounds_at(start)?.is_some() => {
                return Err(ParseError::syntax(start, "nothing to repeat; escape the brace as `\\{`"));
            }
            _ => self.folded(CharSet::single(character)),
        };
        Ok(Some((pattern, Quantifiable::Yes)))
    }

    fn assertion(
        &mut self,
        pattern: Pattern,
        quantifiable: Quantifiable,
    ) -> Result<Option<(PatternId, Quantifiable)>, ParseError> {
        Ok(Some((self.regexes.pattern(pattern), quantifiable)))
    }

    fn set(&mut self, set: CharSet) -> PatternId {
        let term = self.regexes.class(set);
        self.regexes.pattern_term(term)
    }

    fn folded(&mut self, set: CharSet) -> PatternId {
        let set = if self.flags.ignore_case { sets::fold_case(&set) } else { set };
        self.set(set)
    }

    /// The item with the quantifiers that follow it. Each one more counts as a level of nesting.
    fn quantified(&mut self, mut part: PatternId, quantifiable: Quantifiable) -> Result<PatternId, ParseError> {
        let mut count = 0;
        loop {
            self.skip_comments();
            let start = self.position;
            let Some((min, max)) = self.quantifier()? else {
                return Ok(part);
            };
            if quantifiable == Quantifiable::No {
                return Err(ParseError::syntax(
                    start,
                    "an assertion cannot be repeated; drop the quantifier",
                ));
            }
            if count > 0 && self.dialect != Dialect::Rust {
                return Err(ParseError::syntax(
                    start,
                    "a quantifier follows a quantifier; put a group around the first",
                ));
            }
            count += 1;
            if self.depth + count > MAX_NESTING {
                return Err(ParseError::limit(start, "max_regex_nesting", MAX_NESTING as u64));
            }
            let lazy = self.take('?');
            if !lazy && self.dialect == Dialect::Python && self.take('+') {
                return Err(ParseError::unsupported(start, "possessive quantifier", "use a greedy one"));
            }
            let unrolled = ParseError::limit(start, "max_unrolled_assertions", u64::from(MAX_UNROLLED));
            part = self.regexes.pattern_repeat(part, min, max).ok_or(unrolled)?;
        }
    }

    fn quantifier(&mut self) -> Result<Option<(u32, u32)>, ParseError> {
        let counts = match self.peek() {
            Some('*') => (0, INFINITE),
            Some('+') => (1, INFINITE),
            Some('?') => (0, 1),
            Some('{') => {
                let start = self.position;
                return match self.bounds_at(start)? {
                    Some((min, max, end)) => {
                        self.position = end;
                        Ok(Some((min, max)))
                    }
                    None if self.dialect == Dialect::Rust => {
                        Err(ParseError::syntax(start, "malformed counts; write `{m}`, `{m,}` or `{m,n}`"))
                    }
                    None => Ok(None),
                };
            }
            _ => return Ok(None),
        };
        self.position += 1;
        Ok(Some(counts))
    }

    /// (min, max, end) of the counts whose brace is at `start`; `None` where it is no quantifier.
    fn bounds_at(&self, start: usize) -> Result<Option<(u32, u32, usize)>, ParseError> {
        let length = self.text[start..].iter().take(64).position(|&c| c == '}');
        let Some(length) = length else {
            return Ok(None);
        };
        let inner: String = self.text[start + 1..start + length].iter().collect();
        let (low, high) = match inner.split_once(',') {
            Some((low, high)) => (low, Some(high)),
            None => (inner.as_str(), None),
        };
        let plain = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        let min_is_optional = self.dialect == Dialect::Python && high.is_some();
        if !plain(low) || !plain(high.unwrap_or("")) || low.is_empty() && !min_is_optional {
            return Ok(None);
        }
        let count = |text: &str| match text.parse::<u32>() {
            Ok(count) if count <= MAX_COUNT => Ok(count),
            _ => Err(ParseError::limit(start, "max_regex_count", u64::from(MAX_COUNT))),
        };
        let min = if low.is_empty() { 0 } else { count(low)? };
        let max = match high {
            None => min,
            Some("") => INFINITE,
            Some(high) => count(high)?,
        };
        if min > max {
            return Err(ParseError::syntax(
                start,
                format!("counts `{{{inner}}}` run backwards; swap them"),
            ));
        }
        Ok(Some((min, max, start + length + 1)))
    }

    /// Reads the group whose bracket, at `start`, has just been taken.
    fn group(&mut self, start: usize) -> Result<Option<(PatternId, Quantifiable)>, ParseError> {
        let outer = self.flags;
        let mut lookahead = None;
        if self.take('?') {
            match self.peek() {
                Some(sign @ ('=' | '!')) => {
                    self.position += 1;
                    lookahead = Some(sign == '!');
                }
                Some('#') if self.dialect == Dialect::Python => return self.comment(start),
                _ => {
                    if self.group_head(start)? {
                        return Ok(None);
                    }
                }
            }
        }
        let body = self.group_body(start)?;
        self.flags = outer;
        Ok(Some(match lookahead {
            None => (body, Quantifiable::Yes),
            Some(negated) => (self.regexes.pattern(Pattern::Lookahead { body, negated }), Quantifiable::Yes),
        }))
    }

    fn group_body(&mut self, start: usize) -> Result<PatternId, ParseError> {
        if self.depth == MAX_NESTING {
            return Err(ParseError::limit(start, "max_regex_nesting", MAX_NESTING as u64));
        }
        self.depth += 1;
        let body = self.alternatives()?;
        self.depth -= 1;
        if !self.take(')') {
            return Err(ParseError::syntax(start, "a group is not closed; add `)`"));
        }
        Ok(body)
    }

    fn comment(&mut self, start: usize) -> Result<Option<(PatternId, Quantifiable)>, ParseError> {
        while let Some(character) = self.next() {
            if character == ')' {
                return Ok(None);
            }
        }
        Err(ParseError::syntax(start, "a comment is not closed; add `)`"))
    }

    /// What stands between `(?` and the body; true when the group was flags only, as in `(?i)`.
    fn group_head(&mut self, start: usize) -> Result<bool, ParseError> {
        if self.take_text("<=") || self.take_text("<!") {
            return Err(ParseError::unsupported(
                start,
                "lookbehind",
                "say it with a lookahead or alternatives",
            ));
        }
        if self.take('>') {
            return Err(ParseError::unsupported(start, "atomic group", "use `(?:...)`"));
        }
        if self.take('(') {
            return Err(ParseError::unsupported(
                start,
                "conditional group",
                "write the alternatives out",
            ));
        }
        if self.take_text("P=") {
            return Err(backreference(start));
        }
        let named = match self.dialect {
            Dialect::Ecma => self.take('<'),
            Dialect::Rust => self.take_text("P<") || self.take('<'),
            Dialect::Python => self.take_text("P<"),
        };
        if named {
            return self.group_name(start).map(|()| false);
        }
        self.group_flags(start)
    }

    fn group_name(&mut self, start: usize) -> Result<(), ParseError> {
        let first = self.position;
        while self.peek().is_some_and(|c| c.is_alphanumeric() || "_$.[]".contains(c)) {
            self.position += 1;
        }
        let is_name = self.text.get(first).is_some_and(|c| !c.is_numeric());
        if self.position == first || !is_name || !self.take('>') {
            return Err(ParseError::syntax(
                start,
                "malformed group name; use letters, digits and `_`, then `>`",
            ));
        }
        Ok(())
    }

    /// `i m s x`, and a minus before those to clear, up to `:` or `)`. Greediness (`U`) does not change the language.
    fn group_flags(&mut self, start: usize) -> Result<bool, ParseError> {
        let mut value = true;
        loop {
            let unknown = ParseError::syntax(start, "unknown group; use `(?:...)`, a lookahead, a name or the flags `imsx`");
            match self.next() {
                Some('i') => self.flags.ignore_case = value,
                Some('m') => self.flags.multi_line = value,
                Some('s') => self.flags.dot_all = value,
                Some('x') if self.dialect != Dialect::Ecma => self.flags.verbose = value,
                Some('U') if self.dialect == Dialect::Rust => {}
                Some('u') if self.dialect != Dialect::Ecma && value => {}
                Some('u' | 'R') if self.dialect == Dialect::Rust => {
                    return Err(ParseError::unsupported(start, "flag `-u` or `R`", "leave it out"));
                }
                Some('a' | 'L') if self.dialect == Dialect::Python => {
                    return Err(ParseError::unsupported(start, "flag `a` or `L`", "write ASCII classes out"));
                }
                Some('-') if value => value = false,
                Some(':') => return Ok(false),
                Some(')') if self.dialect != Dialect::Ecma && self.position > start + 3 => {
                    if self.dialect == Dialect::Python && start > 0 {
                        return Err(ParseError::syntax(start, "global flags stand at the start; use `(?i:...)`"));
                    }
                    return Ok(true);
                }
                _ => return Err(unknown),
            }
        }
    }
}

/// (capturing groups, whether one is named) of a whole pattern, good enough before it is parsed.
fn count_groups(text: &[char]) -> (usize, bool) {
    let (mut count, mut named, mut in_class, mut i) = (0, false, false, 0);
    while i < text.len() {
        match text[i] {
            '\\' => i += 1,
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => {
                let name = text[i + 1..].starts_with(&['?', '<']) && !matches!(text.get(i + 3), Some('=' | '!'));
                count += usize::from(name || text.get(i + 1) != Some(&'?'));
                named |= name;
            }
            _ => {}
        }
        i += 1;
    }
    (count, named)
}
