//! Liveness: whether a term has any text at all.
//!
//! Positive terms are live by construction. For the others a search over derivatives looks for a nullable state, first where
//! the least seems to be missing; the answer is kept for every state it settles.
use crate::regex::{Limit, Node, RegexId, Regexes};
use crate::row::Row;
use rustc_hash::FxHashMap;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

impl Regexes {
    /// Whether some text is in the language. Terms with external symbols are taken as live: their rules are checked elsewhere.
    ///
    /// # Errors
    /// `max_emptiness_states`, `max_regex_states`.
    pub fn is_live(&mut self, term: RegexId) -> Result<bool, Limit> {
        let facts = self.facts[term.0 as usize];
        if facts.live || facts.positive || facts.external {
            return Ok(term != RegexId::NEVER);
        }
        match self.live[term.0 as usize] {
            Some(live) => Ok(live),
            None => self.search_live(term),
        }
    }

    fn search_live(&mut self, term: RegexId) -> Result<bool, Limit> {
        let mut parents: FxHashMap<RegexId, RegexId> = FxHashMap::default();
        // The least distance first; of equal ones, the oldest.
        let mut queue = BinaryHeap::from([Reverse((self.distance(term), 0_usize, term))]);
        parents.insert(term, term);
        while let Some(Reverse((_, _, state))) = queue.pop() {
            if parents.len() > self.max_emptiness_states {
                return Err(Limit {
                    name: "max_emptiness_states",
                    configured: self.max_emptiness_states as u64,
                });
            }
            let row = self.row(state)?;
            for &(_, target) in row.pieces() {
                if self.known_live(target) == Some(true) {
                    self.mark_live(state, &parents);
                    return Ok(true);
                }
                if self.known_live(target).is_none() && !parents.contains_key(&target) {
                    parents.insert(target, state);
                    queue.push(Reverse((self.distance(target), parents.len(), target)));
                }
            }
        }
        for state in parents.into_keys() {
            self.live[state.0 as usize] = Some(false);
        }
        Ok(false)
    }

    /// How many characters the parts of a term miss, together: a guess at how far it is from its end.
    fn distance(&self, term: RegexId) -> u64 {
        let missing = |part: &RegexId| u64::from(self.lengths[part.0 as usize].min);
        let of_all = |term: &RegexId| match self.node(*term) {
            Node::And(parts) => parts.iter().map(missing).sum(),
            _ => missing(term),
        };
        match self.node(term) {
            Node::Or(parts) => parts.iter().map(of_all).min().unwrap_or(0),
            _ => of_all(&term),
        }
    }

    fn known_live(&self, term: RegexId) -> Option<bool> {
        let facts = self.facts[term.0 as usize];
        if facts.live || facts.positive || facts.external {
            return Some(term != RegexId::NEVER);
        }
        self.live[term.0 as usize]
    }

    fn mark_live(&mut self, mut state: RegexId, parents: &FxHashMap<RegexId, RegexId>) {
        loop {
            self.live[state.0 as usize] = Some(true);
            let parent = parents[&state];
            if parent == state {
                return;
            }
            state = parent;
        }
    }

    /// The edges of a term with dead targets replaced by [`RegexId::NEVER`].
    ///
    /// # Errors
    /// `max_emptiness_states`, `max_regex_states`.
    pub fn live_row(&mut self, term: RegexId) -> Result<Arc<Row>, Limit> {
        self.live_row_ref(term)?;
        Ok(self.rows[term.0 as usize].clone().expect("a pruned row was built"))
    }

    /// [`Regexes::live_row`] without a share in it.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn live_row_ref(&mut self, term: RegexId) -> Result<&Row, Limit> {
        if !self.pruned[term.0 as usize] {
            self.prune_row(term)?;
        }
        Ok(self.rows[term.0 as usize].as_deref().expect("a pruned row was built"))
    }

    fn prune_row(&mut self, term: RegexId) -> Result<(), Limit> {
        let row = self.row(term)?;
        let mut dead = Vec::new();
        for &(_, target) in row.pieces() {
            if target != RegexId::NEVER && !self.is_live(target)? {
                dead.push(target);
            }
        }
        if !dead.is_empty() {
            self.rows[term.0 as usize] = Some(Arc::new(row.pruned(&dead)));
        }
        self.pruned[term.0 as usize] = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::{CharSet, RegexId, Regexes, INFINITE};

    fn matches(regexes: &mut Regexes, mut term: RegexId, text: &str) -> bool {
        for character in text.chars() {
            term = regexes.step(term, character as u32).expect("no limit");
        }
        regexes.is_nullable(term)
    }

    #[test]
    fn counted_repetition_stays_small() {
        let mut regexes = Regexes::new();
        let a = regexes.class(CharSet::single('a'));
        let many = regexes.repeat(a, 2, 1_000_000);
        assert!(matches(&mut regexes, many, "aaa"));
        assert!(!matches(&mut regexes, many, "a"));
        assert!(regexes.len() < 20);
    }

    #[test]
    fn booleans_mean_what_they_say() {
        let mut regexes = Regexes::new();
        let word = regexes.words(["cat", "car", "cow", "c"]);
        let ca = regexes.literal("ca");
        let starts = regexes.concat(ca, RegexId::ANYTHING);
        let other = regexes.difference(word, starts);
        for (text, expected) in [("cat", false), ("car", false), ("cow", true), ("c", true), ("ca", false)] {
            assert_eq!(matches(&mut regexes, other, text), expected, "{text}");
        }
        let both = regexes.and(&[word, starts]);
        let nothing = regexes.and(&[both, other]);
        assert!(!regexes.is_live(nothing).expect("no limit"));
        assert!(regexes.is_live(both).expect("no limit"));
    }

    #[test]
    fn externals_are_seen_through_nullable_heads() {
        let mut regexes = Regexes::new();
        let (call, other) = (regexes.external(7), regexes.external(9));
        let a = regexes.class(CharSet::single('a'));
        let maybe = regexes.repeat(a, 0, INFINITE);
        let alternatives = regexes.or(&[call, other]);
        let term = regexes.concat_all(&[maybe, alternatives, a]);
        let heads = regexes.externals(term);
        assert_eq!(heads, vec![(7, a), (9, a)]);
    }

    #[test]
    fn emptiness_has_fuel() {
        let mut regexes = Regexes::new();
        regexes.max_emptiness_states = 10;
        let a = regexes.class(CharSet::single('a'));
        let long = regexes.repeat(a, 50, 50);
        let longer = regexes.repeat(a, 60, 60);
        let both = regexes.and(&[long, longer]);
        assert_eq!(
            regexes.is_live(both).expect_err("too many states").name,
            "max_emptiness_states"
        );
    }
}
