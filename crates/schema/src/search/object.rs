//! The theory of objects: members still to come for a conjunction of literals.
//!
//! Required members first; then each violation on a member (two may share one); then as many others as the count wants.
use super::{Literals, Plan, Stop};
use crate::classes::Class;
use crate::formula::{FormulaId, MemberCover, Members, Node};
use crate::machine::SchemaMachine;
use crate::names::{NameId, SeenId};
use penstock_automata::{Limit, RegexId};
use std::sync::Arc;

/// A conjunction of literals about the members still to come, sorted out.
#[derive(Clone)]
pub(crate) struct ObjectGoal {
    pub need: Vec<NameId>,
    pub forbidden: Vec<NameId>,
    /// At least so many members.
    pub low: u32,
    /// At most so many.
    pub high: Option<u32>,
    /// `Members` and `UnevaluatedMembers` atoms that every member meets.
    pub every: Vec<FormulaId>,
    /// `Names` atoms that every name meets.
    pub rules: Vec<FormulaId>,
    /// Atoms that some member or name violates.
    pub breaches: Vec<FormulaId>,
    /// `Order` atoms: which order, and how much of it has been passed.
    pub orders: Vec<(u32, u32)>,
}

/// Orders of members that must hold of one object and were not joined when it began: which members can stand together is then no
/// longer a matter of their names alone.
const MANY_ORDERS: Limit = Limit {
    name: "max_property_orders",
    configured: 1,
};

type Placed = Vec<(NameId, FormulaId)>;

/// One object search: the goal and the names it can use.
struct Placing<'a> {
    goal: &'a ObjectGoal,
    seen: SeenId,
    /// Named members that are neither required nor out of the question.
    named: Vec<NameId>,
    /// Names that classes must not offer.
    taken: Vec<NameId>,
    /// Fresh names by class, and how many were asked for.
    fresh: Option<(usize, Arc<[Vec<NameId>]>)>,
}

impl SchemaMachine {
    pub(crate) fn object_goal(&self, literals: &Literals) -> ObjectGoal {
        let mut goal = ObjectGoal {
            need: Vec::new(),
            forbidden: Vec::new(),
            low: 0,
            high: None,
            every: Vec::new(),
            rules: Vec::new(),
            breaches: Vec::new(),
            orders: Vec::new(),
        };
        for &(atom, sign) in literals {
            match (self.formulas.node(atom), sign) {
                (Node::Has(name), true) => goal.need.push(*name),
                (Node::Has(name), false) => goal.forbidden.push(*name),
                (Node::MinMembers(count), true) => goal.low = goal.low.max(*count),
                (Node::MinMembers(count), false) => {
                    goal.high = Some(goal.high.map_or(count - 1, |high| high.min(count - 1)));
                }
                (Node::Order(order, done), true) => goal.orders.push((*order, *done)),
                (Node::Names(_), true) => goal.rules.push(atom),
                (Node::Members(_) | Node::UnevaluatedMembers(_), true) => goal.every.push(atom),
                (_, true) => {}
                (_, false) => goal.breaches.push(atom),
            }
        }
        goal
    }

    /// What every member of this name must satisfy.
    pub(crate) fn member_base(&mut self, goal: &ObjectGoal, name: NameId) -> Result<FormulaId, Stop> {
        if let Some(only) = self.only_table(goal) {
            return Ok(only.only_formula(name));
        }
        for &rule in &goal.rules {
            if let Node::Names(schema) = *self.formulas.node(rule) {
                if !self.name_satisfies(schema, name)? {
                    return Ok(FormulaId::FALSE);
                }
            }
        }
        if goal
            .orders
            .iter()
            .any(|&(order, done)| self.formulas.place_in(order, name) < done)
        {
            return Ok(FormulaId::FALSE);
        }
        let mut parts = Vec::new();
        for &atom in &goal.every {
            match *self.formulas.node(atom) {
                Node::UnevaluatedMembers(table) => {
                    let table = self.formulas.member_covers[table as usize].clone();
                    if !self.any_covers(table.branches.iter().map(|branch| &branch.0), name)? {
                        parts.push(table.schema);
                    }
                }
                _ => parts.extend(self.member_schemas(atom, name)?),
            }
        }
        Ok(self.formulas.and(&parts))
    }

    /// The one table that says everything about members, where names meet no pattern, rule or order.
    fn only_table(&self, goal: &ObjectGoal) -> Option<&Members> {
        let [atom] = goal.every[..] else { return None };
        let Node::Members(table) = *self.formulas.node(atom) else {
            return None;
        };
        let table = &self.formulas.members[table as usize];
        (table.patterns.is_empty() && goal.rules.is_empty() && goal.orders.is_empty()).then_some(&**table)
    }

    fn any_covers<'a>(&mut self, mut covers: impl Iterator<Item = &'a MemberCover>, name: NameId) -> Result<bool, Stop> {
        covers.try_fold(false, |any, cover| Ok(any || self.covers(cover, name)?))
    }

    /// What a member of this name must satisfy to violate an atom.
    fn breach(&mut self, atom: FormulaId, name: NameId) -> Result<FormulaId, Stop> {
        match *self.formulas.node(atom) {
            Node::Names(schema) => Ok(if self.name_satisfies(schema, name)? {
                FormulaId::FALSE
            } else {
                FormulaId::TRUE
            }),
            Node::UnevaluatedMembers(table) => {
                let table = self.formulas.member_covers[table as usize].clone();
                if self.any_covers(table.branches.iter().map(|branch| &branch.0), name)? {
                    return Ok(FormulaId::FALSE);
                }
                Ok(self.formulas.not(table.schema))
            }
            Node::Members(_) => {
                let all = self.member_schemas(atom, name)?;
                let all = self.formulas.and(&all);
                Ok(self.formulas.not(all))
            }
            _ => Ok(FormulaId::FALSE),
        }
    }

    /// Members still to come that make the literals true, given the names seen.
    pub(super) fn object_theory(&mut self, literals: &Literals, seen: SeenId) -> Result<Option<Plan>, Stop> {
        let goal = self.object_goal(literals);
        if goal.high.is_some_and(|high| high < goal.low || goal.need.len() as u32 > high) {
            return Ok(None);
        }
        let mut members: Placed = Vec::with_capacity(goal.need.len());
        for &name in &goal.need {
            let base = self.member_base(&goal, name)?;
            if goal.forbidden.contains(&name) || self.names.is_seen(seen, name) || !self.satisfiable(base)? {
                return Ok(None);
            }
            members.push((name, base));
        }
        let is_disordered = |&breach: &FormulaId| matches!(self.formulas.node(breach), Node::Order(..));
        if goal.orders.len() > 1 || goal.breaches.iter().any(is_disordered) {
            return Err(MANY_ORDERS.into());
        }
        if goal.breaches.is_empty() && members.len() as u32 >= goal.low {
            return Ok(Some(Plan::Object(self.in_order(&goal, members))));
        }
        let mut placing = self.placing(&goal, seen);
        let found = match self.place_together(&mut placing, &members)? {
            None => self.place(&mut placing, 0, members)?,
            together => together,
        };
        Ok(found.map(|members| Plan::Object(self.in_order(&goal, members))))
    }

    /// The members in the order that they must have: any set of names has one.
    fn in_order(&self, goal: &ObjectGoal, mut members: Placed) -> Placed {
        if let Some(&(order, _)) = goal.orders.first() {
            members.sort_by_key(|member| self.formulas.place_in(order, member.0));
        }
        members
    }

    fn placing<'a>(&self, goal: &'a ObjectGoal, seen: SeenId) -> Placing<'a> {
        let mut named = Vec::new();
        for &atom in goal.every.iter().chain(&goal.breaches) {
            match *self.formulas.node(atom) {
                Node::Members(table) => {
                    named.extend(self.formulas.members[table as usize].names.iter().map(|entry| entry.0));
                }
                Node::UnevaluatedMembers(table) => {
                    for (cover, _) in self.formulas.member_covers[table as usize].branches.iter() {
                        named.extend_from_slice(&cover.names);
                    }
                }
                _ => {}
            }
        }
        for &(order, _) in &goal.orders {
            named.extend_from_slice(&self.formulas.orders[order as usize]);
        }
        named.sort_unstable();
        named.dedup();
        named.retain(|name| !self.names.is_seen(seen, *name) && !goal.forbidden.contains(name) && !goal.need.contains(name));
        let mut taken = self.names.seen_names(seen);
        taken.extend(goal.forbidden.iter().chain(&goal.need).chain(&named));
        Placing {
            goal,
            seen,
            named,
            taken,
            fresh: None,
        }
    }

    /// All violations on members that must be there anyway, checked together: it spares the search nearly always.
    fn place_together(&mut self, placing: &mut Placing<'_>, members: &Placed) -> Result<Option<Placed>, Stop> {
        if placing.goal.breaches.is_empty() || members.is_empty() {
            return Ok(None);
        }
        let mut together = members.clone();
        for &atom in &placing.goal.breaches {
            let mut host = None;
            for (at, &(name, _)) in members.iter().enumerate() {
                let breach = self.breach(atom, name)?;
                if breach != FormulaId::FALSE {
                    host = Some((at, breach));
                    break;
                }
            }
            let Some((at, breach)) = host else {
                return Ok(None);
            };
            together[at].1 = self.formulas.and(&[together[at].1, breach]);
        }
        self.burn()?;
        for &(_, formula) in &together {
            if !self.satisfiable(formula)? {
                return Ok(None);
            }
        }
        self.fill(placing, together)
    }

    /// Places the violations from number `index` on, one after the other.
    fn place(&mut self, placing: &mut Placing<'_>, index: usize, members: Placed) -> Result<Option<Placed>, Stop> {
        let Some(&atom) = placing.goal.breaches.get(index) else {
            return self.fill(placing, members);
        };
        if index >= self.limits.max_joint_depth as usize * 4 {
            return Err(self.limits.error("max_joint_depth").into());
        }
        for at in 0..members.len() {
            let breach = self.breach(atom, members[at].0)?;
            if let Some(found) = self.place_on(placing, index, &members, (at, members[at].0, members[at].1), breach)? {
                return Ok(Some(found));
            }
        }
        if placing.goal.high.is_some_and(|high| members.len() as u32 >= high) {
            return Ok(None);
        }
        let classes = self.fresh_names(placing, placing.goal.breaches.len())?;
        let is_new = |name: &NameId| !members.iter().any(|member| member.0 == *name);
        let fresh = classes.iter().filter_map(|names| names.iter().copied().find(is_new));
        let candidates: Vec<NameId> = placing.named.iter().copied().filter(is_new).chain(fresh).collect();
        for name in candidates {
            let (base, breach) = (self.member_base(placing.goal, name)?, self.breach(atom, name)?);
            let host = (members.len(), name, base);
            if let Some(found) = self.place_on(placing, index, &members, host, breach)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Places a violation on one member, and then the next violations.
    fn place_on(
        &mut self,
        placing: &mut Placing<'_>,
        index: usize,
        members: &Placed,
        (at, name, formula): (usize, NameId, FormulaId),
        breach: FormulaId,
    ) -> Result<Option<Placed>, Stop> {
        if breach == FormulaId::FALSE {
            return Ok(None);
        }
        let both = self.formulas.and(&[formula, breach]);
        self.burn()?;
        if !self.satisfiable(both)? {
            return Ok(None);
        }
        let mut more = members.clone();
        more.truncate(at.max(members.len()));
        if at < more.len() {
            more[at].1 = both;
        } else {
            more.push((name, both));
        }
        self.place(placing, index + 1, more)
    }

    /// Adds members until there are enough.
    fn fill(&mut self, placing: &mut Placing<'_>, mut members: Placed) -> Result<Option<Placed>, Stop> {
        let low = placing.goal.low as usize;
        if members.len() < low {
            for name in placing.named.clone() {
                self.add_member(placing.goal, low, name, &mut members)?;
            }
        }
        if members.len() < low {
            let classes = self.fresh_names(placing, low + placing.goal.breaches.len())?;
            for &name in classes.iter().flatten() {
                self.add_member(placing.goal, low, name, &mut members)?;
            }
        }
        Ok((members.len() >= low).then_some(members))
    }

    fn add_member(&mut self, goal: &ObjectGoal, low: usize, name: NameId, members: &mut Placed) -> Result<(), Stop> {
        if members.len() < low && !members.iter().any(|member| member.0 == name) {
            let base = self.member_base(goal, name)?;
            if self.satisfiable(base)? {
                members.push((name, base));
            }
        }
        Ok(())
    }

    /// Up to `want` names of every class, none of them seen or spelt out by the goal.
    fn fresh_names(&mut self, placing: &mut Placing<'_>, want: usize) -> Result<Arc<[Vec<NameId>]>, Stop> {
        if let Some((had, names)) = &placing.fresh {
            if *had >= want {
                return Ok(names.clone());
            }
        }
        let goal = placing.goal;
        let mut patterns: Vec<RegexId> = Vec::new();
        for &atom in goal.every.iter().chain(&goal.breaches).chain(&goal.rules) {
            patterns.extend_from_slice(&self.discriminators(atom)?.patterns);
        }
        patterns.sort_unstable();
        patterns.dedup();
        let mut rules = Vec::with_capacity(goal.rules.len());
        for &rule in &goal.rules {
            rules.extend_from_slice(&self.discriminators(rule)?.patterns);
        }
        let classes: Arc<[Class]> = self.classes(&patterns)?;
        let mut names = Vec::with_capacity(classes.len());
        for class in classes.iter() {
            let allowed = patterns
                .iter()
                .zip(class.matched.iter())
                .all(|(pattern, &matched)| matched || !rules.contains(pattern));
            if allowed {
                names.push(self.some_texts(class.regex, &placing.taken, want)?);
            }
        }
        debug_assert!(names.iter().flatten().all(|&name| !self.names.is_seen(placing.seen, name)));
        let shared: Arc<[Vec<NameId>]> = names.into();
        placing.fresh = Some((want, shared.clone()));
        Ok(shared)
    }
}
