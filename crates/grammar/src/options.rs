//! How the texts of a JSON schema are spelt.
use crate::ast::{Expr, Grammar, GrammarBuilder};
use serde_json::Value;
use std::sync::Arc;

/// The whitespace between the parts of a JSON text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Whitespace {
    /// Per gap nothing, one space or tab, or one line break with spaces or tabs after it.
    #[default]
    Flexible,
    /// None.
    Compact,
    /// Exactly these separators, and nothing else.
    Separators {
        /// Between items and members, with its comma.
        item: String,
        /// Between a name and its value, with its colon.
        key: String,
    },
    /// One item or member a line, this many spaces deeper than what holds it.
    Indent(u8),
}

/// The options of a JSON schema within a grammar.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JsonOptions {
    /// The whitespace between the parts.
    pub whitespace: Whitespace,
}

impl JsonOptions {
    /// The options as EBNF names them.
    pub(crate) const NAMES: &'static str = "`whitespace`, `indent`, `item_separator`, `key_separator`";

    /// Sets the option `name` as EBNF writes it; the error is a message.
    pub(crate) fn set(&mut self, name: &str, value: &Value) -> Result<(), String> {
        let wrong = || format!("`{name}` can't be `{value}`");
        match name {
            "whitespace" => {
                self.whitespace = match value.as_str() {
                    Some("flexible") => Whitespace::Flexible,
                    Some("compact") => Whitespace::Compact,
                    _ => return Err(wrong()),
                }
            }
            "indent" => {
                let indent = value.as_u64().and_then(|indent| u8::try_from(indent).ok());
                self.whitespace = Whitespace::Indent(indent.ok_or_else(wrong)?);
            }
            "item_separator" | "key_separator" => {
                let text = value.as_str().ok_or_else(wrong)?.to_owned();
                self.set_separator(name == "item_separator", text);
            }
            _ => return Err(format!("`JsonSchema` takes no option `{name}`")),
        }
        Ok(())
    }

    fn set_separator(&mut self, is_item: bool, text: String) {
        if !matches!(self.whitespace, Whitespace::Separators { .. }) {
            let (item, key) = (",".to_owned(), ":".to_owned());
            self.whitespace = Whitespace::Separators { item, key };
        }
        if let Whitespace::Separators { item, key } = &mut self.whitespace {
            *(if is_item { item } else { key }) = text;
        }
    }

    /// The options that are not the default ones, as EBNF writes them.
    pub(crate) fn printed(&self) -> Vec<(&'static str, Value)> {
        match &self.whitespace {
            Whitespace::Flexible => vec![],
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
