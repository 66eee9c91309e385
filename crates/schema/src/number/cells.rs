//! The numbers of one sign, cut where a bound or a candidate lies, and which of the pieces can meet the goal.
//!
//! Inside a piece only divisibility is open, so a piece keeps the sets of moduli whose verdicts meet the goal.
use super::program::{without_fives, Atom, Modulus, Program};
use super::{Grid, MAX_MODULI};
use num_bigint::{BigInt, BigUint, Sign};
use penstock_automata::Limit;

/// A single number that meets the goal, without its sign.
pub(super) struct Point {
    /// Digits without zeros at either end; empty for zero.
    pub digits: Vec<u8>,
    /// The power of ten of the last digit.
    pub exponent: i64,
}

/// The numbers strictly between two marks, without their sign, in steps of the grid.
pub(super) struct Cell {
    pub low: BigUint,
    pub high: BigUint,
    /// Not more than the number of decimal digits of `low`, and not less than that of `high`.
    pub least_length: i64,
    pub most_length: i64,
    pub choices: Vec<Choice>,
}

/// Multiples of one number that are no multiples of others.
#[derive(Clone)]
pub(super) struct Choice {
    pub multiple: Modulus,
    /// Whether any modulus is asked for; if not, `multiple` is one step.
    pub is_multiple: bool,
    /// Not more than the number of decimal digits of `multiple`.
    pub least_length: i64,
    pub no_multiples: Vec<BigUint>,
}

/// What can meet the goal on one side of zero.
#[derive(Default)]
pub(super) struct Side {
    pub points: Vec<Point>,
    pub cells: Vec<Cell>,
}

impl Side {
    /// # Errors
    /// `max_number_moduli`: the search is exponential in the number of different moduli.
    pub fn new(program: &Program, grid: &Grid, negative: bool) -> Result<Side, Limit> {
        if program.moduli.len() > MAX_MODULI {
            return Err(Limit {
                name: "max_number_moduli",
                configured: MAX_MODULI as u64,
            });
        }
        let marks = marks(program, grid, negative);
        let mut side = Side::default();
        let mut known: Option<(Vec<bool>, Vec<Choice>)> = None;
        for (i, low) in marks.iter().enumerate() {
            let answers = program.answers(&signed(low, negative));
            if program.goal_holds(&answers) {
                side.points.push(point(low, grid));
            }
            let high = marks.get(i + 1).unwrap_or(&grid.bound);
            let inside = inside(program, low, negative);
            if known.as_ref().is_none_or(|known| known.0 != inside) {
                known = Some((inside.clone(), choices(program, inside)));
            }
            let choices = known.as_ref().map(|known| known.1.clone()).unwrap_or_default();
            if !choices.is_empty() && low + 1u8 < *high {
                side.cells.push(Cell {
                    least_length: least_length(low),
                    most_length: most_length(high),
                    low: low.clone(),
                    high: high.clone(),
                    choices,
                });
            }
        }
        Ok(side)
    }
}

impl Side {
    /// Not more than the number of values on this side.
    pub fn least_count(&self, grid: &Grid) -> u64 {
        let cells = self.cells.iter().map(|cell| cell.least_count(grid));
        cells.fold(self.points.len() as u64, u64::saturating_add)
    }
}

/// Numbers beyond ten to this power are not counted, nor digits behind the point beyond [`COUNTED_PLACES`].
const COUNTED_DIGITS: i64 = 15;
const COUNTED_PLACES: [i64; 5] = [0, 3, 12, 40, 100];

impl Cell {
    fn least_count(&self, grid: &Grid) -> u64 {
        let high = (&self.high - 1u8).min(grid.power(grid.places + COUNTED_DIGITS).clone());
        let counts = self.choices.iter().flat_map(|choice| {
            let steps: Vec<BigUint> = match choice.is_multiple {
                true => vec![choice.multiple.value.clone()],
                false => COUNTED_PLACES
                    .iter()
                    .filter(|&&places| places <= grid.places)
                    .map(|places| grid.power(grid.places - places).clone())
                    .collect(),
            };
            let high = &high;
            steps
                .into_iter()
                .map(move |step| choice.least_count(&step, &self.low, high, grid))
        });
        counts.max().unwrap_or(0)
    }
}

impl Choice {
    /// Multiples of `step` above `low`, not above `high`, that count for this choice.
    fn least_count(&self, step: &BigUint, low: &BigUint, high: &BigUint, grid: &Grid) -> u64 {
        // Every multiple of the step must be a number of the universe: few enough digits.
        let zeros = Modulus::new(step.clone()).tens;
        let most_digits = grid.places + COUNTED_DIGITS + 1 - zeros;
        if low >= high || most_digits > grid.max_digits {
            return 0;
        }
        let multiples = |step: &BigUint| high / step - low / step;
        let mut count = multiples(step);
        for other in &self.no_multiples {
            let lost = multiples(&least_common_multiple(step, other));
            count = if lost < count { count - lost } else { BigUint::ZERO };
        }
        u64::try_from(count).unwrap_or(u64::MAX)
    }
}

fn signed(steps: &BigUint, negative: bool) -> BigInt {
    let sign = if negative { Sign::Minus } else { Sign::Plus };
    BigInt::from_biguint(sign, steps.clone())
}

/// Zero, the bounds and the candidates on this side, without their sign, ascending.
fn marks(program: &Program, grid: &Grid, negative: bool) -> Vec<BigUint> {
    let mut marks = vec![BigUint::ZERO];
    let mut add = |value: &BigInt| {
        let wrong = if negative { Sign::Plus } else { Sign::Minus };
        if value.sign() != wrong && *value.magnitude() < grid.bound {
            marks.push(value.magnitude().clone());
        }
    };
    for atom in &program.atoms {
        match atom {
            Atom::AtLeast(bound) => add(bound),
            Atom::OneOf(number) => program.lists[*number].iter().for_each(|known| add(&known.0)),
            Atom::Multiple(_) => {}
        }
    }
    marks.sort_unstable();
    marks.dedup();
    marks
}

/// The answers just beyond a mark, away from zero; those on divisibility are left false.
fn inside(program: &Program, low: &BigUint, negative: bool) -> Vec<bool> {
    let atoms = program.atoms.iter();
    atoms
        .map(|atom| match atom {
            // Beyond a mark -b, away from zero, lies what is below -b.
            Atom::AtLeast(bound) if negative => signed(low, true) > *bound,
            Atom::AtLeast(bound) => signed(low, false) >= *bound,
            _ => false,
        })
        .collect()
}

/// The sets of moduli that meet the goal, given the other answers.
fn choices(program: &Program, mut answers: Vec<bool>) -> Vec<Choice> {
    let mut out = Vec::new();
    for set in 0u32..1 << program.moduli.len() {
        for (answer, atom) in answers.iter_mut().zip(&program.atoms) {
            if let Atom::Multiple(number) = atom {
                *answer = set >> number & 1 == 1;
            }
        }
        if program.goal_holds(&answers) {
            out.extend(choice(program, set));
        }
    }
    out
}

/// `None` where what must divide implies what must not.
fn choice(program: &Program, set: u32) -> Option<Choice> {
    let (mut multiples, mut no_multiples) = (Vec::new(), Vec::new());
    for (number, modulus) in program.moduli.iter().enumerate() {
        match set >> number & 1 {
            1 => multiples.push(modulus),
            _ => no_multiples.push(modulus.value.clone()),
        }
    }
    let multiple = match multiples[..] {
        [only] => only.clone(),
        _ => Modulus::new(multiples.iter().fold(BigUint::from(1u8), |multiple, modulus| {
            least_common_multiple(&multiple, &modulus.value)
        })),
    };
    let implied = no_multiples.iter().any(|no| &multiple.value % no == BigUint::ZERO);
    (!implied).then(|| Choice {
        least_length: least_length(&multiple.value),
        multiple,
        is_multiple: set != 0,
        no_multiples,
    })
}

fn least_common_multiple(a: &BigUint, b: &BigUint) -> BigUint {
    a / greatest_common_divisor(a, b) * b
}

fn greatest_common_divisor(a: &BigUint, b: &BigUint) -> BigUint {
    let (mut a, mut b) = (a.clone(), b.clone());
    while b != BigUint::ZERO {
        (a, b) = (b.clone(), a % b);
    }
    a
}

/// At most the number of decimal digits, and at most two below it: a length from the bits, without a division.
fn least_length(value: &BigUint) -> i64 {
    (value.bits() as i64 * 30_103 / 100_000 - 1).max(0)
}

/// At least the number of decimal digits, and at most two above it.
fn most_length(value: &BigUint) -> i64 {
    value.bits() as i64 * 30_103 / 100_000 + 2
}

fn point(steps: &BigUint, grid: &Grid) -> Point {
    // Most marks are short integers: spelling out all places would cost more than all the rest.
    let one = grid.power(grid.places);
    let (steps, places) = match steps % one == BigUint::ZERO {
        true => (&(steps / one), 0),
        false => (steps, grid.places),
    };
    let text = steps.to_string();
    let digits = text.trim_end_matches('0');
    Point {
        exponent: (text.len() - digits.len()) as i64 - places,
        digits: digits.as_bytes().to_vec(),
    }
}

impl Choice {
    /// The least common multiple of the multiple and a power of ten.
    pub fn step(&self, power: i64) -> BigUint {
        let twos = (self.multiple.twos as i64 + self.multiple.tens).max(power);
        let fives = (self.multiple.fives as i64 + self.multiple.tens).max(power);
        (&self.multiple.odd * BigUint::from(5u8).pow(fives as u32)) << twos
    }

    /// The first multiple of `step` within `low..=high` that is none of the others.
    ///
    /// Among 2^q consecutive integers one is no multiple of any of q numbers above 1, so the search is short.
    pub fn first_within(&self, step: &BigUint, low: &BigUint, high: &BigUint) -> Option<BigUint> {
        if self.no_multiples.iter().any(|no| step % no == BigUint::ZERO) {
            return None;
        }
        let mut value = (low + step - 1u8) / step * step;
        for _ in 0..1u32 << self.no_multiples.len() {
            if value > *high {
                return None;
            }
            if self.no_multiples.iter().all(|no| &value % no != BigUint::ZERO) {
                return Some(value);
            }
            value += step;
        }
        None
    }
}

/// Twos and fives of a positive number, used by the keys of states.
pub(super) fn factors(value: &BigUint) -> (u64, u64) {
    let twos = value.trailing_zeros().unwrap_or(0);
    (twos, without_fives(value >> twos).1)
}
