//! Patterns: terms with assertions (`^`, `$`, `\b`, lookahead). Parts without assertions stay terms; `lower.rs` makes a term
//! of the whole.
use crate::charset::CharSet;
use crate::regex::{Node, RegexId, Regexes, INFINITE};
use rustc_hash::FxHashMap;
use std::hash::Hash;

/// A pattern of a [`Regexes`] arena. Equal ids are equal patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PatternId(pub u32);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pattern {
    /// A part without assertions.
    Term(RegexId),
    Concat(Box<[PatternId]>),
    Or(Box<[PatternId]>),
    Repeat {
        body: PatternId,
        min: u32,
        max: u32,
    },
    TextStart,
    TextEnd,
    LineStart,
    LineEnd,
    WordBoundary {
        negated: bool,
    },
    Lookahead {
        body: PatternId,
        negated: bool,
    },
}

/// What follows, for each kind of place.
pub(crate) type Follow = [RegexId; 4];

/// The characters that decide the kind of a place, as classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Kinds {
    pub line: RegexId,
    pub word: RegexId,
}

/// `min` to `max` iterations of `body`, none of them empty, then `after`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Loop {
    pub body: PatternId,
    pub min: u32,
    pub max: u32,
    pub after: Follow,
    pub kinds: Kinds,
}

/// Hash-consed values with small numbers.
#[derive(Debug)]
pub(crate) struct Interner<T> {
    pub list: Vec<T>,
    ids: FxHashMap<T, u32>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Interner {
            list: Vec::new(),
            ids: FxHashMap::default(),
        }
    }
}

impl<T: Clone + Eq + Hash> Interner<T> {
    pub fn intern(&mut self, value: T) -> u32 {
        if let Some(&id) = self.ids.get(&value) {
            return id;
        }
        let id = self.list.len() as u32;
        self.list.push(value.clone());
        self.ids.insert(value, id);
        id
    }
}

/// Constructors: parts without assertions stay terms.
impl Regexes {
    pub(crate) fn pattern(&mut self, pattern: Pattern) -> PatternId {
        PatternId(self.patterns.intern(pattern))
    }

    pub(crate) fn pattern_term(&mut self, term: RegexId) -> PatternId {
        self.pattern(Pattern::Term(term))
    }

    fn as_term(&self, pattern: PatternId) -> Option<RegexId> {
        match self.patterns.list[pattern.0 as usize] {
            Pattern::Term(term) => Some(term),
            _ => None,
        }
    }

    pub(crate) fn pattern_concat(&mut self, parts: &[PatternId]) -> PatternId {
        let (mut joined, mut run) = (Vec::new(), Vec::new());
        for &part in parts {
            match self.as_term(part) {
                Some(term) => run.push(term),
                None => {
                    self.flush(&mut run, &mut joined);
                    joined.push(part);
                }
            }
        }
        if !run.is_empty() || joined.is_empty() {
            let term = self.concat_all(&run);
            joined.push(self.pattern_term(term));
        }
        match joined[..] {
            [only] => only,
            _ => self.pattern(Pattern::Concat(joined.into())),
        }
    }

    fn flush(&mut self, run: &mut Vec<RegexId>, joined: &mut Vec<PatternId>) {
        if !run.is_empty() {
            let term = self.concat_all(run);
            joined.push(self.pattern_term(term));
            run.clear();
        }
    }

    pub(crate) fn pattern_or(&mut self, parts: &[PatternId]) -> PatternId {
        let terms: Vec<RegexId> = parts.iter().filter_map(|&part| self.as_term(part)).collect();
        let mut rest: Vec<PatternId> = parts.iter().copied().filter(|&part| self.as_term(part).is_none()).collect();
        if !terms.is_empty() {
            let term = self.or_of_words(&terms);
            rest.push(self.pattern_term(term));
        }
        match rest[..] {
            [only] => only,
            _ => self.pattern(Pattern::Or(rest.into())),
        }
    }

    /// Long lists of literals become one word list: its steps cost a logarithm.
    fn or_of_words(&mut self, terms: &[RegexId]) -> RegexId {
        const WORTH_A_LIST: usize = 8;
        let words: Vec<String> = terms.iter().filter_map(|&term| self.as_literal(term)).collect();
        if words.len() < WORTH_A_LIST {
            return self.or(terms);
        }
        let mut parts = vec![self.words(words.iter().map(String::as_str))];
        parts.extend(terms.iter().filter(|&&term| self.as_literal(term).is_none()));
        self.or(&parts)
    }

    /// The text of a term that has exactly one, spelled as a plain concatenation.
    fn as_literal(&self, term: RegexId) -> Option<String> {
        let (mut text, mut rest) = (String::new(), term);
        while rest != RegexId::EMPTY {
            let (head, tail) = match *self.node(rest) {
                Node::Concat(head, tail) => (head, tail),
                _ => (rest, RegexId::EMPTY),
            };
            match self.as_class(head).map(CharSet::ranges) {
                Some(&[(low, high)]) if low == high => text.push(char::from_u32(low)?),
                _ => return None,
            }
            rest = tail;
        }
        Some(text)
    }

    /// `None` when an assertion would have to be repeated more than `max_unrolled` times one by one.
    pub(crate) fn pattern_repeat(&mut self, body: PatternId, min: u32, max: u32) -> Option<PatternId> {
        if let Some(term) = self.as_term(body) {
            let term = self.repeat(term, min, max);
            return Some(self.pattern_term(term));
        }
        if min == 0 || !self.may_be_empty(body) {
            return Some(self.pattern(Pattern::Repeat { body, min, max }));
        }
        // An iteration that takes no text still asserts, so the first ones are written out.
        if min > MAX_UNROLLED {
            return None;
        }
        let mut parts = vec![body; min as usize];
        if max > min {
            let max = if max == INFINITE { max } else { max - min };
            parts.push(self.pattern(Pattern::Repeat { body, min: 0, max }));
        }
        Some(self.pattern_concat(&parts))
    }

    /// Whether the pattern may match without taking a character.
    fn may_be_empty(&self, pattern: PatternId) -> bool {
        match &self.patterns.list[pattern.0 as usize] {
            Pattern::Term(term) => self.is_nullable(*term),
            Pattern::Concat(parts) => parts.iter().all(|&part| self.may_be_empty(part)),
            Pattern::Or(parts) => parts.iter().any(|&part| self.may_be_empty(part)),
            Pattern::Repeat { body, min, .. } => *min == 0 || self.may_be_empty(*body),
            _ => true,
        }
    }
}

/// `max_unrolled_assertions`: how often a body that may be empty and asserts something can be demanded.
pub(crate) const MAX_UNROLLED: u32 = 1_000;
