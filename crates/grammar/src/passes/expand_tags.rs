//! Structural tags become rules, once the names of special tokens are known.
use crate::ast::{Expr, ExprId, Grammar, GrammarBuilder, RuleId};
use crate::error::GrammarError;
use crate::frontends::structural_tag::{read_tag, Specials};
use penstock_schema::pointer_step;
use serde_json::Value;

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
            builder.place(copy, rule.place.clone());
        }
        builder.finish(rules[self.root.index()])
    }

    /// JSON pointer of the first place of a structural tag where this schema stands; empty where none holds it.
    pub fn pointer_to(&self, schema: &Value) -> String {
        let found = self.exprs.iter().find_map(|expr| match expr {
            Expr::StructuralTag { tag, .. } => pointer_within(tag, schema),
            _ => None,
        });
        found.unwrap_or_default()
    }

    /// Whether a structural tag is among the expressions.
    pub fn has_tags(&self) -> bool {
        self.exprs.iter().any(|expr| matches!(expr, Expr::StructuralTag { .. }))
    }
}

/// Where `wanted` is the schema of a format of `tag`. Cost: linear in the tag.
fn pointer_within(tag: &Value, wanted: &Value) -> Option<String> {
    let mut open = vec![(String::new(), tag)];
    while let Some((pointer, value)) = open.pop() {
        match value {
            Value::Object(fields) => {
                for name in ["json_schema", "schema"] {
                    if fields.get(name) == Some(wanted) {
                        return Some(format!("{pointer}/{name}"));
                    }
                }
                let inner = fields.iter().filter(|(name, _)| *name != "json_schema" && *name != "schema");
                open.extend(inner.map(|(name, value)| (format!("{pointer}/{}", pointer_step(name)), value)));
            }
            Value::Array(items) => {
                let inner = items.iter().enumerate().rev();
                open.extend(inner.map(|(i, value)| (format!("{pointer}/{i}"), value)));
            }
            _ => {}
        }
    }
    None
}
