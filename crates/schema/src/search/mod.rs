//! Liveness: is some completion left?
//!
//! Schemas are tabled by a least fixpoint over values: a goal that is met again below itself cannot help, because a smallest
//! witness never contains a witness of the same goal. Each formula of one kind is searched by a tableau (`tableau.rs`), and
//! conjunctions of its atoms by a theory of the kind (`object.rs`, `array.rs`; strings and numbers are automata).
mod array;
mod distinct;
mod object;
mod tableau;

pub(crate) use distinct::{Slot, Supply};
pub(crate) use object::ObjectGoal;

use crate::formula::FormulaId;
use crate::identity::ValueId;
use crate::kinds::Kinds;
use crate::machine::{Ask, Goal, RecordId, SchemaMachine};
use crate::names::{NameId, SeenId};
use crate::number::NumberSpec;
use penstock_automata::{Limit, RegexId};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// A way to satisfy a formula, one level deep: the schemas in it have plans of their own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Plan {
    Literal(Kinds),
    Number(NumberSpec),
    Text(RegexId),
    Array(Vec<FormulaId>),
    /// An array whose items differ.
    Distinct(Vec<Slot>),
    Object(Vec<(NameId, FormulaId)>),
}

/// Why a search did not answer.
pub(crate) enum Stop {
    Limit(Limit),
    /// This formula lies too deep: solve it first, then ask again.
    Deeper(FormulaId),
}

impl From<Limit> for Stop {
    fn from(limit: Limit) -> Stop {
        Stop::Limit(limit)
    }
}

/// The open goals of the fixpoint.
pub(crate) struct Search {
    /// Goals under way and their depths.
    running: FxHashMap<FormulaId, u32>,
    /// The least depth of a goal that was met again.
    low: u32,
    /// Formulas whose values are being listed, with those found so far.
    supplies: FxHashMap<FormulaId, Vec<ValueId>>,
    /// How often such a list was used before it was done.
    num_leans: u64,
}

impl Default for Search {
    fn default() -> Search {
        Search {
            running: FxHashMap::default(),
            low: u32::MAX,
            supplies: FxHashMap::default(),
            num_leans: 0,
        }
    }
}

/// Goals nested deeper than this are solved from the outside (see [`Stop::Deeper`]), so that the stack stays small.
const MAX_RUNNING: usize = 48;
/// How many goals may wait for deeper ones.
const MAX_WAITING: usize = 10_000;

/// A conjunction of atoms and negated atoms.
pub(crate) type Literals = [(FormulaId, bool)];

impl SchemaMachine {
    /// Whether some value satisfies the formula.
    pub(crate) fn is_satisfiable(&mut self, formula: FormulaId) -> Result<bool, Limit> {
        self.satisfiable(formula).map_err(|stop| self.limit_of(stop))
    }

    pub(crate) fn limit_of(&mut self, stop: Stop) -> Limit {
        self.search.running.clear();
        self.search.supplies.clear();
        self.search.low = u32::MAX;
        match stop {
            Stop::Limit(limit) => limit,
            Stop::Deeper(_) => self.limits.error("max_emptiness_states"),
        }
    }

    fn satisfiable(&mut self, formula: FormulaId) -> Result<bool, Stop> {
        if formula == FormulaId::FALSE || !self.formulas.info(formula).plain.is_empty() {
            return Ok(formula != FormulaId::FALSE);
        }
        if let Some(&known) = self.memo.known.get(&formula) {
            return Ok(known);
        }
        if let Some(&depth) = self.search.running.get(&formula) {
            self.search.low = self.search.low.min(depth);
            return Ok(false);
        }
        match self.search.running.len() {
            0 => self.solve_waiting(formula),
            MAX_RUNNING => Err(Stop::Deeper(formula)),
            _ => self.solve_goal(formula),
        }
    }

    /// Solves a goal and, before it, whatever lies too deep below it.
    fn solve_waiting(&mut self, formula: FormulaId) -> Result<bool, Stop> {
        let mut waiting = vec![formula];
        while let Some(&top) = waiting.last() {
            match self.solve_goal(top) {
                Ok(answer) if waiting.len() == 1 => return Ok(answer),
                Ok(_) => {
                    waiting.pop();
                }
                Err(Stop::Deeper(next)) if waiting.len() < MAX_WAITING && !waiting.contains(&next) => {
                    self.search.running.clear();
                    self.search.low = u32::MAX;
                    waiting.push(next);
                }
                Err(stop) => return Err(Stop::Limit(self.limit_of(stop))),
            }
        }
        Ok(false)
    }

    fn solve_goal(&mut self, formula: FormulaId) -> Result<bool, Stop> {
        self.burn()?;
        let depth = self.search.running.len() as u32;
        self.search.running.insert(formula, depth);
        let outer = std::mem::replace(&mut self.search.low, u32::MAX);
        let leans = self.search.num_leans;
        let plan = self.find_plan(formula)?;
        let leaned = self.search.num_leans != leans;
        self.search.running.remove(&formula);
        let low = self.search.low;
        self.search.low = outer.min(if low < depth { low } else { u32::MAX });
        let found = plan.is_some();
        // A refusal that leaned on an open goal is not kept.
        if found || low >= depth && !leaned {
            self.memo.known.insert(formula, found);
        }
        if let Some(plan) = plan {
            self.memo.plans.insert(formula, Arc::new(plan));
        }
        Ok(found)
    }

    fn find_plan(&mut self, formula: FormulaId) -> Result<Option<Plan>, Stop> {
        for kind in Kinds::EACH {
            let left = self.at_kind(formula, kind)?;
            if left != FormulaId::FALSE {
                let plan = self.plan_of_kind(left, kind)?;
                if plan.is_some() {
                    return Ok(plan);
                }
            }
        }
        Ok(None)
    }

    fn plan_of_kind(&mut self, formula: FormulaId, kind: Kinds) -> Result<Option<Plan>, Stop> {
        match kind {
            Kinds::NUMBER => {
                let goal = self.number_formula(formula);
                let spec = self.numbers.spec(goal, Vec::new());
                Ok(self.numbers.is_live(spec)?.then_some(Plan::Number(spec)))
            }
            Kinds::STRING => {
                let goal = self.regex_of(formula)?;
                Ok(self.regexes.is_live(goal)?.then_some(Plan::Text(goal)))
            }
            Kinds::ARRAY | Kinds::OBJECT => self.plan_of_container(formula, kind, SeenId::EMPTY),
            _ => Ok(self.formulas.info(formula).plain.has(kind).then_some(Plan::Literal(kind))),
        }
    }

    /// What may still be put into an open container so that the formula holds when it closes.
    pub(crate) fn plan_of_container(&mut self, formula: FormulaId, kind: Kinds, seen: SeenId) -> Result<Option<Plan>, Stop> {
        if self.formulas.info(formula).plain.has(kind) {
            let nothing = if kind == Kinds::ARRAY {
                Plan::Array(Vec::new())
            } else {
                Plan::Object(Vec::new())
            };
            return Ok(Some(nothing));
        }
        self.satisfy(formula, &mut |machine, literals| machine.theory(kind, literals, seen))
    }

    fn theory(&mut self, kind: Kinds, literals: &Literals, seen: SeenId) -> Result<Option<Plan>, Stop> {
        match kind {
            Kinds::ARRAY => self.array_theory(literals),
            _ => self.object_theory(literals, seen),
        }
    }

    /// Whether some value answers the ask with verdicts that its caller can go on with.
    pub(crate) fn is_answerable(&mut self, ask: &Ask) -> Result<bool, Limit> {
        let Goal::Joint(pending, seen) = ask.goal else {
            let target = self.target(ask);
            return self.is_satisfiable(target);
        };
        let frames = self.frames(pending, seen)?;
        let found = self.joint_plan(&frames, ask.must);
        Ok(found.map_err(|stop| self.limit_of(stop))?.is_some())
    }

    /// Whether an open container can still be completed, and its callers with it.
    pub(crate) fn is_live(&mut self, record: RecordId, seen: SeenId) -> Result<bool, Limit> {
        let open = self.record(record);
        if open.must == FormulaId::FALSE {
            return Ok(false);
        }
        if let Goal::Joint(..) = open.goal {
            return self.is_jointly_live(record, seen);
        }
        let target = self.target_of(open.must, &open.asked, open.goal);
        if target == FormulaId::FALSE || self.formulas.info(target).plain.has(open.kind) {
            return Ok(target != FormulaId::FALSE);
        }
        let key = (
            open.kind,
            target,
            if open.kind == Kinds::ARRAY { SeenId::EMPTY } else { seen },
        );
        if let Some(&known) = self.memo.live.get(&key) {
            return Ok(known);
        }
        let plan = self
            .plan_of_container(target, open.kind, seen)
            .map_err(|stop| self.limit_of(stop))?;
        self.memo.live.insert(key, plan.is_some());
        Ok(plan.is_some())
    }

    fn is_jointly_live(&mut self, record: RecordId, seen: SeenId) -> Result<bool, Limit> {
        if let Some(&known) = self.memo.joint.get(&(record, seen)) {
            return Ok(known);
        }
        let frames = self.frames(record, seen)?;
        let found = self
            .joint_plan(&frames, FormulaId::TRUE)
            .map_err(|stop| self.limit_of(stop))?;
        self.memo.joint.insert((record, seen), found.is_some());
        Ok(found.is_some())
    }

    /// The containers that are searched together, the outermost first.
    pub(crate) fn frames(&self, record: RecordId, seen: SeenId) -> Result<Vec<(RecordId, SeenId)>, Limit> {
        let mut frames = vec![(record, seen)];
        while let Goal::Joint(caller, seen) = self.records[frames[frames.len() - 1].0 .0 as usize].goal {
            frames.push((caller, seen));
            if frames.len() > self.limits.max_joint_depth as usize {
                return Err(self.limits.error("max_joint_depth"));
            }
        }
        frames.reverse();
        Ok(frames)
    }

    /// A plan for the innermost of some containers; `leaf` must hold of the value that starts in it, if one does.
    pub(crate) fn joint_plan(&mut self, frames: &[(RecordId, SeenId)], leaf: FormulaId) -> Result<Option<Plan>, Stop> {
        let outermost = self.record(frames[0].0);
        let target = self.target_of(outermost.must, &outermost.asked, outermost.goal);
        self.joint_level(frames, target, leaf)
    }

    fn joint_level(&mut self, frames: &[(RecordId, SeenId)], target: FormulaId, leaf: FormulaId) -> Result<Option<Plan>, Stop> {
        let (record, seen) = frames[0];
        let open = self.record(record);
        self.satisfy(target, &mut |machine, literals| {
            let (theirs, own): (Vec<_>, Vec<_>) = literals
                .iter()
                .copied()
                .partition(|literal| matches!(machine.formulas.node(literal.0), crate::formula::Node::Value(_)));
            let Some(plan) = machine.theory(open.kind, &own, seen)? else {
                return Ok(None);
            };
            let inner = machine.inner_goal(frames.get(1).map(|frame| frame.0), &open.questions, &theirs, leaf);
            match frames.get(1) {
                Some(_) => machine.joint_level(&frames[1..], inner, leaf),
                None => Ok(machine.satisfiable(inner)?.then_some(plan)),
            }
        })
    }

    /// What the inner container (or the value, if there is none) must satisfy for these verdicts.
    fn inner_goal(
        &mut self,
        inner: Option<RecordId>,
        questions: &[FormulaId],
        verdicts: &Literals,
        leaf: FormulaId,
    ) -> FormulaId {
        let record = inner.map(|inner| self.record(inner));
        let mut parts = vec![record.as_ref().map_or(leaf, |record| record.must)];
        for &(question, holds) in verdicts {
            let crate::formula::Node::Value(schema) = *self.formulas.node(question) else {
                continue;
            };
            let part = match &record {
                None => schema,
                Some(record) => match questions.binary_search(&schema) {
                    Ok(at) => record.asked[at],
                    Err(_) => continue,
                },
            };
            parts.push(if holds { part } else { self.formulas.not(part) });
        }
        self.formulas.and(&parts)
    }
}
