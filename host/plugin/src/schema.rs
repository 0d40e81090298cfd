//! JSON Schemas that plugins bring, and configs checked against them.
//!
//! A schema is a small program that the host runs, so it is bounded: its size; the number of parts after every reference is
//! followed (which also refuses recursion and "billion laughs"); regular expressions without backtracking; no reference that
//! leaves the schema.

use difftest_core::metric::MetricError;
use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use crate::failure::Place;
use crate::{misfit, text};

/// Parts of a schema, each reference counted as often as it is used.
const MAX_PARTS: u32 = 10_000;
/// Nesting after references are followed.
const MAX_DEPTH: u32 = 64;
/// Bytes of one compiled regular expression.
const MAX_REGEX: usize = 1 << 20;

/// A schema that was found sound.
pub(crate) struct Schema {
    /// As the plugin gave it.
    pub(crate) value: Value,
    validator: Validator,
}

impl Schema {
    /// Parses and compiles `text`, or says what is wrong with it.
    pub(crate) fn parse(text: &str, max_bytes: usize) -> Result<Self, String> {
        if text.len() > max_bytes {
            return Err(format!("it is {} bytes long, {max_bytes} is the most", text.len()));
        }
        let value: Value = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
        measure(&value, &value, 0, &mut 0)?;
        let validator = jsonschema::options()
            .with_pattern_options(PatternOptions::regex().size_limit(MAX_REGEX).dfa_size_limit(MAX_REGEX))
            .build(&value)
            .map_err(|error| format!("it is not a JSON Schema: {}", text::line(&error.to_string(), 300)))?;
        Ok(Self { value, validator })
    }
}

/// Counts the parts of `part`, following references into `root`.
fn measure(root: &Value, part: &Value, depth: u32, parts: &mut u32) -> Result<(), String> {
    *parts += 1;
    if depth > MAX_DEPTH {
        return Err("it is recursive, or nested too deep".to_owned());
    }
    if *parts > MAX_PARTS {
        return Err(format!("it has more than {MAX_PARTS} parts once its references are followed"));
    }
    match part {
        Value::Object(map) => {
            for (key, inner) in map {
                match (key.as_str(), inner) {
                    ("$ref", Value::String(target)) => {
                        let pointer =
                            target.strip_prefix('#').filter(|pointer| pointer.is_empty() || pointer.starts_with('/'));
                        let target = pointer.and_then(|pointer| root.pointer(pointer)).ok_or_else(|| {
                            format!("its reference `{}` leads nowhere in it", text::line(target, 100))
                        })?;
                        measure(root, target, depth + 1, parts)?;
                    }
                    ("$dynamicRef" | "$recursiveRef", Value::String(_)) => {
                        return Err(format!("`{key}` is not supported here"));
                    }
                    _ => measure(root, inner, depth + 1, parts)?,
                }
            }
            Ok(())
        }
        Value::Array(items) => items.iter().try_for_each(|item| measure(root, item, depth + 1, parts)),
        _ => Ok(()),
    }
}

/// Checks `config` (`null` means the empty table) and writes it as plugins get it: JSON with sorted keys, so that the order
/// in a suite file cannot change a score.
pub(crate) fn check(schema: Option<&Schema>, config: &Value, place: &Place<'_>) -> Result<String, MetricError> {
    let config = if config.is_null() { Value::Object(serde_json::Map::new()) } else { config.clone() };
    match schema {
        None if config.as_object().is_some_and(serde_json::Map::is_empty) => {}
        None => {
            let given =
                config.as_object().map(|map| map.keys().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", "));
            let what = format!("it takes no config, but was given {}", given.unwrap_or_else(|| config.to_string()));
            return Err(place.config_error(&text::line(&what, 600), "remove the config"));
        }
        Some(schema) => {
            let mut wrong: Vec<_> = schema
                .validator
                .iter_errors(&config)
                .take(3)
                .flat_map(|error| misfit::explain(&schema.value, &error))
                .collect();
            wrong.truncate(3);
            if !wrong.is_empty() {
                let hint = format!("`difftest plugin inspect {}` shows what the config may hold", place.plugin);
                return Err(place.config_error(&wrong.join("; "), &hint));
            }
        }
    }
    Ok(sorted(config).to_string())
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    const PLACE: Place<'_> = Place { plugin: "p", of: Some("m"), sample: None };

    fn parse(schema: &Value) -> Result<Schema, String> {
        Schema::parse(&schema.to_string(), 64 << 10)
    }

    #[test]
    fn configs_are_checked_with_their_path() {
        let schema = parse(&json!({
            "type": "object", "additionalProperties": false, "required": ["a"],
            "properties": { "a": { "$ref": "#/$defs/small" }, "list": { "items": { "type": "string" } } },
            "$defs": { "small": { "type": "integer", "maximum": 3 } },
        }))
        .unwrap();
        assert_eq!(check(Some(&schema), &json!({ "list": ["x"], "a": 2 }), &PLACE).unwrap(), r#"{"a":2,"list":["x"]}"#);
        let says = |config: Value| {
            let error = check(Some(&schema), &config, &PLACE).unwrap_err();
            assert_eq!(error.kind, "invalid-config");
            error.message
        };
        assert_eq!(says(json!({ "a": 4 })), "config of `p/m`: `a` is 4, more than the maximum of 3");
        assert_eq!(says(json!({ "a": 1, "list": [1] })), "config of `p/m`: `list.0` is 1, not a string");
        assert_eq!(
            says(json!({ "a": 1, "lst": 1 })),
            "config of `p/m`: unknown key `lst`; did you mean `list`? known keys: a, list"
        );
        assert_eq!(says(Value::Null), "config of `p/m`: the key `a` is missing");
    }

    #[test]
    fn no_schema_means_no_config() {
        assert_eq!(check(None, &Value::Null, &PLACE).unwrap(), "{}");
        assert_eq!(check(None, &json!({}), &PLACE).unwrap(), "{}");
        assert!(check(None, &json!({ "size": 1 }), &PLACE).unwrap_err().message.contains("was given `size`"));
    }

    #[test]
    fn key_order_does_not_matter() {
        assert_eq!(sorted(json!({ "b": [{ "z": 1, "y": 2 }], "a": 1 })).to_string(), r#"{"a":1,"b":[{"y":2,"z":1}]}"#);
    }

    #[test]
    fn hostile_schemas_are_refused() {
        let laughs: serde_json::Map<_, _> = (0..15)
            .map(|i| {
                let next = json!({ "$ref": format!("#/$defs/l{}", i + 1) });
                (format!("l{i}"), json!({ "allOf": [next, next] }))
            })
            .chain([("l15".to_owned(), json!({}))])
            .collect();
        for (schema, says) in [
            (json!({ "$ref": "#" }), "recursive"),
            (json!({ "allOf": [{ "$ref": "#" }] }), "recursive"),
            (json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/a" } } }), "recursive"),
            (json!({ "$ref": "#/$defs/l0", "$defs": laughs }), "10000 parts"),
            (json!({ "$ref": "https://example.org/schema.json" }), "leads nowhere"),
            (json!({ "$ref": "#/$defs/none" }), "leads nowhere"),
            (json!({ "properties": { "$defs": { "$ref": "#/properties/$defs" } } }), "recursive"),
            (json!({ "$dynamicRef": "#a" }), "not supported"),
            (json!({ "type": "objekt" }), "not a JSON Schema"),
            (json!({ "type": "string", "pattern": "(a" }), "not a JSON Schema"),
            (json!({ "type": "string", "pattern": "((((a{100}){100}){100}){100})" }), "not a JSON Schema"),
            (json!(7), "not a JSON Schema"),
        ] {
            let error = parse(&schema).err().unwrap_or_else(|| panic!("{schema} was taken"));
            assert!(error.contains(says), "{schema}: {error}");
        }
        assert!(Schema::parse("{", 10).err().unwrap().contains("not JSON"));
        assert!(Schema::parse(&" ".repeat(11), 10).err().unwrap().contains("11 bytes"));
    }

    #[test]
    fn patterns_cost_linear_time() {
        let schema = parse(&json!({ "properties": { "a": { "pattern": "^(a+)+$" } } })).unwrap();
        let before = std::time::Instant::now();
        assert!(check(Some(&schema), &json!({ "a": "a".repeat(50_000) + "b" }), &PLACE).is_err());
        assert!(before.elapsed().as_secs() < 5);
    }
}
