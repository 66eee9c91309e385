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

/// A node; its children are contiguous and sorted by character.
#[derive(Clone, Copy, Debug)]
pub struct CharNode {
    /// The character on the edge into this node.
    pub character: u32,
    /// First child.
    pub first: u32,
    /// Number of children.
    pub count: u32,
    /// Its items, as a range of the trie's items; those of its subtree start in the same place.
    pub items: (u32, u32),
    /// One behind the last item of its subtree.
    pub items_end: u32,
    /// Characters below the deepest path from here.
    pub height: u32,
}

/// A trie over texts, breadth first. The items of a subtree are one slice.
pub struct CharTrie<E> {
    nodes: Vec<CharNode>,
    items: Vec<Item<E>>,
}

impl<E: Copy> CharTrie<E> {
    /// The trie of texts with their items. Cost: a sort, then linear.
    pub fn new(mut texts: Vec<(Box<[u32]>, Item<E>)>) -> CharTrie<E> {
        texts.sort_by(|a, b| a.0.cmp(&b.0));
        let empty = CharNode {
            character: 0,
            first: 0,
            count: 0,
            items: (0, 0),
            items_end: texts.len() as u32,
            height: 0,
        };
        let mut nodes = vec![empty];
        // For each node: the range of texts below it, and its depth.
        let mut ranges = vec![(0usize, texts.len(), 0usize)];
        let mut next = 0;
        while next < nodes.len() {
            let (start, end, depth) = ranges[next];
            let own = texts[start..end].partition_point(|text| text.0.len() == depth);
            nodes[next].items = (start as u32, (start + own) as u32);
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
            nodes[next].count = nodes.len() as u32 - nodes[next].first;
            next += 1;
        }
        for node in (0..nodes.len()).rev() {
            let children = nodes[node].first as usize..(nodes[node].first + nodes[node].count) as usize;
            nodes[node].height = children.map(|child| nodes[child].height + 1).max().unwrap_or(0);
        }
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
        &self.nodes[node.first as usize..(node.first + node.count) as usize]
    }

    /// The items that end at a node.
    pub fn items(&self, node: &CharNode) -> &[Item<E>] {
        &self.items[node.items.0 as usize..node.items.1 as usize]
    }

    /// The items at a node and below it.
    pub fn items_below(&self, node: &CharNode) -> &[Item<E>] {
        &self.items[node.items.0 as usize..node.items_end as usize]
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
        assert_eq!((below, a.height, trie.root().height), (vec![0, 1, 3], 2, 3));
        assert_eq!(trie.items(&a).iter().map(|item| item.token).collect::<Vec<_>>(), vec![1]);
        assert_eq!(trie.children(trie.root()).len(), 3);
    }
}
