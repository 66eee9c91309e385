//! Where the text stands: a control and the frame below it.
use crate::stack::{FrameId, TextId};
use crate::text::Partial;
use penstock_automata::{RegexId, INFINITE};
use penstock_schema::number::NumberState;
use penstock_schema::{AskId, ShapeId};

/// Whitespace between two symbols of JSON, as far as it has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Gap {
    /// No whitespace (any more).
    Closed,
    /// One space or tab, or a line break, may come.
    Open,
    /// A carriage return was read: the line feed must follow.
    AfterReturn,
    /// A line break was read: so many spaces or tabs may come.
    Indent(u16),
    /// So many spaces, tabs, carriage returns and line feeds may come.
    Any(u16),
    /// A given text must come: an index into [`LITERAL_GAPS`] and how much of it was read.
    Literal(u8, u8),
    /// A line break must come, then exactly so many spaces.
    Line(u16),
    /// Exactly so many spaces must come.
    Spaces(u16),
}

/// Most spaces or tabs after a line break in flexible whitespace (`max_indent`).
pub const MAX_INDENT: u16 = 256;

/// The texts that may follow a comma or a colon when separators are given.
pub const LITERAL_GAPS: [&str; 3] = [" ", "\n", "  "];

impl Gap {
    /// A gap of up to `left` characters of whitespace.
    pub fn any(left: u16) -> Gap {
        if left == 0 {
            Gap::Closed
        } else {
            Gap::Any(left)
        }
    }

    /// The gap after one more byte; None if the byte is no whitespace that may come here.
    #[inline]
    pub fn step(self, byte: u8) -> Option<Gap> {
        match (self, byte) {
            (Gap::Open, b' ' | b'\t') => Some(Gap::Closed),
            (Gap::Open | Gap::AfterReturn, b'\n') => Some(Gap::Indent(MAX_INDENT)),
            (Gap::Open, b'\r') => Some(Gap::AfterReturn),
            (Gap::Indent(left), b' ' | b'\t') if left > 0 => Some(Gap::Indent(left - 1)),
            (Gap::Any(left), b' ' | b'\t' | b'\n' | b'\r') => Some(Gap::any(left - 1)),
            (Gap::Line(spaces), b'\n') => Some(Gap::Spaces(spaces)),
            (Gap::Spaces(left), b' ') if left > 0 => Some(Gap::Spaces(left - 1)),
            (Gap::Literal(text, at), _) => {
                let bytes = LITERAL_GAPS[usize::from(text)].as_bytes();
                (bytes.get(usize::from(at)) == Some(&byte)).then_some(Gap::Literal(text, at + 1))
            }
            _ => None,
        }
    }

    /// Whether the symbol after the gap may come.
    #[inline]
    pub fn is_done(self) -> bool {
        match self {
            Gap::Closed | Gap::Open | Gap::Indent(_) | Gap::Any(_) | Gap::Spaces(0) => true,
            Gap::Literal(text, at) => usize::from(at) == LITERAL_GAPS[usize::from(text)].len(),
            Gap::AfterReturn | Gap::Line(_) | Gap::Spaces(_) => false,
        }
    }
}

/// What may come next, apart from what the frame decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Control {
    /// The value at the bottom has ended.
    Done,
    /// Inside a rule: what is left of its body.
    Rule {
        /// The rest of the body.
        term: RegexId,
        /// The part of a character that has been read.
        partial: Partial,
    },
    /// A JSON value must come.
    Value {
        /// What is asked of it.
        ask: AskId,
        /// Whitespace before it.
        gap: Gap,
        /// Its style.
        style: u8,
    },
    /// The first item of an array, or its end. The frame is the array.
    FirstItem(Gap),
    /// A member's name; if `first`, also the object's end. The frame is the object.
    Name {
        /// Whitespace before it.
        gap: Gap,
        /// Whether the object has just been opened.
        first: bool,
    },
    /// The colon after a name. The frame is the object.
    Colon {
        /// What is asked of the member's value.
        ask: AskId,
        /// Whitespace before it.
        gap: Gap,
    },
    /// After a member or an item: a comma or the end. The frame is the container.
    After(Gap),
    /// Inside `null` (0), `true` (1) or `false` (2), `at` letters read.
    Word {
        /// What was asked.
        ask: AskId,
        /// Which word.
        word: u8,
        /// Letters read.
        at: u8,
    },
    /// Inside a number.
    Number(Number),
    /// Inside a string value.
    Text(Text),
    /// Inside a member's name. The frame is the object.
    Key(Key),
}

/// Inside a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Number {
    /// What was asked.
    pub ask: AskId,
    /// The machine's state.
    pub state: NumberState,
    /// The bytes read; [`TextId::UNKEPT`] where nobody asks for the value.
    pub text: TextId,
    /// Whether a rule surrounds it, which may go on with a digit of its own: there it ends at every place where it may.
    pub in_rule: bool,
}

/// Inside a string value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Text {
    /// What the rest of the text must be in.
    pub goal: RegexId,
    /// The states of the asked formulas, an index into the interned lists; 0: the verdict is known.
    pub parts: u32,
    /// What was asked; only kept while `parts` is not 0.
    pub ask: AskId,
    /// Least number of characters to come. Lengths are kept only beside a positive goal.
    pub min: u32,
    /// Largest number of characters to come, or [`penstock_automata::INFINITE`].
    pub max: u32,
    /// The part of a character that has been read.
    pub partial: Partial,
    /// The characters read; [`TextId::UNKEPT`] where nobody asks for the value.
    pub text: TextId,
}

impl Text {
    /// Whether every continuation is allowed up to its length.
    pub fn is_generic(&self) -> bool {
        self.goal == RegexId::ANYTHING && self.parts == 0
    }
}

/// Inside a member's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The names that the object can tell apart.
    pub shape: ShapeId,
    /// The names `low..high` of the shape start with what has been read.
    pub low: u32,
    /// See `low`.
    pub high: u32,
    /// Characters read.
    pub depth: u32,
    /// What the rest must be in for another name, [`RegexId::NEVER`] if there is none.
    pub others: RegexId,
    /// The part of a character that has been read.
    pub partial: Partial,
    /// The characters read, once no declared name starts with them; [`TextId::EMPTY`] before, where `low` and `depth` tell
    /// them, and throughout if no other name is possible.
    pub text: TextId,
    /// The languages that tell other names apart and what is left of each, an index into [`crate::core::Core::name_states`]; 0
    /// where all other names are alike.
    pub states: u32,
}

impl Key {
    /// Where a name begins and the token ends: there is one, and which it can be does not matter to the mask.
    pub(crate) const UNREAD: Key = Key {
        shape: ShapeId(0),
        low: 0,
        high: 0,
        depth: 0,
        others: RegexId::ANYTHING,
        partial: Partial::None,
        text: TextId::EMPTY,
        states: 0,
    };

    /// The key where only declared names can come.
    pub fn declared_only(self) -> Key {
        Key {
            others: RegexId::NEVER,
            states: 0,
            ..self
        }
    }
}

/// One way to read the text so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// Where the text stands.
    pub control: Control,
    /// What is open around it.
    pub frame: FrameId,
}

impl Control {
    /// Whether this is the inside of a string that may be any, of any length, and that nobody asks for: whole characters leave it
    /// as it is.
    pub fn is_free(&self) -> bool {
        match self {
            Control::Text(text) => {
                text.is_generic()
                    && (text.min, text.max) == (0, INFINITE)
                    && text.partial == Partial::None
                    && text.text == TextId::UNKEPT
            }
            _ => false,
        }
    }

    /// The control under which masks are kept: whitespace that no token can use up is cut. `longest` is the length of the longest token in bytes.
    pub fn mask_key(self, longest: u32) -> Control {
        let cut = |gap: Gap| match gap {
            Gap::Indent(left) => Gap::Indent(left.min(longest.min(u32::from(u16::MAX)) as u16)),
            Gap::Any(left) => Gap::any(left.min(longest.min(u32::from(u16::MAX)) as u16)),
            other => other,
        };
        match self {
            Control::Value { ask, gap, style } => Control::Value {
                ask,
                gap: cut(gap),
                style,
            },
            Control::FirstItem(gap) => Control::FirstItem(cut(gap)),
            Control::Name { gap, first } => Control::Name { gap: cut(gap), first },
            Control::Colon { ask, gap } => Control::Colon { ask, gap: cut(gap) },
            Control::After(gap) => Control::After(cut(gap)),
            other => other,
        }
    }
}
