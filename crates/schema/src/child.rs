//! What a container asks of the value that starts in it.
//!
//! Verdicts that the container cannot do without are forced: they become one schema that must hold. What is left is asked,
//! with a goal: a table over a few verdicts, or the container itself.
use crate::formula::{FormulaId, Node};
use crate::machine::{Ask, AskId, Goal, Next, Record, RecordId, SchemaMachine, Verdicts, WIDE};
use crate::names::SeenId;
use penstock_automata::Limit;

impl SchemaMachine {
    /// What an ask demands, as one formula. Joint goals demand more than this.
    pub(crate) fn target(&mut self, ask: &Ask) -> FormulaId {
        self.target_of(ask.must, &ask.asked, ask.goal)
    }

    /// `must` and the table of a goal over `asked`.
    pub(crate) fn target_of(&mut self, must: FormulaId, asked: &[FormulaId], goal: Goal) -> FormulaId {
        let Goal::Table(table) = goal else {
            return must;
        };
        let mut alternatives = Vec::new();
        for (care, value) in cubes(asked.len(), table) {
            let mut parts = Vec::with_capacity(asked.len());
            for (i, &part) in asked.iter().enumerate() {
                if care >> i & 1 == 1 {
                    parts.push(if value >> i & 1 == 1 { part } else { self.formulas.not(part) });
                }
            }
            alternatives.push(self.formulas.and(&parts));
        }
        let any = self.formulas.or(&alternatives);
        self.formulas.and(&[must, any])
    }

    /// Splits a record that an event has just derived (its formulas hold `Value`s) into the ask of the value and what comes
    /// after it; `None` if no value could keep it live.
    pub(crate) fn split_child(&mut self, mut record: Record, seen: SeenId) -> Result<Option<(AskId, Next)>, Limit> {
        let mut forced: Vec<FormulaId> = Vec::new();
        loop {
            let mut known = self.forced_values(&record);
            if known.is_empty() {
                known = self.forced_by_table(&mut record, seen)?;
            }
            if known.is_empty() {
                break;
            }
            for &(schema, holds) in &known {
                forced.push(if holds { schema } else { self.formulas.not(schema) });
            }
            record.must = self.answered(record.must, &known)?;
            for part in record.asked.iter_mut() {
                *part = self.answered(*part, &known)?;
            }
        }
        self.check_depth()?;
        let must = self.formulas.and(&forced);
        if must == FormulaId::FALSE || record.must == FormulaId::FALSE {
            return Ok(None);
        }
        self.finish_child(must, record, seen)
    }

    fn finish_child(&mut self, must: FormulaId, record: Record, seen: SeenId) -> Result<Option<(AskId, Next)>, Limit> {
        let questions = record.questions.clone();
        let opens = self.opens(&record);
        if questions.is_empty() && !opens {
            let after = self.intern_record(record);
            if !self.is_satisfiable(must)? || !self.is_live(after, seen)? {
                return Ok(None);
            }
            return Ok(Some((self.must_hold(must), Next::Record(after))));
        }
        if questions.len() > self.limits.max_verdict_width.min(64) as usize {
            return Err(self.limits.error("max_verdict_width"));
        }
        let pending = self.intern_record(record);
        let (mut must, mut goal) = (must, Goal::Joint(pending, seen));
        if questions.len() <= WIDE {
            let table = self.table(pending, seen)?;
            goal = if questions.is_empty() {
                Goal::Free
            } else {
                Goal::Table(table)
            };
            if opens {
                must = self.with_provisos(must, pending, table)?;
            }
            if table == 0 || must == FormulaId::FALSE {
                return Ok(None);
            }
        } else if opens && self.is_demanding(pending) {
            return Err(self.limits.error("max_verdict_width"));
        }
        let ask = Ask {
            must,
            asked: questions,
            goal,
        };
        if !self.is_answerable(&ask)? {
            return Ok(None);
        }
        Ok(Some((self.intern_ask(ask), Next::Pending(pending))))
    }

    pub(crate) fn questions_of(&self, record: &Record) -> Box<[FormulaId]> {
        let mut questions = Vec::new();
        self.questions(record.must, &mut questions);
        for &part in record.asked.iter() {
            self.questions(part, &mut questions);
        }
        questions.into()
    }

    /// `Value`s that stand, alone or negated, among what must hold; sorted.
    fn forced_values(&self, record: &Record) -> Vec<(FormulaId, bool)> {
        let mut known = Vec::new();
        let parts: &[FormulaId] = match self.formulas.node(record.must) {
            Node::And(parts) => parts,
            _ => std::slice::from_ref(&record.must),
        };
        for &part in parts {
            match *self.formulas.node(part) {
                Node::Value(schema) => known.push((schema, true)),
                Node::Not(inner) => {
                    if let Node::Value(schema) = *self.formulas.node(inner) {
                        known.push((schema, false));
                    }
                }
                _ => {}
            }
        }
        known.sort_unstable();
        known
    }

    /// Verdicts that are the same wherever the table of a narrow record allows to go on.
    fn forced_by_table(&mut self, record: &mut Record, seen: SeenId) -> Result<Vec<(FormulaId, bool)>, Limit> {
        record.questions = self.questions_of(record);
        let questions = record.questions.clone();
        if questions.is_empty() || questions.len() > WIDE {
            return Ok(Vec::new());
        }
        let pending = self.intern_record(record.clone());
        let table = self.table(pending, seen)?;
        if table == 0 {
            record.must = FormulaId::FALSE;
            record.questions = Box::default();
            return Ok(Vec::new());
        }
        let (mut always, mut sometimes) = (u32::MAX, 0);
        for verdicts in (0..1_u32 << questions.len()).filter(|verdicts| table >> verdicts & 1 == 1) {
            always &= verdicts;
            sometimes |= verdicts;
        }
        let known = questions.iter().enumerate().filter_map(|(i, &question)| {
            if always >> i & 1 == 1 {
                Some((question, true))
            } else if sometimes >> i & 1 == 0 {
                Some((question, false))
            } else {
                None
            }
        });
        Ok(known.collect())
    }

    /// The verdicts with which a narrow record stays live, as bits.
    fn table(&mut self, pending: RecordId, seen: SeenId) -> Result<u16, Limit> {
        if let Some(&known) = self.memo.tables.get(&(pending, seen)) {
            return Ok(known);
        }
        let width = self.record(pending).questions.len();
        let mut table = 0;
        for verdicts in 0..1_u64 << width {
            if self.proviso(pending, seen, Verdicts(verdicts))? != FormulaId::FALSE {
                table |= 1 << verdicts;
            }
        }
        self.memo.tables.insert((pending, seen), table);
        Ok(table)
    }
}

/// A truth table as few cubes `(which inputs matter, their values)`: two that differ in one input become one without it.
fn cubes(width: usize, table: u16) -> Vec<(u32, u32)> {
    let all = (1_u32 << width) - 1;
    let mut todo: Vec<(u32, u32)> = (0..=all)
        .filter(|value| table >> value & 1 == 1)
        .map(|value| (all, value))
        .collect();
    loop {
        let (mut merged, mut used) = (Vec::new(), vec![false; todo.len()]);
        for i in 0..todo.len() {
            for j in i + 1..todo.len() {
                let differ = todo[i].1 ^ todo[j].1;
                if todo[i].0 == todo[j].0 && differ.count_ones() == 1 {
                    merged.push((todo[i].0 & !differ, todo[i].1 & !differ));
                    (used[i], used[j]) = (true, true);
                }
            }
        }
        if merged.is_empty() {
            return todo;
        }
        let kept = todo.iter().zip(&used).filter(|(_, &used)| !used).map(|(cube, _)| *cube);
        merged.extend(kept);
        merged.sort_unstable();
        merged.dedup();
        todo = merged;
    }
}

#[cfg(test)]
mod tests {
    use super::cubes;

    #[test]
    fn cubes_cover_exactly_the_table() {
        for width in 1..=3 {
            for table in 0..1_u32 << (1 << width) {
                let covers = cubes(width, table as u16);
                for value in 0..1_u32 << width {
                    let covered = covers.iter().any(|&(care, want)| value & care == want);
                    assert_eq!(covered, table >> value & 1 == 1);
                }
            }
        }
    }

    #[test]
    fn one_verdict_that_matters_is_one_cube() {
        assert_eq!(cubes(2, 0b1010), vec![(1, 1)]);
    }
}
