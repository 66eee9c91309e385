//! How large a language is: a shortest text, the number of texts, the texts themselves, the longest length.
//!
//! Terms without *and* and *not* are measured by their structure, children before parents (their ids are smaller). The others are
//! searched over derivatives, with `max_emptiness_states` as fuel.
use crate::charset::CharSet;
use crate::regex::{Limit, Node, RegexId, Regexes, INFINITE};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::VecDeque;

/// `max_witness_length`: a shortest text longer than this is not written out.
const MAX_WITNESS_LENGTH: u64 = 1_000_000;

impl Regexes {
    /// A shortest text of the language, of plain characters where it has the choice; equal terms built alike give equal texts.
    ///
    /// `None` where there is none, where the term holds external symbols, or where the search ran out of fuel.
    pub fn shortest(&mut self, term: RegexId) -> Option<String> {
        let facts = self.facts[term.index() as usize];
        if facts.external || term == RegexId::NEVER {
            None
        } else if facts.positive {
            self.shortest_by_structure(term)
        } else {
            self.shortest_by_search(term)
        }
    }

    /// How many texts the language has, at most `cap`. An infinite language has `cap`.
    ///
    /// # Errors
    /// `max_emptiness_states`, `max_regex_states`.
    pub fn cardinality(&mut self, term: RegexId, cap: u64) -> Result<u64, Limit> {
        if !self.is_live(term)? {
            return Ok(0);
        }
        let mut visited = FxHashSet::from_iter([term]);
        // The states of one length, each with the number of prefixes that lead to it.
        let mut level: FxHashMap<RegexId, u64> = FxHashMap::from_iter([(term, 1)]);
        let (mut words, mut length, mut work) = (0u64, 0, 0);
        while !level.is_empty() {
            let ended = level
                .iter()
                .filter(|(&state, _)| self.is_nullable(state))
                .map(|(_, &count)| count);
            words = ended.fold(words, u64::saturating_add);
            let prefixes = level.values().fold(0, |sum: u64, &count| sum.saturating_add(count));
            // Every prefix leads to a text of its own; a path longer than the states are many has a cycle.
            if words.max(prefixes) >= cap || length > visited.len() {
                return Ok(cap);
            }
            let mut next: FxHashMap<RegexId, u64> = FxHashMap::default();
            for (&state, &count) in &level {
                work += 1;
                self.spend(work)?;
                for (low, high, target) in self.live_row(state)?.ranges() {
                    visited.insert(target);
                    let more = CharSet::new([(low, high)]).len().saturating_mul(count);
                    let sum = next.entry(target).or_insert(0);
                    *sum = sum.saturating_add(more);
                }
            }
            level = next;
            length += 1;
        }
        Ok(words)
    }

    fn spend(&self, work: usize) -> Result<(), Limit> {
        if work <= self.max_emptiness_states {
            return Ok(());
        }
        Err(Limit {
            name: "max_emptiness_states",
            configured: self.max_emptiness_states as u64,
        })
    }

    /// The texts of the language by length, then by code points: all of them if they are at most `limit`, else `limit` of them.
    ///
    /// # Errors
    /// `max_emptiness_states`, `max_regex_states`.
    pub fn words_of(&mut self, term: RegexId, limit: usize) -> Result<Vec<String>, Limit> {
        let mut level = Vec::new();
        if self.is_live(term)? {
            level.push((String::new(), term));
        }
        let (mut words, mut work) = (Vec::new(), 0);
        while !level.is_empty() && words.len() < limit {
            let mut next = Vec::new();
            for (text, state) in level {
                work += 1;
                self.spend(work)?;
                if self.is_nullable(state) && words.len() < limit {
                    words.push(text.clone());
                }
                let row = self.live_row(state)?;
                let characters = row
                    .ranges()
                    .flat_map(|(low, high, target)| (low..=high).filter_map(move |c| Some((char::from_u32(c)?, target))));
                for (character, target) in characters.take(limit.saturating_sub(next.len())) {
                    next.push((format!("{text}{character}"), target));
                }
            }
            level = next;
        }
        Ok(words)
    }

    /// The length of the longest text in characters; `None` where there is no bound. A dead term has length 0.
    ///
    /// # Errors
    /// `max_emptiness_states`, `max_regex_states`.
    pub fn max_length(&mut self, term: RegexId) -> Result<Option<u32>, Limit> {
        let facts = self.facts[term.index() as usize];
        let length = match facts.positive && !facts.external {
            true => self.max_length_by_structure(term),
            false if self.is_live(term)? => self.max_length_by_search(term)?,
            false => Some(0),
        };
        Ok(length.map(|length| u32::try_from(length).unwrap_or(u32::MAX)))
    }

    /// The parts of a positive term, children before parents.
    fn parts_of(&self, term: RegexId) -> Vec<RegexId> {
        let (mut seen, mut stack) = (FxHashSet::from_iter([term]), vec![term]);
        while let Some(part) = stack.pop() {
            let mut visit = |child: RegexId| {
                if seen.insert(child) {
                    stack.push(child);
                }
            };
            self.node(part).parts().into_iter().for_each(&mut visit);
        }
        let mut parts: Vec<RegexId> = seen.into_iter().collect();
        parts.sort_unstable();
        parts
    }

    fn list_of_words(&self, term: RegexId) -> Vec<Vec<u32>> {
        match *self.node(term) {
            Node::Words { list, low, high, depth } => self.words[list as usize][low as usize..high as usize]
                .iter()
                .map(|word| word[depth as usize..].to_vec())
                .collect(),
            _ => Vec::new(),
        }
    }

    fn shortest_by_structure(&self, term: RegexId) -> Option<String> {
        let mut lengths: FxHashMap<RegexId, u64> = FxHashMap::default();
        for part in self.parts_of(term) {
            let length = match self.node(part) {
                Node::Class(_) => 1,
                Node::Concat(head, tail) => lengths[head].saturating_add(lengths[tail]),
                Node::Or(parts) => parts.iter().map(|part| lengths[part]).min().unwrap_or(0),
                Node::Repeat { body, min, .. } => lengths[body].saturating_mul(u64::from(*min)),
                Node::Words { .. } => self.list_of_words(part).iter().map(Vec::len).min().unwrap_or(0) as u64,
                _ => 0,
            };
            lengths.insert(part, length);
        }
        if lengths[&term] > MAX_WITNESS_LENGTH {
            return None;
        }
        let (mut text, mut stack) = (String::new(), vec![(term, 1)]);
        while let Some((part, times)) = stack.pop() {
            if lengths[&part] == 0 || times == 0 {
                continue;
            }
            stack.push((part, times - 1));
            match self.node(part) {
                Node::Class(set) => text.extend(char::from_u32(nicest(set))),
                Node::Concat(head, tail) => stack.extend([(*tail, 1), (*head, 1)]),
                Node::Or(parts) => stack.extend(parts.iter().min_by_key(|part| lengths[part]).map(|&part| (part, 1))),
                Node::Repeat { body, min, .. } => stack.push((*body, *min)),
                Node::Words { .. } => {
                    let word = self.list_of_words(part).into_iter().min_by_key(Vec::len).unwrap_or_default();
                    text.extend(word.into_iter().filter_map(char::from_u32));
                }
                _ => {}
            }
        }
        Some(text)
    }

    fn shortest_by_search(&mut self, term: RegexId) -> Option<String> {
        if !self.is_live(term).ok()? {
            return None;
        }
        let mut parents: FxHashMap<RegexId, (RegexId, u32)> = FxHashMap::from_iter([(term, (term, 0))]);
        let mut queue = VecDeque::from([term]);
        while let Some(state) = queue.pop_front() {
            if self.is_nullable(state) {
                return Some(spell(&parents, term, state));
            }
            self.spend(parents.len()).ok()?;
            for (character, target) in self.nicest_edges(state).ok()? {
                parents.entry(target).or_insert_with(|| {
                    queue.push_back(target);
                    (state, character)
                });
            }
        }
        None
    }

    /// One edge to each target, by its nicest character, the nicest edge first.
    fn nicest_edges(&mut self, state: RegexId) -> Result<Vec<(u32, RegexId)>, Limit> {
        let mut sets: FxHashMap<RegexId, Vec<(u32, u32)>> = FxHashMap::default();
        for (low, high, target) in self.live_row(state)?.ranges() {
            sets.entry(target).or_default().push((low, high));
        }
        let mut edges: Vec<(u32, RegexId)> = sets
            .into_iter()
            .map(|(target, ranges)| (nicest(&CharSet::new(ranges)), target))
            .collect();
        edges.sort_unstable_by_key(|&(character, _)| niceness(character));
        Ok(edges)
    }

    fn max_length_by_structure(&self, term: RegexId) -> Option<u64> {
        let mut lengths: FxHashMap<RegexId, Option<u64>> = FxHashMap::default();
        for part in self.parts_of(term) {
            let length = match self.node(part) {
                Node::Class(_) => Some(1),
                Node::Concat(head, tail) => match (lengths[head], lengths[tail]) {
                    (Some(a), Some(b)) => Some(a.saturating_add(b)),
                    _ => None,
                },
                Node::Or(parts) => parts.iter().try_fold(0, |longest, part| Some(lengths[part]?.max(longest))),
                Node::Repeat { body, max, .. } => match lengths[body] {
                    Some(length) if *max != INFINITE => Some(length.saturating_mul(u64::from(*max))),
                    _ => None,
                },
                Node::Words { .. } => self.list_of_words(part).iter().map(|word| word.len() as u64).max(),
                Node::Scan { .. } => None,
                _ => Some(0),
            };
            lengths.insert(part, length);
        }
        lengths[&term]
    }

    /// The longest path through live states; an open state met again is a cycle.
    fn max_length_by_search(&mut self, term: RegexId) -> Result<Option<u64>, Limit> {
        let mut done: FxHashMap<RegexId, u64> = FxHashMap::default();
        let mut open = FxHashSet::from_iter([term]);
        let mut stack = vec![(term, self.live_targets(term)?, 0u64)];
        loop {
            self.spend(done.len() + open.len())?;
            let (state, targets, longest) = stack.last_mut().expect("the search returns with its first state");
            match targets.pop() {
                None => {
                    let (state, longest) = (*state, *longest);
                    stack.pop();
                    open.remove(&state);
                    done.insert(state, longest);
                    match stack.last_mut() {
                        Some(parent) => parent.2 = parent.2.max(longest + 1),
                        None => return Ok(Some(longest)),
                    }
                }
                Some(target) if open.contains(&target) => return Ok(None),
                Some(target) => match done.get(&target) {
                    Some(&length) => *longest = (*longest).max(length + 1),
                    None => {
                        open.insert(target);
                        let targets = self.live_targets(target)?;
                        stack.push((target, targets, 0));
                    }
                },
            }
        }
    }

    fn live_targets(&mut self, state: RegexId) -> Result<Vec<RegexId>, Limit> {
        let mut targets: Vec<RegexId> = self.live_row(state)?.ranges().map(|range| range.2).collect();
        targets.sort_unstable();
        targets.dedup();
        Ok(targets)
    }
}

fn spell(parents: &FxHashMap<RegexId, (RegexId, u32)>, start: RegexId, mut state: RegexId) -> String {
    let mut characters = Vec::new();
    while state != start {
        let (parent, character) = parents[&state];
        characters.extend(char::from_u32(character));
        state = parent;
    }
    characters.iter().rev().collect()
}

/// Letters, digits, other printable ASCII, then everything else by code point.
fn niceness(character: u32) -> (u8, u32) {
    let class = match char::from_u32(character) {
        Some('a'..='z') => 0,
        Some('A'..='Z') => 1,
        Some('0'..='9') => 2,
        Some('!'..='~') => 3,
        Some(' ') => 4,
        Some(c) if !c.is_control() => 5,
        _ => 6,
    };
    (class, character)
}

fn nicest(set: &CharSet) -> u32 {
    let starts = set.ranges().iter().map(|range| range.0);
    // Every class of `niceness` below the last begins at one of these, or at the start of a range.
    let others = [0x61, 0x41, 0x30, 0x21, 0x3A, 0x5B, 0x7B, 0x20, 0xA0]
        .into_iter()
        .filter(|&c| set.contains(c));
    starts.chain(others).min_by_key(|&c| niceness(c)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use crate::{parse, Dialect, RegexId, Regexes};

    fn term(regexes: &mut Regexes, pattern: &str) -> RegexId {
        parse(regexes, pattern, Dialect::Ecma).unwrap()
    }

    /// Every text over `ab` up to length 6 that matches.
    fn all(regexes: &mut Regexes, term: RegexId) -> Vec<String> {
        let mut texts = vec![String::new()];
        let mut i = 0;
        while texts[i].len() < 6 {
            let next = ["a", "b"].map(|c| format!("{}{c}", texts[i]));
            texts.extend(next);
            i += 1;
        }
        texts.retain(|text| {
            let state = text.chars().fold(term, |state, c| regexes.step(state, c as u32).unwrap());
            regexes.is_nullable(state)
        });
        texts
    }

    #[test]
    fn finite_languages_are_measured_exactly() {
        for pattern in [
            "a{2,4}",
            "(a|b){0,3}",
            "(?!aa)[ab]{2,3}",
            "a?b?a?b?",
            "(?=.*b)(a|b){3}",
            "(ab|a)(ba|a)?",
            "(?!a)a",
            "",
            "(?:ab){0,2}(?!b)a?",
            "(a|ab|abb)(?!$)b?",
            "aaa|ab|b|aaab|abab|bb|ba|aba|bab",
        ] {
            let mut regexes = Regexes::new();
            let term = term(&mut regexes, pattern);
            let all = all(&mut regexes, term);
            assert_eq!(regexes.cardinality(term, 1000), Ok(all.len() as u64), "{pattern}");
            assert_eq!(regexes.words_of(term, 1000), Ok(all.clone()), "{pattern}");
            assert_eq!(regexes.words_of(term, 1).unwrap().len(), all.len().min(1), "{pattern}");
            let longest = all.iter().map(String::len).max().unwrap_or(0) as u32;
            assert_eq!(regexes.max_length(term), Ok(Some(longest)), "{pattern}");
            let shortest = regexes.shortest(term);
            assert_eq!(shortest.as_ref().map(String::len), all.first().map(String::len), "{pattern}");
            assert!(shortest.is_none_or(|text| all.contains(&text)), "{pattern}");
        }
    }

    #[test]
    fn infinite_and_large_languages_are_capped() {
        for pattern in ["a*", "(?!b)[ab]+", "(a{1000})*", "(?=a)(a{1000})*"] {
            let mut regexes = Regexes::new();
            let term = term(&mut regexes, pattern);
            assert_eq!(regexes.cardinality(term, 5), Ok(5), "{pattern}");
            assert_eq!(regexes.max_length(term), Ok(None), "{pattern}");
        }
        let mut regexes = Regexes::new();
        let large = term(&mut regexes, ".{0,100000}");
        assert_eq!(regexes.cardinality(large, 1 << 40), Ok(1 << 40));
        assert_eq!(regexes.max_length(large), Ok(Some(100_000)));
        let words = term(&mut regexes, ".");
        assert_eq!(regexes.words_of(words, 3).unwrap().len(), 3);
    }

    #[test]
    fn witnesses_are_plain_text() {
        for (pattern, text) in [
            (r"\S\W.{2}", "a!aa"),
            ("(?!a)[^b]{2}x|[0-9]{9}", "cax"),
            ("[^a-z]+", "A"),
            (r"[\x00-\x1f ]", " "),
        ] {
            let mut regexes = Regexes::new();
            let term = term(&mut regexes, pattern);
            assert_eq!(regexes.shortest(term).as_deref(), Some(text), "{pattern}");
        }
    }
}
