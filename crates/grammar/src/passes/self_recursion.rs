//! Rules that call only themselves at one end become iteration: `A ::= x A | y` is `x* y`, and `A ::= A x | y` is `y x*`
//! (Arden's lemma; it holds for least solutions whatever `x` holds besides). So whitespace and lists written as recursion are
//! regular again, and nothing is pushed for each item.
//!
//! Where that doesn't apply, only `A` itself is deleted from the alternatives of `A`: it derives nothing new. Rules with marks
//! stay as they are, since each of their texts counts.
use super::reachable::body_exprs;
use crate::ast::{Expr, ExprId, Grammar, RuleId};
use penstock_automata::INFINITE;
use rustc_hash::FxHashSet;

/// At which end of its alternatives a rule calls itself.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Left,
    Right,
}

pub(crate) fn iterate_self_recursion(grammar: &mut Grammar, rules: &[RuleId]) {
    for &rule in rules {
        let body = grammar.rule(rule).body;
        let mentions = mentions(grammar, rule);
        if !mentions.contains(&body) || !grammar.rule(rule).marks.is_empty() {
            continue;
        }
        let linear = [Side::Right, Side::Left].into_iter().find_map(|side| {
            let (again, last) = split(grammar, rule, body, &mentions, side)?;
            Some((side, again, last))
        });
        let body = match linear {
            Some((side, again, last)) => iterate(grammar, side, again, last),
            None => without_unit_loop(grammar, rule, body),
        };
        grammar.rules[rule.index()].body = body;
    }
}

/// The expressions of the body that call `rule` directly.
fn mentions(grammar: &Grammar, rule: RuleId) -> FxHashSet<ExprId> {
    let mut found = FxHashSet::default();
    for id in body_exprs(grammar, grammar.rule(rule).body) {
        let expr = grammar.expr(id);
        if *expr == Expr::Rule(rule) || expr.children().iter().any(|child| found.contains(child)) {
            found.insert(id);
        }
    }
    found
}

/// The alternatives that end (or start) with the rule, without it, and those that don't call it; `None` where it is called
/// anywhere else.
#[allow(clippy::type_complexity)]
fn split(
    grammar: &Grammar,
    rule: RuleId,
    body: ExprId,
    mentions: &FxHashSet<ExprId>,
    side: Side,
) -> Option<(Vec<Vec<ExprId>>, Vec<Vec<ExprId>>)> {
    let (mut again, mut last) = (Vec::new(), Vec::new());
    let mut stack = vec![(Vec::new(), body)];
    while let Some((mut around, id)) = stack.pop() {
        if !mentions.contains(&id) {
            attach(&mut around, &[id], side);
            last.push(around);
            continue;
        }
        match grammar.expr(id) {
            Expr::Rule(_) => again.push(around),
            Expr::Choice(parts) => parts.iter().for_each(|&part| stack.push((around.clone(), part))),
            Expr::Repeat { body, min: 0, max: 1 } => {
                last.push(around.clone());
                stack.push((around, *body));
            }
            Expr::Sequence(parts) => {
                let (outer, others) = match side {
                    Side::Right => parts.split_last()?,
                    Side::Left => parts.split_first()?,
                };
                if others.iter().any(|part| mentions.contains(part)) {
                    return None;
                }
                attach(&mut around, others, side);
                stack.push((around, *outer));
            }
            _ => return None,
        }
    }
    debug_assert!(grammar.rule(rule).body == body);
    again.retain(|around| !around.is_empty());
    Some((again, last))
}

/// What stands before the call (right) or after it (left): inner parts are nearer to the call.
fn attach(around: &mut Vec<ExprId>, parts: &[ExprId], side: Side) {
    match side {
        Side::Right => around.extend_from_slice(parts),
        Side::Left => {
            around.splice(0..0, parts.iter().copied());
        }
    }
}

fn iterate(grammar: &mut Grammar, side: Side, again: Vec<Vec<ExprId>>, last: Vec<Vec<ExprId>>) -> ExprId {
    let last = add_choice(grammar, last);
    if again.is_empty() {
        return last;
    }
    let body = add_choice(grammar, again);
    let again = add(
        grammar,
        Expr::Repeat {
            body,
            min: 0,
            max: INFINITE,
        },
    );
    let parts = match side {
        Side::Right => vec![again, last],
        Side::Left => vec![last, again],
    };
    add(grammar, Expr::Sequence(parts))
}

fn add_choice(grammar: &mut Grammar, sequences: Vec<Vec<ExprId>>) -> ExprId {
    let mut alternatives: Vec<ExprId> = Vec::with_capacity(sequences.len());
    for parts in sequences {
        alternatives.push(match parts[..] {
            [only] => only,
            _ => add(grammar, Expr::Sequence(parts)),
        });
    }
    // The stack gave them in reverse.
    alternatives.reverse();
    match alternatives[..] {
        [only] => only,
        _ => add(grammar, Expr::Choice(alternatives)),
    }
}

fn add(grammar: &mut Grammar, expr: Expr) -> ExprId {
    grammar.exprs.push(expr);
    ExprId(grammar.exprs.len() as u32 - 1)
}

/// The body without the alternatives that are the rule itself.
fn without_unit_loop(grammar: &mut Grammar, rule: RuleId, body: ExprId) -> ExprId {
    let (mut kept, mut stack, mut dropped) = (Vec::new(), vec![body], false);
    while let Some(id) = stack.pop() {
        match grammar.expr(id) {
            Expr::Choice(parts) => stack.extend(parts.iter().rev()),
            Expr::Rule(called) if *called == rule => dropped = true,
            _ => kept.push(id),
        }
    }
    if dropped {
        add(grammar, Expr::Choice(kept))
    } else {
        body
    }
}
