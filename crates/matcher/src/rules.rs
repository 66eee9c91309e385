//! Rules: characters inside a body, calls, returns.
//!
//! After each character the configurations are closed over calls and returns. Returns follow the entries of a frame, which is
//! always older than the character just read: a called rule never matches the empty text (the grammar says so at the call).
//! So returns come first, on the frames at hand, and calls follow by a [`crate::closure::Plan`].
use crate::closure::{Back, Ground, Places, Plan, Root};
use crate::control::{Config, Control, Gap};
use crate::run::{Frontier, Run};
use crate::stack::{Frame, FrameId, Member, Parent};
use crate::techniques::Technique;
use crate::text::{Partial, Piece};
use penstock_automata::{Limit, RegexId};
use penstock_grammar::Symbol;
use smallvec::{smallvec, SmallVec};

/// The frames of the roots of a plan by their numbers, the bottom first.
type RootFrames = SmallVec<[FrameId; 4]>;

impl Run<'_> {
    /// One byte inside a rule.
    pub fn step_rule(
        &mut self,
        term: RegexId,
        partial: Partial,
        frame: FrameId,
        byte: u8,
        out: &mut Frontier,
    ) -> Result<(), Limit> {
        match partial.step_utf8(byte) {
            Piece::Char(character) => {
                let Some(frame) = self.counted(frame) else { return Ok(()) };
                let next = self.core.regexes().step(term, character)?;
                if next != RegexId::NEVER {
                    out.kernels.push((next, frame));
                }
            }
            Piece::Part(partial) => {
                let Some(frame) = self.counted(frame) else { return Ok(()) };
                let row = self.core.regexes().live_row(term)?;
                if partial.is_live(&row) {
                    out.push(Control::Rule { term, partial }, frame);
                }
            }
            Piece::Dead | Piece::Quote => {}
        }
        Ok(())
    }

    /// Follows the calls and returns of `out.kernels`.
    pub fn close_over(&mut self, out: &mut Frontier) -> Result<(), Limit> {
        if out.kernels.is_empty() {
            return Ok(());
        }
        if let [(term, frame)] = out.kernels[..] {
            let regexes = self.core.regexes();
            if regexes.is_regular(term) && !regexes.is_nullable(term) {
                out.kernels.clear();
                out.push(rule_at(term), frame);
                return Ok(());
            }
        }
        let (roots, frames) = self.roots(&out.kernels)?;
        out.kernels.clear();
        let plan = self.core.plan(&roots)?;
        self.carry_out(&plan, &frames, out);
        Ok(())
    }

    /// The places and those to which they return, with numbers for their frames.
    fn roots(&mut self, kernels: &[(RegexId, FrameId)]) -> Result<(SmallVec<[Root; 4]>, RootFrames), Limit> {
        let mut places = Places::new();
        kernels.iter().try_for_each(|&place| places.add(place))?;
        let (mut roots, mut frames): (SmallVec<[Root; 4]>, RootFrames) = (SmallVec::new(), smallvec![FrameId::BOTTOM]);
        while let Some(&(term, frame)) = places.list.get(roots.len()) {
            let known = frames.iter().position(|&known| known == frame);
            roots.push((term, known.unwrap_or(frames.len()) as u32));
            if known.is_none() {
                frames.push(frame);
            }
            if !self.core.regexes().is_nullable(term) {
                continue;
            }
            if let Frame::Call { start, end, .. } = self.peek(frame) {
                let entries = self.stack.entries(start, end).iter();
                entries.copied().try_for_each(|entry| places.add(entry))?;
            }
        }
        Ok((roots, frames))
    }

    /// Makes the frames of a plan, and its configurations.
    fn carry_out(&mut self, plan: &Plan, frames: &[FrameId], out: &mut Frontier) {
        let share = self.core.techniques.has(Technique::StackSharing);
        let mut made: SmallVec<[FrameId; 8]> = SmallVec::new();
        let frame_of = |ground: Ground, made: &[FrameId]| match ground {
            Ground::Root(frame) => frames[frame as usize],
            Ground::Made(frame) => made[frame as usize],
        };
        for group in &plan.groups {
            let parent = |back: Back| match back {
                Back::Ground(ground) => Parent::Frame(frame_of(ground, &made)),
                Back::Local(member) => Parent::Local(member),
            };
            let members = group.iter().map(|(entries, mark)| {
                let entries = entries.iter().map(|&(rest, back)| (rest, parent(back)));
                (entries.collect(), *mark)
            });
            let mut members: SmallVec<[Member; 1]> = members.collect();
            let first = self.stack.intern_group(&mut members, share);
            made.extend((0..group.len() as u32).map(|member| FrameId(first.0 + member)));
        }
        let places = plan.places.iter().map(|&(ground, term)| (frame_of(ground, &made), term));
        let mut places: SmallVec<[(FrameId, RegexId); 4]> = places.collect();
        places.sort_unstable();
        // A frame that was made may be one that was there, or another one.
        let merges = self.core.techniques.has(Technique::NodeMerging);
        for group in places.chunk_by(|a, b| merges && a.0 == b.0) {
            let term = match group {
                [(_, term)] => *term,
                _ => {
                    let terms: SmallVec<[RegexId; 4]> = group.iter().map(|place| place.1).collect();
                    self.core.regexes().or(&terms)
                }
            };
            out.push(rule_at(term), group[0].0);
        }
        for &(ground, ask, style) in &plan.values {
            let gap = Gap::Closed;
            out.push(Control::Value { ask, gap, style }, frame_of(ground, &made));
        }
    }

    /// The token symbols that may come next, each with the rest of the body.
    pub fn token_edges(&mut self, term: RegexId) -> Vec<(Symbol, RegexId)> {
        self.core.token_edges(term)
    }

    /// The configurations at the start of the output.
    pub fn start(&mut self) -> Result<Vec<Config>, Limit> {
        let mut frontier = Frontier::default();
        let body = self.core.lowered.bodies[self.core.lowered.root];
        frontier.kernels.push((body, FrameId::BOTTOM));
        self.close_over(&mut frontier)?;
        Ok(frontier.configs.into_vec())
    }
}

fn rule_at(term: RegexId) -> Control {
    Control::Rule {
        term,
        partial: Partial::None,
    }
}
