//! EBNF: the dialects of llama.cpp (GBNF) and of XGrammar, and `&`, `~`, `Regex`, `JsonSchema`, `Token`,
//! `ExcludeToken`, `TagDispatch`, `TokenTagDispatch`.
//!
//! Text becomes lexemes (`lexer`), lexemes are cut into rules at every `name ::=`, and each rule's body is read with a
//! stack of its own (`parser`); a mistake costs the rest of its rule, so that all of them are reported at once.
//!
//! ```text
//! rule    = name ["[lazy]" | "[max_chars=N]"] "::=" choice
//! choice  = both { "|" both }                        # an alternative may be empty: the empty text
//! both    = sequence { "&" sequence }                # texts of all of them; regular parts only
//! sequence = { part }
//! part    = { "~" } element [ "*" | "+" | "?" | "{m}" | "{m,}" | "{,n}" | "{m,n}" ]
//! element = name | "\"text\"" | "[class]" | "." | "(" choice ")" | "<token>" | "<[id]>" | "!<[id]>"
//!         | Regex("pattern") | Substring("chunk", ...) | JsonSchema({...}) | Token(id or "text", ...)
//!         | ExcludeToken(id or "text", ...) | TagDispatch(("text", name), ...) | TokenTagDispatch((id or "text", name), ...)
//! ```
mod dispatch;
mod lexer;
mod macros;
mod options;
mod parser;

use crate::ast::Grammar;
use crate::error::GrammarError;

/// `max_grammar_nesting`: how deep brackets, operators and inlined rules may stand inside each other.
pub const MAX_GRAMMAR_NESTING: usize = 500;

impl Grammar {
    /// Reads EBNF. `root` names the rule that the whole output must match.
    ///
    /// # Errors
    /// Every mistake of the text at once: syntax, names that are not defined or defined twice, refused constructs,
    /// `max_grammar_nesting`, `max_repetition_count`.
    pub fn from_ebnf(text: &str, root: &str) -> Result<Grammar, GrammarError> {
        parser::parse(text, root)
    }
}
