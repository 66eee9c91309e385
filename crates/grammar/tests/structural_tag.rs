//! Structural tags of any JSON: no panic, mistakes with their places, and what is read prints as something that parses.
mod common;

use common::random::Random;
use penstock_automata::Regexes;
use penstock_grammar::{lower, Grammar, GrammarErrorKind, JsonOptions, Specials, MAX_TAG_NESTING};
use serde_json::{json, Map, Value};

const TYPES: &[&str] = &[
    "const_string",
    "json_schema",
    "qwen_xml_parameter",
    "grammar",
    "regex",
    "any_text",
    "token",
    "exclude_token",
    "any_tokens",
    "sequence",
    "or",
    "optional",
    "plus",
    "star",
    "repeat",
    "tag",
    "triggered_tags",
    "token_triggered_tags",
    "tags_with_separator",
    "dispatch",
    "token_dispatch",
    "text",
];

const TEXTS: &[&str] = &[
    "",
    "a",
    "ab",
    "<a>",
    "</a>",
    "<",
    "é😀",
    "\n",
    "(",
    "root ::= \"x\" | root",
    "a+b",
    "<call>",
    "x<call>y",
];

struct Maker<'r>(&'r mut Random);

impl Maker<'_> {
    fn text(&mut self) -> Value {
        self.0.pick(TEXTS).into()
    }

    fn texts(&mut self) -> Value {
        (0..self.0.below(3)).map(|_| self.text()).collect()
    }

    fn token(&mut self) -> Value {
        match self.0.below(3) {
            0 => self.0.below(5).into(),
            1 => "<call>".into(),
            _ => self.text(),
        }
    }

    fn tokens(&mut self) -> Value {
        (0..self.0.below(3)).map(|_| self.token()).collect()
    }

    fn schema(&mut self) -> Value {
        match self.0.below(6) {
            0 => json!(true),
            1 => json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"enum": ["x", 1]}}, "required": ["a"]}),
            2 => json!({"$ref": "#/$defs/x", "$defs": {"x": {"properties": {"a": {"$ref": "#/$defs/x"}}}}}),
            3 => json!({"properties": {"a": {"pattern": "("}, "c": {"maxLength": 2}}}),
            4 => json!({"anyOf": [{}, false]}),
            _ => json!({"type": "integer"}),
        }
    }

    fn border(&mut self) -> Value {
        match self.0.below(5) {
            0 => json!({"type": "token", "token": self.token()}),
            1 => self.texts(),
            _ => self.text(),
        }
    }

    fn tag(&mut self, depth: usize) -> Value {
        json!({"type": "tag", "begin": self.border(), "content": self.format(depth), "end": self.border()})
    }

    fn many(&mut self, depth: usize, one: fn(&mut Self, usize) -> Value) -> Value {
        (0..1 + self.0.below(2)).map(|_| one(self, depth)).collect()
    }

    fn rule(&mut self, depth: usize) -> Value {
        json!([self.token(), self.format(depth)])
    }

    /// A format; now and then with a field that is missing, strange or of another type.
    fn format(&mut self, depth: usize) -> Value {
        let name = match depth {
            0 => self.0.pick(&TYPES[..9]),
            _ => self.0.pick(TYPES),
        };
        let depth = depth.saturating_sub(1);
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
        put("type", name.into());
        match name {
            "const_string" => put("value", self.text()),
            "json_schema" => {
                put("json_schema", self.schema());
                put(
                    "style",
                    self.0
                        .pick(&["json", "qwen_xml", "kimi_k3_xml", "glm_xml", "cohere_xml"])
                        .into(),
                );
            }
            "qwen_xml_parameter" => put("json_schema", self.schema()),
            "grammar" => put("grammar", self.text()),
            "regex" => put("pattern", self.text()),
            "any_text" => {
                put("excludes", self.texts());
                put(
                    "max_chars",
                    [json!(null), json!(3), json!(0), json!(-1)][self.0.below(4)].clone(),
                );
            }
            "token" => put("token", self.token()),
            "exclude_token" | "any_tokens" => put("exclude_tokens", self.tokens()),
            "sequence" | "or" => put("elements", self.many(depth, Self::format)),
            "optional" | "plus" | "star" => put("content", self.format(depth)),
            "repeat" => {
                put("min", self.0.below(3).into());
                put("max", (self.0.below(4) as i64 - 1).into());
                put("content", self.format(depth));
            }
            "tag" => return self.tag(depth),
            "triggered_tags" | "tags_with_separator" | "token_triggered_tags" => {
                put("tags", self.many(depth, Self::tag));
                put("at_least_one", (self.0.below(2) == 0).into());
                put("stop_after_first", (self.0.below(2) == 0).into());
                match name {
                    "triggered_tags" => put("triggers", self.texts()),
                    "tags_with_separator" => put("separator", self.text()),
                    _ => put("trigger_tokens", self.tokens()),
                }
            }
            _ => {
                put("rules", self.many(depth, Self::rule));
                put("loop", (self.0.below(2) == 0).into());
            }
        }
        if self.0.below(12) == 0 {
            let field = fields.keys().nth(self.0.below(fields.len())).cloned().unwrap_or_default();
            match self.0.below(3) {
                0 => drop(fields.remove(&field)),
                1 => drop(fields.insert(field, json!({"x": [1]}))),
                _ => drop(fields.insert("strange".to_owned(), Value::Null)),
            }
        }
        Value::Object(fields)
    }
}

/// Whether the tag was read.
fn check(tag: &Value) -> bool {
    let specials = Specials::new(["<call>".to_owned(), "<a>".to_owned()]);
    let grammar = match Grammar::from_structural_tag(tag.clone(), JsonOptions::default()) {
        Ok(grammar) => grammar,
        Err(error) => {
            assert!(!error.problems.is_empty() && !error.to_string().is_empty(), "{tag}");
            assert_eq!(error.limit.is_some(), error.kind == GrammarErrorKind::Limit, "{tag}");
            let is_placed = |pointer: &str| tag.pointer(pointer).is_some();
            assert!(
                error.problems.iter().all(|problem| is_placed(&problem.pointer)),
                "{tag}\n{error}"
            );
            return false;
        }
    };
    let printed = grammar.to_ebnf();
    let again = Grammar::from_ebnf(&printed, "root").unwrap_or_else(|error| panic!("{error}\n{printed}"));
    assert_eq!(again, grammar, "{printed}");
    for specials in [Specials::default(), specials] {
        let expanded = grammar
            .expand_tags(&specials)
            .unwrap_or_else(|error| panic!("{error}\n{tag}"));
        let printed = expanded.to_ebnf();
        let again = Grammar::from_ebnf(&printed, "root").unwrap_or_else(|error| panic!("{error}\n{printed}"));
        assert_eq!(again.to_ebnf(), printed, "{tag}");
        drop(lower(&expanded, &mut Regexes::new()));
    }
    true
}

#[test]
fn no_tag_panics() {
    let mut read = 0;
    for seed in 0..3_000 {
        let mut random = Random(seed);
        let depth = random.below(4);
        let format = Maker(&mut random).format(depth);
        read += usize::from(check(&json!({"type": "structural_tag", "format": format})));
    }
    assert!(read > 500, "only {read} tags were read");
}

#[test]
fn other_json_is_refused() {
    for text in [
        "null",
        "[]",
        "{}",
        "\"x\"",
        r#"{"type": "json_schema", "format": {}}"#,
        r#"{"structures": 1, "triggers": ["a"]}"#,
        r#"{"structures": [], "triggers": []}"#,
        r#"{"structures": [{"begin": "b", "schema": "{", "end": ""}], "triggers": ["a"]}"#,
    ] {
        assert!(!check(&serde_json::from_str(text).expect("JSON")), "{text}");
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| {
        let inner = json!({"type": "const_string", "value": "x"});
        let format = (1..depth).fold(inner, |content, _| json!({"type": "star", "content": content}));
        Grammar::from_structural_tag(json!({ "format": format }), JsonOptions::default())
    };
    assert!(nested(MAX_TAG_NESTING).is_ok());
    let error = nested(MAX_TAG_NESTING + 1).expect_err("too deep");
    assert_eq!(error.limit.map(|limit| limit.name), Some("max_tag_nesting"));
}

/// Tags of many tools share what their texts begin with: a step looks at few of them.
#[test]
fn many_tools_are_small() {
    let tag = |i: usize| json!({"begin": format!("<tool_{i:03}>"), "content": {"type": "json_schema", "json_schema": {"const": i}}, "end": "</tool>"});
    let tags: Vec<Value> = (0..400).map(tag).collect();
    let tag = json!({"format": {"type": "triggered_tags", "triggers": ["<tool_"], "tags": tags}});
    let grammar = Grammar::from_structural_tag(tag, JsonOptions::default()).expect("a tag");
    let mut regexes = Regexes::new();
    let lowered = lower(&grammar, &mut regexes).expect("a language");
    let before = regexes.len();
    let tags = lowered
        .names
        .iter()
        .position(|name| name == "tag")
        .expect("the trigger's rule");
    let term = "399>".chars().fold(lowered.bodies[tags], |term, character| {
        regexes.step(term, u32::from(character)).expect("no limit")
    });
    assert_eq!(regexes.externals(term).len(), 1);
    assert!(regexes.len() < before + 2_500, "{} terms", regexes.len() - before);
}
