//! Walks a whole JSON value through the machine's public doors, as a reader of bytes would.
#![allow(dead_code)]
use penstock_automata::RegexId;
use penstock_schema::{AskId, Kinds, Limit, Next, RecordId, SchemaMachine, SeenId, ValueId, Verdicts};
use serde_json::Value;

/// Whether the machine accepts a value. Panics where its answers contradict each other.
pub fn accepts(machine: &mut SchemaMachine, root: AskId, value: &Value) -> Result<bool, Limit> {
    Ok(verdicts(machine, root, value)?.is_some())
}

/// The verdicts of a value, or `None` if the machine refuses it somewhere.
pub fn verdicts(machine: &mut SchemaMachine, ask: AskId, value: &Value) -> Result<Option<Verdicts>, Limit> {
    let kind = kind_of(value);
    let kinds = machine.kinds(ask)?;
    assert!(
        !kinds.is_empty(),
        "an ask that nothing can answer was offered: {}",
        machine.describe(ask)
    );
    if !kinds.has(kind) {
        return Ok(None);
    }
    match value {
        Value::Null | Value::Bool(_) => machine.literal(ask, kind),
        Value::String(text) => string(machine, ask, text),
        Value::Number(number) => number_text(machine, ask, &number.to_string()),
        Value::Array(items) => array(machine, ask, items),
        Value::Object(members) => object(machine, ask, members),
    }
}

fn kind_of(value: &Value) -> Kinds {
    match value {
        Value::Null => Kinds::NULL,
        Value::Bool(true) => Kinds::TRUE,
        Value::Bool(false) => Kinds::FALSE,
        Value::Number(_) => Kinds::NUMBER,
        Value::String(_) => Kinds::STRING,
        Value::Array(_) => Kinds::ARRAY,
        Value::Object(_) => Kinds::OBJECT,
    }
}

fn string(machine: &mut SchemaMachine, ask: AskId, text: &str) -> Result<Option<Verdicts>, Limit> {
    let asked = machine.string(ask)?.expect("strings were offered");
    let length = text.chars().count() as u32;
    let goal = run(machine, asked.goal, text)?;
    if length < asked.min_length || length > asked.max_length || !machine.regexes.is_nullable(goal) {
        return Ok(None);
    }
    let mut states = Vec::new();
    for part in asked.parts {
        states.push(run(machine, part, text)?);
    }
    Ok(Some(machine.string_verdicts(ask, &states)))
}

fn run(machine: &mut SchemaMachine, mut term: RegexId, text: &str) -> Result<RegexId, Limit> {
    for character in text.chars() {
        term = machine.regexes.step(term, character as u32)?;
    }
    Ok(term)
}

fn number_text(machine: &mut SchemaMachine, ask: AskId, text: &str) -> Result<Option<Verdicts>, Limit> {
    let spec = machine.number(ask)?.expect("numbers were offered");
    let mut state = machine.numbers.start(spec);
    for byte in text.bytes() {
        match machine.numbers.step(state, byte)? {
            Some(next) => state = next,
            None => return Ok(None),
        }
    }
    if !machine.numbers.is_complete(state) {
        return Ok(None);
    }
    Ok(Some(machine.number_verdicts(ask, state)))
}

fn value_id(machine: &mut SchemaMachine, value: &Value) -> ValueId {
    match value {
        Value::Number(number) => machine.number_value(&number.to_string()),
        Value::String(text) => machine.text_value(text),
        Value::Array(items) => {
            let items = items.iter().map(|item| value_id(machine, item)).collect();
            machine.array_value(items)
        }
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| (machine.name_id(name), value_id(machine, value)));
            let members = members.collect();
            machine.object_value(members)
        }
        literal => machine.literal_value(kind_of(literal)),
    }
}

fn after(machine: &mut SchemaMachine, ask: AskId, next: Next, value: &Value) -> Result<Option<RecordId>, Limit> {
    let Some(verdicts) = verdicts(machine, ask, value)? else {
        return Ok(None);
    };
    match next {
        Next::Record(record) => Ok(Some(record)),
        Next::Pending(pending) => {
            let value = value_id(machine, value);
            machine.resume(pending, verdicts, Some(value)).map(Some)
        }
    }
}

fn array(machine: &mut SchemaMachine, ask: AskId, items: &[Value]) -> Result<Option<Verdicts>, Limit> {
    let mut record = machine.open_array(ask)?.expect("arrays were offered");
    for item in items {
        let Some(opened) = machine.next_item(record)? else {
            return Ok(None);
        };
        match after(machine, opened.ask, opened.next, item)? {
            Some(next) => record = next,
            None => return Ok(None),
        }
    }
    machine.close(record, SeenId::EMPTY)
}

fn object(
    machine: &mut SchemaMachine,
    ask: AskId,
    members: &serde_json::Map<String, Value>,
) -> Result<Option<Verdicts>, Limit> {
    let (mut record, mut seen) = (machine.open_object(ask)?.expect("objects were offered"), SeenId::EMPTY);
    for (name, value) in members {
        let offered = is_offered(machine, record, seen, name)?;
        let member = machine.take(record, seen, name)?;
        assert_eq!(
            offered,
            member.is_some(),
            "names and take differ on `{name}`: {}",
            machine.describe_record(record)
        );
        let Some(member) = member else {
            return Ok(None);
        };
        seen = member.seen;
        match after(machine, member.ask, member.next, value)? {
            Some(next) => record = next,
            None => return Ok(None),
        }
    }
    machine.close(record, seen)
}

/// Whether `names` offers a name.
pub fn is_offered(machine: &mut SchemaMachine, record: RecordId, seen: SeenId, name: &str) -> Result<bool, Limit> {
    let id = machine.names(record, seen)?;
    let names = machine.names_view(id).clone();
    if let Ok(at) = machine
        .shape(names.shape)
        .names
        .binary_search_by(|other| other.as_str().cmp(name))
    {
        return Ok(names.available[at / 64] >> (at % 64) & 1 == 1);
    }
    let state = run(machine, names.others, name)?;
    Ok(machine.regexes.is_nullable(state) && !machine.other_is_seen(seen, name))
}
