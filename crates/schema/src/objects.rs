//! Open objects: which names may come next, and what taking one does.
//!
//! A record that is a plain conjunction (`properties`, `required`, `additionalProperties`, counts of members) answers from
//! facts of its member tables, computed once per table and shared by all its records: no search. Any other record is asked
//! name by name, and class by class for the names that it does not spell out.
use crate::classes::Class;
use crate::formula::{Event, FormulaId, Node};
use crate::kinds::Kinds;
use crate::machine::{Goal, Member, Names, NamesId, Record, RecordId, SchemaMachine};
use crate::names::{NameId, SeenId, ShapeId};
use crate::search::ObjectGoal;
use penstock_automata::{Limit, RegexId};
use std::sync::Arc;

/// A record that is a conjunction of positive atoms and bounds on the number of members.
pub(crate) struct Plain {
    goal: ObjectGoal,
    facts: Arc<MemberFacts>,
    need: Box<[u64]>,
}

/// What decides about names, whatever is still required: member tables, rules of names, names spelt out beside theirs.
pub(crate) type FactsKey = (Box<[FormulaId]>, Box<[FormulaId]>, Box<[NameId]>);

/// Names of some member tables, and whether a member of that name could be written at all.
pub(crate) struct MemberFacts {
    shape: ShapeId,
    /// The names of the shape by id.
    named: Box<[NameId]>,
    possible: Box<[u64]>,
    others: RegexId,
    /// The languages that tell the other names apart; none where all that could be written are of one class.
    patterns: Arc<[RegexId]>,
}

impl SchemaMachine {
    /// Which names may come next.
    ///
    /// # Errors
    /// Any named limit.
    pub fn names(&mut self, record: RecordId, seen: SeenId) -> Result<NamesId, Limit> {
        if let Some(&known) = self.memo.names.get(&(record, seen)) {
            return Ok(known);
        }
        self.refuel();
        let open = self.record(record);
        let names = match self.plain(&open)? {
            Some(plain) => self.plain_names(&plain, seen),
            None => self.searched_names(record, &open, seen)?,
        };
        let id = self.intern_names(names);
        self.memo.names.insert((record, seen), id);
        Ok(id)
    }

    /// The languages that tell apart the names which the shape does not hold: names that match the same of them are treated
    /// alike. None where all such names are. Sorted, distinct.
    ///
    /// # Errors
    /// Any named limit.
    pub fn name_patterns(&mut self, record: RecordId) -> Result<Arc<[RegexId]>, Limit> {
        let open = self.record(record);
        if let Some(plain) = self.plain(&open)? {
            return Ok(plain.facts.patterns.clone());
        }
        let mut patterns = Vec::new();
        for &formula in std::iter::once(&open.must).chain(open.asked.iter()) {
            patterns.extend_from_slice(&self.discriminators(formula)?.patterns);
        }
        patterns.sort_unstable();
        patterns.dedup();
        Ok(patterns.into())
    }

    fn plain(&mut self, open: &Record) -> Result<Option<Arc<Plain>>, Limit> {
        if open.goal != Goal::Free || !open.asked.is_empty() {
            return Ok(None);
        }
        if let Some(known) = self.memo.plain.get(&open.must) {
            return Ok(known.clone());
        }
        let found = self.analyse(open.must)?.map(Arc::new);
        self.memo.plain.insert(open.must, found.clone());
        Ok(found)
    }

    fn analyse(&mut self, must: FormulaId) -> Result<Option<Plain>, Limit> {
        let parts: Vec<FormulaId> = match self.formulas.node(must) {
            Node::And(parts) => parts.to_vec(),
            Node::True => Vec::new(),
            _ => vec![must],
        };
        let mut literals = Vec::with_capacity(parts.len());
        for part in parts {
            literals.push(match *self.formulas.node(part) {
                Node::Has(_) | Node::Members(_) | Node::MinMembers(_) | Node::Names(_) | Node::Order(..) => (part, true),
                Node::Not(inner) if matches!(self.formulas.node(inner), Node::Has(_) | Node::MinMembers(_)) => (inner, false),
                _ => return Ok(None),
            });
        }
        let goal = self.object_goal(&literals);
        // A name that is passed over is lost: where members are counted, that takes a search.
        if goal.orders.len() > 1 || !goal.orders.is_empty() && goal.low > 0 {
            return Ok(None);
        }
        let facts = self.member_facts(&goal)?;
        let shape = self.names.shape(facts.shape).clone();
        let mut needed = goal.need.clone();
        needed.sort_unstable();
        let need = bit_words(shape.ids.iter().map(|name| needed.binary_search(name).is_ok()));
        Ok(Some(Plain { goal, facts, need }))
    }

    /// Names that are required or forbidden stand in the member tables nearly always: then the facts are those of the tables,
    /// however much is still required.
    fn member_facts(&mut self, goal: &ObjectGoal) -> Result<Arc<MemberFacts>, Limit> {
        let facts = self.facts_beside(goal, Vec::new())?;
        let mut beside: Vec<NameId> = goal.need.iter().chain(&goal.forbidden).copied().collect();
        for &(order, _) in &goal.orders {
            beside.extend_from_slice(&self.formulas.orders[order as usize]);
        }
        beside.retain(|name| facts.named.binary_search(name).is_err());
        if beside.is_empty() {
            return Ok(facts);
        }
        beside.sort_unstable();
        beside.dedup();
        self.facts_beside(goal, beside)
    }

    /// The facts of the tables and rules of a goal, with further names spelt out (sorted). Cost: remembered.
    fn facts_beside(&mut self, goal: &ObjectGoal, beside: Vec<NameId>) -> Result<Arc<MemberFacts>, Limit> {
        let key: FactsKey = (goal.every.clone().into(), goal.rules.clone().into(), beside.clone().into());
        if let Some(known) = self.memo.facts.get(&key) {
            return Ok(known.clone());
        }
        let (mut patterns, mut spelt) = (Vec::new(), beside);
        for &atom in goal.every.iter().chain(&goal.rules) {
            let found = self.discriminators(atom)?;
            spelt.extend_from_slice(&found.names);
            patterns.extend_from_slice(&found.patterns);
        }
        spelt.sort_unstable();
        spelt.dedup();
        let named: Box<[NameId]> = spelt.clone().into();
        let shape = self.names.intern_shape(spelt);
        let ids = self.names.shape(shape).ids.clone();
        // How much of an order has been passed is looked at later: these facts are shared.
        let unordered = ObjectGoal {
            orders: Vec::new(),
            ..goal.clone()
        };
        let mut possible = Vec::with_capacity(ids.len());
        for &name in ids.iter() {
            let base = self.member_base(&unordered, name).map_err(|stop| self.limit_of(stop))?;
            possible.push(self.is_satisfiable(base)?);
        }
        let (others, patterns) = self.other_names(goal, patterns)?;
        let facts = Arc::new(MemberFacts {
            shape,
            named,
            possible: bit_words(possible.into_iter()),
            others,
            patterns,
        });
        self.memo.facts.insert(key, facts.clone());
        Ok(facts)
    }

    /// The names not spelt out that could be written, and the patterns that tell them apart.
    fn other_names(&mut self, goal: &ObjectGoal, mut patterns: Vec<RegexId>) -> Result<(RegexId, Arc<[RegexId]>), Limit> {
        patterns.sort_unstable();
        patterns.dedup();
        let (mut allowed, mut all) = (Vec::new(), true);
        for class in self.classes(&patterns)?.iter() {
            let base = self.class_base(goal, &patterns, class)?;
            if self.is_satisfiable(base)? {
                allowed.push(class.regex);
            } else {
                all = false;
            }
        }
        let others = if all { RegexId::ANYTHING } else { self.regexes.or(&allowed) };
        if allowed.len() <= 1 {
            patterns.clear();
        }
        Ok((others, patterns.into()))
    }

    /// What a member must satisfy whose name is of a class and not spelt out.
    fn class_base(&mut self, goal: &ObjectGoal, patterns: &[RegexId], class: &Class) -> Result<FormulaId, Limit> {
        let matched = |pattern: RegexId| patterns.binary_search(&pattern).is_ok_and(|at| class.matched[at]);
        for &rule in &goal.rules {
            if let Node::Names(schema) = *self.formulas.node(rule) {
                let regex = self.text_of(schema)?;
                if !matched(regex) {
                    return Ok(FormulaId::FALSE);
                }
            }
        }
        let mut parts = Vec::new();
        for &atom in &goal.every {
            if let Node::Members(table) = *self.formulas.node(atom) {
                let table = self.formulas.members[table as usize].clone();
                let hits = table.patterns.iter().filter(|entry| matched(entry.0)).map(|entry| entry.1);
                let before = parts.len();
                parts.extend(hits);
                if parts.len() == before {
                    parts.push(table.other);
                }
            }
        }
        Ok(self.formulas.and(&parts))
    }

    fn plain_names(&self, plain: &Plain, seen: SeenId) -> Names {
        let shape = self.names.shape(plain.facts.shape);
        let mut available = plain.facts.possible.clone();
        // A member that is not required needs a place that the required ones leave.
        let crowded = plain.goal.high.is_some_and(|high| high as usize <= plain.goal.need.len());
        if crowded {
            available
                .iter_mut()
                .zip(plain.need.iter())
                .for_each(|(word, need)| *word &= need);
        }
        for name in self.names.chunks(seen).flatten().chain(&plain.goal.forbidden) {
            let text = self.names.text(*name);
            if let Ok(at) = shape.names.binary_search_by(|other| (**other).cmp(text)) {
                available[at / 64] &= !(1 << (at % 64));
            }
        }
        let mut others = if crowded { RegexId::NEVER } else { plain.facts.others };
        if let Some(&(order, done)) = plain.goal.orders.first() {
            let place = |name: &NameId| self.formulas.place_in(order, *name);
            // Nothing may come that stands behind a member which is still required.
            let last = plain.goal.need.iter().map(place).min().unwrap_or(u32::MAX);
            for (at, name) in shape.ids.iter().enumerate() {
                if place(name) < done || place(name) > last {
                    available[at / 64] &= !(1 << (at % 64));
                }
            }
            if last < self.formulas.orders[order as usize].len() as u32 {
                others = RegexId::NEVER;
            }
        }
        Names {
            shape: plain.facts.shape,
            available,
            others,
        }
    }

    /// Asks name by name and class by class.
    fn searched_names(&mut self, record: RecordId, open: &Record, seen: SeenId) -> Result<Names, Limit> {
        let (mut names, mut patterns) = (Vec::new(), Vec::new());
        for formula in std::iter::once(open.must).chain(open.asked.iter().copied()) {
            let found = self.discriminators(formula)?;
            names.extend_from_slice(&found.names);
            patterns.extend_from_slice(&found.patterns);
        }
        patterns.sort_unstable();
        patterns.dedup();
        let shape = self.names.intern_shape(names);
        let ids = self.names.shape(shape).ids.clone();
        let mut possible = Vec::with_capacity(ids.len());
        for &name in ids.iter() {
            possible.push(self.take_name(record, seen, name)?.is_some());
        }
        let mut taken = self.names.seen_names(seen);
        taken.extend_from_slice(&ids);
        let mut allowed = Vec::new();
        for class in self.classes(&patterns)?.iter() {
            if let Some(&example) = self.some_texts(class.regex, &taken, 1)?.first() {
                if self.take_name(record, seen, example)?.is_some() {
                    allowed.push(class.regex);
                }
            }
        }
        Ok(Names {
            shape,
            available: bit_words(possible.into_iter()),
            others: self.regexes.or(&allowed),
        })
    }

    /// Opens the member `name`, or `None` if the name is not allowed now.
    ///
    /// # Errors
    /// Any named limit.
    pub fn take(&mut self, record: RecordId, seen: SeenId, name: &str) -> Result<Option<Member>, Limit> {
        let name = self.names.intern(name);
        self.refuel();
        self.take_name(record, seen, name)
    }

    /// Opens a member whose name is in the class `class` of [`SchemaMachine::name_class`], is not of the record's shape and was
    /// not seen: `None` if there is no such name, or it is not allowed now. Which name it is makes no difference to what is asked.
    ///
    /// # Errors
    /// Any named limit.
    pub fn take_of_class(&mut self, record: RecordId, seen: SeenId, class: RegexId) -> Result<Option<Member>, Limit> {
        if let Some(&known) = self.memo.class_takes.get(&(record, seen, class)) {
            return Ok(known);
        }
        self.refuel();
        let names = self.names(record, seen)?;
        let shape = self.names.shape(self.names_view(names).shape).clone();
        let mut name = self.memo.class_names.get(&class).copied();
        name = name.filter(|&name| !self.names.is_seen(seen, name) && !shape.ids.contains(&name));
        if name.is_none() {
            let mut taken = self.names.seen_names(seen);
            taken.extend_from_slice(&shape.ids);
            name = self.some_texts(class, &taken, 1)?.first().copied();
        }
        let member = match name {
            Some(name) => {
                self.memo.class_names.insert(class, name);
                self.take_name(record, seen, name)?
            }
            None => None,
        };
        self.memo.class_takes.insert((record, seen, class), member);
        Ok(member)
    }

    fn take_name(&mut self, record: RecordId, seen: SeenId, name: NameId) -> Result<Option<Member>, Limit> {
        if let Some(&known) = self.memo.takes.get(&(record, seen, name)) {
            return Ok(known);
        }
        let member = if self.names.is_seen(seen, name) {
            None
        } else {
            let open = self.record(record);
            debug_assert!(open.kind == Kinds::OBJECT && open.questions.is_empty());
            let opened = self.derive_record(&open, Event::Name(name))?;
            let seen = self.names.see(seen, name);
            let child = self.split_child(opened, seen)?;
            child.map(|(ask, next)| Member { ask, seen, next, name })
        };
        self.memo.takes.insert((record, seen, name), member);
        Ok(member)
    }
}

/// Bits in words of 64, the first the lowest.
fn bit_words(bits: impl ExactSizeIterator<Item = bool>) -> Box<[u64]> {
    let mut words = vec![0_u64; bits.len().div_ceil(64)];
    for (i, bit) in bits.enumerate() {
        words[i / 64] |= u64::from(bit) << (i % 64);
    }
    words.into()
}
