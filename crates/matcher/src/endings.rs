//! The declared names that one token can end.
//!
//! Inside a name of an object that takes any other name too, declared names only matter to the tokens that end them: those
//! that spell what is left of a name, and its closing quote. Most names are too long for that most of the time. So the mask
//! there is a function of what is left of the few that are not, and of what the object says of these: the mask's memory keeps
//! it under the list of these *endings*, and its questions name a member by its place in the list
//! ([`crate::question::FIRST_ENDING`]), whichever names of whichever object these are.
use crate::control::Key;
use crate::question::Paths;
use crate::vocabulary::StringTable;
use penstock_schema::{SchemaMachine, ShapeId};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// The declared names that one token can end, inside a name.
#[derive(Clone, Debug, Default)]
pub struct Endings {
    /// The number of the list of what is left of them; 0 if there are none.
    pub list: u32,
    /// The names, as [`Paths::name`] knows them, in their order.
    pub names: Arc<[u32]>,
}

/// All that were asked for.
#[derive(Default)]
pub struct EndingLists {
    /// By shape, names `.1 .. .2` of it, and how much of them was read.
    known: FxHashMap<(ShapeId, u32, u32, u32), Endings>,
    lists: FxHashMap<Arc<[Box<str>]>, u32>,
    /// The lists by their numbers, the first of which is 1.
    texts: Vec<Arc<[Box<str>]>>,
}

impl EndingLists {
    /// The names among those of `key` that a token of `table` can end. Cost: remembered.
    pub fn of(&mut self, key: &Key, table: &StringTable, schemas: &SchemaMachine, paths: &mut Paths) -> Endings {
        let place = (key.shape, key.low, key.high, key.depth);
        if let Some(known) = self.known.get(&place) {
            return known.clone();
        }
        let names = &schemas.shape(key.shape).names[key.low as usize..key.high as usize];
        let left = |name: &'_ String| -> Box<str> { name[key.depth as usize..].into() };
        let ended = names
            .iter()
            .filter(|name| table.by_content.contains_key(&name[key.depth as usize..]));
        let (names, list): (Vec<u32>, Vec<Box<str>>) = ended.map(|name| (paths.name_id(name), left(name))).unzip();
        let endings = Endings {
            list: self.number_of(list),
            names: names.into(),
        };
        self.known.insert(place, endings.clone());
        endings
    }

    fn number_of(&mut self, list: Vec<Box<str>>) -> u32 {
        if list.is_empty() {
            return 0;
        }
        let list: Arc<[Box<str>]> = list.into();
        *self.lists.entry(list.clone()).or_insert_with(|| {
            self.texts.push(list);
            self.texts.len() as u32
        })
    }

    /// What is left of the names of a list that is not empty.
    pub fn texts(&self, list: u32) -> &[Box<str>] {
        &self.texts[list as usize - 1]
    }

    /// Heap memory in bytes, approximately.
    pub fn memory_usage(&self) -> usize {
        let names: usize = self.known.values().map(|endings| 4 * endings.names.len() + 64).sum();
        let lists = self.texts.iter().flat_map(|list| list.iter()).map(|left| left.len() + 32);
        names + lists.sum::<usize>()
    }
}
