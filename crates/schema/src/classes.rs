//! Classes of member names: texts that a formula cannot tell apart, except for the names that it spells out.
use crate::formula::{FormulaId, Node};
use crate::machine::SchemaMachine;
use crate::names::NameId;
use penstock_automata::{Limit, RegexId};
use std::sync::Arc;

/// Names that match the same patterns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Class {
    /// Never empty.
    pub regex: RegexId,
    /// For each pattern whether the names of the class match it.
    pub matched: Box<[bool]>,
}

/// How a formula can tell names apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Discriminators {
    /// Names spelt out.
    pub names: Vec<NameId>,
    /// Languages.
    pub patterns: Vec<RegexId>,
}

impl SchemaMachine {
    /// The non-empty classes of all texts under some languages, in the order of their verdicts. Cost: remembered.
    pub(crate) fn classes(&mut self, patterns: &[RegexId]) -> Result<Arc<[Class]>, Limit> {
        if let Some(known) = self.memo.classes.get(patterns) {
            return Ok(known.clone());
        }
        let mut classes = vec![Class {
            regex: RegexId::ANYTHING,
            matched: Box::default(),
        }];
        for &pattern in patterns {
            let mut split = Vec::with_capacity(2 * classes.len());
            for class in classes {
                self.split(&class, pattern, &mut split)?;
            }
            if split.len() > self.limits.max_name_classes as usize {
                return Err(self.limits.error("max_name_classes"));
            }
            classes = split;
        }
        let shared: Arc<[Class]> = classes.into();
        self.memo.classes.insert(patterns.into(), shared.clone());
        Ok(shared)
    }

    /// The names that match exactly these of some patterns, sorted and distinct ones.
    ///
    /// # Errors
    /// Any named limit.
    pub fn name_class(&mut self, patterns: &[RegexId], matched: &[bool]) -> Result<RegexId, Limit> {
        let classes = self.classes(patterns)?;
        let found = classes.iter().find(|class| *class.matched == *matched);
        Ok(found.map_or(RegexId::NEVER, |class| class.regex))
    }

    fn split(&mut self, class: &Class, pattern: RegexId, out: &mut Vec<Class>) -> Result<(), Limit> {
        let outside = self.regexes.difference(class.regex, pattern);
        let inside = self.regexes.and(&[class.regex, pattern]);
        let (some_outside, some_inside) = (self.regexes.is_live(outside)?, self.regexes.is_live(inside)?);
        for (regex, live, other, verdict) in [
            (outside, some_outside, some_inside, false),
            (inside, some_inside, some_outside, true),
        ] {
            if live {
                let matched = class.matched.iter().copied().chain([verdict]).collect();
                // Where the pattern splits nothing off, the class keeps its shorter term.
                let regex = if other { regex } else { class.regex };
                out.push(Class { regex, matched });
            }
        }
        Ok(())
    }

    /// How a formula can tell names apart. Cost: remembered.
    pub(crate) fn discriminators(&mut self, formula: FormulaId) -> Result<Arc<Discriminators>, Limit> {
        if let Some(known) = self.memo.discriminators.get(&formula) {
            return Ok(known.clone());
        }
        let mut found = Discriminators::default();
        let (mut todo, mut done) = (vec![formula], rustc_hash::FxHashSet::default());
        while let Some(next) = todo.pop() {
            if !done.insert(next) {
                continue;
            }
            match self.formulas.node(next).clone() {
                Node::And(parts) | Node::Or(parts) | Node::One(parts) => todo.extend_from_slice(&parts),
                Node::Not(part) => todo.push(part),
                Node::Has(name) => found.names.push(name),
                Node::Order(order, _) => found.names.extend_from_slice(&self.formulas.orders[order as usize]),
                Node::Names(schema) => found.patterns.push(self.text_of(schema)?),
                Node::Members(table) => {
                    let table = &self.formulas.members[table as usize];
                    found.names.extend(table.names.iter().map(|entry| entry.0));
                    found.patterns.extend(table.patterns.iter().map(|entry| entry.0));
                }
                Node::UnevaluatedMembers(table) => {
                    for (cover, holds) in self.formulas.member_covers[table as usize].branches.iter() {
                        found.names.extend_from_slice(&cover.names);
                        found.patterns.extend_from_slice(&cover.patterns);
                        todo.push(*holds);
                    }
                }
                _ => {}
            }
        }
        found.names.sort_unstable();
        found.names.dedup();
        found.patterns.sort_unstable();
        found.patterns.dedup();
        let shared = Arc::new(found);
        self.memo.discriminators.insert(formula, shared.clone());
        Ok(shared)
    }
}
