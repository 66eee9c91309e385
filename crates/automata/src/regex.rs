//! Terms and their constructors.
//!
//! A constructor returns the simplest equal term it can see at a glance: that keeps the number of derivatives finite and
//! small, and it is also what makes *positive* terms (without *and* and *not*) live by construction, since every empty part
//! has been deleted.
use crate::charset::CharSet;
use crate::length::Lengths;
use crate::pattern::{Interner, Loop, Pattern};
use crate::row::Row;
use crate::scan::{Scan, ScanSpec};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Terms that an arena has room for at first: as many as a small schema has, so that making it does not grow it step by step.
const FIRST_ROOM: usize = 24;

/// The upper count of an unbounded repetition.
pub const INFINITE: u32 = u32::MAX;

/// A term of a [`Regexes`] arena. Equal ids are equal terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegexId(pub(crate) u32);

impl RegexId {
    /// The empty language.
    pub const NEVER: RegexId = RegexId(0);
    /// The language of the empty text.
    pub const EMPTY: RegexId = RegexId(1);
    /// Every text of one character.
    pub const ANY: RegexId = RegexId(2);
    /// Every text.
    pub const ANYTHING: RegexId = RegexId(3);

    /// The number of this term within its arena.
    pub fn index(self) -> u32 {
        self.0
    }

    /// The term with this number; only meaningful for a number that the same arena gave out.
    pub fn from_index(index: u32) -> RegexId {
        RegexId(index)
    }
}

/// A named limit was reached; the arena is unchanged but for terms that were already built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The name of the limit, as in the documentation.
    pub name: &'static str,
    /// Its configured value.
    pub configured: u64,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "limit `{}` of {} reached", self.name, self.configured)
    }
}

impl std::error::Error for Limit {}

/// What a term is made of. Children are older than their parents, so ids grow upwards.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    Never,
    Empty,
    Class(CharSet),
    /// The head is neither empty nor itself a concatenation.
    Concat(RegexId, RegexId),
    /// At least two, sorted, distinct.
    Or(Arc<[RegexId]>),
    And(Arc<[RegexId]>),
    Not(RegexId),
    Repeat {
        body: RegexId,
        min: u32,
        max: u32,
    },
    /// The words `low..high` of a sorted list, without the `depth` characters that they share.
    Words {
        list: u32,
        low: u32,
        high: u32,
        depth: u32,
    },
    /// A repetition whose body asserts something of its place; see `lower.rs`.
    Loop {
        spec: u32,
        place: u8,
    },
    /// Free text up to a word; see `scan.rs`.
    Scan {
        scan: u32,
        node: u32,
        least: u32,
    },
    /// A symbol that is no character: a rule call, a token, a JSON value. Only [`Regexes::externals`] reads it.
    External(u32),
}

impl Node {
    /// The terms that it is made of; those behind the tables of an arena are not among them.
    pub(crate) fn parts(&self) -> Vec<RegexId> {
        match self {
            Node::Concat(head, tail) => vec![*head, *tail],
            Node::Or(parts) | Node::And(parts) => parts.to_vec(),
            Node::Not(part) | Node::Repeat { body: part, .. } => vec![*part],
            _ => Vec::new(),
        }
    }
}

/// What is known of a term at its birth.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts {
    pub nullable: bool,
    /// No `and`, no `not`: live because constructors delete empty parts.
    pub positive: bool,
    /// Known to hold a text without a search: positive, or an *or* with a part that is.
    pub live: bool,
    /// Holds an `External` somewhere.
    pub external: bool,
}

/// The arena of terms, their edges and what is known of their liveness.
pub struct Regexes {
    pub(crate) nodes: Vec<Node>,
    pub(crate) facts: Vec<Facts>,
    pub(crate) lengths: Vec<Lengths>,
    pub(crate) ids: FxHashMap<Node, RegexId>,
    pub(crate) rows: Vec<Option<Arc<Row>>>,
    /// Whether the dead targets of a row have been taken out.
    pub(crate) pruned: Vec<bool>,
    pub(crate) live: Vec<Option<bool>>,
    pub(crate) words: Vec<Arc<[Box<[u32]>]>>,
    word_lists: FxHashMap<Arc<[Box<[u32]>]>, u32>,
    pub(crate) patterns: Interner<Pattern>,
    pub(crate) loops: Interner<Loop>,
    pub(crate) scans: Vec<Arc<Scan>>,
    pub(crate) scan_ids: FxHashMap<Arc<ScanSpec>, u32>,
    /// `max_emptiness_states`: how many states one emptiness question may look at.
    pub max_emptiness_states: usize,
    /// `max_regex_states`: how many terms the arena may hold.
    pub max_regex_states: usize,
}

impl Default for Regexes {
    fn default() -> Self {
        Self::new()
    }
}

impl Regexes {
    /// An arena that holds only the constants of [`RegexId`].
    pub fn new() -> Regexes {
        let mut regexes = Regexes {
            nodes: Vec::new(),
            facts: Vec::new(),
            lengths: Vec::new(),
            ids: FxHashMap::default(),
            rows: Vec::new(),
            pruned: Vec::new(),
            live: Vec::new(),
            words: Vec::new(),
            word_lists: FxHashMap::default(),
            patterns: Interner::default(),
            loops: Interner::default(),
            scans: Vec::new(),
            scan_ids: FxHashMap::default(),
            max_emptiness_states: 100_000,
            max_regex_states: 4_000_000,
        };
        regexes.reserve(FIRST_ROOM);
        regexes.intern(Node::Never);
        regexes.intern(Node::Empty);
        regexes.intern(Node::Class(CharSet::all()));
        regexes.intern(Node::Repeat {
            body: RegexId::ANY,
            min: 0,
            max: INFINITE,
        });
        regexes
    }

    /// How many terms the arena holds.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Never: the constants are always there.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Heap memory in bytes, approximately.
    pub fn memory_usage(&self) -> usize {
        let rows: usize = self.rows.iter().flatten().map(|row| 8 * row.pieces().len() + 40).sum();
        let words: usize = self
            .words
            .iter()
            .flat_map(|list| list.iter())
            .map(|word| 4 * word.len() + 16)
            .sum();
        let scans: usize = self.scans.iter().map(|scan| scan.memory_usage()).sum();
        self.nodes.len() * (2 * std::mem::size_of::<Node>() + 40) + rows + words + scans
    }

    /// Whether the empty text is in the language.
    pub fn is_nullable(&self, term: RegexId) -> bool {
        self.facts[term.0 as usize].nullable
    }

    /// Whether the term holds no external symbol.
    pub fn is_regular(&self, term: RegexId) -> bool {
        !self.facts[term.0 as usize].external
    }

    pub(crate) fn node(&self, term: RegexId) -> &Node {
        &self.nodes[term.0 as usize]
    }

    pub(crate) fn intern(&mut self, node: Node) -> RegexId {
        if let Some(&id) = self.ids.get(&node) {
            return id;
        }
        let (facts, lengths) = (self.facts_of(&node), self.lengths_of(&node));
        self.add(node, facts, lengths)
    }

    /// [`Regexes::intern`] where all is known of the node already.
    pub(crate) fn intern_known(&mut self, node: Node, facts: Facts, lengths: Lengths) -> RegexId {
        match self.ids.get(&node) {
            Some(&id) => id,
            None => self.add(node, facts, lengths),
        }
    }

    fn add(&mut self, node: Node, facts: Facts, lengths: Lengths) -> RegexId {
        let id = RegexId(self.nodes.len() as u32);
        self.facts.push(facts);
        self.lengths.push(lengths);
        self.nodes.push(node.clone());
        self.ids.insert(node, id);
        self.rows.push(None);
        self.pruned.push(false);
        self.live.push(None);
        id
    }

    /// Room for so many more terms.
    pub(crate) fn reserve(&mut self, count: usize) {
        self.nodes.reserve(count);
        self.facts.reserve(count);
        self.lengths.reserve(count);
        self.ids.reserve(count);
        self.rows.reserve(count);
        self.pruned.reserve(count);
        self.live.reserve(count);
    }

    #[rustfmt::skip] // One line a case: the table fits a screen.
    fn facts_of(&self, node: &Node) -> Facts {
        let fact = |id: &RegexId| self.facts[id.0 as usize];
        let plain = |nullable| Facts {
            nullable,
            positive: true,
            live: true,
            external: false,
        };
        match node {
            Node::Never => Facts {
                live: false,
                ..plain(false)
            },
            Node::Class(_) => plain(false),
            Node::Empty => plain(true),
            Node::Loop { spec, place } => {
                let nullable = self.loop_is_nullable(*spec, *place);
                Facts { nullable, positive: false, live: nullable, external: false }
            }
            Node::Scan { scan, least, .. } => self.scan_facts(*scan, *least),
            Node::External(_) => Facts {
                external: true,
                ..plain(false)
            },
            Node::Words { list, low, depth, .. } => plain(self.words[*list as usize][*low as usize].len() as u32 == *depth),
            Node::Repeat { body, min, .. } => Facts {
                nullable: *min == 0,
                live: *min == 0 || fact(body).live,
                ..fact(body)
            },
            Node::Concat(head, tail) => {
                let (a, b) = (fact(head), fact(tail));
                Facts {
                    nullable: a.nullable && b.nullable,
                    positive: a.positive && b.positive,
                    live: a.live && b.live,
                    external: a.external || b.external,
                }
            }
            Node::Or(parts) => parts.iter().map(fact).fold(
                Facts {
                    positive: true,
                    ..Facts::default()
                },
                |sum, part| Facts {
                    nullable: sum.nullable || part.nullable,
                    positive: sum.positive && part.positive,
                    live: sum.live || part.live,
                    external: sum.external || part.external,
                },
            ),
            // Whether these hold a text takes a search, unless it is the empty one.
            Node::And(parts) => {
                let nullable = parts.iter().all(|part| fact(part).nullable);
                let external = parts.iter().any(|part| fact(part).external);
                Facts { nullable, positive: false, live: nullable, external }
            }
            Node::Not(part) => {
                let Facts { nullable, external, .. } = fact(part);
                Facts { nullable: !nullable, positive: false, live: !nullable, external }
            }
        }
    }

    /// One character of `set`.
    pub fn class(&mut self, set: CharSet) -> RegexId {
        if set.is_empty() {
            RegexId::NEVER
        } else {
            self.intern(Node::Class(set))
        }
    }

    /// Exactly `text`.
    pub fn literal(&mut self, text: &str) -> RegexId {
        let mut term = RegexId::EMPTY;
        for character in text.chars().rev() {
            let head = self.class(CharSet::single(character));
            term = self.concat(head, term);
        }
        term
    }

    /// One of `words`. Unlike [`Regexes::or`] of literals, a step costs the logarithm of their number.
    pub fn words<'a>(&mut self, words: impl IntoIterator<Item = &'a str>) -> RegexId {
        // A word of so many bytes has at most so many characters: one allocation instead of a growing one.
        let spelt = |word: &str| {
            let mut characters = Vec::with_capacity(word.len());
            characters.extend(word.chars().map(u32::from));
            characters.into_boxed_slice()
        };
        let mut list: Vec<Box<[u32]>> = words.into_iter().map(spelt).collect();
        list.sort_unstable();
        list.dedup();
        match list.len() {
            0 => return RegexId::NEVER,
            1 => {
                let text: String = list[0].iter().filter_map(|&c| char::from_u32(c)).collect();
                return self.literal(&text);
            }
            _ => {}
        }
        let list: Arc<[Box<[u32]>]> = list.into();
        let high = list.len() as u32;
        let number = *self.word_lists.entry(list.clone()).or_insert_with(|| {
            self.words.push(list);
            self.words.len() as u32 - 1
        });
        self.intern(Node::Words {
            list: number,
            low: 0,
            high,
            depth: 0,
        })
    }

    /// A symbol that is no character; see [`Regexes::externals`].
    pub fn external(&mut self, symbol: u32) -> RegexId {
        self.intern(Node::External(symbol))
    }

    /// `head` followed by `tail`.
    pub fn concat(&mut self, head: RegexId, tail: RegexId) -> RegexId {
        if head == RegexId::NEVER || tail == RegexId::NEVER {
            return RegexId::NEVER;
        }
        if !matches!(self.node(head), Node::Concat(..)) {
            return self.concat_two(head, tail);
        }
        // The head's own concatenation is unrolled from its end, so that the spine always leans to the right.
        self.spine(head)
            .into_iter()
            .rev()
            .fold(tail, |term, part| self.concat_two(part, term))
    }

    /// The parts of a concatenation, or `term` alone.
    pub(crate) fn spine(&self, term: RegexId) -> Vec<RegexId> {
        let (mut spine, mut rest) = (Vec::new(), term);
        while let Node::Concat(head, tail) = *self.node(rest) {
            spine.push(head);
            rest = tail;
        }
        spine.push(rest);
        spine
    }

    fn concat_two(&mut self, head: RegexId, tail: RegexId) -> RegexId {
        if head == RegexId::EMPTY {
            return tail;
        }
        if tail == RegexId::EMPTY {
            return head;
        }
        // R{a,b} R{c,d} = R{a+c,b+d}: without it `.*.*` would be two states.
        let (next, rest) = match *self.node(tail) {
            Node::Concat(next, rest) => (next, rest),
            _ => (tail, RegexId::EMPTY),
        };
        if let (
            Node::Repeat { body, min, max },
            Node::Repeat {
                body: same,
                min: low,
                max: high,
            },
        ) = (self.node(head), self.node(next))
        {
            if body == same {
                let (body, min, max) = (*body, min.saturating_add(*low), max.saturating_add(*high));
                let both = self.intern(Node::Repeat { body, min, max });
                return self.concat_two(both, rest);
            }
        }
        self.intern(Node::Concat(head, tail))
    }

    /// The concatenation of `parts`, in order.
    pub fn concat_all(&mut self, parts: &[RegexId]) -> RegexId {
        parts.iter().rev().fold(RegexId::EMPTY, |tail, &head| self.concat(head, tail))
    }

    /// `body`, `min` to `max` times ([`INFINITE`]: without bound). The count stays a count.
    pub fn repeat(&mut self, body: RegexId, min: u32, max: u32) -> RegexId {
        if max == 0 || body == RegexId::EMPTY || (body == RegexId::NEVER && min == 0) {
            return RegexId::EMPTY;
        }
        if min > max || body == RegexId::NEVER {
            return RegexId::NEVER;
        }
        let min = if self.is_nullable(body) { 0 } else { min };
        if min == 1 && max == 1 {
            return body;
        }
        if let Node::Repeat {
            body: inner,
            min: 0 | 1,
            max: INFINITE,
        } = *self.node(body)
        {
            // (R*){a,b} and (R+){a,b}: any count of R from a (or none) upwards.
            return self.intern(Node::Repeat {
                body: inner,
                min,
                max: INFINITE,
            });
        }
        self.intern(Node::Repeat { body, min, max })
    }

    /// Zero or one `body`.
    pub fn optional(&mut self, body: RegexId) -> RegexId {
        self.or(&[body, RegexId::EMPTY])
    }

    /// Any of `parts`.
    pub fn or(&mut self, parts: &[RegexId]) -> RegexId {
        let mut flat = Vec::with_capacity(parts.len());
        for &part in parts {
            match self.node(part) {
                Node::Never => {}
                Node::Or(inner) => flat.extend(inner.iter().copied()),
                _ => flat.push(part),
            }
        }
        flat.sort_unstable();
        flat.dedup();
        if flat.contains(&RegexId::ANYTHING) {
            return RegexId::ANYTHING;
        }
        if flat.len() > 1 {
            self.merge_classes(&mut flat);
            self.merge_counts(&mut flat);
            self.absorb_empty(&mut flat);
        }
        if flat.len() > 1
            && flat
                .iter()
                .any(|&x| matches!(*self.node(x), Node::Not(y) if flat.binary_search(&y).is_ok()))
        {
            return RegexId::ANYTHING;
        }
        match flat[..] {
            [] => RegexId::NEVER,
            [only] => only,
            _ => self.intern(Node::Or(flat.into())),
        }
    }

    /// One class instead of several.
    fn merge_classes(&mut self, flat: &mut Vec<RegexId>) {
        let classes: Vec<&CharSet> = flat.iter().filter_map(|&part| self.as_class(part)).collect();
        if classes.len() < 2 {
            return;
        }
        let union = CharSet::new(classes.iter().flat_map(|set| set.ranges().iter().copied()));
        flat.retain(|&part| self.as_class(part).is_none());
        flat.push(self.class(union));
        flat.sort_unstable();
        flat.dedup();
    }

    pub(crate) fn as_class(&self, term: RegexId) -> Option<&CharSet> {
        match self.node(term) {
            Node::Class(set) => Some(set),
            _ => None,
        }
    }

    /// `R{a,b}T | R{c,d}T = R{min,max}T` where the intervals overlap or touch: it turns the states of `{m,n}` into intervals.
    fn merge_counts(&mut self, flat: &mut Vec<RegexId>) {
        let mut counted: Vec<(RegexId, RegexId, u32, u32, RegexId)> =
            flat.iter().filter_map(|&part| self.as_counted(part)).collect();
        if counted.len() < 2 {
            return;
        }
        counted.sort_unstable();
        let (mut changed, mut i) = (false, 0);
        while i + 1 < counted.len() {
            let (a, b) = (counted[i], counted[i + 1]);
            if (a.0, a.1) == (b.0, b.1) && b.2 <= a.3.saturating_add(1) {
                let repeat = self.repeat(a.0, a.2, a.3.max(b.3));
                let joined = self.concat(repeat, a.1);
                flat.retain(|&part| part != a.4 && part != b.4);
                flat.push(joined);
                counted[i + 1] = (a.0, a.1, a.2, a.3.max(b.3), joined);
                changed = true;
            }
            i += 1;
        }
        if changed {
            flat.sort_unstable();
            flat.dedup();
        }
    }

    /// (body, tail, min, max, term) of a term that starts with a repetition.
    fn as_counted(&self, term: RegexId) -> Option<(RegexId, RegexId, u32, u32, RegexId)> {
        let (head, tail) = match *self.node(term) {
            Node::Concat(head, tail) => (head, tail),
            _ => (term, RegexId::EMPTY),
        };
        match *self.node(head) {
            Node::Repeat { body, min, max } => Some((body, tail, min, max, term)),
            _ => None,
        }
    }

    /// The empty text adds nothing beside a nullable part, and turns `R{1,n}` into `R{0,n}`.
    fn absorb_empty(&mut self, flat: &mut Vec<RegexId>) {
        if flat.first() != Some(&RegexId::EMPTY) {
            return;
        }
        if flat[1..].iter().any(|&part| self.is_nullable(part)) {
            flat.remove(0);
        } else if let [_, only] = flat[..] {
            if let Node::Repeat { body, min: 1, max } = *self.node(only) {
                *flat = vec![self.intern(Node::Repeat { body, min: 0, max })];
            }
        }
    }

    /// All of `parts` at once. Parts must be regular.
    pub fn and(&mut self, parts: &[RegexId]) -> RegexId {
        let mut flat = Vec::with_capacity(parts.len());
        for &part in parts {
            match self.node(part) {
                Node::And(inner) => flat.extend(inner.iter().copied()),
                _ if part == RegexId::ANYTHING => {}
                _ => flat.push(part),
            }
        }
        flat.sort_unstable();
        flat.dedup();
        if flat.contains(&RegexId::NEVER) {
            return RegexId::NEVER;
        }
        if flat
            .iter()
            .any(|&x| matches!(*self.node(x), Node::Not(y) if flat.binary_search(&y).is_ok()))
        {
            return RegexId::NEVER;
        }
        if flat.contains(&RegexId::EMPTY) {
            return if flat.iter().all(|&part| self.is_nullable(part)) {
                RegexId::EMPTY
            } else {
                RegexId::NEVER
            };
        }
        self.intersect_classes(&mut flat);
        match flat[..] {
            [] => RegexId::ANYTHING,
            [only] => only,
            _ if flat.contains(&RegexId::NEVER) => RegexId::NEVER,
            _ => self.intern(Node::And(flat.into())),
        }
    }

    /// One class instead of several; lengths (`.{a,b}`) meet in one interval.
    fn intersect_classes(&mut self, flat: &mut Vec<RegexId>) {
        let classes: Vec<&CharSet> = flat.iter().filter_map(|&part| self.as_class(part)).collect();
        if classes.len() > 1 {
            let set = classes[1..].iter().fold(classes[0].clone(), |all, set| all.intersection(set));
            flat.retain(|&part| self.as_class(part).is_none());
            flat.push(self.class(set));
        }
        let lengths: Vec<(u32, u32)> = flat.iter().filter_map(|&part| self.as_length(part)).collect();
        if lengths.len() > 1 {
            let (min, max) = lengths
                .iter()
                .fold((0, INFINITE), |all, one| (all.0.max(one.0), all.1.min(one.1)));
            flat.retain(|&part| self.as_length(part).is_none());
            flat.push(self.repeat(RegexId::ANY, min, max));
        }
        flat.sort_unstable();
        flat.dedup();
    }

    /// (min, max) of a term that only counts characters.
    pub fn as_length(&self, term: RegexId) -> Option<(u32, u32)> {
        match *self.node(term) {
            Node::Repeat {
                body: RegexId::ANY,
                min,
                max,
            } => Some((min, max)),
            Node::Empty => None,
            _ if term == RegexId::ANY => Some((1, 1)),
            _ => None,
        }
    }

    /// Every text that is not in `part`. The part must be regular.
    pub fn not(&mut self, part: RegexId) -> RegexId {
        match *self.node(part) {
            Node::Not(inner) => inner,
            Node::Never => RegexId::ANYTHING,
            _ if part == RegexId::ANYTHING => RegexId::NEVER,
            _ => self.intern(Node::Not(part)),
        }
    }

    /// The texts of `a` that are not in `b`.
    pub fn difference(&mut self, a: RegexId, b: RegexId) -> RegexId {
        let outside = self.not(b);
        self.and(&[a, outside])
    }
}
