//! What all matchers of one compiled grammar share: its automata, schemas and styles, lazily grown.
use crate::budget::Budgets;
use crate::closure::Plans;
use crate::dense::StarTable;
use crate::endings::EndingLists;
use crate::lanes::Lanes;
use crate::numerals::NumberClasses;
use crate::question::Paths;
use crate::shared::SharedIds;
use crate::spans::Stride;
use crate::stack::{Frame, FrameId, Stack};
use crate::techniques::Techniques;
use penstock_automata::{Limit, RegexId, Regexes, MAX_CHAR};
use penstock_grammar::{JsonOptions, Lowered, Symbol, Whitespace};
use penstock_schema::{AskId, NamesId, SchemaMachine, SeenId, ShapeId, Verdicts};
use rustc_hash::FxHashMap;
use std::sync::Arc;

use crate::control::{Gap, MAX_INDENT};

/// A set of bytes.
pub type ByteSet = [u64; 4];

/// Adds a byte to a set.
#[inline]
pub fn add_byte(set: &mut ByteSet, byte: u8) {
    set[usize::from(byte >> 6)] |= 1 << (byte & 63);
}

/// Adds an inclusive range of bytes to a set.
pub fn add_bytes(set: &mut ByteSet, low: u8, high: u8) {
    (low..=high).for_each(|byte| add_byte(set, byte));
}

/// Whether a byte is in a set.
#[inline]
pub fn has_byte(set: &ByteSet, byte: u8) -> bool {
    set[usize::from(byte >> 6)] >> (byte & 63) & 1 != 0
}

/// How JSON texts are spelt between their symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Style {
    /// At most one space, tab or indented line break in every gap.
    Flexible,
    /// Up to so many characters of whitespace in every gap.
    AtMost(u16),
    /// Fixed gaps after a comma and after a colon: indices into [`crate::control::LITERAL_GAPS`], or None for nothing.
    Fixed {
        /// After a comma.
        item: Option<u8>,
        /// After a colon.
        key: Option<u8>,
    },
    /// Every member and item on its own line, so many spaces deeper than its container.
    Indented(u8),
}

impl Style {
    /// The gap after `{` or `[`, whose contents stand at `depth`.
    pub fn after_open(self, depth: u32) -> Gap {
        match self {
            Style::Flexible => Gap::Open,
            Style::AtMost(count) => Gap::any(count),
            Style::Fixed { .. } => Gap::Closed,
            Style::Indented(width) => Gap::Line(indent(width, depth)),
        }
    }

    /// The gap after a comma, at `depth`.
    pub fn after_comma(self, depth: u32) -> Gap {
        match self {
            Style::Fixed { item: Some(text), .. } => Gap::Literal(text, 0),
            _ => self.after_open(depth),
        }
    }

    /// The gap before a colon.
    pub fn before_colon(self) -> Gap {
        match self {
            Style::Flexible => Gap::Open,
            Style::AtMost(count) => Gap::any(count),
            Style::Fixed { .. } | Style::Indented(_) => Gap::Closed,
        }
    }

    /// The gap after a colon.
    pub fn after_colon(self) -> Gap {
        match self {
            Style::Flexible => Gap::Open,
            Style::AtMost(count) => Gap::any(count),
            Style::Fixed { key: Some(text), .. } => Gap::Literal(text, 0),
            Style::Fixed { .. } => Gap::Closed,
            Style::Indented(_) => Gap::Literal(0, 0),
        }
    }

    /// The gap after a member or an item of a container whose contents stand at `depth`.
    pub fn after_value(self, depth: u32) -> Gap {
        match self {
            Style::Indented(width) => Gap::Line(indent(width, depth - 1)),
            _ => self.before_colon(),
        }
    }

    /// Whether a comma may follow a value after this gap, and `}` may follow `{`: where lines are indented only at once.
    pub fn is_tight(self, gap: Gap) -> bool {
        match self {
            Style::Indented(_) => matches!(gap, Gap::Line(_)),
            _ => gap.is_done(),
        }
    }
}

fn indent(width: u8, depth: u32) -> u16 {
    (u32::from(width) * depth).min(u32::from(u16::MAX)) as u16
}

/// A gap that no text has: [`MAX_INDENT`] is far below what `Indented` may need.
const _: () = assert!(MAX_INDENT < u16::MAX);

/// Lists of regex states, interned: the verdict parts of a string that is being read. 0 is the empty list.
#[derive(Default)]
pub struct PartLists {
    lists: Vec<Arc<[RegexId]>>,
    ids: FxHashMap<Arc<[RegexId]>, u32>,
    /// By list and character: the list of the states after the character.
    steps: FxHashMap<(u32, u32), u32>,
}

impl PartLists {
    /// The number of a list.
    pub fn intern(&mut self, list: &[RegexId]) -> u32 {
        if list.is_empty() {
            return 0;
        }
        if let Some(&id) = self.ids.get(list) {
            return id;
        }
        let shared: Arc<[RegexId]> = list.into();
        self.lists.push(shared.clone());
        self.ids.insert(shared, self.lists.len() as u32);
        self.lists.len() as u32
    }

    /// A list after one more character, the first `fixed` terms of which stay: equally many whenever a list is asked for.
    pub fn step(&mut self, regexes: &mut Regexes, (id, fixed): (u32, usize), character: u32) -> Result<u32, Limit> {
        if let Some(&known) = self.steps.get(&(id, character)) {
            return Ok(known);
        }
        let list = self.get(id);
        let mut next = list[..fixed].to_vec();
        for &state in &list[fixed..] {
            next.push(regexes.step(state, character)?);
        }
        let next = self.intern(&next);
        self.steps.insert((id, character), next);
        Ok(next)
    }

    /// Heap memory in bytes, approximately.
    pub fn memory_usage(&self) -> usize {
        let states: usize = self.lists.iter().map(|list| 4 * list.len() + 48).sum();
        states + self.steps.len() * 16
    }

    /// The list with this number.
    pub fn get(&self, id: u32) -> Arc<[RegexId]> {
        if id == 0 {
            Arc::new([])
        } else {
            self.lists[id as usize - 1].clone()
        }
    }
}

/// What characters of some kinds do to a term.
#[derive(Clone, Copy, Debug)]
pub struct Survived {
    /// So many of them never kill it.
    pub length: u32,
    /// What is left then has texts of every length from here on; [`penstock_automata::INFINITE`] if that is not known.
    pub solid: u32,
}

/// The shared part of a compiled grammar.
pub struct Core {
    /// Schemas, and the arena of all terms.
    pub schemas: SchemaMachine,
    /// The bodies of the rules, what their symbols mean, where the output starts.
    pub lowered: Lowered,
    /// For each JSON schema of the grammar: what is asked of its value, and the index of its style.
    pub roots: Vec<(AskId, u8)>,
    /// How JSON texts are spelt, by index.
    pub styles: Vec<Style>,
    /// Verdict parts of strings.
    pub parts: PartLists,
    /// What tells the other names of an object apart: languages and, behind these, what is left of each.
    pub name_states: PartLists,
    /// How the questions of masks are named.
    pub paths: Paths,
    /// The declared names that one token can end.
    pub endings: EndingLists,
    /// A shortest text for each rule, once a completion asked for one.
    pub rule_texts: Option<Vec<Option<String>>>,
    /// Most containers and calls that may be open (`max_nesting`).
    pub max_nesting: u32,
    /// Which shortcuts are taken.
    pub techniques: Techniques,
    /// The rules whose tokens are counted.
    pub budgets: Budgets,
    /// What characters of some kinds do to terms, by term and kinds; see `dense.rs`.
    pub survival: FxHashMap<(RegexId, u16), Survived>,
    /// Tokens over the characters of a star; see `dense.rs`.
    pub star_tables: FxHashMap<RegexId, Arc<StarTable>>,
    /// Which states of numbers tokens cannot tell apart.
    pub(crate) number_classes: NumberClasses,
    first_bytes: FxHashMap<RegexId, ByteSet>,
    strides: FxHashMap<RegexId, Stride>,
    /// Those of regular languages below which nothing is open.
    pub(crate) lanes: Lanes,
    /// What places lead to by calls.
    pub(crate) plans: Plans,
    externals: FxHashMap<RegexId, Arc<[(u32, RegexId)]>>,
    other_names: FxHashMap<(ShapeId, RegexId, SeenId), RegexId>,
    /// A shortest word of a language of names.
    first_names: FxHashMap<RegexId, Option<Arc<str>>>,
    /// Classes of names, by the states that tell them apart.
    name_classes: FxHashMap<u32, RegexId>,
    /// A name that no schema mentions.
    unmentioned: Arc<str>,
    verdict_ids: FxHashMap<Verdicts, u32>,
    verdict_list: Vec<Verdicts>,
    /// How this grammar's things are called among all grammars of the vocabulary.
    pub(crate) shared_ids: SharedIds,
}

/// Default of `max_nesting`.
pub const MAX_NESTING: u32 = 16_384;

impl Core {
    /// Puts the parts together; `schemas` already holds the terms of `lowered` and the asks of `roots`.
    pub fn new(schemas: SchemaMachine, lowered: Lowered, roots: Vec<(AskId, u8)>, styles: Vec<Style>) -> Core {
        Core {
            schemas,
            lowered,
            roots,
            styles,
            parts: PartLists::default(),
            name_states: PartLists::default(),
            paths: Paths::default(),
            endings: EndingLists::default(),
            rule_texts: None,
            max_nesting: MAX_NESTING,
            techniques: Techniques::ALL,
            budgets: Budgets::default(),
            survival: FxHashMap::default(),
            star_tables: FxHashMap::default(),
            number_classes: NumberClasses::default(),
            first_bytes: FxHashMap::default(),
            strides: FxHashMap::default(),
            lanes: Lanes::default(),
            plans: Plans::default(),
            externals: FxHashMap::default(),
            other_names: FxHashMap::default(),
            first_names: FxHashMap::default(),
            name_classes: FxHashMap::default(),
            unmentioned: "\u{10FFFF}\u{10FFFE} unmentioned \u{10FFFF}".into(),
            verdict_ids: FxHashMap::default(),
            verdict_list: Vec::new(),
            shared_ids: SharedIds::default(),
        }
    }

    /// The arena of terms.
    pub fn regexes(&mut self) -> &mut Regexes {
        &mut self.schemas.regexes
    }

    /// The external symbols that may come next in a term, each with what is left after it. Cost: remembered.
    pub fn externals(&mut self, term: RegexId) -> Arc<[(u32, RegexId)]> {
        if let Some(known) = self.externals.get(&term) {
            return known.clone();
        }
        let found: Arc<[(u32, RegexId)]> = self.schemas.regexes.externals(term).into();
        self.externals.insert(term, found.clone());
        found
    }

    /// What an external symbol of a term means.
    pub fn symbol(&self, external: u32) -> &Symbol {
        &self.lowered.symbols[external as usize]
    }

    /// The bytes with which a text of `term` can start, the empty text apart.
    pub fn first_bytes(&mut self, term: RegexId) -> Result<ByteSet, Limit> {
        if let Some(set) = self.first_bytes.get(&term) {
            return Ok(*set);
        }
        let row = self.schemas.regexes.live_row(term)?;
        let mut set = [0; 4];
        for (low, high, _) in row.ranges() {
            add_first_bytes(&mut set, low, high);
        }
        self.first_bytes.insert(term, set);
        Ok(set)
    }

    /// How a term reads on freely. Cost: remembered.
    pub(crate) fn stride(&mut self, term: RegexId) -> Result<Stride, Limit> {
        if let Some(stride) = self.strides.get(&term) {
            return Ok(*stride);
        }
        let stride = Stride::of(term, self.schemas.regexes.live_row_ref(term)?);
        self.strides.insert(term, stride);
        Ok(stride)
    }

    /// The texts that may be *another* name: those of `others` without the shape's own names and those seen before, so that no
    /// prefix of them is a dead end. Where everything is allowed the end of a name is looked at instead.
    pub fn other_names(&mut self, shape: ShapeId, others: RegexId, seen: SeenId) -> Result<RegexId, Limit> {
        if others == RegexId::ANYTHING || others == RegexId::NEVER {
            return Ok(others);
        }
        if let Some(&term) = self.other_names.get(&(shape, others, seen)) {
            return Ok(term);
        }
        let mut taken = self.schemas.shape(shape).names.clone();
        taken.extend(self.schemas.seen_others(seen, shape).into_iter().map(str::to_owned));
        let regexes = &mut self.schemas.regexes;
        let taken = regexes.words(taken.iter().map(String::as_str));
        let term = regexes.difference(others, taken);
        let term = if regexes.is_live(term)? { term } else { RegexId::NEVER };
        self.other_names.insert((shape, others, seen), term);
        Ok(term)
    }

    /// A name that stands for all other names of a shape: one of them that has not been seen.
    pub fn other_name(&mut self, shape: ShapeId, others: RegexId, seen: SeenId) -> Result<Option<Arc<str>>, Limit> {
        let names = self.other_names(shape, others, seen)?;
        if names == RegexId::ANYTHING {
            return Ok(Some(self.unmentioned.clone()));
        }
        if let Some(name) = self.first_names.get(&names) {
            return Ok(name.clone());
        }
        let name: Option<Arc<str>> = self.schemas.regexes.shortest(names).map(Arc::from);
        self.first_names.insert(names, name.clone());
        Ok(name)
    }

    /// The states of these languages where a name begins.
    pub fn start_name_states(&mut self, patterns: &[RegexId]) -> u32 {
        self.name_states.intern(&patterns.repeat(2))
    }

    /// The states after one more character of a name.
    pub fn name_states_after(&mut self, states: u32, character: u32) -> Result<u32, Limit> {
        match states {
            0 => Ok(0),
            _ => {
                let fixed = self.name_states.get(states).len() / 2;
                self.name_states.step(&mut self.schemas.regexes, (states, fixed), character)
            }
        }
    }

    /// The class of a name that ends in these states.
    pub fn name_class(&mut self, states: u32) -> Result<RegexId, Limit> {
        if let Some(&known) = self.name_classes.get(&states) {
            return Ok(known);
        }
        let list = self.name_states.get(states);
        let (patterns, ended) = list.split_at(list.len() / 2);
        let matched: Vec<bool> = ended.iter().map(|&state| self.schemas.regexes.is_nullable(state)).collect();
        let class = self.schemas.name_class(patterns, &matched)?;
        self.name_classes.insert(states, class);
        Ok(class)
    }

    /// Whether any name may come next.
    pub fn any_name(&mut self, id: NamesId, seen: SeenId) -> Result<bool, Limit> {
        let names = self.schemas.names_view(id);
        let (shape, others) = (names.shape, names.others);
        Ok(names.available.iter().any(|&word| word != 0) || self.other_names(shape, others, seen)? != RegexId::NEVER)
    }

    /// A number for a verdict, so that it can be an answer. 0 is no verdict.
    pub fn verdict_id(&mut self, verdicts: Option<Verdicts>) -> u32 {
        let Some(verdicts) = verdicts else { return 0 };
        *self.verdict_ids.entry(verdicts).or_insert_with(|| {
            self.verdict_list.push(verdicts);
            self.verdict_list.len() as u32
        })
    }

    /// The verdict with this number.
    pub fn verdict(&self, id: u32) -> Option<Verdicts> {
        (id > 0).then(|| self.verdict_list[id as usize - 1])
    }

    /// The temperature of the innermost rules around these frames; the highest of several.
    pub fn temperature(&self, stack: &Stack, mut frames: Vec<FrameId>) -> Option<f64> {
        let (mut next, mut highest) = (0, None);
        while let Some(&frame) = frames.get(next) {
            next += 1;
            let parents = match stack.frame(frame) {
                Frame::Bottom => continue,
                Frame::Container(open) => vec![open.parent],
                Frame::Call { start, end, mark, .. } => {
                    let rule = mark.rule.checked_sub(1);
                    if let Some(wanted) = rule.and_then(|rule| self.lowered.marks[rule as usize].temperature) {
                        highest = Some(highest.map_or(wanted, |known: f64| known.max(wanted)));
                        continue;
                    }
                    stack.entries(start, end).iter().map(|entry| entry.1).collect()
                }
            };
            for parent in parents {
                if !frames.contains(&parent) {
                    frames.push(parent);
                }
            }
        }
        highest
    }

    /// Heap memory in bytes, approximately.
    pub fn memory_usage(&self) -> usize {
        self.schemas.memory_usage()
            + self.first_bytes.len() * 48
            + self.strides.len() * 40
            + self.survival.len() * 20
            + self.lanes.memory_usage()
            + self.plans.memory_usage()
            + self.star_tables.values().map(|table| table.memory_usage()).sum::<usize>()
            + self.number_classes.memory_usage()
            + self.parts.memory_usage()
            + self.name_states.memory_usage()
            + self.paths.memory_usage()
            + self.endings.memory_usage()
    }
}

/// The style that the options of a schema ask for.
pub fn style_of(options: &JsonOptions) -> Style {
    let literal = |text: &str| {
        crate::control::LITERAL_GAPS
            .iter()
            .position(|gap| *gap == text)
            .map(|i| i as u8)
    };
    match &options.whitespace {
        Whitespace::Flexible => Style::Flexible,
        Whitespace::AtMost(count) => Style::AtMost(*count),
        Whitespace::Compact => Style::Fixed { item: None, key: None },
        Whitespace::Separators { item, key } => Style::Fixed {
            item: literal(item.trim_start_matches(',')),
            key: literal(key.trim_start_matches(':')),
        },
        Whitespace::Indent(width) => Style::Indented(*width),
    }
}

fn add_first_bytes(set: &mut ByteSet, low: u32, high: u32) {
    // Within one length of encoding the first byte grows with the character.
    for (from, to) in [(0, 0x7F), (0x80, 0x7FF), (0x800, 0xFFFF), (0x10000, MAX_CHAR)] {
        let (low, high) = (low.max(from), high.min(to));
        if low <= high {
            add_bytes(set, first_byte(low), first_byte(high));
        }
    }
}

/// The first byte of a character in UTF-8.
pub fn first_byte(character: u32) -> u8 {
    match character {
        0..=0x7F => character as u8,
        0x80..=0x7FF => 0xC0 | (character >> 6) as u8,
        0x800..=0xFFFF => 0xE0 | (character >> 12) as u8,
        _ => 0xF0 | (character >> 18) as u8,
    }
}
