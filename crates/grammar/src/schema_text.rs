//! What a schema says of its values before there is a document: their kinds, and its strings as a language of text.
use crate::error::{GrammarError, GrammarErrorKind, Problem};
use crate::options::JsonOptions;
use penstock_automata::{RegexId, Regexes, INFINITE};
use penstock_schema::{ErrorKind, Kinds, SchemaError, SchemaMachine};
use serde_json::Value;

/// The kinds of the values that satisfy a schema. Cost: none where `type` says it and nothing else decides, else that of lowering it.
///
/// # Errors
/// Those of the schema.
pub(crate) fn kinds_of(schema: &Value, options: &JsonOptions) -> Result<Kinds, GrammarError> {
    if let Some(kinds) = plain_kinds(schema) {
        return Ok(kinds);
    }
    let mut machine = SchemaMachine::new();
    let lowered = match machine.lower(schema, &options.schema) {
        Ok(lowered) => lowered,
        Err(error) if error.kind == ErrorKind::Empty => return Ok(Kinds::NONE),
        Err(error) => return Err(of_schema(&error)),
    };
    machine
        .kinds(lowered.root)
        .map_err(|limit| GrammarError::limit(limit, "the kinds of a schema"))
}

/// The kinds of a schema whose only keyword is `type`.
fn plain_kinds(schema: &Value) -> Option<Kinds> {
    let fields = schema.as_object()?;
    let plain = |name: &String| matches!(name.as_str(), "type" | "title" | "description" | "default" | "examples");
    if !fields.keys().all(plain) {
        return None;
    }
    Some(match fields.get("type")?.as_str()? {
        "string" => Kinds::STRING,
        "integer" | "number" => Kinds::NUMBER,
        "boolean" => Kinds::BOOLEAN,
        "null" => Kinds::NULL,
        "array" => Kinds::ARRAY,
        "object" => Kinds::OBJECT,
        _ => return None,
    })
}

/// The strings that satisfy a schema, as a term of `regexes`.
///
/// # Errors
/// Those of the schema.
pub(crate) fn strings_of(regexes: &mut Regexes, schema: &Value, options: &JsonOptions) -> Result<RegexId, GrammarError> {
    // The machine works in the arena of the grammar, so that its terms can be used there.
    let mut machine = SchemaMachine::new();
    std::mem::swap(&mut machine.regexes, regexes);
    let found = strings_in(&mut machine, schema, options);
    std::mem::swap(&mut machine.regexes, regexes);
    found
}

fn strings_in(machine: &mut SchemaMachine, schema: &Value, options: &JsonOptions) -> Result<RegexId, GrammarError> {
    let lowered = match machine.lower(schema, &options.schema) {
        Ok(lowered) => lowered,
        Err(error) if error.kind == ErrorKind::Empty => return Ok(RegexId::NEVER),
        Err(error) => return Err(of_schema(&error)),
    };
    let asked = machine
        .string(lowered.root)
        .map_err(|limit| GrammarError::limit(limit, "the strings of a schema"))?;
    let Some(asked) = asked else {
        return Ok(RegexId::NEVER);
    };
    if (asked.min_length, asked.max_length) == (0, INFINITE) {
        return Ok(asked.goal);
    }
    let length = machine.regexes.repeat(RegexId::ANY, asked.min_length, asked.max_length);
    Ok(machine.regexes.and(&[asked.goal, length]))
}

/// The problems of a schema as those of a grammar.
fn of_schema(error: &SchemaError) -> GrammarError {
    let kind = match error.kind {
        ErrorKind::Syntax => GrammarErrorKind::Syntax,
        ErrorKind::Unsupported => GrammarErrorKind::Unsupported,
        ErrorKind::Empty => GrammarErrorKind::EmptyLanguage,
        ErrorKind::Limit => GrammarErrorKind::Limit,
    };
    let problem = |problem: &penstock_schema::Problem| {
        let message = match problem.keyword.is_empty() {
            true => problem.reason.clone(),
            false => format!("`{}` at `#{}`: {}", problem.keyword, problem.pointer, problem.reason),
        };
        Problem::without_place(message, problem.hint.clone())
    };
    GrammarError {
        limit: error.limit.clone(),
        ..GrammarError::new(kind, error.problems.iter().map(problem).collect())
    }
}
