//! The slow, obvious twin: a validator of whole values, straight from the specification (2020-12, local references only).
#![allow(dead_code)]
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Which members and items a schema evaluated, where it held.
#[derive(Clone, Default)]
pub struct Evaluated {
    names: BTreeSet<String>,
    items: BTreeSet<usize>,
}

impl Evaluated {
    fn add(&mut self, other: Evaluated) {
        self.names.extend(other.names);
        self.items.extend(other.items);
    }
}

/// Whether a value is valid.
pub fn is_valid(root: &Value, value: &Value) -> bool {
    check(root, root, value).is_some()
}

/// JSON equality: `1` is `1.0`, members in any order.
pub fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

/// The patterns of the random schemas, by hand.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern {
        "^a" => text.starts_with('a'),
        "b$" => text.ends_with('b'),
        "b" => text.contains('b'),
        "d" => text.contains('d'),
        "^[ab]$" => text == "a" || text == "b",
        "^[bc]$" => text == "b" || text == "c",
        "^[a-c]$" => matches!(text, "a" | "b" | "c"),
        other => panic!("no pattern of the random schemas: {other}"),
    }
}

fn check(root: &Value, schema: &Value, value: &Value) -> Option<Evaluated> {
    let object = match schema {
        Value::Bool(true) => return Some(Evaluated::default()),
        Value::Bool(false) => return None,
        other => other.as_object().expect("a schema"),
    };
    let mut evaluated = Evaluated::default();
    in_place(root, object, value, &mut evaluated)?;
    let holds = match value {
        Value::Number(number) => number_holds(object, number.as_f64().expect("small")),
        Value::String(text) => string_holds(object, text),
        Value::Object(members) => object_holds(root, object, members, &mut evaluated)?,
        Value::Array(items) => array_holds(root, object, items, &mut evaluated)?,
        _ => true,
    };
    let constant = object.get("const").is_none_or(|one| equal(one, value));
    let listed = object
        .get("enum")
        .is_none_or(|list| list.as_array().expect("a list").iter().any(|one| equal(one, value)));
    (holds && constant && listed && type_holds(object, value)).then_some(evaluated)
}

fn type_holds(object: &Map<String, Value>, value: &Value) -> bool {
    let is = |name: &Value| match name.as_str().expect("a name") {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "string" => value.is_string(),
        "array" => value.is_array(),
        _ => value.is_object(),
    };
    match object.get("type") {
        None => true,
        Some(Value::Array(names)) => names.iter().any(is),
        Some(name) => is(name),
    }
}

fn in_place(root: &Value, object: &Map<String, Value>, value: &Value, evaluated: &mut Evaluated) -> Option<()> {
    if let Some(reference) = object.get("$ref") {
        let pointer = reference.as_str().expect("a text").trim_start_matches('#');
        evaluated.add(check(root, root.pointer(pointer).expect("a target"), value)?);
    }
    for part in list(object, "allOf") {
        evaluated.add(check(root, part, value)?);
    }
    for (keyword, most) in [("anyOf", usize::MAX), ("oneOf", 1)] {
        if object.contains_key(keyword) {
            let held: Vec<Evaluated> = list(object, keyword)
                .iter()
                .filter_map(|part| check(root, part, value))
                .collect();
            if held.is_empty() || held.len() > most {
                return None;
            }
            held.into_iter().for_each(|one| evaluated.add(one));
        }
    }
    if object.get("not").is_some_and(|part| check(root, part, value).is_some()) {
        return None;
    }
    if let Some(condition) = object.get("if") {
        let held = check(root, condition, value);
        let then = if held.is_some() { "then" } else { "else" };
        evaluated.add(held.unwrap_or_default());
        if let Some(then) = object.get(then) {
            evaluated.add(check(root, then, value)?);
        }
    }
    Some(())
}

fn list<'v>(object: &'v Map<String, Value>, keyword: &str) -> &'v [Value] {
    object.get(keyword).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn count(object: &Map<String, Value>, keyword: &str, default: u64) -> usize {
    object.get(keyword).map_or(default, |count| count.as_u64().expect("a count")) as usize
}

const MANY: u64 = 1 << 40;

fn number_holds(object: &Map<String, Value>, number: f64) -> bool {
    let bound = |keyword: &str| object.get(keyword).map(|bound| bound.as_f64().expect("a number"));
    bound("minimum").is_none_or(|bound| number >= bound)
        && bound("maximum").is_none_or(|bound| number <= bound)
        && bound("exclusiveMinimum").is_none_or(|bound| number > bound)
        && bound("exclusiveMaximum").is_none_or(|bound| number < bound)
        && bound("multipleOf").is_none_or(|step| (number / step).fract() == 0.0)
}

fn string_holds(object: &Map<String, Value>, text: &str) -> bool {
    let length = text.chars().count();
    let pattern = object.get("pattern").and_then(Value::as_str);
    length >= count(object, "minLength", 0)
        && length <= count(object, "maxLength", MANY)
        && pattern.is_none_or(|pattern| matches(pattern, text))
}

fn object_holds(
    root: &Value,
    object: &Map<String, Value>,
    members: &Map<String, Value>,
    evaluated: &mut Evaluated,
) -> Option<bool> {
    for (name, value) in members {
        let mut hit = false;
        if let Some(schema) = object.get("properties").and_then(|map| map.get(name)) {
            hit = true;
            check(root, schema, value)?;
        }
        for (pattern, schema) in object
            .get("patternProperties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            if matches(pattern, name) {
                hit = true;
                check(root, schema, value)?;
            }
        }
        if let (false, Some(schema)) = (hit, object.get("additionalProperties")) {
            hit = true;
            check(root, schema, value)?;
        }
        if hit {
            evaluated.names.insert(name.clone());
        }
        if let Some(schema) = object.get("propertyNames") {
            check(root, schema, &Value::String(name.clone()))?;
        }
    }
    for (name, schema) in object
        .get("dependentSchemas")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        if members.contains_key(name) {
            evaluated.add(check(root, schema, &Value::Object(members.clone()))?);
        }
    }
    if let Some(schema) = object.get("unevaluatedProperties") {
        for (name, value) in members {
            if evaluated.names.insert(name.clone()) {
                check(root, schema, value)?;
            }
        }
    }
    let has = |name: &Value| members.contains_key(name.as_str().expect("a name"));
    let mut dependent = object
        .get("dependentRequired")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    Some(
        list(object, "required").iter().all(has)
            && dependent.all(|(name, needs)| !members.contains_key(name) || needs.as_array().expect("a list").iter().all(has))
            && members.len() >= count(object, "minProperties", 0)
            && members.len() <= count(object, "maxProperties", MANY),
    )
}

fn array_holds(root: &Value, object: &Map<String, Value>, items: &[Value], evaluated: &mut Evaluated) -> Option<bool> {
    let prefix = list(object, "prefixItems");
    for (i, item) in items.iter().enumerate() {
        if let Some(schema) = prefix.get(i).or(object.get("items")) {
            check(root, schema, item)?;
            evaluated.items.insert(i);
        }
    }
    if let Some(schema) = object.get("contains") {
        let held: Vec<usize> = (0..items.len())
            .filter(|&i| check(root, schema, &items[i]).is_some())
            .collect();
        if held.len() < count(object, "minContains", 1) || held.len() > count(object, "maxContains", MANY) {
            return None;
        }
        evaluated.items.extend(held);
    }
    if let Some(schema) = object.get("unevaluatedItems") {
        for (i, item) in items.iter().enumerate() {
            if evaluated.items.insert(i) {
                check(root, schema, item)?;
            }
        }
    }
    let unique = object.get("uniqueItems") != Some(&Value::Bool(true))
        || (0..items.len()).all(|i| (0..i).all(|j| !equal(&items[i], &items[j])));
    Some(unique && items.len() >= count(object, "minItems", 0) && items.len() <= count(object, "maxItems", MANY))
}
