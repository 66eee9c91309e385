//! What schemas mean: the corpus, refusals, addresses, drafts.
mod common;

use penstock_schema::{Draft, ErrorKind, PropertyOrder, SchemaMachine, SchemaOptions};
use serde_json::{json, Value};

fn options(draft: Draft) -> SchemaOptions {
    SchemaOptions {
        default_draft: draft,
        ..SchemaOptions::default()
    }
}

fn check(draft: Draft, schema: Value, valid: &[Value], invalid: &[Value]) {
    let mut machine = SchemaMachine::new();
    let lowered = machine
        .lower(&schema, &options(draft))
        .unwrap_or_else(|error| panic!("{schema}: {error}"));
    for (values, expected) in [(valid, true), (invalid, false)] {
        for value in values {
            let accepted = common::accepts(&mut machine, lowered.root, value).expect("no limit");
            assert_eq!(accepted, expected, "{value} under {schema}");
        }
    }
}

fn refusal(schema: Value) -> penstock_schema::SchemaError {
    let lowered = SchemaMachine::new().lower(&schema, &SchemaOptions::default());
    lowered.err().unwrap_or_else(|| panic!("{schema} is refused"))
}

/// `corpus/json_schema/*.json`: lists of `{why, draft?, schema, valid, invalid}`.
#[test]
fn the_corpus_holds() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus/json_schema");
    let mut files = 0;
    for entry in std::fs::read_dir(&folder).expect("the corpus is part of the repository") {
        let text = std::fs::read_to_string(entry.expect("a file").path()).expect("text");
        let cases: Vec<Value> = serde_json::from_str(&text).expect("a list of cases");
        for case in cases {
            let draft = match case["draft"].as_str() {
                Some("4") => Draft::Draft4,
                Some("7") => Draft::Draft7,
                Some("2019-09") => Draft::Draft201909,
                _ => Draft::Draft202012,
            };
            let list = |name: &str| case[name].as_array().cloned().unwrap_or_default();
            check(draft, case["schema"].clone(), &list("valid"), &list("invalid"));
        }
        files += 1;
    }
    assert!(files > 0);
}

/// Addresses inside a document: relative `$id`s join to those around them, anchors belong to their resource.
#[test]
fn references_resolve_against_the_resource_around_them() {
    let schema = json!({
        "$id": "https://example.org/a/root",
        "$defs": {
            "list": {
                "$id": "inner/list",
                "type": "array",
                "items": {"$ref": "item#/$defs/word"},
                "$defs": {"item": {"$id": "item", "$defs": {"word": {"$anchor": "word", "type": "string"}}}},
            },
            "number": {"$anchor": "word", "type": "integer"},
        },
        "properties": {"l": {"$ref": "inner/list"}, "n": {"$ref": "#word"}, "w": {"$ref": "inner/item#word"}},
    });
    let valid = [json!({"l": ["a"], "n": 1, "w": "x"})];
    let invalid = [json!({"l": [1]}), json!({"n": "a"}), json!({"w": 1})];
    check(Draft::Draft202012, schema, &valid, &invalid);
}

#[test]
fn documents_of_the_registry_say_what_keywords_mean() {
    let meta = json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://example.org/meta",
        "$vocabulary": {"https://json-schema.org/draft/2020-12/vocab/applicator": true,
            "https://json-schema.org/draft/2020-12/vocab/core": true}});
    // It names no draft, and anchors of draft 7 are written as `$id`.
    let old = json!({"definitions": {"to": {"$ref": "#number"}, "number": {"$id": "#number", "type": "integer"}}});
    let mut options = SchemaOptions::default();
    options.registry.insert("https://example.org/meta".into(), meta);
    options.registry.insert("https://example.org/old".into(), old);
    let loose = json!({"$schema": "https://example.org/meta", "properties": {"a": false, "b": {"minimum": 10}}});
    let draft_7 = json!({"$schema": "http://json-schema.org/draft-07/schema#",
        "properties": {"a": {"$ref": "https://example.org/old#/definitions/to"}}});
    for (schema, value, expected) in [
        (&loose, json!({"b": 1}), true),
        (&loose, json!({"a": 1}), false),
        (&draft_7, json!({"a": 1}), true),
        (&draft_7, json!({"a": "x"}), false),
    ] {
        let mut machine = SchemaMachine::new();
        let lowered = machine.lower(schema, &options).expect("fine");
        let accepted = common::accepts(&mut machine, lowered.root, &value).expect("no limit");
        assert_eq!(accepted, expected, "{value} under {schema}");
        let ignored: Vec<&str> = lowered
            .report
            .annotations
            .iter()
            .map(|entry| entry.keyword.as_str())
            .collect();
        assert_eq!(ignored.contains(&"minimum"), std::ptr::eq(schema, &loose));
    }
}

#[test]
fn members_come_in_the_order_of_the_schema() {
    let ordered = SchemaOptions {
        property_order: PropertyOrder::Schema,
        ..SchemaOptions::default()
    };
    let schema = json!({"type": "object", "properties": {"a": true, "b": true, "c": true}, "required": ["c"]});
    let mut machine = SchemaMachine::new();
    let root = machine.lower(&schema, &ordered).expect("fine").root;
    for (text, expected) in [
        (r#"{"a":1,"b":1,"c":1}"#, true),
        (r#"{"b":1,"c":1,"x":1}"#, true),
        (r#"{"c":1}"#, true),
        (r#"{"b":1,"a":1,"c":1}"#, false),
        (r#"{"c":1,"a":1}"#, false),
        (r#"{"c":1,"b":1}"#, false),
        (r#"{"x":1,"c":1}"#, false),
    ] {
        let value: Value = serde_json::from_str(text).expect("JSON");
        let accepted = common::accepts(&mut machine, root, &value).expect("no limit");
        assert_eq!(accepted, expected, "{text}");
    }
}

#[test]
fn all_refusals_are_listed_at_once_with_their_places() {
    let error = refusal(json!({
        "properties": {"a/b": {"pattern": "(?<=x)y"}, "c": {"format": "idn-email"}},
        "$ref": "#/$defs/none",
    }));
    let places: Vec<(&str, &str)> = error
        .problems
        .iter()
        .map(|p| (p.pointer.as_str(), p.keyword.as_str()))
        .collect();
    for place in [("/properties/a~1b", "pattern"), ("/properties/c", "format"), ("", "$ref")] {
        assert!(places.contains(&place), "{place:?} is in {places:?}");
    }
    assert_eq!(error.kind, ErrorKind::Syntax);
}

#[test]
fn a_schema_without_values_is_empty() {
    for schema in [
        json!(false),
        json!({"type": "string", "minLength": 3, "maxLength": 2}),
        json!({"$defs": {"n": {"type": "object", "required": ["n"], "properties": {"n": {"$ref": "#/$defs/n"}}}}, "$ref": "#/$defs/n"}),
        json!({"type": "object", "required": ["a"], "maxProperties": 1, "minProperties": 1, "properties": {"a": false}}),
        json!({"type": "array", "minItems": 2, "prefixItems": [true], "items": false}),
        json!({"type": "array", "minItems": 4, "items": {"enum": [1, 1.0, "a", true]}, "uniqueItems": true}),
        json!({"type": "array", "minItems": 2, "maxItems": 2, "items": {"const": [0]}, "uniqueItems": true}),
        json!({"type": "array", "minItems": 3, "items": {"type": "boolean"}, "uniqueItems": true}),
        json!({"type": "array", "minItems": 12, "items": {"type": "integer", "minimum": 0, "maximum": 10}, "uniqueItems": true}),
        json!({"type": "array", "minItems": 4, "items": {"type": "string", "pattern": "^[abc]$"}, "uniqueItems": true}),
        json!({"type": "array", "maxItems": 1, "not": {"uniqueItems": true}}),
    ] {
        assert_eq!(refusal(schema.clone()).kind, ErrorKind::Empty, "{schema}");
    }
}

#[test]
fn references_in_a_circle_are_refused_by_name() {
    for schema in [
        json!({"$ref": "#"}),
        json!({"$defs": {"n": {"not": {"$ref": "#/$defs/n"}}}, "$ref": "#/$defs/n"}),
    ] {
        assert_eq!(refusal(schema.clone()).kind, ErrorKind::Unsupported, "{schema}");
    }
}

#[test]
fn without_strict_only_what_is_listed_is_dropped() {
    let schema = json!({"type": "string", "pattern": "(?<=x)y", "maxLength": 2});
    let lenient = SchemaOptions {
        strict: false,
        ..SchemaOptions::default()
    };
    let mut machine = SchemaMachine::new();
    let lowered = machine.lower(&schema, &lenient).expect("weakened");
    let refused: Vec<&str> = lowered.report.refused.iter().map(|entry| entry.keyword.as_str()).collect();
    assert_eq!(refused, ["pattern"]);
    assert!(common::accepts(&mut machine, lowered.root, &json!("zy")).expect("no limit"));
    assert!(!common::accepts(&mut machine, lowered.root, &json!("zyx")).expect("no limit"));
}

#[test]
fn deep_and_long_schemas_end_in_answers_or_named_limits() {
    let mut nested = json!({"type": "null"});
    for _ in 0..5_000 {
        let Value::Object(mut schema) = json!({"required": ["a"], "type": "object"}) else {
            unreachable!("an object");
        };
        // Moved, not copied: copying recurses.
        let properties = serde_json::Map::from_iter([("a".to_owned(), nested)]);
        schema.insert("properties".to_owned(), Value::Object(properties));
        nested = Value::Object(schema);
    }
    let machine = SchemaMachine::new().lower(&nested, &SchemaOptions::default());
    assert!(
        machine.is_ok(),
        "members may nest: {:?}",
        machine.err().map(|error| error.kind)
    );
    // Dropping it would recurse.
    std::mem::forget(nested);
    let defs: serde_json::Map<String, Value> = (0..5_000)
        .map(|i| {
            (
                format!("d{i}"),
                json!({"anyOf": [{"$ref": format!("#/$defs/d{}", i + 1)}, {"const": i}]}),
            )
        })
        .chain([("d5000".to_owned(), json!({"type": "null"}))])
        .collect();
    let chain = json!({"$defs": defs, "$ref": "#/$defs/d0"});
    let error = refusal(chain);
    assert_eq!(error.limit.map(|limit| limit.name), Some("max_formula_depth"));
}

#[test]
fn a_completion_closes_what_is_open() {
    let schema = json!({"type": "object", "required": ["kind", "n"], "additionalProperties": false,
        "properties": {"kind": {"enum": ["left", "right"]}, "n": {"type": "integer", "minimum": 7}}});
    let mut machine = SchemaMachine::new();
    let root = machine.lower(&schema, &SchemaOptions::default()).expect("fine").root;
    let record = machine.open_object(root).expect("no limit").expect("objects");
    let member = machine
        .take(record, penstock_schema::SeenId::EMPTY, "kind")
        .expect("no limit")
        .expect("allowed");
    let penstock_schema::Next::Record(next) = member.next else {
        panic!("its verdict is forced");
    };
    assert_eq!(
        machine.completion(next, member.seen, false).expect("no limit").as_deref(),
        Some(",\"n\":7}")
    );
    assert!(
        machine.take(next, member.seen, "kind").expect("no limit").is_none(),
        "names come once"
    );
    assert!(
        machine.close(next, member.seen).expect("no limit").is_none(),
        "`n` is missing"
    );
}

#[test]
fn equal_schemas_are_one() {
    let mut machine = SchemaMachine::new();
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let again = json!({"properties": {"a": {"type": "string"}}, "title": "twice", "type": "object"});
    let first = machine.lower(&schema, &SchemaOptions::default()).expect("fine");
    let second = machine.lower(&again, &SchemaOptions::default()).expect("fine");
    assert_eq!(first.root, second.root);
}

#[test]
fn an_empty_schema_names_what_contradicts() {
    let cases = [
        (
            json!({"type": "string", "title": "x", "enum": [1, 2]}),
            vec![("", "enum"), ("", "type")],
        ),
        (json!({"enum": []}), vec![("", "enum")]),
        (
            json!({"type": "object", "required": ["b", "a"], "properties": {
                "a": {"type": "integer", "minimum": 5, "description": "d", "maximum": 3}, "b": {"type": "string"}}}),
            vec![
                ("", "required"),
                ("", "type"),
                ("/properties/a", "maximum"),
                ("/properties/a", "minimum"),
                ("/properties/a", "type"),
            ],
        ),
        // Each branch has its own reason.
        (
            json!({"anyOf": [{"const": 1, "type": "string"}, {"type": "null", "enum": [true], "minimum": 0}]}),
            vec![
                ("/anyOf/0", "const"),
                ("/anyOf/0", "type"),
                ("/anyOf/1", "enum"),
                ("/anyOf/1", "type"),
            ],
        ),
        (
            json!({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"allOf": [{"type": "string"}, {"minLength": 3}, {"maxLength": 2}, {"pattern": "x"}]}}}),
            vec![
                ("", "$ref"),
                ("/$defs/a~1b/allOf/0", "type"),
                ("/$defs/a~1b/allOf/1", "minLength"),
                ("/$defs/a~1b/allOf/2", "maxLength"),
            ],
        ),
    ];
    for (schema, wanted) in cases {
        let error = refusal(schema.clone());
        let found: Vec<(&str, &str)> = error
            .conflict
            .iter()
            .map(|(pointer, keyword)| (&**pointer, &**keyword))
            .collect();
        assert_eq!((error.kind, found), (ErrorKind::Empty, wanted), "{schema}");
        assert!(
            error.to_string().ends_with("change it") || error.to_string().ends_with("change one of them"),
            "{error}"
        );
    }
    assert!(refusal(json!(false)).conflict.is_empty());
}
