//! The state of one output.
use crate::captures::{captures, Capture, Output, Piece};
use crate::compiled::{CompiledGrammar, Shared};
use crate::completion;
use crate::control::{Config, Control};
use crate::forward;
use crate::mask::{find_mask, is_complete, Mask};
use crate::origin::{Move, PlaceId, Places, FAR, MAX_PATH};
use crate::run::{Configs, Run};
use crate::spots::Stand;
use crate::stack::{Mark, Stack};
use crate::text::Partial;
use penstock_automata::Limit;
use penstock_grammar::Symbol;
use penstock_tokens::{bitmask, DraftTree, TokenId};
use smallvec::SmallVec;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why a call to a [`Matcher`] cannot be served; the matcher is as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MatcherError {
    /// A limit was reached.
    Limit(Limit),
    /// A stop token was accepted before.
    Terminated,
    /// No text completes the output: the grammar asks for special tokens.
    OnlySpecialTokens,
    /// More tokens to take back than were accepted.
    RollbackTooFar {
        /// Asked for.
        asked: usize,
        /// Accepted so far.
        accepted: usize,
    },
    /// A token id outside the vocabulary.
    TokenOutOfRange {
        /// The id.
        token: u32,
        /// Size of the vocabulary.
        vocab_size: usize,
    },
    /// A bitmask row of the wrong width.
    RowWidth {
        /// Words given.
        given: usize,
        /// Words needed.
        needed: usize,
    },
}

impl From<Limit> for MatcherError {
    fn from(limit: Limit) -> Self {
        MatcherError::Limit(limit)
    }
}

/// The number of a state in the arena of its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct StateId(u32);

/// One state: how the text can be read, and which state it came from.
struct State {
    configs: SmallVec<[Config; 1]>,
    before: StateId,
    /// Tokens accepted up to here.
    num_tokens: u32,
    terminated: bool,
    /// What led here from the state before; None at the start.
    moved: Option<Move>,
    /// How far the frames had grown when this state was made.
    mark: Mark,
    /// What the grammar knows of it, if that was asked.
    stand: Option<Stand>,
}

/// The configurations of a state, each with the contents of its topmost frames.
pub(crate) type StateKey = Vec<(Control, Box<[u32]>)>;

/// What a matcher shares with its forks.
struct Family {
    stack: Stack,
    states: Vec<State>,
    /// The state at which a mask was last made, and its place among the paths: the next one is rarely far behind it.
    noted: Option<(StateId, PlaceId)>,
}

impl Family {
    /// The state after `token`, None if it may not come.
    fn accept_token(
        &mut self,
        compiled: &CompiledGrammar,
        shared: &mut Shared,
        state: StateId,
        token: TokenId,
    ) -> Result<Option<StateId>, MatcherError> {
        let vocab_size = compiled.info.vocab_size();
        if token as usize >= vocab_size {
            return Err(MatcherError::TokenOutOfRange { token, vocab_size });
        }
        let now = &mut self.states[state.0 as usize];
        if now.terminated {
            return Err(MatcherError::Terminated);
        }
        now.stand = shared.spots.stand_again(&self.stack, &now.configs, now.stand);
        let before = now.stand.map(|stand| (now.configs[0].frame, stand));
        if let Some((config, stand)) = before.and_then(|before| shared.spots.step(&mut self.stack, before, token)) {
            return Ok(Some(self.push(state, &[config], false, Move::Token(token), Some(stand))));
        }
        let Some((configs, terminated)) = read_token(compiled, shared, self, state, token)? else {
            return Ok(None);
        };
        let mut stand = None;
        if !terminated {
            stand = shared
                .spots
                .stand_after(&self.stack, before.map(|(frame, stand)| (frame, stand, token)), &configs);
        }
        Ok(Some(self.push(state, &configs, terminated, Move::Token(token), stand)))
    }

    /// The state after a token that is nothing but characters in the middle of a string that may be any: all is as before. None if
    /// it is not so simple. No more is needed for it than the token and the state.
    fn read_on(&mut self, compiled: &CompiledGrammar, state: StateId, token: TokenId) -> Option<StateId> {
        let now = &self.states[state.0 as usize];
        let &[config] = &now.configs[..] else { return None };
        if !compiled.knows_steps || now.terminated || !config.control.is_free() {
            return None;
        }
        if token as usize >= compiled.info.vocab_size() || !is_plain(compiled.info.token_bytes(token)) {
            return None;
        }
        let stand = now.stand;
        Some(self.push(state, &[config], false, Move::Token(token), stand))
    }

    /// What can be said of the mask of a state without making one.
    fn look_up(&mut self, compiled: &CompiledGrammar, shared: &mut Shared, state: StateId) -> Ready {
        if self.states[state.0 as usize].terminated {
            return Ready::Unknown;
        }
        match self.find_mask(compiled, shared, state, false) {
            Ok(Some(mask)) => Ready::Found(mask),
            Ok(None) => Ready::Missing(shared.masks.num_leaves()),
            // The fill will say so.
            Err(_) => Ready::Unknown,
        }
    }

    /// The mask of a state that is not the end.
    fn find_mask(
        &mut self,
        compiled: &CompiledGrammar,
        shared: &mut Shared,
        state: StateId,
        may_make: bool,
    ) -> Result<Option<Arc<Mask>>, Limit> {
        let Family { stack, states, .. } = self;
        let state = &states[state.0 as usize];
        if let Some(mask) = shared.spots.mask(state.stand) {
            return Ok(Some(mask.clone()));
        }
        let configs = (&state.configs[..], state.num_tokens);
        let found = find_mask(compiled, shared, stack, configs, may_make)?.map(Arc::new);
        if let Some(mask) = &found {
            shared.spots.keep_mask(state.stand, mask);
        }
        Ok(found)
    }

    fn push(&mut self, before: StateId, configs: &[Config], terminated: bool, moved: Move, stand: Option<Stand>) -> StateId {
        let num_tokens = self.states[before.0 as usize].num_tokens + 1;
        let mark = self.stack.mark();
        self.states.push(State {
            configs: SmallVec::from_slice(configs),
            before,
            num_tokens,
            terminated,
            moved: Some(moved),
            mark,
            stand,
        });
        StateId(self.states.len() as u32 - 1)
    }

    /// The place of a state among the paths. Cost: the moves since the last state that was asked for.
    fn place_of(&mut self, state: StateId, places: &mut Places) -> PlaceId {
        let (mut moves, mut at) = (Vec::new(), state);
        let from = loop {
            if let Some((_, place)) = self.noted.filter(|noted| noted.0 == at) {
                break place;
            }
            let now = &self.states[at.0 as usize];
            match &now.moved {
                Some(moved) if moves.len() <= MAX_PATH => moves.push(moved),
                Some(_) => break FAR,
                None => break 0,
            }
            at = now.before;
        };
        let place = if from == FAR {
            FAR
        } else {
            places.walk(from, moves.into_iter())
        };
        self.noted = Some((state, place));
        place
    }
}

/// What a matcher knows of the mask of its present state.
enum Ready {
    /// Nothing.
    Unknown,
    /// It was not remembered when the grammar had made so many masks.
    Missing(usize),
    /// It only has to be written.
    Found(Arc<Mask>),
}

/// The state of one output. Forks share frames and states, so a fork costs nothing and a rollback walks back over states.
pub struct Matcher {
    compiled: Arc<CompiledGrammar>,
    family: Arc<Mutex<Family>>,
    state: StateId,
    /// Goes with `state`: state ids are given out again, so whoever sets one sets the other ([`Matcher::go_to`]).
    ready: Ready,
}

impl Matcher {
    /// A matcher at the start of an output.
    ///
    /// # Errors
    /// A limit that is reached at the very start.
    pub fn new(compiled: Arc<CompiledGrammar>) -> Result<Matcher, MatcherError> {
        let mut stack = Stack::new();
        let mut shared = compiled.lock();
        let configs = Run::new(&mut shared.core, &mut stack).start()?;
        let stand = shared.spots.stand_after(&stack, None, &configs);
        drop(shared);
        let mark = stack.mark();
        let start = State {
            configs: configs.into(),
            before: StateId(0),
            num_tokens: 0,
            terminated: false,
            moved: None,
            mark,
            stand,
        };
        let family = Arc::new(Mutex::new(Family {
            stack,
            states: vec![start],
            noted: None,
        }));
        Ok(Matcher {
            compiled,
            family,
            state: StateId(0),
            ready: Ready::Unknown,
        })
    }

    /// The grammar and its vocabulary.
    pub fn compiled(&self) -> &Arc<CompiledGrammar> {
        &self.compiled
    }

    /// States and frames are written after they were computed, so a panic leaves them usable.
    fn family(&self) -> MutexGuard<'_, Family> {
        self.family.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn go_to(&mut self, state: StateId) {
        self.state = state;
        self.ready = Ready::Unknown;
    }

    /// Reads one token. `false` changes nothing: the mask does not allow it. The mask that follows is looked up while the
    /// grammar is locked anyway, so that the next fill only has to write it.
    ///
    /// # Errors
    /// [`MatcherError::Terminated`], [`MatcherError::TokenOutOfRange`], [`MatcherError::Limit`].
    pub fn accept_token(&mut self, token: TokenId) -> Result<bool, MatcherError> {
        let mut family = self.family.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(next) = family.read_on(&self.compiled, self.state, token) {
            // What is ready, or known to be missing, is so for the next state as well.
            self.state = next;
            return Ok(true);
        }
        let mut shared = self.compiled.lock();
        let Some(next) = family.accept_token(&self.compiled, &mut shared, self.state, token)? else {
            return Ok(false);
        };
        self.state = next;
        self.ready = family.look_up(&self.compiled, &mut shared, next);
        Ok(true)
    }

    /// [`Matcher::accept_token`] where no fill follows.
    fn accept_only(&mut self, token: TokenId) -> Result<bool, MatcherError> {
        let mut family = self.family.lock().unwrap_or_else(PoisonError::into_inner);
        let next = match family.read_on(&self.compiled, self.state, token) {
            None => family.accept_token(&self.compiled, &mut self.compiled.lock(), self.state, token)?,
            next => next,
        };
        drop(family);
        next.into_iter().for_each(|state| self.go_to(state));
        Ok(next.is_some())
    }

    /// Reads tokens up to the first one that is refused; how many were taken.
    ///
    /// # Errors
    /// As [`Matcher::accept_token`]; then nothing was taken.
    pub fn accept_tokens(&mut self, tokens: &[TokenId]) -> Result<usize, MatcherError> {
        let start = self.state;
        for (taken, &token) in tokens.iter().enumerate() {
            if taken > 0 && self.is_terminated() {
                return Ok(taken);
            }
            match self.accept_only(token) {
                Ok(true) => {}
                Ok(false) => return Ok(taken),
                Err(error) => {
                    self.go_to(start);
                    self.forget_unreachable();
                    return Err(error);
                }
            }
        }
        Ok(tokens.len())
    }

    /// How many of `tokens` could be read, without reading them.
    ///
    /// # Errors
    /// As [`Matcher::accept_token`].
    pub fn validate_tokens(&mut self, tokens: &[TokenId]) -> Result<usize, MatcherError> {
        if self.is_terminated() {
            return Ok(0);
        }
        let start = self.state;
        let taken = self.accept_tokens(tokens);
        self.go_to(start);
        self.forget_unreachable();
        taken
    }

    /// Reads text that need not end at a token's border. `false` changes nothing. Counts as one token for rollback.
    ///
    /// # Errors
    /// [`MatcherError::Terminated`], [`MatcherError::Limit`].
    pub fn accept_bytes(&mut self, bytes: &[u8]) -> Result<bool, MatcherError> {
        if self.is_terminated() {
            return Err(MatcherError::Terminated);
        }
        let mut family = self.family();
        let mut shared = self.compiled.lock();
        let next = read_bytes(&self.compiled, &mut shared, &mut family, self.state, bytes)?;
        drop(shared);
        let Some(configs) = next else { return Ok(false) };
        let state = family.push(self.state, &configs, false, Move::Bytes(bytes.into()), None);
        drop(family);
        self.go_to(state);
        Ok(true)
    }

    /// Writes the mask into `row`: bit `t` is set exactly when `accept_token(t)` would be true. The row is always written;
    /// `false` means that nothing is masked.
    ///
    /// # Errors
    /// [`MatcherError::RowWidth`], [`MatcherError::Terminated`], [`MatcherError::Limit`].
    pub fn fill_next_token_bitmask(&mut self, row: &mut [u32]) -> Result<bool, MatcherError> {
        Ok(self.fill_if(row, true)?.unwrap_or(true))
    }

    /// [`Matcher::fill_next_token_bitmask`] if the mask is remembered: None, and a row of no use, if it would have to be made.
    ///
    /// # Errors
    /// As there.
    pub fn fill_remembered_bitmask(&mut self, row: &mut [u32]) -> Result<Option<bool>, MatcherError> {
        self.fill_if(row, false)
    }

    fn fill_if(&mut self, row: &mut [u32], may_make: bool) -> Result<Option<bool>, MatcherError> {
        let needed = self.compiled.vocabulary.num_words;
        if row.len() != needed {
            return Err(MatcherError::RowWidth {
                given: row.len(),
                needed,
            });
        }
        match &self.ready {
            Ready::Found(mask) => return Ok(Some(mask.write(&self.compiled, row))),
            Ready::Missing(count) if !may_make && *count == self.compiled.num_masks() => return Ok(None),
            _ => {}
        }
        let Some(mask) = self.find_mask(may_make)? else {
            return Ok(None);
        };
        let masked = mask.write(&self.compiled, row);
        self.ready = Ready::Found(mask);
        Ok(Some(masked))
    }

    /// Writes the mask of this state; the numbers of the remembered masks it is made of.
    pub(crate) fn fill_ahead(&self, row: &mut [u32]) -> Result<SmallVec<[usize; 1]>, MatcherError> {
        let Some(mask) = self.find_mask(true)? else {
            return Ok(SmallVec::new());
        };
        mask.write(&self.compiled, row);
        Ok(mask.ids())
    }

    /// Where this state stands and what its top frames hold, without what lies below them.
    pub(crate) fn state_key(&self) -> StateKey {
        let family = self.family();
        let configs = &family.states[self.state.0 as usize].configs;
        let spell = |config: &Config| (config.control, family.stack.spell_out_top(config.frame));
        configs.iter().map(spell).collect()
    }

    /// Whether the text stops inside a character or an escape, by every way to read it.
    pub(crate) fn is_inside_character(&self) -> bool {
        let family = self.family();
        let partial = |config: &Config| match config.control {
            Control::Rule { partial, .. } => partial,
            Control::Text(text) => text.partial,
            Control::Key(key) => key.partial,
            _ => Partial::None,
        };
        let configs = &family.states[self.state.0 as usize].configs;
        configs.iter().all(|config| partial(config) != Partial::None)
    }

    /// Makes the mask of this state and writes it nowhere.
    pub(crate) fn prepare_mask(&self) -> Result<(), MatcherError> {
        self.find_mask(true).map(|_| ())
    }

    /// The mask of this state. Both locks are held for the search, not while the row is written.
    fn find_mask(&self, may_make: bool) -> Result<Option<Arc<Mask>>, MatcherError> {
        let mut family = self.family();
        if family.states[self.state.0 as usize].terminated {
            return Err(MatcherError::Terminated);
        }
        let mut shared = self.compiled.lock();
        let found = family.find_mask(&self.compiled, &mut shared, self.state, may_make);
        if shared.masks.lacks_origins() {
            let place = family.place_of(self.state, &mut shared.masks.places);
            shared.masks.note_origin(place);
            self.compiled.count_masks(shared.masks.num_leaves());
        }
        Ok(found?)
    }

    /// Takes back the last `num_tokens` accepts.
    ///
    /// # Errors
    /// [`MatcherError::RollbackTooFar`].
    pub fn rollback(&mut self, num_tokens: usize) -> Result<(), MatcherError> {
        let accepted = self.num_tokens();
        if num_tokens > accepted {
            return Err(MatcherError::RollbackTooFar {
                asked: num_tokens,
                accepted,
            });
        }
        let mut state = self.state;
        {
            let family = self.family();
            for _ in 0..num_tokens {
                state = family.states[state.0 as usize].before;
            }
        }
        self.go_to(state);
        self.forget_unreachable();
        Ok(())
    }

    /// A second matcher in the same state. Cost: constant.
    pub fn fork(&self) -> Matcher {
        Matcher {
            compiled: self.compiled.clone(),
            family: self.family.clone(),
            state: self.state,
            ready: Ready::Unknown,
        }
    }

    /// Back to the start of the output.
    pub fn reset(&mut self) {
        self.go_to(StateId(0));
        self.forget_unreachable();
    }

    /// How many accepts could be taken back.
    pub fn num_tokens(&self) -> usize {
        self.family().states[self.state.0 as usize].num_tokens as usize
    }

    /// Whether the output may end here.
    pub fn is_accepting(&self) -> bool {
        let family = self.family();
        let state = &family.states[self.state.0 as usize];
        let shared = self.compiled.lock();
        state.terminated || is_complete(&shared.core, &state.configs)
    }

    /// Whether a stop token was accepted.
    pub fn is_terminated(&self) -> bool {
        self.family().states[self.state.0 as usize].terminated
    }

    /// The longest text that every completion of the output starts with. It may end inside a character. `canonical`: where
    /// only the spelling is free, the usual one; that is a guess, for drafts.
    ///
    /// # Errors
    /// [`MatcherError::Limit`].
    pub fn jump_forward_bytes(&mut self, canonical: bool) -> Result<Vec<u8>, MatcherError> {
        let mut family = self.family();
        let Family { stack, states, .. } = &mut *family;
        let state = &states[self.state.0 as usize];
        if state.terminated {
            return Ok(Vec::new());
        }
        Ok(forward::forced_bytes(
            &mut self.compiled.lock(),
            stack,
            &state.configs,
            canonical,
        )?)
    }

    /// Tokens that spell the beginning of [`Matcher::jump_forward_bytes`]. It ends where a token could reach past the forced
    /// text, since a model may prefer that one.
    ///
    /// # Errors
    /// [`MatcherError::Limit`].
    pub fn jump_forward_tokens(&mut self, canonical: bool) -> Result<Vec<TokenId>, MatcherError> {
        let forced = self.jump_forward_bytes(canonical)?;
        Ok(forward::forced_tokens(&self.compiled, &forced))
    }

    /// A short text that completes the output; empty if it is complete.
    ///
    /// # Errors
    /// [`MatcherError::Limit`], [`MatcherError::OnlySpecialTokens`].
    pub fn shortest_completion_bytes(&mut self) -> Result<Vec<u8>, MatcherError> {
        let mut family = self.family();
        let Family { stack, states, .. } = &mut *family;
        let state = &states[self.state.0 as usize];
        if state.terminated {
            return Ok(Vec::new());
        }
        completion::completion(&mut self.compiled.lock(), stack, &state.configs)?.ok_or(MatcherError::OnlySpecialTokens)
    }

    /// Which nodes of a draft tree can be read, best first, at most `budget` besides node 0: the tree is in that order.
    /// Node 0 is the last token of the output and has been read.
    ///
    /// # Errors
    /// As [`Matcher::accept_token`], but for a full nesting, which ends a branch.
    pub fn legal_nodes(&mut self, tree: &DraftTree, budget: usize) -> Result<Vec<bool>, MatcherError> {
        let mut left = budget;
        let mut keep = vec![false; tree.num_nodes()];
        self.follow(tree, |node, _| {
            keep[node] = node == 0 || left > 0;
            left -= usize::from(node > 0 && keep[node]);
            Ok(keep[node])
        })?;
        Ok(keep)
    }

    /// Writes one mask for each node of a draft tree: what may follow the path to it. The row of a node that cannot be read,
    /// or that ends the output, allows nothing. Node 0 is the last token of the output and has been read.
    ///
    /// # Errors
    /// [`MatcherError::RowWidth`] also for too few rows; as [`Matcher::fill_next_token_bitmask`].
    pub fn fill_draft_tree_bitmask(&mut self, tree: &DraftTree, rows: &mut [&mut [u32]]) -> Result<(), MatcherError> {
        if rows.len() < tree.num_nodes() {
            return Err(MatcherError::RowWidth {
                given: rows.len(),
                needed: tree.num_nodes(),
            });
        }
        rows[..tree.num_nodes()].iter_mut().for_each(|row| bitmask::clear_all(row));
        self.follow(tree, |node, matcher| {
            if !matcher.is_terminated() {
                matcher.fill_next_token_bitmask(rows[node])?;
            }
            Ok(true)
        })
    }

    /// Visits the nodes of a tree that can be read, in its order, with the matcher in the state of each; a node whose visit
    /// answers `false` is no parent. The state is as before in the end.
    fn follow(
        &mut self,
        tree: &DraftTree,
        mut visit: impl FnMut(usize, &mut Matcher) -> Result<bool, MatcherError>,
    ) -> Result<(), MatcherError> {
        let start = self.state;
        let mut states: Vec<Option<StateId>> = vec![None; tree.num_nodes()];
        let outcome = (0..tree.num_nodes()).try_for_each(|node| {
            if node > 0 {
                let Some(parent) = states[tree.parents()[node] as usize] else {
                    return Ok(());
                };
                self.go_to(parent);
                let readable = !self.is_terminated() && self.accept_draft(tree.token_ids()[node])?;
                if !readable {
                    return Ok(());
                }
            }
            if visit(node, self)? {
                states[node] = Some(self.state);
            }
            Ok(())
        });
        self.go_to(start);
        self.forget_unreachable();
        outcome
    }

    /// A drafted token: whatever is no token at all, or nests too deep, is a token that cannot be read.
    fn accept_draft(&mut self, token: i32) -> Result<bool, MatcherError> {
        match self.accept_only(token as u32) {
            Err(MatcherError::TokenOutOfRange { .. }) => Ok(false),
            Err(MatcherError::Limit(limit)) if limit.name == "max_nesting" => Ok(false),
            other => other,
        }
    }

    /// The texts of the rules that are to be captured, with their names, in the order of their ends, inner ones first. None
    /// while the output is not complete.
    ///
    /// Where the output can be read in several ways: at each place a called rule comes before plain text, and of several ends the
    /// last. Cost: the whole output is read again.
    ///
    /// # Errors
    /// [`MatcherError::Limit`].
    pub fn captures(&self) -> Result<Option<Vec<Capture>>, MatcherError> {
        if !self.is_accepting() {
            return Ok(None);
        }
        let (mut pieces, terminated) = (Vec::new(), self.is_terminated());
        {
            let family = self.family();
            let mut state = &family.states[self.state.0 as usize];
            while let Some(moved) = &state.moved {
                pieces.push(match moved {
                    Move::Token(token) => Piece::Token(*token),
                    Move::Bytes(bytes) => Piece::Bytes(bytes.clone()),
                });
                state = &family.states[state.before.0 as usize];
            }
        }
        pieces.reverse();
        let mut output = Output::new(&pieces, &self.compiled);
        let mut shared = self.compiled.lock();
        let found = captures(&mut shared.core, &self.compiled, &output)?;
        if found.is_some() || !terminated {
            return Ok(found);
        }
        // The stop token was none of the grammar's.
        output.without_last();
        Ok(captures(&mut shared.core, &self.compiled, &output)?)
    }

    /// The temperature at which the grammar wants the next token sampled: that of the innermost rule around this place that names
    /// one; the highest, if the output can be read in several ways. Free of any lock where no rule of the grammar names one.
    pub fn temperature(&self) -> Option<f64> {
        if !self.compiled.has_temperatures {
            return None;
        }
        let family = self.family();
        let shared = self.compiled.lock();
        let configs = &family.states[self.state.0 as usize].configs;
        shared
            .core
            .temperature(&family.stack, configs.iter().map(|config| config.frame).collect())
    }

    /// Heap memory of this matcher and its forks in bytes, approximately.
    pub fn memory_usage(&self) -> usize {
        let family = self.family();
        family.stack.memory_usage() + family.states.len() * std::mem::size_of::<State>()
    }

    /// Without forks, everything that came after the present state can go: a speculating host would grow it without end.
    fn forget_unreachable(&mut self) {
        if Arc::strong_count(&self.family) > 1 {
            return;
        }
        let state = self.state;
        let mut family = self.family();
        let mark = family.states[state.0 as usize].mark;
        family.states.truncate(state.0 as usize + 1);
        family.noted = family.noted.filter(|noted| noted.0 .0 <= state.0);
        family.stack.truncate(mark);
    }
}

/// The configurations after `token`, and whether it ended the output; None if it may not come.
fn read_token(
    compiled: &CompiledGrammar,
    shared: &mut Shared,
    family: &mut Family,
    state: StateId,
    token: TokenId,
) -> Result<Option<(Configs, bool)>, Limit> {
    let Family { stack, states, .. } = family;
    let State { configs, num_tokens, .. } = &states[state.0 as usize];
    let mark = stack.mark();
    let outcome = read_token_from(compiled, shared, stack, (configs, *num_tokens), token);
    if !matches!(outcome, Ok(Some(_))) {
        stack.truncate(mark);
    }
    outcome
}

fn read_token_from(
    compiled: &CompiledGrammar,
    shared: &mut Shared,
    stack: &mut Stack,
    (configs, num_tokens): (&[Config], u32),
    token: TokenId,
) -> Result<Option<(Configs, bool)>, Limit> {
    let mut next = crate::run::Frontier::default();
    let bytes = compiled.info.token_bytes(token);
    let mut run = Run::new(&mut shared.core, stack);
    run.now = num_tokens;
    if !bytes.is_empty() {
        next.configs = run.read(configs, bytes)?;
    }
    for config in configs {
        let Control::Rule {
            term,
            partial: Partial::None,
        } = config.control
        else {
            continue;
        };
        for (symbol, rest) in run.token_edges(term) {
            if symbol_holds(&symbol, token, compiled) {
                next.kernels.push((rest, config.frame));
            }
        }
    }
    run.close_over(&mut next)?;
    run.keep_budgets(&compiled.vocabulary, &mut next.configs)?;
    check_nesting(&run, &next.configs)?;
    let stop = compiled.info.is_stop(token);
    if !next.configs.is_empty() {
        // A stop token that the grammar takes ends the output if the result is complete.
        let ends = stop && is_complete(&shared.core, &next.configs);
        return Ok(Some((next.configs, ends)));
    }
    if stop && is_complete(&shared.core, configs) {
        return Ok(Some((Configs::from_slice(configs), true)));
    }
    Ok(None)
}

fn read_bytes(
    compiled: &CompiledGrammar,
    shared: &mut Shared,
    family: &mut Family,
    state: StateId,
    bytes: &[u8],
) -> Result<Option<Configs>, Limit> {
    let Family { stack, states, .. } = family;
    let mark = stack.mark();
    let mut run = Run::new(&mut shared.core, stack);
    run.now = states[state.0 as usize].num_tokens;
    let outcome = run.read(&states[state.0 as usize].configs, bytes).and_then(|mut next| {
        run.keep_budgets(&compiled.vocabulary, &mut next)?;
        check_nesting(&run, &next)?;
        Ok((!next.is_empty()).then_some(next))
    });
    if !matches!(outcome, Ok(Some(_))) {
        stack.truncate(mark);
    }
    outcome
}

/// Whether a token is nothing but whole characters that stand for themselves inside a JSON string.
fn is_plain(token: &[u8]) -> bool {
    let is_ordinary = |&byte: &u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    !token.is_empty() && token.iter().all(is_ordinary) && (token.is_ascii() || std::str::from_utf8(token).is_ok())
}

fn check_nesting(run: &Run<'_>, configs: &[Config]) -> Result<(), Limit> {
    let max = run.core.max_nesting;
    if configs.iter().any(|config| run.stack.depth(config.frame) > max) {
        return Err(Limit {
            name: "max_nesting",
            configured: u64::from(max),
        });
    }
    Ok(())
}

pub(crate) fn symbol_holds(symbol: &Symbol, token: TokenId, compiled: &CompiledGrammar) -> bool {
    match symbol {
        Symbol::Tokens(ids) => ids.contains(&token),
        Symbol::ExcludeTokens(ids) => !ids.contains(&token) && (token as usize) < compiled.info.vocab_size(),
        _ => false,
    }
}
