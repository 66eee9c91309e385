//! The trie of the Lookahead paper (arXiv 2312.12728), a second representation beside `RetrievalIndex`, with the paper's
//! parameters.
//!
//! Every window of `branch_length` tokens behind a token is a branch. A node counts how often it occurred in the running
//! request's prompt and how often in outputs; a query of the last tokens finds a node, and the branches behind it are the
//! draft. Deviations, each a repair: a request's prompt branches live in a trie of its own, so ending it eliminates exactly
//! them; tokens and the border of prompt and output are searchable at once; the shorter query adds to what the longer one
//! found; nodes are taken best first, so that many equal branches do not starve all but one; one bound covers all trees.
//! Cost: insertion O(branch_length) a token, about 36 bytes a node; a draft O(budget log budget).
use crate::error::DraftingError;
use crate::tree::{Proposal, Source};
use rustc_hash::FxHashMap;
use std::collections::BinaryHeap;
use std::sync::{Arc, RwLock};

const NONE: u32 = u32::MAX;
/// Above the trees of all first tokens.
const ROOT: u32 = 0;

/// How branches become a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrieMode {
    /// Branches that share a prefix share its nodes: the paper's best.
    Hierarchical,
    /// Separate branches: a shared prefix is paid for once per branch. (A `DraftTree` joins it, so fewer nodes than paid for
    /// come out.)
    Parallel,
    /// The single best branch.
    OneBranch,
}

/// Which frequencies decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrieSource {
    /// (1 - `output_weight`) x prompt + `output_weight` x output; at least half of the budget goes to the best by output.
    Mix,
    /// The prompt's alone.
    Prompt,
    /// Those of outputs alone.
    Output,
}

/// The paper's parameters and its defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct TrieOptions {
    /// The most tokens of a branch, the last committed token not counted.
    pub branch_length: usize,
    /// The most tokens of a query.
    pub max_query_length: usize,
    /// How branches become a draft.
    pub mode: TrieMode,
    /// Which frequencies decide.
    pub source: TrieSource,
    /// What an output occurrence weighs where both count.
    pub output_weight: f64,
    /// Tokens that a query of one token does not start from.
    pub stop_tokens: Vec<i32>,
    /// Bound on the nodes of the shared trie; past it, counts are halved and what falls below one is pruned.
    pub max_nodes: usize,
}

impl Default for TrieOptions {
    fn default() -> TrieOptions {
        TrieOptions {
            branch_length: 12,
            max_query_length: 2,
            mode: TrieMode::Hierarchical,
            source: TrieSource::Mix,
            output_weight: 1e-4,
            stop_tokens: Vec::new(),
            max_nodes: 1 << 20,
        }
    }
}

#[derive(Clone, Copy)]
struct Node {
    token: i32,
    parent: u32,
    first_child: u32,
    next_sibling: u32,
    prompt: f32,
    output: f32,
}

/// Nodes in the order of their making, so parents come before children.
struct Trie {
    nodes: Vec<Node>,
    children: FxHashMap<(u32, i32), u32>,
}

impl Trie {
    fn new() -> Trie {
        let root = Node {
            token: -1,
            parent: NONE,
            first_child: NONE,
            next_sibling: NONE,
            prompt: 0.0,
            output: 0.0,
        };
        Trie {
            nodes: vec![root],
            children: FxHashMap::default(),
        }
    }

    fn child(&self, node: u32, token: i32) -> u32 {
        self.children.get(&(node, token)).copied().unwrap_or(NONE)
    }

    fn find(&self, query: &[i32]) -> u32 {
        let step = |node, &token| if node == NONE { NONE } else { self.child(node, token) };
        query.iter().fold(ROOT, step)
    }

    fn make_child(&mut self, parent: u32, token: i32) -> u32 {
        let known = self.child(parent, token);
        if known != NONE {
            return known;
        }
        let made = self.nodes.len() as u32;
        let next_sibling = std::mem::replace(&mut self.nodes[parent as usize].first_child, made);
        self.nodes.push(Node {
            token,
            parent,
            first_child: NONE,
            next_sibling,
            prompt: 0.0,
            output: 0.0,
        });
        self.children.insert((parent, token), made);
        made
    }

    /// Lengthens every open branch by a token and opens one at it. `open` holds the ends of the open branches, longest first.
    fn push(&mut self, open: &mut Vec<u32>, token: i32, branch_length: usize, is_prompt: bool) {
        open.push(ROOT);
        for end in open.iter_mut() {
            *end = self.make_child(*end, token);
            let node = &mut self.nodes[*end as usize];
            if is_prompt {
                node.prompt += 1.0;
            } else {
                node.output += 1.0;
            }
        }
        if open.len() > branch_length {
            open.remove(0);
        }
    }

    /// Halves the counts and drops what falls below one, until at most `max_nodes` are left.
    fn prune(&mut self, max_nodes: usize) {
        while self.nodes.len() > max_nodes {
            let mut kept = Trie::new();
            let mut moved = vec![NONE; self.nodes.len()];
            moved[ROOT as usize] = ROOT;
            for (index, node) in self.nodes.iter().enumerate().skip(1) {
                let parent = moved[node.parent as usize];
                if parent != NONE && node.output >= 2.0 {
                    let made = kept.make_child(parent, node.token);
                    kept.nodes[made as usize].output = node.output / 2.0;
                    moved[index] = made;
                }
            }
            *self = kept;
        }
    }
}

/// Output branches of all requests. Cheap to clone: clones are the same store.
#[derive(Clone)]
pub struct TrieStore {
    options: Arc<TrieOptions>,
    shared: Arc<RwLock<Trie>>,
}

impl TrieStore {
    /// An empty store.
    ///
    /// # Errors
    /// `trie_options` if a length is 0 or the weight is outside [0, 1].
    pub fn new(options: TrieOptions) -> Result<TrieStore, DraftingError> {
        let weight_fits = (0.0..=1.0).contains(&options.output_weight);
        if options.branch_length == 0 || options.max_query_length == 0 || options.max_nodes == 0 || !weight_fits {
            let message =
                "a length of the trie is `0` or its output_weight outside `[0, 1]`; use the defaults or larger lengths";
            return Err(DraftingError::new("trie_options", message));
        }
        Ok(TrieStore {
            options: Arc::new(options),
            shared: Arc::new(RwLock::new(Trie::new())),
        })
    }

    /// Begins a sequence. Cost: linear in the prompt, times `branch_length`.
    ///
    /// # Errors
    /// `token_id_negative`.
    pub fn start(&self, prompt: &[i32], share: bool) -> Result<TrieRequest, DraftingError> {
        let mut request = TrieRequest {
            store: self.clone(),
            own: Trie::new(),
            open: Vec::new(),
            tail: Vec::new(),
            output: Vec::new(),
            share,
            finished: false,
        };
        request.push_all(prompt, true)?;
        Ok(request)
    }

    /// Adds the branches of an output that was written elsewhere.
    ///
    /// # Errors
    /// `token_id_negative`.
    pub fn insert(&self, tokens: &[i32]) -> Result<(), DraftingError> {
        check(tokens)?;
        let mut shared = self.shared.write().expect("no writer of a trie panics");
        let mut open = Vec::new();
        let depth = self.options.branch_length + self.options.max_query_length;
        for &token in tokens {
            shared.push(&mut open, token, depth, false);
        }
        shared.prune(self.options.max_nodes);
        Ok(())
    }

    /// Number of shared nodes, the common root included.
    pub fn num_nodes(&self) -> usize {
        self.shared.read().expect("no writer of a trie panics").nodes.len()
    }
}

fn check(tokens: &[i32]) -> Result<(), DraftingError> {
    match tokens.iter().find(|&&token| token < 0) {
        Some(&token) => Err(DraftingError::negative_token(token)),
        None => Ok(()),
    }
}

/// One sequence over a `TrieStore`.
pub struct TrieRequest {
    store: TrieStore,
    own: Trie,
    open: Vec<u32>,
    tail: Vec<i32>,
    output: Vec<i32>,
    share: bool,
    finished: bool,
}

/// A place in both tries; `NONE` where one has no such node.
#[derive(Clone, Copy)]
struct Pair {
    own: u32,
    shared: u32,
}

#[derive(Clone, Copy)]
struct Candidate {
    score: f64,
    parent: u32,
    depth: u32,
    token: i32,
    pair: Pair,
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Candidate) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Candidate {}
impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Candidate) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Candidate {
    /// By score; equal ones shallow first, so that breadth is not starved, then by token, so that the order is fixed.
    fn cmp(&self, other: &Candidate) -> std::cmp::Ordering {
        let by_score = self.score.total_cmp(&other.score);
        by_score
            .then(other.depth.cmp(&self.depth))
            .then(other.parent.cmp(&self.parent))
            .then(other.token.cmp(&self.token))
    }
}

impl TrieRequest {
    fn push_all(&mut self, tokens: &[i32], is_prompt: bool) -> Result<(), DraftingError> {
        check(tokens)?;
        let options = self.store.options.clone();
        for &token in tokens {
            self.own.push(
                &mut self.open,
                token,
                options.branch_length + options.max_query_length,
                is_prompt,
            );
            if self.tail.len() == options.max_query_length {
                self.tail.remove(0);
            }
            self.tail.push(token);
        }
        Ok(())
    }

    /// Appends committed tokens; their branches are searchable at once.
    ///
    /// # Errors
    /// `token_id_negative`, `request_finished`.
    pub fn extend(&mut self, tokens: &[i32]) -> Result<(), DraftingError> {
        if self.finished {
            return Err(DraftingError::finished());
        }
        self.push_all(tokens, false)?;
        if self.share {
            self.output.extend_from_slice(tokens);
        }
        Ok(())
    }

    /// Ends the request: its prompt branches are gone, its output branches are shared if it shares.
    pub fn finish(&mut self) {
        if !std::mem::replace(&mut self.finished, true) {
            self.own = Trie::new();
            let output = std::mem::take(&mut self.output);
            self.store
                .insert(&output)
                .expect("the tokens were checked when they were appended");
        }
    }

    /// The branches behind the last tokens as a tree of at most `budget` nodes besides node 0 (the paper's decoding length).
    ///
    /// # Errors
    /// `request_finished`, `request_empty`, `draft_budget`.
    pub fn propose(&self, budget: usize) -> Result<Proposal, DraftingError> {
        if self.finished {
            return Err(DraftingError::finished());
        }
        crate::index::check_limits(budget, crate::index::ProposeOptions::default())?;
        let &last = self.tail.last().ok_or_else(DraftingError::empty)?;
        let shared = self.store.shared.read().expect("no writer of a trie panics");
        let mut search = Search::new(&self.store.options, &self.own, &shared, last);
        for start in 0..self.tail.len() {
            let query = &self.tail[start..];
            let is_stopped = query.len() == 1 && self.store.options.stop_tokens.contains(&last);
            if !is_stopped && search.room(budget) > 0 {
                search.add(query, budget);
            }
            if search.num_drafted() >= self.store.options.branch_length {
                break;
            }
        }
        Ok(search.tree)
    }
}

/// One draft in the making.
struct Search<'a> {
    options: &'a TrieOptions,
    own: &'a Trie,
    shared: &'a Trie,
    tree: Proposal,
    children: FxHashMap<(u32, i32), u32>,
    // Nodes paid for: more than drafted in parallel mode.
    paid: usize,
}

impl<'a> Search<'a> {
    fn new(options: &'a TrieOptions, own: &'a Trie, shared: &'a Trie, last: i32) -> Search<'a> {
        Search {
            options,
            own,
            shared,
            tree: Proposal::root(last),
            children: FxHashMap::default(),
            paid: 0,
        }
    }

    fn num_drafted(&self) -> usize {
        self.tree.token_ids.len() - 1
    }

    fn room(&self, budget: usize) -> usize {
        budget.saturating_sub(self.paid.max(self.num_drafted()))
    }

    fn add(&mut self, query: &[i32], budget: usize) {
        let start = Pair {
            own: self.own.find(query),
            shared: self.shared.find(query),
        };
        match self.options.mode {
            TrieMode::Hierarchical => {
                if self.options.source == TrieSource::Mix {
                    let half = self.room(budget).div_ceil(2);
                    self.grow(start, self.num_drafted() + half, TrieSource::Output);
                }
                self.grow(start, budget, self.options.source);
            }
            TrieMode::Parallel => self.add_branches(start, budget),
            TrieMode::OneBranch => self.add_chain(start, budget),
        }
    }

    /// Takes the best nodes behind `start`, each after its parent. A count never exceeds its parent's, so no subtree needs to
    /// be read to know its best node.
    fn grow(&mut self, start: Pair, until: usize, source: TrieSource) {
        let mut heap = BinaryHeap::new();
        self.offer(&mut heap, start, 0, 0, source);
        while self.num_drafted() < until {
            let Some(best) = heap.pop() else { return };
            let node = self.take(&best, start, source);
            self.offer(&mut heap, best.pair, node, best.depth, source);
        }
    }

    fn offer(&self, heap: &mut BinaryHeap<Candidate>, pair: Pair, parent: u32, depth: u32, source: TrieSource) {
        if (depth as usize) < self.options.branch_length {
            heap.extend(self.continuations(pair, parent, depth + 1, source));
        }
    }

    fn continuations(&self, pair: Pair, parent: u32, depth: u32, source: TrieSource) -> Vec<Candidate> {
        let mut found = Vec::new();
        let mut add = |trie: &Trie, node: u32, is_own: bool| {
            let mut child = if node == NONE {
                NONE
            } else {
                trie.nodes[node as usize].first_child
            };
            while child != NONE {
                let token = trie.nodes[child as usize].token;
                let in_own = if pair.own == NONE {
                    NONE
                } else {
                    self.own.child(pair.own, token)
                };
                // What both tries hold is listed once, by the own one.
                if is_own || in_own == NONE {
                    let in_shared = if pair.shared == NONE {
                        NONE
                    } else {
                        self.shared.child(pair.shared, token)
                    };
                    let pair = Pair {
                        own: in_own,
                        shared: in_shared,
                    };
                    let score = self.score(pair, source);
                    if score > 0.0 {
                        found.push(Candidate {
                            score,
                            parent,
                            depth,
                            token,
                            pair,
                        });
                    }
                }
                child = trie.nodes[child as usize].next_sibling;
            }
        };
        add(self.own, pair.own, true);
        add(self.shared, pair.shared, false);
        found
    }

    fn score(&self, pair: Pair, source: TrieSource) -> f64 {
        let own = (pair.own != NONE).then(|| self.own.nodes[pair.own as usize]);
        let prompt = own.map_or(0.0, |node| node.prompt as f64);
        let shared = if pair.shared == NONE {
            0.0
        } else {
            self.shared.nodes[pair.shared as usize].output as f64
        };
        let output = own.map_or(0.0, |node| node.output as f64) + shared;
        match source {
            TrieSource::Prompt => prompt,
            TrieSource::Output => output,
            TrieSource::Mix => (1.0 - self.options.output_weight) * prompt + self.options.output_weight * output,
        }
    }

    /// Adds a node, or returns the one that an earlier query added.
    fn take(&mut self, candidate: &Candidate, start: Pair, source: TrieSource) -> u32 {
        let key = (candidate.parent, candidate.token);
        if let Some(&known) = self.children.get(&key) {
            return known;
        }
        let node = self.tree.token_ids.len() as u32;
        let above = if candidate.depth == 1 {
            start
        } else {
            self.parent_of(candidate.pair)
        };
        let share = candidate.score / self.score(above, source).max(candidate.score);
        let is_own = candidate.pair.own != NONE;
        self.tree.token_ids.push(candidate.token);
        self.tree.parents.push(candidate.parent as i32);
        self.tree.logprobs.push(share.ln() as f32);
        self.tree.sources.push(if is_own { Source::Own } else { Source::Other } as u8);
        self.children.insert(key, node);
        node
    }

    fn parent_of(&self, pair: Pair) -> Pair {
        let above = |trie: &Trie, node: u32| {
            if node == NONE {
                NONE
            } else {
                trie.nodes[node as usize].parent
            }
        };
        Pair {
            own: above(self.own, pair.own),
            shared: above(self.shared, pair.shared),
        }
    }

    fn best(&self, pair: Pair, parent: u32, depth: u32) -> Option<Candidate> {
        self.continuations(pair, parent, depth, self.options.source).into_iter().max()
    }

    fn add_chain(&mut self, start: Pair, budget: usize) {
        let (mut pair, mut node) = (start, 0);
        for depth in 1..=self.options.branch_length as u32 {
            if self.num_drafted() >= budget {
                return;
            }
            let Some(best) = self.best(pair, node, depth) else { return };
            // A second query must not open a second branch.
            if self.tree.parents.contains(&(node as i32)) && !self.children.contains_key(&(node, best.token)) {
                return;
            }
            node = self.take(&best, start, self.options.source);
            pair = best.pair;
        }
    }

    /// Branches in the order of their first tokens' scores, each followed greedily to its end and paid for in full.
    fn add_branches(&mut self, start: Pair, budget: usize) {
        let mut heads = self.continuations(start, 0, 1, self.options.source);
        heads.sort_by(|left, right| right.cmp(left));
        let mut pending: Vec<Vec<Candidate>> = heads.into_iter().rev().map(|head| vec![head]).collect();
        while let Some(mut branch) = pending.pop() {
            self.follow(&mut branch, &mut pending);
            let room = self.room(budget);
            branch.truncate(room);
            self.paid += branch.len();
            let mut node = 0;
            for step in branch {
                node = self.take(&Candidate { parent: node, ..step }, start, self.options.source);
            }
            if self.room(budget) == 0 {
                return;
            }
        }
    }

    fn follow(&self, branch: &mut Vec<Candidate>, pending: &mut Vec<Vec<Candidate>>) {
        while branch.len() < self.options.branch_length {
            let end = branch[branch.len() - 1];
            let mut next = self.continuations(end.pair, 0, end.depth + 1, self.options.source);
            next.sort();
            let Some(best) = next.pop() else { return };
            // Where branches part, the others wait behind this one.
            pending.extend(next.into_iter().map(|other| [branch.as_slice(), &[other]].concat()));
            branch.push(best);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drafts(request: &TrieRequest, budget: usize) -> Vec<(i32, i32)> {
        let tree = request.propose(budget).expect("a live request proposes");
        tree.parents
            .iter()
            .copied()
            .zip(tree.token_ids.iter().copied())
            .skip(1)
            .collect()
    }

    #[test]
    fn the_prompt_comes_before_outputs_and_outputs_keep_half() {
        let store = TrieStore::new(TrieOptions::default()).expect("defaults are valid");
        for other in 100..140 {
            store.insert(&[7, 8, other]).expect("tokens are valid");
        }
        let request = store
            .start(&[7, 8, 1, 7, 8, 1, 7, 8, 1, 7, 8], true)
            .expect("tokens are valid");
        let tokens: Vec<i32> = drafts(&request, 16).into_iter().map(|node| node.1).collect();
        assert!(tokens.contains(&1), "{tokens:?}");
        assert_eq!(tokens.iter().filter(|&&token| token >= 100).count(), 8);
    }

    #[test]
    fn token_zero_is_a_token() {
        let store = TrieStore::new(TrieOptions::default()).expect("defaults are valid");
        let request = store.start(&[7, 0, 5, 7, 0], true).expect("tokens are valid");
        let tree = request.propose(4).expect("a live request proposes");
        assert_eq!(tree.token_ids[..2], [0, 5]);
    }

    #[test]
    fn emitted_tokens_are_searchable_at_once_across_the_border() {
        let store = TrieStore::new(TrieOptions::default()).expect("defaults are valid");
        let mut request = store.start(&[1, 2], true).expect("tokens are valid");
        request.extend(&[3, 1, 2]).expect("tokens are valid");
        assert_eq!(drafts(&request, 1), [(0, 3)]);
    }

    #[test]
    fn a_finished_request_leaves_outputs_and_no_prompt() {
        let store = TrieStore::new(TrieOptions::default()).expect("defaults are valid");
        let mut request = store.start(&[1, 2, 3], true).expect("tokens are valid");
        request.extend(&[4, 5, 6]).expect("tokens are valid");
        request.finish();
        assert_eq!(drafts(&store.start(&[4], true).expect("valid"), 8), [(0, 5), (1, 6)]);
        assert_eq!(drafts(&store.start(&[1], true).expect("valid"), 8), []);
        let mut private = store.start(&[9], false).expect("tokens are valid");
        private.extend(&[8, 8]).expect("tokens are valid");
        let nodes = store.num_nodes();
        private.finish();
        assert_eq!(store.num_nodes(), nodes);
    }

    #[test]
    fn the_shorter_query_adds_to_the_longer() {
        let store = TrieStore::new(TrieOptions::default()).expect("defaults are valid");
        store.insert(&[7, 8, 1, 2, 3]).expect("tokens are valid");
        store.insert(&[9, 8, 4]).expect("tokens are valid");
        let request = store.start(&[7, 8], true).expect("tokens are valid");
        let tokens: Vec<i32> = drafts(&request, 16).into_iter().map(|node| node.1).collect();
        assert_eq!(tokens, [1, 2, 3, 4]);
    }

    #[test]
    fn pruning_keeps_the_bound_and_the_frequent() {
        let options = TrieOptions {
            max_nodes: 200,
            branch_length: 4,
            ..TrieOptions::default()
        };
        let store = TrieStore::new(options).expect("options are valid");
        for step in 0..300 {
            store.insert(&[1, 2, 3]).expect("tokens are valid");
            store
                .insert(&[step + 10, step + 11, step + 12, step + 13])
                .expect("tokens are valid");
            assert!(store.num_nodes() <= 200);
        }
        assert_eq!(drafts(&store.start(&[1], true).expect("valid"), 8)[0], (0, 2));
    }

    #[test]
    fn modes_differ_in_what_they_pay_for() {
        let draft = |mode| {
            let store = TrieStore::new(TrieOptions {
                mode,
                ..TrieOptions::default()
            })
            .expect("options are valid");
            for tokens in [[1, 2, 3, 4], [1, 2, 3, 5], [1, 6, 7, 8]] {
                store.insert(&tokens).expect("tokens are valid");
            }
            drafts(&store.start(&[1], true).expect("valid"), 6).len()
        };
        assert_eq!(draft(TrieMode::Hierarchical), 6);
        assert_eq!(draft(TrieMode::Parallel), 4);
        assert_eq!(draft(TrieMode::OneBranch), 3);
    }
}
