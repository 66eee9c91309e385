//! `Regex(...)`, `Substring(...)`, `JsonSchema(...)`, `Token(...)`, `ExcludeToken(...)`; `dispatch.rs` has the two dispatches.
use super::dispatch::{tag_dispatch, token_tag_dispatch};
use super::lexer::Kind;
use super::parser::{GiveUp, Parser};
use crate::ast::{Expr, ExprId};
use crate::frontends::regex::{dialect_named, DIALECT_NAMES};
use crate::frontends::structural_tag::{read_tag, Specials};
use crate::options::JsonOptions;
use crate::tokens::TokenNames;
use penstock_automata::Dialect;
use serde_json::Value;
use std::sync::Arc;

/// What stands before `(`.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Macro {
    Regex,
    Substring,
    JsonSchema,
    SchemaText,
    StructuralTag,
    Token,
    ExcludeToken,
    TagDispatch,
    TokenTagDispatch,
}

impl Macro {
    pub fn named(word: &str) -> Option<Macro> {
        Some(match word {
            "Regex" => Macro::Regex,
            "Substring" => Macro::Substring,
            "JsonSchema" => Macro::JsonSchema,
            "SchemaText" => Macro::SchemaText,
            "StructuralTag" => Macro::StructuralTag,
            "Token" => Macro::Token,
            "ExcludeToken" => Macro::ExcludeToken,
            "TagDispatch" => Macro::TagDispatch,
            "TokenTagDispatch" => Macro::TokenTagDispatch,
            _ => return None,
        })
    }
}

/// One argument: `value` or `name=value`.
struct Argument {
    name: Option<String>,
    value: Value,
    offset: usize,
}

/// Reads the arguments behind `name` and gives what the macro stands for.
pub(super) fn read_macro(parser: &mut Parser, which: Macro, name: &str, offset: usize) -> Result<ExprId, GiveUp> {
    match which {
        Macro::TagDispatch => return tag_dispatch(parser, offset),
        Macro::TokenTagDispatch => return token_tag_dispatch(parser, offset),
        _ => {}
    }
    let arguments = read_arguments(parser, offset)?;
    match which {
        Macro::Regex => regex(parser, arguments, offset),
        Macro::Substring => substring(parser, arguments),
        Macro::JsonSchema => json_schema(parser, arguments, offset, name),
        Macro::SchemaText | Macro::StructuralTag => json_schema(parser, arguments, offset, name),
        Macro::Token => tokens(parser, arguments, offset),
        _ => excluded_tokens(parser, arguments),
    }
}

fn read_arguments(parser: &mut Parser, offset: usize) -> Result<Vec<Argument>, GiveUp> {
    parser.take_sign('(');
    let mut arguments = Vec::new();
    while !parser.take_sign(')') {
        if !arguments.is_empty() && !parser.take_sign(',') {
            let place = parser.offset();
            return parser.fail(place, "the arguments aren't closed", "write `,` or `)`");
        }
        if parser.peek().is_none() {
            return parser.fail(offset, "the arguments aren't closed", "close them with `)`");
        }
        arguments.push(read_argument(parser)?);
    }
    Ok(arguments)
}

fn read_argument(parser: &mut Parser) -> Result<Argument, GiveUp> {
    let offset = parser.offset();
    let mut value = read_value(parser)?;
    let mut name = None;
    if let (Value::String(word), true) = (&value, parser.take_sign('=')) {
        name = Some(word.clone());
        value = read_value(parser)?;
    }
    Ok(Argument { name, value, offset })
}

/// A text, a schema, a number, `true` or `false`; any other word is a text.
fn read_value(parser: &mut Parser) -> Result<Value, GiveUp> {
    let offset = parser.offset();
    match parser.take().map(|lexeme| &lexeme.kind) {
        Some(Kind::Text(text)) => Ok(Value::String(text.clone())),
        Some(Kind::Json(value)) => Ok(value.clone()),
        Some(Kind::Word(word)) => Ok(match word.as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => word.parse::<u32>().map_or_else(|_| Value::String(word.clone()), Value::from),
        }),
        _ => parser.fail(offset, "this is no argument", "write a text in double quotes or a number"),
    }
}

fn regex(parser: &mut Parser, arguments: Vec<Argument>, offset: usize) -> Result<ExprId, GiveUp> {
    let (mut pattern, mut dialect, mut flags, mut place) = (None, Dialect::Ecma, String::new(), offset);
    for Argument { name, value, offset } in arguments {
        match (name.as_deref(), value) {
            (None, Value::String(text)) if pattern.is_none() => (pattern, place) = (Some(text), offset),
            (Some("dialect"), value) => match value.as_str().and_then(dialect_named) {
                Some(known) => dialect = known,
                None => {
                    return parser.fail(
                        offset,
                        format!("{value} is no dialect"),
                        format!("write one of {DIALECT_NAMES}"),
                    )
                }
            },
            (Some("flags"), Value::String(text)) if is_flags(&text) => flags = text,
            (Some("flags"), value) => {
                return parser.fail(offset, format!("{value} are no flags"), "write some of `ims`");
            }
            (name, _) => return unknown_argument(parser, name, "Regex", offset),
        }
    }
    let Some(pattern) = pattern else {
        return parser.fail(offset, "`Regex` needs a pattern", "write `Regex(\"...\")`");
    };
    let whole = match flags.is_empty() {
        true => pattern.clone(),
        false => format!("(?{flags}:{pattern})"),
    };
    if !parser.mistakes.check_pattern(place, &pattern, &whole, dialect) {
        // The rest of the rule is read all the same.
        return Ok(parser.builder.text(""));
    }
    Ok(parser.builder.add(Expr::Regex { pattern: whole, dialect }))
}

fn is_flags(text: &str) -> bool {
    text.chars().all(|flag| "ims".contains(flag))
}

/// The chunks of a text: it matches those from some place to a later one.
fn substring(parser: &mut Parser, arguments: Vec<Argument>) -> Result<ExprId, GiveUp> {
    let mut chunks = Vec::with_capacity(arguments.len());
    for Argument { name, value, offset } in arguments {
        match (name, value) {
            (None, Value::String(chunk)) => chunks.push(chunk),
            (name, _) => return unknown_argument(parser, name.as_deref(), "Substring", offset),
        }
    }
    Ok(parser.builder.add(Expr::Substring(chunks)))
}

/// `JsonSchema(...)`, `SchemaText(...)`, `StructuralTag(...)`: JSON, and how its schemas are read.
fn json_schema(parser: &mut Parser, arguments: Vec<Argument>, offset: usize, macro_name: &str) -> Result<ExprId, GiveUp> {
    let (mut schema, mut options) = (None, JsonOptions::default());
    for Argument { name, value, offset } in arguments {
        match name {
            None if schema.is_none() => schema = Some(read_schema(parser, value, offset)?),
            None => return unknown_argument(parser, None, macro_name, offset),
            Some(name) => {
                if let Err(message) = options.set(&name, &value) {
                    return parser.fail(offset, message, format!("the options are {}", JsonOptions::NAMES));
                }
            }
        }
    }
    let Some(schema) = schema else {
        let hint = format!("write `{macro_name}({{...}})`");
        return parser.fail(offset, format!("`{macro_name}` needs a schema"), hint);
    };
    let (schema, options) = (Arc::new(schema), Arc::new(options));
    Ok(parser.builder.add(match macro_name {
        "SchemaText" => Expr::SchemaText { schema, options },
        "StructuralTag" => {
            if let Err(error) = read_tag(&schema, &options, &Specials::default()) {
                parser.mistakes.nested(offset, error);
                return Err(GiveUp);
            }
            Expr::StructuralTag { tag: schema, options }
        }
        _ => Expr::JsonSchema { schema, options },
    }))
}

/// A schema stands there as JSON, or as a text that holds JSON.
fn read_schema(parser: &mut Parser, value: Value, offset: usize) -> Result<Value, GiveUp> {
    let value = match value {
        Value::String(text) => match serde_json::from_str(&text) {
            Ok(value) => value,
            Err(error) => return parser.fail(offset, format!("the schema is no JSON: {error}"), "write a JSON object"),
        },
        value => value,
    };
    match value {
        Value::Object(_) | Value::Bool(_) => Ok(value),
        other => parser.fail(
            offset,
            format!("`{other}` is no schema"),
            "write a JSON object, `true` or `false`",
        ),
    }
}

fn tokens(parser: &mut Parser, arguments: Vec<Argument>, offset: usize) -> Result<ExprId, GiveUp> {
    let mut tokens = TokenNames::default();
    for Argument { name, value, offset } in arguments {
        match (name, token_id(&value), value) {
            (None, Some(id), _) => tokens.add(Ok(id)),
            (None, None, Value::String(text)) if !text.is_empty() => tokens.add(Err(text)),
            (name, ..) => return unknown_argument(parser, name.as_deref(), "Token", offset),
        }
    }
    if tokens == TokenNames::default() {
        return parser.fail(offset, "`Token` needs a token", "write its id, or its text in double quotes");
    }
    Ok(tokens.one_of(&mut parser.builder))
}

fn excluded_tokens(parser: &mut Parser, arguments: Vec<Argument>) -> Result<ExprId, GiveUp> {
    let mut excluded = TokenNames::default();
    for Argument { name, value, offset } in arguments {
        match (name, token_id(&value), value) {
            (None, Some(id), _) => excluded.add(Ok(id)),
            (None, None, Value::String(text)) if !text.is_empty() => excluded.add(Err(text)),
            (name, ..) => return unknown_argument(parser, name.as_deref(), "ExcludeToken", offset),
        }
    }
    Ok(excluded.none_of(&mut parser.builder))
}

fn token_id(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|id| u32::try_from(id).ok())
}

fn unknown_argument<T>(parser: &mut Parser, name: Option<&str>, of: &str, offset: usize) -> Result<T, GiveUp> {
    let message = match name {
        Some(name) => format!("`{of}` takes no argument `{name}`"),
        None => format!("`{of}` doesn't take this argument"),
    };
    parser.fail(offset, message, "delete it")
}
