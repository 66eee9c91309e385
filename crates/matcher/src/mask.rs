//! The mask of one state: what was found for it, and writing that into a row.
use crate::compiled::{CompiledGrammar, Shared};
use crate::control::{Config, Control};
use crate::core::Core;
use crate::masks::{Masks, Pick};
use crate::run::{Configs, Run};
use crate::stack::{FrameId, Stack};
use crate::text::Partial;
use penstock_automata::Limit;
use penstock_grammar::Symbol;
use penstock_tokens::bitmask;
use smallvec::SmallVec;

/// Whether the output may end in one of these configurations.
pub(crate) fn is_complete(core: &Core, configs: &[Config]) -> bool {
    configs.iter().any(|config| match config.control {
        _ if config.frame != FrameId::BOTTOM => false,
        Control::Done => true,
        Control::Number(number) => core.schemas.numbers.is_complete(number.state),
        Control::Rule {
            term,
            partial: Partial::None,
        } => core.schemas.regexes.is_nullable(term),
        _ => false,
    })
}

/// The mask of a state, to be written without any lock: the union over its configurations, the token symbols that its rules
/// take, and the stop tokens where the output may end.
pub(crate) struct Mask {
    picks: SmallVec<[Pick; 1]>,
    symbols: Vec<Symbol>,
    complete: bool,
}

impl Mask {
    /// Writes the mask into `row`, whatever it held; whether anything is masked.
    pub(crate) fn write(&self, compiled: &CompiledGrammar, row: &mut [u32]) -> bool {
        match &self.picks[..] {
            [only] => only.write(&compiled.vocabulary, row),
            [] => bitmask::clear_all(row),
            several => {
                several[0].write(&compiled.vocabulary, row);
                several[1..].iter().for_each(|pick| pick.add(&compiled.vocabulary, row));
            }
        }
        self.symbols.iter().for_each(|symbol| set_symbol(symbol, compiled, row));
        if self.complete {
            bitmask::set_ids(row, compiled.info.stop_token_ids());
        }
        // Special tokens are never part of ordinary text, so a full mask is nearly impossible: look at one word first.
        row[0] != u32::MAX || !bitmask::is_full(row, compiled.info.vocab_size())
    }

    /// Heap memory in bytes, approximately, without the remembered masks.
    pub(crate) fn memory_usage(&self) -> usize {
        let picks: usize = self.picks.iter().map(Pick::memory_usage).sum();
        size_of::<Mask>() + picks + self.symbols.len() * size_of::<Symbol>()
    }

    /// Numbers for the remembered masks it is made of.
    pub(crate) fn ids(&self) -> SmallVec<[usize; 1]> {
        self.picks.iter().map(Pick::id).collect()
    }
}

/// The mask of these configurations, after so many tokens; None if a part of it is not remembered and must not be made.
pub(crate) fn find_mask(
    compiled: &CompiledGrammar,
    shared: &mut Shared,
    stack: &mut Stack,
    (configs, num_tokens): (&[Config], u32),
    may_make: bool,
) -> Result<Option<Mask>, Limit> {
    let mut mask = Mask {
        picks: SmallVec::new(),
        symbols: Vec::new(),
        complete: is_complete(&shared.core, configs),
    };
    let Shared { core, masks, .. } = shared;
    let mut run = Run::new(core, stack);
    run.now = num_tokens;
    for config in configs {
        let mark = run.stack.mark();
        let found = pick_all(compiled, masks, &mut run, *config, (may_make, &mut mask.picks));
        run.stack.truncate(mark);
        if !found? {
            return Ok(None);
        }
        if let Control::Rule {
            term,
            partial: Partial::None,
        } = config.control
        {
            mask.symbols.extend(run.token_edges(term).into_iter().map(|edge| edge.0));
        }
    }
    Ok(Some(mask))
}

/// The masks of one configuration, all remembered or made; `false` if one is missing. A number that may end here has two: that
/// of what follows it, which is no different behind a string, and its own.
fn pick_all(
    compiled: &CompiledGrammar,
    masks: &mut Masks,
    run: &mut Run<'_>,
    config: Config,
    (may_make, picks): (bool, &mut SmallVec<[Pick; 1]>),
) -> Result<bool, Limit> {
    let after = match config.control {
        Control::Number(number) => run.after_number(number, config.frame)?,
        _ => Configs::new(),
    };
    for config in after.into_iter().chain([config]) {
        match masks.pick(run, (&compiled.vocabulary, &compiled.info), config, may_make)? {
            Some(pick) => picks.push(pick),
            None => return Ok(false),
        }
    }
    Ok(true)
}

fn set_symbol(symbol: &Symbol, compiled: &CompiledGrammar, row: &mut [u32]) {
    match symbol {
        Symbol::Tokens(ids) => bitmask::set_ids(row, ids),
        Symbol::ExcludeTokens(ids) => {
            let mut all = vec![0; row.len()];
            bitmask::fill(&mut all, compiled.info.vocab_size());
            bitmask::clear_ids(&mut all, ids);
            bitmask::or(row, &all);
        }
        _ => {}
    }
}
