//! Reading typed values out of TOML while collecting problems.
//!
//! Every reader returns `None` after adding a problem, so a caller goes on with the rest of the file and a person sees all of
//! its problems at once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::{Span, SuiteError, line_column};
use crate::nearest::{did_you_mean, nearest};

/// A TOML value and where it stands.
pub(super) type Item<'t> = Spanned<DeValue<'t>>;

/// The problems found so far in a text.
pub(super) struct Problems {
    text: Arc<str>,
    pub(super) found: Vec<SuiteError>,
}

impl Problems {
    pub(super) fn of(text: &Arc<str>) -> Self {
        Self { text: Arc::clone(text), found: Vec::new() }
    }

    pub(super) fn add(&mut self, error: SuiteError) {
        self.found.push(error);
    }
}

/// A table whose keys are all known.
pub(super) struct Fields<'t> {
    table: &'t DeTable<'t>,
    /// Known keys that an unknown one looks like.
    meant: Vec<String>,
}

impl<'t> Fields<'t> {
    /// Adds a problem for each key that is not in `known`; `place` says whose key it would be, such as "a test".
    pub(super) fn new(table: &'t DeTable<'t>, place: &str, known: &[&str], problems: &mut Problems) -> Self {
        let mut meant = Vec::new();
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let error =
                    SuiteError::at(&key.span(), format!("unknown key `{name}` in {place}")).label("unknown key");
                problems.add(error.hint(did_you_mean(name, known.iter().copied(), "known keys")));
                meant.extend(nearest(name, known.iter().copied()).map(str::to_owned));
            }
        }
        Self { table, meant }
    }

    /// Whether `key` is missing only because it is misspelt, which has its own error.
    pub(super) fn is_misspelt(&self, key: &str) -> bool {
        self.meant.iter().any(|meant| meant == key)
    }

    pub(super) fn get(&self, key: &str) -> Option<&'t Item<'t>> {
        self.table.get(key)
    }
}

/// Reads `{ images = "FOLDER", manifest = "FILE" }`, which is the table of `item` and the value of `key`.
pub(super) fn images(
    item: &Item<'_>,
    table: &DeTable<'_>,
    key: &str,
    problems: &mut Problems,
) -> Option<(PathBuf, Option<PathBuf>)> {
    let fields = Fields::new(table, &format!("`{key}`"), &["images", "manifest"], problems);
    let manifest = fields.get("manifest").map(|item| string(item, "manifest", problems));
    let Some(images) = fields.get("images") else {
        return wrong_type(item, key, "a table with the key `images`", problems);
    };
    Some((string(images, "images", problems)?.into(), manifest.flatten().map(PathBuf::from)))
}

/// Adds "expected ..., found ..." and says nothing is there.
pub(super) fn wrong_type<T>(item: &Item<'_>, key: &str, expected: &str, problems: &mut Problems) -> Option<T> {
    let found = described(item.get_ref());
    let error = SuiteError::at(&item.span(), format!("`{key}` must be {expected}, found {found}"));
    problems.add(error.label(format!("expected {expected}")));
    None
}

/// The type of a value with its article.
fn described(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A string with something in it besides white space.
pub(super) fn string<'t>(item: &'t Item<'t>, key: &str, problems: &mut Problems) -> Option<&'t str> {
    let Some(text) = item.get_ref().as_str() else {
        return wrong_type(item, key, "a string", problems);
    };
    if text.trim().is_empty() {
        problems.add(SuiteError::at(&item.span(), format!("`{key}` is empty")).label("needs some text"));
        return None;
    }
    Some(text)
}

pub(super) fn boolean(item: &Item<'_>, key: &str, problems: &mut Problems) -> Option<bool> {
    match item.get_ref() {
        DeValue::Boolean(value) => Some(*value),
        _ => wrong_type(item, key, "true or false", problems),
    }
}

pub(super) fn table<'t>(
    item: &'t Item<'t>,
    key: &str,
    expected: &str,
    problems: &mut Problems,
) -> Option<&'t DeTable<'t>> {
    match item.get_ref().as_table() {
        Some(table) => Some(table),
        None => wrong_type(item, key, expected, problems),
    }
}

/// A list with at least one entry.
pub(super) fn list<'t>(
    item: &'t Item<'t>,
    key: &str,
    expected: &str,
    problems: &mut Problems,
) -> Option<&'t [Item<'t>]> {
    let Some(entries) = item.get_ref().as_array() else {
        return wrong_type(item, key, expected, problems);
    };
    if entries.is_empty() {
        problems.add(SuiteError::at(&item.span(), format!("`{key}` is empty")).label("needs at least one entry"));
        return None;
    }
    Some(entries)
}

/// An integer from `least` to `most`.
pub(super) fn integer(item: &Item<'_>, key: &str, least: u64, most: u64, problems: &mut Problems) -> Option<u64> {
    let Some(written) = item.get_ref().as_integer() else {
        return wrong_type(item, key, "an integer", problems);
    };
    let value = i128::from_str_radix(written.as_str(), written.radix()).ok();
    let Some(value) = value.and_then(|value| u64::try_from(value).ok()).filter(|value| (least..=most).contains(value))
    else {
        let error = SuiteError::at(&item.span(), format!("`{key}` is out of range: {written}"));
        problems.add(error.label(format!("expected {least} to {most}")));
        return None;
    };
    Some(value)
}

/// A finite number; integers count.
pub(super) fn number(item: &Item<'_>, key: &str, problems: &mut Problems) -> Option<f64> {
    let value = match item.get_ref() {
        DeValue::Integer(written) => exact_integer(written).map(|value| value as f64),
        DeValue::Float(written) => written.as_str().parse::<f64>().ok(),
        _ => return wrong_type(item, key, "a number", problems),
    };
    let Some(value) = value.filter(|value| value.is_finite()) else {
        problems.add(SuiteError::at(&item.span(), format!("`{key}` is not finite")).label("expected a finite number"));
        return None;
    };
    Some(value)
}

fn exact_integer(written: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(written.as_str(), written.radix()).ok()
}

/// A `config` table as the JSON that plugins get.
pub(super) fn config(item: &Item<'_>, problems: &mut Problems) -> Option<Value> {
    if item.get_ref().as_table().is_none() {
        return wrong_type(item, "config", "a table", problems);
    }
    json(item, problems)
}

fn json(item: &Item<'_>, problems: &mut Problems) -> Option<Value> {
    let refused = |message: &str, hint: &str, problems: &mut Problems| {
        problems.add(SuiteError::at(&item.span(), message).hint(hint));
        None
    };
    match item.get_ref() {
        DeValue::String(text) => Some(Value::String(text.to_string())),
        DeValue::Boolean(value) => Some(Value::Bool(*value)),
        DeValue::Integer(written) => match exact_integer(written) {
            Some(value) => Some(Value::Number(value.into())),
            None => refused("integer does not fit 64 bits", "write it as a string", problems),
        },
        DeValue::Float(written) => match written.as_str().parse().ok().and_then(Number::from_f64) {
            Some(value) => Some(Value::Number(value)),
            None => refused("config cannot hold a number that is not finite", "leave it out", problems),
        },
        DeValue::Datetime(_) => refused("config cannot hold a date", "write it as a string, in quotes", problems),
        DeValue::Array(entries) => {
            // Not collected straight into an Option: that would stop at the first problem.
            let values: Vec<_> = entries.iter().map(|entry| json(entry, problems)).collect();
            values.into_iter().collect::<Option<_>>().map(Value::Array)
        }
        DeValue::Table(table) => {
            let pairs: Vec<_> =
                table.iter().map(|(key, value)| (key.get_ref().to_string(), json(value, problems))).collect();
            pairs.into_iter().map(|(key, value)| Some((key, value?))).collect::<Option<Map<_, _>>>().map(Value::Object)
        }
    }
}

/// Finds entries that occurred before; adds a problem for each, with the line of the first. `seen` holds where each value stood.
pub(super) fn unique<T: Ord>(
    value: T,
    span: &Span,
    what: &str,
    seen: &mut BTreeMap<T, usize>,
    problems: &mut Problems,
) {
    let first = *seen.entry(value).or_insert(span.start);
    if first != span.start {
        let (line, _) = line_column(&problems.text, first);
        let message = format!("{what} occurs twice, first on line {line}");
        problems.add(SuiteError::at(span, message).label("here again"));
    }
}
