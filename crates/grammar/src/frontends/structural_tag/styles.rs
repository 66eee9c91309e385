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
    /// How a value of a nesting notation is written: `raw`, `json`, `dict`, `list`.
    Shape,
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
    /// Whether whitespace may stand around a value in JSON.
    pub spaced: bool,
    /// One item of an array, where objects and arrays are elements within elements and not JSON.
    pub item: Option<&'static [Part]>,
}

use Part::{Gap, IsString, Name, Shape, Text, Type, Value};

/// The notations that can be kept exactly.
pub(super) const STYLES: [Style; 8] = [
    Style {
        name: "qwen_xml",
        argument: &[Text("<parameter="), Name, Text(">"), Value, Text("</parameter>")],
        padded: true,
        spaced: true,
        item: None,
    },
    Style {
        name: "minimax_xml",
        argument: &[Text("<parameter name=\""), Name, Text("\">"), Value, Text("</parameter>")],
        padded: false,
        spaced: true,
        item: None,
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
        spaced: true,
        item: None,
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
        spaced: true,
        item: None,
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
        spaced: true,
        item: None,
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
        spaced: true,
        item: None,
    },
    Style {
        name: "cohere_xml",
        argument: &[
            Text("<cofl:value name=\""),
            Name,
            Text("\" type=\""),
            Shape,
            Text("\">"),
            Value,
            Text("</cofl:value>"),
        ],
        padded: false,
        spaced: true,
        item: Some(&[Text("<cofl:value type=\""), Shape, Text("\">"), Value, Text("</cofl:value>")]),
    },
    Style {
        name: "minimax_m3_xml",
        argument: &[
            Text("]<]minimax[>[<"),
            Name,
            Text(">"),
            Value,
            Text("]<]minimax[>["),
            Text("</"),
            Name,
            Text(">"),
        ],
        padded: false,
        spaced: false,
        item: Some(&[Text("]<]minimax[>[<item>"), Value, Text("]<]minimax[>["), Text("</item>")]),
    },
];
