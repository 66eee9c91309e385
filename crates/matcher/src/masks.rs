//! Finished masks, remembered under the answers they consulted.
//!
//! For each control there is a decision tree: an inner node is a question about the frames below, an edge an answer, a leaf a
//! mask. A walk is a deterministic function of control and answers, so the same path always ends in the same mask.
use crate::control::{Config, Control, Key, Text};
use crate::question::{Known, Question, Recorder};
use crate::run::{any_bit, Run};
use crate::stack::{Frame, FrameId, TextId};
use crate::techniques::Technique;
use crate::text::Partial;
use crate::vocabulary::Vocabulary;
use crate::walk::{Base, Found, Walk, DOUBTFUL};
use penstock_automata::{Limit, RegexId, INFINITE};
use penstock_schema::ShapeId;
use penstock_tokens::{bitmask, TokenId, TokenTrie, TokenizerInfo};
use rustc_hash::FxHashMap;

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
    flat: Option<Box<[u32]>>,
    uses: u32,
}

impl Leaf {
    fn new(mut found: Found, is_inexact: bool) -> Leaf {
        let doubtful = found.guarded.remove(&DOUBTFUL).unwrap_or_default();
        let mut guarded: Vec<_> = found
            .guarded
            .into_iter()
            .map(|(range, tokens)| (range, tokens.into_boxed_slice()))
            .collect();
        guarded.sort_unstable_by_key(|group: &Guarded| group.0);
        Leaf {
            bases: found.bases.into(),
            tokens: found.tokens.into(),
            removed: found.removed.into(),
            guarded: guarded.into(),
            doubtful: doubtful.into(),
            is_inexact,
            flat: None,
            uses: 0,
        }
    }

    fn memory_usage(&self) -> usize {
        let guarded: usize = self.guarded.iter().map(|group| 4 * group.1.len() + 32).sum();
        let flat = self.flat.as_ref().map_or(0, |row| 4 * row.len());
        std::mem::size_of::<Leaf>()
            + 4 * (self.tokens.len() + self.removed.len() + self.doubtful.len())
            + 8 * self.bases.len()
            + guarded
            + flat
    }

    /// Adds the unguarded part to a row of zeros.
    fn write_fixed(&self, vocabulary: &Vocabulary, row: &mut [u32]) {
        for (i, base) in self.bases.iter().enumerate() {
            let bitmap = match *base {
                Base::Inside(length) => &vocabulary.inside[length as usize],
                Base::Slice(slice) => &vocabulary.slices[slice as usize].bitmap,
            };
            if i == 0 {
                row.copy_from_slice(bitmap);
            } else {
                bitmask::or(row, bitmap);
            }
        }
        if self.bases.is_empty() {
            bitmask::clear_all(row);
        }
        bitmask::clear_ids(row, &self.removed);
        bitmask::set_ids(row, &self.tokens);
    }

    fn write(&mut self, vocabulary: &Vocabulary, available: &[u64], row: &mut [u32]) {
        self.uses = self.uses.saturating_add(1);
        let long = self.tokens.len() + self.removed.len() > FLATTEN_TOKENS || self.bases.len() > 2;
        if self.flat.is_none() && self.uses > 1 && long {
            let mut flat = vec![0; row.len()];
            self.write_fixed(vocabulary, &mut flat);
            self.flat = Some(flat.into());
        }
        match &self.flat {
            Some(flat) => row.copy_from_slice(flat),
            None => self.write_fixed(vocabulary, row),
        }
        for (range, tokens) in self.guarded.iter() {
            if any_bit(available, range.0, range.1) {
                bitmask::set_ids(row, tokens);
            }
        }
    }
}

/// Questions with their answers, in the order in which they were first asked.
type Asked = Vec<(Question, u32)>;

enum Node {
    Ask(Question, Vec<(u32, u32)>),
    Leaf(u32),
}

/// All masks of one compiled grammar.
#[derive(Default)]
pub struct Masks {
    roots: FxHashMap<Control, u32>,
    nodes: Vec<Node>,
    leaves: Vec<Leaf>,
    /// By control and whole stack; only used where answers are no keys.
    by_stack: FxHashMap<(Control, Box<[u32]>), u32>,
    /// How many masks had to be made.
    pub num_misses: u64,
}

impl Masks {
    /// Heap memory in bytes, approximately.
    pub fn memory_usage(&self) -> usize {
        let leaves: usize = self.leaves.iter().map(Leaf::memory_usage).sum();
        let by_stack: usize = self.by_stack.keys().map(|key| 4 * key.1.len() + 96).sum();
        self.roots.len() * 80 + self.nodes.len() * 64 + leaves + by_stack
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
            debug_assert_eq!(*question, asked[depth].0, "a walk is a function of its answers");
            last = Some(node);
            at = answers.iter().find(|entry| entry.0 == asked[depth].1).map(|entry| entry.1);
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

    /// Writes the text tokens that `config` can read into `row`, whatever it held. A mask that is not remembered is made if
    /// `may_make`; otherwise the answer is `false` and the row holds nothing of use.
    pub fn fill(
        &mut self,
        run: &mut Run<'_>,
        (vocabulary, info): (&Vocabulary, &TokenizerInfo),
        config: Config,
        row: &mut [u32],
        may_make: bool,
    ) -> Result<bool, Limit> {
        let again = seen_before(run, &config);
        let in_character = matches!(config.control, Control::Key(key) if key.partial != Partial::None);
        // Where names are told apart by patterns, each text is a state of its own: nothing to remember.
        let singular = matches!(config.control, Control::Key(key) if !key.alike);
        let techniques = run.core.techniques;
        if !techniques.has(Technique::MaskMemory) || singular || (in_character && !again.is_empty()) {
            return if may_make {
                fill_afresh(run, (vocabulary, info), config, row).map(|()| true)
            } else {
                Ok(false)
            };
        }
        let control = memo_key(run, config.control, vocabulary.longest);
        let key = (!techniques.has(Technique::AnswerKeys)).then(|| (control, run.stack.spell_out(config.frame)));
        let known = match &key {
            None => self.find(run, &control, config.frame)?,
            Some(key) => self.by_stack.get(key).copied(),
        };
        let leaf = match known {
            Some(leaf) => leaf,
            None if !may_make => return Ok(false),
            None => {
                let (made, asked) = self.make(run, vocabulary, config)?;
                self.leaves.push(made);
                let leaf = self.leaves.len() as u32 - 1;
                match key {
                    None => self.insert(control, &asked, leaf),
                    Some(key) => {
                        self.by_stack.insert(key, leaf);
                    }
                }
                leaf
            }
        };
        let names = available_names(run, &config)?;
        let leaf = &mut self.leaves[leaf as usize];
        if leaf.is_inexact {
            return if may_make {
                fill_exactly(run, vocabulary, config, row).map(|()| true)
            } else {
                Ok(false)
            };
        }
        leaf.write(vocabulary, names, row);
        try_tokens(run, info, config, &leaf.doubtful, row)?;
        if !again.is_empty() {
            remove_seen(vocabulary, &again, row);
        }
        Ok(true)
    }

    /// Walks for a mask; what was found, and the questions asked on the way.
    fn make(&mut self, run: &mut Run<'_>, vocabulary: &Vocabulary, config: Config) -> Result<(Leaf, Asked), Limit> {
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
        Ok((Leaf::new(found, is_inexact), recorder.asked))
    }
}

/// A mask without memory: every frame is looked at as it is.
fn fill_afresh(
    run: &mut Run<'_>,
    (vocabulary, info): (&Vocabulary, &TokenizerInfo),
    config: Config,
    row: &mut [u32],
) -> Result<(), Limit> {
    let mark = run.stack.mark();
    let mut walk = Walk::new(run, vocabulary);
    let outcome = walk.tokens(config);
    let found = walk.found;
    let is_inexact = run.end_walk();
    run.stack.truncate(mark);
    outcome?;
    if is_inexact {
        return fill_exactly(run, vocabulary, config, row);
    }
    let leaf = Leaf::new(found, false);
    leaf.write_fixed(vocabulary, row);
    try_tokens(run, info, config, &leaf.doubtful, row)
}

/// A mask that leaves nothing open, for arrays whose items must *not* all differ: byte by byte through the whole vocabulary.
fn fill_exactly(run: &mut Run<'_>, vocabulary: &Vocabulary, config: Config, row: &mut [u32]) -> Result<(), Limit> {
    let mark = run.stack.mark();
    let mut walk = Walk::new(run, vocabulary);
    let outcome = walk.tokens_exactly(config);
    let found = walk.found;
    run.stack.truncate(mark);
    outcome?;
    Leaf::new(found, false).write_fixed(vocabulary, row);
    Ok(())
}

/// Sets the bits of those tokens that can be read.
fn try_tokens(
    run: &mut Run<'_>,
    info: &TokenizerInfo,
    config: Config,
    tokens: &[TokenId],
    row: &mut [u32],
) -> Result<(), Limit> {
    for &token in tokens {
        let mark = run.stack.mark();
        let outcome = run.read(&[config], info.token_bytes(token));
        run.stack.truncate(mark);
        if !outcome?.is_empty() {
            bitmask::set_ids(row, &[token]);
        }
    }
    Ok(())
}

/// The control under which a mask is kept: counts that no token can use up are cut, and names that are no longer a prefix of a
/// declared one are alike in every object.
fn memo_key(run: &Run<'_>, control: Control, longest: u32) -> Control {
    match control {
        Control::Text(text) => Control::Text(Text {
            text: TextId::UNKEPT,
            ..cut_lengths(run, text, longest)
        }),
        Control::Key(key) => {
            let text = if key.alike { TextId::EMPTY } else { key.text };
            Control::Key(match key.low < key.high || !key.alike {
                true => Key { text, ..key },
                false => Key {
                    shape: ShapeId(0),
                    low: 0,
                    high: 0,
                    depth: 0,
                    text,
                    ..key
                },
            })
        }
        _ => control.mask_key(longest),
    }
}

fn cut_lengths(run: &Run<'_>, text: Text, longest: u32) -> Text {
    let needed = run.core.schemas.regexes.max_min_length(text.goal);
    let far = longest.saturating_add(needed).saturating_add(1);
    let min = if text.goal == RegexId::ANYTHING {
        text.min.min(longest + 1)
    } else {
        text.min
    };
    Text {
        min,
        max: if text.max > far && min <= text.max {
            INFINITE
        } else {
            text.max
        },
        ..text
    }
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
    if key.others == RegexId::NEVER || !key.alike {
        return Vec::new();
    }
    let seen = run.core.schemas.seen_others(object.seen, key.shape);
    if seen.is_empty() {
        return Vec::new();
    }
    let text = run.stack.text(key.text);
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
