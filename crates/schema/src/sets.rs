//! Interned sets that grow by one and share what they had: the names an object has, the values an array has.
use rustc_hash::FxHashMap;
use std::hash::Hash;

/// A set among [`GrowingSets`], by its place there. Sets that grew by the same items are equal, in any order within a chunk.
pub(crate) type SetIndex = u32;

/// `base` (another set, shared) and the items beyond it.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Set<T> {
    base: Option<SetIndex>,
    /// Sorted, at most a chunk.
    own: Box<[T]>,
}

/// Sets of items. A set lists up to `CHUNK` items before it refers to another set for the rest.
pub(crate) struct GrowingSets<T, const CHUNK: usize> {
    sets: Vec<Set<T>>,
    ids: FxHashMap<Set<T>, SetIndex>,
    num_bytes: usize,
}

impl<T: Copy + Ord + Hash, const CHUNK: usize> GrowingSets<T, CHUNK> {
    /// The set without items.
    pub const EMPTY: SetIndex = 0;

    pub fn new() -> Self {
        let mut sets = GrowingSets {
            sets: Vec::new(),
            ids: FxHashMap::default(),
            num_bytes: 0,
        };
        let empty = sets.intern(Set {
            base: None,
            own: Box::default(),
        });
        debug_assert_eq!(empty, Self::EMPTY);
        sets
    }

    fn intern(&mut self, set: Set<T>) -> SetIndex {
        if let Some(&id) = self.ids.get(&set) {
            return id;
        }
        self.num_bytes += 2 * std::mem::size_of_val(&*set.own) + 96;
        let id = self.sets.len() as SetIndex;
        self.sets.push(set.clone());
        self.ids.insert(set, id);
        id
    }

    /// The set with one more item. Cost: linear in `CHUNK`.
    pub fn with(&mut self, set: SetIndex, item: T) -> SetIndex {
        let old = &self.sets[set as usize];
        let (base, mut own) = match old.own.len() == CHUNK {
            true => (Some(set), Vec::new()),
            false => (old.base, old.own.to_vec()),
        };
        if let Err(at) = own.binary_search(&item) {
            own.insert(at, item);
        }
        self.intern(Set { base, own: own.into() })
    }

    /// The set and those that it refers to: together they hold its items.
    pub fn chunks(&self, set: SetIndex) -> impl Iterator<Item = SetIndex> + '_ {
        std::iter::successors(Some(set), |&set| self.sets[set as usize].base)
    }

    /// The items of one chunk, sorted.
    pub fn own(&self, chunk: SetIndex) -> &[T] {
        &self.sets[chunk as usize].own
    }

    pub fn memory_usage(&self) -> usize {
        self.num_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Sets = GrowingSets<u32, 8>;

    fn grown(sets: &mut Sets, items: impl Iterator<Item = u32>) -> SetIndex {
        items.fold(Sets::EMPTY, |set, item| sets.with(set, item))
    }

    #[test]
    fn a_chunk_has_no_order_and_no_repetition() {
        let mut sets = Sets::new();
        let forward = grown(&mut sets, 0..8);
        assert_eq!(forward, grown(&mut sets, (0..8).rev()));
        assert_eq!(grown(&mut sets, [3, 3].into_iter()), grown(&mut sets, [3].into_iter()));
        assert_ne!(forward, grown(&mut sets, 0..7));
    }

    #[test]
    fn larger_sets_share_what_they_had() {
        let mut sets = Sets::new();
        let all = grown(&mut sets, 0..20);
        let chunks: Vec<Vec<u32>> = sets.chunks(all).map(|chunk| sets.own(chunk).to_vec()).collect();
        assert_eq!(chunks, [(16..20).collect::<Vec<u32>>(), (8..16).collect(), (0..8).collect()]);
        let eight = grown(&mut sets, 0..8);
        assert_eq!(sets.chunks(all).last(), Some(eight));
    }
}
