//! Documents, the resources (`$id`) in them, their anchors, and what a reference leads to.
use super::uri;
use crate::error::name_of_step;
use crate::metaschemas;
use crate::options::{Draft, SchemaOptions};
use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

/// Index into [`Resources::list`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ResourceId(pub u32);

/// A schema with an address of its own.
pub(super) struct Resource<'v> {
    pub uri: String,
    pub root: &'v Value,
    pub draft: Draft,
    /// Whether the keywords of the validation vocabulary mean something: a meta-schema may do without.
    pub validates: bool,
    /// The top of the document that holds it.
    document: &'v Value,
    pub anchors: FxHashMap<&'v str, &'v Value>,
    pub dynamic_anchors: FxHashMap<&'v str, &'v Value>,
    /// Whether anchors and inner resources of its document are known.
    scanned: bool,
}

/// The documents of one lowering.
pub(super) struct Resources<'v> {
    pub list: Vec<Resource<'v>>,
    by_uri: FxHashMap<String, ResourceId>,
    /// By the address of the schema in memory.
    by_place: FxHashMap<usize, ResourceId>,
    registry: FxHashMap<&'v str, &'v Value>,
}

/// What a reference leads to.
#[derive(Clone, Copy)]
pub(super) struct Target<'v> {
    pub schema: &'v Value,
    pub resource: ResourceId,
}

/// Keywords whose value is a schema, a list of schemas or a map of schemas.
const ONE: &[&str] = &[
    "additionalItems",
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
const LIST: &[&str] = &["allOf", "anyOf", "items", "oneOf", "prefixItems"];
const MAP: &[&str] = &[
    "$defs",
    "definitions",
    "dependencies",
    "dependentSchemas",
    "patternProperties",
    "properties",
];

pub(super) fn place(value: &Value) -> usize {
    std::ptr::from_ref(value) as usize
}

impl<'v> Resources<'v> {
    pub fn new(root: &'v Value, options: &'v SchemaOptions) -> Resources<'v> {
        let mut resources = Resources {
            list: Vec::new(),
            by_uri: FxHashMap::default(),
            by_place: FxHashMap::default(),
            registry: options
                .registry
                .iter()
                .map(|(uri, value)| (uri.trim_end_matches('#'), value))
                .collect(),
        };
        resources.add_document("", root, options.default_draft);
        resources
    }

    /// The root document's resource.
    pub fn root(&self) -> ResourceId {
        ResourceId(0)
    }

    pub fn get(&self, id: ResourceId) -> &Resource<'v> {
        &self.list[id.0 as usize]
    }

    /// A document; one that names no draft has that of the document which refers to it.
    fn add_document(&mut self, uri: &str, root: &'v Value, default: Draft) -> ResourceId {
        let draft = draft_of(root, self.draft_of_metaschema(root, default));
        let own = root.as_object().and_then(|object| id_of(object, draft));
        let full = own.map_or_else(|| uri.to_owned(), |own| uri::join(uri, own));
        let validates = self.validates(root, draft);
        let id = self.add(full, (root, root), draft, validates);
        if !uri.is_empty() {
            self.by_uri.entry(uri.to_owned()).or_insert(id);
        }
        id
    }

    /// The draft of a document whose `$schema` is a meta-schema in the registry: that meta-schema's own.
    fn draft_of_metaschema(&self, root: &Value, default: Draft) -> Draft {
        let mut next = root;
        for _ in 0..8 {
            let Some(uri) = next.get("$schema").and_then(Value::as_str) else {
                break;
            };
            if let Some(draft) = Draft::of_uri(uri) {
                return draft;
            }
            match self.registry.get(uri.trim_end_matches('#')) {
                Some(meta) => next = meta,
                None => break,
            }
        }
        default
    }

    /// Whether the meta-schema of a resource has the validation vocabulary: one in the registry may list others only.
    fn validates(&self, root: &Value, draft: Draft) -> bool {
        let uri = root.get("$schema").and_then(Value::as_str).unwrap_or_default();
        let meta = match Draft::of_uri(uri) {
            None if draft >= Draft::Draft201909 => self.registry.get(uri.trim_end_matches('#')),
            _ => None,
        };
        let listed = meta.and_then(|meta| meta.get("$vocabulary")).and_then(Value::as_object);
        listed.is_none_or(|listed| listed.keys().any(|uri| uri.ends_with("/vocab/validation")))
    }

    fn add(&mut self, uri: String, (root, document): (&'v Value, &'v Value), draft: Draft, validates: bool) -> ResourceId {
        let id = ResourceId(self.list.len() as u32);
        self.by_place.insert(place(root), id);
        self.by_uri.entry(uri.clone()).or_insert(id);
        self.list.push(Resource {
            uri,
            root,
            draft,
            validates,
            document,
            anchors: FxHashMap::default(),
            dynamic_anchors: FxHashMap::default(),
            scanned: false,
        });
        id
    }

    /// The resource that starts at a schema with `$id`, once its document is known.
    pub fn at(&mut self, schema: &'v Value, within: ResourceId) -> Option<ResourceId> {
        if let Some(&id) = self.by_place.get(&place(schema)) {
            return Some(id);
        }
        self.scan(within);
        self.by_place.get(&place(schema)).copied()
    }

    /// Finds the anchors and inner resources of the document that holds a resource. Cost: once per document, linear.
    pub fn scan(&mut self, id: ResourceId) {
        if self.get(id).scanned {
            return;
        }
        let document = self.get(id).document;
        let mut todo = vec![(document, self.by_place.get(&place(document)).copied().unwrap_or(id))];
        while let Some((schema, mut base)) = todo.pop() {
            let Some(object) = schema.as_object() else {
                continue;
            };
            base = self.note(schema, object, base, document);
            for (keyword, value) in object {
                if !(self.get(base).draft <= Draft::Draft7 && object.contains_key("$ref")) || keyword.contains("def") {
                    push_inner(keyword, value, base, &mut todo);
                }
            }
        }
        for resource in &mut self.list {
            if std::ptr::eq(resource.document, document) {
                resource.scanned = true;
            }
        }
    }

    /// Notes the `$id` and the anchors of one schema; the resource it belongs to.
    fn note(&mut self, schema: &'v Value, object: &'v Map<String, Value>, base: ResourceId, document: &'v Value) -> ResourceId {
        let outer = self.get(base);
        let draft = draft_of(schema, outer.draft);
        let mut inside = base;
        if !std::ptr::eq(outer.root, schema) {
            if let Some(own) = id_of(object, draft) {
                let uri = uri::join(&outer.uri, own);
                let validates = match object.contains_key("$schema") {
                    true => self.validates(schema, draft),
                    false => outer.validates,
                };
                inside = match self.by_place.get(&place(schema)) {
                    Some(&known) => known,
                    None => self.add(uri, (schema, document), draft, validates),
                };
            }
        }
        let resource = &mut self.list[inside.0 as usize];
        if let Some(anchor) = old_anchor(object, draft) {
            resource.anchors.entry(anchor).or_insert(schema);
        }
        if draft >= Draft::Draft201909 {
            if let Some(anchor) = object.get("$anchor").and_then(Value::as_str) {
                resource.anchors.entry(anchor).or_insert(schema);
            }
            if let Some(anchor) = object.get("$dynamicAnchor").and_then(Value::as_str) {
                resource.anchors.entry(anchor).or_insert(schema);
                resource.dynamic_anchors.entry(anchor).or_insert(schema);
            }
        }
        inside
    }

    /// What a reference leads to, seen from a resource.
    pub fn resolve(&mut self, reference: &str, base: ResourceId) -> Result<Target<'v>, String> {
        let (address, fragment) = uri::split_fragment(reference);
        let resource = if address.is_empty() {
            base
        } else {
            let full = uri::join(&self.get(base).uri, address);
            self.find(&full, base)
                .ok_or_else(|| format!("nothing is known under `{full}`"))?
        };
        let fragment = uri::percent_decode(fragment);
        if fragment.is_empty() {
            return Ok(Target {
                schema: self.get(resource).root,
                resource,
            });
        }
        if fragment.starts_with('/') {
            return self.follow(resource, &fragment);
        }
        self.scan(resource);
        match self.get(resource).anchors.get(&*fragment) {
            Some(&schema) => Ok(Target { schema, resource }),
            None => Err(format!("there is no anchor `{fragment}`")),
        }
    }

    fn find(&mut self, uri: &str, base: ResourceId) -> Option<ResourceId> {
        let known = |resources: &Self| resources.by_uri.get(uri).copied();
        known(self)
            .or_else(|| {
                self.scan(base);
                known(self)
            })
            .or_else(|| {
                self.scan(self.root());
                known(self)
            })
            .or_else(|| {
                let document = self.registry.get(uri).copied().or_else(|| metaschemas::find(uri))?;
                Some(self.add_document(uri, document, self.get(base).draft))
            })
    }

    /// A JSON pointer from a resource; it may cross into inner resources.
    fn follow(&mut self, start: ResourceId, pointer: &str) -> Result<Target<'v>, String> {
        let (mut schema, mut resource) = (self.get(start).root, start);
        for token in pointer[1..].split('/') {
            let token = name_of_step(token);
            schema = match schema {
                Value::Object(object) => object.get(&*token),
                Value::Array(list) => token.parse().ok().and_then(|index: usize| list.get(index)),
                _ => None,
            }
            .ok_or_else(|| format!("there is nothing at `{pointer}`"))?;
            let draft = self.get(resource).draft;
            if schema.as_object().is_some_and(|object| id_of(object, draft).is_some()) {
                resource = self.at(schema, resource).unwrap_or(resource);
            }
        }
        Ok(Target { schema, resource })
    }
}

fn push_inner<'v>(keyword: &str, value: &'v Value, base: ResourceId, todo: &mut Vec<(&'v Value, ResourceId)>) {
    match value {
        Value::Object(map) if MAP.contains(&keyword) => todo.extend(map.values().map(|inner| (inner, base))),
        Value::Array(list) if LIST.contains(&keyword) => todo.extend(list.iter().map(|inner| (inner, base))),
        Value::Object(_) if ONE.contains(&keyword) => todo.push((value, base)),
        _ => {}
    }
}

fn draft_of(schema: &Value, default: Draft) -> Draft {
    let named = schema.as_object().and_then(|object| member(object, "$schema"));
    named.and_then(Value::as_str).and_then(Draft::of_uri).unwrap_or(default)
}

/// The value of a keyword. Nearly every schema has few members, which are looked through in less time than hashing takes.
fn member<'v>(object: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    const FEW: usize = 12;
    match object.len() <= FEW {
        true => object.iter().find(|member| member.0 == name).map(|member| member.1),
        false => object.get(name),
    }
}

/// The address that a schema gives itself; up to draft 7 not beside `$ref`.
pub(super) fn id_of(object: &Map<String, Value>, draft: Draft) -> Option<&str> {
    let keyword = if draft == Draft::Draft4 { "id" } else { "$id" };
    let text = member(object, keyword)?.as_str()?;
    if draft <= Draft::Draft7 && object.contains_key("$ref") {
        return None;
    }
    let address = uri::split_fragment(text).0;
    (!address.is_empty()).then_some(address)
}

/// `$id: "#name"`, the anchors of drafts 4 to 7.
fn old_anchor(object: &Map<String, Value>, draft: Draft) -> Option<&str> {
    if draft > Draft::Draft7 {
        return None;
    }
    let keyword = if draft == Draft::Draft4 { "id" } else { "$id" };
    let fragment = uri::split_fragment(object.get(keyword)?.as_str()?).1;
    (!fragment.is_empty()).then_some(fragment)
}
