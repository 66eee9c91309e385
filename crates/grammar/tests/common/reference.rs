//! The obvious meaning of a grammar: the ends of all matches from every start, iterated until nothing changes.
use penstock_automata::Regexes;
use penstock_grammar::{Dispatch, Expr, ExprId, Grammar, RuleId};
use std::collections::{BTreeSet, HashMap};

type Ends = BTreeSet<usize>;

pub struct Reference<'g> {
    grammar: &'g Grammar,
    text: Vec<char>,
    known: HashMap<(RuleId, usize), Ends>,
    changed: bool,
}

/// Whether `text` is in the language. Only for grammars without schemas and tokens.
pub fn accepts(grammar: &Grammar, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let end = text.len();
    let mut reference = Reference {
        grammar,
        text,
        known: HashMap::new(),
        changed: true,
    };
    while std::mem::take(&mut reference.changed) {
        let rules: BTreeSet<_> = reference.known.keys().copied().collect();
        for (rule, start) in rules.into_iter().chain([(grammar.root(), 0)]) {
            let ends = reference.ends(grammar.rule(rule).body, start);
            let known = reference.known.entry((rule, start)).or_default();
            if *known != ends {
                *known = ends;
                reference.changed = true;
            }
        }
    }
    reference.known[&(grammar.root(), 0)].contains(&end)
}

impl Reference<'_> {
    fn ends(&mut self, id: ExprId, start: usize) -> Ends {
        let grammar = self.grammar;
        match grammar.expr(id) {
            Expr::Text(text) => {
                let text: Vec<char> = text.chars().collect();
                self.text[start..]
                    .starts_with(&text)
                    .then_some(start + text.len())
                    .into_iter()
                    .collect()
            }
            Expr::Class(set) => {
                let next = self.text.get(start).filter(|&&c| set.contains(c as u32));
                next.map(|_| start + 1).into_iter().collect()
            }
            Expr::Sequence(parts) => parts.iter().fold(Ends::from([start]), |starts, &part| {
                starts.into_iter().flat_map(|start| self.ends(part, start)).collect()
            }),
            Expr::Choice(parts) => parts.iter().flat_map(|&part| self.ends(part, start)).collect(),
            Expr::Repeat { body, min, max } => self.repeated(*body, *min, *max, start),
            Expr::Rule(rule) => {
                let changed = &mut self.changed;
                let known = self.known.entry((*rule, start)).or_insert_with(|| {
                    *changed = true;
                    Ends::new()
                });
                known.clone()
            }
            Expr::Substring(chunks) => self.substring(chunks, start),
            Expr::Regex { pattern, dialect } => self.pattern(pattern, *dialect, start),
            Expr::And(parts) => {
                let all: Ends = (start..=self.text.len()).collect();
                parts.iter().fold(all, |all, &part| &all & &self.settled(part, start))
            }
            Expr::Not(part) => {
                let all: Ends = (start..=self.text.len()).collect();
                &all - &self.settled(*part, start)
            }
            Expr::Dispatch { dispatch, bodies } => self.dispatched(dispatch, bodies, start, Self::ends),
            _ => panic!("schemas and tokens are no texts"),
        }
    }

    /// The final answer of a regular part: its rules don't recur, so they are written out.
    fn settled(&mut self, id: ExprId, start: usize) -> Ends {
        let grammar = self.grammar;
        match grammar.expr(id) {
            Expr::Rule(rule) => self.settled(grammar.rule(*rule).body, start),
            Expr::Sequence(parts) => parts.iter().fold(Ends::from([start]), |starts, &part| {
                starts.into_iter().flat_map(|start| self.settled(part, start)).collect()
            }),
            Expr::Choice(parts) => parts.iter().flat_map(|&part| self.settled(part, start)).collect(),
            Expr::Dispatch { dispatch, bodies } => self.dispatched(dispatch, bodies, start, Self::settled),
            _ => self.ends(id, start),
        }
    }

    fn repeated(&mut self, body: ExprId, min: u32, max: u32, start: usize) -> Ends {
        // After as many rounds as there are ends, further ones only repeat.
        let bound = (self.text.len() + 2) as u32;
        let (mut now, mut found) = (Ends::from([start]), Ends::new());
        for round in 0..=max {
            if round >= min {
                found.extend(&now);
            }
            if round >= min.saturating_add(bound) || now.is_empty() {
                break;
            }
            now = now.into_iter().flat_map(|start| self.ends(body, start)).collect();
        }
        found
    }

    /// Free text holds no trigger, no stop and no excluded text; a trigger counts if nothing that starts before it has ended when
    /// it ends.
    fn dispatched(
        &mut self,
        dispatch: &Dispatch,
        bodies: &[ExprId],
        start: usize,
        ends_of: fn(&mut Self, ExprId, usize) -> Ends,
    ) -> Ends {
        let chars = |texts: &[String]| -> Vec<Vec<char>> { texts.iter().map(|text| text.chars().collect()).collect() };
        let [triggers, stops, excludes] = [&dispatch.triggers, &dispatch.stops, &dispatch.excludes].map(|texts| chars(texts));
        let all: Vec<Vec<char>> = [&triggers[..], &stops, &excludes].concat();
        let (mut ends, mut starts, mut seen) = (Ends::new(), vec![start], Ends::from([start]));
        while let Some(start) = starts.pop() {
            let text = self.text.clone();
            // Whether one of the words starts in `start..before` and has ended at `end`.
            let occurs =
                |before: usize, end: usize| (start..before).any(|at| all.iter().any(|word| text[at..end].starts_with(word)));
            for at in start..=text.len() {
                if !occurs(at, at) {
                    ends.insert(at);
                }
                let counts = |word: &Vec<char>| text[at..].starts_with(word) && !occurs(at, at + word.len());
                ends.extend(stops.iter().filter(|word| counts(word)).map(|word| at + word.len()));
                for (word, &body) in triggers.iter().zip(bodies).filter(|(word, _)| counts(word)) {
                    for end in ends_of(self, body, at + word.len()) {
                        match dispatch.looped {
                            true if seen.insert(end) => starts.push(end),
                            true => {}
                            false => drop(ends.insert(end)),
                        }
                    }
                }
            }
        }
        ends
    }

    fn substring(&self, chunks: &[String], start: usize) -> Ends {
        let mut ends = Ends::from([start]);
        for first in 0..chunks.len() {
            for last in first..chunks.len() {
                let text: Vec<char> = chunks[first..=last].concat().chars().collect();
                if self.text[start..].starts_with(&text) {
                    ends.insert(start + text.len());
                }
            }
        }
        ends
    }

    fn pattern(&self, pattern: &str, dialect: penstock_grammar::Dialect, start: usize) -> Ends {
        let mut regexes = Regexes::new();
        let mut term = penstock_automata::parse(&mut regexes, pattern, dialect).expect("a pattern");
        let mut ends = Ends::new();
        for end in start..=self.text.len() {
            if regexes.is_nullable(term) {
                ends.insert(end);
            }
            if let Some(&c) = self.text.get(end) {
                term = regexes.step(term, c as u32).expect("no limit");
            }
        }
        ends
    }
}
