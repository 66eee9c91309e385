//! What tokens can tell of the state of a number.
//!
//! The state of a number counts its digits, compares them with bounds and keeps remainders; a token holds a few digits at most.
//! Two states are alike for masks if every text over the bytes of numbers that begins a token leads on from both or from
//! neither, and may end at the same places with the same verdicts. Only places behind which some token goes on count, and not
//! the one where the tokens start: a number that is complete ends there in a mask of its own.
//!
//! So a state has a *class*: what is left of those texts at a node of their automaton, in which equal ends are shared, makes a
//! list, and equal lists are one class. Any state of a class serves for all.
use crate::control::Number;
use crate::core::Core;
use penstock_automata::Limit;
use penstock_schema::number::{NumberState, Numbers};
use penstock_tokens::{NodeId, TokenTrie};
use rustc_hash::FxHashMap;

/// Whether a byte may stand in a number.
#[inline]
pub(crate) fn is_number_byte(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
}

/// A node of [`Numerals`]; nodes with the same future are one.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Numeral {
    /// The bytes of numbers that go on, with what they lead to.
    edges: Box<[(u8, u32)]>,
    /// Whether it matters if the number may end here: some token goes on.
    may_end: bool,
}

/// The texts over the bytes of numbers with which the tokens of a vocabulary begin.
pub(crate) struct Numerals {
    nodes: Vec<Numeral>,
    places: FxHashMap<NodeId, u32>,
}

impl Numerals {
    /// Those of a trie of tokens. Cost: linear in them.
    pub(crate) fn new(trie: &TokenTrie) -> Numerals {
        let mut reached = vec![TokenTrie::ROOT];
        let mut next = 0;
        while next < reached.len() {
            reached.extend(trie.children(reached[next]).filter(|&child| is_number_byte(trie.byte(child))));
            next += 1;
        }
        let (mut ids, mut nodes, mut places) = (FxHashMap::default(), Vec::new(), FxHashMap::default());
        // Children come behind their parents.
        for &node in reached.iter().rev() {
            let children = trie.children(node).filter(|&child| is_number_byte(trie.byte(child)));
            let numeral = Numeral {
                edges: children.map(|child| (trie.byte(child), places[&child])).collect(),
                may_end: node != TokenTrie::ROOT && !trie.children(node).is_empty(),
            };
            let id = *ids.entry(numeral.clone()).or_insert_with(|| {
                nodes.push(numeral);
                nodes.len() as u32 - 1
            });
            places.insert(node, id);
        }
        Numerals { nodes, places }
    }

    /// Heap memory in bytes, approximately.
    pub(crate) fn memory_usage(&self) -> usize {
        let edges: usize = self.nodes.iter().map(|node| 8 * node.edges.len() + 24).sum();
        edges + 16 * self.places.len()
    }
}

/// No text that leads through this place goes on.
const DEAD: u32 = 0;

struct Class {
    /// Whether every text can be read to its end.
    reads_all: bool,
    /// A number with this class at the root.
    example: Option<Number>,
}

/// The classes of the states of numbers of one grammar, as far as they were asked for.
pub(crate) struct NumberClasses {
    /// By state, node, and whether the verdicts are told.
    known: FxHashMap<(NumberState, u32, bool), u32>,
    ids: FxHashMap<Box<[u64]>, u32>,
    classes: Vec<Class>,
}

impl Default for NumberClasses {
    fn default() -> Self {
        let dead = Class {
            reads_all: false,
            example: None,
        };
        NumberClasses {
            known: FxHashMap::default(),
            ids: FxHashMap::default(),
            classes: vec![dead],
        }
    }
}

impl NumberClasses {
    /// The class of a state at a node. Cost: a step for each different state and node below; remembered.
    fn class(
        &mut self,
        numbers: &mut Numbers,
        numerals: &Numerals,
        start: (NumberState, u32),
        tells: bool,
    ) -> Result<u32, Limit> {
        if let Some(&known) = self.known.get(&(start.0, start.1, tells)) {
            return Ok(known);
        }
        let (mut todo, mut last) = (vec![start], DEAD);
        while let Some(&(state, node)) = todo.last() {
            let numeral = &numerals.nodes[node as usize];
            let num_waiting = todo.len();
            let mut futures: Vec<u64> = match numeral.may_end && numbers.is_complete(state) {
                true => vec![1, if tells { numbers.verdicts(state) } else { 0 }],
                false => vec![0, 0],
            };
            for &(byte, child) in &numeral.edges {
                let Some(next) = numbers.step(state, byte)? else {
                    futures.push(u64::from(DEAD));
                    continue;
                };
                match self.known.get(&(next, child, tells)) {
                    Some(&class) => futures.push(u64::from(class)),
                    None => todo.push((next, child)),
                }
            }
            if todo.len() == num_waiting {
                last = self.intern(futures);
                self.known.insert((state, node, tells), last);
                todo.pop();
            }
        }
        Ok(last)
    }

    fn intern(&mut self, futures: Vec<u64>) -> u32 {
        if let Some(&known) = self.ids.get(&futures[..]) {
            return known;
        }
        let reads_all = futures[2..].iter().all(|&class| self.classes[class as usize].reads_all);
        self.classes.push(Class {
            reads_all,
            example: None,
        });
        let id = self.classes.len() as u32 - 1;
        self.ids.insert(futures.into(), id);
        id
    }

    /// Heap memory in bytes, approximately.
    pub(crate) fn memory_usage(&self) -> usize {
        let lists: usize = self.ids.keys().map(|list| 8 * list.len() + 32).sum();
        lists + 24 * self.known.len() + 24 * self.classes.len()
    }
}

impl Core {
    /// The number whose masks are those of `number`, the end of a complete one apart.
    pub(crate) fn like_number(&mut self, numerals: &Numerals, number: Number) -> Result<Number, Limit> {
        let tells = self.schemas.tells_verdicts(number.ask);
        let numbers = &mut self.schemas.numbers;
        let root = numerals.places[&TokenTrie::ROOT];
        let class = self.number_classes.class(numbers, numerals, (number.state, root), tells)?;
        let example = *self.number_classes.classes[class as usize].example.get_or_insert(number);
        Ok(Number {
            ask: example.ask,
            state: example.state,
            ..number
        })
    }

    /// Whether a number can read every text that begins a token at or below the trie's node, up to where it leaves the bytes of
    /// numbers. The node's byte has been read, and all bytes before it are bytes of numbers.
    pub(crate) fn reads_all_numerals(&mut self, numerals: &Numerals, number: Number, node: NodeId) -> Result<bool, Limit> {
        let Some(&numeral) = numerals.places.get(&node) else {
            return Ok(false);
        };
        let tells = self.schemas.tells_verdicts(number.ask);
        let numbers = &mut self.schemas.numbers;
        let class = self.number_classes.class(numbers, numerals, (number.state, numeral), tells)?;
        Ok(self.number_classes.classes[class as usize].reads_all)
    }
}
