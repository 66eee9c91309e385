//! Options of lowering.
use crate::limits::Limits;
use serde_json::Value;
use std::collections::BTreeMap;

/// A version of JSON Schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Draft {
    /// Draft 4.
    Draft4,
    /// Draft 6.
    Draft6,
    /// Draft 7.
    Draft7,
    /// Draft 2019-09.
    Draft201909,
    /// Draft 2020-12.
    Draft202012,
}

impl Draft {
    /// The draft that a `$schema` names.
    pub(crate) fn of_uri(uri: &str) -> Option<Draft> {
        let uri = uri.trim_end_matches('#');
        let address = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://"));
        match address.unwrap_or(uri) {
            "json-schema.org/draft-04/schema" => Some(Draft::Draft4),
            "json-schema.org/draft-06/schema" => Some(Draft::Draft6),
            "json-schema.org/draft-07/schema" => Some(Draft::Draft7),
            "json-schema.org/draft/2019-09/schema" => Some(Draft::Draft201909),
            "json-schema.org/draft/2020-12/schema" | "json-schema.org/schema" => Some(Draft::Draft202012),
            _ => None,
        }
    }
}

/// In which order members may come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PropertyOrder {
    /// In any order.
    #[default]
    Any,
    /// Members that `properties` names come in its order, the others after them.
    Schema,
}

/// What `format` means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FormatMode {
    /// Formats that are known are enforced; unknown ones are annotations.
    #[default]
    Assertion,
    /// No format is enforced.
    Annotation,
}

/// Options of [`crate::SchemaMachine::lower`].
#[derive(Clone, Debug)]
pub struct SchemaOptions {
    /// Refuse schemas with keywords that cannot be enforced exactly. Off: drop these keywords and list them.
    pub strict: bool,
    /// In which order members may come.
    pub property_order: PropertyOrder,
    /// What `format` means.
    pub format: FormatMode,
    /// Other documents by address. The meta-schemas of the drafts are always there.
    pub registry: BTreeMap<String, Value>,
    /// The draft of schemas without `$schema`.
    pub default_draft: Draft,
    /// Fill [`crate::Report::enforced`], at the cost of a text for every keyword.
    pub report_enforced: bool,
    /// Named limits; they also become those of the machine.
    pub limits: Limits,
}

impl Default for SchemaOptions {
    fn default() -> SchemaOptions {
        SchemaOptions {
            strict: true,
            property_order: PropertyOrder::default(),
            format: FormatMode::default(),
            registry: BTreeMap::new(),
            default_draft: Draft::Draft202012,
            report_enforced: false,
            limits: Limits::default(),
        }
    }
}
