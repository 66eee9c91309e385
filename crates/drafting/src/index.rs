//! `RetrievalIndex`: what all requests share, and `Request`: one sequence being written.
//!
//! A request owns its text, prompt and output in one string, and searches it without a lock. When it finishes, its
//! output (never its prompt) moves into the shared store of its namespace, if it may be shared. Searches read that store under
//! a read lock; only `finish`, `insert` and `remove` write. Locks are taken in the order ledger, then store.
//! One bound covers everything: the oldest finished outputs go first, and a running request that no longer fits stops drafting.
use crate::blend::BlendOptions;
use crate::budget::{Calibration, WidthCost};
use crate::error::DraftingError;
use crate::store::{Segment, Store};
use crate::tree::{Limits, Proposal, Stores, TreeBuilder};
use penstock_tokens::Noise;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The most nodes besides node 0 that `propose` may be asked for.
pub const MAX_BUDGET: usize = 4096;
/// The most that indexing one token can add: its links, four new heads, a new count.
const WORST_TOKEN_BYTES: usize = 240;
/// What a request holds besides its text.
const REQUEST_BYTES: usize = 2048;

/// Names a request for its whole life, and its output afterwards. Ids grow in the order of `start`.
pub type RequestId = u64;

/// Numbers of an index.
#[derive(Clone, Debug)]
pub struct IndexOptions {
    /// Bound on the memory of all running and finished requests together, in bytes.
    pub max_size_bytes: usize,
    /// The probabilities.
    pub blend: BlendOptions,
}

impl Default for IndexOptions {
    fn default() -> IndexOptions {
        IndexOptions {
            max_size_bytes: 256 << 20,
            blend: BlendOptions::default(),
        }
    }
}

/// What a proposal should look like, besides its size.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProposeOptions {
    /// What nodes cost: the budget is then a ceiling, and the tree is the one that pays best, or none. `None` fills the budget.
    pub cost: Option<WidthCost>,
    /// Nodes whose estimated probability is below this are left out.
    pub floor: f64,
    /// Ranks tokens as a sampler at temperature 1 with this noise would.
    pub noise: Option<Noise>,
}

/// What a proposal promised, until `extend` tells what came of it.
#[derive(Clone, Copy)]
struct Promise {
    predicted: f64,
    // How many tokens of what is written next are compared with the tree.
    depth: usize,
}

/// What an index holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexStats {
    /// Upper estimate of the memory of running and finished requests, in bytes.
    pub size_bytes: usize,
    /// Namespaces that hold an output or a running request.
    pub num_namespaces: usize,
    /// Finished requests whose outputs are searchable.
    pub num_outputs: usize,
    /// Tokens in those outputs.
    pub num_tokens: usize,
}

#[derive(Default)]
struct Ledger {
    namespaces: FxHashMap<String, Arc<Namespace>>,
    outputs: BTreeMap<RequestId, Output>,
    next_id: RequestId,
}

struct Output {
    name: String,
    namespace: Arc<Namespace>,
    segment: Segment,
}

struct Namespace {
    store: RwLock<Store>,
    calibration: Mutex<Calibration>,
}

impl Namespace {
    fn new() -> Namespace {
        Namespace {
            store: RwLock::new(Store::new(true)),
            calibration: Mutex::new(Calibration::default()),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Store> {
        self.store.read().expect("no writer of a store panics")
    }

    fn write(&self) -> RwLockWriteGuard<'_, Store> {
        self.store.write().expect("no writer of a store panics")
    }

    fn calibration(&self) -> MutexGuard<'_, Calibration> {
        self.calibration.lock().expect("nothing panics while it holds a calibration")
    }
}

struct Inner {
    options: IndexOptions,
    ledger: Mutex<Ledger>,
    shared_bytes: AtomicUsize,
    live_bytes: AtomicUsize,
}

impl Inner {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("nothing panics while it holds the ledger")
    }

    fn size_bytes(&self) -> usize {
        self.shared_bytes.load(Ordering::Relaxed) + self.live_bytes.load(Ordering::Relaxed)
    }

    /// Writes to a store and keeps the account of its size.
    fn edit<T>(&self, namespace: &Namespace, edit: impl FnOnce(&mut Store) -> T) -> T {
        let mut store = namespace.write();
        let before = store.size_bytes();
        let result = edit(&mut store);
        store.frequencies_mut().refresh();
        self.shared_bytes.fetch_add(store.size_bytes(), Ordering::Relaxed);
        self.shared_bytes.fetch_sub(before, Ordering::Relaxed);
        result
    }

    fn namespace(ledger: &mut Ledger, name: &str) -> Arc<Namespace> {
        if let Some(known) = ledger.namespaces.get(name) {
            return known.clone();
        }
        let made = Arc::new(Namespace::new());
        ledger.namespaces.insert(name.to_owned(), made.clone());
        made
    }

    fn publish(&self, ledger: &mut Ledger, id: RequestId, name: &str, tokens: &[i32]) {
        if tokens.is_empty() || tokens.len() > self.options.max_size_bytes / WORST_TOKEN_BYTES {
            return;
        }
        let namespace = Inner::namespace(ledger, name);
        let segment = self.edit(&namespace, |store| {
            let mut segment = Segment::EMPTY;
            for &token in tokens {
                store.push(&mut segment, token);
            }
            segment
        });
        ledger.outputs.insert(
            id,
            Output {
                name: name.to_owned(),
                namespace,
                segment,
            },
        );
        self.evict(ledger);
    }

    fn withdraw(&self, ledger: &mut Ledger, id: RequestId) -> bool {
        let Some(output) = ledger.outputs.remove(&id) else {
            return false;
        };
        self.edit(&output.namespace, |store| store.remove(output.segment));
        let Output { name, namespace, .. } = output;
        drop(namespace);
        Inner::tidy(ledger, &name);
        true
    }

    /// Forgets a namespace that holds nothing and that nobody uses. Namespaces are cloned under the ledger's lock alone, so a
    /// count of one means that nobody else holds it.
    fn tidy(ledger: &mut Ledger, name: &str) {
        let unused = |known: &Arc<Namespace>| Arc::strong_count(known) == 1 && known.read().num_tokens() == 0;
        if ledger.namespaces.get(name).is_some_and(unused) {
            ledger.namespaces.remove(name);
        }
    }

    fn evict(&self, ledger: &mut Ledger) {
        while self.size_bytes() > self.options.max_size_bytes {
            let Some((&oldest, _)) = ledger.outputs.first_key_value() else {
                return;
            };
            self.withdraw(ledger, oldest);
        }
    }
}

/// A store of texts from which drafts are retrieved. Cheap to clone: clones are the same index.
///
/// ```
/// use penstock_drafting::{IndexOptions, RetrievalIndex};
/// let index = RetrievalIndex::new(IndexOptions::default()).unwrap();
/// let mut request = index.start(&[1, 2, 3, 4, 1, 2], true, "").unwrap();
/// let tree = request.propose(2, Default::default()).unwrap();
/// assert_eq!(tree.token_ids, [2, 3, 4]);
/// request.extend(&[3, 4, 9]).unwrap();
/// request.finish();
/// ```
#[derive(Clone)]
pub struct RetrievalIndex {
    inner: Arc<Inner>,
}

impl RetrievalIndex {
    /// An empty index.
    ///
    /// # Errors
    /// `index_options` if a number of the blend is negative or not finite, or no place may be looked at.
    pub fn new(options: IndexOptions) -> Result<RetrievalIndex, DraftingError> {
        options.blend.check()?;
        let inner = Inner {
            options,
            ledger: Mutex::new(Ledger::default()),
            shared_bytes: AtomicUsize::new(0),
            live_bytes: AtomicUsize::new(0),
        };
        Ok(RetrievalIndex { inner: Arc::new(inner) })
    }

    /// Begins a sequence. Its output is shared with later requests of the same namespace if `share`; its prompt never is.
    /// A request that does not share still drafts from what others shared. Cost: linear in the prompt.
    ///
    /// # Errors
    /// `token_id_negative`.
    pub fn start(&self, prompt: &[i32], share: bool, namespace: &str) -> Result<Request, DraftingError> {
        check_tokens(prompt)?;
        let (id, shared) = {
            let mut ledger = self.inner.ledger();
            let id = ledger.next_id;
            ledger.next_id += 1;
            (id, Inner::namespace(&mut ledger, namespace))
        };
        let calibration = *shared.calibration();
        let mut request = Request {
            id,
            inner: self.inner.clone(),
            name: namespace.to_owned(),
            shared: Some(shared),
            share,
            own: Store::new(false),
            segment: Segment::EMPTY,
            prompt_len: prompt.len(),
            fits: true,
            last_token: None,
            counted_bytes: REQUEST_BYTES,
            builder: TreeBuilder::new(self.inner.options.blend.clone()),
            promise: None,
            calibration,
        };
        self.inner.live_bytes.fetch_add(REQUEST_BYTES, Ordering::Relaxed);
        request.append(prompt);
        Ok(request)
    }

    /// Adds an output that was written elsewhere, to warm the index up. Returns the id to remove it by. Cost: linear.
    ///
    /// # Errors
    /// `token_id_negative`.
    pub fn insert(&self, tokens: &[i32], namespace: &str) -> Result<RequestId, DraftingError> {
        check_tokens(tokens)?;
        let mut ledger = self.inner.ledger();
        let id = ledger.next_id;
        ledger.next_id += 1;
        self.inner.publish(&mut ledger, id, namespace, tokens);
        Ok(id)
    }

    /// Removes a finished request's output without a trace; false if there is none. Cost: linear in that output.
    pub fn remove(&self, id: RequestId) -> bool {
        self.inner.withdraw(&mut self.inner.ledger(), id)
    }

    /// Removes every finished request's output.
    pub fn clear(&self) {
        let mut ledger = self.inner.ledger();
        while let Some((&oldest, _)) = ledger.outputs.first_key_value() {
            self.inner.withdraw(&mut ledger, oldest);
        }
    }

    /// What the index holds now. Cost: linear in the number of outputs.
    pub fn stats(&self) -> IndexStats {
        let ledger = self.inner.ledger();
        IndexStats {
            size_bytes: self.inner.size_bytes(),
            num_namespaces: ledger.namespaces.len(),
            num_outputs: ledger.outputs.len(),
            num_tokens: ledger.outputs.values().map(|output| output.segment.len()).sum(),
        }
    }

    /// The finished outputs with their namespaces, oldest first. Cost: linear in their tokens.
    pub(crate) fn outputs(&self) -> Vec<(String, Vec<i32>)> {
        let ledger = self.inner.ledger();
        let read = |output: &Output| (output.name.clone(), output.namespace.read().read(output.segment));
        ledger.outputs.values().map(read).collect()
    }
}

fn check_tokens(tokens: &[i32]) -> Result<(), DraftingError> {
    match tokens.iter().find(|&&token| token < 0) {
        Some(&token) => Err(DraftingError::negative_token(token)),
        None => Ok(()),
    }
}

/// One sequence: its text so far and the drafts for what comes next.
pub struct Request {
    id: RequestId,
    inner: Arc<Inner>,
    name: String,
    // None once finished.
    shared: Option<Arc<Namespace>>,
    share: bool,
    own: Store,
    segment: Segment,
    prompt_len: usize,
    fits: bool,
    last_token: Option<i32>,
    counted_bytes: usize,
    builder: TreeBuilder,
    promise: Option<Promise>,
    calibration: Calibration,
}

impl Request {
    /// Names this request, and its output once it is finished.
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// Number of tokens, prompt and output, that are searchable.
    pub fn num_tokens(&self) -> usize {
        self.segment.len()
    }

    fn num_output(&self) -> usize {
        self.segment.len().saturating_sub(self.prompt_len)
    }

    /// False once the text no longer fits into the index's memory: from then on nothing is drafted.
    pub fn fits(&self) -> bool {
        self.fits
    }

    /// Appends committed tokens; they are searchable at once. Cost: linear, below a microsecond a token.
    ///
    /// # Errors
    /// `token_id_negative`, `request_finished`; then nothing has changed.
    pub fn extend(&mut self, tokens: &[i32]) -> Result<(), DraftingError> {
        check_tokens(tokens)?;
        let Some(shared) = &self.shared else {
            return Err(DraftingError::finished());
        };
        if let (Some(promise), false) = (self.promise, tokens.is_empty()) {
            let accepted = self.builder.num_accepted(&tokens[..tokens.len().min(promise.depth)]);
            self.calibration.observe(promise.predicted, accepted);
            shared.calibration().observe(promise.predicted, accepted);
            self.promise = None;
        }
        self.append(tokens);
        Ok(())
    }

    fn append(&mut self, tokens: &[i32]) {
        self.last_token = tokens.last().copied().or(self.last_token);
        let room = self
            .inner
            .options
            .max_size_bytes
            .saturating_sub(self.inner.live_bytes.load(Ordering::Relaxed));
        self.fits = self.fits && tokens.len().saturating_mul(WORST_TOKEN_BYTES) <= room;
        if !self.fits {
            return;
        }
        if tokens.len() > 64 {
            self.own.reserve(tokens.len());
        }
        for &token in tokens {
            self.own.push(&mut self.segment, token);
        }
        let bytes = REQUEST_BYTES + self.own.size_bytes();
        self.inner.live_bytes.fetch_add(bytes - self.counted_bytes, Ordering::Relaxed);
        self.counted_bytes = bytes;
        if self.inner.size_bytes() > self.inner.options.max_size_bytes {
            self.inner.evict(&mut self.inner.ledger());
        }
    }

    /// The most probable continuations as a tree of at most `budget` nodes besides node 0, best first.
    ///
    /// With a cost, the tree is the prefix of that order with the largest (1 + r sum p) / (1 + setup + per_node x width), where r
    /// is what was accepted of what was predicted before, or no node where no width is worth its cost. A tree that was not worth
    /// it still teaches: whether it knew the next token is counted. Cost: O(budget), some 10-40 microseconds for 64 nodes.
    ///
    /// # Errors
    /// `request_finished`, `request_empty`, `draft_budget` (more than `MAX_BUDGET`), `width_cost` (negative or not finite).
    pub fn propose(&mut self, budget: usize, options: ProposeOptions) -> Result<Proposal, DraftingError> {
        let Some(shared) = &self.shared else {
            return Err(DraftingError::finished());
        };
        let last_token = self.last_token.ok_or_else(DraftingError::empty)?;
        check_limits(budget, options)?;
        self.promise = None;
        if !self.fits {
            return Ok(Proposal::root(last_token));
        }
        let limits = Limits {
            budget,
            width_cost: options.cost.map(WidthCost::slope),
            floor: options.floor,
            accept_ratio: self.calibration.accept_ratio(),
            noise: options.noise.map(|noise| (noise, self.num_output() as u64)),
        };
        let store = shared.read();
        let others = (store.num_tokens() > 0).then_some(&*store);
        let tree = self.builder.build(
            Stores {
                own: &self.own,
                last: self.segment.last(),
                shared: others,
            },
            limits,
        );
        drop(store);
        Ok(self.paying(tree, options.cost))
    }

    /// Returns the tree if it is worth its cost, otherwise one that proposes nothing; remembers what is to be learned from it.
    fn paying(&mut self, tree: Proposal, cost: Option<WidthCost>) -> Proposal {
        let Some(cost) = cost.filter(|_| tree.predicted > 0.0) else {
            return tree;
        };
        let expected = self.calibration.accept_ratio() * tree.predicted;
        if cost.pays(expected, tree.token_ids.len() - 1) {
            self.promise = Some(Promise {
                predicted: tree.predicted,
                depth: usize::MAX,
            });
            return tree;
        }
        self.promise = Some(Promise {
            predicted: self.builder.expected_next(),
            depth: 1,
        });
        Proposal::root(tree.token_ids[0])
    }

    /// Ends the request; its output becomes searchable for others if it shares, unless it alone could fill the index. Calling
    /// it again does nothing. Cost: linear in the output.
    pub fn finish(&mut self) {
        if self.shared.take().is_none() {
            return;
        }
        let output = if self.share {
            self.own.read(self.segment).split_off(self.prompt_len.min(self.segment.len()))
        } else {
            Vec::new()
        };
        self.release();
        let mut ledger = self.inner.ledger();
        self.inner.publish(&mut ledger, self.id, &self.name, &output);
        Inner::tidy(&mut ledger, &self.name);
    }

    fn release(&mut self) {
        self.own = Store::new(false);
        self.segment = Segment::EMPTY;
        self.inner.live_bytes.fetch_sub(self.counted_bytes, Ordering::Relaxed);
        self.counted_bytes = 0;
    }
}

impl Drop for Request {
    /// A request that is dropped unfinished shares nothing.
    fn drop(&mut self) {
        self.release();
        if self.shared.take().is_some() {
            Inner::tidy(&mut self.inner.ledger(), &self.name);
        }
    }
}

pub(crate) fn check_limits(budget: usize, options: ProposeOptions) -> Result<(), DraftingError> {
    if budget > MAX_BUDGET {
        let message = format!("a budget of `{budget}` nodes exceeds `{MAX_BUDGET}`; ask for fewer");
        return Err(DraftingError::limit("draft_budget", message));
    }
    match options.cost {
        Some(cost) if !cost.is_sound() => {
            let WidthCost { per_node, setup } = cost;
            let message = format!(
                "width_cost is `{per_node}` and setup_cost `{setup}`; pass what a node and what drafting at all cost, as shares \
                 of a plain step, at least 0"
            );
            Err(DraftingError::new("width_cost", message))
        }
        _ if !(0.0..=1.0).contains(&options.floor) => {
            let message = format!("floor is `{}`; pass a probability", options.floor);
            Err(DraftingError::new("floor", message))
        }
        _ => Ok(()),
    }
}
