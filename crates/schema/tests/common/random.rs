//! Random schemas over all keywords, and a universe of small values.
#![allow(dead_code)]
use serde_json::{json, Map, Value};

/// A small generator of numbers (splitmix64).
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    fn sample(&mut self, list: &[Value], count: usize) -> Vec<Value> {
        let mut left = list.to_vec();
        (0..count.min(list.len()))
            .map(|_| left.swap_remove(self.below(left.len())))
            .collect()
    }
}

/// A schema with two definitions that it may refer to.
pub fn schema(random: &mut Random) -> Value {
    let depth = *random.pick(&[1, 2, 2, 3]);
    let mut root = loop {
        if let Value::Object(object) = inner(random, depth) {
            break object;
        }
    };
    root.insert("$defs".into(), json!({"x": inner(random, 2), "y": inner(random, 1)}));
    Value::Object(root)
}

const KEYWORDS: [&str; 33] = [
    "type",
    "enum",
    "const",
    "number",
    "string",
    "properties",
    "properties",
    "patternProperties",
    "additionalProperties",
    "required",
    "required",
    "minProperties",
    "maxProperties",
    "propertyNames",
    "dependentRequired",
    "dependentSchemas",
    "items",
    "prefixItems",
    "contains",
    "minItems",
    "maxItems",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "$ref",
    "unevaluatedProperties",
    "unevaluatedItems",
    "unevaluatedProperties",
    "unevaluatedItems",
    "anyOf",
    "uniqueItems",
];

fn inner(random: &mut Random, depth: usize) -> Value {
    if depth == 0 || random.chance(8) {
        let types = json!(["string", "integer", "null", "boolean", "number", "object", "array"]);
        let constants = json!([0, 1, "a", null, true]);
        return match random.below(5) {
            0 => Value::Bool(true),
            1 => Value::Bool(false),
            2 => json!({"type": random.pick(types.as_array().expect("list"))}),
            3 => json!({"const": random.pick(constants.as_array().expect("list"))}),
            _ => json!({}),
        };
    }
    let mut out = Map::new();
    for _ in 0..*random.pick(&[1, 1, 2, 2, 3, 4]) {
        let keyword = *random.pick(&KEYWORDS);
        add(random, depth, keyword, &mut out);
    }
    Value::Object(out)
}

fn merge(random: &mut Random, choices: Value, out: &mut Map<String, Value>) {
    let choice = random.pick(choices.as_array().expect("list")).clone();
    out.extend(choice.as_object().expect("an object").clone());
}

fn list_of(value: Value) -> Vec<Value> {
    value.as_array().expect("list").clone()
}

fn add(random: &mut Random, depth: usize, keyword: &str, out: &mut Map<String, Value>) {
    let names = list_of(json!(["a", "b", "c"]));
    let value = match keyword {
        "number" | "string" | "propertyNames" if keyword != "propertyNames" || random.chance(80) => {
            return assert_scalar(random, keyword, out);
        }
        "contains" => {
            for (count, percent) in [("minContains", 40), ("maxContains", 40)] {
                if random.chance(percent) {
                    out.insert(count.into(), json!(random.below(3)));
                }
            }
            inner(random, depth - 1)
        }
        "if" => {
            for (branch, percent) in [("then", 80), ("else", 60)] {
                if random.chance(percent) {
                    out.insert(branch.into(), inner(random, depth - 1));
                }
            }
            inner(random, depth - 1)
        }
        "type" => random.pick(&list_of(types())).clone(),
        "enum" => {
            let values =
                list_of(json!([null, true, false, 0, 1, 2, "a", "b", "", [0], {"a": 0}, {"a": 0, "b": 1}, [], [0, "a"]]));
            let count = 1 + random.below(4);
            Value::Array(random.sample(&values, count))
        }
        "const" => random
            .pick(&list_of(json!([null, true, 0, 1, "a", [0], {"a": 0}, {"a": 0, "b": 1}, {}])))
            .clone(),
        "properties" => map(random, depth, &names, 2),
        "patternProperties" => map(random, depth, &list_of(json!(["^a", "b", "^[bc]$", "d"])), 2),
        "required" => {
            let count = *random.pick(&[1, 1, 2]);
            Value::Array(random.sample(&names, count))
        }
        "minProperties" | "minItems" => json!(1 + random.below(3)),
        "maxProperties" | "maxItems" => json!(random.below(3)),
        "dependentRequired" => {
            let name = random.pick(&names).as_str().expect("text").to_owned();
            json!({name: [random.pick(&names)]})
        }
        "dependentSchemas" => map(random, depth, &names, 1),
        "uniqueItems" => json!(random.chance(90)),
        "prefixItems" | "allOf" | "anyOf" | "oneOf" => {
            let count = if keyword == "prefixItems" {
                1 + random.below(2)
            } else {
                *random.pick(&[2, 2, 3])
            };
            (0..count).map(|_| inner(random, depth - 1)).collect()
        }
        "$ref" => json!(*random.pick(&["#/$defs/x", "#/$defs/y"])),
        "unevaluatedProperties" | "unevaluatedItems" if random.chance(66) => Value::Bool(false),
        _ => inner(random, depth - 1),
    };
    out.insert(keyword.into(), value);
}

/// Values of `type`; containers are likelier.
fn types() -> Value {
    json!([
        "string",
        "integer",
        "null",
        "boolean",
        "number",
        "object",
        "array",
        "object",
        "array",
        ["object", "string"],
        ["array", "integer"]
    ])
}

/// Assertions about numbers, strings and names.
fn assert_scalar(random: &mut Random, keyword: &str, out: &mut Map<String, Value>) {
    let choices = match keyword {
        "number" => json!([{"minimum": 0}, {"maximum": 1}, {"exclusiveMinimum": 0}, {"exclusiveMaximum": 1},
            {"multipleOf": 2}, {"multipleOf": 0.5}, {"minimum": 0, "maximum": 1}, {"minimum": 1, "maximum": 1}]),
        "string" => json!([{"minLength": 1}, {"maxLength": 1}, {"maxLength": 0}, {"pattern": "^a"}, {"pattern": "b$"},
            {"pattern": "^[ab]$"}, {"minLength": 2, "maxLength": 2}]),
        _ => {
            let names = json!([{"pattern": "^[ab]$"}, {"maxLength": 1}, {"enum": ["a", "b"]}, {"not": {"const": "a"}}]);
            let rule = random.pick(&list_of(names)).clone();
            out.insert(keyword.into(), rule);
            return;
        }
    };
    merge(random, choices, out);
}

fn map(random: &mut Random, depth: usize, names: &[Value], most: usize) -> Value {
    let count = 1 + random.below(most);
    let picked = random.sample(names, count);
    let named = |name: Value| (name.as_str().expect("text").to_owned(), inner(random, depth - 1));
    Value::Object(picked.into_iter().map(named).collect())
}

/// Small values: scalars, and arrays and objects of them, two deep.
pub fn universe() -> Vec<Value> {
    let few = list_of(json!([0, 1, "a", null, true]));
    let mut out = list_of(json!([null, true, false, 0, 1, 2, -1, 0.5, "", "a", "b", "ab"]));
    let small = list_of(json!([[], {}, [0], ["a"], {"a": 0}, {"b": 1}, {"a": "a"}, [0, 1], {"a": 0, "b": 1}]));
    for x in &few {
        out.push(json!([x]));
        for y in &few {
            out.push(json!([x, y]));
            for z in few[..3].iter() {
                out.push(json!([x, y, z]));
            }
        }
    }
    for x in &small {
        out.extend([json!([x]), json!([x, 0, 1]), json!([0, x, "a"])]);
        for y in &small {
            out.extend([
                json!([x, y]),
                json!({"a": x, "b": y}),
                json!({"a": [x, y]}),
                json!([{"a": x}, y]),
            ]);
        }
    }
    out.extend(longer_arrays());
    out.extend(list_of(json!([
        [0, 1, 2, "a"],
        [0, 1, "a", null],
        ["a", "b", 0, 1],
        [0, 0, 0, 0],
        [[0], [0], [1]]
    ])));
    let names = ["a", "b", "c", "d"];
    for n in names {
        for x in few.iter().chain(&small) {
            out.push(json!({n: x}));
        }
        for m in names.iter().filter(|&&m| m != n) {
            for x in &few {
                out.extend(few.iter().map(|y| json!({n: x, *m: y})));
            }
            for x in &small {
                out.extend([json!({n: x, *m: 0}), json!({*m: "a", n: x})]);
            }
            for l in names.iter().filter(|&&l| l != n && l != *m) {
                out.extend([
                    json!({n: 0, *m: 0, *l: 0}),
                    json!({n: 0, *m: "a", *l: "a"}),
                    json!({n: "a", *m: 0, *l: 0}),
                ]);
            }
        }
    }
    out.extend([
        json!({"a": 0, "b": 0, "c": 0, "d": 0}),
        json!({"d": 0, "c": 0, "b": 0, "a": 0}),
    ]);
    out
}

/// Arrays of a few scalars, equal ones among them, and of arrays and objects.
fn longer_arrays() -> Vec<Value> {
    let mut out = list_of(json!([
        [[0], {"a": 0}, 1],
        [{"a": 0}, {"a": 0}],
        [[], [0], ["a"]],
        [[0], [0]],
        [[], {}, ""],
        [false, true],
        [false, true, null],
        [0, 1, 2],
        [2, 1, 0, 0],
        [0, 1, 2, 3],
    ]));
    let scalars = list_of(json!([0, 1, "a", "b", true, null]));
    for x in &scalars {
        for y in &scalars {
            for z in &scalars {
                out.push(json!([x, y, z]));
                out.push(json!([[x, y], [z]]));
            }
        }
    }
    out
}

/// Whether a definition refers to itself with no member or item between: nothing says what such a schema means.
pub fn is_circular(schema: &Value) -> bool {
    let refers = |from: &str, to: &str| {
        let mut found = Vec::new();
        in_place_references(&schema["$defs"][from], &mut found);
        found.contains(&format!("#/$defs/{to}"))
    };
    refers("x", "x") || refers("y", "y") || (refers("x", "y") && refers("y", "x"))
}

fn in_place_references(schema: &Value, out: &mut Vec<String>) {
    for (keyword, value) in schema.as_object().into_iter().flatten() {
        match keyword.as_str() {
            "$ref" => out.extend(value.as_str().map(str::to_owned)),
            "allOf" | "anyOf" | "oneOf" => list_of(value.clone()).iter().for_each(|part| in_place_references(part, out)),
            "not" | "if" | "then" | "else" => in_place_references(value, out),
            "dependentSchemas" => value
                .as_object()
                .into_iter()
                .flatten()
                .for_each(|part| in_place_references(part.1, out)),
            _ => {}
        }
    }
}

/// Conjunctions of many assertions on one object or one array: the theories under stress.
pub fn dense_schema(random: &mut Random) -> Value {
    let is_object = random.chance(50);
    let count = 3 + random.below(4);
    let parts: Vec<Value> = (0..count)
        .map(|_| if is_object { object_part(random) } else { array_part(random) })
        .collect();
    json!({"type": if is_object { "object" } else { "array" }, "allOf": parts, "$defs": {"x": true, "y": value_part(random)}})
}

fn value_part(random: &mut Random) -> Value {
    let choices = json!([true, false, {"type": "integer"}, {"type": "string"}, {"const": 0}, {"const": "a"}, {"enum": [0, 1]},
        {"enum": [0, "a"]}, {"enum": ["a", "b", 0]}, {"not": {"const": 0}}, {"minimum": 1}, {"maxLength": 1}]);
    random.pick(&list_of(choices)).clone()
}

fn named_values(random: &mut Random) -> Value {
    let count = 1 + random.below(3);
    let names = random.sample(&list_of(json!(["a", "b", "c", "d"])), count);
    Value::Object(
        names
            .into_iter()
            .map(|name| (name.as_str().expect("text").to_owned(), value_part(random)))
            .collect(),
    )
}

fn object_part(random: &mut Random) -> Value {
    let names = list_of(json!(["a", "b", "c", "d"]));
    match random.below(17) {
        0 | 1 => json!({"properties": named_values(random)}),
        2 | 3 => json!({"required": random.sample(&names, 2)}),
        4 => json!({"minProperties": 1 + random.below(4)}),
        5 => json!({"maxProperties": random.below(4)}),
        6 => {
            let pattern = *random.pick(&["^a", "b", "^[bc]$", "d", "^[ab]$"]);
            json!({"patternProperties": {pattern: value_part(random)}, "additionalProperties": value_part(random)})
        }
        7 => {
            let choices = json!([{"pattern": "^[ab]$"}, {"maxLength": 1}, {"enum": ["b", "d"]}, {"not": {"const": "a"}},
                {"pattern": "^[a-c]$"}, {"not": {"pattern": "^[a-c]$"}}]);
            json!({"propertyNames": random.pick(&list_of(choices))})
        }
        8 => json!({"anyOf": [object_part(random), object_part(random)], "unevaluatedProperties": value_part(random)}),
        9 => {
            let name = random.pick(&names).as_str().expect("text").to_owned();
            json!({"dependentRequired": {name: random.sample(&names, 1)}})
        }
        10 => {
            let name = random.pick(&names).as_str().expect("text").to_owned();
            json!({"dependentSchemas": {name: object_part(random)}})
        }
        11 => json!({"properties": named_values(random), "additionalProperties": value_part(random)}),
        other => combined(random, other, object_part),
    }
}

fn array_part(random: &mut Random) -> Value {
    match random.below(16) {
        0 => json!({"items": value_part(random)}),
        1 | 2 => {
            let prefix: Vec<Value> = (0..1 + random.below(3)).map(|_| value_part(random)).collect();
            json!({"prefixItems": prefix, "items": value_part(random)})
        }
        3 | 4 => json!({"contains": value_part(random)}),
        5 => json!({"contains": value_part(random), "minContains": random.below(3)}),
        6 => json!({"contains": value_part(random), "minContains": random.below(2), "maxContains": random.below(3)}),
        7 => json!({"minItems": 1 + random.below(4)}),
        8 => json!({"maxItems": random.below(4)}),
        9 => json!({"anyOf": [array_part(random), array_part(random)], "unevaluatedItems": value_part(random)}),
        10 => json!({"uniqueItems": true}),
        other => combined(random, other + 1, array_part),
    }
}

/// Arrays whose items must differ, or must not: few values, matchings, constraints on the item that is being read.
pub fn unique_schema(random: &mut Random) -> Value {
    let count = 1 + random.below(4);
    let mut parts: Vec<Value> = (0..count).map(|_| unique_part(random)).collect();
    if random.chance(70) {
        parts.push(json!({"uniqueItems": true}));
    }
    let body = json!({"type": "array", "allOf": parts});
    match random.below(8) {
        0 => json!({"type": "object", "properties": {"a": body}, "required": ["a"]}),
        1 => json!({"type": "array", "uniqueItems": true, "minItems": random.below(3), "items": body}),
        _ => body,
    }
}

fn few_values(random: &mut Random) -> Value {
    let choices = json!([{"type": "boolean"}, {"const": 0}, {"const": "a"}, {"enum": [0, 1]}, {"enum": [0, "a"]},
        {"enum": ["a", "b"]}, {"enum": [0, 1, true]}, {"type": "integer", "minimum": 0, "maximum": 2},
        {"enum": [[0], {"a": 0}, 1]}, {"type": "null"}, {"type": ["null", "boolean"]}, {"maxLength": 0, "type": "string"},
        {"pattern": "^[ab]$", "type": "string"}, {"type": "array", "maxItems": 1, "items": {"enum": [0, "a"]}},
        {"type": "object", "maxProperties": 1, "propertyNames": {"enum": ["a"]}, "additionalProperties": {"const": 0}},
        {"type": "string"}, {"type": "integer"}, true, {"type": "object"}]);
    random.pick(&list_of(choices)).clone()
}

fn unique_part(random: &mut Random) -> Value {
    match random.below(15) {
        0 | 1 => json!({"items": few_values(random)}),
        2 | 3 => {
            let prefix: Vec<Value> = (0..1 + random.below(3)).map(|_| few_values(random)).collect();
            json!({"prefixItems": prefix, "items": few_values(random)})
        }
        4 => json!({"contains": few_values(random), "minContains": 1 + random.below(2)}),
        5 => json!({"contains": few_values(random), "minContains": 0, "maxContains": random.below(3)}),
        6 | 7 => json!({"minItems": 1 + random.below(4)}),
        8 => json!({"maxItems": 1 + random.below(3)}),
        9 => json!({"not": {"uniqueItems": true}}),
        10 => json!({"anyOf": [{"uniqueItems": true}, unique_part(random)], "unevaluatedItems": few_values(random)}),
        other => combined(random, other + 1, |random| match random.below(3) {
            0 => json!({"uniqueItems": true}),
            _ => unique_part(random),
        }),
    }
}

fn combined(random: &mut Random, which: usize, part: fn(&mut Random) -> Value) -> Value {
    match which {
        12 => json!({"not": part(random)}),
        13 => json!({"anyOf": [part(random), part(random)]}),
        14 => json!({"oneOf": [part(random), part(random), part(random)]}),
        15 => json!({"if": part(random), "then": part(random), "else": part(random)}),
        _ => json!({"allOf": [part(random), part(random)]}),
    }
}

/// Many branches that ask different things of one member or item: more verdicts than a table holds.
pub fn wide_schema(random: &mut Random) -> Value {
    let is_object = random.chance(60);
    let branches: Vec<Value> = (0..6 + random.below(4))
        .map(|_| {
            let deep = if random.chance(50) {
                object_part(random)
            } else {
                array_part(random)
            };
            let value = if random.chance(30) { value_part(random) } else { deep };
            match (is_object, random.below(3)) {
                (true, 0) => json!({"properties": {"a": value}, "required": ["a"]}),
                (true, _) => json!({"properties": {"a": value, "b": value_part(random)}, "minProperties": random.below(3)}),
                (false, 0) => json!({"contains": value}),
                (false, _) => json!({"prefixItems": [value, value_part(random)], "minItems": random.below(3)}),
            }
        })
        .collect();
    let keyword = *random.pick(&["oneOf", "oneOf", "anyOf"]);
    let negated = random.chance(15);
    let body = json!({keyword: branches});
    json!({"type": if is_object { "object" } else { "array" }, "$defs": {"x": true, "y": true},
        "allOf": [if negated { json!({"not": body}) } else { body }]})
}
