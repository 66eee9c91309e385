//! Lanes: sets of places in rules, as the states of an automaton over bytes that a walk builds on its way.
//!
//! The same few sets come again and again below the nodes of a trie, so each has a number, and its edges are remembered: a
//! step is one look-up instead of the calls and returns that the places stand for.
use crate::control::{Config, Control};
use crate::core::{has_byte, ByteSet};
use crate::run::{Configs, Frontier, Kernels};
use crate::spans::{Below, KindSet, Stride};
use crate::stack::FrameId;
use crate::sweeps::{Alphabet, SweepKey};
use crate::techniques::Technique;
use crate::text::Partial;
use crate::walk::{Guard, Place, Standing, Walk, DOUBTFUL};
use penstock_automata::{Limit, RegexId, MAX_CHAR};
use penstock_tokens::{NodeId, TokenTrie};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::sync::Arc;

/// The number of a [`Lane`].
pub(crate) type LaneId = u32;

/// A set of places in rules that the walk has met.
pub(crate) struct Lane {
    pub(crate) configs: Configs,
    pub(crate) live: ByteSet,
    /// See [`crate::run::Run::are_doubtful`]; frames do not change, so it stays.
    pub(crate) is_doubtful: bool,
    /// How its places read on freely, once somebody has asked.
    strides: Option<SmallVec<[Stride; 2]>>,
    /// How all of it reads on freely, once somebody has asked.
    run: Option<FreeRun>,
}

/// How a lane reads freely: a character of `first` leads to the first lane of the chain, one of `then` from each to the next,
/// and from the last one to itself if it loops.
#[derive(Clone, Default)]
struct FreeRun {
    first: Alphabet,
    then: Alphabet,
    chain: Arc<[LaneId]>,
    loops: bool,
}

/// An edge: the number of a lane, or one of the three numbers below.
type Edge = u32;

/// Nobody has asked yet.
const UNKNOWN: Edge = u32::MAX;
/// Nothing can be read.
const DEAD: Edge = u32::MAX - 1;
/// It leads to something that is no lane.
const FREE: Edge = u32::MAX - 2;

/// The lanes of one walk.
#[derive(Default)]
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    ids: FxHashMap<Configs, LaneId>,
    /// Where places lead whose calls and returns have not been followed yet.
    closed: FxHashMap<Kernels, Edge>,
    edges: Vec<[Edge; 256]>,
    free: FxHashMap<(LaneId, u8), Configs>,
}

/// A node of a trie, the lane that stands there, and whether it may be that it cannot.
type At = (NodeId, LaneId, bool);

/// Subtrees with fewer tokens are walked without asking whether they can be taken whole.
const WORTH_TAKING: usize = 4;

/// Smaller alphabets are walked, in number of characters.
const WORTH_A_SWEEP: u32 = 2;

/// Most characters that a counted text is swept for.
const MAX_CHAIN: usize = 16;

/// Lanes whose places tell apart more ranges of characters beyond ASCII are not asked for all of them.
const FEW_PIECES: usize = 8;

fn is_in_rule(config: &Config) -> bool {
    matches!(config.control, Control::Rule { .. })
}

/// The term of a place at a character boundary.
fn term_of(config: &Config) -> Option<RegexId> {
    match config.control {
        Control::Rule {
            term,
            partial: Partial::None,
        } => Some(term),
        _ => None,
    }
}

/// More lanes of regular languages are not kept from one walk to the next.
const MAX_KEPT_LANES: usize = 4096;

/// The memory of more lanes than these is given back after a walk.
const MAX_SPARE_LANES: usize = 256;

impl Lanes {
    /// Heap memory in bytes, approximately.
    pub(crate) fn memory_usage(&self) -> usize {
        self.lanes.capacity() * (std::mem::size_of::<Lane>() + 1200)
    }

    /// No lanes, in the memory of these.
    fn emptied(mut self) -> Lanes {
        self.lanes.clear();
        self.ids.clear();
        self.closed.clear();
        self.edges.clear();
        self.free.clear();
        self
    }
}

impl Walk<'_, '_> {
    /// Finds the tokens that a place in a rule can read. Where the grammar is one regular language, its lanes
    /// are the same in every walk, and they are kept; elsewhere only their memory is.
    pub(crate) fn rule_tokens(&mut self, config: Config) -> Result<(), Limit> {
        let vocabulary = self.vocabulary;
        let keeps = self.is_alone(&config);
        let lanes = std::mem::take(&mut self.run.core.lanes);
        self.lanes = if keeps { lanes } else { lanes.emptied() };
        let outcome = self.trie(&vocabulary.trie, config);
        let lanes = std::mem::take(&mut self.lanes);
        if lanes.lanes.len() <= if keeps { MAX_KEPT_LANES } else { MAX_SPARE_LANES } {
            self.run.core.lanes = lanes;
        }
        outcome
    }

    /// Whether the whole grammar is one regular language, so that nothing is ever open below a place of it and no walk has a
    /// question that another one would not have.
    fn is_alone(&mut self, config: &Config) -> bool {
        let core = &self.run.core;
        let body = core.lowered.bodies[core.lowered.root];
        config.frame == FrameId::BOTTOM && self.remembers_edges() && core.schemas.regexes.is_regular(body)
    }

    /// The number of the lane that stands here, if its edges are to be remembered.
    pub(crate) fn lane_at(&mut self, standing: &Standing) -> Result<Option<LaneId>, Limit> {
        match standing {
            Standing::Lane(lane) => Ok(Some(*lane)),
            Standing::Free(configs) if self.remembers_edges() && configs.iter().all(is_in_rule) => {
                self.lane_of(configs).map(Some)
            }
            Standing::Free(_) => Ok(None),
        }
    }

    fn remembers_edges(&self) -> bool {
        self.run.core.techniques.has(Technique::EdgeMemory)
    }

    /// The number of the lane of these configurations.
    fn lane_of(&mut self, configs: &Configs) -> Result<LaneId, Limit> {
        if let Some(&lane) = self.lanes.ids.get(configs) {
            return Ok(lane);
        }
        let live = self.live_bytes_of(configs)?;
        let lane = self.lanes.lanes.len() as LaneId;
        self.lanes.lanes.push(Lane {
            live,
            is_doubtful: self.run.are_doubtful(configs),
            configs: Configs::from_slice(configs),
            strides: None,
            run: None,
        });
        self.lanes.edges.push([UNKNOWN; 256]);
        self.lanes.ids.insert(Configs::from_slice(configs), lane);
        Ok(lane)
    }

    /// A lane by its number.
    #[inline]
    pub(crate) fn lane(&self, lane: LaneId) -> &Lane {
        &self.lanes.lanes[lane as usize]
    }

    /// Where a byte leads from a lane; None if it cannot be read.
    pub(crate) fn lane_step(&mut self, lane: LaneId, byte: u8) -> Result<Option<Standing>, Limit> {
        Ok(match self.edge(lane, byte)? {
            DEAD => None,
            FREE => Some(Standing::Free(self.lanes.free[&(lane, byte)].clone())),
            next => Some(Standing::Lane(next)),
        })
    }

    #[inline]
    fn edge(&mut self, lane: LaneId, byte: u8) -> Result<Edge, Limit> {
        match self.lanes.edges[lane as usize][usize::from(byte)] {
            UNKNOWN => self.find_edge(lane, byte),
            edge => Ok(edge),
        }
    }

    fn find_edge(&mut self, lane: LaneId, byte: u8) -> Result<Edge, Limit> {
        // The lane lends its places: most are too many to be copied for each of its edges.
        let configs = std::mem::take(&mut self.lanes.lanes[lane as usize].configs);
        let outcome = self.find_edge_of((lane, &configs), byte);
        self.lanes.lanes[lane as usize].configs = configs;
        outcome
    }

    fn find_edge_of(&mut self, (lane, configs): (LaneId, &Configs), byte: u8) -> Result<Edge, Limit> {
        let mut next = Frontier::default();
        self.run.step_each(configs, byte, &mut next)?;
        // Their frames stay, and what is asked of them was asked when this was found.
        let kernels = next.configs.is_empty().then(|| Kernels::from_slice(&next.kernels));
        let known = kernels.as_ref().and_then(|kernels| self.lanes.closed.get(kernels).copied());
        let edge = match known {
            Some(edge) => edge,
            None => {
                self.run.close_over(&mut next)?;
                self.edge_to((lane, byte), next.configs)?
            }
        };
        if edge == FREE {
            self.lanes.edges[lane as usize][usize::from(byte)] = FREE;
            return Ok(FREE);
        }
        if let (Some(kernels), None) = (kernels, known) {
            self.lanes.closed.insert(kernels, edge);
        }
        let (low, high) = self.alike(configs, byte)?;
        self.lanes.edges[lane as usize][usize::from(low)..=usize::from(high)].fill(edge);
        Ok(edge)
    }

    /// The edge to these places.
    fn edge_to(&mut self, (lane, byte): (LaneId, u8), next: Configs) -> Result<Edge, Limit> {
        if next.is_empty() {
            return Ok(DEAD);
        }
        if next.iter().all(is_in_rule) {
            return self.lane_of(&next);
        }
        self.lanes.free.insert((lane, byte), next);
        Ok(FREE)
    }

    /// The bytes around this one that lead every place where this one does.
    fn alike(&mut self, configs: &Configs, byte: u8) -> Result<(u8, u8), Limit> {
        let (mut low, mut high) = (0, 0x7F);
        if !byte.is_ascii() {
            return Ok((byte, byte));
        }
        // Inside a character no byte of ASCII leads anywhere.
        for term in configs.iter().filter_map(term_of) {
            let (start, end, _) = self.run.core.regexes().live_row_ref(term)?.piece_at(u32::from(byte));
            (low, high) = (start.max(low), end.min(high));
        }
        Ok((low as u8, high as u8))
    }

    // HOT: once per live edge of the trie, thousands for a name in a programming language. A subtree that is taken whole or a
    // step within the lanes is some 20 instructions; the step of a new edge is thousands.
    /// Everything below a node that a lane can read. What leads out of the lanes is left in `todo`.
    pub(crate) fn walk_lanes(&mut self, trie: &TokenTrie, start: At, todo: &mut Vec<Place>) -> Result<(), Limit> {
        let vocabulary = self.vocabulary;
        let techniques = self.run.core.techniques;
        let is_main = std::ptr::eq(trie, &vocabulary.trie);
        let below = (is_main && techniques.has(Technique::WholeSubtrees)).then_some(&vocabulary.below);
        let sweeps = is_main && techniques.has(Technique::Sweeps);
        let mut inner = vec![start];
        while let Some(at) = inner.pop() {
            let mut live = self.lane(at.1).live;
            if sweeps && !at.2 && self.is_worth_sweeping(trie, at.0, &live) {
                self.sweep(trie, at, &mut live, (&mut inner, todo))?;
            }
            let mut outcome = Ok(());
            trie.for_each_live_child(at.0, &live, |child, byte| {
                if outcome.is_ok() {
                    outcome = self.walk_edge((trie, below), at, (child, byte), (&mut inner, todo));
                }
            });
            outcome?;
            self.check_steps()?;
        }
        Ok(())
    }

    /// Whether many tokens begin with bytes that are live below a node.
    fn is_worth_sweeping(&self, trie: &TokenTrie, node: NodeId, live: &ByteSet) -> bool {
        let worth_sweeping = self.vocabulary.worth_sweeping;
        if trie.id_range(node).len() < worth_sweeping {
            return false;
        }
        let mut num_tokens = 0;
        trie.for_each_live_child(node, live, |child, _| num_tokens += trie.id_range(child).len());
        num_tokens >= worth_sweeping
    }

    /// Takes what the lane reads freely below a node, if it does, and takes the bytes that begin it out of `live`.
    fn sweep(
        &mut self,
        trie: &TokenTrie,
        (node, lane, _): At,
        live: &mut ByteSet,
        (inner, todo): (&mut Vec<At>, &mut Vec<Place>),
    ) -> Result<(), Limit> {
        let run = self.free_run(lane)?;
        let is_short = run.first.len().min(run.then.len()) < WORTH_A_SWEEP;
        if is_short || run.chain.iter().any(|&lane| self.lane(lane).is_doubtful) {
            return Ok(());
        }
        let vocabulary = self.vocabulary;
        let key = SweepKey {
            node,
            first: run.first,
            then: run.then,
            reach: if run.loops { 0 } else { run.chain.len() as u8 },
        };
        let sweep = vocabulary.sweeps.get((trie, &vocabulary.below), &key, vocabulary.num_words);
        live[0] &= !(run.first.ascii as u64);
        live[1] &= !((run.first.ascii >> 64) as u64);
        if run.first.others {
            (live[2], live[3]) = (0, 0);
        }
        for (byte, nodes) in &sweep.exits {
            if !run.chain.iter().any(|&lane| has_byte(&self.lane(lane).live, *byte)) {
                continue;
            }
            self.steps += nodes.len() as u64;
            for &(node, length) in nodes {
                let from = run.chain[usize::from(length).min(run.chain.len()) - 1];
                let edge = self.edge(from, *byte)?;
                if edge != DEAD {
                    self.arrive(trie, (node, *byte), (from, edge, false), (&mut *inner, &mut *todo));
                }
            }
        }
        self.found.sweeps.push(sweep);
        Ok(())
    }

    /// How this lane reads freely.
    fn free_run(&mut self, lane: LaneId) -> Result<FreeRun, Limit> {
        if let Some(run) = &self.lane(lane).run {
            return Ok(run.clone());
        }
        let run = match self.most(lane)? {
            Some((next, first)) => self.free_run_by(next, first)?,
            None => FreeRun::default(),
        };
        self.lanes.lanes[lane as usize].run = Some(run.clone());
        Ok(run)
    }

    /// How a lane reads freely whose characters `first` lead to `next`.
    fn free_run_by(&mut self, next: LaneId, first: Alphabet) -> Result<FreeRun, Limit> {
        let itself = self.alphabet(next, next)?;
        if itself.len() > 0 {
            return Ok(FreeRun {
                first,
                then: itself,
                chain: [next].into(),
                loops: true,
            });
        }
        let (mut chain, mut then, mut loops) = (vec![next], Alphabet::default(), false);
        while chain.len() < MAX_CHAIN && !loops {
            let last = chain[chain.len() - 1];
            match self.most(last)? {
                Some((lane, alphabet)) if chain.len() == 1 && alphabet.len() >= WORTH_A_SWEEP => {
                    chain.push(lane);
                    then = alphabet;
                }
                // Where one of two counts has run out, the other one reads on, and more than before.
                Some((lane, alphabet)) if chain.len() > 1 && alphabet.holds(&then) => {
                    loops = lane == last;
                    chain.push(lane);
                }
                _ => break,
            }
        }
        if loops {
            let chain = chain.into();
            return Ok(FreeRun {
                first,
                then,
                chain,
                loops,
            });
        }
        // Sweeps of a few lengths serve all counts.
        chain.truncate(1 << chain.len().ilog2());
        Ok(FreeRun {
            first,
            then,
            chain: chain.into(),
            loops: false,
        })
    }

    /// The lane to which most characters lead from this one, and these characters.
    fn most(&mut self, lane: LaneId) -> Result<Option<(LaneId, Alphabet)>, Limit> {
        self.find_ascii(lane)?;
        let mut targets: SmallVec<[(LaneId, u128); 8]> = SmallVec::new();
        let mut start = 0;
        for alike in self.lanes.edges[lane as usize][..0x80].chunk_by(|a, b| a == b) {
            let characters = (u128::MAX >> (0x80 - alike.len())) << start;
            start += alike.len();
            match targets.iter_mut().find(|known| known.0 == alike[0]) {
                Some(known) => known.1 |= characters,
                None if alike[0] < FREE => targets.push((alike[0], characters)),
                None => {}
            }
        }
        match targets.into_iter().max_by_key(|target| target.1.count_ones()) {
            Some((next, ascii)) => {
                let others = self.do_others_lead(lane, next)?;
                Ok(Some((next, Alphabet { ascii, others })))
            }
            None => Ok(None),
        }
    }

    /// Makes all edges along ASCII characters known that may be live.
    fn find_ascii(&mut self, lane: LaneId) -> Result<(), Limit> {
        let live = self.lane(lane).live;
        for (word, mut rest) in live.into_iter().take(2).enumerate() {
            while rest != 0 {
                let byte = (64 * word as u32 + rest.trailing_zeros()) as u8;
                self.edge(lane, byte)?;
                rest &= rest - 1;
            }
        }
        Ok(())
    }

    /// The characters that lead from one lane to another.
    fn alphabet(&mut self, lane: LaneId, next: LaneId) -> Result<Alphabet, Limit> {
        self.find_ascii(lane)?;
        let (low, high) = self.lanes.edges[lane as usize][..0x80].split_at(0x40);
        let bits = |edges: &[Edge]| edges.iter().rev().fold(0, |all, &edge| all << 1 | u64::from(edge == next));
        let ascii = u128::from(bits(high)) << 0x40 | u128::from(bits(low));
        let others = ascii != 0 && self.do_others_lead(lane, next)?;
        Ok(Alphabet { ascii, others })
    }

    /// Whether every character beyond ASCII leads from one lane to another.
    fn do_others_lead(&mut self, lane: LaneId, next: LaneId) -> Result<bool, Limit> {
        let configs = Configs::from_slice(&self.lane(lane).configs);
        let mut start = 0x80;
        for _ in 0..FEW_PIECES {
            let mut end = MAX_CHAR;
            for term in configs.iter().filter_map(term_of) {
                end = end.min(self.run.core.regexes().live_row_ref(term)?.piece_at(start).1);
            }
            // Surrogates are no characters.
            let some = if (0xD800..0xE000).contains(&start) { 0xE000 } else { start };
            if let Some(character) = char::from_u32(some).filter(|_| some <= end) {
                let configs = self.run.read(&configs, character.encode_utf8(&mut [0; 4]).as_bytes())?;
                if self.lanes.ids.get(&configs) != Some(&next) {
                    return Ok(false);
                }
            }
            if end == MAX_CHAR {
                return Ok(true);
            }
            start = end + 1;
        }
        Ok(false)
    }

    #[inline]
    fn walk_edge(
        &mut self,
        (trie, below): (&TokenTrie, Option<&Below>),
        (_, lane, was_doubtful): At,
        (child, byte): (NodeId, u8),
        (inner, todo): (&mut Vec<At>, &mut Vec<Place>),
    ) -> Result<(), Limit> {
        self.steps += 1;
        if let Some(below) = below {
            let ids = trie.token_ids_below(child);
            if ids.len() >= WORTH_TAKING && !was_doubtful && self.takes(lane, below, child)? {
                self.found.tokens.extend_from_slice(ids);
                return Ok(());
            }
        }
        let edge = self.edge(lane, byte)?;
        if edge != DEAD {
            self.arrive(trie, (child, byte), (lane, edge, was_doubtful), (inner, todo));
        }
        Ok(())
    }

    /// A node is reached from a lane along an edge that is not dead.
    #[inline]
    fn arrive(
        &mut self,
        trie: &TokenTrie,
        (node, byte): (NodeId, u8),
        (from, edge, was_doubtful): (LaneId, Edge, bool),
        (inner, todo): (&mut Vec<At>, &mut Vec<Place>),
    ) {
        if edge == FREE {
            let standing = Standing::Free(self.lanes.free[&(from, byte)].clone());
            todo.push(Place::at(node, standing, was_doubtful));
            return;
        }
        let is_doubtful = was_doubtful || self.lane(edge).is_doubtful;
        let ids = trie.token_ids_at(node);
        if !ids.is_empty() {
            let guard: Guard = is_doubtful.then_some(DOUBTFUL);
            self.found.add(ids.iter().copied(), guard);
        }
        if !trie.children(node).is_empty() {
            inner.push((node, edge, is_doubtful));
        }
    }

    /// Whether one place of the lane reads everything at and below this node, whatever the others and its callers may do.
    #[inline]
    fn takes(&mut self, lane: LaneId, below: &Below, node: NodeId) -> Result<bool, Limit> {
        if self.lane(lane).strides.is_none() {
            self.find_strides(lane)?;
        }
        let kinds = below.kinds(node);
        let mut i = 0;
        while let Some(&stride) = self.lane(lane).strides.as_ref().and_then(|strides| strides.get(i)) {
            if kinds & !stride.kinds == 0 && self.strides_on(stride, kinds, below.length(node))? {
                return Ok(true);
            }
            i += 1;
        }
        Ok(false)
    }

    fn find_strides(&mut self, lane: LaneId) -> Result<(), Limit> {
        let configs = Configs::from_slice(&self.lane(lane).configs);
        let mut strides = SmallVec::new();
        for term in configs.iter().filter_map(term_of) {
            let stride = self.run.core.stride(term)?;
            if stride.kinds != 0 {
                strides.push(stride);
            }
        }
        self.lanes.lanes[lane as usize].strides = Some(strides);
        Ok(())
    }

    /// Whether a term reads so many characters of these kinds, whatever they are; None stands for any number.
    fn strides_on(&mut self, mut stride: Stride, kinds: KindSet, length: Option<u8>) -> Result<bool, Limit> {
        for _ in 1..length.map_or(u32::MAX, u32::from) {
            let next = self.run.core.stride(stride.next)?;
            if kinds & !next.kinds != 0 {
                return Ok(false);
            }
            if next.next == stride.next {
                return Ok(true);
            }
            stride = next;
        }
        Ok(true)
    }

    /// The configurations that stand here.
    pub(crate) fn configs_at(&self, standing: &Standing) -> Configs {
        match standing {
            Standing::Lane(lane) => Configs::from_slice(&self.lane(*lane).configs),
            Standing::Free(configs) => configs.clone(),
        }
    }
}
