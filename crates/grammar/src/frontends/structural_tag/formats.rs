//! Formats that hold text, and those that hold formats.
use super::ordered;
use super::reader::{Fields, Read, Reader};
use super::tags::Around;
use crate::ast::{Dispatch, Expr, ExprId, Grammar};
use crate::frontends::nearest::one_of_names;
use crate::frontends::regex::compile_pattern;
use crate::options::Whitespace;
use crate::passes::productive::{no_text, rules_without_a_text};
use penstock_automata::{CharSet, Dialect, Regexes, INFINITE};
use serde_json::Value;
use std::sync::Arc;

/// The types of formats, each with its fields besides `type`.
pub(super) const FORMATS: [(&str, &[&str]); 21] = [
    ("const_string", &["value"]),
    (
        "json_schema",
        &["json_schema", "style", "any_order", "max_whitespace_cnt", "excludes"],
    ),
    ("qwen_xml_parameter", &["json_schema"]),
    ("grammar", &["grammar"]),
    ("regex", &["pattern"]),
    ("any_text", &["excludes", "max_tokens", "max_chars"]),
    ("token", &["token"]),
    ("exclude_token", &["exclude_tokens"]),
    ("any_tokens", &["exclude_tokens", "max_tokens"]),
    ("sequence", &["elements"]),
    ("or", &["elements"]),
    ("optional", &["content"]),
    ("plus", &["content"]),
    ("star", &["content"]),
    ("repeat", &["min", "max", "content"]),
    ("tag", &["begin", "content", "end"]),
    (
        "triggered_tags",
        &["triggers", "tags", "at_least_one", "stop_after_first", "excludes"],
    ),
    (
        "token_triggered_tags",
        &["trigger_tokens", "tags", "at_least_one", "stop_after_first", "exclude_tokens"],
    ),
    (
        "tags_with_separator",
        &["tags", "separator", "at_least_one", "stop_after_first"],
    ),
    ("dispatch", &["rules", "loop", "excludes"]),
    ("token_dispatch", &["rules", "loop", "exclude_tokens"]),
];

impl Reader<'_> {
    /// The whole tag, in either form.
    pub fn structural_tag(&mut self, tag: &Value) -> Read<ExprId> {
        let legacy = tag.get("structures").is_some();
        let known: &[&str] = match legacy {
            true => &["type", "structures", "triggers"],
            false => &["type", "format"],
        };
        let fields = self.fields(tag, "structural_tag", known)?;
        if let Some(other) = fields.get("type").filter(|name| *name != "structural_tag") {
            let message = format!("`{other}` is no structural tag");
            return self.within("type", |reader| reader.wrong(message, "write \"structural_tag\""));
        }
        if legacy {
            return self.structures(fields);
        }
        let format = self.needed(fields, "format")?;
        self.within("format", |reader| reader.format(format, &Around::default()))
    }

    /// Any format. `around` is what the tags around it end with.
    pub fn format(&mut self, value: &Value, around: &Around) -> Read<ExprId> {
        self.deeper(|reader| {
            let Some(name) = value.get("type") else {
                return reader.wrong("the field `type` is missing", "name the type of the format");
            };
            let known = FORMATS.iter().find(|known| name == known.0);
            let Some(&(name, fields)) = known else {
                let hint = one_of_names(name.as_str().unwrap_or(""), "types", &FORMATS.map(|known| known.0));
                return reader.within("type", |reader| {
                    reader.refused(format!("`{name}` is no type of format"), &hint)
                });
            };
            let fields = reader.fields(value, name, &[&["type"], fields].concat())?;
            reader.typed(name, fields, around)
        })
    }

    fn typed(&mut self, name: &str, fields: &Fields, around: &Around) -> Read<ExprId> {
        match name {
            "const_string" => self.text(fields, "value").map(|text| self.fixed(text)),
            "json_schema" | "qwen_xml_parameter" => self.json_schema(name, fields),
            "grammar" => self.grammar(fields),
            "regex" => self.regex(fields),
            "any_text" => self.any_text(fields, around),
            "token" => self.token(fields),
            "exclude_token" | "any_tokens" => self.other_tokens(name, fields, around),
            "sequence" | "or" => self.elements(name, fields, around),
            "optional" => self.repeated(fields, around, 0, 1),
            "plus" => self.repeated(fields, around, 1, INFINITE),
            "star" => self.repeated(fields, around, 0, INFINITE),
            "repeat" => self.counted(fields, around),
            "tag" => self.whole_tag(fields),
            "triggered_tags" => self.triggered_tags(fields, around),
            "token_triggered_tags" => self.token_triggered_tags(fields, around),
            "tags_with_separator" => self.tags_with_separator(fields),
            "dispatch" => self.dispatch(fields, around),
            _ => self.token_dispatch(fields, around),
        }
    }

    fn json_schema(&mut self, name: &str, fields: &Fields) -> Read<ExprId> {
        let schema = self.needed(fields, "json_schema")?;
        let any_order = self.truth(fields, "any_order")?;
        let excludes = self.texts(fields, "excludes")?;
        let style = match (name, fields.get("style")) {
            ("json_schema", None | Some(Value::Null)) => "json",
            ("json_schema", Some(_)) => self.text(fields, "style")?,
            _ => "qwen_xml",
        };
        let mut options = ordered(self.options, any_order);
        if let Some(most) = self.count(fields, "max_whitespace_cnt")? {
            options.whitespace = Whitespace::AtMost(most.try_into().unwrap_or(u16::MAX));
        }
        if style != "json" {
            return self.arguments(schema, style, options, any_order == Some(true), excludes);
        }
        if !excludes.is_empty() {
            let hint = "say it in the schema, with `pattern`";
            return self.within("excludes", |reader| {
                reader.refused("`excludes` are refused for JSON, where a text has many spellings", hint)
            });
        }
        self.within("json_schema", |reader| reader.check_schema(schema))?;
        let (schema, options) = (Arc::new(schema.clone()), Arc::new(options));
        Ok(self.builder.add(Expr::JsonSchema { schema, options }))
    }

    pub fn check_schema(&mut self, schema: &Value) -> Read<()> {
        match schema {
            Value::Object(_) | Value::Bool(_) => Ok(()),
            other => self.wrong(format!("`{other}` is no schema"), "write an object, true or false"),
        }
    }

    fn grammar(&mut self, fields: &Fields) -> Read<ExprId> {
        let text = self.text(fields, "grammar")?;
        match Grammar::from_ebnf(text, "root") {
            Ok(grammar) if grammar.has_tags() => self.within("grammar", |reader| {
                reader.refused(
                    "a structural tag within a grammar within a tag is refused",
                    "write it as a format of this tag",
                )
            }),
            Ok(grammar) => self.within("grammar", |reader| reader.written_grammar(grammar)),
            Err(error) => self.within("grammar", |reader| reader.nested(error)),
        }
    }

    /// The rules of a grammar that stands here.
    fn written_grammar(&mut self, mut grammar: Grammar) -> Read<ExprId> {
        let pointer: Arc<str> = self.pointer().into();
        for rule in &mut grammar.rules {
            rule.place = rule.place.under(&pointer);
        }
        let root = grammar.root;
        if rules_without_a_text(&grammar)[root.index()] {
            return self.empty_language(no_text(grammar.rule(root), "it"));
        }
        let rule = self.builder.import(&grammar);
        Ok(self.builder.add(Expr::Rule(rule)))
    }

    fn regex(&mut self, fields: &Fields) -> Read<ExprId> {
        let pattern = self.text(fields, "pattern")?.to_owned();
        let dialect = Dialect::Ecma;
        match compile_pattern(&mut Regexes::new(), &pattern, dialect) {
            Ok(_) => Ok(self.builder.add(Expr::Regex { pattern, dialect })),
            Err(error) => self.within("pattern", |reader| reader.nested(error)),
        }
    }

    fn any_text(&mut self, fields: &Fields, around: &Around) -> Read<ExprId> {
        let mut excludes = self.texts(fields, "excludes")?;
        excludes.extend(around.ends());
        if self.count(fields, "max_tokens")?.is_some() {
            let hint = "bound the characters with `max_chars`, or the tokens with `any_tokens`";
            return self.within("max_tokens", |reader| {
                reader.refused("`max_tokens` is refused for text, which tokens may cross", hint)
            });
        }
        let text = self.free_text(excludes);
        let Some(most) = self.count(fields, "max_chars")? else {
            return Ok(text);
        };
        let any = self.builder.add(Expr::Class(CharSet::all()));
        let short = self.builder.repeat(any, 0, most);
        Ok(self.builder.add(Expr::And(vec![text, short])))
    }

    /// Text that holds none of `excludes`.
    pub fn free_text(&mut self, excludes: Vec<String>) -> ExprId {
        let dispatch = Dispatch {
            excludes,
            ..Dispatch::default()
        };
        self.builder.dispatch(dispatch, &[])
    }

    fn elements(&mut self, name: &str, fields: &Fields, around: &Around) -> Read<ExprId> {
        let parts = self.some(fields, "elements", |reader, value| reader.format(value, around))?;
        Ok(match name {
            "sequence" => self.builder.sequence(parts),
            _ => self.builder.choice(parts),
        })
    }

    pub fn content(&mut self, fields: &Fields, around: &Around) -> Read<ExprId> {
        let content = self.needed(fields, "content")?;
        self.within("content", |reader| reader.format(content, around))
    }

    fn repeated(&mut self, fields: &Fields, around: &Around, min: u32, max: u32) -> Read<ExprId> {
        let content = self.content(fields, around)?;
        Ok(self.builder.repeat(content, min, max))
    }

    fn counted(&mut self, fields: &Fields, around: &Around) -> Read<ExprId> {
        self.needed(fields, "min")?;
        let max = match self.needed(fields, "max")? {
            minus if minus.as_i64() == Some(-1) => INFINITE,
            _ => self.count(fields, "max")?.unwrap_or(INFINITE),
        };
        let min = self.count(fields, "min")?.unwrap_or(0);
        if min > max {
            return self.wrong(
                format!("`min` of {min} is more than `max` of {max}"),
                "write the smaller one as `min`",
            );
        }
        self.repeated(fields, around, min, max)
    }
}
