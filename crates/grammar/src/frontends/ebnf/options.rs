//! The options of a rule: `name[lazy, max_chars=20] ::= ...`.
use super::lexer::Lexeme;
use crate::ast::{ExprId, GrammarBuilder, Marks};
use crate::frontends::mistakes::Mistakes;
use crate::frontends::shortest::{at_most, capture_name, shortest, temperature_of, REFUSED_OPTIONS};
use penstock_automata::INFINITE;

const KNOWN: &str = "the options are `lazy`, `max_chars=N`, `max_tokens=N`, `capture`, `capture=\"name\"` and `temperature=T`";

/// What stands in the brackets of a rule.
#[derive(Clone, Debug, Default)]
pub(super) struct RuleOptions {
    lazy: bool,
    max_chars: Option<u32>,
    /// What is said of the rule besides its texts.
    pub marks: Marks,
}

impl RuleOptions {
    /// Reads the brackets of the rule `rule`, which the lexer took for a class.
    pub fn read(brackets: &Lexeme, rule: &str, mistakes: &mut Mistakes) -> RuleOptions {
        let mut options = RuleOptions::default();
        let mut offset = brackets.start + 1;
        let inner = mistakes.text[offset..brackets.end].trim_end_matches(']');
        for option in inner.split(',') {
            let (name, value) = match option.split_once('=') {
                Some((name, value)) => (name.trim(), Some(value.trim())),
                None => (option.trim(), None),
            };
            let place = offset + option.len() - option.trim_start().len();
            let count = value
                .and_then(|value| value.parse::<u32>().ok())
                .filter(|&count| count < INFINITE);
            match (name, value, count) {
                ("lazy", None, _) => options.lazy = true,
                ("max_chars", _, Some(max)) => options.max_chars = Some(max),
                ("max_tokens", _, Some(max)) if max > 0 => options.marks.max_tokens = Some(max),
                ("capture_trim", _, Some(count)) => options.marks.capture_trim = count,
                ("capture" | "temperature", ..) if options.set_mark(name, value, rule) => {}
                ("lazy" | "max_chars" | "max_tokens" | "capture" | "capture_trim" | "temperature", ..) => {
                    mistakes.syntax(place, format!("`{}` is no option", option.trim()), KNOWN);
                }
                _ => {
                    let way_out = REFUSED_OPTIONS.iter().find(|known| known.0 == name).map(|known| known.1);
                    mistakes.unsupported(place, format!("the option `{name}` is refused"), way_out.unwrap_or(KNOWN));
                }
            }
            offset += option.len() + 1;
        }
        options
    }

    /// Sets a mark; false if its value is none.
    fn set_mark(&mut self, name: &str, value: Option<&str>, rule: &str) -> bool {
        match (name, value) {
            ("capture", value) => {
                let quoted = value.map(|text| text.trim_matches('"'));
                self.marks.capture = capture_name(quoted.unwrap_or(&rule.replace('-', "_")));
                self.marks.capture.is_some()
            }
            (_, Some(value)) => {
                self.marks.temperature = temperature_of(value);
                self.marks.temperature.is_some()
            }
            _ => false,
        }
    }

    /// What the options make of the body of the rule `name`.
    pub fn apply(&self, builder: &mut GrammarBuilder, mut body: ExprId, name: &str) -> ExprId {
        if self.lazy {
            body = shortest(builder, body, name);
        }
        match self.max_chars {
            Some(max) => at_most(builder, body, max),
            None => body,
        }
    }
}
