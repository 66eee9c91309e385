//! A tableau over formulas: it finds literals that make a goal true and that a theory can realise.
//!
//! Units first, then which branch of *exactly one* holds, then the shortest list of alternatives. Sets of literals that the
//! theory refuses are cut to a core and remembered: returning through a core keeps a refusal found at the last decision from
//! being found again under every combination of the decisions before it.
use super::{Literals, Stop};
use crate::formula::{FormulaId, Node};
use crate::machine::SchemaMachine;
use rustc_hash::FxHashMap;

type Signed = (FormulaId, bool);
/// What realises a conjunction of literals.
type Solve<'a, R> = dyn FnMut(&mut SchemaMachine, &Literals) -> Result<Option<R>, Stop> + 'a;

/// Refusals before reasons are worked out: most searches need no second alternative.
const PATIENCE: u32 = 2;
/// More alternatives than this are each put to the theory at once, before the branches that follow from them are decided.
const WIDE: usize = 8;

/// Literals in the order in which they were set, so that they can be taken back.
#[derive(Default)]
struct Trail {
    values: FxHashMap<FormulaId, bool>,
    order: Vec<FormulaId>,
}

/// A decision with alternatives left.
struct Choice {
    options: Vec<Vec<Signed>>,
    next: usize,
    trail: usize,
    branches: Vec<Signed>,
}

enum Alternatives {
    Holds,
    Options(Vec<Vec<Signed>>),
}

/// The branch to decide next: its rank, its place among the branches left, its alternatives.
type Best = ((bool, bool, usize), usize, Vec<Vec<Signed>>);

/// Where one branch of the search ended.
enum Outcome {
    Conflict,
    Choose(Vec<Vec<Signed>>),
    Complete,
}

impl Trail {
    fn set(&mut self, atom: FormulaId, sign: bool) -> bool {
        match self.values.insert(atom, sign) {
            None => self.order.push(atom),
            Some(old) => {
                self.values.insert(atom, old);
                return old == sign;
            }
        }
        true
    }

    fn truncate(&mut self, length: usize) {
        for atom in self.order.drain(length..) {
            self.values.remove(&atom);
        }
    }

    fn literals(&self) -> Vec<Signed> {
        self.order.iter().map(|atom| (*atom, self.values[atom])).collect()
    }

    fn contains_all(&self, core: &[Signed]) -> bool {
        core.iter().all(|(atom, sign)| self.values.get(atom) == Some(sign))
    }
}

impl SchemaMachine {
    /// What `solve` makes of some literals that make `goal` true, or `None` if there are none that it accepts.
    pub(super) fn satisfy<R>(&mut self, goal: FormulaId, solve: &mut Solve<'_, R>) -> Result<Option<R>, Stop> {
        match self.first_try(goal, solve)? {
            None => self.search_all(goal, PATIENCE, solve),
            found => Ok(found),
        }
    }

    /// Takes the first alternative of every branch, in one pass. It finds most witnesses, and `None` says nothing.
    fn first_try<R>(&mut self, goal: FormulaId, solve: &mut Solve<'_, R>) -> Result<Option<R>, Stop> {
        let (mut trail, mut branches, mut todo) = (Trail::default(), Vec::new(), vec![(goal, true)]);
        self.check_depth()?;
        loop {
            if !self.set_units(&mut todo, &mut trail, &mut branches) {
                return Ok(None);
            }
            let is_one = |branch: &Signed| branch.1 && matches!(self.formulas.node(branch.0), Node::One(_));
            let at = branches.iter().position(is_one).or(branches.len().checked_sub(1));
            let Some(at) = at else {
                return solve(self, &trail.literals());
            };
            let (part, sign) = branches.swap_remove(at);
            match self.alternatives(part, sign, &trail) {
                Alternatives::Holds => {}
                Alternatives::Options(mut options) if !options.is_empty() => todo = options.swap_remove(0),
                Alternatives::Options(_) => return Ok(None),
            }
        }
    }

    /// Shows `visit` every conjunction of literals that makes `goal` true.
    pub(crate) fn for_each_model(
        &mut self,
        goal: FormulaId,
        visit: &mut dyn FnMut(&mut SchemaMachine, &Literals) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let visit = &mut |machine: &mut SchemaMachine, literals: &Literals| visit(machine, literals).map(|()| None::<()>);
        self.search_all(goal, u32::MAX, visit).map(|_| ())
    }

    /// `patience`: refusals before reasons are worked out.
    fn search_all<R>(&mut self, goal: FormulaId, patience: u32, solve: &mut Solve<'_, R>) -> Result<Option<R>, Stop> {
        let (mut trail, mut choices, mut cores) = (Trail::default(), Vec::<Choice>::new(), Vec::<Vec<Signed>>::new());
        let (mut todo, mut branches) = (vec![(goal, true)], Vec::new());
        let mut refusals = 0;
        loop {
            let is_wide = choices.last().is_some_and(|choice| choice.options.len() > WIDE);
            let outcome = if is_wide && refusals > PATIENCE && !self.is_possible(&mut todo, &mut trail, &mut branches, solve)? {
                Outcome::Conflict
            } else {
                self.propagate(todo, &mut trail, &mut branches, &cores)?
            };
            match outcome {
                Outcome::Choose(mut options) => {
                    todo = std::mem::take(&mut options[0]);
                    choices.push(Choice {
                        options,
                        next: 1,
                        trail: trail.order.len(),
                        branches: branches.clone(),
                    });
                    continue;
                }
                Outcome::Complete => {
                    self.burn()?;
                    let literals = trail.literals();
                    let found = solve(self, &literals)?;
                    if found.is_some() {
                        return Ok(found);
                    }
                    refusals += 1;
                    if refusals > patience {
                        cores.push(self.core_of(literals, solve)?);
                    }
                }
                Outcome::Conflict => {}
            }
            let Some(next) = self.backtrack(&mut choices, &mut trail, &mut branches, &cores)? else {
                return Ok(None);
            };
            todo = next;
        }
    }

    /// Sets the literals of an alternative and asks the theory of them alone: what it refuses now it refuses with more, too.
    fn is_possible<R>(
        &mut self,
        todo: &mut Vec<Signed>,
        trail: &mut Trail,
        branches: &mut Vec<Signed>,
        solve: &mut Solve<'_, R>,
    ) -> Result<bool, Stop> {
        self.burn()?;
        Ok(self.set_units(todo, trail, branches) && solve(self, &trail.literals())?.is_some())
    }

    /// The next alternative of the last decision whose literals no core refuses.
    fn backtrack(
        &mut self,
        choices: &mut Vec<Choice>,
        trail: &mut Trail,
        branches: &mut Vec<Signed>,
        cores: &[Vec<Signed>],
    ) -> Result<Option<Vec<Signed>>, Stop> {
        while let Some(choice) = choices.last_mut() {
            trail.truncate(choice.trail);
            let refused = cores.iter().any(|core| trail.contains_all(core));
            if !refused && choice.next < choice.options.len() {
                self.burn()?;
                let option = std::mem::take(&mut choice.options[choice.next]);
                choice.next += 1;
                *branches = choice.branches.clone();
                return Ok(Some(option));
            }
            choices.pop();
        }
        Ok(None)
    }

    /// Follows what is forced, to a conflict, to a decision or to the end.
    fn propagate(
        &mut self,
        mut todo: Vec<Signed>,
        trail: &mut Trail,
        branches: &mut Vec<Signed>,
        cores: &[Vec<Signed>],
    ) -> Result<Outcome, Stop> {
        loop {
            if !self.set_units(&mut todo, trail, branches) || cores.iter().any(|core| trail.contains_all(core)) {
                return Ok(Outcome::Conflict);
            }
            let mut best: Option<Best> = None;
            let mut left: Vec<Signed> = Vec::with_capacity(branches.len());
            for &(part, sign) in branches.iter() {
                let options = match self.alternatives(part, sign, trail) {
                    Alternatives::Holds => continue,
                    Alternatives::Options(options) if options.is_empty() => return Ok(Outcome::Conflict),
                    Alternatives::Options(options) => options,
                };
                let choice_of_one = sign && matches!(self.formulas.node(part), Node::One(_));
                let rank = (options.len() > 1, !choice_of_one, options.len());
                if best.as_ref().is_none_or(|(other, ..)| rank < *other) {
                    best = Some((rank, left.len(), options));
                }
                left.push((part, sign));
            }
            *branches = left;
            self.check_depth()?;
            let Some((_, at, mut options)) = best else {
                return Ok(Outcome::Complete);
            };
            branches.remove(at);
            if options.len() > 1 {
                return Ok(Outcome::Choose(options));
            }
            todo = options.pop().expect("there is one option");
        }
    }

    /// Splits conjunctions into literals and branches; `false` on a contradiction.
    fn set_units(&self, todo: &mut Vec<Signed>, trail: &mut Trail, branches: &mut Vec<Signed>) -> bool {
        while let Some((part, sign)) = todo.pop() {
            match self.formulas.node(part) {
                Node::True | Node::False => {
                    if (part == FormulaId::TRUE) != sign {
                        return false;
                    }
                }
                Node::Not(inner) => todo.push((*inner, !sign)),
                Node::And(parts) if sign => todo.extend(parts.iter().map(|&part| (part, true))),
                Node::Or(parts) if !sign => todo.extend(parts.iter().map(|&part| (part, false))),
                Node::And(_) | Node::Or(_) | Node::One(_) => branches.push((part, sign)),
                _ if self.undecided_cover(part).is_some() => branches.push((part, sign)),
                _ => {
                    if !trail.set(part, sign) {
                        return false;
                    }
                }
            }
        }
        true
    }

    /// The first branch of an `Unevaluated*` atom whose formula is still open.
    fn undecided_cover(&self, atom: FormulaId) -> Option<usize> {
        match *self.formulas.node(atom) {
            Node::UnevaluatedMembers(table) => {
                let branches = &self.formulas.member_covers[table as usize].branches;
                branches.iter().position(|branch| branch.1 != FormulaId::TRUE)
            }
            Node::UnevaluatedItems(table) => {
                let branches = &self.formulas.item_covers[table as usize].branches;
                branches.iter().position(|branch| branch.1 != FormulaId::TRUE)
            }
            _ => None,
        }
    }

    /// Whether the literals decide a formula.
    fn decided(&self, part: FormulaId, trail: &Trail) -> Option<bool> {
        match self.formulas.node(part) {
            Node::True => Some(true),
            Node::False => Some(false),
            Node::Not(inner) => self.decided(*inner, trail).map(|value| !value),
            Node::And(parts) => self.decided_join(parts, true, trail),
            Node::Or(parts) => self.decided_join(parts, false, trail),
            Node::One(parts) => {
                let (mut held, mut open) = (0, 0);
                for &part in parts.iter() {
                    match self.decided(part, trail) {
                        Some(true) => held += 1,
                        Some(false) => {}
                        None => open += 1,
                    }
                }
                match (held, open) {
                    (2.., _) => Some(false),
                    (held, 0) => Some(held == 1),
                    _ => None,
                }
            }
            _ => trail.values.get(&part).copied(),
        }
    }

    fn decided_join(&self, parts: &[FormulaId], all: bool, trail: &Trail) -> Option<bool> {
        let mut open = false;
        for &part in parts {
            match self.decided(part, trail) {
                Some(value) if value != all => return Some(value),
                Some(_) => {}
                None => open = true,
            }
        }
        (!open).then_some(all)
    }

    /// The lists of signed formulas any of which would make a branch hold.
    fn alternatives(&mut self, part: FormulaId, sign: bool, trail: &Trail) -> Alternatives {
        match self.formulas.node(part).clone() {
            Node::And(parts) | Node::Or(parts) => self.alternatives_of_join(&parts, sign, trail),
            Node::One(parts) => self.alternatives_of_one(&parts, sign, trail),
            _ => self.alternatives_of_cover(part, sign),
        }
    }

    fn alternatives_of_join(&self, parts: &[FormulaId], sign: bool, trail: &Trail) -> Alternatives {
        let mut options = Vec::new();
        for &part in parts {
            match self.decided(part, trail) {
                Some(value) if value == sign => return Alternatives::Holds,
                Some(_) => {}
                None => options.push(vec![(part, sign)]),
            }
        }
        options.sort_by_key(|option| self.rank(option[0].0));
        Alternatives::Options(options)
    }

    fn alternatives_of_one(&self, parts: &[FormulaId], sign: bool, trail: &Trail) -> Alternatives {
        let (mut held, mut open) = (Vec::new(), Vec::new());
        for &part in parts {
            match self.decided(part, trail) {
                Some(true) => held.push(part),
                Some(false) => {}
                None => open.push(part),
            }
        }
        let none: Vec<Signed> = open.iter().map(|&part| (part, false)).collect();
        match (held.len(), sign) {
            (2.., true) => Alternatives::Options(Vec::new()),
            (2.., false) => Alternatives::Holds,
            (1, true) if open.is_empty() => Alternatives::Holds,
            (1, true) => Alternatives::Options(vec![none]),
            (1, false) => Alternatives::Options(open.iter().map(|&part| vec![(part, true)]).collect()),
            (_, true) => {
                let only = |held: FormulaId| open.iter().map(|&part| (part, part == held)).collect();
                Alternatives::Options(open.iter().map(|&part| only(part)).collect())
            }
            (_, false) => {
                let mut options = vec![none];
                for (i, &later) in open.iter().enumerate() {
                    options.extend(open[..i].iter().map(|&earlier| vec![(earlier, true), (later, true)]));
                }
                Alternatives::Options(options)
            }
        }
    }

    /// An `Unevaluated*` atom with an open branch. Positive: the branch is relied on (then it must hold) or not. Negative: it
    /// fails, or what it covers is no place for the unevaluated member.
    fn alternatives_of_cover(&mut self, atom: FormulaId, sign: bool) -> Alternatives {
        let at = self.undecided_cover(atom).expect("only asked of open covers");
        let (holds, without, with) = match *self.formulas.node(atom) {
            Node::UnevaluatedMembers(table) => {
                let table = self.formulas.member_covers[table as usize].clone();
                let (mut without, mut with) = (table.branches.to_vec(), table.branches.to_vec());
                with[at].1 = FormulaId::TRUE;
                let holds = without.remove(at).1;
                let without = self.formulas.unevaluated_members(table.schema, without);
                (holds, without, self.formulas.unevaluated_members(table.schema, with))
            }
            Node::UnevaluatedItems(table) => {
                let table = self.formulas.item_covers[table as usize].clone();
                let (mut without, mut with) = (table.branches.to_vec(), table.branches.to_vec());
                with[at].1 = FormulaId::TRUE;
                let holds = without.remove(at).1;
                let without = self.formulas.unevaluated_items(table.schema, without);
                (holds, without, self.formulas.unevaluated_items(table.schema, with))
            }
            _ => unreachable!("only covers branch"),
        };
        Alternatives::Options(if sign {
            vec![vec![(holds, true), (with, true)], vec![(without, true)]]
        } else {
            vec![vec![(holds, false), (without, false)], vec![(with, false)]]
        })
    }

    /// Alternatives that cost less to realise come first.
    fn rank(&self, part: FormulaId) -> u8 {
        match self.formulas.node(part) {
            Node::Not(inner) => self.rank(*inner),
            Node::Value(_) => 0,
            Node::Has(_) => 1,
            Node::MinMembers(_) | Node::MinItems(_) => 2,
            Node::Unique(_) | Node::UniqueOpen(_) => 3,
            Node::Contains(..) | Node::Or(_) | Node::And(_) => 4,
            Node::Items { .. } | Node::Members(_) | Node::Names(_) | Node::Order(..) => 5,
            Node::UnevaluatedMembers(_) | Node::UnevaluatedItems(_) => 7,
            _ => 8,
        }
    }

    /// Some of the literals that `solve` still refuses (chunked deletion).
    fn core_of<R>(&mut self, mut core: Vec<Signed>, solve: &mut Solve<'_, R>) -> Result<Vec<Signed>, Stop> {
        let mut size = (core.len() / 2).max(1);
        loop {
            let mut at = 0;
            while at < core.len() {
                let end = (at + size).min(core.len());
                let trial: Vec<Signed> = core[..at].iter().chain(&core[end..]).copied().collect();
                self.burn()?;
                if !trial.is_empty() && solve(self, &trial)?.is_none() {
                    core = trial;
                } else {
                    at += size;
                }
            }
            if size == 1 {
                return Ok(core);
            }
            size = (size / 2).max(1);
        }
    }
}
