//! Grammar x vocabulary: exactly the tokens that can still lead to a valid output.
//!
//! A [`CompiledGrammar`] binds a grammar to a [`penstock_tokens::TokenizerInfo`]; a [`Matcher`] is the state of one output.
//!
//! Reading order, bottom up: `text` (characters out of bytes), `stack` (what is open), `control` (where the text stands),
//! `core` (what is shared and lazily grown), `question` and `run` (what may be learned of a frame, and how it is noted),
//! `json`, `closure` and `rules` (one byte), `vocabulary` (tables of the tokens), `endings` (names that one token can end), `walk` and `dense` (which tokens can be read),
//! `masks` (remembering them), `trace` and `shared` (among grammars), `mask` (of one state), `origin` and `saved` (where they were needed, in a file), `ahead` (making them early), `forward` (what must come), `completion` (a way to the end),
//! `spots` (steps that were made before),
//! `budget` (tokens of a rule are counted), `captures` (which rule read what), `compiled`, `matcher`.
mod ahead;
mod budget;
mod captures;
mod chars;
mod closure;
mod compiled;
mod completion;
mod control;
mod core;
mod dense;
mod endings;
mod forward;
mod json;
mod lanes;
mod mask;
mod masks;
mod matcher;
mod numerals;
mod origin;
mod question;
mod rules;
mod run;
mod saved;
mod shared;
mod spans;
mod spots;
mod stack;
mod sweeps;
mod techniques;
#[cfg(test)]
mod testing;
mod text;
mod trace;
mod vocabulary;
mod walk;

pub use ahead::Ahead;
pub use captures::Capture;
pub use compiled::{CompileError, CompiledGrammar};
pub use matcher::{Matcher, MatcherError};
pub use saved::LoadError;
pub use techniques::{Technique, Techniques};
pub use vocabulary::prepare_vocabulary;
