//! Formulas compiled for evaluation on the grid of writable numbers.
//!
//! Every number that can be written is an integer multiple of one smallest step, so bounds, moduli and candidates become
//! integers once, here: a bound between two steps moves to the next one, a modulus to the integers that it means on the grid.
use super::decimal::Decimal;
use super::{Grid, NumberFormula};
use num_bigint::{BigInt, BigUint};
use std::sync::Arc;

/// One question about a number, in steps of the grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Atom {
    AtLeast(BigInt),
    /// Index into the moduli of the program.
    Multiple(usize),
    /// Index into the lists of the program.
    OneOf(usize),
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Constant(bool),
    Atom(usize),
    And(usize),
    Or(usize),
    ExactlyOne(usize),
    Not,
}

/// A modulus `10^tens * rest` in steps of the grid; `rest` is no multiple of ten and holds `twos` twos or `fives` fives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Modulus {
    pub value: BigUint,
    pub tens: i64,
    pub rest: BigUint,
    pub twos: u64,
    pub fives: u64,
    /// `rest` without its twos and fives.
    pub odd: BigUint,
}

impl Modulus {
    pub fn new(value: BigUint) -> Modulus {
        let twos = value.trailing_zeros().unwrap_or(0);
        let (odd, fives) = without_fives(&value >> twos);
        Modulus::of_factors(value, twos, fives, odd)
    }

    /// `mantissa` times a power of ten. The factors of the power are known: dividing them out of a number of 500 digits would
    /// cost more than all else that an `integer` asks for.
    fn scaled(mantissa: &BigUint, power: u32, grid: &Grid) -> Modulus {
        let twos = mantissa.trailing_zeros().unwrap_or(0);
        let (odd, fives) = without_fives(mantissa >> twos);
        let power_of_ten = match grid.powers.get(power as usize) {
            Some(known) => mantissa * known,
            None => mantissa * BigUint::from(10u8).pow(power),
        };
        Modulus::of_factors(power_of_ten, twos + u64::from(power), fives + u64::from(power), odd)
    }

    /// `value` is `odd` times so many twos and fives.
    fn of_factors(value: BigUint, twos: u64, fives: u64, odd: BigUint) -> Modulus {
        let tens = twos.min(fives);
        Modulus {
            rest: (&odd * BigUint::from(5u8).pow((fives - tens) as u32)) << (twos - tens),
            value,
            tens: tens as i64,
            twos: twos - tens,
            fives: fives - tens,
            odd,
        }
    }
}

/// The largest power of five in a machine word, and its exponent.
const MANY_FIVES: (u64, u64) = (5u64.pow(27), 27);

/// A positive number without its factors of five, and how many there were.
pub(super) fn without_fives(mut value: BigUint) -> (BigUint, u64) {
    let mut count = 0;
    for (factor, fives) in [MANY_FIVES, (5, 1)] {
        while value != BigUint::ZERO && &value % factor == BigUint::ZERO {
            value /= factor;
            count += fives;
        }
    }
    (value, count)
}

/// A candidate of `OneOf`, in steps of the grid and as a decimal.
pub(super) type Candidates = Arc<[(BigInt, Decimal)]>;

/// The goal and the parts over one list of atoms.
#[derive(Default)]
pub(super) struct Program {
    pub atoms: Vec<Atom>,
    pub moduli: Vec<Modulus>,
    pub lists: Vec<Candidates>,
    goal: Vec<Op>,
    parts: Vec<Vec<Op>>,
}

impl Program {
    pub fn new(grid: &Grid, goal: &NumberFormula, parts: &[NumberFormula]) -> Program {
        let mut program = Program::default();
        program.goal = program.compile(grid, goal);
        program.parts = parts.iter().map(|part| program.compile(grid, part)).collect();
        program
    }

    /// Postfix code; a formula may be nested deeper than the machine's stack.
    fn compile(&mut self, grid: &Grid, formula: &NumberFormula) -> Vec<Op> {
        let (mut code, mut stack) = (Vec::new(), vec![formula]);
        // Built back to front: an operator before its operands, the last operand first.
        while let Some(formula) = stack.pop() {
            let op = match formula {
                NumberFormula::And(parts) => Op::And(push(&mut stack, parts)),
                NumberFormula::Or(parts) => Op::Or(push(&mut stack, parts)),
                NumberFormula::ExactlyOne(parts) => Op::ExactlyOne(push(&mut stack, parts)),
                NumberFormula::Not(part) => {
                    stack.push(part);
                    Op::Not
                }
                _ => self.compile_atom(grid, formula),
            };
            code.push(op);
        }
        code.reverse();
        code
    }

    fn compile_atom(&mut self, grid: &Grid, formula: &NumberFormula) -> Op {
        match formula {
            NumberFormula::True => Op::Constant(true),
            NumberFormula::Integer => self.multiple_of(grid, &Decimal::from_digits(false, "1", 0)),
            NumberFormula::AtLeast(bound) => self.bound(grid, bound, false),
            NumberFormula::MoreThan(bound) => self.bound(grid, bound, true),
            NumberFormula::MultipleOf(modulus) => self.multiple_of(grid, modulus),
            NumberFormula::OneOf(values) => self.one_of(grid, values),
            _ => Op::Constant(false),
        }
    }

    fn atom(&mut self, atom: Atom) -> Op {
        let found = self.atoms.iter().position(|known| *known == atom);
        Op::Atom(found.unwrap_or_else(|| {
            self.atoms.push(atom);
            self.atoms.len() - 1
        }))
    }

    fn bound(&mut self, grid: &Grid, bound: &Decimal, strict: bool) -> Op {
        if !bound.is_zero() && bound.magnitude() > grid.max_magnitude() {
            return Op::Constant(bound.is_negative());
        }
        let steps = match bound.scaled(grid.places) {
            Some(steps) if strict => steps + 1,
            Some(steps) => steps,
            None => ceiling(grid, bound),
        };
        self.atom(Atom::AtLeast(steps))
    }

    fn multiple_of(&mut self, grid: &Grid, modulus: &Decimal) -> Op {
        if modulus.is_zero() || modulus.magnitude() > grid.max_magnitude() {
            return self.one_of(grid, &[Decimal::zero()]);
        }
        let (mantissa, power) = (modulus.mantissa(), modulus.exponent() + grid.places);
        let modulus = if power >= 0 {
            Modulus::scaled(&mantissa, power as u32, grid)
        } else {
            // Each power of ten below the grid cancels one two and one five.
            let spare = power.unsigned_abs();
            let twos = mantissa.trailing_zeros().unwrap_or(0);
            let (odd, fives) = without_fives(&mantissa >> twos);
            Modulus::new((odd * BigUint::from(5u8).pow(fives.saturating_sub(spare) as u32)) << twos.saturating_sub(spare))
        };
        let found = self.moduli.iter().position(|known| known.value == modulus.value);
        let number = found.unwrap_or_else(|| {
            self.moduli.push(modulus);
            self.moduli.len() - 1
        });
        self.atom(Atom::Multiple(number))
    }

    fn one_of(&mut self, grid: &Grid, values: &[Decimal]) -> Op {
        let mut list: Vec<(BigInt, Decimal)> = values
            .iter()
            .filter(|value| value.is_zero() || value.magnitude() <= grid.max_magnitude())
            .filter_map(|value| Some((value.scaled(grid.places)?, value.clone())))
            .collect();
        list.sort();
        list.dedup();
        if list.is_empty() {
            return Op::Constant(false);
        }
        let found = self.lists.iter().position(|known| **known == list[..]);
        let number = found.unwrap_or_else(|| {
            self.lists.push(list.into());
            self.lists.len() - 1
        });
        self.atom(Atom::OneOf(number))
    }

    /// Whether each atom holds of a number of so many steps.
    pub fn answers(&self, steps: &BigInt) -> Vec<bool> {
        self.atoms
            .iter()
            .map(|atom| match atom {
                Atom::AtLeast(bound) => steps >= bound,
                Atom::Multiple(number) => (steps.magnitude() % &self.moduli[*number].value) == BigUint::ZERO,
                Atom::OneOf(number) => self.lists[*number].binary_search_by(|known| known.0.cmp(steps)).is_ok(),
            })
            .collect()
    }

    /// Whether the goal holds, given the answers to the atoms.
    pub fn goal_holds(&self, answers: &[bool]) -> bool {
        run(&self.goal, answers)
    }

    /// Bit i is set where part i holds.
    pub fn verdicts(&self, answers: &[bool]) -> u64 {
        let bits = self.parts.iter().enumerate();
        bits.map(|(i, part)| u64::from(run(part, answers)) << i).sum()
    }
}

fn push<'a>(stack: &mut Vec<&'a NumberFormula>, parts: &'a [NumberFormula]) -> usize {
    stack.extend(parts);
    parts.len()
}

/// The first step of the grid at or above a bound that lies between two.
fn ceiling(grid: &Grid, bound: &Decimal) -> BigInt {
    let below = -(bound.exponent() + grid.places);
    let digits = bound.digits();
    let kept = digits.len().saturating_sub(usize::try_from(below).unwrap_or(usize::MAX));
    let floor = BigInt::from(BigUint::parse_bytes(&digits[..kept], 10).unwrap_or_default());
    if bound.is_negative() {
        -floor
    } else {
        floor + 1
    }
}

fn run(code: &[Op], answers: &[bool]) -> bool {
    let mut stack: Vec<bool> = Vec::with_capacity(8);
    for op in code {
        let value = match *op {
            Op::Constant(value) => value,
            Op::Atom(number) => answers[number],
            Op::Not => !stack.pop().expect("an operand stands before its operator"),
            Op::And(count) | Op::Or(count) | Op::ExactlyOne(count) => {
                let held = stack.drain(stack.len() - count..).filter(|&value| value).count();
                match op {
                    Op::And(_) => held == count,
                    Op::Or(_) => held > 0,
                    _ => held == 1,
                }
            }
        };
        stack.push(value);
    }
    stack.pop().expect("a formula leaves its value")
}
