//! Special tokens inside the texts of a tag.
//!
//! Tags write `<|call|>` as text, and mean the special token where the vocabulary has one: no text can produce it. So the fixed
//! texts of a tag are cut at the names of special tokens; free text holds no special token at all.

/// The names of special tokens.
#[derive(Clone, Debug, Default)]
pub struct Specials {
    /// Longest first.
    names: Vec<String>,
}

/// A part of a fixed text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// Characters.
    Text(&'t str),
    /// A special token.
    Token(&'t str),
}

impl Specials {
    /// These names; empty ones are none.
    pub fn new(names: impl IntoIterator<Item = String>) -> Specials {
        let mut names: Vec<String> = names.into_iter().filter(|name| !name.is_empty()).collect();
        names.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        names.dedup();
        Specials { names }
    }

    /// The first special token in a text: the range of its bytes. Where several start there, the longest.
    pub(super) fn first_in(&self, text: &str) -> Option<std::ops::Range<usize>> {
        text.char_indices().find_map(|(at, _)| {
            let rest = &text.as_bytes()[at..];
            let found = self.names.iter().find(|name| rest.starts_with(name.as_bytes()))?;
            Some(at..at + found.len())
        })
    }

    /// The text, cut at special tokens.
    pub(super) fn cut<'t>(&self, mut text: &'t str) -> Vec<Piece<'t>> {
        let mut pieces = Vec::new();
        while let Some(token) = self.first_in(text) {
            if token.start > 0 {
                pieces.push(Piece::Text(&text[..token.start]));
            }
            pieces.push(Piece::Token(&text[token.clone()]));
            text = &text[token.end..];
        }
        if !text.is_empty() || pieces.is_empty() {
            pieces.push(Piece::Text(text));
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_counts() {
        let specials = Specials::new(["<a>", "<a>b", "é", ""].map(str::to_owned));
        let pieces = specials.cut("x<a>bé<a>");
        let expected = [Piece::Text("x"), Piece::Token("<a>b"), Piece::Token("é"), Piece::Token("<a>")];
        assert_eq!(pieces, expected);
        assert_eq!(specials.cut(""), [Piece::Text("")]);
        assert_eq!(Specials::default().cut("<a>"), [Piece::Text("<a>")]);
    }
}
