//! What an event leaves of a formula: Brzozowski's derivative, atom by atom.
use super::{FormulaId, Formulas, ItemCover, MemberCover, Node};
use crate::identity::{SetId, ValueId};
use crate::kinds::Kinds;
use crate::machine::SchemaMachine;
use crate::names::NameId;
use penstock_automata::Limit;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// What happened to a value.
#[derive(Clone, Copy)]
pub(crate) enum Event<'a> {
    /// Its kind became known; references expand here, and only here.
    Kind(Kinds),
    /// A member of this name starts.
    Name(NameId),
    /// An item starts.
    Item,
    /// These formulas (sorted) were decided of the member or item that was being read.
    Answer(&'a [(FormulaId, bool)]),
    /// The item that was being read is this value; `None`: one that plays no part in what follows.
    Ended(Option<ValueId>),
}

/// Answers within one rewriting: it makes the cost linear in the shared graph.
pub(crate) type Memo = FxHashMap<FormulaId, FormulaId>;

impl SchemaMachine {
    /// The formula after an event. Cost: linear in its distinct nodes.
    pub(crate) fn rewrite(&mut self, formula: FormulaId, event: Event<'_>, memo: &mut Memo) -> Result<FormulaId, Limit> {
        let info = self.formulas.info(formula);
        let untouched = match event {
            Event::Answer(_) => !info.asks,
            Event::Ended(_) => !info.opens,
            _ => false,
        };
        if formula <= FormulaId::FALSE || untouched {
            return Ok(formula);
        }
        let node = self.formulas.node(formula).clone();
        if !matches!(node, Node::And(_) | Node::Or(_) | Node::One(_) | Node::Not(_)) {
            return self.rewrite_atom(formula, &node, event, memo);
        }
        if let Some(&known) = memo.get(&formula) {
            return Ok(known);
        }
        self.nesting += 1;
        let result = if self.nesting > self.limits.max_formula_depth {
            Err(self.limits.error("max_formula_depth"))
        } else {
            self.rewrite_join(&node, event, memo)
        };
        self.nesting -= 1;
        memo.insert(formula, result.clone()?);
        result
    }

    fn rewrite_join(&mut self, node: &Node, event: Event<'_>, memo: &mut Memo) -> Result<FormulaId, Limit> {
        Ok(match node {
            Node::Not(part) => {
                let part = self.rewrite(*part, event, memo)?;
                self.formulas.not(part)
            }
            Node::And(parts) => {
                let parts = self.rewrite_all(parts, event, memo)?;
                self.formulas.and(&parts)
            }
            Node::Or(parts) => {
                let parts = self.rewrite_all(parts, event, memo)?;
                self.formulas.or(&parts)
            }
            Node::One(parts) => {
                let parts = self.rewrite_all(parts, event, memo)?;
                self.formulas.one(&parts)
            }
            _ => unreachable!("atoms have a function of their own"),
        })
    }

    fn rewrite_all(&mut self, parts: &[FormulaId], event: Event<'_>, memo: &mut Memo) -> Result<Vec<FormulaId>, Limit> {
        parts.iter().map(|&part| self.rewrite(part, event, memo)).collect()
    }

    fn rewrite_atom(&mut self, atom: FormulaId, node: &Node, event: Event<'_>, memo: &mut Memo) -> Result<FormulaId, Limit> {
        match event {
            Event::Kind(kind) => self.atom_of_kind(atom, node, kind),
            Event::Name(name) => self.atom_after_name(atom, node, name, memo),
            Event::Item => self.atom_after_item(atom, node, memo),
            Event::Answer(_) | Event::Ended(_) => self.atom_answered(atom, node, event, memo),
        }
    }

    /// The formula once the kind of the value is known. Cost: remembered.
    pub(crate) fn at_kind(&mut self, formula: FormulaId, kind: Kinds) -> Result<FormulaId, Limit> {
        if formula <= FormulaId::FALSE {
            return Ok(formula);
        }
        if let Some(&known) = self.by_kind.get(&(formula, kind)) {
            return Ok(known);
        }
        let result = match self.formulas.rules_out(formula, kind) {
            true => FormulaId::FALSE,
            false => self.rewrite(formula, Event::Kind(kind), &mut Memo::default())?,
        };
        self.check_depth()?;
        self.by_kind.insert((formula, kind), result);
        Ok(result)
    }

    fn atom_of_kind(&mut self, atom: FormulaId, node: &Node, kind: Kinds) -> Result<FormulaId, Limit> {
        let owner = match *node {
            Node::Kind(kinds) => return Ok(if kinds.has(kind) { FormulaId::TRUE } else { FormulaId::FALSE }),
            Node::Ref(slot) => {
                let target = self.slots[slot as usize];
                return self.at_kind(target, kind);
            }
            Node::UnevaluatedMembers(table) if kind == Kinds::OBJECT => {
                let table = self.formulas.member_covers[table as usize].clone();
                let mut branches = Vec::with_capacity(table.branches.len());
                for (cover, holds) in table.branches.iter() {
                    branches.push((cover.clone(), self.at_kind(*holds, kind)?));
                }
                return Ok(self.formulas.unevaluated_members(table.schema, branches));
            }
            Node::UnevaluatedItems(table) if kind == Kinds::ARRAY => {
                let table = self.formulas.item_covers[table as usize].clone();
                let mut branches = Vec::with_capacity(table.branches.len());
                for (cover, holds) in table.branches.iter() {
                    branches.push((cover.clone(), self.at_kind(*holds, kind)?));
                }
                return Ok(self.formulas.unevaluated_items(table.schema, branches));
            }
            Node::Text(_) => Kinds::STRING,
            Node::Number(_) => Kinds::NUMBER,
            Node::Items { .. } | Node::MinItems(_) | Node::Contains(..) | Node::UnevaluatedItems(_) => Kinds::ARRAY,
            Node::Unique(_) | Node::UniqueOpen(_) => Kinds::ARRAY,
            _ => Kinds::OBJECT,
        };
        // Lowering guards every atom by its kind, so the answer for another kind is never read.
        Ok(if owner == kind { atom } else { FormulaId::FALSE })
    }

    fn atom_after_name(&mut self, atom: FormulaId, node: &Node, name: NameId, memo: &mut Memo) -> Result<FormulaId, Limit> {
        match *node {
            Node::Has(wanted) => Ok(if wanted == name { FormulaId::TRUE } else { atom }),
            Node::MinMembers(count) => Ok(self.formulas.min_members(count - 1)),
            Node::Order(order, done) => {
                let (place, all) = (
                    self.formulas.place_in(order, name),
                    self.formulas.orders[order as usize].len() as u32,
                );
                if place < done {
                    return Ok(FormulaId::FALSE);
                }
                Ok(self.formulas.order_from(order, all.min(place + 1)))
            }
            Node::Names(schema) => Ok(if self.name_satisfies(schema, name)? {
                atom
            } else {
                FormulaId::FALSE
            }),
            Node::Members(_) => {
                let mut parts = self.member_schemas(atom, name)?;
                for part in &mut parts {
                    *part = self.formulas.value(*part);
                }
                parts.push(atom);
                Ok(self.formulas.and(&parts))
            }
            Node::UnevaluatedMembers(table) => {
                let table = self.formulas.member_covers[table as usize].clone();
                let mut branches: Vec<(MemberCover, FormulaId)> = Vec::with_capacity(table.branches.len());
                let mut enough = vec![self.formulas.value(table.schema)];
                for (cover, holds) in table.branches.iter() {
                    let left = self.rewrite(*holds, Event::Name(name), memo)?;
                    if self.covers(cover, name)? {
                        enough.push(left);
                    }
                    branches.push((cover.clone(), left));
                }
                let rest = self.formulas.unevaluated_members(table.schema, branches);
                let evaluated = self.formulas.or(&enough);
                Ok(self.formulas.and(&[rest, evaluated]))
            }
            _ => Ok(atom),
        }
    }

    fn atom_after_item(&mut self, atom: FormulaId, node: &Node, memo: &mut Memo) -> Result<FormulaId, Limit> {
        if let Node::Unique(seen) = *node {
            return Ok(self.unique_after_item(seen));
        }
        let formulas = &mut self.formulas;
        match *node {
            Node::Items { list, done, rest } => {
                let first = formulas.item_at(list, done, rest, 0);
                let asked = formulas.value(first);
                let left = if list == u32::MAX {
                    atom
                } else {
                    formulas.items_left(list, done + 1, rest)
                };
                Ok(formulas.and(&[left, asked]))
            }
            Node::MinItems(count) => Ok(formulas.min_items(count - 1)),
            Node::Contains(schema, count) => {
                let asked = formulas.value(schema);
                let fewer = formulas.contains(schema, count - 1);
                let counted = formulas.and(&[asked, fewer]);
                Ok(formulas.or(&[counted, atom]))
            }
            Node::UnevaluatedItems(table) => {
                let table = formulas.item_covers[table as usize].clone();
                let mut branches = Vec::with_capacity(table.branches.len());
                let mut enough = vec![formulas.value(table.schema)];
                for (cover, holds) in table.branches.iter() {
                    let left = self.rewrite(*holds, Event::Item, memo)?;
                    let (cover, covered) = cover_after_item(&mut self.formulas, cover, left);
                    enough.push(covered);
                    branches.push((cover, left));
                }
                let rest = self.formulas.unevaluated_items(table.schema, branches);
                let evaluated = self.formulas.or(&enough);
                Ok(self.formulas.and(&[rest, evaluated]))
            }
            _ => Ok(atom),
        }
    }

    /// The item differs from those before it, and what comes later from it.
    fn unique_after_item(&mut self, seen: SetId) -> FormulaId {
        let again = self.one_of_set(seen);
        let again = self.formulas.value(again);
        let differs = self.formulas.not(again);
        let open = self.formulas.unique_open(seen);
        self.formulas.and(&[differs, open])
    }

    fn atom_answered(&mut self, atom: FormulaId, node: &Node, event: Event<'_>, memo: &mut Memo) -> Result<FormulaId, Limit> {
        match *node {
            Node::Value(schema) => Ok(match event {
                Event::Answer(answers) => match answers.binary_search_by_key(&schema, |answer| answer.0) {
                    Ok(at) if answers[at].1 => FormulaId::TRUE,
                    Ok(_) => FormulaId::FALSE,
                    Err(_) => atom,
                },
                _ => atom,
            }),
            Node::UniqueOpen(seen) => Ok(match event {
                Event::Ended(value) => {
                    let seen = value.map_or(seen, |value| self.values.with(seen, value));
                    self.formulas.unique(seen)
                }
                _ => atom,
            }),
            Node::UnevaluatedMembers(table) => {
                let table = self.formulas.member_covers[table as usize].clone();
                let mut branches = Vec::with_capacity(table.branches.len());
                for (cover, holds) in table.branches.iter() {
                    branches.push((cover.clone(), self.rewrite(*holds, event, memo)?));
                }
                Ok(self.formulas.unevaluated_members(table.schema, branches))
            }
            Node::UnevaluatedItems(table) => {
                let table = self.formulas.item_covers[table as usize].clone();
                let mut branches = Vec::with_capacity(table.branches.len());
                for (cover, holds) in table.branches.iter() {
                    branches.push((cover.clone(), self.rewrite(*holds, event, memo)?));
                }
                Ok(self.formulas.unevaluated_items(table.schema, branches))
            }
            _ => Ok(atom),
        }
    }

    /// The formula with these (sorted) formulas decided of the value that was read.
    pub(crate) fn answered(&mut self, formula: FormulaId, answers: &[(FormulaId, bool)]) -> Result<FormulaId, Limit> {
        self.rewrite(formula, Event::Answer(answers), &mut Memo::default())
    }

    /// What a `Members` atom asks of the value of `name`.
    pub(crate) fn member_schemas(&mut self, atom: FormulaId, name: NameId) -> Result<Vec<FormulaId>, Limit> {
        let Node::Members(table) = *self.formulas.node(atom) else {
            unreachable!("only asked of `Members`");
        };
        let table: Arc<_> = self.formulas.members[table as usize].clone();
        let matched = self.matched_among(table.patterns.iter().map(|entry| entry.0), name)?;
        let mut out = Vec::new();
        table.of_name(name, |pattern| matched.contains(&pattern), &mut out);
        Ok(out)
    }

    /// Whether a branch that evaluates `cover` evaluates the member `name`.
    pub(crate) fn covers(&mut self, cover: &MemberCover, name: NameId) -> Result<bool, Limit> {
        let matched = self.matched_among(cover.patterns.iter().copied(), name)?;
        Ok(cover.covers(name, |pattern| matched.contains(&pattern)))
    }

    /// The formulas that a value is asked for by `formula`, added to `out` (unsorted).
    pub(crate) fn questions(&self, formula: FormulaId, out: &mut Vec<FormulaId>) {
        let mut todo = vec![formula];
        while let Some(next) = todo.pop() {
            if !self.formulas.info(next).asks {
                continue;
            }
            match self.formulas.node(next) {
                Node::Value(schema) => out.push(*schema),
                Node::And(parts) | Node::Or(parts) | Node::One(parts) => todo.extend_from_slice(parts),
                Node::Not(part) => todo.push(*part),
                Node::UnevaluatedMembers(table) => {
                    todo.extend(
                        self.formulas.member_covers[*table as usize]
                            .branches
                            .iter()
                            .map(|branch| branch.1),
                    );
                }
                Node::UnevaluatedItems(table) => {
                    todo.extend(
                        self.formulas.item_covers[*table as usize]
                            .branches
                            .iter()
                            .map(|branch| branch.1),
                    );
                }
                _ => {}
            }
        }
        out.sort_unstable();
        out.dedup();
    }
}

/// What a cover is after one more item, and the formula under which it evaluates that item.
fn cover_after_item(formulas: &mut Formulas, cover: &ItemCover, holds: FormulaId) -> (ItemCover, FormulaId) {
    match *cover {
        ItemCover::All => (ItemCover::All, holds),
        ItemCover::First(count) => (ItemCover::First(count - 1), holds),
        ItemCover::Satisfying(schema) => {
            let asked = formulas.value(schema);
            (ItemCover::Satisfying(schema), formulas.and(&[holds, asked]))
        }
    }
}
