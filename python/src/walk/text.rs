//! Arguments in words, for people: never by a method of the user's.

use numpy::{PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple, PyType};

use super::arrays::descr_text;

/// The longest text of a value.
const LONGEST: usize = 80;

/// How many items of a container are looked at.
const ITEMS: usize = 12;

/// Plain values of at most 80 characters as Python writes them, anything else by its type, and arrays by dtype and shape.
pub(crate) fn short_text(value: &Bound<'_, PyAny>) -> String {
    match plain(value, 0) {
        Some(text) if text.chars().count() <= LONGEST => text,
        _ => outline(value),
    }
}

/// The last name of the type.
pub(crate) fn type_name(value: &Bound<'_, PyAny>) -> String {
    name_of(&value.get_type())
}

pub(super) fn name_of(class: &Bound<'_, PyType>) -> String {
    class.name().map_or_else(|_| "object".to_owned(), |name| name.to_string())
}

fn plain(value: &Bound<'_, PyAny>, depth: usize) -> Option<String> {
    if value.is_none() {
        return Some("None".to_owned());
    }
    if value.is_exact_instance_of::<PyBool>() || value.is_exact_instance_of::<PyFloat>() {
        return Some(value.repr().ok()?.to_string());
    }
    if value.is_exact_instance_of::<PyInt>() {
        return Some(value.extract::<i128>().ok()?.to_string());
    }
    if let Ok(text) = value.cast_exact::<PyString>() {
        return if text.len().ok()? <= LONGEST { Some(text.repr().ok()?.to_string()) } else { None };
    }
    if let Ok(bytes) = value.cast_exact::<PyBytes>() {
        return if bytes.as_bytes().len() <= LONGEST { Some(bytes.repr().ok()?.to_string()) } else { None };
    }
    if depth > 3 {
        return None;
    }
    if let Ok(list) = value.cast_exact::<PyList>() {
        return (list.len() <= ITEMS).then(|| several(list.iter(), "[", "]", depth))?;
    }
    if let Ok(tuple) = value.cast_exact::<PyTuple>() {
        let end = if tuple.len() == 1 { ",)" } else { ")" };
        return (tuple.len() <= ITEMS).then(|| several(tuple.iter(), "(", end, depth))?;
    }
    if let Ok(dict) = value.cast_exact::<PyDict>() {
        return (dict.len() <= ITEMS).then(|| pairs(dict, depth))?;
    }
    if let Ok(array) = value.cast::<PyUntypedArray>() {
        return Some(array_text(array));
    }
    None
}

fn several<'py>(
    items: impl Iterator<Item = Bound<'py, PyAny>>,
    begin: &str,
    end: &str,
    depth: usize,
) -> Option<String> {
    let texts: Option<Vec<_>> = items.map(|item| plain(&item, depth + 1)).collect();
    Some(format!("{begin}{}{end}", texts?.join(", ")))
}

fn pairs(dict: &Bound<'_, PyDict>, depth: usize) -> Option<String> {
    let texts: Option<Vec<_>> = dict
        .iter()
        .map(|(key, value)| Some(format!("{}: {}", plain(&key, depth + 1)?, plain(&value, depth + 1)?)))
        .collect();
    Some(format!("{{{}}}", texts?.join(", ")))
}

fn array_text(array: &Bound<'_, PyUntypedArray>) -> String {
    let shape: Vec<_> = array.shape().iter().map(usize::to_string).collect();
    format!("{}[{}]", descr_text(array), shape.join(", "))
}

/// The type, with the shape or the length where the type is one that is known to tell it cheaply.
fn outline(value: &Bound<'_, PyAny>) -> String {
    let name = type_name(value);
    if let Ok(array) = value.cast::<PyUntypedArray>() {
        return format!("{name} {}", array_text(array));
    }
    let is_builtin = value.get_type().module().is_ok_and(|module| module == "builtins");
    if is_builtin && let Ok(len) = value.len() {
        return format!("{name} of {len}");
    }
    let module = value.get_type().module().map(|module| module.to_string()).unwrap_or_default();
    if (module.starts_with("pandas.") || module.starts_with("scipy."))
        && let Ok(shape) = value.getattr("shape").and_then(|shape| shape.extract::<Vec<usize>>())
    {
        let shape: Vec<_> = shape.iter().map(usize::to_string).collect();
        return format!("{name}[{}]", shape.join(", "));
    }
    name
}
