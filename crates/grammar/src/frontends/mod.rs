//! From text to [`crate::Grammar`]: one module for each way to write a grammar.
pub mod ebnf;
mod escapes;
pub mod lark;
pub(crate) mod mistakes;
mod nearest;
pub mod regex;
mod shortest;
pub mod structural_tag;
