//! Strings, numbers and literals: what is asked of them as languages and number formulas, and their verdicts.
use crate::classes::Class;
use crate::formula::{FormulaId, Node};
use crate::kinds::Kinds;
use crate::machine::{bits, Ask, AskId, Goal, SchemaMachine, StringAsk, Verdicts};
use crate::number::{NumberFormula, NumberSpec, NumberState};
use penstock_automata::{Limit, RegexId, INFINITE};
use std::sync::Arc;

impl SchemaMachine {
    /// The verdicts of `null`, `true` or `false`, or `None` if it cannot answer.
    ///
    /// # Errors
    /// Any named limit.
    pub fn literal(&mut self, ask: AskId, kind: Kinds) -> Result<Option<Verdicts>, Limit> {
        self.refuel();
        let asked = self.ask(ask);
        let must = self.at_kind(asked.must, kind)?;
        if !self.formulas.info(must).plain.has(kind) {
            return Ok(None);
        }
        let mut holds = Vec::with_capacity(asked.asked.len());
        for &part in asked.asked.iter() {
            let part = self.at_kind(part, kind)?;
            holds.push(self.formulas.info(part).plain.has(kind));
        }
        let verdicts = Verdicts(bits(holds.into_iter()));
        Ok(self.goal_allows(asked.goal, verdicts)?.then_some(verdicts))
    }

    /// What a string must be, or `None` if no string can answer.
    ///
    /// # Errors
    /// Any named limit.
    pub fn string(&mut self, ask: AskId) -> Result<Option<StringAsk>, Limit> {
        if let Some(known) = self.memo.strings.get(&ask) {
            return Ok(known.as_deref().cloned());
        }
        self.refuel();
        let asked = self.ask(ask);
        let mut parts = Vec::with_capacity(asked.asked.len());
        for &part in asked.asked.iter() {
            parts.push(self.text_of(part)?);
        }
        let goal = self.string_goal(&asked, &parts)?;
        let answer = self.regexes.is_live(goal)?.then(|| self.string_ask(goal, parts));
        self.memo.strings.insert(ask, answer.clone().map(Arc::new));
        Ok(answer)
    }

    fn string_ask(&self, goal: RegexId, parts: Vec<RegexId>) -> StringAsk {
        match self.regexes.as_length(goal) {
            Some((min_length, max_length)) if goal != RegexId::ANYTHING && parts.is_empty() => StringAsk {
                goal: RegexId::ANYTHING,
                min_length,
                max_length,
                parts,
            },
            _ => StringAsk {
                goal,
                min_length: 0,
                max_length: INFINITE,
                parts,
            },
        }
    }

    fn string_goal(&mut self, ask: &Ask, parts: &[RegexId]) -> Result<RegexId, Limit> {
        if !matches!(ask.goal, Goal::Joint(..)) {
            let target = self.target(ask);
            return self.text_of(target);
        }
        let must = self.text_of(ask.must)?;
        let mut allowed = Vec::new();
        for class in self.text_classes(parts)?.iter() {
            let verdicts = Verdicts(bits(class.matched.iter().copied()));
            if self.goal_allows(ask.goal, verdicts)? {
                allowed.push(class.regex);
            }
        }
        let any = self.regexes.or(&allowed);
        Ok(self.regexes.and(&[must, any]))
    }

    /// Classes of texts by verdict. Words of finite parts are sorted out one by one, the rest is split by languages.
    fn text_classes(&mut self, parts: &[RegexId]) -> Result<Vec<Class>, Limit> {
        let mut words: Vec<String> = parts
            .iter()
            .filter_map(|part| self.word_lists.get(part))
            .flat_map(|list| list.iter().map(|text| text.to_string()))
            .collect();
        words.sort_unstable();
        words.dedup();
        let mut groups: Vec<(Box<[bool]>, Vec<&str>)> = Vec::new();
        for word in &words {
            let mut matched = Vec::with_capacity(parts.len());
            for &part in parts {
                matched.push(crate::texts::matches(&mut self.regexes, part, word)?);
            }
            let matched: Box<[bool]> = matched.into();
            match groups.iter_mut().find(|group| group.0 == matched) {
                Some(group) => group.1.push(word),
                None => groups.push((matched, vec![word])),
            }
        }
        let infinite: Vec<RegexId> = parts
            .iter()
            .copied()
            .filter(|part| !self.word_lists.contains_key(part))
            .collect();
        let spelt = self.regexes.words(words.iter().map(String::as_str));
        let mut classes = Vec::new();
        for class in self.classes(&infinite)?.iter() {
            let regex = self.regexes.difference(class.regex, spelt);
            if self.regexes.is_live(regex)? {
                let mut matched = class.matched.iter();
                let of = |part| !self.word_lists.contains_key(part) && *matched.next().expect("one verdict a language");
                let matched = parts.iter().map(of).collect();
                classes.push(Class { regex, matched });
            }
        }
        for (matched, words) in groups {
            let regex = self.regexes.words(words);
            classes.push(Class { regex, matched });
        }
        Ok(classes)
    }

    /// The verdicts of a finished string, from the states that its text reached in the parts of its [`StringAsk`].
    pub fn string_verdicts(&mut self, _ask: AskId, text_state: &[RegexId]) -> Verdicts {
        Verdicts(bits(text_state.iter().map(|&state| self.regexes.is_nullable(state))))
    }

    /// What a number must be, or `None` if no number can answer.
    ///
    /// # Errors
    /// Any named limit.
    pub fn number(&mut self, ask: AskId) -> Result<Option<NumberSpec>, Limit> {
        if let Some(&known) = self.memo.numbers.get(&ask) {
            return Ok(known);
        }
        self.refuel();
        let asked = self.ask(ask);
        let mut parts = Vec::with_capacity(asked.asked.len());
        for &part in asked.asked.iter() {
            let part = self.at_kind(part, Kinds::NUMBER)?;
            parts.push(self.number_formula(part));
        }
        let goal = self.number_goal(&asked, &parts)?;
        let answer = self.number_spec(goal, parts)?;
        self.memo.numbers.insert(ask, answer);
        Ok(answer)
    }

    fn number_spec(&mut self, goal: NumberFormula, parts: Vec<NumberFormula>) -> Result<Option<NumberSpec>, Limit> {
        if goal == NumberFormula::False {
            return Ok(None);
        }
        let spec = self.numbers.spec(goal, parts);
        Ok(self.numbers.is_live(spec)?.then_some(spec))
    }

    fn number_goal(&mut self, ask: &Ask, parts: &[NumberFormula]) -> Result<NumberFormula, Limit> {
        let Goal::Joint(..) = ask.goal else {
            let target = self.target(ask);
            let target = self.at_kind(target, Kinds::NUMBER)?;
            return Ok(self.number_formula(target));
        };
        let must = self.at_kind(ask.must, Kinds::NUMBER)?;
        let must = self.number_formula(must);
        let mut classes: Vec<(NumberFormula, u64)> = vec![(must, 0)];
        for (i, part) in parts.iter().enumerate() {
            let mut split = Vec::with_capacity(2 * classes.len());
            for (class, verdicts) in classes {
                for (side, bit) in [(negated(part), 0), (part.clone(), 1_u64 << i)] {
                    let class = both(class.clone(), side);
                    if self.number_spec(class.clone(), Vec::new())?.is_some() {
                        split.push((class, verdicts | bit));
                    }
                }
            }
            if split.len() > self.limits.max_name_classes as usize {
                return Err(self.limits.error("max_name_classes"));
            }
            classes = split;
        }
        let mut allowed = Vec::new();
        for (class, verdicts) in classes {
            if self.goal_allows(ask.goal, Verdicts(verdicts))? {
                allowed.push(class);
            }
        }
        Ok(NumberFormula::Or(allowed))
    }

    /// Whether anything is asked of a value but its goal.
    pub fn tells_verdicts(&self, ask: AskId) -> bool {
        !self.asks[ask.0 as usize].asked.is_empty()
    }

    /// The verdicts of a finished number, from the state that it reached.
    pub fn number_verdicts(&mut self, ask: AskId, state: NumberState) -> Verdicts {
        if !self.tells_verdicts(ask) {
            return Verdicts::TRUE;
        }
        Verdicts(self.numbers.verdicts(state))
    }

    /// A formula whose kind is known to be a number.
    pub(crate) fn number_formula(&self, formula: FormulaId) -> NumberFormula {
        let all = |parts: &[FormulaId]| parts.iter().map(|&part| self.number_formula(part)).collect();
        match self.formulas.node(formula) {
            Node::True => NumberFormula::True,
            Node::Number(atom) => self.number_atoms[*atom as usize].clone(),
            Node::Not(part) => negated(&self.number_formula(*part)),
            Node::And(parts) => NumberFormula::And(all(parts)),
            Node::Or(parts) => NumberFormula::Or(all(parts)),
            Node::One(parts) => NumberFormula::ExactlyOne(all(parts)),
            _ => NumberFormula::False,
        }
    }

    /// The atom of a number formula.
    pub(crate) fn number_atom(&mut self, atom: NumberFormula) -> FormulaId {
        let next = self.number_atoms.len() as u32;
        let id = *self.number_ids.entry(atom.clone()).or_insert(next);
        if id == next {
            self.number_atoms.push(atom);
        }
        self.formulas.number(id)
    }
}

fn negated(formula: &NumberFormula) -> NumberFormula {
    NumberFormula::Not(Box::new(formula.clone()))
}

fn both(a: NumberFormula, b: NumberFormula) -> NumberFormula {
    NumberFormula::And(vec![a, b])
}
