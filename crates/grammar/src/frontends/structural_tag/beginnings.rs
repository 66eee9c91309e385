//! Many texts, each with what follows it, as a trie: what they share is written once, so that a step costs little for any number of
//! tools.
use crate::ast::{ExprId, GrammarBuilder};

/// A choice that is open: the bytes before it, and its alternatives.
struct Open {
    length: usize,
    ways: Vec<ExprId>,
}

impl Open {
    fn at(length: usize) -> Open {
        Open {
            length,
            ways: Vec::new(),
        }
    }
}

/// One of `ways`: a text, then what follows it.
pub(super) fn factored(builder: &mut GrammarBuilder, mut ways: Vec<(String, ExprId)>) -> ExprId {
    ways.sort_by(|a, b| a.0.cmp(&b.0));
    let (mut outer, mut open) = (Vec::new(), Open::at(0));
    for (i, (text, rest)) in ways.iter().enumerate() {
        let shared = ways.get(i + 1).map_or(0, |next| shared_length(text, &next.0));
        if shared > open.length {
            outer.push(std::mem::replace(&mut open, Open::at(shared)));
        }
        let tail = text_before(builder, &text[open.length..], *rest);
        open.ways.push(tail);
        while open.length > shared {
            let parent: Open = outer.pop().unwrap_or_else(|| Open::at(0));
            let mut parent = match parent.length < shared {
                true => {
                    outer.push(parent);
                    Open::at(shared)
                }
                false => parent,
            };
            let choice = builder.choice(open.ways);
            parent
                .ways
                .push(text_before(builder, &text[parent.length..open.length], choice));
            open = parent;
        }
    }
    builder.choice(open.ways)
}

fn text_before(builder: &mut GrammarBuilder, text: &str, rest: ExprId) -> ExprId {
    if text.is_empty() {
        return rest;
    }
    let text = builder.text(text);
    builder.sequence(vec![text, rest])
}

/// The bytes of whole characters that two texts start with alike.
fn shared_length(a: &str, b: &str) -> usize {
    let pairs = a.char_indices().zip(b.chars());
    let mut differing = pairs.filter(|((_, x), y)| x != y).map(|((at, _), _)| at);
    differing.next().unwrap_or(a.len().min(b.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_are_the_same_and_what_they_share_is_written_once() {
        for texts in [
            &["a"][..],
            &["get_time", "get_weather", "get", "set", "gé"],
            &["", "a", "aa", "aab", "ab"],
            &["x", "x"],
            &["ab", "abcd", "abce", "b"],
        ] {
            let mut builder = GrammarBuilder::new();
            let end = builder.text("!");
            let root = builder.rule("root");
            let body = factored(&mut builder, texts.iter().map(|text| (text.to_string(), end)).collect());
            builder.define(root, body);
            let grammar = builder.finish(root).expect("all rules are defined");
            let written = words(&grammar, body);
            let mut expected: Vec<String> = texts.iter().map(|text| format!("{text}!")).collect();
            let mut found = written.clone();
            expected.sort();
            found.sort();
            assert_eq!(found, expected);
        }
    }

    fn words(grammar: &crate::ast::Grammar, id: ExprId) -> Vec<String> {
        use crate::ast::Expr;
        match grammar.expr(id) {
            Expr::Text(text) => vec![text.clone()],
            Expr::Choice(parts) => parts.iter().flat_map(|&part| words(grammar, part)).collect(),
            Expr::Sequence(parts) => parts.iter().fold(vec![String::new()], |starts, &part| {
                let ends = words(grammar, part);
                let join = |start: String| ends.iter().map(|end| format!("{start}{end}")).collect::<Vec<_>>();
                starts.into_iter().flat_map(join).collect()
            }),
            other => panic!("{other:?} was not built here"),
        }
    }
}
