//! What a backslash means, in and out of a bracket class.
use super::syntax::Parser;
use super::{sets, Dialect, ParseError};
use crate::charset::CharSet;

/// An escape that names characters, or an assertion.
pub(super) enum Escape {
    /// One code point; a surrogate where ECMA text spells one, which matches nothing.
    Character(u32),
    Set(CharSet),
    WordBoundary {
        negated: bool,
    },
    TextStart,
    TextEnd,
}

impl Parser<'_> {
    /// Reads the escape whose backslash has just been taken.
    pub(super) fn escape(&mut self, in_class: bool) -> Result<Escape, ParseError> {
        let start = self.position - 1;
        let Some(letter) = self.next() else {
            return Err(ParseError::syntax(start, "a backslash ends the pattern; escape it as `\\\\`"));
        };
        if let Some(set) = self.named_set(letter, start)? {
            return Ok(Escape::Set(set));
        }
        if !in_class {
            if let Some(assertion) = self.asserting_escape(letter, start)? {
                return Ok(assertion);
            }
        }
        self.character(letter, in_class, start).map(Escape::Character)
    }

    fn named_set(&mut self, letter: char, start: usize) -> Result<Option<CharSet>, ParseError> {
        let set = match letter.to_ascii_lowercase() {
            'd' => sets::digit(self.dialect),
            'w' => sets::word(self.dialect),
            's' => sets::space(self.dialect),
            'p' if self.dialect != Dialect::Python => match self.property(start)? {
                Some(set) => set,
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        Ok(Some(if letter.is_ascii_uppercase() { set.complement() } else { set }))
    }

    /// `\p{Name}` and, in Rust, `\pL`. Without a brace, ECMA reads a plain letter.
    fn property(&mut self, start: usize) -> Result<Option<CharSet>, ParseError> {
        let name: String = if self.take('{') {
            let rest = &self.text[self.position..];
            let Some(length) = rest.iter().position(|&c| c == '}') else {
                return Err(ParseError::syntax(start, "a property is not closed; add `}`"));
            };
            self.position += length + 1;
            rest[..length].iter().collect()
        } else if self.dialect == Dialect::Rust {
            self.next().into_iter().collect()
        } else {
            return Ok(None);
        };
        let set = sets::property(&name).ok_or_else(|| {
            let message = format!("unknown Unicode property `{name}`; use a general category, a script or a binary property");
            ParseError::syntax(start, message)
        })?;
        Ok(Some(set))
    }

    fn asserting_escape(&mut self, letter: char, start: usize) -> Result<Option<Escape>, ParseError> {
        let rust = self.dialect == Dialect::Rust;
        let ecma = self.dialect == Dialect::Ecma;
        Ok(Some(match letter {
            'b' if rust && self.peek() == Some('{') => {
                return Err(ParseError::unsupported(
                    start,
                    "half word boundary",
                    "use `\\b` or a lookahead",
                ));
            }
            '<' | '>' if rust => {
                return Err(ParseError::unsupported(
                    start,
                    "half word boundary",
                    "use `\\b` or a lookahead",
                ));
            }
            'b' => Escape::WordBoundary { negated: false },
            'B' => Escape::WordBoundary { negated: true },
            'A' if !ecma => Escape::TextStart,
            'Z' if self.dialect == Dialect::Python => Escape::TextEnd,
            'z' if rust => Escape::TextEnd,
            _ => return Ok(None),
        }))
    }

    fn character(&mut self, letter: char, in_class: bool, start: usize) -> Result<u32, ParseError> {
        Ok(match letter {
            't' => 0x09,
            'n' => 0x0A,
            'v' => 0x0B,
            'f' => 0x0C,
            'r' => 0x0D,
            'a' if self.dialect != Dialect::Ecma => 0x07,
            'b' if in_class && self.dialect != Dialect::Rust => 0x08,
            'x' | 'u' | 'U' if letter != 'U' || self.dialect != Dialect::Ecma => return self.hexadecimal(letter, start),
            'c' if self.dialect == Dialect::Ecma => self.control(),
            'k' if self.dialect == Dialect::Ecma && self.has_named_groups => return Err(backreference(start)),
            'N' if self.dialect == Dialect::Python && self.peek() == Some('{') => {
                return Err(ParseError::unsupported(
                    start,
                    "named character",
                    "write the character itself",
                ));
            }
            '0'..='9' if self.dialect != Dialect::Rust => return self.decimal(letter, in_class, start),
            _ => return self.identity(letter, start),
        })
    }

    fn identity(&self, letter: char, start: usize) -> Result<u32, ParseError> {
        let allowed = match self.dialect {
            Dialect::Ecma => true,
            Dialect::Rust => letter.is_ascii() && !letter.is_ascii_alphanumeric(),
            Dialect::Python => !letter.is_ascii_alphanumeric(),
        };
        if allowed {
            return Ok(letter.into());
        }
        let message = format!("unknown escape `\\{letter}`; leave the backslash out, or double it");
        Err(ParseError::syntax(start, message))
    }

    /// `\cX`; a lone `\c` is a backslash before the letter (Annex B).
    fn control(&mut self) -> u32 {
        match self.peek() {
            Some(letter) if letter.is_ascii_alphabetic() => {
                self.position += 1;
                u32::from(letter) % 32
            }
            _ => {
                self.position -= 1;
                '\\'.into()
            }
        }
    }

    /// `\xHH`, `\uHHHH`, `\UHHHHHHHH` and, outside Python, `\x{H...}` (Rust) and `\u{H...}`.
    fn hexadecimal(&mut self, letter: char, start: usize) -> Result<u32, ParseError> {
        let braces = match self.dialect {
            Dialect::Ecma => letter == 'u',
            Dialect::Rust => true,
            Dialect::Python => false,
        };
        if braces && self.peek() == Some('{') {
            if let Some(value) = self.braced_digits() {
                return Ok(value);
            }
        } else if let Some(value) = self.fixed_digits(letter) {
            return self.checked(value, letter, start);
        }
        if self.dialect == Dialect::Ecma {
            return Ok(letter.into());
        }
        let message =
            format!("`\\{letter}` needs the hexadecimal digits of a character; double the backslash for a literal one");
        Err(ParseError::syntax(start, message))
    }

    fn checked(&mut self, value: u32, letter: char, start: usize) -> Result<u32, ParseError> {
        if self.dialect != Dialect::Ecma {
            let valid = char::from_u32(value).is_some() || self.dialect == Dialect::Python && value <= crate::MAX_CHAR;
            let message = format!("`\\{letter}` with {value:X} is no character; use a code point up to 10FFFF");
            return if valid {
                Ok(value)
            } else {
                Err(ParseError::syntax(start, message))
            };
        }
        // Two escapes that spell a surrogate pair are one character.
        let before = self.position;
        if letter == 'u' && (0xD800..0xDC00).contains(&value) && self.take('\\') && self.take('u') {
            if let Some(low @ 0xDC00..=0xDFFF) = self.fixed_digits('u') {
                return Ok(0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00));
            }
        }
        self.position = before;
        Ok(value)
    }

    fn braced_digits(&mut self) -> Option<u32> {
        let rest = &self.text[self.position + 1..];
        let length = rest.iter().take(16).position(|&c| c == '}')?;
        let digits: String = rest[..length].iter().collect();
        let value = u32::from_str_radix(&digits, 16)
            .ok()
            .filter(|&value| value <= crate::MAX_CHAR)?;
        if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
            return None;
        }
        self.position += length + 2;
        Some(value)
    }

    fn fixed_digits(&mut self, letter: char) -> Option<u32> {
        let length = match letter {
            'x' => 2,
            'u' => 4,
            _ => 8,
        };
        let digits = self.text.get(self.position..self.position + length)?;
        let value = digits
            .iter()
            .try_fold(0u64, |sum, &digit| Some(sum * 16 + u64::from(digit.to_digit(16)?)))?;
        self.position += length;
        u32::try_from(value).ok()
    }

    /// A backreference, or an old octal escape.
    fn decimal(&mut self, first: char, in_class: bool, start: usize) -> Result<u32, ParseError> {
        let mut digits = self.position - 1;
        while self.text.get(digits).is_some_and(char::is_ascii_digit) {
            digits += 1;
        }
        let number: String = self.text[self.position - 1..digits].iter().collect();
        let number = number.parse::<usize>().unwrap_or(usize::MAX);
        let octal = first == '0' || self.octal_in_python(first);
        if !in_class && !octal && (number <= self.num_groups || self.dialect == Dialect::Python) {
            return Err(backreference(start));
        }
        if first >= '8' {
            return self.identity(first, start);
        }
        let mut value = u32::from(first) - u32::from('0');
        for _ in 0..2 {
            match self.peek().and_then(|c| c.to_digit(8)) {
                Some(digit) if value * 8 + digit <= 0o377 => {
                    value = value * 8 + digit;
                    self.position += 1;
                }
                _ => break,
            }
        }
        Ok(value)
    }

    /// Three octal digits are a character in Python, fewer a backreference.
    fn octal_in_python(&self, first: char) -> bool {
        let digits = self.text[self.position..].iter().take(2);
        let three = first < '8' && digits.filter(|c| c.is_digit(8)).count() == 2;
        self.dialect == Dialect::Python && three
    }
}

pub(super) fn backreference(offset: usize) -> ParseError {
    ParseError::unsupported(offset, "backreference", "write the alternatives out")
}
