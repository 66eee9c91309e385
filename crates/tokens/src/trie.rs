//! Byte strings as a trie for mask walks.
//!
//! The nodes stand breadth first, so the children of a node are contiguous and sorted by byte, and a node with more than
//! [`WIDE_NODE_CHILDREN`] of them has a 256-bit map: a walk then costs the number of *live* edges (children AND live
//! bytes), not the number of children. `sorted_ids` numbers the items in byte order, and everything below a node is one
//! slice of it: accepting a whole subtree copies a slice. All that a node knows is in its 16 bytes: a vocabulary has two
//! nodes a token, and a walk reads many of them. Cost of building: a sort, then O(nodes).

use std::ops::Range;

use rustc_hash::FxHashMap;

use crate::TokenId;

/// No token, no node, no child map.
pub const NONE: u32 = u32::MAX;

/// A node with more children than this has a child map.
pub const WIDE_NODE_CHILDREN: usize = 4;

/// Index of a node in the breadth-first layout; 0 is the root.
pub type NodeId = u32;

/// A node of the breadth-first layout.
#[derive(Clone, Debug)]
struct TrieNode {
    /// The first child; the others follow it, by ascending byte.
    first_child: NodeId,
    /// Where the items of this node, and behind them those below it, begin in `sorted_ids`.
    ids: u32,
    /// For a wide node its index in `wide`; for another one where the items of its subtree end in `sorted_ids`.
    place: u32,
    /// At most 256.
    num_children: u16,
    /// The byte on the edge into this node; 0 at the root.
    byte: u8,
    own: Own,
}

/// How many items end at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Own {
    None,
    One,
    /// As many as `duplicates` knows.
    More,
}

/// What a node of many children has beside.
#[derive(Clone, Debug)]
struct Wide {
    /// Bit `b` of the 256 is byte `b`.
    bytes: [u64; 4],
    /// Where the items of its subtree end in `sorted_ids`.
    ids_end: u32,
}

impl TrieNode {
    #[inline]
    fn is_wide(&self) -> bool {
        usize::from(self.num_children) > WIDE_NODE_CHILDREN
    }
}

/// A node while the trie is built: in preorder, where the open ones are a path.
struct PreorderNode {
    /// The index behind the last node below this one.
    subtree_end: u32,
    /// Where the items of this node, and behind them those below it, stand among the sorted ones.
    ids: Range<u32>,
    own: Own,
    byte: u8,
}

/// For the lowest of some ids with equal bytes the others, ascending.
type Duplicates = FxHashMap<TokenId, Vec<TokenId>>;

/// A trie of byte strings; see the head of this file for its layout.
#[derive(Clone, Debug)]
pub struct TokenTrie {
    nodes: Vec<TrieNode>,
    wide: Vec<Wide>,
    sorted_ids: Vec<TokenId>,
    duplicates: Duplicates,
}

impl TokenTrie {
    /// The trie of `items`, which are sorted in place by bytes, then by id.
    ///
    /// Items with equal bytes share a node: the lowest id is its canonical token. The empty string ends at the root.
    ///
    /// Cost: a sort that compares eight bytes at a time, then O(nodes); 131,000 tokens take some 30 ms.
    pub fn from_items<B: AsRef<[u8]>>(items: &mut Vec<(B, TokenId)>) -> TokenTrie {
        sort_items(items);
        let (preorder, duplicates) = build_preorder(items);
        let mut trie = TokenTrie {
            nodes: Vec::with_capacity(preorder.len()),
            wide: Vec::new(),
            sorted_ids: items.iter().map(|item| item.1).collect(),
            duplicates,
        };
        trie.lay_out_breadth_first(&preorder);
        trie.wide.shrink_to_fit();
        trie
    }

    fn lay_out_breadth_first(&mut self, preorder: &[PreorderNode]) {
        // `places[v]` is where the breadth-first node `v` stands in preorder; the vector is the queue as well.
        let mut places: Vec<u32> = Vec::with_capacity(preorder.len());
        places.push(0);
        let mut next = 0;
        while next < places.len() {
            let place = places[next] as usize;
            let first_child = places.len();
            let mut bitmap = [0u64; 4];
            let mut child = place as u32 + 1;
            while child < preorder[place].subtree_end {
                let node = &preorder[child as usize];
                bitmap[usize::from(node.byte >> 6)] |= 1 << (node.byte & 63);
                places.push(child);
                child = node.subtree_end;
            }
            let num_children = places.len() - first_child;
            let node = &preorder[place];
            let mut extra = node.ids.end;
            if num_children > WIDE_NODE_CHILDREN {
                extra = self.wide.len() as u32;
                self.wide.push(Wide {
                    bytes: bitmap,
                    ids_end: node.ids.end,
                });
            }
            self.nodes.push(TrieNode {
                first_child: first_child as u32,
                ids: node.ids.start,
                place: extra,
                num_children: num_children as u16,
                byte: node.byte,
                own: node.own,
            });
            next += 1;
        }
    }

    /// The root: no byte has been read.
    pub const ROOT: NodeId = 0;

    /// Number of nodes, the root included.
    pub fn num_nodes(&self) -> usize {
        self.nodes.len()
    }

    /// The byte on the edge into `node`.
    #[inline]
    pub fn byte(&self, node: NodeId) -> u8 {
        self.nodes[node as usize].byte
    }

    /// The canonical token that ends at `node`.
    #[inline]
    pub fn token(&self, node: NodeId) -> Option<TokenId> {
        let entry = &self.nodes[node as usize];
        (entry.own != Own::None).then(|| self.sorted_ids[entry.ids as usize])
    }

    /// The children of `node`, by ascending byte.
    #[inline]
    pub fn children(&self, node: NodeId) -> Range<NodeId> {
        let node = &self.nodes[node as usize];
        node.first_child..node.first_child + u32::from(node.num_children)
    }

    /// The child of `node` along `byte`. Cost: at most four comparisons, or a rank in 256 bits.
    #[inline]
    pub fn child(&self, node: NodeId, byte: u8) -> Option<NodeId> {
        let entry = &self.nodes[node as usize];
        if !entry.is_wide() {
            return self.children(node).find(|&child| self.nodes[child as usize].byte == byte);
        }
        let bitmap = &self.wide[entry.place as usize].bytes;
        let (word, bit) = (usize::from(byte >> 6), byte & 63);
        if bitmap[word] >> bit & 1 == 0 {
            return None;
        }
        let before: u32 = bitmap[..word].iter().map(|word| word.count_ones()).sum();
        Some(entry.first_child + before + (bitmap[word] & ((1 << bit) - 1)).count_ones())
    }

    /// Call `visit` with each child of `node` whose byte is in `live` (256 bits, bit `b` is byte `b`), ascending.
    ///
    /// Cost: the number of such children on wide nodes, else the number of children.
    #[inline]
    pub fn for_each_live_child(&self, node: NodeId, live: &[u64; 4], mut visit: impl FnMut(NodeId, u8)) {
        let entry = &self.nodes[node as usize];
        if !entry.is_wide() {
            for child in self.children(node) {
                let byte = self.nodes[child as usize].byte;
                if live[usize::from(byte >> 6)] >> (byte & 63) & 1 != 0 {
                    visit(child, byte);
                }
            }
            return;
        }
        let mut base = entry.first_child;
        for (word, &present) in self.wide[entry.place as usize].bytes.iter().enumerate() {
            let mut rest = present & live[word];
            while rest != 0 {
                let bit = rest.trailing_zeros();
                rest &= rest - 1;
                visit(
                    base + (present & ((1 << bit) - 1)).count_ones(),
                    (word as u32 * 64 + bit) as u8,
                );
            }
            base += present.count_ones();
        }
    }

    /// The node that `bytes` lead to. Cost: O(bytes).
    pub fn find(&self, bytes: &[u8]) -> Option<NodeId> {
        self.find_from(Self::ROOT, bytes)
    }

    /// The node that `bytes` lead to from `node`. Cost: O(bytes).
    pub fn find_from(&self, node: NodeId, bytes: &[u8]) -> Option<NodeId> {
        bytes.iter().try_fold(node, |node, &byte| self.child(node, byte))
    }

    /// Every id whose item ends exactly at `node`, ascending: the canonical one first.
    #[inline]
    pub fn token_ids_at(&self, node: NodeId) -> &[TokenId] {
        let entry = &self.nodes[node as usize];
        let num_ids = match entry.own {
            Own::None => 0,
            Own::One => 1,
            Own::More => self.num_equal(self.sorted_ids[entry.ids as usize]),
        };
        &self.sorted_ids[entry.ids as usize..entry.ids as usize + num_ids]
    }

    /// Apart, so that what asks for the ids of every node stays short.
    #[cold]
    #[inline(never)]
    fn num_equal(&self, id: TokenId) -> usize {
        1 + self.duplicates(id).len()
    }

    /// Every id whose item ends at `node` or below it, in byte order.
    #[inline]
    pub fn token_ids_below(&self, node: NodeId) -> &[TokenId] {
        &self.sorted_ids[self.id_range(node)]
    }

    /// Where `token_ids_below(node)` stands among all ids in byte order.
    #[inline]
    pub fn id_range(&self, node: NodeId) -> Range<usize> {
        let entry = &self.nodes[node as usize];
        let end = if entry.is_wide() {
            self.wide[entry.place as usize].ids_end
        } else {
            entry.place
        };
        entry.ids as usize..end as usize
    }

    /// The other ids with the bytes of the canonical token `id`, ascending.
    pub fn duplicates(&self, id: TokenId) -> &[TokenId] {
        self.duplicates.get(&id).map_or(&[], Vec::as_slice)
    }

    /// Whether two ids have the same bytes.
    pub fn has_duplicates(&self) -> bool {
        !self.duplicates.is_empty()
    }

    /// Heap bytes held.
    pub fn size_bytes(&self) -> usize {
        use std::mem::size_of_val;
        let duplicates: usize = self.duplicates.values().map(|ids| size_of_val(&ids[..]) + 40).sum();
        size_of_val(&self.nodes[..]) + size_of_val(&self.wide[..]) + size_of_val(&self.sorted_ids[..]) + duplicates
    }
}

/// Sort by bytes, then id. The first eight bytes are compared as one number, which decides nearly every pair.
fn sort_items<B: AsRef<[u8]>>(items: &mut Vec<(B, TokenId)>) {
    let mut keyed: Vec<(u64, (B, TokenId))> = items.drain(..).map(|item| (prefix_key(item.0.as_ref()), item)).collect();
    keyed.sort_unstable_by(|(left_key, left), (right_key, right)| {
        // Padding makes equal keys of `a` and `a\0`, so equal keys are decided by all bytes.
        let by_bytes = || left.0.as_ref().cmp(right.0.as_ref()).then(left.1.cmp(&right.1));
        left_key.cmp(right_key).then_with(by_bytes)
    });
    items.extend(keyed.into_iter().map(|(_, item)| item));
}

fn prefix_key(bytes: &[u8]) -> u64 {
    let mut key = [0u8; 8];
    let len = bytes.len().min(8);
    key[..len].copy_from_slice(&bytes[..len]);
    u64::from_be_bytes(key)
}

/// The preorder nodes, and the ids with equal bytes. The open path is a stack: it holds the node of every byte of the last item.
fn build_preorder<B: AsRef<[u8]>>(items: &[(B, TokenId)]) -> (Vec<PreorderNode>, Duplicates) {
    let node = |byte, start| PreorderNode {
        subtree_end: 0,
        ids: start..start,
        own: Own::None,
        byte,
    };
    let (mut nodes, mut duplicates) = (vec![node(0, 0)], Duplicates::default());
    let mut open: Vec<u32> = vec![0];
    let (mut last, mut canonical): (&[u8], TokenId) = (&[], NONE);
    for (index, (bytes, id)) in items.iter().enumerate() {
        let bytes = bytes.as_ref();
        let shared = last.iter().zip(bytes).take_while(|(left, right)| left == right).count();
        close(&mut nodes, &mut open, shared + 1, index);
        for &byte in &bytes[shared..] {
            open.push(nodes.len() as u32);
            nodes.push(node(byte, index as u32));
        }
        let own = &mut nodes[open[bytes.len()] as usize].own;
        if *own == Own::None {
            (*own, canonical) = (Own::One, *id);
        } else {
            // Equal items are neighbours, so the first of them was the last canonical one.
            *own = Own::More;
            duplicates.entry(canonical).or_default().push(*id);
        }
        last = bytes;
    }
    close(&mut nodes, &mut open, 0, items.len());
    (nodes, duplicates)
}

/// End the subtrees of the open nodes beyond the first `keep`, before the item of this index.
fn close(nodes: &mut [PreorderNode], open: &mut Vec<u32>, keep: usize, index: usize) {
    let end = nodes.len() as u32;
    for node in open.drain(keep.min(open.len())..) {
        nodes[node as usize].subtree_end = end;
        nodes[node as usize].ids.end = index as u32;
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// SplitMix64: enough randomness for tests, and no dependency.
    pub(crate) struct Random(pub u64);

    impl Random {
        pub(crate) fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^ (z >> 31)
        }

        pub(crate) fn below(&mut self, bound: usize) -> usize {
            (self.next() % bound as u64) as usize
        }
    }

    fn random_items(random: &mut Random) -> Vec<(Vec<u8>, TokenId)> {
        let alphabet: &[u8] = if random.below(2) == 0 {
            b"\0ab"
        } else {
            &[0, 1, 63, 64, 127, 128, 191, 192, 254, 255]
        };
        let mut item = |id| {
            let bytes = (0..random.below(12))
                .map(|_| alphabet[random.below(alphabet.len())])
                .collect();
            (bytes, id)
        };
        (0..300).map(&mut item).collect()
    }

    /// Every item and every prefix of one, to the ids that end there.
    fn naive(items: &[(Vec<u8>, TokenId)]) -> BTreeMap<Vec<u8>, BTreeSet<TokenId>> {
        let mut map = BTreeMap::from([(Vec::new(), BTreeSet::new())]);
        for (bytes, id) in items {
            for length in 0..=bytes.len() {
                map.entry(bytes[..length].to_vec()).or_default();
            }
            map.entry(bytes.clone()).or_default().insert(*id);
        }
        map
    }

    fn check_node(trie: &TokenTrie, map: &BTreeMap<Vec<u8>, BTreeSet<TokenId>>, prefix: &[u8], node: NodeId) {
        let own = &map[prefix];
        assert_eq!(trie.token(node), own.first().copied());
        assert_eq!(trie.token_ids_at(node), own.iter().copied().collect::<Vec<_>>());
        if let Some(&id) = own.first() {
            assert_eq!(trie.duplicates(id), &trie.token_ids_at(node)[1..]);
        }
        let below = map
            .iter()
            .filter(|(key, _)| key.starts_with(prefix))
            .flat_map(|(_, ids)| ids.iter().copied());
        assert_eq!(trie.token_ids_below(node), below.collect::<Vec<_>>());
        assert_eq!(trie.id_range(node).len(), trie.token_ids_below(node).len());
        let mut children = 0;
        for byte in 0..=255 {
            let key = [prefix, &[byte]].concat();
            let child = trie.child(node, byte);
            assert_eq!(child.is_some(), map.contains_key(&key));
            if let Some(child) = child {
                assert_eq!((trie.byte(child), child), (byte, trie.children(node).start + children));
                children += 1;
            }
        }
        assert_eq!(trie.children(node).len(), children as usize);
    }

    #[test]
    fn trie_agrees_with_a_map() {
        let mut random = Random(1);
        for _ in 0..20 {
            let mut items = random_items(&mut random);
            let map = naive(&items);
            let trie = TokenTrie::from_items(&mut items);
            assert_eq!(trie.num_nodes(), map.len());
            for prefix in map.keys() {
                let node = trie.find(prefix).expect("every prefix has a node");
                check_node(&trie, &map, prefix, node);
            }
            assert_eq!(trie.find(b"zz"), None);
        }
    }

    #[test]
    fn live_children_are_the_intersection() {
        let mut random = Random(3);
        let mut items = random_items(&mut random);
        items.extend((0..=255u8).map(|byte| (vec![byte], 1000 + u32::from(byte))));
        let trie = TokenTrie::from_items(&mut items);
        for node in 0..trie.num_nodes() as NodeId {
            let live = [random.next(), random.next(), random.next(), random.next()];
            let is_live = |byte: u8| live[usize::from(byte >> 6)] >> (byte & 63) & 1 != 0;
            let mut seen = Vec::new();
            trie.for_each_live_child(node, &live, |child, byte| seen.push((child, byte)));
            let all = trie.children(node).map(|child| (child, trie.byte(child)));
            assert_eq!(seen, all.filter(|&(_, byte)| is_live(byte)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn empty_and_single() {
        let trie = TokenTrie::from_items(&mut Vec::<(Vec<u8>, TokenId)>::new());
        assert_eq!((trie.num_nodes(), trie.token(0), trie.children(0).len()), (1, None, 0));
        assert!(trie.token_ids_at(0).is_empty() && trie.token_ids_below(0).is_empty());
        let trie = TokenTrie::from_items(&mut vec![(&b""[..], 5), (&b""[..], 3)]);
        assert_eq!((trie.token(0), trie.duplicates(3)), (Some(3), &[5][..]));
        assert_eq!(trie.token_ids_at(0), [3, 5]);
        assert!(trie.has_duplicates() && trie.size_bytes() > 0);
    }
}
