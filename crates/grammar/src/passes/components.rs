//! Which rules call each other in a circle (Tarjan's strongly connected components, with a stack of its own).
use super::reachable::body_exprs;
use crate::ast::{Expr, Grammar, RuleId};

/// The call graph in order.
pub(crate) struct Components {
    /// Rules after everything they call, but for circles.
    pub order: Vec<RuleId>,
    /// Per rule: whether it can call itself, directly or through others.
    pub recursive: Vec<bool>,
}

const UNSEEN: u32 = u32::MAX;

struct Search {
    calls: Vec<Vec<RuleId>>,
    /// Number of each rule in the order of the search, and the least number its circle reaches.
    number: Vec<u32>,
    low: Vec<u32>,
    /// Rules whose component isn't complete.
    open: Vec<RuleId>,
    is_open: Vec<bool>,
    /// The path of the search: a rule and its next call.
    path: Vec<(RuleId, usize)>,
    found: Components,
}

pub(crate) fn components(grammar: &Grammar, rules: &[RuleId]) -> Components {
    let count = grammar.rules.len();
    let mut search = Search {
        calls: vec![Vec::new(); count],
        number: vec![UNSEEN; count],
        low: vec![UNSEEN; count],
        open: Vec::new(),
        is_open: vec![false; count],
        path: Vec::new(),
        found: Components {
            order: Vec::with_capacity(rules.len()),
            recursive: vec![false; count],
        },
    };
    for &rule in rules {
        search.calls[rule.index()] = calls_of(grammar, rule);
    }
    let mut next = 0;
    for &rule in rules {
        if search.number[rule.index()] == UNSEEN {
            search.visit(rule, &mut next);
        }
    }
    search.found
}

fn calls_of(grammar: &Grammar, rule: RuleId) -> Vec<RuleId> {
    body_exprs(grammar, grammar.rule(rule).body)
        .into_iter()
        .filter_map(|id| match *grammar.expr(id) {
            Expr::Rule(called) => Some(called),
            _ => None,
        })
        .collect()
}

impl Search {
    fn visit(&mut self, start: RuleId, next: &mut u32) {
        self.enter(start, next);
        while let Some(&(rule, at)) = self.path.last() {
            let i = rule.index();
            if let Some(&called) = self.calls[i].get(at) {
                let last = self.path.len() - 1;
                self.path[last].1 += 1;
                if self.number[called.index()] == UNSEEN {
                    self.enter(called, next);
                } else if self.is_open[called.index()] {
                    self.low[i] = self.low[i].min(self.number[called.index()]);
                }
                continue;
            }
            self.path.pop();
            if let Some(&(caller, _)) = self.path.last() {
                self.low[caller.index()] = self.low[caller.index()].min(self.low[i]);
            }
            if self.low[i] == self.number[i] {
                self.complete(rule);
            }
        }
    }

    fn enter(&mut self, rule: RuleId, next: &mut u32) {
        self.number[rule.index()] = *next;
        self.low[rule.index()] = *next;
        *next += 1;
        self.open.push(rule);
        self.is_open[rule.index()] = true;
        self.path.push((rule, 0));
    }

    fn complete(&mut self, first: RuleId) {
        let start = self
            .open
            .iter()
            .rposition(|&rule| rule == first)
            .expect("an open rule stays until it is complete");
        let members = self.open.split_off(start);
        let circle = members.len() > 1 || self.calls[first.index()].contains(&first);
        for rule in members {
            self.is_open[rule.index()] = false;
            self.found.recursive[rule.index()] = circle;
            self.found.order.push(rule);
        }
    }
}
