//! Where a rule was written, for whoever has to tell about it later.
use crate::error::Problem;
use std::fmt;
use std::sync::Arc;

/// Where a rule was written. It is no part of the language: all places are equal.
#[derive(Clone, Default)]
pub struct Place {
    /// The text and the byte where the rule's name starts.
    at: Option<(Arc<str>, usize)>,
    /// JSON pointer of the text, where it stands in a structural tag.
    pointer: Arc<str>,
}

impl Place {
    /// The byte `offset` of `text`.
    pub(crate) fn new(text: &Arc<str>, offset: usize) -> Place {
        Place {
            at: Some((text.clone(), offset)),
            pointer: Arc::default(),
        }
    }

    /// The same place in a text that stands at a JSON pointer.
    pub(crate) fn under(&self, pointer: &Arc<str>) -> Place {
        Place {
            at: self.at.clone(),
            pointer: pointer.clone(),
        }
    }

    /// Whether it is known; rules that no text names have none.
    pub fn is_known(&self) -> bool {
        self.at.is_some()
    }

    /// What tells rules apart that one piece of text made; `None` where the place is not known.
    pub(crate) fn key(&self) -> Option<(usize, *const u8)> {
        self.at.as_ref().map(|(text, offset)| (*offset, text.as_ptr()))
    }

    /// A mistake of the rule.
    pub(crate) fn problem(&self, message: impl Into<String>, hint: impl Into<String>) -> Problem {
        match &self.at {
            None => Problem::without_place(message, hint),
            Some((text, offset)) => Problem {
                pointer: self.pointer.to_string(),
                ..Problem::at(text, *offset, message, hint)
            },
        }
    }
}

impl PartialEq for Place {
    fn eq(&self, _: &Place) -> bool {
        true
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some((_, offset)) => write!(f, "{}@{offset}", self.pointer),
            None => f.write_str("-"),
        }
    }
}
