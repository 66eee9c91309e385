//! Finished masks, remembered under the answers they consulted.
//!
//! For each control there is a decision tree: an inner node is a question about the frames below, an edge an answer, a leaf a
//! mask. A walk is a deterministic function of control and answers, so the same path always ends in the same mask.
use crate::control::{Config, Control, Key, Number, Text};
use crate::origin::{PlaceId, Places, FAR};
use crate::question::{Known, Question, Recorder};
use crate::run::{any_bit, Run};
use crate::stack::{Frame, FrameId, TextId};
use crate::sweeps::Sweep;
use crate::techniques::Technique;
use crate::text::Partial;
use crate::trace::Trace;
use crate::vocabulary::Vocabulary;
use crate::walk::{Base, Found, Walk, DOUBTFUL};
use penstock_automata::{Limit, RegexId, INFINITE};
use penstock_schema::{AskId, ShapeId};
use penstock_tokens::{bitmask, TokenId, TokenTrie, TokenizerInfo};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

/// A mask that is longer than this many single tokens is written out as a bitmap when it is used again.
const FLATTEN_TOKENS: usize = 1024;

/// Tokens that are allowed while one of the names `.0 .. .1` is available.
type Guarded = ((u32, u32), Box<[TokenId]>);

/// A mask.
pub struct Leaf {
    bases: Box<[Base]>,
    tokens: Box<[TokenId]>,
    removed: Box<[TokenId]>,
    guarded: Box<[Guarded]>,
    /// Tokens that may be allowed: they are tried at every visit.
    doubtful: Box<[TokenId]>,
    /// Whether this is no mask, but the knowledge that every visit has to make its own.
    is_inexact: bool,
    flat: OnceLock<Box<[u32]>>,
    uses: AtomicU32,
}

impl Leaf {
    fn new(mut found: Found, is_inexact: bool, vocabulary: &Vocabulary) -> Leaf {
        let doubtful = found.guarded.remove(&DOUBTFUL).unwrap_or_default();
        let mut guarded: Vec<_> = found
            .guarded
            .into_iter()
            .map(|(range, tokens)| (range, tokens.into_boxed_slice()))
            .collect();
        guarded.sort_unstable_by_key(|group: &Guarded| group.0);
        let mut leaf = Leaf {
            bases: found.bases.into(),
            tokens: found.tokens.into(),
            removed: found.removed.into(),
            guarded: guarded.into(),
            doubtful: doubtful.into(),
            is_inexact,
            flat: OnceLock::new(),
            uses: AtomicU32::new(0),
        };
        if !found.sweeps.is_empty() || leaf.tokens.len() + leaf.removed.len() > vocabulary.num_words {
            leaf.flatten(vocabulary, &found.sweeps);
        }
        leaf
    }

    /// Keeps a bitmap instead of lists that are longer than it, and of sweeps.
    fn flatten(&mut self, vocabulary: &Vocabulary, sweeps: &[Arc<Sweep>]) {
        let mut row = vec![0; vocabulary.num_words];
        self.write_fixed(vocabulary, &mut row);
        sweeps.iter().for_each(|sweep| bitmask::or(&mut row, &sweep.tokens));
        self.flat = OnceLock::from(row.into_boxed_slice());
        (self.bases, self.tokens, self.removed) = Default::default();
    }

    fn memory_usage(&self) -> usize {
        let guarded: usize = self.guarded.iter().map(|group| 4 * group.1.len() + 32).sum();
        let flat = self.flat.get().map_or(0, |row| 4 * row.len());
        std::mem::size_of::<Leaf>()
            + 4 * (self.tokens.len() + self.removed.len() + self.doubtful.len())
            + 8 * self.bases.len()
            + guarded
            + flat
    }

    /// Whether its second use writes it out.
    fn is_long(&self) -> bool {
        self.tokens.len() + self.removed.len() > FLATTEN_TOKENS || self.bases.len() > 2
    }

    /// [`Leaf::memory_usage`] once it was used.
    pub(crate) fn memory_when_used(&self, num_words: usize) -> usize {
        let is_to_flatten = self.flat.get().is_none() && self.is_long();
        self.memory_usage() + if is_to_flatten { 4 * num_words } else { 0 }
    }

    /// Adds the unguarded part to a row of zeros.
    fn write_fixed(&self, vocabulary: &Vocabulary, row: &mut [u32]) {
        let mut bases = self.bases.iter();
        match bases.next() {
            Some(&Base::Inside(length)) => row.copy_from_slice(&vocabulary.inside[length as usize]),
            Some(&Base::Slice(slice)) => row.copy_from_slice(&vocabulary.slices[slice as usize].bitmap),
            _ => {
                bitmask::clear_all(row);
                bases = self.bases.iter();
            }
        }
        for base in bases {
            match *base {
                Base::Inside(length) => bitmask::or(row, &vocabulary.inside[length as usize]),
                Base::Slice(slice) => bitmask::or(row, &vocabulary.slices[slice as usize].bitmap),
                Base::SliceUpTo(slice, length) => {
                    let (all, short) = (
                        &vocabulary.slices[slice as usize].bitmap,
                        &vocabulary.inside[usize::from(length)],
                    );
                    let words = row.iter_mut().zip(all.iter().zip(short.iter()));
                    words.for_each(|(word, (all, short))| *word |= all & short);
                }
            }
        }
        bitmask::clear_ids(row, &self.removed);
        bitmask::set_ids(row, &self.tokens);
    }

    /// Sets the tokens of the unguarded part and leaves the others as they are.
    fn add(&self, vocabulary: &Vocabulary, row: &mut [u32]) {
        if let Some(flat) = self.flat.get() {
            return bitmask::or(row, flat);
        }
        if self.bases.is_empty() {
            return bitmask::set_ids(row, &self.tokens);
        }
        let mut own = vec![0; row.len()];
        self.write_fixed(vocabulary, &mut own);
        bitmask::or(row, &own);
    }

    /// Writes the unguarded part; a long one is written out as a bitmap at its second use.
    fn write(&self, vocabulary: &Vocabulary, row: &mut [u32]) {
        if let Some(flat) = self.flat.get() {
            return row.copy_from_slice(flat);
        }
        self.write_fixed(vocabulary, row);
        if self.is_long() && self.uses.fetch_add(1, Ordering::Relaxed) == 1 {
            self.flat.get_or_init(|| row.into());
        }
    }
}

/// A mask that was found for one state, to be written without any lock.
pub struct Pick {
    leaf: Arc<Leaf>,
    /// The guarded groups of the leaf whose names are available, by index.
    open: SmallVec<[u32; 8]>,
    /// What is left of names that were seen before: tokens that would end there are taken away.
    again: Vec<String>,
    /// Tokens that were read one by one, and whether they can be.
    exact: Vec<(TokenId, bool)>,
}

impl Pick {
    fn new(leaf: Arc<Leaf>, available: &[u64], again: Vec<String>) -> Pick {
        let groups = leaf.guarded.iter().enumerate();
        let open = groups.filter(|(_, group)| any_bit(available, group.0 .0, group.0 .1));
        let open = open.map(|(i, _)| i as u32).collect();
        Pick {
            leaf,
            open,
            again,
            exact: Vec::new(),
        }
    }

    /// Tries the tokens that the leaf leaves in doubt.
    fn tried(mut self, run: &mut Run<'_>, info: &TokenizerInfo, config: Config) -> Result<Pick, Limit> {
        for &token in &self.leaf.doubtful {
            self.exact.push((token, can_read(run, config, info.token_bytes(token))?));
        }
        Ok(self)
    }

    /// Heap memory in bytes, approximately, without the remembered mask.
    pub fn memory_usage(&self) -> usize {
        let again: usize = self.again.iter().map(|name| name.len() + size_of::<String>()).sum();
        again + 8 * self.exact.len() + if self.open.spilled() { 4 * self.open.len() } else { 0 }
    }

    /// A number for the remembered mask, as long as its grammar lives.
    pub fn id(&self) -> usize {
        Arc::as_ptr(&self.leaf) as usize
    }

    /// Adds the mask to `row`.
    pub fn add(&self, vocabulary: &Vocabulary, row: &mut [u32]) {
        if !self.again.is_empty() || !self.exact.is_empty() {
            let mut own = vec![0; row.len()];
            self.write(vocabulary, &mut own);
            return bitmask::or(row, &own);
        }
        self.leaf.add(vocabulary, row);
        for &group in &self.open {
            bitmask::set_ids(row, &self.leaf.guarded[group as usize].1);
        }
    }

    /// Writes the mask into `row`, whatever it held.
    pub fn write(&self, vocabulary: &Vocabulary, row: &mut [u32]) {
        self.leaf.write(vocabulary, row);
        for &group in &self.open {
            bitmask::set_ids(row, &self.leaf.guarded[group as usize].1);
        }
        if !self.again.is_empty() {
            remove_seen(vocabulary, &self.again, row);
        }
        for &(token, allowed) in &self.exact {
            match allowed {
                true => bitmask::set(row, token),
                false => bitmask::clear(row, token),
            }
        }
    }
}

/// Questions with their answers, in the order in which they were first asked.
pub(crate) type Asked = Vec<(Question, u32)>;

/// A mask, and the questions that were asked for it.
pub(crate) type Made = (Arc<Leaf>, Asked);

enum Node {
    Ask(Question, Vec<(u32, u32)>),
    Leaf(u32),
}

/// All masks of one compiled grammar.
#[derive(Default)]
pub struct Masks {
    roots: FxHashMap<Control, u32>,
    nodes: Vec<Node>,
    leaves: Vec<Arc<Leaf>>,
    /// Their numbers, by address: what other grammars left can serve several keys of this one.
    numbers: FxHashMap<usize, u32>,
    /// Where each leaf was first needed; it may be shorter than `leaves` while a mask is being made.
    origins: Vec<PlaceId>,
    /// The paths of `origins`.
    pub places: Places,
    /// By control and whole stack; only used where answers are no keys.
    by_stack: FxHashMap<(Control, Box<[u32]>), u32>,
    /// How many masks had to be made.
    pub num_misses: u64,
}

impl Masks {
    /// Heap memory in bytes, approximately.
    pub fn memory_usage(&self) -> usize {
        let leaves: usize = self.leaves.iter().map(|leaf| leaf.memory_usage() + 24).sum();
        let by_stack: usize = self.by_stack.keys().map(|key| 4 * key.1.len() + 96).sum();
        self.roots.len() * 80 + self.nodes.len() * 64 + leaves + by_stack + self.places.memory_usage()
    }

    /// Whether masks were made whose origin is not noted yet.
    pub fn lacks_origins(&self) -> bool {
        self.origins.len() < self.leaves.len()
    }

    /// Notes where the masks without an origin were needed.
    pub fn note_origin(&mut self, place: PlaceId) {
        self.origins.resize(self.leaves.len(), place);
    }

    /// The places at which masks were made, ascending and without those too far away.
    pub fn origins(&self) -> Vec<PlaceId> {
        let mut places: Vec<PlaceId> = self.origins.iter().copied().filter(|&place| place != FAR).collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    /// How many different masks are remembered.
    pub fn num_leaves(&self) -> usize {
        self.leaves.len()
    }

    /// The mask that is remembered for this configuration.
    fn find(&self, run: &mut Run<'_>, control: &Control, frame: FrameId) -> Result<Option<u32>, Limit> {
        let Some(&root) = self.roots.get(control) else {
            return Ok(None);
        };
        let (mut node, mut known) = (root, Known::top(frame));
        let mark = run.stack.mark();
        let found = loop {
            match &self.nodes[node as usize] {
                Node::Leaf(leaf) => break Some(*leaf),
                Node::Ask(question, answers) => {
                    let answer = run.replay(&mut known, *question)?;
                    match answers.iter().find(|entry| entry.0 == answer) {
                        Some(entry) => node = entry.1,
                        None => break None,
                    }
                }
            }
        };
        run.stack.truncate(mark);
        Ok(found)
    }

    fn insert(&mut self, control: Control, asked: &[(Question, u32)], leaf: u32) {
        // The part of the path that is there already.
        let mut at = self.roots.get(&control).copied();
        let (mut depth, mut last) = (0, None);
        while let Some(node) = at {
            let Node::Ask(question, answers) = &self.nodes[node as usize] else {
                return;
            };
            let next = asked.get(depth).filter(|next| next.0 == *question);
            debug_assert!(next.is_some(), "a walk is a function of its answers");
            let Some(&(_, answer)) = next else { return };
            last = Some(node);
            at = answers.iter().find(|entry| entry.0 == answer).map(|entry| entry.1);
            depth += 1;
        }
        // The new part, from the leaf upwards.
        self.nodes.push(Node::Leaf(leaf));
        let mut below = self.nodes.len() as u32 - 1;
        for &(question, answer) in asked[depth..].iter().rev() {
            self.nodes.push(Node::Ask(question, vec![(answer, below)]));
            below = self.nodes.len() as u32 - 1;
        }
        match last {
            None => {
                self.roots.insert(control, below);
            }
            Some(node) => {
                if let Node::Ask(_, answers) = &mut self.nodes[node as usize] {
                    answers.push((asked[depth - 1].1, below));
                }
            }
        }
    }

    /// The text tokens that `config` can read. A mask that is not remembered is made if `may_make`; otherwise there is none.
    pub fn pick(
        &mut self,
        run: &mut Run<'_>,
        (vocabulary, info): (&Vocabulary, &TokenizerInfo),
        config: Config,
        may_make: bool,
    ) -> Result<Option<Pick>, Limit> {
        let mut found = self.pick_shared(run, (vocabulary, info), config, may_make)?;
        if let (Some(pick), false) = (&mut found, matches!(config.control, Control::Rule { .. })) {
            pick.exact.extend(read_each(run, vocabulary, config)?);
        }
        Ok(found)
    }

    /// [`Masks::pick`], in which one name may stand for others.
    fn pick_shared(
        &mut self,
        run: &mut Run<'_>,
        (vocabulary, info): (&Vocabulary, &TokenizerInfo),
        config: Config,
        may_make: bool,
    ) -> Result<Option<Pick>, Limit> {
        if run.is_near_budget(&config) {
            return match may_make {
                true => Ok(Some(Pick::new(
                    Arc::new(walk_once(run, vocabulary, |walk| walk.tokens_within_budget(config))?),
                    &[],
                    Vec::new(),
                ))),
                false => Ok(None),
            };
        }
        let again = seen_before(run, &config);
        let in_character = matches!(config.control, Control::Key(key) if key.partial != Partial::None);
        let techniques = run.core.techniques;
        if !techniques.has(Technique::MaskMemory) || (in_character && !again.is_empty()) {
            if !may_make {
                return Ok(None);
            }
            let leaf = walk_afresh(run, vocabulary, config)?;
            return Pick::new(Arc::new(leaf), &[], Vec::new()).tried(run, info, config).map(Some);
        }
        let control = memo_key(run, vocabulary, config.control);
        let key = (!techniques.has(Technique::AnswerKeys)).then(|| (control, run.stack.spell_out(config.frame)));
        let known = match &key {
            None => self.find(run, &control, config.frame)?,
            Some(key) => self.by_stack.get(key).copied(),
        };
        let leaf = match known {
            Some(leaf) => leaf,
            None if !may_make => return Ok(None),
            None => {
                let shares = key.is_none() && techniques.has(Technique::SharedMasks);
                let (leaf, asked) = match shares {
                    true => self.share(run, vocabulary, walked(config, control), control)?,
                    false => self.make(run, vocabulary, walked(config, control))?,
                };
                let leaf = self.keep(leaf);
                match key {
                    None => self.insert(control, &asked, leaf),
                    Some(key) => {
                        self.by_stack.insert(key, leaf);
                    }
                }
                leaf
            }
        };
        let leaf = self.leaves[leaf as usize].clone();
        if leaf.is_inexact {
            if !may_make {
                return Ok(None);
            }
            let leaf = walk_once(run, vocabulary, |walk| walk.tokens_exactly(config))?;
            return Ok(Some(Pick::new(Arc::new(leaf), &[], Vec::new())));
        }
        let available = if leaf.guarded.is_empty() {
            &[]
        } else {
            available_names(run, &config)?
        };
        Pick::new(leaf, available, again).tried(run, info, config).map(Some)
    }

    /// The number of a mask, which is new unless it serves another key already.
    fn keep(&mut self, leaf: Arc<Leaf>) -> u32 {
        let next = self.leaves.len() as u32;
        let number = *self.numbers.entry(Arc::as_ptr(&leaf) as usize).or_insert(next);
        if number == next {
            self.leaves.push(leaf);
        }
        number
    }

    /// The mask that another grammar left for what is found here, or a new one, left for others.
    fn share(&mut self, run: &mut Run<'_>, vocabulary: &Vocabulary, config: Config, control: Control) -> Result<Made, Limit> {
        if let Some(found) = vocabulary.shared.find(run, control, config.frame)? {
            return Ok(found);
        }
        run.trace = Trace::begin(run.core, control, config.frame).map(Box::new);
        let made = self.make(run, vocabulary, config);
        let trace = run.trace.take();
        let (leaf, asked) = made?;
        if let Some(trace) = trace.filter(|_| !leaf.is_inexact && leaf.doubtful.is_empty()) {
            let size = leaf.memory_when_used(vocabulary.num_words);
            vocabulary.shared.leave(run.core, control, &trace, (&leaf, size));
        }
        Ok((leaf, asked))
    }

    /// Walks for a mask.
    fn make(&mut self, run: &mut Run<'_>, vocabulary: &Vocabulary, config: Config) -> Result<Made, Limit> {
        self.num_misses += 1;
        let mark = run.stack.mark();
        run.recorder = Some(Recorder::new(config.frame, matches!(config.control, Control::Key(_))));
        let mut walk = Walk::new(run, vocabulary);
        let outcome = walk.tokens(config);
        let found = walk.found;
        let recorder = run.recorder.take().unwrap_or_default();
        let is_inexact = run.end_walk();
        run.stack.truncate(mark);
        outcome?;
        Ok((Arc::new(Leaf::new(found, is_inexact, vocabulary)), recorder.asked))
    }
}

/// Whether each of the tokens that may hold two names can be read here.
fn read_each(run: &mut Run<'_>, vocabulary: &Vocabulary, config: Config) -> Result<Vec<(TokenId, bool)>, Limit> {
    let tokens = vocabulary.two_names.iter();
    tokens
        .map(|(token, bytes)| Ok((*token, can_read(run, config, bytes)?)))
        .collect()
}

/// Whether a token can be read, looked at in the state itself.
fn can_read(run: &mut Run<'_>, config: Config, bytes: &[u8]) -> Result<bool, Limit> {
    let mark = run.stack.mark();
    let next = run.read(&[config], bytes);
    run.stack.truncate(mark);
    Ok(!next?.is_empty())
}

/// A mask without memory: every frame is looked at as it is.
fn walk_afresh(run: &mut Run<'_>, vocabulary: &Vocabulary, config: Config) -> Result<Leaf, Limit> {
    let mark = run.stack.mark();
    let mut walk = Walk::new(run, vocabulary);
    let outcome = walk.tokens(config);
    let found = walk.found;
    let is_inexact = run.end_walk();
    run.stack.truncate(mark);
    outcome?;
    match is_inexact {
        true => walk_once(run, vocabulary, |walk| walk.tokens_exactly(config)),
        false => Ok(Leaf::new(found, false, vocabulary)),
    }
}

/// A mask for this state alone, by a walk that needs no second one: near the end of a budget, or byte by byte through the whole
/// vocabulary with nothing left open, for arrays whose items must *not* all differ.
fn walk_once(
    run: &mut Run<'_>,
    vocabulary: &Vocabulary,
    find: impl FnOnce(&mut Walk<'_, '_>) -> Result<(), Limit>,
) -> Result<Leaf, Limit> {
    let mark = run.stack.mark();
    let mut walk = Walk::new(run, vocabulary);
    let outcome = find(&mut walk);
    let found = walk.found;
    run.stack.truncate(mark);
    outcome.map(|()| Leaf::new(found, false, vocabulary))
}

/// The control under which a mask is kept: counts that no token can use up are cut, and names that are no longer a prefix of a
/// declared one are alike in every object.
fn memo_key(run: &mut Run<'_>, vocabulary: &Vocabulary, control: Control) -> Control {
    match control {
        Control::Text(text) => Control::Text(Text {
            text: TextId::UNKEPT,
            ..cut_lengths(run, vocabulary, text)
        }),
        Control::Key(key) => Control::Key(name_key(run, vocabulary, key)),
        Control::Number(number) => {
            let text = TextId::UNKEPT;
            // A limit that is met here is met by the walk too, which says so.
            let alike = run.core.like_number(&vocabulary.numerals, number).unwrap_or(number);
            Control::Number(Number { text, ..alike })
        }
        _ => control.mask_key(vocabulary.longest),
    }
}

/// [`memo_key`] inside a name. Where every other name may come the declared ones correct the tokens that end them and nothing
/// else ([`Walk::tokens`] asks of nothing but [`crate::endings`]), so what is left of these takes the place of the names.
fn name_key(run: &mut Run<'_>, vocabulary: &Vocabulary, key: Key) -> Key {
    let text = TextId::EMPTY;
    let undeclared = Key {
        shape: ShapeId(0),
        low: 0,
        high: 0,
        depth: 0,
        text,
        ..key
    };
    if key.low >= key.high {
        return undeclared;
    }
    let techniques = run.core.techniques;
    let is_open = key.others == RegexId::ANYTHING && key.partial == Partial::None;
    let table = vocabulary.tables.get(&TokenTrie::ROOT);
    let (true, Some(table)) = (is_open && techniques.has(Technique::StringTables), table) else {
        return Key { text, ..key };
    };
    let core = &mut *run.core;
    let endings = core.endings.of(&key, table, &core.schemas, &mut core.paths);
    match endings.list {
        0 => undeclared,
        // A whole stack does not tell which names these are; answers do, as they are asked of them.
        _ if !techniques.has(Technique::AnswerKeys) => Key { text, ..key },
        list => {
            run.endings = Some(endings.names);
            Key {
                shape: ShapeId(list),
                high: 1,
                ..undeclared
            }
        }
    }
}

/// The configuration whose mask is made for a key. Numbers that tokens cannot tell apart ask their questions in different orders,
/// so all of them are read as one.
fn walked(config: Config, key: Control) -> Config {
    match key {
        Control::Number(_) => Config { control: key, ..config },
        _ => config,
    }
}

fn cut_lengths(run: &mut Run<'_>, vocabulary: &Vocabulary, text: Text) -> Text {
    if let Some(cut) = cut_star(run, vocabulary, text) {
        return cut;
    }
    let (regexes, longest) = (&run.core.schemas.regexes, vocabulary.longest);
    let far = longest.saturating_add(regexes.max_min_length(text.goal)).saturating_add(1);
    // Whether every length that the counters leave is that of a text, whatever a token takes of it.
    let is_solid = regexes.is_class_star(text.goal);
    let min = if is_solid { text.min.min(longest + 1) } else { text.min };
    let is_far = text.max > far && (is_solid || text.min <= 1);
    let max = if is_far { INFINITE } else { text.max };
    Text { min, max, ..text }
}

/// [`cut_lengths`] at a boundary inside a counted number of characters of some set, whatever comes behind them: a token is read
/// there by its length alone, so lengths that no token of such characters reaches are one. None where that is not known.
fn cut_star(run: &mut Run<'_>, vocabulary: &Vocabulary, text: Text) -> Option<Text> {
    let regexes = &mut run.core.schemas.regexes;
    let is_star = regexes.is_class_star(text.goal);
    let is_bounded = (text.min, text.max) != (0, INFINITE);
    if text.partial != Partial::None || is_bounded != is_star || is_star && text.parts != 0 {
        return None;
    }
    let (star, least) = match is_star {
        true => (text.goal, text.min),
        false => regexes.leading_count(text.goal)?,
    };
    // A limit that is met here is met by the walk too, which says so.
    let table = Walk::new(run, vocabulary).star_table(star).ok()?;
    if is_star {
        let max = if text.max >= table.longest { INFINITE } else { text.max };
        let min = text.min.min(table.out_of_reach);
        return Some(Text { min, max, ..text });
    }
    // No token gets behind the counted characters: what it takes of them leaves some to come, so nothing else and no end can follow.
    (least > table.deepest).then_some(Text {
        goal: star,
        min: table.out_of_reach,
        max: INFINITE,
        parts: 0,
        ask: AskId(0),
        ..text
    })
}

fn available_names<'n>(run: &'n mut Run<'_>, config: &Config) -> Result<&'n [u64], Limit> {
    match run.stack.frame(config.frame) {
        Frame::Container(object) if object.object => {
            let names = run.core.schemas.names(object.record, object.seen)?;
            Ok(&run.core.schemas.names_view(names).available)
        }
        _ => Ok(&[]),
    }
}

/// What is left of the other names of this object that the name being written could still become.
fn seen_before(run: &mut Run<'_>, config: &Config) -> Vec<String> {
    let (Control::Key(key), Frame::Container(object)) = (config.control, run.stack.frame(config.frame)) else {
        return Vec::new();
    };
    // Where other names have a language of their own, it is without those.
    if key.others != RegexId::ANYTHING {
        return Vec::new();
    }
    let seen = run.core.schemas.seen_others(object.seen, key.shape);
    if seen.is_empty() {
        return Vec::new();
    }
    let text = run.key_text(&key);
    seen.into_iter()
        .filter_map(|name| name.strip_prefix(&text).map(str::to_owned))
        .collect()
}

/// Takes away the tokens that would end the name as one that was seen before.
fn remove_seen(vocabulary: &Vocabulary, again: &[String], row: &mut [u32]) {
    let Some(table) = vocabulary.tables.get(&TokenTrie::ROOT) else {
        return;
    };
    for left in again {
        for &(_, token) in table.by_content.get(left.as_str()).into_iter().flatten() {
            bitmask::clear(row, token);
        }
    }
}
