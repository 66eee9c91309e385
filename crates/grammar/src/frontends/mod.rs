//! From text to [`crate::Grammar`]: one module for each way to write a grammar.
pub mod ebnf;
pub mod regex;
pub mod structural_tag;
