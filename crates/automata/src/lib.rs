//! Placeholder head, replaced with the first real module.
