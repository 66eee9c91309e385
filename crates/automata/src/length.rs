//! Lengths of positive terms, read off their structure.
use crate::regex::{Node, RegexId, Regexes, INFINITE};

/// What is known of the lengths of a term at its birth; meaningful for positive terms without externals.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lengths {
    /// Characters of a shortest text.
    pub(crate) min: u32,
    /// No rest of the term after one or more characters needs more than this many.
    rest: u32,
}

impl Regexes {
    pub(crate) fn lengths_of(&self, node: &Node) -> Lengths {
        let lengths = |term: &RegexId| self.lengths[term.0 as usize];
        match node {
            Node::Class(_) => Lengths { min: 1, rest: 0 },
            Node::Concat(head, tail) => {
                let (a, b) = (lengths(head), lengths(tail));
                Lengths {
                    min: a.min.saturating_add(b.min),
                    rest: a.rest.saturating_add(b.min).max(b.rest),
                }
            }
            Node::Or(parts) => {
                let all = parts.iter().map(lengths);
                all.fold(Lengths { min: INFINITE, rest: 0 }, |sum, part| Lengths {
                    min: sum.min.min(part.min),
                    rest: sum.rest.max(part.rest),
                })
            }
            Node::Repeat { body, min, .. } => {
                let body = lengths(body);
                let others = body.min.saturating_mul(min.saturating_sub(1));
                Lengths {
                    min: body.min.saturating_mul(*min),
                    rest: body.rest.saturating_add(others),
                }
            }
            Node::Words { list, low, high, depth } => {
                let words = &self.words[*list as usize][*low as usize..*high as usize];
                let left = |length: usize| length as u32 - depth;
                let min = words.iter().map(|word| left(word.len())).min().unwrap_or(0);
                let max = words.iter().map(|word| left(word.len())).max().unwrap_or(0);
                Lengths {
                    min,
                    rest: max.saturating_sub(1),
                }
            }
            Node::Scan { scan, least: 0, .. } if self.scan_only_excludes(*scan) => Lengths { min: 0, rest: 0 },
            _ => Lengths { min: 0, rest: INFINITE },
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

    /// A term that bounds only the length of a positive term: (the other term, least, largest length).
    ///
    /// Kept apart, the lengths are counters beside the state instead of one state for each count.
    pub fn split_length(&self, term: RegexId) -> Option<(RegexId, u32, u32)> {
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
        let shortest = self.min_length(term);
        if term == RegexId::ANYTHING || shortest > max || shortest >= min {
            return Ok(shortest <= max);
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
