//! Text into lexemes. A mistake is noted and reading goes on behind it.
use crate::frontends::escapes::{read_character, BadCharacter};
use crate::frontends::mistakes::Mistakes;
use penstock_automata::{CharSet, Limit, INFINITE};
use serde_json::Value;

/// The largest count of a repetition.
const MAX_REPETITION_COUNT: u32 = INFINITE - 1;

/// How long the text of a special token can be.
const MAX_TOKEN_TEXT_CHARS: usize = 256;

/// What a lexeme is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// A name or a number: letters, digits, `_` and `-`, joined by dots.
    Word(String),
    /// `"..."`, unescaped.
    Text(String),
    /// `[...]`
    Class(CharSet),
    /// `{m,n}`
    Counts(u32, u32),
    /// `{...}` where a schema is expected.
    Json(Value),
    /// `<[7]>`, `<name>`, with `!` in front: excluded.
    Special { excluded: bool, id: Result<u32, String> },
    /// `::=`
    Define,
    /// One of `| & ~ ( ) * + ? . , =`.
    Sign(char),
}

/// A lexeme with the byte range it came from.
#[derive(Clone, Debug)]
pub(super) struct Lexeme {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

pub(super) struct Lexer<'a, 'm> {
    text: &'a str,
    at: usize,
    lexemes: Vec<Lexeme>,
    mistakes: &'m mut Mistakes<'a>,
}

/// All lexemes of the text of `mistakes`.
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
    lexer.lexemes
}

impl<'a> Lexer<'a, '_> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn next(&mut self, character: char) {
        match character {
            '#' => self.at += self.rest().find('\n').unwrap_or(self.rest().len()),
            '"' => self.quoted(),
            '[' => self.class(),
            '{' if self.expects_json() => self.json(),
            '{' => self.counts(),
            '<' | '!' => self.special(character),
            ':' if self.rest().starts_with("::=") => self.push(Kind::Define, 3),
            '|' | '&' | '~' | '(' | ')' | '*' | '+' | '?' | '.' | ',' | '=' => self.push(Kind::Sign(character), 1),
            _ if is_word(character) => self.word(),
            _ if character.is_whitespace() || character == '\u{FEFF}' => self.at += character.len_utf8(),
            _ => self.strange(character),
        }
    }

    fn push(&mut self, kind: Kind, length: usize) {
        let (start, end) = (self.at, self.at + length);
        self.lexemes.push(Lexeme { kind, start, end });
        self.at = end;
    }

    fn strange(&mut self, character: char) {
        let hint = match character {
            '\'' => "write texts in double quotes",
            ':' => "define a rule with `::=`",
            '/' => "comments start with `#`, patterns are written `Regex(\"...\")`",
            '^' | '$' => "a rule always matches from its first to its last character; delete the anchor",
            ';' => "rules need no end sign; delete it",
            _ => "put it in double quotes if it is text",
        };
        let shown = match character {
            '\'' => "'".to_owned(),
            _ => character.escape_debug().to_string(),
        };
        self.mistakes.syntax(self.at, format!("`{shown}` means nothing here"), hint);
        self.at += match character {
            '\'' => quoted_length(self.rest()),
            _ => character.len_utf8(),
        };
    }

    /// Dots join words (`a.b`); the parser splits them where no rule has that name.
    fn word(&mut self) {
        let mut length = 0;
        loop {
            length += self.rest()[length..]
                .chars()
                .take_while(|&c| is_word(c))
                .map(char::len_utf8)
                .sum::<usize>();
            let after = &self.rest()[length..];
            if !after.starts_with('.') || !after[1..].starts_with(is_word) {
                break;
            }
            length += 1;
        }
        self.push(Kind::Word(self.rest()[..length].to_owned()), length);
    }

    fn quoted(&mut self) {
        let (mut text, mut length) = (String::new(), 1);
        loop {
            let rest = &self.rest()[length..];
            if rest.starts_with('"') {
                return self.push(Kind::Text(text), length + 1);
            }
            match read_character(rest) {
                Ok((character, taken)) => {
                    text.push(character);
                    length += taken;
                }
                Err(BadCharacter::Escape(message, hint)) => {
                    self.mistakes.syntax(self.at + length, message, hint);
                    length += skip_escape(rest);
                }
                Err(BadCharacter::End) => {
                    let hint = "close it with `\"` and write line breaks as `\\n`";
                    self.mistakes.syntax(self.at, "this text isn't closed on its line", hint);
                    return self.push(Kind::Text(text), length);
                }
            }
        }
    }

    fn class(&mut self) {
        let mut length = 1;
        let excluded = self.rest()[length..].starts_with('^');
        length += usize::from(excluded);
        let mut ranges = Vec::new();
        while !self.rest()[length..].starts_with(']') {
            let Some(low) = self.class_character(&mut length) else {
                return;
            };
            let rest = &self.rest()[length..];
            if !rest.starts_with('-') || rest[1..].starts_with(']') {
                ranges.push((low, low));
                continue;
            }
            let place = self.at + length;
            length += 1;
            let Some(high) = self.class_character(&mut length) else {
                return;
            };
            if low > high {
                let message = format!("the range ends before it starts: `{low:?}` to `{high:?}`");
                self.mistakes.syntax(place, message, "exchange its ends");
            }
            ranges.push((low, high));
        }
        let set = CharSet::new(ranges.into_iter().map(|(low, high)| (low as u32, high as u32)));
        let set = if excluded { set.complement() } else { set };
        self.push(Kind::Class(set), length + 1);
    }

    /// One character of a class, or `None` (and an empty class) where the class isn't closed.
    fn class_character(&mut self, length: &mut usize) -> Option<char> {
        let rest = &self.rest()[*length..];
        match read_character(rest) {
            Ok((character, taken)) => {
                *length += taken;
                Some(character)
            }
            Err(BadCharacter::Escape(message, hint)) => {
                self.mistakes.syntax(self.at + *length, message, hint);
                *length += skip_escape(rest);
                Some(char::REPLACEMENT_CHARACTER)
            }
            Err(BadCharacter::End) => {
                self.mistakes
                    .syntax(self.at, "this class isn't closed on its line", "close it with `]`");
                self.push(Kind::Class(CharSet::default()), *length);
                None
            }
        }
    }

    fn counts(&mut self) {
        let Some(length) = self.rest().find(['}', '\n']).filter(|&at| self.rest()[at..].starts_with('}')) else {
            self.mistakes
                .syntax(self.at, "`{` isn't closed on its line", "write `{m}`, `{m,}` or `{m,n}`");
            self.at += 1;
            return;
        };
        let inner: Vec<&str> = self.rest()[1..length].split(',').map(str::trim).collect();
        let counts = match inner[..] {
            [exact] if !exact.is_empty() => self.count(exact).map(|count| (count, count)),
            [low, "" | "-1"] if !low.is_empty() => self.count(low).map(|low| (low, INFINITE)),
            ["", high] if !high.is_empty() => self.count(high).map(|high| (0, high)),
            [low, high] => self.count(low).zip(self.count(high)),
            _ => self.count("").zip(Some(0)),
        };
        if let Some((low, high)) = counts.filter(|counts| counts.0 > counts.1) {
            let message = format!("the counts are reversed: `{low}` is more than `{high}`");
            self.mistakes.syntax(self.at, message, "exchange them");
        }
        let (low, high) = counts.unwrap_or((0, INFINITE));
        self.push(Kind::Counts(low, high), length + 1);
    }

    fn count(&mut self, digits: &str) -> Option<u32> {
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let message = format!("`{digits}` is no count");
            self.mistakes.syntax(self.at, message, "write `{m}`, `{m,}` or `{m,n}`");
            return None;
        }
        let count = digits.parse().ok().filter(|&count| count <= MAX_REPETITION_COUNT);
        if count.is_none() {
            let limit = Limit {
                name: "max_repetition_count",
                configured: u64::from(MAX_REPETITION_COUNT),
            };
            self.mistakes.limit(self.at, limit, "leave the upper count away for no bound");
        }
        count
    }

    /// Whether `{` starts a schema: after `JsonSchema(` and after `option=`.
    fn expects_json(&self) -> bool {
        match self.lexemes.as_slice() {
            [.., last] if last.kind == Kind::Sign('=') => true,
            [.., before, last] => {
                matches!(&before.kind, Kind::Word(word) if ["JsonSchema", "SchemaText", "StructuralTag"].contains(&word.as_str()))
                    && last.kind == Kind::Sign('(')
            }
            _ => false,
        }
    }

    fn json(&mut self) {
        let mut values = serde_json::Deserializer::from_str(self.rest()).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) => {
                let length = values.byte_offset();
                self.push(Kind::Json(value), length);
            }
            Some(Err(error)) => {
                let message = format!("the schema is no JSON: {error}");
                self.mistakes.syntax(self.at, message, "write a JSON object");
                self.push(Kind::Json(Value::Bool(true)), 1);
                self.push(Kind::Sign(')'), 0);
                self.at += next_definition(self.rest());
            }
            None => self.at += 1,
        }
    }

    /// `<[7]>` and `<name>`: the whole, with its angle brackets, is the token's text.
    fn special(&mut self, first: char) {
        let excluded = first == '!';
        let body = &self.rest()[usize::from(excluded)..];
        let end = body
            .char_indices()
            .take(MAX_TOKEN_TEXT_CHARS)
            .find(|(_, c)| matches!(c, '>' | '\n' | ' ' | '"'))
            .and_then(|(end, c)| (c == '>').then_some(end));
        let Some(end) = end.filter(|_| body.starts_with('<')) else {
            let hint = "write `<[7]>` or `<name>` for a special token, `!<[7]>` for every other token";
            self.mistakes.syntax(self.at, "this is no special token", hint);
            self.at += 1;
            return;
        };
        let id = match body[1..end].strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
            Some(digits) => digits.parse().map_err(|_| body[..=end].to_owned()),
            None => Err(body[..=end].to_owned()),
        };
        self.push(Kind::Special { excluded, id }, end + 1 + usize::from(excluded));
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_' || character == '-'
}

/// How many bytes `'...'` takes, or its first quote where no other follows on the line.
fn quoted_length(text: &str) -> usize {
    let rest = &text[1..];
    match rest.find(['\'', '\n']) {
        Some(end) if rest[end..].starts_with('\'') => end + 2,
        _ => 1,
    }
}

/// Where the next line starts that defines a rule.
fn next_definition(text: &str) -> usize {
    let head = text.find("::=").map(|define| &text[..define]);
    head.and_then(|head| head.rfind('\n')).unwrap_or(text.len())
}

/// How many bytes the bad escape at the start of `text` takes: the backslash and the character behind it.
fn skip_escape(text: &str) -> usize {
    1 + text[1..].chars().next().map_or(0, char::len_utf8)
}
