//! Closures: what places in rules stand for once their calls are followed.
//!
//! What is called depends on the terms of the places and on which of them stand on one frame, never on what these frames
//! are. So a closure is found once, as a [`Plan`] over frames without names, and carried out on the frames at hand: a name
//! that ends in an expression leads to the same operators wherever the expression stands.
//!
//! All callers of a rule at one position share one frame, built after its callers' frames; rules that call each other at one
//! position without reading anything (left recursion of any kind) become one group of frames. A call whose caller has
//! nothing left to do but to return pushes nothing.
use crate::core::Core;
use crate::stack::CallMark;
use crate::techniques::Technique;
use penstock_automata::{Limit, RegexId};
use penstock_grammar::Symbol;
use penstock_schema::AskId;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use std::hash::Hash;
use std::sync::Arc;

/// A place whose returns have been followed: its term, and the number of its frame; 0 is the bottom.
pub(crate) type Root = (RegexId, u32);

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

/// Where a call comes from: the frame of a root, or the start of another rule that is called here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Caller {
    Root(u32),
    Call(usize),
}

/// A frame of a plan: that of a root, or one that the plan makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ground {
    Root(u32),
    Made(u32),
}

/// Where a planned frame returns to: a frame that is there by then, or a member of its own group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Back {
    Ground(Ground),
    Local(u32),
}

/// A frame that is to be made: its entries, ascending, and its mark.
pub(crate) type PlannedFrame = (Box<[(RegexId, Back)]>, CallMark);

/// What some roots stand for.
#[derive(Default)]
pub(crate) struct Plan {
    /// The groups of frames to make, callers first. Made frames are numbered through.
    pub(crate) groups: Vec<Box<[PlannedFrame]>>,
    /// The places in rules, ascending; those on one frame are joined where that is done.
    pub(crate) places: Vec<(Ground, RegexId)>,
    /// The JSON values that may begin, each with its style.
    pub(crate) values: Vec<(Ground, AskId, u8)>,
}

/// `max_configurations`: how many places of an ambiguous grammar one position may have.
const MAX_CONFIGURATIONS: usize = 10_000;

/// Few places are compared one by one; more than this are hashed.
const FEW_PLACES: usize = 16;

/// A set that keeps its order.
pub(crate) struct Places<T> {
    pub(crate) list: SmallVec<[T; 4]>,
    known: FxHashSet<T>,
}

impl<T: Copy + Eq + Hash> Places<T> {
    pub(crate) fn new() -> Places<T> {
        Places {
            list: SmallVec::new(),
            known: FxHashSet::default(),
        }
    }

    /// Adds a place, unless it is known.
    pub(crate) fn add(&mut self, place: T) -> Result<(), Limit> {
        if self.list.len() < FEW_PLACES {
            if !self.list.contains(&place) {
                self.list.push(place);
            }
            return Ok(());
        }
        if self.known.is_empty() {
            self.known.extend(self.list.iter().copied());
        }
        if self.known.insert(place) {
            self.list.push(place);
        }
        match self.list.len() > MAX_CONFIGURATIONS {
            true => Err(Limit {
                name: "max_configurations",
                configured: MAX_CONFIGURATIONS as u64,
            }),
            false => Ok(()),
        }
    }
}

/// The places of one position and the calls that they make.
struct Closure {
    places: Places<(RegexId, Caller)>,
    calls: Vec<Call>,
}

impl Closure {
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
        // are made one.
        self.calls[index].callers.push(caller);
        (index, fresh)
    }
}

/// Plans with more roots are made whenever they are needed.
const MAX_KEPT_ROOTS: usize = 64;

/// So many plans of a grammar are kept at most.
const MAX_KEPT_PLANS: usize = 1 << 16;

/// The plans of a grammar, by their roots.
#[derive(Default)]
pub(crate) struct Plans {
    known: FxHashMap<Box<[Root]>, Arc<Plan>>,
}

impl Plans {
    /// Heap memory in bytes, approximately.
    pub(crate) fn memory_usage(&self) -> usize {
        let sizes = self.known.iter().map(|(roots, plan)| {
            let frames = plan.groups.iter().flatten();
            let entries: usize = frames.map(|frame| 12 * frame.0.len() + 24).sum();
            160 + 8 * roots.len() + 12 * (plan.places.len() + plan.values.len()) + entries
        });
        sizes.sum()
    }
}

impl Core {
    /// What these roots stand for. Cost: remembered.
    pub(crate) fn plan(&mut self, roots: &[Root]) -> Result<Arc<Plan>, Limit> {
        if let Some(plan) = self.plans.known.get(roots) {
            return Ok(plan.clone());
        }
        let plan = Arc::new(self.make_plan(roots)?);
        let keeps = roots.len() <= MAX_KEPT_ROOTS && self.plans.known.len() < MAX_KEPT_PLANS;
        if keeps && self.techniques.has(Technique::ClosureMemory) {
            self.plans.known.insert(roots.into(), plan.clone());
        }
        Ok(plan)
    }

    fn make_plan(&mut self, roots: &[Root]) -> Result<Plan, Limit> {
        let mut closure = Closure {
            places: Places::new(),
            calls: Vec::new(),
        };
        for &(term, frame) in roots {
            closure.places.add((term, Caller::Root(frame)))?;
        }
        self.follow(&mut closure)?;
        let mut plan = Plan::default();
        let grounds = self.plan_frames(&closure, &mut plan);
        self.plan_places(&closure, &grounds, &mut plan)?;
        Ok(plan)
    }

    /// Closes the places over calls. A called rule never matches the empty text (the grammar says so at the call), so
    /// nothing that is called here returns here.
    fn follow(&mut self, closure: &mut Closure) -> Result<(), Limit> {
        let mut next = 0;
        while let Some(&(term, caller)) = closure.places.list.get(next) {
            next += 1;
            if self.schemas.regexes.is_regular(term) {
                continue;
            }
            for &(external, rest) in self.externals(term).iter() {
                let callee = match self.symbol(external) {
                    Symbol::Rule(rule) => Callee::Rule(*rule),
                    Symbol::Json(schema) => Callee::Json(*schema),
                    _ => continue,
                };
                let (index, fresh) = closure.add_call(callee, (rest, caller));
                if let (Callee::Rule(rule), true) = (callee, fresh) {
                    let body = self.lowered.bodies[rule];
                    closure.places.add((body, Caller::Call(index)))?;
                }
            }
        }
        Ok(())
    }

    /// Plans the frame of every call, callers first; where each call stands.
    fn plan_frames(&self, closure: &Closure, plan: &mut Plan) -> Vec<Ground> {
        let mut grounds: Vec<Option<Ground>> = vec![None; closure.calls.len()];
        let mut num_made = 0;
        while let Some(group) = next_group(closure, &grounds) {
            if let ([only], true) = (&group[..], self.techniques.has(Technique::TailCalls)) {
                let call = &closure.calls[*only];
                let is_plain = self.mark_of(call.callee) == CallMark::default();
                if let Some(ground) = tail_call(call, &grounds).filter(|_| is_plain) {
                    grounds[*only] = Some(ground);
                    continue;
                }
            }
            let frames: Box<[PlannedFrame]> = group
                .iter()
                .map(|&call| self.planned_frame(&closure.calls[call], &group, &grounds))
                .collect();
            for (i, &call) in group.iter().enumerate() {
                grounds[call] = Some(Ground::Made(num_made + i as u32));
            }
            num_made += group.len() as u32;
            plan.groups.push(frames);
        }
        grounds.into_iter().map(|ground| ground.unwrap_or(Ground::Root(0))).collect()
    }

    fn planned_frame(&self, call: &Call, group: &[usize], grounds: &[Option<Ground>]) -> PlannedFrame {
        let back = |caller: Caller| match ground_of(caller, grounds) {
            Some(ground) => Back::Ground(ground),
            None => {
                let member = group.iter().position(|&member| Caller::Call(member) == caller);
                Back::Local(member.unwrap_or(0) as u32)
            }
        };
        let mut entries: Vec<_> = call.callers.iter().map(|&(rest, caller)| (rest, back(caller))).collect();
        entries.sort_unstable();
        entries.dedup();
        (entries.into(), self.mark_of(call.callee))
    }

    fn mark_of(&self, callee: Callee) -> CallMark {
        let marked = |rule: &usize| self.budgets.frames.get(*rule).copied().unwrap_or(false);
        match callee {
            Callee::Rule(rule) if marked(&rule) => CallMark {
                rule: rule as u32 + 1,
                until: 0,
            },
            _ => CallMark::default(),
        }
    }

    /// The places at which something can be read or the text may end: one for each frame, since places on one frame have one
    /// future together.
    fn plan_places(&mut self, closure: &Closure, grounds: &[Ground], plan: &mut Plan) -> Result<(), Limit> {
        let mut places: Vec<(Ground, RegexId)> = Vec::with_capacity(closure.places.list.len());
        for &(term, caller) in &closure.places.list {
            let ground = match caller {
                Caller::Root(frame) => Ground::Root(frame),
                Caller::Call(call) => grounds[call],
            };
            let at_bottom = ground == Ground::Root(0) && self.schemas.regexes.is_nullable(term);
            if at_bottom || self.has_edges(term)? {
                places.push((ground, term));
            }
        }
        places.sort_unstable();
        let merges = self.techniques.has(Technique::NodeMerging);
        for group in places.chunk_by(|a, b| merges && a.0 == b.0) {
            let terms: Vec<RegexId> = group.iter().map(|place| place.1).collect();
            plan.places.push((group[0].0, self.schemas.regexes.or(&terms)));
        }
        for (call, &ground) in closure.calls.iter().zip(grounds) {
            if let Callee::Json(schema) = call.callee {
                let (ask, style) = self.roots[schema];
                plan.values.push((ground, ask, style));
            }
        }
        Ok(())
    }

    /// Whether a character or a token can be read in this place.
    fn has_edges(&mut self, term: RegexId) -> Result<bool, Limit> {
        if self.first_bytes(term)? != [0; 4] {
            return Ok(true);
        }
        Ok(!self.schemas.regexes.is_regular(term) && !self.token_edges(term).is_empty())
    }

    /// The token symbols that may come next, each with the rest of the body.
    pub(crate) fn token_edges(&mut self, term: RegexId) -> Vec<(Symbol, RegexId)> {
        if self.schemas.regexes.is_regular(term) {
            return Vec::new();
        }
        let externals = self.externals(term);
        let symbols = externals
            .iter()
            .map(|&(external, rest)| (self.symbol(external).clone(), rest));
        symbols
            .filter(|(symbol, _)| !matches!(symbol, Symbol::Rule(_) | Symbol::Json(_)))
            .collect()
    }
}

fn ground_of(caller: Caller, grounds: &[Option<Ground>]) -> Option<Ground> {
    match caller {
        Caller::Root(frame) => Some(Ground::Root(frame)),
        Caller::Call(call) => grounds[call],
    }
}

/// The next calls whose callers all have frames, or that call each other and nothing else without one.
fn next_group(closure: &Closure, grounds: &[Option<Ground>]) -> Option<Vec<usize>> {
    let mut smallest: Option<Vec<usize>> = None;
    for call in (0..grounds.len()).filter(|&call| grounds[call].is_none()) {
        let mut reached = vec![call];
        let mut next = 0;
        while next < reached.len() {
            for &(_, caller) in &closure.calls[reached[next]].callers {
                if let Caller::Call(other) = caller {
                    if grounds[other].is_none() && !reached.contains(&other) {
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
fn tail_call(call: &Call, grounds: &[Option<Ground>]) -> Option<Ground> {
    let first = ground_of(call.callers.first()?.1, grounds)?;
    call.callers
        .iter()
        .all(|&(rest, caller)| rest == RegexId::EMPTY && ground_of(caller, grounds) == Some(first))
        .then_some(first)
}
