//! One grammar: its definitions by name, its statements, and the rules that come of them. `%lark {...}` is a scope of its own.
use super::lexer::{lex, Kind, Lexeme};
use super::options::RuleOptions;
use super::MAX_RULE_INSTANCES;
use crate::ast::{Expr, ExprId, Grammar, GrammarBuilder, RuleId};
use crate::error::{GrammarError, GrammarErrorKind};
use crate::frontends::mistakes::{Mistakes, MAX_PROBLEMS};
use crate::frontends::nearest::nearest;
use crate::passes::productive::{no_text, rules_without_a_text};
use crate::place::Place;
use penstock_automata::Limit;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// The reading of a definition was given up; its mistake has been noted.
pub(super) struct GiveUp;

/// How a body is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mode {
    /// Ignored text may stand between its parts.
    Rule,
    /// One piece of text: regular, nothing ignored inside.
    Terminal,
}

/// `name: body`
#[derive(Clone, Debug)]
pub(super) struct Definition {
    pub name: String,
    /// The place of the name.
    pub offset: usize,
    /// Whether the head says `name::_`.
    pub parametric: bool,
    pub options: RuleOptions,
    /// Several where `%extend` added alternatives.
    pub bodies: Vec<Range<usize>>,
}

impl Definition {
    pub fn mode(&self) -> Mode {
        name_mode(&self.name)
    }
}

/// Terminals are named in upper case: the first letter decides.
pub(super) fn name_mode(name: &str) -> Mode {
    match name.chars().find(|c| c.is_alphabetic()) {
        Some(letter) if letter.is_uppercase() => Mode::Terminal,
        _ => Mode::Rule,
    }
}

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meaning {
    Definition(usize),
    /// A common terminal.
    Import(RuleId),
}

/// One grammar of the text.
#[derive(Default)]
pub(super) struct Scope {
    pub definitions: Vec<Definition>,
    pub names: FxHashMap<String, Meaning>,
    /// What `%ignore` names.
    pub ignores: Vec<Range<usize>>,
    /// Any number of ignored texts.
    pub ignored: Option<RuleId>,
    pub allow_initial_skip: bool,
    pub ignore_once: bool,
    /// Rules by definition and parameter.
    instances: FxHashMap<(usize, u64), RuleId>,
    /// Instances whose bodies have not been read, in order.
    queue: Vec<(usize, u64)>,
    /// Where each unknown name is used first.
    pub unknown: BTreeMap<String, usize>,
    /// Which terminals use which, by definition.
    pub terminal_uses: FxHashSet<(usize, usize)>,
}

/// A grammar that has been found and not been read.
pub(super) struct Pending {
    pub lexemes: Range<usize>,
    pub root: RuleId,
    pub offset: usize,
}

pub(super) struct Reader<'a> {
    pub lexemes: &'a [Lexeme],
    pub at: usize,
    pub end: usize,
    pub builder: GrammarBuilder,
    pub mistakes: Mistakes<'a>,
    pub pending: Vec<Pending>,
    pub named: &'a BTreeMap<String, Grammar>,
    /// The copies of named grammars.
    pub copies: FxHashMap<String, RuleId>,
    /// The rules of `%lark {...}`, by the lexeme of their brace.
    pub nested_rules: FxHashMap<usize, RuleId>,
    pub scope: Scope,
    /// The definition that is being read, and its parameter.
    pub current: (usize, Option<u64>),
    /// The whole text, which the rules name as their place.
    pub text: Arc<str>,
    /// The rules that are defined without a parameter.
    plain: Vec<RuleId>,
}

pub(super) fn parse(text: &str, named: &BTreeMap<String, Grammar>) -> Result<Grammar, GrammarError> {
    let mut mistakes = Mistakes::new(text);
    let lexemes = lex(&mut mistakes);
    let mut reader = Reader {
        lexemes: &lexemes,
        at: 0,
        end: 0,
        builder: GrammarBuilder::new(),
        mistakes,
        pending: Vec::new(),
        named,
        copies: FxHashMap::default(),
        nested_rules: FxHashMap::default(),
        scope: Scope::default(),
        current: (0, None),
        text: text.into(),
        plain: Vec::new(),
    };
    let root = reader.builder.rule("start");
    reader.pending.push(Pending {
        lexemes: 0..lexemes.len(),
        root,
        offset: text.trim_end().len(),
    });
    while let Some(pending) = reader.pending.pop() {
        reader.read_scope(pending);
    }
    if !reader.mistakes.is_empty() {
        return Err(reader.mistakes.into_error());
    }
    let grammar = reader.builder.finish(root)?;
    check_productive(&grammar, &reader.plain)?;
    Ok(grammar)
}

impl<'a> Reader<'a> {
    fn read_scope(&mut self, pending: Pending) {
        self.scope = self.read_items(pending.lexemes);
        self.define_ignored();
        self.define_start(&pending.root, pending.offset);
        for i in 0..self.scope.definitions.len() {
            if !self.scope.definitions[i].parametric {
                self.instance(i, 0);
            }
        }
        let mut next = 0;
        while let Some(&(definition, value)) = self.scope.queue.get(next) {
            next += 1;
            self.read_definition(definition, value);
        }
        self.check_unknown();
        self.check_terminal_recursion();
    }

    /// `ignored` is any number of what `%ignore` names, at most one where the grammar says so.
    fn define_ignored(&mut self) {
        let ignores = std::mem::take(&mut self.scope.ignores);
        if ignores.is_empty() {
            return;
        }
        let mut parts = Vec::with_capacity(ignores.len());
        for range in ignores {
            (self.at, self.end) = (range.start, range.end);
            self.current = (usize::MAX, None);
            if let Ok(part) = self.read_body(Mode::Terminal) {
                parts.push(part);
            }
        }
        let one = self.builder.choice(parts);
        let body = match self.scope.ignore_once {
            true => self.builder.repeat(one, 0, 1),
            false => self.builder.star(one),
        };
        let rule = self.builder.fresh_rule("ignored");
        self.builder.define(rule, body);
        self.scope.ignored = Some(rule);
    }

    fn define_start(&mut self, root: &RuleId, offset: usize) {
        let start = match self.scope.names.get("start") {
            Some(&Meaning::Definition(start)) if !self.scope.definitions[start].parametric => start,
            Some(_) => {
                return self
                    .mistakes
                    .syntax(offset, "`start` can have no parameter", "write `start: ...`")
            }
            None => {
                let names = self.scope.names.keys().map(String::as_str);
                let hint = match nearest("start", names) {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => "define it: the output is a text of `start`".to_owned(),
                };
                return self.mistakes.syntax(offset, "the rule `start` is not defined", hint);
            }
        };
        match self.scope.ignored.filter(|_| self.scope.allow_initial_skip) {
            None => {
                self.scope.instances.insert((start, 0), *root);
                self.scope.queue.push((start, 0));
                self.plain.push(*root);
                self.builder
                    .place(*root, Place::new(&self.text, self.scope.definitions[start].offset));
            }
            Some(ignored) => {
                let rule = self.instance(start, 0);
                let parts = [ignored, rule].map(|rule| self.builder.add(Expr::Rule(rule)));
                let body = self.builder.sequence(parts.to_vec());
                self.builder.define(*root, body);
            }
        }
    }

    /// The rule of a definition for one value of its parameter; 0 where it has none.
    pub fn instance(&mut self, definition: usize, value: u64) -> RuleId {
        if let Some(&rule) = self.scope.instances.get(&(definition, value)) {
            return rule;
        }
        let Definition {
            name,
            parametric,
            offset,
            ..
        } = &self.scope.definitions[definition];
        let wish = match parametric {
            true => format!("{name}_{value:x}"),
            false => name.clone(),
        };
        let (parametric, offset) = (*parametric, *offset);
        let rule = self.builder.fresh_rule(&wish);
        self.scope.instances.insert((definition, value), rule);
        if self.scope.instances.len() <= MAX_RULE_INSTANCES + self.scope.definitions.len() {
            self.scope.queue.push((definition, value));
        } else if self.scope.instances.len() == MAX_RULE_INSTANCES + self.scope.definitions.len() + 1 {
            let limit = Limit {
                name: "max_rule_instances",
                configured: MAX_RULE_INSTANCES as u64,
            };
            self.mistakes.limit(offset, limit, "use fewer bits of the parameter");
        }
        if !parametric {
            self.plain.push(rule);
        }
        self.builder.place(rule, Place::new(&self.text, offset));
        rule
    }

    fn read_definition(&mut self, definition: usize, value: u64) {
        let Definition {
            bodies,
            options,
            parametric,
            ..
        } = self.scope.definitions[definition].clone();
        let rule = self.scope.instances[&(definition, value)];
        self.current = (definition, parametric.then_some(value));
        let mode = match options.is_lexeme() {
            true => Mode::Terminal,
            false => self.scope.definitions[definition].mode(),
        };
        let mut parts = Vec::with_capacity(bodies.len());
        for range in bodies {
            (self.at, self.end) = (range.start, range.end);
            if let Ok(part) = self.read_body(mode) {
                parts.push(part);
            }
        }
        let body = self.builder.choice(parts);
        if let Ok(body) = self.apply_options(&options, body, rule) {
            self.builder.define(rule, body);
        }
    }

    /// `part` and the ignored text that may follow it.
    pub fn with_ignored(&mut self, part: ExprId) -> ExprId {
        match self.scope.ignored {
            None => part,
            Some(ignored) => {
                let ignored = self.builder.add(Expr::Rule(ignored));
                self.builder.sequence(vec![part, ignored])
            }
        }
    }

    fn check_unknown(&mut self) {
        for (name, offset) in std::mem::take(&mut self.scope.unknown) {
            let known = self.scope.names.keys().map(String::as_str);
            let hint = match (super::common::common_pattern(&name), nearest(&name, known)) {
                (Some(_), _) => format!("import it: `%import common.{name}`"),
                (None, Some(known)) => format!("did you mean `{known}`?"),
                (None, None) => "define it, or put it in double quotes if it is text".to_owned(),
            };
            let kind = match name_mode(&name) {
                Mode::Rule => "rule",
                Mode::Terminal => "terminal",
            };
            self.mistakes
                .syntax(offset, format!("the {kind} `{name}` is not defined"), hint);
        }
    }

    /// Terminals are regular, so they can't be made of themselves.
    fn check_terminal_recursion(&mut self) {
        let mut uses: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for &(user, used) in &self.scope.terminal_uses {
            uses.entry(user).or_default().push(used);
        }
        uses.values_mut().for_each(|used| used.sort_unstable());
        let mut open: FxHashMap<usize, bool> = FxHashMap::default();
        for &first in uses.keys() {
            let mut stack = vec![(first, 0)];
            while let Some(&mut (user, ref mut next)) = stack.last_mut() {
                if *next == 0 && open.insert(user, true) == Some(false) {
                    open.insert(user, false);
                    stack.pop();
                    continue;
                }
                let used = uses.get(&user).and_then(|used| used.get(*next)).copied();
                *next += 1;
                match used {
                    Some(used) if open.get(&used) == Some(&true) => {
                        let Definition { name, offset, .. } = self.scope.definitions[used].clone();
                        let message = format!("the terminal `{name}` is made of itself");
                        self.mistakes
                            .syntax(offset, message, "write rules in lower case: they can be recursive");
                    }
                    Some(used) => stack.push((used, 0)),
                    None => {
                        open.insert(user, false);
                        stack.pop();
                    }
                }
            }
        }
    }

    /// The next lexeme that is no line end.
    pub fn peek(&mut self) -> Option<&'a Lexeme> {
        while self.at < self.end && self.lexemes[self.at].kind == Kind::Newline {
            self.at += 1;
        }
        self.lexemes[..self.end].get(self.at)
    }

    pub fn take(&mut self) -> Option<&'a Lexeme> {
        let lexeme = self.peek();
        self.at += usize::from(lexeme.is_some());
        lexeme
    }

    pub fn take_sign(&mut self, sign: &str) -> bool {
        let found = self.peek().is_some_and(|lexeme| lexeme.is(sign));
        self.at += usize::from(found);
        found
    }

    /// The place of the next lexeme, or the end of the last one.
    pub fn offset(&mut self) -> usize {
        match self.peek() {
            Some(lexeme) => lexeme.start,
            None => self.at.checked_sub(1).map_or(0, |last| self.lexemes[last].end),
        }
    }

    /// Notes a mistake at `offset` and gives this definition up.
    pub fn fail<T>(&mut self, offset: usize, message: impl Into<String>, hint: impl Into<String>) -> Result<T, GiveUp> {
        self.mistakes.syntax(offset, message, hint);
        Err(GiveUp)
    }

    /// Notes a refusal at `offset` and gives this definition up.
    pub fn refuse<T>(&mut self, offset: usize, message: impl Into<String>, hint: impl Into<String>) -> Result<T, GiveUp> {
        self.mistakes.unsupported(offset, message, hint);
        Err(GiveUp)
    }
}

/// Rules that no text matches are mistakes, whoever calls them. Patterns count as matching something here.
fn check_productive(grammar: &Grammar, rules: &[RuleId]) -> Result<(), GrammarError> {
    let without_a_text = rules_without_a_text(grammar);
    let mut found: Vec<RuleId> = rules.iter().copied().filter(|rule| without_a_text[rule.index()]).collect();
    found.sort_by_key(|&rule| grammar.rule(rule).place.key());
    let problem = |&rule: &RuleId| no_text(grammar.rule(rule), "it");
    match found.is_empty() {
        true => Ok(()),
        false => Err(GrammarError::new(
            GrammarErrorKind::EmptyLanguage,
            found.iter().take(MAX_PROBLEMS).map(problem).collect(),
        )),
    }
}
