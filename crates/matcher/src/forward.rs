//! What must come: forced text and its tokens.
use crate::compiled::{CompiledGrammar, Shared};
use crate::control::{Config, Control, Gap};
use crate::core::{has_byte, ByteSet};
use crate::mask::is_complete;
use crate::run::{Configs, Run};
use crate::stack::Stack;
use crate::text::Partial;
use penstock_automata::Limit;
use penstock_tokens::{TokenId, TokenTrie};

/// Most bytes that are looked ahead (`max_jump_forward`).
const MAX_JUMP_FORWARD: usize = 65_536;

/// The longest text that every completion starts with; `canonical`: in its usual spelling where only spelling is free.
pub(crate) fn forced_bytes(
    shared: &mut Shared,
    stack: &mut Stack,
    start: &[Config],
    canonical: bool,
) -> Result<Vec<u8>, Limit> {
    let mark = stack.mark();
    let (mut configs, mut forced) = (Configs::from_slice(start), Vec::new());
    let outcome = loop {
        if forced.len() >= MAX_JUMP_FORWARD || is_complete(&shared.core, &configs) {
            break Ok(());
        }
        let mut run = Run::new(&mut shared.core, stack);
        match only_byte(&mut run, &configs, canonical) {
            Ok(Some((byte, next))) => {
                forced.push(byte);
                configs = next;
            }
            Ok(None) => break Ok(()),
            Err(limit) => break Err(limit),
        }
    };
    stack.truncate(mark);
    outcome.map(|()| forced)
}

/// The byte that must come, and the configurations after it; None if there are several or none.
fn only_byte(run: &mut Run<'_>, configs: &[Config], canonical: bool) -> Result<Option<(u8, Configs)>, Limit> {
    let mut set: ByteSet = [0; 4];
    for config in configs {
        if let Control::Rule {
            term,
            partial: Partial::None,
        } = config.control
        {
            if !run.token_edges(term).is_empty() {
                return Ok(None);
            }
        }
        let mut bytes = run.live_bytes(*config)?;
        if canonical {
            keep_usual(config.control, &mut bytes);
        }
        set.iter_mut().zip(bytes).for_each(|(word, more)| *word |= more);
    }
    let mut only = None;
    for byte in (0..=255u8).filter(|&byte| has_byte(&set, byte)) {
        let next = run.step_all(configs, byte)?;
        if next.is_empty() {
            continue;
        }
        if only.is_some() {
            return Ok(None);
        }
        only = Some((byte, next));
    }
    Ok(only)
}

/// Leaves the usual spelling where several are free: one space after a comma and a colon, no other whitespace, no escapes.
fn keep_usual(control: Control, bytes: &mut ByteSet) {
    let spaced = matches!(
        control,
        Control::Value { gap: Gap::Open, .. }
            | Control::Name {
                gap: Gap::Open,
                first: false
            }
    );
    match control {
        _ if spaced => *bytes = [1 << 32, 0, 0, 0],
        Control::Text(_) | Control::Key(_) => bytes[1] &= !(1 << (b'\\' - 64)),
        Control::Value { gap, .. }
        | Control::FirstItem(gap)
        | Control::Name { gap, .. }
        | Control::Colon { gap, .. }
        | Control::After(gap)
            if gap.is_done() =>
        {
            bytes[0] &= !(1 << 32 | 1 << 9 | 1 << 10 | 1 << 13);
        }
        _ => {}
    }
}

/// Tokens that spell the beginning of `forced`: the longest at each place, up to where a longer one could run past its end.
pub(crate) fn forced_tokens(compiled: &CompiledGrammar, forced: &[u8]) -> Vec<TokenId> {
    let trie = &compiled.vocabulary.trie;
    let (mut tokens, mut at) = (Vec::new(), 0);
    'token: while at < forced.len() {
        let (mut node, mut longest) = (TokenTrie::ROOT, None);
        for (i, &byte) in forced[at..].iter().enumerate() {
            let Some(child) = trie.child(node, byte) else { break };
            node = child;
            if let Some(token) = trie.token(node) {
                longest = Some((token, i + 1));
            }
            if at + i + 1 == forced.len() && !trie.children(node).is_empty() {
                break 'token;
            }
        }
        let Some((token, length)) = longest else { break };
        tokens.push(token);
        at += length;
    }
    tokens
}
