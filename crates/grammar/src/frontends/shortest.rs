//! What the options `lazy` and `max_chars` of a rule make of its body. Both need a regular body, which lowering checks.
use crate::ast::{Expr, ExprId, GrammarBuilder};
use penstock_automata::{CharSet, INFINITE};

/// The options that name something other than a set of texts, each with a way out.
pub(super) const REFUSED_OPTIONS: [(&str, &str); 5] = [
    (
        "stop",
        "use `suffix`: what ends the text is a part of the output, which can't be taken back",
    ),
    ("stop_capture", "use `suffix`, and cut the text apart afterwards"),
    ("capture", "parse the finished text"),
    ("max_tokens", "use `max_chars`, or limit the tokens of the whole output"),
    ("temperature", "set the temperature of the whole output"),
];

/// The texts of `whole` of which no beginning is one. `name` is a wish for the name of the rule that holds `whole`.
pub(super) fn shortest(builder: &mut GrammarBuilder, whole: ExprId, name: &str) -> ExprId {
    let any = builder.fresh_rule(&format!("{name}_any"));
    builder.define(any, whole);
    let any = builder.add(Expr::Rule(any));
    let character = builder.add(Expr::Class(CharSet::all()));
    let more = builder.repeat(character, 1, INFINITE);
    let longer = builder.sequence(vec![any, more]);
    let not_longer = builder.add(Expr::Not(longer));
    builder.add(Expr::And(vec![any, not_longer]))
}

/// The texts of `body` that have at most `max` characters.
pub(super) fn at_most(builder: &mut GrammarBuilder, body: ExprId, max: u32) -> ExprId {
    let character = builder.add(Expr::Class(CharSet::all()));
    let length = builder.repeat(character, 0, max);
    builder.add(Expr::And(vec![body, length]))
}
