//! The theory of arrays: items still to come for a conjunction of literals.
//!
//! Positions are walked once; needs (`contains`) and violations are placed on them, and what `maxContains` leaves is spent.
use super::{Literals, Plan, Stop};
use crate::formula::{FormulaId, ItemCover, Node};
use crate::identity::SetId;
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
    /// The items differ from each other and from these.
    unique: Option<SetId>,
    /// Some item equals another one or one of these.
    repeats: Option<SetId>,
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
    /// The items chosen so far, where more than their number matters.
    items: Vec<FormulaId>,
}

/// What is made of a list of items; `true` ends the search.
type Visit<'a> = dyn FnMut(&mut SchemaMachine, &[FormulaId]) -> Result<bool, Stop> + 'a;

/// One search for items.
struct Walk<'a, 'v> {
    goal: &'a ArrayGoal,
    most: usize,
    items: Vec<FormulaId>,
    failed: FxHashSet<Left>,
    visit: &'a mut Visit<'v>,
}

impl ArrayGoal {
    /// Whether every position can be looked at on its own.
    fn is_plain(&self) -> bool {
        self.breaches.is_empty() && self.needs.is_empty() && self.caps.is_empty() && self.repeats.is_none()
    }
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
                (Node::Unique(seen) | Node::UniqueOpen(seen), true) => goal.unique = Some(*seen),
                (Node::Unique(seen) | Node::UniqueOpen(seen), false) => goal.repeats = Some(*seen),
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
        if goal.is_plain() {
            let Some(items) = self.plain_items(&goal)? else {
                return Ok(None);
            };
            return match goal.unique {
                Some(seen) => self.distinct(&items, seen),
                None => Ok(Some(Plan::Array(items))),
            };
        }
        let mut found = None;
        self.walk(&goal, &mut |machine, items| {
            found = machine.accept(&goal, items)?;
            Ok(found.is_some())
        })?;
        Ok(found)
    }

    /// What a value must satisfy so that an item still to come can be equal to it, where the literals lack nothing but that
    /// equality; added to `out`.
    pub(crate) fn equal_items(&mut self, literals: &Literals, out: &mut Vec<FormulaId>) -> Result<(), Stop> {
        let goal = self.array_goal(literals);
        if goal.repeats.is_none() || goal.high.is_some_and(|high| high < goal.low) {
            return Ok(());
        }
        self.walk(&goal, &mut |_, items| {
            out.extend_from_slice(items);
            Ok(false)
        })
    }

    /// Shows `visit` every list of items that serves the goal, but for what the items must or must not have in common, until
    /// it answers `true`.
    fn walk(&mut self, goal: &ArrayGoal, visit: &mut Visit<'_>) -> Result<(), Stop> {
        let mut most =
            goal.low.max(goal.zone) + goal.needs.iter().map(|need| need.1 as usize).sum::<usize>() + goal.breaches.len();
        if goal.repeats.is_some() {
            most += 2;
        }
        let most = goal.high.map_or(most, |high| most.min(high));
        if most > MAX_POSITIONS || goal.breaches.len() + goal.needs.len() > 16 || goal.caps.len() > 8 {
            return Err(self.limits.error("max_witness_size").into());
        }
        let left = Left {
            position: 0,
            breaches: (1 << goal.breaches.len()) - 1,
            needs: goal.needs.iter().map(|need| need.1).collect(),
            caps: goal.caps.iter().map(|cap| cap.1).collect(),
            items: Vec::new(),
        };
        let mut walk = Walk {
            goal,
            most,
            items: Vec::new(),
            failed: FxHashSet::default(),
            visit,
        };
        self.walk_items(&mut walk, left)?;
        Ok(())
    }

    /// The plan of these items, if they have in common what they must.
    fn accept(&mut self, goal: &ArrayGoal, items: &[FormulaId]) -> Result<Option<Plan>, Stop> {
        let mut items = items.to_vec();
        if let Some(seen) = goal.unique {
            return self.distinct(&items, seen);
        }
        let Some(seen) = goal.repeats else {
            return Ok(Some(Plan::Array(items)));
        };
        let again = self.one_of_set(seen);
        for i in 0..items.len() {
            let both = self.formulas.and(&[items[i], again]);
            if self.satisfiable(both)? {
                items[i] = both;
                return Ok(Some(Plan::Array(items)));
            }
            for j in 0..i {
                let both = self.formulas.and(&[items[i], items[j]]);
                if self.satisfiable(both)? {
                    // Equal formulas are spelt alike.
                    (items[i], items[j]) = (both, both);
                    return Ok(Some(Plan::Array(items)));
                }
            }
        }
        Ok(None)
    }

    /// The case without needs, violations and caps: every position on its own.
    fn plain_items(&mut self, goal: &ArrayGoal) -> Result<Option<Vec<FormulaId>>, Stop> {
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
        Ok(Some(items))
    }

    fn walk_items(&mut self, walk: &mut Walk<'_, '_>, left: Left) -> Result<bool, Stop> {
        self.burn()?;
        let goal = walk.goal;
        let is_served = left.position >= goal.low && left.breaches == 0 && left.needs.iter().all(|&count| count == 0);
        if is_served {
            if (walk.visit)(self, &walk.items)? {
                return Ok(true);
            }
            // More items never help items to differ.
            if goal.repeats.is_none() {
                return Ok(false);
            }
        }
        let mut key = left.clone();
        if goal.unique.is_some() || goal.repeats.is_some() {
            key.items = walk.items.clone();
            if goal.zone == 0 {
                key.items.sort_unstable();
            }
        }
        if goal.high.is_none() {
            key.position = key.position.min(goal.zone.max(goal.low));
        }
        if left.position >= walk.most || walk.failed.contains(&key) {
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
                walk.items.push(item);
                if self.walk_items(walk, next)? {
                    return Ok(true);
                }
                walk.items.pop();
            }
        }
        walk.failed.insert(key);
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
