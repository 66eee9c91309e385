//! A grammar bound to a vocabulary.
use crate::budget::Budgets;
use crate::core::{style_of, Core, Style};
use crate::masks::Masks;
use crate::run::Run;
use crate::spots::Spots;
use crate::stack::Stack;
use crate::techniques::{Technique, Techniques};
use crate::vocabulary::Vocabulary;
use penstock_automata::{CharSet, Limit, RegexId, Regexes};
use penstock_grammar::{lower_with, Grammar, GrammarError, JsonOptions, LowerLimits, Lowered, Specials, Symbol};
use penstock_schema::{Report, SchemaError, SchemaMachine};
use penstock_tokens::TokenizerInfo;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why a grammar cannot be compiled.
#[derive(Debug)]
pub enum CompileError {
    /// The grammar itself.
    Grammar(GrammarError),
    /// A JSON schema in it.
    Schema(SchemaError),
    /// A limit was reached.
    Limit(Limit),
    /// No text matches.
    Empty(String),
    /// The vocabulary cannot spell it.
    Vocabulary(String),
    /// The `max_tokens` of a rule is too small to be kept exactly.
    Budget(String),
}

impl From<Limit> for CompileError {
    fn from(limit: Limit) -> Self {
        CompileError::Limit(limit)
    }
}

impl From<GrammarError> for CompileError {
    fn from(error: GrammarError) -> Self {
        CompileError::Grammar(error)
    }
}

impl From<SchemaError> for CompileError {
    fn from(error: SchemaError) -> Self {
        CompileError::Schema(error)
    }
}

/// What matchers of one grammar share and grow together.
pub(crate) struct Shared {
    pub(crate) core: Core,
    pub(crate) masks: Masks,
    pub(crate) spots: Spots,
}

/// A grammar bound to a vocabulary: immutable to its users, lazily grown inside.
pub struct CompiledGrammar {
    pub(crate) info: Arc<TokenizerInfo>,
    pub(crate) vocabulary: Arc<Vocabulary>,
    pub(crate) shared: Mutex<Shared>,
    /// As many masks as there are behind the lock, or fewer for a moment.
    num_masks: AtomicUsize,
    /// Whether some rule asks for a temperature.
    pub(crate) has_temperatures: bool,
    /// Whether a step depends on nothing but the state: no rule counts its tokens, and the technique is not left out.
    pub(crate) knows_steps: bool,
    grammar: Grammar,
}

impl CompiledGrammar {
    /// Lowers `grammar`. Nothing is done for the vocabulary yet: automata and masks appear where the output goes.
    ///
    /// # Errors
    /// [`CompileError`]: the grammar, a schema in it, a limit, an empty language, or a vocabulary that cannot spell it.
    pub fn new(grammar: &Grammar, info: Arc<TokenizerInfo>) -> Result<CompiledGrammar, CompileError> {
        CompiledGrammar::with_techniques(grammar, info, Techniques::ALL)
    }

    /// [`CompiledGrammar::new`] with some shortcuts left out: the masks are the same, their cost is not.
    ///
    /// # Errors
    /// As there.
    pub fn with_techniques(
        grammar: &Grammar,
        info: Arc<TokenizerInfo>,
        techniques: Techniques,
    ) -> Result<CompiledGrammar, CompileError> {
        let vocabulary = Vocabulary::of(&info);
        let mut schemas = SchemaMachine::new();
        let limits = limits_of(techniques);
        let mut lowered = match grammar.has_tags() {
            true => lower_with(&grammar.expand_tags(&special_names(&info))?, &mut schemas.regexes, &limits)?,
            false => lower_with(grammar, &mut schemas.regexes, &limits)?,
        };
        resolve_tokens(&mut lowered.symbols, &info)?;
        let (mut roots, mut styles, mut wrong) = (Vec::new(), Vec::<Style>::new(), Vec::new());
        for (schema, options) in &lowered.schemas {
            let ready = match schemas.lower(schema, &options.schema) {
                Ok(ready) => ready,
                Err(error) => {
                    wrong.push(error.under(&grammar.pointer_to(schema)));
                    continue;
                }
            };
            let style = style_of(options);
            let index = styles.iter().position(|known| *known == style).unwrap_or_else(|| {
                styles.push(style);
                styles.len() - 1
            });
            roots.push((ready.root, index as u8));
        }
        if let Some(error) = SchemaError::joined(wrong) {
            return Err(error.into());
        }
        check_spelling(&vocabulary, !roots.is_empty())?;
        spell_rules(&mut lowered, &mut schemas, &vocabulary)?;
        let mut core = Core::new(schemas, lowered, roots, styles);
        core.techniques = techniques;
        core.budgets = Budgets::of(&mut core)?;
        let mut stack = Stack::new();
        let start = Run::new(&mut core, &mut stack).start()?;
        if start.is_empty() {
            return Err(CompileError::Empty(core.lowered.names[core.lowered.root].clone()));
        }
        let knows_steps = techniques.has(Technique::KnownSteps) && !core.budgets.has_any();
        let has_temperatures = core.lowered.marks.iter().any(|marks| marks.temperature.is_some());
        Ok(CompiledGrammar {
            info,
            vocabulary,
            shared: Mutex::new(Shared {
                core,
                masks: Masks::default(),
                spots: Spots::new(knows_steps && techniques.has(Technique::MaskMemory)),
            }),
            num_masks: AtomicUsize::new(0),
            has_temperatures,
            knows_steps,
            grammar: grammar.clone(),
        })
    }

    /// The vocabulary.
    pub fn info(&self) -> &Arc<TokenizerInfo> {
        &self.info
    }

    /// What was compiled.
    pub fn grammar(&self) -> &Grammar {
        &self.grammar
    }

    /// What is enforced, annotated and refused, for each JSON schema of the grammar. Few ask, so it costs only those who do:
    /// the schemas are read again.
    ///
    /// # Errors
    /// [`SchemaError`] where a limit is met that was not met before.
    pub fn reports(&self) -> Result<Vec<Report>, SchemaError> {
        let schemas = self.lock().core.lowered.schemas.clone();
        let report_of = |(schema, options): &(Arc<_>, Arc<JsonOptions>)| {
            let mut options = options.schema.clone();
            options.report_enforced = true;
            SchemaMachine::new().lower(schema, &options).map(|ready| ready.report)
        };
        schemas.iter().map(report_of).collect()
    }

    /// Heap memory of automata and masks in bytes, approximately; the tables of the vocabulary are apart.
    pub fn memory_usage(&self) -> usize {
        let shared = self.lock();
        shared.core.memory_usage() + shared.masks.memory_usage() + shared.spots.memory_usage()
    }

    /// Heap memory of the vocabulary's tables in bytes, shared by all its grammars: of bitmaps and tables, of tries,
    /// of sweeps, and of masks that they share; the last two grow with use.
    pub fn vocabulary_memory_usage(&self) -> (usize, usize, usize, usize) {
        self.vocabulary.memory_usage()
    }

    /// How many masks are remembered, and how many were made.
    pub fn mask_counts(&self) -> (usize, u64) {
        let shared = self.lock();
        (shared.masks.num_leaves(), shared.masks.num_misses)
    }

    /// How many masks are remembered, without waiting for the lock.
    pub(crate) fn num_masks(&self) -> usize {
        self.num_masks.load(Ordering::Relaxed)
    }

    /// Tells those who do not take the lock.
    pub(crate) fn count_masks(&self, count: usize) {
        self.num_masks.store(count, Ordering::Relaxed);
    }

    /// A panic elsewhere leaves only memo tables behind, each entry of which is written after it was computed.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The special tokens that the texts of structural tags mean.
fn special_names(info: &TokenizerInfo) -> Specials {
    let names = info.special_token_ids().iter().map(|&id| info.spelling(id));
    Specials::new(names.filter_map(|name| std::str::from_utf8(name).ok().map(str::to_owned)))
}

fn limits_of(techniques: Techniques) -> LowerLimits {
    let mut limits = LowerLimits::default();
    if !techniques.has(Technique::RuleInlining) {
        limits.max_inlined_size = 0;
    }
    limits
}

/// Special tokens that a grammar names by their text become ids.
fn resolve_tokens(symbols: &mut [Symbol], info: &TokenizerInfo) -> Result<(), CompileError> {
    for symbol in symbols {
        match symbol {
            Symbol::TokenText(text) => *symbol = Symbol::Tokens(tokens_named(info, text)?.into()),
            Symbol::ExcludeNamed { ids, texts } => {
                let mut all = ids.to_vec();
                for text in texts.iter() {
                    all.extend(tokens_named(info, text)?);
                }
                all.sort_unstable();
                all.dedup();
                *symbol = Symbol::ExcludeTokens(all.into());
            }
            _ => {}
        }
        if let Symbol::Tokens(ids) | Symbol::ExcludeTokens(ids) = symbol {
            if let Some(id) = ids.iter().find(|&&id| id as usize >= info.vocab_size()) {
                let size = info.vocab_size();
                return Err(CompileError::Vocabulary(format!(
                    "token id `{id}` is outside the vocabulary of {size} ids; use an id below it"
                )));
            }
        }
    }
    Ok(())
}

/// The special tokens of this name; if there are none, the tokens that spell it.
fn tokens_named(info: &TokenizerInfo, text: &str) -> Result<Vec<u32>, CompileError> {
    let mut ids = info.special_ids_named(text.as_bytes());
    if ids.is_empty() && !text.is_empty() {
        let spells = |id: &u32| info.spelling(*id) == text.as_bytes();
        ids = (0..info.vocab_size() as u32).filter(spells).collect();
    }
    if ids.is_empty() {
        return Err(CompileError::Vocabulary(format!(
            "no token is spelled `{text}`; name a token of this tokenizer, or write the text as a string"
        )));
    }
    Ok(ids)
}

/// The masks take spelling for free: whatever text the tokens can begin, single bytes can go on with. A vocabulary without
/// that could lead into a dead end, so it is refused.
fn check_spelling(vocabulary: &Vocabulary, has_json: bool) -> Result<(), CompileError> {
    if vocabulary.single_bytes == [true; 256] {
        return Ok(());
    }
    let needed = |byte: u8| vocabulary.used_bytes[usize::from(byte)] || (has_json && (b' '..=b'~').contains(&byte));
    let missing = (0..=255u8).filter(|&byte| needed(byte) && !vocabulary.single_bytes[usize::from(byte)]);
    let missing: Vec<String> = missing.map(name_byte).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(", ");
    let way_out = "add a token for each of them, as byte-level and byte-fallback tokenizers have";
    Err(CompileError::Vocabulary(format!(
        "the vocabulary cannot spell the grammar: no token is the single byte {list}; {way_out}"
    )))
}

/// Takes out of the rules what the vocabulary cannot spell, so that no mask leads there.
fn spell_rules(lowered: &mut Lowered, schemas: &mut SchemaMachine, vocabulary: &Vocabulary) -> Result<(), CompileError> {
    let is_missing = |byte: &u8| is_utf8_byte(*byte) && !vocabulary.single_bytes[usize::from(*byte)];
    if vocabulary.single_bytes == [true; 256] || !(0..=255u8).any(|byte| is_missing(&byte)) {
        return Ok(());
    }
    let missing: Vec<u8> = (0..=255u8).filter(is_missing).collect();
    let alphabet = spelled_characters(&vocabulary.single_bytes);
    let regexes = &mut schemas.regexes;
    let mut productive = vec![true; lowered.bodies.len()];
    loop {
        let symbols = &lowered.symbols;
        let keeps = |symbol: u32| !matches!(symbols[symbol as usize], Symbol::Rule(rule) if !productive[rule]);
        let bodies: Vec<_> = lowered
            .bodies
            .iter()
            .map(|&body| regexes.restrict(body, &alphabet, &keeps))
            .collect();
        let now = least_productive(&bodies, symbols, regexes)?;
        if now == productive {
            lowered.bodies = bodies;
            break;
        }
        productive = now;
    }
    if productive[lowered.root] {
        return Ok(());
    }
    let list = missing.into_iter().take(8).map(name_byte).collect::<Vec<_>>().join(", ");
    Err(CompileError::Vocabulary(format!(
        "the vocabulary cannot spell the grammar: among the bytes that are no token are {list}; add tokens for the bytes that every text of the grammar needs"
    )))
}

/// Which rules have a text: the least fixpoint over their bodies.
fn least_productive(bodies: &[RegexId], symbols: &[Symbol], regexes: &mut Regexes) -> Result<Vec<bool>, Limit> {
    let mut productive = vec![false; bodies.len()];
    loop {
        let mut changed = false;
        for rule in 0..bodies.len() {
            let keeps = |symbol: u32| !matches!(symbols[symbol as usize], Symbol::Rule(called) if !productive[called]);
            let body = regexes.restrict(bodies[rule], &CharSet::all(), &keeps);
            if !productive[rule] && regexes.is_live(body)? {
                productive[rule] = true;
                changed = true;
            }
        }
        if !changed {
            return Ok(productive);
        }
    }
}

/// Bytes that no UTF-8 text holds need no token.
fn is_utf8_byte(byte: u8) -> bool {
    !matches!(byte, 0xC0 | 0xC1 | 0xF5..=0xFF)
}

/// The characters whose bytes are all tokens by themselves.
fn spelled_characters(single: &[bool; 256]) -> CharSet {
    let mut buffer = [0; 4];
    let spelled = |character: &char| {
        character
            .encode_utf8(&mut buffer)
            .bytes()
            .all(|byte| single[usize::from(byte)])
    };
    CharSet::new(
        ('\u{0}'..=char::MAX)
            .filter(spelled)
            .map(|character| (character as u32, character as u32)),
    )
}

fn name_byte(byte: u8) -> String {
    if byte.is_ascii_graphic() {
        format!("`{}`", byte as char)
    } else {
        format!("0x{byte:02X}")
    }
}
