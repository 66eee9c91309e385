//! One byte of JSON: every control but those of rules.
use crate::control::{Config, Control, Gap, Key, Number, Text};
use crate::core::Style;
use crate::numerals::is_number_byte;
use crate::question::{PathStep, FIRST_NAME_CLASS, UNMENTIONED_NAME};
use crate::run::{started_item, started_member, Configs, Frontier, Run};
use crate::stack::{Container, ContentId, Doubt, Frame, FrameId, Held, TextId};
use crate::text::{Partial, Piece};
use penstock_automata::{Limit, RegexId, INFINITE};
use penstock_schema::{AskId, Kinds, Member, SeenId, ValueId, Verdicts};

const WORDS: [&[u8]; 3] = [b"null", b"true", b"false"];

impl Run<'_> {
    /// One byte of JSON. Configurations that go on are added to `out`.
    pub fn step_json(&mut self, config: Config, byte: u8, out: &mut Frontier) -> Result<(), Limit> {
        let frame = config.frame;
        match config.control {
            Control::Done | Control::Rule { .. } => Ok(()),
            Control::Value { ask, gap, style } => {
                if let Some(gap) = gap.step(byte) {
                    out.push(Control::Value { ask, gap, style }, frame);
                } else if gap.is_done() {
                    self.start_value(ask, style, frame, byte, out)?;
                }
                Ok(())
            }
            Control::FirstItem(gap) => self.step_first_item(gap, frame, byte, out),
            Control::Name { gap, first } => self.step_name(gap, first, frame, byte, out),
            Control::Colon { ask, gap } => {
                if let Some(gap) = gap.step(byte) {
                    out.push(Control::Colon { ask, gap }, frame);
                } else if byte == b':' && gap.is_done() {
                    if let Frame::Container(object) = self.peek(frame) {
                        let gap = self.style(&object).after_colon();
                        out.push(
                            Control::Value {
                                ask,
                                gap,
                                style: object.style,
                            },
                            frame,
                        );
                    }
                }
                Ok(())
            }
            Control::After(gap) => self.step_after(gap, frame, byte, out),
            Control::Word { ask, word, at } => self.step_word(ask, word, at, frame, byte, out),
            Control::Number(number) => self.step_number(number, frame, byte, out),
            Control::Text(text) => self.step_text(text, frame, byte, out),
            Control::Key(key) => self.step_key(key, frame, byte, out),
        }
    }

    fn start_value(&mut self, ask: AskId, style: u8, frame: FrameId, byte: u8, out: &mut Frontier) -> Result<(), Limit> {
        let kinds = self.fact_kinds(ask)?;
        match byte {
            b'n' if kinds.has(Kinds::NULL) => out.push(Control::Word { ask, word: 0, at: 1 }, frame),
            b't' if kinds.has(Kinds::TRUE) => out.push(Control::Word { ask, word: 1, at: 1 }, frame),
            b'f' if kinds.has(Kinds::FALSE) => out.push(Control::Word { ask, word: 2, at: 1 }, frame),
            b'"' if kinds.has(Kinds::STRING) => {
                if let Some(text) = self.open_text(ask, frame)? {
                    out.push(Control::Text(text), frame);
                }
            }
            b'-' | b'0'..=b'9' if kinds.has(Kinds::NUMBER) => {
                if let Some(spec) = self.fact_spec(ask)? {
                    let number = Number {
                        ask,
                        state: self.core.schemas.numbers.start(spec),
                        text: self.new_text(frame),
                        in_rule: matches!(self.peek(frame), Frame::Call { .. }),
                    };
                    self.step_number(number, frame, byte, out)?;
                }
            }
            b'{' if kinds.has(Kinds::OBJECT) => {
                if let Some((object, frame)) = self.open(ask, (style, frame), true)? {
                    let gap = self.style(&object).after_open(object.depth);
                    out.push(Control::Name { gap, first: true }, frame);
                }
            }
            b'[' if kinds.has(Kinds::ARRAY) => {
                if let Some((array, frame)) = self.open(ask, (style, frame), false)? {
                    let gap = self.style(&array).after_open(array.depth);
                    out.push(Control::FirstItem(gap), frame);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A container inside `parent`, whose record and kind the caller fills in.
    fn new_container(&mut self, style: u8, parent: FrameId) -> Container {
        let depth = match self.core.styles[usize::from(style)] {
            Style::Indented(_) => self.fact_depth(parent),
            _ => self.stack.depth(parent),
        };
        let record = penstock_schema::RecordId(0);
        Container {
            parent,
            record,
            seen: SeenId::EMPTY,
            pending: false,
            object: false,
            style,
            wants: false,
            keeps: self.is_kept(parent),
            content: ContentId::EMPTY,
            doubt: self.doubt(parent).inside(),
            depth: depth + 1,
        }
    }

    /// Opens an object or array that answers `ask` in the frame `parent`, with its own frame; None if there is no such answer.
    pub(crate) fn open(
        &mut self,
        ask: AskId,
        (style, parent): (u8, FrameId),
        object: bool,
    ) -> Result<Option<(Container, FrameId)>, Limit> {
        let Some(record) = self.fact_open(ask, parent, object)? else {
            return Ok(None);
        };
        let container = Container {
            record,
            object,
            ..self.new_container(style, parent)
        };
        let frame = self.stack.push(container);
        self.name_opened(ask, frame, &container);
        Ok(Some((container, frame)))
    }

    /// Where the text of a value starts that is read in this frame.
    fn new_text(&self, frame: FrameId) -> TextId {
        match self.is_kept(frame) || self.doubt(frame) != Doubt::None {
            true => TextId::EMPTY,
            false => TextId::UNKEPT,
        }
    }

    /// A text and one character more.
    fn longer_text(&mut self, text: TextId, character: u32) -> TextId {
        match text {
            TextId::UNKEPT => TextId::UNKEPT,
            _ if self.leaves_open => TextId::SOME,
            text => self.stack.append(text, character),
        }
    }

    /// The string that was read, if it was kept.
    fn string_of(&mut self, text: TextId) -> Option<ValueId> {
        let text = self.kept_text(text)?;
        Some(self.core.schemas.text_value(&text))
    }

    /// The number that was read, if it was kept.
    pub fn number_of(&mut self, text: TextId) -> Option<ValueId> {
        let text = self.kept_text(text)?;
        Some(self.core.schemas.number_value(&text))
    }

    fn kept_text(&self, text: TextId) -> Option<String> {
        let is_known = !self.leaves_open && text != TextId::UNKEPT;
        is_known.then(|| self.stack.text(text))
    }

    /// The value of a container that ends, if it was kept.
    fn container_of(&mut self, container: &Container) -> Option<ValueId> {
        if !container.keeps || self.leaves_open {
            return None;
        }
        let (mut items, mut members, mut name) = (Vec::new(), Vec::new(), None);
        for held in self.stack.held(container.content) {
            match (held, name.take()) {
                (Held::Name(next), _) => name = Some(next),
                (Held::Value(value), None) => items.push(value),
                (Held::Value(value), Some(name)) => members.push((name, value)),
            }
        }
        let schemas = &mut self.core.schemas;
        Some(match container.object {
            true => schemas.object_value(members),
            false => schemas.array_value(items),
        })
    }

    pub(crate) fn open_text(&mut self, ask: AskId, frame: FrameId) -> Result<Option<Text>, Limit> {
        let Some(asked) = self.core.schemas.string(ask)? else {
            self.learn_text(ask, None);
            return Ok(None);
        };
        let parts = self.core.parts.intern(&asked.parts);
        let (mut goal, mut min, mut max) = (asked.goal, asked.min_length, asked.max_length);
        if parts == 0 {
            (goal, min, max) = self.core.schemas.regexes.split_length(goal).unwrap_or((goal, min, max));
        }
        let text = Text {
            goal,
            parts,
            ask: if parts == 0 { AskId(0) } else { ask },
            min,
            max,
            partial: Partial::None,
            text: self.new_text(frame),
        };
        self.learn_text(ask, Some(&text));
        Ok(Some(text))
    }

    fn step_first_item(&mut self, gap: Gap, frame: FrameId, byte: u8, out: &mut Frontier) -> Result<(), Limit> {
        let Frame::Container(array) = self.peek(frame) else {
            return Ok(());
        };
        if byte == b']' && self.style(&array).is_tight(gap) {
            return self.close(frame, array, out);
        }
        if let Some(gap) = gap.step(byte) {
            // A line break promises an item where lines are indented.
            if !matches!(gap, Gap::Spaces(_)) || self.fact_item(frame)?.is_some() {
                out.push(Control::FirstItem(gap), frame);
            }
        } else if gap.is_done() {
            if let Some(item) = self.fact_item(frame)? {
                let kinds = self.fact_kinds(item.ask)?;
                if starts_kind(kinds, byte) {
                    let next = self.advance(frame, PathStep::Item, started_item(array, &item));
                    self.start_value(item.ask, array.style, next, byte, out)?;
                }
            }
        }
        Ok(())
    }

    fn step_name(&mut self, gap: Gap, first: bool, frame: FrameId, byte: u8, out: &mut Frontier) -> Result<(), Limit> {
        let Frame::Container(object) = self.peek(frame) else {
            return Ok(());
        };
        if byte == b'}' && first && self.style(&object).is_tight(gap) {
            return self.close(frame, object, out);
        }
        if let Some(gap) = gap.step(byte) {
            if !first || !matches!(gap, Gap::Spaces(_)) || self.fact_more(frame)? {
                out.push(Control::Name { gap, first }, frame);
            }
        } else if byte == b'"' && gap.is_done() && self.fact_more(frame)? {
            if self.ends_here {
                out.push(Control::Key(Key::UNREAD), frame);
                return Ok(());
            }
            let (shape, others, states) = self.fact_shape(frame)?;
            let high = self.core.schemas.shape(shape).names.len() as u32;
            let key = Key {
                shape,
                low: 0,
                high,
                depth: 0,
                others,
                partial: Partial::None,
                text: TextId::EMPTY,
                states,
            };
            out.push(Control::Key(key), frame);
        }
        Ok(())
    }

    fn step_after(&mut self, gap: Gap, frame: FrameId, byte: u8, out: &mut Frontier) -> Result<(), Limit> {
        let Frame::Container(container) = self.peek(frame) else {
            return Ok(());
        };
        if byte == if container.object { b'}' } else { b']' } {
            return if gap.is_done() {
                self.close(frame, container, out)
            } else {
                Ok(())
            };
        }
        if byte != b',' {
            if let Some(next) = gap.step(byte) {
                // A line break promises the end where lines are indented.
                if !matches!(next, Gap::Spaces(_)) || self.fact_close(frame)?.is_some() {
                    out.push(Control::After(next), frame);
                }
            }
            return Ok(());
        }
        if !self.style(&container).is_tight(gap) {
            return Ok(());
        }
        let gap = self.style(&container).after_comma(self.depth_if_indented(frame, &container));
        if container.object {
            if self.fact_more(frame)? {
                out.push(Control::Name { gap, first: false }, frame);
            }
        } else if let Some(item) = self.fact_item(frame)? {
            let mut started = started_item(container, &item);
            if container.doubt == Doubt::Ended && self.fact_spare(frame)? {
                started.doubt = Doubt::Next;
            }
            let next = self.advance(frame, PathStep::Item, started);
            out.push(
                Control::Value {
                    ask: item.ask,
                    gap,
                    style: container.style,
                },
                next,
            );
        }
        Ok(())
    }

    fn close(&mut self, frame: FrameId, container: Container, out: &mut Frontier) -> Result<(), Limit> {
        match self.fact_close(frame)? {
            Some(verdicts) => {
                let value = self.container_of(&container);
                self.value_end(container.parent, verdicts, value, out)
            }
            None => Ok(()),
        }
    }

    fn step_word(&mut self, ask: AskId, word: u8, at: u8, frame: FrameId, byte: u8, out: &mut Frontier) -> Result<(), Limit> {
        let letters = WORDS[usize::from(word)];
        if letters[usize::from(at)] != byte {
            return Ok(());
        }
        if usize::from(at) + 1 < letters.len() {
            out.push(Control::Word { ask, word, at: at + 1 }, frame);
            return Ok(());
        }
        let kind = [Kinds::NULL, Kinds::TRUE, Kinds::FALSE][usize::from(word)];
        match self.fact_literal(ask, word)? {
            Some(verdicts) => {
                let value = self.is_kept(frame).then(|| self.core.schemas.literal_value(kind));
                self.value_end(frame, verdicts, value, out)
            }
            None => Ok(()),
        }
    }

    /// A number has no end mark. In a container the symbol that follows ends it; a rule may go on with a digit of its own,
    /// so there the number ends at every place where it may.
    fn step_number(&mut self, number: Number, frame: FrameId, byte: u8, out: &mut Frontier) -> Result<(), Limit> {
        if !is_number_byte(byte) {
            for config in self.after_number(number, frame)? {
                self.step_json(config, byte, out)?;
            }
            return Ok(());
        }
        let Some(state) = self.core.schemas.numbers.step(number.state, byte)? else {
            return Ok(());
        };
        let text = self.longer_text(number.text, u32::from(byte));
        out.push(Control::Number(Number { state, text, ..number }), frame);
        if number.in_rule && self.core.schemas.numbers.is_complete(state) {
            let verdicts = self.core.schemas.number_verdicts(number.ask, state);
            self.value_end(frame, verdicts, None, out)?;
        }
        Ok(())
    }

    /// Where the text stands if a number in a container ends here; nowhere if it may not.
    pub fn after_number(&mut self, number: Number, frame: FrameId) -> Result<Configs, Limit> {
        let mut ended = Frontier::default();
        if !number.in_rule && self.core.schemas.numbers.is_complete(number.state) {
            if let Frame::Container(_) = self.peek(frame) {
                let verdicts = self.core.schemas.number_verdicts(number.ask, number.state);
                let value = self.number_of(number.text);
                self.value_end(frame, verdicts, value, &mut ended)?;
            }
        }
        Ok(ended.configs)
    }

    fn step_text(&mut self, text: Text, frame: FrameId, byte: u8, out: &mut Frontier) -> Result<(), Limit> {
        match text.partial.step_json(byte) {
            Piece::Dead => {}
            Piece::Quote => {
                if text.min == 0 && self.core.schemas.regexes.is_nullable(text.goal) {
                    let verdicts = self.text_verdicts(&text);
                    let value = self.string_of(text.text);
                    self.value_end(frame, verdicts, value, out)?;
                }
            }
            Piece::Part(partial) => {
                if self.is_partial_text_live(&text, partial)? {
                    out.push(Control::Text(Text { partial, ..text }), frame);
                }
            }
            Piece::Char(character) => {
                if let Some(next) = self.text_after(text, character)? {
                    out.push(Control::Text(next), frame);
                }
            }
        }
        Ok(())
    }

    /// Whether some character that `partial` can become leaves a text that fits its length.
    pub fn is_partial_text_live(&mut self, text: &Text, partial: Partial) -> Result<bool, Limit> {
        if text.max == 0 {
            return Ok(false);
        }
        let regexes = &mut self.core.schemas.regexes;
        // Whatever the character is, what is left then has a text that is short enough.
        let is_roomy = text.max == INFINITE || text.max > regexes.max_min_length(text.goal);
        if text.min <= 1 && is_roomy {
            return Ok(partial.is_live(regexes.live_row_ref(text.goal)?));
        }
        let row = regexes.live_row(text.goal)?;
        let max = if text.max == INFINITE { INFINITE } else { text.max - 1 };
        for (low, high, target) in row.ranges() {
            let meets = |range: &(u32, u32)| range.0 <= high && low <= range.1;
            if partial.ranges().iter().flatten().any(meets)
                && self
                    .core
                    .schemas
                    .regexes
                    .has_length(target, text.min.saturating_sub(1), max)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The state after one more character, at its boundary; None if nothing can follow it.
    pub fn text_after(&mut self, text: Text, character: u32) -> Result<Option<Text>, Limit> {
        let goal = self.core.schemas.regexes.step(text.goal, character)?;
        if goal == RegexId::NEVER || text.max == 0 {
            return Ok(None);
        }
        let max = if text.max == INFINITE { INFINITE } else { text.max - 1 };
        let min = text.min.saturating_sub(1);
        if (min > 0 || max != INFINITE) && !self.core.schemas.regexes.has_length(goal, min, max)? {
            return Ok(None);
        }
        let parts = self.parts_after(text.parts, character)?;
        let (goal, min, max) = match self.core.schemas.regexes.split_count(goal) {
            Some((star, least, most)) if parts == 0 => (star, min.max(least), max.min(most)),
            _ => (goal, min, max),
        };
        Ok(Some(Text {
            goal,
            parts,
            min,
            max,
            partial: Partial::None,
            text: self.longer_text(text.text, character),
            ..text
        }))
    }

    /// The states of the asked formulas after one more character.
    pub fn parts_after(&mut self, parts: u32, character: u32) -> Result<u32, Limit> {
        if parts == 0 {
            return Ok(0);
        }
        self.core.parts.step(&mut self.core.schemas.regexes, (parts, 0), character)
    }

    /// What the asked formulas say of a string that ends here.
    pub fn text_verdicts(&mut self, text: &Text) -> Verdicts {
        if text.parts == 0 {
            return Verdicts::TRUE;
        }
        let parts = self.core.parts.get(text.parts);
        self.core.schemas.string_verdicts(text.ask, &parts)
    }

    fn step_key(&mut self, key: Key, frame: FrameId, byte: u8, out: &mut Frontier) -> Result<(), Limit> {
        match key.partial.step_json(byte) {
            Piece::Dead => Ok(()),
            Piece::Quote => self.end_key(key, frame, out),
            Piece::Part(partial) => {
                let next = self.key_inside(key, partial)?;
                if next.others != RegexId::NEVER || self.are_partial_names_live(&next, frame)? {
                    out.push(Control::Key(next), frame);
                }
                Ok(())
            }
            Piece::Char(character) => {
                let next = self.key_after(key, character)?;
                if next.others != RegexId::NEVER || self.names_live(frame, next.low, next.high)? {
                    out.push(Control::Key(next), frame);
                }
                Ok(())
            }
        }
    }

    /// The state after one more character of a name; whether it is live is not looked at.
    pub fn key_after(&mut self, key: Key, character: u32) -> Result<Key, Limit> {
        let (low, high, depth) = self.narrow(&key, character);
        let next = Key {
            low,
            high,
            depth,
            partial: Partial::None,
            ..key
        };
        if key.others == RegexId::NEVER {
            return Ok(next);
        }
        Ok(match self.core.schemas.regexes.step(key.others, character)? {
            RegexId::NEVER => Key {
                text: TextId::EMPTY,
                ..next
            }
            .declared_only(),
            others => Key {
                others,
                text: self.key_text_after(&key, &next, character),
                states: self.core.name_states_after(key.states, character)?,
                ..next
            },
        })
    }

    /// The characters of a name that has left the declared ones, once `character` follows those of `key`.
    fn key_text_after(&mut self, key: &Key, next: &Key, character: u32) -> TextId {
        if next.low < next.high {
            return TextId::EMPTY;
        }
        let mut before = key.text;
        if key.low < key.high {
            let name = &self.core.schemas.shape(key.shape).names[key.low as usize][..key.depth as usize];
            for character in name.chars() {
                before = self.stack.append(before, u32::from(character));
            }
        }
        self.stack.append(before, character)
    }

    /// The characters of a name that have been read.
    pub fn key_text(&self, key: &Key) -> String {
        match key.low < key.high {
            true => self.core.schemas.shape(key.shape).names[key.low as usize][..key.depth as usize].to_owned(),
            false => self.stack.text(key.text),
        }
    }

    /// The names that go on with `character`.
    fn narrow(&self, key: &Key, character: u32) -> (u32, u32, u32) {
        let Some(character) = char::from_u32(character) else {
            return (0, 0, 0);
        };
        let mut buffer = [0; 4];
        let bytes = character.encode_utf8(&mut buffer).as_bytes();
        let depth = key.depth as usize;
        let names = &self.core.schemas.shape(key.shape).names[key.low as usize..key.high as usize];
        let first = names.partition_point(|name| &name.as_bytes()[depth..] < bytes);
        let count = names[first..].partition_point(|name| name.as_bytes()[depth..].starts_with(bytes));
        if count == 0 {
            return (0, 0, 0);
        }
        let low = key.low + first as u32;
        (low, low + count as u32, key.depth + bytes.len() as u32)
    }

    /// The names whose next character lies in one of the ranges of the partial character.
    pub fn partial_names(&self, key: &Key) -> [Option<(u32, u32)>; 2] {
        let names = &self.core.schemas.shape(key.shape).names[key.low as usize..key.high as usize];
        let next = |name: &str| name[key.depth as usize..].chars().next().map(u32::from);
        key.partial.ranges().map(|range| {
            let (from, to) = range?;
            let first = names.partition_point(|name| next(name).is_none_or(|c| c < from));
            let end = names.partition_point(|name| next(name).is_none_or(|c| c <= to));
            (first < end).then_some((key.low + first as u32, key.low + end as u32))
        })
    }

    /// The state inside a character of a name. Where no other name goes on with what the character can become, `others`
    /// says so at once: what is left depends on the declared names alone, as after the whole character.
    fn key_inside(&mut self, key: Key, partial: Partial) -> Result<Key, Limit> {
        let key = Key { partial, ..key };
        Ok(match key.others {
            RegexId::NEVER | RegexId::ANYTHING => key,
            others if partial.is_live(self.core.schemas.regexes.live_row_ref(others)?) => key,
            _ => key.declared_only(),
        })
    }

    fn are_partial_names_live(&mut self, key: &Key, frame: FrameId) -> Result<bool, Limit> {
        match self.partial_names(key) {
            [None, None] => Ok(false),
            // Two ranges make no single guard, so the frame is asked.
            [Some(a), Some(b)] => Ok(self.fact_available(frame, a.0, a.1)? | self.fact_available(frame, b.0, b.1)?),
            [Some(range), None] | [None, Some(range)] => self.names_live(frame, range.0, range.1),
        }
    }

    /// Whether a name of `low..high` can still be written; the names of the top frame are left to guards.
    fn names_live(&mut self, frame: FrameId, low: u32, high: u32) -> Result<bool, Limit> {
        if low >= high {
            return Ok(false);
        }
        Ok(self.is_guarded(frame) || self.fact_available(frame, low, high)?)
    }

    /// Whether the characters read are exactly one of the declared names.
    pub fn is_declared(&self, key: &Key) -> bool {
        key.low < key.high && self.core.schemas.shape(key.shape).names[key.low as usize].len() == key.depth as usize
    }

    /// The closing quote of a name.
    pub fn end_key(&mut self, key: Key, frame: FrameId, out: &mut Frontier) -> Result<(), Limit> {
        let names = &self.core.schemas.shape(key.shape).names;
        let named = self.is_declared(&key).then(|| names[key.low as usize].to_string());
        let Frame::Container(object) = self.peek(frame) else {
            return Ok(());
        };
        let started = match named {
            Some(name) => {
                let noted = self.core.paths.name_id(&name);
                self.fact_member(frame, &name, noted)?.map(|member| (member, noted))
            }
            None if key.others != RegexId::NEVER && self.core.schemas.regexes.is_nullable(key.others) => {
                self.other_member(&key, frame)?
            }
            None => None,
        };
        if let Some((member, noted)) = started {
            let mut started = started_member(object, &member);
            if object.keeps && !self.leaves_open {
                started.content = self.stack.hold(object.content, Held::Name(member.name));
            }
            let next = self.advance(frame, PathStep::Member(noted), started);
            let gap = self.style(&object).before_colon();
            out.push(Control::Colon { ask: member.ask, gap }, next);
        }
        Ok(())
    }

    /// The member with a name that the schema does not mention, and the number under which it was noted.
    ///
    /// A mask must not depend on the name that happens to be written: the question is asked of a name that stands for all of
    /// its class. Whether this very name was seen before is then a question of its own, except for the name in which the walk
    /// began: there the mask is corrected after it was found.
    fn other_member(&mut self, key: &Key, frame: FrameId) -> Result<Option<(Member, u32)>, Limit> {
        let is_foreign = self.foreign(frame).is_some();
        if !is_foreign || !self.is_own_key(frame) {
            let name = self.key_text(key);
            let exact = self.core.paths.name_id(&name);
            let member = self.fact_member(frame, &name, exact)?;
            if !is_foreign || member.is_none() {
                return Ok(member.map(|member| (member, exact)));
            }
        }
        let noted = self.name_class(key)?;
        Ok(self.fact_other_member(frame, noted)?.map(|member| (member, noted)))
    }

    /// Whether the name that is read in this frame is the one in which the walk began.
    pub fn is_own_key(&self, frame: FrameId) -> bool {
        self.is_guarded(frame) && self.recorder.as_ref().is_some_and(|recorder| recorder.starts_in_key)
    }

    /// What stands for all names that the object treats like the undeclared one that ends here.
    pub fn name_class(&mut self, key: &Key) -> Result<u32, Limit> {
        match key.states {
            0 => Ok(UNMENTIONED_NAME),
            states => Ok(FIRST_NAME_CLASS + self.core.name_class(states)?.index()),
        }
    }
}

/// Whether a value of one of `kinds` can start with `byte`.
fn starts_kind(kinds: Kinds, byte: u8) -> bool {
    match byte {
        b'n' => kinds.has(Kinds::NULL),
        b't' => kinds.has(Kinds::TRUE),
        b'f' => kinds.has(Kinds::FALSE),
        b'"' => kinds.has(Kinds::STRING),
        b'-' | b'0'..=b'9' => kinds.has(Kinds::NUMBER),
        b'[' => kinds.has(Kinds::ARRAY),
        b'{' => kinds.has(Kinds::OBJECT),
        _ => false,
    }
}
