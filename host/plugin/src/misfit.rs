//! What is wrong with a config, in words of the suite's author: keys and values, not schemas.

use difftest_core::nearest::nearest;
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value;

use crate::text;

/// Everything that `error` says of a config checked against `schema`, one text for each mistake; all of it safe to show.
pub(crate) fn explain(schema: &Value, error: &ValidationError<'_>) -> Vec<String> {
    let at = Key::new(error.instance_path().as_str());
    let given = text::line(&error.instance().to_string(), 100);
    let rule = schema.pointer(error.schema_path().as_str());
    let is = |what: String| vec![text::line(&format!("{} is {given}, {what}", at.subject()), 700)];
    match error.kind() {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let known = known_keys(schema, error.schema_path().as_str());
            unexpected.iter().map(|key| unknown(&at, key, &known)).collect()
        }
        Kind::Required { property } => {
            vec![format!("the key `{}` is missing", at.inner(property.as_str().unwrap_or_default()))]
        }
        Kind::Type { .. } => is(format!("not {}", rule.map(of_type).unwrap_or_default())),
        Kind::Maximum { limit } => is(format!("more than the maximum of {limit}")),
        Kind::Minimum { limit } => is(format!("less than the minimum of {limit}")),
        Kind::ExclusiveMaximum { limit } => is(format!("it must be less than {limit}")),
        Kind::ExclusiveMinimum { limit } => is(format!("it must be more than {limit}")),
        Kind::MaxLength { limit } => is(format!("longer than {limit} characters")),
        Kind::MinLength { limit } => is(format!("shorter than {limit} characters")),
        Kind::MaxItems { limit } => vec![format!("{} has more than {limit} items", at.subject())],
        Kind::MinItems { limit } => vec![format!("{} has fewer than {limit} items", at.subject())],
        Kind::Pattern { pattern } => is(format!("which does not match `{pattern}`")),
        Kind::Enum { .. } => is(one_of(&given, &rule.map(words).unwrap_or_default())),
        Kind::OneOfNotValid { context } | Kind::AnyOf { context } => match rule.and_then(constants) {
            Some(known) => is(one_of(&given, &known)),
            None => alternatives(schema, error, context, &at),
        },
        _ => vec![text::line(&format!("{}: {error}", at.subject()), 700)],
    }
}

/// Where only one alternative is meant for such a value (an optional table is "a table or nothing"), its own complaints.
fn alternatives(
    schema: &Value,
    error: &ValidationError<'_>,
    context: &[Vec<ValidationError<'static>>],
    at: &Key<'_>,
) -> Vec<String> {
    let path = error.instance_path();
    let wrong_type = |error: &ValidationError<'_>| {
        matches!(error.kind(), Kind::Type { .. }) && error.instance_path().as_str() == path.as_str()
    };
    let mut meant = context.iter().filter(|errors| !errors.iter().any(wrong_type));
    match (meant.next(), meant.next()) {
        (Some(errors), None) => errors.iter().flat_map(|error| explain(schema, error)).collect(),
        _ => {
            let given = text::line(&error.instance().to_string(), 100);
            vec![format!("{} is {given}, which is none of the things that it may be", at.subject())]
        }
    }
}

/// Where in a config something is.
struct Key<'a>(&'a str);

impl<'a> Key<'a> {
    /// From a JSON pointer.
    fn new(pointer: &'a str) -> Self {
        Self(pointer.trim_start_matches('/'))
    }

    /// The place as the beginning of a sentence.
    fn subject(&self) -> String {
        if self.0.is_empty() { "it".to_owned() } else { format!("`{}`", text::line(&self.dotted(), 200)) }
    }

    /// A key of the table at this place.
    fn inner(&self, key: &str) -> String {
        let whole = if self.0.is_empty() { key.to_owned() } else { format!("{}.{key}", self.dotted()) };
        text::line(&whole, 200)
    }

    fn dotted(&self) -> String {
        self.0.replace('/', ".").replace("~1", "/").replace("~0", "~")
    }
}

fn unknown(at: &Key<'_>, key: &str, known: &[String]) -> String {
    let asked = format!("unknown key `{}`", at.inner(key));
    let near =
        nearest(key, known.iter().map(String::as_str)).map(|near| format!("; did you mean `{}`?", at.inner(near)));
    if known.is_empty() {
        return asked;
    }
    let known = text::line(&known.join(", "), 400);
    // a question mark ends its sentence
    near.map_or_else(|| format!("{asked}; known keys: {known}"), |near| format!("{asked}{near} known keys: {known}"))
}

/// The keys of the table that the rule at `rule` (a pointer to its `additionalProperties`) belongs to.
fn known_keys(schema: &Value, rule: &str) -> Vec<String> {
    let table = rule.rsplit_once('/').and_then(|(table, _)| schema.pointer(table)).unwrap_or(schema);
    let keys = table.get("properties").and_then(Value::as_object).map(|keys| keys.keys().cloned().collect());
    keys.unwrap_or_default()
}

/// The constants of a list of alternatives, where each is one: how an `enum` with documented variants looks as a schema.
fn constants(alternatives: &Value) -> Option<Vec<String>> {
    alternatives.as_array()?.iter().map(|one| Some(one.as_object()?.get("const")?.to_string())).collect()
}

fn words(options: &Value) -> Vec<String> {
    options.as_array().into_iter().flatten().map(Value::to_string).collect()
}

fn one_of(given: &str, known: &[String]) -> String {
    let near = nearest(given, known.iter().map(String::as_str))
        .map(|near| format!("; did you mean {near}?"))
        .unwrap_or_default();
    format!("not one of {}{near}", known.join(", "))
}

/// A JSON Schema `type` in the words of TOML, which has no null.
fn of_type(types: &Value) -> String {
    let word = |name: &str| match name {
        "integer" => "a whole number".to_owned(),
        "number" => "a number".to_owned(),
        "string" => "a string".to_owned(),
        "boolean" => "true or false".to_owned(),
        "array" => "an array".to_owned(),
        "object" => "a table".to_owned(),
        other => other.to_owned(),
    };
    match types {
        Value::Array(types) => {
            let names = types.iter().filter_map(Value::as_str).filter(|name| *name != "null").map(word);
            names.collect::<Vec<_>>().join(" or ")
        }
        one => word(one.as_str().unwrap_or_default()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    /// A schema as the SDK writes them: nested tables by reference, options by `null`, and both kinds of enums.
    fn says(config: &Value) -> Vec<String> {
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["mode"],
            "properties": {
                "above": { "type": "integer", "minimum": 0, "maximum": 255 },
                "share": { "type": ["number", "null"] },
                "places": { "type": "array", "items": { "type": "string" }, "minItems": 1 },
                "mode": { "$ref": "#/$defs/Mode" },
                "plain": { "enum": ["sobel", "canny"] },
                "inner": { "anyOf": [{ "$ref": "#/$defs/Inner" }, { "type": "null" }] },
            },
            "$defs": {
                "Mode": { "oneOf": [{ "const": "fast", "description": "Quick." }, { "const": "exact" }] },
                "Inner": {
                    "type": "object", "additionalProperties": false,
                    "properties": { "radius": { "type": "number", "exclusiveMinimum": 0 }, "a/b": { "type": "boolean" } },
                },
            },
        });
        let validator = jsonschema::validator_for(&schema).unwrap();
        validator.iter_errors(config).flat_map(|error| explain(&schema, &error)).collect()
    }

    #[test]
    fn mistakes_are_told_in_words() {
        for (config, wanted) in [
            (
                json!({ "mode": "fast", "abov": 1 }),
                "unknown key `abov`; did you mean `above`? known keys: above, share, places, mode, plain, inner",
            ),
            (
                json!({ "mode": "fast", "zzz": 1 }),
                "unknown key `zzz`; known keys: above, share, places, mode, plain, inner",
            ),
            (json!({ "mode": "fast", "above": 900 }), "`above` is 900, more than the maximum of 255"),
            (json!({ "mode": "fast", "above": -1 }), "`above` is -1, less than the minimum of 0"),
            (json!({ "mode": "fast", "above": "high" }), "`above` is \"high\", not a whole number"),
            (json!({ "mode": "fast", "share": "1" }), "`share` is \"1\", not a number"),
            (json!({ "mode": "fast", "places": ["x", 1] }), "`places.1` is 1, not a string"),
            (json!({ "mode": "fast", "places": [] }), "`places` has fewer than 1 items"),
            (json!({}), "the key `mode` is missing"),
            (
                json!({ "mode": "exakt" }),
                "`mode` is \"exakt\", not one of \"fast\", \"exact\"; did you mean \"exact\"?",
            ),
            (json!({ "mode": "zzz" }), "`mode` is \"zzz\", not one of \"fast\", \"exact\""),
            (
                json!({ "mode": "fast", "plain": "soble" }),
                "`plain` is \"soble\", not one of \"sobel\", \"canny\"; did you mean \"sobel\"?",
            ),
            (
                json!({ "mode": "fast", "inner": { "radios": 1 } }),
                "unknown key `inner.radios`; did you mean `inner.radius`? known keys: radius, a/b",
            ),
            (json!({ "mode": "fast", "inner": { "radius": 0 } }), "`inner.radius` is 0, it must be more than 0"),
            (json!({ "mode": "fast", "inner": { "a/b": 0 } }), "`inner.a/b` is 0, not true or false"),
            (json!({ "mode": "fast", "inner": 3 }), "`inner` is 3, which is none of the things that it may be"),
            (json!(3), "it is 3, not a table"),
        ] {
            assert_eq!(says(&config), [wanted], "{config}");
        }
        assert_eq!(says(&json!({ "mode": "fast", "a": 1, "b": 2 })).len(), 2, "every unknown key");
        assert!(says(&json!({ "mode": "fast", "\u{1b}[31m": 1 }))[0].starts_with("unknown key `\\u{1b}[31m`"));
    }
}
