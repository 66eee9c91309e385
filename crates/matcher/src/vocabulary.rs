//! What belongs to the vocabulary and to no grammar: made once a [`TokenizerInfo`], shared by all its grammars.
//!
//! Inside a JSON string nearly every token stays inside, and the others leave it by a closing quote; what follows the quote,
//! the *rest*, is one of a few hundred texts. So the tokens that can follow a character boundary of a string are kept as
//! one bitmap (by length, for bounded strings) and as lists by rest: a mask walks the trie of rests and no string. The same
//! table exists for every quote edge of the token trie, where a string opens inside a token.
//!
//! Tokens of whole characters are also cut into *slices* by the kinds of characters they hold, so that an automaton that
//! cannot die on those kinds takes a whole slice at once.
use crate::chars::{CharTrie, Item};
use crate::numerals::Numerals;
use crate::shared::SharedMasks;
use crate::spans::Below;
use crate::sweeps::Sweeps;
use crate::text::{Partial, Piece};
use penstock_tokens::{bitmask, NodeId, TokenId, TokenTrie, TokenizerInfo};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// A token and how many characters it adds to the string, a started one counted.
pub type Sized = (u16, TokenId);

/// The tokens that can follow one character boundary inside a JSON string.
#[derive(Default)]
pub struct StringTable {
    /// Those that stay inside, by length.
    pub inside: Vec<Sized>,
    /// Those that close the string, by what follows the quote: (rest, tokens by length), ordered by rest.
    pub by_rest: Vec<(u32, Vec<Sized>)>,
    /// The same by what they add to the string before the quote: (rest, token).
    pub by_content: FxHashMap<Box<str>, Vec<(u32, TokenId)>>,
}

/// Kinds of characters, as bits of [`Slice::kinds`]. White space beyond ASCII has a kind of its own: `.` and `\S` of patterns do
/// not match it, and would kill every slice of letters beyond ASCII otherwise.
pub const KINDS: [&[(u32, u32)]; 12] = [
    &[(0x61, 0x7A)],
    &[(0x41, 0x5A)],
    &[(0x30, 0x39)],
    &[(0x20, 0x20)],
    &[(0x2D, 0x2D), (0x5F, 0x5F)],
    &[(0x2E, 0x2F), (0x3A, 0x3A)],
    &[
        (0x21, 0x21),
        (0x23, 0x2C),
        (0x3B, 0x40),
        (0x5B, 0x5B),
        (0x5D, 0x5E),
        (0x60, 0x60),
        (0x7B, 0x7E),
    ],
    &[(0x09, 0x0A), (0x0D, 0x0D)],
    &[(0x22, 0x22), (0x5C, 0x5C)],
    &[(0x00, 0x08), (0x0B, 0x0C), (0x0E, 0x1F), (0x7F, 0x7F)],
    &[
        (0xA0, 0xA0),
        (0x1680, 0x1680),
        (0x2000, 0x200A),
        (0x2028, 0x2029),
        (0x202F, 0x202F),
        (0x205F, 0x205F),
        (0x3000, 0x3000),
        (0xFEFF, 0xFEFF),
    ],
    &[
        (0x80, 0x9F),
        (0xA1, 0x167F),
        (0x1681, 0x1FFF),
        (0x200B, 0x2027),
        (0x202A, 0x202E),
        (0x2030, 0x205E),
        (0x2060, 0x2FFF),
        (0x3001, 0xFEFE),
        (0xFF00, 0x10FFFF),
    ],
];

/// Kinds that stand for themselves nowhere in a JSON string.
const JSON_SPECIAL_KINDS: u16 = 1 << 7 | 1 << 8 | 1 << 9;

/// The kind of the space.
pub const SPACE_KIND: u16 = 1 << 3;

/// The bytes that stand for a character behind a backslash, but for the quote and `u`.
pub const ESCAPE_LETTERS: &[u8] = b"\\/bfnrt";

/// The tokens of whole characters that hold exactly these kinds of characters.
pub struct Slice {
    /// Bit set over [`KINDS`].
    pub kinds: u16,
    /// The kinds behind the first character: words stand behind one space, and many terms take no second one.
    pub tail_kinds: u16,
    /// Length of the longest token in characters.
    pub longest: u32,
    /// The tokens of more than [`MAX_LENGTH_BITMAP`] characters, by length.
    pub long: Box<[Sized]>,
    /// The tokens.
    pub bitmap: Box<[u32]>,
    /// The tokens, to be walked where the slice cannot be taken whole.
    pub trie: CharTrie<()>,
}

impl Slice {
    /// Whether its tokens stand for themselves in a JSON string.
    pub fn is_for_strings(&self) -> bool {
        self.kinds & JSON_SPECIAL_KINDS == 0
    }
}

/// How a token ends that stays inside a string or leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// At a character boundary, or inside a character.
    Inside(Partial),
    /// Behind the closing quote, with this rest.
    Closed(u32),
}

impl Ending {
    /// Whether it stands inside the UTF-8 of a character, which is none of ASCII then.
    #[inline]
    pub fn is_cut(self) -> bool {
        matches!(self, Ending::Inside(Partial::Utf8 { .. }))
    }
}

/// Fewer tokens than this make no slice of their own.
const MIN_SLICE: usize = 64;

/// String tokens of at most this many characters have a bitmap for each length.
pub const MAX_LENGTH_BITMAP: usize = 16;

/// The tables of a vocabulary.
pub struct Vocabulary {
    /// All text tokens.
    pub trie: TokenTrie,
    /// What stands below the nodes of `trie`.
    pub(crate) below: Below,
    /// The texts of numbers with which tokens begin.
    pub(crate) numerals: Numerals,
    /// What places that read freely take of `trie`.
    pub(crate) sweeps: Sweeps,
    /// Masks that its grammars share.
    pub(crate) shared: SharedMasks,
    /// Subtrees of `trie` with fewer tokens are walked instead.
    pub(crate) worth_sweeping: usize,
    /// Length of the longest token in bytes.
    pub longest: u32,
    /// Words of a bitmask row.
    pub num_words: usize,
    /// The bytes that occur in text tokens.
    pub used_bytes: [bool; 256],
    /// The bytes that are text tokens by themselves.
    pub single_bytes: [bool; 256],
    /// The texts that can follow a closing quote within a token; the ids are rests.
    pub rests: TokenTrie,
    /// By node of `trie`: the root, every node that is reached by a quote, and those below the root that end an escape.
    pub tables: FxHashMap<NodeId, StringTable>,
    /// Tokens that stay inside a string from a character boundary: `[k]` those of at most `k` characters, the last all.
    pub inside: Vec<Box<[u32]>>,
    /// Tokens that may hold the end of one member and some of a further name, ascending. Real vocabularies have none. Walks
    /// let one name stand for many, so whether such a token repeats a name is found by reading it in the state itself: one
    /// character can be too much where few names are possible.
    pub two_names: Vec<(TokenId, Box<[u8]>)>,
    /// Tokens of whole characters, by their kinds of characters.
    pub slices: Vec<Slice>,
    /// Tokens that can follow a character boundary inside a JSON string and are in no slice that may stand there, by their
    /// decoded characters.
    pub in_strings: CharTrie<Ending>,
}

/// How one token continues a string from some place within it.
enum Continuation<'t> {
    Dead,
    Inside(String, Partial),
    Closed { content: String, rest: &'t [u8] },
}

fn continuation(text: &[u8]) -> Continuation<'_> {
    let (mut partial, mut content) = (Partial::None, String::new());
    for (i, &byte) in text.iter().enumerate() {
        partial = match partial.step_json(byte) {
            Piece::Dead => return Continuation::Dead,
            Piece::Quote => {
                return Continuation::Closed {
                    content,
                    rest: &text[i + 1..],
                }
            }
            Piece::Part(next) => next,
            Piece::Char(character) => {
                content.extend(char::from_u32(character));
                Partial::None
            }
        };
    }
    Continuation::Inside(content, partial)
}

/// Characters that a string needs room for: a started one counts.
fn length_inside(content: &str, partial: Partial) -> u16 {
    (content.chars().count() + usize::from(partial != Partial::None)) as u16
}

/// Makes the tables of a vocabulary, unless they are there: else the first compile would have to.
pub fn prepare_vocabulary(info: &TokenizerInfo) {
    Vocabulary::of(info);
}

impl Vocabulary {
    /// The tables of `info`, made at the first call. Cost: some 150 ms for 131,000 tokens.
    pub fn of(info: &TokenizerInfo) -> Arc<Vocabulary> {
        info.artefact(|| Vocabulary::new(info))
    }

    fn new(info: &TokenizerInfo) -> Vocabulary {
        let trie = info.build_trie();
        let ids: Vec<TokenId> = (0..info.num_spelled() as TokenId).filter(|&id| info.is_text(id)).collect();
        let longest = ids.iter().map(|&id| info.token_bytes(id).len()).max().unwrap_or(0) as u32;
        let num_words = bitmask::words_for(info.vocab_size());
        let (tables, rests) = string_tables(info, &trie, &ids);
        let inside = tables
            .get(&TokenTrie::ROOT)
            .map_or_else(Vec::new, |table| length_bitmaps(&table.inside, num_words));
        let slices = slices(info, &ids, num_words);
        let in_strings = in_strings(info, &ids, &slices, &rests);
        let spelt = ids.iter().map(|&id| (id, info.token_bytes(id)));
        let two_names = spelt.filter(|token| may_hold_two_names(token.1));
        let two_names = two_names.map(|(id, bytes)| (id, bytes.into())).collect();
        let (mut used_bytes, mut single_bytes) = ([false; 256], [false; 256]);
        for &id in &ids {
            let bytes = info.token_bytes(id);
            bytes.iter().for_each(|&byte| used_bytes[usize::from(byte)] = true);
            if let [byte] = bytes {
                single_bytes[usize::from(*byte)] = true;
            }
        }
        Vocabulary {
            below: Below::new(&trie),
            numerals: Numerals::new(&trie),
            sweeps: Sweeps::default(),
            shared: SharedMasks::default(),
            worth_sweeping: (ids.len() / 512).clamp(4, 256),
            trie,
            longest,
            num_words,
            used_bytes,
            single_bytes,
            rests,
            tables,
            inside,
            two_names,
            slices,
            in_strings,
        }
    }

    /// Heap memory in bytes, approximately: of bitmaps and tables, of the tries, of sweeps, and of masks that grammars share; the
    /// last two grow with use.
    pub fn memory_usage(&self) -> (usize, usize, usize, usize) {
        let row = 4 * self.num_words;
        let tables: usize = self.tables.values().map(StringTable::memory_usage).sum();
        let two_names: usize = self.two_names.iter().map(|(_, bytes)| bytes.len() + 24).sum();
        let tries: usize = self.slices.iter().map(|slice| slice.trie.memory_usage()).sum();
        let bitmaps = (self.inside.len() + self.slices.len()) * row;
        (
            tables
                + self.in_strings.memory_usage()
                + self.below.memory_usage()
                + self.numerals.memory_usage()
                + bitmaps
                + two_names,
            self.trie.size_bytes() + self.rests.size_bytes() + tries,
            self.sweeps.memory_usage(),
            self.shared.memory_usage(),
        )
    }
}

impl StringTable {
    fn memory_usage(&self) -> usize {
        let lists: usize = self.by_rest.iter().map(|(_, tokens)| 8 * tokens.len() + 32).sum();
        let contents: usize = self
            .by_content
            .iter()
            .map(|(content, tokens)| content.len() + 8 * tokens.len() + 64)
            .sum();
        8 * self.inside.len() + lists + contents
    }

    fn sort(&mut self) {
        self.inside.sort_unstable();
        self.by_rest.sort_unstable_by_key(|entry| entry.0);
        self.by_rest.iter_mut().for_each(|entry| entry.1.sort_unstable());
    }
}

/// A table under construction: its lists by rest are found by hashing.
#[derive(Default)]
struct TableBuilder {
    table: StringTable,
    places: FxHashMap<u32, usize>,
}

impl TableBuilder {
    fn add_closed(&mut self, token: TokenId, content: String, rest: u32) {
        let table = &mut self.table;
        let place = *self.places.entry(rest).or_insert_with(|| {
            table.by_rest.push((rest, Vec::new()));
            table.by_rest.len() - 1
        });
        table.by_rest[place].1.push((content.chars().count() as u16, token));
        table
            .by_content
            .entry(content.into_boxed_str())
            .or_default()
            .push((rest, token));
    }
}

fn string_tables(info: &TokenizerInfo, trie: &TokenTrie, ids: &[TokenId]) -> (FxHashMap<NodeId, StringTable>, TokenTrie) {
    let mut builders: FxHashMap<NodeId, TableBuilder> = FxHashMap::default();
    let mut rests: FxHashMap<Vec<u8>, u32> = FxHashMap::default();
    for &id in ids {
        let bytes = info.token_bytes(id);
        let opens = |(i, byte): (usize, &u8)| *byte == b'"' || i == 0 && ESCAPE_LETTERS.contains(byte);
        let openings = bytes.iter().enumerate().filter(|&place| opens(place)).map(|(i, _)| i + 1);
        for start in std::iter::once(0).chain(openings) {
            let Some(node) = trie.find(&bytes[..start]) else { continue };
            let builder = builders.entry(node).or_default();
            match continuation(&bytes[start..]) {
                Continuation::Dead => {}
                Continuation::Inside(content, partial) => builder.table.inside.push((length_inside(&content, partial), id)),
                Continuation::Closed { content, rest } => {
                    let next = rests.len() as u32;
                    let rest = *rests.entry(rest.to_vec()).or_insert(next);
                    builder.add_closed(id, content, rest);
                }
            }
        }
    }
    let mut items: Vec<(Vec<u8>, u32)> = rests.into_iter().collect();
    let finish = |(node, mut builder): (NodeId, TableBuilder)| {
        builder.table.sort();
        (node, builder.table)
    };
    (builders.into_iter().map(finish).collect(), TokenTrie::from_items(&mut items))
}

/// Whether a colon, a comma and a quote come in this order, and something behind: without them no name starts behind
/// another one.
fn may_hold_two_names(bytes: &[u8]) -> bool {
    let wanted = b":,\"";
    let Some((_, before)) = bytes.split_last() else {
        return false;
    };
    let found = before
        .iter()
        .fold(0, |found, byte| found + usize::from(wanted.get(found) == Some(byte)));
    found == wanted.len()
}

fn length_bitmaps(inside: &[Sized], num_words: usize) -> Vec<Box<[u32]>> {
    let mut bitmaps = Vec::with_capacity(MAX_LENGTH_BITMAP + 2);
    let mut row = vec![0u32; num_words];
    let mut next = 0;
    for length in 0..=MAX_LENGTH_BITMAP as u16 {
        while next < inside.len() && inside[next].0 <= length {
            bitmask::set(&mut row, inside[next].1);
            next += 1;
        }
        bitmaps.push(row.clone().into_boxed_slice());
    }
    inside[next..].iter().for_each(|token| bitmask::set(&mut row, token.1));
    bitmaps.push(row.into_boxed_slice());
    bitmaps
}

/// The kinds of characters of a text of whole characters, and their number.
fn kinds_of(bytes: &[u8]) -> Option<(u16, u32)> {
    let text = std::str::from_utf8(bytes).ok()?;
    let kind = |character: char| {
        let holds = |ranges: &&[(u32, u32)]| ranges.iter().any(|range| (range.0..=range.1).contains(&(character as u32)));
        KINDS.iter().position(holds).unwrap_or(KINDS.len() - 1)
    };
    Some((
        text.chars().fold(0, |kinds, character| kinds | 1 << kind(character)),
        text.chars().count() as u32,
    ))
}

/// The kinds behind the first character, as far as they are told apart: whether the only space is the first character.
fn tail_kinds(kinds: u16, text: &[u8]) -> u16 {
    match text {
        [b' ', rest @ ..] if !rest.is_empty() && !rest.contains(&b' ') => kinds & !SPACE_KIND,
        _ => kinds,
    }
}

fn slices(info: &TokenizerInfo, ids: &[TokenId], num_words: usize) -> Vec<Slice> {
    let mut by_kinds: std::collections::BTreeMap<(u16, u16), Vec<(TokenId, u32)>> = std::collections::BTreeMap::new();
    for &id in ids {
        if let Some((kinds, length)) = kinds_of(info.token_bytes(id)) {
            let kinds = (kinds, tail_kinds(kinds, info.token_bytes(id)));
            by_kinds.entry(kinds).or_default().push((id, length));
        }
    }
    let mut slices = Vec::new();
    for ((kinds, tail_kinds), tokens) in by_kinds {
        if tokens.len() < MIN_SLICE {
            continue;
        }
        let mut bitmap = vec![0u32; num_words];
        tokens.iter().for_each(|token| bitmask::set(&mut bitmap, token.0));
        let longest = tokens.iter().map(|token| token.1).max().unwrap_or(0);
        let mut long: Vec<Sized> = tokens.iter().map(|&(id, length)| (length as u16, id)).collect();
        long.retain(|token| usize::from(token.0) > MAX_LENGTH_BITMAP);
        long.sort_unstable();
        let texts = tokens.iter().map(|token| {
            let text = std::str::from_utf8(info.token_bytes(token.0)).unwrap_or_default();
            let item = Item {
                token: token.0,
                ending: (),
            };
            (text.chars().map(u32::from).collect::<Box<[u32]>>(), item)
        });
        let trie = CharTrie::new(texts.collect());
        slices.push(Slice {
            kinds,
            tail_kinds,
            longest,
            long: long.into(),
            bitmap: bitmap.into(),
            trie,
        });
    }
    slices
}

/// What can follow a character boundary of a string, apart from the slices that may stand there.
fn in_strings(info: &TokenizerInfo, ids: &[TokenId], slices: &[Slice], rests: &TokenTrie) -> CharTrie<Ending> {
    let plain: Vec<&Slice> = slices.iter().filter(|slice| slice.is_for_strings()).collect();
    let mut texts = Vec::new();
    for &token in ids {
        if plain.iter().any(|slice| bitmask::test(&slice.bitmap, token)) {
            continue;
        }
        let (content, ending) = match continuation(info.token_bytes(token)) {
            Continuation::Dead => continue,
            Continuation::Inside(content, partial) => (content, Ending::Inside(partial)),
            Continuation::Closed { content, rest } => {
                let node = rests.find(rest).and_then(|node| rests.token(node));
                (content, Ending::Closed(node.expect("every rest is in the trie of rests")))
            }
        };
        texts.push((content.chars().map(u32::from).collect(), Item { token, ending }));
    }
    // At each node unfinished characters come last, to be passed over where none of them can be read.
    texts.sort_by_key(|(_, item): &(Box<[u32]>, Item<Ending>)| item.ending.is_cut());
    CharTrie::new(texts)
}
