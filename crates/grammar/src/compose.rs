//! Grammars out of grammars. Rules are renamed apart, so that equal names never meet.
use crate::ast::{Expr, ExprId, Grammar, GrammarBuilder};

impl Grammar {
    /// The texts of any of `grammars`; none at all matches nothing.
    pub fn choice(grammars: &[Grammar]) -> Grammar {
        combine(grammars, Expr::Choice)
    }

    /// A text of each of `grammars`, one after the other; none at all is the empty text.
    pub fn concat(grammars: &[Grammar]) -> Grammar {
        combine(grammars, Expr::Sequence)
    }

    /// The texts that are in each of `grammars`. They must be regular, which [`crate::lower`] checks.
    pub fn and(grammars: &[Grammar]) -> Grammar {
        combine(grammars, Expr::And)
    }

    /// The texts that are not in `self`. It must be regular, which [`crate::lower`] checks.
    pub fn not(&self) -> Grammar {
        combine(std::slice::from_ref(self), |parts| Expr::Not(parts[0]))
    }
}

fn combine(grammars: &[Grammar], join: impl FnOnce(Vec<ExprId>) -> Expr) -> Grammar {
    let mut builder = GrammarBuilder::new();
    let root = builder.rule("root");
    let mut parts = Vec::with_capacity(grammars.len());
    for grammar in grammars {
        let rule = builder.import(grammar);
        parts.push(builder.add(Expr::Rule(rule)));
    }
    let body = builder.add(join(parts));
    builder.define(root, body);
    builder.finish(root).expect("complete grammars define all their rules")
}
