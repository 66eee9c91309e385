//! Rules: characters inside a body, calls, returns.
//!
//! After each character the configurations are closed over calls and returns. All callers of a rule at one position share
//! one frame, built after its callers' frames; rules that call each other at one position without reading anything (left
//! recursion of any kind) become one group of frames. Returns follow the entries of a frame, which is always older than
//! the character just read: a called rule never matches the empty text (the grammar says so at the call).
//!
//! A call whose caller has nothing left to do but to return pushes nothing.
use crate::control::{Config, Control, Gap};
use crate::run::{Frontier, Run};
use crate::stack::{CallMark, Frame, FrameId, Parent};
use crate::techniques::Technique;
use crate::text::{Partial, Piece};
use penstock_automata::{Limit, RegexId};
use penstock_grammar::Symbol;
use rustc_hash::FxHashSet;

/// What a call enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Callee {
    Rule(usize),
    Json(usize),
}

/// A rule that is called at this position.
struct Call {
    callee: Callee,
    callers: Vec<(RegexId, Caller)>,
}

/// Where a call comes from: a frame, or the start of another rule that is called here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Caller {
    Frame(FrameId),
    Call(usize),
}

/// The places of one position and the calls that they make.
#[derive(Default)]
struct Closure {
    places: Vec<(RegexId, Caller)>,
    known: FxHashSet<(RegexId, Caller)>,
    calls: Vec<Call>,
}

/// `max_configurations`: how many places of an ambiguous grammar one position may have.
const MAX_CONFIGURATIONS: usize = 10_000;

/// Few places are compared one by one; more than this are hashed.
const FEW_PLACES: usize = 16;

impl Closure {
    fn add_place(&mut self, place: (RegexId, Caller)) {
        if self.places.len() < FEW_PLACES {
            if !self.places.contains(&place) {
                self.places.push(place);
            }
            return;
        }
        if self.known.is_empty() {
            self.known.extend(self.places.iter().copied());
        }
        if self.known.insert(place) {
            self.places.push(place);
        }
    }

    /// Notes a caller; the index of the call, and whether it is a new one.
    fn add_call(&mut self, callee: Callee, caller: (RegexId, Caller)) -> (usize, bool) {
        let (index, fresh) = match self.calls.iter().position(|call| call.callee == callee) {
            Some(index) => (index, false),
            None => {
                self.calls.push(Call {
                    callee,
                    callers: Vec::new(),
                });
                (self.calls.len() - 1, true)
            }
        };
        // Places are followed once, so a caller comes twice only by two symbols that call the same; equal entries of a frame
        // are made one when it is interned.
        self.calls[index].callers.push(caller);
        (index, fresh)
    }
}

impl Run<'_> {
    /// One byte inside a rule.
    pub fn step_rule(
        &mut self,
        term: RegexId,
        partial: Partial,
        frame: FrameId,
        byte: u8,
        out: &mut Frontier,
    ) -> Result<(), Limit> {
        match partial.step_utf8(byte) {
            Piece::Char(character) => {
                let Some(frame) = self.counted(frame) else { return Ok(()) };
                let next = self.core.regexes().step(term, character)?;
                if next != RegexId::NEVER {
                    out.kernels.push((next, frame));
                }
            }
            Piece::Part(partial) => {
                let Some(frame) = self.counted(frame) else { return Ok(()) };
                let row = self.core.regexes().live_row(term)?;
                if partial.is_live(&row) {
                    out.push(Control::Rule { term, partial }, frame);
                }
            }
            Piece::Dead | Piece::Quote => {}
        }
        Ok(())
    }

    /// Follows the calls and returns of `out.kernels`.
    pub fn close_over(&mut self, out: &mut Frontier) -> Result<(), Limit> {
        if out.kernels.is_empty() {
            return Ok(());
        }
        if let [(term, frame)] = out.kernels[..] {
            let regexes = self.core.regexes();
            if regexes.is_regular(term) && !regexes.is_nullable(term) {
                out.kernels.clear();
                out.push(
                    Control::Rule {
                        term,
                        partial: Partial::None,
                    },
                    frame,
                );
                return Ok(());
            }
        }
        let mut closure = Closure::default();
        for (term, frame) in std::mem::take(&mut out.kernels) {
            closure.add_place((term, Caller::Frame(frame)));
        }
        self.follow(&mut closure, out)?;
        let frames = self.build_frames(&closure)?;
        self.emit(&closure, &frames, out)
    }

    /// Closes the places over returns and calls.
    fn follow(&mut self, closure: &mut Closure, out: &mut Frontier) -> Result<(), Limit> {
        let mut next = 0;
        while next < closure.places.len() {
            let (term, caller) = closure.places[next];
            next += 1;
            if closure.places.len() > MAX_CONFIGURATIONS {
                return Err(Limit {
                    name: "max_configurations",
                    configured: MAX_CONFIGURATIONS as u64,
                });
            }
            if self.core.regexes().is_nullable(term) {
                if let Caller::Frame(frame) = caller {
                    if let Frame::Call { start, end, .. } = self.peek(frame) {
                        for i in start..end {
                            let (rest, parent) = self.stack.entries(i, i + 1)[0];
                            closure.add_place((rest, Caller::Frame(parent)));
                        }
                    }
                }
            }
            if self.core.regexes().is_regular(term) {
                continue;
            }
            for &(external, rest) in self.core.externals(term).iter() {
                let callee = match self.core.symbol(external) {
                    Symbol::Rule(rule) => Callee::Rule(*rule),
                    Symbol::Json(schema) => Callee::Json(*schema),
                    _ => continue,
                };
                let (index, fresh) = closure.add_call(callee, (rest, caller));
                if let (Callee::Rule(rule), true) = (callee, fresh) {
                    let body = self.core.lowered.bodies[rule];
                    closure.add_place((body, Caller::Call(index)));
                }
            }
        }
        debug_assert!(out.kernels.is_empty(), "returns were followed here");
        Ok(())
    }

    /// The frame of every call, callers first.
    fn build_frames(&mut self, closure: &Closure) -> Result<Vec<FrameId>, Limit> {
        let mut frames: Vec<Option<FrameId>> = vec![None; closure.calls.len()];
        while let Some(group) = next_group(closure, &frames) {
            if let ([only], true) = (&group[..], self.core.techniques.has(Technique::TailCalls)) {
                let only = *only;
                let is_plain = self.mark_of(closure.calls[only].callee) == CallMark::default();
                if let Some(frame) = tail_call(&closure.calls[only], &frames).filter(|_| is_plain) {
                    frames[only] = Some(frame);
                    continue;
                }
            }
            let members = group.iter().map(|&call| {
                let resolve = |caller: Caller| match caller {
                    Caller::Frame(frame) => Parent::Frame(frame),
                    Caller::Call(other) => match frames[other] {
                        Some(frame) => Parent::Frame(frame),
                        None => Parent::Local(group.iter().position(|&member| member == other).unwrap_or(0) as u32),
                    },
                };
                let callers = closure.calls[call].callers.iter();
                let entries = callers.map(|&(rest, caller)| (rest, resolve(caller))).collect();
                (entries, self.mark_of(closure.calls[call].callee))
            });
            let members = members.collect();
            let share = self.core.techniques.has(Technique::StackSharing);
            let first = self.stack.intern_group(members, share);
            for (i, &call) in group.iter().enumerate() {
                frames[call] = Some(FrameId(first.0 + i as u32));
            }
        }
        Ok(frames.into_iter().map(|frame| frame.unwrap_or(FrameId::BOTTOM)).collect())
    }

    fn mark_of(&self, callee: Callee) -> CallMark {
        let marked = |rule: &usize| self.core.budgets.frames.get(*rule).copied().unwrap_or(false);
        match callee {
            Callee::Rule(rule) if marked(&rule) => CallMark {
                rule: rule as u32 + 1,
                until: 0,
            },
            _ => CallMark::default(),
        }
    }

    /// The places become configurations: one for each frame, since places on one frame have one future together.
    fn emit(&mut self, closure: &Closure, frames: &[FrameId], out: &mut Frontier) -> Result<(), Limit> {
        let mut places: Vec<(FrameId, RegexId)> = Vec::with_capacity(closure.places.len());
        for &(term, caller) in &closure.places {
            let frame = match caller {
                Caller::Frame(frame) => frame,
                Caller::Call(call) => frames[call],
            };
            let at_bottom = frame == FrameId::BOTTOM && self.core.regexes().is_nullable(term);
            if at_bottom || self.has_edges(term)? {
                places.push((frame, term));
            }
        }
        places.sort_unstable();
        let merges = self.core.techniques.has(Technique::NodeMerging);
        for group in places.chunk_by(|a, b| merges && a.0 == b.0) {
            let terms: Vec<RegexId> = group.iter().map(|place| place.1).collect();
            let term = self.core.regexes().or(&terms);
            out.push(
                Control::Rule {
                    term,
                    partial: Partial::None,
                },
                group[0].0,
            );
        }
        for (call, &frame) in closure.calls.iter().zip(frames) {
            if let Callee::Json(schema) = call.callee {
                let (ask, style) = self.core.roots[schema];
                out.push(
                    Control::Value {
                        ask,
                        gap: Gap::Closed,
                        style,
                    },
                    frame,
                );
            }
        }
        Ok(())
    }

    /// Whether a character or a token can be read in this place.
    fn has_edges(&mut self, term: RegexId) -> Result<bool, Limit> {
        if self.core.first_bytes(term)? != [0; 4] {
            return Ok(true);
        }
        Ok(!self.core.regexes().is_regular(term) && !self.token_edges(term).is_empty())
    }

    /// The token symbols that may come next, each with the rest of the body.
    pub fn token_edges(&mut self, term: RegexId) -> Vec<(Symbol, RegexId)> {
        if self.core.regexes().is_regular(term) {
            return Vec::new();
        }
        let externals = self.core.externals(term);
        let symbols = externals
            .iter()
            .map(|&(external, rest)| (self.core.symbol(external).clone(), rest));
        symbols
            .filter(|(symbol, _)| !matches!(symbol, Symbol::Rule(_) | Symbol::Json(_)))
            .collect()
    }

    /// The configurations at the start of the output.
    pub fn start(&mut self) -> Result<Vec<Config>, Limit> {
        let mut frontier = Frontier::default();
        let body = self.core.lowered.bodies[self.core.lowered.root];
        frontier.kernels.push((body, FrameId::BOTTOM));
        self.close_over(&mut frontier)?;
        Ok(frontier.configs.into_vec())
    }
}

/// The next calls whose callers all have frames, or that call each other and nothing else without one.
fn next_group(closure: &Closure, frames: &[Option<FrameId>]) -> Option<Vec<usize>> {
    let mut smallest: Option<Vec<usize>> = None;
    for call in (0..frames.len()).filter(|&call| frames[call].is_none()) {
        let mut reached = vec![call];
        let mut next = 0;
        while next < reached.len() {
            for &(_, caller) in &closure.calls[reached[next]].callers {
                if let Caller::Call(other) = caller {
                    if frames[other].is_none() && !reached.contains(&other) {
                        reached.push(other);
                    }
                }
            }
            next += 1;
        }
        if smallest.as_ref().is_none_or(|best| reached.len() < best.len()) {
            smallest = Some(reached);
        }
        if smallest.as_ref().is_some_and(|best| best.len() == 1) {
            break;
        }
    }
    let mut group = smallest?;
    // Equal groups are interned under one order of their members.
    group.sort_unstable_by_key(|&call| closure.calls[call].callee);
    Some(group)
}

/// The frame to use instead of a new one, where every caller only returns to that frame.
fn tail_call(call: &Call, frames: &[Option<FrameId>]) -> Option<FrameId> {
    let resolve = |caller: Caller| match caller {
        Caller::Frame(frame) => Some(frame),
        Caller::Call(other) => frames[other],
    };
    let first = resolve(call.callers.first()?.1)?;
    call.callers
        .iter()
        .all(|&(rest, caller)| rest == RegexId::EMPTY && resolve(caller) == Some(first))
        .then_some(first)
}
