//! Grammars: text -> [`Grammar`] -> [`Lowered`].
//!
//! Front ends (`frontends/`) read EBNF, regular expressions and JSON schemas into one form: rules over expressions. A
//! [`Grammar`] can be combined ([`Grammar::choice`], [`Grammar::concat`], [`Grammar::and`], [`Grammar::not`]) and prints as
//! EBNF that parses back. [`lower`] runs the passes and gives one automata term for each rule that is left; what is not
//! regular inside it (calls, JSON values, tokens) are external symbols of the term, which the matcher interprets.
mod ast;
mod compose;
mod error;
pub mod frontends;
mod lower;
mod options;
mod passes;
mod place;
mod print;
mod remarks;
mod schema_text;
mod tokens;

pub use ast::{Dispatch, Expr, ExprId, Grammar, GrammarBuilder, Marks, Rule, RuleId};
pub use error::{GrammarError, GrammarErrorKind, Problem};
pub use frontends::ebnf::MAX_GRAMMAR_NESTING;
pub use frontends::structural_tag::{Specials, MAX_TAG_NESTING};
pub use lower::{lower, lower_with, LowerLimits, Lowered, Symbol};
pub use options::{JsonOptions, Whitespace};
pub use penstock_automata::Dialect;
pub use place::Place;
pub use tokens::{token_dispatch, TokenNames};
