//! What the future of a mantissa depends on: two mantissas with equal keys are one state.
use super::cells::factors;
use super::prefix::{Mantissa, Stage};
use super::program::{Modulus, Program};
use super::{Grid, Spec};
use num_bigint::BigUint;
use std::cmp::Ordering;

/// A bound away from zero: a number of one sign that others are compared with, digit by digit.
pub(super) struct Comparator {
    pub negative: bool,
    pub digits: Vec<u8>,
    /// The power of ten of the first digit.
    pub magnitude: i64,
}

/// The digits of the candidates of one list and sign, sorted, without repetition.
pub(super) struct DigitList {
    negative: bool,
    digits: Vec<Vec<u8>>,
}

impl DigitList {
    pub fn all(program: &Program) -> Vec<DigitList> {
        let mut out = Vec::new();
        for list in &program.lists {
            for negative in [false, true] {
                let candidates = list.iter().map(|known| &known.1);
                let mut digits: Vec<Vec<u8>> = candidates
                    .filter(|candidate| candidate.is_negative() == negative && !candidate.is_zero())
                    .map(|candidate| candidate.digits().to_vec())
                    .collect();
                digits.sort_unstable();
                digits.dedup();
                out.push(DigitList { negative, digits });
            }
        }
        out
    }

    /// The candidates that go on with the digits, and the one that is them but for zeros at the end.
    fn compatible(&self, significant: &[u8]) -> [i64; 3] {
        let first = self.digits.partition_point(|digits| &digits[..] < significant);
        let rest = &self.digits[first..];
        let last = first + rest.partition_point(|digits| digits.starts_with(significant));
        let zeros = significant.iter().rev().take_while(|&&digit| digit == b'0').count();
        let stripped = &significant[..significant.len() - zeros];
        let exact = self.digits.binary_search_by(|digits| digits[..].cmp(stripped));
        match (first == last, exact) {
            (true, Err(_)) => [-1; 3],
            (true, Ok(exact)) => [-1, -1, exact as i64],
            (false, exact) => [first as i64, last as i64, exact.map_or(-1, |exact| exact as i64)],
        }
    }
}

/// The least exponent with which the value is a multiple; `None` if no exponent does it.
///
/// Only for values other than zero, which is a multiple of everything.
pub(super) fn least_exponent(modulus: &Modulus, mantissa: &Mantissa, grid: &Grid) -> Option<i64> {
    if &mantissa.coefficient % &modulus.odd != BigUint::ZERO {
        return None;
    }
    let (twos, fives) = factors(&mantissa.coefficient);
    let need_twos = modulus.tens + modulus.twos as i64 - twos as i64;
    let need_fives = modulus.tens + modulus.fives as i64 - fives as i64;
    Some(need_twos.max(need_fives) - grid.places + mantissa.num_places)
}

/// The key of a mantissa within its spec.
///
/// A digit more is decided by the number of digits so far, the place of the first one, how the digits compare with each bound
/// and list, and the residues; so the key of what follows depends on this key and the next byte alone.
pub(super) fn mantissa_key(spec: &Spec, mantissa: &Mantissa, grid: &Grid) -> (Vec<i64>, Vec<BigUint>) {
    let stage = match mantissa.stage {
        Stage::Zero => 0,
        Stage::Whole => 1,
        Stage::Point => 2,
        Stage::Fraction => 3,
    };
    let mut numbers = vec![stage, i64::from(mantissa.negative), mantissa.num_digits, mantissa.num_places];
    let mut residues = Vec::new();
    if mantissa.is_zero() {
        return (numbers, residues);
    }
    numbers.push(mantissa.magnitude());
    for mark in spec.comparators.iter().filter(|mark| mark.negative == mantissa.negative) {
        numbers.push(compare(&mantissa.significant, &mark.digits) as i64);
    }
    for list in spec.lists.iter().filter(|list| list.negative == mantissa.negative) {
        numbers.extend(list.compatible(&mantissa.significant));
    }
    for modulus in &spec.program.moduli {
        numbers.push(least_exponent(modulus, mantissa, grid).unwrap_or(i64::MAX));
        residues.push(&mantissa.coefficient % &modulus.rest);
    }
    (numbers, residues)
}

/// How the digits compare with as many of the mark's, which has zeros behind its end.
fn compare(significant: &[u8], mark: &[u8]) -> Ordering {
    let length = significant.len().min(mark.len());
    match significant[..length].cmp(&mark[..length]) {
        Ordering::Equal if significant[length..].iter().any(|&digit| digit != b'0') => Ordering::Greater,
        order => order,
    }
}
