//! The options of a rule: `name[lazy, suffix="..."]: ...`.
use super::lexer::Kind;
use super::scope::{GiveUp, Mode, Reader};
use crate::ast::{ExprId, RuleId};
use crate::frontends::shortest::{at_most, shortest, REFUSED_OPTIONS};

/// What stands in the brackets of a rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct RuleOptions {
    /// The shortest texts only: none that goes on behind another one.
    pub lazy: bool,
    /// The lexemes of what ends the text.
    pub suffix: Option<usize>,
    /// The most characters of a text.
    pub max_chars: Option<u32>,
}

impl RuleOptions {
    /// Whether the rule is one piece of text, whatever its name.
    pub fn is_lexeme(&self) -> bool {
        *self != RuleOptions::default()
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
                "max_chars" => {
                    self.equals()?;
                    options.max_chars = Some(self.count("write `max_chars=100`")?);
                }
                _ => {
                    let way_out = REFUSED_OPTIONS.iter().find(|known| known.0 == name).map(|known| known.1);
                    let message = format!("the option `{name}` is refused");
                    return self.refuse(
                        offset,
                        message,
                        way_out.unwrap_or("the options are `lazy`, `suffix` and `max_chars`"),
                    );
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
        let name = self.builder.rule_name(rule).to_owned();
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
        if options.lazy || options.suffix.is_some() {
            whole = shortest(&mut self.builder, whole, &name);
        }
        if let Some(max) = options.max_chars {
            whole = at_most(&mut self.builder, whole, max);
        }
        Ok(self.with_ignored(whole))
    }
}
