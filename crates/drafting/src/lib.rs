//! Drafts by retrieval: what followed these tokens before is proposed again, as a tree that one forward pass verifies.
//!
//! `RetrievalIndex` blends every earlier occurrence of the current suffix (own text first, other requests' outputs
//! at less than half its weight) and grows the most probable tree. `TrieStore` is the trie of the Lookahead paper (arXiv
//! 2312.12728), with its parameters, as a second representation. Neither can change what a model writes: drafts are verified.
//! Start reading at `index`, then `tree` (the search), `blend` (the probabilities) and `store` (the memory).

mod blend;
mod budget;
mod error;
mod frequencies;
mod index;
mod snapshot;
mod store;
#[cfg(test)]
mod tests;
mod tree;
mod trie;

pub use blend::BlendOptions;
pub use budget::WidthCost;
pub use error::DraftingError;
pub use index::{IndexOptions, IndexStats, ProposeOptions, Request, RequestId, RetrievalIndex, MAX_BUDGET};
pub use penstock_tokens::Noise;
pub use tree::{Proposal, Source};
pub use trie::{TrieMode, TrieOptions, TrieRequest, TrieSource, TrieStore};
