//! Random schemas, every prefix of many values: what the machine offers is what some valid value continues.
//!
//! A prefix of a valid value must be offered; whatever is offered must be completed by the machine to a value that the naive
//! validator accepts.
mod common {
    pub mod naive;
    pub mod random;
}
use common::{naive, random};
use penstock_schema::{
    AskId, ErrorKind, Kinds, Limit, NameId, Next, RecordId, SchemaMachine, SchemaOptions, SeenId, ValueId, Verdicts,
};
use serde_json::Value;

/// An open container with the text read so far in it.
struct Frame {
    record: RecordId,
    seen: SeenId,
    is_empty: bool,
    is_object: bool,
    /// What it becomes after the value that is being read.
    next: Option<Next>,
    /// What it holds, and the name of the member that is being read.
    content: Vec<(Option<NameId>, ValueId)>,
    name: Option<NameId>,
}

/// The events of a value.
enum Event {
    Open(bool),
    Name(String),
    Item,
    Close,
    Scalar(Value),
}

fn events(value: &Value, out: &mut Vec<Event>) {
    match value {
        Value::Array(items) => {
            out.push(Event::Open(false));
            for item in items {
                out.push(Event::Item);
                events(item, out);
            }
            out.push(Event::Close);
        }
        Value::Object(members) => {
            out.push(Event::Open(true));
            for (name, value) in members {
                out.push(Event::Name(name.clone()));
                events(value, out);
            }
            out.push(Event::Close);
        }
        scalar => out.push(Event::Scalar(scalar.clone())),
    }
}

/// A reader in the middle of a document.
struct Reader<'m> {
    machine: &'m mut SchemaMachine,
    frames: Vec<Frame>,
    ask: Option<AskId>,
    text: String,
}

impl Reader<'_> {
    /// Takes an event; `false` if the machine does not offer it.
    fn step(&mut self, event: &Event) -> Result<bool, Limit> {
        match event {
            Event::Scalar(value) => self.scalar(value),
            Event::Open(is_object) => self.open(*is_object),
            Event::Name(name) => self.name(name),
            Event::Item => self.item(),
            Event::Close => self.close(),
        }
    }

    fn scalar(&mut self, value: &Value) -> Result<bool, Limit> {
        let ask = self.ask.expect("a value is due");
        let text = value.to_string();
        let verdicts = match value {
            Value::Null => self.machine.literal(ask, Kinds::NULL)?,
            Value::Bool(true) => self.machine.literal(ask, Kinds::TRUE)?,
            Value::Bool(false) => self.machine.literal(ask, Kinds::FALSE)?,
            Value::Number(_) => self.number(ask, &text)?,
            _ => self.string(ask, value.as_str().expect("a text"))?,
        };
        self.text.push_str(&text);
        let id = match value {
            Value::Null => self.machine.literal_value(Kinds::NULL),
            Value::Bool(true) => self.machine.literal_value(Kinds::TRUE),
            Value::Bool(false) => self.machine.literal_value(Kinds::FALSE),
            Value::Number(_) => self.machine.number_value(&text),
            _ => self.machine.text_value(value.as_str().expect("a text")),
        };
        match verdicts {
            Some(verdicts) => self.finish(verdicts, id).map(|()| true),
            None => Ok(false),
        }
    }

    fn number(&mut self, ask: AskId, text: &str) -> Result<Option<Verdicts>, Limit> {
        let Some(spec) = self.machine.number(ask)? else {
            return Ok(None);
        };
        let mut state = self.machine.numbers.start(spec);
        for byte in text.bytes() {
            match self.machine.numbers.step(state, byte)? {
                Some(next) => state = next,
                None => return Ok(None),
            }
        }
        let complete = self.machine.numbers.is_complete(state);
        Ok(complete.then(|| self.machine.number_verdicts(ask, state)))
    }

    fn string(&mut self, ask: AskId, text: &str) -> Result<Option<Verdicts>, Limit> {
        let Some(asked) = self.machine.string(ask)? else {
            return Ok(None);
        };
        let length = text.chars().count() as u32;
        let mut states = Vec::new();
        for part in std::iter::once(&asked.goal).chain(&asked.parts) {
            let mut state = *part;
            for character in text.chars() {
                state = self.machine.regexes.step(state, character as u32)?;
            }
            states.push(state);
        }
        let fits = (asked.min_length..=asked.max_length).contains(&length);
        let allowed = fits && self.machine.regexes.is_nullable(states[0]);
        Ok(allowed.then(|| self.machine.string_verdicts(ask, &states[1..])))
    }

    fn open(&mut self, is_object: bool) -> Result<bool, Limit> {
        let ask = self.ask.take().expect("a value is due");
        let opened = if is_object {
            self.machine.open_object(ask)?
        } else {
            self.machine.open_array(ask)?
        };
        self.text.push(if is_object { '{' } else { '[' });
        let Some(record) = opened else {
            return Ok(false);
        };
        self.frames.push(Frame {
            record,
            seen: SeenId::EMPTY,
            is_empty: true,
            is_object,
            next: None,
            content: Vec::new(),
            name: None,
        });
        Ok(true)
    }

    fn name(&mut self, name: &str) -> Result<bool, Limit> {
        let (record, seen) = {
            let frame = self.frames.last().expect("an open object");
            (frame.record, frame.seen)
        };
        let member = self.machine.take(record, seen, name)?;
        assert_eq!(self.is_offered(record, seen, name)?, member.is_some(), "names and take agree");
        let Some(member) = member else {
            return Ok(false);
        };
        self.separate();
        self.text.push_str(&format!("{}:", Value::from(name)));
        let frame = self.frames.last_mut().expect("an open object");
        (frame.seen, frame.next, frame.name) = (member.seen, Some(member.next), Some(member.name));
        self.ask = Some(member.ask);
        Ok(true)
    }

    fn is_offered(&mut self, record: RecordId, seen: SeenId, name: &str) -> Result<bool, Limit> {
        let id = self.machine.names(record, seen)?;
        let names = self.machine.names_view(id).clone();
        if let Ok(at) = self
            .machine
            .shape(names.shape)
            .names
            .binary_search_by(|other| other.as_str().cmp(name))
        {
            return Ok(names.available[at / 64] >> (at % 64) & 1 == 1);
        }
        let mut state = names.others;
        for character in name.chars() {
            state = self.machine.regexes.step(state, character as u32)?;
        }
        Ok(self.machine.regexes.is_nullable(state) && !self.machine.other_is_seen(seen, name))
    }

    fn item(&mut self) -> Result<bool, Limit> {
        let record = self.frames.last().expect("an open array").record;
        let Some(item) = self.machine.next_item(record)? else {
            return Ok(false);
        };
        self.separate();
        self.frames.last_mut().expect("an open array").next = Some(item.next);
        self.ask = Some(item.ask);
        Ok(true)
    }

    fn separate(&mut self) {
        let frame = self.frames.last_mut().expect("an open container");
        if !std::mem::take(&mut frame.is_empty) {
            self.text.push(',');
        }
    }

    fn close(&mut self) -> Result<bool, Limit> {
        let frame = self.frames.last().expect("an open container");
        let (record, seen, is_object) = (frame.record, frame.seen, frame.is_object);
        let Some(verdicts) = self.machine.close(record, seen)? else {
            return Ok(false);
        };
        let content = self.frames.pop().expect("an open container").content;
        self.text.push(if is_object { '}' } else { ']' });
        let id = match is_object {
            true => self.machine.object_value(
                content
                    .into_iter()
                    .map(|(name, value)| (name.expect("a name"), value))
                    .collect(),
            ),
            false => self.machine.array_value(content.into_iter().map(|part| part.1).collect()),
        };
        self.finish(verdicts, id).map(|()| true)
    }

    fn finish(&mut self, verdicts: Verdicts, value: ValueId) -> Result<(), Limit> {
        self.ask = None;
        if let Some(frame) = self.frames.last_mut() {
            frame.content.push((frame.name.take(), value));
            frame.record = match frame.next.take().expect("a value was due") {
                Next::Record(record) => record,
                Next::Pending(pending) => self.machine.resume(pending, verdicts, Some(value))?,
            };
        }
        Ok(())
    }

    /// Completes the document from here; the text of the whole.
    fn complete(mut self) -> Result<String, Limit> {
        if let Some(ask) = self.ask {
            let text = self.machine.shortest_value(ask)?.expect("a live ask has a value");
            let value: Value = serde_json::from_str(&text).expect("JSON");
            self.take_all(&value)?;
        }
        while let Some(frame) = self.frames.last() {
            let (record, seen, is_empty, is_object) = (frame.record, frame.seen, frame.is_empty, frame.is_object);
            let rest = self
                .machine
                .completion(record, seen, is_empty)?
                .expect("a live record has a completion");
            let rest = rest.trim_start_matches(',');
            let whole: Value = serde_json::from_str(&format!("{}{rest}", if is_object { '{' } else { '[' })).expect("JSON");
            let mut left = Vec::new();
            events(&whole, &mut left);
            for event in &left[1..] {
                assert!(self.step(event)?, "a completion is accepted");
            }
        }
        Ok(self.text)
    }

    fn take_all(&mut self, value: &Value) -> Result<(), Limit> {
        let mut all = Vec::new();
        events(value, &mut all);
        for event in &all {
            assert!(self.step(event)?, "a witness is accepted: {value}");
        }
        Ok(())
    }
}

#[derive(Default, Debug)]
struct Counts {
    schemas: usize,
    refused: usize,
    empty: usize,
    prefixes: usize,
    dead: usize,
    limits: usize,
}

fn check_value(
    machine: &mut SchemaMachine,
    root: AskId,
    schema: &Value,
    value: &Value,
    counts: &mut Counts,
) -> Result<(), Limit> {
    let valid = naive::is_valid(schema, value);
    let mut all = Vec::new();
    events(value, &mut all);
    for length in 0..=all.len() {
        let mut reader = Reader {
            machine: &mut *machine,
            frames: Vec::new(),
            ask: Some(root),
            text: String::new(),
        };
        for (i, event) in all[..length].iter().enumerate() {
            if !reader.step(event)? {
                assert_eq!(i, length - 1, "it was offered a moment ago");
                assert!(!valid, "a valid value is refused: {value} at event {i} of {schema}");
                counts.dead += 1;
                return Ok(());
            }
        }
        counts.prefixes += 1;
        let prefix = reader.text.clone();
        let whole = reader.complete()?;
        let completed: Value = serde_json::from_str(&whole).expect("JSON");
        assert!(
            naive::is_valid(schema, &completed),
            "after {prefix}: {whole} does not satisfy {schema}"
        );
    }
    assert!(valid, "an invalid value is accepted: {value} by {schema}");
    Ok(())
}

/// Dense nests can need more search than a test has time for: their limit is counted, and nothing else is.
fn little_fuel() -> SchemaOptions {
    let mut options = SchemaOptions::default();
    options.limits.max_emptiness_states = 3_000;
    options
}

type Generator = fn(&mut random::Random) -> Value;

fn check_schema(generator: Generator, seed: u64, universe: &[Value], counts: &mut Counts) {
    let mut random = random::Random(seed);
    let schema = generator(&mut random);
    if std::env::var_os("PENSTOCK_SHOW").is_some() {
        println!("{schema}");
    }
    if random::is_circular(&schema) {
        counts.refused += 1;
        return;
    }
    let mut machine = SchemaMachine::new();
    let lowered = match machine.lower(&schema, &little_fuel()) {
        Ok(lowered) => lowered,
        Err(error) if error.kind == ErrorKind::Empty => {
            counts.empty += 1;
            for value in universe {
                assert!(
                    !naive::is_valid(&schema, value),
                    "seed {seed}: called empty, but {value} satisfies {schema}"
                );
            }
            return;
        }
        Err(error) if error.kind == ErrorKind::Limit => {
            counts.limits += 1;
            return;
        }
        Err(error) => {
            assert_eq!(error.kind, ErrorKind::Unsupported, "seed {seed}: {error} in {schema}");
            counts.refused += 1;
            return;
        }
    };
    counts.schemas += 1;
    let (valid, invalid): (Vec<&Value>, Vec<&Value>) = universe.iter().partition(|value| naive::is_valid(&schema, value));
    for group in [valid, invalid] {
        for _ in 0..group.len().min(25) {
            let value = *random.pick(&group);
            if check_value(&mut machine, lowered.root, &schema, value, counts).is_err() {
                counts.limits += 1;
                return;
            }
        }
    }
}

fn check_all(generator: Generator, default_cases: u64) {
    let universe = random::universe();
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().expect("a number"));
    let (first, count) = (number("PENSTOCK_SEED", 0), number("PENSTOCK_CASES", default_cases));
    let mut counts = Counts::default();
    for seed in first..first + count {
        let check = || check_schema(generator, seed, &universe, &mut counts);
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check));
        assert!(
            checked.is_ok(),
            "PENSTOCK_SEED={seed} PENSTOCK_CASES=1 cargo test -p penstock-schema --test liveness"
        );
    }
    println!("{counts:?}");
    assert!(counts.limits * 2 <= counts.schemas, "most schemas are answered: {counts:?}");
    assert!(
        counts.dead > 0 && counts.prefixes > 100 || count == 1,
        "the test has something to say: {counts:?}"
    );
}

#[test]
fn random_schemas_offer_exactly_what_can_be_completed() {
    check_all(random::schema, 200);
}

#[test]
fn dense_conjunctions_offer_exactly_what_can_be_completed() {
    check_all(random::dense_schema, 150);
}

#[test]
fn wide_choices_offer_exactly_what_can_be_completed() {
    check_all(random::wide_schema, 60);
}

#[test]
fn items_that_differ_offer_exactly_what_can_be_completed() {
    check_all(random::unique_schema, 400);
}
