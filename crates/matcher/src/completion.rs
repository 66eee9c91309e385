//! A short text that completes the output.
//!
//! What is open is closed from the top down: a string gets a shortest text of its language, a container what its schema says
//! is missing, a rule a shortest text of what is left of its body. Each piece is read before the next one is looked for, so
//! verdicts that depend on it are known; whitespace that a style demands is put in where the reading stops for it.
use crate::compiled::Shared;
use crate::control::{Config, Control, Gap, Key, Number, Text, LITERAL_GAPS};
use crate::core::has_byte;
use crate::mask::is_complete;
use crate::run::{Configs, Run};
use crate::stack::{Container, Frame, FrameId, Stack};
use crate::text::Partial;
use penstock_automata::{Limit, RegexId, INFINITE};
use penstock_grammar::Symbol;
use penstock_schema::AskId;
use std::collections::{BTreeMap, HashMap};

/// `max_completion_bytes`: how long a completion may be.
const MAX_COMPLETION_BYTES: usize = 1 << 20;

/// `max_completion_states`: how many rests of a rule's body are looked at for its shortest text.
const MAX_COMPLETION_STATES: usize = 50_000;

const TOO_LONG: Limit = Limit {
    name: "max_completion_bytes",
    configured: MAX_COMPLETION_BYTES as u64,
};

/// The text, or None if only special tokens lead to the end.
pub(crate) fn completion(shared: &mut Shared, stack: &mut Stack, start: &[Config]) -> Result<Option<Vec<u8>>, Limit> {
    let mark = stack.mark();
    let outcome = complete(shared, stack, start);
    stack.truncate(mark);
    outcome
}

fn complete(shared: &mut Shared, stack: &mut Stack, start: &[Config]) -> Result<Option<Vec<u8>>, Limit> {
    let (mut configs, mut written) = (Configs::from_slice(start), Vec::new());
    while !is_complete(&shared.core, &configs) {
        let mut run = Run::new(&mut shared.core, stack);
        let Some(piece) = next_piece(&mut run, &configs)? else {
            return Ok(None);
        };
        configs = read_spaced(&mut run, configs, &piece, &mut written)?;
        if written.len() > MAX_COMPLETION_BYTES {
            return Err(TOO_LONG);
        }
    }
    Ok(Some(written))
}

/// Reads a piece, with the whitespace that the style of the text demands.
fn read_spaced(run: &mut Run<'_>, mut configs: Configs, piece: &[u8], written: &mut Vec<u8>) -> Result<Configs, Limit> {
    for &byte in piece {
        let mut next = run.step_all(&configs, byte)?;
        while next.is_empty() {
            let Some(space) = configs.iter().find_map(|config| demanded_space(config.control)) else {
                return Err(TOO_LONG);
            };
            configs = run.step_all(&configs, space)?;
            if configs.is_empty() {
                return Err(TOO_LONG);
            }
            written.push(space);
            next = run.step_all(&configs, byte)?;
        }
        written.push(byte);
        configs = next;
    }
    Ok(configs)
}

fn demanded_space(control: Control) -> Option<u8> {
    let gap = match control {
        Control::Value { gap, .. } | Control::Name { gap, .. } | Control::Colon { gap, .. } => gap,
        Control::FirstItem(gap) | Control::After(gap) => gap,
        // A number is ended by what follows it, and where lines are indented that is a line break.
        Control::Number(_) => return Some(b'\n'),
        _ => return None,
    };
    match gap {
        Gap::AfterReturn | Gap::Line(_) => Some(b'\n'),
        Gap::Spaces(left) if left > 0 => Some(b' '),
        Gap::Literal(text, at) => LITERAL_GAPS[usize::from(text)].as_bytes().get(usize::from(at)).copied(),
        _ => None,
    }
}

/// What to write next, from the configuration with the least left open.
fn next_piece(run: &mut Run<'_>, configs: &[Config]) -> Result<Option<Vec<u8>>, Limit> {
    let mut order: Vec<Config> = configs.to_vec();
    order.sort_by_key(|config| run.stack.depth(config.frame));
    for config in order {
        if let Some(piece) = piece_of(run, config)?.filter(|piece| !piece.is_empty()) {
            return Ok(Some(piece));
        }
    }
    Ok(None)
}

fn piece_of(run: &mut Run<'_>, config: Config) -> Result<Option<Vec<u8>>, Limit> {
    let frame = config.frame;
    Ok(match config.control {
        Control::Done => None,
        Control::Rule {
            term,
            partial: Partial::None,
        } => shortest_of_term(run, term, true)?.map(String::into_bytes),
        Control::Value { ask, .. } => Some(value(run, ask)?),
        Control::FirstItem(_) => container_end(run, frame, true)?,
        Control::Name { first: true, .. } => container_end(run, frame, true)?,
        Control::Name { first: false, .. } => one_more_member(run, frame)?,
        Control::Colon { ask, .. } => Some([b":".to_vec(), value(run, ask)?].concat()),
        Control::After(_) => container_end(run, frame, false)?,
        Control::Word { word, at, .. } => {
            Some([&b"null"[..], b"true", b"false"][usize::from(word)][usize::from(at)..].to_vec())
        }
        Control::Number(number) => end_of_number(run, number, frame)?,
        Control::Text(Text {
            partial: Partial::None, ..
        }) => end_of_text(run, config)?,
        Control::Key(Key {
            partial: Partial::None, ..
        }) => end_of_key(run, config)?,
        // Inside a character every byte that can be read leads on.
        _ => first_readable(run, config)?.map(|byte| vec![byte]),
    })
}

fn value(run: &mut Run<'_>, ask: AskId) -> Result<Vec<u8>, Limit> {
    Ok(run.core.schemas.shortest_value(ask)?.unwrap_or_default().into_bytes())
}

fn container_of(run: &Run<'_>, frame: FrameId) -> Option<Container> {
    match run.stack.frame(frame) {
        Frame::Container(container) => Some(container),
        _ => None,
    }
}

fn container_end(run: &mut Run<'_>, frame: FrameId, is_empty: bool) -> Result<Option<Vec<u8>>, Limit> {
    let Some(container) = container_of(run, frame) else {
        return Ok(None);
    };
    let end = run.core.schemas.completion(container.record, container.seen, is_empty)?;
    Ok(end.map(String::into_bytes))
}

/// After a comma: the members that are missing, or any member if none is.
fn one_more_member(run: &mut Run<'_>, frame: FrameId) -> Result<Option<Vec<u8>>, Limit> {
    let Some(object) = container_of(run, frame) else {
        return Ok(None);
    };
    if let Some(end) = container_end(run, frame, false)? {
        if end.first() == Some(&b',') {
            return Ok(Some(end[1..].to_vec()));
        }
    }
    let id = run.core.schemas.names(object.record, object.seen)?;
    let names = run.core.schemas.names_view(id);
    let (shape, others) = (names.shape, names.others);
    let declared = (0..64 * names.available.len()).find(|&i| names.available[i / 64] >> (i % 64) & 1 != 0);
    let name = match declared {
        Some(i) => run.core.schemas.shape(shape).names[i].to_string(),
        None => match run.core.other_name(shape, others, object.seen)? {
            Some(_) if others == RegexId::ANYTHING => fresh_name(run, &object, "")?,
            Some(name) => name.to_string(),
            None => return Ok(None),
        },
    };
    let Some(member) = run.core.schemas.take(object.record, object.seen, &name)? else {
        return Ok(None);
    };
    Ok(Some([escaped(&name).as_bytes(), b"\":", &value(run, member.ask)?].concat()).map(|text| [b"\"", &text[..]].concat()))
}

/// What to append to `prefix` so that it is a name which the object can still take.
fn fresh_name(run: &mut Run<'_>, object: &Container, prefix: &str) -> Result<String, Limit> {
    let mut rest = String::new();
    while run
        .core
        .schemas
        .take(object.record, object.seen, &format!("{prefix}{rest}"))?
        .is_none()
    {
        rest.push('a');
        if rest.len() > MAX_COMPLETION_BYTES {
            return Err(TOO_LONG);
        }
    }
    Ok(rest)
}

/// The rest of a number; if it is complete, what ends its container.
fn end_of_number(run: &mut Run<'_>, number: Number, frame: FrameId) -> Result<Option<Vec<u8>>, Limit> {
    let numbers = &mut run.core.schemas.numbers;
    if !numbers.is_complete(number.state) {
        return Ok(numbers.shortest_from(number.state)?.map(String::into_bytes));
    }
    match run.after_number(number, frame)?.first() {
        Some(after) => container_end(run, after.frame, false),
        None => Ok(None),
    }
}

fn end_of_text(run: &mut Run<'_>, config: Config) -> Result<Option<Vec<u8>>, Limit> {
    let Control::Text(text) = config.control else {
        return Ok(None);
    };
    let regexes = run.core.regexes();
    let rest = if text.goal == RegexId::ANYTHING {
        Some("a".repeat(text.min as usize))
    } else {
        let length = regexes.repeat(RegexId::ANY, text.min, text.max);
        let goal = if (text.min, text.max) == (0, INFINITE) {
            text.goal
        } else {
            regexes.and(&[text.goal, length])
        };
        regexes.shortest(goal)
    };
    Ok(rest.map(|rest| format!("{}\"", escaped(&rest)).into_bytes()))
}

fn end_of_key(run: &mut Run<'_>, config: Config) -> Result<Option<Vec<u8>>, Limit> {
    let (Control::Key(key), Some(object)) = (config.control, container_of(run, config.frame)) else {
        return Ok(None);
    };
    let id = run.core.schemas.names(object.record, object.seen)?;
    let available = |i: u32| run.core.schemas.names_view(id).available[i as usize / 64] >> (i % 64) & 1 != 0;
    let names = &run.core.schemas.shape(key.shape).names;
    let declared = (key.low..key.high)
        .filter(|&i| available(i))
        .map(|i| &names[i as usize][key.depth as usize..]);
    let rest = match declared.min_by_key(|rest| rest.len()) {
        Some(rest) => rest.to_owned(),
        None if key.others == RegexId::ANYTHING => {
            let prefix = run.key_text(&key);
            fresh_name(run, &object, &prefix)?
        }
        None => run.core.regexes().shortest(key.others).unwrap_or_default(),
    };
    Ok(Some(format!("{}\"", escaped(&rest)).into_bytes()))
}

fn first_readable(run: &mut Run<'_>, config: Config) -> Result<Option<u8>, Limit> {
    let set = run.live_bytes(config)?;
    for byte in (0..=255u8).filter(|&byte| has_byte(&set, byte)) {
        if !run.step_all(&[config], byte)?.is_empty() {
            return Ok(Some(byte));
        }
    }
    Ok(None)
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\u{0}'..='\u{1F}' => out.push_str(&format!("\\u{:04x}", character as u32)),
            _ => out.push(character),
        }
    }
    out
}

/// A shortest text of a term in which called rules stand for their shortest texts. `again`: whether the texts of rules may
/// be worked out; they are when a rule is first asked for.
fn shortest_of_term(run: &mut Run<'_>, term: RegexId, again: bool) -> Result<Option<String>, Limit> {
    if again && !run.core.regexes().is_regular(term) && run.core.rule_texts.is_none() {
        work_out_rules(run)?;
    }
    let mut queue = BTreeMap::from([((0usize, 0usize), (term, String::new()))]);
    let mut known: HashMap<RegexId, usize> = HashMap::new();
    let mut order = 0;
    while let Some(((length, _), (state, text))) = queue.pop_first() {
        if run.core.regexes().is_nullable(state) && length > 0 {
            return Ok(Some(text));
        }
        if known.len() > MAX_COMPLETION_STATES {
            return Err(Limit {
                name: "max_completion_states",
                configured: MAX_COMPLETION_STATES as u64,
            });
        }
        for (symbol, next) in edges(run, state)? {
            let text = format!("{text}{symbol}");
            if known.get(&next).is_none_or(|&best| text.len() < best) {
                known.insert(next, text.len());
                order += 1;
                queue.insert((text.len(), order), (next, text));
            }
        }
    }
    Ok(None)
}

/// One edge for each target of a term: a character that reads well, or the text of what is called.
fn edges(run: &mut Run<'_>, state: RegexId) -> Result<Vec<(String, RegexId)>, Limit> {
    let row = run.core.regexes().live_row(state)?;
    let characters = row
        .ranges()
        .filter_map(|(low, high, target)| Some((readable(low, high)?.to_string(), target)));
    let mut out: Vec<(String, RegexId)> = characters.collect();
    if run.core.regexes().is_regular(state) {
        return Ok(out);
    }
    for (external, rest) in run.core.regexes().externals(state) {
        let text = match *run.core.symbol(external) {
            Symbol::Rule(rule) => run.core.rule_texts.as_ref().and_then(|texts| texts[rule].clone()),
            Symbol::Json(schema) => run.core.schemas.shortest_value(run.core.roots[schema].0)?,
            _ => None,
        };
        out.extend(text.map(|text| (text, rest)));
    }
    Ok(out)
}

fn readable(low: u32, high: u32) -> Option<char> {
    let wished = ['a', '0', 'A', ' ']
        .into_iter()
        .find(|&wish| (low..=high).contains(&(wish as u32)));
    wished
        .or_else(|| char::from_u32(low.max(0x21).min(high)))
        .or_else(|| (low..=high).find_map(char::from_u32))
}

/// The shortest texts of all rules: a least fixpoint, from the rules that call nothing upwards.
fn work_out_rules(run: &mut Run<'_>) -> Result<(), Limit> {
    let bodies = run.core.lowered.bodies.clone();
    run.core.rule_texts = Some(vec![None; bodies.len()]);
    let mut changed = true;
    while changed {
        changed = false;
        for (rule, &body) in bodies.iter().enumerate() {
            let Some(text) = shortest_of_term(run, body, false)? else {
                continue;
            };
            if let Some(texts) = &mut run.core.rule_texts {
                if texts[rule].as_ref().is_none_or(|known| text.len() < known.len()) {
                    texts[rule] = Some(text);
                    changed = true;
                }
            }
        }
    }
    Ok(())
}
