//! The grammar as written: rules over expressions, in flat arenas.
//!
//! Expressions are numbered and children are older than their parents, so every pass is a loop over an array: no text can
//! make a grammar deep enough to overflow the stack, neither when it is read nor when it is dropped.
use crate::error::{GrammarError, GrammarErrorKind, Problem};
use crate::options::JsonOptions;
use crate::place::Place;
use penstock_automata::{CharSet, Dialect, INFINITE};
use rustc_hash::FxHashMap;
use serde_json::Value;
use std::sync::Arc;

/// An expression of a [`Grammar`]: an index into its expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExprId(pub(crate) u32);

/// A rule of a [`Grammar`]: an index into its rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub(crate) u32);

impl ExprId {
    /// The index into [`Grammar::exprs`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl RuleId {
    /// The index into [`Grammar::rules`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One expression. Children are ids of older expressions of the same grammar.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// Exactly this text; the empty text is the empty language's opposite: it always matches.
    Text(String),
    /// One character of the set.
    Class(CharSet),
    /// All parts, one after the other. Without parts: the empty text.
    Sequence(Vec<ExprId>),
    /// One of the parts. Without parts: nothing matches.
    Choice(Vec<ExprId>),
    /// `min` to `max` times the body; [`INFINITE`] is without bound.
    Repeat {
        /// What is repeated.
        body: ExprId,
        /// The least count.
        min: u32,
        /// The largest count, inclusive.
        max: u32,
    },
    /// What the rule matches.
    Rule(RuleId),
    /// A whole match of a regular expression.
    Regex {
        /// The pattern as written.
        pattern: String,
        /// How it is read.
        dialect: Dialect,
    },
    /// The chunks from some place to a later one, joined; also nothing at all.
    Substring(Vec<String>),
    /// A JSON text that the schema accepts.
    JsonSchema {
        /// The schema, a JSON object or boolean.
        schema: Arc<Value>,
        /// How its texts are spelt.
        options: Arc<JsonOptions>,
    },
    /// A string that the schema accepts, as it is: without quotes and escapes.
    SchemaText {
        /// The schema, a JSON object or boolean.
        schema: Arc<Value>,
        /// How the schema is read.
        options: Arc<JsonOptions>,
    },
    /// What a structural tag describes; see [`Grammar::expand_tags`].
    StructuralTag {
        /// The tag.
        tag: Arc<Value>,
        /// The options of its schemas.
        options: Arc<JsonOptions>,
    },
    /// Texts that every part matches. Parts must be regular.
    And(Vec<ExprId>),
    /// Texts that the part doesn't match. It must be regular.
    Not(ExprId),
    /// Free text until a trigger, then that trigger's rule; see [`Dispatch`].
    Dispatch {
        /// What stands in the free text.
        dispatch: Arc<Dispatch>,
        /// For each trigger a call of its rule.
        bodies: Vec<ExprId>,
    },
    /// One token out of a set, by id: sorted, distinct.
    Token(Vec<u32>),
    /// One token by its text: the special tokens of that name, or else the tokens that spell it.
    TokenText(String),
    /// One token that is not in the set: sorted, distinct ids.
    ExcludeToken(Vec<u32>),
    /// One token that is in neither list: sorted, distinct ids and texts.
    ExcludeNamed {
        /// Ids.
        ids: Vec<u32>,
        /// Texts, at least one.
        texts: Vec<String>,
    },
}

/// What ends free text, and whether it goes on afterwards.
///
/// The free text holds no trigger and no excluded text. Where several overlap the leftmost counts: a trigger is one if nothing that
/// starts before it has ended when it ends. The text may end wherever it is free.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Dispatch {
    /// What calls a rule; not empty.
    pub triggers: Vec<String>,
    /// What may not be written; not empty, no trigger.
    pub excludes: Vec<String>,
    /// What ends the whole with its last character; not empty.
    pub stops: Vec<String>,
    /// Whether free text goes on after a trigger's rule.
    pub looped: bool,
}

impl Expr {
    /// The direct parts, in order.
    pub fn children(&self) -> &[ExprId] {
        match self {
            Expr::Sequence(parts) | Expr::Choice(parts) | Expr::And(parts) => parts,
            Expr::Dispatch { bodies, .. } => bodies,
            Expr::Repeat { body, .. } | Expr::Not(body) => std::slice::from_ref(body),
            _ => &[],
        }
    }
}

impl Expr {
    /// The expression over other parts and rules.
    pub(crate) fn moved(&self, part: impl Fn(ExprId) -> ExprId, rule: impl Fn(RuleId) -> RuleId) -> Expr {
        let all = |ids: &[ExprId]| ids.iter().map(|&id| part(id)).collect();
        match self {
            Expr::Sequence(parts) => Expr::Sequence(all(parts)),
            Expr::Choice(parts) => Expr::Choice(all(parts)),
            Expr::And(parts) => Expr::And(all(parts)),
            Expr::Not(body) => Expr::Not(part(*body)),
            Expr::Dispatch { dispatch, bodies } => Expr::Dispatch {
                dispatch: dispatch.clone(),
                bodies: all(bodies),
            },
            Expr::Repeat { body, min, max } => Expr::Repeat {
                body: part(*body),
                min: *min,
                max: *max,
            },
            Expr::Rule(called) => Expr::Rule(rule(*called)),
            leaf => leaf.clone(),
        }
    }
}

/// What a rule says besides its texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marks {
    /// The name under which its text is reported.
    pub capture: Option<String>,
    /// How many characters at its end are left out of the report: a suffix.
    pub capture_trim: u32,
    /// How many tokens may hold some of its text, at least 1.
    pub max_tokens: Option<u32>,
    /// The temperature at which its tokens are to be sampled, finite and not negative.
    pub temperature: Option<f64>,
}

impl Marks {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Marks::default()
    }
}

/// A named rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name, unique within the grammar.
    pub name: String,
    /// What it matches.
    pub body: ExprId,
    /// What else is said of it.
    pub marks: Marks,
    /// Where it was written.
    pub place: Place,
}

/// A language: rules over expressions, and the rule that the whole output must match.
///
/// `==` compares rules and expressions as they are numbered; two grammars of one language may differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Grammar {
    pub(crate) exprs: Vec<Expr>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) root: RuleId,
}

impl Grammar {
    /// All expressions; those that no rule reaches may be among them.
    pub fn exprs(&self) -> &[Expr] {
        &self.exprs
    }

    /// All rules.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule that the whole output must match.
    pub fn root(&self) -> RuleId {
        self.root
    }

    /// One expression of this grammar.
    pub fn expr(&self, id: ExprId) -> &Expr {
        &self.exprs[id.index()]
    }

    /// One rule of this grammar.
    pub fn rule(&self, id: RuleId) -> &Rule {
        &self.rules[id.index()]
    }
}

/// Builds a [`Grammar`] bottom-up; the way in for front ends.
#[derive(Default)]
pub struct GrammarBuilder {
    exprs: Vec<Expr>,
    rules: Vec<(String, Option<ExprId>)>,
    names: FxHashMap<String, RuleId>,
    marks: FxHashMap<RuleId, Marks>,
    places: FxHashMap<RuleId, Place>,
}

impl GrammarBuilder {
    /// A builder without rules.
    pub fn new() -> GrammarBuilder {
        GrammarBuilder::default()
    }

    /// Adds an expression.
    ///
    /// # Panics
    /// If a child is not an expression of this builder.
    pub fn add(&mut self, expr: Expr) -> ExprId {
        let id = ExprId(self.exprs.len() as u32);
        assert!(
            expr.children().iter().all(|&child| child < id),
            "children are added before their parents"
        );
        self.exprs.push(expr);
        id
    }

    /// All of `parts` in order; one part stands for itself.
    pub fn sequence(&mut self, parts: Vec<ExprId>) -> ExprId {
        self.one_or(parts, Expr::Sequence)
    }

    /// One of `parts`; one part stands for itself.
    pub fn choice(&mut self, parts: Vec<ExprId>) -> ExprId {
        self.one_or(parts, Expr::Choice)
    }

    /// `min` to `max` times `body`; [`INFINITE`] is without bound.
    pub fn repeat(&mut self, body: ExprId, min: u32, max: u32) -> ExprId {
        self.add(Expr::Repeat { body, min, max })
    }

    /// Any number of `body`.
    pub fn star(&mut self, body: ExprId) -> ExprId {
        self.repeat(body, 0, INFINITE)
    }

    /// Exactly `text`.
    pub fn text(&mut self, text: impl Into<String>) -> ExprId {
        self.add(Expr::Text(text.into()))
    }

    /// Free text with triggers, each with its rule.
    ///
    /// # Panics
    /// If a trigger, an excluded text or a stop is empty.
    pub fn dispatch(&mut self, dispatch: Dispatch, rules: &[RuleId]) -> ExprId {
        let texts = [&dispatch.triggers, &dispatch.excludes, &dispatch.stops];
        assert!(
            texts.into_iter().flatten().all(|text| !text.is_empty()),
            "free text is cut by texts"
        );
        assert_eq!(dispatch.triggers.len(), rules.len(), "each trigger has a rule");
        let bodies = rules.iter().map(|&rule| self.add(Expr::Rule(rule))).collect();
        let dispatch = Arc::new(dispatch);
        self.add(Expr::Dispatch { dispatch, bodies })
    }

    fn one_or(&mut self, parts: Vec<ExprId>, many: impl FnOnce(Vec<ExprId>) -> Expr) -> ExprId {
        match parts[..] {
            [only] => only,
            _ => self.add(many(parts)),
        }
    }

    /// The rule of this name, which may be defined later.
    pub fn rule(&mut self, name: &str) -> RuleId {
        if let Some(&id) = self.names.get(name) {
            return id;
        }
        let id = RuleId(self.rules.len() as u32);
        self.rules.push((name.to_owned(), None));
        self.names.insert(name.to_owned(), id);
        id
    }

    /// The name of a rule.
    pub fn rule_name(&self, rule: RuleId) -> &str {
        &self.rules[rule.index()].0
    }

    /// A new rule whose name is `wish`, or `wish_1`, `wish_2`, ... where that is taken.
    pub fn fresh_rule(&mut self, wish: &str) -> RuleId {
        if !self.names.contains_key(wish) {
            return self.rule(wish);
        }
        let mut number = 1;
        loop {
            let name = format!("{wish}_{number}");
            if !self.names.contains_key(&name) {
                return self.rule(&name);
            }
            number += 1;
        }
    }

    /// Gives a rule its body, and replaces the one it had.
    pub fn define(&mut self, rule: RuleId, body: ExprId) {
        self.rules[rule.index()].1 = Some(body);
    }

    /// Says something of a rule besides its body.
    pub fn mark(&mut self, rule: RuleId, marks: Marks) {
        self.marks.insert(rule, marks);
    }

    /// Says where a rule was written.
    pub fn place(&mut self, rule: RuleId, place: Place) {
        self.places.insert(rule, place);
    }

    /// Copies every rule of `other`, renamed where its name is taken, and gives the copy of its root.
    pub fn import(&mut self, other: &Grammar) -> RuleId {
        let rules: Vec<RuleId> = other.rules.iter().map(|rule| self.fresh_rule(&rule.name)).collect();
        let base = self.exprs.len() as u32;
        for expr in &other.exprs {
            let copy = expr.moved(|id| ExprId(id.0 + base), |rule| rules[rule.index()]);
            self.exprs.push(copy);
        }
        for (rule, &copy) in other.rules.iter().zip(&rules) {
            self.define(copy, ExprId(rule.body.0 + base));
            self.mark(copy, rule.marks.clone());
            self.place(copy, rule.place.clone());
        }
        rules[other.root.index()]
    }

    /// The grammar whose output must match `root`.
    ///
    /// # Errors
    /// A rule was named and never defined.
    pub fn finish(mut self, root: RuleId) -> Result<Grammar, GrammarError> {
        let mut problems = Vec::new();
        let mut rules = Vec::with_capacity(self.rules.len());
        for (i, (name, body)) in self.rules.into_iter().enumerate() {
            let marks = self.marks.remove(&RuleId(i as u32)).unwrap_or_default();
            let place = self.places.remove(&RuleId(i as u32)).unwrap_or_default();
            match body {
                Some(body) => rules.push(Rule {
                    name,
                    body,
                    marks,
                    place,
                }),
                None => problems.push(Problem::without_place(
                    format!("the rule `{name}` is used and never defined"),
                    format!("define `{name}`"),
                )),
            }
        }
        if !problems.is_empty() {
            return Err(GrammarError::new(GrammarErrorKind::Syntax, problems));
        }
        Ok(Grammar {
            exprs: self.exprs,
            rules,
            root,
        })
    }
}
