//! One step of the recogniser: its context, and everything that it may learn from a frame.
//!
//! All knowledge about frames passes through the `fact_*` functions here: they note question and answer when a walk
//! records, and [`Run::replay`] puts the same questions to another stack.
use crate::control::{Config, Control};
use crate::core::{Core, Style};
use crate::question::{Ask, Known, PathId, PathStep, Question, Recorder, FIRST_ENDING, FIRST_NAME_CLASS, UNMENTIONED_NAME};
use crate::stack::{Container, Doubt, Frame, FrameId, Held, Stack, TextId};
use crate::text::Partial;
use crate::trace::{Fact, Trace};
use penstock_automata::{Limit, RegexId};
use penstock_schema::{Item, Member, Next, ShapeId, ValueId, Verdicts};
use smallvec::SmallVec;
use std::sync::Arc;

/// The ways to read a text; nearly always one.
pub type Configs = SmallVec<[Config; 2]>;

/// Places in rules whose calls and returns have not been followed yet.
pub type Kernels = SmallVec<[(RegexId, FrameId); 2]>;

/// A configuration set under construction.
#[derive(Default)]
pub struct Frontier {
    /// Finished configurations.
    pub configs: Configs,
    /// Places in rules whose calls and returns have not been followed yet.
    pub kernels: Kernels,
}

impl Frontier {
    /// Adds a configuration.
    #[inline]
    pub fn push(&mut self, control: Control, frame: FrameId) {
        self.configs.push(Config { control, frame });
    }
}

/// What a step needs: the shared core, the frames, and the recorder of a walk.
pub struct Run<'a> {
    /// Shared by all matchers of the grammar.
    pub core: &'a mut Core,
    /// Frames of this matcher and its forks.
    pub stack: &'a mut Stack,
    /// Set while a mask is being made.
    pub recorder: Option<Recorder>,
    /// The declared names that one token can end where the text stands, if the mask there is kept under what is left of them.
    pub endings: Option<Arc<[u32]>>,
    /// Set while a mask is being made, or looked for, that other grammars may share.
    pub(crate) trace: Option<Box<Trace>>,
    /// Set in walks: values of items that others must differ from are left open ([`Doubt`]).
    pub leaves_open: bool,
    /// Whether the walk has left one open.
    has_doubts: bool,
    /// Set in walks where nothing in the vocabulary follows the byte that is read.
    pub(crate) ends_here: bool,
    /// The number of the token that is being read, from 0.
    pub now: u32,
    /// Set when a value was left open on which more than its difference depends: the walk is worth nothing.
    pub is_inexact: bool,
}

/// The frame ends the text.
const ANSWER_BOTTOM: u32 = 1;
/// A call frame with one entry whose caller was not known: the entry's rest is added.
const ANSWER_SIMPLE_CALL: u32 = 0x4000_0000;
/// Any other shape: a number of `Paths::answer` is added.
const ANSWER_COMPOSITE: u32 = 0x8000_0000;

impl<'a> Run<'a> {
    /// A context that records nothing.
    pub fn new(core: &'a mut Core, stack: &'a mut Stack) -> Run<'a> {
        Run {
            core,
            stack,
            recorder: None,
            endings: None,
            trace: None,
            leaves_open: false,
            has_doubts: false,
            ends_here: false,
            now: 0,
            is_inexact: false,
        }
    }

    /// The path of a frame that a recording walk did not push itself.
    pub fn foreign(&self, frame: FrameId) -> Option<PathId> {
        self.recorder.as_ref().and_then(|recorder| recorder.known.path(frame))
    }

    /// Whether the names of this object are left to the guards of the mask that is being made.
    pub fn is_guarded(&self, frame: FrameId) -> bool {
        self.foreign(frame) == Some(PathId::TOP)
    }

    fn note(&mut self, frame: FrameId, ask: Ask, answer: impl FnOnce(&mut Core) -> u32) {
        let Some(path) = self.foreign(frame) else { return };
        let question = Question { path, ask };
        if self
            .recorder
            .as_ref()
            .is_some_and(|recorder| recorder.answer(&question).is_none())
        {
            let answer = answer(self.core);
            if let Some(recorder) = &mut self.recorder {
                recorder.note(question, answer);
            }
        }
    }

    /// The frame itself, noting its kind and where it returns.
    pub fn peek(&mut self, id: FrameId) -> Frame {
        if let Some(path) = self.foreign(id) {
            let question = Question { path, ask: Ask::Peek };
            let is_new = |recorder: &mut Recorder| recorder.answer(&question).is_none();
            if let Some(mut recorder) = self.recorder.take_if(is_new) {
                let answer = self.peek_answer(&mut recorder.known, path, id);
                recorder.note(question, answer);
                self.recorder = Some(recorder);
            }
        }
        self.learn_peek(id);
        self.stack.frame(id)
    }

    /// Encodes kind and callers; callers that were not known become known.
    fn peek_answer(&mut self, known: &mut Known, path: PathId, id: FrameId) -> u32 {
        match self.stack.frame(id) {
            Frame::Bottom => ANSWER_BOTTOM,
            Frame::Container(container) => {
                let contrary = container.wants && self.core.schemas.is_contrary(container.record);
                let tag = 4
                    | u32::from(container.object)
                    | u32::from(container.pending) << 1
                    | u32::from(container.style) << 3
                    | u32::from(container.wants) << 11
                    | u32::from(contrary) << 12;
                if let Some(parent) = known.path(container.parent) {
                    return ANSWER_COMPOSITE | self.core.paths.answer(&[tag, parent.0]);
                }
                let parent = self.core.paths.then(path, PathStep::Parent);
                known.add(container.parent, parent);
                tag
            }
            Frame::Call { start, end, .. } => {
                let fresh = known.path(self.stack.entries(start, end)[0].1).is_none();
                let mut parts: SmallVec<[u32; 8]> = SmallVec::new();
                for i in 0..end - start {
                    let (rest, caller) = self.stack.entries(start, end)[i as usize];
                    let caller = known.path(caller).unwrap_or_else(|| {
                        let step = self.core.paths.then(path, PathStep::Entry(i));
                        known.add(caller, step);
                        step
                    });
                    parts.extend([rest.index(), caller.0]);
                }
                if fresh && parts.len() == 2 && parts[0] < ANSWER_SIMPLE_CALL {
                    return ANSWER_SIMPLE_CALL | parts[0];
                }
                parts.push(u32::MAX);
                ANSWER_COMPOSITE | self.core.paths.answer(&parts)
            }
        }
    }

    /// A frame that follows from another one by a step: if the other was not the walk's own, neither is this one.
    pub fn advance(&mut self, from: FrameId, step: PathStep, container: Container) -> FrameId {
        let id = self.stack.push(container);
        if let Some(path) = self.foreign(from) {
            let path = self.core.paths.then(path, step);
            if let Some(recorder) = &mut self.recorder {
                recorder.known.add(id, path);
            }
        }
        match step {
            PathStep::Item => self.name_frame(from, Fact::Item, id),
            PathStep::Member(name) => self.name_frame(from, |frame| Fact::Member(frame, name), id),
            _ => self.lose_trace(),
        }
        id
    }

    fn container(&self, frame: FrameId) -> Container {
        match self.stack.frame(frame) {
            Frame::Container(container) => container,
            _ => unreachable!("the controls of JSON stand on the frame of their container"),
        }
    }

    /// The style of a container; its kind must have been looked at.
    pub fn style(&self, container: &Container) -> Style {
        self.core.styles[usize::from(container.style)]
    }

    /// Whether the container may end here, and with which verdicts.
    pub fn fact_close(&mut self, frame: FrameId) -> Result<Option<Verdicts>, Limit> {
        let container = self.container(frame);
        let verdicts = self.core.schemas.close(container.record, container.seen)?;
        self.note(frame, Ask::Close, |core| core.verdict_id(verdicts));
        self.learn_close(frame, verdicts);
        Ok(verdicts)
    }

    /// Whether the object may take another name.
    pub fn fact_more(&mut self, frame: FrameId) -> Result<bool, Limit> {
        let container = self.container(frame);
        let names = self.core.schemas.names(container.record, container.seen)?;
        let more = self.core.any_name(names, container.seen)?;
        self.note(frame, Ask::More, |_| u32::from(more));
        self.learn_plain(frame, Fact::More, u32::from(more));
        Ok(more)
    }

    /// What is asked of the array's next item, if there may be one.
    pub fn fact_item(&mut self, frame: FrameId) -> Result<Option<Item>, Limit> {
        let container = self.container(frame);
        let item = self.core.schemas.next_item(container.record)?;
        let answer = item.as_ref().map_or(0, |item| item.ask.0 + 1);
        self.note(frame, Ask::Item, |_| answer);
        // An item that must be kept leaves doubts behind it.
        match &item {
            Some(item) if item.keep => self.lose_trace(),
            _ => self.learn_started(frame, Fact::Item, item.as_ref().map(|item| (item.ask, item.next))),
        }
        Ok(item)
    }

    /// Whether the array has items to spare, whatever its last one was.
    pub fn fact_spare(&mut self, frame: FrameId) -> Result<bool, Limit> {
        let container = self.container(frame);
        let spare = self.core.schemas.has_spare_items(container.record)?;
        self.note(frame, Ask::Spare, |_| u32::from(spare));
        self.lose_trace();
        Ok(spare)
    }

    /// The names that the object can tell apart, what its other names may be, and the states that tell those apart.
    pub fn fact_shape(&mut self, frame: FrameId) -> Result<(ShapeId, RegexId, u32), Limit> {
        let container = self.container(frame);
        let id = self.core.schemas.names(container.record, container.seen)?;
        let names = self.core.schemas.names_view(id);
        let (shape, others) = (names.shape, names.others);
        let others = self.core.other_names(shape, others, container.seen)?;
        let patterns = self.core.schemas.name_patterns(container.record)?;
        let states = self.core.start_name_states(&patterns);
        self.note(frame, Ask::Shape, |core| {
            core.paths.answer(&[shape.0, others.index(), states])
        });
        self.learn_shape(frame, (shape, others, states));
        Ok((shape, others, states))
    }

    /// Whether one of the names `low..high` of the object's shape is available.
    pub fn fact_available(&mut self, frame: FrameId, low: u32, high: u32) -> Result<bool, Limit> {
        let container = self.container(frame);
        let id = self.core.schemas.names(container.record, container.seen)?;
        let available = any_bit(&self.core.schemas.names_view(id).available, low, high);
        self.note(frame, Ask::Available(low, high), |_| u32::from(available));
        self.learn_plain(frame, |frame| Fact::Available(frame, low, high), u32::from(available));
        Ok(available)
    }

    /// What is asked of the value of the member `name`, if the object may take it. `noted` is the number under which the
    /// name is asked for elsewhere.
    pub fn fact_member(&mut self, frame: FrameId, name: &str, noted: u32) -> Result<Option<Member>, Limit> {
        let container = self.container(frame);
        let member = self.core.schemas.take(container.record, container.seen, name)?;
        let answer = member.as_ref().map_or(0, |member| member.ask.0 + 1);
        self.note(frame, Ask::Member(noted), |_| answer);
        self.learn_member(frame, noted, member.as_ref());
        Ok(member)
    }

    /// How many containers are open.
    pub fn fact_depth(&mut self, frame: FrameId) -> u32 {
        let depth = self.stack.depth(frame);
        self.note(frame, Ask::Depth, |_| depth);
        self.learn_plain(frame, Fact::Depth, depth);
        depth
    }

    /// The answer of the frame behind a path to a question that another stack was asked.
    pub fn replay(&mut self, known: &mut Known, question: Question) -> Result<u32, Limit> {
        let frame = self.locate(known, question.path)?;
        Ok(match question.ask {
            Ask::Peek => self.peek_answer(known, question.path, frame),
            Ask::Close => {
                let verdicts = self.fact_close(frame)?;
                self.core.verdict_id(verdicts)
            }
            Ask::More => u32::from(self.fact_more(frame)?),
            Ask::Item => self.fact_item(frame)?.map_or(0, |item| item.ask.0 + 1),
            Ask::Shape => {
                let (shape, others, states) = self.fact_shape(frame)?;
                self.core.paths.answer(&[shape.0, others.index(), states])
            }
            Ask::Available(low, high) => u32::from(self.fact_available(frame, low, high)?),
            Ask::Member(name) => self.named_member(frame, name)?.map_or(0, |member| member.ask.0 + 1),
            Ask::Depth => self.fact_depth(frame),
            Ask::Spare => u32::from(self.fact_spare(frame)?),
        })
    }

    /// The number of a declared name, which may be noted by its place in the list of endings.
    pub(crate) fn declared_name(&self, noted: u32) -> u32 {
        match noted.checked_sub(FIRST_ENDING) {
            Some(place) => self.endings.as_deref().unwrap_or_default()[place as usize],
            None => noted,
        }
    }

    fn named_member(&mut self, frame: FrameId, name: u32) -> Result<Option<Member>, Limit> {
        let container = self.container(frame);
        if name == UNMENTIONED_NAME {
            return self.other_member_of(&container);
        }
        if let Some(class) = name.checked_sub(FIRST_NAME_CLASS) {
            let class = RegexId::from_index(class);
            return self.core.schemas.take_of_class(container.record, container.seen, class);
        }
        let name = self.declared_name(name);
        self.core
            .schemas
            .take(container.record, container.seen, self.core.paths.name(name))
    }

    /// The member with a name that stands for all names that the object does not tell apart.
    fn other_member_of(&mut self, container: &Container) -> Result<Option<Member>, Limit> {
        let id = self.core.schemas.names(container.record, container.seen)?;
        let names = self.core.schemas.names_view(id);
        let (shape, others) = (names.shape, names.others);
        match self.core.other_name(shape, others, container.seen)? {
            Some(name) => self.core.schemas.take(container.record, container.seen, &name),
            None => Ok(None),
        }
    }

    /// [`Run::fact_member`] for a name that stands for all others, or for those of a class.
    pub fn fact_other_member(&mut self, frame: FrameId, noted: u32) -> Result<Option<Member>, Limit> {
        let member = self.named_member(frame, noted)?;
        let answer = member.as_ref().map_or(0, |member| member.ask.0 + 1);
        self.note(frame, Ask::Member(noted), |_| answer);
        self.learn_member(frame, noted, member.as_ref());
        Ok(member)
    }

    fn locate(&mut self, known: &mut Known, path: PathId) -> Result<FrameId, Limit> {
        if let Some(frame) = known.frame(path) {
            return Ok(frame);
        }
        let (before, step) = self.core.paths.last_step(path);
        let base = self.locate(known, before)?;
        let container = match self.stack.frame(base) {
            Frame::Container(container) => container,
            Frame::Call { start, end, .. } => {
                let PathStep::Entry(i) = step else {
                    unreachable!("a path follows what was peeked")
                };
                return Ok(self.stack.entries(start, end)[i as usize].1);
            }
            Frame::Bottom => unreachable!("nothing lies below the bottom"),
        };
        let next = match step {
            PathStep::Parent | PathStep::Entry(_) => return Ok(container.parent),
            PathStep::Item => self
                .core
                .schemas
                .next_item(container.record)?
                .map(|item| started_item(container, &item)),
            PathStep::Member(name) => self
                .named_member(base, name)?
                .map(|member| started_member(container, &member)),
            PathStep::Resumed(verdicts) => {
                let verdicts = self.core.verdict(verdicts).unwrap_or(Verdicts::TRUE);
                Some(Container {
                    record: self.core.schemas.resume(container.record, verdicts, None)?,
                    pending: false,
                    wants: false,
                    ..container
                })
            }
        };
        let frame = self.stack.push(next.unwrap_or(container));
        known.add(frame, path);
        Ok(frame)
    }

    /// A value has ended with these verdicts: its surroundings go on. `value`: which one it is, where that was kept.
    pub fn value_end(
        &mut self,
        frame: FrameId,
        verdicts: Verdicts,
        value: Option<ValueId>,
        out: &mut Frontier,
    ) -> Result<(), Limit> {
        match self.peek(frame) {
            Frame::Bottom => out.push(Control::Done, frame),
            Frame::Call { start, end, .. } => out.kernels.extend(self.stack.entries(start, end).iter().copied()),
            Frame::Container(container) => {
                let after = self.after_value(frame, container, verdicts, value)?;
                let gap = self.style(&container).after_value(self.depth_if_indented(frame, &container));
                out.push(Control::After(gap), after);
            }
        }
        Ok(())
    }

    /// The container once a value in it has ended.
    fn after_value(
        &mut self,
        frame: FrameId,
        container: Container,
        verdicts: Verdicts,
        value: Option<ValueId>,
    ) -> Result<FrameId, Limit> {
        let mut after = container;
        if let (Some(value), true) = (value, container.keeps) {
            after.content = self.stack.hold(container.content, Held::Value(value));
        }
        if !container.pending {
            return Ok(if after == container { frame } else { self.stack.push(after) });
        }
        if container.wants && self.leaves_open {
            self.is_inexact |= self.core.schemas.is_contrary(container.record);
            self.has_doubts = true;
            after.doubt = match container.doubt {
                Doubt::None => Doubt::Ended,
                doubt => doubt.deeper(),
            };
        }
        after.record = self.core.schemas.resume(container.record, verdicts, value)?;
        (after.pending, after.wants) = (false, false);
        let step = PathStep::Resumed(self.core.verdict_id(Some(verdicts)));
        Ok(self.advance(frame, step, after))
    }

    /// Ends a walk: values are kept again. Whether the walk was worth nothing.
    pub fn end_walk(&mut self) -> bool {
        (self.leaves_open, self.has_doubts) = (false, false);
        std::mem::take(&mut self.is_inexact)
    }

    /// Whether the value that is read in a frame must be known when it has ended.
    pub fn is_kept(&self, frame: FrameId) -> bool {
        match self.stack.frame(frame) {
            Frame::Container(container) => !self.leaves_open && (container.keeps || container.wants),
            _ => false,
        }
    }

    /// What a walk does not know of a frame.
    pub fn doubt(&self, frame: FrameId) -> Doubt {
        match self.stack.frame(frame) {
            Frame::Container(container) => container.doubt,
            _ => Doubt::None,
        }
    }

    /// Whether one of these configurations is doubtful.
    pub fn are_doubtful(&self, configs: &[Config]) -> bool {
        self.has_doubts && configs.iter().any(|config| self.is_doubtful(config))
    }

    /// Whether a walk cannot tell if this configuration is really reached: another item may have to differ from one that was
    /// left open.
    fn is_doubtful(&self, config: &Config) -> bool {
        match self.doubt(config.frame) {
            Doubt::None | Doubt::Ended => false,
            Doubt::Next => match config.control {
                Control::Value { .. } => false,
                Control::Text(text) => text.text != TextId::EMPTY || text.partial != Partial::None,
                _ => true,
            },
            Doubt::NextInside => match config.control {
                Control::FirstItem(_) | Control::Name { first: true, .. } => false,
                Control::Key(key) => key.depth > 0 || key.text != TextId::EMPTY || key.partial != Partial::None,
                _ => true,
            },
            Doubt::All => true,
        }
    }

    /// The depth, which is only asked for where the spelling depends on it.
    pub fn depth_if_indented(&mut self, frame: FrameId, container: &Container) -> u32 {
        match self.style(container) {
            Style::Indented(_) => self.fact_depth(frame),
            _ => container.depth,
        }
    }
}

/// The array once an item has started.
pub fn started_item(container: Container, item: &Item) -> Container {
    let (record, pending) = split(&item.next);
    Container {
        record,
        pending,
        wants: item.keep,
        doubt: container.doubt.deeper(),
        ..container
    }
}

/// The object once a member has started.
pub fn started_member(container: Container, member: &Member) -> Container {
    let (record, pending) = split(&member.next);
    Container {
        record,
        pending,
        seen: member.seen,
        doubt: container.doubt.deeper(),
        ..container
    }
}

fn split(next: &Next) -> (penstock_schema::RecordId, bool) {
    match *next {
        Next::Record(record) => (record, false),
        Next::Pending(record) => (record, true),
    }
}

/// Whether a bit in `low..high` is set.
pub fn any_bit(bits: &[u64], low: u32, high: u32) -> bool {
    if low >= high {
        return false;
    }
    let (first, last) = ((low / 64) as usize, ((high - 1) / 64) as usize);
    (first..=last).any(|i| {
        let mut word = bits.get(i).copied().unwrap_or(0);
        if i == first {
            word &= u64::MAX << (low % 64);
        }
        if i == last {
            word &= u64::MAX >> (63 - (high - 1) % 64);
        }
        word != 0
    })
}
