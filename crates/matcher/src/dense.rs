//! Dense states: whole slices and subtrees of the vocabulary at once.
//!
//! A term takes a slice of tokens whole if no text over the slice's kinds of characters, up to the length of its longest
//! token, kills it; otherwise the slice's trie of characters is walked, and subtrees are taken by the same test. The length
//! up to which a term survives is searched among a bounded number of states and remembered for the walk.
//!
//! Inside JSON strings the tokens with escapes, quotes and unfinished characters stand in a trie of their own, by their
//! decoded characters; those that leave the string are judged by their rest, once.
use crate::chars::{CharNode, CharTrie, Item};
use crate::control::{Config, Control, Key, Text};
use crate::core::Survived;
use crate::run::Frontier;
use crate::stack::{Frame, FrameId};
use crate::techniques::Technique;
use crate::text::Partial;
use crate::vocabulary::{Ending, Sized, Slice, KINDS, MAX_LENGTH_BITMAP, SPACE_KIND};
use crate::walk::{is_wide, Base, Guard, Walk};
use penstock_automata::{Limit, RegexId, Row, INFINITE, MAX_CHAR};
use penstock_schema::{AskId, RecordId, Verdicts};
use rustc_hash::FxHashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// States looked at before a term counts as mortal.
const MAX_DEATH_STATES: usize = 128;

/// Any number of characters may come.
const FREE: (u32, u32) = (0, INFINITE);

/// A member that has been started: what is asked of its value, what is left of the object, and, where that is an answer which
/// another object may give otherwise, the class of its name: that two classes start the same was not asked.
type Started = (AskId, RecordId, bool, u32);

/// What can follow the closing quotes of names.
#[derive(Default)]
struct NameRests {
    /// The rests, by what the name starts.
    by_start: FxHashMap<Started, FxHashMap<u32, Guard>>,
    /// What the names of a class start, in the object in whose name the walk began.
    by_class: FxHashMap<u32, Option<Started>>,
}

impl Walk<'_, '_> {
    /// Whether `config` reads text so freely that slices pay.
    pub(crate) fn is_dense(&mut self, config: Config) -> Result<bool, Limit> {
        if !self.run.core.techniques.has(Technique::Slices) {
            return Ok(false);
        }
        let at_boundary = match config.control {
            Control::Text(text) => text.partial == Partial::None,
            Control::Key(key) => key.partial == Partial::None && key.others != RegexId::NEVER,
            _ => false,
        };
        let is_star = match config.control {
            Control::Text(text) => text.parts == 0 && self.run.core.regexes().is_class_star(text.goal),
            _ => false,
        };
        Ok(at_boundary && (is_star || is_wide(&self.run.live_bytes(config)?)))
    }

    /// Finds the tokens of a dense configuration.
    pub(crate) fn dense(&mut self, config: Config) -> Result<(), Limit> {
        match config.control {
            Control::Text(text) => self.dense_text(text, config),
            Control::Key(key) => self.dense_key(key, config),
            _ => Ok(()),
        }
    }

    /// A name whose other spellings have a language of their own. Declared names are walked byte by byte, under guards; the
    /// others by decoded characters, and the member that a name would open is asked name by name.
    fn dense_key(&mut self, key: Key, config: Config) -> Result<(), Limit> {
        let vocabulary = self.vocabulary;
        if key.low < key.high {
            let declared = Config {
                control: Control::Key(key.declared_only()),
                ..config
            };
            self.trie(&vocabulary.trie, declared)?;
        }
        let kinds = LiveKinds::of(self.run.core.regexes().live_row_ref(key.others)?);
        for (i, slice) in kinds.slices(&vocabulary.slices) {
            if kinds.may_take(slice) && self.takes_slice(key.others, slice, FREE)? {
                self.found.bases.push(Base::Slice(i as u32));
            } else {
                self.walk_slice(slice, key.others, FREE)?;
            }
        }
        self.walk_names(key, config.frame)
    }

    /// The tokens with escapes, unfinished characters and quotes that another name can read.
    fn walk_names(&mut self, key: Key, frame: FrameId) -> Result<(), Limit> {
        let trie = &self.vocabulary.in_strings;
        let mut todo: Vec<(&CharNode, Key)> = vec![(trie.root(), key)];
        let mut rests = NameRests::default();
        while let Some((node, key)) = todo.pop() {
            let mut after: Option<Started> = None;
            if trie.items(node).iter().any(|item| matches!(item.ending, Ending::Closed(_))) {
                after = self.started_by(&key, frame, &mut rests)?;
            }
            for item in self.readable_items(trie, node, key.others)? {
                match item.ending {
                    Ending::Inside(partial) => {
                        let row = self.run.core.regexes().live_row_ref(key.others)?;
                        if partial == Partial::None || partial.is_live(row) {
                            self.found.add([item.token], None);
                        }
                    }
                    Ending::Closed(rest) => {
                        if let Some(&guard) = after.and_then(|started| rests.by_start[&started].get(&rest)) {
                            self.found.add([item.token], guard);
                        }
                    }
                }
            }
            for child in trie.children(node) {
                let next = self.run.key_after(key, child.character)?;
                if next.others != RegexId::NEVER {
                    todo.push((child, next));
                }
            }
        }
        Ok(())
    }

    /// What the closing quote of the name that has been read starts, its rests made known; None if it may not end.
    fn started_by(&mut self, key: &Key, frame: FrameId, rests: &mut NameRests) -> Result<Option<Started>, Limit> {
        if self.run.is_declared(key) || !self.run.core.schemas.regexes.is_nullable(key.others) {
            return Ok(None);
        }
        if !self.run.is_own_key(frame) {
            return self.started_by_this(key, frame, rests);
        }
        let class = self.run.name_class(key)?;
        if let Some(&known) = rests.by_class.get(&class) {
            return Ok(known);
        }
        let started = self.started_by_this(key, frame, rests)?;
        rests.by_class.insert(class, started);
        Ok(started)
    }

    /// [`Walk::started_by`], asked of this very name.
    fn started_by_this(&mut self, key: &Key, frame: FrameId, rests: &mut NameRests) -> Result<Option<Started>, Limit> {
        let mut out = Frontier::default();
        self.run.end_key(*key, frame, &mut out)?;
        let Some(Config {
            control: Control::Colon { ask, .. },
            frame: object,
        }) = out.configs.first().copied()
        else {
            return Ok(None);
        };
        // Names that ask the same of their values may still leave different things to do behind them.
        let Frame::Container(object) = self.run.stack.frame(object) else {
            return Ok(None);
        };
        let class = match self.run.foreign(frame) {
            Some(_) => self.run.name_class(key)?,
            None => 0,
        };
        let started = (ask, object.record, object.pending, class);
        if let Entry::Vacant(entry) = rests.by_start.entry(started) {
            entry.insert(self.rests(out.configs)?.into_iter().collect());
        }
        Ok(Some(started))
    }

    /// A string value: everything by decoded characters. Formulas that are only asked for a verdict kill no text, so slices
    /// are taken by the goal alone; what may follow the closing quote depends on the verdicts.
    fn dense_text(&mut self, text: Text, config: Config) -> Result<(), Limit> {
        let vocabulary = self.vocabulary;
        let is_star = text.parts == 0 && self.run.core.regexes().is_class_star(text.goal);
        let kinds = LiveKinds::of(self.run.core.regexes().live_row_ref(text.goal)?);
        for (i, slice) in kinds.slices(&vocabulary.slices) {
            let may_take = kinds.may_take(slice);
            if may_take && self.takes_slice(text.goal, slice, (text.min, text.max))? {
                self.found.bases.push(Base::Slice(i as u32));
            } else if may_take && self.takes_slice_up_to(text.goal, slice, text.max)? {
                self.slice_up_to(i, text.max);
            } else if !is_star {
                self.walk_slice(slice, text.goal, (text.min, text.max))?;
            }
        }
        match is_star {
            true => self.star_text(text, config.frame),
            false => self.walk_in_strings(text, config.frame),
        }
    }

    /// The tokens of a bounded star that stand in no slice taken whole: their lengths alone decide.
    fn star_text(&mut self, text: Text, frame: FrameId) -> Result<(), Limit> {
        let star = self.star_table(text.goal)?;
        let fits = |tokens: &[Sized]| tokens.partition_point(|token| u32::from(token.0) <= text.max);
        let inside = &star.inside[..fits(&star.inside)];
        self.found.add(inside.iter().map(|token| token.1), None);
        let in_reach = |tokens: &[Sized]| tokens.partition_point(|token| u32::from(token.0) < text.min)..fits(tokens);
        // Where no token ends the string nothing is asked of what stands around it.
        if star.closed.iter().all(|entry| in_reach(&entry.1).is_empty()) {
            return Ok(());
        }
        let rests = self.rests_after(frame, Verdicts::TRUE)?;
        for (rest, tokens) in &star.closed {
            let (Some(&guard), range) = (rests.get(rest), in_reach(tokens)) else {
                continue;
            };
            if !range.is_empty() {
                self.found.add(tokens[range].iter().map(|token| token.1), guard);
            }
        }
        Ok(())
    }

    /// What tokens hold characters of a star only: whatever one takes, the same star is left. Cost: a walk at the first time.
    pub(crate) fn star_table(&mut self, star: RegexId) -> Result<Arc<StarTable>, Limit> {
        if let Some(known) = self.run.core.star_tables.get(&star) {
            return Ok(known.clone());
        }
        let mut table = StarTable::default();
        let row = self.run.core.regexes().live_row(star)?;
        let kinds = LiveKinds::of(&row);
        for (_, slice) in kinds.slices(&self.vocabulary.slices) {
            if self.survived(star, slice.kinds)?.length == INFINITE {
                table.longest = table.longest.max(slice.longest);
                continue;
            }
            let deepest = each_over(&slice.trie, &row, |length, item| table.inside.push((length, item.token)));
            table.deepest = table.deepest.max(deepest);
        }
        let mut closed: FxHashMap<u32, Vec<Sized>> = FxHashMap::default();
        let deepest = each_over(&self.vocabulary.in_strings, &row, |length, item| match item.ending {
            Ending::Inside(Partial::None) => table.inside.push((length, item.token)),
            Ending::Inside(partial) if partial.is_live(&row) => table.inside.push((length.saturating_add(1), item.token)),
            Ending::Inside(_) => {}
            Ending::Closed(rest) => closed.entry(rest).or_default().push((length, item.token)),
        });
        table.deepest = table.deepest.max(deepest);
        table.finish(closed);
        let shared = Arc::new(table);
        self.run.core.star_tables.insert(star, shared.clone());
        Ok(shared)
    }

    /// The rests that can follow a string with these verdicts.
    fn rests_after(&mut self, frame: FrameId, verdicts: Verdicts) -> Result<FxHashMap<u32, Guard>, Limit> {
        let mut ended = Frontier::default();
        self.run.value_end(frame, verdicts, None, &mut ended)?;
        self.run.close_over(&mut ended)?;
        Ok(self.rests(ended.configs)?.into_iter().collect())
    }

    /// Whether `term` takes all tokens of a slice, with `length` characters to come at least and at most.
    fn takes_slice(&mut self, term: RegexId, slice: &Slice, length: (u32, u32)) -> Result<bool, Limit> {
        let after = |length: (u32, u32)| (length.0.saturating_sub(1), length.1);
        if self.survives_within(term, slice.kinds, slice.longest, after(length))? {
            return Ok(true);
        }
        if slice.tail_kinds == slice.kinds {
            return Ok(false);
        }
        let Some(length) = shorter(length) else { return Ok(false) };
        let target = self.run.core.regexes().live_row_ref(term)?.target(u32::from(b' '));
        Ok(target != RegexId::NEVER && self.survives_within(target, slice.tail_kinds, slice.longest - 1, after(length))?)
    }

    /// Whether `term` takes the tokens of a slice that are no longer than `max`, whatever length must come at least.
    fn takes_slice_up_to(&mut self, term: RegexId, slice: &Slice, max: u32) -> Result<bool, Limit> {
        if max == 0 || max >= slice.longest {
            return Ok(false);
        }
        let survived = self.survived(term, slice.kinds)?;
        Ok(survived.length >= max && survived.solid == 0)
    }

    fn slice_up_to(&mut self, i: usize, max: u32) {
        if max as usize <= MAX_LENGTH_BITMAP {
            return self.found.bases.push(Base::SliceUpTo(i as u32, max as u16));
        }
        let long = &self.vocabulary.slices[i].long;
        let fits = long.partition_point(|token| u32::from(token.0) <= max);
        self.found.bases.push(Base::Slice(i as u32));
        self.found.removed.extend(long[fits..].iter().map(|token| token.1));
    }

    /// The tokens of a slice that `term` can read, with `length` characters to come at least and at most.
    fn walk_slice(&mut self, slice: &Slice, term: RegexId, length: (u32, u32)) -> Result<(), Limit> {
        let trie = &slice.trie;
        let mut todo: Vec<(&CharNode, RegexId, (u32, u32))> = vec![(trie.root(), term, length)];
        let mut live = Vec::new();
        while let Some((node, state, length)) = todo.pop() {
            self.found.add(trie.items(node).iter().map(|item| item.token), None);
            let Some(length) = shorter(length) else { continue };
            self.live_children(trie, node, state, length, &mut live)?;
            for &(child, target) in &live {
                let left = (length.0.saturating_sub(1), length.1);
                if child.count() > 0 && self.survives_within(target, slice.tail_kinds, child.height(), left)? {
                    self.found.add(trie.items_below(child).iter().map(|item| item.token), None);
                } else {
                    todo.push((child, target, length));
                }
            }
        }
        Ok(())
    }

    /// Whether no text over `kinds` of at most `longest` characters kills `term`, where after the first character `length.0`
    /// characters must come at least, and `length.1` may come at most.
    fn survives_within(&mut self, term: RegexId, kinds: u16, longest: u32, length: (u32, u32)) -> Result<bool, Limit> {
        let room = match length.1 {
            INFINITE => INFINITE,
            max => match max.checked_sub(longest) {
                Some(room) => room,
                None => return Ok(false),
            },
        };
        if room < self.run.core.schemas.regexes.max_min_length(term) {
            return Ok(false);
        }
        let survived = self.survived(term, kinds)?;
        let fits = length.0 == 0 || survived.solid < INFINITE && survived.solid <= room;
        Ok(survived.length >= longest && fits)
    }

    /// The children of a node that lead on, each with its target: children and pieces are both sorted, so they are merged.
    /// `length`: how many characters must and may come after the child's.
    fn live_children<'t, E: Copy>(
        &mut self,
        trie: &'t CharTrie<E>,
        node: &CharNode,
        state: RegexId,
        length: (u32, u32),
        out: &mut Vec<(&'t CharNode, RegexId)>,
    ) -> Result<(), Limit> {
        out.clear();
        let pieces = self.run.core.regexes().live_row_ref(state)?.pieces();
        let children = trie.children(node);
        let (mut piece, mut i) = (0, 0);
        while i < children.len() {
            let character = children[i].character;
            while piece + 1 < pieces.len() && pieces[piece + 1].0 <= character {
                piece += 1;
            }
            if pieces[piece].1 != RegexId::NEVER {
                out.push((&children[i], pieces[piece].1));
                i += 1;
            } else if piece + 1 < pieces.len() {
                i += children[i..].partition_point(|child| child.character < pieces[piece + 1].0);
            } else {
                break;
            }
        }
        if length == (0, INFINITE) {
            return Ok(());
        }
        let regexes = self.run.core.regexes();
        let mut failed = None;
        out.retain(|&(_, target)| {
            regexes.has_length(target, length.0, length.1).unwrap_or_else(|limit| {
                failed = Some(limit);
                false
            })
        });
        failed.map_or(Ok(()), Err)
    }

    /// The tokens with escapes, unfinished characters and quotes that a string value can read.
    fn walk_in_strings(&mut self, text: Text, frame: FrameId) -> Result<(), Limit> {
        let mut rests: FxHashMap<Verdicts, FxHashMap<u32, Guard>> = FxHashMap::default();
        let trie = &self.vocabulary.in_strings;
        let mut todo: Vec<(&CharNode, Text)> = vec![(trie.root(), text)];
        let mut live = Vec::new();
        while let Some((node, text)) = todo.pop() {
            let may_end = text.min == 0 && self.run.core.regexes().is_nullable(text.goal);
            let mut after: Option<Verdicts> = None;
            if may_end && trie.items(node).iter().any(|item| matches!(item.ending, Ending::Closed(_))) {
                let verdicts = self.run.text_verdicts(&text);
                if let Entry::Vacant(entry) = rests.entry(verdicts) {
                    entry.insert(self.rests_after(frame, verdicts)?);
                }
                after = Some(verdicts);
            }
            for item in self.readable_items(trie, node, text.goal)? {
                let guard = match item.ending {
                    Ending::Inside(Partial::None) => Some(None),
                    Ending::Inside(partial) => self.run.is_partial_text_live(&text, partial)?.then_some(None),
                    Ending::Closed(rest) => after.and_then(|verdicts| rests[&verdicts].get(&rest).copied()),
                };
                if let Some(guard) = guard {
                    self.found.add([item.token], guard);
                }
            }
            if let Some((min, max)) = shorter((text.min, text.max)) {
                self.live_children(trie, node, text.goal, (min, max), &mut live)?;
                for &(child, goal) in &live {
                    let parts = self.run.parts_after(text.parts, child.character)?;
                    let next = Text {
                        goal,
                        min,
                        max,
                        parts,
                        ..text
                    };
                    todo.push((child, next));
                }
            }
        }
        Ok(())
    }

    /// The items at a node without those that end inside a character, where `term` reads none beyond ASCII.
    fn readable_items<'t>(
        &mut self,
        trie: &'t CharTrie<Ending>,
        node: &CharNode,
        term: RegexId,
    ) -> Result<&'t [Item<Ending>], Limit> {
        let items = trie.items(node);
        if !items.last().is_some_and(|item| item.ending.is_cut()) {
            return Ok(items);
        }
        let row = self.run.core.regexes().live_row_ref(term)?;
        Ok(match row.any_in(0x80, MAX_CHAR) {
            true => items,
            false => &items[..items.partition_point(|item| !item.ending.is_cut())],
        })
    }

    /// What characters of `kinds` do to a term, remembered.
    fn survived(&mut self, term: RegexId, kinds: u16) -> Result<Survived, Limit> {
        if let Some(&known) = self.run.core.survival.get(&(term, kinds)) {
            return Ok(known);
        }
        let (length, seen) = self.survived_length(term, kinds)?;
        let regexes = self.run.core.regexes();
        let solid = seen
            .into_iter()
            .map(|state| regexes.solid_length(state))
            .max()
            .unwrap_or(INFINITE);
        let survived = Survived { length, solid };
        self.run.core.survival.insert((term, kinds), survived);
        Ok(survived)
    }

    /// How many characters of `kinds` the term survives whatever they are, [`INFINITE`] if they never kill it; and the states
    /// that were met, all those that so many characters lead to among them.
    fn survived_length(&mut self, term: RegexId, kinds: u16) -> Result<(u32, Vec<RegexId>), Limit> {
        let (mut seen, mut level_start, mut length) = (vec![term], 0, 0);
        loop {
            let level_end = seen.len();
            if level_start == level_end {
                return Ok((INFINITE, seen));
            }
            for i in level_start..level_end {
                let row = self.run.core.regexes().live_row_ref(seen[i])?;
                if !add_targets(row, kinds, &mut seen) || seen.len() > MAX_DEATH_STATES {
                    return Ok((length, seen));
                }
            }
            level_start = level_end;
            length += 1;
        }
    }
}

/// The tokens over the characters of a star, from a boundary of a string on.
#[derive(Default)]
pub struct StarTable {
    /// Those that stay inside, but for those of slices that hold nothing else; by length, a started character counted.
    inside: Vec<Sized>,
    /// Those that close the string, by what follows the quote.
    closed: Vec<(u32, Vec<Sized>)>,
    /// The length of the longest token, those of slices included.
    pub longest: u32,
    /// The most characters before a closing quote, and one more.
    pub out_of_reach: u32,
    /// At most so many characters of the star begin a token, whatever follows; a started one is counted.
    pub deepest: u32,
}

impl StarTable {
    fn finish(&mut self, closed: FxHashMap<u32, Vec<Sized>>) {
        self.inside.sort_unstable();
        self.closed = closed.into_iter().collect();
        self.closed.iter_mut().for_each(|entry| entry.1.sort_unstable());
        let last = |tokens: &[Sized]| tokens.last().map_or(0, |token| u32::from(token.0));
        let closed = self.closed.iter().map(|entry| last(&entry.1)).max();
        self.out_of_reach = closed.map_or(0, |length| length + 1);
        self.longest = self.longest.max(last(&self.inside)).max(closed.unwrap_or(0));
        self.deepest = self.deepest.max(self.longest);
    }

    pub(crate) fn memory_usage(&self) -> usize {
        let closed: usize = self.closed.iter().map(|entry| 8 * entry.1.len() + 32).sum();
        8 * self.inside.len() + closed
    }
}

/// Visits every item over characters that lead on in a row, with the number of these. Returns how many of them begin a text at most.
fn each_over<E: Copy>(trie: &CharTrie<E>, row: &Row, mut visit: impl FnMut(u16, &Item<E>)) -> u32 {
    let (mut todo, mut deepest) = (vec![(trie.root(), 0u16)], 0);
    while let Some((node, length)) = todo.pop() {
        deepest = deepest.max(u32::from(length));
        trie.items(node).iter().for_each(|item| visit(length, item));
        let live = trie
            .children(node)
            .iter()
            .filter(|child| row.target(child.character) != RegexId::NEVER);
        todo.extend(live.map(|child| (child, length.saturating_add(1))));
    }
    deepest
}

/// The kinds of characters with which a text of a term may begin.
struct LiveKinds {
    /// Those of which some character may.
    some: u16,
    /// Those of which every character may.
    all: u16,
}

impl LiveKinds {
    fn of(row: &Row) -> LiveKinds {
        let (mut some, mut dead) = (0, 0);
        let pieces = row.pieces();
        for (i, &(start, target)) in pieces.iter().enumerate() {
            let end = pieces.get(i + 1).map_or(MAX_CHAR, |next| next.0 - 1);
            let kinds = if target == RegexId::NEVER { &mut dead } else { &mut some };
            *kinds |= (0..KINDS.len()).fold(0, |all, kind| all | u16::from(touches(1 << kind, start, end)) << kind);
        }
        LiveKinds { some, all: some & !dead }
    }

    /// The slices of strings some token of which may begin a text.
    fn slices<'s>(&self, slices: &'s [Slice]) -> impl Iterator<Item = (usize, &'s Slice)> {
        let some = self.some;
        let slices = slices.iter().enumerate();
        slices.filter(move |(_, slice)| slice.is_for_strings() && slice.kinds & some != 0)
    }

    /// Whether the first characters of a slice's tokens leave it open that all of them can be read.
    fn may_take(&self, slice: &Slice) -> bool {
        slice.kinds & !self.all == 0 || slice.tail_kinds != slice.kinds && self.all & SPACE_KIND != 0
    }
}

/// The lengths after one more character; None if none may come.
fn shorter(length: (u32, u32)) -> Option<(u32, u32)> {
    match length {
        (_, 0) => None,
        (min, INFINITE) => Some((min.saturating_sub(1), INFINITE)),
        (min, max) => Some((min.saturating_sub(1), max - 1)),
    }
}

/// Adds the targets of all characters of `kinds`; false if one of them is dead.
fn add_targets(row: &Row, kinds: u16, seen: &mut Vec<RegexId>) -> bool {
    let pieces = row.pieces();
    for (i, &(start, target)) in pieces.iter().enumerate() {
        let end = pieces.get(i + 1).map_or(MAX_CHAR, |next| next.0 - 1);
        if !touches(kinds, start, end) {
            continue;
        }
        if target == RegexId::NEVER {
            return false;
        }
        if !seen.contains(&target) {
            seen.push(target);
        }
    }
    true
}

fn touches(kinds: u16, start: u32, end: u32) -> bool {
    // Surrogates are no characters: a piece of nothing else belongs to no kind.
    if start >= 0xD800 && end <= 0xDFFF {
        return false;
    }
    let meets = |ranges: &[(u32, u32)]| match ranges {
        [range] => range.0 <= end && start <= range.1,
        _ => ranges
            .get(ranges.partition_point(|range| range.1 < start))
            .is_some_and(|range| range.0 <= end),
    };
    (0..KINDS.len())
        .filter(|kind| kinds >> kind & 1 != 0)
        .any(|kind| meets(KINDS[kind]))
}
