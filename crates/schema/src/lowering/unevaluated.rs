//! `unevaluatedProperties` and `unevaluatedItems`: which branches evaluate what, and under which formula.
use super::assertions::Place;
use super::keywords::Keywords;
use super::resources::place;
use super::{Lowerer, ScopeId};
use crate::formula::{FormulaId, ItemCover, MemberCover};
use crate::kinds::Kinds;
use crate::options::Draft;
use rustc_hash::FxHashMap;
use serde_json::Value;
use std::rc::Rc;

/// What one branch evaluates: members or items, whichever is asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cover {
    Members(MemberCover),
    Items(ItemCover),
}

type Covers = Vec<(Cover, FormulaId)>;

/// Covers of schemas already looked at, by place, scope and kind.
pub(super) type CoverMemo = FxHashMap<(usize, ScopeId, Kinds), Rc<Covers>>;

/// A schema to look through for covers, and the formula under which its branches count.
struct Branch<'v> {
    schema: &'v Value,
    scope: ScopeId,
    condition: FormulaId,
}

/// In-place applicators nested deeper than this are refused.
const MAX_BRANCH_DEPTH: usize = 400;

impl<'v> Lowerer<'_, 'v> {
    pub(super) fn unevaluated(&mut self, schema: &'v Value, k: &Keywords<'v>, at: Place, all: &mut Vec<FormulaId>) {
        if let Some(rest) = k.unevaluated_properties {
            let rest = self.low_value(rest, at.scope);
            let covers = self.own_covers(schema, k, at, Kinds::OBJECT);
            let branches = covers.into_iter().filter_map(|(cover, holds)| match cover {
                Cover::Members(cover) => Some((cover, holds)),
                Cover::Items(_) => None,
            });
            let atom = self.machine.formulas.unevaluated_members(rest, branches.collect());
            all.push(self.machine.formulas.imply(Kinds::OBJECT, atom));
        }
        if let Some(rest) = k.unevaluated_items {
            let rest = self.low_value(rest, at.scope);
            let covers = self.own_covers(schema, k, at, Kinds::ARRAY);
            let branches = covers.into_iter().filter_map(|(cover, holds)| match cover {
                Cover::Items(cover) => Some((cover, holds)),
                Cover::Members(_) => None,
            });
            let atom = self.machine.formulas.unevaluated_items(rest, branches.collect());
            all.push(self.machine.formulas.imply(Kinds::ARRAY, atom));
        }
    }

    /// The covers of a schema's own keywords and applicators, its `unevaluated*` left out.
    fn own_covers(&mut self, schema: &'v Value, k: &Keywords<'v>, at: Place, kind: Kinds) -> Covers {
        // Whether a branch holds is a matter of the values alone.
        let scope = self.plain(at.scope);
        let at = Place { scope, ..at };
        let mut path = vec![(place(schema), at.scope)];
        self.covers_of(k, at, kind, true, &mut path)
    }

    fn covers_of(&mut self, k: &Keywords<'v>, at: Place, kind: Kinds, own: bool, path: &mut Vec<(usize, ScopeId)>) -> Covers {
        let mut covers = Vec::new();
        let everything = match kind {
            Kinds::OBJECT => self.member_covers(k, own, &mut covers),
            _ => self.item_covers(k, at, own, &mut covers),
        };
        if everything {
            // The other branches add nothing; without this a chain of them costs the fourth power of its length.
            return covers;
        }
        for branch in self.branches(k, at, kind) {
            for (cover, holds) in self.branch_covers(&branch, kind, path).iter() {
                let holds = self.machine.formulas.and(&[branch.condition, *holds]);
                if !covers.contains(&(cover.clone(), holds)) {
                    covers.push((cover.clone(), holds));
                }
            }
        }
        covers
    }

    fn branch_covers(&mut self, branch: &Branch<'v>, kind: Kinds, path: &mut Vec<(usize, ScopeId)>) -> Rc<Covers> {
        let Some(object) = branch.schema.as_object() else {
            return Rc::default();
        };
        let key = (place(branch.schema), branch.scope, kind);
        if let Some(known) = self.covers.get(&key) {
            return known.clone();
        }
        // A reference back to an open branch adds nothing that this branch does not add itself.
        if path.contains(&(key.0, key.1)) || path.len() > MAX_BRANCH_DEPTH {
            return Rc::default();
        }
        path.push((key.0, key.1));
        let scope = self.inner_scope(branch.schema, object, branch.scope);
        let k = Keywords::new(object);
        let at = Place {
            scope,
            path: self.path_of_resource(self.scopes[scope.0 as usize].base),
            draft: self.draft(scope),
        };
        let covers = Rc::new(self.covers_of(&k, at, kind, false, path));
        path.pop();
        // Covers found inside a cycle may lack what the cycle adds: only complete ones are kept.
        if path.len() == 1 {
            self.covers.insert(key, covers.clone());
        }
        covers
    }

    /// Covers of the schema's own keywords for members; whether they cover everything.
    fn member_covers(&mut self, k: &Keywords<'v>, own: bool, covers: &mut Covers) -> bool {
        let all = k.additional_properties.is_some() || (!own && k.unevaluated_properties.is_some());
        let (mut names, mut patterns) = (Vec::new(), Vec::new());
        if let Some(Value::Object(map)) = k.properties {
            names.extend(map.keys().map(|name| self.machine.names.intern(name)));
        }
        if let Some(Value::Object(map)) = k.pattern_properties {
            for pattern in map.keys() {
                patterns.extend(self.machine.pattern_of(pattern).ok());
            }
        }
        names.sort_unstable();
        patterns.sort_unstable();
        if all || !names.is_empty() || !patterns.is_empty() {
            let cover = MemberCover {
                names: names.into(),
                patterns: patterns.into(),
                all,
            };
            covers.push((Cover::Members(cover), FormulaId::TRUE));
        }
        all
    }

    /// As [`Lowerer::member_covers`], for items.
    fn item_covers(&mut self, k: &Keywords<'v>, at: Place, own: bool, covers: &mut Covers) -> bool {
        let (prefix, rest) = self.items_of(k, at);
        if rest.is_some() || (!own && k.unevaluated_items.is_some()) {
            covers.push((Cover::Items(ItemCover::All), FormulaId::TRUE));
            return true;
        }
        if !prefix.is_empty() {
            covers.push((Cover::Items(ItemCover::First(prefix.len() as u32)), FormulaId::TRUE));
        }
        if let Some(schema) = k.contains.filter(|_| at.draft == Draft::Draft202012) {
            let schema = self.low(schema, at.scope);
            covers.push((Cover::Items(ItemCover::Satisfying(schema)), FormulaId::TRUE));
        }
        false
    }

    /// What a schema applies in place, each with the formula under which it counts.
    fn branches(&mut self, k: &Keywords<'v>, at: Place, kind: Kinds) -> Vec<Branch<'v>> {
        let mut out = Vec::new();
        let dynamic = k.dynamic_ref.filter(|_| at.draft == Draft::Draft202012);
        let recursive = k.recursive_ref.filter(|_| at.draft == Draft::Draft201909);
        for (keyword, value) in [("$ref", k.ref_), ("$dynamicRef", dynamic), ("$recursiveRef", recursive)] {
            let target = value
                .and_then(Value::as_str)
                .and_then(|reference| self.target(keyword, reference, at));
            if let Some((schema, scope)) = target {
                self.branch(schema, scope, FormulaId::TRUE, &mut out);
            }
        }
        if at.draft <= Draft::Draft7 && k.ref_.is_some() {
            return out;
        }
        for value in [k.all_of, k.any_of, k.one_of].into_iter().flatten() {
            for schema in value.as_array().into_iter().flatten() {
                self.branch(schema, at.scope, FormulaId::TRUE, &mut out);
            }
        }
        if let Some(condition) = k.if_ {
            self.branch(condition, at.scope, FormulaId::TRUE, &mut out);
            let holds = self.low(condition, at.scope);
            let fails = self.machine.formulas.not(holds);
            for (when, then) in [(holds, k.then), (fails, k.else_)] {
                if let Some(then) = then {
                    self.branch(then, at.scope, when, &mut out);
                }
            }
        }
        for value in [k.dependent_schemas, k.dependencies].into_iter().flatten() {
            let (Kinds::OBJECT, Value::Object(map)) = (kind, value) else {
                continue;
            };
            for (name, schema) in map {
                let name = self.machine.names.intern(name);
                let has = self.machine.formulas.has(name);
                self.branch(schema, at.scope, has, &mut out);
            }
        }
        out
    }

    /// A branch counts where it holds, under a further condition.
    fn branch(&mut self, schema: &'v Value, scope: ScopeId, when: FormulaId, out: &mut Vec<Branch<'v>>) {
        if schema.is_object() {
            let holds = self.low(schema, scope);
            let condition = self.machine.formulas.and(&[when, holds]);
            out.push(Branch {
                schema,
                scope,
                condition,
            });
        }
    }
}
