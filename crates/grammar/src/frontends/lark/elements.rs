//! Single elements: texts, ranges, patterns, names, tokens, and what `%json`, `%regex`, `%lark` and `@` embed.
use super::lexer::{Kind, Lexeme};
use super::scope::{name_mode, GiveUp, Meaning, Mode, Pending, Reader};
use super::tokens::{token_set, BadTokens};
use crate::ast::{Expr, ExprId};
use crate::frontends::nearest::nearest;
use crate::options::JsonOptions;
use penstock_automata::{CharSet, Dialect};
use serde_json::Value;
use std::sync::Arc;

/// An expression, and whether ignored text may follow it.
pub(super) type Element = (ExprId, bool);

impl Reader<'_> {
    /// The element whose first lexeme has just been taken.
    pub fn read_element(&mut self, lexeme: &Lexeme, mode: Mode) -> Result<Element, GiveUp> {
        let expr = match &lexeme.kind {
            Kind::Text { text, ignore_case } => {
                if self.peek().is_some_and(|next| next.is("..")) {
                    return self.range(text, *ignore_case, lexeme.start);
                }
                self.text(text, *ignore_case)
            }
            Kind::Pattern { pattern, flags } => self.pattern(pattern, flags, lexeme.start)?,
            Kind::Name(name) => return self.name(name, lexeme, mode),
            Kind::Directive(name) if name == "regex" => self.structured_regex(lexeme.start)?,
            Kind::Special(_) | Kind::Reference(_) | Kind::Directive(_) if mode == Mode::Terminal => {
                let message = "a terminal can't hold tokens and grammars";
                return self.fail(lexeme.start, message, "make it a rule, whose name is in lower case");
            }
            Kind::Special(inner) => self.special(inner, lexeme.start)?,
            Kind::Reference(name) => self.reference(name, lexeme.start)?,
            Kind::Directive(name) if name == "json" => self.json(lexeme.start)?,
            Kind::Directive(name) if name == "lark" => self.nested(lexeme.start)?,
            Kind::Sign("*" | "+" | "?" | "{") => {
                return self.fail(lexeme.start, "this repeats nothing", "write it behind what it repeats");
            }
            Kind::Number(_) => {
                return self.fail(
                    lexeme.start,
                    "a number means nothing here",
                    "put it in double quotes if it is text",
                );
            }
            _ => {
                let hint = "delete it, or put text in double quotes";
                return self.fail(lexeme.start, "this means nothing here", hint);
            }
        };
        let empty = matches!(&lexeme.kind, Kind::Text { text, .. } if text.is_empty());
        Ok((expr, !empty))
    }

    pub fn text(&mut self, text: &str, ignore_case: bool) -> ExprId {
        match ignore_case && text.chars().any(char::is_alphabetic) {
            false => self.builder.text(text),
            true => self.builder.add(Expr::Regex {
                pattern: format!("(?i:{})", escaped(text)),
                dialect: Dialect::Rust,
            }),
        }
    }

    /// `"a".."z"`
    fn range(&mut self, first: &str, ignore_case: bool, offset: usize) -> Result<Element, GiveUp> {
        self.at += 1;
        let place = self.offset();
        let last = match self.take().map(|lexeme| &lexeme.kind) {
            Some(Kind::Text {
                text,
                ignore_case: false,
            }) if !ignore_case => text,
            _ => return self.fail(place, "a range ends with a text", "write `\"a\"..\"z\"`"),
        };
        let one = |text: &str| {
            let mut characters = text.chars();
            characters.next().filter(|_| characters.next().is_none())
        };
        let (Some(low), Some(high)) = (one(first), one(last)) else {
            return self.fail(offset, "the ends of a range are single characters", "write `\"a\"..\"z\"`");
        };
        if low > high {
            let message = format!("the range ends before it starts: `{low:?}` to `{high:?}`");
            return self.fail(offset, message, "exchange its ends");
        }
        let set = CharSet::new([(low as u32, high as u32)]);
        Ok((self.builder.add(Expr::Class(set)), true))
    }

    pub fn pattern(&mut self, pattern: &str, flags: &str, offset: usize) -> Result<ExprId, GiveUp> {
        if let Some(flag) = flags.chars().find(|flag| !"imsxu".contains(*flag)) {
            return self.refuse(
                offset,
                format!("the flag `{flag}` of a pattern is refused"),
                "use some of `imsx`",
            );
        }
        let flags: String = flags.chars().filter(|flag| *flag != 'u').collect();
        let whole = match flags.is_empty() {
            true => pattern.to_owned(),
            // The line break ends a comment that a verbose pattern may end with.
            false if flags.contains('x') => format!("(?{flags}:{pattern}\n)"),
            false => format!("(?{flags}:{pattern})"),
        };
        let dialect = Dialect::Rust;
        if !self.mistakes.check_pattern(offset, pattern, &whole, dialect) {
            // The rest of the definition is read all the same.
            return Ok(self.builder.text(""));
        }
        Ok(self.builder.add(Expr::Regex { pattern: whole, dialect }))
    }

    fn name(&mut self, name: &str, lexeme: &Lexeme, mode: Mode) -> Result<Element, GiveUp> {
        let kind = name_mode(name);
        if kind == Mode::Rule && mode == Mode::Terminal {
            let message = format!("`{name}` is a rule, and this is part of a terminal");
            return self.fail(
                lexeme.start,
                message,
                "terminals, `~`, `&` and lazy rules are made of terminals",
            );
        }
        let parameter = match self.take_sign("::") {
            true => Some(self.read_parameter()?),
            false => None,
        };
        if let Some(brace) = self.peek().filter(|next| next.is("{") && next.start == lexeme.end) {
            let next = self.lexemes[..self.end].get(self.at + 1);
            if !next.is_some_and(|next| matches!(next.kind, Kind::Number(_)) || next.is(",")) {
                return self.refuse(brace.start, "templates (`name{...}`) are refused", "write the rules out");
            }
        }
        let rule = match self.scope.names.get(name) {
            None => {
                let offset = self.scope.unknown.entry(name.to_owned()).or_insert(lexeme.start);
                *offset = (*offset).min(lexeme.start);
                return Ok((self.builder.text(""), false));
            }
            Some(&Meaning::Import(rule)) => rule,
            Some(&Meaning::Definition(definition)) => {
                let parametric = self.scope.definitions[definition].parametric;
                if parametric != parameter.is_some() {
                    let (message, hint) = match parametric {
                        true => (format!("`{name}` needs a parameter"), format!("write `{name}::0`")),
                        false => (
                            format!("`{name}` has no parameter"),
                            format!("define it as `{name}::_ : ...`"),
                        ),
                    };
                    return self.fail(lexeme.start, message, hint);
                }
                if mode == Mode::Terminal {
                    self.scope.terminal_uses.insert((self.current.0, definition));
                }
                self.instance(definition, parameter.unwrap_or(0))
            }
        };
        Ok((self.builder.add(Expr::Rule(rule)), kind == Mode::Terminal))
    }

    fn special(&mut self, inner: &str, offset: usize) -> Result<ExprId, GiveUp> {
        match token_set(inner) {
            Ok(expr) => Ok(self.builder.add(expr)),
            Err(BadTokens::Syntax(message, hint)) => self.fail(offset, message, hint),
            Err(BadTokens::Limit(limit)) => {
                self.mistakes.limit(offset, limit, "write `<[^...]>` for all tokens but some");
                Err(GiveUp)
            }
        }
    }

    /// `@name`: a copy of the named grammar, one for the whole text.
    fn reference(&mut self, name: &str, offset: usize) -> Result<ExprId, GiveUp> {
        let rule = match (self.copies.get(name), self.named.get(name)) {
            (Some(&rule), _) => rule,
            (None, Some(grammar)) => {
                let rule = self.builder.import(grammar);
                self.copies.insert(name.to_owned(), rule);
                rule
            }
            (None, None) => {
                let hint = match nearest(name, self.named.keys().map(String::as_str)) {
                    Some(known) => format!("did you mean `@{known}`?"),
                    None => format!("give it to the call: `named_grammars={{\"{name}\": ...}}`"),
                };
                return self.fail(offset, format!("there is no grammar `@{name}`"), hint);
            }
        };
        Ok(self.builder.add(Expr::Rule(rule)))
    }

    fn json(&mut self, offset: usize) -> Result<ExprId, GiveUp> {
        let mut schema = match self.take().map(|lexeme| &lexeme.kind) {
            Some(Kind::Json(schema @ (Value::Object(_) | Value::Bool(_)))) => schema.clone(),
            Some(Kind::Json(Value::Null)) => return Err(GiveUp),
            _ => return self.fail(offset, "`%json` needs a schema", "write `%json {...}`"),
        };
        let mut options = JsonOptions::default();
        if let Some(Value::Object(hints)) = schema.as_object_mut().and_then(|schema| schema.remove("x-guidance")) {
            for (name, value) in &hints {
                let known = match (name.as_str(), value) {
                    ("whitespace_flexible", Value::Bool(true)) => Ok(()),
                    ("whitespace_flexible", Value::Bool(false)) => options.set("whitespace", &"compact".into()),
                    ("item_separator" | "key_separator", _) => options.set(name, value),
                    _ => Err(format!("`x-guidance` with `{name}`: `{value}` is refused")),
                };
                if let Err(message) = known {
                    let hint = "use `whitespace_flexible`, `item_separator` and `key_separator` with fixed texts";
                    return self.refuse(offset, message, hint);
                }
            }
        }
        let (schema, options) = (Arc::new(schema), Arc::new(options));
        Ok(self.builder.add(Expr::JsonSchema { schema, options }))
    }

    /// `%lark {...}`: read later, with names of its own.
    fn nested(&mut self, offset: usize) -> Result<ExprId, GiveUp> {
        let open = self.peek().filter(|lexeme| lexeme.is("{")).map(|_| self.at);
        let Some((open, close)) = open.and_then(|open| Some((open, self.lexemes[open].partner?))) else {
            return self.fail(
                offset,
                "`%lark` needs a grammar in braces",
                "write `%lark {` and `}` behind its rules",
            );
        };
        self.at = close + 1;
        let root = match self.nested_rules.get(&open) {
            Some(&root) => root,
            None => {
                let root = self.builder.fresh_rule("lark");
                self.nested_rules.insert(open, root);
                self.pending.push(Pending {
                    lexemes: open + 1..close,
                    root,
                    offset: self.lexemes[close].start,
                });
                root
            }
        };
        Ok(self.builder.add(Expr::Rule(root)))
    }

    /// `%regex {"substring_chars": "..."}` and its kin.
    fn structured_regex(&mut self, offset: usize) -> Result<ExprId, GiveUp> {
        const HINT: &str = "write `substring_chunks` with a list, `substring_words` or `substring_chars` with a text";
        let options = match self.take().map(|lexeme| &lexeme.kind) {
            Some(Kind::Json(Value::Object(options))) => options,
            Some(Kind::Json(Value::Null)) => return Err(GiveUp),
            _ => return self.fail(offset, "`%regex` needs an object", HINT),
        };
        let mut members = options.iter();
        let (Some((name, value)), None) = (members.next(), members.next()) else {
            return self.fail(offset, "`%regex` takes one member", HINT);
        };
        let chunks = match (name.as_str(), value) {
            ("substring_chars", Value::String(text)) => text.chars().map(String::from).collect(),
            ("substring_words", Value::String(text)) => words(text),
            ("substring_chunks", Value::Array(chunks)) => {
                let texts: Option<Vec<String>> = chunks.iter().map(|chunk| chunk.as_str().map(str::to_owned)).collect();
                match texts {
                    Some(texts) => texts,
                    None => return self.fail(offset, "the chunks of a substring are texts", HINT),
                }
            }
            _ => return self.refuse(offset, format!("`%regex` with `{name}`: `{value}` is refused"), HINT),
        };
        Ok(self.builder.add(Expr::Substring(chunks)))
    }
}

/// A text as a pattern that matches it and nothing else.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii_punctuation() {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// Runs of letters, digits and `_`; runs of white space; each other character for itself.
fn words(text: &str) -> Vec<String> {
    let sort = |c: char| match c {
        _ if c.is_alphanumeric() || c == '_' => 0,
        _ if c.is_whitespace() => 1,
        _ => 2,
    };
    let mut out: Vec<String> = Vec::new();
    let mut last = 2;
    for character in text.chars() {
        match out.last_mut() {
            Some(word) if sort(character) == last && last != 2 => word.push(character),
            _ => out.push(character.into()),
        }
        last = sort(character);
    }
    out
}
