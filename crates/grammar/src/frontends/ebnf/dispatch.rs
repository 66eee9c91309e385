//! `TagDispatch(("tag", rule), ...)` and `TokenTagDispatch((id, rule), ...)`: free text until a trigger, then its rule.
//!
//! Named arguments as XGrammar writes them, also those of its older versions: `excludes`, `loop_after_dispatch`, `stop_str`,
//! `stop_eos`.
use super::lexer::Kind;
use super::parser::{GiveUp, Parser};
use crate::ast::{Dispatch, ExprId, RuleId};
use crate::tokens::{token_dispatch, TokenNames};

/// What stands between the brackets.
struct Arguments {
    triggers: Vec<(Item, RuleId)>,
    excludes: Vec<Item>,
    stops: Vec<Item>,
    looped: bool,
}

/// A text, or a token by its id.
#[derive(PartialEq)]
enum Item {
    Text(String),
    Id(u32),
}

pub(super) fn tag_dispatch(parser: &mut Parser, offset: usize) -> Result<ExprId, GiveUp> {
    let Arguments {
        triggers,
        excludes,
        stops,
        looped,
    } = read_arguments(parser)?;
    let (tags, rules): (Vec<Item>, Vec<RuleId>) = triggers.into_iter().unzip();
    let texts = |parser: &mut Parser, items: Vec<Item>| -> Result<Vec<String>, GiveUp> {
        let text = |item| match item {
            Item::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        };
        let texts: Option<Vec<String>> = items.into_iter().map(text).collect();
        match texts {
            Some(texts) => Ok(texts),
            None => parser.fail(
                offset,
                "`TagDispatch` is cut by texts of at least one character",
                "write \"...\"",
            ),
        }
    };
    let dispatch = Dispatch {
        triggers: texts(parser, tags)?,
        excludes: texts(parser, excludes)?,
        stops: texts(parser, stops)?,
        looped,
    };
    let cut = dispatch.triggers.iter().chain(&dispatch.stops);
    if let Some(both) = cut.into_iter().find(|text| dispatch.excludes.contains(text)) {
        let message = format!("`{both}` is a trigger and excluded");
        return parser.fail(offset, message, "delete one of them");
    }
    Ok(parser.builder.dispatch(dispatch, &rules))
}

pub(super) fn token_tag_dispatch(parser: &mut Parser, offset: usize) -> Result<ExprId, GiveUp> {
    let arguments = read_arguments(parser)?;
    if !arguments.stops.is_empty() {
        return parser.fail(offset, "`TokenTagDispatch` takes no argument `stop_str`", "delete it");
    }
    if let Some((both, _)) = arguments.triggers.iter().find(|pair| arguments.excludes.contains(&pair.0)) {
        let name = match both {
            Item::Text(text) => text.clone(),
            Item::Id(id) => id.to_string(),
        };
        return parser.fail(
            offset,
            format!("the token `{name}` is a trigger and excluded"),
            "delete one of them",
        );
    }
    let mut excludes = TokenNames::default();
    arguments.excludes.into_iter().for_each(|item| excludes.add(item.into()));
    let triggers: Vec<_> = arguments
        .triggers
        .into_iter()
        .map(|(item, rule)| (item.into(), rule))
        .collect();
    Ok(token_dispatch(&mut parser.builder, &triggers, excludes, arguments.looped))
}

impl From<Item> for Result<u32, String> {
    fn from(item: Item) -> Self {
        match item {
            Item::Id(id) => Ok(id),
            Item::Text(text) => Err(text),
        }
    }
}

fn read_arguments(parser: &mut Parser) -> Result<Arguments, GiveUp> {
    let mut arguments = Arguments {
        triggers: Vec::new(),
        excludes: Vec::new(),
        stops: Vec::new(),
        looped: true,
    };
    parser.take_sign('(');
    let mut first = true;
    while !parser.take_sign(')') {
        let place = parser.offset();
        if !first && !parser.take_sign(',') {
            return parser.fail(place, "the arguments aren't closed", "write `,` or `)`");
        }
        first = false;
        if parser.take_sign('(') {
            arguments.triggers.push(read_trigger(parser)?);
        } else {
            read_named(parser, &mut arguments)?;
        }
    }
    Ok(arguments)
}

/// `"tag", rule)`
fn read_trigger(parser: &mut Parser) -> Result<(Item, RuleId), GiveUp> {
    let item = read_item(parser)?;
    let place = parser.offset();
    let name = match (parser.take_sign(','), parser.take().map(|lexeme| &lexeme.kind)) {
        (true, Some(Kind::Word(word))) => word,
        _ => return parser.fail(place, "a trigger needs a rule", "write `(\"trigger\", rule)`"),
    };
    parser.take_sign(',');
    let end = parser.offset();
    if !parser.take_sign(')') {
        return parser.fail(end, "the trigger isn't closed", "write `)`");
    }
    Ok((item, parser.call(name, place)))
}

fn read_item(parser: &mut Parser) -> Result<Item, GiveUp> {
    let place = parser.offset();
    match parser.take().map(|lexeme| &lexeme.kind) {
        Some(Kind::Text(text)) => Ok(Item::Text(text.clone())),
        Some(Kind::Word(word)) if word.parse::<u32>().is_ok() => Ok(Item::Id(word.parse().unwrap_or_default())),
        _ => parser.fail(place, "this is no text and no token id", "write \"...\" or a number"),
    }
}

fn read_named(parser: &mut Parser, arguments: &mut Arguments) -> Result<(), GiveUp> {
    let place = parser.offset();
    let name = match parser.take().map(|lexeme| &lexeme.kind) {
        Some(Kind::Word(word)) if parser.take_sign('=') => word.as_str(),
        _ => return parser.fail(place, "this is no argument", "write `(\"trigger\", rule)` or `name=value`"),
    };
    match name {
        "excludes" => arguments.excludes = read_items(parser)?,
        "stop_str" => arguments.stops = read_items(parser)?,
        "loop_after_dispatch" => arguments.looped = read_truth(parser)?,
        "stop_eos" => {
            if !read_truth(parser)? {
                let message = "`stop_eos=false` is refused: free text may end anywhere";
                parser
                    .mistakes
                    .unsupported(place, message, "put what must follow behind the dispatch");
                return Err(GiveUp);
            }
        }
        _ => {
            let message = format!("a dispatch takes no argument `{name}`");
            return parser.fail(
                place,
                message,
                "the arguments are `excludes`, `loop_after_dispatch`, `stop_str`",
            );
        }
    }
    Ok(())
}

fn read_truth(parser: &mut Parser) -> Result<bool, GiveUp> {
    let place = parser.offset();
    match parser.take().map(|lexeme| &lexeme.kind) {
        Some(Kind::Word(word)) if word == "true" => Ok(true),
        Some(Kind::Word(word)) if word == "false" => Ok(false),
        _ => parser.fail(place, "this is neither `true` nor `false`", "write one of them"),
    }
}

/// `("a", "b")`, also with a comma at its end, or empty.
fn read_items(parser: &mut Parser) -> Result<Vec<Item>, GiveUp> {
    let place = parser.offset();
    if !parser.take_sign('(') {
        return parser.fail(place, "this is no list", "write `(\"...\", \"...\")`");
    }
    let mut items = Vec::new();
    while !parser.take_sign(')') {
        items.push(read_item(parser)?);
        let end = parser.offset();
        if !parser.take_sign(',') && parser.peek().is_none_or(|next| next.kind != Kind::Sign(')')) {
            return parser.fail(end, "the list isn't closed", "write `,` or `)`");
        }
    }
    Ok(items)
}
