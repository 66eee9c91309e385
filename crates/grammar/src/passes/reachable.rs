//! Which rules and expressions the root needs; the others are dropped.
use crate::ast::{Expr, ExprId, Grammar, RuleId};

/// What the root reaches.
pub(crate) struct Reachable {
    /// Per expression.
    pub exprs: Vec<bool>,
    /// In the order in which they were met, the root first.
    pub rules: Vec<RuleId>,
}

pub(crate) fn reachable(grammar: &Grammar) -> Reachable {
    let mut exprs = vec![false; grammar.exprs.len()];
    let mut met = vec![false; grammar.rules.len()];
    met[grammar.root.index()] = true;
    let (mut rules, mut next) = (vec![grammar.root], 0);
    while next < rules.len() {
        let mut stack = vec![grammar.rule(rules[next]).body];
        next += 1;
        while let Some(id) = stack.pop() {
            if std::mem::replace(&mut exprs[id.index()], true) {
                continue;
            }
            stack.extend_from_slice(grammar.expr(id).children());
            if let Expr::Rule(rule) = *grammar.expr(id) {
                if !std::mem::replace(&mut met[rule.index()], true) {
                    rules.push(rule);
                }
            }
        }
    }
    Reachable { exprs, rules }
}

/// The expressions of one body, without what its rules hold: children before parents, each once.
pub(crate) fn body_exprs(grammar: &Grammar, body: ExprId) -> Vec<ExprId> {
    let (mut found, mut stack) = (Vec::new(), vec![body]);
    let mut seen = rustc_hash::FxHashSet::default();
    while let Some(id) = stack.pop() {
        if seen.insert(id) {
            found.push(id);
            stack.extend_from_slice(grammar.expr(id).children());
        }
    }
    found.sort_unstable();
    found
}
