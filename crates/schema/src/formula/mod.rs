//! What is left of a schema, as interned formulas.
//!
//! A [`FormulaId`] names a term of *and*, *or*, *exactly one*, *not* over atoms. An atom is one assertion with what is left of
//! it (`Has`, `MinMembers`, `Items`, ...), so a formula is the whole record of an open object or array. Equal formulas have
//! equal ids; constructors return the simplest equal formula that they see at a glance.
//!
//! Read next: `build.rs` (constructors), `rewrite.rs` (what an event leaves of a formula).
mod build;
mod rewrite;

pub(crate) use rewrite::{Event, Memo};

use crate::identity::SetId;
use crate::kinds::Kinds;
use crate::names::NameId;
use penstock_automata::RegexId;
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// A formula of a [`Formulas`] arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FormulaId(pub u32);

impl FormulaId {
    pub const TRUE: FormulaId = FormulaId(0);
    pub const FALSE: FormulaId = FormulaId(1);
}

/// One formula. Children are older than their parents, except through `Ref`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    True,
    False,
    /// At least two, sorted, distinct, no `And` among them.
    And(Arc<[FormulaId]>),
    Or(Arc<[FormulaId]>),
    /// Exactly one of them holds.
    One(Arc<[FormulaId]>),
    Not(FormulaId),
    /// The value is of one of these kinds.
    Kind(Kinds),
    /// The value is a string of this language.
    Text(RegexId),
    /// The value is a number of this (interned) atom.
    Number(u32),
    /// The formula of a `$ref` target, by slot.
    Ref(u32),
    /// The value that is being read, a member's or an item's, satisfies the formula.
    Value(FormulaId),
    /// A member of this name is still to come.
    Has(NameId),
    /// At least so many members are still to come.
    MinMembers(u32),
    /// Index into [`Formulas::members`]: what each member still to come must satisfy, by its name.
    Members(u32),
    /// The names still to come satisfy the formula, as strings.
    Names(FormulaId),
    /// Index into [`Formulas::member_covers`].
    UnevaluatedMembers(u32),
    /// The members still to come: those of a list (index into [`Formulas::orders`]) from this place on, in its order; then
    /// any others.
    Order(u32, u32),
    /// The items still to come: a prefix (index into [`Formulas::lists`], how many are done) and the others.
    Items {
        list: u32,
        done: u32,
        rest: FormulaId,
    },
    MinItems(u32),
    /// At least so many of the items still to come satisfy the formula.
    Contains(FormulaId, u32),
    /// Index into [`Formulas::item_covers`].
    UnevaluatedItems(u32),
    /// The items still to come differ from each other and from these.
    Unique(SetId),
    /// The same while an item is being read that differs from these and is to become one of them.
    UniqueOpen(SetId),
}

/// `properties`, `patternProperties` and `additionalProperties` together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Members {
    /// Sorted by name id.
    pub names: Box<[(NameId, FormulaId)]>,
    pub patterns: Box<[(RegexId, FormulaId)]>,
    pub other: FormulaId,
}

/// Which members a branch evaluates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MemberCover {
    /// Sorted.
    pub names: Box<[NameId]>,
    pub patterns: Box<[RegexId]>,
    pub all: bool,
}

/// Which items a branch evaluates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ItemCover {
    All,
    /// So many of the items still to come.
    First(u32),
    /// Those that satisfy the formula.
    Satisfying(FormulaId),
}

/// `unevaluatedProperties` or `unevaluatedItems`: members that no branch which holds covers must satisfy `schema`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Unevaluated<Cover> {
    pub schema: FormulaId,
    pub branches: Box<[(Cover, FormulaId)]>,
}

/// What is known of a formula at its birth.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Info {
    /// Kinds whose plainest value (`null`, `true`, `false`, `0`, `""`, `[]`, `{}` without anything more) satisfies it.
    /// For a record: the container may be closed now.
    pub plain: Kinds,
    /// Kinds whose plainest value violates it. Kinds in neither set are unknown (references).
    pub never_plain: Kinds,
    /// Holds a `Value`.
    pub asks: bool,
    /// Holds a `UniqueOpen`.
    pub opens: bool,
    /// Holds a `Ref`.
    pub refers: bool,
    pub depth: u16,
}

/// The deepest formula that is built (`max_formula_depth`): everything that walks a formula recurses at most so deep.
pub(crate) const MAX_FORMULA_DEPTH: u16 = 600;

/// What tables have room for at first: as much as a small schema needs, so that making it does not grow them step by step.
pub(crate) const FIRST_ROOM: usize = 56;

/// An empty map with room for so many entries.
pub(crate) fn room_for<K, V>(count: usize) -> FxHashMap<K, V> {
    FxHashMap::with_capacity_and_hasher(count, FxBuildHasher)
}

/// The arena of formulas.
pub(crate) struct Formulas {
    pub nodes: Vec<Node>,
    pub info: Vec<Info>,
    ids: FxHashMap<Node, FormulaId>,
    pub members: Vec<Arc<Members>>,
    member_ids: FxHashMap<Arc<Members>, u32>,
    pub member_covers: Vec<Arc<Unevaluated<MemberCover>>>,
    member_cover_ids: FxHashMap<Arc<Unevaluated<MemberCover>>, u32>,
    pub item_covers: Vec<Arc<Unevaluated<ItemCover>>>,
    item_cover_ids: FxHashMap<Arc<Unevaluated<ItemCover>>, u32>,
    pub orders: Vec<Arc<[NameId]>>,
    /// The names of each order, sorted, with their places.
    places: Vec<Box<[(NameId, u32)]>>,
    order_ids: FxHashMap<Arc<[NameId]>, u32>,
    pub lists: Vec<Arc<[FormulaId]>>,
    list_ids: FxHashMap<Arc<[FormulaId]>, u32>,
    /// Set when a formula deeper than [`MAX_FORMULA_DEPTH`] was asked for; reported at the next door.
    pub too_deep: bool,
}

impl Formulas {
    pub fn new() -> Formulas {
        let mut formulas = Formulas {
            nodes: Vec::with_capacity(FIRST_ROOM),
            info: Vec::with_capacity(FIRST_ROOM),
            ids: room_for(FIRST_ROOM),
            members: Vec::new(),
            member_ids: FxHashMap::default(),
            member_covers: Vec::new(),
            member_cover_ids: FxHashMap::default(),
            item_covers: Vec::new(),
            item_cover_ids: FxHashMap::default(),
            orders: Vec::new(),
            places: Vec::new(),
            order_ids: FxHashMap::default(),
            lists: Vec::new(),
            list_ids: FxHashMap::default(),
            too_deep: false,
        };
        formulas.intern(Node::True, plainly(Kinds::ALL));
        formulas.intern(Node::False, plainly(Kinds::NONE));
        formulas
    }

    pub fn node(&self, id: FormulaId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    pub fn info(&self, id: FormulaId) -> Info {
        self.info[id.0 as usize]
    }

    pub fn intern(&mut self, node: Node, info: Info) -> FormulaId {
        match self.ids.entry(node) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(_) if info.depth > MAX_FORMULA_DEPTH => {
                self.too_deep = true;
                FormulaId::FALSE
            }
            Entry::Vacant(new) => {
                let id = FormulaId(self.nodes.len() as u32);
                self.nodes.push(new.key().clone());
                self.info.push(info);
                new.insert(id);
                id
            }
        }
    }

    pub fn memory_usage(&self) -> usize {
        let tables: usize = self.members.iter().map(|m| 8 * (m.names.len() + m.patterns.len()) + 64).sum();
        let lists: usize = self.lists.iter().map(|list| 4 * list.len() + 48).sum();
        self.nodes.len() * (2 * std::mem::size_of::<Node>() + 48) + tables + lists
    }
}

/// The facts of an atom whose plainest values are these.
pub(crate) fn plainly(kinds: Kinds) -> Info {
    Info {
        plain: kinds,
        never_plain: kinds.complement(),
        ..Info::default()
    }
}

impl Members {
    /// What the value of a named member must satisfy, in a table without patterns.
    pub fn only_formula(&self, name: NameId) -> FormulaId {
        match self.names.binary_search_by_key(&name, |entry| entry.0) {
            Ok(at) => self.names[at].1,
            Err(_) => self.other,
        }
    }

    /// What the value of a named member must satisfy; `matched` tells which patterns its name matches.
    pub fn of_name(&self, name: NameId, matched: impl Fn(RegexId) -> bool, out: &mut Vec<FormulaId>) {
        let before = out.len();
        if let Ok(at) = self.names.binary_search_by_key(&name, |entry| entry.0) {
            out.push(self.names[at].1);
        }
        let mut hit = out.len() > before;
        for &(pattern, schema) in self.patterns.iter() {
            if matched(pattern) {
                hit = true;
                out.push(schema);
            }
        }
        if !hit {
            out.push(self.other);
        }
    }
}

impl MemberCover {
    pub fn covers(&self, name: NameId, matched: impl Fn(RegexId) -> bool) -> bool {
        self.all || self.names.binary_search(&name).is_ok() || self.patterns.iter().any(|&pattern| matched(pattern))
    }
}
