//! What a mask was made of, said without the numbers that one grammar gives to its asks, records and terms.
//!
//! [`crate::question`] keys the masks of one grammar: there an answer may be the number of an ask, which settles everything
//! below it at once. Another grammar gives other numbers. So a *trace* looks closer: an ask is a stranger too, of which a walk
//! learns the kinds of value, the language of a string, the bounds of a number, and what opens a container; and what a frame
//! says of a member is only that there is one. Two walks whose controls and traces agree find the same mask, whatever grammars
//! they belong to (`shared.rs` keeps such masks with the vocabulary).
//!
//! Frames and asks have no names in a trace: they are numbered in the order in which facts bring them up. Equal facts before
//! mean equal numbers, so a trace can be put to another state by asking the same facts in the same order.
//!
//! What is rare is not traced: rules, values that verdicts or differences are wanted of, names told apart by patterns. A walk
//! that meets one of these *loses* its trace, and its mask stays with its grammar.
use crate::control::{Control, Key, Text};
use crate::core::Core;
use crate::question::{PathStep, FIRST_NAME_CLASS, UNMENTIONED_NAME};
use crate::run::{started_item, started_member, Run};
use crate::stack::{Container, Doubt, Frame, FrameId};
use penstock_automata::{Limit, RegexId};
use penstock_schema::number::NumberSpec;
use penstock_schema::{AskId, Kinds, Member, Next, RecordId, ShapeId, Verdicts};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// The number of a frame or an ask in a trace.
pub(crate) type Number = u32;

/// Something that a walk learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fact {
    /// What the frame is, and in which it lies.
    Peek(Number),
    /// Whether the container may end.
    Close(Number),
    /// Whether the object may take another name.
    More(Number),
    /// Whether the array may take another item.
    Item(Number),
    /// The names of the object.
    Shape(Number),
    /// Whether one of the names `.1 .. .2` is available.
    Available(Number, u32, u32),
    /// Whether the object may take this name.
    Member(Number, u32),
    /// How many containers are open.
    Depth(Number),
    /// The kinds of value that can answer the ask.
    Kinds(Number),
    /// Whether `null` (0), `true` (1) or `false` (2) can.
    Literal(Number, u8),
    /// Which strings can.
    Text(Number),
    /// Which numbers can.
    Spec(Number),
    /// Whether an object can, opened in the frame `.1`.
    Object(Number, Number),
    /// Whether an array can, opened in the frame `.1`.
    Array(Number, Number),
}

/// What was learned, in the numbers of the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Said {
    /// A yes or no, a count, the number of an ask and 1.
    Plain(u32),
    /// A container in the frame `parent`.
    Container {
        /// An object, not an array.
        object: bool,
        /// Its style, by the grammar's number.
        style: u8,
        /// Where it lies.
        parent: Number,
    },
    /// Names, and whether all others may come or none.
    Shape(ShapeId, bool),
    /// A language with lengths.
    Text(RegexId, u32, u32),
    /// Bounds.
    Spec(NumberSpec),
}

/// The facts of one walk, or of their repetition.
#[derive(Default)]
pub(crate) struct Trace {
    /// What was learned, in order.
    pub(crate) learned: Vec<(Fact, Said)>,
    /// The style of a value at the root of its text.
    style: u8,
    frames: SmallVec<[(FrameId, Number); 16]>,
    num_frames: u32,
    asks: SmallVec<[AskId; 8]>,
    /// Facts that were learned before, with the number of the frame that they brought up.
    seen: FxHashMap<Fact, Number>,
}

/// Facts that bring up no frame.
const NO_FRAME: Number = Number::MAX;

impl Trace {
    /// The trace of a walk that begins here; None where the control is not traced.
    pub(crate) fn begin(core: &Core, control: Control, frame: FrameId) -> Option<Trace> {
        let mut trace = Trace {
            frames: SmallVec::from_slice(&[(frame, 0)]),
            num_frames: 1,
            ..Trace::default()
        };
        match control {
            Control::Done | Control::Rule { .. } => return None,
            Control::Value { ask, style, .. } => {
                trace.style = style;
                trace.asks.push(ask);
            }
            Control::Colon { ask, .. } | Control::Word { ask, .. } => trace.asks.push(ask),
            Control::Number(number) if number.in_rule => return None,
            Control::Number(number) => trace.asks.push(number.ask),
            Control::Text(Text { parts, .. }) if parts != 0 => return None,
            Control::Key(Key { others, states, .. }) if states != 0 || !is_plain(others) => return None,
            _ => {}
        }
        let is_traced = trace.asks.iter().all(|&ask| core.schemas.is_plain_ask(ask));
        is_traced.then_some(trace)
    }

    fn frame(&self, frame: FrameId) -> Option<Number> {
        self.frames.iter().find(|known| known.0 == frame).map(|known| known.1)
    }

    /// The frame with this number.
    fn frame_at(&self, number: Number) -> Option<FrameId> {
        self.frames.iter().find(|known| known.1 == number).map(|known| known.0)
    }

    fn new_frame(&mut self) -> Number {
        self.num_frames += 1;
        self.num_frames - 1
    }

    fn learn(&mut self, fact: Fact, said: Said, brings: Number) {
        self.seen.insert(fact, brings);
        self.learned.push((fact, said));
    }

    /// The number of an ask that was brought up, which is new unless it was known.
    fn number_of(&mut self, ask: AskId) -> Number {
        match self.asks.iter().position(|known| *known == ask) {
            Some(number) => number as Number,
            None => {
                self.asks.push(ask);
                self.asks.len() as Number - 1
            }
        }
    }
}

/// Whether all other names may come, or none: what lies between is not traced.
fn is_plain(others: RegexId) -> bool {
    others == RegexId::ANYTHING || others == RegexId::NEVER
}

impl Run<'_> {
    /// Notes a fact of a frame; `said` says what, and whether it brings up a frame, or loses the trace.
    fn learn(&mut self, frame: FrameId, fact: impl Fn(Number) -> Fact, said: impl FnOnce(&mut Trace) -> Option<(Said, bool)>) {
        let Some(mut trace) = self.trace.take() else { return };
        // A frame that no fact brought up belongs to something that is not traced.
        let Some(number) = trace.frame(frame) else { return };
        let fact = fact(number);
        if !trace.seen.contains_key(&fact) {
            let Some((said, brings)) = said(&mut trace) else { return };
            let brings = if brings { trace.new_frame() } else { NO_FRAME };
            trace.learn(fact, said, brings);
        }
        self.trace = Some(trace);
    }

    /// [`Run::learn`] of an ask.
    fn learn_ask(&mut self, ask: AskId, fact: impl Fn(Number) -> Fact, said: Option<Said>) {
        let Some(mut trace) = self.trace.take() else { return };
        let Some(number) = trace.asks.iter().position(|known| *known == ask) else {
            return;
        };
        let fact = fact(number as Number);
        if !trace.seen.contains_key(&fact) {
            let Some(said) = said else { return };
            trace.learn(fact, said, NO_FRAME);
        }
        self.trace = Some(trace);
    }

    pub(crate) fn learn_plain(&mut self, frame: FrameId, fact: impl Fn(Number) -> Fact, said: u32) {
        if self.trace.is_some() {
            self.learn(frame, fact, |_| Some((Said::Plain(said), false)));
        }
    }

    /// Gives the trace up.
    pub(crate) fn lose_trace(&mut self) {
        self.trace = None;
    }

    pub(crate) fn learn_peek(&mut self, frame: FrameId) {
        if self.trace.is_none() {
            return;
        }
        let found = self.stack.frame(frame);
        self.learn(frame, Fact::Peek, |trace| match found {
            Frame::Bottom => Some((Said::Plain(0), false)),
            Frame::Container(container) if is_simple(&container) => {
                let parent = trace.frame(container.parent).unwrap_or_else(|| {
                    let number = trace.new_frame();
                    trace.frames.push((container.parent, number));
                    number
                });
                let Container { object, style, .. } = container;
                Some((Said::Container { object, style, parent }, false))
            }
            _ => None,
        });
    }

    pub(crate) fn learn_close(&mut self, frame: FrameId, verdicts: Option<Verdicts>) {
        match verdicts {
            None => self.learn_plain(frame, Fact::Close, 0),
            Some(Verdicts::TRUE) => self.learn_plain(frame, Fact::Close, 1),
            Some(_) => self.lose_trace(),
        }
    }

    /// An item or a member: the ask of its value and what is left of the container, if there may be one.
    pub(crate) fn learn_started(&mut self, frame: FrameId, fact: impl Fn(Number) -> Fact, started: Option<(AskId, Next)>) {
        if self.trace.is_none() {
            return;
        }
        let is_traced = match started {
            Some((ask, Next::Record(_))) => self.core.schemas.is_plain_ask(ask),
            Some((_, Next::Pending(_))) => false,
            None => true,
        };
        match started {
            _ if !is_traced => self.lose_trace(),
            Some((ask, _)) => self.learn(frame, fact, |trace| Some((Said::Plain(trace.number_of(ask) + 1), true))),
            None => self.learn_plain(frame, fact, 0),
        }
    }

    pub(crate) fn learn_member(&mut self, frame: FrameId, noted: u32, member: Option<&Member>) {
        match noted {
            // What stands for a class is a term of this grammar.
            FIRST_NAME_CLASS.. if noted != UNMENTIONED_NAME => self.lose_trace(),
            _ => self.learn_started(
                frame,
                |frame| Fact::Member(frame, noted),
                member.map(|member| (member.ask, member.next)),
            ),
        }
    }

    pub(crate) fn learn_shape(&mut self, frame: FrameId, (shape, others, states): (ShapeId, RegexId, u32)) {
        if self.trace.is_some() {
            let said = (states == 0 && is_plain(others)).then_some(Said::Shape(shape, others == RegexId::ANYTHING));
            self.learn(frame, Fact::Shape, |_| said.map(|said| (said, false)));
        }
    }

    /// A frame that follows by a fact that was learned.
    pub(crate) fn name_frame(&mut self, from: FrameId, fact: impl Fn(Number) -> Fact, id: FrameId) {
        let Some(mut trace) = self.trace.take() else { return };
        let brought = trace.frame(from).and_then(|number| trace.seen.get(&fact(number)).copied());
        if let Some(number) = brought.filter(|&number| number != NO_FRAME) {
            trace.frames.push((id, number));
            self.trace = Some(trace);
        }
    }

    /// The kinds of value that can answer the ask.
    pub(crate) fn fact_kinds(&mut self, ask: AskId) -> Result<Kinds, Limit> {
        let kinds = self.core.schemas.kinds(ask)?;
        if self.trace.is_some() {
            self.learn_ask(ask, Fact::Kinds, Some(Said::Plain(u32::from(kinds.0))));
        }
        Ok(kinds)
    }

    /// The verdicts of `null` (0), `true` (1) or `false` (2), if it can answer the ask.
    pub(crate) fn fact_literal(&mut self, ask: AskId, word: u8) -> Result<Option<Verdicts>, Limit> {
        let kind = [Kinds::NULL, Kinds::TRUE, Kinds::FALSE][usize::from(word)];
        let verdicts = self.core.schemas.literal(ask, kind)?;
        if self.trace.is_some() {
            let said = match verdicts {
                None => Some(Said::Plain(0)),
                Some(Verdicts::TRUE) => Some(Said::Plain(1)),
                Some(_) => None,
            };
            self.learn_ask(ask, |number| Fact::Literal(number, word), said);
        }
        Ok(verdicts)
    }

    /// The numbers that can answer the ask.
    pub(crate) fn fact_spec(&mut self, ask: AskId) -> Result<Option<NumberSpec>, Limit> {
        let spec = self.core.schemas.number(ask)?;
        if self.trace.is_some() {
            self.learn_ask(ask, Fact::Spec, Some(spec.map_or(Said::Plain(0), Said::Spec)));
        }
        Ok(spec)
    }

    /// Notes which strings can answer the ask.
    pub(crate) fn learn_text(&mut self, ask: AskId, text: Option<&Text>) {
        if self.trace.is_some() {
            let said = match text {
                None => Some(Said::Plain(0)),
                Some(text) if text.parts == 0 => Some(Said::Text(text.goal, text.min, text.max)),
                Some(_) => None,
            };
            self.learn_ask(ask, Fact::Text, said);
        }
    }

    /// The record of an object or array that answers the ask in this frame, if there is one.
    pub(crate) fn fact_open(&mut self, ask: AskId, parent: FrameId, object: bool) -> Result<Option<RecordId>, Limit> {
        let record = match object {
            true => self.core.schemas.open_object(ask)?,
            false => self.core.schemas.open_array(ask)?,
        };
        if let Some(number) = self.ask_number(ask) {
            let fact = |frame| opened(object, number, frame);
            self.learn(parent, fact, |_| {
                Some((Said::Plain(u32::from(record.is_some())), record.is_some()))
            });
        }
        Ok(record)
    }

    /// The number of an ask in the trace, which is lost where there is none.
    pub(crate) fn ask_number(&mut self, ask: AskId) -> Option<Number> {
        let number = self.trace.as_ref()?.asks.iter().position(|known| *known == ask);
        if number.is_none() {
            self.lose_trace();
        }
        number.map(|number| number as Number)
    }

    /// Learns a fact of a trace again, in this state; what was learned is the last entry of the trace then. The trace is lost
    /// where the fact cannot be asked here.
    pub(crate) fn learn_again(&mut self, fact: Fact) -> Result<(), Limit> {
        let Some(trace) = &self.trace else { return Ok(()) };
        let ask_at = |number: Number| trace.asks.get(number as usize).copied();
        let (ask, frame) = match fact {
            Fact::Kinds(ask) | Fact::Literal(ask, _) | Fact::Text(ask) | Fact::Spec(ask) => (ask_at(ask), None),
            Fact::Object(ask, frame) | Fact::Array(ask, frame) => (ask_at(ask), trace.frame_at(frame)),
            Fact::Peek(frame)
            | Fact::Close(frame)
            | Fact::More(frame)
            | Fact::Item(frame)
            | Fact::Shape(frame)
            | Fact::Available(frame, ..)
            | Fact::Member(frame, _)
            | Fact::Depth(frame) => (None, trace.frame_at(frame)),
        };
        match (fact, ask, frame) {
            (Fact::Peek(_), _, Some(frame)) => drop(self.peek(frame)),
            (Fact::Depth(_), _, Some(frame)) => drop(self.fact_depth(frame)),
            (Fact::Kinds(_), Some(ask), _) => drop(self.fact_kinds(ask)?),
            (Fact::Literal(_, word), Some(ask), _) => drop(self.fact_literal(ask, word)?),
            (Fact::Spec(_), Some(ask), _) => drop(self.fact_spec(ask)?),
            (Fact::Text(_), Some(ask), _) => drop(self.open_text(ask, FrameId::BOTTOM)?),
            (Fact::Object(..), Some(ask), Some(frame)) => self.open_again(ask, frame, true)?,
            (Fact::Array(..), Some(ask), Some(frame)) => self.open_again(ask, frame, false)?,
            (_, _, Some(frame)) if matches!(self.stack.frame(frame), Frame::Container(_)) => self.learn_of(fact, frame)?,
            _ => self.lose_trace(),
        }
        Ok(())
    }

    /// [`Run::learn_again`] of a container.
    fn learn_of(&mut self, fact: Fact, frame: FrameId) -> Result<(), Limit> {
        match fact {
            Fact::Close(_) => drop(self.fact_close(frame)?),
            Fact::More(_) => drop(self.fact_more(frame)?),
            Fact::Shape(_) => drop(self.fact_shape(frame)?),
            Fact::Available(_, low, high) => drop(self.fact_available(frame, low, high)?),
            Fact::Item(_) => self.start_item_again(frame)?,
            Fact::Member(_, name) => self.start_member_again(frame, name)?,
            _ => self.lose_trace(),
        }
        Ok(())
    }

    fn start_item_again(&mut self, frame: FrameId) -> Result<(), Limit> {
        if let (Some(item), Frame::Container(array)) = (self.fact_item(frame)?, self.stack.frame(frame)) {
            self.advance(frame, PathStep::Item, started_item(array, &item));
        }
        Ok(())
    }

    fn start_member_again(&mut self, frame: FrameId, noted: u32) -> Result<(), Limit> {
        let member = match noted {
            UNMENTIONED_NAME => self.fact_other_member(frame, noted)?,
            _ => {
                let name = self.core.paths.name(self.declared_name(noted)).to_owned();
                self.fact_member(frame, &name, noted)?
            }
        };
        if let (Some(member), Frame::Container(object)) = (member, self.stack.frame(frame)) {
            self.advance(frame, PathStep::Member(noted), started_member(object, &member));
        }
        Ok(())
    }

    fn open_again(&mut self, ask: AskId, parent: FrameId, object: bool) -> Result<(), Limit> {
        let style = match self.stack.frame(parent) {
            Frame::Container(container) => container.style,
            _ => self.trace.as_ref().map_or(0, |trace| trace.style),
        };
        self.open(ask, (style, parent), object)?;
        Ok(())
    }

    /// A container that was opened by an answer to an ask.
    pub(crate) fn name_opened(&mut self, ask: AskId, frame: FrameId, container: &Container) {
        if let Some(number) = self.ask_number(ask) {
            let object = container.object;
            self.name_frame(container.parent, |parent| opened(object, number, parent), frame);
        }
    }
}

fn opened(object: bool, ask: Number, parent: Number) -> Fact {
    match object {
        true => Fact::Object(ask, parent),
        false => Fact::Array(ask, parent),
    }
}

/// Whether nothing is wanted of what the container holds but that it holds.
fn is_simple(container: &Container) -> bool {
    !container.pending && !container.wants && container.doubt == Doubt::None
}
