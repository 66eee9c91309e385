//! Text into lexemes. A mistake is noted and reading goes on behind it.
use crate::frontends::escapes::{read_character, BadCharacter};
use crate::frontends::mistakes::Mistakes;
use serde_json::Value;

/// How long the text of a special token can be.
const MAX_TOKEN_TEXT_CHARS: usize = 4096;

/// What a lexeme is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// Letters, digits, `_` and `-`.
    Name(String),
    /// `"..."` unescaped, and whether `i` stood behind it.
    Text { text: String, ignore_case: bool },
    /// `/.../flags`
    Pattern { pattern: String, flags: String },
    /// A number as written.
    Number(String),
    /// `{...}` behind a directive that takes JSON.
    Json(Value),
    /// What stands in `<...>`.
    Special(String),
    /// The name behind `@`.
    Reference(String),
    /// The name behind `%`.
    Directive(String),
    /// Anything else that means something.
    Sign(&'static str),
    /// One or more line ends.
    Newline,
}

/// A lexeme with the byte range it came from.
#[derive(Clone, Debug)]
pub(super) struct Lexeme {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
    /// The lexeme of the other bracket, for brackets that have one.
    pub partner: Option<usize>,
}

impl Lexeme {
    pub fn is(&self, sign: &str) -> bool {
        matches!(self.kind, Kind::Sign(other) if other == sign)
    }
}

/// Longer signs first.
const SIGNS: [&str; 19] = [
    "::", "->", "..", ":", "|", "&", "~", "(", ")", "[", "]", "{", "}", "*", "+", "?", "!", ",", ".",
];

/// Directives that a JSON value follows.
const WITH_JSON: [&str; 4] = ["json", "regex", "llguidance", "grammar_options"];

pub(super) struct Lexer<'a, 'm> {
    text: &'a str,
    at: usize,
    lexemes: Vec<Lexeme>,
    mistakes: &'m mut Mistakes<'a>,
}

/// All lexemes of the text of `mistakes`, brackets joined.
pub(super) fn lex(mistakes: &mut Mistakes) -> Vec<Lexeme> {
    let mut lexer = Lexer {
        text: mistakes.text,
        at: 0,
        lexemes: Vec::new(),
        mistakes,
    };
    while let Some(character) = lexer.rest().chars().next() {
        lexer.next(character);
    }
    let mut lexemes = lexer.lexemes;
    join_brackets(&mut lexemes);
    lexemes
}

impl<'a> Lexer<'a, '_> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn next(&mut self, character: char) {
        let rest = self.rest();
        match character {
            '\n' => self.newline(),
            '#' => self.comment(),
            '/' if rest.starts_with("//") => self.comment(),
            '/' => self.pattern(),
            '"' => self.quoted(),
            '<' => self.special(),
            '%' => self.directive(),
            '@' => self.reference(),
            '0'..='9' => self.number(),
            '=' => self.push(Kind::Sign("="), 1),
            '+' | '-' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => self.number(),
            _ if is_name_start(character) => self.name(),
            _ if character.is_whitespace() || character == '\u{FEFF}' => self.at += character.len_utf8(),
            _ => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => self.push(Kind::Sign(sign), sign.len()),
                None => self.strange(character),
            },
        }
    }

    fn push(&mut self, kind: Kind, length: usize) {
        let (start, end) = (self.at, self.at + length);
        self.lexemes.push(Lexeme {
            kind,
            start,
            end,
            partner: None,
        });
        self.at = end;
    }

    fn newline(&mut self) {
        if !matches!(self.lexemes.last(), None | Some(Lexeme { kind: Kind::Newline, .. })) {
            self.push(Kind::Newline, 0);
        }
        self.at += 1;
    }

    fn comment(&mut self) {
        self.at += self.rest().find('\n').unwrap_or(self.rest().len());
    }

    fn name(&mut self) {
        let length = name_length(self.rest());
        self.push(Kind::Name(self.rest()[..length].to_owned()), length);
    }

    fn strange(&mut self, character: char) {
        let hint = match character {
            '\'' | '`' => "write texts in double quotes",
            '^' | '$' => "a rule always matches from its first to its last character; delete the anchor",
            ';' => "a rule ends with its line; delete it",
            '>' => "write `->` for an alias, `<name>` for a special token",
            _ => "put it in double quotes if it is text",
        };
        let shown = match character {
            '\'' => "'".to_owned(),
            _ => character.escape_debug().to_string(),
        };
        self.mistakes.syntax(self.at, format!("`{shown}` means nothing here"), hint);
        self.at += character.len_utf8();
    }

    /// Digits, with a sign and a fraction; `0x` and hexadecimal digits. `2..3` is two of them.
    fn number(&mut self) {
        let rest = self.rest();
        let digits = |from: usize| rest[from..].bytes().take_while(u8::is_ascii_digit).count();
        let mut length = usize::from(rest.starts_with(['+', '-']));
        if rest[length..].starts_with("0x") {
            length += 2;
            length += rest[length..].bytes().take_while(u8::is_ascii_hexdigit).count();
            return self.push(Kind::Number(rest[..length].to_owned()), length);
        }
        length += digits(length);
        if rest[length..].starts_with('.') && digits(length + 1) > 0 {
            length += 1 + digits(length + 1);
        }
        self.push(Kind::Number(rest[..length].to_owned()), length);
    }

    fn quoted(&mut self) {
        let (mut text, mut length) = (String::new(), 1);
        loop {
            let rest = &self.rest()[length..];
            if let Some(after) = rest.strip_prefix('"') {
                let ignore_case = after.starts_with('i') && !after[1..].starts_with(is_name_character);
                return self.push(Kind::Text { text, ignore_case }, length + 1 + usize::from(ignore_case));
            }
            match read_character(rest) {
                Ok((character, taken)) => {
                    if rest.starts_with("\\x") && !character.is_ascii() {
                        let message = format!("`{}` is a byte that is no character", &rest[..taken]);
                        let hint = "grammars speak of characters: write `\\u` and four hexadecimal digits";
                        self.mistakes.unsupported(self.at + length, message, hint);
                    }
                    text.push(character);
                    length += taken;
                }
                Err(BadCharacter::Escape(message, hint)) => {
                    self.mistakes.syntax(self.at + length, message, hint);
                    length += 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
                }
                Err(BadCharacter::End) => {
                    let hint = "close it with `\"` and write line breaks as `\\n`";
                    self.mistakes.syntax(self.at, "this text isn't closed on its line", hint);
                    let ignore_case = false;
                    return self.push(Kind::Text { text, ignore_case }, length);
                }
            }
        }
    }

    /// `/.../` and its flags. Only a pattern with the flag `x` may take more than one line.
    fn pattern(&mut self) {
        let rest = self.rest();
        let (mut end, mut escaped, mut lines) = (None, false, false);
        for (at, character) in rest.char_indices().skip(1) {
            match character {
                '/' if !escaped => {
                    end = Some(at);
                    break;
                }
                '\n' => lines = true,
                _ => {}
            }
            escaped = character == '\\' && !escaped;
        }
        let flags = |end: usize| rest[end + 1..].bytes().take_while(u8::is_ascii_lowercase).count();
        let closed = end.filter(|&end| !lines || rest[end + 1..end + 1 + flags(end)].contains('x'));
        let Some(end) = closed else {
            let hint = "close it with `/`, and write a `/` inside it as `\\/`";
            self.mistakes.syntax(self.at, "this pattern isn't closed on its line", hint);
            let length = rest.find('\n').unwrap_or(rest.len());
            let (pattern, flags) = (String::new(), String::new());
            return self.push(Kind::Pattern { pattern, flags }, length);
        };
        let (pattern, last) = (rest[1..end].to_owned(), end + 1 + flags(end));
        let flags = rest[end + 1..last].to_owned();
        self.push(Kind::Pattern { pattern, flags }, last);
    }

    fn special(&mut self) {
        let rest = self.rest();
        let mut inner = rest[1..].char_indices().take(MAX_TOKEN_TEXT_CHARS);
        let end = inner
            .find(|(_, c)| matches!(c, '<' | '>') || c.is_whitespace())
            .filter(|(end, c)| *c == '>' && *end > 0);
        match end {
            Some((end, _)) => self.push(Kind::Special(rest[1..=end].to_owned()), end + 2),
            None => {
                let hint = "write `<name>` or `<[7]>` for a special token, and text in double quotes";
                self.mistakes.syntax(self.at, "this is no special token", hint);
                self.at += 1;
            }
        }
    }

    fn directive(&mut self) {
        let length = name_length(&self.rest()[1..]);
        if length == 0 {
            return self.strange('%');
        }
        let name = self.rest()[1..=length].to_owned();
        let takes_json = WITH_JSON.contains(&name.as_str());
        self.push(Kind::Directive(name), length + 1);
        if takes_json {
            self.json();
        }
    }

    fn json(&mut self) {
        let mut values = serde_json::Deserializer::from_str(self.rest()).into_iter::<Value>();
        let message = match values.next() {
            Some(Ok(value)) => {
                let length = values.byte_offset();
                return self.push(Kind::Json(value), length);
            }
            Some(Err(error)) => format!("this is no JSON: {error}"),
            None => "JSON is missing here".to_owned(),
        };
        self.mistakes.syntax(self.at, message, "write a JSON object");
        let length = json_length(self.rest());
        self.push(Kind::Json(Value::Null), length);
    }

    fn reference(&mut self) {
        match name_length(&self.rest()[1..]) {
            0 => self.strange('@'),
            length => self.push(Kind::Reference(self.rest()[1..=length].to_owned()), length + 1),
        }
    }
}

fn is_name_start(character: char) -> bool {
    character.is_alphabetic() || character == '_'
}

fn is_name_character(character: char) -> bool {
    character.is_alphanumeric() || character == '_' || character == '-'
}

/// How many bytes a name takes; an arrow ends it.
fn name_length(text: &str) -> usize {
    let end = text.find(|c| !is_name_character(c)).unwrap_or(text.len());
    end - usize::from(text[..end].ends_with('-') && text[end..].starts_with('>'))
}

/// How many bytes broken JSON takes: up to the bracket that closes its first one, or to the end of the line.
fn json_length(text: &str) -> usize {
    let line = text.find('\n').unwrap_or(text.len());
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    for (at, character) in text.char_indices() {
        match character {
            '"' if !escaped => quoted = !quoted,
            '{' if !quoted => depth += 1,
            '}' if !quoted && depth == 1 => return at + 1,
            '}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        escaped = character == '\\' && !escaped;
    }
    line
}

/// Joins each bracket with its other one. A line that defines something closes what `(` and `[` left open.
fn join_brackets(lexemes: &mut [Lexeme]) {
    let mut open: Vec<usize> = Vec::new();
    let mut open_braces = 0;
    for i in 0..lexemes.len() {
        match lexemes[i].kind {
            Kind::Newline if starts_definition(&lexemes[i + 1..]) => {
                while open.last().is_some_and(|&last| !lexemes[last].is("{")) {
                    open.pop();
                }
            }
            Kind::Sign(sign @ ("(" | "[" | "{")) => {
                open.push(i);
                open_braces += usize::from(sign == "{");
            }
            Kind::Sign(closing @ (")" | "]" | "}")) => {
                let opening = match closing {
                    ")" => "(",
                    "]" => "[",
                    _ => "{",
                };
                // A `}` may close over what was left open; other brackets close only the last one.
                while closing == "}" && open_braces > 0 && open.last().is_some_and(|&last| !lexemes[last].is("{")) {
                    open.pop();
                }
                if let Some(other) = open.last().copied().filter(|&last| lexemes[last].is(opening)) {
                    open.pop();
                    open_braces -= usize::from(opening == "{");
                    lexemes[i].partner = Some(other);
                    lexemes[other].partner = Some(i);
                }
            }
            _ => {}
        }
    }
}

/// Whether a definition starts here: a name and, behind its priority, parameter or options, a colon.
pub(super) fn starts_definition(lexemes: &[Lexeme]) -> bool {
    let mut rest = lexemes.iter().skip_while(|lexeme| lexeme.is("?") || lexeme.is("!"));
    if !matches!(rest.next(), Some(Lexeme { kind: Kind::Name(_), .. })) {
        return false;
    }
    let mut depth = 0usize;
    for lexeme in rest.take(MAX_HEAD_LEXEMES) {
        match lexeme.kind {
            Kind::Sign(":") if depth == 0 => return true,
            Kind::Sign("[" | "{") => depth += 1,
            Kind::Sign("]" | "}") => depth = depth.saturating_sub(1),
            Kind::Newline => return false,
            _ if depth > 0 => {}
            Kind::Sign("." | "::") | Kind::Number(_) | Kind::Name(_) => {}
            _ => return false,
        }
    }
    false
}

/// How many lexemes the head of a definition can have.
const MAX_HEAD_LEXEMES: usize = 200;
