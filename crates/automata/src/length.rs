//! Lengths of positive terms, read off their structure.
use crate::regex::{Node, RegexId, Regexes, INFINITE};

/// What is known of the lengths of a term at its birth; meaningful for positive terms without externals.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lengths {
    /// Characters of a shortest text.
    pub(crate) min: u32,
    /// No text has more characters; it is the length of one, or [`INFINITE`].
    max: u32,
    /// Every length from here to `max` is that of a text; it may be that some below are not. [`INFINITE`]: nothing is known.
    solid: u32,
    /// No rest of the term after one or more characters needs more than this many.
    rest: u32,
}

impl Lengths {
    fn exactly(length: u32, rest: u32) -> Lengths {
        Lengths {
            min: length,
            max: length,
            solid: length,
            rest,
        }
    }

    const UNKNOWN: Lengths = Lengths {
        min: 0,
        max: INFINITE,
        solid: INFINITE,
        rest: INFINITE,
    };

    fn then(self, next: Lengths) -> Lengths {
        // A shortest text beside the solid lengths of the other: two intervals that may go on into the solid one of both.
        let both = self.solid.saturating_add(next.solid);
        let mut solid = both;
        for (short, other) in [(self.min, next), (next.min, self)] {
            if other.solid < INFINITE && short.saturating_add(other.max).saturating_add(1) >= both {
                solid = solid.min(short.saturating_add(other.solid));
            }
        }
        Lengths {
            min: self.min.saturating_add(next.min),
            max: self.max.saturating_add(next.max),
            solid,
            rest: self.rest.saturating_add(next.min).max(next.rest),
        }
    }

    fn repeated(self, min: u32, max: u32) -> Lengths {
        let others = self.min.saturating_mul(min.saturating_sub(1));
        Lengths {
            min: self.min.saturating_mul(min),
            max: self.max.saturating_mul(max),
            solid: self.repeated_solid(min, max),
            rest: self.rest.saturating_add(others),
        }
    }

    /// From the first count on at which the solid lengths of one count reach those of the next, all of them are solid.
    fn repeated_solid(self, min: u32, max: u32) -> u32 {
        if self.solid == INFINITE {
            return INFINITE;
        }
        let spread = self.max - self.solid;
        let first = match (self.solid.saturating_sub(1), spread) {
            (0, _) => min.max(1),
            (_, 0) => max,
            (missing, _) => missing.div_ceil(spread).max(min).max(1),
        };
        let solid = self.solid.saturating_mul(first.min(max));
        match min == 0 && solid == 1 {
            true => 0,
            false => solid,
        }
    }

    fn or(parts: impl Iterator<Item = Lengths> + Clone) -> Lengths {
        let none = Lengths {
            min: INFINITE,
            max: 0,
            solid: INFINITE,
            rest: 0,
        };
        let mut sum = parts.clone().fold(none, |sum, part| Lengths {
            min: sum.min.min(part.min),
            max: sum.max.max(part.max),
            solid: INFINITE,
            rest: sum.rest.max(part.rest),
        });
        let longest = parts.clone().filter(|part| part.max == sum.max);
        sum.solid = longest.map(|part| part.solid).min().unwrap_or(INFINITE);
        loop {
            let before = sum.solid;
            for part in parts.clone() {
                if part.max.saturating_add(1) >= sum.solid {
                    sum.solid = sum.solid.min(part.solid);
                }
                if part.min.saturating_add(1) == sum.solid {
                    sum.solid = part.min;
                }
            }
            if sum.solid == before || sum.solid == sum.min {
                return sum;
            }
        }
    }

    fn of_words(lengths: impl Iterator<Item = u32> + Clone) -> Lengths {
        let min = lengths.clone().min().unwrap_or(0);
        let max = lengths.clone().max().unwrap_or(0);
        // The lengths as bits, the longest the lowest: those without a gap below the longest are solid.
        let bits = lengths.fold(0u128, |bits, length| bits | 1u128.checked_shl(max - length).unwrap_or(0));
        Lengths {
            min,
            max,
            solid: max - bits.trailing_ones().min(max + 1).saturating_sub(1),
            rest: max.saturating_sub(1),
        }
    }
}

impl Regexes {
    pub(crate) fn lengths_of(&self, node: &Node) -> Lengths {
        let lengths = |term: &RegexId| self.lengths[term.0 as usize];
        match node {
            Node::Empty => Lengths::exactly(0, 0),
            Node::Class(_) => Lengths::exactly(1, 0),
            Node::Concat(head, tail) => lengths(head).then(lengths(tail)),
            Node::Or(parts) => Lengths::or(parts.iter().map(lengths)),
            Node::Repeat { body, min, max } => lengths(body).repeated(*min, *max),
            Node::Words { list, low, high, depth } => {
                let words = &self.words[*list as usize][*low as usize..*high as usize];
                Lengths::of_words(words.iter().map(|word| word.len() as u32 - depth))
            }
            Node::Scan { scan, least: 0, .. } if self.scan_only_excludes(*scan) => Lengths {
                rest: 0,
                ..Lengths::UNKNOWN
            },
            _ => Lengths::UNKNOWN,
        }
    }

    /// Characters of a shortest text of a positive term.
    pub fn min_length(&self, term: RegexId) -> u32 {
        self.lengths[term.0 as usize].min
    }

    /// A bound on [`Regexes::min_length`] of a positive term and of everything that can be left of it.
    pub fn max_min_length(&self, term: RegexId) -> u32 {
        let lengths = self.lengths[term.0 as usize];
        lengths.min.max(lengths.rest)
    }

    /// Where texts of a positive term have no longest length: a length from which on there is one of each; else [`INFINITE`].
    pub fn solid_length(&self, term: RegexId) -> u32 {
        let lengths = self.lengths[term.0 as usize];
        match lengths.max {
            INFINITE => lengths.solid,
            _ => INFINITE,
        }
    }

    /// A term that bounds only the length of a positive term: (the other term, least, largest length).
    ///
    /// Kept apart, the lengths are counters beside the state instead of one state for each count.
    pub fn split_length(&mut self, term: RegexId) -> Option<(RegexId, u32, u32)> {
        let Some((other, min, max)) = self.split_bound(term) else {
            return self.split_count(term);
        };
        Some(match self.split_count(other) {
            Some((star, least, most)) => (star, min.max(least), max.min(most)),
            None => (other, min, max),
        })
    }

    /// The same of a counted repetition of characters.
    pub fn split_count(&mut self, term: RegexId) -> Option<(RegexId, u32, u32)> {
        match *self.node(term) {
            Node::Repeat { body, min, max } if (min, max) != (0, INFINITE) && self.is_class(body) => {
                Some((self.repeat(body, 0, INFINITE), min, max))
            }
            _ => None,
        }
    }

    /// Whether a term is any number of characters of some set: then what is left of it is always the same.
    pub fn is_class_star(&self, term: RegexId) -> bool {
        match *self.node(term) {
            Node::Repeat { body, min: 0, max } => max == INFINITE && self.is_class(body),
            _ => false,
        }
    }

    /// Where texts begin with a counted number of characters of some set: any number of them, and the least count, 2 or more.
    pub fn leading_count(&mut self, term: RegexId) -> Option<(RegexId, u32)> {
        let head = match *self.node(term) {
            Node::Concat(head, _) => head,
            _ => term,
        };
        match *self.node(head) {
            Node::Repeat { body, min, .. } if min > 1 && self.is_class(body) => Some((self.repeat(body, 0, INFINITE), min)),
            _ => None,
        }
    }

    fn is_class(&self, term: RegexId) -> bool {
        matches!(self.node(term), Node::Class(_))
    }

    fn split_bound(&self, term: RegexId) -> Option<(RegexId, u32, u32)> {
        let Node::And(parts) = self.node(term) else { return None };
        let &[a, b] = &parts[..] else { return None };
        let (length, other) = match (self.as_length(a), self.as_length(b)) {
            (Some(length), None) => (length, b),
            (None, Some(length)) => (length, a),
            _ => return None,
        };
        let facts = self.facts[other.0 as usize];
        (facts.positive && !facts.external).then_some((other, length.0, length.1))
    }

    /// Whether a positive term has a text of `min` to `max` characters.
    ///
    /// # Errors
    /// `max_emptiness_states`, `max_regex_states`.
    pub fn has_length(&mut self, term: RegexId, min: u32, max: u32) -> Result<bool, crate::Limit> {
        if term == RegexId::NEVER || min > max {
            return Ok(false);
        }
        let lengths = self.lengths[term.0 as usize];
        if lengths.min > max || lengths.min >= min {
            return Ok(lengths.min <= max);
        }
        if min > lengths.max || lengths.solid <= max.min(lengths.max) {
            return Ok(min <= lengths.max);
        }
        let length = self.repeat(RegexId::ANY, min, max);
        let both = self.and(&[term, length]);
        self.is_live(both)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{parse, Dialect};

    #[test]
    fn lengths_read_off_the_structure_are_those_of_a_search() {
        let patterns = [
            "a*",
            "a+",
            "(ab)*",
            "(ab|c)*",
            "(abc|de)+",
            "(abc|de){2,4}f?",
            "(\\S+\\s+){0,4}\\S+",
            "a{3}|b{5}|c{4}",
            "a{3}|b{5}",
            "(aaa){2,}|b?",
            "x{2,3}(yyy){1,2}",
            "(a|bb|ccc)",
            "(a|ccc|ddddd)",
            "(a{4,6}){2,}",
            "(a{4,5}){1,}",
            "()|a{2,4}b*",
            "(a{0,2}b){3}",
        ];
        let mut regexes = Regexes::new();
        for pattern in patterns {
            let term = parse(&mut regexes, pattern, Dialect::Ecma).expect("a pattern");
            for (min, max) in (0..24)
                .flat_map(|min| (min..24).map(move |max| (min, max)))
                .chain([(7, INFINITE), (40, INFINITE)])
            {
                let length = regexes.repeat(RegexId::ANY, min, max);
                let both = regexes.and(&[term, length]);
                let wanted = regexes.is_live(both).expect("no limit");
                let found = regexes.has_length(term, min, max).expect("no limit");
                assert_eq!(found, wanted, "{pattern} of {min} to {max} characters");
            }
        }
        let term = parse(&mut regexes, "(\\S+\\s+){0,4}\\S+", Dialect::Ecma).expect("a pattern");
        assert_eq!(regexes.solid_length(term), 1, "no search is needed");
    }

    #[test]
    fn lengths_are_those_of_shortest_texts() {
        let mut regexes = Regexes::new();
        for (pattern, shortest, bound) in [
            ("a*", 0, 0),
            ("ab|cde", 2, 2),
            ("(ab){3,5}", 6, 6),
            ("a|bcdef", 1, 4),
            ("[a-z]+x{2}", 3, 3),
        ] {
            let term = parse(&mut regexes, pattern, Dialect::Ecma).expect("a pattern");
            assert_eq!(
                (regexes.min_length(term), regexes.max_min_length(term)),
                (shortest, bound),
                "{pattern}"
            );
        }
        let gap = parse(&mut regexes, "a|bcdef", Dialect::Ecma).expect("a pattern");
        assert!(!regexes.has_length(gap, 2, 4).expect("no limit") && regexes.has_length(gap, 2, 5).expect("no limit"));
    }
}
