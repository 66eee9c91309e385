//! Items that differ: how many values a formula has, and whether enough are left for all.
//!
//! A formula with more values than there are items never runs out: its item can be chosen last. The others have few
//! values, all known, and the question is one of matching.
use super::{Plan, Stop};
use crate::formula::FormulaId;
use crate::identity::{SetId, ValueId};
use crate::kinds::Kinds;
use crate::machine::SchemaMachine;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// The values of a formula.
#[derive(Clone, Debug)]
pub(crate) enum Supply {
    /// More than any plan uses up.
    Endless,
    /// These; `true` if there are no others.
    Listed(Arc<[ValueId]>, bool),
}

/// One item of a plan whose items differ.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Slot {
    /// What it must satisfy; the values that were there before are taken out.
    pub formula: FormulaId,
    /// Which value it is; `None` where there is always another one.
    pub value: Option<ValueId>,
}

/// A supply counts as endless only if this many items more than planned could differ: the one that is being read and the next
/// one may then be any.
const SPARE: usize = 3;

/// Values that are listed one by one; also the items that a matching may have.
const MAX_LISTED: usize = 512;

/// Supplies that are being listed within each other.
const MAX_OPEN: usize = 12;

/// How deep plans are looked into for a part that has many values.
const MAX_GLANCE: u32 = 3;

impl SchemaMachine {
    /// Items for these formulas that differ from each other and from `seen`; `None` if there are not enough values.
    pub(super) fn distinct(&mut self, items: &[FormulaId], seen: SetId) -> Result<Option<Plan>, Stop> {
        if items.is_empty() {
            return Ok(Some(Plan::Array(Vec::new())));
        }
        let again = self.one_of_set(seen);
        let fresh = self.formulas.not(again);
        let mut slots = Vec::with_capacity(items.len());
        let mut listed: Vec<(usize, Arc<[ValueId]>)> = Vec::new();
        let mut known: FxHashMap<FormulaId, Supply> = FxHashMap::default();
        for (i, &item) in items.iter().enumerate() {
            let formula = self.formulas.and(&[item, fresh]);
            let supply = match known.get(&formula) {
                Some(supply) => supply.clone(),
                None => self.supply(formula, items.len())?,
            };
            known.insert(formula, supply.clone());
            if let Supply::Listed(values, _) = supply {
                listed.push((i, values));
            }
            slots.push(Slot { formula, value: None });
        }
        if listed.len() > MAX_LISTED {
            return Err(self.limits.error("max_witness_size").into());
        }
        let Some(values) = self.assign(&listed)? else {
            return Ok(None);
        };
        for (&(i, _), value) in listed.iter().zip(values) {
            slots[i].value = Some(value);
        }
        Ok(Some(Plan::Distinct(slots)))
    }

    /// A value for each list, all different: augmenting paths, without recursion.
    fn assign(&mut self, lists: &[(usize, Arc<[ValueId]>)]) -> Result<Option<Vec<ValueId>>, Stop> {
        let mut owner: FxHashMap<ValueId, usize> = FxHashMap::default();
        for start in 0..lists.len() {
            self.burn()?;
            // Breadth first over values; `via` tells from which list a value was reached.
            let mut via: FxHashMap<ValueId, usize> = FxHashMap::default();
            let (mut queue, mut free) = (std::collections::VecDeque::from([start]), None);
            'search: while let Some(list) = queue.pop_front() {
                for &value in lists[list].1.iter() {
                    if via.contains_key(&value) {
                        continue;
                    }
                    via.insert(value, list);
                    match owner.get(&value) {
                        Some(&next) => queue.push_back(next),
                        None => {
                            free = Some(value);
                            break 'search;
                        }
                    }
                }
            }
            let Some(mut value) = free else {
                return Ok(None);
            };
            loop {
                let list = via[&value];
                let before = owner.iter().find(|entry| *entry.1 == list).map(|entry| *entry.0);
                owner.insert(value, list);
                match before {
                    Some(left) if list != start => {
                        owner.remove(&left);
                        value = left;
                    }
                    _ => break,
                }
            }
        }
        let mut values = vec![None; lists.len()];
        for (value, list) in owner {
            values[list] = Some(value);
        }
        Ok(values.into_iter().collect())
    }

    /// Values of a formula: `want` of them, or all. Cost: remembered.
    ///
    /// A supply that is asked for below itself (a tree whose children differ) offers what it has found so far: the smallest
    /// value that is still missing has no part that is missing too.
    pub(crate) fn supply(&mut self, formula: FormulaId, want: usize) -> Result<Supply, Stop> {
        match self.memo.supplies.get(&formula) {
            Some(Supply::Listed(values, is_all)) if !is_all && values.len() < want => {}
            Some(known) => return Ok(known.clone()),
            None => {}
        }
        if let Some(found) = self.search.supplies.get(&formula) {
            self.search.num_leans += 1;
            return Ok(Supply::Listed(found.as_slice().into(), false));
        }
        if self.search.supplies.len() >= MAX_OPEN {
            return Err(self.limits.error("max_witness_size").into());
        }
        let (outer, leans) = (std::mem::replace(&mut self.search.low, u32::MAX), self.search.num_leans);
        self.search.supplies.insert(formula, Vec::new());
        let found = self.list(formula, want);
        self.search.supplies.remove(&formula);
        // What leaned on an open goal holds only while that goal is open.
        let leaned = self.search.low != u32::MAX || self.search.num_leans != leans;
        self.search.low = self.search.low.min(outer);
        let found = found?;
        if !leaned || matches!(found, Supply::Endless) {
            self.memo.supplies.insert(formula, found.clone());
        }
        Ok(found)
    }

    fn list(&mut self, formula: FormulaId, want: usize) -> Result<Supply, Stop> {
        if self.is_endless(formula, want + SPARE, 0)? {
            return Ok(Supply::Endless);
        }
        let mut values: Vec<ValueId> = Vec::new();
        let strings = self.text_of(formula)?;
        for text in self.regexes.words_of(strings, want)? {
            values.push(self.text_value(&text));
        }
        let is_all = values.len() < want;
        let other = self.formulas.kind(Kinds::STRING.complement());
        let mut open = self.formulas.and(&[formula, other]);
        while values.len() < want {
            if values.len() >= MAX_LISTED {
                return Err(self.limits.error("max_witness_size").into());
            }
            if let Some(found) = self.search.supplies.get_mut(&formula) {
                found.clone_from(&values);
            }
            if !self.satisfiable(open)? {
                return Ok(Supply::Listed(values.into(), is_all));
            }
            let text = self.spell(open)?;
            let value = self.parsed_value(&text);
            values.push(value);
            let constant = self.constant(value);
            let other = self.formulas.not(constant);
            open = self.formulas.and(&[open, other]);
        }
        Ok(Supply::Listed(values.into(), false))
    }

    /// Whether a formula has at least so many values, as far as a glance shows.
    fn is_endless(&mut self, formula: FormulaId, count: usize, depth: u32) -> Result<bool, Stop> {
        self.burn()?;
        let number = self.at_kind(formula, Kinds::NUMBER)?;
        if number != FormulaId::FALSE {
            let goal = self.number_formula(number);
            let spec = self.numbers.spec(goal, Vec::new());
            if self.numbers.least_count(spec)? >= count as u64 {
                return Ok(true);
            }
        }
        let text = self.text_of(formula)?;
        if self.regexes.cardinality(text, count as u64)? >= count as u64 {
            return Ok(true);
        }
        let some = [
            (Kinds::OBJECT, self.formulas.min_members(1)),
            (Kinds::ARRAY, self.formulas.min_items(1)),
        ];
        for (kind, some) in some {
            if depth < MAX_GLANCE && self.at_kind(formula, kind)? != FormulaId::FALSE {
                let guard = self.formulas.kind(kind);
                let filled = self.formulas.and(&[guard, formula, some]);
                if self.satisfiable(filled)? && self.has_endless_part(filled, count, depth)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether one part of the plan of a formula can take so many values.
    fn has_endless_part(&mut self, formula: FormulaId, count: usize, depth: u32) -> Result<bool, Stop> {
        let Some(plan) = self.memo.plans.get(&formula).cloned() else {
            return Ok(false);
        };
        let parts: Vec<FormulaId> = match &*plan {
            Plan::Array(items) => items.clone(),
            Plan::Distinct(slots) => return Ok(slots.iter().any(|slot| slot.value.is_none())),
            Plan::Object(members) => members.iter().map(|member| member.1).collect(),
            _ => return Ok(false),
        };
        for part in parts {
            if self.is_endless(part, count, depth + 1)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The values that a plan has picked: only one of them could be missed later.
    pub(crate) fn chosen_values(plan: &Plan) -> Vec<ValueId> {
        match plan {
            Plan::Distinct(slots) => slots.iter().filter_map(|slot| slot.value).collect(),
            _ => Vec::new(),
        }
    }
}
