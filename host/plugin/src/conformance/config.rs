//! Whether wrong configs are refused by the schema, before the plugin is called: a suite's slip of the pen must not become a score.

use difftest_core::metric::MetricError;
use serde_json::{Map, Value, json};

use super::{Outcome, said};

/// Why a metric or a generator could not be looked at.
pub(super) const NEEDS_CONFIG: &str =
    "needs a config: add a case with `config = {..}` to tests/*.toml, or give a folder of cases with --cases";

/// No author chooses this name for a key.
const UNKNOWN: &str = "no-such-key-of-difftest";

/// Tries configs that must be refused. `base` is one that is taken; `accepts` asks the host.
pub(super) fn run(
    schema: Option<&Value>,
    base: Option<&Value>,
    accepts: &dyn Fn(&Value) -> Result<(), MetricError>,
    tell: &mut dyn FnMut(String, Outcome),
) {
    let mut base = match base.and_then(Value::as_object) {
        Some(base) => base.clone(),
        None if schema.is_none() => Map::new(),
        None => {
            tell("refuses wrong configs".into(), Outcome::skipped(NEEDS_CONFIG));
            return;
        }
    };
    if schema.is_some_and(describes_any_key) {
        tell(
            "refuses an unknown key".into(),
            Outcome::passed("none is unknown: its schema says what a key of any name holds"),
        );
    } else {
        base.insert(UNKNOWN.into(), json!(1));
        tell("refuses an unknown key".into(), unknown(accepts(&Value::Object(base.clone()))));
        base.remove(UNKNOWN);
    }
    let keys = schema.map(keys).unwrap_or_default();
    for key in keys {
        let outcome = wrong_type(&base, &key, accepts);
        tell(format!("refuses a wrong type of `{key}`"), outcome);
    }
}

fn unknown(answer: Result<(), MetricError>) -> Outcome {
    match answer {
        Err(error) if error.kind == "invalid-config" => Outcome::passed(said(&error)),
        Err(error) => Outcome::failed(said(&error), error.hint),
        Ok(()) => Outcome::failed(
            "a key that it does not know is taken, so a misspelt one would be passed over in silence",
            Some("say `\"additionalProperties\": false` in its JSON Schema".into()),
        ),
    }
}

/// Whether keys of any name are wanted, and their values described.
fn describes_any_key(schema: &Value) -> bool {
    let described = |value: &Value| value.as_object().is_some_and(|schema| !schema.is_empty());
    schema.get("additionalProperties").is_some_and(described)
}

/// The keys that a schema knows at its top.
fn keys(schema: &Value) -> Vec<String> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.map(|properties| properties.keys().cloned().collect()).unwrap_or_default()
}

/// Whether a value of at least one JSON type is refused.
fn wrong_type(base: &Map<String, Value>, key: &str, accepts: &dyn Fn(&Value) -> Result<(), MetricError>) -> Outcome {
    let values = [json!({ "x": [] }), json!([[]]), json!(true), json!("\u{1}"), json!(-1e300)];
    for value in values {
        let mut config = base.clone();
        config.insert(key.to_owned(), value);
        if let Err(error) = accepts(&Value::Object(config)) {
            return match error.kind.as_str() {
                "invalid-config" => Outcome::passed(said(&error)),
                _ => Outcome::failed(said(&error), error.hint),
            };
        }
    }
    Outcome::failed(
        "tables, lists, truth values, texts and numbers are all taken",
        Some(format!("give `{key}` a `type` in its JSON Schema")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(schema: &Value, base: Option<&Value>) -> Vec<(String, Outcome)> {
        let checked = crate::schema::Schema::parse(&schema.to_string(), 1 << 16).map_err(|why| panic!("{why}"));
        let place = crate::failure::Place { plugin: "p", of: Some("m"), sample: None };
        let accepts = |config: &Value| crate::schema::check(checked.as_ref().ok(), config, &place).map(drop);
        let mut found = Vec::new();
        run(Some(schema), base, &accepts, &mut |what, outcome| found.push((what, outcome)));
        found
    }

    #[test]
    fn a_closed_and_typed_schema_passes() {
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["a"],
            "properties": { "a": { "type": "integer" }, "b": { "type": ["string", "null"] } },
        });
        let found = outcomes(&schema, Some(&json!({ "a": 1 })));
        assert_eq!(found.len(), 3);
        assert!(found.iter().all(|(_, outcome)| matches!(outcome, Outcome::Passed { .. })), "{found:?}");
        let found = outcomes(&schema, None);
        assert!(matches!(&found[..], [(_, Outcome::Skipped { .. })]), "{found:?}");
    }

    #[test]
    fn an_open_or_untyped_schema_fails() {
        let schema = json!({ "type": "object", "properties": { "a": {}, "b": { "type": "number" } } });
        let found = outcomes(&schema, Some(&json!({})));
        let failed: Vec<_> = found.iter().filter(|(_, outcome)| outcome.is_failed()).map(|(what, _)| what).collect();
        assert_eq!(failed, ["refuses an unknown key", "refuses a wrong type of `a`"]);
    }
}
