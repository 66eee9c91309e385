//! Grammars as EBNF that parses back to the same language. The root is printed first and is called `root`.
use crate::ast::{Dispatch, Expr, ExprId, Grammar, Marks, RuleId};
use crate::frontends::regex::dialect_name;
use crate::options::JsonOptions;
use penstock_automata::{CharSet, Dialect, INFINITE, MAX_CHAR};
use rustc_hash::FxHashSet;
use serde_json::Value;
use std::fmt::{self, Write};

/// How tightly a form binds: a part that binds less than its place asks for is put in brackets.
const CHOICE: u8 = 0;
const AND: u8 = 1;
const SEQUENCE: u8 = 2;
const NOT: u8 = 3;
const REPEAT: u8 = 4;
const ATOM: u8 = 5;

/// What is still to be written, in reverse: a stack instead of recursion.
enum Work {
    Expr(ExprId, u8),
    Str(&'static str),
    Repeat(u32, u32),
}

impl Grammar {
    /// EBNF that [`Grammar::from_ebnf`] reads back with the root `root`. Also what [`fmt::Display`] writes.
    pub fn to_ebnf(&self) -> String {
        let names = printed_names(self);
        let mut out = String::new();
        let others = (0..self.rules.len() as u32).map(RuleId).filter(|&rule| rule != self.root);
        for rule in std::iter::once(self.root).chain(others) {
            write!(out, "{}{} ::= ", names[rule.index()], printed_marks(&self.rule(rule).marks))
                .expect("a String takes all text");
            print_expr(self, &names, self.rule(rule).body, &mut out);
            out.push('\n');
        }
        out
    }
}

impl fmt::Display for Grammar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_ebnf())
    }
}

/// Marks as options of a rule.
fn printed_marks(marks: &Marks) -> String {
    let capture = marks.capture.as_ref().map(|name| format!("capture=\"{name}\""));
    let trim = (marks.capture_trim > 0).then(|| format!("capture_trim={}", marks.capture_trim));
    let max_tokens = marks.max_tokens.map(|max| format!("max_tokens={max}"));
    let temperature = marks.temperature.map(|temperature| format!("temperature={temperature}"));
    let options: Vec<String> = [capture, trim, max_tokens, temperature].into_iter().flatten().collect();
    match options.is_empty() {
        true => String::new(),
        false => format!("[{}]", options.join(", ")),
    }
}

/// Names as EBNF can read them: the root is `root`, and all are distinct.
fn printed_names(grammar: &Grammar) -> Vec<String> {
    let mut taken: FxHashSet<String> = FxHashSet::default();
    let mut names = vec![String::new(); grammar.rules.len()];
    names[grammar.root.index()] = "root".to_owned();
    taken.insert("root".to_owned());
    for (i, rule) in grammar.rules.iter().enumerate() {
        if i == grammar.root.index() {
            continue;
        }
        let wish = readable_name(&rule.name);
        let mut name = wish.clone();
        let mut number = 1;
        while !taken.insert(name.clone()) {
            name = format!("{wish}_{number}");
            number += 1;
        }
        names[i] = name;
    }
    names
}

fn readable_name(name: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.split('.').all(|part| !part.is_empty() && part.chars().all(is_word)) {
        return name.to_owned();
    }
    let kept: String = name.chars().map(|c| if is_word(c) { c } else { '_' }).collect();
    format!("_{kept}")
}

fn print_expr(grammar: &Grammar, names: &[String], body: ExprId, out: &mut String) {
    let mut stack = vec![Work::Expr(body, CHOICE)];
    while let Some(work) = stack.pop() {
        match work {
            Work::Str(text) => out.push_str(text),
            Work::Repeat(min, max) => print_counts(min, max, out),
            Work::Expr(id, needed) => {
                let expr = grammar.expr(id);
                if binding(expr) < needed {
                    stack.push(Work::Str(")"));
                    stack.push(Work::Expr(id, CHOICE));
                    out.push('(');
                    continue;
                }
                match expr {
                    Expr::Choice(parts) if !parts.is_empty() => push_parts(&mut stack, parts, " | ", AND),
                    Expr::And(parts) if !parts.is_empty() => push_parts(&mut stack, parts, " & ", SEQUENCE),
                    Expr::Sequence(parts) if !parts.is_empty() => push_parts(&mut stack, parts, " ", NOT),
                    Expr::Not(part) => {
                        out.push('~');
                        stack.push(Work::Expr(*part, REPEAT));
                    }
                    Expr::Repeat { body, min, max } => {
                        stack.push(Work::Repeat(*min, *max));
                        stack.push(Work::Expr(*body, ATOM));
                    }
                    leaf => print_leaf(grammar, leaf, names, out),
                }
            }
        }
    }
}

fn binding(expr: &Expr) -> u8 {
    match expr {
        Expr::Choice(parts) if !parts.is_empty() => CHOICE,
        Expr::And(parts) if !parts.is_empty() => AND,
        Expr::Sequence(parts) if !parts.is_empty() => SEQUENCE,
        Expr::Not(_) | Expr::And(_) => NOT,
        Expr::Repeat { .. } => REPEAT,
        _ => ATOM,
    }
}

fn push_parts(stack: &mut Vec<Work>, parts: &[ExprId], between: &'static str, needed: u8) {
    for (i, &part) in parts.iter().enumerate().rev() {
        stack.push(Work::Expr(part, needed));
        if i > 0 {
            stack.push(Work::Str(between));
        }
    }
}

fn print_counts(min: u32, max: u32, out: &mut String) {
    let text = match (min, max) {
        (0, INFINITE) => "*".to_owned(),
        (1, INFINITE) => "+".to_owned(),
        (0, 1) => "?".to_owned(),
        (min, INFINITE) => format!("{{{min},}}"),
        (min, max) if min == max => format!("{{{min}}}"),
        (min, max) => format!("{{{min},{max}}}"),
    };
    out.push_str(&text);
}

fn print_leaf(grammar: &Grammar, leaf: &Expr, names: &[String], out: &mut String) {
    match leaf {
        Expr::Text(text) => push_quoted(text, out),
        Expr::Class(set) => push_class(set, out),
        Expr::Rule(rule) => out.push_str(&names[rule.index()]),
        Expr::Regex { pattern, dialect } => {
            out.push_str("Regex(");
            push_quoted(pattern, out);
            if *dialect != Dialect::Ecma {
                out.push_str(", dialect=");
                push_quoted(dialect_name(*dialect), out);
            }
            out.push(')');
        }
        Expr::Substring(chunks) => {
            out.push_str("Substring(");
            for (i, chunk) in chunks.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                push_quoted(chunk, out);
            }
            out.push(')');
        }
        Expr::JsonSchema { schema, options } => push_json("JsonSchema", schema, options, out),
        Expr::SchemaText { schema, options } => push_json("SchemaText", schema, options, out),
        Expr::StructuralTag { tag, options } => push_json("StructuralTag", tag, options, out),
        Expr::Dispatch { dispatch, bodies } => push_dispatch(grammar, dispatch, bodies, names, out),
        Expr::Token(ids) => push_ids("Token", ids, out),
        Expr::ExcludeToken(ids) => push_ids("ExcludeToken", ids, out),
        Expr::ExcludeNamed { ids, texts } => {
            let ids = ids.iter().map(u32::to_string);
            let texts = texts.iter().map(|text| quoted(text));
            let tokens: Vec<String> = ids.chain(texts).collect();
            out.push_str(&format!("ExcludeToken({})", tokens.join(", ")));
        }
        Expr::TokenText(text) => {
            out.push_str("Token(");
            push_quoted(text, out);
            out.push(')');
        }
        Expr::Choice(_) => out.push_str("[]"),
        Expr::And(_) => out.push_str("~[]"),
        _ => out.push_str("\"\""),
    }
}

fn push_json(name: &str, value: &Value, options: &JsonOptions, out: &mut String) {
    out.push_str(&format!("{name}({value}"));
    for (name, value) in options.printed() {
        out.push_str(&format!(", {name}="));
        match value.as_str() {
            Some(text) => push_quoted(text, out),
            None => out.push_str(&value.to_string()),
        }
    }
    out.push(')');
}

fn push_dispatch(grammar: &Grammar, dispatch: &Dispatch, bodies: &[ExprId], names: &[String], out: &mut String) {
    let mut between = "";
    out.push_str("TagDispatch(");
    for (trigger, &body) in dispatch.triggers.iter().zip(bodies) {
        let Expr::Rule(rule) = grammar.expr(body) else {
            unreachable!("the builder gives each trigger a rule")
        };
        out.push_str(between);
        out.push('(');
        push_quoted(trigger, out);
        out.push_str(&format!(", {})", names[rule.index()]));
        between = ", ";
    }
    for (name, texts) in [("excludes", &dispatch.excludes), ("stop_str", &dispatch.stops)] {
        if !texts.is_empty() {
            out.push_str(&format!("{between}{name}=("));
            for text in texts {
                push_quoted(text, out);
                out.push(',');
            }
            out.push(')');
            between = ", ";
        }
    }
    if !dispatch.looped {
        out.push_str(&format!("{between}loop_after_dispatch=false"));
    }
    out.push(')');
}

fn push_ids(name: &str, ids: &[u32], out: &mut String) {
    let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
    if ids.is_empty() && name == "Token" {
        out.push_str("[]");
    } else {
        out.push_str(&format!("{name}({})", ids.join(", ")));
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    push_quoted(text, &mut out);
    out
}

fn push_quoted(text: &str, out: &mut String) {
    out.push('"');
    text.chars().for_each(|c| out.extend(c.escape_debug()));
    out.push('"');
}

/// A class that holds the last code point is written as what it leaves out.
fn push_class(set: &CharSet, out: &mut String) {
    if *set == CharSet::all() {
        return out.push('.');
    }
    let excluded = set.contains(MAX_CHAR);
    out.push_str(if excluded { "[^" } else { "[" });
    let shown = if excluded { set.complement() } else { set.clone() };
    for &(low, high) in shown.ranges() {
        push_class_character(low, out);
        if low < high {
            if low + 1 < high {
                out.push('-');
            }
            push_class_character(high, out);
        }
    }
    out.push(']');
}

fn push_class_character(code: u32, out: &mut String) {
    match char::from_u32(code).expect("classes hold no surrogates") {
        c @ ('[' | ']' | '^' | '-') => out.extend(['\\', c]),
        c => out.extend(c.escape_debug()),
    }
}
