//! The mask of one state: what was found for it, and writing that into a row.
use crate::compiled::{CompiledGrammar, Shared};
use crate::control::{Config, Control};
use crate::core::Core;
use crate::masks::Pick;
use crate::run::Run;
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
        Control::Number { state, .. } => core.schemas.numbers.is_complete(state),
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
            several => {
                bitmask::clear_all(row);
                let mut one = vec![0; row.len()];
                for pick in several {
                    pick.write(&compiled.vocabulary, &mut one);
                    bitmask::or(row, &one);
                }
            }
        }
        self.symbols.iter().for_each(|symbol| set_symbol(symbol, compiled, row));
        if self.complete {
            bitmask::set_ids(row, compiled.info.stop_token_ids());
        }
        // Special tokens are never part of ordinary text, so a full mask is nearly impossible: look at one word first.
        row[0] != u32::MAX || !bitmask::is_full(row, compiled.info.vocab_size())
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
    let Shared { core, masks } = shared;
    let mut run = Run::new(core, stack);
    run.now = num_tokens;
    for config in configs {
        match masks.pick(&mut run, (&compiled.vocabulary, &compiled.info), *config, may_make)? {
            Some(pick) => mask.picks.push(pick),
            None => return Ok(None),
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
