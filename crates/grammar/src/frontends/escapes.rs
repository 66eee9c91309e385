//! Characters and escapes inside `"..."` and `[...]`.

/// Why a character could not be read.
pub(super) enum BadCharacter {
    /// Text or line end.
    End,
    /// The escape at the cursor is none: message and hint.
    Escape(String, String),
}

/// Reads one character, escaped or not, at the start of `text`; gives it with the number of bytes it takes.
pub(super) fn read_character(text: &str) -> Result<(char, usize), BadCharacter> {
    match text.chars().next() {
        None | Some('\n') => Err(BadCharacter::End),
        Some('\\') => read_escape(text),
        Some(character) => Ok((character, character.len_utf8())),
    }
}

fn read_escape(text: &str) -> Result<(char, usize), BadCharacter> {
    let letter = match text[1..].chars().next() {
        None | Some('\n') => return Err(BadCharacter::End),
        Some(letter) => letter,
    };
    let plain = |character| Ok((character, 2));
    match letter {
        'n' => plain('\n'),
        'r' => plain('\r'),
        't' => plain('\t'),
        'b' => plain('\u{8}'),
        'f' => plain('\u{C}'),
        'a' => plain('\u{7}'),
        'v' => plain('\u{B}'),
        'e' => plain('\u{1B}'),
        '0' => plain('\0'),
        '"' | '\'' | '\\' | '/' | '?' | '[' | ']' | '^' | '-' => plain(letter),
        'x' => hexadecimal(text, 2, 2),
        'u' if text[2..].starts_with('{') => braced(text),
        'u' => four_digits(text),
        'U' => hexadecimal(text, 2, 8),
        _ => Err(unknown(letter)),
    }
}

fn unknown(letter: char) -> BadCharacter {
    let hint = match letter {
        'd' => "write `0-9` in a class, or use `Regex(\"...\")`",
        'w' => "write `a-zA-Z0-9_` in a class, or use `Regex(\"...\")`",
        's' => "write ` \\t\\n\\r` in a class, or use `Regex(\"...\")`",
        _ => "write `\\\\` for a backslash",
    };
    BadCharacter::Escape(format!("`\\{letter}` is no escape"), hint.to_owned())
}

/// `digits` hexadecimal digits that start at byte `at`.
fn hexadecimal(text: &str, at: usize, digits: usize) -> Result<(char, usize), BadCharacter> {
    let value = hexadecimal_value(text, at, digits)?;
    character(value).map(|character| (character, at + digits))
}

fn hexadecimal_value(text: &str, at: usize, digits: usize) -> Result<u32, BadCharacter> {
    text.get(at..at + digits)
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .ok_or_else(|| {
            BadCharacter::Escape(
                format!("`{}` needs {digits} hexadecimal digits", &text[..2]),
                "write `\\u{...}` for any number of digits".to_owned(),
            )
        })
}

/// `\uHHHH`; two of them that are a surrogate pair are one character.
fn four_digits(text: &str) -> Result<(char, usize), BadCharacter> {
    let high = hexadecimal_value(text, 2, 4)?;
    if (0xD800..0xDC00).contains(&high) && text[6..].starts_with("\\u") {
        let low = hexadecimal_value(text, 8, 4)?;
        if (0xDC00..0xE000).contains(&low) {
            return character(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)).map(|character| (character, 12));
        }
    }
    character(high).map(|character| (character, 6))
}

/// `\u{...}`
fn braced(text: &str) -> Result<(char, usize), BadCharacter> {
    let digits = text[3..].bytes().take_while(u8::is_ascii_hexdigit).count();
    if !(1..=8).contains(&digits) || !text[3 + digits..].starts_with('}') {
        let hint = "write one to eight hexadecimal digits and `}`";
        return Err(BadCharacter::Escape("`\\u{` isn't closed".to_owned(), hint.to_owned()));
    }
    character(hexadecimal_value(text, 3, digits)?).map(|character| (character, digits + 4))
}

fn character(value: u32) -> Result<char, BadCharacter> {
    char::from_u32(value).ok_or_else(|| {
        BadCharacter::Escape(
            format!("`U+{value:04X}` is no character"),
            "write a code point up to `U+10FFFF` that is no surrogate".to_owned(),
        )
    })
}
