//! Parametric rules: `rule::_`, values such as `rule::incr([0:3])`, conditions such as `%if lt([0:3], 5)`.
//!
//! The parameter is a number of 64 bits. Every value that is reached makes a rule of its own, so what is left is an
//! ordinary grammar; `max_rule_instances` bounds their number.
use super::lexer::Kind;
use super::scope::{GiveUp, Reader};
use super::MAX_CONDITION_NESTING;
use penstock_automata::Limit;

/// The bits `low..high` of a parameter.
#[derive(Clone, Copy)]
struct Bits {
    low: u32,
    high: u32,
}

impl Bits {
    /// As many ones as there are bits.
    fn ones(self) -> u64 {
        match self.high - self.low {
            64 => u64::MAX,
            width => (1 << width) - 1,
        }
    }

    fn of(self, value: u64) -> u64 {
        match self.low {
            64 => 0,
            low => value >> low & self.ones(),
        }
    }

    /// One in the lowest of the bits.
    fn unit(self) -> u64 {
        1u64.checked_shl(self.low).unwrap_or(0)
    }
}

const VALUE_HINT: &str = "write a number, `_`, `incr(_)`, `decr(_)`, `set_bit(k)`, `clear_bit(k)`, `bit_and(v)` or `bit_or(v)`";
const CONDITION_HINT: &str =
    "write `true`, `bit_set(k)`, `bit_clear(k)`, `is_ones(r)`, `is_zeros(r)`, `eq(r, v)` or one of `ne lt le gt ge`, \
     `bit_count_eq(r, k)` and its kin, `and(c, c)`, `or(c, c)`, `not(c)`";

impl Reader<'_> {
    /// The value behind `::`.
    pub fn read_parameter(&mut self) -> Result<u64, GiveUp> {
        let offset = self.offset();
        match self.take().map(|lexeme| &lexeme.kind) {
            Some(Kind::Number(_)) => {
                self.at -= 1;
                self.number()
            }
            Some(Kind::Name(name)) if name == "_" => self.own_value(offset),
            Some(Kind::Name(name)) => {
                let name = name.clone();
                let value = self.own_value(offset)?;
                self.sign("(")?;
                let result = match name.as_str() {
                    "set_bit" => value | 1 << self.bit()?,
                    "clear_bit" => value & !(1 << self.bit()?),
                    "bit_and" => value & self.number()?,
                    "bit_or" => value | self.number()?,
                    "incr" | "decr" => {
                        let bits = self.bits()?;
                        match (name.as_str(), bits.of(value)) {
                            ("incr", count) if count == bits.ones() => value,
                            ("incr", _) => value + bits.unit(),
                            (_, 0) => value,
                            _ => value - bits.unit(),
                        }
                    }
                    _ => return self.fail(offset, format!("`{name}` is no function of a parameter"), VALUE_HINT),
                };
                self.sign(")")?;
                Ok(result)
            }
            _ => self.fail(offset, "a parameter is missing behind `::`", VALUE_HINT),
        }
    }

    /// The parameter of the rule that is being read.
    fn own_value(&mut self, offset: usize) -> Result<u64, GiveUp> {
        match self.current.1 {
            Some(value) => Ok(value),
            None => self.fail(offset, "this rule has no parameter", "define it as `name::_ : ...`"),
        }
    }

    /// The condition behind `%if`.
    pub fn read_condition(&mut self, offset: usize) -> Result<bool, GiveUp> {
        self.condition(offset, 0)
    }

    /// Recursion is bounded by `max_condition_nesting`.
    fn condition(&mut self, start: usize, depth: usize) -> Result<bool, GiveUp> {
        if depth > MAX_CONDITION_NESTING {
            let limit = Limit {
                name: "max_condition_nesting",
                configured: MAX_CONDITION_NESTING as u64,
            };
            self.mistakes.limit(start, limit, "write several alternatives");
            return Err(GiveUp);
        }
        let offset = self.offset();
        let name = self.take_name("a condition is missing", CONDITION_HINT)?;
        if name == "true" {
            if self.take_sign("(") {
                self.sign(")")?;
            }
            return Ok(true);
        }
        let value = self.own_value(offset)?;
        self.sign("(")?;
        let holds = match name.as_str() {
            "not" => !self.condition(start, depth + 1)?,
            "and" | "or" => {
                let first = self.condition(start, depth + 1)?;
                self.sign(",")?;
                let second = self.condition(start, depth + 1)?;
                match name == "and" {
                    true => first && second,
                    false => first || second,
                }
            }
            "bit_set" => value >> self.bit()? & 1 == 1,
            "bit_clear" => value >> self.bit()? & 1 == 0,
            _ => self.comparison(&name, value, offset)?,
        };
        self.sign(")")?;
        Ok(holds)
    }

    /// A condition on a range of bits.
    fn comparison(&mut self, name: &str, value: u64, offset: usize) -> Result<bool, GiveUp> {
        let (counts, how) = match name.strip_prefix("bit_count_") {
            Some(how) => (true, how),
            None => (false, name),
        };
        if !["is_ones", "is_zeros", "eq", "ne", "lt", "le", "gt", "ge"].contains(&how) {
            return self.fail(offset, format!("`{name}` is no condition"), CONDITION_HINT);
        }
        let bits = self.bits()?;
        let mut left = bits.of(value);
        if how == "is_ones" || how == "is_zeros" {
            return Ok(left == if how == "is_ones" { bits.ones() } else { 0 });
        }
        if counts {
            left = u64::from(left.count_ones());
        }
        self.sign(",")?;
        let right = self.number()?;
        Ok(match how {
            "eq" => left == right,
            "ne" => left != right,
            "lt" => left < right,
            "le" => left <= right,
            "gt" => left > right,
            _ => left >= right,
        })
    }

    fn sign(&mut self, sign: &str) -> Result<(), GiveUp> {
        let offset = self.offset();
        match self.take_sign(sign) {
            true => Ok(()),
            false => self.fail(offset, format!("`{sign}` is missing"), "close the brackets of the parameter"),
        }
    }

    fn number(&mut self) -> Result<u64, GiveUp> {
        let offset = self.offset();
        let read = match self.take().map(|lexeme| &lexeme.kind) {
            Some(Kind::Number(digits)) => match digits.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16).ok(),
                None => digits.parse().ok(),
            },
            _ => None,
        };
        match read {
            Some(number) => Ok(number),
            None => self.fail(offset, "this is no number of 64 bits", "write `12` or `0x0c`"),
        }
    }

    fn bit(&mut self) -> Result<u32, GiveUp> {
        let offset = self.offset();
        match self.number()? {
            bit @ 0..=63 => Ok(bit as u32),
            bit => self.fail(offset, format!("there is no bit `{bit}`"), "bits are numbered from 0 to 63"),
        }
    }

    /// `_` or `[low:high]`
    fn bits(&mut self) -> Result<Bits, GiveUp> {
        let offset = self.offset();
        if matches!(self.peek().map(|lexeme| &lexeme.kind), Some(Kind::Name(name)) if name == "_") {
            self.at += 1;
            return Ok(Bits { low: 0, high: 64 });
        }
        self.sign("[")?;
        let low = self.number()?;
        self.sign(":")?;
        let high = self.number()?;
        self.sign("]")?;
        match low < high && high <= 64 {
            true => Ok(Bits {
                low: low as u32,
                high: high as u32,
            }),
            false => self.fail(
                offset,
                format!("`[{low}:{high}]` are no bits"),
                "write `[low:high]` with low < high <= 64",
            ),
        }
    }
}
