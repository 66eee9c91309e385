//! How a term is built, for those who compare terms of different arenas.
use crate::regex::{Node, RegexId, Regexes};

/// A list of more words than this is not written down.
const MAX_WORDS: usize = 64;

impl Regexes {
    /// Writes what a term is but for its parts; returns these, and whether their order matters. None for terms that an arena
    /// keeps tables for (loops with assertions, scans), symbols of rules, and long lists of words.
    ///
    /// Terms are equal if what is written is, and their parts are.
    pub fn write_part(&self, term: RegexId, out: &mut Vec<u8>) -> Option<(Vec<RegexId>, bool)> {
        match self.node(term) {
            Node::Never => out.push(0),
            Node::Empty => out.push(1),
            Node::Class(set) => {
                out.push(2);
                let ends = set.ranges().iter().flat_map(|&(low, high)| [low, high]);
                out.extend(ends.flat_map(u32::to_le_bytes));
            }
            Node::Concat(..) => out.push(3),
            Node::Or(_) => out.push(4),
            Node::And(_) => out.push(5),
            Node::Not(_) => out.push(6),
            &Node::Repeat { min, max, .. } => {
                out.push(7);
                out.extend([min, max].into_iter().flat_map(u32::to_le_bytes));
            }
            &Node::Words { list, low, high, depth } => {
                let words = &self.words[list as usize][low as usize..high as usize];
                if words.len() > MAX_WORDS {
                    return None;
                }
                out.push(8);
                for word in words {
                    out.extend((word.len() as u32 - depth).to_le_bytes());
                    out.extend(word[depth as usize..].iter().flat_map(|character| character.to_le_bytes()));
                }
            }
            Node::Loop { .. } | Node::Scan { .. } | Node::External(_) => return None,
        }
        Some((
            self.node(term).parts(),
            !matches!(self.node(term), Node::Or(_) | Node::And(_)),
        ))
    }
}
