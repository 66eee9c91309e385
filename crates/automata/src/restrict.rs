//! Terms over a smaller alphabet.
use crate::charset::CharSet;
use crate::regex::{Node, RegexId, Regexes, INFINITE};
use rustc_hash::FxHashMap;

impl Regexes {
    /// The texts of a term that hold only characters of `alphabet` and only the external symbols that `keeps` keeps.
    ///
    /// Terms nest as deep as their patterns did when they were read, which is bounded; sequences are followed by a loop.
    pub fn restrict(&mut self, term: RegexId, alphabet: &CharSet, keeps: &dyn Fn(u32) -> bool) -> RegexId {
        let set = self.class(alphabet.clone());
        let texts = self.repeat(set, 0, INFINITE);
        self.restricted(term, alphabet, texts, keeps, &mut FxHashMap::default())
    }

    fn restricted(
        &mut self,
        term: RegexId,
        alphabet: &CharSet,
        texts: RegexId,
        keeps: &dyn Fn(u32) -> bool,
        known: &mut FxHashMap<RegexId, RegexId>,
    ) -> RegexId {
        if let Some(&done) = known.get(&term) {
            return done;
        }
        let mut parts = |regexes: &mut Regexes, parts: &[RegexId]| -> Vec<RegexId> {
            parts
                .iter()
                .map(|&part| regexes.restricted(part, alphabet, texts, keeps, known))
                .collect()
        };
        let result = match self.node(term).clone() {
            Node::Never | Node::Empty => term,
            Node::Class(set) => self.class(set.intersection(alphabet)),
            Node::External(symbol) => {
                if keeps(symbol) {
                    term
                } else {
                    RegexId::NEVER
                }
            }
            Node::Or(all) => {
                let all = parts(self, &all);
                self.or(&all)
            }
            Node::And(all) => {
                let all = parts(self, &all);
                self.and(&all)
            }
            Node::Repeat { body, min, max } => {
                let body = parts(self, &[body])[0];
                self.repeat(body, min, max)
            }
            Node::Concat(..) => {
                let spine = self.spine(term);
                let spine = parts(self, &spine);
                self.concat_all(&spine)
            }
            Node::Scan { scan, least: 0, .. } => self.scan_with(scan, alphabet, |regexes, body| parts(regexes, &[body])[0]),
            Node::Scan { .. } | Node::Not(_) | Node::Words { .. } | Node::Loop { .. } => self.and(&[term, texts]),
        };
        known.insert(term, result);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{parse, Dialect};

    #[test]
    fn what_needs_other_characters_is_gone() {
        let mut regexes = Regexes::new();
        let alphabet = CharSet::new([(0x61, 0x62)]);
        for (pattern, live) in [
            ("ab*", true),
            ("ac", false),
            ("a|c", true),
            ("[^a]+", true),
            ("c*", true),
            ("(?!a)[ac]", false),
        ] {
            let term = parse(&mut regexes, pattern, Dialect::Ecma).expect("a pattern");
            let restricted = regexes.restrict(term, &alphabet, &|_| true);
            assert_eq!(regexes.is_live(restricted).expect("no limit"), live, "{pattern}");
            assert_eq!(regexes.step(restricted, 0x63).expect("no limit"), RegexId::NEVER, "{pattern}");
        }
    }
}
