//! Items that must differ: what later items demand of the one that is being read.
//!
//! While an item is read, a record waits for verdicts and for the value itself (`UniqueOpen`). Nearly always any value will do.
//! Where later items are few and have few values, it must leave them one each; where items must *not* all differ, it may have
//! to be one that can come again. Both are conditions on the value, so they become part of what it is asked: a *proviso*.
use crate::formula::{FormulaId, Node};
use crate::kinds::Kinds;
use crate::machine::{Goal, Next, Record, RecordId, SchemaMachine, Verdicts};
use crate::names::SeenId;
use penstock_automata::Limit;
use rustc_hash::FxHashSet;

impl SchemaMachine {
    /// What the value that a record waits for must satisfy so that, with these verdicts on it, the record stays live.
    pub(crate) fn proviso(&mut self, pending: RecordId, seen: SeenId, verdicts: Verdicts) -> Result<FormulaId, Limit> {
        let after = self.resume(pending, verdicts, None)?;
        let waiting = self.record(pending);
        let is_live = self.is_live(after, seen)?;
        if !self.opens(&waiting) {
            return Ok(if is_live { FormulaId::TRUE } else { FormulaId::FALSE });
        }
        if let Some(&known) = self.memo.provisos.get(&(pending, verdicts)) {
            return Ok(known);
        }
        let found = if is_live {
            self.spares_the_rest(pending, after, verdicts)?
        } else if self.is_contrary(pending) {
            self.can_come_again(after)?
        } else {
            FormulaId::FALSE
        };
        self.memo.provisos.insert((pending, verdicts), found);
        Ok(found)
    }

    /// Not one of the values that the items still to come cannot do without.
    fn spares_the_rest(&mut self, pending: RecordId, after: RecordId, verdicts: Verdicts) -> Result<FormulaId, Limit> {
        let mut critical = Vec::new();
        for value in self.planned_values(after)? {
            let without = self.resume(pending, verdicts, Some(value))?;
            if !self.is_live(without, SeenId::EMPTY)? {
                critical.push(self.constant(value));
            }
        }
        let critical = self.formulas.or(&critical);
        Ok(self.formulas.not(critical))
    }

    /// Values that some plan for the items still to come has picked.
    fn planned_values(&mut self, record: RecordId) -> Result<Vec<crate::identity::ValueId>, Limit> {
        let open = self.record(record);
        let plan = if let Goal::Joint(..) = open.goal {
            let frames = self.frames(record, SeenId::EMPTY)?;
            self.joint_plan(&frames, FormulaId::TRUE)
        } else {
            let target = self.target_of(open.must, &open.asked, open.goal);
            self.plan_of_container(target, open.kind, SeenId::EMPTY)
        };
        let plan = plan.map_err(|stop| self.limit_of(stop))?;
        Ok(plan.map_or(Vec::new(), |plan| SchemaMachine::chosen_values(&plan)))
    }

    /// One of the values that an item still to come can take, where such an equality is all that is missing.
    fn can_come_again(&mut self, after: RecordId) -> Result<FormulaId, Limit> {
        let open = self.record(after);
        if let Goal::Joint(..) = open.goal {
            return Err(self.limits.error("max_verdict_width"));
        }
        let target = self.target_of(open.must, &open.asked, open.goal);
        let mut equal = Vec::new();
        let visited = self.for_each_model(target, &mut |machine, literals| machine.equal_items(literals, &mut equal));
        visited.map_err(|stop| self.limit_of(stop))?;
        equal.sort_unstable();
        equal.dedup();
        Ok(self.formulas.or(&equal))
    }

    /// `must`, and for each of the verdicts of a table its proviso.
    pub(crate) fn with_provisos(&mut self, must: FormulaId, pending: RecordId, table: u16) -> Result<FormulaId, Limit> {
        let waiting = self.record(pending);
        let mut all = vec![must];
        for verdicts in (0..1_u64 << waiting.questions.len()).filter(|verdicts| table >> verdicts & 1 == 1) {
            // The table was made of provisos, so they are known.
            let proviso = self.memo.provisos[&(pending, Verdicts(verdicts))];
            if proviso == FormulaId::TRUE {
                continue;
            }
            let mut either = vec![proviso];
            for (i, &question) in waiting.questions.iter().enumerate() {
                let holds = verdicts >> i & 1 == 1;
                either.push(if holds { self.formulas.not(question) } else { question });
            }
            all.push(self.formulas.or(&either));
        }
        let must = self.formulas.and(&all);
        self.check_depth()?;
        Ok(must)
    }

    /// Whether the record could hold because of items that are equal: then a mask cannot leave the value open.
    pub fn is_contrary(&mut self, record: RecordId) -> bool {
        if let Some(&known) = self.memo.contrary.get(&record) {
            return known;
        }
        let open = self.record(record);
        let found = self.any_literal(&open, |node, sign| {
            !sign && matches!(node, Node::Unique(_) | Node::UniqueOpen(_))
        });
        self.memo.contrary.insert(record, found);
        found
    }

    /// Whether the record may need more items: otherwise whatever keeps it live leaves it as it is.
    pub(crate) fn is_demanding(&self, record: RecordId) -> bool {
        let open = self.record(record);
        self.any_literal(&open, |node, sign| match node {
            Node::MinItems(_) | Node::Contains(..) => sign,
            Node::Items { .. } | Node::UnevaluatedItems(_) | Node::Unique(_) | Node::UniqueOpen(_) => !sign,
            _ => false,
        })
    }

    /// Whether some atom that may have to hold, or (`false`) not to hold, is one of these.
    fn any_literal(&self, record: &Record, is_one: impl Fn(&Node, bool) -> bool) -> bool {
        let mut todo: Vec<(FormulaId, bool)> = vec![(record.must, true)];
        for &part in record.asked.iter() {
            todo.extend([(part, true), (part, false)]);
        }
        let mut done = FxHashSet::default();
        while let Some((formula, sign)) = todo.pop() {
            if !done.insert((formula, sign)) {
                continue;
            }
            let node = self.formulas.node(formula);
            let mut both = |part: FormulaId| todo.extend([(part, true), (part, false)]);
            match node {
                Node::One(parts) => parts.iter().for_each(|&part| both(part)),
                Node::UnevaluatedItems(table) => {
                    let branches = self.formulas.item_covers[*table as usize].branches.iter();
                    branches.for_each(|branch| both(branch.1));
                }
                Node::And(parts) | Node::Or(parts) => todo.extend(parts.iter().map(|&part| (part, sign))),
                Node::Not(part) => todo.push((*part, !sign)),
                _ => {}
            }
            if is_one(node, sign) {
                return true;
            }
        }
        false
    }

    /// Whether the next item of an array could be told apart from any one further value without harm: there are others of
    /// every kind that it may have, and enough for the items after it. Only worth asking of a record whose last value was
    /// left open (see [`SchemaMachine::resume`]). Cost: remembered.
    ///
    /// # Errors
    /// As [`SchemaMachine::kinds`].
    pub fn has_spare_items(&mut self, record: RecordId) -> Result<bool, Limit> {
        if let Some(&known) = self.memo.spare.get(&record) {
            return Ok(known);
        }
        self.refuel();
        let found = self.find_spare(record)?;
        self.memo.spare.insert(record, found);
        Ok(found)
    }

    fn find_spare(&mut self, record: RecordId) -> Result<bool, Limit> {
        let Some(item) = self.next_item(record)? else {
            return Ok(false);
        };
        let ask = self.ask(item.ask);
        let Next::Pending(pending) = item.next else {
            return Ok(false);
        };
        if !ask.asked.is_empty() || ask.goal != Goal::Free {
            return Ok(false);
        }
        let after = self.resume(pending, Verdicts::TRUE, None)?;
        if !self.planned_values(after)?.is_empty() {
            return Ok(false);
        }
        for kind in Kinds::EACH {
            let mut left = self.at_kind(ask.must, kind)?;
            if left == FormulaId::FALSE {
                continue;
            }
            if kind == Kinds::OBJECT {
                // Behind the first quote of an object it has a member.
                let some = self.formulas.min_members(1);
                let plain = left;
                left = self.formulas.and(&[left, some]);
                if !self.has_two(plain, kind)? {
                    return Ok(false);
                }
            }
            if !self.has_two(left, kind)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a formula of one kind has no value of it, or at least two.
    fn has_two(&mut self, left: FormulaId, kind: Kinds) -> Result<bool, Limit> {
        let guard = self.formulas.kind(kind);
        let guarded = self.formulas.and(&[guard, left]);
        let supply = self.supply(guarded, 2).map_err(|stop| self.limit_of(stop))?;
        Ok(!matches!(supply, crate::search::Supply::Listed(values, _) if values.len() == 1))
    }
}
