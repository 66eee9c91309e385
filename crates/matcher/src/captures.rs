//! Captures: which parts of a finished output are texts of marked rules.
//!
//! Masks know nothing of captures. They are read afterwards, in two passes over the output: forwards, an Earley recogniser over
//! the rules' terms notes where each call can end; backwards, one reading is chosen. Where an output can be read in several
//! ways, at each place a called rule comes before plain text, of several rules the one that was met first when the grammar was
//! lowered, and of several ends the last.
//!
//! Cost: for unambiguous grammars linear in the output, at worst the cube of its length.
use crate::compiled::CompiledGrammar;
use crate::control::{Config, Control, Gap};
use crate::core::Core;
use crate::mask::is_complete;
use crate::matcher::symbol_holds;
use crate::run::{Configs, Run};
use crate::stack::{FrameId, Stack};
use crate::text::{self, Partial};
use penstock_automata::{Limit, RegexId};
use penstock_grammar::Symbol;
use penstock_tokens::TokenId;
use rustc_hash::{FxHashMap, FxHashSet};

/// `max_capture_items`: how many places in rules the reading of captures may look at.
const MAX_CAPTURE_ITEMS: usize = 20_000_000;

/// A part of an output, as it was accepted.
pub(crate) enum Piece {
    /// A token.
    Token(TokenId),
    /// Text without tokens.
    Bytes(Box<[u8]>),
}

/// One symbol of an output.
#[derive(Clone, Copy, PartialEq)]
enum Unit {
    /// A byte of text.
    Byte(u8),
    /// A token without a text of its own.
    Special,
}

/// An output as symbols.
#[derive(Default)]
pub(crate) struct Output {
    units: Vec<Unit>,
    /// Per place between two symbols, where it stands in `bytes`.
    offsets: Vec<usize>,
    bytes: Vec<u8>,
    /// Tokens by the place where they begin: where they end, and which they are.
    tokens: FxHashMap<usize, Vec<(usize, TokenId)>>,
}

impl Output {
    /// The symbols of an output.
    pub fn new(pieces: &[Piece], compiled: &CompiledGrammar) -> Output {
        let mut output = Output {
            offsets: vec![0],
            ..Output::default()
        };
        for piece in pieces {
            let start = output.len();
            match piece {
                Piece::Bytes(bytes) => output.push_text(bytes),
                Piece::Token(token) => {
                    match compiled.info.token_bytes(*token) {
                        [] => {
                            output.bytes.extend_from_slice(compiled.info.spelling(*token));
                            output.push(Unit::Special);
                        }
                        text => output.push_text(text),
                    }
                    let end = output.len();
                    output.tokens.entry(start).or_default().push((end, *token));
                }
            }
        }
        output
    }

    fn push_text(&mut self, text: &[u8]) {
        for &byte in text {
            self.bytes.push(byte);
            self.push(Unit::Byte(byte));
        }
    }

    fn push(&mut self, unit: Unit) {
        self.units.push(unit);
        self.offsets.push(self.bytes.len());
    }

    /// The character whose first byte stands at `at`, and its length in bytes; it may lie in several tokens.
    fn character(&self, at: usize) -> Option<(char, usize)> {
        let mut partial = Partial::None;
        for (i, unit) in self.units.get(at..)?.iter().enumerate() {
            let Unit::Byte(byte) = *unit else { return None };
            match partial.step_utf8(byte) {
                text::Piece::Part(next) => partial = next,
                text::Piece::Char(character) => return Some((char::from_u32(character)?, i + 1)),
                _ => return None,
            }
        }
        None
    }

    /// The bytes from `start` to so many characters before `end`.
    fn text(&self, start: usize, end: usize, trim: u32) -> Vec<u8> {
        let mut last = end;
        for _ in 0..trim {
            let is_inside = |at: usize| matches!(self.units[at], Unit::Byte(0x80..=0xBF));
            last = last.saturating_sub(1).max(start);
            while last > start && is_inside(last) {
                last -= 1;
            }
        }
        self.bytes[self.offsets[start]..self.offsets[last]].to_vec()
    }

    /// The output without its last symbol, which ended it.
    pub fn without_last(&mut self) {
        self.units.pop();
        self.offsets.pop();
        let end = self.len();
        self.tokens
            .values_mut()
            .for_each(|tokens| tokens.retain(|token| token.0 <= end));
    }

    fn len(&self) -> usize {
        self.units.len()
    }
}

/// What was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Called {
    Rule(usize),
    Json(usize),
}

/// A call: what, and where it begins.
type Call = (Called, usize);

/// A place in a rule that was called at `.1`: what is left of its body.
type Item = (usize, usize, RegexId);

/// Where calls can end, each with the number of its discovery.
type Ends = FxHashMap<Call, Vec<(usize, u32)>>;

/// A part of the output that is the text of a marked rule: its name, and the bytes.
pub type Capture = (String, Vec<u8>);

/// The captures of a finished output, in the order of their ends, inner ones first; None if it is no complete output.
pub(crate) fn captures(core: &mut Core, compiled: &CompiledGrammar, output: &Output) -> Result<Option<Vec<Capture>>, Limit> {
    let mut stack = Stack::new();
    let mut reader = Reader {
        run: Run::new(core, &mut stack),
        compiled,
        output,
        ends: Ends::default(),
        num_ends: 0,
        num_items: 0,
        callees: FxHashMap::default(),
        circles: FxHashMap::default(),
    };
    reader.recognise()?;
    let root = (Called::Rule(reader.run.core.lowered.root), 0);
    let end = output.len();
    if end == 0 {
        return Ok(reader.run.core.lowered.root_nullable.then(Vec::new));
    }
    let Some(whole) = reader
        .ends
        .get(&root)
        .and_then(|ends| ends.iter().find(|known| known.0 == end))
    else {
        return Ok(None);
    };
    let whole = (root, *whole);
    reader.choose(whole).map(Some)
}

struct Reader<'r, 'a> {
    run: Run<'a>,
    compiled: &'r CompiledGrammar,
    output: &'r Output,
    ends: Ends,
    num_ends: u32,
    num_items: usize,
    /// Which rules each rule was seen to call.
    callees: FxHashMap<usize, FxHashSet<usize>>,
    /// Whether the first rule leads back to the second.
    circles: FxHashMap<(usize, usize), bool>,
}

/// The state of the forward pass at one place.
#[derive(Default)]
struct Place {
    items: Vec<Item>,
    known: FxHashSet<Item>,
    /// JSON values that are being read: which, where they began, and how.
    values: Vec<(usize, usize, Configs)>,
    /// Who waits for the calls that begin here.
    waiting: FxHashMap<Called, Vec<Item>>,
}

impl Place {
    fn add(&mut self, item: Item) {
        if self.known.insert(item) {
            self.items.push(item);
        }
    }
}

impl Reader<'_, '_> {
    fn recognise(&mut self) -> Result<(), Limit> {
        let root = self.run.core.lowered.root;
        let mut places: Vec<Place> = (0..=self.output.len()).map(|_| Place::default()).collect();
        places[0].add((root, 0, self.run.core.lowered.bodies[root]));
        for at in 0..=self.output.len() {
            self.end_values(&mut places, at);
            self.close(&mut places, at)?;
            self.advance(&mut places, at)?;
            // What is left is who waits: calls that end later ask for them.
            places[at].items = Vec::new();
            places[at].known = FxHashSet::default();
        }
        Ok(())
    }

    /// JSON values that may end here return.
    fn end_values(&mut self, places: &mut [Place], at: usize) {
        let ended: Vec<(usize, usize)> = places[at]
            .values
            .iter()
            .filter(|value| value.1 < at && is_complete(self.run.core, &value.2))
            .map(|value| (value.0, value.1))
            .collect();
        for (schema, start) in ended {
            self.end(places, (Called::Json(schema), start), at);
        }
    }

    /// A call has ended: whoever waits for it goes on.
    fn end(&mut self, places: &mut [Place], call: Call, at: usize) {
        self.num_ends += 1;
        self.ends.entry(call).or_default().push((at, self.num_ends));
        let waiting = places[call.1].waiting.get(&call.0).cloned().unwrap_or_default();
        waiting.into_iter().for_each(|item| places[at].add(item));
    }

    /// Follows calls and returns. The items that were added last are closed first, so that what is called ends before its callers.
    fn close(&mut self, places: &mut [Place], at: usize) -> Result<(), Limit> {
        let mut ended: FxHashSet<(usize, usize)> = FxHashSet::default();
        let mut todo = std::mem::take(&mut places[at].items);
        let mut all = Vec::new();
        while let Some(item) = todo.pop() {
            all.push(item);
            self.count(1)?;
            let (rule, start, term) = item;
            if start < at && self.run.core.regexes().is_nullable(term) && ended.insert((rule, start)) {
                self.end(places, (Called::Rule(rule), start), at);
            }
            self.call(places, at, item);
            todo.append(&mut places[at].items);
        }
        places[at].items = all;
        Ok(())
    }

    /// The calls that may begin in an item.
    fn call(&mut self, places: &mut [Place], at: usize, (rule, start, term): Item) {
        if self.run.core.regexes().is_regular(term) {
            return;
        }
        for &(external, rest) in self.run.core.externals(term).iter() {
            let called = match self.run.core.symbol(external) {
                Symbol::Rule(called) => Called::Rule(*called),
                Symbol::Json(schema) => Called::Json(*schema),
                _ => continue,
            };
            let waiting = places[at].waiting.entry(called).or_default();
            let is_new = waiting.is_empty();
            if !waiting.contains(&(rule, start, rest)) {
                waiting.push((rule, start, rest));
            }
            if let Called::Rule(called) = called {
                self.callees.entry(rule).or_default().insert(called);
            }
            match called {
                Called::Rule(called) if is_new => places[at].add((called, at, self.run.core.lowered.bodies[called])),
                Called::Json(schema) if is_new => {
                    let (ask, style) = self.run.core.roots[schema];
                    let (gap, frame) = (Gap::Closed, FrameId::BOTTOM);
                    let control = Control::Value { ask, gap, style };
                    let configs = Configs::from_slice(&[Config { control, frame }]);
                    places[at].values.push((schema, at, configs));
                }
                _ => {}
            }
        }
    }

    /// Reads the symbol behind `at`, and the tokens that begin there.
    fn advance(&mut self, places: &mut [Place], at: usize) -> Result<(), Limit> {
        let items = std::mem::take(&mut places[at].items);
        for &(end, token) in self.output.tokens.get(&at).into_iter().flatten() {
            for &(rule, start, term) in &items {
                for (symbol, rest) in self.run.token_edges(term) {
                    if symbol_holds(&symbol, token, self.compiled) {
                        places[end].add((rule, start, rest));
                    }
                }
            }
        }
        let Some((character, length)) = self.output.character(at) else {
            return Ok(());
        };
        // The items of one call are one state.
        let mut terms: FxHashMap<(usize, usize), Vec<RegexId>> = FxHashMap::default();
        let mut order = Vec::new();
        for (rule, start, term) in items {
            let next = self.run.core.regexes().step(term, character as u32)?;
            if next != RegexId::NEVER {
                let of_call = terms.entry((rule, start)).or_default();
                if of_call.is_empty() {
                    order.push((rule, start));
                }
                of_call.push(next);
            }
        }
        for (rule, start) in order {
            let term = self.run.core.regexes().or(&terms[&(rule, start)]);
            places[at + length].add((rule, start, term));
        }
        let mut buffer = [0; 4];
        let bytes = character.encode_utf8(&mut buffer).as_bytes();
        for (schema, start, configs) in std::mem::take(&mut places[at].values) {
            self.count(1)?;
            let next = self.run.read(&configs, bytes)?;
            if !next.is_empty() {
                places[at + length].values.push((schema, start, next));
            }
        }
        Ok(())
    }

    /// Whether what is called may call `rule` again, directly or not.
    fn leads_back(&mut self, called: Called, rule: usize) -> bool {
        let Called::Rule(first) = called else { return false };
        if let Some(&known) = self.circles.get(&(first, rule)) {
            return known;
        }
        let (mut seen, mut todo) = (FxHashSet::from_iter([first]), vec![first]);
        while let Some(next) = todo.pop() {
            let callees = self.callees.get(&next).into_iter().flatten();
            todo.extend(callees.filter(|&&callee| seen.insert(callee)));
        }
        self.circles.insert((first, rule), seen.contains(&rule));
        seen.contains(&rule)
    }

    fn count(&mut self, items: usize) -> Result<(), Limit> {
        self.num_items += items;
        if self.num_items > MAX_CAPTURE_ITEMS {
            return Err(Limit {
                name: "max_capture_items",
                configured: MAX_CAPTURE_ITEMS as u64,
            });
        }
        Ok(())
    }

    /// Chooses one reading, from the outside in.
    fn choose(&mut self, whole: Chosen) -> Result<Vec<Capture>, Limit> {
        let (mut out, mut todo) = (Vec::new(), vec![whole]);
        while let Some((call, end)) = todo.pop() {
            let (Called::Rule(rule), start) = call else { continue };
            let marks = &self.run.core.lowered.marks[rule];
            if let Some(name) = marks.capture.clone() {
                let trim = marks.capture_trim;
                out.push((name, self.output.text(start, end.0, trim)));
            }
            todo.extend(self.read_body(rule, start, end)?);
        }
        // Callers came before what they call, and that from its end on.
        out.reverse();
        Ok(out)
    }

    /// The calls by which a rule is read from `start` to `end`, in order.
    fn read_body(&mut self, rule: usize, start: usize, end: (usize, u32)) -> Result<Vec<Chosen>, Limit> {
        let body = self.run.core.lowered.bodies[rule];
        let (mut dead, mut path) = (FxHashSet::default(), Vec::new());
        path.push(self.choice((body, start), None, (rule, start, end)));
        while let Some(choice) = path.last_mut() {
            if choice.is_end {
                return Ok(path.into_iter().filter_map(|choice| choice.call).collect());
            }
            match choice.next.pop() {
                None => {
                    dead.insert(choice.place);
                    path.pop();
                }
                Some((call, place)) if !dead.contains(&place) => {
                    self.count(1)?;
                    let choice = self.choice(place, call, (rule, start, end));
                    path.push(choice);
                }
                Some(_) => {}
            }
        }
        unreachable!("the forward pass has read the rule so")
    }

    /// How a place in a body can be left, the best way last.
    fn choice(&mut self, place: (RegexId, usize), call: Option<Chosen>, caller: Caller) -> Choice {
        let ((term, at), (_, _, end)) = (place, caller);
        let is_end = at == end.0 && self.run.core.regexes().is_nullable(term);
        let mut next = Vec::new();
        if let Some((character, length)) = self.output.character(at).filter(|found| at + found.1 <= end.0) {
            match self.run.core.regexes().step(term, character as u32) {
                Ok(rest) if rest != RegexId::NEVER => next.push((None, (rest, at + length))),
                _ => {}
            }
        }
        if !is_end && !self.run.core.regexes().is_regular(term) {
            self.add_tokens(place, end.0, &mut next);
            self.add_calls(place, caller, &mut next);
        }
        Choice {
            place,
            call,
            is_end,
            next,
        }
    }

    fn add_tokens(&mut self, (term, at): (RegexId, usize), end: usize, next: &mut Vec<Step>) {
        let edges = self.run.token_edges(term);
        for &(to, token) in self
            .output
            .tokens
            .get(&at)
            .into_iter()
            .flatten()
            .filter(|token| token.0 <= end)
        {
            let fitting = edges.iter().filter(|edge| symbol_holds(&edge.0, token, self.compiled));
            next.extend(fitting.map(|edge| (None, (edge.1, to))));
        }
    }

    fn add_calls(&mut self, (term, at): (RegexId, usize), (rule, start, end): Caller, next: &mut Vec<Step>) {
        let mut calls: Vec<(Call, RegexId)> = Vec::new();
        for &(external, rest) in self.run.core.externals(term).iter() {
            match self.run.core.symbol(external) {
                Symbol::Rule(rule) => calls.push(((Called::Rule(*rule), at), rest)),
                Symbol::Json(schema) => calls.push(((Called::Json(*schema), at), rest)),
                _ => {}
            }
        }
        calls.sort_unstable_by(|a, b| b.cmp(a));
        for (call, rest) in calls {
            // Where a rule may be read as itself, only what was found before it counts, so that this comes to an end.
            let is_circle = at == start && self.leads_back(call.0, rule);
            let fits = |found: &&(usize, u32)| found.0 < end.0 || (found.0 == end.0 && (!is_circle || found.1 < end.1));
            let ends = self.ends.get(&call).into_iter().flatten().filter(fits);
            next.extend(ends.map(|&found| (Some((call, found)), (rest, found.0))));
        }
    }
}

/// The rule that is being read, where it begins, and where it ends.
type Caller = (usize, usize, (usize, u32));

/// A call with its end.
type Chosen = (Call, (usize, u32));

/// A way on: the call that is taken, if any, and the place behind it.
type Step = (Option<Chosen>, (RegexId, usize));

/// A place on the way through a body.
struct Choice {
    place: (RegexId, usize),
    /// The call that led here.
    call: Option<Chosen>,
    is_end: bool,
    /// The ways on that were not tried yet, the best one last.
    next: Vec<Step>,
}
