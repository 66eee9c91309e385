//! Why a schema has no value: a smallest set of keywords that contradict each other.
//!
//! Members are taken away for good where still no value satisfies what is left; what has to stay is looked into. It runs for
//! schemas that are refused anyway.
use crate::error::{name_of_step, pointer_step, ErrorKind};
use crate::machine::SchemaMachine;
use crate::options::SchemaOptions;
use serde_json::Value;

/// Bytes of schema that may be lowered while looking for an explanation: a large schema gets a rougher one.
const MAX_WORK: usize = 2_000_000;
/// Schemas that may be tried.
const MAX_TRIALS: usize = 2_000;
/// Members that name or hold schemas without asserting anything.
const NEUTRAL: [&str; 10] = [
    "$schema",
    "$id",
    "id",
    "$anchor",
    "$dynamicAnchor",
    "$recursiveAnchor",
    "$vocabulary",
    "$comment",
    "$defs",
    "definitions",
];

/// JSON pointer of a schema, and a keyword of it.
pub(crate) type Place = (String, String);

struct Reduction<'o> {
    schema: Value,
    options: &'o SchemaOptions,
    trials: usize,
}

/// Keywords of `schema` that no value satisfies together, of which none can be spared (up to the work that this may take).
pub(crate) fn conflict(schema: &Value, options: &SchemaOptions) -> Vec<Place> {
    let size = schema.to_string().len();
    let mut reduction = Reduction {
        schema: schema.clone(),
        options,
        trials: (MAX_WORK / size.max(1)).min(MAX_TRIALS),
    };
    let (mut found, mut open) = (Vec::new(), vec![String::new()]);
    while let Some(place) = open.pop() {
        if reduction.trials == 0 {
            match keyword_above(&place) {
                Some(keyword) => found.push(keyword),
                None => found.extend(reduction.keys("").into_iter().map(|key| (String::new(), key))),
            }
            continue;
        }
        for key in reduction.keys(&place) {
            if reduction.spares(&place, &key) {
                continue;
            }
            let inner = format!("{place}/{}", pointer_step(&key));
            if reduction.holds_schemas(&inner, &key) {
                open.push(inner);
            } else if reduction.in_array(&place).is_none() && !NEUTRAL.contains(&key.as_str()) {
                found.push((place.clone(), key));
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The keyword that holds what stands at `place`, said in its stead where nobody looks any further; None at the root.
fn keyword_above(place: &str) -> Option<Place> {
    let mut above = place.rsplit_once('/');
    while let Some((parent, key)) = above {
        if key.parse::<usize>().is_err() {
            return Some((parent.into(), name_of_step(key).into_owned()));
        }
        above = parent.rsplit_once('/');
    }
    None
}

impl Reduction<'_> {
    fn keys(&self, place: &str) -> Vec<String> {
        match self.schema.pointer(place) {
            Some(Value::Object(members)) => members.keys().cloned().collect(),
            Some(Value::Array(items)) => (0..items.len()).map(|i| i.to_string()).collect(),
            _ => Vec::new(),
        }
    }

    fn in_array(&self, place: &str) -> Option<&Vec<Value>> {
        self.schema.pointer(place)?.as_array()
    }

    /// Whether what stands there is looked into: an object, or a list of them.
    fn holds_schemas(&self, place: &str, key: &str) -> bool {
        match self.schema.pointer(place) {
            Some(Value::Object(members)) => !members.is_empty() && key != "const",
            Some(Value::Array(items)) => key != "enum" && items.iter().any(Value::is_object),
            _ => false,
        }
    }

    /// Takes the member away if the schema still has no value. Branches of `anyOf` and the like stay: each has its own reason.
    fn spares(&mut self, place: &str, key: &str) -> bool {
        let is_branch = self.in_array(place).is_some() && !place.ends_with("/allOf");
        let is_definition = place.rsplit('/').next().is_some_and(|parent| NEUTRAL.contains(&parent));
        if is_branch || is_definition || NEUTRAL.contains(&key) {
            return false;
        }
        let Some(before) = self.schema.pointer(place).cloned() else {
            return false;
        };
        match self.schema.pointer_mut(place) {
            Some(Value::Object(members)) => {
                members.shift_remove(key);
            }
            Some(Value::Array(items)) => {
                items[key.parse::<usize>().expect("keys of lists are numbers")] = Value::Object(Default::default())
            }
            _ => return false,
        }
        let spared = self.is_empty();
        if !spared {
            *self.schema.pointer_mut(place).expect("it was there before") = before;
        }
        spared
    }

    fn is_empty(&mut self) -> bool {
        if self.trials == 0 {
            return false;
        }
        self.trials -= 1;
        let lowered = SchemaMachine::new().lower_once(&self.schema, self.options);
        lowered.is_err_and(|error| error.kind == ErrorKind::Empty)
    }
}
