//! What can go wrong in this crate: the caller's mistakes and files that are not ours.
use std::fmt;

/// An error with a stable code; the message ends with the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftingError {
    code: &'static str,
    message: String,
    limit: bool,
}

impl DraftingError {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> DraftingError {
        DraftingError {
            code,
            message: message.into(),
            limit: false,
        }
    }

    pub(crate) fn negative_token(token: i32) -> DraftingError {
        DraftingError::new(
            "token_id_negative",
            format!("token id `{token}` is negative; pass ids of the vocabulary"),
        )
    }

    pub(crate) fn finished() -> DraftingError {
        DraftingError::new(
            "request_finished",
            "the request is finished; start a new one with `RetrievalIndex.start`",
        )
    }

    pub(crate) fn empty() -> DraftingError {
        DraftingError::new(
            "request_empty",
            "the request has no token to continue; give `start` a prompt or call `extend` first",
        )
    }

    pub(crate) fn limit(code: &'static str, message: impl Into<String>) -> DraftingError {
        DraftingError {
            code,
            message: message.into(),
            limit: true,
        }
    }

    pub(crate) fn snapshot(message: impl Into<String>) -> DraftingError {
        DraftingError::new("snapshot_refused", message)
    }

    /// Stable snake_case name of the kind of error.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Whether a named limit was reached, rather than a mistake made.
    pub fn is_limit(&self) -> bool {
        self.limit
    }
}

impl fmt::Display for DraftingError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for DraftingError {}
