//! The ground that grammar masks and drafting stand on: what a vocabulary is, and the two shapes they exchange.
//!
//! - [`TokenizerInfo`]: the bytes of every token, and which tokens are symbols rather than text.
//! - [`TokenTrie`]: byte strings as a trie that is laid out for mask walks.
//! - [`bitmask`]: rows of bits over a vocabulary, 1 = allowed.
//! - [`mask_logits`]: such a row applied to logits.
//! - [`DraftTree`]: proposed continuations of one sequence.
//! - [`Chooser`]: the choice of one token from a row of logits; [`Noise`]: what makes it random.
//!
//! Nothing here knows a grammar, a model or Python.

mod apply;
pub mod bitmask;
mod choice;
mod draft_tree;
mod info;
mod noise;
mod trie;

pub use apply::{mask_logits, LogitBits};
pub use choice::{choose_along, Chooser, NoChoice, Row, Settings};
pub use draft_tree::{DraftTree, DraftTreeError, MAX_TREE_NODES};
pub use info::{digest, TokenizerInfo, TokenizerInfoError, MAX_VOCAB_SIZE};
pub use noise::{Noise, MOST_NOISE};
pub use trie::{NodeId, TokenTrie, NONE, WIDE_NODE_CHILDREN};

/// The index of a token in its vocabulary.
pub type TokenId = u32;
