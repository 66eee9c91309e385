//! Constructors: the simplest equal formula that is seen at a glance.
use super::{plainly, FormulaId, Formulas, Info, ItemCover, MemberCover, Members, Node, Unevaluated};
use crate::identity::SetId;
use crate::kinds::Kinds;
use crate::names::NameId;
use penstock_automata::RegexId;
use std::sync::Arc;

/// How many parts of a join are of the sorts that simplifications look at.
#[derive(Default)]
struct Sorts {
    kinds: u32,
    /// Lower bounds on a count.
    counts: u32,
    /// Orders that have not begun.
    orders: u32,
    nots: u32,
    joins: u32,
}

impl Formulas {
    pub fn not(&mut self, part: FormulaId) -> FormulaId {
        match *self.node(part) {
            Node::True => FormulaId::FALSE,
            Node::False => FormulaId::TRUE,
            Node::Not(inner) => inner,
            Node::Kind(kinds) => self.kind(kinds.complement()),
            _ => {
                let info = self.info(part);
                let flipped = Info {
                    plain: info.never_plain,
                    never_plain: info.plain,
                    depth: info.depth + 1,
                    ..info
                };
                self.intern(Node::Not(part), flipped)
            }
        }
    }

    pub fn kind(&mut self, kinds: Kinds) -> FormulaId {
        match kinds {
            Kinds::ALL => FormulaId::TRUE,
            Kinds::NONE => FormulaId::FALSE,
            _ => self.intern(Node::Kind(kinds), plainly(kinds)),
        }
    }

    /// The value, if it is of this kind, satisfies `part`.
    pub fn imply(&mut self, kind: Kinds, part: FormulaId) -> FormulaId {
        let other = self.kind(kind.complement());
        self.or(&[other, part])
    }

    /// Whether `type` alone says that no value of a kind satisfies the formula: most kinds are done with at this glance.
    pub fn rules_out(&self, formula: FormulaId, kind: Kinds) -> bool {
        let excludes = |part: &FormulaId| matches!(*self.node(*part), Node::Kind(kinds) if !kinds.has(kind));
        match self.node(formula) {
            Node::And(parts) => parts.iter().any(excludes),
            _ => excludes(&formula),
        }
    }

    pub fn and(&mut self, parts: &[FormulaId]) -> FormulaId {
        self.join(true, parts)
    }

    pub fn or(&mut self, parts: &[FormulaId]) -> FormulaId {
        self.join(false, parts)
    }

    fn join(&mut self, all: bool, parts: &[FormulaId]) -> FormulaId {
        let (unit, zero) = if all {
            (FormulaId::TRUE, FormulaId::FALSE)
        } else {
            (FormulaId::FALSE, FormulaId::TRUE)
        };
        let Some(mut flat) = self.flatten(all, parts, unit, zero) else {
            return zero;
        };
        if flat.len() > 1 {
            let sorts = self.sorts_of(&flat);
            if sorts.kinds > 1 {
                self.merge_kinds(all, &mut flat);
            }
            if sorts.counts > 1 {
                self.merge_counts(all, &mut flat);
            }
            if all && sorts.orders > 1 {
                self.merge_orders(&mut flat);
            }
            if flat.contains(&zero) || sorts.nots > 0 && self.contradicts(&flat) {
                return zero;
            }
            flat.retain(|&part| part != unit);
            if sorts.joins > 0 {
                self.absorb(all, &mut flat);
            }
        }
        match flat[..] {
            [] => unit,
            [only] => only,
            _ => {
                let info = self.info_of_join(all, &flat);
                let node = if all { Node::And(flat.into()) } else { Node::Or(flat.into()) };
                self.intern(node, info)
            }
        }
    }

    /// What is among some parts: most joins need none of the simplifications, which one look tells.
    fn sorts_of(&self, parts: &[FormulaId]) -> Sorts {
        let mut sorts = Sorts::default();
        for &part in parts {
            match self.node(part) {
                Node::Kind(_) => sorts.kinds += 1,
                Node::MinMembers(_) | Node::MinItems(_) | Node::Contains(..) => sorts.counts += 1,
                Node::Order(_, 0) => sorts.orders += 1,
                Node::Not(_) => sorts.nots += 1,
                Node::And(_) | Node::Or(_) => sorts.joins += 1,
                _ => {}
            }
        }
        sorts
    }

    /// The parts without nested joins and units, sorted; `None` if one of them decides the whole.
    fn flatten(&self, all: bool, parts: &[FormulaId], unit: FormulaId, zero: FormulaId) -> Option<Vec<FormulaId>> {
        let mut flat = Vec::with_capacity(parts.len());
        for &part in parts {
            if part == zero {
                return None;
            }
            match self.node(part) {
                _ if part == unit => {}
                Node::And(inner) if all => flat.extend_from_slice(inner),
                Node::Or(inner) if !all => flat.extend_from_slice(inner),
                _ => flat.push(part),
            }
        }
        flat.sort_unstable();
        flat.dedup();
        Some(flat)
    }

    fn merge_kinds(&mut self, all: bool, flat: &mut Vec<FormulaId>) {
        let kinds: Vec<Kinds> = flat
            .iter()
            .filter_map(|&part| match *self.node(part) {
                Node::Kind(kinds) => Some(kinds),
                _ => None,
            })
            .collect();
        if kinds.len() > 1 {
            let merged = kinds[1..]
                .iter()
                .fold(kinds[0], |sum, &next| if all { sum.and(next) } else { sum.or(next) });
            flat.retain(|&part| !matches!(self.node(part), Node::Kind(_)));
            flat.push(self.kind(merged));
            flat.sort_unstable();
        }
    }

    /// Of several lower bounds on one count, *and* keeps the largest and *or* the smallest.
    fn merge_counts(&mut self, all: bool, flat: &mut Vec<FormulaId>) {
        let mut counts: Vec<(u8, FormulaId, u32, FormulaId)> = flat
            .iter()
            .filter_map(|&part| match *self.node(part) {
                Node::MinMembers(count) => Some((0, FormulaId::TRUE, count, part)),
                Node::MinItems(count) => Some((1, FormulaId::TRUE, count, part)),
                Node::Contains(schema, count) => Some((2, schema, count, part)),
                _ => None,
            })
            .collect();
        if counts.len() < 2 {
            return;
        }
        counts.sort_unstable();
        for pair in counts.windows(2) {
            if (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1) {
                let weaker = if all { pair[0].3 } else { pair[1].3 };
                flat.retain(|&part| part != weaker);
            }
        }
    }

    /// Of several orders that have not begun, the first one goes on with the names that only the others list.
    fn merge_orders(&mut self, flat: &mut Vec<FormulaId>) {
        let is_new = |part: &FormulaId| matches!(self.node(*part), Node::Order(_, 0));
        let new: Vec<FormulaId> = flat.iter().copied().filter(is_new).collect();
        if new.len() < 2 {
            return;
        }
        let mut names: Vec<NameId> = Vec::new();
        for part in &new {
            if let Node::Order(order, _) = *self.node(*part) {
                let more: Vec<NameId> = self.orders[order as usize]
                    .iter()
                    .copied()
                    .filter(|name| !names.contains(name))
                    .collect();
                names.extend(more);
            }
        }
        flat.retain(|part| !new.contains(part));
        flat.push(self.order(names));
        flat.sort_unstable();
    }

    fn contradicts(&self, flat: &[FormulaId]) -> bool {
        flat.iter()
            .any(|&part| matches!(*self.node(part), Node::Not(inner) if flat.binary_search(&inner).is_ok()))
    }

    /// `x and (x or y)` is `x`: without it the formulas of `anyOf` and `contains` grow with every item.
    fn absorb(&self, all: bool, flat: &mut Vec<FormulaId>) {
        let absorbed = |part: FormulaId, among: &[FormulaId]| match (self.node(part), all) {
            (Node::Or(inner), true) | (Node::And(inner), false) => inner.iter().any(|x| among.binary_search(x).is_ok()),
            _ => false,
        };
        if flat.iter().any(|&part| absorbed(part, flat)) {
            let among = flat.clone();
            flat.retain(|&part| !absorbed(part, &among));
        }
    }

    fn info_of_join(&self, all: bool, flat: &[FormulaId]) -> Info {
        let first = if all { Kinds::ALL } else { Kinds::NONE };
        let mut sum = Info {
            plain: first,
            never_plain: first.complement(),
            ..Info::default()
        };
        for &part in flat {
            let info = self.info(part);
            if all {
                sum.plain = sum.plain.and(info.plain);
                sum.never_plain = sum.never_plain.or(info.never_plain);
            } else {
                sum.plain = sum.plain.or(info.plain);
                sum.never_plain = sum.never_plain.and(info.never_plain);
            }
            join_flags(&mut sum, info);
        }
        sum.depth += 1;
        sum
    }

    /// Exactly one of `parts`: one node, since its expansion is quadratic and its normal form exponential.
    pub fn one(&mut self, parts: &[FormulaId]) -> FormulaId {
        let mut left: Vec<FormulaId> = parts.iter().copied().filter(|&part| part != FormulaId::FALSE).collect();
        left.sort_unstable();
        let trues = left.iter().filter(|&&part| part == FormulaId::TRUE).count();
        if trues > 1 || left.is_empty() {
            return FormulaId::FALSE;
        }
        if trues == 1 {
            let others: Vec<FormulaId> = left[1..].iter().map(|&part| self.not(part)).collect();
            return self.and(&others);
        }
        // Branches that became equal are never the only one.
        let twice: Vec<FormulaId> = left
            .windows(2)
            .filter(|pair| pair[0] == pair[1])
            .map(|pair| pair[0])
            .collect();
        if !twice.is_empty() {
            left.retain(|part| !twice.contains(part));
            let mut all: Vec<FormulaId> = twice.iter().map(|&part| self.not(part)).collect();
            all.push(self.one(&left));
            return self.and(&all);
        }
        if let [only] = left[..] {
            return only;
        }
        let info = self.info_of_one(&left);
        self.intern(Node::One(left.into()), info)
    }

    fn info_of_one(&self, parts: &[FormulaId]) -> Info {
        let mut sum = Info::default();
        let (mut known, mut some, mut several) = (Kinds::ALL, Kinds::NONE, Kinds::NONE);
        for &part in parts {
            let info = self.info(part);
            known = known.and(info.plain.or(info.never_plain));
            several = several.or(some.and(info.plain));
            some = some.or(info.plain);
            join_flags(&mut sum, info);
        }
        sum.plain = known.and(some).and(several.complement());
        sum.never_plain = several.or(known.and(some.complement()));
        sum.depth += 1;
        sum
    }

    pub fn text(&mut self, regex: RegexId, nullable: bool) -> FormulaId {
        match regex {
            RegexId::ANYTHING => FormulaId::TRUE,
            RegexId::NEVER => FormulaId::FALSE,
            _ => {
                let plain = if nullable { Kinds::STRING } else { Kinds::NONE };
                let info = Info {
                    plain,
                    never_plain: plain.complement(),
                    ..Info::default()
                };
                self.intern(Node::Text(regex), info)
            }
        }
    }

    /// A number atom; whether `0` satisfies it is left open.
    pub fn number(&mut self, atom: u32) -> FormulaId {
        let info = Info {
            never_plain: Kinds::NUMBER.complement(),
            ..Info::default()
        };
        self.intern(Node::Number(atom), info)
    }

    pub fn reference(&mut self, slot: u32) -> FormulaId {
        let info = Info {
            refers: true,
            ..Info::default()
        };
        self.intern(Node::Ref(slot), info)
    }

    pub fn value(&mut self, schema: FormulaId) -> FormulaId {
        if schema == FormulaId::TRUE || schema == FormulaId::FALSE {
            return schema;
        }
        let info = Info {
            asks: true,
            ..Info::default()
        };
        self.intern(Node::Value(schema), info)
    }

    pub fn has(&mut self, name: NameId) -> FormulaId {
        self.intern(Node::Has(name), plainly(Kinds::NONE))
    }

    pub fn min_members(&mut self, count: u32) -> FormulaId {
        match count {
            0 => FormulaId::TRUE,
            _ => self.intern(Node::MinMembers(count), plainly(Kinds::NONE)),
        }
    }

    pub fn min_items(&mut self, count: u32) -> FormulaId {
        match count {
            0 => FormulaId::TRUE,
            _ => self.intern(Node::MinItems(count), plainly(Kinds::NONE)),
        }
    }

    pub fn contains(&mut self, schema: FormulaId, count: u32) -> FormulaId {
        match (schema, count) {
            (_, 0) => FormulaId::TRUE,
            (FormulaId::FALSE, _) => FormulaId::FALSE,
            (FormulaId::TRUE, _) => self.min_items(count),
            _ => self.intern(Node::Contains(schema, count), plainly(Kinds::NONE)),
        }
    }

    /// Members in this order (names differ), others after them.
    pub fn order(&mut self, names: Vec<NameId>) -> FormulaId {
        let next = self.orders.len() as u32;
        let names: Arc<[NameId]> = names.into();
        let order = *self.order_ids.entry(names.clone()).or_insert(next);
        if order == next {
            let mut places: Vec<(NameId, u32)> = names.iter().zip(0..).map(|(&name, place)| (name, place)).collect();
            places.sort_unstable();
            self.places.push(places.into());
            self.orders.push(names);
        }
        self.order_from(order, 0)
    }

    /// An interned order of which the first `done` names have been passed.
    pub fn order_from(&mut self, order: u32, done: u32) -> FormulaId {
        self.intern(Node::Order(order, done), plainly(Kinds::OBJECT))
    }

    /// The place of a name in an order; behind the end for all others.
    pub fn place_in(&self, order: u32, name: NameId) -> u32 {
        let places = &self.places[order as usize];
        match places.binary_search_by_key(&name, |place| place.0) {
            Ok(at) => places[at].1,
            Err(_) => places.len() as u32,
        }
    }

    pub fn unique(&mut self, seen: SetId) -> FormulaId {
        self.intern(Node::Unique(seen), plainly(Kinds::ARRAY))
    }

    pub fn unique_open(&mut self, seen: SetId) -> FormulaId {
        let info = Info {
            opens: true,
            ..plainly(Kinds::ARRAY)
        };
        self.intern(Node::UniqueOpen(seen), info)
    }

    pub fn names(&mut self, schema: FormulaId) -> FormulaId {
        match schema {
            FormulaId::TRUE => FormulaId::TRUE,
            _ => self.intern(Node::Names(schema), plainly(Kinds::OBJECT)),
        }
    }

    pub fn members(&mut self, mut members: Members) -> FormulaId {
        if members.other == FormulaId::TRUE && members.patterns.is_empty() {
            let kept = members.names.iter().filter(|entry| entry.1 != FormulaId::TRUE).count();
            if kept == 0 {
                return FormulaId::TRUE;
            }
        }
        members.names = sorted(members.names, |entry: &(NameId, FormulaId)| entry.0);
        let index = match self.member_ids.get(&members) {
            Some(&index) => index,
            None => {
                let shared = Arc::new(members);
                self.members.push(shared.clone());
                self.member_ids.insert(shared, self.members.len() as u32 - 1);
                self.members.len() as u32 - 1
            }
        };
        self.intern(Node::Members(index), plainly(Kinds::OBJECT))
    }

    pub fn items(&mut self, prefix: &[FormulaId], rest: FormulaId) -> FormulaId {
        let used = prefix.iter().rposition(|&item| item != rest).map_or(0, |last| last + 1);
        let list = match self.list_ids.get(&prefix[..used]) {
            Some(&list) => list,
            None => {
                let shared: Arc<[FormulaId]> = prefix[..used].into();
                self.lists.push(shared.clone());
                self.list_ids.insert(shared, self.lists.len() as u32 - 1);
                self.lists.len() as u32 - 1
            }
        };
        self.items_left(list, 0, rest)
    }

    /// `items` of an interned prefix of which `done` items have been read.
    pub fn items_left(&mut self, list: u32, done: u32, rest: FormulaId) -> FormulaId {
        let (list, done) = if self.lists[list as usize].len() as u32 <= done {
            if rest == FormulaId::TRUE {
                return FormulaId::TRUE;
            }
            (u32::MAX, 0)
        } else {
            (list, done)
        };
        self.intern(Node::Items { list, done, rest }, plainly(Kinds::ARRAY))
    }

    /// What is asked of the item `position` places on.
    pub fn item_at(&self, list: u32, done: u32, rest: FormulaId, position: usize) -> FormulaId {
        if list == u32::MAX {
            return rest;
        }
        let list = &self.lists[list as usize];
        list.get(done as usize + position).copied().unwrap_or(rest)
    }

    /// How many items of the prefix are left.
    pub fn prefix_left(&self, list: u32, done: u32) -> usize {
        if list == u32::MAX {
            0
        } else {
            self.lists[list as usize].len() - done as usize
        }
    }

    /// Branches that died cover nothing; a branch that covers everything and holds leaves nothing to check.
    pub fn unevaluated_members(&mut self, schema: FormulaId, branches: Vec<(MemberCover, FormulaId)>) -> FormulaId {
        let kept = dedup(branches.into_iter().filter(|branch| branch.1 != FormulaId::FALSE));
        if schema == FormulaId::TRUE || kept.iter().any(|(cover, holds)| cover.all && *holds == FormulaId::TRUE) {
            return FormulaId::TRUE;
        }
        let info = self.info_of_unevaluated(Kinds::OBJECT, kept.iter().map(|branch| branch.1));
        let table = Unevaluated {
            schema,
            branches: kept.into(),
        };
        let index = match self.member_cover_ids.get(&table) {
            Some(&index) => index,
            None => {
                let shared = Arc::new(table);
                self.member_covers.push(shared.clone());
                self.member_cover_ids.insert(shared, self.member_covers.len() as u32 - 1);
                self.member_covers.len() as u32 - 1
            }
        };
        self.intern(Node::UnevaluatedMembers(index), info)
    }

    /// As [`Formulas::unevaluated_members`], for items.
    pub fn unevaluated_items(&mut self, schema: FormulaId, branches: Vec<(ItemCover, FormulaId)>) -> FormulaId {
        let useful = |branch: &(ItemCover, FormulaId)| branch.1 != FormulaId::FALSE && branch.0 != ItemCover::First(0);
        let kept = dedup(branches.into_iter().filter(useful));
        let covered = kept
            .iter()
            .any(|(cover, holds)| *cover == ItemCover::All && *holds == FormulaId::TRUE);
        if schema == FormulaId::TRUE || covered {
            return FormulaId::TRUE;
        }
        let info = self.info_of_unevaluated(Kinds::ARRAY, kept.iter().map(|branch| branch.1));
        let table = Unevaluated {
            schema,
            branches: kept.into(),
        };
        let index = match self.item_cover_ids.get(&table) {
            Some(&index) => index,
            None => {
                let shared = Arc::new(table);
                self.item_covers.push(shared.clone());
                self.item_cover_ids.insert(shared, self.item_covers.len() as u32 - 1);
                self.item_covers.len() as u32 - 1
            }
        };
        self.intern(Node::UnevaluatedItems(index), info)
    }

    fn info_of_unevaluated(&self, kind: Kinds, branches: impl Iterator<Item = FormulaId>) -> Info {
        let mut sum = plainly(kind);
        for branch in branches {
            join_flags(&mut sum, self.info(branch));
        }
        sum.depth += 1;
        sum
    }
}

fn join_flags(sum: &mut Info, part: Info) {
    sum.asks |= part.asks;
    sum.opens |= part.opens;
    sum.refers |= part.refers;
    sum.depth = sum.depth.max(part.depth);
}

fn sorted<T: Clone, K: Ord>(list: Box<[T]>, key: impl Fn(&T) -> K) -> Box<[T]> {
    let mut list = list.into_vec();
    list.sort_by_key(key);
    list.into()
}

fn dedup<T: PartialEq>(parts: impl Iterator<Item = T>) -> Vec<T> {
    let mut out: Vec<T> = Vec::new();
    for part in parts {
        if !out.contains(&part) {
            out.push(part);
        }
    }
    out
}
