//! The search: from the places that match the text to the most probable tree of a given size.
//!
//! Places are gathered once, at the root, and handed down: a child keeps those of its parent's places that continue with its
//! token. So a node costs what its places cost, and the whole tree O(budget) heap operations. Nodes leave the heap in the order
//! of their estimated probability of being reached; that order is the order of the tree, so every prefix of it is the best tree
//! of its size.
use crate::blend::{Blend, BlendOptions, Place, MAX_MATCH};
use crate::store::{Store, MAX_GRAM, NONE};
use penstock_tokens::Noise;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Places looked up again, with the last token alone, for a node that no match led to.
const PLACES_AFTER_FREQUENT: usize = 8;
/// e to the median of Gumbel noise: what a group of unknown tokens is expected to be favoured by.
const MEDIAN_FACTOR: f64 = std::f64::consts::LOG2_E;
/// Steps along one chain for each place wanted, so that a chain of other segments' ends cannot hold up a step.
const STEPS_PER_PLACE: usize = 4;

/// Where a node came from; the number is its entry in `DraftTree::sources`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Node 0.
    Committed = 0,
    /// The request's own prompt and output.
    Own = 1,
    /// Outputs of other requests.
    Other = 2,
    /// A frequent token where nothing matched.
    Frequent = 3,
}

/// How large a tree may become.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limits {
    /// The most nodes besides node 0.
    pub(crate) budget: usize,
    /// What a node costs, as a share of a forward pass; `None`: nothing, and the budget is used up.
    pub(crate) width_cost: Option<f64>,
    /// Nodes less likely than this are left out.
    pub(crate) floor: f64,
    /// What is accepted of one predicted token, learned from earlier steps.
    pub(crate) accept_ratio: f64,
    /// The sampler's noise and the output index of node 0's children.
    pub(crate) noise: Option<(Noise, u64)>,
}

/// A tree before it is handed out, in arrays as `DraftTree` has them; node 0 is the last committed token.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Proposal {
    /// The token of each node.
    pub token_ids: Vec<i32>,
    /// The parent of each node, -1 for node 0.
    pub parents: Vec<i32>,
    /// Natural logarithm of the estimated probability of each node given its parent.
    pub logprobs: Vec<f32>,
    /// A `Source` for each node.
    pub sources: Vec<u8>,
    /// Sum of the estimated probabilities of being reached, node 0 left out.
    pub predicted: f64,
}

impl Proposal {
    /// A tree that proposes nothing.
    pub(crate) fn root(token: i32) -> Proposal {
        Proposal {
            token_ids: vec![token],
            parents: vec![-1],
            logprobs: vec![0.0],
            sources: vec![0],
            predicted: 0.0,
        }
    }
}

#[derive(Clone, Copy)]
struct Node {
    token: i32,
    depth: u32,
    probability: f64,
    left: f64,
    last_child: u32,
    previous_sibling: u32,
    // Its continuations by match, in `continued`.
    begin: u32,
    end: u32,
}

#[derive(Clone, Copy)]
struct Entry {
    probability: f64,
    parent: u32,
    token: i32,
    begin: u32,
    end: u32,
    // Rank in the list of frequent tokens, or `NONE` for a continuation of places.
    rank: u32,
    own: bool,
}

/// What a search reads.
#[derive(Clone, Copy)]
pub(crate) struct Stores<'a> {
    /// The request's own text.
    pub(crate) own: &'a Store,
    /// Position of its last token.
    pub(crate) last: u32,
    /// Outputs of other requests.
    pub(crate) shared: Option<&'a Store>,
}

impl Stores<'_> {
    #[inline]
    fn of(&self, own: bool) -> &Store {
        match self.shared {
            Some(shared) if !own => shared,
            _ => self.own,
        }
    }
}

/// Builds trees; holds the memory it needs between calls.
pub(crate) struct TreeBuilder {
    options: BlendOptions,
    blend: Blend,
    places: Vec<Place>,
    nodes: Vec<Node>,
    entries: Vec<Entry>,
    // Bits of the probability (positive f64s are ordered as their bits are) and number of the entry: earlier ones first among
    // equals.
    heap: BinaryHeap<(u64, Reverse<u32>)>,
    frequent: Vec<(i32, f64)>,
    offsets: Vec<u32>,
    suffix: Vec<i32>,
    // Tokens that nodes have as continuations by match, node after node.
    continued: Vec<i32>,
    // The largest probabilities known to be offered, at most as many as the budget, as bits.
    best: BinaryHeap<Reverse<u64>>,
    // The most that a continuation of a frequent token can have.
    most_after_frequent: f64,
    // Entries below this cannot become nodes.
    threshold: f64,
}

impl TreeBuilder {
    /// A builder with these numbers.
    pub(crate) fn new(options: BlendOptions) -> TreeBuilder {
        TreeBuilder {
            most_after_frequent: most_after_frequent(&options),
            blend: Blend::new(&options),
            options,
            places: Vec::new(),
            nodes: Vec::new(),
            entries: Vec::new(),
            heap: BinaryHeap::new(),
            frequent: Vec::new(),
            offsets: Vec::new(),
            suffix: Vec::new(),
            continued: Vec::new(),
            best: BinaryHeap::new(),
            threshold: 0.0,
        }
    }

    /// The best tree within the limits. Cost: O(places + budget x (log budget + places of a node)).
    pub(crate) fn build(&mut self, stores: Stores, limits: Limits) -> Proposal {
        let mut tree = Proposal::default();
        let capacity = limits.budget.min(256) + 1;
        tree.token_ids.reserve(capacity);
        tree.parents.reserve(capacity);
        tree.logprobs.reserve(capacity);
        tree.sources.reserve(capacity);
        self.begin(&stores);
        self.threshold = self.threshold.max(limits.floor);
        let num_places = self.places.len() as u32;
        self.append(&mut tree, stores.own.token(stores.last), None, 1.0, Source::Committed);
        self.raise_threshold(&limits, &tree);
        if limits.budget > 0 {
            self.expand(&stores, &limits, 0, 0, num_places);
        }
        while tree.token_ids.len() <= limits.budget {
            let Some((_, Reverse(number))) = self.heap.pop() else { break };
            let entry = self.entries[number as usize];
            if entry.probability < self.threshold {
                break;
            }
            self.take(&stores, &mut tree, entry, &limits);
        }
        tree
    }

    fn begin(&mut self, stores: &Stores) {
        self.places.clear();
        self.nodes.clear();
        self.heap.clear();
        self.continued.clear();
        self.best.clear();
        self.entries.clear();
        self.threshold = self.options.floor;
        gather(stores, self.options.max_places, &mut self.suffix, &mut self.places);
        merge_frequent(stores, self.options.other_weight, &mut self.frequent);
    }

    /// With a cost, a node pays as long as r p / a exceeds what the tree yields for its cost; since nodes come in the order of
    /// p, the first that does not pay ends the search at the best prefix.
    fn raise_threshold(&mut self, limits: &Limits, tree: &Proposal) {
        if let Some(cost) = limits.width_cost {
            let width = (tree.token_ids.len() - 1) as f64;
            let value = (1.0 + limits.accept_ratio * tree.predicted) / (1.0 + cost * width);
            self.threshold = self.threshold.max(cost * value / limits.accept_ratio);
        }
    }

    fn take(&mut self, stores: &Stores, tree: &mut Proposal, entry: Entry, limits: &Limits) {
        if entry.rank != NONE {
            self.offer_frequent(entry.parent, entry.rank + 1);
        }
        let source = match (entry.rank, entry.own) {
            (NONE, true) => Source::Own,
            (NONE, false) => Source::Other,
            _ => Source::Frequent,
        };
        let node = self.append(tree, entry.token, Some(entry.parent), entry.probability, source);
        tree.predicted += entry.probability;
        self.raise_threshold(limits, tree);
        if entry.rank == NONE {
            if entry.probability >= self.threshold {
                let (begin, end) = self.advance(stores, entry.begin, entry.end);
                self.expand(stores, limits, node, begin, end);
            }
        } else if entry.probability * self.most_after_frequent >= self.threshold {
            let (begin, end) = self.look_up_again(stores, entry.token);
            self.expand(stores, limits, node, begin, end);
        }
    }

    fn append(&mut self, tree: &mut Proposal, token: i32, parent: Option<u32>, probability: f64, source: Source) -> u32 {
        let node = self.nodes.len() as u32;
        let (mut previous_sibling, mut logprob, mut depth) = (NONE, 0.0, 0);
        if let Some(parent) = parent {
            let above = &mut self.nodes[parent as usize];
            previous_sibling = std::mem::replace(&mut above.last_child, node);
            depth = above.depth + 1;
            logprob = ((probability / above.probability) as f32).ln().min(0.0);
        }
        self.nodes.push(Node {
            token,
            depth,
            probability,
            left: 1.0,
            last_child: NONE,
            previous_sibling,
            begin: 0,
            end: 0,
        });
        tree.token_ids.push(token);
        tree.parents.push(parent.map_or(-1, |parent| parent as i32));
        tree.logprobs.push(logprob);
        tree.sources.push(source as u8);
        node
    }

    fn child(&self, parent: u32, token: i32) -> Option<u32> {
        let mut child = self.nodes[parent as usize].last_child;
        while child != NONE {
            let node = &self.nodes[child as usize];
            if node.token == token {
                return Some(child);
            }
            child = node.previous_sibling;
        }
        None
    }

    /// How many next tokens the last tree expected: the probabilities of node 0's children together.
    pub(crate) fn expected_next(&self) -> f64 {
        let next = self.nodes.iter().filter(|node| node.depth == 1);
        next.map(|node| node.probability).sum()
    }

    /// How many of these tokens the last tree had foreseen, from node 0 on.
    pub(crate) fn num_accepted(&self, tokens: &[i32]) -> usize {
        let mut node = 0;
        for (index, &token) in tokens.iter().enumerate() {
            match self.child(node, token) {
                Some(child) => node = child,
                None => return index,
            }
        }
        tokens.len()
    }

    /// Moves places one token on and drops those whose text ends there.
    fn advance(&mut self, stores: &Stores, begin: u32, end: u32) -> (u32, u32) {
        let mut kept = begin as usize;
        for at in begin as usize..end as usize {
            let place = self.places[at];
            let next = stores.of(place.own).after(place.next);
            if next != NONE {
                self.places[kept] = Place {
                    next,
                    len: (place.len + 1).min(MAX_MATCH as u16),
                    own: place.own,
                };
                kept += 1;
            }
        }
        (begin, kept as u32)
    }

    fn look_up_again(&mut self, stores: &Stores, token: i32) -> (u32, u32) {
        let begin = self.places.len();
        for own in [true, false] {
            if !own && stores.shared.is_none() {
                continue;
            }
            let store = stores.of(own);
            let mut position = store.head(&[token]);
            let mut steps = PLACES_AFTER_FREQUENT * STEPS_PER_PLACE;
            while position != NONE && steps > 0 && self.places.len() < begin + PLACES_AFTER_FREQUENT {
                let next = store.after(position);
                if next != NONE {
                    self.places.push(Place { next, len: 1, own });
                }
                position = store.older(position, 0);
                steps -= 1;
            }
        }
        (begin as u32, self.places.len() as u32)
    }

    /// Offers the children of a node: the continuations of its places, each with its own places, and the most frequent token.
    fn expand(&mut self, stores: &Stores, limits: &Limits, node: u32, begin: u32, end: u32) {
        let places = &self.places[begin as usize..end as usize];
        let left = self.blend.mix(places, self.options.other_weight, |place| {
            stores.of(place.own).token(place.next)
        });
        let depth = self.nodes[node as usize].depth as u64;
        self.nodes[node as usize].left = match limits.noise {
            Some((noise, index)) => self.favour(noise.key(index + depth), left),
            None => left,
        };
        self.nodes[node as usize].begin = self.continued.len() as u32;
        self.continued
            .extend(self.blend.continuations.iter().map(|known| known.token));
        self.nodes[node as usize].end = self.continued.len() as u32;
        self.offer_continuations(limits, node, begin);
        self.note_frequent(limits, node);
        self.offer_frequent(node, 0);
    }

    fn offer_continuations(&mut self, limits: &Limits, node: u32, begin: u32) {
        let above = self.nodes[node as usize].probability;
        let most = self
            .blend
            .continuations
            .iter()
            .map(|known| known.probability)
            .fold(0.0, f64::max);
        if above * most < self.threshold {
            return;
        }
        let mut at = self.group(begin);
        for index in 0..self.blend.continuations.len() {
            let known = self.blend.continuations[index];
            let end = at + known.num_places;
            let probability = above * known.probability;
            self.note(limits, probability);
            self.offer(Entry {
                probability,
                parent: node,
                token: known.token,
                begin: at,
                end,
                rank: NONE,
                own: known.own,
            });
            at = end;
        }
    }

    /// Reweighs the continuations by the sampler's noise; what no match names gets the median. Returns the new rest.
    fn favour(&mut self, key: u64, left: f64) -> f64 {
        let mut total = left * MEDIAN_FACTOR;
        for known in &mut self.blend.continuations {
            known.probability *= Noise::factor(key, known.token as u32);
            total += known.probability;
        }
        for known in &mut self.blend.continuations {
            known.probability /= total;
        }
        left * MEDIAN_FACTOR / total
    }

    /// Copies the places behind all others, ordered by continuation; within one they keep their order, longest match first.
    fn group(&mut self, begin: u32) -> u32 {
        let first = self.places.len() as u32;
        self.offsets.clear();
        let mut at = first;
        for known in &self.blend.continuations {
            self.offsets.push(at);
            at += known.num_places;
        }
        self.places.resize(
            at as usize,
            Place {
                next: NONE,
                len: 0,
                own: true,
            },
        );
        for (index, &which) in self.blend.which.iter().enumerate() {
            let to = &mut self.offsets[which as usize];
            self.places[*to as usize] = self.places[begin as usize + index];
            *to += 1;
        }
        first
    }

    /// Offers the most frequent token from `rank` on that is no continuation by match; the next one follows when it is taken.
    fn offer_frequent(&mut self, node: u32, rank: u32) {
        if let Some((token, probability, rank)) = self.frequent_child(node, rank) {
            self.offer(Entry {
                probability,
                parent: node,
                token,
                begin: 0,
                end: 0,
                rank,
                own: false,
            });
        }
    }

    fn frequent_child(&self, node: u32, mut rank: u32) -> Option<(i32, f64, u32)> {
        let parent = self.nodes[node as usize];
        let continued = &self.continued[parent.begin as usize..parent.end as usize];
        loop {
            let &(token, share) = self.frequent.get(rank as usize)?;
            if !continued.contains(&token) {
                let probability = parent.probability * parent.left * self.options.frequent_share * share;
                return Some((token, probability, rank));
            }
            rank += 1;
        }
    }

    /// Frequent tokens are offered one by one, but what they will be offered for is known at once.
    fn note_frequent(&mut self, limits: &Limits, node: u32) {
        let mut rank = 0;
        while let Some((_, probability, at)) = self.frequent_child(node, rank) {
            if probability < self.threshold {
                return;
            }
            self.note(limits, probability);
            rank = at + 1;
        }
    }

    /// An entry that `budget` better ones precede cannot become a node: the threshold keeps it out.
    fn note(&mut self, limits: &Limits, probability: f64) {
        if probability < self.threshold {
            return;
        }
        self.best.push(Reverse(probability.to_bits()));
        if self.best.len() > limits.budget {
            self.best.pop();
        }
        if self.best.len() == limits.budget {
            let least = self.best.peek().map_or(0.0, |least| f64::from_bits(least.0));
            self.threshold = self.threshold.max(least);
        }
    }

    fn offer(&mut self, entry: Entry) {
        if entry.probability >= self.threshold {
            self.heap
                .push((entry.probability.to_bits(), Reverse(self.entries.len() as u32)));
            self.entries.push(entry);
        }
    }
}

/// All places after a frequent token match by one token: if they agree, and all are own, the blend gives them this. Without a
/// place, the most frequent token may get as much as its share.
fn most_after_frequent(options: &BlendOptions) -> f64 {
    let places = PLACES_AFTER_FREQUENT as f64 * options.other_weight.max(1.0);
    (places / (places + options.strength)).max(options.frequent_share)
}

/// Finds earlier places that end like the text, newest first along the chains of 4, 3, 2 and 1 tokens, and sorts them by match
/// length.
fn gather(stores: &Stores, max_places: usize, suffix: &mut Vec<i32>, places: &mut Vec<Place>) {
    suffix.clear();
    let mut position = stores.last;
    while position != NONE && suffix.len() < MAX_MATCH {
        suffix.push(stores.own.token(position));
        position = stores.own.before(position);
    }
    gather_from(
        stores.own,
        true,
        |gram| stores.own.older(stores.last, gram),
        suffix,
        max_places,
        places,
    );
    if let Some(shared) = stores.shared {
        let limit = places.len() + max_places;
        gather_from(shared, false, |gram| shared.head(&suffix[..=gram]), suffix, limit, places);
    }
    places.sort_by_key(|place| std::cmp::Reverse(place.len));
}

fn gather_from(store: &Store, own: bool, newest: impl Fn(usize) -> u32, suffix: &[i32], limit: usize, places: &mut Vec<Place>) {
    for gram in (0..MAX_GRAM.min(suffix.len())).rev() {
        let mut position = newest(gram);
        let mut steps = limit * STEPS_PER_PLACE;
        while position != NONE && steps > 0 && places.len() < limit {
            steps -= 1;
            let here = position;
            position = store.older(here, gram);
            // A match longer than the chain's k-gram was met on a longer chain.
            if gram + 1 < MAX_GRAM && gram + 1 < suffix.len() && store.token_back(here, gram + 1) == Some(suffix[gram + 1]) {
                continue;
            }
            let len = match_len(store, here, suffix);
            let next = store.after(here);
            if len > gram && next != NONE {
                places.push(Place {
                    next,
                    len: len as u16,
                    own,
                });
            }
        }
    }
}

fn match_len(store: &Store, mut position: u32, suffix: &[i32]) -> usize {
    let mut len = 0;
    while len < suffix.len() && position != NONE && store.token(position) == suffix[len] {
        len += 1;
        position = store.before(position);
    }
    len
}

/// Frequent tokens of both stores with their share of all tokens, most frequent first.
fn merge_frequent(stores: &Stores, other_weight: f64, frequent: &mut Vec<(i32, f64)>) {
    frequent.clear();
    let own = stores.own.frequencies();
    let Some(shared) = stores.shared.map(Store::frequencies) else {
        let total = own.total().max(1) as f64;
        frequent.extend(own.known_top().iter().map(|&(token, count)| (token, count as f64 / total)));
        return;
    };
    let total = (own.total() as f64 + other_weight * shared.total() as f64).max(1.0);
    let share = |mine: u32, others: u32| (mine as f64 + other_weight * others as f64) / total;
    frequent.extend(
        own.known_top()
            .iter()
            .map(|&(token, count)| (token, share(count, shared.count(token)))),
    );
    let num_own = frequent.len();
    for &(token, count) in shared.known_top() {
        if !frequent[..num_own].iter().any(|known| known.0 == token) {
            frequent.push((token, share(own.count(token), count)));
        }
    }
    frequent.sort_unstable_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
}
