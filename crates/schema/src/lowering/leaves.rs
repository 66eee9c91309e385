//! Small schemas that say the same are lowered once.
//!
//! Real schemas repeat `{"type": "string"}` and the like hundreds of times. Such a leaf holds no schema, no address and
//! nothing that is reported, so its formula is a function of what it says and of the draft.
use super::keywords::{is_remark, Keywords};
use super::{Lowerer, PathId, ScopeId};
use crate::formula::FormulaId;
use crate::options::Draft;
use rustc_hash::{FxHashMap, FxHasher};
use serde_json::{Map, Value};
use std::hash::{Hash, Hasher};

/// Members of a leaf that decide, at most, and values that a list in it has at most.
const MAX_MEMBERS: usize = 4;
const MAX_VALUES: usize = 8;

/// Leaves with their formulas, by their draft and the hash of what they say.
pub(super) type Leaves<'v> = FxHashMap<(Draft, u64), (&'v Map<String, Value>, FormulaId)>;

/// The members that decide about values.
fn deciding(object: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    object.iter().filter(|member| !is_remark(member.0))
}

/// The hash of a leaf; `None` for any other schema. Cost: linear in the leaf.
fn hash_of_leaf(object: &Map<String, Value>) -> Option<u64> {
    let mut hasher = FxHasher::default();
    for (at, (keyword, value)) in deciding(object).enumerate() {
        if at == MAX_MEMBERS || !is_scalar_keyword(keyword) {
            return None;
        }
        keyword.hash(&mut hasher);
        match value {
            Value::Array(values) if values.len() <= MAX_VALUES => {
                values.len().hash(&mut hasher);
                values.iter().try_for_each(|value| hash_scalar(value, &mut hasher))?;
            }
            value => hash_scalar(value, &mut hasher)?,
        }
    }
    Some(hasher.finish())
}

fn hash_scalar(value: &Value, hasher: &mut FxHasher) -> Option<()> {
    match value {
        Value::Null => 0u8.hash(hasher),
        Value::Bool(truth) => (1u8, truth).hash(hasher),
        Value::Number(number) => (2u8, number).hash(hasher),
        Value::String(text) => (3u8, text).hash(hasher),
        Value::Array(_) | Value::Object(_) => return None,
    }
    Some(())
}

fn is_scalar_keyword(keyword: &str) -> bool {
    matches!(
        keyword,
        "type"
            | "enum"
            | "const"
            | "format"
            | "pattern"
            | "minimum"
            | "maximum"
            | "exclusiveMinimum"
            | "exclusiveMaximum"
            | "multipleOf"
            | "minLength"
            | "maxLength"
    )
}

impl<'v> Lowerer<'_, 'v> {
    /// The formula of a leaf that was lowered before, or lowers it now; `None` for any other schema.
    pub(super) fn leaf(
        &mut self,
        schema: &'v Value,
        object: &'v Map<String, Value>,
        scope: ScopeId,
        path: PathId,
    ) -> Option<FormulaId> {
        // Where everything is reported, or keywords mean nothing, each place counts.
        let resource = self.resources.get(self.scopes[scope.0 as usize].base);
        if self.options.report_enforced || !resource.validates {
            return None;
        }
        let key = (resource.draft, hash_of_leaf(object)?);
        if let Some((known, formula)) = self.leaves.get(&key) {
            // Hashes may agree by chance.
            if deciding(known).eq(deciding(object)) {
                return Some(*formula);
            }
        }
        let noted = self.num_noted();
        let keywords = Keywords::new(object);
        let formula = self.assertions(schema, &keywords, scope, path);
        // What was reported names its place.
        if self.num_noted() == noted {
            self.leaves.insert(key, (object, formula));
        }
        Some(formula)
    }

    fn num_noted(&self) -> usize {
        usize::from(self.limit.is_some()) + self.problems.len() + self.report.annotations.len() + self.report.refused.len()
    }
}
