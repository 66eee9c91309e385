//! Which rules are regular, and which of them are inlined into their callers: lexical rules become plain automata.
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
}

const LEAF: Shape = Shape {
    regular: true,
    size: 1,
    depth: 1,
};

const EXTERNAL: Shape = Shape { regular: false, ..LEAF };

/// `order`: rules after what they call, but for circles; `recursive`: those in circles.
pub(crate) fn shapes(grammar: &Grammar, order: &[RuleId], recursive: &[bool], limits: &LowerLimits) -> Shapes {
    let mut exprs = vec![EXTERNAL; grammar.exprs.len()];
    let mut inlined = vec![false; grammar.rules.len()];
    for &rule in order {
        let body = grammar.rule(rule).body;
        for id in body_exprs(grammar, body) {
            exprs[id.index()] = shape(grammar, id, recursive, &exprs);
        }
        let whole = exprs[body.index()];
        inlined[rule.index()] = !recursive[rule.index()]
            && whole.regular
            && whole.size <= limits.max_inlined_size
            && whole.depth <= MAX_INLINED_DEPTH;
    }
    Shapes { exprs, inlined }
}

fn shape(grammar: &Grammar, id: ExprId, recursive: &[bool], exprs: &[Shape]) -> Shape {
    let sized = |size: usize| Shape {
        size: size as u64 + 1,
        ..LEAF
    };
    match grammar.expr(id) {
        Expr::Text(text) => sized(text.len()),
        Expr::Regex { pattern, .. } => sized(pattern.len()),
        Expr::Class(_) => LEAF,
        Expr::Rule(rule) if recursive[rule.index()] => EXTERNAL,
        Expr::Rule(rule) => exprs[grammar.rule(*rule).body.index()],
        Expr::JsonSchema { .. } | Expr::Token(_) | Expr::TokenText(_) | Expr::ExcludeToken(_) => EXTERNAL,
        expr => {
            let parts = expr.children().iter().map(|child| exprs[child.index()]);
            let level = u32::from(!matches!(expr, Expr::Sequence(_)));
            parts.fold(LEAF, |sum, part| Shape {
                regular: sum.regular && part.regular,
                size: sum.size.saturating_add(part.size),
                depth: sum.depth.max(part.depth.saturating_add(level)),
            })
        }
    }
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
            Expr::Rule(rule) => stack.push(grammar.rule(*rule).body),
            Expr::JsonSchema { .. } => return "a JSON schema".to_owned(),
            Expr::Token(_) | Expr::TokenText(_) | Expr::ExcludeToken(_) => return "a token".to_owned(),
            expr => stack.extend(expr.children().iter().rev()),
        }
    }
    unreachable!("an expression without recursion, schemas and tokens is regular")
}
