//! Small questions about languages of texts: membership, shortest words, several words.
use crate::formula::{FormulaId, Node};
use crate::kinds::Kinds;
use crate::machine::SchemaMachine;
use crate::names::NameId;
use penstock_automata::{Limit, RegexId, Regexes};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

/// Whether `text` is in the language. Cost: one step a character.
pub(crate) fn matches(regexes: &mut Regexes, mut term: RegexId, text: &str) -> Result<bool, Limit> {
    for character in text.chars() {
        if term == RegexId::NEVER || term == RegexId::ANYTHING {
            break;
        }
        term = regexes.step(term, character as u32)?;
    }
    Ok(regexes.is_nullable(term))
}

/// One shortest text of the language, plain characters preferred; `None` if there is none.
pub(crate) fn shortest_text(regexes: &mut Regexes, term: RegexId) -> Result<Option<String>, Limit> {
    let mut parents: FxHashMap<RegexId, (RegexId, char)> = FxHashMap::default();
    let mut queue = VecDeque::from([term]);
    while let Some(state) = queue.pop_front() {
        if regexes.is_nullable(state) {
            return Ok(Some(spell(&parents, term, state)));
        }
        if parents.len() > regexes.max_emptiness_states {
            return Err(Limit {
                name: "max_emptiness_states",
                configured: regexes.max_emptiness_states as u64,
            });
        }
        let row = regexes.live_row(state)?;
        for (low, high, target) in row.ranges() {
            if target != term && !parents.contains_key(&target) {
                parents.insert(target, (state, plain_character(low, high)));
                queue.push_back(target);
            }
        }
    }
    Ok(None)
}

fn spell(parents: &FxHashMap<RegexId, (RegexId, char)>, start: RegexId, mut state: RegexId) -> String {
    let mut out = Vec::new();
    while state != start {
        let (parent, character) = parents[&state];
        out.push(character);
        state = parent;
    }
    out.iter().rev().collect()
}

/// A readable character of an inclusive range, if it has one.
fn plain_character(low: u32, high: u32) -> char {
    let pick = [(0x61, 0x7A), (0x30, 0x39), (0x41, 0x5A), (0x23, 0x7E)]
        .iter()
        .find_map(|&(from, to)| (low.max(from) <= high.min(to)).then_some(low.max(from)))
        .unwrap_or(low);
    char::from_u32(pick).unwrap_or('\u{FFFD}')
}

impl SchemaMachine {
    /// Up to `want` texts of a language that are none of `taken`.
    pub(crate) fn some_texts(&mut self, term: RegexId, taken: &[NameId], want: usize) -> Result<Vec<NameId>, Limit> {
        if want > self.limits.max_witness_size as usize {
            return Err(self.limits.error("max_witness_size"));
        }
        let mut banned: Vec<NameId> = taken.to_vec();
        let mut found = Vec::new();
        if term == RegexId::ANYTHING {
            let mut number = 0_usize;
            while found.len() < want {
                let name = self.names.intern(&number_to_name(number));
                if !banned.contains(&name) {
                    found.push(name);
                }
                number += 1;
            }
            return Ok(found);
        }
        while found.len() < want {
            self.burn()?;
            let texts: Vec<String> = banned.iter().map(|&name| self.names.text(name).to_string()).collect();
            let without = self.regexes.words(texts.iter().map(String::as_str));
            let left = self.regexes.difference(term, without);
            let Some(text) = shortest_text(&mut self.regexes, left)? else {
                break;
            };
            let name = self.names.intern(&text);
            banned.push(name);
            found.push(name);
        }
        Ok(found)
    }

    /// Whether a name matches a language, remembered.
    pub(crate) fn name_matches(&mut self, term: RegexId, name: NameId) -> Result<bool, Limit> {
        if let Some(&known) = self.memo.matches.get(&(term, name)) {
            return Ok(known);
        }
        let text = self.names.text(name).clone();
        let answer = matches(&mut self.regexes, term, &text)?;
        self.memo.matches.insert((term, name), answer);
        Ok(answer)
    }

    /// Those of `patterns` that a name matches.
    pub(crate) fn matched_among(
        &mut self,
        patterns: impl Iterator<Item = RegexId>,
        name: NameId,
    ) -> Result<Vec<RegexId>, Limit> {
        let mut matched = Vec::new();
        for pattern in patterns {
            if self.name_matches(pattern, name)? {
                matched.push(pattern);
            }
        }
        Ok(matched)
    }

    /// Whether a name, as a string, satisfies a schema.
    pub(crate) fn name_satisfies(&mut self, schema: FormulaId, name: NameId) -> Result<bool, Limit> {
        let term = self.text_of(schema)?;
        self.name_matches(term, name)
    }

    /// The strings that satisfy a schema.
    pub(crate) fn text_of(&mut self, schema: FormulaId) -> Result<RegexId, Limit> {
        let formula = self.at_kind(schema, Kinds::STRING)?;
        self.regex_of(formula)
    }

    /// The language of a formula whose kind is known to be a string.
    pub(crate) fn regex_of(&mut self, formula: FormulaId) -> Result<RegexId, Limit> {
        if let Some(&known) = self.memo.texts.get(&formula) {
            return Ok(known);
        }
        let result = match self.formulas.node(formula).clone() {
            Node::True => RegexId::ANYTHING,
            Node::Text(regex) => regex,
            Node::Not(part) => {
                let part = self.regex_of(part)?;
                self.without(part)
            }
            Node::And(parts) => {
                let parts = self.regexes_of(&parts)?;
                self.regexes.and(&parts)
            }
            Node::Or(parts) => {
                let parts = self.regexes_of(&parts)?;
                self.regexes.or(&parts)
            }
            Node::One(parts) => {
                let parts = self.regexes_of(&parts)?;
                self.exactly_one(&parts)
            }
            _ => RegexId::NEVER,
        };
        self.memo.texts.insert(formula, result);
        Ok(result)
    }

    fn regexes_of(&mut self, parts: &[FormulaId]) -> Result<Vec<RegexId>, Limit> {
        parts.iter().map(|&part| self.regex_of(part)).collect()
    }

    /// The complement; that of a least length is a greatest length.
    fn without(&mut self, part: RegexId) -> RegexId {
        match self.regexes.as_length(part) {
            Some((min, penstock_automata::INFINITE)) if min > 0 => self.regexes.repeat(RegexId::ANY, 0, min - 1),
            Some((0, max)) if max < penstock_automata::INFINITE - 1 => {
                self.regexes.repeat(RegexId::ANY, max + 1, penstock_automata::INFINITE)
            }
            _ => self.regexes.not(part),
        }
    }

    /// The texts in exactly one of `parts`, in a term that is linear in their number.
    fn exactly_one(&mut self, parts: &[RegexId]) -> RegexId {
        let (mut some, mut several) = (RegexId::NEVER, RegexId::NEVER);
        for &part in parts {
            let again = self.regexes.and(&[some, part]);
            several = self.regexes.or(&[several, again]);
            some = self.regexes.or(&[some, part]);
        }
        self.regexes.difference(some, several)
    }
}

/// `a`, `b`, ... `z`, `aa`, ...: names for members that may be called anything.
fn number_to_name(mut number: usize) -> String {
    let mut out = Vec::new();
    loop {
        out.push(b'a' + (number % 26) as u8);
        if number < 26 {
            break;
        }
        number = number / 26 - 1;
    }
    out.iter().rev().map(|&byte| byte as char).collect()
}
