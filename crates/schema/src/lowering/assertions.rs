//! One schema to a formula, keyword by keyword. Its inner schemas have been lowered before.
use super::keywords::Keywords;
use super::{Lowerer, PathId, ScopeId};
use crate::error::Entry;
use crate::formula::{FormulaId, Members};
use crate::identity::SetId;
use crate::kinds::Kinds;
use crate::number::{Decimal, NumberFormula};
use crate::options::{Draft, FormatMode};
use crate::texts_of::PatternError;
use penstock_automata::{RegexId, INFINITE};
use serde_json::Value;

/// What every keyword needs to know.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub scope: ScopeId,
    pub path: PathId,
    pub draft: Draft,
}

impl<'v> Lowerer<'_, 'v> {
    pub(super) fn assertions(&mut self, schema: &'v Value, k: &Keywords<'v>, scope: ScopeId, path: PathId) -> FormulaId {
        let draft = self.draft(scope);
        let at = Place { scope, path, draft };
        self.report_keywords(k, at);
        let mut all = Vec::with_capacity(8);
        self.references(k, at, &mut all);
        if draft <= Draft::Draft7 && k.ref_.is_some_and(Value::is_string) {
            return all.pop().unwrap_or(FormulaId::TRUE);
        }
        let (kinds, kind) = self.kinds_of(k, at);
        all.push(kind);
        self.constants_of(k, at, &mut all);
        for (kind, keywords) in [
            (
                Kinds::NUMBER,
                Self::number_keywords as fn(&mut Self, &Keywords<'v>, Place, &mut Vec<FormulaId>),
            ),
            (Kinds::STRING, Self::string_keywords),
            (Kinds::OBJECT, Self::object_keywords),
            (Kinds::ARRAY, Self::array_keywords),
        ] {
            if !k.ask_of(kind) {
                continue;
            }
            let mut parts = Vec::with_capacity(8);
            keywords(self, k, at, &mut parts);
            if parts.is_empty() || !kinds.has(kind) {
                continue;
            }
            let together = self.machine.formulas.and(&parts);
            let guarded = if kinds == kind {
                together
            } else {
                self.machine.formulas.imply(kind, together)
            };
            all.push(guarded);
        }
        self.in_place(k, at, &mut all);
        if draft >= Draft::Draft201909 {
            self.unevaluated(schema, k, at, &mut all);
        }
        self.machine.formulas.and(&all)
    }

    fn report_keywords(&mut self, k: &Keywords<'v>, at: Place) {
        for &name in &k.unknown {
            self.annotate(at.path, name, "not a keyword that decides about values");
        }
        if self.options.report_enforced {
            let pointer = self.pointer(at.path);
            self.report.enforced.extend(k.present().into_iter().map(|keyword| Entry {
                pointer: pointer.clone(),
                keyword: keyword.to_owned(),
                reason: "enforced".to_owned(),
            }));
        }
    }

    fn references(&mut self, k: &Keywords<'v>, at: Place, all: &mut Vec<FormulaId>) {
        let dynamic = k.dynamic_ref.filter(|_| at.draft == Draft::Draft202012);
        let recursive = k.recursive_ref.filter(|_| at.draft == Draft::Draft201909);
        for (keyword, value) in [("$ref", k.ref_), ("$dynamicRef", dynamic), ("$recursiveRef", recursive)] {
            let Some(value) = value else { continue };
            let Some(reference) = value.as_str() else {
                self.syntax(at.path, keyword, "not a text");
                continue;
            };
            if let Some((schema, scope)) = self.target(keyword, reference, at) {
                let path = self.path_of_resource(self.scopes[scope.0 as usize].base);
                all.push(self.slot(schema, scope, path));
            }
        }
    }

    /// The schema that a reference leads to, and the scope from which it is seen; a problem is noted if there is none.
    pub(super) fn target(&mut self, keyword: &str, reference: &str, at: Place) -> Option<(&'v Value, ScopeId)> {
        let base = self.scopes[at.scope.0 as usize].base;
        let found = match self.resources.resolve(reference, base) {
            Ok(found) => found,
            Err(reason) => {
                let hint = "add the document to `registry` or correct the reference";
                self.problem(
                    crate::ErrorKind::Syntax,
                    at.path,
                    keyword,
                    format!("`{reference}`: {reason}"),
                    hint,
                );
                return None;
            }
        };
        let found = match keyword {
            "$dynamicRef" => self.dynamic_target(reference, found, at.scope),
            "$recursiveRef" => self.recursive_target(found, at.scope),
            _ => found,
        };
        let same = found.resource == base;
        let scope = if same {
            at.scope
        } else {
            self.enter_resource(Some(at.scope), found.resource)
        };
        Some((found.schema, scope))
    }

    /// The outermost resource entered so far that has the dynamic anchor, if the reference meets one at first.
    fn dynamic_target(
        &mut self,
        reference: &str,
        found: super::resources::Target<'v>,
        scope: ScopeId,
    ) -> super::resources::Target<'v> {
        self.dynamic_needed = true;
        let anchor = reference.split_once('#').map_or("", |parts| parts.1);
        if !self.resources.get(found.resource).dynamic_anchors.contains_key(anchor) {
            return found;
        }
        for &resource in &self.scopes[scope.0 as usize].chain {
            self.resources.scan(resource);
            if let Some(&schema) = self.resources.get(resource).dynamic_anchors.get(anchor) {
                return super::resources::Target { schema, resource };
            }
        }
        found
    }

    /// Outwards as long as resources are marked with `$recursiveAnchor`.
    fn recursive_target(&mut self, found: super::resources::Target<'v>, scope: ScopeId) -> super::resources::Target<'v> {
        self.dynamic_needed = true;
        let marked = |schema: &Value| schema.get("$recursiveAnchor") == Some(&Value::Bool(true));
        let mut best = found;
        if marked(found.schema) {
            for &resource in self.scopes[scope.0 as usize].chain.iter().rev() {
                let schema = self.resources.get(resource).root;
                if !marked(schema) {
                    break;
                }
                best = super::resources::Target { schema, resource };
            }
        }
        best
    }

    /// The kinds that `type` allows, and its formula.
    fn kinds_of(&mut self, k: &Keywords<'v>, at: Place) -> (Kinds, FormulaId) {
        let names = match k.type_ {
            None => return (Kinds::ALL, FormulaId::TRUE),
            Some(Value::Array(list)) => list.as_slice(),
            Some(one) => std::slice::from_ref(one),
        };
        let (mut kinds, mut integer) = (Kinds::NONE, false);
        for name in names {
            kinds = kinds.or(match name.as_str() {
                Some("null") => Kinds::NULL,
                Some("boolean") => Kinds::BOOLEAN,
                Some("number") => Kinds::NUMBER,
                Some("string") => Kinds::STRING,
                Some("array") => Kinds::ARRAY,
                Some("object") => Kinds::OBJECT,
                Some("integer") => {
                    integer = true;
                    Kinds::NONE
                }
                _ => {
                    self.syntax(at.path, "type", &format!("`{name}` is no type"));
                    Kinds::ALL
                }
            });
        }
        let formula = self.machine.formulas.kind(kinds);
        if !integer || kinds.has(Kinds::NUMBER) {
            return (kinds, formula);
        }
        let number = self.machine.formulas.kind(kinds.or(Kinds::NUMBER));
        let atom = self.machine.number_atom(NumberFormula::Integer);
        let integer = self.machine.formulas.imply(Kinds::NUMBER, atom);
        (kinds.or(Kinds::NUMBER), self.machine.formulas.and(&[number, integer]))
    }

    fn constants_of(&mut self, k: &Keywords<'v>, at: Place, all: &mut Vec<FormulaId>) {
        match k.enum_ {
            Some(Value::Array(values)) => all.push(self.one_of_values(values, "enum", at.path)),
            Some(_) => self.syntax(at.path, "enum", "not a list"),
            None => {}
        }
        if let Some(value) = k.constant.filter(|_| at.draft >= Draft::Draft6) {
            all.push(self.one_of_values(std::slice::from_ref(value), "const", at.path));
        }
    }

    fn number_keywords(&mut self, k: &Keywords<'v>, at: Place, parts: &mut Vec<FormulaId>) {
        let old = at.draft == Draft::Draft4;
        let strict = |flag: Option<&Value>| old && flag == Some(&Value::Bool(true));
        let bounds = [
            ("minimum", k.minimum, strict(k.exclusive_minimum), false),
            ("maximum", k.maximum, strict(k.exclusive_maximum), true),
            ("exclusiveMinimum", k.exclusive_minimum.filter(|_| !old), true, false),
            ("exclusiveMaximum", k.exclusive_maximum.filter(|_| !old), true, true),
        ];
        for (keyword, value, strict, upper) in bounds {
            let Some(bound) = self.decimal(keyword, value, at.path) else {
                continue;
            };
            // `<= b` is not `> b`, and `< b` is not `>= b`.
            let atom = if strict != upper {
                NumberFormula::MoreThan(bound)
            } else {
                NumberFormula::AtLeast(bound)
            };
            let atom = self.machine.number_atom(atom);
            parts.push(if upper { self.machine.formulas.not(atom) } else { atom });
        }
        if let Some(step) = self.decimal("multipleOf", k.multiple_of, at.path) {
            parts.push(self.machine.number_atom(NumberFormula::MultipleOf(step)));
        }
    }

    fn decimal(&mut self, keyword: &str, value: Option<&Value>, path: PathId) -> Option<Decimal> {
        let value = value?;
        let number = value.as_number().and_then(|number| Decimal::parse(&number.to_string()));
        if number.is_none() {
            self.syntax(path, keyword, "not a number");
        }
        number
    }

    /// A count: a whole number from 0 on, however it is written. Counts beyond 2^32 - 2 are taken as that.
    pub(super) fn count(&mut self, keyword: &str, value: Option<&Value>, path: PathId) -> Option<u32> {
        let value = value?;
        let count = match value.as_number().and_then(|number| number.as_f64()) {
            Some(count) if count >= 0.0 && count.fract() == 0.0 => Some(count.min(f64::from(u32::MAX - 1)) as u32),
            _ => None,
        };
        if count.is_none() {
            self.syntax(path, keyword, "not a whole number from 0 on");
        }
        count
    }

    fn string_keywords(&mut self, k: &Keywords<'v>, at: Place, parts: &mut Vec<FormulaId>) {
        let min = self.count("minLength", k.min_length, at.path).unwrap_or(0);
        let max = self.count("maxLength", k.max_length, at.path);
        if min > 0 || max.is_some() {
            let length = match max {
                Some(max) if max < min => RegexId::NEVER,
                max => self.machine.regexes.repeat(RegexId::ANY, min, max.unwrap_or(INFINITE)),
            };
            parts.push(self.machine.text_atom(length));
        }
        match k.pattern {
            Some(Value::String(pattern)) => {
                if let Some(regex) = self.pattern("pattern", pattern, at.path) {
                    parts.push(self.machine.text_atom(regex));
                }
            }
            Some(_) => self.syntax(at.path, "pattern", "not a text"),
            None => {}
        }
        match k.format {
            Some(Value::String(name)) => self.format(name, at.path, parts),
            Some(_) => self.syntax(at.path, "format", "not a text"),
            None => {}
        }
    }

    fn format(&mut self, name: &str, path: PathId, parts: &mut Vec<FormulaId>) {
        if self.options.format == FormatMode::Annotation {
            self.annotate(path, "format", "formats are annotations by option");
            return;
        }
        match self.machine.format_of(name) {
            Ok(Some(regex)) => parts.push(self.machine.text_atom(regex)),
            Ok(None) => self.annotate(path, "format", &format!("`{name}` is no known format")),
            Err(PatternError { reason, .. }) => {
                self.refuse(path, "format", reason, "set formats to annotations or give a `pattern`")
            }
        }
    }

    /// The language of a pattern; a problem is noted if it has none.
    pub(super) fn pattern(&mut self, keyword: &str, pattern: &str, path: PathId) -> Option<RegexId> {
        match self.machine.pattern_of(pattern) {
            Ok(regex) => Some(regex),
            Err(PatternError { reason, is_syntax: true }) => {
                self.syntax(path, keyword, &format!("`{pattern}`: {reason}"));
                None
            }
            Err(PatternError { reason, .. }) => {
                self.refuse(
                    path,
                    keyword,
                    format!("`{pattern}`: {reason}"),
                    "write the pattern without it",
                );
                None
            }
        }
    }

    fn object_keywords(&mut self, k: &Keywords<'v>, at: Place, parts: &mut Vec<FormulaId>) {
        if k.properties.is_some() || k.pattern_properties.is_some() || k.additional_properties.is_some() {
            let members = self.members_of(k, at);
            parts.push(self.machine.formulas.members(members));
        }
        match k.required {
            Some(Value::Array(list)) => self.required(list, "required", at.path, parts),
            // Draft 3 wrote a truth value; no draft that is supported gives it a meaning.
            Some(Value::Bool(_)) => self.annotate(at.path, "required", "a truth value means nothing since draft 4"),
            Some(_) => self.syntax(at.path, "required", "not a list of texts"),
            None => {}
        }
        if let Some(count) = self.count("minProperties", k.min_properties, at.path) {
            parts.push(self.machine.formulas.min_members(count));
        }
        if let Some(count) = self.count("maxProperties", k.max_properties, at.path) {
            let more = self.machine.formulas.min_members(count + 1);
            parts.push(self.machine.formulas.not(more));
        }
        if let Some(names) = k.property_names.filter(|_| at.draft >= Draft::Draft6) {
            let plain = self.plain(at.scope);
            let names = self.low(names, plain);
            parts.push(self.machine.formulas.names(names));
        }
        // Since 2019-09 `dependencies` is kept for compatibility only; it is enforced, since who writes it means it.
        self.dependent("dependencies", k.dependencies, at, parts);
        if at.draft >= Draft::Draft201909 {
            self.dependent("dependentRequired", k.dependent_required, at, parts);
            self.dependent("dependentSchemas", k.dependent_schemas, at, parts);
        }
    }

    fn members_of(&mut self, k: &Keywords<'v>, at: Place) -> Members {
        let (mut names, mut patterns) = (Vec::new(), Vec::new());
        match k.properties {
            Some(Value::Object(map)) => {
                names.reserve(map.len());
                for (name, schema) in map {
                    names.push((self.machine.names.intern(name), self.low_value(schema, at.scope)));
                }
            }
            Some(_) => self.syntax(at.path, "properties", "not an object"),
            None => {}
        }
        match k.pattern_properties {
            Some(Value::Object(map)) => {
                for (pattern, schema) in map {
                    if let Some(regex) = self.pattern("patternProperties", pattern, at.path) {
                        patterns.push((regex, self.low_value(schema, at.scope)));
                    }
                }
            }
            Some(_) => self.syntax(at.path, "patternProperties", "not an object"),
            None => {}
        }
        Members {
            names: names.into(),
            patterns: patterns.into(),
            other: k
                .additional_properties
                .map_or(FormulaId::TRUE, |schema| self.low_value(schema, at.scope)),
        }
    }

    fn required(&mut self, list: &'v [Value], keyword: &str, path: PathId, parts: &mut Vec<FormulaId>) {
        for name in list {
            match name.as_str() {
                Some(name) => {
                    let name = self.machine.names.intern(name);
                    parts.push(self.machine.formulas.has(name));
                }
                None => self.syntax(path, keyword, "a name that is not a text"),
            }
        }
    }

    fn dependent(&mut self, keyword: &str, value: Option<&'v Value>, at: Place, parts: &mut Vec<FormulaId>) {
        let map = match value {
            Some(Value::Object(map)) => map,
            Some(_) => return self.syntax(at.path, keyword, "not an object"),
            None => return,
        };
        for (name, what) in map {
            let mut then = Vec::new();
            match what {
                Value::Array(list) if keyword != "dependentSchemas" => self.required(list, keyword, at.path, &mut then),
                Value::String(_) if keyword == "dependencies" => {
                    self.required(std::slice::from_ref(what), keyword, at.path, &mut then);
                }
                _ if keyword == "dependentRequired" => self.syntax(at.path, keyword, "not a list of texts"),
                _ => then.push(self.low(what, at.scope)),
            }
            let name = self.machine.names.intern(name);
            let has = self.machine.formulas.has(name);
            let absent = self.machine.formulas.not(has);
            let then = self.machine.formulas.and(&then);
            parts.push(self.machine.formulas.or(&[absent, then]));
        }
    }

    fn array_keywords(&mut self, k: &Keywords<'v>, at: Place, parts: &mut Vec<FormulaId>) {
        let (prefix, rest) = self.items_of(k, at);
        if !prefix.is_empty() || rest.is_some() {
            let prefix: Vec<FormulaId> = prefix.iter().map(|item| self.low_value(item, at.scope)).collect();
            let rest = rest.map_or(FormulaId::TRUE, |rest| self.low_value(rest, at.scope));
            parts.push(self.machine.formulas.items(&prefix, rest));
        }
        if let Some(count) = self.count("minItems", k.min_items, at.path) {
            parts.push(self.machine.formulas.min_items(count));
        }
        let most = self.count("maxItems", k.max_items, at.path);
        if let Some(count) = most {
            let more = self.machine.formulas.min_items(count + 1);
            parts.push(self.machine.formulas.not(more));
        }
        // At most one item differs from all others by itself.
        if k.unique_items == Some(&Value::Bool(true)) && most.is_none_or(|most| most > 1) {
            parts.push(self.machine.formulas.unique(SetId::EMPTY));
        }
        self.contains_of(k, at, parts);
    }

    /// The schemas of the first items, and the schema of the others.
    pub(super) fn items_of(&mut self, k: &Keywords<'v>, at: Place) -> (&'v [Value], Option<&'v Value>) {
        if at.draft == Draft::Draft202012 {
            let prefix = match k.prefix_items {
                Some(Value::Array(list)) => list.as_slice(),
                Some(_) => {
                    self.syntax(at.path, "prefixItems", "not a list of schemas");
                    &[]
                }
                None => &[],
            };
            if k.items.is_some_and(Value::is_array) {
                let reason = "a list of schemas is called `prefixItems` in this draft";
                self.syntax(at.path, "items", reason);
                return (prefix, None);
            }
            return (prefix, k.items);
        }
        match k.items {
            Some(Value::Array(list)) => (list.as_slice(), k.additional_items),
            items => (&[], items),
        }
    }

    fn contains_of(&mut self, k: &Keywords<'v>, at: Place, parts: &mut Vec<FormulaId>) {
        let Some(schema) = k.contains.filter(|_| at.draft >= Draft::Draft6) else {
            return;
        };
        let plain = self.plain(at.scope);
        let schema = self.low(schema, plain);
        let (mut least, mut most) = (1, None);
        if at.draft >= Draft::Draft201909 {
            least = self.count("minContains", k.min_contains, at.path).unwrap_or(1);
            most = self.count("maxContains", k.max_contains, at.path);
        }
        parts.push(self.machine.formulas.contains(schema, least));
        if let Some(most) = most {
            let more = self.machine.formulas.contains(schema, most + 1);
            parts.push(self.machine.formulas.not(more));
        }
    }

    /// Applicators that look at the same value.
    fn in_place(&mut self, k: &Keywords<'v>, at: Place, all: &mut Vec<FormulaId>) {
        for (keyword, value) in [("allOf", k.all_of), ("anyOf", k.any_of), ("oneOf", k.one_of)] {
            let list = match value {
                Some(Value::Array(list)) => list,
                Some(_) => {
                    self.syntax(at.path, keyword, "not a list of schemas");
                    continue;
                }
                None => continue,
            };
            let parts: Vec<FormulaId> = list.iter().map(|part| self.low(part, at.scope)).collect();
            let formulas = &mut self.machine.formulas;
            all.push(match keyword {
                "allOf" => formulas.and(&parts),
                _ => formulas.or(&parts),
            });
            if keyword == "oneOf" {
                let plain = self.plain(at.scope);
                let parts: Vec<FormulaId> = list.iter().map(|part| self.low(part, plain)).collect();
                let one = self.machine.formulas.one(&parts);
                // Exactly one holds; without an order this alone says that any does.
                if plain == at.scope {
                    all.pop();
                }
                all.push(one);
            }
        }
        if let Some(part) = k.not {
            let plain = self.plain(at.scope);
            let part = self.low(part, plain);
            all.push(self.machine.formulas.not(part));
        }
        let Some(condition) = k.if_.filter(|_| at.draft >= Draft::Draft7) else {
            return;
        };
        let plain = self.plain(at.scope);
        let condition = self.low(condition, plain);
        let otherwise = self.machine.formulas.not(condition);
        for (unless, then) in [(otherwise, k.then), (condition, k.else_)] {
            if let Some(then) = then {
                let then = self.low(then, at.scope);
                all.push(self.machine.formulas.or(&[unless, then]));
            }
        }
    }
}
