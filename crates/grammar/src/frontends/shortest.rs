//! The options of rules: what `lazy` and `max_chars` make of the body (a regular one, which lowering checks), and how marks are
//! written.
use crate::ast::{Expr, ExprId, GrammarBuilder};
use penstock_automata::{CharSet, INFINITE};

/// The options that are refused, each with a way out.
pub(super) const REFUSED_OPTIONS: [(&str, &str); 1] =
    [("stop_capture", "name the rule itself with `capture`, and cut the text apart")];

/// The mark `capture`: names are words, so that they can be written everywhere.
pub(super) fn capture_name(name: &str) -> Option<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    (!name.is_empty() && name.chars().all(is_word)).then(|| name.to_owned())
}

/// The mark `temperature`: a finite number that is not negative.
pub(super) fn temperature_of(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0)
}

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
