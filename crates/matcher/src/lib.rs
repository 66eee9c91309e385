//! Grammar x vocabulary: exactly the tokens that can still lead to a valid output.
//!
//! A [`CompiledGrammar`] binds a grammar to a [`penstock_tokens::TokenizerInfo`]; a [`Matcher`] is the state of one output.
//!
//! Reading order, bottom up: `text` (characters out of bytes), `stack` (what is open), `control` (where the text stands),
//! `core` (what is shared and lazily grown), `question` and `run` (what may be learned of a frame, and how it is noted),
//! `json` and `rules` (one byte), `vocabulary` (tables of the tokens), `walk` and `dense` (which tokens can be read),
//! `masks` (remembering them), `forward` (what must come), `completion` (a way to the end), `compiled`, `matcher`.
mod chars;
mod compiled;
mod completion;
mod control;
mod core;
mod dense;
mod forward;
mod json;
mod masks;
mod matcher;
mod question;
mod rules;
mod run;
mod stack;
mod techniques;
mod text;
mod vocabulary;
mod walk;

pub use compiled::{CompileError, CompiledGrammar};
pub use matcher::{Matcher, MatcherError};
pub use techniques::{Technique, Techniques};
pub use vocabulary::prepare_vocabulary;
