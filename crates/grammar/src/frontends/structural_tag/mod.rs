//! Structural tags: XGrammar's JSON notation for free text with tags, tool calls and reasoning sections.
//!
//! `{"type": "structural_tag", "format": {...}}`, or the older `{"structures": [...], "triggers": [...]}`. A format is an object with
//! a `type`; formats hold formats. Every field is read or refused by name, each mistake with its JSON pointer.
//!
//! Read next: `reader.rs` (fields and places), `formats.rs` (one function for each type), `tags.rs` (tags, triggers, tokens),
//! `specials.rs` (special tokens in texts), `arguments.rs`, `nested.rs` and `styles.rs` (arguments of tools in other notations than JSON), `beginnings.rs` (many tags that start alike).
mod arguments;
mod beginnings;
mod formats;
mod nested;
mod reader;
mod specials;
mod styles;
mod tags;

use crate::ast::{Expr, Grammar, GrammarBuilder};
use crate::error::GrammarError;
use crate::options::JsonOptions;
use penstock_schema::PropertyOrder;
use reader::Reader;
use serde_json::Value;
use std::sync::Arc;

pub use specials::Specials;

/// `max_tag_nesting`: how deep formats may stand inside each other.
pub const MAX_TAG_NESTING: usize = 128;

impl Grammar {
    /// Reads a structural tag. `options` are those of its JSON schemas; `any_order` of a format frees their order of members.
    ///
    /// The tag stays as it is until the names of special tokens are known ([`Grammar::expand_tags`]). Cost: linear in the tag.
    ///
    /// # Errors
    /// Every mistake at once, with JSON pointers: what is no structural tag, types and fields that are unknown or refused,
    /// `max_tag_nesting`.
    pub fn from_structural_tag(tag: Value, options: JsonOptions) -> Result<Grammar, GrammarError> {
        read_tag(&tag, &options, &Specials::default())?;
        let mut builder = GrammarBuilder::new();
        let (tag, options) = (Arc::new(tag), Arc::new(options));
        let body = builder.add(Expr::StructuralTag { tag, options });
        let root = builder.rule("root");
        builder.define(root, body);
        builder.finish(root)
    }
}

/// The rules of a tag.
pub(crate) fn read_tag(tag: &Value, options: &JsonOptions, specials: &Specials) -> Result<Grammar, GrammarError> {
    let mut reader = Reader::new(options, specials);
    let body = reader.structural_tag(tag);
    reader.finish(body)
}

/// The options of one schema. An order of members is no property of a JSON value: `any_order` can free it, but only the options of
/// the whole tag can ask for one.
fn ordered(options: &JsonOptions, any_order: Option<bool>) -> JsonOptions {
    let mut options = options.clone();
    if any_order == Some(true) {
        options.schema.property_order = PropertyOrder::Any;
    }
    options
}
