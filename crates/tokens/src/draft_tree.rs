//! Proposed continuations of one sequence, as a tree of tokens.
//!
//! Node 0 is the last committed token and its parent is -1; every other node stands behind its parent, so one pass over
//! the arrays sees parents first. Siblings carry different tokens: a walk that knows its token knows its child.

use std::fmt;

use rustc_hash::FxHashSet;

/// The most nodes that a tree may have, node 0 included: an attention mask of this many is 256 MiB.
pub const MAX_TREE_NODES: usize = 1 << 14;

const NO_NODE: u32 = u32::MAX;

/// A tree of drafted tokens. Its arrays have one entry a node and cannot be changed once checked.
#[derive(Clone, Debug, PartialEq)]
pub struct DraftTree {
    token_ids: Vec<i32>,
    parents: Vec<i32>,
    logprobs: Option<Vec<f32>>,
    sources: Option<Vec<u8>>,
    first_child: Vec<u32>,
    next_sibling: Vec<u32>,
}

/// Why arrays are no draft tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DraftTreeError {
    /// There is no node 0.
    Empty,
    /// More nodes than [`MAX_TREE_NODES`].
    TooManyNodes(usize),
    /// An array whose length is not the number of token ids: its name, its length and the number of tokens.
    LengthMismatch(&'static str, usize, usize),
    /// A token id below zero at this node.
    NegativeToken(usize, i32),
    /// A parent that is no earlier node (or, at node 0, is not -1): the node and the parent.
    BadParent(usize, i32),
    /// Two children of one node with the same token: the later node and the token.
    DuplicateSibling(usize, i32),
    /// A log-probability that is not a number at this node.
    NotANumber(usize),
}

impl DraftTreeError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "draft_tree_empty",
            Self::TooManyNodes(_) => "draft_tree_too_large",
            Self::LengthMismatch(..) => "draft_tree_length_mismatch",
            Self::NegativeToken(..) => "draft_tree_negative_token",
            Self::BadParent(..) => "draft_tree_bad_parent",
            Self::DuplicateSibling(..) => "draft_tree_duplicate_sibling",
            Self::NotANumber(_) => "draft_tree_not_a_number",
        }
    }
}

impl fmt::Display for DraftTreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "a draft tree has no nodes; give it the last committed token as node 0"),
            Self::TooManyNodes(nodes) => {
                write!(
                    f,
                    "a draft tree has `{nodes}` nodes, more than `{MAX_TREE_NODES}`; draft with a smaller budget"
                )
            }
            Self::LengthMismatch(name, length, nodes) => {
                write!(
                    f,
                    "`{name}` has `{length}` entries for `{nodes}` token ids; give one entry a node"
                )
            }
            Self::NegativeToken(node, token) => {
                write!(
                    f,
                    "node `{node}` of a draft tree has the token id `{token}`; leave out nodes without a token"
                )
            }
            Self::BadParent(0, parent) => write!(f, "node `0` of a draft tree has the parent `{parent}`; it must be `-1`"),
            Self::BadParent(node, parent) => {
                write!(
                    f,
                    "node `{node}` of a draft tree has the parent `{parent}`; put every node behind its parent"
                )
            }
            Self::DuplicateSibling(node, token) => {
                write!(
                    f,
                    "node `{node}` repeats the token `{token}` of a sibling; merge the two nodes"
                )
            }
            Self::NotANumber(node) => {
                write!(
                    f,
                    "the log-probability of node `{node}` is `NaN`; give `-inf` for a token without one"
                )
            }
        }
    }
}

impl std::error::Error for DraftTreeError {}

impl DraftTree {
    /// Check the arrays and link the nodes. Cost: O(nodes).
    ///
    /// `logprobs` are natural logarithms of what the drafter believed of a node given its parent; `sources` are numbers
    /// that a drafter chooses to say where a node came from.
    ///
    /// # Errors
    /// [`DraftTreeError`] says which law the arrays break.
    pub fn new(
        token_ids: Vec<i32>,
        parents: Vec<i32>,
        logprobs: Option<Vec<f32>>,
        sources: Option<Vec<u8>>,
    ) -> Result<DraftTree, DraftTreeError> {
        let num_nodes = token_ids.len();
        check_lengths(
            num_nodes,
            parents.len(),
            logprobs.as_ref().map(Vec::len),
            sources.as_ref().map(Vec::len),
        )?;
        check_nodes(&token_ids, &parents)?;
        if let Some(node) = logprobs.iter().flatten().position(|logprob| logprob.is_nan()) {
            return Err(DraftTreeError::NotANumber(node));
        }
        let (first_child, next_sibling) = link(&parents);
        Ok(DraftTree {
            token_ids,
            parents,
            logprobs,
            sources,
            first_child,
            next_sibling,
        })
    }

    /// The tree that proposes nothing after `token_id`.
    ///
    /// # Errors
    /// If the token id is negative.
    pub fn root(token_id: i32) -> Result<DraftTree, DraftTreeError> {
        DraftTree::new(vec![token_id], vec![-1], None, None)
    }

    /// Number of nodes, node 0 included.
    pub fn num_nodes(&self) -> usize {
        self.token_ids.len()
    }

    /// The token of each node.
    pub fn token_ids(&self) -> &[i32] {
        &self.token_ids
    }

    /// The parent of each node; -1 at node 0.
    pub fn parents(&self) -> &[i32] {
        &self.parents
    }

    /// Natural logarithm of the drafter's belief in each node given its parent.
    pub fn logprobs(&self) -> Option<&[f32]> {
        self.logprobs.as_deref()
    }

    /// Where each node came from, in the drafter's own numbers.
    pub fn sources(&self) -> Option<&[u8]> {
        self.sources.as_deref()
    }

    /// The children of `node`, in their order in the arrays.
    pub fn children(&self, node: usize) -> impl Iterator<Item = usize> + '_ {
        let mut next = self.first_child[node];
        std::iter::from_fn(move || {
            let child = next;
            if child == NO_NODE {
                return None;
            }
            next = self.next_sibling[child as usize];
            Some(child as usize)
        })
    }

    /// The child of `node` that carries `token_id`. Cost: the number of children.
    pub fn child(&self, node: usize, token_id: i32) -> Option<usize> {
        self.children(node).find(|&child| self.token_ids[child] == token_id)
    }

    /// The nodes from node 0 to `node`, both included.
    pub fn path(&self, node: usize) -> Vec<usize> {
        let mut path = vec![node];
        let mut next = self.parents[node];
        while next >= 0 {
            path.push(next as usize);
            next = self.parents[next as usize];
        }
        path.reverse();
        path
    }

    /// The distance of each node from node 0.
    pub fn depths(&self) -> Vec<u32> {
        let mut depths = vec![0; self.num_nodes()];
        for node in 1..self.num_nodes() {
            depths[node] = depths[self.parents[node] as usize] + 1;
        }
        depths
    }

    /// Which nodes each node sees: row-major `[num_nodes, num_nodes]`, true for itself and its ancestors.
    pub fn attention_mask(&self) -> Vec<bool> {
        let width = self.num_nodes();
        let mut mask = vec![false; width * width];
        mask[0] = true;
        for node in 1..width {
            let (before, row) = mask.split_at_mut(node * width);
            let parent = self.parents[node] as usize;
            row[..node].copy_from_slice(&before[parent * width..parent * width + node]);
            row[node] = true;
        }
        mask
    }

    /// The nodes with `keep[node]` whose ancestors are all kept, in their old order; node 0 always stays.
    ///
    /// # Panics
    /// If `keep` has not one entry a node.
    pub fn retain(&self, keep: &[bool]) -> DraftTree {
        assert_eq!(keep.len(), self.num_nodes(), "one flag a node");
        let mut renumbered: Vec<Option<i32>> = Vec::with_capacity(keep.len());
        let mut kept: Vec<usize> = Vec::new();
        let mut parents: Vec<i32> = Vec::new();
        for node in 0..keep.len() {
            let parent = if node == 0 {
                Some(-1)
            } else {
                renumbered[self.parents[node] as usize]
            };
            let stays = (node == 0 || keep[node]) && parent.is_some();
            renumbered.push(stays.then_some(kept.len() as i32));
            if let (true, Some(parent)) = (stays, parent) {
                kept.push(node);
                parents.push(parent);
            }
        }
        let (first_child, next_sibling) = link(&parents);
        DraftTree {
            token_ids: kept.iter().map(|&node| self.token_ids[node]).collect(),
            parents,
            logprobs: self.logprobs.as_ref().map(|all| kept.iter().map(|&node| all[node]).collect()),
            sources: self.sources.as_ref().map(|all| kept.iter().map(|&node| all[node]).collect()),
            first_child,
            next_sibling,
        }
    }
}

fn check_lengths(
    num_nodes: usize,
    num_parents: usize,
    num_logprobs: Option<usize>,
    num_sources: Option<usize>,
) -> Result<(), DraftTreeError> {
    if num_nodes == 0 {
        return Err(DraftTreeError::Empty);
    }
    if num_nodes > MAX_TREE_NODES {
        return Err(DraftTreeError::TooManyNodes(num_nodes));
    }
    let lengths = [
        ("parents", Some(num_parents)),
        ("logprobs", num_logprobs),
        ("sources", num_sources),
    ];
    for (name, length) in lengths {
        match length {
            Some(length) if length != num_nodes => return Err(DraftTreeError::LengthMismatch(name, length, num_nodes)),
            _ => {}
        }
    }
    Ok(())
}

fn check_nodes(token_ids: &[i32], parents: &[i32]) -> Result<(), DraftTreeError> {
    let mut seen: FxHashSet<(i32, i32)> = FxHashSet::default();
    for (node, (&token, &parent)) in token_ids.iter().zip(parents).enumerate() {
        if token < 0 {
            return Err(DraftTreeError::NegativeToken(node, token));
        }
        let fits = if node == 0 {
            parent == -1
        } else {
            (0..node as i64).contains(&i64::from(parent))
        };
        if !fits {
            return Err(DraftTreeError::BadParent(node, parent));
        }
        if !seen.insert((parent, token)) {
            return Err(DraftTreeError::DuplicateSibling(node, token));
        }
    }
    Ok(())
}

/// First child and next sibling of each node; going backwards leaves siblings in their order.
fn link(parents: &[i32]) -> (Vec<u32>, Vec<u32>) {
    let mut first_child = vec![NO_NODE; parents.len()];
    let mut next_sibling = vec![NO_NODE; parents.len()];
    for node in (1..parents.len()).rev() {
        let parent = parents[node] as usize;
        next_sibling[node] = first_child[parent];
        first_child[parent] = node as u32;
    }
    (first_child, next_sibling)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trie::tests::Random;

    fn tree(token_ids: &[i32], parents: &[i32]) -> Result<DraftTree, DraftTreeError> {
        DraftTree::new(token_ids.to_vec(), parents.to_vec(), None, None)
    }

    #[test]
    fn refuses_what_is_no_tree() {
        assert_eq!(tree(&[], &[]), Err(DraftTreeError::Empty));
        assert_eq!(tree(&[1, 2], &[-1]), Err(DraftTreeError::LengthMismatch("parents", 1, 2)));
        assert_eq!(tree(&[1, -2], &[-1, 0]), Err(DraftTreeError::NegativeToken(1, -2)));
        assert_eq!(tree(&[1], &[0]), Err(DraftTreeError::BadParent(0, 0)));
        assert_eq!(tree(&[1, 2], &[-1, 1]), Err(DraftTreeError::BadParent(1, 1)));
        assert_eq!(tree(&[1, 2], &[-1, -1]), Err(DraftTreeError::BadParent(1, -1)));
        assert_eq!(tree(&[1, 2, 2], &[-1, 0, 0]), Err(DraftTreeError::DuplicateSibling(2, 2)));
        let too_many = vec![0; MAX_TREE_NODES + 1];
        assert_eq!(
            tree(&too_many, &too_many),
            Err(DraftTreeError::TooManyNodes(MAX_TREE_NODES + 1))
        );
        let nan = DraftTree::new(vec![1], vec![-1], Some(vec![f32::NAN]), None);
        assert_eq!(nan, Err(DraftTreeError::NotANumber(0)));
        let short = DraftTree::new(vec![1], vec![-1], None, Some(vec![]));
        assert_eq!(
            short.as_ref().map_err(DraftTreeError::code),
            Err("draft_tree_length_mismatch")
        );
        assert!(short.expect_err("refused").to_string().contains("`sources`"));
    }

    #[test]
    fn random_trees_agree_with_paths() {
        let mut random = Random(11);
        for _ in 0..100 {
            let num_nodes = 1 + random.below(40);
            let parents: Vec<i32> = (0..num_nodes)
                .map(|n| if n == 0 { -1 } else { random.below(n) as i32 })
                .collect();
            let token_ids: Vec<i32> = (0..num_nodes as i32).map(|node| node * 3).collect();
            let sources = (0..num_nodes).map(|node| node as u8).collect();
            let tree = DraftTree::new(token_ids, parents.clone(), Some(vec![-0.5; num_nodes]), Some(sources)).expect("a tree");
            let mask = tree.attention_mask();
            for node in 0..num_nodes {
                let path = tree.path(node);
                assert_eq!(tree.depths()[node] as usize + 1, path.len());
                assert!(path.windows(2).all(|pair| parents[pair[1]] as usize == pair[0]) && path[0] == 0);
                let row: Vec<usize> = (0..num_nodes).filter(|&other| mask[node * num_nodes + other]).collect();
                assert_eq!(row, path);
                let children: Vec<usize> = (0..num_nodes).filter(|&child| parents[child] == node as i32).collect();
                assert_eq!(tree.children(node).collect::<Vec<_>>(), children);
                assert!(children
                    .iter()
                    .all(|&child| tree.child(node, child as i32 * 3) == Some(child)));
                assert_eq!(tree.child(node, 1), None);
            }
            check_retain(&tree, &(0..num_nodes).map(|_| random.below(3) > 0).collect::<Vec<_>>());
        }
    }

    fn check_retain(tree: &DraftTree, keep: &[bool]) {
        let kept = tree.retain(keep);
        let stays = |node: &usize| tree.path(*node).iter().all(|&above| above == 0 || keep[above]);
        let expected: Vec<usize> = (0..tree.num_nodes()).filter(stays).collect();
        assert_eq!(kept.num_nodes(), expected.len());
        for (node, &old) in expected.iter().enumerate() {
            let tokens = |tree: &DraftTree, node| tree.path(node).iter().map(|&n| tree.token_ids[n]).collect::<Vec<_>>();
            assert_eq!(tokens(&kept, node), tokens(tree, old));
            assert_eq!(kept.sources().expect("kept")[node] as usize, old);
        }
        let again = DraftTree::new(
            kept.token_ids.clone(),
            kept.parents.clone(),
            kept.logprobs.clone(),
            kept.sources.clone(),
        );
        assert_eq!(again, Ok(kept));
    }

    #[test]
    fn root_proposes_nothing() {
        let tree = DraftTree::root(9).expect("a tree");
        assert_eq!(
            (tree.num_nodes(), tree.path(0), tree.attention_mask()),
            (1, vec![0], vec![true])
        );
    }
}
