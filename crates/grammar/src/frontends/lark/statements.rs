//! Cuts the lexemes of a grammar into definitions and statements, and reads the statements.
use super::common::{common_pattern, COMMON};
use super::lexer::{Kind, Lexeme};
use super::options::RuleOptions;
use super::scope::{name_mode, Definition, GiveUp, Meaning, Mode, Reader, Scope};
use crate::ast::Expr;
use crate::frontends::nearest::nearest;
use crate::place::Place;
use penstock_automata::Dialect;
use serde_json::Value;
use std::ops::Range;

const DIRECTIVES: [&str; 7] = [
    "ignore",
    "import",
    "override",
    "extend",
    "declare",
    "llguidance",
    "grammar_options",
];

/// What a definition does to one of its name.
#[derive(Clone, Copy, PartialEq)]
enum How {
    New,
    Override,
    Extend,
}

impl Reader<'_> {
    pub fn read_items(&mut self, range: Range<usize>) -> Scope {
        let mut scope = Scope::default();
        let mut at = range.start;
        while at < range.end {
            if self.lexemes[at].kind == Kind::Newline {
                at += 1;
                continue;
            }
            let end = self.item_end(at, range.end);
            // What is wrong has been noted; the next item is read all the same.
            let _ = self.read_item(at..end, &mut scope);
            at = end;
        }
        scope
    }

    /// An item ends with its line, unless a bracket is open or the next line starts with `|`, `&` or `%if`.
    fn item_end(&self, start: usize, end: usize) -> usize {
        let mut at = start;
        while at < end {
            let lexeme = &self.lexemes[at];
            if lexeme.kind == Kind::Newline {
                let next = &self.lexemes[at + 1..end];
                let goes_on = next.first().is_some_and(|next| {
                    next.is("|") || next.is("&") || matches!(&next.kind, Kind::Directive(name) if name == "if")
                });
                if !goes_on {
                    return at;
                }
            }
            at = lexeme.partner.filter(|&partner| partner > at).unwrap_or(at) + 1;
        }
        end
    }

    fn read_item(&mut self, range: Range<usize>, scope: &mut Scope) -> Result<(), GiveUp> {
        let first = &self.lexemes[range.start];
        let inner = range.start + 1..range.end;
        match &first.kind {
            Kind::Directive(name) => match name.as_str() {
                "ignore" => scope.ignores.push(inner),
                "import" => self.read_import(inner, scope)?,
                "override" => self.read_head(inner, scope, How::Override)?,
                "extend" => self.read_head(inner, scope, How::Extend)?,
                "llguidance" | "grammar_options" => self.read_grammar_options(inner, scope)?,
                "declare" => {
                    let message = "`%declare` is refused: a terminal that is only declared has no text";
                    let hint = "define it; for indentation let a parameter count the depth: `block::incr(_)`, and `indent::_` in front of each line";
                    return self.refuse(first.start, message, hint);
                }
                "json" | "lark" | "regex" | "if" => return self.no_item(first.start),
                _ => {
                    let hint = match nearest(name, DIRECTIVES.into_iter()) {
                        Some(known) => format!("did you mean `%{known}`?"),
                        None => "delete it".to_owned(),
                    };
                    return self.fail(first.start, format!("`%{name}` is no directive"), hint);
                }
            },
            Kind::Name(_) | Kind::Sign("?" | "!") => self.read_head(range, scope, How::New)?,
            _ => return self.no_item(first.start),
        }
        Ok(())
    }

    fn no_item(&mut self, offset: usize) -> Result<(), GiveUp> {
        let hint = "write `name: ...`; a line that goes on with a rule starts with `|` or stands in brackets";
        self.fail(offset, "no rule starts like this", hint)
    }

    /// The head of a definition; its body is read when all names are known.
    fn read_head(&mut self, range: Range<usize>, scope: &mut Scope, how: How) -> Result<(), GiveUp> {
        (self.at, self.end) = (range.start, range.end);
        while self.take_sign("?") || self.take_sign("!") {}
        let offset = self.offset();
        let name = self.take_name("a rule has a name", "write `name: ...`")?;
        let (mut parametric, mut options) = (false, RuleOptions::default());
        loop {
            let place = self.offset();
            if self.take_sign(":") {
                break;
            } else if self.take_sign("::") {
                let written = self.take_name("a parameter is written `::_`", "write `name::_ : ...`")?;
                if written != "_" {
                    return self.fail(place, "a parameter is written `::_`", "write `name::_ : ...`");
                }
                parametric = true;
            } else if self.take_sign(".") {
                // A priority chooses between readings of one text; the language holds them all.
                match self.take().map(|lexeme| &lexeme.kind) {
                    Some(Kind::Number(_)) => {}
                    _ => return self.fail(place, "a priority is a number", "write `name.2: ...`"),
                }
            } else if self.take_sign("[") {
                options = self.read_options(&name)?;
            } else if self.take_sign("{") {
                return self.refuse(place, "templates (`name{...}: ...`) are refused", "write the rules out");
            } else {
                let message = format!("`:` is missing behind `{name}`");
                return self.fail(place, message, "write `name: ...`");
            }
        }
        if name_mode(&name) == Mode::Terminal && (parametric || options != RuleOptions::default()) {
            let message = format!("the terminal `{name}` can have no parameter and no options");
            return self.fail(offset, message, "give them to a rule, whose name is in lower case");
        }
        let definition = Definition {
            name,
            offset,
            parametric,
            options,
            bodies: std::iter::once(self.at..range.end).collect(),
        };
        self.add_definition(definition, scope, how)
    }

    fn add_definition(&mut self, definition: Definition, scope: &mut Scope, how: How) -> Result<(), GiveUp> {
        let Definition { name, offset, .. } = &definition;
        let (name, offset) = (name.clone(), *offset);
        match (scope.names.get(&name), how) {
            (None, How::New) | (Some(Meaning::Import(_)), How::Override) => {
                scope.names.insert(name, Meaning::Definition(scope.definitions.len()));
                scope.definitions.push(definition);
            }
            (None, _) => {
                let message = format!("there is no `{name}` before this");
                return self.fail(offset, message, "define or import it first, or delete the directive");
            }
            (Some(Meaning::Definition(known)), How::Override) => scope.definitions[*known] = definition,
            (Some(Meaning::Definition(known)), How::Extend) => {
                scope.definitions[*known].bodies.extend(definition.bodies);
            }
            (Some(Meaning::Import(_)), How::Extend) => {
                let message = format!("`%extend {name}` is refused: it is imported");
                return self.refuse(offset, message, "import it under another name, and define it as a choice");
            }
            (Some(Meaning::Import(_)), How::New) => {
                let message = format!("`{name}` is imported and defined");
                return self.fail(offset, message, "write `%override` before it, or rename one");
            }
            (Some(Meaning::Definition(known)), How::New) => {
                let first = scope.definitions[*known].offset;
                let line = self.mistakes.text[..first].matches('\n').count() + 1;
                let message = format!("`{name}` is defined twice, first in line {line}");
                return self.fail(offset, message, "join both with `|`, or rename one");
            }
        }
        Ok(())
    }

    pub fn take_name(&mut self, message: &str, hint: &str) -> Result<String, GiveUp> {
        let offset = self.offset();
        match self.take() {
            Some(Lexeme {
                kind: Kind::Name(name), ..
            }) => Ok(name.clone()),
            _ => self.fail(offset, message, hint),
        }
    }

    /// `common.NAME`, `common.NAME -> OTHER`, `common (A, B)`
    fn read_import(&mut self, range: Range<usize>, scope: &mut Scope) -> Result<(), GiveUp> {
        const HINT: &str = "write `%import common.INT`, `%import common.INT -> NAME` or `%import common (INT, WORD)`";
        (self.at, self.end) = (range.start, range.end);
        let start = self.offset();
        let library = match self.take_sign(".") {
            true => String::new(),
            false => self.take_name("an import names a library", HINT)?,
        };
        if library != "common" {
            let message = "only the library `common` can be imported";
            return self.refuse(start, message, "copy what you need into this grammar");
        }
        if self.take_sign("(") {
            loop {
                self.import_one(scope, HINT, false)?;
                if !self.take_sign(",") {
                    break;
                }
            }
            let offset = self.offset();
            if !self.take_sign(")") {
                return self.fail(offset, "the names aren't closed", "write `,` or `)`");
            }
        } else {
            let offset = self.offset();
            if !self.take_sign(".") {
                return self.fail(offset, "an import names a terminal", HINT);
            }
            self.import_one(scope, HINT, true)?;
        }
        match self.peek() {
            None => Ok(()),
            Some(lexeme) => self.fail(lexeme.start, "this is no part of the import", HINT),
        }
    }

    fn import_one(&mut self, scope: &mut Scope, hint: &str, may_rename: bool) -> Result<(), GiveUp> {
        let offset = self.offset();
        let name = self.take_name("an import names a terminal", hint)?;
        let alias = match may_rename && self.take_sign("->") {
            true => self.take_name("an alias is a name", hint)?,
            false => name.clone(),
        };
        let Some(pattern) = common_pattern(&name) else {
            let hint = match nearest(&name, COMMON.iter().map(|known| known.0)) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("there are {}", COMMON.map(|known| format!("`{}`", known.0)).join(", ")),
            };
            return self.fail(offset, format!("`common` has no terminal `{name}`"), hint);
        };
        if name_mode(&alias) != Mode::Terminal {
            return self.fail(offset, format!("the terminal `{alias}` is not in upper case"), "rename it");
        }
        match scope.names.get(&alias) {
            // The same terminal twice is no harm.
            Some(Meaning::Import(_)) if alias == name => return Ok(()),
            Some(_) => return self.fail(offset, format!("`{alias}` is defined twice"), "rename one of both"),
            None => {}
        }
        let rule = self.builder.fresh_rule(&alias);
        let body = self.builder.add(Expr::Regex {
            pattern: pattern.to_owned(),
            dialect: Dialect::Rust,
        });
        self.builder.define(rule, body);
        self.builder.place(rule, Place::new(&self.text, offset));
        scope.names.insert(alias, Meaning::Import(rule));
        Ok(())
    }

    fn read_grammar_options(&mut self, range: Range<usize>, scope: &mut Scope) -> Result<(), GiveUp> {
        let lexeme = self.lexemes[range.clone()].first();
        let Some((Kind::Json(Value::Object(options)), offset)) = lexeme.map(|lexeme| (&lexeme.kind, lexeme.start)) else {
            return Ok(());
        };
        for (name, value) in options {
            match (name.as_str(), value) {
                ("allow_initial_skip", Value::Bool(truth)) => scope.allow_initial_skip = *truth,
                ("ignore_once", Value::Bool(truth)) => scope.ignore_once = *truth,
                ("skip_repetition", Value::String(text)) if text == "once" || text == "any" => {
                    scope.ignore_once = text == "once";
                }
                // Masks here are never narrowed to what a tokenizer would write.
                ("no_forcing", Value::Bool(_)) | ("allow_invalid_utf8", Value::Bool(false)) => {}
                ("allow_invalid_utf8", _) => {
                    let message = "`allow_invalid_utf8` is refused: the output is text";
                    return self.refuse(offset, message, "delete it");
                }
                _ => {
                    let message = format!("`{name}` can't be `{value}`");
                    let hint = "the options are `allow_initial_skip`, `ignore_once`, `skip_repetition` and `no_forcing`";
                    return self.fail(offset, message, hint);
                }
            }
        }
        Ok(())
    }
}
