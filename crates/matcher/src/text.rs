//! Characters out of bytes: UTF-8 and, inside JSON strings, escapes.
//!
//! Languages are terms over characters; this is the fixed machine between them and the bytes of tokens. A [`Partial`] is
//! the part of a character that has been read; what it can still become is a range query on the term, so no state of a
//! term is ever expanded into bytes.
use penstock_automata::{Row, MAX_CHAR};

/// The part of a character that has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Partial {
    /// At a character boundary.
    #[default]
    None,
    /// Inside a UTF-8 sequence of `total` bytes: `left` to come, `value` holds the bits read.
    Utf8 {
        /// Length of the sequence in bytes.
        total: u8,
        /// Bytes to come.
        left: u8,
        /// Bits read.
        value: u32,
    },
    /// After a backslash.
    Escape,
    /// Inside `\uXXXX`: `left` hex digits to come.
    Hex {
        /// Digits to come.
        left: u8,
        /// Value of the digits read.
        value: u16,
    },
    /// After an escaped high surrogate: the low one must follow.
    High(u16),
    /// After an escaped high surrogate and a backslash.
    HighEscape(u16),
    /// Inside the escape of a low surrogate.
    Low {
        /// The high surrogate.
        high: u16,
        /// Digits to come.
        left: u8,
        /// Value of the digits read.
        value: u16,
    },
}

/// What one byte of text does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// No text continues like this.
    Dead,
    /// More bytes of the character are to come.
    Part(Partial),
    /// A character is complete.
    Char(u32),
    /// The closing quote of a JSON string.
    Quote,
}

impl Partial {
    /// One byte of plain UTF-8 text.
    #[inline]
    pub fn step_utf8(self, byte: u8) -> Piece {
        match self {
            Partial::None => match byte {
                0..=0x7F => Piece::Char(u32::from(byte)),
                0xC2..=0xDF => Piece::Part(Partial::Utf8 {
                    total: 2,
                    left: 1,
                    value: u32::from(byte & 0x1F),
                }),
                0xE0..=0xEF => Piece::Part(Partial::Utf8 {
                    total: 3,
                    left: 2,
                    value: u32::from(byte & 0x0F),
                }),
                0xF0..=0xF4 => Piece::Part(Partial::Utf8 {
                    total: 4,
                    left: 3,
                    value: u32::from(byte & 0x07),
                }),
                _ => Piece::Dead,
            },
            Partial::Utf8 { total, left, value } if byte & 0xC0 == 0x80 => {
                let next = Partial::Utf8 {
                    total,
                    left: left - 1,
                    value: value << 6 | u32::from(byte & 0x3F),
                };
                match next {
                    _ if next.ranges()[0].is_none() => Piece::Dead,
                    Partial::Utf8 { left: 0, value, .. } => Piece::Char(value),
                    _ => Piece::Part(next),
                }
            }
            _ => Piece::Dead,
        }
    }

    /// One byte of the inside of a JSON string.
    #[inline]
    pub fn step_json(self, byte: u8) -> Piece {
        match self {
            Partial::None => match byte {
                b'"' => Piece::Quote,
                b'\\' => Piece::Part(Partial::Escape),
                0..=0x1F => Piece::Dead,
                _ => self.step_utf8(byte),
            },
            Partial::Utf8 { .. } => self.step_utf8(byte),
            Partial::Escape => match byte {
                b'"' | b'\\' | b'/' => Piece::Char(u32::from(byte)),
                b'b' => Piece::Char(8),
                b'f' => Piece::Char(12),
                b'n' => Piece::Char(10),
                b'r' => Piece::Char(13),
                b't' => Piece::Char(9),
                b'u' => Piece::Part(Partial::Hex { left: 4, value: 0 }),
                _ => Piece::Dead,
            },
            Partial::Hex { left, value } => hex_digit(byte).map_or(Piece::Dead, |digit| hex_step(left - 1, value << 4 | digit)),
            Partial::High(high) if byte == b'\\' => Piece::Part(Partial::HighEscape(high)),
            Partial::HighEscape(high) if byte == b'u' => Piece::Part(Partial::Low { high, left: 4, value: 0 }),
            Partial::Low { high, left, value } => {
                hex_digit(byte).map_or(Piece::Dead, |digit| low_step(high, left - 1, value << 4 | digit))
            }
            Partial::High(_) | Partial::HighEscape(_) => Piece::Dead,
        }
    }

    /// The characters that this part can still become, as at most two inclusive ranges (which may hold surrogates: no
    /// term leads on from one).
    pub fn ranges(self) -> [Option<(u32, u32)>; 2] {
        match self {
            Partial::None | Partial::Escape => [Some((0, MAX_CHAR)), None],
            Partial::Utf8 { total, left, value } => {
                let shift = 6 * u32::from(left);
                let (low, high) = (value << shift, value << shift | ((1 << shift) - 1));
                let valid = [(0x80, 0x7FF), (0x800, 0xFFFF), (0x10000, MAX_CHAR)][usize::from(total) - 2];
                let (low, high) = (low.max(valid.0), high.min(valid.1));
                let all_surrogates = low >= 0xD800 && high <= 0xDFFF;
                [(low <= high && !all_surrogates).then_some((low, high)), None]
            }
            Partial::Hex { left, value } => {
                let shift = 4 * u32::from(left);
                let low = u32::from(value) << shift;
                let high = low | ((1 << shift) - 1);
                let (first, last) = (low.max(0xD800), high.min(0xDBFF));
                let pairs = (first <= last).then(|| (pair_base(first), pair_base(last) | 0x3FF));
                [Some((low, high)), pairs]
            }
            Partial::High(high) | Partial::HighEscape(high) => {
                let base = pair_base(u32::from(high));
                [Some((base, base | 0x3FF)), None]
            }
            Partial::Low { high, left, value } => {
                let shift = 4 * u32::from(left);
                let low = (u32::from(value) << shift).max(0xDC00);
                let top = (u32::from(value) << shift | ((1 << shift) - 1)).min(0xDFFF);
                let base = pair_base(u32::from(high));
                [(low <= top).then(|| (base + low - 0xDC00, base + top - 0xDC00)), None]
            }
        }
    }

    /// Whether some character that this part can become has an edge in `row`.
    #[inline]
    pub fn is_live(self, row: &Row) -> bool {
        self.ranges().iter().flatten().any(|range| row.any_in(range.0, range.1))
    }
}

fn pair_base(high: u32) -> u32 {
    0x10000 + ((high - 0xD800) << 10)
}

fn hex_digit(byte: u8) -> Option<u16> {
    (byte as char).to_digit(16).map(|digit| digit as u16)
}

fn hex_step(left: u8, value: u16) -> Piece {
    match (left, value) {
        (2, 0xDC..=0xDF) | (1, 0xDC0..=0xDFF) => Piece::Dead,
        (0, 0xD800..=0xDBFF) => Piece::Part(Partial::High(value)),
        (0, _) => Piece::Char(u32::from(value)),
        _ => Piece::Part(Partial::Hex { left, value }),
    }
}

fn low_step(high: u16, left: u8, value: u16) -> Piece {
    let next = Partial::Low { high, left, value };
    match next.ranges()[0] {
        None => Piece::Dead,
        Some((character, _)) if left == 0 => Piece::Char(character),
        Some(_) => Piece::Part(next),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Option<Vec<u32>> {
        let (mut partial, mut out) = (Partial::None, Vec::new());
        for &byte in bytes {
            partial = match partial.step_json(byte) {
                Piece::Dead | Piece::Quote => return None,
                Piece::Part(next) => next,
                Piece::Char(character) => {
                    out.push(character);
                    Partial::None
                }
            };
        }
        (partial == Partial::None).then_some(out)
    }

    #[test]
    fn escapes_and_utf8_decode_to_the_same_characters() {
        assert_eq!(decode("aé€😀".as_bytes()), Some(vec![0x61, 0xE9, 0x20AC, 0x1F600]));
        assert_eq!(
            decode(br"\u0061\u00e9\u20AC\ud83d\ude00"),
            Some(vec![0x61, 0xE9, 0x20AC, 0x1F600])
        );
        for bad in [
            &b"\xC0\xAF"[..],
            b"\xED\xA0\x80",
            b"\xF4\x90\x80\x80",
            b"\xE0\x80\x80",
            b"\xE0\x9F\xBF",
            b"\xF0\x8F\xBF\xBF",
            br"\udc00",
            br"\ud800a",
            br"\ud800\u0041",
            b"\n",
        ] {
            assert_eq!(decode(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn ranges_hold_exactly_what_can_follow() {
        for character in [0x7FFu32, 0x800, 0xFFFF, 0x10000, 0x10FFFF, 0xD7FF, 0xE000] {
            let text = char::from_u32(character).expect("no surrogate").to_string();
            let mut partial = Partial::None;
            for &byte in text.as_bytes() {
                match partial.step_utf8(byte) {
                    Piece::Part(next) => {
                        assert!(next
                            .ranges()
                            .iter()
                            .flatten()
                            .any(|range| (range.0..=range.1).contains(&character)));
                        partial = next;
                    }
                    Piece::Char(done) => assert_eq!(done, character),
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}
