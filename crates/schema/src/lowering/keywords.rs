//! The keywords of one schema object, sorted out in one walk over its members.
use crate::kinds::Kinds;
use serde_json::{Map, Value};

macro_rules! keywords {
    ($($field:ident $name:literal)*) => {
        /// The values of the keywords that decide about values, where a schema has them.
        #[derive(Default)]
        pub(super) struct Keywords<'v> {
            $(pub $field: Option<&'v Value>,)*
            /// Keywords that are none of ours and no plain annotation either.
            pub unknown: Vec<&'v str>,
        }

        impl<'v> Keywords<'v> {
            pub fn new(object: &'v Map<String, Value>) -> Keywords<'v> {
                let mut keywords = Keywords::default();
                for (name, value) in object {
                    match name.as_str() {
                        $($name => keywords.$field = Some(value),)*
                        name if is_silent(name) => {}
                        name => keywords.unknown.push(name),
                    }
                }
                keywords
            }

            /// Forgets the keywords that assert something by themselves; their names.
            pub fn drop_validation(&mut self) -> Vec<&'static str> {
                let mut names = Vec::new();
                $(if is_validation($name) && self.$field.take().is_some() {
                    names.push($name);
                })*
                names
            }

            /// The names of the keywords that are there.
            pub fn present(&self) -> Vec<&'static str> {
                let mut names = Vec::new();
                $(if self.$field.is_some() {
                    names.push($name);
                })*
                names
            }
        }
    };
}

keywords! {
    additional_items "additionalItems"
    additional_properties "additionalProperties"
    all_of "allOf"
    any_of "anyOf"
    constant "const"
    contains "contains"
    dependencies "dependencies"
    dependent_required "dependentRequired"
    dependent_schemas "dependentSchemas"
    dynamic_ref "$dynamicRef"
    else_ "else"
    enum_ "enum"
    exclusive_maximum "exclusiveMaximum"
    exclusive_minimum "exclusiveMinimum"
    format "format"
    if_ "if"
    items "items"
    max_contains "maxContains"
    max_items "maxItems"
    max_length "maxLength"
    max_properties "maxProperties"
    maximum "maximum"
    min_contains "minContains"
    min_items "minItems"
    min_length "minLength"
    min_properties "minProperties"
    minimum "minimum"
    multiple_of "multipleOf"
    not "not"
    one_of "oneOf"
    pattern "pattern"
    pattern_properties "patternProperties"
    prefix_items "prefixItems"
    properties "properties"
    property_names "propertyNames"
    recursive_ref "$recursiveRef"
    ref_ "$ref"
    required "required"
    then "then"
    type_ "type"
    unevaluated_items "unevaluatedItems"
    unevaluated_properties "unevaluatedProperties"
    unique_items "uniqueItems"
}

/// Whether any of these keywords is there.
macro_rules! any {
    ($keywords:ident: $($field:ident)*) => {
        $($keywords.$field.is_some())||*
    };
}

impl Keywords<'_> {
    /// Whether some keyword asserts something of values of one kind: numbers, strings, objects or arrays.
    pub fn ask_of(&self, kind: Kinds) -> bool {
        match kind {
            Kinds::NUMBER => any!(self: minimum maximum exclusive_minimum exclusive_maximum multiple_of),
            Kinds::STRING => any!(self: min_length max_length pattern format),
            Kinds::OBJECT => {
                any!(self: properties required pattern_properties additional_properties property_names)
                    || any!(self: min_properties max_properties dependencies dependent_required dependent_schemas)
            }
            _ => any!(self: items prefix_items additional_items min_items max_items unique_items contains),
        }
    }
}

/// The keywords of the validation vocabulary (2020-12, section 6).
fn is_validation(name: &str) -> bool {
    matches!(
        name,
        "type"
            | "enum"
            | "const"
            | "multipleOf"
            | "maximum"
            | "exclusiveMaximum"
            | "minimum"
            | "exclusiveMinimum"
            | "maxLength"
            | "minLength"
            | "pattern"
            | "maxItems"
            | "minItems"
            | "uniqueItems"
            | "maxContains"
            | "minContains"
            | "maxProperties"
            | "minProperties"
            | "required"
            | "dependentRequired"
    )
}

/// Keywords that nobody takes for an assertion.
fn is_silent(name: &str) -> bool {
    is_remark(name)
        || matches!(
            name,
            "$schema"
                | "$id"
                | "id"
                | "$anchor"
                | "$dynamicAnchor"
                | "$recursiveAnchor"
                | "$vocabulary"
                | "$defs"
                | "definitions"
        )
}

/// Keywords that say something to people only: they hold no schema and no address.
pub(super) fn is_remark(name: &str) -> bool {
    matches!(
        name,
        "$comment" | "title" | "description" | "default" | "examples" | "example" | "deprecated" | "readOnly" | "writeOnly"
    )
}
