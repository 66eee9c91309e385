//! The passes that [`crate::lower`] runs, one file each. All are loops over arrays, linear in the grammar.
pub(crate) mod components;
pub(crate) mod expand_tags;
pub(crate) mod fixpoint;
pub(crate) mod nullable;
pub(crate) mod productive;
pub(crate) mod reachable;
pub(crate) mod regular;
pub(crate) mod self_recursion;
