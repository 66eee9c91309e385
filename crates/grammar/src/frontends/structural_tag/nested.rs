//! Values of notations whose objects and arrays are elements within elements.
//!
//! What such a value may be is read off its schema: members of objects and items of arrays one by one, choices branch by branch.
//! A keyword that decides about a whole object or array in another way is refused by name. Values that no schema describes
//! are scalars, or empty.
use super::arguments::{end_of, located, Spelling, Tool, ANNOTATIONS};
use super::reader::{Fields, Read, Reader};
use crate::ast::{Expr, ExprId};
use penstock_automata::INFINITE;
use penstock_schema::{pointer_step, Kinds};
use serde_json::{json, Value};
use std::sync::LazyLock;

/// Keywords that decide about an array as a whole.
const REFUSED_FOR_ARRAYS: [&str; 8] = [
    "additionalItems",
    "contains",
    "else",
    "if",
    "not",
    "then",
    "unevaluatedItems",
    "uniqueItems",
];

/// Items of which nothing is said.
static NOTHING: LazyLock<Fields> = LazyLock::new(Fields::new);
static SCALAR: LazyLock<Value> = LazyLock::new(|| json!({"type": ["string", "number", "boolean", "null"]}));

impl Reader<'_> {
    /// The inside of the element of an object or array; `None` where the schema allows none of the shape.
    pub fn container<'v>(
        &mut self,
        value: &'v Value,
        pointer: &str,
        shape: Kinds,
        tool: &mut Tool<'v>,
    ) -> Read<Option<ExprId>> {
        self.deeper(|reader| {
            let outer = std::mem::replace(&mut tool.pointer, pointer.to_owned());
            let found = reader.shaped(value, shape, tool);
            tool.pointer = outer;
            found
        })
    }

    fn shaped<'v>(&mut self, value: &'v Value, shape: Kinds, tool: &mut Tool<'v>) -> Read<Option<ExprId>> {
        let here = tool.pointer.clone();
        let Some(fields) = self.referred(value, tool)? else {
            return self.unknown(shape, tool).map(Some);
        };
        if tool.pointer == here {
            return self.described(fields, shape, tool);
        }
        // What is referred to becomes a rule: it may hold itself.
        let key = (tool.pointer.clone(), shape);
        let rule = match tool.rules.get(&key) {
            Some(&rule) => rule,
            None => {
                let rule = self.builder.fresh_rule("value");
                tool.rules.insert(key, rule);
                let body = match self.described(fields, shape, tool)? {
                    Some(body) => body,
                    None => self.builder.choice(Vec::new()),
                };
                self.builder.define(rule, body);
                rule
            }
        };
        Ok(Some(self.builder.add(Expr::Rule(rule))))
    }

    /// An object or array of which nothing is known.
    fn unknown<'v>(&mut self, shape: Kinds, tool: &mut Tool<'v>) -> Read<ExprId> {
        match shape {
            Kinds::ARRAY => self.items(&NOTHING, tool),
            _ => Ok(self.gap()),
        }
    }

    fn described<'v>(&mut self, fields: &'v Fields, shape: Kinds, tool: &mut Tool<'v>) -> Read<Option<ExprId>> {
        for (keyword, is_choice) in [
            ("const", false),
            ("enum", false),
            ("anyOf", true),
            ("oneOf", true),
            ("allOf", true),
        ] {
            let Some(listed) = fields.get(keyword) else { continue };
            let is_plain = |name: &String| name == keyword || name == "type" || ANNOTATIONS.contains(&name.as_str());
            if let Some(other) = fields.keys().find(|name| !is_plain(name)) {
                return self.refused(
                    format!("`{other}` beside `{keyword}` is refused for values that nest"),
                    "say all of it in the branches",
                );
            }
            return match is_choice {
                true => self.branches(keyword, listed, shape, tool),
                false => self.literals(keyword, listed, shape, tool),
            };
        }
        if shape == Kinds::ARRAY {
            return self.items(fields, tool).map(Some);
        }
        let mut of_objects = fields.clone();
        of_objects.remove("type");
        self.check_object(&of_objects)?;
        self.members(fields, tool).map(Some)
    }

    /// One of the branches. Of `oneOf` only one may allow the shape, of `allOf` there is only one.
    fn branches<'v>(&mut self, keyword: &str, listed: &'v Value, shape: Kinds, tool: &mut Tool<'v>) -> Read<Option<ExprId>> {
        let branches = listed.as_array().map_or(&[][..], Vec::as_slice);
        let place = tool.pointer.clone();
        let mut ways = Vec::new();
        for (i, branch) in branches.iter().enumerate() {
            let pointer = format!("{place}/{keyword}/{i}");
            let (schema, options) = located(branch, &pointer, tool);
            if !self.kinds(&schema, &options)?.and(shape).is_empty() {
                ways.extend(self.container(branch, &pointer, shape, tool)?);
            }
        }
        if (keyword == "oneOf" && ways.len() > 1) || (keyword == "allOf" && branches.len() > 1) {
            let message = format!("`{keyword}` is refused where several branches describe a value that nests");
            return self.refused(message, "use `anyOf`, or join the branches");
        }
        Ok((!ways.is_empty()).then(|| self.builder.choice(ways)))
    }

    fn literals(&mut self, keyword: &str, listed: &Value, shape: Kinds, tool: &mut Tool) -> Read<Option<ExprId>> {
        let values = match keyword {
            "const" => std::slice::from_ref(listed),
            _ => listed.as_array().map_or(&[][..], Vec::as_slice),
        };
        let mut ways = Vec::new();
        for value in values {
            let fits = match value {
                Value::Array(_) => shape == Kinds::ARRAY,
                Value::Object(_) => shape == Kinds::OBJECT,
                _ => false,
            };
            if fits {
                ways.push(self.literal(value, tool)?.body);
            }
        }
        Ok((!ways.is_empty()).then(|| self.builder.choice(ways)))
    }

    /// A value as it is written.
    fn literal(&mut self, value: &Value, tool: &mut Tool) -> Read<Spelling> {
        let (kinds, parts) = match value {
            Value::Array(items) => (Kinds::ARRAY, items.iter().map(|item| ("item", item)).collect::<Vec<_>>()),
            Value::Object(members) => (
                Kinds::OBJECT,
                members.iter().map(|(name, member)| (name.as_str(), member)).collect(),
            ),
            Value::String(text) => return self.literal_text(text, tool),
            other => {
                return Ok(Spelling {
                    kinds: Kinds::NUMBER,
                    raw: false,
                    body: self.builder.text(other.to_string()),
                })
            }
        };
        let written = match (kinds, tool.style.item) {
            (Kinds::ARRAY, Some(item)) => item,
            _ => tool.style.argument,
        };
        let mut found = Vec::new();
        for (name, part) in parts {
            let inner = self.deeper(|reader| reader.literal(part, tool))?;
            found.push(self.gap());
            found.push(self.spelled(name, written, &inner));
        }
        found.push(self.gap());
        let body = self.builder.sequence(found);
        Ok(Spelling { kinds, raw: false, body })
    }

    fn literal_text(&mut self, text: &str, tool: &Tool) -> Read<Spelling> {
        let end = end_of(tool.style.argument);
        if text.contains(end) {
            return self.refused(format!("the text `{text}` holds `{end}`, which ends it"), "change the text");
        }
        Ok(Spelling {
            kinds: Kinds::STRING,
            raw: true,
            body: self.builder.text(text),
        })
    }

    /// The items of an array, with whitespace between and around them.
    fn items<'v>(&mut self, fields: &'v Fields, tool: &mut Tool<'v>) -> Read<ExprId> {
        if let Some(keyword) = fields.keys().find(|name| REFUSED_FOR_ARRAYS.contains(&name.as_str())) {
            let message = format!("`{keyword}` is refused for arrays that nest");
            return self.refused(
                message,
                "say what is meant with `prefixItems`, `items`, `minItems` and `maxItems`",
            );
        }
        let least = self.count(fields, "minItems")?.unwrap_or(0);
        let most = self.count(fields, "maxItems")?.unwrap_or(INFINITE);
        let place = tool.pointer.clone();
        let first = fields
            .get("prefixItems")
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        let mut elements = Vec::new();
        for (i, schema) in first.iter().enumerate().take(most as usize) {
            elements.push(self.item(schema, &format!("{place}/prefixItems/{i}"), tool)?);
        }
        let rest = match fields.get("items") {
            Some(schema) => self.item(schema, &format!("{place}/{}", pointer_step("items")), tool)?,
            None => self.item(&SCALAR, &place, tool)?,
        };
        let count = elements.len() as u32;
        let rest_most = if most == INFINITE { INFINITE } else { most - count };
        let mut tail = match rest {
            Some(rest) if rest_most > 0 => self
                .builder
                .repeat(rest, least.saturating_sub(count).min(rest_most), rest_most),
            _ => self.builder.text(""),
        };
        if least > most || (rest.is_none() && least > count) {
            tail = self.builder.choice(Vec::new());
        }
        for (i, element) in elements.into_iter().enumerate().rev() {
            tail = match element {
                Some(element) => self.builder.sequence(vec![element, tail]),
                None => self.builder.choice(Vec::new()),
            };
            if i as u32 >= least {
                tail = self.builder.repeat(tail, 0, 1);
            }
        }
        let gap = self.gap();
        Ok(self.builder.sequence(vec![tail, gap]))
    }

    fn item<'v>(&mut self, schema: &'v Value, pointer: &str, tool: &mut Tool<'v>) -> Read<Option<ExprId>> {
        self.check_schema(schema)?;
        let written = tool.style.item.unwrap_or(tool.style.argument);
        self.element("item", schema, pointer, written, tool)
    }
}
