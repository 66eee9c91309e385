//! JSON Schema (drafts 4 to 2020-12) to formulas.
//!
//! A work list visits each schema once, children before parents; a `$ref` is a name until a value reaches it, so recursion
//! costs nothing here. All problems are found and listed. Cost: linear in the schema.
//!
//! Read next: `keywords.rs`, `assertions.rs` (keyword by keyword), `resources.rs` (addresses), `unevaluated.rs`.
mod assertions;
mod keywords;
mod leaves;
mod order;
mod resources;
mod unevaluated;
mod uri;
mod values;

use crate::conflict::conflict;
use crate::error::{pointer_step, Entry, ErrorKind, Problem, Report, SchemaError};
use crate::formula::{room_for, FormulaId, Node, FIRST_ROOM};
use crate::machine::{AskId, SchemaMachine};
use crate::options::{Draft, PropertyOrder, SchemaOptions};
use keywords::Keywords;
use penstock_automata::Limit;
use resources::{id_of, place, ResourceId, Resources};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Map, Value};
use std::fmt::Write;

/// A schema in the machine.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// What a whole document is asked.
    pub root: AskId,
    /// What became of the keywords.
    pub report: Report,
}

/// Where a schema is seen from: its resource and, if dynamic references occur, the resources entered on the way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Scope {
    base: ResourceId,
    /// Outermost first, each once.
    chain: Vec<ResourceId>,
    /// Whether objects keep the order of the schema.
    is_ordered: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct ScopeId(u32);

/// The place of a schema, as a link to its parent's: turned into a JSON pointer only when it is reported.
#[derive(Clone, Copy, PartialEq, Eq)]
struct PathId(u32);

#[derive(Clone, Copy)]
enum Step<'v> {
    /// The root of a document or resource.
    Root(ResourceId),
    Name(&'v str),
    Index(u32),
}

/// A schema to visit: `Enter` puts its inner schemas before its own `Build`.
enum Task<'v> {
    Enter(&'v Value, ScopeId, PathId),
    Build(&'v Value, ScopeId, ScopeId, PathId, Box<Keywords<'v>>),
}

/// One lowering.
struct Lowerer<'m, 'v> {
    machine: &'m mut SchemaMachine,
    options: &'v SchemaOptions,
    resources: Resources<'v>,
    scopes: Vec<Scope>,
    scope_ids: FxHashMap<Scope, ScopeId>,
    /// Whether scopes keep their chains.
    dynamic: bool,
    /// Set when a dynamic reference shows up while scopes keep no chains: lower again.
    dynamic_needed: bool,
    paths: Vec<(PathId, Step<'v>)>,
    tasks: Vec<Task<'v>>,
    /// Formulas by the place in memory of their schema and the scope from which it was entered.
    memo: FxHashMap<(usize, ScopeId), FormulaId>,
    /// Slots of references, by their target.
    slots: FxHashMap<(usize, ScopeId), u32>,
    /// Slots whose target is still to be lowered.
    targets: Vec<(u32, &'v Value, ScopeId, PathId)>,
    leaves: leaves::Leaves<'v>,
    covers: unevaluated::CoverMemo,
    visited: u32,
    problems: Vec<Problem>,
    limit: Option<Limit>,
    report: Report,
}

impl SchemaMachine {
    /// Lowers a schema. Several schemas may live in one machine; equal sub-schemas are one.
    ///
    /// # Errors
    /// All problems of the schema at once; that it has no value; a named limit.
    pub fn lower(&mut self, schema: &Value, options: &SchemaOptions) -> Result<Lowered, SchemaError> {
        self.lower_once(schema, options).map_err(|mut error| {
            if error.kind == ErrorKind::Empty {
                error.conflict = conflict(schema, options);
            }
            error
        })
    }

    /// [`SchemaMachine::lower`] without the reason why a schema is empty.
    pub(crate) fn lower_once(&mut self, schema: &Value, options: &SchemaOptions) -> Result<Lowered, SchemaError> {
        self.limits = options.limits.clone();
        self.refuel();
        let mut first_slot = self.slots.len() as u32;
        let mut lowerer = Lowerer::new(self, schema, options, false);
        let mut formula = lowerer.run(schema);
        if lowerer.dynamic_needed {
            let machine = lowerer.machine;
            first_slot = machine.slots.len() as u32;
            lowerer = Lowerer::new(machine, schema, options, true);
            formula = lowerer.run(schema);
        }
        if lowerer.limit.is_none() {
            lowerer.check_references(first_slot);
        }
        let (problems, limit, report) = (lowerer.problems, lowerer.limit, lowerer.report);
        if !problems.is_empty() {
            let error = SchemaError::of_problems(problems);
            return Err(SchemaError { limit, ..error });
        }
        self.finish_lowering(formula, report).map_err(|limit| match limit {
            Some(limit) => SchemaError::of_limit(limit),
            None => SchemaError::empty(),
        })
    }

    fn finish_lowering(&mut self, formula: FormulaId, report: Report) -> Result<Lowered, Option<Limit>> {
        self.check_depth()?;
        let root = self.must_hold(formula);
        if !self.is_satisfiable(formula)? {
            return Err(None);
        }
        Ok(Lowered { root, report })
    }
}

impl<'m, 'v> Lowerer<'m, 'v> {
    fn new(machine: &'m mut SchemaMachine, schema: &'v Value, options: &'v SchemaOptions, dynamic: bool) -> Lowerer<'m, 'v> {
        Lowerer {
            machine,
            options,
            resources: Resources::new(schema, options),
            scopes: Vec::new(),
            scope_ids: FxHashMap::default(),
            dynamic,
            dynamic_needed: false,
            paths: Vec::with_capacity(FIRST_ROOM),
            tasks: Vec::with_capacity(FIRST_ROOM),
            memo: room_for(FIRST_ROOM),
            slots: FxHashMap::default(),
            targets: Vec::new(),
            leaves: FxHashMap::default(),
            covers: Default::default(),
            visited: 0,
            problems: Vec::new(),
            limit: None,
            report: Report::default(),
        }
    }

    fn run(&mut self, schema: &'v Value) -> FormulaId {
        let root = self.resources.root();
        let scope = self.enter_resource(None, root);
        let path = self.path_of_resource(root);
        self.tasks.push(Task::Enter(schema, scope, path));
        self.work();
        let root = self.low_value(schema, scope);
        while let Some((slot, target, scope, path)) = self.targets.pop() {
            self.tasks.push(Task::Enter(target, scope, path));
            self.work();
            self.machine.slots[slot as usize] = self.low(target, scope);
        }
        root
    }

    fn work(&mut self) {
        while let Some(task) = self.tasks.pop() {
            if self.dynamic_needed && !self.dynamic {
                self.tasks.clear();
                self.targets.clear();
                return;
            }
            match task {
                Task::Enter(schema, scope, path) => self.enter(schema, scope, path),
                Task::Build(schema, outer, scope, path, keywords) => {
                    let formula = self.assertions(schema, &keywords, scope, path);
                    self.memo.insert((place(schema), outer), formula);
                }
            }
        }
    }

    fn enter(&mut self, schema: &'v Value, outer: ScopeId, path: PathId) {
        let object = match schema {
            Value::Bool(_) => return,
            Value::Object(object) => object,
            _ => {
                let hint = "write an object or a boolean";
                self.problem(
                    ErrorKind::Syntax,
                    path,
                    "",
                    "a schema that is neither an object nor a boolean".into(),
                    hint,
                );
                return;
            }
        };
        if self.memo.contains_key(&(place(schema), outer)) {
            return;
        }
        self.visited += 1;
        if self.visited > self.options.limits.max_schema_nodes {
            self.limit_problem("max_schema_nodes", path, "");
            self.tasks.clear();
            self.targets.clear();
            return;
        }
        if let Some(formula) = self.leaf(schema, object, outer, path) {
            self.memo.insert((place(schema), outer), formula);
            return;
        }
        let scope = self.inner_scope(schema, object, outer);
        let keywords = Box::new(self.keywords(object, scope, path));
        let draft = self.draft(scope);
        let only_ref = draft <= Draft::Draft7 && keywords.ref_.is_some_and(Value::is_string);
        let at = self.tasks.len();
        if !only_ref {
            self.enter_inner(&keywords, draft, scope, path);
        }
        self.tasks.insert(at, Task::Build(schema, outer, scope, path, keywords));
    }

    /// The keywords of a schema that its meta-schema gives a meaning.
    fn keywords(&mut self, object: &'v Map<String, Value>, scope: ScopeId, path: PathId) -> Keywords<'v> {
        let mut keywords = Keywords::new(object);
        if !self.resources.get(self.scopes[scope.0 as usize].base).validates {
            for keyword in keywords.drop_validation() {
                self.annotate(path, keyword, "the meta-schema has no validation vocabulary");
            }
        }
        keywords
    }

    /// Pushes the schemas inside a schema.
    fn enter_inner(&mut self, keywords: &Keywords<'v>, draft: Draft, scope: ScopeId, path: PathId) {
        let k = keywords;
        let ones = [
            ("additionalProperties", k.additional_properties, true),
            ("additionalItems", k.additional_items, draft <= Draft::Draft201909),
            ("contains", k.contains, draft >= Draft::Draft6),
            ("propertyNames", k.property_names, draft >= Draft::Draft6),
            ("not", k.not, true),
            ("if", k.if_, draft >= Draft::Draft7),
            ("then", k.then, draft >= Draft::Draft7 && k.if_.is_some()),
            ("else", k.else_, draft >= Draft::Draft7 && k.if_.is_some()),
            ("items", k.items.filter(|items| !items.is_array()), true),
            ("unevaluatedItems", k.unevaluated_items, draft >= Draft::Draft201909),
            ("unevaluatedProperties", k.unevaluated_properties, draft >= Draft::Draft201909),
        ];
        for (name, value, applies) in ones {
            if let (Some(value), true) = (value, applies) {
                let inner = self.path(path, Step::Name(name));
                let judges = matches!(name, "contains" | "propertyNames" | "not" | "if");
                let scope = if judges { self.plain(scope) } else { scope };
                self.tasks.push(Task::Enter(value, scope, inner));
            }
        }
        let lists = [
            ("allOf", k.all_of),
            ("anyOf", k.any_of),
            ("oneOf", k.one_of),
            ("prefixItems", k.prefix_items.filter(|_| draft == Draft::Draft202012)),
            ("items", k.items.filter(|_| draft <= Draft::Draft201909)),
        ];
        for (name, value) in lists {
            if let Some(Value::Array(list)) = value {
                let outer = self.path(path, Step::Name(name));
                for (i, inner) in list.iter().enumerate() {
                    let at = self.path(outer, Step::Index(i as u32));
                    self.tasks.push(Task::Enter(inner, scope, at));
                    if name == "oneOf" && self.scopes[scope.0 as usize].is_ordered {
                        let plain = self.plain(scope);
                        self.tasks.push(Task::Enter(inner, plain, at));
                    }
                }
            }
        }
        let maps = [
            ("properties", k.properties),
            ("patternProperties", k.pattern_properties),
            (
                "dependentSchemas",
                k.dependent_schemas.filter(|_| draft >= Draft::Draft201909),
            ),
            ("dependencies", k.dependencies),
        ];
        for (name, value) in maps {
            if let Some(Value::Object(map)) = value {
                let outer = self.path(path, Step::Name(name));
                for (key, inner) in map {
                    if name == "dependencies" && (inner.is_array() || inner.is_string()) {
                        continue;
                    }
                    let at = self.path(outer, Step::Name(key));
                    self.tasks.push(Task::Enter(inner, scope, at));
                }
            }
        }
    }

    /// The formula of a schema that was visited; of any other, a reference that will be.
    fn low(&mut self, schema: &'v Value, scope: ScopeId) -> FormulaId {
        match schema {
            Value::Bool(true) => FormulaId::TRUE,
            Value::Bool(false) => FormulaId::FALSE,
            _ => match self.memo.get(&(place(schema), scope)) {
                Some(&formula) => formula,
                None => {
                    let path = self.path_of_resource(self.scopes[scope.0 as usize].base);
                    self.slot(schema, scope, path)
                }
            },
        }
    }

    /// A reference to a schema.
    fn slot(&mut self, schema: &'v Value, scope: ScopeId, path: PathId) -> FormulaId {
        if let Value::Bool(_) = schema {
            return self.low(schema, scope);
        }
        let slot = match self.slots.get(&(place(schema), scope)) {
            Some(&slot) => slot,
            None => {
                let slot = self.machine.slots.len() as u32;
                self.machine.slots.push(FormulaId::TRUE);
                self.slots.insert((place(schema), scope), slot);
                self.targets.push((slot, schema, scope, path));
                slot
            }
        };
        self.machine.formulas.reference(slot)
    }

    fn draft(&self, scope: ScopeId) -> Draft {
        self.resources.get(self.scopes[scope.0 as usize].base).draft
    }

    fn inner_scope(&mut self, schema: &'v Value, object: &'v Map<String, Value>, outer: ScopeId) -> ScopeId {
        let base = self.scopes[outer.0 as usize].base;
        if id_of(object, self.resources.get(base).draft).is_none() {
            return outer;
        }
        match self.resources.at(schema, base) {
            Some(resource) if resource != base => self.enter_resource(Some(outer), resource),
            _ => outer,
        }
    }

    /// The scope of a resource that is entered from another scope.
    fn enter_resource(&mut self, outer: Option<ScopeId>, base: ResourceId) -> ScopeId {
        let mut chain = outer.map_or(Vec::new(), |outer| self.scopes[outer.0 as usize].chain.clone());
        if self.dynamic && !chain.contains(&base) {
            chain.push(base);
        }
        let is_ordered = match outer {
            Some(outer) => self.scopes[outer.0 as usize].is_ordered,
            None => self.options.property_order == PropertyOrder::Schema,
        };
        self.scope_id(Scope { base, chain, is_ordered })
    }

    fn scope_id(&mut self, scope: Scope) -> ScopeId {
        if let Some(&id) = self.scope_ids.get(&scope) {
            return id;
        }
        let id = ScopeId(self.scopes.len() as u32);
        self.scopes.push(scope.clone());
        self.scope_ids.insert(scope, id);
        id
    }

    fn path(&mut self, parent: PathId, step: Step<'v>) -> PathId {
        self.paths.push((parent, step));
        PathId(self.paths.len() as u32 - 1)
    }

    fn path_of_resource(&mut self, resource: ResourceId) -> PathId {
        self.path(PathId(u32::MAX), Step::Root(resource))
    }

    /// The JSON pointer of a place; in another document, after its address and `#`.
    fn pointer(&self, mut path: PathId) -> String {
        let mut steps = Vec::new();
        while path.0 != u32::MAX {
            let (parent, step) = self.paths[path.0 as usize];
            steps.push(step);
            path = parent;
        }
        let mut out = String::new();
        for step in steps.iter().rev() {
            match step {
                Step::Root(resource) if resource.0 == 0 => {}
                Step::Root(resource) => {
                    out.push_str(&self.resources.get(*resource).uri);
                    out.push('#');
                }
                Step::Name(name) => {
                    out.push('/');
                    out.push_str(&pointer_step(name));
                }
                Step::Index(index) => {
                    let _ = write!(out, "/{index}");
                }
            }
        }
        out
    }

    fn problem(&mut self, kind: ErrorKind, path: PathId, keyword: &str, reason: String, hint: &str) {
        let problem = Problem {
            kind,
            pointer: self.pointer(path),
            keyword: keyword.to_owned(),
            reason,
            hint: hint.to_owned(),
        };
        // A schema that is entered from several scopes has its problems once.
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn limit_problem(&mut self, name: &'static str, path: PathId, keyword: &str) {
        let limit = self.options.limits.error(name);
        let hint = format!("simplify the schema, or raise the limit with the option limits={{\"{name}\": ...}}");
        self.problem(ErrorKind::Limit, path, keyword, limit.to_string(), &hint);
        self.limit = Some(limit);
    }

    fn syntax(&mut self, path: PathId, keyword: &str, reason: &str) {
        self.problem(
            ErrorKind::Syntax,
            path,
            keyword,
            reason.to_owned(),
            "correct its value or remove it",
        );
    }

    /// A keyword that cannot be enforced: a problem, or an entry of the report where `strict` is off.
    fn refuse(&mut self, path: PathId, keyword: &str, reason: String, hint: &str) {
        if self.options.strict {
            self.problem(ErrorKind::Unsupported, path, keyword, reason, hint);
        } else {
            let pointer = self.pointer(path);
            self.report.refused.push(Entry {
                pointer,
                keyword: keyword.to_owned(),
                reason,
            });
        }
    }

    fn annotate(&mut self, path: PathId, keyword: &str, reason: &str) {
        let pointer = self.pointer(path);
        self.report.annotations.push(Entry {
            pointer,
            keyword: keyword.to_owned(),
            reason: reason.to_owned(),
        });
    }

    /// Refuses references that lead back to their own place with no member or item between.
    fn check_references(&mut self, first: u32) {
        let last = self.machine.slots.len() as u32;
        let mut done: FxHashSet<u32> = FxHashSet::default();
        for start in first..last {
            // Depth first, without recursion: a slot is open while its in-place references are being followed.
            let (mut open, mut stack) = (FxHashSet::default(), vec![(start, false)]);
            while let Some((slot, leaving)) = stack.pop() {
                if leaving {
                    open.remove(&slot);
                    done.insert(slot);
                } else if open.contains(&slot) {
                    self.report_cycle(slot);
                    return;
                } else if !done.contains(&slot) {
                    open.insert(slot);
                    stack.push((slot, true));
                    stack.extend(self.in_place_references(slot).into_iter().map(|inner| (inner, false)));
                }
            }
        }
    }

    fn in_place_references(&self, slot: u32) -> Vec<u32> {
        let formulas = &self.machine.formulas;
        let (mut todo, mut seen, mut out) = (vec![self.machine.slots[slot as usize]], FxHashSet::default(), Vec::new());
        while let Some(formula) = todo.pop() {
            if !formulas.info(formula).refers || !seen.insert(formula) {
                continue;
            }
            match formulas.node(formula) {
                Node::Ref(slot) => out.push(*slot),
                Node::Not(part) => todo.push(*part),
                Node::And(parts) | Node::Or(parts) | Node::One(parts) => todo.extend_from_slice(parts),
                Node::UnevaluatedMembers(table) => {
                    todo.extend(formulas.member_covers[*table as usize].branches.iter().map(|branch| branch.1));
                }
                Node::UnevaluatedItems(table) => {
                    todo.extend(formulas.item_covers[*table as usize].branches.iter().map(|branch| branch.1));
                }
                _ => {}
            }
        }
        out
    }

    fn report_cycle(&mut self, slot: u32) {
        let target = self.slots.iter().find(|entry| *entry.1 == slot).map(|entry| entry.0 .1);
        let resource = target.map_or(self.resources.root(), |scope| self.scopes[scope.0 as usize].base);
        let path = self.path_of_resource(resource);
        let reason = "a chain of references that leads back to its own place with no member or item between".to_owned();
        self.problem(
            ErrorKind::Unsupported,
            path,
            "$ref",
            reason,
            "refer to it from a property or an item",
        );
    }
}
