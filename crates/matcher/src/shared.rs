//! Masks that grammars of one vocabulary share.
//!
//! Most masks of a new schema were met in another one: after a string, inside a number, behind a colon. They are kept with the
//! vocabulary in decision trees, as those of a grammar are (`masks.rs`), but under traces (`trace.rs`), which say everything
//! without the numbers of a grammar: languages by how they are built, names by their text, numbers by their bounds. What is
//! equal has one id, given by comparing, not by hashing alone. A grammar looks here when it has no mask of its own, takes what it
//! finds into its own memory, and leaves here what it had to make.
//!
//! The trees are bounded: when they are full all of them are dropped. Grammars keep what they took.
use crate::control::{Control, Gap, Key};
use crate::core::Core;
use crate::masks::{Leaf, Made};
use crate::question::{Recorder, FIRST_ENDING, FIRST_NAME_CLASS, UNMENTIONED_NAME};
use crate::run::Run;
use crate::stack::FrameId;
use crate::techniques::Technique;
use crate::text::Partial;
use crate::trace::{Fact, Said, Trace};
use penstock_automata::{Limit, RegexId};
use penstock_schema::number::{NumberSpec, PlaceKey};
use penstock_schema::ShapeId;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most bytes that the masks of a vocabulary take which its grammars share (`max_shared_mask_bytes`).
const MAX_SHARED_BYTES: usize = 64 << 20;

/// A term of more parts has no id: writing it down would take longer than its mask is worth.
const MAX_TERM_PARTS: usize = 2_000;

/// Objects with more names are not told apart here.
const MAX_NAMES: usize = 256;

/// An id of something that grammars share, given out once.
type SharedId = u32;

enum Node {
    Ask(Fact, SmallVec<[(u64, u32); 2]>),
    Leaf(Arc<Leaf>),
}

/// The masks that the grammars of a vocabulary share.
#[derive(Default)]
pub(crate) struct SharedMasks {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// Grows when everything is dropped.
    epoch: u32,
    ids: FxHashMap<Box<[u8]>, SharedId>,
    /// Ids are not given out twice, whatever was dropped: what a grammar still holds then finds nothing, and nothing wrong.
    next_id: SharedId,
    /// The texts behind the ids of names.
    names: FxHashMap<SharedId, Arc<str>>,
    roots: FxHashMap<SharedId, u32>,
    nodes: Vec<Node>,
    num_bytes: usize,
    buffer: Vec<u8>,
}

/// What has an id. Things of different kinds are never alike.
enum Kind {
    Term,
    Shape,
    Spec,
    Name,
    Style,
    Text,
    Control,
}

/// The ids of a grammar's own things, as far as they were asked for.
#[derive(Default)]
pub(crate) struct SharedIds {
    epoch: u32,
    terms: FxHashMap<RegexId, SharedId>,
    shapes: FxHashMap<ShapeId, SharedId>,
    specs: FxHashMap<NumberSpec, SharedId>,
    names: FxHashMap<u32, SharedId>,
}

/// Writes down what is hashed: nothing is left out, so what is written alike is alike.
struct Writing(Vec<u8>);

impl Hasher for Writing {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

impl Known {
    /// The id of a thing of a kind.
    fn id_of(&mut self, kind: Kind, thing: &impl Hash) -> SharedId {
        let mut writing = Writing(std::mem::take(&mut self.buffer));
        writing.0.clear();
        writing.0.push(kind as u8);
        thing.hash(&mut writing);
        let id = self.id(&writing.0);
        self.buffer = writing.0;
        id
    }

    /// The id of something that is written down.
    fn id(&mut self, written: &[u8]) -> SharedId {
        if let Some(&id) = self.ids.get(written) {
            return id;
        }
        self.next_id += 1;
        self.num_bytes += written.len() + 48;
        self.ids.insert(written.into(), self.next_id);
        self.next_id
    }

    /// Whether further ids could be taken for the numbers of endings. It takes a billion; then grammars are on their own.
    fn is_spent(&self) -> bool {
        self.next_id > FIRST_ENDING / 2
    }

    fn drop_all(&mut self) {
        *self = Known {
            epoch: self.epoch + 1,
            next_id: self.next_id,
            ..Known::default()
        };
    }

    fn push(&mut self, node: Node) -> u32 {
        self.num_bytes += 80;
        self.nodes.push(node);
        self.nodes.len() as u32 - 1
    }

    fn insert(&mut self, root: SharedId, learned: &[(Fact, u64)], leaf: Arc<Leaf>) {
        let (mut at, mut last, mut depth) = (self.roots.get(&root).copied(), None, 0);
        while let Some(node) = at {
            let Node::Ask(fact, answers) = &self.nodes[node as usize] else {
                return;
            };
            // Two walks that learned the same so far ask the same next.
            let Some(&(asked, said)) = learned.get(depth).filter(|next| next.0 == *fact) else {
                debug_assert!(false, "a walk is a function of what it learns");
                return;
            };
            debug_assert_eq!(asked, *fact);
            last = Some(node);
            at = answers.iter().find(|entry| entry.0 == said).map(|entry| entry.1);
            depth += 1;
        }
        let mut below = self.push(Node::Leaf(leaf));
        for &(fact, said) in learned[depth..].iter().rev() {
            below = self.push(Node::Ask(fact, SmallVec::from_slice(&[(said, below)])));
        }
        match last.map(|node| &mut self.nodes[node as usize]) {
            Some(Node::Ask(_, answers)) => answers.push((learned[depth - 1].1, below)),
            _ => drop(self.roots.insert(root, below)),
        }
    }
}

/// Says things of one grammar so that they mean the same in every other.
struct Namer<'k> {
    known: &'k mut Known,
    core: &'k mut Core,
}

impl Namer<'_> {
    /// The id of a term: equal terms have one, however their grammars number them.
    fn term(&mut self, term: RegexId) -> Option<SharedId> {
        let (mut todo, mut num_parts, mut written) = (vec![term], 0, Vec::new());
        while let Some(&next) = todo.last() {
            if self.core.shared_ids.terms.contains_key(&next) {
                todo.pop();
                continue;
            }
            written.clear();
            written.push(Kind::Term as u8);
            let (parts, is_ordered) = self.core.schemas.regexes.write_part(next, &mut written)?;
            let ids = &self.core.shared_ids.terms;
            let unknown = parts.iter().copied().filter(|part| !ids.contains_key(part));
            let before = todo.len();
            todo.extend(unknown);
            num_parts += 1;
            if num_parts > MAX_TERM_PARTS {
                return None;
            }
            if todo.len() > before {
                continue;
            }
            let mut parts: Vec<SharedId> = parts.iter().map(|part| ids[part]).collect();
            if !is_ordered {
                parts.sort_unstable();
            }
            parts.iter().for_each(|part| written.extend(part.to_le_bytes()));
            let id = self.known.id(&written);
            self.core.shared_ids.terms.insert(next, id);
        }
        self.core.shared_ids.terms.get(&term).copied()
    }

    fn shape(&mut self, shape: ShapeId) -> Option<SharedId> {
        if let Some(&id) = self.core.shared_ids.shapes.get(&shape) {
            return Some(id);
        }
        let names = &self.core.schemas.shape(shape).names;
        if names.len() > MAX_NAMES {
            return None;
        }
        let id = self.known.id_of(Kind::Shape, names);
        self.core.shared_ids.shapes.insert(shape, id);
        Some(id)
    }

    fn spec(&mut self, spec: NumberSpec) -> Option<SharedId> {
        if let Some(&id) = self.core.shared_ids.specs.get(&spec) {
            return Some(id);
        }
        let goal = self.core.schemas.numbers.goal(spec)?;
        let id = self.known.id_of(Kind::Spec, goal);
        self.core.shared_ids.specs.insert(spec, id);
        Some(id)
    }

    /// A member's name, by its number in the grammar.
    fn name(&mut self, name: u32) -> Option<SharedId> {
        if name == UNMENTIONED_NAME || (FIRST_ENDING..FIRST_NAME_CLASS).contains(&name) {
            return Some(name);
        }
        if let Some(&id) = self.core.shared_ids.names.get(&name) {
            return Some(id);
        }
        if name >= FIRST_NAME_CLASS {
            return None;
        }
        let text = self.core.paths.name(name);
        let id = self.known.id_of(Kind::Name, &text);
        self.known.names.insert(id, text.into());
        self.core.shared_ids.names.insert(name, id);
        Some(id)
    }

    /// A fact of this grammar, for all.
    fn fact(&mut self, fact: Fact) -> Option<Fact> {
        Some(match fact {
            Fact::Member(frame, name) => Fact::Member(frame, self.name(name)?),
            other => other,
        })
    }

    /// A fact for all, of this grammar.
    fn own_fact(&mut self, fact: Fact) -> Fact {
        match fact {
            Fact::Member(frame, name) if name < FIRST_ENDING => {
                Fact::Member(frame, self.core.paths.name_id(&self.known.names[&name]))
            }
            other => other,
        }
    }

    fn style(&mut self, style: u8) -> SharedId {
        self.known.id_of(Kind::Style, &self.core.styles[usize::from(style)])
    }

    /// What was learned, for all. Facts of one kind say either plain things or others, so the two must not meet.
    fn said(&mut self, said: Said) -> Option<u64> {
        let told = match said {
            Said::Plain(plain) => return Some(u64::from(plain)),
            Said::Container { object, style, parent } => {
                let surroundings = u64::from(parent) << 1 | u64::from(object);
                (parent < 1 << 30).then_some(u64::from(self.style(style)) << 31 | surroundings)?
            }
            Said::Shape(shape, is_open) => u64::from(self.shape(shape)?) << 1 | u64::from(is_open),
            Said::Text(goal, min, max) => {
                let goal = self.term(goal)?;
                u64::from(self.known.id_of(Kind::Text, &(goal, min, max)))
            }
            Said::Spec(spec) => u64::from(self.spec(spec)?),
        };
        Some(told | 1 << 63)
    }

    /// The declared names that matter inside a name, as the mask's key holds them: nothing, what is left of those that one token
    /// can end, or all that go on from here.
    fn names_left(&self, key: &Key) -> Option<Vec<String>> {
        let takes_any = key.others == RegexId::ANYTHING && key.partial == Partial::None;
        if key.low >= key.high {
            return Some(Vec::new());
        }
        if takes_any && self.core.techniques.has(Technique::StringTables) {
            let left = self.core.endings.texts(key.shape.0);
            return Some(left.iter().map(|text| text.to_string()).collect());
        }
        let names = &self.core.schemas.shape(key.shape).names[key.low as usize..key.high as usize];
        let place = format!("{} {}", key.low, key.depth);
        (names.len() <= MAX_NAMES).then(|| std::iter::once(place).chain(names.iter().cloned()).collect())
    }

    /// The control that a walk begins with, the way shortcuts are taken included.
    fn control(&mut self, control: Control) -> Option<SharedId> {
        let begins = std::mem::discriminant(&control);
        let mut place = Place::default();
        match control {
            Control::Done | Control::Rule { .. } => return None,
            Control::Value { gap, style, .. } => (place.gap, place.number) = (Some(gap), self.style(style)),
            Control::Name { gap, first } => (place.gap, place.number) = (Some(gap), u32::from(first)),
            Control::FirstItem(gap) | Control::Colon { gap, .. } | Control::After(gap) => place.gap = Some(gap),
            Control::Word { word, at, .. } => place.number = u32::from(word) << 8 | u32::from(at),
            Control::Number(number) => {
                let (spec, place_in_it) = self.core.schemas.numbers.place(number.state)?;
                (place.number, place.digits) = (self.spec(spec)?, Some(place_in_it));
            }
            Control::Text(text) => {
                (place.number, place.partial) = (self.term(text.goal)?, text.partial);
                place.lengths = (text.min, text.max);
            }
            Control::Key(key) => {
                (place.number, place.partial) = (key.others.index(), key.partial);
                place.names = self.names_left(&key)?;
            }
        }
        let techniques = self.core.techniques;
        Some(self.known.id_of(Kind::Control, &(begins, place, techniques)))
    }
}

/// What a control holds, for all grammars.
#[derive(Default, Hash)]
struct Place {
    gap: Option<Gap>,
    number: u32,
    digits: Option<PlaceKey>,
    lengths: (u32, u32),
    partial: Partial,
    names: Vec<String>,
}

impl SharedMasks {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Heap memory in bytes, approximately.
    pub(crate) fn memory_usage(&self) -> usize {
        self.lock().num_bytes
    }

    /// The mask that some grammar left for what `run` finds here, and what this grammar's own memory must ask for it.
    /// Cost: a fraction of a microsecond for each fact.
    pub(crate) fn find(&self, run: &mut Run<'_>, control: Control, frame: FrameId) -> Result<Option<Made>, Limit> {
        let Some(trace) = Trace::begin(run.core, control, frame) else {
            return Ok(None);
        };
        let mut known = self.lock();
        if known.is_spent() {
            return Ok(None);
        }
        renew(run.core, &known);
        let mark = run.stack.mark();
        run.recorder = Some(Recorder::new(frame, matches!(control, Control::Key(_))));
        (run.trace, run.leaves_open) = (Some(Box::new(trace)), true);
        let found = look_up(&mut known, run, control);
        run.trace = None;
        let recorder = run.recorder.take().unwrap_or_default();
        run.end_walk();
        run.stack.truncate(mark);
        Ok(found?.map(|leaf| (leaf, recorder.asked)))
    }

    /// Leaves a mask of so many bytes for other grammars.
    pub(crate) fn leave(&self, core: &mut Core, control: Control, trace: &Trace, (leaf, size): (&Arc<Leaf>, usize)) {
        let mut known = self.lock();
        if known.is_spent() {
            return;
        }
        if known.num_bytes > MAX_SHARED_BYTES {
            known.drop_all();
        }
        renew(core, &known);
        let mut namer = Namer { known: &mut known, core };
        let told = |&(fact, said): &(Fact, Said)| Some((namer.fact(fact)?, namer.said(said)?));
        let Some(learned) = trace.learned.iter().map(told).collect::<Option<Vec<_>>>() else {
            return;
        };
        if let Some(root) = namer.control(control) {
            known.insert(root, &learned, leaf.clone());
            known.num_bytes += size;
        }
    }
}

/// Forgets the ids of things that were dropped.
fn renew(core: &mut Core, known: &Known) {
    if core.shared_ids.epoch != known.epoch {
        core.shared_ids = SharedIds {
            epoch: known.epoch,
            ..SharedIds::default()
        };
    }
}

fn look_up(known: &mut Known, run: &mut Run<'_>, control: Control) -> Result<Option<Arc<Leaf>>, Limit> {
    let root = Namer { known, core: run.core }.control(control);
    let Some(mut node) = root.and_then(|root| known.roots.get(&root).copied()) else {
        return Ok(None);
    };
    for step in 0.. {
        let wanted = match &known.nodes[node as usize] {
            Node::Leaf(leaf) => return Ok(Some(leaf.clone())),
            Node::Ask(fact, _) => *fact,
        };
        let fact = Namer { known, core: run.core }.own_fact(wanted);
        // One fact can bring up another.
        if run.trace.as_ref().is_some_and(|trace| trace.learned.len() <= step) {
            run.learn_again(fact)?;
        }
        let learned = run.trace.as_ref().and_then(|trace| trace.learned.get(step).copied());
        let Some((_, said)) = learned.filter(|learned| learned.0 == fact) else {
            return Ok(None);
        };
        let said = Namer { known, core: run.core }.said(said);
        let Node::Ask(_, answers) = &known.nodes[node as usize] else {
            return Ok(None);
        };
        match answers.iter().find(|entry| Some(entry.0) == said) {
            Some(entry) => node = entry.1,
            None => return Ok(None),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use crate::testing::vocabulary;
    use crate::{CompiledGrammar, Matcher};
    use penstock_grammar::{Grammar, JsonOptions};
    use penstock_tokens::{bitmask, TokenizerInfo};
    use std::sync::Arc;

    const WORDS: [&str; 3] = ["\",\"", "ab", "\":"];

    fn compile(schema: &str, info: &Arc<TokenizerInfo>) -> Arc<CompiledGrammar> {
        let schema = serde_json::from_str(schema).expect("JSON");
        let grammar = Grammar::from_json_schema(schema, JsonOptions::default());
        Arc::new(CompiledGrammar::new(&grammar, info.clone()).expect("compiles"))
    }

    /// The mask before every byte.
    fn read(compiled: &Arc<CompiledGrammar>, text: &str) -> Vec<Vec<u32>> {
        let mut matcher = Matcher::new(compiled.clone()).expect("a start");
        let mut mask_before = |&byte: &u8| {
            let mut row = vec![0; bitmask::words_for(compiled.info().vocab_size())];
            matcher.fill_next_token_bitmask(&mut row).expect("a mask");
            assert!(matcher.accept_bytes(&[byte]).expect("no limit"));
            row
        };
        text.as_bytes().iter().map(&mut mask_before).collect()
    }

    const FIRST: &str = r#"{"type": "object", "properties": {"a": {"pattern": "^[a-c]+$", "type": "string"}}}"#;
    const SECOND: &str = r#"{"type": "object", "properties": {"b": {}, "a": {"pattern": "^[a-c]+$", "type": "string"}}}"#;
    const TEXT: &str = r#"{"a":"ab","b":1}"#;

    #[test]
    fn what_is_dropped_is_made_again_and_grammars_keep_what_they_took() {
        let info = vocabulary(&WORDS);
        let (first, second) = (compile(FIRST, &info), compile(SECOND, &info));
        let masks = read(&first, TEXT);
        let num_made = first.mask_counts().1;
        let expected = read(&compile(SECOND, &vocabulary(&WORDS)), TEXT);
        assert_eq!(read(&second, TEXT), expected);
        assert!(second.mask_counts().1 < second.mask_counts().0 as u64, "something is shared");
        let shared = &first.vocabulary.shared;
        assert!(shared.memory_usage() > 0);
        shared.lock().drop_all();
        assert_eq!(shared.memory_usage(), 0);
        assert_eq!(read(&first, TEXT), masks);
        assert_eq!(first.mask_counts().1, num_made, "what it took is its own");
        assert_eq!(read(&compile(SECOND, &info), TEXT), expected);
        let third = compile(SECOND, &info);
        assert_eq!(read(&third, TEXT), expected);
        assert_eq!(third.mask_counts().1, 0, "what was made again is shared again");
    }
}
