//! Which shortcuts are taken. Masks are the same whatever the choice; only their cost differs.
//!
//! The choice is made when a grammar is compiled and is there for the ablation benchmark and for the tests that compare
//! masks with and without a shortcut. Nothing else should switch one off.

/// A shortcut that can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Technique {
    /// Finished masks are remembered.
    MaskMemory,
    /// Masks are remembered under the answers they consulted, not under the whole stack: what a token decides within its own
    /// rule or container serves every context.
    AnswerKeys,
    /// Masks of JSON are shared with the other grammars of the vocabulary.
    SharedMasks,
    /// Strings and names with a language take slices of the vocabulary instead of walking it.
    Slices,
    /// Positions inside unconstrained JSON strings use the tables of the vocabulary.
    StringTables,
    /// Edges between sets of places in rules are remembered for the walk.
    EdgeMemory,
    /// What places lead to by calls is remembered, whatever frames they stand on.
    ClosureMemory,
    /// Subtrees of the trie are taken whole where a place reads everything below.
    WholeSubtrees,
    /// What places that read freely take of the vocabulary is remembered with it.
    Sweeps,
    /// Small regular rules are written into their callers.
    RuleInlining,
    /// Places that stand on one frame are joined to one.
    NodeMerging,
    /// Equal frames of rules are one frame.
    StackSharing,
    /// A call that would only return to an end pushes nothing.
    TailCalls,
    /// States that are the same in every output are known again, with their masks and where tokens led from them, and a token
    /// of plain characters leaves a free string as it is.
    KnownSteps,
}

impl Technique {
    /// All of them.
    pub const ALL: [Technique; 14] = [
        Technique::MaskMemory,
        Technique::AnswerKeys,
        Technique::SharedMasks,
        Technique::Slices,
        Technique::StringTables,
        Technique::EdgeMemory,
        Technique::ClosureMemory,
        Technique::WholeSubtrees,
        Technique::Sweeps,
        Technique::RuleInlining,
        Technique::NodeMerging,
        Technique::StackSharing,
        Technique::TailCalls,
        Technique::KnownSteps,
    ];

    /// Its name in benchmarks.
    pub fn name(self) -> &'static str {
        match self {
            Technique::MaskMemory => "mask_memory",
            Technique::AnswerKeys => "answer_keys",
            Technique::SharedMasks => "shared_masks",
            Technique::Slices => "slices",
            Technique::StringTables => "string_tables",
            Technique::EdgeMemory => "edge_memory",
            Technique::ClosureMemory => "closure_memory",
            Technique::WholeSubtrees => "whole_subtrees",
            Technique::Sweeps => "sweeps",
            Technique::RuleInlining => "rule_inlining",
            Technique::NodeMerging => "node_merging",
            Technique::StackSharing => "stack_sharing",
            Technique::TailCalls => "tail_calls",
            Technique::KnownSteps => "known_steps",
        }
    }

    /// The technique with this name.
    pub fn named(name: &str) -> Option<Technique> {
        Technique::ALL.into_iter().find(|technique| technique.name() == name)
    }
}

/// A choice of shortcuts; by default all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Techniques {
    left_out: u16,
}

impl Techniques {
    /// Every shortcut is taken.
    pub const ALL: Techniques = Techniques { left_out: 0 };

    /// All but these.
    pub fn without(techniques: impl IntoIterator<Item = Technique>) -> Techniques {
        let bits = techniques.into_iter().map(|technique| 1 << technique as u16);
        Techniques {
            left_out: bits.fold(0, |all, bit: u16| all | bit),
        }
    }

    /// Whether a shortcut is taken.
    #[inline]
    pub fn has(self, technique: Technique) -> bool {
        self.left_out >> technique as u16 & 1 == 0
    }
}

impl Default for Techniques {
    fn default() -> Self {
        Techniques::ALL
    }
}
