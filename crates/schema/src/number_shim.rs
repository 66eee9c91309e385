//! Temporary stand-in.
#![allow(missing_docs)]
use std::sync::Arc;
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Decimal(String);
impl Decimal {
    pub fn parse(text: &str) -> Option<Decimal> {
        let v: f64 = text.parse().ok()?;
        Some(Decimal(format!("{v}")))
    }
    fn f(&self) -> f64 {
        self.0.parse().unwrap_or(0.0)
    }
}
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NumberFormula {
    True,
    False,
    Integer,
    AtLeast(Decimal),
    MoreThan(Decimal),
    MultipleOf(Decimal),
    OneOf(Arc<[Decimal]>),
    And(Vec<NumberFormula>),
    Or(Vec<NumberFormula>),
    ExactlyOne(Vec<NumberFormula>),
    Not(Box<NumberFormula>),
}
impl NumberFormula {
    fn eval(&self, v: f64) -> bool {
        use NumberFormula::*;
        match self {
            True => true,
            False => false,
            Integer => v.fract() == 0.0,
            AtLeast(d) => v >= d.f(),
            MoreThan(d) => v > d.f(),
            MultipleOf(d) => {
                let q = v / d.f();
                (q - q.round()).abs() < 1e-9
            }
            OneOf(ds) => ds.iter().any(|d| d.f() == v),
            And(fs) => fs.iter().all(|f| f.eval(v)),
            Or(fs) => fs.iter().any(|f| f.eval(v)),
            ExactlyOne(fs) => fs.iter().filter(|f| f.eval(v)).count() == 1,
            Not(f) => !f.eval(v),
        }
    }
    fn marks(&self, out: &mut Vec<f64>) {
        use NumberFormula::*;
        match self {
            AtLeast(d) | MoreThan(d) | MultipleOf(d) => out.push(d.f()),
            OneOf(ds) => out.extend(ds.iter().map(Decimal::f)),
            And(fs) | Or(fs) | ExactlyOne(fs) => fs.iter().for_each(|f| f.marks(out)),
            Not(f) => f.marks(out),
            _ => {}
        }
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NumberSpec(u32);
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NumberState(u32);
#[derive(Default)]
pub struct Numbers {
    specs: Vec<(NumberFormula, Vec<NumberFormula>)>,
    states: Vec<(NumberSpec, String)>,
}
impl Numbers {
    pub fn new() -> Self {
        Self::default()
    }
    pub fn spec(&mut self, goal: NumberFormula, parts: Vec<NumberFormula>) -> NumberSpec {
        if let Some(i) = self.specs.iter().position(|s| s.0 == goal && s.1 == parts) {
            return NumberSpec(i as u32);
        }
        self.specs.push((goal, parts));
        NumberSpec(self.specs.len() as u32 - 1)
    }
    fn candidate(&self, spec: NumberSpec) -> Option<f64> {
        let goal = &self.specs[spec.0 as usize].0;
        let mut marks = vec![0.0, 1.0];
        goal.marks(&mut marks);
        let base = marks.clone();
        for m in &base {
            for k in -12i32..=12 {
                marks.push(m + f64::from(k));
                marks.push(m * f64::from(k));
                marks.push(m + f64::from(k) * 0.25);
                marks.push(m + f64::from(k) * 0.001);
            }
            for n in &base {
                marks.push((m + n) / 2.0);
                marks.push(m * n);
                marks.push(m * n + m);
            }
        }
        marks.into_iter().find(|&v| goal.eval(v))
    }
    pub fn is_live(&mut self, spec: NumberSpec) -> Result<bool, penstock_automata::Limit> {
        Ok(self.candidate(spec).is_some())
    }
    pub fn start(&mut self, spec: NumberSpec) -> NumberState {
        self.states.push((spec, String::new()));
        NumberState(self.states.len() as u32 - 1)
    }
    pub fn step(&mut self, state: NumberState, byte: u8) -> Option<NumberState> {
        let (spec, mut text) = self.states[state.0 as usize].clone();
        text.push(byte as char);
        self.states.push((spec, text));
        Some(NumberState(self.states.len() as u32 - 1))
    }
    fn value(&self, state: NumberState) -> Option<f64> {
        self.states[state.0 as usize].1.parse().ok().filter(|v: &f64| v.is_finite())
    }
    pub fn is_complete(&self, state: NumberState) -> bool {
        let spec = self.states[state.0 as usize].0;
        self.value(state).is_some_and(|v| self.specs[spec.0 as usize].0.eval(v))
    }
    pub fn verdicts(&self, state: NumberState) -> u64 {
        let spec = self.states[state.0 as usize].0;
        let v = self.value(state).unwrap_or(0.0);
        let parts = &self.specs[spec.0 as usize].1;
        parts.iter().enumerate().map(|(i, p)| u64::from(p.eval(v)) << i).sum()
    }
    pub fn shortest(&mut self, spec: NumberSpec) -> Result<Option<String>, penstock_automata::Limit> {
        Ok(self.candidate(spec).map(|v| format!("{v}")))
    }
}
