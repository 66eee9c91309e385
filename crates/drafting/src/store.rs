//! Tokens of many segments, and for each position the earlier and later positions that end with the same 1 to 4 tokens.
//!
//! A segment (one request's text) occupies pages of 32 positions, so that segments come and go without moving others.
//! A position is a `u32` into flat arrays; the tokens and links of a page are adjacent. `heads` leads from a k-gram to its
//! latest position, `older` on from there: newest first, which is the order in which a search wants them. Where segments can be
//! removed, `newer` closes the chains to doubly linked lists: removal is exact and costs as much as insertion.
//! Cost: one hash lookup per k-gram and token; about 36 bytes a token (20 without removal) and 40 per distinct k-gram.
use crate::frequencies::Frequencies;
use rustc_hash::FxHashMap;

/// The longest k-gram that has a chain of its own. Longer matches are found on its chain by comparing tokens.
pub(crate) const MAX_GRAM: usize = 4;
/// No position: the end of a chain or of a segment.
pub(crate) const NONE: u32 = u32::MAX;
/// Marks the unused rest of a page. Token ids are never negative.
const NO_TOKEN: i32 = -1;
const PAGE: usize = 32;
/// A head in a hash map that has just doubled: 13 bytes at load 7/16.
const HEAD_BYTES: usize = 40;

/// A run of pages; the ends of the text of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    first_page: u32,
    last: u32,
    len: usize,
}

impl Segment {
    /// A segment without tokens; it owns no page.
    pub(crate) const EMPTY: Segment = Segment {
        first_page: NONE,
        last: NONE,
        len: 0,
    };

    /// Position of the last token, or `NONE`.
    pub(crate) fn last(&self) -> u32 {
        self.last
    }

    /// Number of tokens.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

#[derive(Clone, Copy)]
struct PageLinks {
    before: u32,
    after: u32,
}

/// See the head of this file.
pub(crate) struct Store {
    tokens: Vec<i32>,
    older: Vec<[u32; MAX_GRAM]>,
    newer: Vec<[u32; MAX_GRAM]>,
    pages: Vec<PageLinks>,
    free_pages: Vec<u32>,
    heads: FxHashMap<u64, u32>,
    frequencies: Frequencies,
    removable: bool,
    num_tokens: usize,
}

impl Store {
    /// An empty store; `removable` decides whether `remove` may be called.
    pub(crate) fn new(removable: bool) -> Store {
        Store {
            tokens: Vec::new(),
            older: Vec::new(),
            newer: Vec::new(),
            pages: Vec::new(),
            free_pages: Vec::new(),
            heads: FxHashMap::default(),
            frequencies: Frequencies::default(),
            removable,
            num_tokens: 0,
        }
    }

    /// Makes room for `num_tokens` more, so that a long prompt does not grow the arrays step by step.
    pub(crate) fn reserve(&mut self, num_tokens: usize) {
        let positions = num_tokens + PAGE;
        self.tokens.reserve(positions);
        self.older.reserve(positions);
        self.heads.reserve(2 * num_tokens);
    }

    /// Appends one token to `segment` and makes it searchable.
    pub(crate) fn push(&mut self, segment: &mut Segment, token: i32) {
        let position = self.place_after(segment);
        self.tokens[position as usize] = token;
        segment.last = position;
        segment.len += 1;
        self.num_tokens += 1;
        let mut key = GRAM_SEED;
        let mut at = position;
        for gram in 0..MAX_GRAM.min(segment.len) {
            key = gram_key(key, self.tokens[at as usize]);
            self.link(key, gram, position);
            at = self.before(at);
        }
        self.frequencies.add(token);
    }

    fn link(&mut self, key: u64, gram: usize, position: u32) {
        let older = self.heads.insert(key, position).unwrap_or(NONE);
        self.older[position as usize][gram] = older;
        if self.removable && older != NONE {
            self.newer[older as usize][gram] = position;
        }
    }

    fn place_after(&mut self, segment: &mut Segment) -> u32 {
        if segment.last != NONE && (segment.last as usize + 1) % PAGE != 0 {
            return segment.last + 1;
        }
        let page = self.take_page();
        let before = if segment.last == NONE {
            NONE
        } else {
            segment.last / PAGE as u32
        };
        self.pages[page as usize] = PageLinks { before, after: NONE };
        if before == NONE {
            segment.first_page = page;
        } else {
            self.pages[before as usize].after = page;
        }
        page * PAGE as u32
    }

    fn take_page(&mut self) -> u32 {
        if let Some(page) = self.free_pages.pop() {
            return page;
        }
        let positions = self.tokens.len() + PAGE;
        assert!(positions < NONE as usize, "a store holds fewer than 2^32 positions");
        self.tokens.resize(positions, NO_TOKEN);
        self.older.resize(positions, [NONE; MAX_GRAM]);
        if self.removable {
            self.newer.resize(positions, [NONE; MAX_GRAM]);
        }
        self.pages.push(PageLinks {
            before: NONE,
            after: NONE,
        });
        (self.pages.len() - 1) as u32
    }

    /// Takes a segment out: afterwards every chain, count and list is as if it had never been inserted.
    pub(crate) fn remove(&mut self, segment: Segment) {
        debug_assert!(self.removable);
        // Backwards, so that the tokens before a position are still there when its k-grams are named.
        let mut position = segment.last;
        let mut left = segment.len;
        while position != NONE {
            self.unlink(position, left);
            let before = self.before(position);
            self.frequencies.subtract(self.tokens[position as usize]);
            self.tokens[position as usize] = NO_TOKEN;
            position = before;
            left -= 1;
        }
        self.num_tokens -= segment.len;
        let mut page = segment.first_page;
        while page != NONE {
            self.free_pages.push(page);
            page = self.pages[page as usize].after;
        }
        if self.num_tokens == 0 {
            *self = Store::new(self.removable);
        } else if self.heads.len() * 8 < self.heads.capacity() {
            self.heads.shrink_to_fit();
        }
    }

    fn unlink(&mut self, position: u32, len_up_to_here: usize) {
        let mut key = GRAM_SEED;
        let mut at = position;
        for gram in 0..MAX_GRAM.min(len_up_to_here) {
            key = gram_key(key, self.tokens[at as usize]);
            let older = self.older[position as usize][gram];
            let newer = self.newer[position as usize][gram];
            if older != NONE {
                self.newer[older as usize][gram] = newer;
            }
            if newer != NONE {
                self.older[newer as usize][gram] = older;
            } else if older != NONE {
                self.heads.insert(key, older);
            } else {
                self.heads.remove(&key);
            }
            self.older[position as usize][gram] = NONE;
            self.newer[position as usize][gram] = NONE;
            at = self.before(at);
        }
    }

    /// Token at a position.
    #[inline]
    pub(crate) fn token(&self, position: u32) -> i32 {
        self.tokens[position as usize]
    }

    /// The position before, or `NONE` at the start of its segment.
    #[inline]
    pub(crate) fn before(&self, position: u32) -> u32 {
        if position as usize % PAGE != 0 {
            return position - 1;
        }
        match self.pages[position as usize / PAGE].before {
            NONE => NONE,
            page => page * PAGE as u32 + (PAGE as u32 - 1),
        }
    }

    /// The token `steps` before a position; None past the start of its segment.
    #[inline]
    pub(crate) fn token_back(&self, mut position: u32, steps: usize) -> Option<i32> {
        if position as usize % PAGE >= steps {
            return Some(self.tokens[position as usize - steps]);
        }
        for _ in 0..steps {
            position = self.before(position);
            if position == NONE {
                return None;
            }
        }
        Some(self.tokens[position as usize])
    }

    /// The position after, or `NONE` at the end of its segment.
    #[inline]
    pub(crate) fn after(&self, position: u32) -> u32 {
        let next = if (position as usize + 1) % PAGE != 0 {
            position + 1
        } else {
            match self.pages[position as usize / PAGE].after {
                NONE => return NONE,
                page => page * PAGE as u32,
            }
        };
        if self.tokens[next as usize] == NO_TOKEN {
            NONE
        } else {
            next
        }
    }

    /// Latest position that ends with these tokens (given last to first, at most `MAX_GRAM`), or `NONE`.
    pub(crate) fn head(&self, last_to_first: &[i32]) -> u32 {
        let key = last_to_first.iter().fold(GRAM_SEED, |key, &token| gram_key(key, token));
        self.heads.get(&key).copied().unwrap_or(NONE)
    }

    /// The next older position on the chain of `gram` + 1 tokens.
    #[inline]
    pub(crate) fn older(&self, position: u32, gram: usize) -> u32 {
        self.older[position as usize][gram]
    }

    /// How often each token was inserted.
    pub(crate) fn frequencies(&self) -> &Frequencies {
        &self.frequencies
    }

    /// The same, for reading the most frequent ones after removals.
    pub(crate) fn frequencies_mut(&mut self) -> &mut Frequencies {
        &mut self.frequencies
    }

    /// Number of tokens in all segments.
    pub(crate) fn num_tokens(&self) -> usize {
        self.num_tokens
    }

    /// Tokens of a segment, in order. Cost: linear.
    pub(crate) fn read(&self, segment: Segment) -> Vec<i32> {
        let mut tokens = Vec::with_capacity(segment.len);
        let mut position = segment.last;
        while position != NONE {
            tokens.push(self.tokens[position as usize]);
            position = self.before(position);
        }
        tokens.reverse();
        tokens
    }

    /// An upper estimate of the memory held, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        let links = if self.removable { 2 } else { 1 };
        let position = std::mem::size_of::<i32>() + links * std::mem::size_of::<[u32; MAX_GRAM]>();
        self.pages.len() * (PAGE * position + std::mem::size_of::<PageLinks>() + 4)
            + self.heads.len() * HEAD_BYTES
            + self.frequencies.size_bytes()
    }

    /// A dump of all reachable state in a canonical order, to compare two histories.
    #[cfg(test)]
    pub(crate) fn canonical(&self) -> Vec<(u64, Vec<i32>)> {
        let mut keys: Vec<u64> = self.heads.keys().copied().collect();
        keys.sort_unstable();
        keys.into_iter()
            .map(|key| (key, self.chain_contexts(self.heads[&key], key)))
            .collect()
    }

    #[cfg(test)]
    fn chain_contexts(&self, head: u32, key: u64) -> Vec<i32> {
        let gram = (0..MAX_GRAM)
            .find(|&gram| self.key_at(head, gram) == key)
            .expect("a head ends with its own k-gram");
        let mut contexts = Vec::new();
        let mut position = head;
        while position != NONE {
            assert_eq!(self.key_at(position, gram), key);
            let after = self.after(position);
            contexts.push(if after == NONE { NO_TOKEN } else { self.token(after) });
            let older = self.older(position, gram);
            assert!(!self.removable || older == NONE || self.newer[older as usize][gram] == position);
            position = older;
        }
        contexts
    }

    #[cfg(test)]
    fn key_at(&self, position: u32, gram: usize) -> u64 {
        let mut key = GRAM_SEED;
        let mut at = position;
        for _ in 0..=gram {
            if at == NONE {
                return 0;
            }
            key = gram_key(key, self.token(at));
            at = self.before(at);
        }
        key
    }
}

const GRAM_SEED: u64 = 0x243f_6a88_85a3_08d3;

/// Key of the k-gram that a token makes longer by one, to the left. Every candidate is compared token by token later, so a
/// collision costs a wasted step on a chain and never a wrong draft.
#[inline]
fn gram_key(key: u64, token: i32) -> u64 {
    let mixed = (key ^ (token as u32 as u64 + 1)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ (mixed >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(store: &mut Store, tokens: &[i32]) -> Segment {
        let mut segment = Segment::EMPTY;
        for &token in tokens {
            store.push(&mut segment, token);
        }
        segment
    }

    fn noise(seed: &mut u64, bound: u64) -> u64 {
        *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (*seed >> 33) % bound
    }

    #[test]
    fn reads_back_what_was_pushed_over_page_borders() {
        let tokens: Vec<i32> = (0..100).collect();
        let mut store = Store::new(true);
        let segment = insert(&mut store, &tokens);
        assert_eq!(store.read(segment), tokens);
        assert_eq!(store.after(segment.last()), NONE);
    }

    #[test]
    fn newest_occurrence_comes_first() {
        let mut store = Store::new(false);
        insert(&mut store, &[1, 2, 3, 1, 2, 4]);
        let head = store.head(&[2, 1]);
        assert_eq!(store.token(store.after(head)), 4);
        let older = store.older(head, 1);
        assert_eq!(store.token(store.after(older)), 3);
        assert_eq!(store.older(older, 1), NONE);
    }

    #[test]
    fn removed_segments_leave_no_trace() {
        for seed in 0..40u64 {
            let mut state = seed;
            let (mut with, mut without) = (Store::new(true), Store::new(true));
            let mut doomed = Vec::new();
            for _ in 0..12 {
                let len = noise(&mut state, 90) as usize;
                let tokens: Vec<i32> = (0..len).map(|_| noise(&mut state, 5) as i32).collect();
                let segment = insert(&mut with, &tokens);
                if noise(&mut state, 2) == 0 {
                    doomed.push(segment);
                } else {
                    insert(&mut without, &tokens);
                }
            }
            for segment in doomed {
                with.remove(segment);
            }
            assert_eq!(with.canonical(), without.canonical());
            assert_eq!(
                with.frequencies_mut().top().to_vec(),
                without.frequencies_mut().top().to_vec()
            );
            assert_eq!(with.num_tokens(), without.num_tokens());
        }
    }

    #[test]
    fn freed_pages_are_used_again() {
        let mut store = Store::new(true);
        insert(&mut store, &[7; 10]);
        let segment = insert(&mut store, &[1; 300]);
        let pages = store.pages.len();
        store.remove(segment);
        insert(&mut store, &[2; 300]);
        assert_eq!(store.pages.len(), pages);
    }
}
