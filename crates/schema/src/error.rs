//! Problems with schemas, and the report of what became of one.
use penstock_automata::Limit;
use std::borrow::Cow;

/// What kind of problem it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorKind {
    /// No JSON Schema: a keyword has a value that it cannot have, or a reference leads nowhere.
    Syntax,
    /// Correct, but not supported.
    Unsupported,
    /// No value satisfies the schema.
    Empty,
    /// A named limit was reached.
    Limit,
}

/// One problem at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What kind of problem it is.
    pub kind: ErrorKind,
    /// JSON pointer of the schema that holds the keyword; in another document, its address and `#` before it.
    pub pointer: String,
    /// The keyword.
    pub keyword: String,
    /// What is wrong, in lower case.
    pub reason: String,
    /// What to do about it.
    pub hint: String,
}

/// All problems of a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaError {
    /// The kind of the gravest problem: syntax before unsupported before limits.
    pub kind: ErrorKind,
    /// At least one, in the order of the schema.
    pub problems: Vec<Problem>,
    /// The limit that was reached, if the kind is [`ErrorKind::Limit`].
    pub limit: Option<Limit>,
    /// If the kind is [`ErrorKind::Empty`]: keywords that no value satisfies together, as the JSON pointers of their schemas
    /// and their names.
    pub conflict: Vec<(String, String)>,
}

impl SchemaError {
    pub(crate) fn of_problems(problems: Vec<Problem>) -> SchemaError {
        let kind = problems.iter().map(|problem| problem.kind).min().unwrap_or(ErrorKind::Syntax);
        SchemaError {
            kind,
            problems,
            limit: None,
            conflict: Vec::new(),
        }
    }

    /// The same problems of a schema that stands at a JSON pointer of another document.
    pub fn under(mut self, pointer: &str) -> SchemaError {
        let places = self.problems.iter_mut().map(|problem| &mut problem.pointer);
        for place in places.chain(self.conflict.iter_mut().map(|part| &mut part.0)) {
            // In another document the address says where.
            if !place.contains('#') {
                place.insert_str(0, pointer);
            }
        }
        self
    }

    /// The problems of several schemas as one error; `None` where there are none.
    pub fn joined(mut errors: Vec<SchemaError>) -> Option<SchemaError> {
        if errors.len() < 2 {
            return errors.pop();
        }
        let kind = errors.iter().map(|error| error.kind).min()?;
        let limit = errors.iter().find_map(|error| error.limit.clone());
        let mut problems = Vec::new();
        for error in errors {
            let said = error.to_string();
            match error.conflict.first() {
                None => problems.extend(error.problems),
                Some((pointer, _)) => problems.push(Problem {
                    kind: error.kind,
                    pointer: pointer.clone(),
                    keyword: String::new(),
                    reason: said.rsplit_once("; ").map_or(&*said, |(reason, _)| reason).to_owned(),
                    hint: said.rsplit_once("; ").map_or("", |(_, hint)| hint).to_owned(),
                }),
            }
        }
        Some(SchemaError {
            kind,
            problems,
            limit: limit.filter(|_| kind == ErrorKind::Limit),
            conflict: Vec::new(),
        })
    }

    pub(crate) fn of_limit(limit: Limit) -> SchemaError {
        SchemaError {
            kind: ErrorKind::Limit,
            problems: vec![Problem {
                kind: ErrorKind::Limit,
                pointer: String::new(),
                keyword: String::new(),
                reason: limit.to_string(),
                hint: format!(
                    "simplify the schema, or raise the limit with the option limits={{\"{}\": ...}}",
                    limit.name
                ),
            }],
            limit: Some(limit),
            conflict: Vec::new(),
        }
    }

    pub(crate) fn empty() -> SchemaError {
        SchemaError::of_problems(vec![Problem {
            kind: ErrorKind::Empty,
            pointer: String::new(),
            keyword: String::new(),
            reason: "no value satisfies the schema".to_owned(),
            hint: "look for keywords that contradict each other".to_owned(),
        }])
    }
}

/// Keywords that a message names; the error holds all of them.
const MAX_NAMED: usize = 8;

impl std::fmt::Display for SchemaError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.conflict.is_empty() {
            return write!(f, "{}", said(&self.conflict));
        }
        for (i, problem) in self.problems.iter().enumerate() {
            let separator = if i == 0 { "" } else { "\n" };
            let place = match (problem.keyword.as_str(), problem.pointer.as_str()) {
                ("", "") => String::new(),
                ("", pointer) => format!("at `#{pointer}`: "),
                (keyword, pointer) => format!("`{keyword}` at `#{pointer}`: "),
            };
            write!(f, "{separator}{place}{}; {}", problem.reason, problem.hint)?;
        }
        Ok(())
    }
}

/// The keywords of a conflict, those of one schema together.
fn said(conflict: &[(String, String)]) -> String {
    let mut places: Vec<(&str, Vec<String>)> = Vec::new();
    for (pointer, keyword) in conflict.iter().take(MAX_NAMED) {
        let keyword = format!("`{keyword}`");
        match places.last_mut() {
            Some((last, keywords)) if *last == pointer => keywords.push(keyword),
            _ => places.push((pointer, vec![keyword])),
        }
    }
    let mut parts: Vec<String> = places
        .iter()
        .map(|(pointer, keywords)| format!("{} at `#{pointer}`", keywords.join(", ")))
        .collect();
    if conflict.len() > MAX_NAMED {
        parts.push(format!("{} more", conflict.len() - MAX_NAMED));
    }
    let rest = if conflict.len() == 1 {
        "allows nothing; change it"
    } else {
        "contradict each other; change one of them"
    };
    format!("no value satisfies the schema: {} {rest}", parts.join(" and "))
}

impl std::error::Error for SchemaError {}

/// A name as a step of a JSON pointer (RFC 6901, section 3).
pub fn pointer_step(name: &str) -> Cow<'_, str> {
    match name.contains(['~', '/']) {
        true => name.replace('~', "~0").replace('/', "~1").into(),
        false => name.into(),
    }
}

/// The name that is a step of a JSON pointer.
pub(crate) fn name_of_step(step: &str) -> Cow<'_, str> {
    match step.contains('~') {
        true => step.replace("~1", "/").replace("~0", "~").into(),
        false => step.into(),
    }
}

/// What became of one keyword.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// JSON pointer of the schema that holds the keyword.
    pub pointer: String,
    /// The keyword.
    pub keyword: String,
    /// Why.
    pub reason: String,
}

/// What became of a schema's keywords.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Keywords that decide about values; filled where [`crate::SchemaOptions::report_enforced`] is set.
    pub enforced: Vec<Entry>,
    /// Keywords that decide about nothing, though one may expect it of them.
    pub annotations: Vec<Entry>,
    /// Keywords that were dropped because `strict` is off: the output may violate them.
    pub refused: Vec<Entry>,
}
