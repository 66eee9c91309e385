//! Interned values as JSON texts, both ways. Nothing recurses.
use crate::identity::{Known, ValueId};
use crate::kinds::Kinds;
use crate::machine::SchemaMachine;
use crate::names::NameId;
use std::fmt::Write;

/// What is still to be written.
enum Part {
    Value(ValueId),
    Text(String),
}

/// A container whose end has not been read.
struct Open {
    is_object: bool,
    /// The name of the member that is being read.
    name: Option<NameId>,
    items: Vec<ValueId>,
    members: Vec<(NameId, ValueId)>,
}

impl SchemaMachine {
    /// The JSON text of a value.
    pub(crate) fn spelt_value(&self, value: ValueId) -> String {
        let (mut out, mut todo) = (String::new(), vec![Part::Value(value)]);
        while let Some(part) = todo.pop() {
            match part {
                Part::Text(text) => out.push_str(&text),
                Part::Value(value) => self.spell_one(value, &mut out, &mut todo),
            }
        }
        out
    }

    /// Writes a scalar, or opens a container and puts its parts on the list.
    fn spell_one(&self, value: ValueId, out: &mut String, todo: &mut Vec<Part>) {
        let mut inner = Vec::new();
        let comma = |i: usize| if i > 0 { "," } else { "" };
        match self.values.get(value) {
            Known::Null => out.push_str("null"),
            Known::True => out.push_str("true"),
            Known::False => out.push_str("false"),
            Known::Number(number) => {
                let _ = write!(out, "{number}");
            }
            Known::Text(text) => out.push_str(&quoted(text)),
            Known::Array(items) => {
                out.push('[');
                for (i, &item) in items.iter().enumerate() {
                    inner.extend([Part::Text(comma(i).to_owned()), Part::Value(item)]);
                }
                inner.push(Part::Text("]".to_owned()));
            }
            Known::Object(members) => {
                out.push('{');
                for (i, &(name, value)) in members.iter().enumerate() {
                    let name = format!("{}{}:", comma(i), quoted(self.names.text(name)));
                    inner.extend([Part::Text(name), Part::Value(value)]);
                }
                inner.push(Part::Text("}".to_owned()));
            }
        }
        todo.extend(inner.into_iter().rev());
    }

    /// The value of a JSON text that the machine itself has written: correct, and without whitespace.
    pub(crate) fn parsed_value(&mut self, text: &str) -> ValueId {
        let (mut open, mut at) = (Vec::<Open>::new(), 0);
        loop {
            let length = symbol_length(&text.as_bytes()[at..]);
            let symbol = &text[at..at + length];
            at += length;
            let value = match symbol {
                "," => continue,
                "[" | "{" => {
                    open.push(Open {
                        is_object: symbol == "{",
                        name: None,
                        items: Vec::new(),
                        members: Vec::new(),
                    });
                    continue;
                }
                "]" | "}" => match open.pop() {
                    Some(object) if object.is_object => self.object_value(object.members),
                    array => self.array_value(array.map_or(Vec::new(), |array| array.items)),
                },
                scalar => match open.last_mut() {
                    Some(object) if object.is_object && object.name.is_none() => {
                        object.name = Some(self.names.intern(&decoded(scalar)));
                        at += 1;
                        continue;
                    }
                    _ => self.scalar_value(scalar),
                },
            };
            let Some(around) = open.last_mut() else {
                return value;
            };
            match around.name.take() {
                Some(name) => around.members.push((name, value)),
                None => around.items.push(value),
            }
        }
    }

    fn scalar_value(&mut self, text: &str) -> ValueId {
        match text {
            "null" => self.literal_value(Kinds::NULL),
            "true" => self.literal_value(Kinds::TRUE),
            "false" => self.literal_value(Kinds::FALSE),
            text if text.starts_with('"') => self.text_value(&decoded(text)),
            number => self.number_value(number),
        }
    }
}

/// The length of the bracket, comma or scalar at the start.
fn symbol_length(bytes: &[u8]) -> usize {
    match bytes.first() {
        Some(b'[' | b']' | b'{' | b'}' | b',') => 1,
        Some(b'"') => {
            let mut at = 1;
            while at < bytes.len() && bytes[at] != b'"' {
                at += if bytes[at] == b'\\' { 2 } else { 1 };
            }
            at + 1
        }
        _ => bytes.iter().position(|byte| b",]}".contains(byte)).unwrap_or(bytes.len()),
    }
}

fn decoded(text: &str) -> String {
    serde_json::from_str(text).unwrap_or_default()
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
