//! Earley's recogniser over the terms of a lowered grammar. Calls never match the empty text, as the matcher has it.
use penstock_automata::{RegexId, Regexes};
use penstock_grammar::{lower_with, Grammar, GrammarError, LowerLimits, Lowered, Symbol};
use std::collections::HashSet;

/// A rule, where its text starts, and what is left of it.
type Item = (usize, usize, RegexId);

pub struct Machine {
    regexes: Regexes,
    pub lowered: Lowered,
}

impl Machine {
    pub fn new(grammar: &Grammar) -> Result<Machine, GrammarError> {
        Machine::with(grammar, &LowerLimits::default())
    }

    pub fn with(grammar: &Grammar, limits: &LowerLimits) -> Result<Machine, GrammarError> {
        let mut regexes = Regexes::new();
        let lowered = lower_with(grammar, &mut regexes, limits)?;
        Ok(Machine { regexes, lowered })
    }

    pub fn accepts(&mut self, text: &str) -> bool {
        let root = self.lowered.root;
        let mut columns = vec![vec![(root, 0, self.lowered.bodies[root])]];
        self.close(&mut columns);
        for character in text.chars() {
            let mut next = Vec::new();
            for &(rule, start, term) in &columns[columns.len() - 1] {
                let rest = self.regexes.step(term, character as u32).expect("no limit");
                if rest != RegexId::NEVER {
                    next.push((rule, start, rest));
                }
            }
            columns.push(next);
            self.close(&mut columns);
        }
        let accepted = columns[columns.len() - 1]
            .iter()
            .any(|&(rule, start, term)| rule == root && start == 0 && self.regexes.is_nullable(term));
        if text.is_empty() {
            assert_eq!(accepted, self.lowered.root_nullable);
        }
        accepted
    }

    fn close(&mut self, columns: &mut [Vec<Item>]) {
        let now = columns.len() - 1;
        let mut seen: HashSet<Item> = columns[now].iter().copied().collect();
        let mut i = 0;
        while i < columns[now].len() {
            let (rule, start, term) = columns[now][i];
            i += 1;
            let mut new: Vec<Item> = Vec::new();
            for (symbol, _) in self.regexes.externals(term) {
                if let Symbol::Rule(called) = self.lowered.symbols[symbol as usize] {
                    new.push((called, now, self.lowered.bodies[called]));
                }
            }
            if start < now && self.regexes.is_nullable(term) {
                for (caller, origin, waiting) in columns[start].clone() {
                    for (symbol, rest) in self.regexes.externals(waiting) {
                        if self.lowered.symbols[symbol as usize] == Symbol::Rule(rule) {
                            new.push((caller, origin, rest));
                        }
                    }
                }
            }
            for item in new {
                if seen.insert(item) {
                    columns[now].push(item);
                }
            }
        }
    }
}
