//! The character sets that escapes name, per dialect, and case folding. Unicode tables come from `regex-syntax`.
use super::Dialect;
use crate::charset::CharSet;
use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};
use std::sync::OnceLock;

/// What ends a line: excluded from `.`, and looked for by `^` and `$` in multi-line mode.
pub(super) fn line_terminators(dialect: Dialect) -> CharSet {
    match dialect {
        Dialect::Ecma => CharSet::new([(0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029)]),
        Dialect::Rust | Dialect::Python => CharSet::new([(0x0A, 0x0A)]),
    }
}

/// `\d`
pub(super) fn digit(dialect: Dialect) -> CharSet {
    static UNICODE: OnceLock<CharSet> = OnceLock::new();
    match dialect {
        Dialect::Ecma => CharSet::new([(0x30, 0x39)]),
        Dialect::Rust | Dialect::Python => UNICODE.get_or_init(|| table(r"\p{Nd}")).clone(),
    }
}

/// `\w`
pub(super) fn word(dialect: Dialect) -> CharSet {
    static RUST: OnceLock<CharSet> = OnceLock::new();
    static PYTHON: OnceLock<CharSet> = OnceLock::new();
    match dialect {
        Dialect::Ecma => CharSet::new([(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)]),
        Dialect::Rust => RUST.get_or_init(|| table(r"\w")).clone(),
        // `str.isalnum()` and the underscore: marks are no word characters in Python.
        Dialect::Python => PYTHON.get_or_init(|| table(r"[\p{L}\p{N}_]")).clone(),
    }
}

/// `\s`
pub(super) fn space(dialect: Dialect) -> CharSet {
    static RUST: OnceLock<CharSet> = OnceLock::new();
    static ECMA: OnceLock<CharSet> = OnceLock::new();
    match dialect {
        Dialect::Ecma => ECMA
            .get_or_init(|| table(r"[\t\n\x0B\f\r\u{FEFF}\u{2028}\u{2029}\p{Zs}]"))
            .clone(),
        Dialect::Rust => RUST.get_or_init(|| table(r"\s")).clone(),
        Dialect::Python => space(Dialect::Rust).union(&CharSet::new([(0x1C, 0x1F)])),
    }
}

/// The set of a Unicode property, written as inside `\p{...}`; `None` where the tables have no such name.
pub(super) fn property(name: &str) -> Option<CharSet> {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "_ -=:".contains(c));
    plain.then(|| class_of(&format!(r"\p{{{name}}}"), false)).flatten()
}

/// A bracket class in the syntax of the Rust crate; `None` where it is malformed.
pub(super) fn class_of(text: &str, ignore_case: bool) -> Option<CharSet> {
    let mut builder = regex_syntax::ParserBuilder::new();
    let hir = builder.case_insensitive(ignore_case).build().parse(text).ok()?;
    match hir.into_kind() {
        HirKind::Class(Class::Unicode(class)) => Some(from_class(&class)),
        HirKind::Class(Class::Bytes(class)) => {
            let ranges = class.ranges().iter();
            Some(CharSet::new(ranges.map(|range| (range.start().into(), range.end().into()))))
        }
        // A class of one character comes back as a literal.
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).ok()?;
            let mut characters = text.chars();
            let only = CharSet::single(characters.next()?);
            characters.next().is_none().then_some(only)
        }
        _ => None,
    }
}

fn table(text: &str) -> CharSet {
    class_of(text, false).expect("the Unicode tables hold every class that this file names")
}

fn from_class(class: &ClassUnicode) -> CharSet {
    CharSet::new(class.ranges().iter().map(|range| (range.start().into(), range.end().into())))
}

/// The set and every character that is equal to one of its own under simple case folding.
pub(super) fn fold_case(set: &CharSet) -> CharSet {
    let ranges = set.ranges().iter().filter_map(|&(low, high)| {
        let range = (char::from_u32(low)?, char::from_u32(high)?);
        Some(ClassUnicodeRange::new(range.0, range.1))
    });
    let mut class = ClassUnicode::new(ranges);
    class
        .try_case_fold_simple()
        .expect("the tables for case folding are compiled in");
    from_class(&class)
}
