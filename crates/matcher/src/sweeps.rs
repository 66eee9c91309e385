//! Sweeps: what a place that reads freely takes below a node of the trie of tokens, and where it stops doing so.
//!
//! A name goes on with any letter, a text with anything but a few signs, and grammars share these alphabets. So the tokens
//! that hold nothing else are found once for a vocabulary, as a bitmap, and with them the nodes at which another byte follows:
//! a walk takes the bitmap and goes on at the nodes whose byte it can read, which are few.
use crate::spans::{kinds_within, Below, KindSet};
use crate::text::{Partial, Piece};
use penstock_tokens::{bitmask, NodeId, TokenTrie};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// An alphabet: ASCII characters by their bits, and perhaps all others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Alphabet {
    pub(crate) ascii: u128,
    pub(crate) others: bool,
}

impl Alphabet {
    /// Whether a character that begins with this byte is in it.
    #[inline]
    pub(crate) fn has(&self, byte: u8) -> bool {
        match byte {
            0..=0x7F => self.ascii >> byte & 1 != 0,
            _ => self.others,
        }
    }

    /// Whether all characters of another alphabet are in it.
    pub(crate) fn holds(&self, other: &Alphabet) -> bool {
        other.ascii & !self.ascii == 0 && (self.others || !other.others)
    }

    pub(crate) fn len(&self) -> u32 {
        self.ascii.count_ones() + 128 * u32::from(self.others)
    }

    /// The kinds of which it holds every character.
    fn kinds(&self) -> KindSet {
        kinds_within(self.ascii, self.others)
    }
}

/// Which texts are swept: those below `node` that begin with a character of `first` and go on with those of `then`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SweepKey {
    pub(crate) node: NodeId,
    pub(crate) first: Alphabet,
    pub(crate) then: Alphabet,
    /// At most how many characters they have; 0 for any number.
    pub(crate) reach: u8,
}

/// A byte, and the nodes that are reached by it, each with the number of characters before it.
pub(crate) type Exits = (u8, Box<[(NodeId, u8)]>);

/// The outcome of a sweep.
pub(crate) struct Sweep {
    /// The tokens below the node that are such texts, or the beginnings of some.
    pub(crate) tokens: Box<[u32]>,
    /// The nodes that follow such a text by another byte, or a longest one by any, by that byte, each with the number of
    /// characters of the text (255 for more).
    pub(crate) exits: Box<[Exits]>,
}

impl Sweep {
    /// Cost: linear in the tokens that are taken, and in the nodes with something below that is not.
    fn new((trie, below): (&TokenTrie, &Below), key: &SweepKey, num_words: usize) -> Sweep {
        let (mut tokens, kinds) = (vec![0; num_words], key.then.kinds());
        let takes_whole = |child: NodeId, length: u8| {
            let is_near = || {
                below
                    .length(child)
                    .is_some_and(|more| length.saturating_add(more) <= key.reach)
            };
            below.kinds(child) & !kinds == 0 && (key.reach == 0 || is_near())
        };
        let mut exits: BTreeMap<u8, Vec<(NodeId, u8)>> = BTreeMap::new();
        let mut todo = vec![(key.node, Partial::None, 0u8)];
        while let Some((node, partial, length)) = todo.pop() {
            let is_longest = length == key.reach && node != key.node;
            let alphabet = if node == key.node { &key.first } else { &key.then };
            for child in trie.children(node) {
                let byte = trie.byte(child);
                if partial == Partial::None && (is_longest || !alphabet.has(byte)) {
                    if node != key.node {
                        exits.entry(byte).or_default().push((child, length));
                    }
                    continue;
                }
                if partial == Partial::None && takes_whole(child, length) {
                    bitmask::set_ids(&mut tokens, trie.token_ids_below(child));
                    continue;
                }
                let next = match partial.step_utf8(byte) {
                    Piece::Char(_) => (Partial::None, length.saturating_add(1)),
                    Piece::Part(next) => (next, length),
                    Piece::Dead | Piece::Quote => continue,
                };
                bitmask::set_ids(&mut tokens, trie.token_ids_at(child));
                todo.push((child, next.0, next.1));
            }
        }
        Sweep {
            tokens: tokens.into(),
            exits: exits.into_iter().map(|(byte, nodes)| (byte, nodes.into())).collect(),
        }
    }

    fn memory_usage(&self) -> usize {
        let exits: usize = self.exits.iter().map(|exit| 8 * exit.1.len() + 32).sum();
        4 * self.tokens.len() + exits + 128
    }
}

/// Most bytes of sweeps that are kept for a vocabulary; what comes later is swept whenever it is needed.
const MAX_SWEEP_BYTES: usize = 16 << 20;

/// The sweeps of a vocabulary, made when they are first needed.
#[derive(Default)]
pub(crate) struct Sweeps {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    sweeps: FxHashMap<SweepKey, Arc<Sweep>>,
    num_bytes: usize,
}

impl Sweeps {
    /// The sweep of the vocabulary's trie under this key.
    pub(crate) fn get(&self, trie: (&TokenTrie, &Below), key: &SweepKey, num_words: usize) -> Arc<Sweep> {
        if let Some(sweep) = self.known.lock().unwrap_or_else(PoisonError::into_inner).sweeps.get(key) {
            return sweep.clone();
        }
        let sweep = Arc::new(Sweep::new(trie, key, num_words));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let num_bytes = sweep.memory_usage();
        if known.num_bytes + num_bytes <= MAX_SWEEP_BYTES && known.sweeps.insert(*key, sweep.clone()).is_none() {
            known.num_bytes += num_bytes;
        }
        sweep
    }

    pub(crate) fn memory_usage(&self) -> usize {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).num_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alphabet(text: &str, others: bool) -> Alphabet {
        Alphabet {
            ascii: text.bytes().fold(0, |all, byte| all | 1 << byte),
            others,
        }
    }

    fn swept(texts: &[&[u8]], key: impl Fn(&TokenTrie) -> SweepKey) -> (Vec<u32>, Vec<(u8, usize)>) {
        let mut items: Vec<(&[u8], u32)> = texts.iter().zip(0..).map(|(&text, id)| (text, id)).collect();
        let trie = TokenTrie::from_items(&mut items);
        let sweep = Sweep::new((&trie, &Below::new(&trie)), &key(&trie), 1);
        let tokens = (0..texts.len() as u32).filter(|&id| bitmask::test(&sweep.tokens, id));
        (
            tokens.collect(),
            sweep.exits.iter().map(|exit| (exit.0, exit.1.len())).collect(),
        )
    }

    #[test]
    fn a_sweep_takes_texts_over_its_alphabets_and_names_their_exits() {
        let texts: [&[u8]; 9] = [b"a", b"ab", b"a1", b"1", b"1a", b"a(", b"ab(x", b"(", "aé".as_bytes()];
        let at_root = |_: &TokenTrie| SweepKey {
            node: TokenTrie::ROOT,
            first: alphabet("ab", false),
            then: alphabet("ab1", false),
            reach: 0,
        };
        assert_eq!(swept(&texts, at_root), (vec![0, 1, 2], vec![(b'(', 2), (0xC3, 1)]));
    }

    #[test]
    fn a_sweep_ends_at_its_reach() {
        let texts: [&[u8]; 7] = [b"a", b"aa", b"aaa", b"a(", b"aa(", "aéa".as_bytes(), "aaé".as_bytes()];
        let short = |_: &TokenTrie| SweepKey {
            node: TokenTrie::ROOT,
            first: alphabet("a", true),
            then: alphabet("a", true),
            reach: 2,
        };
        assert_eq!(swept(&texts, short), (vec![0, 1], vec![(b'(', 2), (b'a', 2), (0xC3, 1)]));
    }

    #[test]
    fn a_sweep_over_all_characters_takes_unfinished_ones_but_no_broken_ones() {
        let texts: [&[u8]; 6] = [b" \xC3", " é<".as_bytes(), b" \xC3a", b" \xA9", b" a\xE2\x82", b"b"];
        let below_space = |trie: &TokenTrie| SweepKey {
            node: trie.find(b" ").expect("a node"),
            first: alphabet("a", true),
            then: alphabet("a", true),
            reach: 0,
        };
        assert_eq!(swept(&texts, below_space), (vec![0, 4], vec![(b'<', 1)]));
    }
}
