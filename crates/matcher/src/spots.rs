//! States that some output was in before, and where tokens led from them.
//!
//! A state is the same in every output if it is one configuration, if all that is open are JSON objects and arrays, and if
//! nothing of its text is kept. What is open is then a *nest*: objects and arrays by content instead of by frame, equal ones
//! once. A control in a nest is a *spot*. Which token leads from spot to spot, and the mask of a spot, are functions of the
//! spot alone, so both are noted when they were first found; a step that was made before reads no byte and asks no frame.
//! Rules with budgets would make them functions of the number of tokens too: grammars that have such rules note nothing.
use crate::control::{Config, Control};
use crate::mask::Mask;
use crate::stack::{Container, ContentId, Doubt, Frame, FrameId, Stack, TextId};
use penstock_automata::INFINITE;
use penstock_tokens::TokenId;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::sync::Arc;

/// Most steps that are noted (`max_known_steps`); beyond it all are forgotten, so that what is used now finds room.
const MAX_STEPS: usize = 65_536;

/// Most spots, and most nests, that are noted (`max_known_spots`): two for each level of the deepest nesting that is read.
const MAX_SPOTS: usize = 32_768;

/// Most containers that are looked at to learn the nest of a state about which nothing is known (`max_nest_climb`).
const MAX_CLIMB: usize = 32;

/// What is open, by content: 0 is nothing, others are one more than an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct NestId(u32);

impl NestId {
    const EMPTY: NestId = NestId(0);
}

/// A control in a nest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct SpotId(u32);

/// What is known of a state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stand {
    /// Ids of other eras mean nothing.
    era: u32,
    nest: NestId,
    /// None where the control belongs to one output alone.
    spot: Option<SpotId>,
}

impl Stand {
    fn spot_of(self, era: u32) -> Option<SpotId> {
        self.spot.filter(|_| self.era == era)
    }
}

struct Spot {
    control: Control,
    nest: NestId,
    mask: Option<Arc<Mask>>,
}

/// The spots of a grammar and the steps between them.
pub(crate) struct Spots {
    is_used: bool,
    max_steps: usize,
    max_spots: usize,
    /// How often everything was forgotten.
    era: u32,
    /// By nest: its innermost container, whose `parent` is the number of the nest around it.
    nests: Vec<Container>,
    nest_ids: FxHashMap<Container, NestId>,
    spots: Vec<Spot>,
    spot_ids: FxHashMap<(Control, NestId), SpotId>,
    steps: FxHashMap<(SpotId, TokenId), SpotId>,
}

impl Spots {
    /// Without anything known; nothing is ever noted unless `is_used`.
    pub(crate) fn new(is_used: bool) -> Spots {
        Spots {
            is_used,
            max_steps: MAX_STEPS,
            max_spots: MAX_SPOTS,
            era: 0,
            nests: Vec::new(),
            nest_ids: FxHashMap::default(),
            spots: Vec::new(),
            spot_ids: FxHashMap::default(),
            steps: FxHashMap::default(),
        }
    }

    /// Heap memory in bytes, approximately.
    pub(crate) fn memory_usage(&self) -> usize {
        let masks = self.spots.iter().filter_map(|spot| spot.mask.as_ref());
        self.nests.len() * (2 * size_of::<Container>() + 8)
            + self.spots.len() * (size_of::<Spot>() + size_of::<(Control, NestId, SpotId)>())
            + masks.map(|mask| mask.memory_usage()).sum::<usize>()
            + self.steps.len() * (size_of::<(SpotId, TokenId, SpotId)>() + 2)
    }

    /// What is known of these configurations; `before` is the frame of a state whose frames they may share, and what is known
    /// of that one. Cost: the containers that are not shared.
    fn stand(&mut self, stack: &Stack, configs: &[Config], before: Option<(FrameId, Stand)>) -> Option<Stand> {
        let &[Config { control, frame }] = configs else { return None };
        if !self.is_used {
            return None;
        }
        let before = before.filter(|known| known.1.era == self.era);
        let nest = self.nest_of(stack, frame, before.map(|(frame, stand)| (frame, stand.nest)))?;
        let spot = is_portable(&control).then(|| self.spot(control, nest));
        let era = self.era;
        Some(Stand { era, nest, spot })
    }

    /// The same for a state of which `known` was found out earlier.
    pub(crate) fn stand_again(&mut self, stack: &Stack, configs: &[Config], known: Option<Stand>) -> Option<Stand> {
        match known {
            Some(stand) if stand.era == self.era => known,
            _ => self.stand(stack, configs, None),
        }
    }

    fn nest_of(&mut self, stack: &Stack, frame: FrameId, mut known: Option<(FrameId, NestId)>) -> Option<NestId> {
        let (mut at, mut open) = (frame, SmallVec::<[Container; 4]>::new());
        let mut nest = loop {
            // A frame is made after the one around it, so ids grow inwards.
            while let Some((frame, nest)) = known.filter(|known| known.0 > at) {
                known = Some((around(stack, frame), self.around(nest)));
            }
            match (stack.frame(at), known) {
                (_, Some((frame, nest))) if frame == at => break nest,
                (Frame::Bottom, _) => break NestId::EMPTY,
                (Frame::Container(container), _) if is_shared(&container) && open.len() < MAX_CLIMB => {
                    open.push(container);
                    at = container.parent;
                }
                _ => return None,
            }
        };
        for container in open.into_iter().rev() {
            nest = self.nest(container, nest);
        }
        Some(nest)
    }

    fn nest(&mut self, container: Container, around: NestId) -> NestId {
        let key = Container {
            parent: FrameId(around.0),
            ..container
        };
        let nests = &mut self.nests;
        *self.nest_ids.entry(key).or_insert_with(|| {
            nests.push(key);
            NestId(nests.len() as u32)
        })
    }

    fn spot(&mut self, control: Control, nest: NestId) -> SpotId {
        let spots = &mut self.spots;
        *self.spot_ids.entry((control, nest)).or_insert_with(|| {
            let mask = None;
            spots.push(Spot { control, nest, mask });
            SpotId(spots.len() as u32 - 1)
        })
    }

    /// The nest around one that is not empty, and its depth; both are 0 for the empty one.
    fn around(&self, nest: NestId) -> NestId {
        match nest.0.checked_sub(1) {
            Some(i) => NestId(self.nests[i as usize].parent.0),
            None => NestId::EMPTY,
        }
    }

    fn depth(&self, nest: NestId) -> u32 {
        nest.0.checked_sub(1).map_or(0, |i| self.nests[i as usize].depth)
    }

    /// The step by `token` from a state with this frame, if it was made before. Frames that are new are pushed.
    pub(crate) fn step(&self, stack: &mut Stack, (frame, stand): (FrameId, Stand), token: TokenId) -> Option<(Config, Stand)> {
        debug_assert_eq!(stand.era, self.era, "whoever steps has asked for this era");
        let to = *self.steps.get(&(stand.spot?, token))?;
        let spot = &self.spots[to.0 as usize];
        let (mut frame, mut nest, mut inner) = (frame, stand.nest, spot.nest);
        let mut open = SmallVec::<[NestId; 4]>::new();
        while nest != inner {
            let (here, there) = (self.depth(nest), self.depth(inner));
            if there >= here {
                open.push(inner);
                inner = self.around(inner);
            }
            if here >= there {
                frame = around(stack, frame);
                nest = self.around(nest);
            }
        }
        for nest in open.into_iter().rev() {
            let container = self.nests[nest.0 as usize - 1];
            frame = stack.push(Container {
                parent: frame,
                ..container
            });
        }
        let (control, nest) = (spot.control, spot.nest);
        let stand = Stand {
            spot: Some(to),
            nest,
            ..stand
        };
        Some((Config { control, frame }, stand))
    }

    /// What is known of the configurations that a token led to, and that it did so, if that is worth noting; `before` is the
    /// frame of the state it was read in, and what is known of that one.
    pub(crate) fn stand_after(
        &mut self,
        stack: &Stack,
        step: Option<(FrameId, Stand, TokenId)>,
        configs: &[Config],
    ) -> Option<Stand> {
        self.make_room();
        let stand = self.stand(stack, configs, step.map(|(frame, from, _)| (frame, from)));
        if let (Some((_, from, token)), Some(to)) = (step, stand) {
            if let (Some(from), Some(to)) = (from.spot_of(self.era), to.spot) {
                self.steps.insert((from, token), to);
            }
        }
        stand
    }

    /// Forgets everything if there is no room for one step more.
    fn make_room(&mut self) {
        if self.steps.len() < self.max_steps && self.spots.len().max(self.nests.len()) < self.max_spots {
            return;
        }
        *self = Spots {
            max_steps: self.max_steps,
            max_spots: self.max_spots,
            era: self.era.wrapping_add(1),
            ..Spots::new(self.is_used)
        };
    }

    /// The mask of a state, if it was found before.
    pub(crate) fn mask(&self, stand: Option<Stand>) -> Option<&Arc<Mask>> {
        let spot = stand?.spot_of(self.era)?;
        self.spots[spot.0 as usize].mask.as_ref()
    }

    /// Keeps the mask of a state.
    pub(crate) fn keep_mask(&mut self, stand: Option<Stand>, mask: &Arc<Mask>) {
        if let Some(spot) = stand.and_then(|stand| stand.spot_of(self.era)) {
            self.spots[spot.0 as usize].mask = Some(mask.clone());
        }
    }
}

/// The frame around that of a container.
fn around(stack: &Stack, frame: FrameId) -> FrameId {
    match stack.frame(frame) {
        Frame::Container(container) => container.parent,
        _ => FrameId::BOTTOM,
    }
}

/// Whether a container is the same in every output with an equal text.
fn is_shared(container: &Container) -> bool {
    !container.keeps && container.content == ContentId::EMPTY && container.doubt == Doubt::None
}

/// Whether a control means the same in every output: kept texts are numbered by output. Lengths that are counted make a spot
/// of every number of characters, which is hardly ever met again.
fn is_portable(control: &Control) -> bool {
    match control {
        Control::Text(text) => is_common(text.text) && text.max == INFINITE,
        Control::Number(number) => is_common(number.text),
        Control::Key(key) => is_common(key.text),
        _ => true,
    }
}

fn is_common(text: TextId) -> bool {
    matches!(text, TextId::EMPTY | TextId::UNKEPT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiled::CompiledGrammar;
    use crate::matcher::Matcher;
    use crate::techniques::{Technique, Techniques};
    use crate::testing::vocabulary;
    use penstock_grammar::{Grammar, JsonOptions};
    use penstock_tokens::{bitmask, TokenizerInfo};

    const SCHEMA: &str = r#"{"type": "object", "properties": {"ab": {"type": "array", "items": {"$ref": "\#"}},
        "abc": {"type": "string"}, "n": {"type": "integer", "maximum": 120}, "u": {"type": "array", "uniqueItems": true}}}"#;
    const TEXTS: [&str; 5] = [
        r#"{"ab": [{"abc": "a b"}, {"n": 12}, {"ab": []}], "n": 99}"#,
        r#"{"ab": [{"abc": "a bb"}, {"n": 1}, {"ab": [{"ab": [{}]}]}], "n": 9}"#,
        r#"{"u": [1, 2, {"a": [3]}, {"a": 3}], "abd": {"abc": 1, "x": [[], {}]}, "abc": "\u00e9\n"}"#,
        r#"{"n": 119, "abc": "", "": null, "ab": [{"n": 3, "ab": [{"ab": [{"ab": [{"n": 7}]}]}, {"n": 7}]}]}"#,
        r#"{"abcd": -1.5e3, "abce": true, "ab": [], "u": ["a", "b", [["a"]], [["b"]]]}"#,
    ];

    fn compiled(techniques: Techniques) -> Arc<CompiledGrammar> {
        let words = [
            "ab", "a b", "\":", "\": ", "}]", "},", " {\"", "{\"", "[{", "12", "]}", "\", \"", "é",
        ];
        let info = vocabulary(&words);
        let schema = serde_json::from_str(&SCHEMA.replace("\\#", "#")).expect("a schema");
        let grammar = Grammar::from_json_schema(schema, JsonOptions::default());
        Arc::new(CompiledGrammar::with_techniques(&grammar, info, techniques).expect("compiles"))
    }

    /// The longest tokens first, or single bytes.
    fn tokens_of(text: &str, info: &TokenizerInfo, longest: bool) -> Vec<TokenId> {
        let (mut rest, mut found) = (text.as_bytes(), Vec::new());
        while !rest.is_empty() {
            let fits = |&id: &TokenId| rest.starts_with(info.token_bytes(id)) && !info.token_bytes(id).is_empty();
            let all = (0..info.vocab_size() as TokenId).filter(fits);
            let best = all.max_by_key(|&id| info.token_bytes(id).len()).filter(|_| longest);
            let id = best.unwrap_or(TokenId::from(rest[0]));
            found.push(id);
            rest = &rest[info.token_bytes(id).len()..];
        }
        found
    }

    fn mask_of(matcher: &mut Matcher, info: &TokenizerInfo) -> Vec<TokenId> {
        let mut row = vec![u32::MAX; bitmask::words_for(info.vocab_size())];
        matcher.fill_next_token_bitmask(&mut row).expect("a mask");
        bitmask::iter(&row).collect()
    }

    /// Texts that are read again and again, with little room and with plenty, have the masks of a walk for every state.
    #[test]
    fn known_steps_lead_where_reading_does() {
        let slow = compiled(Techniques::without([Technique::KnownSteps, Technique::MaskMemory]));
        let info = slow.info().clone();
        for (max_steps, max_spots) in [(MAX_STEPS, MAX_SPOTS), (7, 5), (40, 30), (1, 1)] {
            let fast = compiled(Techniques::ALL);
            {
                let mut shared = fast.lock();
                (shared.spots.max_steps, shared.spots.max_spots) = (max_steps, max_spots);
            }
            for turn in 0..3 {
                for text in TEXTS {
                    let mut matcher = Matcher::new(fast.clone()).expect("a start");
                    let mut twin = Matcher::new(slow.clone()).expect("a start");
                    for (i, token) in tokens_of(text, &info, turn % 2 == 0).into_iter().enumerate() {
                        assert_eq!(mask_of(&mut matcher, &info), mask_of(&mut twin, &info), "{text} at {i}");
                        let mut fork = matcher.fork();
                        for matcher in [&mut matcher, &mut twin, &mut fork] {
                            assert!(matcher.accept_token(token).expect("no limit"), "{text} at {i}");
                        }
                        if i % 3 == 2 {
                            matcher.rollback(2).expect("far enough");
                            twin.rollback(2).expect("far enough");
                            let again = tokens_of(text, &info, turn % 2 == 0);
                            assert_eq!(matcher.accept_tokens(&again[i - 1..=i]).expect("no limit"), 2);
                            assert_eq!(twin.accept_tokens(&again[i - 1..=i]).expect("no limit"), 2);
                        }
                        assert_eq!(mask_of(&mut fork, &info), mask_of(&mut matcher, &info), "{text} at {i}");
                    }
                    assert!(matcher.is_accepting() && twin.is_accepting(), "{text}");
                }
            }
            let shared = fast.lock();
            assert_eq!(shared.spots.era > 0, max_steps < MAX_STEPS);
            assert!(shared.spots.steps.len() <= max_steps);
            assert!(slow.lock().spots.spots.is_empty());
        }
    }

    /// The second reading of a text is all steps that are known, and none of its masks is looked for.
    #[test]
    fn a_second_reading_finds_all_steps() {
        let compiled = compiled(Techniques::ALL);
        let mut counts = Vec::new();
        for _ in 0..2 {
            let mut matcher = Matcher::new(compiled.clone()).expect("a start");
            for token in tokens_of(TEXTS[0], compiled.info(), true) {
                mask_of(&mut matcher, compiled.info());
                assert!(matcher.accept_token(token).expect("no limit"));
            }
            mask_of(&mut matcher, compiled.info());
            let shared = compiled.lock();
            assert!(shared.spots.spots.iter().all(|spot| spot.mask.is_some()));
            counts.push((shared.spots.steps.len(), shared.spots.spots.len(), shared.spots.nests.len()));
        }
        assert_eq!(counts[0], counts[1]);
    }
}
