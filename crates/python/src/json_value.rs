//! Python objects and JSON text as `serde_json::Value`, with a bound on nesting.
use crate::errors;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use serde_json::{Map, Number, Value};
use std::str::FromStr;

/// How deep a schema may nest (`max_schema_nesting`).
pub const MAX_SCHEMA_NESTING: usize = 2_000;

fn too_deep() -> PyErr {
    errors::limit(&penstock_automata::Limit {
        name: "max_schema_nesting",
        configured: MAX_SCHEMA_NESTING as u64,
    })
}

/// The JSON value that a Python object stands for.
pub fn from_object(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    convert(object, 0)
}

fn convert(object: &Bound<'_, PyAny>, depth: usize) -> PyResult<Value> {
    if depth > MAX_SCHEMA_NESTING {
        return Err(too_deep());
    }
    if let Ok(text) = object.cast::<PyString>() {
        return Ok(Value::String(text.to_str()?.to_owned()));
    }
    if let Ok(mapping) = object.cast::<PyDict>() {
        let mut map = Map::with_capacity(mapping.len());
        for (name, value) in mapping {
            map.insert(name.cast::<PyString>()?.to_str()?.to_owned(), convert(&value, depth + 1)?);
        }
        return Ok(Value::Object(map));
    }
    if let Ok(list) = object.cast::<PyList>() {
        let mut items = Vec::with_capacity(list.len());
        for item in list {
            items.push(convert(&item, depth + 1)?);
        }
        return Ok(Value::Array(items));
    }
    if let Ok(tuple) = object.cast::<PyTuple>() {
        let mut items = Vec::with_capacity(tuple.len());
        for item in tuple {
            items.push(convert(&item, depth + 1)?);
        }
        return Ok(Value::Array(items));
    }
    if object.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(truth) = object.cast::<PyBool>() {
        return Ok(Value::Bool(truth.is_true()));
    }
    number(object)
}

fn number(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    if !object.is_instance_of::<PyInt>() && !object.is_instance_of::<PyFloat>() {
        let kind = object.get_type().name()?;
        return Err(PyTypeError::new_err(format!(
            "a schema cannot hold a `{kind}`; use dict, list, str, int, float, bool or None"
        )));
    }
    if let (true, Ok(number)) = (object.is_instance_of::<PyInt>(), object.extract::<i64>()) {
        return Ok(Value::Number(number.into()));
    }
    let text = object.repr()?.to_string();
    let number = Number::from_str(&text);
    number
        .map(Value::Number)
        .map_err(|_| PyValueError::new_err(format!("`{text}` is no JSON number; use a finite number")))
}

/// The JSON value of a text.
pub fn from_text(text: &str) -> PyResult<Value> {
    if nesting(text) > MAX_SCHEMA_NESTING {
        return Err(too_deep());
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.disable_recursion_limit();
    let parsed = serde::Deserialize::deserialize(&mut reader).and_then(|value: Value| reader.end().map(|()| value));
    parsed.map_err(|error| {
        let message = format!("the schema is no JSON: {error}; pass a JSON text, a dict or a bool");
        errors::raise("GrammarSyntaxError", message, "schema_syntax", |details| {
            details.set_item("location", (error.line(), error.column()))
        })
    })
}

/// How deep brackets nest outside strings.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
