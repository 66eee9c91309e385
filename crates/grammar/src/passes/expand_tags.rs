//! Structural tags become rules, once the names of special tokens are known.
use crate::ast::{Expr, ExprId, Grammar, GrammarBuilder, RuleId};
use crate::error::GrammarError;
use crate::frontends::structural_tag::{read_tag, Specials};

impl Grammar {
    /// The grammar without structural tags: their fixed texts mean special tokens where they hold one of these names.
    ///
    /// # Errors
    /// Those of the tags.
    pub fn expand_tags(&self, specials: &Specials) -> Result<Grammar, GrammarError> {
        let mut builder = GrammarBuilder::new();
        let rules: Vec<RuleId> = self.rules.iter().map(|rule| builder.rule(&rule.name)).collect();
        let mut copies: Vec<ExprId> = Vec::with_capacity(self.exprs.len());
        for expr in &self.exprs {
            let copy = match expr {
                Expr::StructuralTag { tag, options } => {
                    let rule = builder.import(&read_tag(tag, options, specials)?);
                    Expr::Rule(rule)
                }
                expr => expr.moved(|id| copies[id.index()], |rule| rules[rule.index()]),
            };
            copies.push(builder.add(copy));
        }
        for (rule, &copy) in self.rules.iter().zip(&rules) {
            builder.define(copy, copies[rule.body.index()]);
            builder.mark(copy, rule.marks.clone());
        }
        builder.finish(rules[self.root.index()])
    }

    /// Whether a structural tag is among the expressions.
    pub fn has_tags(&self) -> bool {
        self.exprs.iter().any(|expr| matches!(expr, Expr::StructuralTag { .. }))
    }
}
