//! What unit tests share.
use penstock_tokens::TokenizerInfo;
use std::sync::Arc;

/// All bytes, these words, and a stop token.
pub(crate) fn vocabulary(words: &[&str]) -> Arc<TokenizerInfo> {
    let mut tokens: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![byte]).collect();
    tokens.extend(words.iter().map(|text| text.as_bytes().to_vec()));
    tokens.push(b"<eos>".to_vec());
    let stop = tokens.len() as u32 - 1;
    Arc::new(TokenizerInfo::new(tokens, vec![stop], vec![], None).expect("a usable vocabulary"))
}
