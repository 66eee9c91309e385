//! How families of models write the arguments of a tool where they don't write JSON: one row each.

/// A part of one argument.
pub(super) enum Part {
    /// Fixed text.
    Text(&'static str),
    /// The name of the argument.
    Name,
    /// Whitespace that may be there.
    Gap,
    /// `true` for a string, `false` for another value.
    IsString,
    /// The type of the value: `string`, `number`, `boolean`, `null`, `array`, `object`.
    Type,
    /// The value; the text behind it ends it.
    Value,
}

/// A notation of arguments.
pub(super) struct Style {
    /// As a tag names it.
    pub name: &'static str,
    /// One argument.
    pub argument: &'static [Part],
    /// Whether readers take one line break off both ends of a string.
    pub padded: bool,
}

use Part::{Gap, IsString, Name, Text, Type, Value};

/// The notations that can be kept exactly.
pub(super) const STYLES: [Style; 6] = [
    Style {
        name: "qwen_xml",
        argument: &[Text("<parameter="), Name, Text(">"), Value, Text("</parameter>")],
        padded: true,
    },
    Style {
        name: "minimax_xml",
        argument: &[Text("<parameter name=\""), Name, Text("\">"), Value, Text("</parameter>")],
        padded: false,
    },
    Style {
        name: "deepseek_xml",
        argument: &[
            Text("<｜DSML｜parameter name=\""),
            Name,
            Text("\" string=\""),
            IsString,
            Text("\">"),
            Value,
            Text("</｜DSML｜parameter>"),
        ],
        padded: false,
    },
    Style {
        name: "deepseek_v4_1_xml",
        argument: &[
            Text("<｜DSML｜ parameter name=\""),
            Name,
            Text("\" string=\""),
            IsString,
            Text("\">"),
            Value,
            Text("</｜DSML｜ parameter>"),
        ],
        padded: false,
    },
    Style {
        name: "glm_xml",
        argument: &[
            Text("<arg_key>"),
            Name,
            Text("</arg_key>"),
            Gap,
            Text("<arg_value>"),
            Value,
            Text("</arg_value>"),
        ],
        padded: false,
    },
    Style {
        name: "kimi_k3_xml",
        argument: &[
            Text("<|open|>argument key=\""),
            Name,
            Text("\" type=\""),
            Type,
            Text("\"<|sep|>"),
            Value,
            Text("<|close|>argument<|sep|>"),
        ],
        padded: false,
    },
];

/// Notations that exist and are refused: their values nest in tags of their own.
pub(super) const REFUSED_STYLES: [&str; 2] = ["cohere_xml", "minimax_m3_xml"];
