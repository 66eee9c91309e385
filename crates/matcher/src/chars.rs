//! Tries of decoded texts: one node a character, so that a term walks them without decoding anything.
use penstock_tokens::TokenId;

/// An item of a [`CharTrie`]: a token, and what it does after its characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<E> {
    /// The token.
    pub token: TokenId,
    /// What follows its characters.
    pub ending: E,
}

/// A node; its children are contiguous and sorted by character. Kept small: a vocabulary has nearly two of them a token.
#[derive(Clone, Copy, Debug)]
pub struct CharNode {
    /// The character on the edge into this node.
    pub character: u32,
    first: u32,
    /// The number of children, at most that of all characters, and above [`COUNT_BITS`] the height.
    shape: u32,
    items: u32,
    items_end: u32,
}

const COUNT_BITS: u32 = 21;
/// A height from here on is not told apart.
const TALL: u32 = (1 << (32 - COUNT_BITS)) - 1;

impl CharNode {
    /// Number of children.
    #[inline]
    pub fn count(&self) -> u32 {
        self.shape & ((1 << COUNT_BITS) - 1)
    }

    /// Characters below on the deepest path from here; `u32::MAX` where that is more than some thousand.
    #[inline]
    pub fn height(&self) -> u32 {
        match self.shape >> COUNT_BITS {
            TALL => u32::MAX,
            height => height,
        }
    }
}

/// A trie over texts, breadth first. The items of a subtree are one slice.
pub struct CharTrie<E> {
    nodes: Vec<CharNode>,
    items: Vec<Item<E>>,
}

impl<E: Copy> CharTrie<E> {
    /// The trie of texts with their items; those of one text keep their order. Cost: a sort, then linear.
    pub fn new(mut texts: Vec<(Box<[u32]>, Item<E>)>) -> CharTrie<E> {
        texts.sort_by(|a, b| a.0.cmp(&b.0));
        let empty = CharNode {
            character: 0,
            first: 0,
            shape: 0,
            items: 0,
            items_end: texts.len() as u32,
        };
        let mut nodes = vec![empty];
        // For each node: the range of texts below it, and its depth.
        let mut ranges = vec![(0usize, texts.len(), 0usize)];
        let mut next = 0;
        while next < nodes.len() {
            let (start, end, depth) = ranges[next];
            let own = texts[start..end].partition_point(|text| text.0.len() == depth);
            nodes[next].items = start as u32;
            nodes[next].items_end = end as u32;
            nodes[next].first = nodes.len() as u32;
            let mut at = start + own;
            while at < end {
                let character = texts[at].0[depth];
                let same = texts[at..end].partition_point(|text| text.0[depth] <= character);
                nodes.push(CharNode { character, ..empty });
                ranges.push((at, at + same, depth + 1));
                at += same;
            }
            nodes[next].shape = nodes.len() as u32 - nodes[next].first;
            next += 1;
        }
        for node in (0..nodes.len()).rev() {
            let children = nodes[node].first as usize..(nodes[node].first + nodes[node].count()) as usize;
            let height = children
                .map(|child| nodes[child].height().saturating_add(1))
                .max()
                .unwrap_or(0);
            nodes[node].shape |= height.min(TALL) << COUNT_BITS;
        }
        nodes.shrink_to_fit();
        CharTrie {
            nodes,
            items: texts.into_iter().map(|text| text.1).collect(),
        }
    }

    /// The root.
    pub fn root(&self) -> &CharNode {
        &self.nodes[0]
    }

    /// The children of a node.
    pub fn children(&self, node: &CharNode) -> &[CharNode] {
        &self.nodes[node.first as usize..(node.first + node.count()) as usize]
    }

    /// The items that end at a node: those before its first child's.
    #[inline]
    pub fn items(&self, node: &CharNode) -> &[Item<E>] {
        let end = match node.count() {
            0 => node.items_end,
            _ => self.nodes[node.first as usize].items,
        };
        &self.items[node.items as usize..end as usize]
    }

    /// The items at a node and below it.
    pub fn items_below(&self, node: &CharNode) -> &[Item<E>] {
        &self.items[node.items as usize..node.items_end as usize]
    }

    /// Heap memory in bytes.
    pub fn memory_usage(&self) -> usize {
        std::mem::size_of_val(&self.nodes[..]) + std::mem::size_of_val(&self.items[..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subtrees_are_slices() {
        let texts = ["ab", "a", "b", "abc", "é"];
        let items = texts.iter().enumerate().map(|(i, text)| {
            let item = Item {
                token: i as u32,
                ending: (),
            };
            (text.chars().map(u32::from).collect::<Box<[u32]>>(), item)
        });
        let trie = CharTrie::new(items.collect());
        let a = trie.children(trie.root())[0];
        let mut below: Vec<u32> = trie.items_below(&a).iter().map(|item| item.token).collect();
        below.sort_unstable();
        assert_eq!((below, a.height(), trie.root().height()), (vec![0, 1, 3], 2, 3));
        assert_eq!(trie.items(&a).iter().map(|item| item.token).collect::<Vec<_>>(), vec![1]);
        assert_eq!(trie.children(trie.root()).len(), 3);
    }

    #[test]
    fn what_is_too_tall_to_be_told_says_so() {
        let item = Item { token: 1, ending: () };
        for (length, height) in [(TALL - 1, TALL - 1), (TALL, u32::MAX), (3 * TALL, u32::MAX)] {
            let text: Box<[u32]> = vec![0x61; length as usize].into();
            let trie = CharTrie::new(vec![(text, item)]);
            assert_eq!((trie.root().height(), trie.root().count()), (height, 1));
            assert_eq!(trie.items_below(trie.root()), [item]);
        }
    }
}
