//! The machine: interned asks and records, and the doors that open, feed and close values.
//!
//! A value is *asked* something ([`AskId`]); an open object or array is a *record* ([`RecordId`]) that every event replaces.
//! Both are ids of immutable terms, so states can be kept, compared and resumed at will. Everything is remembered.
use crate::formula::{room_for, Event, FormulaId, Formulas, Memo, FIRST_ROOM};
use crate::identity::{ValueId, Values};
use crate::kinds::Kinds;
use crate::limits::Limits;
use crate::names::{NameId, NameTable, SeenId, Shape, ShapeId};
use crate::number::{NumberFormula, NumberSpec, Numbers};
use crate::search::{Plan, Search};
use penstock_automata::{Limit, RegexId, Regexes};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// What is asked of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AskId(pub u32);

/// What an open object or array still has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId(pub u32);

/// An interned [`Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NamesId(pub u32);

/// Which of the asked schemas a finished value satisfied, bit by bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Verdicts(pub u64);

impl Verdicts {
    /// The verdicts of an ask that only demands that its schema holds.
    pub const TRUE: Verdicts = Verdicts(0);
}

/// With which verdicts the caller can still go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Goal {
    /// With any (nearly always: nothing is asked beside what must hold).
    Free,
    /// With those whose bit is set: bit `v` stands for the verdicts `v` of at most [`WIDE`] asked schemas.
    Table(u16),
    /// With those that keep this record, which waits for them, live: searched jointly with it.
    Joint(RecordId, SeenId),
}

/// Goals over more verdicts than this are not tabulated.
pub(crate) const WIDE: usize = 4;

/// What is asked of a value: `must` holds, and the verdicts of `asked` are reported and meet `goal`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ask {
    pub must: FormulaId,
    pub asked: Box<[FormulaId]>,
    pub goal: Goal,
}

/// An open container: its ask with what is left of each formula, and the schemas asked of the value that is being read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    pub kind: Kinds,
    pub must: FormulaId,
    pub asked: Box<[FormulaId]>,
    pub goal: Goal,
    pub questions: Box<[FormulaId]>,
}

/// Which names may come next in an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Names {
    /// The names that the record tells apart.
    pub shape: ShapeId,
    /// Bit `i` of the words: the name `i` of the shape may come.
    pub available: Box<[u64]>,
    /// The other texts that may be a name, the shape's own and the seen ones not taken out; `NEVER` if none.
    pub others: RegexId,
}

/// A member that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// What its value is asked.
    pub ask: AskId,
    /// The names seen, this one among them.
    pub seen: SeenId,
    /// What the object is afterwards.
    pub next: Next,
    /// The name.
    pub name: NameId,
}

/// An item that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Item {
    /// What it is asked.
    pub ask: AskId,
    /// What the array is afterwards.
    pub next: Next,
    /// Whether [`SchemaMachine::resume`] wants the item itself, since later ones may have to differ from it.
    pub keep: bool,
}

/// What a container is after the value that was opened in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Next {
    /// This record: the value's verdict is known beforehand.
    Record(RecordId),
    /// What [`SchemaMachine::resume`] makes of this record and the value's verdicts.
    Pending(RecordId),
}

/// What a string must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StringAsk {
    /// The texts allowed, decoded. `ANYTHING` if only the length is bounded.
    pub goal: RegexId,
    /// In characters; 0 where `goal` tells the length.
    pub min_length: u32,
    /// In characters; `u32::MAX` where there is no bound, or where `goal` tells the length.
    pub max_length: u32,
    /// The asked schemas as languages; the caller follows each and hands the states reached to
    /// [`SchemaMachine::string_verdicts`].
    pub parts: Vec<RegexId>,
}

/// The verdict machine of any number of schemas. Ids depend only on the order of the calls.
pub struct SchemaMachine {
    /// The languages of strings and names.
    pub regexes: Regexes,
    /// The machines of numbers.
    pub numbers: Numbers,
    /// The named limits of this machine.
    pub limits: Limits,
    pub(crate) formulas: Formulas,
    pub(crate) names: NameTable,
    pub(crate) values: Values,
    /// The formula of every `$ref` target.
    pub(crate) slots: Vec<FormulaId>,
    pub(crate) number_atoms: Vec<NumberFormula>,
    pub(crate) number_ids: FxHashMap<NumberFormula, u32>,
    /// The words of languages that were given as lists.
    pub(crate) word_lists: FxHashMap<RegexId, Arc<[Box<str>]>>,
    pub(crate) by_kind: FxHashMap<(FormulaId, Kinds), FormulaId>,
    pub(crate) nesting: u32,
    pub(crate) fuel: u32,
    pub(crate) asks: Vec<Arc<Ask>>,
    ask_ids: FxHashMap<Arc<Ask>, AskId>,
    pub(crate) records: Vec<Arc<Record>>,
    record_ids: FxHashMap<Arc<Record>, RecordId>,
    names_answers: Vec<Names>,
    names_ids: FxHashMap<Names, NamesId>,
    pub(crate) search: Search,
    pub(crate) memo: Memos,
}

/// Answers that were given, by question.
#[derive(Default)]
pub(crate) struct Memos {
    pub kinds: FxHashMap<AskId, Kinds>,
    pub strings: FxHashMap<AskId, Option<Arc<StringAsk>>>,
    pub numbers: FxHashMap<AskId, Option<NumberSpec>>,
    pub opened: FxHashMap<(AskId, Kinds), Option<RecordId>>,
    pub names: FxHashMap<(RecordId, SeenId), NamesId>,
    pub takes: FxHashMap<(RecordId, SeenId, NameId), Option<Member>>,
    pub class_takes: FxHashMap<(RecordId, SeenId, RegexId), Option<Member>>,
    /// A name of each class that was asked for, the last one.
    pub class_names: FxHashMap<RegexId, NameId>,
    pub resumed: FxHashMap<(RecordId, Verdicts, Option<ValueId>), RecordId>,
    pub tables: FxHashMap<(RecordId, SeenId), u16>,
    pub provisos: FxHashMap<(RecordId, Verdicts), FormulaId>,
    pub contrary: FxHashMap<RecordId, bool>,
    pub spare: FxHashMap<RecordId, bool>,
    pub supplies: FxHashMap<FormulaId, crate::search::Supply>,
    pub closes: FxHashMap<(RecordId, SeenId), Option<Verdicts>>,
    pub items: FxHashMap<RecordId, Option<Item>>,
    pub texts: FxHashMap<FormulaId, RegexId>,
    pub known: FxHashMap<FormulaId, bool>,
    pub plans: FxHashMap<FormulaId, Arc<Plan>>,
    pub live: FxHashMap<(Kinds, FormulaId, SeenId), bool>,
    pub joint: FxHashMap<(RecordId, SeenId), bool>,
    pub matches: FxHashMap<(RegexId, NameId), bool>,
    pub classes: FxHashMap<Box<[RegexId]>, Arc<[crate::classes::Class]>>,
    pub discriminators: FxHashMap<FormulaId, Arc<crate::classes::Discriminators>>,
    pub plain: FxHashMap<FormulaId, Option<Arc<crate::objects::Plain>>>,
    pub patterns: FxHashMap<Box<str>, Result<RegexId, crate::texts_of::PatternError>>,
    pub formats: FxHashMap<Box<str>, Result<Option<RegexId>, crate::texts_of::PatternError>>,
    pub facts: FxHashMap<crate::objects::FactsKey, Arc<crate::objects::MemberFacts>>,
}

impl Default for SchemaMachine {
    fn default() -> Self {
        Self::new()
    }
}

impl SchemaMachine {
    /// A machine without schemas.
    pub fn new() -> SchemaMachine {
        SchemaMachine {
            regexes: Regexes::new(),
            numbers: Numbers::new(),
            limits: Limits::default(),
            formulas: Formulas::new(),
            names: NameTable::new(),
            values: Values::new(),
            slots: Vec::new(),
            number_atoms: Vec::new(),
            number_ids: FxHashMap::default(),
            word_lists: FxHashMap::default(),
            by_kind: room_for(FIRST_ROOM),
            nesting: 0,
            fuel: 0,
            asks: Vec::new(),
            ask_ids: FxHashMap::default(),
            records: Vec::new(),
            record_ids: FxHashMap::default(),
            names_answers: Vec::new(),
            names_ids: FxHashMap::default(),
            search: Search::default(),
            memo: Memos::default(),
        }
    }

    pub(crate) fn intern_ask(&mut self, ask: Ask) -> AskId {
        if let Some(&id) = self.ask_ids.get(&ask) {
            return id;
        }
        let (id, shared) = (AskId(self.asks.len() as u32), Arc::new(ask));
        self.asks.push(shared.clone());
        self.ask_ids.insert(shared, id);
        id
    }

    pub(crate) fn must_hold(&mut self, must: FormulaId) -> AskId {
        self.intern_ask(Ask {
            must,
            asked: Box::default(),
            goal: Goal::Free,
        })
    }

    pub(crate) fn intern_record(&mut self, record: Record) -> RecordId {
        if let Some(&id) = self.record_ids.get(&record) {
            return id;
        }
        let (id, shared) = (RecordId(self.records.len() as u32), Arc::new(record));
        self.records.push(shared.clone());
        self.record_ids.insert(shared, id);
        id
    }

    pub(crate) fn intern_names(&mut self, names: Names) -> NamesId {
        if let Some(&id) = self.names_ids.get(&names) {
            return id;
        }
        let id = NamesId(self.names_answers.len() as u32);
        self.names_answers.push(names.clone());
        self.names_ids.insert(names, id);
        id
    }

    pub(crate) fn ask(&self, id: AskId) -> Arc<Ask> {
        self.asks[id.0 as usize].clone()
    }

    /// Whether a value only has to satisfy its schema: no verdict of it is wanted.
    pub fn is_plain_ask(&self, id: AskId) -> bool {
        let ask = &self.asks[id.0 as usize];
        ask.asked.is_empty() && ask.goal == Goal::Free
    }

    pub(crate) fn record(&self, id: RecordId) -> Arc<Record> {
        self.records[id.0 as usize].clone()
    }

    /// The answer behind an id.
    pub fn names_view(&self, id: NamesId) -> &Names {
        &self.names_answers[id.0 as usize]
    }

    /// The names behind an id.
    pub fn shape(&self, id: ShapeId) -> &Shape {
        self.names.shape(id)
    }

    /// Whether `name` was seen.
    pub fn other_is_seen(&self, seen: SeenId, name: &str) -> bool {
        self.names.find(name).is_some_and(|name| self.names.is_seen(seen, name))
    }

    /// The seen names that are not in the shape, in no particular order.
    pub fn seen_others(&self, seen: SeenId, shape: ShapeId) -> Vec<&str> {
        let named = &self.names.shape(shape).ids;
        let names = self.names.chunks(seen).flatten().filter(|name| !named.contains(name));
        names.map(|&name| &**self.names.text(name)).collect()
    }

    /// The kinds of value that can answer the ask with a verdict that lets the whole document go on.
    ///
    /// # Errors
    /// Any named limit of the machine or its regexes.
    pub fn kinds(&mut self, ask: AskId) -> Result<Kinds, Limit> {
        if let Some(&kinds) = self.memo.kinds.get(&ask) {
            return Ok(kinds);
        }
        let mut found = Kinds::NONE;
        for kind in Kinds::EACH {
            let possible = match kind {
                Kinds::NUMBER => self.number(ask)?.is_some(),
                Kinds::STRING => self.string(ask)?.is_some(),
                Kinds::ARRAY => self.open_array(ask)?.is_some(),
                Kinds::OBJECT => self.open_object(ask)?.is_some(),
                _ => self.literal(ask, kind)?.is_some(),
            };
            if possible {
                found = found.or(kind);
            }
        }
        self.memo.kinds.insert(ask, found);
        Ok(found)
    }

    /// Opens an object: its record, or `None` if no object can answer.
    ///
    /// # Errors
    /// As [`SchemaMachine::kinds`].
    pub fn open_object(&mut self, ask: AskId) -> Result<Option<RecordId>, Limit> {
        self.open(ask, Kinds::OBJECT)
    }

    /// Opens an array: its record, or `None` if no array can answer.
    ///
    /// # Errors
    /// As [`SchemaMachine::kinds`].
    pub fn open_array(&mut self, ask: AskId) -> Result<Option<RecordId>, Limit> {
        self.open(ask, Kinds::ARRAY)
    }

    fn open(&mut self, ask: AskId, kind: Kinds) -> Result<Option<RecordId>, Limit> {
        if let Some(&known) = self.memo.opened.get(&(ask, kind)) {
            return Ok(known);
        }
        self.refuel();
        let asked = self.ask(ask);
        let must = self.at_kind(asked.must, kind)?;
        let mut parts = Vec::with_capacity(asked.asked.len());
        for &part in asked.asked.iter() {
            parts.push(self.at_kind(part, kind)?);
        }
        let record = self.intern_record(Record {
            kind,
            must,
            asked: parts.into(),
            goal: asked.goal,
            questions: Box::default(),
        });
        let opened = self.is_live(record, SeenId::EMPTY)?.then_some(record);
        self.memo.opened.insert((ask, kind), opened);
        Ok(opened)
    }

    /// The verdicts of the container if it ends here, or `None` if it may not.
    ///
    /// # Errors
    /// As [`SchemaMachine::kinds`].
    pub fn close(&mut self, record: RecordId, seen: SeenId) -> Result<Option<Verdicts>, Limit> {
        if let Some(&known) = self.memo.closes.get(&(record, seen)) {
            return Ok(known);
        }
        self.refuel();
        let open = self.record(record);
        let holds = |part: &FormulaId| self.formulas.info(*part).plain.has(open.kind);
        let verdicts = Verdicts(bits(open.asked.iter().map(holds)));
        let may = holds(&open.must) && self.goal_allows(open.goal, verdicts)?;
        let answer = may.then_some(verdicts);
        self.memo.closes.insert((record, seen), answer);
        Ok(answer)
    }

    /// Whether the caller can go on with these verdicts.
    pub(crate) fn goal_allows(&mut self, goal: Goal, verdicts: Verdicts) -> Result<bool, Limit> {
        match goal {
            Goal::Free => Ok(true),
            Goal::Table(table) => Ok(table >> verdicts.0 & 1 == 1),
            Goal::Joint(pending, seen) => {
                let resumed = self.resume(pending, verdicts, None)?;
                self.is_live(resumed, seen)
            }
        }
    }

    /// What a record that waits for a value becomes when the value's verdicts are known.
    ///
    /// # Errors
    /// As [`SchemaMachine::kinds`].
    pub fn resume(&mut self, pending: RecordId, verdicts: Verdicts, value: Option<ValueId>) -> Result<RecordId, Limit> {
        if let Some(&known) = self.memo.resumed.get(&(pending, verdicts, value)) {
            return Ok(known);
        }
        let waiting = self.record(pending);
        let answers: Vec<(FormulaId, bool)> = waiting
            .questions
            .iter()
            .enumerate()
            .map(|(i, &question)| (question, verdicts.0 >> i & 1 == 1))
            .collect();
        let (mut answered, mut ended) = (Memo::default(), Memo::default());
        let mut after = |part: FormulaId| {
            let part = self.rewrite(part, Event::Answer(&answers), &mut answered)?;
            self.rewrite(part, Event::Ended(value), &mut ended)
        };
        let must = after(waiting.must)?;
        let mut asked = Vec::with_capacity(waiting.asked.len());
        for &part in waiting.asked.iter() {
            asked.push(after(part)?);
        }
        let resumed = self.intern_record(Record {
            kind: waiting.kind,
            must,
            asked: asked.into(),
            goal: waiting.goal,
            questions: Box::default(),
        });
        self.memo.resumed.insert((pending, verdicts, value), resumed);
        Ok(resumed)
    }

    /// Whether the record waits for the value itself, not only for verdicts on it.
    pub(crate) fn opens(&self, record: &Record) -> bool {
        std::iter::once(&record.must)
            .chain(record.asked.iter())
            .any(|&part| self.formulas.info(part).opens)
    }

    /// Fuel for one question about liveness.
    pub(crate) fn refuel(&mut self) {
        self.fuel = self.limits.max_emptiness_states;
    }

    pub(crate) fn burn(&mut self) -> Result<(), Limit> {
        self.fuel = self
            .fuel
            .checked_sub(1)
            .ok_or_else(|| self.limits.error("max_emptiness_states"))?;
        Ok(())
    }

    pub(crate) fn check_depth(&mut self) -> Result<(), Limit> {
        if std::mem::take(&mut self.formulas.too_deep) {
            return Err(self.limits.error("max_formula_depth"));
        }
        Ok(())
    }

    /// Heap memory in bytes, approximately.
    pub fn memory_usage(&self) -> usize {
        let asks = self.asks.len() * 160 + self.records.len() * 200;
        let takes = self.memo.takes.len() + self.memo.class_takes.len();
        let memos = takes * 48 + self.memo.names.len() * 24 + self.memo.known.len() * 24;
        let ids = self.names.memory_usage() + self.values.memory_usage();
        self.regexes.memory_usage() + self.formulas.memory_usage() + ids + asks + memos
    }

    /// What is asked, for debugging.
    pub fn describe(&self, ask: AskId) -> String {
        let ask = self.ask(ask);
        let asked: Vec<String> = ask.asked.iter().map(|&part| self.show(part)).collect();
        format!(
            "must {} asked [{}] goal {:?}",
            self.show(ask.must),
            asked.join(", "),
            ask.goal
        )
    }

    /// What is left of an open container, for debugging.
    pub fn describe_record(&self, record: RecordId) -> String {
        let record = self.record(record);
        let asked: Vec<String> = record.asked.iter().map(|&part| self.show(part)).collect();
        format!(
            "must {} asked [{}] goal {:?}",
            self.show(record.must),
            asked.join(", "),
            record.goal
        )
    }

    fn show(&self, formula: FormulaId) -> String {
        format!("f{}={:?}", formula.0, self.formulas.node(formula))
    }
}

/// Truth values as bits, the first the lowest.
pub(crate) fn bits(values: impl Iterator<Item = bool>) -> u64 {
    values.enumerate().map(|(i, value)| u64::from(value) << i).sum()
}
