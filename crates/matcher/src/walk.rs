//! Walks over tries of byte strings: which of them some configuration can read.
//!
//! A walk follows only edges that are both in the trie and live for a configuration, with an explicit stack. Inside JSON
//! strings it uses the tables of the vocabulary instead of walking.
use crate::control::{Config, Control, Gap, Key, Number, Text};
use crate::core::{add_byte, add_bytes, has_byte, ByteSet};
use crate::lanes::{LaneId, Lanes};
use crate::numerals::is_number_byte;
use crate::question::{PathStep, FIRST_ENDING, UNMENTIONED_NAME};
use crate::run::{started_member, Configs, Frontier, Run};
use crate::spans::DIGITS;
use crate::stack::{Doubt, Frame, FrameId};
use crate::sweeps::Sweep;
use crate::techniques::Technique;
use crate::text::Partial;
use crate::vocabulary::{StringTable, Vocabulary, ESCAPE_LETTERS};
use penstock_automata::{Limit, RegexId, INFINITE};
use penstock_schema::{Kinds, Verdicts};
use penstock_tokens::{NodeId, TokenId, TokenTrie};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// The names `.0 .. .1` of the top frame's shape: tokens under this guard are allowed while one of them is available.
pub type Guard = Option<(u32, u32)>;

/// The guard of tokens that must be tried at every visit: see [`crate::stack::Doubt`].
pub const DOUBTFUL: (u32, u32) = (u32::MAX, u32::MAX);

/// A set of tokens that is stored with the vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Base {
    /// Tokens that stay inside a string, by the index of [`Vocabulary::inside`].
    Inside(u32),
    /// A slice, by its index.
    Slice(u32),
    /// The tokens of a slice that have at most so many characters, [`crate::vocabulary::MAX_LENGTH_BITMAP`] at most.
    SliceUpTo(u32, u16),
}

/// The tokens that a walk found.
#[derive(Default)]
pub struct Found {
    /// Stored sets that are allowed whole.
    pub bases: Vec<Base>,
    /// Bitmaps of tokens that are all allowed.
    pub(crate) sweeps: Vec<Arc<Sweep>>,
    /// Further tokens.
    pub tokens: Vec<TokenId>,
    /// Tokens of the stored sets that are not allowed.
    pub removed: Vec<TokenId>,
    /// Tokens that are allowed under a guard.
    pub guarded: FxHashMap<(u32, u32), Vec<TokenId>>,
}

impl Found {
    pub(crate) fn add(&mut self, ids: impl IntoIterator<Item = TokenId>, guard: Guard) {
        match guard {
            None => self.tokens.extend(ids),
            Some(range) => self.guarded.entry(range).or_default().extend(ids),
        }
    }
}

/// `max_mask_steps`: how many trie edges one mask may look at.
pub const MAX_MASK_STEPS: u64 = 40_000_000;

/// A walk for one mask.
pub struct Walk<'r, 'a> {
    /// The recogniser.
    pub run: &'r mut Run<'a>,
    /// The vocabulary's tables.
    pub vocabulary: &'r Vocabulary,
    /// What was found.
    pub found: Found,
    pub(crate) steps: u64,
    pub(crate) lanes: Lanes,
}

/// The ways to read what leads to a node of a trie; there is one at least.
#[derive(Clone)]
pub(crate) enum Standing {
    /// Places in rules: the same few sets come again and again, so they have a number and their edges are remembered.
    Lane(LaneId),
    /// Anything else.
    Free(Configs),
}

pub(crate) fn unless_empty(configs: Configs) -> Option<Standing> {
    (!configs.is_empty()).then_some(Standing::Free(configs))
}

/// A node of a trie, and how what leads to it can be read.
pub(crate) struct Place {
    pub(crate) node: NodeId,
    pub(crate) standing: Standing,
    /// Whether it may be that it cannot: see [`Doubt`].
    is_doubtful: bool,
}

impl Place {
    pub(crate) fn start(configs: Configs) -> Place {
        Place {
            node: TokenTrie::ROOT,
            standing: Standing::Free(configs),
            is_doubtful: false,
        }
    }

    pub(crate) fn at(node: NodeId, standing: Standing, is_doubtful: bool) -> Place {
        Place {
            node,
            standing,
            is_doubtful,
        }
    }
}

/// The number that is read at a place, if nothing else can be and its tokens need no guard.
fn number_of(place: &Place) -> Option<Number> {
    match &place.standing {
        Standing::Free(configs) if !place.is_doubtful => match configs[..] {
            [Config {
                control: Control::Number(number),
                ..
            }] => Some(number),
            _ => None,
        },
        _ => None,
    }
}

/// Where a string is read, for the shortcut over the tables.
enum StringPlace {
    Text(Text),
    Key(Key),
}

impl<'r, 'a> Walk<'r, 'a> {
    /// A walk that has found nothing yet.
    pub fn new(run: &'r mut Run<'a>, vocabulary: &'r Vocabulary) -> Walk<'r, 'a> {
        Walk {
            run,
            vocabulary,
            found: Found::default(),
            steps: 0,
            lanes: Lanes::default(),
        }
    }

    /// Finds all text tokens that `config` can read, leaving values open (see [`crate::stack::Doubt`]). Of a number in a container
    /// only those that go on with it: see [`Run::after_number`].
    pub fn tokens(&mut self, config: Config) -> Result<(), Limit> {
        let vocabulary = self.vocabulary;
        self.run.leaves_open = true;
        if matches!(config.control, Control::Rule { .. }) {
            return self.rule_tokens(config);
        }
        if let Control::Number(Number { in_rule: false, .. }) = config.control {
            return self.number_tokens(config);
        }
        if let Some(place) = self.string_place(&[config]) {
            return self.string_table(&place, config.frame, TokenTrie::ROOT);
        }
        if self.is_dense(config)? {
            return self.dense(config);
        }
        self.trie(&vocabulary.trie, config)
    }

    /// Finds all text tokens that `config` can read, byte by byte; every value is known as it is read.
    pub fn tokens_exactly(&mut self, config: Config) -> Result<(), Limit> {
        self.trie(&self.vocabulary.trie, config)
    }

    /// The tokens that begin with bytes of the number.
    fn number_tokens(&mut self, config: Config) -> Result<(), Limit> {
        let (trie, start) = (&self.vocabulary.trie, Place::start(Configs::from_slice(&[config])));
        let mut passed = self.take_digits(&start)?;
        let others = (0..=u8::MAX).filter(|&byte| !is_number_byte(byte));
        others.for_each(|byte| add_byte(&mut passed, byte));
        let mut todo = Vec::new();
        self.children_but(trie, &start, &passed, &mut todo)?;
        self.trie_from(trie, todo)
    }

    pub(crate) fn trie(&mut self, trie: &TokenTrie, config: Config) -> Result<(), Limit> {
        self.trie_from(trie, vec![Place::start(Configs::from_slice(&[config]))])
    }

    fn trie_from(&mut self, trie: &TokenTrie, mut todo: Vec<Place>) -> Result<(), Limit> {
        let main = std::ptr::eq(trie, &self.vocabulary.trie) && self.run.leaves_open;
        while let Some(place) = todo.pop() {
            let place = self.judged(place);
            let node = place.node;
            if node != TokenTrie::ROOT {
                match trie.token_ids_at(node) {
                    [] => {}
                    &[token] => {
                        let guard = self.guard(&place);
                        self.found.add([token], guard);
                    }
                    ids => {
                        let guard = self.guard(&place);
                        self.found.add(ids.iter().copied(), guard);
                    }
                }
                if let (Standing::Free(configs), true) = (&place.standing, main && self.may_have_table(node)) {
                    let is_certain = self.run.doubt(configs[0].frame) == Doubt::None && !place.is_doubtful;
                    if let Some(string) = self.string_place(configs).filter(|_| is_certain) {
                        self.string_table(&string, configs[0].frame, node)?;
                        continue;
                    }
                }
            }
            match self.lane_at(&place.standing)? {
                Some(lane) => self.walk_lanes(trie, (node, lane, place.is_doubtful), &mut todo)?,
                None => {
                    let taken = if main { self.take_digits(&place)? } else { [0; 4] };
                    self.children_but(trie, &place, &taken, &mut todo)?;
                }
            }
        }
        Ok(())
    }

    /// Inside a number: takes the children of a place below which there are digits only, if all of them may follow.
    /// Returns their bytes. Vocabularies that have a token for each number to 999 have a thousand such.
    fn take_digits(&mut self, place: &Place) -> Result<ByteSet, Limit> {
        let vocabulary = self.vocabulary;
        let (trie, core) = (&vocabulary.trie, &mut *self.run.core);
        let mut taken = [0; 4];
        let Some(number) = number_of(place).filter(|_| core.techniques.has(Technique::WholeSubtrees)) else {
            return Ok(taken);
        };
        let children = trie.children(place.node);
        for child in children.filter(|&child| trie.byte(child).is_ascii_digit() && vocabulary.below.kinds(child) & !DIGITS == 0)
        {
            let Some(state) = core.schemas.numbers.step(number.state, trie.byte(child))? else {
                continue;
            };
            if core.reads_all_numerals(&vocabulary.numerals, Number { state, ..number }, child)? {
                self.found.tokens.extend_from_slice(trie.token_ids_below(child));
                add_byte(&mut taken, trie.byte(child));
            }
        }
        Ok(taken)
    }

    /// The rests that can be read from `configs`, each with its guard.
    pub(crate) fn rests(&mut self, configs: Configs) -> Result<Vec<(u32, Guard)>, Limit> {
        let rests = &self.vocabulary.rests;
        let mut live = Vec::new();
        if configs.is_empty() {
            return Ok(live);
        }
        let mut todo = vec![Place::start(configs)];
        while let Some(place) = todo.pop() {
            let place = self.judged(place);
            if let Some(rest) = rests.token(place.node) {
                live.push((rest, self.guard(&place)));
            }
            self.children(rests, &place, &mut todo)?;
        }
        Ok(live)
    }

    /// Adds the children of a place that can be reached to `todo`, whatever stands there.
    pub(crate) fn children(&mut self, trie: &TokenTrie, place: &Place, todo: &mut Vec<Place>) -> Result<(), Limit> {
        self.children_but(trie, place, &[0; 4], todo)
    }

    /// [`Walk::children`], but for those with a byte of `taken`.
    fn children_but(&mut self, trie: &TokenTrie, place: &Place, taken: &ByteSet, todo: &mut Vec<Place>) -> Result<(), Limit> {
        let node = place.node;
        if trie.children(node).is_empty() {
            return Ok(());
        }
        let lane = self.lane_at(&place.standing)?;
        let mut live = match (lane, &place.standing) {
            (None, Standing::Free(configs)) => self.live_bytes_of(configs)?,
            (Some(lane), _) | (None, &Standing::Lane(lane)) => self.lane(lane).live,
        };
        live.iter_mut().zip(taken).for_each(|(word, gone)| *word &= !gone);
        let mut failed = None;
        trie.for_each_live_child(node, &live, |child, byte| {
            if failed.is_some() {
                return;
            }
            self.steps += 1;
            self.run.ends_here = trie.children(child).is_empty();
            let next = match (lane, &place.standing) {
                (None, Standing::Free(configs)) => self.run.step_all(configs, byte).map(unless_empty),
                (Some(lane), _) | (None, &Standing::Lane(lane)) => self.lane_step(lane, byte),
            };
            match next {
                Ok(Some(standing)) => todo.push(Place {
                    node: child,
                    standing,
                    is_doubtful: place.is_doubtful,
                }),
                Ok(None) => {}
                Err(limit) => failed = Some(limit),
            }
        });
        self.run.ends_here = false;
        failed.map_or(Ok(()), Err)?;
        self.check_steps()
    }

    /// Refuses to look at more edges than one mask may.
    pub(crate) fn check_steps(&self) -> Result<(), Limit> {
        match self.steps > MAX_MASK_STEPS {
            true => Err(Limit {
                name: "max_mask_steps",
                configured: MAX_MASK_STEPS,
            }),
            false => Ok(()),
        }
    }

    /// Bytes that may lead on from any of the configurations.
    pub(crate) fn live_bytes_of(&mut self, configs: &[Config]) -> Result<ByteSet, Limit> {
        let mut all = [0; 4];
        for &config in configs {
            let bytes = self.run.live_bytes(config)?;
            all.iter_mut().zip(bytes).for_each(|(word, more)| *word |= more);
        }
        Ok(all)
    }

    /// Whether a walk cannot tell if this is really reached.
    fn is_doubtful(&mut self, standing: &Standing) -> bool {
        match standing {
            Standing::Lane(lane) => self.lane(*lane).is_doubtful,
            Standing::Free(configs) => self.run.are_doubtful(configs),
        }
    }

    /// The place, with what is doubtful about it: once a token has passed something doubtful, all of it is.
    fn judged(&mut self, place: Place) -> Place {
        let is_doubtful = place.is_doubtful || self.is_doubtful(&place.standing);
        Place { is_doubtful, ..place }
    }

    /// The guard of the tokens that end here: none as soon as one configuration needs none.
    fn guard(&self, place: &Place) -> Guard {
        if place.is_doubtful {
            return Some(DOUBTFUL);
        }
        let Standing::Free(configs) = &place.standing else {
            return None;
        };
        let mut all: Guard = None;
        for config in configs {
            let Control::Key(key) = config.control else { return None };
            if key.others != RegexId::NEVER || !self.run.is_guarded(config.frame) {
                return None;
            }
            let range = match key.partial {
                Partial::None => (key.low, key.high),
                _ => match self.run.partial_names(&key) {
                    [Some(range), None] | [None, Some(range)] => range,
                    _ => return None,
                },
            };
            all = Some(range);
        }
        all
    }

    /// The string that a single configuration is reading at a character boundary, if its table applies.
    fn string_place(&self, configs: &[Config]) -> Option<StringPlace> {
        let [config] = configs else { return None };
        if !self.run.core.techniques.has(Technique::StringTables) {
            return None;
        }
        match config.control {
            Control::Text(text) if text.is_generic() && text.partial == Partial::None => Some(StringPlace::Text(text)),
            Control::Key(key) if key.others == RegexId::ANYTHING && key.partial == Partial::None => Some(StringPlace::Key(key)),
            _ => None,
        }
    }

    /// Whether a string may stand at a character boundary at this node of the main trie, not the root, and have a table there.
    fn may_have_table(&self, node: NodeId) -> bool {
        let trie = &self.vocabulary.trie;
        let byte = trie.byte(node);
        !trie.children(node).is_empty() && byte == b'"'
            || ESCAPE_LETTERS.contains(&byte) && trie.children(TokenTrie::ROOT).contains(&node)
    }

    /// Everything below a trie node at which a string stands at a character boundary.
    fn string_table(&mut self, place: &StringPlace, frame: FrameId, node: NodeId) -> Result<(), Limit> {
        let Some(table) = self.vocabulary.tables.get(&node) else {
            return Ok(());
        };
        match place {
            StringPlace::Text(text) => self.text_table(table, text, frame, node == TokenTrie::ROOT),
            StringPlace::Key(key) => self.key_table(table, *key, frame, node == TokenTrie::ROOT),
        }
    }

    fn add_inside(&mut self, table: &StringTable, max: u32, at_root: bool) {
        let fits = table.inside.partition_point(|token| u32::from(token.0) <= max);
        if !at_root {
            return self.found.add(table.inside[..fits].iter().map(|token| token.1), None);
        }
        // The stored bitmaps are those of the short lengths and, last, of all lengths.
        let last = self.vocabulary.inside.len() - 1;
        if (max as usize) < last {
            self.found.bases.push(Base::Inside(max));
        } else {
            self.found.bases.push(Base::Inside(last as u32));
            self.found.removed.extend(table.inside[fits..].iter().map(|token| token.1));
        }
    }

    fn text_table(&mut self, table: &StringTable, text: &Text, frame: FrameId, at_root: bool) -> Result<(), Limit> {
        self.add_inside(table, text.max, at_root);
        let mut ended = Frontier::default();
        self.run.value_end(frame, Verdicts::TRUE, None, &mut ended)?;
        self.run.close_over(&mut ended)?;
        for (rest, guard) in self.rests(ended.configs)? {
            let Ok(i) = table.by_rest.binary_search_by_key(&rest, |entry| entry.0) else {
                continue;
            };
            let tokens = &table.by_rest[i].1;
            let from = tokens.partition_point(|token| u32::from(token.0) < text.min);
            let to = tokens.partition_point(|token| u32::from(token.0) <= text.max);
            if from < to {
                self.found.add(tokens[from..to].iter().map(|token| token.1), guard);
            }
        }
        Ok(())
    }

    /// Tokens inside or at the end of a name when every other name is possible. The declared names only correct the
    /// tokens whose text before the quote is exactly what is left of them.
    fn key_table(&mut self, table: &StringTable, key: Key, frame: FrameId, at_root: bool) -> Result<(), Limit> {
        self.add_inside(table, INFINITE, at_root);
        let special = match at_root && self.run.is_guarded(frame) {
            true => self.own_endings(table, &key, frame)?,
            false => self.endings_within(table, &key, frame)?,
        };
        let excluded: FxHashSet<TokenId> = special
            .iter()
            .flat_map(|content| table.by_content[*content].iter().map(|entry| entry.1))
            .collect();
        if key.states != 0 {
            return self.classed_tokens(table, key, frame, &excluded);
        }
        for (rest, guard) in self.after_name(frame, None, UNMENTIONED_NAME)? {
            let Ok(i) = table.by_rest.binary_search_by_key(&rest, |entry| entry.0) else {
                continue;
            };
            let tokens = table.by_rest[i].1.iter().map(|token| token.1);
            self.found.add(tokens.filter(|token| !excluded.contains(token)), guard);
        }
        Ok(())
    }

    /// The tokens that end the name in which the walk began as a declared one; what they add to it.
    fn own_endings<'t>(&mut self, table: &'t StringTable, key: &Key, frame: FrameId) -> Result<FxHashSet<&'t str>, Limit> {
        let core = &mut *self.run.core;
        let names = core.endings.of(key, table, &core.schemas, &mut core.paths).names;
        let mut special = FxHashSet::default();
        for (place, &id) in names.iter().enumerate() {
            let name = self.run.core.paths.name(id).to_string();
            if let Some((content, tokens)) = table.by_content.get_key_value(&name[key.depth as usize..]) {
                special.insert(&**content);
                self.named_tokens(frame, &name, FIRST_ENDING + place as u32, tokens)?;
            }
        }
        Ok(special)
    }

    /// The same for a name that began within the walk. Such names may lie wholly within a token, so they may have been seen before.
    fn endings_within<'t>(&mut self, table: &'t StringTable, key: &Key, frame: FrameId) -> Result<FxHashSet<&'t str>, Limit> {
        let mut special = FxHashSet::default();
        for i in key.low..key.high {
            let name = self.run.core.schemas.shape(key.shape).names[i as usize].to_string();
            let Some((content, tokens)) = table.by_content.get_key_value(&name[key.depth as usize..]) else {
                continue;
            };
            special.insert(&**content);
            let noted = self.run.core.paths.name_id(&name);
            self.named_tokens(frame, &name, noted, tokens)?;
        }
        let before = self.run.key_text(key);
        for content in table.by_content.keys() {
            if !special.contains(&**content) {
                let name = format!("{before}{content}");
                let noted = self.run.core.paths.name_id(&name);
                if self.run.fact_member(frame, &name, noted)?.is_none() {
                    special.insert(content);
                }
            }
        }
        Ok(special)
    }

    /// The tokens that close a name which patterns tell from others: by the class that the name has then.
    fn classed_tokens(
        &mut self,
        table: &StringTable,
        key: Key,
        frame: FrameId,
        excluded: &FxHashSet<TokenId>,
    ) -> Result<(), Limit> {
        let mut rests: FxHashMap<u32, FxHashMap<u32, Guard>> = FxHashMap::default();
        for (content, tokens) in &table.by_content {
            let mut ended = key;
            for character in content.chars() {
                ended.states = self.run.core.name_states_after(ended.states, u32::from(character))?;
            }
            let class = self.run.name_class(&ended)?;
            if let Entry::Vacant(entry) = rests.entry(class) {
                entry.insert(self.after_name(frame, None, class)?.into_iter().collect());
            }
            for (rest, token) in tokens.iter().filter(|entry| !excluded.contains(&entry.1)) {
                if let Some(&guard) = rests[&class].get(rest) {
                    self.found.add([*token], guard);
                }
            }
        }
        Ok(())
    }

    fn named_tokens(&mut self, frame: FrameId, name: &str, noted: u32, tokens: &[(u32, TokenId)]) -> Result<(), Limit> {
        for (rest, guard) in self.after_name(frame, Some(name), noted)? {
            let matching = tokens.iter().filter(|entry| entry.0 == rest).map(|entry| entry.1);
            self.found.add(matching, guard);
        }
        Ok(())
    }

    /// The rests that can follow the closing quote of this name, or of one that is not declared.
    fn after_name(&mut self, frame: FrameId, name: Option<&str>, noted: u32) -> Result<Vec<(u32, Guard)>, Limit> {
        let Frame::Container(object) = self.run.peek(frame) else {
            return Ok(Vec::new());
        };
        let member = match name {
            Some(name) => self.run.fact_member(frame, name, noted)?,
            None => self.run.fact_other_member(frame, noted)?,
        };
        let Some(member) = member else {
            return Ok(Vec::new());
        };
        let next = self
            .run
            .advance(frame, PathStep::Member(noted), started_member(object, &member));
        let gap = self.run.style(&object).before_colon();
        let config = Config {
            control: Control::Colon { ask: member.ask, gap },
            frame: next,
        };
        self.rests(Configs::from_slice(&[config]))
    }
}

impl Run<'_> {
    /// One byte for a set of configurations.
    pub fn step_all(&mut self, configs: &[Config], byte: u8) -> Result<Configs, Limit> {
        let mut out = Frontier::default();
        self.step_each(configs, byte, &mut out)?;
        self.close_over(&mut out)?;
        Ok(out.configs)
    }

    /// [`Run::step_all`], calls and returns not followed yet.
    pub(crate) fn step_each(&mut self, configs: &[Config], byte: u8, out: &mut Frontier) -> Result<(), Limit> {
        for config in configs {
            match config.control {
                Control::Rule { term, partial } => self.step_rule(term, partial, config.frame, byte, out)?,
                _ => self.step_json(*config, byte, out)?,
            }
        }
        Ok(())
    }

    /// Bytes that may lead on; a few of them may turn out not to.
    pub fn live_bytes(&mut self, config: Config) -> Result<ByteSet, Limit> {
        let mut set = [0; 4];
        match config.control {
            Control::Done => {}
            Control::Rule { term, partial } => set = self.character_bytes(term, partial)?,
            Control::Value { ask, gap, .. } => {
                add_gap(&mut set, gap);
                let kinds = self.fact_kinds(ask)?;
                add_kinds(&mut set, kinds);
            }
            Control::FirstItem(gap) => {
                add_gap(&mut set, gap);
                add_kinds(&mut set, Kinds::ALL);
                add_byte(&mut set, b']');
            }
            Control::Name { gap, .. } => {
                add_gap(&mut set, gap);
                b"\"}".iter().for_each(|&byte| add_byte(&mut set, byte));
            }
            Control::Colon { gap, .. } => {
                add_gap(&mut set, gap);
                add_byte(&mut set, b':');
            }
            Control::After(gap) => {
                add_gap(&mut set, gap);
                b",]}".iter().for_each(|&byte| add_byte(&mut set, byte));
            }
            Control::Word { word, at, .. } => add_byte(
                &mut set,
                [&b"null"[..], b"true", b"false"][usize::from(word)][usize::from(at)],
            ),
            Control::Number(_) => {
                b"0123456789+-.eE,]} \t\r\n".iter().for_each(|&byte| add_byte(&mut set, byte));
            }
            Control::Text(text) => set = self.string_bytes(text.goal, text.partial)?,
            Control::Key(key) => set = self.key_bytes(&key)?,
        }
        Ok(set)
    }

    fn character_bytes(&mut self, term: RegexId, partial: Partial) -> Result<ByteSet, Limit> {
        match partial {
            Partial::None => self.core.first_bytes(term),
            _ => {
                let mut set = [0; 4];
                add_bytes(&mut set, 0x80, 0xBF);
                Ok(set)
            }
        }
    }

    fn string_bytes(&mut self, term: RegexId, partial: Partial) -> Result<ByteSet, Limit> {
        let mut set = [0; 4];
        match partial {
            Partial::None => {
                set = self.core.first_bytes(term)?;
                set[0] &= !0xFFFF_FFFF;
                b"\"\\".iter().for_each(|&byte| add_byte(&mut set, byte));
            }
            Partial::Utf8 { .. } => add_bytes(&mut set, 0x80, 0xBF),
            Partial::Escape => b"\"\\/bfnrtu".iter().for_each(|&byte| add_byte(&mut set, byte)),
            Partial::Hex { .. } | Partial::Low { .. } => {
                b"0123456789abcdefABCDEF".iter().for_each(|&byte| add_byte(&mut set, byte))
            }
            Partial::High(_) => add_byte(&mut set, b'\\'),
            Partial::HighEscape(_) => add_byte(&mut set, b'u'),
        }
        Ok(set)
    }

    fn key_bytes(&mut self, key: &Key) -> Result<ByteSet, Limit> {
        let mut set = self.string_bytes(key.others, key.partial)?;
        if key.partial != Partial::None || key.others == RegexId::ANYTHING {
            return Ok(set);
        }
        let names = &self.core.schemas.shape(key.shape).names[key.low as usize..key.high as usize];
        let (mut i, depth) = (0, key.depth as usize);
        while i < names.len() {
            let Some(&byte) = names[i].as_bytes().get(depth) else {
                i += 1;
                continue;
            };
            add_byte(&mut set, byte);
            i += names[i..].partition_point(|name| name.as_bytes()[depth] <= byte);
        }
        Ok(set)
    }

    /// Whether every byte of `bytes` can be read from `configs`.
    pub fn read(&mut self, configs: &[Config], bytes: &[u8]) -> Result<Configs, Limit> {
        let mut now = Configs::from_slice(configs);
        for &byte in bytes {
            now = self.step_all(&now, byte)?;
            if now.is_empty() {
                break;
            }
        }
        Ok(now)
    }
}

fn add_gap(set: &mut ByteSet, gap: Gap) {
    if gap != Gap::Closed {
        b" \t\r\n".iter().for_each(|&byte| add_byte(set, byte));
    }
}

fn add_kinds(set: &mut ByteSet, kinds: Kinds) {
    for (kind, bytes) in [
        (Kinds::NULL, &b"n"[..]),
        (Kinds::TRUE, b"t"),
        (Kinds::FALSE, b"f"),
        (Kinds::STRING, b"\""),
        (Kinds::NUMBER, b"-0123456789"),
        (Kinds::ARRAY, b"["),
        (Kinds::OBJECT, b"{"),
    ] {
        if kinds.has(kind) {
            bytes.iter().for_each(|&byte| add_byte(set, byte));
        }
    }
}

/// Whether a set holds many letters: a sign that slices pay.
pub fn is_wide(set: &ByteSet) -> bool {
    set.iter().map(|word| word.count_ones()).sum::<u32>() > 16 && (has_byte(set, b'e') || has_byte(set, b'E'))
}
