//! Regular languages over Unicode text, as hash-consed terms with lazy derivatives.
//!
//! A [`Regexes`] arena owns every term. A term is its own automaton state: [`Regexes::step`] gives the term that is left
//! after one character (Brzozowski), so *and*, *or*, *not* and counted repetition cost nothing until text arrives, and equal
//! states are one state by hash-consing. Characters are code points without surrogates; UTF-8 and JSON escapes are composed
//! on top by whoever reads bytes and never enter a term.
//!
//! Overview: [`CharSet`] (sets of characters), [`Regexes`] and [`RegexId`] (terms and their constructors), [`Row`] (the
//! outgoing edges of a term), liveness and its fuel in `live.rs`;
//! words that interrupt free text in `scan.rs`;
//! [`parse`] and [`parse_search`] read regular expressions, and `lower.rs` resolves their assertions.
mod charset;
mod formats;
mod length;
mod live;
mod lower;
mod parse;
mod pattern;
mod regex;
mod restrict;
mod row;
mod scan;
mod size;
mod structure;
mod template;

pub use charset::{CharSet, MAX_CHAR};
pub use formats::format;
pub use parse::{parse, parse_search, Dialect, ParseError, ParseErrorKind};
pub use regex::{Limit, RegexId, Regexes, INFINITE};
pub use row::Row;
pub use scan::ScanWord;
