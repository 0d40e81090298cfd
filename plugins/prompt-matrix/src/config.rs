//! The config table of the generator.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

/// A template, lists of values, and how many of their combinations to take.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct Config {
    /// Text with `{variables}`; `{{` and `}}` are braces. Several templates: a list.
    pub template: OneOrMany,
    /// Template of a negative prompt for every prompt; it may use the same variables.
    #[serde(default)]
    pub negative: Option<String>,
    /// Values by variable, for names that are also keys of this table. Other variables may stand beside `template`.
    #[serde(default)]
    pub variables: BTreeMap<String, Vec<Value>>,
    /// At most this many combinations, drawn by the seed without repeats. Without it: all of them, in order.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub sample: Option<u32>,
    /// Every other key is a variable with the list of its values.
    #[serde(flatten)]
    pub inline: BTreeMap<String, Vec<Value>>,
}

/// One template or several.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several; each id begins with its template.
    Many(Vec<String>),
}

/// A value of a variable.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Value {
    /// As it is.
    Text(String),
    /// In decimal.
    Integer(i64),
    /// In the shortest decimal form that reads back as the same number.
    Number(f64),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}
