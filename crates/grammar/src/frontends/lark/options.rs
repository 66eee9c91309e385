//! The options of a rule: `name[lazy, suffix="..."]: ...`.
use super::lexer::Kind;
use super::scope::{GiveUp, Mode, Reader};
use crate::ast::{Expr, ExprId, Marks, RuleId};
use crate::frontends::shortest::{at_most, capture_name, shortest, temperature_of, REFUSED_OPTIONS};

/// What stands in the brackets of a rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct RuleOptions {
    /// The shortest texts only: none that goes on behind another one.
    pub lazy: bool,
    /// The lexemes of what ends the text.
    pub suffix: Option<usize>,
    /// The most characters of a text.
    pub max_chars: Option<u32>,
    /// What is said of the rule besides its texts.
    pub marks: Marks,
}

const KNOWN: &str = "the options are `lazy`, `suffix`, `stop`, `max_chars`, `max_tokens`, `capture` and `temperature`";

impl RuleOptions {
    /// Whether the rule is one piece of text, whatever its name.
    pub fn is_lexeme(&self) -> bool {
        self.lazy || self.suffix.is_some() || self.max_chars.is_some()
    }
}

impl Reader<'_> {
    /// The options of the rule `rule`, whose bracket has just been taken.
    pub fn read_options(&mut self, rule: &str) -> Result<RuleOptions, GiveUp> {
        let mut options = RuleOptions::default();
        loop {
            let offset = self.offset();
            let name = self.take_name("options have names", "write `[lazy]` or `[suffix=\"...\"]`")?;
            match name.as_str() {
                "lazy" => options.lazy = true,
                // What ends the text is a part of the output, which can't be taken back.
                "suffix" | "stop" => {
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
                "max_tokens" | "capture" | "temperature" => self.read_mark(&name, rule, &mut options.marks)?,
                _ => {
                    let way_out = REFUSED_OPTIONS.iter().find(|known| known.0 == name).map(|known| known.1);
                    let message = format!("the option `{name}` is refused");
                    return self.refuse(offset, message, way_out.unwrap_or(KNOWN));
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

    fn read_mark(&mut self, name: &str, rule: &str, marks: &mut Marks) -> Result<(), GiveUp> {
        if name == "capture" && self.peek().is_none_or(|next| !next.is("=")) {
            marks.capture = capture_name(&rule.replace('-', "_"));
            return Ok(());
        }
        self.equals()?;
        let place = self.offset();
        let value = match self.take().map(|lexeme| &lexeme.kind) {
            Some(Kind::Text { text, .. }) => text.clone(),
            Some(Kind::Number(text)) => text.to_string(),
            _ => String::new(),
        };
        let is_set = match name {
            "capture" => {
                marks.capture = capture_name(&value);
                marks.capture.is_some()
            }
            "temperature" => {
                marks.temperature = temperature_of(&value);
                marks.temperature.is_some()
            }
            _ => {
                marks.max_tokens = value.parse().ok().filter(|&max: &u32| max > 0);
                marks.max_tokens.is_some()
            }
        };
        match is_set {
            true => Ok(()),
            false => self.fail(
                place,
                format!("`{name}` has no such value"),
                "write `max_tokens=20`, `temperature=0.5` or `capture=\"name\"`, a word",
            ),
        }
    }

    fn equals(&mut self) -> Result<(), GiveUp> {
        let offset = self.offset();
        match self.take_sign("=") {
            true => Ok(()),
            false => self.fail(offset, "this option needs a value", "write `name=value`"),
        }
    }

    /// The rule with its options: marks hold of its text without what is ignored behind it.
    pub fn apply_options(&mut self, options: &RuleOptions, body: ExprId, rule: RuleId) -> Result<ExprId, GiveUp> {
        if !options.is_lexeme() {
            self.builder.mark(rule, options.marks.clone());
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
            if options.marks.capture.is_some() && !matches!(lexeme.kind, Kind::Text { .. }) {
                let message = "a capture leaves its suffix out, so that must be a text";
                return self.refuse(lexeme.start, message, "write `suffix=\"...\"`, or capture another rule");
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
        if options.marks != Marks::default() {
            let marked = self.builder.fresh_rule(&format!("{name}_text"));
            self.builder.define(marked, whole);
            let mut marks = options.marks.clone();
            if let Some(Kind::Text { text, .. }) = options.suffix.map(|at| &self.lexemes[at].kind) {
                marks.capture_trim = u32::from(marks.capture.is_some()) * text.chars().count() as u32;
            }
            self.builder.mark(marked, marks);
            whole = self.builder.add(Expr::Rule(marked));
        }
        Ok(self.with_ignored(whole))
    }
}
