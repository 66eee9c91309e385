//! Lexemes of one body into an expression, with a stack of open brackets instead of recursion.
use super::lexer::Kind;
use super::scope::{GiveUp, Mode, Reader};
use crate::ast::{Expr, ExprId};
use crate::frontends::ebnf::MAX_GRAMMAR_NESTING;
use penstock_automata::{Limit, INFINITE};

/// The largest count of a repetition.
const MAX_REPETITION_COUNT: u32 = INFINITE - 1;

const COUNTS_HINT: &str = "write `{m}`, `{m,}`, `{,n}` or `{m,n}`";

/// One open bracket: what has been read of the choice inside it.
struct Level {
    /// `(` or `[`, empty for the whole body.
    opening: &'static str,
    offset: usize,
    mode: Mode,
    /// How the alternative that is being read is read: alternatives with `&` are terminals without a name.
    inside: Mode,
    alternatives: Vec<ExprId>,
    conjuncts: Vec<ExprId>,
    parts: Vec<ExprId>,
    /// An odd number of `~` waits for its element.
    negated: bool,
    /// The condition of the alternative doesn't hold.
    dropped: bool,
}

impl Level {
    fn part_mode(&self) -> Mode {
        match self.negated {
            true => Mode::Terminal,
            false => self.inside,
        }
    }
}

impl Reader<'_> {
    /// The expression of the lexemes from `at` to `end`.
    pub fn read_body(&mut self, mode: Mode) -> Result<ExprId, GiveUp> {
        let mut levels = vec![self.open_level("", mode)?];
        while let Some(lexeme) = self.take() {
            let level = levels.last_mut().expect("the outermost level is never popped");
            match lexeme.kind {
                Kind::Sign(opening @ ("(" | "[")) => {
                    let mode = level.part_mode();
                    if lexeme.partner.is_none() {
                        let closing = if opening == "(" { ")" } else { "]" };
                        let message = format!("`{opening}` isn't closed");
                        return self.fail(lexeme.start, message, format!("close it with `{closing}`"));
                    }
                    if levels.len() > MAX_GRAMMAR_NESTING {
                        return self.too_deep(lexeme.start);
                    }
                    levels.push(self.open_level(opening, mode)?);
                }
                Kind::Sign(closing @ (")" | "]")) => {
                    let closed = levels.pop().expect("the outermost level is never popped");
                    let opening = if closing == ")" { "(" } else { "[" };
                    if closed.opening != opening {
                        let message = format!("`{closing}` closes nothing");
                        return self.fail(lexeme.start, message, format!("delete it or write `{opening}`"));
                    }
                    let mut inner = self.close(closed)?;
                    if closing == "]" {
                        inner = self.builder.repeat(inner, 0, 1);
                    }
                    let level = levels.last_mut().expect("the outermost level has no bracket");
                    self.element(level, inner, false)?;
                }
                Kind::Sign("|") => {
                    self.end_alternative(level)?;
                    self.start_alternative(level)?;
                }
                Kind::Sign("&") => self.end_conjunct(level)?,
                Kind::Sign("~") => level.negated = !level.negated,
                Kind::Sign("->") => {
                    // An alias names a node of a tree, and there is none.
                    self.take_name("an alias is a name", "write `-> name`, or delete it")?;
                }
                Kind::Directive(ref name) if name == "if" => {
                    // It holds: `start_alternative` has asked.
                    self.read_condition(lexeme.start)?;
                }
                _ => {
                    let mode = level.part_mode();
                    let (element, is_lexeme) = self.read_element(lexeme, mode)?;
                    self.element(level, element, is_lexeme)?;
                }
            }
        }
        let last = levels.pop().expect("the outermost level is never popped");
        if !levels.is_empty() {
            return self.fail(last.offset, "this bracket isn't closed", "close it in its own rule");
        }
        self.close(last)
    }

    fn too_deep(&mut self, offset: usize) -> Result<ExprId, GiveUp> {
        let limit = Limit {
            name: "max_grammar_nesting",
            configured: MAX_GRAMMAR_NESTING as u64,
        };
        self.mistakes.limit(offset, limit, "give inner parts a rule of their own");
        Err(GiveUp)
    }

    /// Called when the bracket has been taken.
    fn open_level(&mut self, opening: &'static str, mode: Mode) -> Result<Level, GiveUp> {
        let mut level = Level {
            opening,
            offset: self.lexemes[..self.at].last().map_or(0, |lexeme| lexeme.start),
            mode,
            inside: mode,
            alternatives: Vec::new(),
            conjuncts: Vec::new(),
            parts: Vec::new(),
            negated: false,
            dropped: false,
        };
        self.start_alternative(&mut level)?;
        Ok(level)
    }

    /// Looks through the alternative that starts here. What stands around `&` is one piece of text; an alternative whose
    /// condition doesn't hold is not read at all, so that it makes no rules.
    fn start_alternative(&mut self, level: &mut Level) -> Result<(), GiveUp> {
        (level.inside, level.dropped) = (level.mode, false);
        let mut at = self.at;
        while at < self.end {
            let lexeme = &self.lexemes[at];
            match &lexeme.kind {
                Kind::Sign("&") => level.inside = Mode::Terminal,
                Kind::Sign("|" | ")" | "]") => break,
                Kind::Directive(name) if name == "if" => {
                    let start = std::mem::replace(&mut self.at, at + 1);
                    level.dropped = !self.read_condition(lexeme.start)?;
                    self.check_alternative_end()?;
                    if !level.dropped {
                        self.at = start;
                    }
                    break;
                }
                _ => {}
            }
            at = lexeme.partner.filter(|&partner| partner > at).unwrap_or(at) + 1;
        }
        Ok(())
    }

    fn end_conjunct(&mut self, level: &mut Level) -> Result<(), GiveUp> {
        let offset = self.lexemes[self.at - 1].start;
        if level.negated {
            return self.fail(offset, "`~` has nothing after it", "write what it excludes, or delete it");
        }
        let parts = std::mem::take(&mut level.parts);
        let sequence = match parts.is_empty() {
            true => self.builder.text(""),
            false => self.builder.sequence(parts),
        };
        level.conjuncts.push(sequence);
        Ok(())
    }

    fn end_alternative(&mut self, level: &mut Level) -> Result<(), GiveUp> {
        if !level.conjuncts.is_empty() && level.parts.is_empty() && !level.negated {
            let offset = self.lexemes[self.at - 1].start;
            return self.fail(offset, "`&` has nothing after it", "write `\"\"` for the empty text");
        }
        self.end_conjunct(level)?;
        let conjuncts = std::mem::take(&mut level.conjuncts);
        let mut alternative = match conjuncts[..] {
            [only] => only,
            _ => self.builder.add(Expr::And(conjuncts)),
        };
        if level.inside != level.mode {
            alternative = self.with_ignored(alternative);
        }
        if !std::mem::take(&mut level.dropped) {
            level.alternatives.push(alternative);
        }
        Ok(())
    }

    fn close(&mut self, mut level: Level) -> Result<ExprId, GiveUp> {
        self.end_alternative(&mut level)?;
        Ok(self.builder.choice(level.alternatives))
    }

    /// Adds an element with the `~` before it, the ignored text behind it and its repetition.
    fn element(&mut self, level: &mut Level, element: ExprId, is_lexeme: bool) -> Result<(), GiveUp> {
        let negated = std::mem::take(&mut level.negated);
        let mut expr = match negated {
            true => self.builder.add(Expr::Not(element)),
            false => element,
        };
        if level.inside == Mode::Rule && (negated || is_lexeme) {
            expr = self.with_ignored(expr);
        }
        if let Some((min, max)) = self.take_repetition()? {
            expr = self.builder.repeat(expr, min, max);
        }
        let offset = self.offset();
        if self.take_repetition()?.is_some() {
            let hint = "put brackets around the inner one; there is no lazy repetition, but a rule can be `[lazy]`";
            return self.fail(offset, "a repetition is repeated", hint);
        }
        level.parts.push(expr);
        Ok(())
    }

    fn take_repetition(&mut self) -> Result<Option<(u32, u32)>, GiveUp> {
        let Some(lexeme) = self.peek() else { return Ok(None) };
        let counts = match lexeme.kind {
            Kind::Sign("*") => (0, INFINITE),
            Kind::Sign("+") => (1, INFINITE),
            Kind::Sign("?") => (0, 1),
            Kind::Sign("{") => return self.braced_counts().map(Some),
            Kind::Sign("~") => {
                let next = self.lexemes[..self.end].get(self.at + 1);
                return match next.map(|next| &next.kind) {
                    Some(Kind::Number(_)) => self.tilde_counts().map(Some),
                    _ => Ok(None),
                };
            }
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(counts))
    }

    /// `~ m` or `~ m..n`
    fn tilde_counts(&mut self) -> Result<(u32, u32), GiveUp> {
        let offset = self.offset();
        self.at += 1;
        let low = self.count(COUNTS_HINT)?;
        let high = match self.take_sign("..") {
            true => self.count(COUNTS_HINT)?,
            false => low,
        };
        self.ordered(offset, low, high)
    }

    /// `{m}`, `{m,}`, `{,n}` or `{m,n}`
    fn braced_counts(&mut self) -> Result<(u32, u32), GiveUp> {
        let offset = self.offset();
        self.at += 1;
        let is_number = |reader: &mut Self| matches!(reader.peek().map(|lexeme| &lexeme.kind), Some(Kind::Number(_)));
        let (mut low, mut high) = (0, INFINITE);
        let given = is_number(self);
        if given {
            low = self.count(COUNTS_HINT)?;
        }
        if !self.take_sign(",") {
            high = low;
        } else if is_number(self) {
            high = self.count(COUNTS_HINT)?;
        } else if !given {
            return self.fail(offset, "`{,}` counts nothing", COUNTS_HINT);
        }
        let place = self.offset();
        if !self.take_sign("}") || !given && high == INFINITE {
            return self.fail(place, "these are no counts", COUNTS_HINT);
        }
        self.ordered(offset, low, high)
    }

    fn ordered(&mut self, offset: usize, low: u32, high: u32) -> Result<(u32, u32), GiveUp> {
        if low > high {
            let message = format!("the counts are reversed: `{low}` is more than `{high}`");
            return self.fail(offset, message, "exchange them");
        }
        Ok((low, high))
    }

    /// A whole number that a repetition can count to.
    pub fn count(&mut self, hint: &str) -> Result<u32, GiveUp> {
        let offset = self.offset();
        let Some(Kind::Number(digits)) = self.take().map(|lexeme| &lexeme.kind) else {
            return self.fail(offset, "a count is a number", hint);
        };
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return self.fail(offset, format!("`{digits}` is no count"), "write a whole number from 0 on");
        }
        if let Some(count) = digits.parse().ok().filter(|&count| count <= MAX_REPETITION_COUNT) {
            return Ok(count);
        }
        let limit = Limit {
            name: "max_repetition_count",
            configured: u64::from(MAX_REPETITION_COUNT),
        };
        self.mistakes.limit(offset, limit, "leave the upper count away for no bound");
        Err(GiveUp)
    }

    fn check_alternative_end(&mut self) -> Result<(), GiveUp> {
        match self.peek() {
            None => Ok(()),
            Some(lexeme) if lexeme.is("|") || lexeme.is(")") || lexeme.is("]") => Ok(()),
            Some(lexeme) => self.fail(lexeme.start, "a condition ends its alternative", "write `|` before this"),
        }
    }
}
