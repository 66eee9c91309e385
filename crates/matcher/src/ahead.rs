//! Masks made before they are needed: the states that can be reached, breadth first, one byte at a time.
//!
//! Byte by byte every place in the text is reached that longer tokens reach, but for the insides of characters. A state is
//! followed if its mask is new; or, when those are used up, if its control and what its topmost frames hold are new: masks of
//! names are shared by objects with different members still to come.
use crate::compiled::CompiledGrammar;
use crate::matcher::{Matcher, MatcherError, StateKey};
use penstock_tokens::{bitmask, TokenId, TokenTrie};
use rustc_hash::FxHashSet;
use std::collections::VecDeque;
use std::sync::Arc;

/// `max_sampled_states`: how many states one run may look at; it bounds its memory to some 20 MB.
const MAX_SAMPLED_STATES: usize = 50_000;

/// Special tokens that are tried in one state.
const MAX_SPECIAL_TOKENS: usize = 4;

/// A search for masks that will be needed.
pub struct Ahead {
    /// States that followed a new mask, and the others.
    queue: VecDeque<Matcher>,
    later: VecDeque<Matcher>,
    /// The masks that were looked at, and the states that were followed.
    seen: FxHashSet<usize>,
    followed: FxHashSet<StateKey>,
    row: Vec<u32>,
    masks_left: usize,
    states_left: usize,
}

impl Ahead {
    /// A search from the start of an output, for at most `max_masks` masks.
    ///
    /// # Errors
    /// A limit that is reached at the very start.
    pub fn new(compiled: &Arc<CompiledGrammar>, max_masks: usize) -> Result<Ahead, MatcherError> {
        Ok(Ahead {
            queue: VecDeque::from([Matcher::new(compiled.clone())?]),
            later: VecDeque::new(),
            seen: FxHashSet::default(),
            followed: FxHashSet::default(),
            row: vec![0; compiled.vocabulary.num_words],
            masks_left: max_masks,
            states_left: MAX_SAMPLED_STATES,
        })
    }

    /// How many different masks have been looked at.
    pub fn num_masks(&self) -> usize {
        self.seen.len()
    }

    /// Looks at one state; `false`: there is none left, or enough has been seen. A state whose mask exceeds a limit is passed
    /// over: whoever gets there will be told.
    pub fn step(&mut self) -> bool {
        if self.masks_left == 0 {
            return false;
        }
        let Some(matcher) = self.queue.pop_front().or_else(|| self.later.pop_front()) else {
            return false;
        };
        let Ok(leaves) = matcher.fill_ahead(&mut self.row) else {
            return true;
        };
        let fresh = leaves.into_iter().filter(|&leaf| self.seen.insert(leaf)).count();
        self.masks_left = self.masks_left.saturating_sub(fresh);
        if self.followed.insert(matcher.state_key()) || fresh > 0 {
            self.follow(&matcher, fresh > 0);
        }
        true
    }

    fn follow(&mut self, matcher: &Matcher, is_fresh: bool) {
        let compiled = matcher.compiled();
        let trie = &compiled.vocabulary.trie;
        let bytes = trie.children(TokenTrie::ROOT).filter_map(|child| trie.token(child));
        let special = compiled.info.special_token_ids().iter().copied();
        let special = special.filter(|&token| !compiled.info.is_stop(token) && bitmask::test(&self.row, token));
        // Inside a character or an escape any way on will do: `\u` alone has 65,536 of them.
        let most = if matcher.is_inside_character() { 1 } else { usize::MAX };
        let tokens: Vec<TokenId> = bytes
            .filter(|&token| bitmask::test(&self.row, token))
            .take(most)
            .chain(special.take(MAX_SPECIAL_TOKENS))
            .collect();
        for token in tokens {
            if self.states_left == 0 {
                return;
            }
            let mut next = matcher.fork();
            if let Ok(true) = next.accept_token(token) {
                self.states_left -= 1;
                let queue = if is_fresh { &mut self.queue } else { &mut self.later };
                queue.push_back(next);
            }
        }
    }
}
