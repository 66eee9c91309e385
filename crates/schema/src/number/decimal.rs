//! Exact decimals, compared and hashed by value.
use num_bigint::{BigInt, BigUint, Sign};
use std::cmp::Ordering;

/// `max_decimal_exponent`: exponents beyond it are cut to it. No number that can be written lies out there, so no answer
/// depends on the difference.
const MAX_EXPONENT: i64 = 1_000_000_000_000_000;

/// A decimal number of any size: a mantissa without trailing zeros times a power of ten. `1`, `1.0` and `10e-1` are equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decimal {
    negative: bool,
    /// Digits without leading and trailing zeros; empty for zero.
    digits: Box<str>,
    /// The power of ten of the last digit; 0 for zero.
    exponent: i64,
}

impl Decimal {
    /// The value of a JSON number text; `None` if it is none.
    ///
    /// Cost: linear in the text.
    pub fn parse(text: &str) -> Option<Decimal> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], parse_exponent(&rest[at + 1..])?),
            None => (rest, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (mantissa, ""),
        };
        let plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 1 && whole.starts_with('0') || !plain(whole) || !plain(fraction) {
            return None;
        }
        let digits = format!("{whole}{fraction}");
        Some(Decimal::from_digits(negative, &digits, exponent - fraction.len() as i64))
    }

    /// `digits` times ten to the `exponent`.
    pub(super) fn from_digits(negative: bool, digits: &str, exponent: i64) -> Decimal {
        let leading = digits.trim_start_matches('0');
        let digits = leading.trim_end_matches('0');
        if digits.is_empty() {
            return Decimal::zero();
        }
        Decimal {
            negative,
            digits: digits.into(),
            exponent: exponent + (leading.len() - digits.len()) as i64,
        }
    }

    /// Zero; `-0` is the same number.
    pub fn zero() -> Decimal {
        Decimal {
            negative: false,
            digits: "".into(),
            exponent: 0,
        }
    }

    /// Whether the value is zero.
    pub fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    /// Whether the value is below zero.
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// Whether the value is integral, in whatever spelling.
    pub fn is_integer(&self) -> bool {
        self.exponent >= 0
    }

    /// The significant digits, without zeros at either end.
    pub(super) fn digits(&self) -> &[u8] {
        self.digits.as_bytes()
    }

    /// The power of ten of the last digit.
    pub(super) fn exponent(&self) -> i64 {
        self.exponent
    }

    /// The power of ten of the first digit. Only for values other than zero.
    pub(super) fn magnitude(&self) -> i64 {
        self.exponent + self.digits.len() as i64 - 1
    }

    /// The mantissa, an integer without its sign.
    pub(super) fn mantissa(&self) -> BigUint {
        BigUint::parse_bytes(self.digits(), 10).unwrap_or_default()
    }

    /// The value times ten to the `shift`, if that is an integer.
    pub(super) fn scaled(&self, shift: i64) -> Option<BigInt> {
        let power = u32::try_from(self.exponent + shift).ok().or(self.is_zero().then_some(0))?;
        let sign = if self.negative { Sign::Minus } else { Sign::Plus };
        Some(BigInt::from_biguint(sign, self.mantissa() * BigUint::from(10u8).pow(power)))
    }

    fn cmp_magnitude(&self, other: &Decimal) -> Ordering {
        match (self.is_zero(), other.is_zero()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            // Without trailing zeros, the order of digits is the order of their texts.
            (false, false) => (self.magnitude(), &self.digits).cmp(&(other.magnitude(), &other.digits)),
        }
    }
}

/// The written exponent, cut to `max_decimal_exponent`.
fn parse_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value = digits.trim_start_matches('0');
    let value = if value.len() > 15 {
        MAX_EXPONENT
    } else {
        value.parse().unwrap_or(0)
    };
    Some(if negative { -value } else { value })
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.cmp_magnitude(other),
            (true, true) => other.cmp_magnitude(self),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl std::fmt::Display for Decimal {
    /// A JSON number text of this value.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        match self.exponent {
            _ if self.is_zero() => write!(f, "0"),
            0 => write!(f, "{sign}{}", self.digits),
            1..=20 => write!(f, "{sign}{}{}", self.digits, "0".repeat(self.exponent as usize)),
            -20..=-1 => {
                let places = (-self.exponent) as usize;
                let padded = format!("{:0>width$}", &*self.digits, width = places + 1);
                let (whole, fraction) = padded.split_at(padded.len() - places);
                write!(f, "{sign}{whole}.{fraction}")
            }
            exponent => write!(f, "{sign}{}e{exponent}", self.digits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    fn of(text: &str) -> Decimal {
        Decimal::parse(text).expect("a JSON number")
    }

    #[test]
    fn equal_values_are_equal() {
        for group in [
            vec!["1", "1.0", "1e0", "100e-2", "0.01E+2"],
            vec!["0", "-0", "0.00", "-0e9"],
            vec!["-1.5", "-15e-1"],
        ] {
            for text in &group {
                assert_eq!(of(text), of(group[0]), "{text}");
            }
        }
    }

    #[test]
    fn order_is_that_of_numbers() {
        let sorted = [
            "-1e400",
            "-10",
            "-9.99",
            "-1e-99999999999999999999",
            "0",
            "1e-30",
            "0.1",
            "0.11",
            "0.2",
            "1",
            "9",
            "10",
            "1e999999999999999",
        ];
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                assert_eq!(of(a).cmp(&of(b)), i.cmp(&j), "{a} and {b}");
            }
        }
    }

    #[test]
    fn only_numbers_are_parsed_and_printing_round_trips() {
        for text in [
            "", "-", "01", "1.", ".5", "1e", "1e+", "+1", "0x1", "1 ", "NaN", "1.e5", "--1",
        ] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
        for text in ["0", "-12.5", "1000", "0.001", "1.5e300", "-7e-44", "123456789"] {
            assert_eq!(of(&of(text).to_string()), of(text));
        }
        assert!(of("1.5e1").is_integer() && !of("15e-1").is_integer() && of("0.0").is_integer());
    }
}
