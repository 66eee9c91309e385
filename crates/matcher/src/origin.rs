//! Where masks were first needed: the tokens that led there, as a tree.
//!
//! A grammar is saved as its text and these paths, and whoever reads the file makes the masks again: a mask out of a file
//! would have to be believed, and ids of terms and records mean nothing outside the program that gave them out.
use penstock_tokens::TokenId;
use rustc_hash::FxHashMap;

/// One step of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A token was accepted.
    Token(TokenId),
    /// A byte of text was accepted by itself.
    Byte(u8),
}

/// What led from one state of a matcher to the next.
#[derive(Clone, Debug)]
pub enum Move {
    /// A token.
    Token(TokenId),
    /// Text, taken at once.
    Bytes(Box<[u8]>),
}

impl Move {
    /// Its steps, last first.
    fn steps_back(&self) -> Box<dyn Iterator<Item = Step> + '_> {
        match self {
            Move::Token(token) => Box::new(std::iter::once(Step::Token(*token))),
            Move::Bytes(bytes) => Box::new(bytes.iter().rev().map(|&byte| Step::Byte(byte))),
        }
    }
}

/// A place in the tree of paths; 0 is the start of the output.
pub type PlaceId = u32;

/// A place that is too far from the start to be noted.
pub const FAR: PlaceId = u32::MAX;

/// Paths longer than this are not noted: their masks are made anew where they are needed.
pub const MAX_PATH: usize = 4_096;

/// The tree of paths.
#[derive(Default)]
pub struct Places {
    steps: Vec<(PlaceId, Step)>,
    depths: Vec<u32>,
    ids: FxHashMap<(PlaceId, Step), PlaceId>,
}

impl Places {
    /// The number of places besides the start.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// The place before the place `id`, which is not 0, and the step from there. Places before have smaller numbers.
    pub fn step(&self, id: PlaceId) -> (PlaceId, Step) {
        self.steps[id as usize - 1]
    }

    /// The place behind `from` by `moves`, of which the last is given first.
    pub fn walk<'m>(&mut self, from: PlaceId, moves: impl Iterator<Item = &'m Move>) -> PlaceId {
        let mut steps: Vec<Step> = Vec::new();
        for one in moves {
            steps.extend(one.steps_back());
            if steps.len() > MAX_PATH {
                return FAR;
            }
        }
        steps.into_iter().rev().fold(from, |place, step| self.next(place, step))
    }

    fn next(&mut self, from: PlaceId, step: Step) -> PlaceId {
        let depth = if from == 0 {
            1
        } else {
            self.depths.get(from as usize - 1).map_or(u32::MAX, |depth| depth + 1)
        };
        if from == FAR || depth as usize > MAX_PATH {
            return FAR;
        }
        let (steps, depths) = (&mut self.steps, &mut self.depths);
        *self.ids.entry((from, step)).or_insert_with(|| {
            steps.push((from, step));
            depths.push(depth);
            steps.len() as PlaceId
        })
    }

    /// Heap memory in bytes, approximately.
    pub fn memory_usage(&self) -> usize {
        self.steps.capacity() * 12 + self.depths.capacity() * 4 + self.ids.capacity() * 18
    }
}
