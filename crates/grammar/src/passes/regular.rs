//! Which rules are regular, and which of them are inlined into their callers: lexical rules become plain automata.
//!
//! A part whose liveness is a question (*and*, *not*, patterns with assertions) is never put before a call in one term: it
//! keeps a rule of its own, where its dead ends are found without looking at what the call might match. So do rules with
//! marks: where they begin and end must be seen.
use super::reachable::body_exprs;
use crate::ast::{Expr, ExprId, Grammar, RuleId};
use crate::lower::LowerLimits;
use rustc_hash::FxHashSet;

/// `max_inlined_depth`: how deep the operators of an inlined rule may nest.
const MAX_INLINED_DEPTH: u32 = 64;

/// What is known of an expression, every rule in it written out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// No recursion, no JSON value, no token.
    pub regular: bool,
    /// No *and*, no *not*, no assertion: live by construction.
    pub positive: bool,
    /// Characters, classes and operators.
    pub size: u64,
    /// Operators inside each other; sequences don't count.
    pub depth: u32,
}

/// The shapes of all expressions that are used.
pub(crate) struct Shapes {
    /// Per expression; only meaningful for those that are used.
    pub exprs: Vec<Shape>,
    /// Per rule: whether its callers hold its text instead of a call.
    pub inlined: Vec<bool>,
    /// Per rule: whether its body is one automaton without calls.
    pub without_calls: Vec<bool>,
}

const LEAF: Shape = Shape {
    regular: true,
    positive: true,
    size: 1,
    depth: 1,
};

/// What the strings of a schema count for.
const SCHEMA_SIZE: u64 = 64;

const EXTERNAL: Shape = Shape { regular: false, ..LEAF };

/// `order`: rules after what they call, but for circles; `recursive`: those in circles.
pub(crate) fn shapes(grammar: &Grammar, order: &[RuleId], recursive: &[bool], limits: &LowerLimits) -> Shapes {
    let mut exprs = vec![EXTERNAL; grammar.exprs.len()];
    let mut small = vec![false; grammar.rules.len()];
    let (mut inlined, mut without_calls) = (small.clone(), small.clone());
    for &rule in order {
        let body = grammar.rule(rule).body;
        let mut calls_small = true;
        for id in body_exprs(grammar, body) {
            exprs[id.index()] = shape(grammar, id, recursive, &exprs);
            calls_small &= !matches!(grammar.expr(id), Expr::Rule(called) if !small[called.index()]);
        }
        let (i, whole) = (rule.index(), exprs[body.index()]);
        let (is_marked, budget) = (!grammar.rule(rule).marks.is_empty(), grammar.rule(rule).marks.max_tokens);
        // What a budget counts is one automaton, whatever its size.
        without_calls[i] = whole.regular && !recursive[i] && (calls_small || budget.is_some());
        small[i] = without_calls[i] && !is_marked && whole.size <= limits.max_inlined_size && whole.depth <= MAX_INLINED_DEPTH;
        inlined[i] = small[i] && whole.positive;
    }
    Shapes {
        exprs,
        inlined,
        without_calls,
    }
}

fn shape(grammar: &Grammar, id: ExprId, recursive: &[bool], exprs: &[Shape]) -> Shape {
    let sized = |size: usize| Shape {
        size: size as u64 + 1,
        ..LEAF
    };
    match grammar.expr(id) {
        Expr::Text(text) => sized(text.len()),
        Expr::Regex { pattern, .. } => Shape {
            positive: !may_assert(pattern),
            ..sized(pattern.len())
        },
        Expr::SchemaText { .. } => Shape {
            positive: false,
            size: SCHEMA_SIZE,
            ..LEAF
        },
        Expr::Substring(chunks) => sized(chunks.iter().map(String::len).sum()),
        Expr::Class(_) => LEAF,
        Expr::Rule(rule) if recursive[rule.index()] || !grammar.rule(*rule).marks.is_empty() => EXTERNAL,
        Expr::Rule(rule) => exprs[grammar.rule(*rule).body.index()],
        Expr::Dispatch { dispatch, bodies } => {
            let texts = [&dispatch.triggers, &dispatch.excludes, &dispatch.stops];
            let texts = texts.into_iter().flatten().map(String::len).sum();
            together(sized(texts), bodies.iter().map(|body| exprs[body.index()]), 1)
        }
        Expr::JsonSchema { .. }
        | Expr::StructuralTag { .. }
        | Expr::Token(_)
        | Expr::TokenText(_)
        | Expr::ExcludeToken(_)
        | Expr::ExcludeNamed { .. } => EXTERNAL,
        expr => {
            let parts = expr.children().iter().map(|child| exprs[child.index()]);
            let level = u32::from(!matches!(expr, Expr::Sequence(_)));
            let start = Shape {
                positive: !matches!(expr, Expr::And(_) | Expr::Not(_)),
                ..LEAF
            };
            together(start, parts, level)
        }
    }
}

/// What is known of an operator that is `level` deeper than its parts.
fn together(start: Shape, parts: impl Iterator<Item = Shape>, level: u32) -> Shape {
    parts.fold(start, |sum, part| Shape {
        regular: sum.regular && part.regular,
        positive: sum.positive && part.positive,
        size: sum.size.saturating_add(part.size),
        depth: sum.depth.max(part.depth.saturating_add(level)),
    })
}

/// Whether the pattern may hold an assertion; a group that is none is no harm.
fn may_assert(pattern: &str) -> bool {
    let plain = pattern.replace("[^", "[").replace("(?:", "(");
    ["(?", "^", "$", "\\b", "\\B"].iter().any(|sign| plain.contains(sign))
}

/// What makes an expression not regular, in words.
pub(crate) fn why_not_regular(grammar: &Grammar, id: ExprId, recursive: &[bool]) -> String {
    let (mut stack, mut seen) = (vec![id], FxHashSet::default());
    while let Some(id) = stack.pop() {
        if !seen.insert(id) {
            continue;
        }
        match grammar.expr(id) {
            Expr::Rule(rule) if recursive[rule.index()] => {
                return format!("the rule `{}`, which calls itself", grammar.rule(*rule).name);
            }
            Expr::Rule(rule) if !grammar.rule(*rule).marks.is_empty() => {
                return format!("the rule `{}`, which has options of its own", grammar.rule(*rule).name);
            }
            Expr::Rule(rule) => stack.push(grammar.rule(*rule).body),
            Expr::JsonSchema { .. } | Expr::StructuralTag { .. } => return "a JSON schema".to_owned(),
            Expr::Token(_) | Expr::TokenText(_) | Expr::ExcludeToken(_) | Expr::ExcludeNamed { .. } => {
                return "a token".to_owned()
            }
            expr => stack.extend(expr.children().iter().rev()),
        }
    }
    unreachable!("an expression without recursion, schemas and tokens is regular")
}
