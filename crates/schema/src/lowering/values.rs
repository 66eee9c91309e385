//! Constants: `enum` and `const`.
use super::{Lowerer, PathId};
use crate::formula::FormulaId;
use crate::kinds::Kinds;
use crate::machine::SchemaMachine;
use crate::number::Decimal;
use serde_json::Value;

impl Lowerer<'_, '_> {
    /// One of some values, compared as JSON values.
    pub(super) fn one_of_values(&mut self, values: &[Value], keyword: &str, path: PathId) -> FormulaId {
        let limit = self.options.limits.max_schema_nesting;
        if values.iter().any(|value| is_deeper(value, limit)) {
            self.limit_problem("max_schema_nesting", path, keyword);
            return FormulaId::TRUE;
        }
        self.machine.constants(values.iter())
    }
}

impl SchemaMachine {
    fn constants<'a>(&mut self, values: impl Iterator<Item = &'a Value>) -> FormulaId {
        let (mut kinds, mut texts, mut numbers, mut parts) = (Kinds::NONE, Vec::new(), Vec::new(), Vec::new());
        for value in values {
            match value {
                Value::Null => kinds = kinds.or(Kinds::NULL),
                Value::Bool(true) => kinds = kinds.or(Kinds::TRUE),
                Value::Bool(false) => kinds = kinds.or(Kinds::FALSE),
                Value::String(text) => texts.push(text.as_str()),
                Value::Number(number) => numbers.extend(Decimal::parse(&number.to_string())),
                Value::Array(items) => parts.push(self.constant_array(items)),
                Value::Object(members) => parts.push(self.constant_object(members)),
            }
        }
        parts.push(self.formulas.kind(kinds));
        if !texts.is_empty() {
            parts.push(self.constant_texts(texts));
        }
        if !numbers.is_empty() {
            parts.push(self.constant_numbers(numbers));
        }
        self.formulas.or(&parts)
    }

    /// One of these strings (at least one).
    pub(crate) fn constant_texts(&mut self, mut texts: Vec<&str>) -> FormulaId {
        texts.sort_unstable();
        texts.dedup();
        let regex = self.regexes.words(texts.iter().copied());
        self.word_lists
            .entry(regex)
            .or_insert_with(|| texts.iter().map(|text| Box::from(*text)).collect());
        let string = self.formulas.kind(Kinds::STRING);
        let text = self.text_atom(regex);
        self.formulas.and(&[string, text])
    }

    fn constant_array(&mut self, items: &[Value]) -> FormulaId {
        let prefix: Vec<FormulaId> = items.iter().map(|item| self.constants(std::iter::once(item))).collect();
        self.array_of(&prefix)
    }

    fn constant_object(&mut self, members: &serde_json::Map<String, Value>) -> FormulaId {
        let mut list = Vec::with_capacity(members.len());
        for (name, value) in members {
            let name = self.names.intern(name);
            list.push((name, self.constants(std::iter::once(value))));
        }
        self.object_of(list)
    }

    /// The atom of a language of strings.
    pub(crate) fn text_atom(&mut self, regex: penstock_automata::RegexId) -> FormulaId {
        let nullable = self.regexes.is_nullable(regex);
        self.formulas.text(regex, nullable)
    }
}

/// Whether a value nests deeper than `limit`, found without recursion.
fn is_deeper(value: &Value, limit: u32) -> bool {
    let mut todo = vec![(value, 0)];
    while let Some((value, depth)) = todo.pop() {
        if depth > limit {
            return true;
        }
        match value {
            Value::Array(items) => todo.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(members) => todo.extend(members.values().map(|member| (member, depth + 1))),
            _ => {}
        }
    }
    false
}
