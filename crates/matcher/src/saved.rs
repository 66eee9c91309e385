//! Compiled grammars as bytes, and back.
//!
//! What is saved is the grammar's text and the paths to the states whose masks were made. Reading compiles the text and
//! makes those masks again, so nothing in a file has to be believed: a file can be refused, but it cannot make a mask wrong.
use crate::compiled::{CompileError, CompiledGrammar};
use crate::matcher::{Matcher, MatcherError};
use crate::origin::{PlaceId, Step};
use penstock_grammar::Grammar;
use penstock_tokens::{digest, TokenizerInfo};
use std::sync::Arc;

const MAGIC: &[u8; 16] = b"penstock grammar";
/// Rises with every change of the format.
const VERSION: u32 = 1;
/// Magic, version, fingerprint of the vocabulary.
const HEAD: usize = MAGIC.len() + 4 + 16;
/// The checksum at the end.
const TAIL: usize = 16;

/// `max_saved_places`: how many steps the paths of one file may have together.
const MAX_SAVED_PLACES: u64 = 1 << 20;

/// Codes of steps: bytes are themselves, tokens stand above them.
const FIRST_TOKEN: u64 = 256;

/// Why bytes are no compiled grammar for this vocabulary.
#[derive(Debug)]
pub enum LoadError {
    /// They are not what was saved: what is wrong with them.
    Damaged(&'static str),
    /// They were saved in another version of the format.
    Version(u32),
    /// They were saved for another vocabulary.
    Vocabulary,
    /// The grammar in them cannot be compiled.
    Compile(CompileError),
}

impl From<CompileError> for LoadError {
    fn from(error: CompileError) -> Self {
        LoadError::Compile(error)
    }
}

impl CompiledGrammar {
    /// The grammar and where its masks were needed. Cost: linear in both.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(VERSION.to_le_bytes());
        out.extend(self.info.fingerprint().to_le_bytes());
        let text = self.grammar().to_ebnf();
        put(&mut out, text.len() as u64);
        out.extend(text.as_bytes());
        let shared = self.lock();
        let (places, origins) = (&shared.masks.places, shared.masks.origins());
        put(&mut out, places.len() as u64);
        for place in 1..=places.len() as PlaceId {
            let (before, step) = places.step(place);
            put(&mut out, u64::from(before));
            put(&mut out, code_of(step));
        }
        put(&mut out, origins.len() as u64);
        origins.iter().for_each(|&origin| put(&mut out, u64::from(origin)));
        drop(shared);
        out.extend(digest(&out).to_le_bytes());
        out
    }

    /// Compiles what [`CompiledGrammar::to_bytes`] gave, and makes its masks again.
    ///
    /// Cost: that of compiling and of making the masks, without that of finding out which are needed.
    ///
    /// # Errors
    /// [`LoadError`]; bytes of any kind are refused and never trusted.
    pub fn from_bytes(bytes: &[u8], info: Arc<TokenizerInfo>) -> Result<Arc<CompiledGrammar>, LoadError> {
        let saved = read(bytes, &info)?;
        let grammar = Grammar::from_ebnf(&saved.text, "root").map_err(CompileError::Grammar)?;
        let compiled = Arc::new(CompiledGrammar::new(&grammar, info)?);
        saved.make_masks(&compiled)?;
        Ok(compiled)
    }
}

struct Saved {
    text: String,
    /// For each place but the start: the place before it and the step from there.
    places: Vec<(PlaceId, Step)>,
    origins: Vec<PlaceId>,
}

fn read(bytes: &[u8], info: &TokenizerInfo) -> Result<Saved, LoadError> {
    if bytes.len() < HEAD + TAIL || !bytes.starts_with(MAGIC) {
        return Err(LoadError::Damaged("it does not begin as a saved grammar does"));
    }
    let (body, sum) = bytes.split_at(bytes.len() - TAIL);
    let version = u32::from_le_bytes(word(&body[MAGIC.len()..]));
    if version != VERSION {
        return Err(LoadError::Version(version));
    }
    if digest(body).to_le_bytes() != sum {
        return Err(LoadError::Damaged("its checksum does not fit"));
    }
    if u128::from_le_bytes(word(&body[MAGIC.len() + 4..])) != info.fingerprint() {
        return Err(LoadError::Vocabulary);
    }
    let mut reader = Reader { left: &body[HEAD..] };
    let saved = reader.saved(info)?;
    match reader.left {
        [] => Ok(saved),
        _ => Err(LoadError::Damaged("it goes on behind its end")),
    }
}

/// The first bytes of a slice that is long enough.
fn word<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut word = [0; N];
    word.copy_from_slice(&bytes[..N]);
    word
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn code_of(step: Step) -> u64 {
    match step {
        Step::Byte(byte) => u64::from(byte),
        Step::Token(token) => FIRST_TOKEN + u64::from(token),
    }
}

struct Reader<'b> {
    left: &'b [u8],
}

impl Reader<'_> {
    fn number(&mut self) -> Result<u64, LoadError> {
        let mut value = 0u64;
        for shift in (0..63).step_by(7) {
            let Some((&byte, rest)) = self.left.split_first() else { break };
            self.left = rest;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(LoadError::Damaged("a number in it does not end"))
    }

    /// A number below `end`.
    fn below(&mut self, end: u64) -> Result<u64, LoadError> {
        match self.number()? {
            number if number < end => Ok(number),
            _ => Err(LoadError::Damaged("a number in it is too large")),
        }
    }

    fn saved(&mut self, info: &TokenizerInfo) -> Result<Saved, LoadError> {
        let length = self.below(self.left.len() as u64)? as usize;
        // The number itself took room, so that the text may still be cut short.
        let Some((text, rest)) = self.left.split_at_checked(length) else {
            return Err(LoadError::Damaged("its text is cut short"));
        };
        let text = std::str::from_utf8(text)
            .map_err(|_| LoadError::Damaged("its text is not UTF-8"))?
            .to_owned();
        self.left = rest;
        let num_places = self.below(MAX_SAVED_PLACES + 1)?;
        let mut places = Vec::new();
        for place in 0..num_places {
            let before = self.below(place + 1)? as PlaceId;
            let step = match self.below(FIRST_TOKEN + info.vocab_size() as u64)? {
                code @ 0..FIRST_TOKEN => Step::Byte(code as u8),
                code => Step::Token((code - FIRST_TOKEN) as u32),
            };
            places.push((before, step));
        }
        let num_origins = self.below(num_places + 2)?;
        let origins = (0..num_origins).map(|_| Ok(self.below(num_places + 1)? as PlaceId));
        let origins = origins.collect::<Result<Vec<_>, LoadError>>()?;
        Ok(Saved { text, places, origins })
    }
}

impl Saved {
    /// Goes to every place and makes the masks there.
    fn make_masks(&self, compiled: &Arc<CompiledGrammar>) -> Result<(), LoadError> {
        let mut at = vec![Matcher::new(compiled.clone()).map_err(refused)?];
        for &(before, step) in &self.places {
            let mut matcher = at[before as usize].fork();
            let taken = match step {
                Step::Token(token) => matcher.accept_token(token),
                Step::Byte(byte) => matcher.accept_bytes(&[byte]),
            };
            if !taken.map_err(refused)? {
                return Err(LoadError::Damaged("a path in it does not fit its grammar"));
            }
            at.push(matcher);
        }
        for &origin in &self.origins {
            // A mask that exceeds a limit raises where it is needed.
            let _ = at[origin as usize].prepare_mask();
        }
        Ok(())
    }
}

fn refused(error: MatcherError) -> LoadError {
    match error {
        MatcherError::Limit(limit) => LoadError::Compile(CompileError::Limit(limit)),
        _ => LoadError::Damaged("a path in it goes on behind the end of the output"),
    }
}
