//! Free text up to one of several words, as one term: what `TagDispatch` and `any_text` are.
//!
//! A word has a body that must follow it; a word whose body is [`RegexId::NEVER`] may not be written at all. The leftmost
//! word counts: a word ends the free text if no other word that starts before it has been written when it ends. So of
//! two words that end together the longer one counts, and a word that starts another one leaves both open.
//!
//! The words are an automaton after Aho and Corasick: a state is a node of their trie, the longest end of the text that starts
//! a word. `least` is 0 in free text. Where a word has just ended, longer words that started no later may still go on: then
//! only starts of words of at least `least` characters are meant, and no free text.
use crate::charset::CharSet;
use crate::regex::{Facts, Node, RegexId, Regexes};
use crate::row::Row;
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;
use std::sync::Arc;

const ROOT: u32 = 0;

/// A word that ends free text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScanWord {
    /// Its characters, at least one.
    pub text: String,
    /// What must follow; [`RegexId::NEVER`] where the word is excluded.
    pub body: RegexId,
    /// Whether free text goes on after the body.
    pub again: bool,
}

/// What a scan is made of; equal specifications are one scan.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ScanSpec {
    /// Sorted, distinct.
    words: Vec<ScanWord>,
    /// The characters that may be written.
    alphabet: CharSet,
}

/// A specification with its automaton.
#[derive(Debug)]
pub(crate) struct Scan {
    spec: Arc<ScanSpec>,
    nodes: Vec<ScanNode>,
    facts: Facts,
}

#[derive(Debug, Default)]
struct ScanNode {
    /// Characters from the root.
    depth: u32,
    /// The longest proper end of this node's text that is a node.
    fail: u32,
    /// By character, ascending.
    children: Vec<(u32, u32)>,
    /// The words whose text this is, as indices into the specification.
    ends: Vec<u32>,
    /// This node, or the next on its chain of fails, at which a word ends; the root if there is none.
    ended: u32,
    /// Whether a longer word that starts with this text has a body.
    leads_on: bool,
}

impl Scan {
    fn new(spec: Arc<ScanSpec>, facts: Facts) -> Scan {
        let mut scan = Scan {
            nodes: vec![ScanNode::default()],
            facts,
            spec: spec.clone(),
        };
        for (i, word) in spec.words.iter().enumerate() {
            scan.insert(i as u32, word);
        }
        scan.link();
        scan
    }

    fn insert(&mut self, number: u32, word: &ScanWord) {
        let mut at = ROOT as usize;
        for character in word.text.chars().map(u32::from) {
            self.nodes[at].leads_on |= word.body != RegexId::NEVER;
            // Words are sorted, so a child that is known is the last one.
            at = match self.nodes[at].children.last() {
                Some(&(known, child)) if known == character => child as usize,
                _ => {
                    let child = self.nodes.len();
                    self.nodes[at].children.push((character, child as u32));
                    let depth = self.nodes[at].depth + 1;
                    self.nodes.push(ScanNode {
                        depth,
                        ..ScanNode::default()
                    });
                    child
                }
            };
        }
        self.nodes[at].ends.push(number);
    }

    /// Fails and ends, level by level: a fail is always nearer to the root.
    fn link(&mut self) {
        let mut level = vec![ROOT];
        while !level.is_empty() {
            let mut next = Vec::new();
            for at in level {
                for (character, child) in self.nodes[at as usize].children.clone() {
                    let fail = match at {
                        ROOT => ROOT,
                        _ => self.goto(self.nodes[at as usize].fail, 0, character).unwrap_or(ROOT),
                    };
                    let ended = match self.nodes[child as usize].ends[..] {
                        [] => self.nodes[fail as usize].ended,
                        _ => child,
                    };
                    let node = &mut self.nodes[child as usize];
                    (node.fail, node.ended) = (fail, ended);
                    next.push(child);
                }
            }
            level = next;
        }
    }

    /// The longest start of a word after `character`, out of starts of at least `least` characters before it.
    fn goto(&self, mut at: u32, least: u32, character: u32) -> Option<u32> {
        loop {
            let node = &self.nodes[at as usize];
            if let Ok(found) = node.children.binary_search_by_key(&character, |child| child.0) {
                return Some(node.children[found].1);
            }
            if at == ROOT || self.nodes[node.fail as usize].depth < least {
                return None;
            }
            at = node.fail;
        }
    }

    /// The node at which the leftmost word ends, out of those of at least `least` characters.
    fn leftmost_end(&self, at: u32, least: u32) -> Option<u32> {
        // The longest of the words that end here started leftmost.
        let end = self.nodes[at as usize].ended;
        (end != ROOT && self.nodes[end as usize].depth >= least).then_some(end)
    }

    /// The characters that lead from this state to a start of a word.
    fn characters(&self, mut at: u32, least: u32) -> FxHashSet<u32> {
        let mut found = FxHashSet::default();
        loop {
            let node = &self.nodes[at as usize];
            found.extend(node.children.iter().map(|child| child.0));
            if at == ROOT || self.nodes[node.fail as usize].depth < least {
                return found;
            }
            at = node.fail;
        }
    }

    /// Whether a word with a body can still end where only starts of at least `least` characters are meant.
    fn is_pending_live(&self, at: u32, least: u32) -> bool {
        let (mut stack, mut seen) = (vec![(at, least)], FxHashSet::default());
        while let Some((at, least)) = stack.pop() {
            if !self.any_leads_on(at, least) || !seen.insert((at, least)) {
                continue;
            }
            for character in self.characters(at, least) {
                let Some(next) = self.goto(at, least, character) else {
                    continue;
                };
                match self.leftmost_end(next, least + 1) {
                    Some(end) if self.has_body(end) => return true,
                    Some(end) => stack.push((next, self.nodes[end as usize].depth)),
                    None => stack.push((next, least + 1)),
                }
            }
        }
        false
    }

    fn any_leads_on(&self, mut at: u32, least: u32) -> bool {
        while at != ROOT && self.nodes[at as usize].depth >= least {
            if self.nodes[at as usize].leads_on {
                return true;
            }
            at = self.nodes[at as usize].fail;
        }
        false
    }

    /// Heap memory in bytes, approximately.
    pub(crate) fn memory_usage(&self) -> usize {
        self.nodes.len() * (std::mem::size_of::<ScanNode>() + 16)
    }

    fn has_body(&self, end: u32) -> bool {
        let words = &self.nodes[end as usize].ends;
        words
            .iter()
            .any(|&word| self.spec.words[word as usize].body != RegexId::NEVER)
    }
}

impl Regexes {
    /// Free text that no word interrupts, and after each word its body; the text may end wherever it is free.
    ///
    /// Cost: linear in the characters of the words.
    ///
    /// # Panics
    /// If a word is empty.
    pub fn scan(&mut self, words: Vec<ScanWord>) -> RegexId {
        self.scan_over(words, CharSet::all())
    }

    fn scan_over(&mut self, mut words: Vec<ScanWord>, alphabet: CharSet) -> RegexId {
        assert!(words.iter().all(|word| !word.text.is_empty()), "a word has characters");
        words.retain(|word| word.text.chars().all(|c| alphabet.contains(u32::from(c))));
        words.sort_unstable();
        words.dedup();
        if words.is_empty() {
            let set = self.class(alphabet);
            return self.repeat(set, 0, crate::INFINITE);
        }
        let spec = Arc::new(ScanSpec { words, alphabet });
        let scan = match self.scan_ids.get(&spec) {
            Some(&known) => known,
            None => {
                let fact = |word: &ScanWord| self.facts[word.body.0 as usize];
                let facts = Facts {
                    nullable: true,
                    positive: spec.words.iter().all(|word| fact(word).positive),
                    live: true,
                    external: spec.words.iter().any(|word| fact(word).external),
                };
                self.scans.push(Arc::new(Scan::new(spec.clone(), facts)));
                self.scan_ids.insert(spec, self.scans.len() as u32 - 1);
                self.scans.len() as u32 - 1
            }
        };
        self.free_text(scan)
    }

    fn free_text(&mut self, scan: u32) -> RegexId {
        let (node, least) = (ROOT, 0);
        self.intern(Node::Scan { scan, node, least })
    }

    /// A state that waits for the end of a word can't end; it was only made where a word with a body can.
    pub(crate) fn scan_facts(&self, scan: u32, least: u32) -> Facts {
        let facts = self.scans[scan as usize].facts;
        let free = least == 0;
        Facts {
            nullable: free,
            positive: free && facts.positive,
            ..facts
        }
    }

    /// Whether free text of this scan is never followed by anything.
    pub(crate) fn scan_only_excludes(&self, scan: u32) -> bool {
        let words = &self.scans[scan as usize].spec.words;
        words.iter().all(|word| word.body == RegexId::NEVER)
    }

    pub(crate) fn scan_row(&mut self, scan: u32, at: u32, least: u32) -> Row {
        let shared = self.scans[scan as usize].clone();
        let otherwise = match least {
            0 => self.free_text(scan),
            _ => RegexId::NEVER,
        };
        let mut edges = BTreeMap::new();
        for character in shared.characters(at, least) {
            let target = match shared.goto(at, least, character) {
                Some(next) => self.scan_target(scan, &shared, next, if least == 0 { 0 } else { least + 1 }),
                None => otherwise,
            };
            edges.insert(character, target);
        }
        let mut row = Row::constant(RegexId::NEVER);
        for &(low, high) in shared.spec.alphabet.ranges() {
            row.push(low, otherwise);
            for (&character, &target) in edges.range(low..=high) {
                row.push(character, target);
                row.push(character + 1, otherwise);
            }
            row.push(high + 1, RegexId::NEVER);
        }
        row.without_end()
    }

    /// The term that is left where the longest start of a word is `at`.
    fn scan_target(&mut self, scan: u32, shared: &Scan, at: u32, least: u32) -> RegexId {
        let Some(end) = shared.leftmost_end(at, least) else {
            return match least == 0 || shared.is_pending_live(at, least) {
                true => self.intern(Node::Scan { scan, node: at, least }),
                false => RegexId::NEVER,
            };
        };
        let mut ways = Vec::new();
        for &number in &shared.nodes[end as usize].ends {
            let word = &shared.spec.words[number as usize];
            let after = match word.again {
                true => self.free_text(scan),
                false => RegexId::EMPTY,
            };
            ways.push(self.concat(word.body, after));
        }
        let least = shared.nodes[end as usize].depth;
        if shared.is_pending_live(at, least) {
            ways.push(self.intern(Node::Scan { scan, node: at, least }));
        }
        self.or(&ways)
    }

    /// The same scan over fewer characters, with other bodies.
    pub(crate) fn scan_with(
        &mut self,
        scan: u32,
        alphabet: &CharSet,
        mut body: impl FnMut(&mut Regexes, RegexId) -> RegexId,
    ) -> RegexId {
        let spec = self.scans[scan as usize].spec.clone();
        let mut words = spec.words.clone();
        for word in &mut words {
            word.body = body(self, word.body);
        }
        self.scan_over(words, spec.alphabet.intersection(alphabet))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LETTERS: [char; 3] = ['a', 'b', 'c'];

    fn words(spec: &[(&str, &str, bool)], regexes: &mut Regexes) -> Vec<ScanWord> {
        let body = |regexes: &mut Regexes, text: &str| match text {
            "!" => RegexId::NEVER,
            text => regexes.literal(text),
        };
        spec.iter()
            .map(|&(text, follows, again)| ScanWord {
                text: text.to_owned(),
                body: body(regexes, follows),
                again,
            })
            .collect()
    }

    /// The definition: no word that starts before the one that counts has ended when it ends.
    fn is_in(spec: &[(&str, &str, bool)], text: &str) -> bool {
        let occurs = |from: usize, to: usize, before: usize| {
            (from..before).any(|at| spec.iter().any(|word| text[at..to].starts_with(word.0)))
        };
        if !occurs(0, text.len(), text.len()) {
            return true;
        }
        (0..text.len()).any(|at| {
            spec.iter()
                .filter(|word| word.1 != "!" && text[at..].starts_with(word.0))
                .any(|word| {
                    let end = at + word.0.len();
                    let rest = text[end..].strip_prefix(word.1);
                    !occurs(0, end, at) && rest.is_some_and(|rest| if word.2 { is_in(spec, rest) } else { rest.is_empty() })
                })
        })
    }

    fn check(spec: &[(&str, &str, bool)]) {
        let mut regexes = Regexes::new();
        let words = words(spec, &mut regexes);
        let start = regexes.scan(words);
        let mut level = vec![(String::new(), start)];
        for _ in 0..7 {
            let mut next = Vec::new();
            for (text, term) in level {
                assert_eq!(regexes.is_nullable(term), is_in(spec, &text), "{text:?} in {spec:?}");
                for letter in LETTERS {
                    let after = regexes.step(term, u32::from(letter)).expect("no limit");
                    next.push((format!("{text}{letter}"), after));
                }
            }
            level = next;
        }
        for &(_, term) in &level {
            assert_eq!(
                term != RegexId::NEVER,
                can_end(&mut regexes, term),
                "a dead state is left in {spec:?}"
            );
        }
    }

    /// Whether some text ends the term, by trying all short ones.
    fn can_end(regexes: &mut Regexes, term: RegexId) -> bool {
        let mut states = vec![term];
        for _ in 0..6 {
            if states.iter().any(|&state| regexes.is_nullable(state)) {
                return true;
            }
            let step = |&state: &RegexId| LETTERS.map(|c| regexes.step(state, u32::from(c)).expect("no limit"));
            states = states.iter().flat_map(step).collect();
            states.sort_unstable();
            states.dedup();
        }
        false
    }

    #[test]
    fn texts_are_those_of_the_definition() {
        for spec in [
            &[("ab", "c", true)][..],
            &[("aba", "b", true)],
            &[("ab", "c", false)],
            &[("ab", "a", true), ("abc", "b", true)],
            &[("ab", "a", true), ("cab", "b", false)],
            &[("ab", "a", true), ("cabc", "b", true)],
            &[("ab", "!", true)],
            &[("abc", "a", true), ("ab", "!", true)],
            &[("abc", "a", true), ("b", "!", true)],
            &[("bc", "a", true), ("abc", "!", true)],
            &[("ab", "c", true), ("abca", "b", true), ("cabc", "!", true)],
            &[("a", "b", true), ("aa", "c", true), ("aaa", "", false)],
            &[("ab", "c", true), ("ab", "cc", false)],
            &[("abc", "", true), ("abca", "!", false), ("ca", "b", true)],
        ] {
            check(spec);
        }
    }

    #[test]
    fn a_smaller_alphabet_takes_words_away() {
        let mut regexes = Regexes::new();
        let words = words(&[("ab", "c", true), ("b", "!", true)], &mut regexes);
        let scan = regexes.scan(words);
        let alphabet = CharSet::new([(0x61, 0x62)]);
        let fewer = regexes.restrict(scan, &alphabet, &|_| true);
        for (text, expected) in [("aaa", true), ("c", false), ("ab", false), ("b", false)] {
            let term = text
                .chars()
                .fold(fewer, |term, c| regexes.step(term, u32::from(c)).expect("no limit"));
            assert_eq!(regexes.is_nullable(term), expected, "{text}");
        }
    }

    #[test]
    fn a_thousand_words_are_one_state_a_character() {
        let mut regexes = Regexes::new();
        let words: Vec<ScanWord> = (0..1000)
            .map(|i| ScanWord {
                text: format!("<tool {i}>"),
                body: regexes.literal("!"),
                again: true,
            })
            .collect();
        let mut term = regexes.scan(words);
        let before = regexes.len();
        for character in "some text <tool 99>! <tool 99".chars() {
            term = regexes.step(term, u32::from(character)).expect("no limit");
        }
        assert!(regexes.is_nullable(term) && regexes.len() < before + 2000);
        assert_eq!(regexes.max_length(term), Ok(None));
        assert_eq!(regexes.shortest(term).as_deref(), Some(""));
    }
}
