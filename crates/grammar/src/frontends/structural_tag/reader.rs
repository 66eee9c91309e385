//! Fields of JSON objects, with the place of every mistake.
use super::specials::Specials;
use super::MAX_TAG_NESTING;
use crate::ast::{ExprId, Grammar, GrammarBuilder};
use crate::error::{GrammarError, GrammarErrorKind, Problem};
use crate::frontends::nearest::one_of_names;
use crate::options::JsonOptions;
use penstock_automata::Limit;
use penstock_schema::pointer_step;
use serde_json::{Map, Value};

/// How many mistakes of one tag are reported.
const MAX_PROBLEMS: usize = 100;

/// A mistake was noted; there is nothing to build.
pub(super) struct GiveUp;

/// What was read, or that a mistake was noted.
pub(super) type Read<T> = Result<T, GiveUp>;

/// The fields of an object.
pub(super) type Fields = Map<String, Value>;

/// Reads a tag into a grammar.
pub(super) struct Reader<'o> {
    pub builder: GrammarBuilder,
    pub options: &'o JsonOptions,
    pub specials: &'o Specials,
    /// Names and indices from the root to what is being read.
    place: Vec<String>,
    depth: usize,
    problems: Vec<(GrammarErrorKind, Problem)>,
    limit: Option<Limit>,
}

impl<'o> Reader<'o> {
    pub fn new(options: &'o JsonOptions, specials: &'o Specials) -> Reader<'o> {
        Reader {
            builder: GrammarBuilder::new(),
            options,
            specials,
            place: Vec::new(),
            depth: 0,
            problems: Vec::new(),
            limit: None,
        }
    }

    /// The grammar whose root is `body`, or all mistakes.
    pub fn finish(mut self, body: Read<ExprId>) -> Result<Grammar, GrammarError> {
        if let (Ok(body), true) = (body, self.problems.is_empty()) {
            let root = self.builder.fresh_rule("root");
            self.builder.define(root, body);
            return self.builder.finish(root);
        }
        use GrammarErrorKind::{EmptyLanguage, Limit, Syntax, Unsupported};
        let has = |kind: &GrammarErrorKind| self.problems.iter().any(|problem| problem.0 == *kind);
        let kinds = [Syntax, Limit, Unsupported, EmptyLanguage];
        let kind = kinds.into_iter().find(has).unwrap_or(Syntax);
        Err(GrammarError {
            limit: self.limit.filter(|_| kind == Limit),
            ..GrammarError::new(kind, self.problems.into_iter().map(|problem| problem.1).collect())
        })
    }

    /// The JSON pointer of what is being read.
    pub fn pointer(&self) -> String {
        self.place.iter().map(|step| format!("/{}", pointer_step(step))).collect()
    }

    fn note(&mut self, kind: GrammarErrorKind, message: String, hint: &str) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push((kind, Problem::at_pointer(self.pointer(), message, hint)));
        }
    }

    /// What stands here is no structural tag.
    pub fn wrong<T>(&mut self, message: impl Into<String>, hint: &str) -> Read<T> {
        self.note(GrammarErrorKind::Syntax, message.into(), hint);
        Err(GiveUp)
    }

    /// What stands here is refused.
    pub fn refused<T>(&mut self, message: impl Into<String>, hint: &str) -> Read<T> {
        self.note(GrammarErrorKind::Unsupported, message.into(), hint);
        Err(GiveUp)
    }

    /// No text matches what stands here.
    pub fn empty_language<T>(&mut self, problem: Problem) -> Read<T> {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push((GrammarErrorKind::EmptyLanguage, problem));
        }
        Err(GiveUp)
    }

    /// A mistake inside a text that stands here.
    pub fn nested<T>(&mut self, error: GrammarError) -> Read<T> {
        self.limit = self.limit.take().or(error.limit);
        for problem in error.problems {
            if self.problems.len() < MAX_PROBLEMS {
                let pointer = format!("{}{}", self.pointer(), problem.pointer);
                self.problems.push((error.kind, Problem { pointer, ..problem }));
            }
        }
        Err(GiveUp)
    }

    /// Reads what stands under `step`.
    pub fn within<T>(&mut self, step: impl ToString, read: impl FnOnce(&mut Self) -> T) -> T {
        self.place.push(step.to_string());
        let found = read(self);
        self.place.pop();
        found
    }

    /// Reads something that may hold its like.
    pub fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        if self.depth >= MAX_TAG_NESTING {
            let limit = Limit {
                name: "max_tag_nesting",
                configured: MAX_TAG_NESTING as u64,
            };
            let message = format!("formats nest deeper than `{}` of {}", limit.name, limit.configured);
            self.limit.get_or_insert(limit);
            self.note(GrammarErrorKind::Limit, message, "make it flatter");
            return Err(GiveUp);
        }
        self.depth += 1;
        let found = read(self);
        self.depth -= 1;
        found
    }

    /// The fields of an object; those that are not known are mistakes.
    pub fn fields<'v>(&mut self, value: &'v Value, what: &str, known: &[&str]) -> Read<&'v Fields> {
        let Value::Object(fields) = value else {
            return self.wrong(format!("`{what}` is no object"), "write {...}");
        };
        let unknown: Vec<&String> = fields.keys().filter(|name| !known.contains(&name.as_str())).collect();
        for name in &unknown {
            self.within(name, |reader| {
                let message = format!("`{what}` has no field `{name}`");
                let hint = one_of_names(name, "fields", known);
                reader.note(GrammarErrorKind::Unsupported, message, &hint);
            });
        }
        // What is unknown is noted; the others are read all the same.
        Ok(fields)
    }

    /// A field that must be there.
    pub fn needed<'v>(&mut self, fields: &'v Fields, name: &str) -> Read<&'v Value> {
        match fields.get(name) {
            Some(value) => Ok(value),
            None => self.wrong(format!("the field `{name}` is missing"), "write it"),
        }
    }

    /// A text that must be there.
    pub fn text<'v>(&mut self, fields: &'v Fields, name: &str) -> Read<&'v str> {
        let value = self.needed(fields, name)?;
        self.within(name, |reader| reader.as_text(value))
    }

    pub fn as_text<'v>(&mut self, value: &'v Value) -> Read<&'v str> {
        match value.as_str() {
            Some(text) => Ok(text),
            None => self.wrong(format!("`{value}` is no text"), "write a string"),
        }
    }

    /// A text of at least one character.
    pub fn as_characters(&mut self, value: &Value) -> Read<String> {
        match self.as_text(value)? {
            "" => self.wrong("the empty text stands everywhere", "write at least one character"),
            text => Ok(text.to_owned()),
        }
    }

    /// A list, empty where it is absent or null; each item is read at its place.
    pub fn list<T>(&mut self, fields: &Fields, name: &str, mut item: impl FnMut(&mut Self, &Value) -> Read<T>) -> Read<Vec<T>> {
        let items = match fields.get(name) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(other) => {
                let message = format!("`{other}` is no list");
                return self.within(name, |reader| reader.wrong(message, "write [...]"));
            }
        };
        self.within(name, |reader| {
            let read = |(i, value)| reader.within(i, |reader| item(reader, value));
            let found: Vec<Read<T>> = items.iter().enumerate().map(read).collect();
            found.into_iter().collect()
        })
    }

    /// A list that must be there and hold something.
    pub fn some<T>(&mut self, fields: &Fields, name: &str, item: impl FnMut(&mut Self, &Value) -> Read<T>) -> Read<Vec<T>> {
        self.needed(fields, name)?;
        let found = self.list(fields, name, item)?;
        match found.is_empty() {
            true => self.within(name, |reader| reader.wrong("the list is empty", "write at least one item")),
            false => Ok(found),
        }
    }

    /// A list of texts of at least one character.
    pub fn texts(&mut self, fields: &Fields, name: &str) -> Read<Vec<String>> {
        self.list(fields, name, |reader, value| reader.as_characters(value))
    }

    /// A truth value; `None` where it is absent.
    pub fn truth(&mut self, fields: &Fields, name: &str) -> Read<Option<bool>> {
        match fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(truth)) => Ok(Some(*truth)),
            Some(other) => {
                let message = format!("`{other}` is no truth value");
                self.within(name, |reader| reader.wrong(message, "write true or false"))
            }
        }
    }

    /// A count; `None` where it is absent.
    pub fn count(&mut self, fields: &Fields, name: &str) -> Read<Option<u32>> {
        match fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let count = value.as_u64().and_then(|count| u32::try_from(count).ok());
                match count.filter(|&count| count < penstock_automata::INFINITE) {
                    Some(count) => Ok(Some(count)),
                    None => {
                        let message = format!("`{value}` is no count");
                        self.within(name, |reader| reader.wrong(message, "write a number from 0 to 4294967294"))
                    }
                }
            }
        }
    }
}
