//! What is odd about a grammar, though its language is clear.
use crate::ast::{Grammar, RuleId};
use crate::error::Problem;
use crate::frontends::structural_tag::Specials;
use crate::passes::productive::{no_text, rules_without_a_text};
use crate::passes::reachable::reachable;
use rustc_hash::FxHashMap;

impl Grammar {
    /// Rules that nothing uses and rules that no text matches, each with the place where it is written, in the order of the text.
    ///
    /// Neither changes a mask: the first are dropped, the second are never led into. Patterns count as matching something.
    /// Cost: linear in the grammar.
    pub fn remarks(&self) -> Vec<Problem> {
        if self.has_tags() {
            return match self.expand_tags(&Specials::default()) {
                Ok(expanded) => expanded.remarks(),
                Err(error) => error.problems,
            };
        }
        let mut is_used = vec![false; self.rules.len()];
        reachable(self).rules.iter().for_each(|rule| is_used[rule.index()] = true);
        let has_text: Vec<bool> = rules_without_a_text(self).iter().map(|without| !without).collect();
        let mut found = Vec::new();
        for (rule, others) in self.by_place() {
            let any = |fact: &[bool]| others.iter().any(|rule| fact[rule.index()]);
            let rule = self.rule(rule);
            if !any(&is_used) {
                let message = format!("nothing uses the rule `{}`", rule.name);
                found.push(rule.place.problem(message, "call it, or delete it"));
            } else if !any(&has_text) {
                found.push(no_text(rule, "it"));
            }
        }
        found
    }

    /// The rules that texts name, each with all that came of the same words: a parameter makes many.
    fn by_place(&self) -> Vec<(RuleId, Vec<RuleId>)> {
        let mut numbers = FxHashMap::default();
        let mut groups: Vec<(RuleId, Vec<RuleId>)> = Vec::new();
        for rule in (0..self.rules.len() as u32).map(RuleId) {
            if let Some(key) = self.rule(rule).place.key() {
                let number = *numbers.entry(key).or_insert(groups.len());
                match groups.get_mut(number) {
                    Some(group) => group.1.push(rule),
                    None => groups.push((rule, vec![rule])),
                }
            }
        }
        groups.sort_by_key(|(rule, _)| self.rule(*rule).place.key().map(|key| key.0));
        groups
    }
}
