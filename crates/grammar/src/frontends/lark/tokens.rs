//! Special tokens: `<name>`, `<[7]>`, `<[1-5,9]>`, `<[^7]>`, `<[*]>`.
use crate::ast::Expr;
use penstock_automata::Limit;

/// `max_token_set`: how many ids the ranges of one token set may name.
const MAX_TOKEN_SET: u64 = 1_000_000;

/// Why a token set could not be read.
pub(super) enum BadTokens {
    /// Message and hint.
    Syntax(String, &'static str),
    /// The named limit.
    Limit(Limit),
}

/// What `<inner>` stands for.
pub(super) fn token_set(inner: &str) -> Result<Expr, BadTokens> {
    let Some(set) = inner.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        return Ok(Expr::TokenText(format!("<{inner}>")));
    };
    if set == "*" {
        return Ok(Expr::ExcludeToken(Vec::new()));
    }
    match set.strip_prefix('^') {
        Some(excluded) => Ok(Expr::ExcludeToken(ids(excluded)?)),
        None => Ok(Expr::Token(ids(set)?)),
    }
}

/// The ids of a list of ids and ranges: sorted, distinct.
fn ids(list: &str) -> Result<Vec<u32>, BadTokens> {
    let mut found: Vec<u32> = Vec::new();
    for part in list.split(',').filter(|part| !part.is_empty()) {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        let (Ok(low), Ok(high)) = (low.parse::<u32>(), high.parse::<u32>()) else {
            let hint = "write ids and ranges like `<[3]>`, `<[1-5,9]>` or `<[^7]>`";
            return Err(BadTokens::Syntax(format!("`{part}` is no token id"), hint));
        };
        if low > high {
            let message = format!("the range of tokens ends before it starts: `{part}`");
            return Err(BadTokens::Syntax(message, "exchange its ends"));
        }
        if u64::from(high - low) + found.len() as u64 >= MAX_TOKEN_SET {
            return Err(BadTokens::Limit(Limit {
                name: "max_token_set",
                configured: MAX_TOKEN_SET,
            }));
        }
        found.extend(low..=high);
    }
    if found.is_empty() {
        return Err(BadTokens::Syntax(
            "this set names no token".to_owned(),
            "write an id: `<[7]>`",
        ));
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
