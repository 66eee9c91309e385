//! Which expressions match some text at all. The others are deleted: a mask must not lead into them.
use super::fixpoint::least_fixpoint;
use crate::ast::{Expr, Grammar, Rule};
use crate::error::Problem;
use penstock_automata::RegexId;

/// Per expression whether some text matches; `terms` are the terms of patterns, *and* and *not*, dead ones as
/// [`RegexId::NEVER`]. JSON schemas count as productive: whether a schema has a value is asked where values are.
pub(crate) fn productive(grammar: &Grammar, used: &[bool], terms: &[Option<RegexId>]) -> Vec<bool> {
    least_fixpoint(grammar, used, |id, expr| match expr {
        Expr::Class(set) => !set.is_empty(),
        Expr::Token(ids) => !ids.is_empty(),
        Expr::Regex { .. } | Expr::SchemaText { .. } | Expr::And(_) | Expr::Not(_) => terms[id.index()] != Some(RegexId::NEVER),
        _ => true,
    })
}

/// What is told of a rule that no text matches; `to_repair` names the one that must change.
pub(crate) fn no_text(rule: &Rule, to_repair: &str) -> Problem {
    let message = format!("no text matches the rule `{}`", rule.name);
    rule.place
        .problem(message, format!("give {to_repair} an alternative that can end"))
}

/// Per rule whether no text matches it, as far as the rules tell: patterns, *and* and *not* count as matching something.
pub(crate) fn rules_without_a_text(grammar: &Grammar) -> Vec<bool> {
    let (all, unknown) = (vec![true; grammar.exprs.len()], vec![None; grammar.exprs.len()]);
    let productive = productive(grammar, &all, &unknown);
    let without = |rule: &Rule| !productive[rule.body.index()];
    grammar.rules.iter().map(without).collect()
}
