//! `property_order`: members in the order in which the schema lists them.
//!
//! The order is a demand on the text, no part of what a schema means: it must not make a branch of `oneOf` fail that would hold
//! otherwise. So a schema has two formulas, one with the order of the objects inside it and one without. Where a schema only
//! says whether a value is right (`not`, `if`, `contains`, which branch of `oneOf`), it is the plain one.
use super::assertions::Place;
use super::keywords::Keywords;
use super::resources::place;
use super::{Lowerer, Scope, ScopeId};
use crate::formula::FormulaId;
use crate::kinds::Kinds;
use crate::names::NameId;
use crate::options::Draft;
use rustc_hash::FxHashSet;
use serde_json::Value;

impl<'v> Lowerer<'_, 'v> {
    /// The same scope, without an order.
    pub(super) fn plain(&mut self, scope: ScopeId) -> ScopeId {
        let old = &self.scopes[scope.0 as usize];
        if !old.is_ordered {
            return scope;
        }
        let plain = Scope {
            is_ordered: false,
            ..old.clone()
        };
        self.scope_id(plain)
    }

    /// What the value of a member, an item or the document must satisfy: a schema, and its order.
    pub(super) fn low_value(&mut self, schema: &'v Value, scope: ScopeId) -> FormulaId {
        let formula = self.low(schema, scope);
        if !self.scopes[scope.0 as usize].is_ordered || !schema.is_object() {
            return formula;
        }
        let names = self.listed_names(schema, scope);
        if names.is_empty() {
            return formula;
        }
        let order = self.machine.formulas.order(names);
        let order = self.machine.formulas.imply(Kinds::OBJECT, order);
        self.machine.formulas.and(&[formula, order])
    }

    /// The names in every `properties` that applies to the same value, in the order of the schema; those of references and
    /// applicators come after the schema's own.
    fn listed_names(&mut self, schema: &'v Value, scope: ScopeId) -> Vec<NameId> {
        let (mut names, mut known) = (Vec::new(), FxHashSet::default());
        let (mut todo, mut visited) = (vec![(schema, scope)], FxHashSet::default());
        while let Some((schema, outer)) = todo.pop() {
            let Some(object) = schema.as_object() else { continue };
            if !visited.insert((place(schema), outer)) {
                continue;
            }
            let scope = self.inner_scope(schema, object, outer);
            let (k, draft) = (Keywords::new(object), self.draft(scope));
            let path = self.path_of_resource(self.scopes[scope.0 as usize].base);
            let inner = self.applied(&k, Place { scope, path, draft });
            if let (Some(Value::Object(map)), false) = (k.properties, draft <= Draft::Draft7 && k.ref_.is_some()) {
                for name in map.keys() {
                    let name = self.machine.names.intern(name);
                    if known.insert(name) {
                        names.push(name);
                    }
                }
            }
            todo.extend(inner.into_iter().rev());
        }
        names
    }

    /// The schemas that a schema applies to its own value, those apart that only judge it. A condition counts: what it looks at
    /// is best written before what depends on it.
    fn applied(&mut self, k: &Keywords<'v>, at: Place) -> Vec<(&'v Value, ScopeId)> {
        let mut out = Vec::new();
        let dynamic = k.dynamic_ref.filter(|_| at.draft == Draft::Draft202012);
        let recursive = k.recursive_ref.filter(|_| at.draft == Draft::Draft201909);
        for (keyword, value) in [("$ref", k.ref_), ("$dynamicRef", dynamic), ("$recursiveRef", recursive)] {
            let reference = value.and_then(Value::as_str);
            out.extend(reference.and_then(|reference| self.target(keyword, reference, at)));
        }
        if at.draft <= Draft::Draft7 && k.ref_.is_some() {
            return out;
        }
        let lists = [k.all_of, k.any_of, k.one_of];
        let lists = lists.into_iter().flatten().filter_map(Value::as_array).flatten();
        let maps = [k.dependent_schemas, k.dependencies].into_iter().flatten();
        let maps = maps.filter_map(Value::as_object).flat_map(|map| map.values());
        let all = lists.chain([k.if_, k.then, k.else_].into_iter().flatten()).chain(maps);
        out.extend(all.map(|schema| (schema, at.scope)));
        out
    }
}
