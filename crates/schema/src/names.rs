//! Member names: interned texts, sets of seen names, and shapes (the names that a record can tell apart).
use crate::formula::{room_for, FIRST_ROOM};
use crate::sets::GrowingSets;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// An interned member name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameId(pub(crate) u32);

/// An interned set of member names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeenId(pub u32);

impl SeenId {
    /// No name seen.
    pub const EMPTY: SeenId = SeenId(GrowingSets::<NameId, CHUNK>::EMPTY);
}

/// An interned [`Shape`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShapeId(pub u32);

/// The names that a record can tell apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Sorted by code points, distinct.
    pub names: Vec<String>,
    pub(crate) ids: Box<[NameId]>,
}

/// How many names a seen set lists before it refers to another set for the rest.
const CHUNK: usize = 48;

/// The interned names, seen sets and shapes.
pub(crate) struct NameTable {
    texts: Vec<Arc<str>>,
    ids: FxHashMap<Arc<str>, NameId>,
    seen: GrowingSets<NameId, CHUNK>,
    shapes: Vec<Arc<Shape>>,
    shape_ids: FxHashMap<Box<[NameId]>, ShapeId>,
}

impl NameTable {
    pub fn new() -> NameTable {
        NameTable {
            texts: Vec::with_capacity(FIRST_ROOM),
            ids: room_for(FIRST_ROOM),
            seen: GrowingSets::new(),
            shapes: Vec::new(),
            shape_ids: FxHashMap::default(),
        }
    }

    pub fn intern(&mut self, text: &str) -> NameId {
        if let Some(&id) = self.ids.get(text) {
            return id;
        }
        let id = NameId(self.texts.len() as u32);
        let shared: Arc<str> = text.into();
        self.texts.push(shared.clone());
        self.ids.insert(shared, id);
        id
    }

    pub fn find(&self, text: &str) -> Option<NameId> {
        self.ids.get(text).copied()
    }

    pub fn text(&self, name: NameId) -> &Arc<str> {
        &self.texts[name.0 as usize]
    }

    /// The set with one more name. Cost: linear in [`CHUNK`].
    pub fn see(&mut self, seen: SeenId, name: NameId) -> SeenId {
        SeenId(self.seen.with(seen.0, name))
    }

    pub fn is_seen(&self, seen: SeenId, name: NameId) -> bool {
        self.chunks(seen).any(|names| names.binary_search(&name).is_ok())
    }

    /// The names of a set, in chunks of sorted ones.
    pub fn chunks(&self, seen: SeenId) -> impl Iterator<Item = &[NameId]> {
        self.seen.chunks(seen.0).map(|chunk| self.seen.own(chunk))
    }

    pub fn seen_names(&self, seen: SeenId) -> Vec<NameId> {
        self.chunks(seen).flatten().copied().collect()
    }

    /// The shape of these names, given in any order, repeated or not.
    pub fn intern_shape(&mut self, mut names: Vec<NameId>) -> ShapeId {
        names.sort_unstable();
        names.dedup();
        let key: Box<[NameId]> = names.into();
        if let Some(&id) = self.shape_ids.get(&key) {
            return id;
        }
        let mut ids = key.to_vec();
        ids.sort_unstable_by(|a, b| self.texts[a.0 as usize].cmp(&self.texts[b.0 as usize]));
        let shape = Shape {
            names: ids.iter().map(|id| self.texts[id.0 as usize].to_string()).collect(),
            ids: ids.into(),
        };
        let id = ShapeId(self.shapes.len() as u32);
        self.shapes.push(Arc::new(shape));
        self.shape_ids.insert(key, id);
        id
    }

    pub fn shape(&self, id: ShapeId) -> &Arc<Shape> {
        &self.shapes[id.0 as usize]
    }

    pub fn memory_usage(&self) -> usize {
        let texts: usize = self.texts.iter().map(|text| text.len() + 64).sum();
        let shapes: usize = self.shapes.iter().map(|shape| 48 * shape.names.len() + 64).sum();
        texts + self.seen.memory_usage() + shapes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seen_sets_are_sets() {
        let mut table = NameTable::new();
        let names: Vec<NameId> = (0..200).map(|i| table.intern(&format!("n{i}"))).collect();
        let forward = names[..20].iter().fold(SeenId::EMPTY, |seen, &name| table.see(seen, name));
        let backward = names[..20]
            .iter()
            .rev()
            .fold(SeenId::EMPTY, |seen, &name| table.see(seen, name));
        assert_eq!(forward, backward);
        let all = names.iter().fold(SeenId::EMPTY, |seen, &name| table.see(seen, name));
        assert!(names.iter().all(|&name| table.is_seen(all, name)));
        assert!(!table.is_seen(forward, names[20]));
        assert_eq!(table.seen_names(all).len(), 200);
    }

    #[test]
    fn shapes_are_sorted_by_code_points() {
        let mut table = NameTable::new();
        let names: Vec<NameId> = ["z", "\u{10000}", "a", "\u{ffff}"]
            .iter()
            .map(|text| table.intern(text))
            .collect();
        let shape = table.intern_shape(names);
        assert_eq!(table.shape(shape).names, ["a", "z", "\u{ffff}", "\u{10000}"]);
    }
}
