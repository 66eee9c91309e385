//! Dense states: whole slices of the vocabulary at once.
//!
//! A state takes a slice whole if no text over the slice's kinds of characters, up to the length of its longest token,
//! kills it. The search for such a text looks at a bounded number of states and gives up in favour of a walk.
use crate::control::{Config, Control};
use crate::text::Partial;
use crate::vocabulary::{Slice, JSON_SPECIAL_KINDS, KINDS};
use crate::walk::{is_wide, Walk};
use penstock_automata::{Limit, RegexId, Row};

/// States looked at before a slice is walked instead.
const MAX_DEATH_STATES: usize = 256;

impl Walk<'_, '_> {
    /// Whether `config` reads text so freely that slices pay.
    pub(crate) fn is_dense(&mut self, config: Config) -> Result<bool, Limit> {
        let at_boundary = match config.control {
            Control::Rule { partial, .. } => partial == Partial::None,
            Control::Text(text) => text.partial == Partial::None,
            Control::Key(key) => key.partial == Partial::None && key.others != RegexId::NEVER,
            _ => false,
        };
        Ok(at_boundary && is_wide(&self.run.live_bytes(config)?))
    }

    /// Whether every token of the slice can be read from `config`.
    pub(crate) fn takes_slice(&mut self, config: Config, slice: &Slice) -> Result<bool, Limit> {
        let (term, longest_text) = match config.control {
            Control::Rule { term, .. } => (term, penstock_automata::INFINITE),
            Control::Text(text) if slice.kinds & JSON_SPECIAL_KINDS == 0 => (text.goal, text.max),
            Control::Key(key) if slice.kinds & JSON_SPECIAL_KINDS == 0 => (key.others, penstock_automata::INFINITE),
            _ => return Ok(false),
        };
        if longest_text < slice.longest {
            return Ok(false);
        }
        self.survives(term, slice.kinds, slice.longest)
    }

    /// Whether no text over `kinds` of at most `longest` characters kills `term`.
    fn survives(&mut self, term: RegexId, kinds: u16, longest: u32) -> Result<bool, Limit> {
        let mut seen = vec![term];
        let mut level_start = 0;
        for _ in 0..longest {
            let level_end = seen.len();
            if level_start == level_end {
                return Ok(true);
            }
            for i in level_start..level_end {
                let row = self.run.core.regexes().live_row(seen[i])?;
                if !add_targets(&row, kinds, &mut seen) {
                    return Ok(false);
                }
                if seen.len() > MAX_DEATH_STATES {
                    return Ok(false);
                }
            }
            level_start = level_end;
        }
        Ok(true)
    }
}

/// Adds the targets of all characters of `kinds`; false if one of them is dead.
fn add_targets(row: &Row, kinds: u16, seen: &mut Vec<RegexId>) -> bool {
    let pieces = row.pieces();
    for (i, &(start, target)) in pieces.iter().enumerate() {
        let end = pieces.get(i + 1).map_or(penstock_automata::MAX_CHAR, |next| next.0 - 1);
        if !touches(kinds, start, end) {
            continue;
        }
        if target == RegexId::NEVER {
            return false;
        }
        if !seen.contains(&target) {
            seen.push(target);
        }
    }
    true
}

fn touches(kinds: u16, start: u32, end: u32) -> bool {
    // Surrogates are no characters: a piece of nothing else belongs to no kind.
    if start >= 0xD800 && end <= 0xDFFF {
        return false;
    }
    (0..KINDS.len())
        .filter(|kind| kinds >> kind & 1 != 0)
        .any(|kind| KINDS[kind].iter().any(|range| range.0 <= end && start <= range.1))
}
