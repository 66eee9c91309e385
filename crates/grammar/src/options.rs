//! How the texts of a JSON schema are spelt, and how the schema is read.
use crate::ast::{Expr, Grammar, GrammarBuilder};
use penstock_schema::{Draft, FormatMode, Limits, PropertyOrder, SchemaOptions};
use serde_json::{Map, Value};
use std::sync::Arc;

/// The whitespace between the parts of a JSON text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Whitespace {
    /// Per gap nothing, one space or tab, or one line break with spaces or tabs after it.
    #[default]
    Flexible,
    /// Per gap up to so many spaces, tabs, carriage returns and line feeds, in any order.
    AtMost(u16),
    /// None.
    Compact,
    /// Exactly these separators, and nothing else.
    Separators {
        /// Between items and members: a comma, then nothing, one or two spaces, or a line break.
        item: String,
        /// Between a name and its value: a colon, then nothing, one or two spaces, or a line break.
        key: String,
    },
    /// One item or member a line, this many spaces deeper than what holds it.
    Indent(u8),
}

/// The options of a JSON schema within a grammar.
#[derive(Clone, Debug, Default)]
pub struct JsonOptions {
    /// How the schema is read.
    pub schema: SchemaOptions,
    /// The whitespace between the parts.
    pub whitespace: Whitespace,
}

impl PartialEq for JsonOptions {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (&self.schema, &other.schema);
        self.whitespace == other.whitespace
            && (a.strict, a.property_order, a.format) == (b.strict, b.property_order, b.format)
            && (a.default_draft, a.report_enforced) == (b.default_draft, b.report_enforced)
            && a.limits == b.limits
            && a.registry == b.registry
    }
}

const DRAFTS: [(&str, Draft); 5] = [
    ("4", Draft::Draft4),
    ("6", Draft::Draft6),
    ("7", Draft::Draft7),
    ("2019-09", Draft::Draft201909),
    ("2020-12", Draft::Draft202012),
];

/// The whitespace that a separator may have behind its sign.
const GAPS: [&str; 4] = ["", " ", "  ", "\n"];

/// Where a limit stands.
type LimitPlace = fn(&mut Limits) -> &mut u32;

/// The limits by name, so that they can be written and read.
const LIMITS: [(&str, LimitPlace); 8] = [
    ("max_emptiness_states", |limits| &mut limits.max_emptiness_states),
    ("max_formula_depth", |limits| &mut limits.max_formula_depth),
    ("max_verdict_width", |limits| &mut limits.max_verdict_width),
    ("max_joint_depth", |limits| &mut limits.max_joint_depth),
    ("max_name_classes", |limits| &mut limits.max_name_classes),
    ("max_witness_size", |limits| &mut limits.max_witness_size),
    ("max_schema_nesting", |limits| &mut limits.max_schema_nesting),
    ("max_schema_nodes", |limits| &mut limits.max_schema_nodes),
];

impl JsonOptions {
    /// The names of the limits that can be set.
    pub fn limit_names() -> impl Iterator<Item = &'static str> {
        LIMITS.iter().map(|known| known.0)
    }

    /// Sets a limit by its name; `None` for a name that is none.
    pub fn set_limit(&mut self, name: &str, limit: u32) -> Option<()> {
        let place = LIMITS.iter().find(|known| known.0 == name)?.1;
        *place(&mut self.schema.limits) = limit;
        Some(())
    }

    /// The options as EBNF names them.
    pub(crate) const NAMES: &'static str =
        "`whitespace`, `max_whitespace`, `indent`, `item_separator`, `key_separator`, `strict`, \
         `property_order`, `format`, `draft`, `registry`, `report_enforced`, `limits`";

    /// Sets the option `name` as EBNF writes it; the error is a message.
    pub(crate) fn set(&mut self, name: &str, value: &Value) -> Result<(), String> {
        if !Self::NAMES.contains(&format!("`{name}`")) {
            return Err(format!("`JsonSchema` takes no option `{name}`"));
        }
        let known = match name {
            "whitespace" | "max_whitespace" | "indent" | "item_separator" | "key_separator" => self.set_whitespace(name, value),
            _ => self.set_reading(name, value),
        };
        known.ok_or_else(|| format!("`{name}` can't be `{value}`"))
    }

    fn set_whitespace(&mut self, name: &str, value: &Value) -> Option<()> {
        self.whitespace = match (name, value.as_str()) {
            ("whitespace", Some("flexible")) => Whitespace::Flexible,
            ("whitespace", Some("compact")) => Whitespace::Compact,
            ("max_whitespace", _) => Whitespace::AtMost(value.as_u64()?.try_into().ok()?),
            ("indent", _) => Whitespace::Indent(value.as_u64()?.try_into().ok()?),
            ("item_separator" | "key_separator", Some(text)) => {
                let (mut item, mut key) = match &self.whitespace {
                    Whitespace::Separators { item, key } => (item.clone(), key.clone()),
                    _ => (",".to_owned(), ":".to_owned()),
                };
                let (separator, sign) = if name == "item_separator" {
                    (&mut item, ',')
                } else {
                    (&mut key, ':')
                };
                if !GAPS.contains(&text.strip_prefix(sign)?) {
                    return None;
                }
                *separator = text.to_owned();
                Whitespace::Separators { item, key }
            }
            _ => return None,
        };
        Some(())
    }

    fn set_reading(&mut self, name: &str, value: &Value) -> Option<()> {
        let schema = &mut self.schema;
        match (name, value.as_str()) {
            ("strict", _) => schema.strict = value.as_bool()?,
            ("report_enforced", _) => schema.report_enforced = value.as_bool()?,
            ("property_order", Some("any")) => schema.property_order = PropertyOrder::Any,
            ("property_order", Some("schema")) => schema.property_order = PropertyOrder::Schema,
            ("format", Some("assertion")) => schema.format = FormatMode::Assertion,
            ("format", Some("annotation")) => schema.format = FormatMode::Annotation,
            ("draft", Some(draft)) => schema.default_draft = DRAFTS.iter().find(|known| known.0 == draft)?.1,
            ("registry", _) => {
                let documents = value.as_object()?.iter();
                schema.registry = documents.map(|(uri, document)| (uri.clone(), document.clone())).collect();
            }
            ("limits", _) => {
                for (name, limit) in value.as_object()? {
                    self.set_limit(name, limit.as_u64()?.try_into().ok()?)?;
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// The options that are not the default ones, as EBNF writes them.
    pub(crate) fn printed(&self) -> Vec<(&'static str, Value)> {
        let (schema, default) = (&self.schema, SchemaOptions::default());
        let mut out = self.printed_whitespace();
        if schema.strict != default.strict {
            out.push(("strict", schema.strict.into()));
        }
        if schema.property_order == PropertyOrder::Schema {
            out.push(("property_order", "schema".into()));
        }
        if schema.format == FormatMode::Annotation {
            out.push(("format", "annotation".into()));
        }
        if schema.default_draft != default.default_draft {
            let name = DRAFTS.iter().find(|known| known.1 == schema.default_draft);
            out.push(("draft", name.map_or(Value::Null, |known| known.0.into())));
        }
        if schema.report_enforced != default.report_enforced {
            out.push(("report_enforced", schema.report_enforced.into()));
        }
        if !schema.registry.is_empty() {
            let documents = schema.registry.iter().map(|(uri, document)| (uri.clone(), document.clone()));
            out.push(("registry", Value::Object(documents.collect())));
        }
        if schema.limits != default.limits {
            out.push(("limits", printed_limits(&schema.limits)));
        }
        out
    }

    fn printed_whitespace(&self) -> Vec<(&'static str, Value)> {
        match &self.whitespace {
            Whitespace::Flexible => vec![],
            Whitespace::AtMost(count) => vec![("max_whitespace", (*count).into())],
            Whitespace::Compact => vec![("whitespace", "compact".into())],
            Whitespace::Separators { item, key } => {
                vec![
                    ("item_separator", item.as_str().into()),
                    ("key_separator", key.as_str().into()),
                ]
            }
            Whitespace::Indent(indent) => vec![("indent", (*indent).into())],
        }
    }
}

fn printed_limits(limits: &Limits) -> Value {
    let (mut limits, mut default, mut out) = (limits.clone(), Limits::default(), Map::new());
    for (name, place) in LIMITS {
        if *place(&mut limits) != *place(&mut default) {
            out.insert(name.to_owned(), (*place(&mut limits)).into());
        }
    }
    Value::Object(out)
}

impl Grammar {
    /// The JSON texts that `schema` accepts, as a grammar whose only rule is `root`. The schema itself is read when the
    /// grammar is compiled.
    pub fn from_json_schema(schema: Value, options: JsonOptions) -> Grammar {
        let mut builder = GrammarBuilder::new();
        let (schema, options) = (Arc::new(schema), Arc::new(options));
        let body = builder.add(Expr::JsonSchema { schema, options });
        let root = builder.rule("root");
        builder.define(root, body);
        builder.finish(root).expect("the only rule is defined")
    }
}
