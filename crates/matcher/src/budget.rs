//! `max_tokens` of a rule: how many tokens may hold some of its text.
//!
//! The frame of a call remembers from which token on nothing more may be read there; it learns that with the first byte. A place
//! is given up at the end of a token if its rule cannot end within the tokens that are left. So that this is a question of the
//! last few tokens only, a budget must exceed the bytes that any state of the rule may need to end ([`Budgets::of`]); then calls
//! that begin inside a token are never short of tokens, and remembered masks need to know nothing of budgets: near the end of
//! one, masks are made for that place alone.
use crate::compiled::CompileError;
use crate::control::{Config, Control};
use crate::core::Core;
use crate::run::{Configs, Frontier, Run};
use crate::stack::{CallMark, Frame, FrameId};
use crate::techniques::Technique;
use crate::text::{Partial, Piece};
use crate::vocabulary::Vocabulary;
use crate::walk::{Place, Walk};
use penstock_automata::{Limit, RegexId};
use penstock_tokens::{NodeId, TokenTrie};
use rustc_hash::{FxHashMap, FxHashSet};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// `max_budget_states`: how many states a rule may have whose tokens are counted.
const MAX_BUDGET_STATES: usize = 20_000;

/// `max_budget_steps`: how many edges of the vocabulary's trie the search for an end within a budget may look at.
const MAX_BUDGET_STEPS: u64 = 40_000_000;

/// The rules of a grammar that have budgets.
#[derive(Clone, Debug, Default)]
pub struct Budgets {
    /// Per rule, whether its frames know it: those with a budget or a temperature.
    pub frames: Vec<bool>,
    /// Per rule that has one: how many tokens, and the most bytes that a state of it needs to end.
    rules: FxHashMap<u32, (u32, u32)>,
}

impl Budgets {
    /// Whether some rule has a budget.
    pub fn has_any(&self) -> bool {
        !self.rules.is_empty()
    }

    /// The budgets of the grammar. Cost: linear in the states of the rules that have one.
    ///
    /// # Errors
    /// A budget that is too small; `max_budget_states`.
    pub fn of(core: &mut Core) -> Result<Budgets, CompileError> {
        let marks = core.lowered.marks.clone();
        let mut budgets = Budgets::default();
        for (rule, marks) in marks.iter().enumerate() {
            budgets.frames.push(marks.max_tokens.is_some() || marks.temperature.is_some());
            let Some(max_tokens) = marks.max_tokens else { continue };
            let needed = most_bytes_to_end(core, core.lowered.bodies[rule])?;
            if max_tokens <= needed {
                let name = &core.lowered.names[rule];
                return Err(CompileError::Budget(format!(
                    "`max_tokens={max_tokens}` of the rule `{name}` is refused: its text may need {needed} more bytes to end; \
                     give it at least `max_tokens={}`, or bound it by `max_chars`",
                    needed + 1
                )));
            }
            budgets.rules.insert(rule as u32 + 1, (max_tokens, needed));
        }
        Ok(budgets)
    }
}

/// The most bytes that a text of `body`, at any place in it, needs to go on by a character and end.
fn most_bytes_to_end(core: &mut Core, body: RegexId) -> Result<u32, Limit> {
    let (mut states, mut ids, mut next) = (vec![body], FxHashMap::from_iter([(body, 0usize)]), 0);
    let mut edges: Vec<Vec<(usize, u32)>> = vec![Vec::new()]; // by target: source and bytes
    let mut widest = 0;
    while next < states.len() {
        let row = core.regexes().live_row(states[next])?;
        for (low, high, target) in row.ranges() {
            let known = *ids.entry(target).or_insert_with(|| {
                states.push(target);
                edges.push(Vec::new());
                states.len() - 1
            });
            edges[known].push((next, width(low)));
            widest = widest.max(width(high));
        }
        if states.len() > MAX_BUDGET_STATES {
            return Err(Limit {
                name: "max_budget_states",
                configured: MAX_BUDGET_STATES as u64,
            });
        }
        next += 1;
    }
    let to_end = bytes_to_end(core, &states, &edges);
    // The least bytes by which each state goes on.
    let mut on = vec![u32::MAX; states.len()];
    for (target, sources) in edges.iter().enumerate() {
        for &(source, bytes) in sources {
            on[source] = on[source].min(bytes.saturating_add(to_end[target]));
        }
    }
    let most = on.into_iter().filter(|&bytes| bytes < u32::MAX).max().unwrap_or(0);
    // Inside a character, up to three more bytes are due than from its beginning.
    Ok(most.saturating_add(widest.saturating_sub(1)))
}

/// For each state the least number of bytes to an end: Dijkstra's search, backwards.
fn bytes_to_end(core: &mut Core, states: &[RegexId], edges: &[Vec<(usize, u32)>]) -> Vec<u32> {
    let mut least = vec![u32::MAX; states.len()];
    let mut todo = BinaryHeap::new();
    for (i, &state) in states.iter().enumerate() {
        if core.regexes().is_nullable(state) {
            todo.push(Reverse((0, i)));
        }
    }
    while let Some(Reverse((bytes, state))) = todo.pop() {
        if bytes >= least[state] {
            continue;
        }
        least[state] = bytes;
        todo.extend(edges[state].iter().map(|&(source, more)| Reverse((bytes + more, source))));
    }
    least
}

/// How many bytes a character has.
fn width(character: u32) -> u32 {
    match character {
        0..=0x7F => 1,
        0x80..=0x7FF => 2,
        0x800..=0xFFFF => 3,
        _ => 4,
    }
}

impl Run<'_> {
    /// The frame in which a byte is read in this one: a budget starts with the first byte. None if it is spent.
    pub fn counted(&mut self, frame: FrameId) -> Option<FrameId> {
        if self.core.budgets.rules.is_empty() {
            return Some(frame);
        }
        let Frame::Call { mark, .. } = self.stack.frame(frame) else {
            return Some(frame);
        };
        let Some(&(max_tokens, _)) = self.core.budgets.rules.get(&mark.rule) else {
            return Some(frame);
        };
        if mark.until > 0 {
            return (mark.until > self.now).then_some(frame);
        }
        let mark = CallMark {
            until: self.now + max_tokens,
            ..mark
        };
        let share = self.core.techniques.has(Technique::StackSharing);
        let counted = self.stack.remark(frame, mark, share);
        // It is the same frame to whoever asks where it returns.
        if let (Some(path), Some(recorder)) = (self.foreign(frame), &mut self.recorder) {
            if recorder.known.path(counted).is_none() {
                recorder.known.add(counted, path);
            }
        }
        Some(counted)
    }

    /// How many tokens, from number `now` on, may still hold text of the rule of this frame, if those few matter.
    fn tokens_left(&self, frame: FrameId, now: u32) -> Option<u32> {
        let Frame::Call { mark, .. } = self.stack.frame(frame) else {
            return None;
        };
        let (_, needed) = self.core.budgets.rules.get(&mark.rule).filter(|_| mark.until > 0)?;
        let left = mark.until.saturating_sub(now);
        (left < (*needed).max(1)).then_some(left)
    }

    /// Whether a token read here may leave too few for its rule to end.
    pub fn is_near_budget(&self, config: &Config) -> bool {
        !self.core.budgets.rules.is_empty() && self.tokens_left(config.frame, self.now + 1).is_some()
    }

    /// The configurations whose budgets can be kept, once token number `now` has been read.
    pub fn keep_budgets(&mut self, vocabulary: &Vocabulary, configs: &mut Configs) -> Result<(), Limit> {
        if self.core.budgets.rules.is_empty() {
            return Ok(());
        }
        let mut kept = Configs::new();
        for &config in configs.iter() {
            if self.keeps_budget(vocabulary, &config)? {
                kept.push(config);
            }
        }
        *configs = kept;
        Ok(())
    }

    /// Whether the rule can go on here and end within its budget, once token number `now` has been read.
    pub fn keeps_budget(&mut self, vocabulary: &Vocabulary, config: &Config) -> Result<bool, Limit> {
        let Some(left) = self.tokens_left(config.frame, self.now + 1) else {
            return Ok(true);
        };
        match config.control {
            Control::Rule { term, partial } => self.ends_within(vocabulary, (term, partial), config.frame, left),
            _ => Ok(true),
        }
    }

    /// Whether some `left` tokens or fewer go on with the rule's text and end it; the last one may go on behind it.
    fn ends_within(
        &mut self,
        vocabulary: &Vocabulary,
        start: (RegexId, Partial),
        frame: FrameId,
        left: u32,
    ) -> Result<bool, Limit> {
        let mark = self.stack.mark();
        let (mut known, mut states) = (FxHashSet::from_iter([start]), vec![start]);
        let mut steps = 0;
        let mut found = false;
        for _ in 0..left {
            let mut next = Vec::new();
            for state in std::mem::take(&mut states) {
                let mut token = OneToken {
                    vocabulary,
                    frame,
                    steps: &mut steps,
                    ends: Vec::new(),
                };
                if token.ends_rule(self, state)? {
                    found = true;
                    break;
                }
                next.extend(token.ends.into_iter().filter(|&end| known.insert(end)));
            }
            if found || next.is_empty() {
                break;
            }
            states = next;
        }
        self.stack.truncate(mark);
        Ok(found)
    }
}

/// One token that is read in a rule: where it can end.
struct OneToken<'v> {
    vocabulary: &'v Vocabulary,
    frame: FrameId,
    steps: &'v mut u64,
    /// The places inside the rule at which a token can end.
    ends: Vec<(RegexId, Partial)>,
}

impl OneToken<'_> {
    /// Whether a token from `start` can end the rule.
    fn ends_rule(&mut self, run: &mut Run<'_>, start: (RegexId, Partial)) -> Result<bool, Limit> {
        let trie = &self.vocabulary.trie;
        let mut known = FxHashSet::default();
        let mut todo = vec![(TokenTrie::ROOT, start)];
        while let Some((node, (term, partial))) = todo.pop() {
            for child in trie.children(node) {
                *self.steps += 1;
                let next = match partial.step_utf8(trie.byte(child)) {
                    Piece::Char(character) => (run.core.regexes().step(term, character)?, Partial::None),
                    Piece::Part(next) if next.is_live(&*run.core.regexes().live_row(term)?) => (term, next),
                    _ => continue,
                };
                if next.0 == RegexId::NEVER {
                    continue;
                }
                let has_token = !trie.token_ids_at(child).is_empty();
                let is_end = next.1 == Partial::None && run.core.regexes().is_nullable(next.0);
                if is_end && (has_token || self.goes_on(run, child)?) {
                    return Ok(true);
                }
                if has_token && known.insert(next) {
                    self.ends.push(next);
                }
                todo.push((child, next));
            }
            if *self.steps > MAX_BUDGET_STEPS {
                return Err(Limit {
                    name: "max_budget_steps",
                    configured: MAX_BUDGET_STEPS,
                });
            }
        }
        Ok(false)
    }

    /// Whether the rest of a token below this node can be read behind the rule.
    fn goes_on(&mut self, run: &mut Run<'_>, node: NodeId) -> Result<bool, Limit> {
        let trie = &self.vocabulary.trie;
        if trie.children(node).is_empty() {
            return Ok(false);
        }
        let Frame::Call { start, end, .. } = run.peek(self.frame) else {
            return Ok(false);
        };
        let mut behind = Frontier::default();
        behind.kernels.extend(run.stack.entries(start, end).iter().copied());
        run.close_over(&mut behind)?;
        let mut todo = vec![(node, behind.configs)];
        while let Some((node, configs)) = todo.pop() {
            for child in trie.children(node) {
                *self.steps += 1;
                let next = run.step_all(&configs, trie.byte(child))?;
                if next.is_empty() {
                    continue;
                }
                if !trie.token_ids_at(child).is_empty() {
                    return Ok(true);
                }
                todo.push((child, next));
            }
        }
        Ok(false)
    }
}

impl Walk<'_, '_> {
    /// [`Walk::tokens`] near the end of a budget: byte by byte, and of each token it is asked whether the budget can be kept.
    pub fn tokens_within_budget(&mut self, config: Config) -> Result<(), Limit> {
        let vocabulary = self.vocabulary;
        let trie = &vocabulary.trie;
        let mut judged: FxHashMap<Configs, bool> = FxHashMap::default();
        let mut todo = vec![Place::start(Configs::from_slice(&[config]))];
        while let Some(place) = todo.pop() {
            let (node, configs) = (place.node, &self.configs_at(&place.standing));
            let ids = trie.token_ids_at(node);
            if node != TokenTrie::ROOT && !ids.is_empty() {
                let keeps = match judged.get(configs) {
                    Some(&keeps) => keeps,
                    None => {
                        let mut keeps = false;
                        for config in configs {
                            keeps = keeps || self.run.keeps_budget(vocabulary, config)?;
                        }
                        judged.insert(configs.clone(), keeps);
                        keeps
                    }
                };
                if keeps {
                    self.found.add(ids.iter().copied(), None);
                }
            }
            self.children(trie, &place, &mut todo)?;
        }
        Ok(())
    }
}
