//! Open arrays: the next item.
use crate::formula::{Event, Memo};
use crate::machine::{Item, Next, Record, RecordId, SchemaMachine};
use crate::names::SeenId;
use penstock_automata::Limit;

impl SchemaMachine {
    /// Opens the next item of an array, or `None` if no further item is possible.
    ///
    /// # Errors
    /// Any named limit.
    pub fn next_item(&mut self, record: RecordId) -> Result<Option<Item>, Limit> {
        if let Some(&known) = self.memo.items.get(&record) {
            return Ok(known);
        }
        self.refuel();
        let open = self.record(record);
        let opened = self.derive_record(&open, Event::Item)?;
        let child = self.split_child(opened, SeenId::EMPTY)?;
        let item = child.map(|(ask, next)| {
            let keep = matches!(next, Next::Pending(pending) if self.opens(&self.record(pending)));
            Item { ask, next, keep }
        });
        self.memo.items.insert(record, item);
        Ok(item)
    }

    /// A record after an event; its formulas may hold `Value`s.
    pub(crate) fn derive_record(&mut self, open: &Record, event: Event<'_>) -> Result<Record, Limit> {
        let mut memo = Memo::default();
        let must = self.rewrite(open.must, event, &mut memo)?;
        let mut asked = Vec::with_capacity(open.asked.len());
        for &part in open.asked.iter() {
            asked.push(self.rewrite(part, event, &mut memo)?);
        }
        self.check_depth()?;
        Ok(Record {
            kind: open.kind,
            must,
            asked: asked.into(),
            goal: open.goal,
            questions: Box::default(),
        })
    }
}
