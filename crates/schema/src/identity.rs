//! Values as values: what `uniqueItems` compares.
//!
//! Equal values have equal ids: `1` is `1.0`, members come in any order. A value is built from its parts as they are read, and
//! becomes a formula (`const`) when something must differ from it. Sets of values grow by one and share what they had.
use crate::formula::{FormulaId, Members};
use crate::kinds::Kinds;
use crate::machine::SchemaMachine;
use crate::names::NameId;
use crate::number::{Decimal, NumberFormula};
use crate::sets::GrowingSets;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// An interned JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub(crate) u32);

/// An interned set of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SetId(u32);

impl SetId {
    pub const EMPTY: SetId = SetId(GrowingSets::<ValueId, CHUNK>::EMPTY);
}

/// A value; its parts have smaller ids.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Known {
    Null,
    True,
    False,
    Number(Decimal),
    Text(Box<str>),
    Array(Box<[ValueId]>),
    /// Sorted by name.
    Object(Box<[(NameId, ValueId)]>),
}

/// How many values a set lists before it refers to another set for the rest.
const CHUNK: usize = 32;

/// The interned values and sets.
pub(crate) struct Values {
    list: Vec<Arc<Known>>,
    ids: FxHashMap<Arc<Known>, ValueId>,
    sets: GrowingSets<ValueId, CHUNK>,
    constants: FxHashMap<ValueId, FormulaId>,
    members_of: FxHashMap<SetId, FormulaId>,
    num_bytes: usize,
}

impl Values {
    pub fn new() -> Values {
        Values {
            list: Vec::new(),
            ids: FxHashMap::default(),
            sets: GrowingSets::new(),
            constants: FxHashMap::default(),
            members_of: FxHashMap::default(),
            num_bytes: 0,
        }
    }

    /// The value with this id.
    pub fn get(&self, value: ValueId) -> &Known {
        &self.list[value.0 as usize]
    }

    fn intern(&mut self, value: Known) -> ValueId {
        if let Some(&id) = self.ids.get(&value) {
            return id;
        }
        self.num_bytes += 80
            + match &value {
                Known::Text(text) => text.len(),
                Known::Array(items) => 4 * items.len(),
                Known::Object(members) => 8 * members.len(),
                _ => 0,
            };
        let (id, shared) = (ValueId(self.list.len() as u32), Arc::new(value));
        self.list.push(shared.clone());
        self.ids.insert(shared, id);
        id
    }

    /// The set with one more value. Cost: linear in [`CHUNK`].
    pub fn with(&mut self, set: SetId, value: ValueId) -> SetId {
        SetId(self.sets.with(set.0, value))
    }

    pub fn memory_usage(&self) -> usize {
        self.num_bytes + self.sets.memory_usage() + 16 * (self.constants.len() + self.members_of.len())
    }
}

impl SchemaMachine {
    /// `null`, `true` or `false`.
    pub fn literal_value(&mut self, kind: Kinds) -> ValueId {
        self.values.intern(match kind {
            Kinds::TRUE => Known::True,
            Kinds::FALSE => Known::False,
            _ => Known::Null,
        })
    }

    /// The number that a JSON text writes; 0 for what is none.
    pub fn number_value(&mut self, text: &str) -> ValueId {
        self.values
            .intern(Known::Number(Decimal::parse(text).unwrap_or_else(Decimal::zero)))
    }

    /// A string, decoded.
    pub fn text_value(&mut self, text: &str) -> ValueId {
        self.values.intern(Known::Text(text.into()))
    }

    /// An array of these items.
    pub fn array_value(&mut self, items: Vec<ValueId>) -> ValueId {
        self.values.intern(Known::Array(items.into()))
    }

    /// The name of a member.
    pub fn name_id(&mut self, name: &str) -> NameId {
        self.names.intern(name)
    }

    /// An object of these members, whose names differ.
    pub fn object_value(&mut self, mut members: Vec<(NameId, ValueId)>) -> ValueId {
        members.sort_unstable();
        self.values.intern(Known::Object(members.into()))
    }

    /// The formula of one value. Cost: linear in its parts that have none yet; no recursion.
    pub(crate) fn constant(&mut self, value: ValueId) -> FormulaId {
        let mut todo = vec![value];
        while let Some(&next) = todo.last() {
            if self.values.constants.contains_key(&next) {
                todo.pop();
                continue;
            }
            let known = self.values.list[next.0 as usize].clone();
            let before = todo.len();
            let missing = |part: &ValueId| !self.values.constants.contains_key(part);
            match &*known {
                Known::Array(items) => todo.extend(items.iter().copied().filter(missing)),
                Known::Object(members) => todo.extend(members.iter().map(|member| member.1).filter(missing)),
                _ => {}
            }
            if todo.len() == before {
                let formula = self.constant_of(&known);
                self.values.constants.insert(next, formula);
                todo.pop();
            }
        }
        self.values.constants[&value]
    }

    /// The formula of a value whose parts have theirs.
    fn constant_of(&mut self, known: &Known) -> FormulaId {
        match known {
            Known::Null => self.formulas.kind(Kinds::NULL),
            Known::True => self.formulas.kind(Kinds::TRUE),
            Known::False => self.formulas.kind(Kinds::FALSE),
            Known::Number(number) => self.constant_numbers(vec![number.clone()]),
            Known::Text(text) => self.constant_texts(vec![&**text]),
            Known::Array(items) => {
                let prefix: Vec<FormulaId> = items.iter().map(|item| self.values.constants[item]).collect();
                self.array_of(&prefix)
            }
            Known::Object(members) => {
                let members = members.iter().map(|&(name, value)| (name, self.values.constants[&value]));
                let members = members.collect();
                self.object_of(members)
            }
        }
    }

    /// An array of exactly these items.
    pub(crate) fn array_of(&mut self, prefix: &[FormulaId]) -> FormulaId {
        let array = self.formulas.kind(Kinds::ARRAY);
        let items = self.formulas.items(prefix, FormulaId::FALSE);
        let all = self.formulas.min_items(prefix.len() as u32);
        self.formulas.and(&[array, items, all])
    }

    /// An object of exactly these members.
    pub(crate) fn object_of(&mut self, members: Vec<(NameId, FormulaId)>) -> FormulaId {
        let mut parts = vec![self.formulas.kind(Kinds::OBJECT)];
        parts.extend(members.iter().map(|member| self.formulas.has(member.0)));
        parts.push(self.formulas.members(Members {
            names: members.into(),
            patterns: Box::default(),
            other: FormulaId::FALSE,
        }));
        self.formulas.and(&parts)
    }

    /// One of these numbers (at least one).
    pub(crate) fn constant_numbers(&mut self, mut numbers: Vec<Decimal>) -> FormulaId {
        numbers.sort();
        numbers.dedup();
        let number = self.formulas.kind(Kinds::NUMBER);
        let atom = self.number_atom(NumberFormula::OneOf(numbers.into()));
        self.formulas.and(&[number, atom])
    }

    /// The formula of membership. Cost: linear in the last chunk and the number of chunks.
    pub(crate) fn one_of_set(&mut self, set: SetId) -> FormulaId {
        let chunks: Vec<SetId> = self.values.sets.chunks(set.0).map(SetId).collect();
        // A base is a whole chunk, so its formula is that of its own values and those below it.
        let mut all = FormulaId::FALSE;
        for &id in chunks.iter().rev() {
            all = match self.values.members_of.get(&id) {
                Some(&known) => known,
                None => {
                    let own = self.one_of_chunk(id);
                    let joined = self.formulas.or(&[all, own]);
                    self.values.members_of.insert(id, joined);
                    joined
                }
            };
        }
        all
    }

    fn one_of_chunk(&mut self, set: SetId) -> FormulaId {
        let values = self.values.sets.own(set.0).to_vec();
        let known: Vec<Arc<Known>> = values
            .iter()
            .map(|value| self.values.list[value.0 as usize].clone())
            .collect();
        let (mut numbers, mut texts, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        for (value, known) in values.iter().zip(&known) {
            match &**known {
                Known::Number(number) => numbers.push(number.clone()),
                Known::Text(text) => texts.push(&**text),
                _ => parts.push(self.constant(*value)),
            }
        }
        if !numbers.is_empty() {
            parts.push(self.constant_numbers(numbers));
        }
        if !texts.is_empty() {
            parts.push(self.constant_texts(texts));
        }
        self.formulas.or(&parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one() {
        let mut machine = SchemaMachine::new();
        let mut of = |text: &str| machine.parsed_value(text);
        for group in [
            vec!["1", "1.0", "10e-1"],
            vec!["0", "-0", "0e7"],
            vec![r#""a""#, r#""\u0061""#],
            vec![r#"{"a":1,"b":[{}]}"#, r#"{"b":[{}],"a":1.0}"#],
        ] {
            for text in &group {
                assert_eq!(of(text), of(group[0]), "{text}");
            }
        }
        let all = [
            "1",
            "true",
            "\"1\"",
            "[1]",
            "[[1]]",
            "{}",
            "[]",
            r#"{"a":1}"#,
            r#"{"b":1}"#,
            "null",
            "false",
            "[1,2]",
            "[2,1]",
        ];
        let ids: Vec<ValueId> = all.iter().map(|text| of(text)).collect();
        for i in 0..ids.len() {
            assert!(!ids[..i].contains(&ids[i]), "{}", all[i]);
        }
    }

    #[test]
    fn spelling_round_trips_at_any_depth() {
        let mut machine = SchemaMachine::new();
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        for text in [deep.as_str(), r#"{"a":[1,"x\"y",{"é":null}],"b":-1.5}"#, "\"]\""] {
            let value = machine.parsed_value(text);
            assert_eq!(machine.spelt_value(value), text);
            machine.constant(value);
        }
    }

    #[test]
    fn sets_are_sets() {
        let mut machine = SchemaMachine::new();
        let (mut forward, mut backward) = (SetId::EMPTY, SetId::EMPTY);
        let all: Vec<ValueId> = (0..20).map(|i| machine.number_value(&i.to_string())).collect();
        for i in 0..20 {
            forward = machine.values.with(forward, all[i]);
            backward = machine.values.with(backward, all[19 - i]);
        }
        assert_eq!(forward, backward);
        assert_eq!(machine.one_of_set(forward), machine.one_of_set(backward));
    }
}
