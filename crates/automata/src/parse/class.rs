//! Bracket classes.
use super::escape::Escape;
use super::syntax::Parser;
use super::{sets, Dialect, ParseError};
use crate::charset::CharSet;

/// One end of a possible range.
enum Item {
    Character(u32),
    Set(CharSet),
}

impl Parser<'_> {
    /// Reads the class whose opening bracket has just been taken.
    pub(super) fn class(&mut self) -> Result<CharSet, ParseError> {
        if self.dialect == Dialect::Rust {
            return self.rust_class();
        }
        let start = self.position - 1;
        let negated = self.take('^');
        // Right after the bracket, `]` is a literal in Python and the end of an empty class in ECMA.
        let mut literal_bracket = self.dialect == Dialect::Python;
        let mut set = CharSet::default();
        let mut parts = Vec::new();
        loop {
            match self.peek() {
                None => {
                    return Err(ParseError::syntax(
                        start,
                        "a class is not closed; add `]` or escape the bracket",
                    ))
                }
                Some(']') if !literal_bracket => {
                    self.position += 1;
                    break;
                }
                Some(_) => self.class_part(&mut set, &mut parts)?,
            }
            literal_bracket = false;
        }
        set = set.union(&CharSet::new(parts));
        if self.flags.ignore_case {
            set = sets::fold_case(&set);
        }
        Ok(if negated { set.complement() } else { set })
    }

    /// A character, a set or a range.
    fn class_part(&mut self, set: &mut CharSet, ranges: &mut Vec<(u32, u32)>) -> Result<(), ParseError> {
        let start = self.position;
        let low = self.class_item()?;
        let is_range = self.peek() == Some('-') && self.text.get(self.position + 1).is_some_and(|&c| c != ']');
        if !is_range {
            add(low, set, ranges);
            return Ok(());
        }
        self.position += 1;
        let high = self.class_item()?;
        match (low, high) {
            (Item::Character(low), Item::Character(high)) if low <= high => ranges.push((low, high)),
            (Item::Character(_), Item::Character(_)) => {
                return Err(ParseError::syntax(start, "a range runs backwards; swap its ends"));
            }
            (low, high) if self.dialect == Dialect::Ecma => {
                // `[\w-z]`: a set is no end of a range, so the hyphen stands for itself (Annex B).
                add(low, set, ranges);
                add(high, set, ranges);
                ranges.push(('-'.into(), '-'.into()));
            }
            _ => {
                return Err(ParseError::syntax(start, "a set cannot end a range; escape the hyphen"));
            }
        }
        Ok(())
    }

    fn class_item(&mut self) -> Result<Item, ParseError> {
        match self.next() {
            Some('\\') => Ok(match self.escape(true)? {
                Escape::Set(set) => Item::Set(set),
                Escape::Character(character) => Item::Character(character),
                _ => unreachable!("assertions are read outside of classes only"),
            }),
            Some(character) => Ok(Item::Character(character.into())),
            None => Err(ParseError::syntax(self.position, "a class is not closed; add `]`")),
        }
    }

    /// Rust classes nest and have operators, so the tables' own parser reads them.
    fn rust_class(&mut self) -> Result<CharSet, ParseError> {
        let start = self.position - 1;
        let end = self
            .end_of_rust_class()
            .ok_or_else(|| ParseError::syntax(start, "a class is not closed; add `]` or escape the bracket"))?;
        self.position = end;
        let text: String = self.text[start..end].iter().collect();
        if text.contains("[^]") && text.len() == 3 {
            return Err(ParseError::syntax(start, "a class is not closed; add `]`"));
        }
        let text = if self.flags.verbose { format!("(?x){text}") } else { text };
        match sets::class_of(&text, self.flags.ignore_case) {
            Some(set) => Ok(set),
            None => self.empty_rust_class(&text, start),
        }
    }

    /// A valid class without characters, such as `[a&&b]`, is no class any more in the parser's answer.
    fn empty_rust_class(&self, text: &str, start: usize) -> Result<CharSet, ParseError> {
        match regex_syntax::parse(text) {
            Ok(hir) if hir == regex_syntax::hir::Hir::fail() => Ok(CharSet::default()),
            _ => Err(ParseError::syntax(
                start,
                "the class is malformed; check its ranges, names and operators",
            )),
        }
    }

    /// The place after the bracket that closes the class.
    fn end_of_rust_class(&self) -> Option<usize> {
        let (mut depth, mut at) = (1, self.position);
        let mut opened = true;
        while depth > 0 {
            let character = *self.text.get(at)?;
            at += 1;
            match character {
                '^' | '-' if opened => continue,
                ']' if opened => {}
                ']' => depth -= 1,
                '[' if self.text.get(at) == Some(&':') && self.posix_end(at).is_some() => {
                    at = self.posix_end(at)?;
                }
                '[' => {
                    depth += 1;
                    opened = true;
                    continue;
                }
                '\\' => at += 1,
                _ => {}
            }
            opened = false;
        }
        Some(at)
    }

    /// The place after `[:name:]`, whose colon is at `at`.
    fn posix_end(&self, at: usize) -> Option<usize> {
        let rest = &self.text[at + 1..];
        let length = rest.iter().position(|c| !c.is_ascii_lowercase() && *c != '^')?;
        let closed = rest.get(length) == Some(&':') && rest.get(length + 1) == Some(&']');
        closed.then_some(at + 1 + length + 2)
    }
}

fn add(item: Item, set: &mut CharSet, ranges: &mut Vec<(u32, u32)>) {
    match item {
        Item::Character(character) => ranges.push((character, character)),
        Item::Set(other) => *set = set.union(&other),
    }
}
