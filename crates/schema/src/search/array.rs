//! The theory of arrays: items still to come for a conjunction of literals.
//!
//! Positions are walked once; needs (`contains`) and violations are placed on them, and what `maxContains` leaves is spent.
use super::{Literals, Plan, Stop};
use crate::formula::{FormulaId, ItemCover, Node};
use crate::machine::SchemaMachine;
use rustc_hash::FxHashSet;

/// A conjunction of literals about the items still to come, sorted out.
#[derive(Default)]
struct ArrayGoal {
    /// Atoms that every item meets, and atoms that some item violates.
    every: Vec<FormulaId>,
    breaches: Vec<FormulaId>,
    /// Schemas that so many items must satisfy.
    needs: Vec<(FormulaId, u32)>,
    /// Schemas that at most so many items may satisfy.
    caps: Vec<(FormulaId, u32)>,
    low: usize,
    high: Option<usize>,
    /// Positions from here on are all alike.
    zone: usize,
}

/// What is still to be placed.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Left {
    position: usize,
    /// Bit `i`: violation `i`.
    breaches: u64,
    needs: Vec<u32>,
    caps: Vec<u32>,
}

/// Positions that a search may walk one by one.
const MAX_POSITIONS: usize = 256;

impl SchemaMachine {
    fn array_goal(&self, literals: &Literals) -> ArrayGoal {
        let mut goal = ArrayGoal::default();
        for &(atom, sign) in literals {
            match (self.formulas.node(atom), sign) {
                (Node::MinItems(count), true) => goal.low = goal.low.max(*count as usize),
                (Node::MinItems(count), false) => {
                    let high = *count as usize - 1;
                    goal.high = Some(goal.high.map_or(high, |old| old.min(high)));
                }
                (Node::Contains(schema, count), true) => raise(&mut goal.needs, *schema, *count, u32::max),
                (Node::Contains(schema, count), false) => raise(&mut goal.caps, *schema, *count - 1, u32::min),
                (Node::Items { .. } | Node::UnevaluatedItems(_), true) => goal.every.push(atom),
                (Node::Items { .. } | Node::UnevaluatedItems(_), false) => goal.breaches.push(atom),
                _ => {}
            }
        }
        let atoms = goal.every.iter().chain(&goal.breaches);
        goal.zone = atoms.map(|&atom| self.zone_of(atom)).max().unwrap_or(0);
        goal
    }

    fn zone_of(&self, atom: FormulaId) -> usize {
        match *self.formulas.node(atom) {
            Node::Items { list, done, .. } => self.formulas.prefix_left(list, done),
            Node::UnevaluatedItems(table) => {
                let covers = self.formulas.item_covers[table as usize].branches.iter();
                let first = covers.filter_map(|(cover, _)| match cover {
                    ItemCover::First(count) => Some(*count as usize),
                    _ => None,
                });
                first.max().unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// What an atom asks of the item `position` places on.
    fn item_must(&mut self, atom: FormulaId, position: usize) -> FormulaId {
        match *self.formulas.node(atom) {
            Node::Items { list, done, rest } => self.formulas.item_at(list, done, rest, position),
            Node::UnevaluatedItems(table) => {
                let table = self.formulas.item_covers[table as usize].clone();
                let mut enough = vec![table.schema];
                for (cover, _) in table.branches.iter() {
                    match cover {
                        ItemCover::All => return FormulaId::TRUE,
                        ItemCover::First(count) if position < *count as usize => return FormulaId::TRUE,
                        ItemCover::First(_) => {}
                        ItemCover::Satisfying(schema) => enough.push(*schema),
                    }
                }
                self.formulas.or(&enough)
            }
            _ => FormulaId::TRUE,
        }
    }

    fn item_base(&mut self, goal: &ArrayGoal, position: usize) -> FormulaId {
        let parts: Vec<FormulaId> = goal.every.iter().map(|&atom| self.item_must(atom, position)).collect();
        self.formulas.and(&parts)
    }

    /// Items still to come that make the literals true.
    pub(super) fn array_theory(&mut self, literals: &Literals) -> Result<Option<Plan>, Stop> {
        let goal = self.array_goal(literals);
        if goal.high.is_some_and(|high| high < goal.low) {
            return Ok(None);
        }
        if goal.breaches.is_empty() && goal.needs.is_empty() && goal.caps.is_empty() {
            return self.plain_items(&goal);
        }
        let most = goal.low.max(goal.zone) + goal.needs.iter().map(|need| need.1 as usize).sum::<usize>() + goal.breaches.len();
        let most = goal.high.map_or(most, |high| most.min(high));
        if most > MAX_POSITIONS || goal.breaches.len() + goal.needs.len() > 16 || goal.caps.len() > 8 {
            return Err(self.limits.error("max_witness_size").into());
        }
        let left = Left {
            position: 0,
            breaches: (1 << goal.breaches.len()) - 1,
            needs: goal.needs.iter().map(|need| need.1).collect(),
            caps: goal.caps.iter().map(|cap| cap.1).collect(),
        };
        let mut items = Vec::new();
        let found = self.walk_items(&goal, most, left, &mut items, &mut FxHashSet::default())?;
        Ok(found.then_some(Plan::Array(items)))
    }

    /// The case without needs, violations and caps: every position on its own.
    fn plain_items(&mut self, goal: &ArrayGoal) -> Result<Option<Plan>, Stop> {
        if goal.low > self.limits.max_witness_size as usize {
            return Err(self.limits.error("max_witness_size").into());
        }
        let mut items = Vec::with_capacity(goal.low);
        for position in 0..goal.low {
            if position > goal.zone {
                items.push(items[position - 1]);
                continue;
            }
            let base = self.item_base(goal, position);
            if !self.satisfiable(base)? {
                return Ok(None);
            }
            items.push(base);
        }
        Ok(Some(Plan::Array(items)))
    }

    fn walk_items(
        &mut self,
        goal: &ArrayGoal,
        most: usize,
        left: Left,
        items: &mut Vec<FormulaId>,
        failed: &mut FxHashSet<Left>,
    ) -> Result<bool, Stop> {
        self.burn()?;
        if left.position >= goal.low && left.breaches == 0 && left.needs.iter().all(|&count| count == 0) {
            return Ok(true);
        }
        let mut key = left.clone();
        if goal.high.is_none() {
            key.position = key.position.min(goal.zone.max(goal.low));
        }
        if left.position >= most || failed.contains(&key) {
            return Ok(false);
        }
        let base = self.item_base(goal, left.position);
        let open = left.open();
        for chosen in (0..1_u32 << open.len()).rev() {
            for spent in 0..1_u32 << goal.caps.len() {
                self.burn()?;
                let Some((item, next)) = self.next_place(goal, &left, base, &open, chosen, spent) else {
                    continue;
                };
                if !self.satisfiable(item)? {
                    continue;
                }
                items.push(item);
                if self.walk_items(goal, most, next, items, failed)? {
                    return Ok(true);
                }
                items.pop();
            }
        }
        failed.insert(key);
        Ok(false)
    }

    /// One item that serves the chosen needs and violations, and counts against the spent caps.
    fn next_place(
        &mut self,
        goal: &ArrayGoal,
        left: &Left,
        base: FormulaId,
        open: &[(bool, usize)],
        chosen: u32,
        spent: u32,
    ) -> Option<(FormulaId, Left)> {
        let (mut parts, mut next) = (vec![base], left.clone());
        next.position += 1;
        for (bit, &(is_breach, index)) in open.iter().enumerate() {
            if chosen >> bit & 1 == 0 {
                continue;
            }
            if is_breach {
                next.breaches &= !(1 << index);
                let must = self.item_must(goal.breaches[index], left.position);
                parts.push(self.formulas.not(must));
            } else {
                next.needs[index] -= 1;
                parts.push(goal.needs[index].0);
            }
        }
        for (index, &(schema, _)) in goal.caps.iter().enumerate() {
            if spent >> index & 1 == 1 {
                next.caps[index] = next.caps[index].checked_sub(1)?;
            } else {
                parts.push(self.formulas.not(schema));
            }
        }
        let item = self.formulas.and(&parts);
        (item != FormulaId::FALSE).then_some((item, next))
    }
}

impl Left {
    /// Violations `(true, index)` and needs `(false, index)` still to be placed.
    fn open(&self) -> Vec<(bool, usize)> {
        let breaches = (0..64)
            .filter(|index| self.breaches >> index & 1 == 1)
            .map(|index| (true, index));
        let needs = (0..self.needs.len())
            .filter(|&index| self.needs[index] > 0)
            .map(|index| (false, index));
        breaches.chain(needs).collect()
    }
}

fn raise(list: &mut Vec<(FormulaId, u32)>, schema: FormulaId, count: u32, pick: fn(u32, u32) -> u32) {
    match list.iter_mut().find(|entry| entry.0 == schema) {
        Some(entry) => entry.1 = pick(entry.1, count),
        None => list.push((schema, count)),
    }
}
