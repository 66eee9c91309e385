//! Random grammars and texts from a seed, so that a failure names the seed that repeats it.
use penstock_automata::{CharSet, INFINITE};
use penstock_grammar::{Dialect, Dispatch, Expr, ExprId, Grammar, GrammarBuilder, RuleId};

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

const TEXTS: &[&str] = &["", "a", "b", "ab", "ba", "\"", "\\\n", "é😀"];
const WORDS: &[&str] = &["a", "b", "ab", "ba", "aba", "abb", "bab", "\"", "é😀"];
const CLASSES: &[&[(u32, u32)]] = &[
    &[(0x61, 0x61)],
    &[(0x61, 0x62)],
    &[],
    &[(0, 0x60), (0x62, 0x10FFFF)],
    &[(0, 0x10FFFF)],
    &[(0x2D, 0x2D), (0x5B, 0x5E)],
];
const PATTERNS: &[&str] = &["a|bb", "(?!aa)[ab]{2}", "a*b?", "\\\\|\"", "[^a]"];
const COUNTS: &[(u32, u32)] = &[(0, INFINITE), (1, INFINITE), (0, 1), (2, 2), (1, 3), (2, INFINITE), (0, 0)];

struct Maker<'r> {
    random: &'r mut Random,
    builder: GrammarBuilder,
    rules: Vec<RuleId>,
    /// Rules that call nothing.
    words: Vec<RuleId>,
}

/// A grammar of a few rules that call each other in any way.
pub fn grammar(random: &mut Random) -> Grammar {
    let mut builder = GrammarBuilder::new();
    let mut rules: Vec<RuleId> = (0..1 + random.below(4)).map(|i| builder.rule(&format!("r{i}"))).collect();
    let words: Vec<RuleId> = (0..2).map(|i| builder.rule(&format!("w.{i}"))).collect();
    let mut maker = Maker {
        random,
        builder,
        rules: Vec::new(),
        words: Vec::new(),
    };
    for &word in &words {
        let body = maker.expr(2, true);
        maker.builder.define(word, body);
    }
    maker.words = words;
    maker.rules = std::mem::take(&mut rules);
    for rule in maker.rules.clone() {
        let body = maker.expr(3, false);
        maker.builder.define(rule, body);
    }
    let root = maker.rules[0];
    maker.builder.finish(root).expect("all rules are defined")
}

impl Maker<'_> {
    fn expr(&mut self, depth: usize, regular: bool) -> ExprId {
        let kind = if depth == 0 {
            self.random.below(4)
        } else {
            self.random.below(10)
        };
        let expr = match kind {
            0 if depth > 0 && self.random.below(3) == 0 => return self.dispatch(regular),
            0 => Expr::Text(self.random.pick(TEXTS).to_string()),
            1 => Expr::Class(CharSet::new(self.random.pick(CLASSES).iter().copied())),
            2 | 3 => self.leaf(regular),
            4 | 5 => Expr::Sequence(self.parts(depth, regular)),
            6 | 7 => Expr::Choice(self.parts(depth, regular)),
            8 => {
                let (min, max) = self.random.pick(COUNTS);
                let body = self.expr(depth - 1, regular);
                Expr::Repeat { body, min, max }
            }
            _ if self.random.below(2) == 0 => Expr::Not(self.expr(depth - 1, true)),
            _ => Expr::And(self.parts(depth, true)),
        };
        self.builder.add(expr)
    }

    fn leaf(&mut self, regular: bool) -> Expr {
        let rules = if regular { &self.words } else { &self.rules };
        if rules.is_empty() || self.random.below(5) == 0 {
            let pattern = self.random.pick(PATTERNS).to_string();
            let dialect = self.random.pick(&[Dialect::Ecma, Dialect::Rust, Dialect::Python]);
            return Expr::Regex { pattern, dialect };
        }
        Expr::Rule(self.random.pick(rules))
    }

    fn dispatch(&mut self, regular: bool) -> ExprId {
        let rules = if regular { self.words.clone() } else { self.rules.clone() };
        let count = if rules.is_empty() { 0 } else { self.random.below(4) };
        let mut some = |count| -> Vec<String> { (0..count).map(|_| self.random.pick(WORDS).to_owned()).collect() };
        let mut dispatch = Dispatch {
            triggers: some(count),
            excludes: some(2),
            stops: some(1),
            looped: false,
        };
        dispatch.looped = self.random.below(2) == 0;
        let cut = [&dispatch.triggers[..], &dispatch.stops].concat();
        dispatch.excludes.retain(|text| !cut.contains(text));
        let rules: Vec<RuleId> = (0..count).map(|_| self.random.pick(&rules)).collect();
        self.builder.dispatch(dispatch, &rules)
    }

    fn parts(&mut self, depth: usize, regular: bool) -> Vec<ExprId> {
        let count = self.random.below(16).min(1 + self.random.below(3));
        (0..count).map(|_| self.expr(depth - 1, regular)).collect()
    }
}
