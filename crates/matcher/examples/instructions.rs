//! Work for callgrind: compiles grammars and reads texts under them. Run by `benchmarks/instructions.py`.
//!
//!     instructions VOCABULARY TASKS
//!
//! VOCABULARY: for each id the length of its spelling as u32 (little-endian) and the spelling; the stop token is the last id.
//! TASKS: a JSON array of `{"kind": "schema" | "ebnf" | "regex", "text", "tokens"}`. Each task has
//! four parts: compile; first mask; the text, every mask and every accept; the same again.
use penstock_grammar::{Dialect, Grammar, JsonOptions};
use penstock_matcher::{prepare_vocabulary, CompiledGrammar, Matcher, MatcherError};
use penstock_tokens::TokenizerInfo;
use std::hint::black_box;
use std::sync::Arc;

type Failure = Box<dyn std::error::Error>;

/// What is counted: callgrind collects inside this function only, and writes a file whenever it returns.
#[inline(never)]
#[no_mangle]
pub fn penstock_measured(work: &mut dyn FnMut()) {
    work();
    black_box(());
}

/// The parts of a task, for a profile of one of them.
macro_rules! parts {
    ($($name:ident = $number:literal),*) => {$(
        #[doc = "A part of a task."]
        #[inline(never)]
        #[no_mangle]
        pub fn $name(work: &mut dyn FnMut()) {
            penstock_measured(work);
            // Equal functions would become one.
            black_box($number);
        }
    )*};
}
parts!(
    penstock_part_compile = 0,
    penstock_part_start = 1,
    penstock_part_first = 2,
    penstock_part_repeat = 3
);

fn within<T>(part: fn(&mut dyn FnMut()), mut work: impl FnMut() -> T) -> T {
    let mut answer = None;
    part(&mut || answer = Some(work()));
    answer.expect("the work was done")
}

fn read_vocabulary(bytes: &[u8]) -> Result<TokenizerInfo, Failure> {
    let (mut tokens, mut rest) = (Vec::new(), bytes);
    while let Some((length, tail)) = rest.split_first_chunk::<4>() {
        let (token, tail) = tail
            .split_at_checked(u32::from_le_bytes(*length) as usize)
            .ok_or("the vocabulary ends inside a token")?;
        tokens.push(token.to_vec());
        rest = tail;
    }
    let stop = tokens.len().checked_sub(1).ok_or("the vocabulary is empty")? as u32;
    Ok(TokenizerInfo::new(tokens, vec![stop], vec![], None)?)
}

fn grammar_of(kind: &str, text: &str) -> Result<Grammar, Failure> {
    Ok(match kind {
        "schema" => Grammar::from_json_schema(serde_json::from_str(text)?, JsonOptions::default()),
        "ebnf" => Grammar::from_ebnf(text, "root")?,
        "regex" => Grammar::from_regex(text, Dialect::Python)?,
        _ => return Err(format!("no kind of grammar is called `{kind}`; use schema, ebnf or regex").into()),
    })
}

/// The first mask of an output.
fn start(compiled: &Arc<CompiledGrammar>, row: &mut [u32]) -> Result<Matcher, MatcherError> {
    let mut matcher = Matcher::new(compiled.clone())?;
    matcher.fill_next_token_bitmask(row)?;
    Ok(matcher)
}

/// Fills a mask and accepts a token for every token of a text; how many were taken.
fn read(compiled: &Arc<CompiledGrammar>, tokens: &[u32], row: &mut [u32]) -> Result<usize, MatcherError> {
    let mut matcher = Matcher::new(compiled.clone())?;
    for (taken, &token) in tokens.iter().enumerate() {
        matcher.fill_next_token_bitmask(row)?;
        if !matcher.accept_token(token)? {
            return Ok(taken);
        }
    }
    Ok(tokens.len())
}

fn measure(task: &serde_json::Value, info: &Arc<TokenizerInfo>, row: &mut [u32]) -> Result<(), Failure> {
    let field = |name: &str| task[name].as_str().ok_or(format!("a task has no `{name}`"));
    let (kind, text) = (field("kind")?, field("text")?);
    let tokens: Vec<u32> = serde_json::from_value(task["tokens"].clone())?;
    let wrong = |what: String| Failure::from(format!("{text}: {what}"));
    let compiled = within(penstock_part_compile, || {
        let grammar = grammar_of(kind, text)?;
        CompiledGrammar::new(&grammar, info.clone()).map_err(|error| wrong(format!("{error:?}")))
    })?;
    let compiled = Arc::new(compiled);
    within(penstock_part_start, || start(&compiled, row)).map_err(|error| wrong(format!("{error:?}")))?;
    for part in [penstock_part_first, penstock_part_repeat] {
        let taken = within(part, || read(&compiled, &tokens, row)).map_err(|error| wrong(format!("{error:?}")))?;
        if taken < tokens.len() {
            return Err(wrong(format!("token {taken} of the text was refused")));
        }
    }
    Ok(())
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &str| arguments.next().ok_or(format!("the path of the {what} is missing"));
    let info = Arc::new(read_vocabulary(&std::fs::read(next("vocabulary")?)?)?);
    prepare_vocabulary(&info);
    let tasks: Vec<serde_json::Value> = serde_json::from_slice(&std::fs::read(next("tasks")?)?)?;
    let mut row = vec![0; penstock_tokens::bitmask::words_for(info.vocab_size())];
    tasks.iter().try_for_each(|task| measure(task, &info, &mut row))
}
