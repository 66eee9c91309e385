//! Which expressions match the empty text. Calls of such rules may be left out, and the matcher never sees an empty call.
use super::fixpoint::least_fixpoint;
use crate::ast::{Expr, Grammar};
use penstock_automata::{RegexId, Regexes};

/// Per expression whether the empty text matches; `terms` are the terms of patterns, *and* and *not*.
pub(crate) fn nullable(grammar: &Grammar, used: &[bool], terms: &[Option<RegexId>], regexes: &Regexes) -> Vec<bool> {
    least_fixpoint(grammar, used, |id, expr| match expr {
        Expr::Text(text) => text.is_empty(),
        Expr::Dispatch { .. } | Expr::Substring(_) => true,
        Expr::Regex { .. } | Expr::SchemaText { .. } | Expr::And(_) | Expr::Not(_) => {
            terms[id.index()].is_some_and(|term| regexes.is_nullable(term))
        }
        _ => false,
    })
}
