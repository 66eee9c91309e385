//! Lexemes into a grammar, with a stack of open brackets instead of recursion.
use super::lexer::{lex, Kind, Lexeme};
use super::macros::{read_macro, Macro};
use super::options::RuleOptions;
use super::MAX_GRAMMAR_NESTING;
use crate::ast::{Expr, ExprId, Grammar, GrammarBuilder, RuleId};
use crate::error::GrammarError;
use crate::frontends::mistakes::{Mistakes, MAX_PROBLEMS};
use crate::frontends::nearest::nearest;
use crate::place::Place;
use crate::tokens::TokenNames;
use penstock_automata::{CharSet, Limit, INFINITE};
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;

/// A rule's reading was given up; its mistake has been noted.
pub(super) struct GiveUp;

pub(super) fn parse(text: &str, root: &str) -> Result<Grammar, GrammarError> {
    let mut mistakes = Mistakes::new(text);
    let lexemes = lex(&mut mistakes);
    let definitions = find_definitions(&lexemes, &mut mistakes);
    let names: FxHashSet<&str> = definitions.iter().map(|definition| definition.name.as_str()).collect();
    let lexemes = split_dots(lexemes, &names);
    let definitions = find_definitions(&lexemes, &mut Mistakes::new(text));
    let mut parser = Parser {
        lexemes: &lexemes,
        at: 0,
        end: 0,
        builder: GrammarBuilder::new(),
        uses: FxHashMap::default(),
        mistakes,
    };
    parser.read_rules(&definitions);
    parser.check_names(&definitions, root);
    if !parser.mistakes.is_empty() {
        return Err(parser.mistakes.into_error());
    }
    let root = parser.builder.rule(root);
    parser.builder.finish(root)
}

/// `name ::=` and the lexemes of its body.
struct Definition {
    name: String,
    offset: usize,
    options: RuleOptions,
    body: std::ops::Range<usize>,
}

fn find_definitions(lexemes: &[Lexeme], mistakes: &mut Mistakes) -> Vec<Definition> {
    let mut found: Vec<Definition> = Vec::new();
    let mut first = lexemes.len();
    for (i, lexeme) in lexemes.iter().enumerate().filter(|(_, lexeme)| lexeme.kind == Kind::Define) {
        let options = i > 1 && matches!(lexemes[i - 1].kind, Kind::Class(_)) && is_name(&lexemes[i - 2]);
        let head = if options { i - 2 } else { i.saturating_sub(1) };
        let options = match options {
            true => match &lexemes[i - 2].kind {
                Kind::Word(name) => RuleOptions::read(&lexemes[i - 1], name, mistakes),
                _ => RuleOptions::default(),
            },
            false => RuleOptions::default(),
        };
        let Kind::Word(name) = &lexemes[head].kind else {
            mistakes.syntax(lexeme.start, "`::=` stands without a name", "write `name ::= ...`");
            continue;
        };
        if let Some(last) = found.last_mut() {
            last.body.end = head;
        }
        first = first.min(head);
        found.push(Definition {
            name: name.clone(),
            offset: lexemes[head].start,
            options,
            body: i + 1..lexemes.len(),
        });
    }
    if first > 0 && !lexemes.is_empty() {
        let hint = "a grammar is a list of rules: write `root ::= ...`";
        mistakes.syntax(lexemes[0].start, "this stands before the first rule", hint);
    }
    found
}

fn is_name(lexeme: &Lexeme) -> bool {
    matches!(lexeme.kind, Kind::Word(_))
}

/// `a.b` is one name where a rule is called so; otherwise each dot is any character.
fn split_dots(lexemes: Vec<Lexeme>, names: &FxHashSet<&str>) -> Vec<Lexeme> {
    let mut out = Vec::with_capacity(lexemes.len());
    for lexeme in lexemes {
        match &lexeme.kind {
            Kind::Word(word) if word.contains('.') && !names.contains(word.as_str()) => {
                let mut start = lexeme.start;
                for (i, part) in word.split('.').enumerate() {
                    if i > 0 {
                        let (kind, end) = (Kind::Sign('.'), start + 1);
                        out.push(Lexeme { kind, start, end });
                        start = end;
                    }
                    let (kind, end) = (Kind::Word(part.to_owned()), start + part.len());
                    out.push(Lexeme { kind, start, end });
                    start = end;
                }
            }
            _ => out.push(lexeme),
        }
    }
    out
}

/// One open bracket: what has been read of the choice inside it.
struct Level {
    offset: usize,
    alternatives: Vec<ExprId>,
    conjuncts: Vec<ExprId>,
    parts: Vec<ExprId>,
    /// An odd number of `~` waits for its element.
    negated: bool,
}

impl Level {
    fn new(offset: usize) -> Level {
        Level {
            offset,
            alternatives: Vec::new(),
            conjuncts: Vec::new(),
            parts: Vec::new(),
            negated: false,
        }
    }
}

pub(super) struct Parser<'a> {
    lexemes: &'a [Lexeme],
    at: usize,
    end: usize,
    pub builder: GrammarBuilder,
    /// Where each name is used first.
    uses: FxHashMap<String, usize>,
    pub mistakes: Mistakes<'a>,
}

impl<'a> Parser<'a> {
    pub fn peek(&self) -> Option<&'a Lexeme> {
        self.lexemes[self.at..self.end].first()
    }

    pub fn take(&mut self) -> Option<&'a Lexeme> {
        let lexeme = self.peek();
        self.at += usize::from(lexeme.is_some());
        lexeme
    }

    pub fn take_sign(&mut self, sign: char) -> bool {
        let found = self.peek().is_some_and(|lexeme| lexeme.kind == Kind::Sign(sign));
        self.at += usize::from(found);
        found
    }

    /// The place of the next lexeme, or the end of the last one.
    pub fn offset(&self) -> usize {
        match self.peek() {
            Some(lexeme) => lexeme.start,
            None => self.at.checked_sub(1).map_or(0, |last| self.lexemes[last].end),
        }
    }

    /// Notes a mistake at `offset` and gives this rule up.
    pub fn fail<T>(&mut self, offset: usize, message: impl Into<String>, hint: impl Into<String>) -> Result<T, GiveUp> {
        self.mistakes.syntax(offset, message, hint);
        Err(GiveUp)
    }

    fn read_rules(&mut self, definitions: &[Definition]) {
        let text: Arc<str> = self.mistakes.text.into();
        // Rules keep the order of their definitions, wherever they are used first.
        for definition in definitions {
            self.builder.rule(&definition.name);
        }
        for definition in definitions {
            (self.at, self.end) = (definition.body.start, definition.body.end);
            if definition.body.is_empty() {
                let message = format!("the rule `{}` has no body", definition.name);
                self.mistakes
                    .syntax(definition.offset, message, "write `\"\"` for the empty text");
            }
            if let Ok(body) = self.read_body() {
                let rule = self.builder.rule(&definition.name);
                let body = definition.options.apply(&mut self.builder, body, &definition.name);
                self.builder.define(rule, body);
                self.builder.mark(rule, definition.options.marks.clone());
                self.builder.place(rule, Place::new(&text, definition.offset));
            }
        }
    }

    fn read_body(&mut self) -> Result<ExprId, GiveUp> {
        let mut levels = vec![Level::new(self.offset())];
        while let Some(lexeme) = self.take() {
            let level = levels.last_mut().expect("the outermost level is never popped");
            match &lexeme.kind {
                Kind::Sign('(') if self.peek().is_some_and(|next| next.kind == Kind::Sign('=')) => {
                    let message = "the lookahead assertion `(= ...)` is refused: it is no part of the language";
                    self.mistakes
                        .unsupported(lexeme.start, message, "delete it; masks don't need the hint");
                    return Err(GiveUp);
                }
                Kind::Sign('(') => self.open(&mut levels, lexeme.start)?,
                Kind::Sign(')') => {
                    let closed = levels.pop().expect("the outermost level is never popped");
                    if levels.is_empty() {
                        return self.fail(lexeme.start, "`)` closes nothing", "delete it or write `(`");
                    }
                    let inner = self.close(closed)?;
                    let level = levels.last_mut().expect("checked above");
                    self.element(level, inner)?;
                }
                Kind::Sign('|') => {
                    self.end_conjunct(level)?;
                    self.end_alternative(level);
                }
                Kind::Sign('&') => {
                    if level.parts.is_empty() {
                        return self.fail(lexeme.start, "`&` has nothing before it", "write `\"\"` for the empty text");
                    }
                    self.end_conjunct(level)?;
                }
                Kind::Sign('~') => level.negated = !level.negated,
                _ => {
                    let element = self.leaf(lexeme)?;
                    self.element(level, element)?;
                }
            }
        }
        let last = levels.pop().expect("the outermost level is never popped");
        if !levels.is_empty() {
            return self.fail(last.offset, "`(` isn't closed in its rule", "close it with `)`");
        }
        self.close(last)
    }

    fn open(&mut self, levels: &mut Vec<Level>, offset: usize) -> Result<(), GiveUp> {
        if levels.len() > MAX_GRAMMAR_NESTING {
            let limit = Limit {
                name: "max_grammar_nesting",
                configured: MAX_GRAMMAR_NESTING as u64,
            };
            self.mistakes.limit(offset, limit, "give inner parts a rule of their own");
            return Err(GiveUp);
        }
        levels.push(Level::new(offset));
        Ok(())
    }

    fn end_conjunct(&mut self, level: &mut Level) -> Result<(), GiveUp> {
        if level.negated {
            let offset = self.lexemes[self.at - 1].start;
            return self.fail(offset, "`~` has nothing after it", "write what it excludes, or delete it");
        }
        if level.parts.is_empty() && !level.conjuncts.is_empty() {
            let offset = self.lexemes[self.at - 1].start;
            return self.fail(offset, "`&` has nothing after it", "write `\"\"` for the empty text");
        }
        let parts = std::mem::take(&mut level.parts);
        let sequence = if parts.is_empty() {
            self.builder.text("")
        } else {
            self.builder.sequence(parts)
        };
        level.conjuncts.push(sequence);
        Ok(())
    }

    fn end_alternative(&mut self, level: &mut Level) {
        let conjuncts = std::mem::take(&mut level.conjuncts);
        let alternative = match conjuncts[..] {
            [only] => only,
            _ => self.builder.add(Expr::And(conjuncts)),
        };
        level.alternatives.push(alternative);
    }

    fn close(&mut self, mut level: Level) -> Result<ExprId, GiveUp> {
        self.end_conjunct(&mut level)?;
        self.end_alternative(&mut level);
        Ok(self.builder.choice(level.alternatives))
    }

    /// Adds an element with the repetition behind it and the `~` before it.
    fn element(&mut self, level: &mut Level, element: ExprId) -> Result<(), GiveUp> {
        let mut expr = match self.take_repetition() {
            Some((min, max)) => self.builder.repeat(element, min, max),
            None => element,
        };
        let offset = self.offset();
        if self.take_repetition().is_some() {
            let hint = "put brackets around the inner one; there is no lazy repetition, a language has no order";
            return self.fail(offset, "a repetition is repeated", hint);
        }
        if std::mem::take(&mut level.negated) {
            expr = self.builder.add(Expr::Not(expr));
        }
        level.parts.push(expr);
        Ok(())
    }

    fn take_repetition(&mut self) -> Option<(u32, u32)> {
        let counts = match self.peek()?.kind {
            Kind::Sign('*') => (0, INFINITE),
            Kind::Sign('+') => (1, INFINITE),
            Kind::Sign('?') => (0, 1),
            Kind::Counts(low, high) => (low, high),
            _ => return None,
        };
        self.at += 1;
        Some(counts)
    }

    fn leaf(&mut self, lexeme: &Lexeme) -> Result<ExprId, GiveUp> {
        let expr = match &lexeme.kind {
            Kind::Text(text) => Expr::Text(text.clone()),
            Kind::Class(set) => Expr::Class(set.clone()),
            Kind::Sign('.') => Expr::Class(CharSet::all()),
            Kind::Special { excluded: false, id } => match id {
                Ok(id) => Expr::Token(vec![*id]),
                Err(text) => Expr::TokenText(text.clone()),
            },
            Kind::Special { excluded: true, id } => {
                let mut excluded = TokenNames::default();
                excluded.add(id.clone());
                return Ok(excluded.none_of(&mut self.builder));
            }
            Kind::Word(word) => return self.word(word, lexeme),
            Kind::Sign('*' | '+' | '?') | Kind::Counts(..) => {
                return self.fail(lexeme.start, "this repeats nothing", "write it behind what it repeats");
            }
            _ => {
                return self.fail(
                    lexeme.start,
                    "this means nothing here",
                    "delete it, or put text in double quotes",
                )
            }
        };
        Ok(self.builder.add(expr))
    }

    fn word(&mut self, word: &str, lexeme: &Lexeme) -> Result<ExprId, GiveUp> {
        let called = self
            .peek()
            .is_some_and(|next| next.kind == Kind::Sign('(') && next.start == lexeme.end);
        if let Some(which) = Macro::named(word).filter(|_| called) {
            return read_macro(self, which, word, lexeme.start);
        }
        let rule = self.call(word, lexeme.start);
        Ok(self.builder.add(Expr::Rule(rule)))
    }

    /// The rule of this name, which must be defined somewhere.
    pub fn call(&mut self, name: &str, offset: usize) -> RuleId {
        self.uses.entry(name.to_owned()).or_insert(offset);
        self.builder.rule(name)
    }

    fn check_names(&mut self, definitions: &[Definition], root: &str) {
        let mut defined: FxHashMap<&str, usize> = FxHashMap::default();
        for definition in definitions {
            let first = *defined.entry(&definition.name).or_insert(definition.offset);
            if first != definition.offset && !self.mistakes.is_full() {
                let line = self.mistakes.text[..first].matches('\n').count() + 1;
                let message = format!("the rule `{}` is defined twice, first in line {line}", definition.name);
                self.mistakes
                    .syntax(definition.offset, message, "join both with `|`, or rename one");
            }
        }
        let mut undefined: Vec<(usize, &str)> = self.uses.iter().map(|(name, &offset)| (offset, name.as_str())).collect();
        undefined.retain(|(_, name)| !defined.contains_key(name));
        undefined.sort_unstable();
        for (offset, name) in undefined.into_iter().take(MAX_PROBLEMS) {
            let hint = suggest(name, &defined, "define it, or put it in double quotes if it is text");
            let message = format!("the rule `{name}` is not defined");
            self.mistakes.syntax(offset, message, hint);
        }
        if !defined.contains_key(root) {
            let end = self.mistakes.text.trim_end().len();
            let hint = suggest(root, &defined, "define it, or name another root");
            let message = format!("the root rule `{root}` is not defined");
            self.mistakes.syntax(end, message, hint);
        }
    }
}

fn suggest(name: &str, defined: &FxHashMap<&str, usize>, otherwise: &str) -> String {
    match nearest(name, defined.keys().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => otherwise.to_owned(),
    }
}
