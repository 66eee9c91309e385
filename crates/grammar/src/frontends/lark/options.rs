//! The options of a rule: `name[lazy, suffix="..."]: ...`.
use super::lexer::Kind;
use super::scope::{GiveUp, Mode, Reader};
use crate::ast::{Expr, ExprId, RuleId};
use penstock_automata::CharSet;

/// What stands in the brackets of a rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct RuleOptions {
    /// The shortest texts only: none that goes on behind another one.
    pub lazy: bool,
    /// The lexemes of what ends the text.
    pub suffix: Option<usize>,
}

impl RuleOptions {
    /// Whether the rule is one piece of text, whatever its name.
    pub fn is_lexeme(&self) -> bool {
        self.lazy || self.suffix.is_some()
    }
}

impl Reader<'_> {
    /// The options whose bracket has just been taken.
    pub fn read_options(&mut self) -> Result<RuleOptions, GiveUp> {
        let mut options = RuleOptions::default();
        loop {
            let offset = self.offset();
            let name = self.take_name("options have names", "write `[lazy]` or `[suffix=\"...\"]`")?;
            match name.as_str() {
                "lazy" => options.lazy = true,
                "suffix" => {
                    self.equals()?;
                    let place = self.offset();
                    options.suffix = Some(self.at);
                    if self.take().is_none() {
                        return self.fail(place, "this option needs a value", "write `suffix=\"...\"`");
                    }
                }
                _ => {
                    let message = format!("the option `{name}` is refused");
                    return self.refuse(offset, message, "the options are `lazy` and `suffix`");
                }
            }
            if !self.take_sign(",") {
                break;
            }
        }
        let offset = self.offset();
        match self.take_sign("]") {
            true => Ok(options),
            false => self.fail(offset, "the options aren't closed", "write `,` or `]`"),
        }
    }

    fn equals(&mut self) -> Result<(), GiveUp> {
        let offset = self.offset();
        match self.take_sign("=") {
            true => Ok(()),
            false => self.fail(offset, "this option needs a value", "write `name=value`"),
        }
    }

    /// What the options make of a body that was read as one piece of text.
    pub fn apply_options(&mut self, options: &RuleOptions, body: ExprId, rule: RuleId) -> Result<ExprId, GiveUp> {
        if !options.is_lexeme() {
            return Ok(body);
        }
        let mut whole = body;
        if let Some(at) = options.suffix {
            (self.at, self.end) = (at, at + 1);
            let lexeme = &self.lexemes[at];
            let fits = matches!(lexeme.kind, Kind::Text { .. } | Kind::Pattern { .. } | Kind::Name(_));
            if !fits {
                return self.fail(
                    lexeme.start,
                    "a suffix is a text, a pattern or a terminal",
                    "write `suffix=\"...\"`",
                );
            }
            self.at += 1;
            let (suffix, _) = self.read_element(lexeme, Mode::Terminal)?;
            whole = self.builder.sequence(vec![body, suffix]);
        }
        let shortest = self.shortest(whole, rule);
        Ok(self.with_ignored(shortest))
    }

    /// The texts of `whole` none of whose beginnings is one.
    fn shortest(&mut self, whole: ExprId, rule: RuleId) -> ExprId {
        let name = format!("{}_any", self.builder.rule_name(rule));
        let any = self.builder.fresh_rule(&name);
        self.builder.define(any, whole);
        let any = self.builder.add(Expr::Rule(any));
        let character = self.builder.add(Expr::Class(CharSet::all()));
        let more = self.builder.repeat(character, 1, penstock_automata::INFINITE);
        let longer = self.builder.sequence(vec![any, more]);
        let not_longer = self.builder.add(Expr::Not(longer));
        self.builder.add(Expr::And(vec![any, not_longer]))
    }
}
