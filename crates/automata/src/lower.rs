//! Patterns -> terms: assertions are resolved right to left, with what follows in hand.
//!
//! An assertion speaks of its place, not of a text of its own, so a pattern only becomes a term together with what follows
//! it. [`Follow`] is what follows, once for each kind of character that may come before. A repetition whose body asserts
//! something becomes a [`Loop`]: a term that unrolls one iteration when its edges are asked for.
use crate::charset::CharSet;
use crate::pattern::{Follow, Kinds, Loop, Pattern, PatternId};
use crate::regex::{Node, RegexId, Regexes, INFINITE};

/// How many kinds of place there are: at the start, after a line break, after a word character, after any other.
const PLACES: usize = 4;
const START: usize = 0;
const LINE: usize = 1;
const WORD: usize = 2;
const OTHER: usize = 3;

impl Regexes {
    /// The texts that match `pattern` as a whole.
    pub(crate) fn whole_match(&mut self, pattern: PatternId, kinds: Kinds) -> RegexId {
        self.follow(pattern, [RegexId::EMPTY; PLACES], kinds)[START]
    }

    /// The texts that hold a match of `pattern` somewhere.
    pub(crate) fn search(&mut self, pattern: PatternId, kinds: Kinds) -> RegexId {
        let found = self.follow(pattern, [RegexId::ANYTHING; PLACES], kinds);
        if found[1..].iter().all(|&term| term == found[START]) {
            return self.concat(RegexId::ANYTHING, found[START]);
        }
        let mut parts = vec![found[START]];
        for (set, after) in self.split_by_place(&CharSet::all(), &found, kinds) {
            let last = self.class(set);
            let later = self.concat(last, after);
            parts.push(self.concat(RegexId::ANYTHING, later));
        }
        self.or(&parts)
    }

    /// `set` in parts whose characters lead to the same `after`.
    fn split_by_place(&self, set: &CharSet, after: &Follow, kinds: Kinds) -> Vec<(CharSet, RegexId)> {
        let mut parts: Vec<(CharSet, RegexId)> = Vec::new();
        for place in [LINE, WORD, OTHER] {
            let some = set.intersection(&self.place_set(place, kinds));
            match parts.iter_mut().find(|part| part.1 == after[place]) {
                Some(part) => part.0 = part.0.union(&some),
                None => parts.push((some, after[place])),
            }
        }
        parts.retain(|part| !part.0.is_empty());
        parts
    }

    fn place_set(&self, place: usize, kinds: Kinds) -> CharSet {
        let set = |term| self.as_class(term).cloned().unwrap_or_default();
        match place {
            LINE => set(kinds.line),
            WORD => set(kinds.word),
            _ => set(kinds.line).union(&set(kinds.word)).complement(),
        }
    }

    /// `pattern`, then `after`.
    fn follow(&mut self, pattern: PatternId, after: Follow, kinds: Kinds) -> Follow {
        match self.patterns.list[pattern.0 as usize].clone() {
            Pattern::Term(term) => {
                let empty = if self.is_nullable(term) {
                    after
                } else {
                    [RegexId::NEVER; PLACES]
                };
                let some = self.follow_term(term, after, kinds);
                self.either(some, empty)
            }
            Pattern::Concat(parts) => parts.iter().rev().fold(after, |after, &part| self.follow(part, after, kinds)),
            Pattern::Or(parts) => parts.iter().fold([RegexId::NEVER; PLACES], |sum, &part| {
                let one = self.follow(part, after, kinds);
                self.either(sum, one)
            }),
            Pattern::Repeat { body, min, max } => self.follow_repeat(body, min, max, after, kinds),
            Pattern::TextStart => [after[START], RegexId::NEVER, RegexId::NEVER, RegexId::NEVER],
            Pattern::LineStart => [after[START], after[LINE], RegexId::NEVER, RegexId::NEVER],
            Pattern::TextEnd => after.map(|term| self.and(&[term, RegexId::EMPTY])),
            Pattern::LineEnd => {
                let line = self.concat(kinds.line, RegexId::ANYTHING);
                let end = self.optional(line);
                after.map(|term| self.and(&[term, end]))
            }
            Pattern::WordBoundary { negated } => self.follow_boundary(negated, after, kinds),
            Pattern::Lookahead { body, negated } => {
                let ahead = self.follow(body, [RegexId::ANYTHING; PLACES], kinds);
                std::array::from_fn(|place| {
                    let ahead = if negated { self.not(ahead[place]) } else { ahead[place] };
                    self.and(&[after[place], ahead])
                })
            }
        }
    }

    fn either(&mut self, a: Follow, b: Follow) -> Follow {
        std::array::from_fn(|place| self.or(&[a[place], b[place]]))
    }

    /// A word character comes next exactly when the last one was none (or was one, negated).
    fn follow_boundary(&mut self, negated: bool, after: Follow, kinds: Kinds) -> Follow {
        let word = self.concat(kinds.word, RegexId::ANYTHING);
        let no_word = self.not(word);
        std::array::from_fn(|place| {
            let next = if (place == WORD) == negated { word } else { no_word };
            self.and(&[after[place], next])
        })
    }

    /// One or more characters of `term`, then `after`.
    fn follow_term(&mut self, term: RegexId, after: Follow, kinds: Kinds) -> Follow {
        let some = self.without_empty(term);
        if after[LINE] == after[WORD] && after[WORD] == after[OTHER] {
            return [self.concat(some, after[OTHER]); PLACES];
        }
        let mut parts = Vec::new();
        for (set, after) in self.split_by_place(&self.last_characters(some), &after, kinds) {
            let head = self.ending_in(some, set);
            parts.push(self.concat(head, after));
        }
        [self.or(&parts); PLACES]
    }

    /// The texts of `term` whose last character is in `set`.
    fn ending_in(&mut self, term: RegexId, set: CharSet) -> RegexId {
        let all = self.last_characters(term);
        if all.intersection(&set) == all {
            return term;
        }
        if let Some(class) = self.as_class(term).cloned() {
            return self.class(class.intersection(&set));
        }
        let last = self.class(set);
        let ending = self.concat(RegexId::ANYTHING, last);
        self.and(&[term, ending])
    }

    /// At least the characters that a text of `term` may end with.
    fn last_characters(&self, term: RegexId) -> CharSet {
        match self.node(term) {
            Node::Never | Node::Empty => CharSet::default(),
            Node::Class(set) => set.clone(),
            Node::Or(parts) => parts
                .iter()
                .fold(CharSet::default(), |sum, &part| sum.union(&self.last_characters(part))),
            Node::Repeat { body, .. } => self.last_characters(*body),
            Node::Concat(..) => {
                let mut sum = CharSet::default();
                for part in self.spine(term).into_iter().rev() {
                    sum = sum.union(&self.last_characters(part));
                    if !self.is_nullable(part) {
                        break;
                    }
                }
                sum
            }
            _ => CharSet::all(),
        }
    }

    /// The texts of `term` but for the empty one.
    fn without_empty(&mut self, term: RegexId) -> RegexId {
        if !self.is_nullable(term) {
            return term;
        }
        match *self.node(term) {
            Node::Empty => RegexId::NEVER,
            Node::Repeat { body, max, .. } if !self.is_nullable(body) => self.repeat(body, 1, max),
            _ => {
                let some = self.repeat(RegexId::ANY, 1, INFINITE);
                self.and(&[term, some])
            }
        }
    }

    fn follow_repeat(&mut self, body: PatternId, min: u32, max: u32, after: Follow, kinds: Kinds) -> Follow {
        if max == 0 {
            return after;
        }
        if max == 1 {
            let one = self.follow(body, after, kinds);
            return if min == 1 { one } else { self.either(one, after) };
        }
        let spec = Loop {
            body,
            min,
            max,
            after,
            kinds,
        };
        self.looped(spec)
    }

    fn looped(&mut self, spec: Loop) -> Follow {
        let blind = !self.looks_behind(spec.body);
        let after = spec.after;
        let number = self.loops.intern(spec);
        std::array::from_fn(|place| {
            // Places that the body cannot tell apart share one term.
            let same = (0..place).find(|&other| blind && after[other] == after[place]);
            self.intern(Node::Loop {
                spec: number,
                place: same.unwrap_or(place) as u8,
            })
        })
    }

    /// Whether the kind of its place matters to the pattern.
    fn looks_behind(&self, pattern: PatternId) -> bool {
        match &self.patterns.list[pattern.0 as usize] {
            Pattern::Term(_) | Pattern::TextEnd | Pattern::LineEnd => false,
            Pattern::Concat(parts) | Pattern::Or(parts) => parts.iter().any(|&part| self.looks_behind(part)),
            Pattern::Repeat { body, .. } | Pattern::Lookahead { body, .. } => self.looks_behind(*body),
            Pattern::TextStart | Pattern::LineStart | Pattern::WordBoundary { .. } => true,
        }
    }

    /// Whether the loop may be left at once without a character.
    pub(crate) fn loop_is_nullable(&self, spec: u32, place: u8) -> bool {
        let spec = &self.loops.list[spec as usize];
        spec.min == 0 && self.is_nullable(spec.after[place as usize])
    }

    /// The loop with its first iteration written out: none of its parts is that loop itself.
    pub(crate) fn unroll(&mut self, spec: u32, place: u8) -> RegexId {
        let spec = self.loops.list[spec as usize].clone();
        let rest = if spec.max == INFINITE { INFINITE } else { spec.max - 1 };
        let again = match rest {
            0 => spec.after,
            _ => self.looped(Loop {
                min: spec.min.saturating_sub(1),
                max: rest,
                ..spec.clone()
            }),
        };
        let once = self.follow_some(spec.body, again, spec.kinds)[place as usize];
        if spec.min > 0 {
            return once;
        }
        self.or(&[once, spec.after[place as usize]])
    }

    /// `pattern` where it takes at least one character, then `after`.
    fn follow_some(&mut self, pattern: PatternId, after: Follow, kinds: Kinds) -> Follow {
        match self.patterns.list[pattern.0 as usize].clone() {
            Pattern::Term(term) => self.follow_term(term, after, kinds),
            Pattern::Or(parts) => parts.iter().fold([RegexId::NEVER; PLACES], |sum, &part| {
                let one = self.follow_some(part, after, kinds);
                self.either(sum, one)
            }),
            Pattern::Concat(parts) => {
                let (mut any, mut some) = (after, [RegexId::NEVER; PLACES]);
                for &part in parts.iter().rev() {
                    let here = self.follow_some(part, any, kinds);
                    let later = self.follow_none(part, some, kinds);
                    some = self.either(here, later);
                    any = self.follow(part, any, kinds);
                }
                some
            }
            Pattern::Repeat { body, min, max } => {
                let rest = if max == INFINITE { INFINITE } else { max - 1 };
                let again = self.follow_repeat(body, min.saturating_sub(1), rest, after, kinds);
                self.follow_some(body, again, kinds)
            }
            _ => [RegexId::NEVER; PLACES],
        }
    }

    /// `pattern` where it takes no character, then `after`.
    fn follow_none(&mut self, pattern: PatternId, after: Follow, kinds: Kinds) -> Follow {
        match self.patterns.list[pattern.0 as usize].clone() {
            Pattern::Term(term) if self.is_nullable(term) => after,
            Pattern::Term(_) => [RegexId::NEVER; PLACES],
            Pattern::Or(parts) => parts.iter().fold([RegexId::NEVER; PLACES], |sum, &part| {
                let one = self.follow_none(part, after, kinds);
                self.either(sum, one)
            }),
            Pattern::Concat(parts) => parts
                .iter()
                .rev()
                .fold(after, |after, &part| self.follow_none(part, after, kinds)),
            Pattern::Repeat { min: 0, .. } => after,
            Pattern::Repeat { body, .. } => self.follow_none(body, after, kinds),
            _ => self.follow(pattern, after, kinds),
        }
    }
}
