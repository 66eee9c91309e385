//! What the rest of the library knows about a vocabulary: the bytes of every token, and which tokens are no text.
//!
//! All bytes lie in one arena with offsets. A token is *text* if it has bytes and is neither special nor a stop token;
//! only text is matched against a grammar byte by byte. Special and stop tokens are symbols of their own, with a spelling
//! that serves for naming them. Ids with equal bytes are allowed, and so are ids without bytes.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::{TokenId, TokenTrie};

/// The largest vocabulary that is taken; token ids have to fit into an `int32` with room to spare.
pub const MAX_VOCAB_SIZE: usize = 1 << 24;

/// A vocabulary. Share it as `Arc<TokenizerInfo>`: what the matcher derives from it hangs on it.
pub struct TokenizerInfo {
    arena: Vec<u8>,
    /// Token `id` is spelled `arena[offsets[id]..offsets[id + 1]]`; ids of a padded head have no entry.
    offsets: Vec<u32>,
    /// One bit an id below `vocab_size`: special or stop.
    special: Vec<u64>,
    stop_token_ids: Vec<TokenId>,
    special_token_ids: Vec<TokenId>,
    vocab_size: usize,
    fingerprint: u128,
    artefacts: OnceLock<Arc<dyn Any + Send + Sync>>,
}

/// Why a vocabulary cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenizerInfoError {
    /// There are no tokens.
    EmptyVocabulary,
    /// `vocab_size` is below the number of tokens: the size and the number.
    VocabSizeTooSmall(usize, usize),
    /// The vocabulary, or all its bytes, exceed a limit: what, how much, and the limit.
    TooLarge(&'static str, usize, usize),
    /// A stop id beyond the vocabulary: the id and the size.
    StopTokenOutOfRange(TokenId, usize),
    /// A special id beyond the vocabulary: the id and the size.
    SpecialTokenOutOfRange(TokenId, usize),
}

impl TokenizerInfoError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::EmptyVocabulary => "tokenizer_empty_vocabulary",
            Self::VocabSizeTooSmall(..) => "tokenizer_vocab_size_too_small",
            Self::TooLarge(..) => "tokenizer_too_large",
            Self::StopTokenOutOfRange(..) => "tokenizer_stop_token_out_of_range",
            Self::SpecialTokenOutOfRange(..) => "tokenizer_special_token_out_of_range",
        }
    }

    /// The token that the error is about.
    pub fn token_id(&self) -> Option<TokenId> {
        match self {
            Self::StopTokenOutOfRange(id, _) | Self::SpecialTokenOutOfRange(id, _) => Some(*id),
            _ => None,
        }
    }
}

impl fmt::Display for TokenizerInfoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyVocabulary => write!(
                f,
                "the vocabulary is empty; give the bytes of every token, in the order of ids"
            ),
            Self::VocabSizeTooSmall(size, tokens) => write!(
                f,
                "`vocab_size` is `{size}`, but the vocabulary has `{tokens}` tokens; leave it out, or give the width of \
                 the model's logits"
            ),
            Self::TooLarge(what, size, limit) => {
                write!(
                    f,
                    "the vocabulary has `{size}` {what}, more than `{limit}`; leave out tokens that are never produced"
                )
            }
            Self::StopTokenOutOfRange(id, size) => write!(
                f,
                "stop token `{id}` is outside the vocabulary of `{size}` ids; name ids below that, or raise `vocab_size`"
            ),
            Self::SpecialTokenOutOfRange(id, size) => write!(
                f,
                "special token `{id}` is outside the vocabulary of `{size}` ids; name ids below that, or raise `vocab_size`"
            ),
        }
    }
}

impl std::error::Error for TokenizerInfoError {}

impl TokenizerInfo {
    /// A vocabulary from the spelling of every id.
    ///
    /// `b""` marks an id that no text can produce. `vocab_size` is the width of the model's logits; it may exceed the
    /// vocabulary, and the ids beyond it have no bytes. Every stop token counts as special. Without stop tokens no mask
    /// ever offers an end, and the caller has to ask whether the output is complete.
    ///
    /// Cost: O(bytes).
    ///
    /// # Errors
    /// [`TokenizerInfoError`] if there are no tokens, if `vocab_size` is smaller than the vocabulary, if
    /// an id is out of range, or if a limit is exceeded.
    pub fn new(
        vocab: Vec<Vec<u8>>,
        stop_token_ids: Vec<TokenId>,
        special_token_ids: Vec<TokenId>,
        vocab_size: Option<usize>,
    ) -> Result<TokenizerInfo, TokenizerInfoError> {
        let size = check_size(vocab.len(), vocab_size)?;
        let stop_token_ids = sorted_set(stop_token_ids);
        if let Some(&id) = stop_token_ids.iter().find(|&&id| id as usize >= size) {
            return Err(TokenizerInfoError::StopTokenOutOfRange(id, size));
        }
        if let Some(&id) = special_token_ids.iter().find(|&&id| id as usize >= size) {
            return Err(TokenizerInfoError::SpecialTokenOutOfRange(id, size));
        }
        let special_token_ids = sorted_set([special_token_ids, stop_token_ids.clone()].concat());
        let (arena, offsets) = concatenate(&vocab)?;
        let mut special = vec![0u64; size.div_ceil(64)];
        for &id in &special_token_ids {
            special[id as usize / 64] |= 1 << (id % 64);
        }
        let fingerprint = fingerprint(&arena, &offsets, &stop_token_ids, &special_token_ids, size);
        let artefacts = OnceLock::new();
        Ok(TokenizerInfo {
            arena,
            offsets,
            special,
            stop_token_ids,
            special_token_ids,
            vocab_size: size,
            fingerprint,
            artefacts,
        })
    }

    /// Number of ids, those of a padded head included: the width of a bitmask row.
    #[inline]
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// Number of ids that were given a spelling, be it empty; at most `vocab_size`.
    pub fn num_spelled(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The bytes that `id` adds to the text: empty for special and stop tokens, for padding and out of range.
    #[inline]
    pub fn token_bytes(&self, id: TokenId) -> &[u8] {
        if self.is_special(id) {
            return &[];
        }
        self.spelling(id)
    }

    /// The bytes of `id` as they were given, special or not; empty out of range.
    #[inline]
    pub fn spelling(&self, id: TokenId) -> &[u8] {
        let id = id as usize;
        if id + 1 >= self.offsets.len() {
            return &[];
        }
        &self.arena[self.offsets[id] as usize..self.offsets[id + 1] as usize]
    }

    /// The spelling by which a grammar may name the special token `id`, or None for text and for nameless ids.
    pub fn special_text(&self, id: TokenId) -> Option<&[u8]> {
        let spelling = self.spelling(id);
        (self.is_special(id) && !spelling.is_empty()).then_some(spelling)
    }

    /// The special tokens that are spelled `text`, ascending. Cost: the number of special tokens.
    pub fn special_ids_named(&self, text: &[u8]) -> Vec<TokenId> {
        let named = |id: &TokenId| !text.is_empty() && self.spelling(*id) == text;
        self.special_token_ids.iter().copied().filter(named).collect()
    }

    /// The tokens that end an output, ascending.
    pub fn stop_token_ids(&self) -> &[TokenId] {
        &self.stop_token_ids
    }

    /// The tokens that are symbols and not text, ascending; every stop token is among them.
    pub fn special_token_ids(&self) -> &[TokenId] {
        &self.special_token_ids
    }

    /// Whether `id` is a symbol and not text.
    #[inline]
    pub fn is_special(&self, id: TokenId) -> bool {
        self.special
            .get(id as usize / 64)
            .is_some_and(|word| word >> (id % 64) & 1 != 0)
    }

    /// Whether `id` ends an output.
    pub fn is_stop(&self, id: TokenId) -> bool {
        self.stop_token_ids.binary_search(&id).is_ok()
    }

    /// Whether `id` is matched byte by byte: it has bytes, and is neither special nor a stop token.
    #[inline]
    pub fn is_text(&self, id: TokenId) -> bool {
        !self.token_bytes(id).is_empty()
    }

    /// The trie of all text tokens. Cost: a sort of the vocabulary; the caller keeps the result.
    pub fn build_trie(&self) -> TokenTrie {
        let ids = 0..self.num_spelled() as TokenId;
        let mut items = ids
            .map(|id| (self.token_bytes(id), id))
            .filter(|item| !item.0.is_empty())
            .collect();
        TokenTrie::from_items(&mut items)
    }

    /// Heap memory of the bytes of all tokens and of what tells where they are.
    pub fn memory_usage(&self) -> usize {
        self.arena.len() + 4 * self.offsets.len() + 8 * self.special.len()
    }

    /// 128 bits over everything that `new` was given, the same on every machine and in every version of this type.
    ///
    /// It tells stored files of different vocabularies apart; it is not meant against an attacker.
    pub fn fingerprint(&self) -> u128 {
        self.fingerprint
    }

    /// What one other part of the library derives from this vocabulary, made by `make` at the first call.
    ///
    /// There is one slot. It is neither compared nor saved, and a call from a second thread waits for the first.
    ///
    /// # Panics
    /// If two callers ask for different types: the slot belongs to one of them.
    pub fn artefact<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let artefact = self.artefacts.get_or_init(|| Arc::new(make()));
        Arc::clone(artefact)
            .downcast()
            .expect("the artefact slot of a vocabulary serves one type")
    }
}

impl PartialEq for TokenizerInfo {
    fn eq(&self, other: &Self) -> bool {
        self.vocab_size == other.vocab_size
            && self.stop_token_ids == other.stop_token_ids
            && self.special_token_ids == other.special_token_ids
            && self.offsets == other.offsets
            && self.arena == other.arena
    }
}

impl Eq for TokenizerInfo {}

impl fmt::Debug for TokenizerInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenizerInfo")
            .field("vocab_size", &self.vocab_size)
            .field("stop_token_ids", &self.stop_token_ids)
            .field("num_special", &self.special_token_ids.len())
            .finish_non_exhaustive()
    }
}

fn check_size(num_tokens: usize, vocab_size: Option<usize>) -> Result<usize, TokenizerInfoError> {
    if num_tokens == 0 {
        return Err(TokenizerInfoError::EmptyVocabulary);
    }
    let size = vocab_size.unwrap_or(num_tokens);
    if size < num_tokens {
        return Err(TokenizerInfoError::VocabSizeTooSmall(size, num_tokens));
    }
    if size > MAX_VOCAB_SIZE {
        return Err(TokenizerInfoError::TooLarge("ids", size, MAX_VOCAB_SIZE));
    }
    Ok(size)
}

fn sorted_set(mut ids: Vec<TokenId>) -> Vec<TokenId> {
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn concatenate(vocab: &[Vec<u8>]) -> Result<(Vec<u8>, Vec<u32>), TokenizerInfoError> {
    let total: usize = vocab.iter().map(Vec::len).sum();
    if total >= u32::MAX as usize {
        return Err(TokenizerInfoError::TooLarge("bytes", total, u32::MAX as usize - 1));
    }
    let mut arena = Vec::with_capacity(total);
    let mut offsets = Vec::with_capacity(vocab.len() + 1);
    offsets.push(0);
    for bytes in vocab {
        arena.extend_from_slice(bytes);
        offsets.push(arena.len() as u32);
    }
    Ok((arena, offsets))
}

/// Two lanes of multiply-and-rotate mixing, closed by the length of each part so that parts cannot run together.
struct Mixer([u64; 2]);

impl Mixer {
    fn add(&mut self, value: u64) {
        let [low, high] = &mut self.0;
        *low = (*low ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
        *high = (high.rotate_left(23) ^ value.wrapping_mul(0xD6E8_FEB8_6659_FD93)).wrapping_mul(0xA24B_AED4_963E_E407);
        *high ^= *low >> 17;
    }

    fn add_ids(&mut self, ids: &[u32]) {
        self.add(ids.len() as u64);
        ids.iter().for_each(|&id| self.add(u64::from(id)));
    }

    fn add_bytes(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0u8; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
    }

    fn finish(mut self) -> u128 {
        for _ in 0..4 {
            let [low, high] = self.0;
            self.add(low ^ high.rotate_left(32));
        }
        u128::from(self.0[0]) << 64 | u128::from(self.0[1])
    }
}

/// 128 bits over some bytes, the same on every machine: a checksum against damage, not against an attacker.
pub fn digest(bytes: &[u8]) -> u128 {
    let mut mixer = Mixer([0xA409_3822_299F_31D0, 0x082E_FA98_EC4E_6C89]);
    mixer.add(bytes.len() as u64);
    mixer.add_bytes(bytes);
    mixer.finish()
}

fn fingerprint(arena: &[u8], offsets: &[u32], stop: &[TokenId], special: &[TokenId], vocab_size: usize) -> u128 {
    let mut mixer = Mixer([0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7344]);
    mixer.add(vocab_size as u64);
    mixer.add_ids(offsets);
    mixer.add_bytes(arena);
    mixer.add_ids(stop);
    mixer.add_ids(special);
    mixer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocab(tokens: &[&str]) -> Vec<Vec<u8>> {
        tokens.iter().map(|token| token.as_bytes().to_vec()).collect()
    }

    fn info(tokens: &[&str], stop: &[u32], special: &[u32], size: Option<usize>) -> TokenizerInfo {
        TokenizerInfo::new(vocab(tokens), stop.to_vec(), special.to_vec(), size).expect("a vocabulary")
    }

    fn refusal(tokens: &[&str], stop: &[u32], special: &[u32], size: Option<usize>) -> TokenizerInfoError {
        TokenizerInfo::new(vocab(tokens), stop.to_vec(), special.to_vec(), size).expect_err("refused")
    }

    #[test]
    fn bytes_and_symbols() {
        let info = info(&["a", "", "</s>", "ab", "<tool>", "a"], &[2], &[4], Some(9));
        assert_eq!((info.vocab_size(), info.num_spelled()), (9, 6));
        assert_eq!(
            (info.token_bytes(3), info.token_bytes(2), info.token_bytes(4)),
            (&b"ab"[..], &b""[..], &b""[..])
        );
        assert_eq!(
            (info.token_bytes(8), info.token_bytes(9), info.spelling(u32::MAX)),
            (&b""[..], &b""[..], &b""[..])
        );
        assert_eq!((info.special_text(2), info.special_text(0)), (Some(&b"</s>"[..]), None));
        assert_eq!((info.stop_token_ids(), info.special_token_ids()), (&[2][..], &[2, 4][..]));
        assert!(info.is_stop(2) && !info.is_stop(4) && info.is_special(4) && !info.is_special(0));
        assert!(info.is_text(0) && !info.is_text(1) && !info.is_text(2) && !info.is_text(7));
        assert_eq!(
            (info.special_ids_named(b"<tool>"), info.special_ids_named(b"a")),
            (vec![4], vec![])
        );
    }

    #[test]
    fn trie_holds_text_only() {
        let trie = info(&["a", "", "</s>", "ab", "<tool>", "a"], &[2], &[4], None).build_trie();
        let ids = |text: &[u8]| trie.find(text).map(|node| trie.token_ids_at(node).to_vec());
        assert_eq!((ids(b"a"), ids(b"ab"), ids(b"</s>")), (Some(vec![0, 5]), Some(vec![3]), None));
        assert_eq!(trie.duplicates(0), [5]);
    }

    #[test]
    fn refusals_name_the_way_out() {
        assert_eq!(refusal(&[], &[0], &[], None), TokenizerInfoError::EmptyVocabulary);
        assert_eq!(
            refusal(&["a", "b"], &[0], &[], Some(1)),
            TokenizerInfoError::VocabSizeTooSmall(1, 2)
        );
        assert_eq!(refusal(&["a"], &[1], &[], None).token_id(), Some(1));
        assert_eq!(
            refusal(&["a"], &[0], &[7], None).code(),
            "tokenizer_special_token_out_of_range"
        );
        let huge = refusal(&["a"], &[0], &[], Some(MAX_VOCAB_SIZE + 1));
        assert_eq!(huge, TokenizerInfoError::TooLarge("ids", MAX_VOCAB_SIZE + 1, MAX_VOCAB_SIZE));
        assert!(refusal(&["a"], &[1], &[], None).to_string().ends_with("raise `vocab_size`"));
    }

    #[test]
    fn fingerprint_follows_every_part() {
        let base = info(&["a", "b", "c"], &[2], &[], None);
        assert_eq!(
            base.fingerprint(),
            info(&["a", "b", "c"], &[2, 2], &[2], Some(3)).fingerprint()
        );
        assert_eq!(base, info(&["a", "b", "c"], &[2, 2], &[2], Some(3)));
        let others = [
            info(&["a", "b", "d"], &[2], &[], None),
            info(&["ab", "", "c"], &[2], &[], None),
            info(&["a", "bc", ""], &[2], &[], None),
            info(&["a", "b", "c"], &[1], &[], None),
            info(&["a", "b", "c"], &[2], &[1], None),
            info(&["a", "b", "c"], &[2], &[], Some(4)),
        ];
        for other in &others {
            assert!(base != *other && base.fingerprint() != other.fingerprint());
        }
        // A stored file outlives the program, so this value must not change.
        assert_eq!(base.fingerprint(), FINGERPRINT_OF_ABC);
    }

    const FINGERPRINT_OF_ABC: u128 = 85175457205600242353141210051642526581;

    #[test]
    fn artefact_is_made_once() {
        let info = Arc::new(info(&["a"], &[0], &[], None));
        let first = info.artefact(|| vec![1, 2, 3]);
        let second = info.artefact::<Vec<i32>>(|| panic!("made twice"));
        assert!(Arc::ptr_eq(&first, &second));
    }
}
