//! A grammar made ready for the matcher: every rule that is left is one term, whose externals are symbols.
//!
//! The passes run in this order: rules out of reach are dropped; self-recursion at one end becomes iteration; small regular
//! rules are inlined; what matches nothing is deleted; calls of rules that match the empty text become optional. Left
//! recursion stays: the matcher's frames may be cyclic.
use crate::ast::{Dispatch, Expr, ExprId, Grammar, Marks, Rule, RuleId};
use crate::error::{GrammarError, GrammarErrorKind, Problem};
use crate::frontends::mistakes::MAX_PROBLEMS;
use crate::frontends::regex::compile_pattern;
use crate::frontends::structural_tag::Specials;
use crate::options::JsonOptions;
use crate::passes::components::{components, Components};
use crate::passes::nullable::nullable;
use crate::passes::productive::{no_text, productive};
use crate::passes::reachable::{body_exprs, reachable, Reachable};
use crate::passes::regular::{shapes, why_not_regular, Shape, Shapes};
use crate::passes::self_recursion::iterate_self_recursion;
use crate::place::Place;
use crate::schema_text::strings_of;
use penstock_automata::{Limit, RegexId, Regexes, ScanWord};
use rustc_hash::FxHashMap;
use serde_json::Value;
use std::sync::Arc;

/// How many alternatives that are texts make a word list.
const WORTH_A_WORD_LIST: usize = 8;

/// The limits of [`lower_with`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LowerLimits {
    /// `max_inlined_size`: regular rules up to this size (characters, classes and operators) are inlined into their callers.
    pub max_inlined_size: u64,
    /// `max_regular_size`: how large the parts of *and* and *not* may be, with every rule in them written out.
    pub max_regular_size: u64,
    /// `max_grammar_depth`: how deep operators may nest.
    pub max_grammar_depth: u32,
}

impl Default for LowerLimits {
    fn default() -> Self {
        LowerLimits {
            max_inlined_size: 512,
            max_regular_size: 100_000,
            max_grammar_depth: 2_500,
        }
    }
}

/// What an external of a term stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Symbol {
    /// A text of the rule with this index into [`Lowered::bodies`], never the empty one.
    Rule(usize),
    /// A JSON text of the schema with this index into [`Lowered::schemas`].
    Json(usize),
    /// One of these tokens, by id.
    Tokens(Arc<[u32]>),
    /// Any token but these, by id.
    ExcludeTokens(Arc<[u32]>),
    /// The token with this text.
    TokenText(String),
    /// Any token but these, by id and by text.
    ExcludeNamed {
        /// Ids.
        ids: Arc<[u32]>,
        /// Texts.
        texts: Arc<[String]>,
    },
}

/// The grammar ready for the matcher.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// Per rule its term. A body may match the empty text; calls stand for the other texts only, and a call of such a rule
    /// is optional wherever it stands.
    pub bodies: Vec<RegexId>,
    /// Per rule its name.
    pub names: Vec<String>,
    /// Per rule what else is said of it. A rule with `max_tokens` has a regular body; the root has no marks.
    pub marks: Vec<Marks>,
    /// The rule that the whole output must match.
    pub root: usize,
    /// Whether the empty output is complete.
    pub root_nullable: bool,
    /// Indexed by the number of the external.
    pub symbols: Vec<Symbol>,
    /// The schemas that [`Symbol::Json`] names.
    pub schemas: Vec<(Arc<Value>, Arc<JsonOptions>)>,
}

/// [`lower_with`] the default limits.
///
/// # Errors
/// As there.
pub fn lower(grammar: &Grammar, regexes: &mut Regexes) -> Result<Lowered, GrammarError> {
    lower_with(grammar, regexes, &LowerLimits::default())
}

/// Runs the passes and builds the terms.
///
/// Cost: linear in the grammar, but for the emptiness of *and*, *not* and patterns with assertions.
///
/// # Errors
/// *And* or *not* over parts that are not regular; an empty language; the limits of [`LowerLimits`] and those of `regexes`.
pub fn lower_with(grammar: &Grammar, regexes: &mut Regexes, limits: &LowerLimits) -> Result<Lowered, GrammarError> {
    if grammar.has_tags() {
        return lower_with(&grammar.expand_tags(&Specials::default())?, regexes, limits);
    }
    if let Some(lowered) = lower_schema(grammar, regexes) {
        return Ok(lowered);
    }
    check_depth(grammar, limits)?;
    let mut grammar = with_plain_root(grammar);
    let rules = reachable(&grammar).rules;
    iterate_self_recursion(&mut grammar, &rules);
    let used = reachable(&grammar);
    let calls = components(&grammar, &used.rules);
    let shapes = shapes(&grammar, &calls.order, &calls.recursive, limits);
    check_regular(&grammar, &used, &calls, &shapes, limits)?;
    check_budgets(&grammar, &used, &calls, &shapes, limits)?;
    let mut lowering = Lowering::new(&grammar, regexes, &shapes);
    lowering.lower_regular_leaves(&used)?;
    lowering.productive = productive(&grammar, &used.exprs, &lowering.flat);
    lowering.nullable = nullable(&grammar, &used.exprs, &lowering.flat, lowering.regexes);
    check_productive(&grammar, &used, &lowering.productive)?;
    lowering.lower_rules()
}

/// A grammar that is one JSON schema, the commonest of all: no pass changes it.
fn lower_schema(grammar: &Grammar, regexes: &mut Regexes) -> Option<Lowered> {
    let root = grammar.rule(grammar.root);
    let Expr::JsonSchema { schema, options } = grammar.expr(root.body) else {
        return None;
    };
    root.marks.is_empty().then(|| Lowered {
        bodies: vec![regexes.external(0)],
        names: vec![root.name.clone()],
        marks: vec![Marks::default()],
        root: 0,
        root_nullable: false,
        symbols: vec![Symbol::Json(0)],
        schemas: vec![(schema.clone(), options.clone())],
    })
}

fn check_depth(grammar: &Grammar, limits: &LowerLimits) -> Result<(), GrammarError> {
    let mut depths = vec![0; grammar.exprs.len()];
    for (i, expr) in grammar.exprs.iter().enumerate() {
        let inner = expr.children().iter().map(|child| depths[child.index()]).max();
        depths[i] = inner.map_or(0, |depth: u32| depth + 1);
        if depths[i] > limits.max_grammar_depth {
            let limit = Limit {
                name: "max_grammar_depth",
                configured: u64::from(limits.max_grammar_depth),
            };
            return Err(GrammarError::limit(limit, "the nesting of the grammar"));
        }
    }
    Ok(())
}

/// *And* and *not* stand over regular parts of bearable size.
fn check_regular(
    grammar: &Grammar,
    used: &Reachable,
    calls: &Components,
    shapes: &Shapes,
    limits: &LowerLimits,
) -> Result<(), GrammarError> {
    let mut problems = Vec::new();
    for (i, expr) in grammar.exprs.iter().enumerate().filter(|&(i, _)| used.exprs[i]) {
        let sign = match expr {
            Expr::And(_) => '&',
            Expr::Not(_) => '~',
            _ => continue,
        };
        let shape = shapes.exprs[i];
        if !shape.regular && problems.len() < MAX_PROBLEMS {
            let why = why_not_regular(grammar, ExprId(i as u32), &calls.recursive);
            problems.push(holder(grammar, used, ExprId(i as u32)).problem(
                format!("`{sign}` stands over {why}: that can't be decided"),
                "keep to rules without recursion, schemas and tokens there",
            ));
        } else if shape.regular {
            check_shape(shape, limits, || format!("a part of `{sign}`"))?;
        }
    }
    refused(problems)
}

/// A regular part is of bearable size.
fn check_shape(shape: Shape, limits: &LowerLimits, what: impl Fn() -> String) -> Result<(), GrammarError> {
    let bounds = [
        ("max_regular_size", shape.size, limits.max_regular_size),
        (
            "max_grammar_depth",
            u64::from(shape.depth),
            u64::from(limits.max_grammar_depth),
        ),
    ];
    match bounds.into_iter().find(|&(_, given, most)| given > most) {
        None => Ok(()),
        Some((name, _, configured)) => Err(GrammarError::limit(Limit { name, configured }, what())),
    }
}

fn refused(problems: Vec<Problem>) -> Result<(), GrammarError> {
    match problems.is_empty() {
        true => Ok(()),
        false => Err(GrammarError::new(GrammarErrorKind::Unsupported, problems)),
    }
}

/// The place of the rule whose body holds `id`. Cost: linear in the grammar.
fn holder(grammar: &Grammar, used: &Reachable, id: ExprId) -> Place {
    let holds = |rule: &&RuleId| body_exprs(grammar, grammar.rule(**rule).body).contains(&id);
    let rule = used.rules.iter().find(holds);
    rule.map_or_else(Place::default, |&rule| grammar.rule(rule).place.clone())
}

/// The grammar with a root that only calls the old one, if that has marks: marks belong to calls.
fn with_plain_root(grammar: &Grammar) -> Grammar {
    let mut grammar = grammar.clone();
    let root = grammar.root;
    if !grammar.rule(root).marks.is_empty() {
        let (name, place) = (grammar.rule(root).name.clone(), grammar.rule(root).place.clone());
        grammar.exprs.push(Expr::Rule(root));
        let (body, marks) = (ExprId(grammar.exprs.len() as u32 - 1), Marks::default());
        grammar.root = RuleId(grammar.rules.len() as u32);
        grammar.rules.push(Rule {
            name,
            body,
            marks,
            place,
        });
    }
    grammar
}

/// The tokens of a rule are counted in one automaton of bearable size.
fn check_budgets(
    grammar: &Grammar,
    used: &Reachable,
    calls: &Components,
    shapes: &Shapes,
    limits: &LowerLimits,
) -> Result<(), GrammarError> {
    let mut problems = Vec::new();
    let is_counted = |rule: &&RuleId| grammar.rule(**rule).marks.max_tokens.is_some();
    for &rule in used.rules.iter().filter(is_counted) {
        let Rule { body, name, place, .. } = grammar.rule(rule);
        let shape = shapes.exprs[body.index()];
        let is_recursive = calls.recursive[rule.index()];
        if is_recursive || !shape.regular {
            let why = match is_recursive {
                true => "itself".to_owned(),
                false => why_not_regular(grammar, *body, &calls.recursive),
            };
            problems.push(place.problem(
                format!("`max_tokens` of the rule `{name}` is refused: the rule holds {why}"),
                "count the tokens of a rule without recursion, schemas, tokens and options inside, or of the whole output",
            ));
        } else {
            check_shape(shape, limits, || format!("the rule `{name}`, whose tokens are counted"))?;
        }
    }
    refused(problems)
}

/// Some text matches the root; else every rule that none matches is told, where it is written.
fn check_productive(grammar: &Grammar, used: &Reachable, productive: &[bool]) -> Result<(), GrammarError> {
    let matches = |rule: RuleId| productive[grammar.rule(rule).body.index()];
    if matches(grammar.root) {
        return Ok(());
    }
    let mut empty: Vec<RuleId> = used.rules.iter().copied().filter(|&rule| !matches(rule)).collect();
    // Rules that need themselves first come last in reach: the deepest is most likely the one to repair.
    let culprit = *empty.last().unwrap_or(&grammar.root);
    empty.retain(|&rule| grammar.rule(rule).place.is_known());
    empty.sort_by_key(|&rule| grammar.rule(rule).place.key());
    empty.dedup_by_key(|rule| grammar.rule(*rule).place.key());
    if empty.is_empty() {
        return Err(GrammarError::new(
            GrammarErrorKind::EmptyLanguage,
            vec![nothing_matches(grammar, culprit)],
        ));
    }
    let problem = |&rule: &RuleId| {
        let to_repair = match rule == culprit {
            true => "it".to_owned(),
            false => format!("`{}`", grammar.rule(culprit).name),
        };
        no_text(grammar.rule(rule), &to_repair)
    };
    let problems = empty.iter().take(MAX_PROBLEMS).map(problem).collect();
    Err(GrammarError::new(GrammarErrorKind::EmptyLanguage, problems))
}

/// A grammar without a text, of which no rule was written by somebody.
fn nothing_matches(grammar: &Grammar, culprit: RuleId) -> Problem {
    let root = grammar.rule(grammar.root);
    if let Expr::Regex { pattern, .. } = grammar.expr(root.body) {
        let hint = "look for assertions and classes that contradict what stands beside them";
        return Problem::without_place(format!("no text matches the pattern `{pattern}`"), hint);
    }
    let name = &grammar.rule(culprit).name;
    let hint = format!("give `{name}` an alternative that can end");
    Problem::without_place(format!("no text matches the rule `{}`", root.name), hint)
}

/// How rules inside an expression are taken.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    /// Every rule is written out; regular expressions only.
    Flat,
    /// Rules are called, but for those that are inlined; so are parts whose liveness is a question.
    Calls,
}

/// What becomes a rule of the lowered grammar: a rule, or a part that is kept apart from the calls around it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kept {
    Rule(RuleId),
    Part(ExprId),
}

/// Whether what the expression matches is a term of its own, which the passes ask for.
fn has_language(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Regex { .. } | Expr::SchemaText { .. } | Expr::And(_) | Expr::Not(_)
    )
}

struct Lowering<'g> {
    grammar: &'g Grammar,
    regexes: &'g mut Regexes,
    shapes: &'g Shapes,
    /// Terms per expression, in each mode.
    flat: Vec<Option<RegexId>>,
    called: Vec<Option<RegexId>>,
    productive: Vec<bool>,
    nullable: Vec<bool>,
    /// The rules that are left, in the order of their numbers.
    kept: Vec<Kept>,
    kept_numbers: FxHashMap<Kept, usize>,
    symbols: Vec<Symbol>,
    symbol_numbers: FxHashMap<Symbol, u32>,
    schemas: Vec<(Arc<Value>, Arc<JsonOptions>)>,
}

impl<'g> Lowering<'g> {
    fn new(grammar: &'g Grammar, regexes: &'g mut Regexes, shapes: &'g Shapes) -> Lowering<'g> {
        Lowering {
            grammar,
            regexes,
            shapes,
            flat: vec![None; grammar.exprs.len()],
            called: vec![None; grammar.exprs.len()],
            productive: Vec::new(),
            nullable: Vec::new(),
            kept: Vec::new(),
            kept_numbers: FxHashMap::default(),
            symbols: Vec::new(),
            symbol_numbers: FxHashMap::default(),
            schemas: Vec::new(),
        }
    }

    /// The terms that the productive and nullable passes ask for.
    fn lower_regular_leaves(&mut self, used: &Reachable) -> Result<(), GrammarError> {
        for i in (0..self.grammar.exprs.len()).filter(|&i| used.exprs[i]) {
            if has_language(&self.grammar.exprs[i]) {
                self.lower_expr(ExprId(i as u32), Mode::Flat)?;
            }
        }
        Ok(())
    }

    fn lower_rules(mut self) -> Result<Lowered, GrammarError> {
        let grammar = self.grammar;
        let root = self.number(Kept::Rule(grammar.root));
        let (mut bodies, mut names, mut marks) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(&kept) = self.kept.get(bodies.len()) {
            let (name, body, mode) = match kept {
                Kept::Part(part) => (format!("part {}", part.index()), part, Mode::Flat),
                Kept::Rule(rule) => {
                    let mode = if self.shapes.without_calls[rule.index()] {
                        Mode::Flat
                    } else {
                        Mode::Calls
                    };
                    (grammar.rule(rule).name.clone(), grammar.rule(rule).body, mode)
                }
            };
            bodies.push(self.lower_expr(body, mode)?);
            names.push(name);
            marks.push(match kept {
                Kept::Rule(rule) => grammar.rule(rule).marks.clone(),
                Kept::Part(_) => Marks::default(),
            });
        }
        Ok(Lowered {
            root_nullable: self.nullable[grammar.rule(grammar.root).body.index()],
            names,
            marks,
            root,
            bodies,
            symbols: self.symbols,
            schemas: self.schemas,
        })
    }

    fn number(&mut self, kept: Kept) -> usize {
        let next = self.kept.len();
        let number = *self.kept_numbers.entry(kept).or_insert(next);
        if number == next {
            self.kept.push(kept);
        }
        number
    }

    /// The term of an expression: its parts first, with a stack instead of recursion.
    fn lower_expr(&mut self, id: ExprId, mode: Mode) -> Result<RegexId, GrammarError> {
        let mut stack = vec![(id, mode)];
        while let Some(&(id, mode)) = stack.last() {
            if self.term(id, mode).is_none() {
                let waiting = stack.len();
                self.push_missing_parts(id, mode, &mut stack);
                if stack.len() > waiting {
                    continue;
                }
                let term = self.build(id, mode)?;
                match mode {
                    Mode::Flat => self.flat[id.index()] = Some(term),
                    Mode::Calls => self.called[id.index()] = Some(term),
                }
            }
            stack.pop();
        }
        Ok(self.built(id, mode))
    }

    fn term(&self, id: ExprId, mode: Mode) -> Option<RegexId> {
        match mode {
            Mode::Flat => self.flat[id.index()],
            Mode::Calls => self.called[id.index()],
        }
    }

    fn built(&self, id: ExprId, mode: Mode) -> RegexId {
        self.term(id, mode).expect("parts are built before their parents")
    }

    /// The expressions whose terms `id` is built of.
    fn push_missing_parts(&self, id: ExprId, mode: Mode, stack: &mut Vec<(ExprId, Mode)>) {
        let mut push = |id: ExprId, mode| {
            if self.term(id, mode).is_none() {
                stack.push((id, mode));
            }
        };
        match self.grammar.expr(id) {
            Expr::Rule(rule) => {
                if let Some(body) = self.written_out(*rule, mode) {
                    push(body, Mode::Flat);
                }
            }
            expr if mode == Mode::Calls && has_language(expr) => push(id, Mode::Flat),
            // The first part is built first, so that symbols are numbered in the order of the text.
            expr => expr.children().iter().rev().for_each(|&child| push(child, mode)),
        }
    }

    /// The body that stands for a call of `rule`, if any does.
    fn written_out(&self, rule: RuleId, mode: Mode) -> Option<ExprId> {
        (mode == Mode::Flat || self.shapes.inlined[rule.index()]).then(|| self.grammar.rule(rule).body)
    }

    fn build(&mut self, id: ExprId, mode: Mode) -> Result<RegexId, GrammarError> {
        let grammar = self.grammar;
        let parts: Vec<RegexId> = match grammar.expr(id) {
            expr if mode == Mode::Calls && has_language(expr) => {
                return Ok(match self.shapes.exprs[id.index()].positive {
                    true => self.built(id, Mode::Flat),
                    false => self.call_kept(Kept::Part(id), id),
                });
            }
            expr => expr.children().iter().map(|&child| self.built(child, mode)).collect(),
        };
        Ok(match grammar.expr(id) {
            Expr::Text(text) => self.regexes.literal(text),
            Expr::Class(set) => self.regexes.class(set.clone()),
            Expr::Sequence(_) => self.regexes.concat_all(&parts),
            Expr::Choice(alternatives) => self.choice(alternatives, &parts),
            Expr::Repeat { min, max, .. } => self.regexes.repeat(parts[0], *min, *max),
            Expr::And(_) => {
                let term = self.regexes.and(&parts);
                self.live(term)?
            }
            Expr::Not(_) => {
                let term = self.regexes.not(parts[0]);
                self.live(term)?
            }
            Expr::Regex { pattern, dialect } => {
                let term = compile_pattern(self.regexes, pattern, *dialect)?;
                self.live(term)?
            }
            Expr::SchemaText { schema, options } => {
                let term = strings_of(self.regexes, schema, options)?;
                self.live(term)?
            }
            Expr::Substring(chunks) => self.substring(chunks),
            Expr::Rule(rule) => self.call(*rule, mode),
            Expr::StructuralTag { .. } => unreachable!("tags were expanded"),
            Expr::Dispatch { dispatch, .. } => self.dispatch(dispatch, &parts),
            Expr::JsonSchema { schema, options } => {
                let number = self.schema_number(schema, options);
                self.external(Symbol::Json(number))
            }
            Expr::Token(ids) if ids.is_empty() => RegexId::NEVER,
            Expr::Token(ids) => self.external(Symbol::Tokens(ids.as_slice().into())),
            Expr::ExcludeToken(ids) => self.external(Symbol::ExcludeTokens(ids.as_slice().into())),
            Expr::ExcludeNamed { ids, texts } => self.external(Symbol::ExcludeNamed {
                ids: ids.as_slice().into(),
                texts: texts.as_slice().into(),
            }),
            Expr::TokenText(text) => self.external(Symbol::TokenText(text.clone())),
        })
    }

    /// Long lists of texts become one word list: a step then costs a logarithm instead of their number.
    fn choice(&mut self, alternatives: &[ExprId], parts: &[RegexId]) -> RegexId {
        let grammar = self.grammar;
        let text = |id: &ExprId| match grammar.expr(*id) {
            Expr::Text(text) => Some(text.as_str()),
            _ => None,
        };
        if alternatives.iter().filter_map(text).count() < WORTH_A_WORD_LIST {
            return self.regexes.or(parts);
        }
        let mut terms = vec![self.regexes.words(alternatives.iter().filter_map(text))];
        let others = alternatives.iter().zip(parts).filter(|(id, _)| text(id).is_none());
        terms.extend(others.map(|(_, &part)| part));
        self.regexes.or(&terms)
    }

    fn dispatch(&mut self, dispatch: &Dispatch, bodies: &[RegexId]) -> RegexId {
        let word = |text: &String, body, again| ScanWord {
            text: text.clone(),
            body,
            again,
        };
        let triggers = dispatch.triggers.iter().zip(bodies);
        let triggers = triggers.map(|(text, &body)| word(text, body, dispatch.looped));
        let stops = dispatch.stops.iter().map(|text| word(text, RegexId::EMPTY, false));
        let excludes = dispatch.excludes.iter().map(|text| word(text, RegexId::NEVER, false));
        self.regexes.scan(triggers.chain(stops).chain(excludes).collect())
    }

    /// What is left from each chunk on is one term, so that a state is the set of places where the text may stand.
    fn substring(&mut self, chunks: &[String]) -> RegexId {
        let (mut rest, mut starts) = (RegexId::EMPTY, vec![RegexId::EMPTY]);
        for chunk in chunks.iter().rev() {
            let text = self.regexes.literal(chunk);
            let more = self.regexes.concat(text, rest);
            rest = self.regexes.optional(more);
            starts.push(rest);
        }
        self.regexes.or(&starts)
    }

    /// The term, or [`RegexId::NEVER`] where no text matches it.
    fn live(&mut self, term: RegexId) -> Result<RegexId, GrammarError> {
        let live = self
            .regexes
            .is_live(term)
            .map_err(|limit| GrammarError::limit(limit, "the search for a text of a pattern"))?;
        Ok(if live { term } else { RegexId::NEVER })
    }

    fn call(&mut self, rule: RuleId, mode: Mode) -> RegexId {
        if let Some(body) = self.written_out(rule, mode) {
            return self.built(body, Mode::Flat);
        }
        self.call_kept(Kept::Rule(rule), self.grammar.rule(rule).body)
    }

    /// A call, optional where the callee matches the empty text.
    fn call_kept(&mut self, kept: Kept, body: ExprId) -> RegexId {
        if !self.productive[body.index()] {
            return RegexId::NEVER;
        }
        let number = self.number(kept);
        let call = self.external(Symbol::Rule(number));
        match self.nullable[body.index()] {
            true => self.regexes.optional(call),
            false => call,
        }
    }

    fn external(&mut self, symbol: Symbol) -> RegexId {
        let next = self.symbols.len() as u32;
        let number = *self.symbol_numbers.entry(symbol.clone()).or_insert(next);
        if number == next {
            self.symbols.push(symbol);
        }
        self.regexes.external(number)
    }

    fn schema_number(&mut self, schema: &Arc<Value>, options: &Arc<JsonOptions>) -> usize {
        let same = |known: &(Arc<Value>, Arc<JsonOptions>)| {
            (Arc::ptr_eq(&known.0, schema) || known.0 == *schema) && known.1 == *options
        };
        self.schemas.iter().position(same).unwrap_or_else(|| {
            self.schemas.push((schema.clone(), options.clone()));
            self.schemas.len() - 1
        })
    }
}
