//! What is written of an exponent. The mantissa is fixed by then: all that is left of it is which exponents meet the goal.
use super::prefix::Mantissa;
use super::program::{Atom, Program};
use super::{keys, Grid, Spec};

/// For each exponent the verdicts of the number, if it meets the goal: runs of equal answers by their first exponent.
pub(super) type Table = Vec<(i64, Option<u64>)>;

/// How far the exponent has come. The table is named by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Exponent {
    pub table: usize,
    /// `None` just behind the `e`.
    pub negative: Option<bool>,
    pub value: i64,
    pub num_digits: u32,
}

impl Exponent {
    pub fn push(self, byte: u8, grid: &Grid) -> Option<Exponent> {
        match byte {
            b'+' | b'-' if self.negative.is_none() => Some(Exponent {
                negative: Some(byte == b'-'),
                ..self
            }),
            b'0'..=b'9' if self.num_digits < grid.max_exponent_digits => Some(Exponent {
                negative: Some(self.negative.unwrap_or(false)),
                value: self.value * 10 + i64::from(byte - b'0'),
                num_digits: self.num_digits + 1,
                ..self
            }),
            _ => None,
        }
    }

    /// The verdicts if the literal ends here.
    pub fn outcome(self, table: &Table, grid: &Grid) -> Option<u64> {
        let value = if self.negative == Some(true) {
            -self.value
        } else {
            self.value
        };
        match self.num_digits > 0 && self.value <= grid.max_exponent {
            true => lookup(table, value),
            false => None,
        }
    }

    /// The fewest digits (and sign) that lead to an exponent which meets the goal.
    pub fn completion(self, table: &Table, grid: &Grid) -> Option<String> {
        for num_more in 0..=grid.max_exponent_digits - self.num_digits {
            if num_more + self.num_digits == 0 {
                continue;
            }
            let power = 10i64.pow(num_more);
            for more in 0..power {
                let value = self.value * power + more;
                if value > grid.max_exponent {
                    break;
                }
                let digits = match num_more {
                    0 => String::new(),
                    _ => format!("{more:0>width$}", width = num_more as usize),
                };
                if self.negative != Some(true) && lookup(table, value).is_some() {
                    return Some(digits);
                }
                if self.negative != Some(false) && lookup(table, -value).is_some() {
                    let sign = if self.negative.is_none() { "-" } else { "" };
                    return Some(format!("{sign}{digits}"));
                }
            }
        }
        None
    }
}

fn lookup(table: &Table, exponent: i64) -> Option<u64> {
    let after = table.partition_point(|run| run.0 <= exponent);
    table[after - 1].1
}

/// The table of a mantissa. Cost: one evaluation for each place where an answer can change.
pub(super) fn table(spec: &Spec, mantissa: &Mantissa, grid: &Grid) -> Table {
    let mut runs: Table = Vec::new();
    for start in cuts(spec, mantissa, grid) {
        let outcome = spec.outcome(&mantissa.steps(start, grid), grid);
        if runs.last().is_none_or(|last| last.1 != outcome) {
            runs.push((start, outcome));
        }
    }
    runs
}

/// The exponents at which the answer of some atom changes.
fn cuts(spec: &Spec, mantissa: &Mantissa, grid: &Grid) -> Vec<i64> {
    let mut cuts = vec![-grid.max_exponent];
    if !mantissa.is_zero() {
        let magnitude = mantissa.magnitude();
        let mut near = |other: i64| cuts.extend([other - magnitude, other - magnitude + 1]);
        spec.comparators.iter().for_each(|mark| near(mark.magnitude));
        same_digits(&spec.program, mantissa, &mut near);
        for modulus in &spec.program.moduli {
            cuts.extend(keys::least_exponent(modulus, mantissa, grid));
        }
    }
    cuts.retain(|cut| cut.abs() <= grid.max_exponent);
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}

/// The magnitudes of the candidates that have the mantissa's digits.
fn same_digits(program: &Program, mantissa: &Mantissa, near: &mut impl FnMut(i64)) {
    let zeros = mantissa.significant.iter().rev().take_while(|&&digit| digit == b'0').count();
    let digits = &mantissa.significant[..mantissa.significant.len() - zeros];
    for atom in &program.atoms {
        if let Atom::OneOf(number) = atom {
            let candidates = program.lists[*number].iter().map(|known| &known.1);
            candidates
                .filter(|candidate| candidate.digits() == digits && !candidate.is_zero())
                .for_each(|candidate| near(candidate.magnitude()));
        }
    }
}
