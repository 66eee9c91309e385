//! The arena of specs and states.
use super::exponent::{table, Exponent, Table};
use super::prefix::Mantissa;
use super::{keys, search, Grid, NumberFormula, Spec, MAX_NUMBER_DIGITS, MAX_NUMBER_EXPONENT};
use num_bigint::BigUint;
use penstock_automata::Limit;
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// What is asked of a number; see [`Numbers::spec`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NumberSpec(u32);

/// All prefixes of literals with one future.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NumberState(u32);

/// One prefix, as an example of its state.
#[derive(Clone)]
enum Place {
    Start,
    /// Behind the minus sign.
    Minus,
    Mantissa(Mantissa),
    Exponent(Exponent),
}

type Key = (NumberSpec, Vec<i64>, Vec<BigUint>);

/// A place in the machine of a spec.
pub type PlaceKey = (Vec<i64>, Vec<BigUint>);

/// What a spec is made of: the goal and the parts.
type Asked = (NumberFormula, Vec<NumberFormula>);

/// Specs that a process keeps for all its grammars, some kilobytes each: the same few types and bounds stand in all schemas.
const MAX_KNOWN_SPECS: usize = 512;
/// Values of a list, or parts of a conjunction, in a spec that is kept so.
const SHORT_LIST: usize = 4;

/// Digits, `-`, `+`, `.`, `e`: every other byte ends nothing and goes nowhere.
const NUM_SYMBOLS: usize = 14;

/// What is known of one symbol in a state.
#[derive(Clone, Copy)]
enum Edge {
    Unknown,
    Dead,
    To(NumberState),
}

struct State {
    spec: NumberSpec,
    place: Place,
    /// The verdicts, where the literal may end and meets the goal.
    outcome: Option<u64>,
    edges: [Edge; NUM_SYMBOLS],
}

/// The arena of specs and states, which grows as they are asked for.
pub struct Numbers {
    grid: Arc<Grid>,
    specs: Vec<Arc<Spec>>,
    /// By spec: its goal, where no verdicts are wanted beside it.
    goals: Vec<Option<NumberFormula>>,
    spec_ids: FxHashMap<Asked, NumberSpec>,
    tables: Vec<Arc<Table>>,
    table_ids: FxHashMap<Arc<Table>, usize>,
    states: Vec<State>,
    /// `None`: the prefixes of this key are dead.
    state_ids: FxHashMap<Key, Option<NumberState>>,
}

impl Default for Numbers {
    fn default() -> Self {
        Self::new()
    }
}

impl Numbers {
    /// An empty arena with the documented universe.
    pub fn new() -> Numbers {
        Numbers::on(documented_grid().clone())
    }

    /// An empty arena with another universe: at most `max_digits` (1 or more) in a mantissa, exponents to `max_exponent`.
    pub fn with_limits(max_digits: u32, max_exponent: u32) -> Numbers {
        Numbers::on(Arc::new(Grid::new(max_digits.max(1), max_exponent)))
    }

    fn on(grid: Arc<Grid>) -> Numbers {
        Numbers {
            grid,
            specs: Vec::new(),
            goals: Vec::new(),
            spec_ids: FxHashMap::default(),
            tables: Vec::new(),
            table_ids: FxHashMap::default(),
            states: Vec::new(),
            state_ids: FxHashMap::default(),
        }
    }

    /// How many states the arena holds.
    pub fn num_states(&self) -> usize {
        self.states.len()
    }

    /// `goal` must hold at the end; `parts` (at most 64) are the formulas whose verdicts are wanted. Interned.
    ///
    /// Cost: linear in the formulas, exponential in the number of different moduli (at most `max_number_moduli`).
    pub fn spec(&mut self, goal: NumberFormula, parts: Vec<NumberFormula>) -> NumberSpec {
        assert!(parts.len() <= 64, "verdicts are 64 bits");
        let asked = (goal, parts);
        if let Some(&known) = self.spec_ids.get(&asked) {
            return known;
        }
        let spec = NumberSpec(self.specs.len() as u32);
        self.specs.push(self.prepared(&asked));
        self.goals.push(asked.1.is_empty().then(|| asked.0.clone()));
        self.spec_ids.insert(asked, spec);
        spec
    }

    /// What must hold at the end, if nothing else is asked: equal goals are equal machines, in every arena of one universe.
    pub fn goal(&self, spec: NumberSpec) -> Option<&NumberFormula> {
        self.goals[spec.0 as usize].as_ref()
    }

    /// Where in the machine of its spec a state stands, in numbers that mean the same in every arena; None inside an exponent.
    pub fn place(&self, state: NumberState) -> Option<(NumberSpec, PlaceKey)> {
        let State { spec, place, .. } = &self.states[state.0 as usize];
        if matches!(place, Place::Exponent(_)) {
            return None;
        }
        let (spec, numbers, residues) = self.key(*spec, place);
        Some((spec, (numbers, residues)))
    }

    /// What is asked, prepared, or taken from the specs of the process.
    fn prepared(&self, asked: &Asked) -> Arc<Spec> {
        static KNOWN: Mutex<FxHashMap<Asked, Arc<Spec>>> = Mutex::new(FxHashMap::with_hasher(FxBuildHasher));
        let make = || Arc::new(Spec::new(&self.grid, &asked.0, &asked.1));
        if !Arc::ptr_eq(&self.grid, documented_grid()) || !asked.1.is_empty() || !is_short(&asked.0) {
            return make();
        }
        // A panic elsewhere leaves a table of finished specs.
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(spec) = known.get(asked) {
            return spec.clone();
        }
        let spec = make();
        if known.len() < MAX_KNOWN_SPECS {
            known.insert(asked.clone(), spec.clone());
        }
        spec
    }

    /// Whether some literal of the universe meets the goal.
    ///
    /// # Errors
    /// `max_number_moduli`, `max_number_work`.
    pub fn is_live(&mut self, spec: NumberSpec) -> Result<bool, Limit> {
        let start = self.start(spec);
        for byte in *b"0123456789-" {
            if self.step(start, byte)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A number of values that meet the goal, not more than there are; huge where there is no end of them.
    ///
    /// # Errors
    /// `max_number_moduli`.
    pub fn least_count(&self, spec: NumberSpec) -> Result<u64, Limit> {
        let spec = &self.specs[spec.0 as usize];
        let counts = [spec.side(false)?, spec.side(true)?].map(|side| side.least_count(&self.grid));
        // Zero lies on both sides.
        Ok(counts[0].saturating_add(counts[1]).saturating_sub(1))
    }

    /// The state of the empty prefix.
    pub fn start(&mut self, spec: NumberSpec) -> NumberState {
        let key = self.key(spec, &Place::Start);
        if let Some(&Some(state)) = self.state_ids.get(&key) {
            return state;
        }
        self.insert(key, Place::Start, None)
    }

    /// The state after one more byte; `None` where no literal with that prefix meets the goal. Kept for the next time.
    ///
    /// # Errors
    /// `max_number_moduli`, `max_number_work`.
    pub fn step(&mut self, state: NumberState, byte: u8) -> Result<Option<NumberState>, Limit> {
        let Some(symbol) = symbol_of(byte) else {
            return Ok(None);
        };
        match self.states[state.0 as usize].edges[symbol] {
            Edge::Dead => Ok(None),
            Edge::To(next) => Ok(Some(next)),
            Edge::Unknown => {
                let next = self.find_step(state, byte)?;
                self.states[state.0 as usize].edges[symbol] = next.map_or(Edge::Dead, Edge::To);
                Ok(next)
            }
        }
    }

    fn find_step(&mut self, state: NumberState, byte: u8) -> Result<Option<NumberState>, Limit> {
        let spec = self.states[state.0 as usize].spec;
        let Some(place) = self.push(state, byte) else {
            return Ok(None);
        };
        let key = self.key(spec, &place);
        if let Some(&known) = self.state_ids.get(&key) {
            return Ok(known);
        }
        let outcome = self.outcome(spec, &place);
        if outcome.is_none() && !self.can_go_on(spec, &place)? {
            self.state_ids.insert(key, None);
            return Ok(None);
        }
        Ok(Some(self.insert(key, place, outcome)))
    }

    fn insert(&mut self, key: Key, place: Place, outcome: Option<u64>) -> NumberState {
        let state = NumberState(self.states.len() as u32);
        self.states.push(State {
            spec: key.0,
            place,
            outcome,
            edges: [Edge::Unknown; NUM_SYMBOLS],
        });
        self.state_ids.insert(key, Some(state));
        state
    }

    /// The prefix with one more byte, if that is a prefix of a number.
    fn push(&mut self, state: NumberState, byte: u8) -> Option<Place> {
        let State { spec, place, .. } = &self.states[state.0 as usize];
        match (place, byte) {
            (Place::Start, b'-') => Some(Place::Minus),
            (Place::Start | Place::Minus, b'0'..=b'9') => {
                let negative = matches!(place, Place::Minus);
                Some(Place::Mantissa(Mantissa::new(negative, byte)))
            }
            (Place::Mantissa(mantissa), b'e' | b'E') if mantissa.may_end() => {
                let table = table(&self.specs[spec.0 as usize], mantissa, &self.grid);
                Some(Place::Exponent(Exponent {
                    table: self.intern_table(table),
                    negative: None,
                    value: 0,
                    num_digits: 0,
                }))
            }
            (Place::Mantissa(mantissa), _) => mantissa.push(byte, &self.grid).map(Place::Mantissa),
            (Place::Exponent(exponent), _) => exponent.push(byte, &self.grid).map(Place::Exponent),
            _ => None,
        }
    }

    fn intern_table(&mut self, table: Table) -> usize {
        let table = Arc::new(table);
        let next = self.tables.len();
        let number = *self.table_ids.entry(table.clone()).or_insert(next);
        if number == next {
            self.tables.push(table);
        }
        number
    }

    fn key(&self, spec: NumberSpec, place: &Place) -> Key {
        let (numbers, residues) = match place {
            Place::Start => (vec![-1], Vec::new()),
            Place::Minus => (vec![-2], Vec::new()),
            Place::Mantissa(mantissa) => keys::mantissa_key(&self.specs[spec.0 as usize], mantissa, &self.grid),
            Place::Exponent(exponent) => {
                let sign = exponent.negative.map_or(-1, i64::from);
                let numbers = vec![-3, exponent.table as i64, sign, exponent.value, exponent.num_digits.into()];
                (numbers, Vec::new())
            }
        };
        (spec, numbers, residues)
    }

    fn outcome(&self, spec: NumberSpec, place: &Place) -> Option<u64> {
        match place {
            Place::Mantissa(mantissa) if mantissa.may_end() => {
                self.specs[spec.0 as usize].outcome(&mantissa.steps(0, &self.grid), &self.grid)
            }
            Place::Exponent(exponent) => exponent.outcome(&self.tables[exponent.table], &self.grid),
            _ => None,
        }
    }

    fn can_go_on(&self, spec: NumberSpec, place: &Place) -> Result<bool, Limit> {
        let spec = &self.specs[spec.0 as usize];
        match place {
            Place::Start => Ok(true),
            Place::Minus => {
                let side = spec.side(true)?;
                let digits = (b'0'..=b'9').map(|digit| Mantissa::new(true, digit));
                for mantissa in digits {
                    if search::witness(side, &mantissa, &self.grid)?.is_some() {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Place::Mantissa(mantissa) => {
                let side = spec.side(mantissa.negative)?;
                Ok(search::witness(side, mantissa, &self.grid)?.is_some())
            }
            Place::Exponent(exponent) => Ok(exponent.completion(&self.tables[exponent.table], &self.grid).is_some()),
        }
    }

    /// Whether the literal may end here: it is a number, and the goal holds.
    pub fn is_complete(&self, state: NumberState) -> bool {
        self.states[state.0 as usize].outcome.is_some()
    }

    /// Bit i tells whether `parts[i]` holds, in a complete state; 0 elsewhere.
    pub fn verdicts(&self, state: NumberState) -> u64 {
        self.states[state.0 as usize].outcome.unwrap_or(0)
    }

    /// A short literal that meets the goal; `None` if there is none.
    ///
    /// # Errors
    /// `max_number_moduli`, `max_number_work`.
    pub fn shortest(&mut self, spec: NumberSpec) -> Result<Option<String>, Limit> {
        let start = self.start(spec);
        self.shortest_from(start)
    }

    /// A short text that completes what was written so far; empty where the literal may end.
    ///
    /// # Errors
    /// `max_number_moduli`, `max_number_work`.
    pub fn shortest_from(&mut self, state: NumberState) -> Result<Option<String>, Limit> {
        let State {
            spec, place, outcome, ..
        } = &self.states[state.0 as usize];
        if outcome.is_some() {
            return Ok(Some(String::new()));
        }
        match place {
            Place::Start | Place::Minus => self.shortest_by_first_byte(state),
            Place::Mantissa(mantissa) => {
                let side = self.specs[spec.0 as usize].side(mantissa.negative)?;
                search::short_text(side, mantissa, &self.grid)
            }
            Place::Exponent(exponent) => Ok(exponent.completion(&self.tables[exponent.table], &self.grid)),
        }
    }

    fn shortest_by_first_byte(&mut self, state: NumberState) -> Result<Option<String>, Limit> {
        let mut best: Option<String> = None;
        let minus: &[u8] = if matches!(self.states[state.0 as usize].place, Place::Start) {
            b"-"
        } else {
            b""
        };
        for &byte in b"0123456789".iter().chain(minus) {
            let Some(next) = self.step(state, byte)? else {
                continue;
            };
            // At most two levels deep: a sign, then a digit.
            if let Some(rest) = self.shortest_from(next)? {
                let text = format!("{}{rest}", char::from(byte));
                best = best.into_iter().chain([text]).min_by_key(|text| search::plainness(text));
            }
        }
        Ok(best)
    }
}

/// The grid of the documented universe, made once a process.
fn documented_grid() -> &'static Arc<Grid> {
    static GRID: OnceLock<Arc<Grid>> = OnceLock::new();
    GRID.get_or_init(|| Arc::new(Grid::new(MAX_NUMBER_DIGITS, MAX_NUMBER_EXPONENT)))
}

/// Whether a goal is small enough to be kept for other grammars: a bound or two, an integer, a few values.
fn is_short(goal: &NumberFormula) -> bool {
    let is_plain = |part: &NumberFormula| match part {
        NumberFormula::OneOf(values) => values.len() <= SHORT_LIST,
        NumberFormula::Not(part) => matches!(**part, NumberFormula::AtLeast(_) | NumberFormula::MoreThan(_)),
        NumberFormula::And(_) | NumberFormula::Or(_) | NumberFormula::ExactlyOne(_) => false,
        _ => true,
    };
    match goal {
        NumberFormula::And(parts) => parts.len() <= SHORT_LIST && parts.iter().all(is_plain),
        goal => is_plain(goal),
    }
}

fn symbol_of(byte: u8) -> Option<usize> {
    match byte {
        b'0'..=b'9' => Some(usize::from(byte - b'0')),
        b'-' => Some(10),
        b'+' => Some(11),
        b'.' => Some(12),
        b'e' | b'E' => Some(13),
        _ => None,
    }
}
