//! Arguments of a tool in a notation of tags: strings as they are until the closing tag, other values as JSON.
//!
//! Arguments come in the order of `properties`, each at most once, and only those that `properties` names: a subset of what the schema
//! allows, which the notation can tell apart. A keyword that decides about the object as a whole is refused by name.
//! Notations whose objects and arrays nest in elements of their own are read on in `nested.rs`.
use super::reader::{Read, Reader};
use super::styles::{Part, Style, STYLES};
use crate::ast::{Expr, ExprId, RuleId};
use crate::options::JsonOptions;
use crate::schema_text::kinds_of;
use penstock_automata::CharSet;
use penstock_schema::{pointer_step, Kinds};
use rustc_hash::FxHashMap;
use serde_json::{json, Map, Value};
use std::sync::Arc;

/// `max_argument_gap`: how much whitespace may stand between two arguments.
const MAX_ARGUMENT_GAP: u32 = 32;

/// How many references the schema of the arguments may be away.
const MAX_REFERENCES: usize = 16;

/// The address under which the values find the schema that they refer to.
const ADDRESS: &str = "penstock:arguments";

/// Keywords that say nothing of values.
pub(super) const ANNOTATIONS: [&str; 14] = [
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "$comment",
    "$schema",
    "$id",
    "$defs",
    "definitions",
    "format_hint",
    "strict",
];

/// Keywords that decide about the object as a whole.
const REFUSED: [&str; 18] = [
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "const",
    "enum",
    "minProperties",
    "maxProperties",
    "patternProperties",
    "propertyNames",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "$dynamicRef",
    "$recursiveRef",
];

/// What the values of one tool share.
pub(super) struct Tool<'v> {
    pub style: &'static Style,
    /// The whole schema, and the pointer of the part that describes the object.
    document: &'v Value,
    pub pointer: String,
    options: Arc<JsonOptions>,
    /// The options for values that refer to other parts of the document.
    referring: Arc<JsonOptions>,
    pub excludes: Vec<String>,
    /// The bodies of objects and arrays that are referred to, by pointer.
    pub rules: FxHashMap<(String, Kinds), RuleId>,
}

/// The spellings of a value: with these kinds, as it is or as JSON.
pub(super) struct Spelling {
    pub kinds: Kinds,
    pub raw: bool,
    pub body: ExprId,
}

impl Reader<'_> {
    /// The arguments that `schema` describes, in the notation `style`.
    pub fn arguments(
        &mut self,
        schema: &Value,
        style: &str,
        options: JsonOptions,
        any_order: bool,
        excludes: Vec<String>,
    ) -> Read<ExprId> {
        let Some(style) = STYLES.iter().find(|known| known.name == style) else {
            let names = STYLES.map(|style| style.name).join("`, `");
            let message = format!("`{style}` is no style");
            let hint = format!("the styles are `json`, `{names}`");
            return self.within("style", |reader| reader.refused(message, &hint));
        };
        if any_order {
            let hint = "leave it out: arguments come in the order of `properties`";
            return self.within("any_order", |reader| {
                reader.refused("`any_order` is refused for arguments in tags", hint)
            });
        }
        self.within("json_schema", |reader| {
            reader.check_schema(schema)?;
            let mut registry = options.clone();
            registry.schema.registry.insert(ADDRESS.to_owned(), schema.clone());
            let mut tool = Tool {
                style,
                document: schema,
                pointer: String::new(),
                options: Arc::new(options),
                referring: Arc::new(registry),
                excludes,
                rules: FxHashMap::default(),
            };
            reader.object(schema, &mut tool)
        })
    }

    /// The arguments of the object that a schema describes.
    fn object<'v>(&mut self, schema: &'v Value, tool: &mut Tool<'v>) -> Read<ExprId> {
        let Some(fields) = self.referred(schema, tool)? else {
            return Ok(self.gap());
        };
        self.check_object(fields)?;
        self.members(fields, tool)
    }

    /// The arguments that these fields of a schema name, with whitespace between and around them.
    pub fn members<'v>(&mut self, fields: &'v Map<String, Value>, tool: &mut Tool<'v>) -> Read<ExprId> {
        let properties = fields.get("properties").and_then(Value::as_object);
        let required: Vec<&str> = fields
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if let Some(missing) = required
            .iter()
            .find(|name| !properties.is_some_and(|known| known.contains_key(**name)))
        {
            let message = format!("`{missing}` is required and `properties` doesn't name it");
            return self.within("required", |reader| reader.refused(message, "declare it in `properties`"));
        }
        let mut parts = Vec::new();
        for (name, value) in properties.into_iter().flatten() {
            let argument = self.within("properties", |reader| {
                reader.within(name, |reader| reader.argument(name, value, tool))
            })?;
            parts.push(match (argument, required.contains(&name.as_str())) {
                (Some(argument), true) => argument,
                (Some(argument), false) => self.builder.repeat(argument, 0, 1),
                (None, true) => {
                    return self.wrong(
                        format!("no value of `{name}` is allowed, and it is required"),
                        "change its schema",
                    )
                }
                (None, false) => continue,
            });
        }
        parts.push(self.gap());
        Ok(self.builder.sequence(parts))
    }

    /// The fields of the schema that describes the object, behind references; `None` where anything is allowed.
    pub fn referred<'v>(&mut self, schema: &'v Value, tool: &mut Tool<'v>) -> Read<Option<&'v Map<String, Value>>> {
        let mut found = schema;
        for _ in 0..MAX_REFERENCES {
            let Value::Object(fields) = found else {
                return match found {
                    Value::Bool(false) => self.wrong("no object satisfies `false`", "write a schema"),
                    _ => Ok(None),
                };
            };
            let Some(reference) = fields.get("$ref") else {
                return Ok(Some(fields));
            };
            let pointer = reference.as_str().and_then(|text| text.strip_prefix('#'));
            let plain = fields
                .keys()
                .all(|name| name == "$ref" || ANNOTATIONS.contains(&name.as_str()));
            let target = pointer.filter(|_| plain).and_then(|pointer| tool.document.pointer(pointer));
            match (pointer, target) {
                (Some(pointer), Some(target)) => (tool.pointer, found) = (pointer.to_owned(), target),
                _ => {
                    let message = format!("the reference {reference} is refused here");
                    return self.within("$ref", |reader| {
                        reader.refused(
                            message,
                            "refer to a part of the same schema by a JSON pointer, without other keywords",
                        )
                    });
                }
            }
        }
        self.wrong("the references lead in a circle", "write the schema of the arguments")
    }

    pub fn check_object(&mut self, fields: &Map<String, Value>) -> Read<()> {
        if let Some(keyword) = fields.keys().find(|name| REFUSED.contains(&name.as_str())) {
            let message = format!("`{keyword}` is refused for arguments in tags");
            return self.within(keyword, |reader| {
                reader.refused(
                    message,
                    "say what is meant in the schemas of the arguments, or use the style `json`",
                )
            });
        }
        let is_object = match fields.get("type") {
            None => true,
            Some(Value::Array(names)) => names.iter().any(|name| name == "object"),
            Some(name) => name == "object",
        };
        if !is_object {
            return self.within("type", |reader| reader.wrong("arguments are an object", "write \"object\""));
        }
        let others = ["additionalProperties", "unevaluatedProperties"];
        let open = others
            .into_iter()
            .find(|name| fields.get(*name).is_some_and(Value::is_object));
        match open {
            Some(keyword) if fields.get("properties").is_none() => self.within(keyword, |reader| {
                reader.refused("arguments without names are refused in tags", "declare them in `properties`")
            }),
            _ => Ok(()),
        }
    }

    /// Whitespace between arguments.
    pub fn gap(&mut self) -> ExprId {
        let set = CharSet::new([(0x09, 0x0A), (0x0D, 0x0D), (0x20, 0x20)]);
        let one = self.builder.add(Expr::Class(set));
        self.builder.repeat(one, 0, MAX_ARGUMENT_GAP)
    }

    /// One argument, after the whitespace before it; `None` where no value is allowed.
    fn argument<'v>(&mut self, name: &str, value: &'v Value, tool: &mut Tool<'v>) -> Read<Option<ExprId>> {
        self.check_schema(value)?;
        let is_closing = tool.style.item.is_some() && name.starts_with('/');
        if is_closing || name.trim().is_empty() || name.contains(['<', '>', '"', '\n', '\r']) {
            return self.refused(
                format!("the name `{name}` is refused in tags"),
                "rename it: no quotes, angles or line breaks",
            );
        }
        let step = pointer_step(name).replace('%', "%25");
        let pointer = format!("{}/properties/{step}", tool.pointer);
        self.element(name, value, &pointer, tool.style.argument, tool)
    }

    /// A value that stands at `pointer` in its element, after whitespace; `None` where no value is allowed.
    pub fn element<'v>(
        &mut self,
        name: &str,
        value: &'v Value,
        pointer: &str,
        parts: &'static [Part],
        tool: &mut Tool<'v>,
    ) -> Read<Option<ExprId>> {
        let end = end_of(parts);
        let spellings = self.spellings(value, pointer, tool, end)?;
        let ways: Vec<ExprId> = spellings.iter().map(|spelling| self.spelled(name, parts, spelling)).collect();
        if ways.is_empty() {
            return Ok(None);
        }
        let parts = vec![self.gap(), self.builder.choice(ways)];
        Ok(Some(self.builder.sequence(parts)))
    }

    pub fn spelled(&mut self, name: &str, written: &[Part], spelling: &Spelling) -> ExprId {
        let mut parts = Vec::new();
        for part in written {
            parts.push(match part {
                Part::Text(text) => self.fixed(text),
                Part::Name => self.builder.text(name),
                Part::Gap => self.gap(),
                Part::IsString => self.builder.text(if spelling.raw { "true" } else { "false" }),
                Part::Type => self.builder.text(type_name(spelling.kinds)),
                Part::Shape => self.builder.text(shape_name(spelling.kinds)),
                Part::Value => spelling.body,
            });
        }
        self.builder.sequence(parts)
    }

    /// The ways to write a value: a string as it is, other values as JSON, by their types where the notation names them.
    fn spellings<'v>(&mut self, value: &'v Value, pointer: &str, tool: &mut Tool<'v>, end: &str) -> Read<Vec<Spelling>> {
        let (schema, options) = located(value, pointer, tool);
        let options = &options;
        let kinds = self.kinds(&schema, options)?;
        let others = kinds.and(Kinds::STRING.complement());
        if !tool.excludes.is_empty() && !others.and(Kinds::ARRAY.or(Kinds::OBJECT)).is_empty() {
            return self.refused(
                "`excludes` are refused where a value may be JSON",
                "leave them out, or let it be a string",
            );
        }
        let mut found = Vec::new();
        if kinds.has(Kinds::STRING) {
            found.push(Spelling {
                kinds: Kinds::STRING,
                raw: true,
                body: self.raw(value, &schema, options, tool, end),
            });
        }
        let by_type = tool.style.argument.iter().any(|part| matches!(part, Part::Type));
        let groups = match (by_type, tool.style.item) {
            (true, _) => vec![Kinds::NULL, Kinds::BOOLEAN, Kinds::NUMBER, Kinds::ARRAY, Kinds::OBJECT],
            (false, None) => vec![Kinds::STRING.complement()],
            (false, Some(_)) => vec![Kinds::STRING.or(Kinds::ARRAY).or(Kinds::OBJECT).complement()],
        };
        for group in groups {
            let kept = kinds.and(group);
            if !kept.is_empty() {
                found.push(Spelling {
                    kinds: kept,
                    raw: false,
                    body: self.json_value(&schema, options, kinds, kept, tool.style.spaced),
                });
            }
        }
        if tool.style.item.is_some() {
            for shape in [Kinds::ARRAY, Kinds::OBJECT] {
                if !kinds.and(shape).is_empty() {
                    let body = self.container(value, pointer, shape, tool)?;
                    found.extend(body.map(|body| Spelling {
                        kinds: shape,
                        raw: false,
                        body,
                    }));
                }
            }
        }
        Ok(found)
    }

    /// The kinds of the values of a schema.
    pub fn kinds(&mut self, schema: &Value, options: &JsonOptions) -> Read<Kinds> {
        kinds_of(schema, options).or_else(|error| self.nested(error))
    }

    /// The values of a schema that are of these kinds, as JSON with whitespace around it.
    fn json_value(&mut self, schema: &Value, options: &Arc<JsonOptions>, all: Kinds, kept: Kinds, spaced: bool) -> ExprId {
        let schema = match all == kept {
            true => schema.clone(),
            false => json!({"allOf": [schema, {"type": type_names(kept)}]}),
        };
        let (schema, options) = (Arc::new(schema), options.clone());
        let value = self.builder.add(Expr::JsonSchema { schema, options });
        if !spaced {
            return value;
        }
        let parts = vec![self.gap(), value, self.gap()];
        self.builder.sequence(parts)
    }

    /// The strings of a schema as they are; `end` is not among their parts.
    fn raw(&mut self, value: &Value, schema: &Value, options: &Arc<JsonOptions>, tool: &Tool, end: &str) -> ExprId {
        let mut excludes = tool.excludes.clone();
        excludes.push(end.to_owned());
        let free = self.free_text(excludes);
        let is_free =
            |(name, value): (&String, &Value)| ANNOTATIONS.contains(&name.as_str()) || (name == "type" && value == "string");
        if value.as_object().is_some_and(|fields| fields.iter().all(is_free)) {
            return free;
        }
        let (schema, options) = (Arc::new(schema.clone()), options.clone());
        let text = self.builder.add(Expr::SchemaText { schema, options });
        let text = self.builder.add(Expr::And(vec![text, free]));
        if !tool.style.padded {
            return text;
        }
        let line = self.builder.text("\n");
        let padded = self.builder.sequence(vec![line, text, line]);
        self.builder.choice(vec![text, padded])
    }
}

/// The text behind the value.
pub(super) fn end_of(parts: &'static [Part]) -> &'static str {
    let at = parts.iter().position(|part| matches!(part, Part::Value));
    match at.and_then(|at| parts.get(at + 1)) {
        Some(Part::Text(text)) => text,
        _ => unreachable!("in every style a text ends the value"),
    }
}

/// The schema at `pointer` so that what it refers to is found, and the options to read it with.
pub(super) fn located(value: &Value, pointer: &str, tool: &Tool) -> (Value, Arc<JsonOptions>) {
    match refers(value) || tool.document.get("$schema").is_some() {
        false => (value.clone(), tool.options.clone()),
        true => (json!({"$ref": format!("{ADDRESS}#{pointer}")}), tool.referring.clone()),
    }
}

/// How a nesting notation calls a spelling.
fn shape_name(kinds: Kinds) -> &'static str {
    match kinds {
        Kinds::STRING => "raw",
        Kinds::ARRAY => "list",
        Kinds::OBJECT => "dict",
        _ => "json",
    }
}

/// Whether a schema refers to something outside itself.
fn refers(schema: &Value) -> bool {
    let mut stack = vec![schema];
    while let Some(value) = stack.pop() {
        match value {
            Value::Object(fields) => {
                if fields.keys().any(|name| name.ends_with("Ref") || name == "$ref") {
                    return true;
                }
                stack.extend(fields.values());
            }
            Value::Array(items) => stack.extend(items),
            _ => {}
        }
    }
    false
}

fn type_names(kinds: Kinds) -> Vec<&'static str> {
    let named = [
        Kinds::NULL,
        Kinds::BOOLEAN,
        Kinds::NUMBER,
        Kinds::STRING,
        Kinds::ARRAY,
        Kinds::OBJECT,
    ];
    let present = named.into_iter().filter(|kind| !kinds.and(*kind).is_empty());
    present.map(type_name).collect()
}

fn type_name(kinds: Kinds) -> &'static str {
    match kinds {
        Kinds::NULL => "null",
        Kinds::NUMBER => "number",
        Kinds::STRING => "string",
        Kinds::ARRAY => "array",
        Kinds::OBJECT => "object",
        _ => "boolean",
    }
}
