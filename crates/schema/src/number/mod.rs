//! JSON number literals as machines over bytes, with exact arithmetic.
//!
//! That `100e-2` is an integer is no regular fact, so a number is a machine with registers. A [`NumberSpec`] is what is asked of
//! it: a goal that must hold and parts whose verdicts are wanted. A state stands for all prefixes with the same future; a prefix
//! from which no literal of the universe meets the goal has none. States are built when bytes arrive and are kept.
//!
//! *Universe*: RFC 8259 numbers with at most `max_number_digits` digits in the mantissa, an exponent of at most
//! `max_number_exponent` either way, written with at most one digit more than that needs (so `e+05` is in), and finite as a
//! double. *Representation*: every such number is an integer multiple of one smallest step, so all arithmetic is on integers.
//! Next: `program.rs` (formulas), `cells.rs` (the number line, cut), `search.rs` (liveness), `keys.rs` (when states are equal).
mod cells;
mod decimal;
mod exponent;
mod keys;
mod machine;
mod prefix;
mod program;
mod search;
#[cfg(test)]
mod tests;

pub use decimal::Decimal;
pub use machine::{NumberSpec, NumberState, Numbers, PlaceKey};

use cells::Side;
use keys::{Comparator, DigitList};
use num_bigint::{BigInt, BigUint};
use penstock_automata::Limit;
use program::{Atom, Program};
use std::sync::Arc;

/// `max_number_digits`: how many digits a mantissa may have in all.
pub const MAX_NUMBER_DIGITS: u32 = 128;
/// `max_number_exponent`: the largest absolute value of a written exponent.
pub const MAX_NUMBER_EXPONENT: u32 = 400;
/// `max_number_moduli`: how many different moduli one spec may ask about.
pub(crate) const MAX_MODULI: usize = 12;
/// `max_number_work`: how many scales one liveness question may try.
pub(crate) const MAX_WORK: u64 = 1_000_000;

/// What may be asked of a number. Values count, not spellings: `1.0` is `Integer`, and `-0` is 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NumberFormula {
    /// Every number.
    True,
    /// No number.
    False,
    /// Integral values.
    Integer,
    /// The bound or more.
    AtLeast(Decimal),
    /// More than the bound.
    MoreThan(Decimal),
    /// Integral multiples; of zero, only zero.
    MultipleOf(Decimal),
    /// One of these values.
    OneOf(Arc<[Decimal]>),
    /// All of these; every number if there are none.
    And(Vec<NumberFormula>),
    /// At least one of these; no number if there are none.
    Or(Vec<NumberFormula>),
    /// One of these and no other.
    ExactlyOne(Vec<NumberFormula>),
    /// Not this.
    Not(Box<NumberFormula>),
}

/// The universe: the limits, and the numbers as multiples of one step of ten to the `-places`.
pub(crate) struct Grid {
    max_digits: i64,
    max_exponent: i64,
    max_exponent_digits: u32,
    /// The step of the grid is ten to the power of minus this.
    places: i64,
    /// The least absolute value, in steps, that is no finite double any more.
    bound: BigUint,
    /// The digits of `bound`, without zeros at the end.
    bound_digits: Vec<u8>,
    powers: Vec<BigUint>,
}

impl Grid {
    fn new(max_digits: u32, max_exponent: u32) -> Grid {
        let places = i64::from(max_digits) + i64::from(max_exponent);
        let mut powers = vec![BigUint::from(1u8)];
        for i in 0..2 * places as usize + 1 {
            powers.push(&powers[i] * 10u8);
        }
        // Halfway between the largest double and the next power of two; ties round up, to infinity.
        let bound = (BigUint::from(1u8) << 1024u32) - (BigUint::from(1u8) << 970u32);
        Grid {
            max_digits: max_digits.into(),
            max_exponent: max_exponent.into(),
            max_exponent_digits: max_exponent.to_string().len() as u32 + 1,
            places,
            bound_digits: bound.to_string().trim_end_matches('0').into(),
            bound: bound * &powers[places as usize],
            powers,
        }
    }

    fn power(&self, exponent: i64) -> &BigUint {
        &self.powers[exponent as usize]
    }

    /// A number whose first digit stands at a higher power of ten is no finite double.
    fn max_magnitude(&self) -> i64 {
        308
    }
}

/// A goal and parts, prepared.
pub(crate) struct Spec {
    program: Program,
    /// What can meet the goal above and below zero, or why that was not found out.
    sides: Result<[Side; 2], Limit>,
    comparators: Vec<Comparator>,
    lists: Vec<DigitList>,
}

impl Spec {
    fn new(grid: &Grid, goal: &NumberFormula, parts: &[NumberFormula]) -> Spec {
        let program = Program::new(grid, goal, parts);
        let sides = Side::new(&program, grid, false).and_then(|above| Ok([above, Side::new(&program, grid, true)?]));
        let finite = |negative| Comparator {
            negative,
            magnitude: grid.max_magnitude(),
            digits: grid.bound_digits.clone(),
        };
        let mut comparators = vec![finite(false), finite(true)];
        for atom in &program.atoms {
            match atom {
                Atom::AtLeast(bound) if *bound != BigInt::ZERO => comparators.push(comparator(bound, grid)),
                _ => {}
            }
        }
        let lists = DigitList::all(&program);
        Spec {
            program,
            sides,
            comparators,
            lists,
        }
    }

    /// The verdicts of a number of so many steps, if it is finite and meets the goal.
    fn outcome(&self, steps: &BigInt, grid: &Grid) -> Option<u64> {
        if *steps.magnitude() >= grid.bound {
            return None;
        }
        let answers = self.program.answers(steps);
        self.program.goal_holds(&answers).then(|| self.program.verdicts(&answers))
    }

    fn side(&self, negative: bool) -> Result<&Side, Limit> {
        match &self.sides {
            Ok(sides) => Ok(&sides[usize::from(negative)]),
            Err(limit) => Err(limit.clone()),
        }
    }
}

fn comparator(steps: &BigInt, grid: &Grid) -> Comparator {
    let digits = steps.magnitude().to_string();
    Comparator {
        negative: *steps < BigInt::ZERO,
        magnitude: digits.len() as i64 - 1 - grid.places,
        digits: digits.trim_end_matches('0').into(),
    }
}
