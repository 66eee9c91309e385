//! Terms apart from any arena, so that what costs a search or a parse is built once a process and copied after that.
use crate::length::Lengths;
use crate::regex::{Facts, Node, RegexId, Regexes};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// A term with its parts: parts before wholes, numbered behind the constants of every arena.
pub(crate) struct Template {
    nodes: Vec<(Node, Facts, Lengths)>,
    root: RegexId,
}

/// The constants of [`RegexId`] have the same numbers everywhere.
const NUM_CONSTANTS: u32 = 4;

impl Template {
    /// `None` where a part lives in another table of the arena: a loop, a word list, a scan.
    ///
    /// Cost: linear in the distinct parts.
    pub fn of(regexes: &Regexes, root: RegexId) -> Option<Template> {
        let mut parts = vec![root];
        let mut seen: FxHashMap<RegexId, RegexId> = FxHashMap::default();
        let mut at = 0;
        while let Some(&part) = parts.get(at) {
            at += 1;
            if seen.insert(part, part).is_none() {
                if matches!(
                    regexes.node(part),
                    Node::Words { .. } | Node::Loop { .. } | Node::Scan { .. } | Node::External(_)
                ) {
                    return None;
                }
                parts.extend(regexes.node(part).parts());
            }
        }
        let mut parts: Vec<RegexId> = seen.into_keys().filter(|part| part.0 >= NUM_CONSTANTS).collect();
        parts.sort_unstable();
        let numbers: FxHashMap<RegexId, RegexId> = (NUM_CONSTANTS..)
            .map(RegexId)
            .zip(&parts)
            .map(|(new, &old)| (old, new))
            .collect();
        let number = |part: RegexId| *numbers.get(&part).unwrap_or(&part);
        let copy = |&part: &RegexId| {
            let at = part.0 as usize;
            (renumbered(regexes.node(part), number), regexes.facts[at], regexes.lengths[at])
        };
        Some(Template {
            nodes: parts.iter().map(copy).collect(),
            root: number(root),
        })
    }
}

impl Regexes {
    /// The term of a template in this arena: the one that building it here gives. Cost: linear in its parts.
    pub(crate) fn copy_of(&mut self, template: &Template) -> RegexId {
        let mut numbers: Vec<RegexId> = (0..NUM_CONSTANTS).map(RegexId).collect();
        self.reserve(template.nodes.len());
        for (node, facts, lengths) in &template.nodes {
            let node = renumbered(node, |part| numbers[part.0 as usize]);
            let copy = self.intern_known(node, *facts, *lengths);
            numbers.push(copy);
        }
        numbers[template.root.0 as usize]
    }
}

/// The node with other numbers for its parts. Lists stay sorted.
fn renumbered(node: &Node, number: impl Fn(RegexId) -> RegexId) -> Node {
    let list = |parts: &Arc<[RegexId]>| {
        let mut parts: Vec<RegexId> = parts.iter().map(|&part| number(part)).collect();
        parts.sort_unstable();
        parts.into()
    };
    match node {
        Node::Concat(head, tail) => Node::Concat(number(*head), number(*tail)),
        Node::Or(parts) => Node::Or(list(parts)),
        Node::And(parts) => Node::And(list(parts)),
        Node::Not(part) => Node::Not(number(*part)),
        Node::Repeat { body, min, max } => Node::Repeat {
            body: number(*body),
            min: *min,
            max: *max,
        },
        other => other.clone(),
    }
}
