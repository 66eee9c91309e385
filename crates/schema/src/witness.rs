//! Short JSON texts that satisfy what is asked: completions, examples, proofs that a state is live.
use crate::formula::FormulaId;
use crate::identity::SetId;
use crate::kinds::Kinds;
use crate::machine::{AskId, Goal, RecordId, SchemaMachine};
use crate::names::SeenId;
use crate::search::{Plan, Slot};
use crate::texts::shortest_text;
use penstock_automata::{Limit, RegexId};
use std::fmt::Write;

/// Items of one array that a text may have to make up so that they differ.
const MAX_CHOSEN: usize = 2_000;

/// What is still to be written.
enum Part {
    Text(&'static str),
    Spelt(String),
    Name(String),
    Value(FormulaId),
}

impl SchemaMachine {
    /// A short JSON text that answers the ask and lets the document go on, or `None` if there is none.
    ///
    /// # Errors
    /// Any named limit.
    pub fn shortest_value(&mut self, ask: AskId) -> Result<Option<String>, Limit> {
        self.refuel();
        let asked = self.ask(ask);
        if !matches!(asked.goal, Goal::Joint(..)) {
            let target = self.target(&asked);
            return if self.is_satisfiable(target)? {
                self.spell(target).map(Some)
            } else {
                Ok(None)
            };
        }
        for (kind, text) in [(Kinds::NULL, "null"), (Kinds::TRUE, "true"), (Kinds::FALSE, "false")] {
            if self.literal(ask, kind)?.is_some() {
                return Ok(Some(text.to_owned()));
            }
        }
        if let Some(spec) = self.number(ask)? {
            return self.numbers.shortest(spec);
        }
        if let Some(asked) = self.string(ask)? {
            let term = self.bounded(asked.goal, asked.min_length, asked.max_length);
            return self.quoted(term).map(Some);
        }
        for (kind, open) in [(Kinds::ARRAY, "["), (Kinds::OBJECT, "{")] {
            let record = if kind == Kinds::ARRAY {
                self.open_array(ask)?
            } else {
                self.open_object(ask)?
            };
            if let Some(record) = record {
                let rest = self.completion(record, SeenId::EMPTY, true)?;
                return Ok(rest.map(|rest| format!("{open}{rest}")));
            }
        }
        Ok(None)
    }

    fn bounded(&mut self, goal: RegexId, min: u32, max: u32) -> RegexId {
        let length = self.regexes.repeat(RegexId::ANY, min, max);
        self.regexes.and(&[goal, length])
    }

    /// A short text to append to an open container so that it closes and the document can go on; a comma comes first unless
    /// the container `is_empty` so far. `None` if there is none. The record must not wait for a value.
    ///
    /// # Errors
    /// Any named limit.
    pub fn completion(&mut self, record: RecordId, seen: SeenId, is_empty: bool) -> Result<Option<String>, Limit> {
        self.refuel();
        let open = self.record(record);
        let plan = if let Goal::Joint(..) = open.goal {
            let frames = self.frames(record, seen)?;
            self.joint_plan(&frames, FormulaId::TRUE)
        } else {
            let target = self.target_of(open.must, &open.asked, open.goal);
            self.plan_of_container(target, open.kind, seen)
        };
        let Some(plan) = plan.map_err(|stop| self.limit_of(stop))? else {
            return Ok(None);
        };
        let mut parts = Vec::new();
        self.push_rest(&plan, !is_empty, &mut parts)?;
        self.write(parts).map(Some)
    }

    /// A text of a formula that is known to be satisfiable.
    pub(crate) fn spell(&mut self, formula: FormulaId) -> Result<String, Limit> {
        self.write(vec![Part::Value(formula)])
    }

    /// Writes parts, the last one first.
    fn write(&mut self, mut parts: Vec<Part>) -> Result<String, Limit> {
        let mut out = String::new();
        while let Some(part) = parts.pop() {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Spelt(text) => out.push_str(&text),
                Part::Name(name) => {
                    let _ = write!(out, "{}:", serde_json::Value::String(name));
                }
                Part::Value(formula) => self.push_value(formula, &mut parts, &mut out)?,
            }
            if out.len() > self.limits.max_witness_size as usize * 16 {
                return Err(self.limits.error("max_witness_size"));
            }
        }
        Ok(out)
    }

    fn push_value(&mut self, formula: FormulaId, parts: &mut Vec<Part>, out: &mut String) -> Result<(), Limit> {
        let plain = self.formulas.info(formula).plain;
        let texts = [
            (Kinds::NUMBER, "0"),
            (Kinds::STRING, "\"\""),
            (Kinds::ARRAY, "[]"),
            (Kinds::OBJECT, "{}"),
            (Kinds::NULL, "null"),
            (Kinds::TRUE, "true"),
            (Kinds::FALSE, "false"),
        ];
        if let Some((_, text)) = texts.iter().find(|(kind, _)| plain.has(*kind)) {
            out.push_str(text);
            return Ok(());
        }
        if !self.is_satisfiable(formula)? {
            return Ok(());
        }
        let plan = self.memo.plans[&formula].clone();
        match &*plan {
            Plan::Literal(kind) => {
                let text = texts.iter().find(|entry| entry.0 == *kind).map_or("null", |entry| entry.1);
                out.push_str(text);
            }
            Plan::Number(spec) => out.push_str(&self.numbers.shortest(*spec)?.unwrap_or_default()),
            Plan::Text(regex) => out.push_str(&self.quoted(*regex)?),
            Plan::Array(_) | Plan::Distinct(_) | Plan::Object(_) => {
                out.push(if matches!(*plan, Plan::Object(_)) { '{' } else { '[' });
                self.push_rest(&plan, false, parts)?;
            }
        }
        Ok(())
    }

    /// Pushes the items or members of a plan and the closing bracket.
    fn push_rest(&mut self, plan: &Plan, mut comma: bool, parts: &mut Vec<Part>) -> Result<(), Limit> {
        let members: Vec<(Option<String>, Part)> = match plan {
            Plan::Object(members) => {
                let named = |member: &(crate::names::NameId, FormulaId)| {
                    (Some(self.names.text(member.0).to_string()), Part::Value(member.1))
                };
                members.iter().map(named).collect()
            }
            Plan::Array(items) => items.iter().map(|&item| (None, Part::Value(item))).collect(),
            Plan::Distinct(slots) => {
                let values = self.choose(slots)?;
                values.into_iter().map(|text| (None, Part::Spelt(text))).collect()
            }
            _ => Vec::new(),
        };
        let mut rest = Vec::new();
        for (name, value) in members {
            if comma {
                rest.push(Part::Text(","));
            }
            comma = true;
            rest.extend(name.map(Part::Name));
            rest.push(value);
        }
        rest.push(Part::Text(if matches!(plan, Plan::Object(_)) { "}" } else { "]" }));
        parts.extend(rest.into_iter().rev());
        Ok(())
    }

    /// The texts of items that differ.
    fn choose(&mut self, slots: &[Slot]) -> Result<Vec<String>, Limit> {
        let given = slots.iter().filter_map(|slot| slot.value);
        let mut taken = given.fold(SetId::EMPTY, |taken, value| self.values.with(taken, value));
        let mut texts = Vec::with_capacity(slots.len());
        for slot in slots {
            if texts.len() >= MAX_CHOSEN {
                return Err(self.limits.error("max_witness_size"));
            }
            if let Some(value) = slot.value {
                texts.push(self.spelt_value(value));
                continue;
            }
            let again = self.one_of_set(taken);
            let other = self.formulas.not(again);
            let formula = self.formulas.and(&[slot.formula, other]);
            let text = self.spell(formula)?;
            let value = self.parsed_value(&text);
            taken = self.values.with(taken, value);
            texts.push(text);
        }
        Ok(texts)
    }

    fn quoted(&mut self, term: RegexId) -> Result<String, Limit> {
        let text = shortest_text(&mut self.regexes, term)?.unwrap_or_default();
        Ok(serde_json::Value::String(text).to_string())
    }
}
