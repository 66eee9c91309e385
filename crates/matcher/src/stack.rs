//! Frames: what is still open below the place where the text stands.
//!
//! Frames are immutable and live in an arena that a matcher shares with its forks. A frame of a rule is the *set* of places
//! to return to, shared by all callers at one position and interned, so that ambiguity costs O(n) frames a position and
//! not 2^n stacks; left recursion makes a group of frames that refer to each other. Frames of JSON objects and arrays are
//! pushed and never looked up: JSON is deterministic.
use penstock_automata::RegexId;
use penstock_schema::{NameId, RecordId, SeenId, ValueId};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// A frame of a [`Stack`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FrameId(pub u32);

impl FrameId {
    /// Nothing is open.
    pub const BOTTOM: FrameId = FrameId(0);
}

/// An open JSON object or array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Container {
    /// What surrounds it.
    pub parent: FrameId,
    /// What it still has to do.
    pub record: RecordId,
    /// The names it holds; empty for arrays.
    pub seen: SeenId,
    /// Whether the record waits for the verdicts of the value that is being read.
    pub pending: bool,
    /// Whether it is an object.
    pub object: bool,
    /// How its text is spelt: an index into the styles of the grammar.
    pub style: u8,
    /// Whether the record waits for that value itself too, since other items must differ from it.
    pub wants: bool,
    /// Whether what it holds is kept, since it is part of an item that others must differ from.
    pub keeps: bool,
    /// What it holds, if that is kept.
    pub content: ContentId,
    /// How much a walk knows of it; [`Doubt::None`] outside of walks.
    pub doubt: Doubt,
    /// Number of containers that are open, this one included.
    pub depth: u32,
}

/// What a walk left open: it does not tell apart the values with which an item can end that others must differ from, but
/// goes on as if it differed from all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Doubt {
    /// Nothing.
    None,
    /// The value of an item that has ended.
    Ended,
    /// The same, and the next item has started. It has values to spare: what can start it is certain.
    Next,
    /// The same, for a container that is that item.
    NextInside,
    /// Whether this can be read must be tried.
    All,
}

impl Doubt {
    /// The doubt about a container that is opened in one with this doubt.
    pub fn inside(self) -> Doubt {
        match self {
            Doubt::None | Doubt::Ended => Doubt::None,
            Doubt::Next => Doubt::NextInside,
            Doubt::NextInside | Doubt::All => Doubt::All,
        }
    }

    /// The doubt once something was read that can be more than one thing.
    pub fn deeper(self) -> Doubt {
        match self {
            Doubt::None => Doubt::None,
            _ => Doubt::All,
        }
    }
}

/// What an open container holds so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContentId(u32);

impl ContentId {
    /// Nothing.
    pub const EMPTY: ContentId = ContentId(0);
}

/// One more thing that a container holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// A member's name; its value follows.
    Name(NameId),
    /// An item, or a member's value.
    Value(ValueId),
}

/// What a frame knows of the marks of its rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallMark {
    /// The number of the rule that was called, plus 1; 0 for rules without marks that a frame must know of.
    pub rule: u32,
    /// The number of the first token that may hold nothing of the rule's text, once its first byte was read; 0 before, and
    /// where the rule has no budget.
    pub until: u32,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Nothing is open: the text may end here.
    Bottom,
    /// A rule: entries `start..end` of the arena say where to go on.
    Call {
        /// First entry.
        start: u32,
        /// One behind the last entry.
        end: u32,
        /// Length of the longest chain of frames below this one.
        depth: u32,
        /// What it knows of the marks of the rule.
        mark: CallMark,
    },
    /// A JSON object or array.
    Container(Container),
}

/// Where a rule returns to: the rest of the caller's body, and the caller's own frame.
pub type Entry = (RegexId, FrameId);

/// The caller of a frame that is being made: a frame, or a member of the same group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Parent {
    /// An existing frame.
    Frame(FrameId),
    /// The member of the group with this index.
    Local(u32),
}

/// A frame of a group that is being made: where it returns, and its mark.
pub type Member = (SmallVec<[(RegexId, Parent); 2]>, CallMark);

/// A group spelt out: of each member its mark, how many entries it has, and these.
type GroupKey = SmallVec<[u32; 8]>;

/// Added to the index of a member where a frame of a group returns to one of its own.
const LOCAL: u32 = 0x8000_0000;

fn spell_out_group(group: &[Member]) -> GroupKey {
    let mut key = GroupKey::new();
    for (entries, mark) in group {
        key.extend([mark.rule, mark.until, entries.len() as u32]);
        for &(rest, parent) in entries {
            let parent = match parent {
                Parent::Frame(frame) => frame.0,
                Parent::Local(member) => LOCAL | member,
            };
            key.extend([rest.index(), parent]);
        }
    }
    key
}

/// How far an arena had grown; see [`Stack::truncate`].
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    frames: usize,
    entries: usize,
    groups: usize,
    texts: usize,
    contents: usize,
}

/// The arena of frames and of the texts of member names.
pub struct Stack {
    frames: Vec<Frame>,
    entries: Vec<Entry>,
    groups: FxHashMap<GroupKey, FrameId>,
    group_order: Vec<GroupKey>,
    texts: Vec<(TextId, u32)>,
    text_ids: FxHashMap<(TextId, u32), TextId>,
    contents: Vec<(ContentId, Held)>,
}

/// A decoded text: the part of a member's name that has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TextId(pub u32);

impl TextId {
    /// The empty text.
    pub const EMPTY: TextId = TextId(0);
    /// A text that nobody asks for.
    pub const UNKEPT: TextId = TextId(u32::MAX);
    /// A text that is not empty; walks do not tell more.
    pub const SOME: TextId = TextId(u32::MAX - 1);
}

impl Default for Stack {
    fn default() -> Self {
        Stack::new()
    }
}

impl Stack {
    /// An arena that holds the bottom and the empty text.
    pub fn new() -> Stack {
        Stack {
            frames: vec![Frame::Bottom],
            entries: Vec::new(),
            groups: FxHashMap::default(),
            group_order: Vec::new(),
            texts: vec![(TextId::EMPTY, 0)],
            text_ids: FxHashMap::default(),
            contents: vec![(ContentId::EMPTY, Held::Name(NameId::default()))],
        }
    }

    /// The frame with this id.
    #[inline]
    pub fn frame(&self, id: FrameId) -> Frame {
        self.frames[id.0 as usize]
    }

    /// The entries of a call frame.
    pub fn entries(&self, start: u32, end: u32) -> &[Entry] {
        &self.entries[start as usize..end as usize]
    }

    /// How many frames lie below this one, at most.
    pub fn depth(&self, id: FrameId) -> u32 {
        match self.frame(id) {
            Frame::Bottom => 0,
            Frame::Call { depth, .. } => depth,
            Frame::Container(container) => container.depth,
        }
    }

    /// A new frame for a JSON object or array.
    pub fn push(&mut self, container: Container) -> FrameId {
        self.frames.push(Frame::Container(container));
        FrameId(self.frames.len() as u32 - 1)
    }

    /// The frames of a group of rules that call each other at one position (nearly always one rule): the first of them;
    /// the others follow. Equal groups are one if `share`.
    pub fn intern_group(&mut self, group: &mut [Member], share: bool) -> FrameId {
        for (entries, _) in group.iter_mut() {
            entries.sort_unstable();
            entries.dedup();
        }
        let key = spell_out_group(group);
        if let Some(&first) = self.groups.get(&key).filter(|_| share) {
            return first;
        }
        let first = FrameId(self.frames.len() as u32);
        let depth = self.group_depth(group);
        for (entries, mark) in group.iter() {
            let start = self.entries.len() as u32;
            self.entries.extend(entries.iter().map(|&(rest, parent)| {
                (
                    rest,
                    match parent {
                        Parent::Frame(frame) => frame,
                        Parent::Local(index) => FrameId(first.0 + index),
                    },
                )
            }));
            self.frames.push(Frame::Call {
                start,
                end: self.entries.len() as u32,
                depth,
                mark: *mark,
            });
        }
        if share {
            self.groups.insert(key.clone(), first);
            self.group_order.push(key);
        }
        first
    }

    fn group_depth(&self, group: &[Member]) -> u32 {
        let parents = group.iter().flat_map(|member| member.0.iter());
        let depths = parents.map(|entry| match entry.1 {
            Parent::Frame(frame) => self.depth(frame),
            Parent::Local(_) => 0,
        });
        1 + depths.max().unwrap_or(0)
    }

    /// The frame of a call with another mark.
    pub fn remark(&mut self, frame: FrameId, mark: CallMark, share: bool) -> FrameId {
        let Frame::Call { start, end, .. } = self.frame(frame) else {
            return frame;
        };
        let entries = self.entries(start, end).iter();
        let entries = entries.map(|&(rest, parent)| (rest, Parent::Frame(parent))).collect();
        self.intern_group(&mut [(entries, mark)], share)
    }

    /// Everything that can be reached from a frame, spelt out: equal for equal stacks, whatever their frames are called.
    pub fn spell_out(&self, top: FrameId) -> Box<[u32]> {
        let (mut frames, mut spelt, mut next) = (vec![top], Vec::new(), 0);
        let number = |frame: FrameId, frames: &mut Vec<FrameId>| {
            let known = frames.iter().position(|&known| known == frame);
            known.unwrap_or_else(|| {
                frames.push(frame);
                frames.len() - 1
            }) as u32
        };
        while next < frames.len() {
            match self.frame(frames[next]) {
                Frame::Bottom => spelt.push(0),
                Frame::Container(open) => {
                    let kind = 1 | u32::from(open.object) << 2 | u32::from(open.pending) << 3 | u32::from(open.style) << 4;
                    let parent = number(open.parent, &mut frames);
                    spelt.extend([kind, parent, open.record.0, open.seen.0, open.depth]);
                }
                Frame::Call { start, end, .. } => {
                    spelt.extend([2, end - start]);
                    for &(rest, caller) in self.entries(start, end) {
                        spelt.extend([rest.index(), number(caller, &mut frames)]);
                    }
                }
            }
            next += 1;
        }
        spelt.into()
    }

    /// What a frame and those right below it hold, without what lies further down.
    pub fn spell_out_top(&self, frame: FrameId) -> Box<[u32]> {
        let mut spelt = Vec::new();
        self.spell_out_one(frame, &mut spelt);
        match self.frame(frame) {
            Frame::Bottom => {}
            Frame::Container(open) => self.spell_out_one(open.parent, &mut spelt),
            Frame::Call { start, end, .. } => {
                let callers = self.entries(start, end).iter().map(|entry| entry.1);
                callers.for_each(|caller| self.spell_out_one(caller, &mut spelt));
            }
        }
        spelt.into()
    }

    fn spell_out_one(&self, frame: FrameId, out: &mut Vec<u32>) {
        match self.frame(frame) {
            Frame::Bottom => out.push(0),
            Frame::Container(open) => out.extend([1, open.record.0, open.seen.0, u32::from(open.pending)]),
            Frame::Call { start, end, .. } => {
                out.extend([2, end - start]);
                out.extend(self.entries(start, end).iter().map(|entry| entry.0.index()));
            }
        }
    }

    /// `text` and one character more.
    pub fn append(&mut self, text: TextId, character: u32) -> TextId {
        if let Some(&id) = self.text_ids.get(&(text, character)) {
            return id;
        }
        let id = TextId(self.texts.len() as u32);
        self.texts.push((text, character));
        self.text_ids.insert((text, character), id);
        id
    }

    /// The characters of a text.
    pub fn text(&self, mut id: TextId) -> String {
        let mut characters = Vec::new();
        while id != TextId::EMPTY {
            let (before, character) = self.texts[id.0 as usize];
            characters.extend(char::from_u32(character));
            id = before;
        }
        characters.iter().rev().collect()
    }

    /// `content` and one thing more.
    pub fn hold(&mut self, content: ContentId, held: Held) -> ContentId {
        self.contents.push((content, held));
        ContentId(self.contents.len() as u32 - 1)
    }

    /// What a container holds, the first thing first.
    pub fn held(&self, mut content: ContentId) -> Vec<Held> {
        let mut out = Vec::new();
        while content != ContentId::EMPTY {
            let (before, held) = self.contents[content.0 as usize];
            out.push(held);
            content = before;
        }
        out.reverse();
        out
    }

    /// How far the arena has grown.
    pub fn mark(&self) -> Mark {
        Mark {
            frames: self.frames.len(),
            entries: self.entries.len(),
            groups: self.group_order.len(),
            texts: self.texts.len(),
            contents: self.contents.len(),
        }
    }

    /// Forgets everything that came after `mark`. Nobody may still hold such a frame.
    pub fn truncate(&mut self, mark: Mark) {
        self.frames.truncate(mark.frames);
        self.entries.truncate(mark.entries);
        for key in self.group_order.drain(mark.groups..) {
            self.groups.remove(&key);
        }
        for i in mark.texts..self.texts.len() {
            self.text_ids.remove(&self.texts[i]);
        }
        self.texts.truncate(mark.texts);
        self.contents.truncate(mark.contents);
    }

    /// Heap memory in bytes, approximately.
    pub fn memory_usage(&self) -> usize {
        self.frames.len() * std::mem::size_of::<Frame>()
            + self.entries.len() * 8
            + self.group_order.len() * 96
            + self.texts.len() * 32
            + self.contents.len() * 12
    }
}
