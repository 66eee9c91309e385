//! Tags, what triggers them in free text, and tokens.
use super::beginnings::factored;
use super::ordered;
use super::reader::{Fields, GiveUp, Read, Reader};
use super::specials::Piece;
use crate::ast::{Dispatch, Expr, ExprId, RuleId};
use crate::tokens::{token_dispatch, TokenNames};
use penstock_automata::INFINITE;
use serde_json::Value;
use std::sync::Arc;

/// A token by its id, or by its text.
type Token = Result<u32, String>;

/// How a tag begins or ends.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Border {
    /// One of these texts.
    Texts(Vec<String>),
    /// This token.
    Token(Token),
}

/// How the innermost tag around a format ends: free text inside it stops there.
#[derive(Clone, Debug, Default)]
pub(super) struct Around(Option<Border>);

impl Around {
    /// The texts that end the tag.
    pub fn ends(&self) -> impl Iterator<Item = String> + '_ {
        let texts = match &self.0 {
            Some(Border::Texts(texts)) => &texts[..],
            _ => &[],
        };
        texts.iter().filter(|text| !text.is_empty()).cloned()
    }

    /// The token that ends the tag.
    pub fn end_token(&self) -> Option<Token> {
        match &self.0 {
            Some(Border::Token(token)) => Some(token.clone()),
            _ => None,
        }
    }
}

/// A tag that was read: its beginning, and everything behind it.
struct Tag {
    begin: Border,
    rest: ExprId,
}

impl Tag {
    /// The only text of its beginning.
    fn begin_text(&self) -> Option<&str> {
        match &self.begin {
            Border::Texts(texts) => texts.first().map(String::as_str),
            Border::Token(_) => None,
        }
    }
}

/// What ends free text.
#[derive(Default)]
struct Calls {
    /// A trigger and its rule.
    by_text: Vec<(String, RuleId)>,
    /// A call with a special token in its trigger: the characters before the first one, and the rest.
    by_token: Vec<(String, ExprId)>,
    /// Triggers of calls by token: spelled out they are not free text either.
    spelled: Vec<String>,
}

/// `at_least_one` and `stop_after_first`.
struct Times {
    at_least_one: bool,
    stop_after_first: bool,
}

impl Reader<'_> {
    pub fn whole_tag(&mut self, fields: &Fields) -> Read<ExprId> {
        let tag = self.tag_fields(fields)?;
        let begin = self.border(tag.begin);
        Ok(self.builder.sequence(vec![begin, tag.rest]))
    }

    fn tag_fields(&mut self, fields: &Fields) -> Read<Tag> {
        let begin = self.needed(fields, "begin").and_then(|begin| {
            self.within("begin", |reader| match begin {
                Value::Array(_) => reader.wrong("a tag begins in one way", "write one string"),
                begin => reader.read_border(begin),
            })
        });
        let end = self.needed(fields, "end");
        let end = end.and_then(|end| self.within("end", |reader| reader.read_border(end)));
        // The content is read whatever is wrong around it, so that its mistakes are told, too.
        let content = self.content(fields, &Around(end.as_ref().ok().cloned()));
        let (begin, content, end) = (begin?, content?, end?);
        let end = self.border(end);
        let rest = self.builder.sequence(vec![content, end]);
        Ok(Tag { begin, rest })
    }

    /// A text, a list of texts, or a token.
    fn read_border(&mut self, value: &Value) -> Read<Border> {
        match value {
            Value::String(text) => Ok(Border::Texts(vec![text.clone()])),
            Value::Array(texts) if !texts.is_empty() => {
                let read = |(i, text)| self.within(i, |reader| reader.as_text(text).map(str::to_owned));
                let texts: Vec<Read<String>> = texts.iter().enumerate().map(read).collect();
                Ok(Border::Texts(texts.into_iter().collect::<Read<_>>()?))
            }
            Value::Object(_) => {
                let fields = self.fields(value, "token", &["type", "token"])?;
                if let Some(other) = fields.get("type").filter(|name| *name != "token") {
                    return self.wrong(
                        format!("a tag has no border of the type `{other}`"),
                        "write a string or a token",
                    );
                }
                let token = self.needed(fields, "token")?;
                self.within("token", |reader| reader.as_token(token)).map(Border::Token)
            }
            other => self.wrong(format!("`{other}` is no border of a tag"), "write a string or a token"),
        }
    }

    fn border(&mut self, border: Border) -> ExprId {
        match border {
            Border::Texts(texts) => {
                let texts = texts.iter().map(|text| self.fixed(text)).collect();
                self.builder.choice(texts)
            }
            Border::Token(token) => self.one_token(token),
        }
    }

    /// A fixed text, its special tokens as tokens.
    pub fn fixed(&mut self, text: &str) -> ExprId {
        let mut parts = Vec::new();
        for piece in self.specials.cut(text) {
            parts.push(match piece {
                Piece::Text(text) => self.builder.text(text),
                Piece::Token(name) => self.builder.add(Expr::TokenText(name.to_owned())),
            });
        }
        self.builder.sequence(parts)
    }

    /// A fixed text and what follows it: the characters before the first special token, and the rest.
    fn split(&mut self, text: &str, rest: ExprId) -> (String, ExprId) {
        let Some(token) = self.specials.first_in(text) else {
            return (text.to_owned(), rest);
        };
        let tail = self.fixed(&text[token.start..]);
        (text[..token.start].to_owned(), self.builder.sequence(vec![tail, rest]))
    }

    fn one_token(&mut self, token: Token) -> ExprId {
        let mut names = TokenNames::default();
        names.add(token);
        names.one_of(&mut self.builder)
    }

    pub fn as_token(&mut self, value: &Value) -> Read<Token> {
        let id = value.as_u64().and_then(|id| u32::try_from(id).ok());
        match (id, value.as_str()) {
            (Some(id), _) => Ok(Ok(id)),
            (_, Some(text)) if !text.is_empty() => Ok(Err(text.to_owned())),
            _ => self.wrong(format!("`{value}` is no token"), "write its id or its text"),
        }
    }

    pub fn token(&mut self, fields: &Fields) -> Read<ExprId> {
        let token = self.needed(fields, "token")?;
        let token = self.within("token", |reader| reader.as_token(token))?;
        Ok(self.one_token(token))
    }

    fn excluded(&mut self, fields: &Fields, around: &Around) -> Read<TokenNames> {
        let tokens = self.list(fields, "exclude_tokens", |reader, value| reader.as_token(value))?;
        let mut names = TokenNames::default();
        tokens
            .into_iter()
            .chain(around.end_token())
            .for_each(|token| names.add(token));
        Ok(names)
    }

    pub fn other_tokens(&mut self, name: &str, fields: &Fields, around: &Around) -> Read<ExprId> {
        let one = self.excluded(fields, around)?.none_of(&mut self.builder);
        if name == "exclude_token" {
            return Ok(one);
        }
        let most = self.count(fields, "max_tokens")?.unwrap_or(INFINITE);
        Ok(self.builder.repeat(one, 0, most))
    }

    fn times(&mut self, fields: &Fields) -> Read<Times> {
        Ok(Times {
            at_least_one: self.truth(fields, "at_least_one")?.unwrap_or(false),
            stop_after_first: self.truth(fields, "stop_after_first")?.unwrap_or(false),
        })
    }

    fn tags(&mut self, fields: &Fields) -> Read<Vec<Tag>> {
        self.some(fields, "tags", |reader, value| {
            reader.deeper(|reader| {
                let fields = reader.fields(value, "tag", &["type", "begin", "content", "end"])?;
                if let Some(other) = fields.get("type").filter(|name| *name != "tag") {
                    return reader.wrong(format!("`{other}` is no tag"), "write \"tag\"");
                }
                reader.tag_fields(fields)
            })
        })
    }

    fn rule_of(&mut self, wish: &str, body: ExprId) -> RuleId {
        let rule = self.builder.fresh_rule(wish);
        self.builder.define(rule, body);
        rule
    }

    pub fn triggered_tags(&mut self, fields: &Fields, around: &Around) -> Read<ExprId> {
        let triggers = self.some(fields, "triggers", |reader, value| reader.as_characters(value));
        let tags = self.tags(fields);
        let times = self.times(fields)?;
        let mut excludes = self.texts(fields, "excludes")?;
        excludes.extend(around.ends());
        self.triggered(triggers?, tags?, times, excludes)
    }

    fn triggered(&mut self, triggers: Vec<String>, tags: Vec<Tag>, times: Times, excludes: Vec<String>) -> Read<ExprId> {
        let calls = self.calls(&triggers, &tags)?;
        let first = times.at_least_one.then(|| self.any_tag(&tags));
        if let (Some(first), true) = (first, times.stop_after_first) {
            return Ok(first);
        }
        let free = self.free_until(calls, excludes, !times.stop_after_first);
        Ok(match first {
            Some(first) => self.builder.sequence(vec![first, free]),
            None => free,
        })
    }

    /// One of the tags at once.
    fn any_tag(&mut self, tags: &[Tag]) -> ExprId {
        let (mut texts, mut ways) = (Vec::new(), Vec::new());
        for tag in tags {
            match tag.begin_text() {
                Some(begin) => texts.push(self.split(begin, tag.rest)),
                None => {
                    let begin = self.border(tag.begin.clone());
                    ways.push(self.builder.sequence(vec![begin, tag.rest]));
                }
            }
        }
        if !texts.is_empty() {
            ways.push(factored(&mut self.builder, texts));
        }
        self.builder.choice(ways)
    }

    /// What each tag looks like behind free text. Tags of one trigger are one call.
    fn calls(&mut self, triggers: &[String], tags: &[Tag]) -> Read<Calls> {
        let mut groups: Vec<Vec<(String, ExprId)>> = vec![Vec::new(); triggers.len()];
        let mut calls = Calls::default();
        let (mut used, mut all_fit) = (vec![false; triggers.len()], true);
        for (i, tag) in tags.iter().enumerate() {
            let Some(begin) = tag.begin_text() else {
                all_fit = false;
                self.at_tag(i, "a tag with a token can't be triggered by text", "use token_triggered_tags");
                continue;
            };
            let mut fitting = (0..triggers.len()).filter(|&t| begin.starts_with(triggers[t].as_str()));
            let (trigger, again) = (fitting.next(), fitting.next());
            let Some(trigger) = trigger.filter(|_| again.is_none()) else {
                let number = if again.is_none() { "no trigger" } else { "several triggers" };
                let message = format!("`{begin}` starts with {number}");
                all_fit = false;
                self.at_tag(i, &message, "let it start with exactly one of `triggers`");
                continue;
            };
            used[trigger] = true;
            let length = triggers[trigger].len();
            match self.specials.first_in(begin).filter(|token| token.start < length) {
                Some(_) => {
                    let tag = self.split(begin, tag.rest);
                    calls.by_token.push(tag);
                    calls.spelled.push(triggers[trigger].clone());
                }
                None => {
                    let tag = self.split(&begin[length..], tag.rest);
                    groups[trigger].push(tag);
                }
            }
        }
        if !all_fit {
            return Err(GiveUp);
        }
        if let Some(unused) = used.iter().position(|used| !used) {
            let message = format!("no tag begins with the trigger `{}`", triggers[unused]);
            return self.within("triggers", |reader| {
                reader.within(unused, |reader| reader.wrong(message, "delete it, or put it into `excludes`"))
            });
        }
        for (trigger, group) in triggers.iter().zip(groups).filter(|(_, group)| !group.is_empty()) {
            let body = factored(&mut self.builder, group);
            calls.by_text.push((trigger.clone(), self.rule_of("tag", body)));
        }
        Ok(calls)
    }

    /// Free text until a call. Special tokens are no free text: calls that begin with one stand between its parts.
    fn free_until(&mut self, calls: Calls, mut excludes: Vec<String>, looped: bool) -> ExprId {
        let (triggers, rules): (Vec<String>, Vec<RuleId>) = calls.by_text.into_iter().unzip();
        // What triggers a tag is not excluded: an end that is a trigger would leave no way out.
        excludes.retain(|text| !triggers.contains(text));
        excludes.extend(calls.spelled.into_iter().filter(|text| !triggers.contains(text)));
        let stops = [triggers.clone(), excludes.clone()].concat();
        let dispatch = Dispatch {
            triggers,
            excludes,
            stops: Vec::new(),
            looped,
        };
        let free = self.builder.dispatch(dispatch, &rules);
        if calls.by_token.is_empty() {
            return free;
        }
        let call = factored(&mut self.builder, calls.by_token);
        if !looped {
            let only_free = self.free_text(stops);
            let call = self.builder.sequence(vec![only_free, call]);
            return self.builder.choice(vec![free, call]);
        }
        let rule = self.rule_of("free_text", free);
        let (before, after) = (self.builder.add(Expr::Rule(rule)), self.builder.add(Expr::Rule(rule)));
        let more = self.builder.sequence(vec![call, after]);
        let more = self.builder.star(more);
        self.builder.sequence(vec![before, more])
    }

    /// Notes a mistake of the beginning of a tag.
    fn at_tag(&mut self, index: usize, message: &str, hint: &str) {
        let step = |reader: &mut Self| reader.within("begin", |reader| reader.wrong::<()>(message, hint));
        let _ = self.within("tags", |reader| reader.within(index, step));
    }

    pub fn token_triggered_tags(&mut self, fields: &Fields, around: &Around) -> Read<ExprId> {
        let triggers = self.some(fields, "trigger_tokens", |reader, value| reader.as_token(value));
        let tags = self.tags(fields);
        let times = self.times(fields)?;
        let excludes = self.excluded(fields, around)?;
        let (triggers, tags) = (triggers?, tags?);
        let mut groups: Vec<Vec<ExprId>> = vec![Vec::new(); triggers.len()];
        let mut all_fit = true;
        for (i, tag) in tags.iter().enumerate() {
            let found = match &tag.begin {
                Border::Token(token) => triggers.iter().position(|trigger| trigger == token),
                Border::Texts(_) => None,
            };
            match found {
                Some(trigger) => groups[trigger].push(tag.rest),
                None => {
                    all_fit = false;
                    let hint = "begin it with one of `trigger_tokens`";
                    self.at_tag(i, "the tag begins with no trigger token", hint);
                }
            }
        }
        if !all_fit {
            return Err(GiveUp);
        }
        let mut rules = Vec::new();
        for (trigger, group) in triggers.iter().zip(groups) {
            let body = self.builder.choice(group);
            rules.push((trigger.clone(), self.rule_of("tag", body)));
        }
        Ok(self.token_triggered(rules, times, excludes))
    }

    fn token_triggered(&mut self, rules: Vec<(Token, RuleId)>, times: Times, excludes: TokenNames) -> ExprId {
        let mut first = Vec::new();
        for (token, rule) in rules.iter().filter(|_| times.at_least_one) {
            let parts = vec![self.one_token(token.clone()), self.builder.add(Expr::Rule(*rule))];
            first.push(self.builder.sequence(parts));
        }
        if times.at_least_one && times.stop_after_first {
            return self.builder.choice(first);
        }
        let dispatch = token_dispatch(&mut self.builder, &rules, excludes, !times.stop_after_first);
        match times.at_least_one {
            true => {
                let first = self.builder.choice(first);
                self.builder.sequence(vec![first, dispatch])
            }
            false => dispatch,
        }
    }

    pub fn tags_with_separator(&mut self, fields: &Fields) -> Read<ExprId> {
        let tags = self.tags(fields);
        let separator = self.text(fields, "separator")?.to_owned();
        let times = self.times(fields)?;
        let tags = tags?;
        let one = self.any_tag(&tags);
        let mut all = one;
        if !times.stop_after_first {
            let rule = self.rule_of("tags", one);
            let (again, separator) = (self.builder.add(Expr::Rule(rule)), self.fixed(&separator));
            let more = self.builder.sequence(vec![separator, again]);
            let more = self.builder.star(more);
            let one = self.builder.add(Expr::Rule(rule));
            all = self.builder.sequence(vec![one, more]);
        }
        Ok(match times.at_least_one {
            true => all,
            false => self.builder.repeat(all, 0, 1),
        })
    }

    /// `[[pattern, format], ...]`
    fn rules<T>(&mut self, fields: &Fields, around: &Around, key: fn(&mut Self, &Value) -> Read<T>) -> Read<Vec<(T, RuleId)>> {
        self.some(fields, "rules", |reader, pair| {
            let Some([pattern, format]) = pair.as_array().map(Vec::as_slice) else {
                return reader.wrong(format!("`{pair}` is no rule"), "write [pattern, format]");
            };
            let pattern = reader.within(0, |reader| key(reader, pattern));
            let format = reader.within(1, |reader| reader.format(format, around))?;
            Ok((pattern?, reader.rule_of("dispatched", format)))
        })
    }

    pub fn dispatch(&mut self, fields: &Fields, around: &Around) -> Read<ExprId> {
        let rules = self.rules(fields, around, |reader, value| reader.as_characters(value))?;
        let looped = self.truth(fields, "loop")?.unwrap_or(true);
        let excludes = self.texts(fields, "excludes")?;
        if let Some((both, _)) = rules.iter().find(|rule| excludes.contains(&rule.0)) {
            let message = format!("`{both}` calls a rule and is excluded");
            return self.within("excludes", |reader| reader.wrong(message, "delete one of them"));
        }
        let mut calls = Calls::default();
        for (pattern, rule) in rules {
            if self.specials.first_in(&pattern).is_none() {
                calls.by_text.push((pattern, rule));
                continue;
            }
            let body = self.builder.add(Expr::Rule(rule));
            let call = self.split(&pattern, body);
            calls.by_token.push(call);
            calls.spelled.push(pattern);
        }
        Ok(self.free_until(calls, excludes, looped))
    }

    pub fn token_dispatch(&mut self, fields: &Fields, around: &Around) -> Read<ExprId> {
        let rules = self.rules(fields, around, |reader, value| reader.as_token(value))?;
        let looped = self.truth(fields, "loop")?.unwrap_or(true);
        let excludes = self.excluded(fields, &Around::default())?;
        Ok(token_dispatch(&mut self.builder, &rules, excludes, looped))
    }

    /// The older form: tags around schemas, and their triggers.
    pub fn structures(&mut self, fields: &Fields) -> Read<ExprId> {
        let triggers = self.some(fields, "triggers", |reader, value| reader.as_characters(value));
        let tags = self.some(fields, "structures", |reader, value| {
            let fields = reader.fields(value, "structures", &["begin", "schema", "end"])?;
            let begin = reader.text(fields, "begin")?.to_owned();
            let end = reader.text(fields, "end")?.to_owned();
            let schema = reader.needed(fields, "schema")?;
            let schema = reader.within("schema", |reader| reader.legacy_schema(schema))?;
            let (schema, options) = (Arc::new(schema), Arc::new(ordered(reader.options, None)));
            let content = reader.builder.add(Expr::JsonSchema { schema, options });
            let end = reader.fixed(&end);
            let rest = reader.builder.sequence(vec![content, end]);
            let begin = Border::Texts(vec![begin]);
            Ok(Tag { begin, rest })
        });
        let times = Times {
            at_least_one: false,
            stop_after_first: false,
        };
        self.triggered(triggers?, tags?, times, Vec::new())
    }

    /// A schema, or a text that holds one.
    fn legacy_schema(&mut self, value: &Value) -> Read<Value> {
        let schema = match value.as_str().map(serde_json::from_str) {
            Some(Ok(schema)) => schema,
            Some(Err(error)) => return self.wrong(format!("the schema is no JSON: {error}"), "write a JSON object"),
            None => value.clone(),
        };
        self.check_schema(&schema)?;
        Ok(schema)
    }
}
