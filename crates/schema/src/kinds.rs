//! Kinds of JSON value, as a bit set.

/// A set of kinds of JSON value. `true` and `false` are kinds of their own: they differ from their first byte on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kinds(pub u8);

impl Kinds {
    /// No kind.
    pub const NONE: Kinds = Kinds(0);
    /// `null`.
    pub const NULL: Kinds = Kinds(1);
    /// `true`.
    pub const TRUE: Kinds = Kinds(2);
    /// `false`.
    pub const FALSE: Kinds = Kinds(4);
    /// Numbers.
    pub const NUMBER: Kinds = Kinds(8);
    /// Strings.
    pub const STRING: Kinds = Kinds(16);
    /// Arrays.
    pub const ARRAY: Kinds = Kinds(32);
    /// Objects.
    pub const OBJECT: Kinds = Kinds(64);
    /// Both truth values.
    pub const BOOLEAN: Kinds = Kinds(6);
    /// Every kind.
    pub const ALL: Kinds = Kinds(127);
    /// Every kind alone, the cheap ones to search first.
    pub const EACH: [Kinds; 7] = [
        Kinds::NULL,
        Kinds::TRUE,
        Kinds::FALSE,
        Kinds::NUMBER,
        Kinds::STRING,
        Kinds::ARRAY,
        Kinds::OBJECT,
    ];

    /// Whether every kind of `other` is in the set.
    pub fn has(self, other: Kinds) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the set holds nothing.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The kinds in both sets.
    pub fn and(self, other: Kinds) -> Kinds {
        Kinds(self.0 & other.0)
    }

    /// The kinds in either set.
    pub fn or(self, other: Kinds) -> Kinds {
        Kinds(self.0 | other.0)
    }

    /// The kinds that are not in the set.
    pub fn complement(self) -> Kinds {
        Kinds(!self.0 & Kinds::ALL.0)
    }
}
