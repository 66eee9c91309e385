//! The machine against a list of every literal of a small universe.
use super::{Decimal, NumberFormula, NumberState, Numbers};
use std::collections::HashMap;

/// A small deterministic source of choices.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) % bound as u64) as usize
    }

    fn decimal(&mut self) -> Decimal {
        let list = [
            "0", "1", "-1", "2", "3", "5", "7", "10", "12", "0.5", "0.05", "-0.25", "99", "100", "-120", "0.001", "1e-9",
            "1e5", "-3e4", "1e400", "2.005",
        ];
        Decimal::parse(list[self.below(list.len())]).unwrap()
    }

    fn modulus(&mut self) -> Decimal {
        let list = [
            "1", "2", "3", "5", "4", "25", "10", "100", "0.1", "0.5", "0.25", "0.3", "7", "0.01", "1e-9", "1e9", "1.5", "6",
        ];
        Decimal::parse(list[self.below(list.len())]).unwrap()
    }

    fn formula(&mut self, depth: usize) -> NumberFormula {
        let choice = self.below(if depth == 0 { 6 } else { 11 });
        let some = |random: &mut Random| (0..1 + random.below(3)).map(|_| random.formula(depth - 1)).collect();
        match choice {
            0 => NumberFormula::Integer,
            1 => NumberFormula::AtLeast(self.decimal()),
            2 => NumberFormula::MoreThan(self.decimal()),
            3 => NumberFormula::MultipleOf(self.modulus()),
            4 => NumberFormula::OneOf((0..self.below(4)).map(|_| self.decimal()).collect()),
            5 => [NumberFormula::True, NumberFormula::False][self.below(2)].clone(),
            6 | 7 => NumberFormula::And(some(self)),
            8 => NumberFormula::Or(some(self)),
            9 => NumberFormula::ExactlyOne(some(self)),
            _ => NumberFormula::Not(Box::new(self.formula(depth - 1))),
        }
    }
}

/// Plain evaluation, apart from the machine's own.
fn holds(formula: &NumberFormula, value: &Decimal) -> bool {
    match formula {
        NumberFormula::True => true,
        NumberFormula::False => false,
        NumberFormula::Integer => value.is_integer(),
        NumberFormula::AtLeast(bound) => value >= bound,
        NumberFormula::MoreThan(bound) => value > bound,
        NumberFormula::MultipleOf(modulus) => {
            let scale = |of: &Decimal| of.scaled(20).expect("small numbers");
            scale(value) % scale(modulus) == 0.into()
        }
        NumberFormula::OneOf(values) => values.contains(value),
        NumberFormula::And(parts) => parts.iter().all(|part| holds(part, value)),
        NumberFormula::Or(parts) => parts.iter().any(|part| holds(part, value)),
        NumberFormula::ExactlyOne(parts) => parts.iter().filter(|part| holds(part, value)).count() == 1,
        NumberFormula::Not(part) => !holds(part, value),
    }
}

/// Every literal of a universe as a trie: (parent, byte, value at the end).
struct Universe {
    nodes: Vec<(usize, u8, Option<Decimal>)>,
    children: HashMap<(usize, u8), usize>,
}

impl Universe {
    fn new(max_digits: usize, max_exponent: i64) -> Universe {
        let mut universe = Universe {
            nodes: vec![(0, 0, None)],
            children: HashMap::new(),
        };
        let mut exponents = vec![String::new()];
        let width = max_exponent.to_string().len() + 1;
        for sign in ["", "+", "-"] {
            for digits in 1..=width {
                let all = (0..=max_exponent).filter(|value| value.to_string().len() <= digits);
                exponents.extend(all.map(|value| format!("e{sign}{value:0>digits$}")));
            }
        }
        for total in 1..=max_digits {
            for number in 0..10usize.pow(total as u32) {
                let digits = format!("{number:0>total$}");
                for whole in 1..=total {
                    universe.add_all(&digits[..whole], &digits[whole..], &exponents);
                }
            }
        }
        universe
    }

    fn add_all(&mut self, whole: &str, fraction: &str, exponents: &[String]) {
        if whole.len() > 1 && whole.starts_with('0') {
            return;
        }
        let point = if fraction.is_empty() { "" } else { "." };
        for sign in ["", "-"] {
            for exponent in exponents {
                self.add(&format!("{sign}{whole}{point}{fraction}{exponent}"));
            }
        }
    }

    fn add(&mut self, text: &str) {
        let mut node = 0;
        for &byte in text.as_bytes() {
            let next = self.nodes.len();
            let child = *self.children.entry((node, byte)).or_insert(next);
            if child == next {
                self.nodes.push((node, byte, None));
            }
            node = child;
        }
        self.nodes[node].2 = Decimal::parse(text);
    }

    /// Walks the machine along the trie: alive exactly where a literal below meets the goal, with the right verdicts.
    fn check(&self, numbers: &mut Numbers, goal: &NumberFormula, parts: &[NumberFormula]) {
        let values = self.nodes.iter().map(|node| node.2.as_ref());
        let good: Vec<bool> = values.map(|value| value.is_some_and(|value| holds(goal, value))).collect();
        let mut live = good.clone();
        for node in (1..live.len()).rev() {
            live[self.nodes[node].0] |= live[node];
        }
        let spec = numbers.spec(goal.clone(), parts.to_vec());
        assert_eq!(numbers.is_live(spec), Ok(live[0]), "{goal:?}");
        let mut states: Vec<Option<NumberState>> = vec![Some(numbers.start(spec))];
        for node in 1..self.nodes.len() {
            let (parent, byte, value) = &self.nodes[node];
            let state = states[*parent].and_then(|state| numbers.step(state, *byte).unwrap());
            assert_eq!(state.is_some(), live[node], "{} of {goal:?}", self.text(node));
            states.push(state);
            let Some(state) = state else { continue };
            assert_eq!(numbers.is_complete(state), good[node], "{} of {goal:?}", self.text(node));
            if let (true, Some(value)) = (good[node], value) {
                let bits = (0..parts.len())
                    .filter(|&i| holds(&parts[i], value))
                    .fold(0, |bits, i| bits | 1 << i);
                assert_eq!(numbers.verdicts(state), bits, "{} of {goal:?}", self.text(node));
            }
            if node % 37 == 0 {
                let rest = numbers.shortest_from(state).unwrap().expect("a live state has a completion");
                let value = Decimal::parse(&format!("{}{rest}", self.text(node))).expect("a completion is a number");
                assert!(holds(goal, &value), "{} + {rest} of {goal:?}", self.text(node));
            }
        }
    }

    fn text(&self, mut node: usize) -> String {
        let mut bytes = Vec::new();
        while node != 0 {
            bytes.push(self.nodes[node].1);
            node = self.nodes[node].0;
        }
        bytes.reverse();
        String::from_utf8(bytes).unwrap()
    }
}

fn check_random_formulas(max_digits: usize, max_exponent: i64, rounds: usize, seed: u64) {
    let universe = Universe::new(max_digits, max_exponent);
    let mut random = Random(seed);
    let mut numbers = Numbers::with_limits(max_digits as u32, max_exponent as u32);
    for round in 0..rounds {
        let goal = random.formula(round % 4);
        let parts: Vec<NumberFormula> = (0..random.below(3)).map(|_| random.formula(1)).collect();
        universe.check(&mut numbers, &goal, &parts);
    }
}

#[test]
fn two_digits_with_exponents_agree_with_the_list() {
    check_random_formulas(2, 3, 400, 1);
}

#[test]
fn two_digits_with_two_digit_exponents_agree_with_the_list() {
    check_random_formulas(2, 11, 60, 2);
}

#[test]
fn three_digits_agree_with_the_list() {
    check_random_formulas(3, 1, 60, 3);
}

#[test]
fn one_digit_agrees_with_the_list() {
    check_random_formulas(1, 2, 800, 4);
}

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

fn walk(numbers: &mut Numbers, goal: &NumberFormula, text: &str) -> Option<NumberState> {
    let spec = numbers.spec(goal.clone(), Vec::new());
    let start = numbers.start(spec);
    text.bytes().try_fold(start, |state, byte| numbers.step(state, byte).unwrap())
}

#[test]
fn prefixes_of_the_full_universe() {
    let between = |low, high| {
        let above = NumberFormula::MoreThan(decimal(high));
        NumberFormula::And(vec![
            NumberFormula::AtLeast(decimal(low)),
            NumberFormula::Not(Box::new(above)),
        ])
    };
    let integer = |low, high| NumberFormula::And(vec![NumberFormula::Integer, between(low, high)]);
    let all = NumberFormula::True;
    for (goal, live, dead) in [
        (
            between("3", "5"),
            vec!["3", "40", "0.", "0.0", "300e-", "4.9", "5.000"],
            vec!["7", "-", "2e0", "5.1e0", "49e+"],
        ),
        (
            integer("0", "100"),
            vec!["1.5", "100e-2", "0.00", "-0", "10", "100.0"],
            vec!["-1", "101", "1.5e-", "1e3", "100.01"],
        ),
        (integer("1e500", "1e600"), vec![], vec!["1", "9"]),
        (
            all,
            vec!["1e308", "1.7976931348623158e308", "1e-400", "1e+05", "-0.0E-0000"],
            vec!["1e309", "1.7976931348623159e308", "1e401", "01", "1e00000", "+", "1.e"],
        ),
        (
            NumberFormula::OneOf([decimal("1.50"), decimal("-200")].into()),
            vec!["1.5", "15e-1", "-0.2", "-200.00", "150", "0.0015e3"],
            vec!["16", "-1", "2", "1.6"],
        ),
        (
            NumberFormula::MultipleOf(decimal("0.01")),
            vec!["1.005", "0.01", "1.005e1", "7"],
            vec!["1.005e-"],
        ),
    ] {
        let mut numbers = Numbers::new();
        for text in live {
            assert!(walk(&mut numbers, &goal, text).is_some(), "{text} of {goal:?}");
        }
        for text in dead {
            assert!(walk(&mut numbers, &goal, text).is_none(), "{text} of {goal:?}");
        }
    }
}

#[test]
fn digits_are_bounded() {
    let mut numbers = Numbers::new();
    let text = format!("1{}", "0".repeat(127));
    let state = walk(&mut numbers, &NumberFormula::True, &text).unwrap();
    assert!(numbers.is_complete(state));
    assert_eq!(numbers.step(state, b'0'), Ok(None));
    assert_eq!(numbers.step(state, b'.'), Ok(None));
    assert!(numbers.step(state, b'e').unwrap().is_some());
}

#[test]
fn short_literals_are_short() {
    for (goal, expected) in [
        (NumberFormula::True, "0"),
        (NumberFormula::AtLeast(decimal("1000")), "1000"),
        (NumberFormula::AtLeast(decimal("1e18")), "1e18"),
        (NumberFormula::MoreThan(decimal("3")), "4"),
        (NumberFormula::Not(Box::new(NumberFormula::Integer)), "0.1"),
        (NumberFormula::OneOf([decimal("12.5")].into()), "12.5"),
        (NumberFormula::Not(Box::new(NumberFormula::AtLeast(decimal("0")))), "-1"),
    ] {
        let mut numbers = Numbers::new();
        let spec = numbers.spec(goal.clone(), Vec::new());
        let text = numbers.shortest(spec).unwrap().expect("some number");
        assert!(holds(&goal, &decimal(&text)), "{text} of {goal:?}");
        assert_eq!(text.len(), expected.len(), "{text} instead of {expected}");
    }
}

#[test]
fn equal_futures_are_few_states() {
    let mut numbers = Numbers::new();
    for goal in [NumberFormula::True, NumberFormula::Integer] {
        let before = numbers.num_states();
        for text in ["2023", "2024", "3999", "5.25", "7.75", "9.11", "4.99"] {
            walk(&mut numbers, &goal, text).unwrap();
        }
        // The start, four lengths, a point, two places; nines differ from other digits near the largest double only.
        assert!(numbers.num_states() - before <= 12, "{}", numbers.num_states() - before);
    }
}

#[test]
fn fuel_and_formula_depth_are_no_danger() {
    let mut numbers = Numbers::new();
    let primes = ["3", "7", "11", "13", "17", "19", "23", "29", "31"];
    let many = NumberFormula::Or(primes.iter().map(|prime| NumberFormula::MultipleOf(decimal(prime))).collect());
    let spec = numbers.spec(many, Vec::new());
    assert!(numbers.is_live(spec).is_ok(), "complete literals need no search");
    let goal = NumberFormula::And(vec![
        NumberFormula::MultipleOf(decimal("12345678901234567890123456789.5")),
        NumberFormula::MoreThan(decimal("1e-1000000")),
        NumberFormula::Not(Box::new(NumberFormula::AtLeast(decimal("1e1000000000000")))),
    ]);
    let spec = numbers.spec(goal.clone(), Vec::new());
    let text = numbers.shortest(spec).unwrap().expect("the modulus itself");
    assert!(holds(&goal, &decimal(&text)));
}
