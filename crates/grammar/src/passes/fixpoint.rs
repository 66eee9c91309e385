//! The least facts of the form: a sequence has it if all parts have it, a choice if one has it, a rule if its body has it.
//!
//! Cost: linear in the grammar (each expression becomes true once and tells its parents).
use crate::ast::{Expr, ExprId, Grammar};

/// The fact per expression; `leaf` answers for the expressions that have no such rule.
pub(crate) fn least_fixpoint(grammar: &Grammar, used: &[bool], leaf: impl Fn(ExprId, &Expr) -> bool) -> Vec<bool> {
    let count = grammar.exprs.len();
    let mut parents: Vec<Vec<u32>> = vec![Vec::new(); count];
    // How many parts a sequence still waits for.
    let mut missing = vec![0; count];
    let mut holds = vec![false; count];
    let mut queue = Vec::new();
    for i in (0..count).filter(|&i| used[i]) {
        let at_once = match &grammar.exprs[i] {
            Expr::Sequence(parts) => {
                missing[i] = parts.len();
                parts.iter().for_each(|part| parents[part.index()].push(i as u32));
                parts.is_empty()
            }
            Expr::Choice(parts) => {
                parts.iter().for_each(|part| parents[part.index()].push(i as u32));
                false
            }
            Expr::Repeat { body, min, .. } => {
                parents[body.index()].push(i as u32);
                *min == 0
            }
            Expr::Rule(rule) => {
                parents[grammar.rule(*rule).body.index()].push(i as u32);
                false
            }
            expr => leaf(ExprId(i as u32), expr),
        };
        if at_once {
            holds[i] = true;
            queue.push(i);
        }
    }
    while let Some(i) = queue.pop() {
        for &parent in &parents[i] {
            let parent = parent as usize;
            if matches!(grammar.exprs[parent], Expr::Sequence(_)) {
                missing[parent] -= 1;
            }
            if missing[parent] == 0 && !std::mem::replace(&mut holds[parent], true) {
                queue.push(parent);
            }
        }
    }
    holds
}
