//! Whole subtrees of the trie of tokens for places that read freely.
//!
//! A name in a programming language goes on with any letter, so below most nodes of the trie every token can be read. For each
//! node it is known which kinds of characters stand below it, and for each term which kinds lead it to one next term, often
//! to itself: where the kinds of a subtree do so for as long as it is high, the subtree is taken without a look.
use crate::text::{Partial, Piece};
use penstock_automata::{RegexId, Row, MAX_CHAR};
use penstock_tokens::{NodeId, TokenTrie};
use rustc_hash::FxHashMap;

/// A set of kinds: bits over [`RANGES`].
pub(crate) type KindSet = u64;

/// The kind of bytes that begin no character.
const INVALID: KindSet = 1 << 63;

const NUM_KINDS: usize = 46;

/// The kinds of characters, ascending. Letters are cut where hexadecimal digits end; every sign is a kind of its own.
const RANGES: [(u32, u32); NUM_KINDS] = ranges();

const fn ranges() -> [(u32, u32); NUM_KINDS] {
    // The first character of each wide kind, and of what follows one.
    const WIDE: [(u32, u32); 10] = [
        (0x00, 0x08),
        (0x0B, 0x0C),
        (0x0E, 0x1F),
        (0x30, 0x39),
        (0x41, 0x46),
        (0x47, 0x5A),
        (0x61, 0x66),
        (0x67, 0x7A),
        (0x80, MAX_CHAR),
        (MAX_CHAR + 1, MAX_CHAR + 1),
    ];
    let (mut all, mut kind, mut wide, mut next) = ([(0, 0); NUM_KINDS], 0, 0, 0);
    while next <= MAX_CHAR {
        let end = if WIDE[wide].0 == next { WIDE[wide].1 } else { next };
        wide += (WIDE[wide].0 == next) as usize;
        all[kind] = (next, end);
        (kind, next) = (kind + 1, end + 1);
    }
    assert!(kind == NUM_KINDS);
    all
}

/// The kind of `0` to `9`.
pub(crate) const DIGITS: KindSet = {
    let mut kind = 0;
    while RANGES[kind].0 != b'0' as u32 {
        kind += 1;
    }
    1 << kind
};

fn kind_of(character: u32) -> usize {
    RANGES.partition_point(|range| range.1 < character)
}

/// The kinds of which every character is among these ASCII characters, given as bits, or among all others.
pub(crate) fn kinds_within(ascii: u128, others: bool) -> KindSet {
    let is_within = |&(low, high): &(u32, u32)| match low {
        0..=0x7F => (low..=high).all(|character| ascii >> character & 1 != 0),
        _ => others,
    };
    let kinds = RANGES.iter().enumerate().filter(|(_, range)| is_within(range));
    kinds.fold(0, |all, (kind, _)| all | 1 << kind)
}

/// What stands at each node of a trie and below it.
#[derive(Default)]
pub(crate) struct Below {
    /// Of each node the number of its set among `sets`: nodes are many, and different sets few.
    kinds: Vec<u32>,
    sets: Vec<KindSet>,
    heights: Vec<u8>,
}

impl Below {
    /// Looks at every node. Cost: linear.
    pub(crate) fn new(trie: &TokenTrie) -> Below {
        let num_nodes = trie.num_nodes();
        let (mut kinds, mut heights) = (vec![0; num_nodes], vec![0u8; num_nodes]);
        let mut partials = vec![Partial::None; num_nodes];
        for node in 0..num_nodes as NodeId {
            for child in trie.children(node) {
                (kinds[child as usize], partials[child as usize]) = after(partials[node as usize], trie.byte(child));
            }
        }
        for node in (0..num_nodes).rev() {
            for child in trie.children(node as NodeId) {
                kinds[node] |= kinds[child as usize];
                heights[node] = heights[node].max(heights[child as usize].saturating_add(1));
            }
        }
        let (mut numbers, mut sets): (FxHashMap<KindSet, u32>, Vec<KindSet>) = Default::default();
        let number = |set: KindSet| {
            *numbers.entry(set).or_insert_with(|| {
                sets.push(set);
                sets.len() as u32 - 1
            })
        };
        Below {
            kinds: kinds.into_iter().map(number).collect(),
            sets,
            heights,
        }
    }

    /// The kinds of the characters from the byte of this node on, which must begin one: all that come on the way to some
    /// token at the node or below it.
    #[inline]
    pub(crate) fn kinds(&self, node: NodeId) -> KindSet {
        self.sets[self.kinds[node as usize] as usize]
    }

    /// At most how many characters these are; None if that is unknown.
    #[inline]
    pub(crate) fn length(&self, node: NodeId) -> Option<u8> {
        self.heights[node as usize].checked_add(1)
    }

    pub(crate) fn memory_usage(&self) -> usize {
        5 * self.kinds.len() + 8 * self.sets.len()
    }
}

/// The kind of a character at its first byte, and what is left of it behind a byte. Bytes that begin no character stand for
/// themselves: a walk that gets past them was inside of one.
fn after(partial: Partial, byte: u8) -> (KindSet, Partial) {
    match (partial, partial.step_utf8(byte)) {
        (Partial::None, Piece::Char(character)) => (1 << kind_of(character), Partial::None),
        (Partial::None, Piece::Part(next)) => (1 << kind_of(MAX_CHAR), next),
        (_, Piece::Char(_)) => (0, Partial::None),
        (_, Piece::Part(next)) => (0, next),
        _ => (INVALID, Partial::None),
    }
}

/// The kinds of characters that lead a term to one other term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stride {
    pub(crate) kinds: KindSet,
    pub(crate) next: RegexId,
}

impl Stride {
    /// The stride of a term with this row: back to itself if any kind does that, else where most kinds lead.
    pub(crate) fn of(term: RegexId, row: &Row) -> Stride {
        let mut targets: Vec<(RegexId, KindSet)> = Vec::new();
        let mut add = |target: RegexId, kinds: KindSet| match targets.iter_mut().find(|known| known.0 == target) {
            Some(known) => known.1 |= kinds,
            None => targets.push((target, kinds)),
        };
        for (low, high, target) in row.ranges() {
            let first = RANGES.partition_point(|range| range.0 < low);
            let after = RANGES.partition_point(|range| range.1 <= high);
            (first..after).for_each(|kind| add(target, 1 << kind));
        }
        // Surrogates are no characters, so all others may come in two pieces.
        let (below, above) = (row.piece_at(0x80), row.piece_at(0xE000));
        if below.1 >= 0xD7FF && above.1 == MAX_CHAR && below.2 == above.2 && above.2 != RegexId::NEVER {
            add(above.2, 1 << (NUM_KINDS - 1));
        }
        let best = targets
            .into_iter()
            .max_by_key(|&(target, kinds)| (target == term, kinds.count_ones()));
        let (next, kinds) = best.unwrap_or((RegexId::NEVER, 0));
        Stride { kinds, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_cover_all_characters_once() {
        assert_eq!((RANGES[0].0, RANGES[NUM_KINDS - 1].1), (0, MAX_CHAR));
        assert!(RANGES.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0));
        for character in (0..0x100).chain([0x20AC, MAX_CHAR]) {
            let (low, high) = RANGES[kind_of(character)];
            assert!((low..=high).contains(&character));
        }
    }

    #[test]
    fn the_kinds_of_a_subtree_are_those_of_its_characters() {
        let texts: [&[u8]; 5] = [b"ab1", "aé".as_bytes(), b"a\xC3", b"\xA9z", b"A."];
        let mut items: Vec<(&[u8], u32)> = texts.iter().zip(0..).map(|(&text, id)| (text, id)).collect();
        let trie = TokenTrie::from_items(&mut items);
        let below = Below::new(&trie);
        let kinds = |text: &str| {
            text.chars()
                .fold(0, |all, character| all | 1 << kind_of(u32::from(character)))
        };
        let at = |bytes: &[u8]| trie.find(bytes).expect("a node");
        assert_eq!(below.kinds(at(b"a")), kinds("ab1é"));
        assert_eq!(below.kinds(at(b"ab")), kinds("b1"));
        assert_eq!(below.kinds(at(b"A")), kinds("A."));
        assert_eq!(below.kinds(at(b"a\xC3")), kinds("é"));
        assert_eq!(below.kinds(at(b"\xA9")), INVALID | kinds("z"));
        assert_eq!((below.length(at(b"a")), below.length(at(b"A."))), (Some(3), Some(1)));
    }

    #[test]
    fn a_stride_leads_every_character_of_its_kinds_to_its_next_term() {
        use penstock_automata::{CharSet, Regexes, INFINITE};
        let mut regexes = Regexes::new();
        let small = regexes.class(CharSet::new([(0x5F, 0x5F), (0x61, 0x7A)]));
        let name = regexes.repeat(small, 0, INFINITE);
        let row = regexes.live_row(name).expect("no limit");
        let stride = Stride::of(name, &row);
        let letters = [0x5F, 0x61, 0x67]
            .iter()
            .fold(0, |all, &character| all | 1 << kind_of(character));
        assert_eq!((stride.next, stride.kinds), (name, letters));
        let few = regexes.repeat(small, 0, 3);
        let row = regexes.live_row(few).expect("no limit");
        let stride = Stride::of(few, &row);
        assert_eq!((stride.kinds, stride.next), (letters, regexes.repeat(small, 0, 2)));
    }
}
