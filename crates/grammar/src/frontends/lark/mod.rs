//! Lark, in the dialect of llguidance.
//!
//! Text becomes lexemes (`lexer`), lexemes are cut into definitions and statements (`scope`), and each body is read with a
//! stack of its own (`body`); a mistake costs the rest of its definition, so that all of them are reported at once.
//!
//! ```text
//! rule      = ["?" | "!"] name ["::_"] ["." priority] ["[" option {"," option} "]"] ":" choice
//! choice    = both ["->" name] ["%if" condition] {"|" both ...}         # an alternative may be empty: the empty text
//! both      = sequence {"&" sequence}                                   # texts of all of them; terminals only
//! sequence  = {{"~"} element ["*" | "+" | "?" | "{m,n}" | "~ m" | "~ m..n"]}
//! element   = name ["::" value] | "text" ["i"] | "a".."z" | /pattern/flags | "(" choice ")" | "[" choice "]"
//!           | <token> | <[1,3-5]> | <[^1]> | <[*]> | @grammar | %json {...} | %lark {...} | %regex {...}
//! statement = %ignore choice | %import common.NAME ["->" name] | %override rule | %extend rule | %llguidance {...}
//! ```
//!
//! The language is the exact one: a text is in it if *some* way to cut it into terminals fits. There is no lexer that takes
//! the longest terminal and forgets the others, so a priority changes nothing and is read over. Ignored text may follow
//! every terminal of a rule.
mod body;
mod common;
mod elements;
mod lexer;
mod options;
mod parameters;
mod scope;
mod statements;
mod tokens;

use crate::ast::Grammar;
use crate::error::GrammarError;
use std::collections::BTreeMap;

/// `max_rule_instances`: how many rules the parameters of one grammar can make.
pub const MAX_RULE_INSTANCES: usize = 20_000;

/// `max_condition_nesting`: how deep `and(...)`, `or(...)` and `not(...)` may stand inside each other.
const MAX_CONDITION_NESTING: usize = 64;

impl Grammar {
    /// Reads Lark. The whole output must match the rule `start`.
    ///
    /// # Errors
    /// Every mistake of the text at once: syntax, names that are not defined or defined twice, rules that no text matches,
    /// refused constructs, `max_grammar_nesting`, `max_repetition_count`, `max_rule_instances`.
    pub fn from_lark(text: &str) -> Result<Grammar, GrammarError> {
        Grammar::from_lark_with(text, &BTreeMap::new())
    }

    /// [`Grammar::from_lark`] where `@name` stands for a text of `named["name"]`.
    ///
    /// # Errors
    /// As there, and for names that are not in `named`.
    pub fn from_lark_with(text: &str, named: &BTreeMap<String, Grammar>) -> Result<Grammar, GrammarError> {
        scope::parse(text, named)
    }
}
