//! What the tests share: the corpus, a recogniser that is obviously right, and one that reads lowered grammars.
#![allow(dead_code)]
pub mod corpus;
pub mod lowered;
pub mod random;
pub mod reference;
