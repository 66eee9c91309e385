//! Questions that a walk asks of frames, and how they are asked again.
//!
//! A mask is a function of the control and of what the walk learned about the frames below. Each thing learned is a
//! [`Question`] with an answer. A question names its frame by a *path* from the top frame, never by an id, so that it can be
//! put to any other stack. That the stack ends is an answer too. Frames that the walk itself pushed are no secret: what is
//! in them follows from the control and the answers before.
use crate::stack::FrameId;
use rustc_hash::FxHashMap;
use smallvec::{smallvec, SmallVec};

/// A frame, as seen from the top of the stack: an index into [`Paths`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathId(pub u32);

impl PathId {
    /// The top frame.
    pub const TOP: PathId = PathId(0);
}

/// One step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PathStep {
    /// What surrounds a container.
    Parent,
    /// The caller's frame of this entry of a rule's frame.
    Entry(u32),
    /// The array once its next item has started.
    Item,
    /// The object once the member with this name (an index into the interned names) has started.
    Member(u32),
    /// The container once the verdicts (a number of `Core::verdict_id`) of the value that it waits for are known.
    Resumed(u32),
}

/// What is asked of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// What kind of frame is it, and, for a rule, where does it return?
    Peek,
    /// May the container end here, and with which verdicts?
    Close,
    /// May the object take another name?
    More,
    /// What is asked of the array's next item?
    Item,
    /// Which names can the object tell apart, and what may its other names be?
    Shape,
    /// Is one of the names `.0 .. .1` of the shape available?
    Available(u32, u32),
    /// What is asked of the value of the member with this name?
    Member(u32),
    /// How many containers are open?
    Depth,
    /// Are there items to spare, whatever the last one was?
    Spare,
}

/// A question: what is asked, of which frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// The frame.
    pub path: PathId,
    /// What is asked of it.
    pub ask: Ask,
}

/// Interned paths, names and composite answers.
pub struct Paths {
    steps: Vec<(PathId, PathStep)>,
    ids: FxHashMap<(PathId, PathStep), PathId>,
    names: Vec<Box<str>>,
    name_ids: FxHashMap<Box<str>, u32>,
    answers: FxHashMap<Box<[u32]>, u32>,
}

impl Default for Paths {
    fn default() -> Self {
        Paths {
            steps: vec![(PathId::TOP, PathStep::Parent)],
            ids: FxHashMap::default(),
            names: Vec::new(),
            name_ids: FxHashMap::default(),
            answers: FxHashMap::default(),
        }
    }
}

/// The name that stands for every name that no part of a schema mentions; see [`Ask::Member`].
pub const UNMENTIONED_NAME: u32 = u32::MAX;

/// Names from here on stand for every other name of a class: the index of the class's language is added.
pub const FIRST_NAME_CLASS: u32 = 0x8000_0000;

/// Numbers from here on stand for the declared names that one token can end where the text stands inside a name: the place in
/// their list is added. See [`crate::endings`].
pub const FIRST_ENDING: u32 = 0x4000_0000;

impl Paths {
    /// `path` and one step more.
    pub fn then(&mut self, path: PathId, step: PathStep) -> PathId {
        *self.ids.entry((path, step)).or_insert_with(|| {
            self.steps.push((path, step));
            PathId(self.steps.len() as u32 - 1)
        })
    }

    /// The last step of a path, and the path before it.
    pub fn last_step(&self, path: PathId) -> (PathId, PathStep) {
        self.steps[path.0 as usize]
    }

    /// The number of a member's name, below [`FIRST_ENDING`].
    pub fn name_id(&mut self, name: &str) -> u32 {
        if let Some(&id) = self.name_ids.get(name) {
            return id;
        }
        self.names.push(name.into());
        self.name_ids.insert(name.into(), self.names.len() as u32 - 1);
        self.names.len() as u32 - 1
    }

    /// The name with this number.
    pub fn name(&self, id: u32) -> &str {
        &self.names[id as usize]
    }

    /// A number for a composite answer.
    pub fn answer(&mut self, parts: &[u32]) -> u32 {
        if let Some(&known) = self.answers.get(parts) {
            return known;
        }
        let next = self.answers.len() as u32;
        self.answers.insert(parts.into(), next);
        next
    }

    /// Heap memory in bytes, approximately.
    pub fn memory_usage(&self) -> usize {
        self.steps.len() * 40 + self.names.iter().map(|name| 2 * name.len() + 48).sum::<usize>() + self.answers.len() * 48
    }
}

/// The frames that a walk, or the repetition of its questions, has met so far.
#[derive(Clone, Debug, Default)]
pub struct Known {
    frames: SmallVec<[(FrameId, PathId); 8]>,
}

impl Known {
    /// Only the top frame.
    pub fn top(frame: FrameId) -> Known {
        Known {
            frames: smallvec![(frame, PathId::TOP)],
        }
    }

    /// The path of a frame, if it is known.
    #[inline]
    pub fn path(&self, frame: FrameId) -> Option<PathId> {
        self.frames.iter().find(|known| known.0 == frame).map(|known| known.1)
    }

    /// The frame of a path, if it is known.
    #[inline]
    pub fn frame(&self, path: PathId) -> Option<FrameId> {
        self.frames.iter().find(|known| known.1 == path).map(|known| known.0)
    }

    /// Makes a frame known.
    pub fn add(&mut self, frame: FrameId, path: PathId) {
        self.frames.push((frame, path));
    }
}

/// The questions of one walk, in the order in which they were first asked, each with its answer.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    /// Frames that are not the walk's own.
    pub known: Known,
    /// What was asked.
    pub asked: Vec<(Question, u32)>,
    /// Whether the walk began inside a member's name.
    pub starts_in_key: bool,
    seen: FxHashMap<Question, u32>,
}

impl Recorder {
    /// A recorder for walks from this frame.
    pub fn new(frame: FrameId, starts_in_key: bool) -> Recorder {
        Recorder {
            known: Known::top(frame),
            starts_in_key,
            ..Recorder::default()
        }
    }

    /// The answer to a question that was asked before.
    pub fn answer(&self, question: &Question) -> Option<u32> {
        self.seen.get(question).copied()
    }

    /// Notes an answer.
    pub fn note(&mut self, question: Question, answer: u32) {
        self.seen.insert(question, answer);
        self.asked.push((question, answer));
    }
}
