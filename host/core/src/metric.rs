//! What a metric is, whoever computes it.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;
use crate::image::Image;
use crate::key::{Inputs, Key, Kind};

/// Which way a score is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// A bare threshold is a minimum.
    HigherIsBetter,
    /// A bare threshold is a maximum.
    LowerIsBetter,
    /// A bare threshold is an error: the suite must say `min` or `max`.
    Neither,
}

/// What a metric looks at to give one score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MetricKind {
    /// One image.
    #[default]
    Image,
    /// One image and its reference: a score for each case.
    Pair,
    /// All images of a test: one score for the test.
    Set,
}

/// Everything that is known of a metric before it measures anything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricInfo {
    /// The name suites use: bare for host metrics, `plugin/metric` for a plugin's.
    pub name: String,
    /// One line.
    pub summary: String,
    /// What it looks at.
    #[serde(default)]
    pub kind: MetricKind,
    /// Which way is better.
    pub direction: Direction,
    /// Closed range that every score lies in; a score outside is an error. In JSON an end that is not bounded is `null`.
    #[serde(default, with = "range")]
    #[schemars(with = "Option<(Option<f64>, Option<f64>)>")]
    pub range: Option<(f64, f64)>,
    /// Unit of the score, such as `dB`.
    pub unit: Option<String>,
    /// JSON Schema of the config table; `None` takes no config.
    pub config_schema: Option<Value>,
    /// The exact variant: scores of different variants must not be compared.
    pub variant: String,
    /// Who computes it.
    pub source: MetricSource,
}

/// JSON has no infinity, and a range may be open at an end.
mod range {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(super) fn serialize<S: Serializer>(range: &Option<(f64, f64)>, serializer: S) -> Result<S::Ok, S::Error> {
        let end = |value: f64| value.is_finite().then_some(value);
        range.map(|(least, most)| (end(least), end(most))).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<(f64, f64)>, D::Error> {
        let range = Option::<(Option<f64>, Option<f64>)>::deserialize(deserializer)?;
        Ok(range.map(|(least, most)| (least.unwrap_or(f64::NEG_INFINITY), most.unwrap_or(f64::INFINITY))))
    }
}

/// Who computes a metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum MetricSource {
    /// The difftest binary, with these models.
    Host {
        /// Digests of the model files, `(role, digest)`.
        #[serde(with = "crate::pairs")]
        #[schemars(with = "std::collections::BTreeMap<String, Digest>")]
        models: Vec<(String, Digest)>,
    },
    /// A sandboxed component.
    Plugin(PluginId),
}

/// A plugin, pinned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PluginId {
    /// The name suites use before the slash.
    pub name: String,
    /// Version of the plugin, where its metadata tells.
    pub version: Option<String>,
    /// SHA-256 of the `.wasm` file.
    pub digest: Digest,
    /// Whether scores depend on pixels alone.
    pub class: ReproducibilityClass,
}

/// What a plugin's scores can depend on, computed from its imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReproducibilityClass {
    /// Pixels and log only: bit-identical everywhere.
    Exact,
    /// Asks the host to run models.
    ModelDependent,
}

impl MetricInfo {
    /// Whether its scores are the same bits everywhere. Host metrics run models, so they never are.
    #[must_use]
    pub fn class(&self) -> ReproducibilityClass {
        match &self.source {
            MetricSource::Host { .. } => ReproducibilityClass::ModelDependent,
            MetricSource::Plugin(plugin) => plugin.class,
        }
    }
}

/// What a metric with `config` is, as far as its scores depend on it: `metric/name`, `metric/variant`, `metric/source`,
/// `metric/config`.
#[must_use]
pub fn metric_inputs(info: &MetricInfo, config: &Value) -> Inputs {
    let source = match &info.source {
        MetricSource::Plugin(plugin) => plugin.digest.to_string(),
        MetricSource::Host { models } => {
            let models: Vec<_> = models.iter().map(|(role, digest)| format!("{role}={digest}")).collect();
            format!("host {}", models.join(" "))
        }
    };
    // An empty table and no table are the same config.
    let config = match config {
        Value::Null => "{}".to_owned(),
        config => canonical(config).to_string(),
    };
    Inputs::new()
        .with("metric/name", &info.name)
        .with("metric/source", source)
        .with("metric/variant", &info.variant)
        .with("metric/config", config)
}

/// One name, in hex, for a metric with `config`: scores with different keys must not be compared, neither with a baseline nor in a
/// history. The same as long as the plugin, the models and the config are.
#[must_use]
pub fn metric_key(info: &MetricInfo, config: &Value) -> String {
    /// What is measured, whatever it is measured on.
    enum Measure {}
    impl Kind for Measure {
        const NAME: &'static str = "metric";
    }
    let key: Key<Measure> = metric_inputs(info, config).key();
    key.to_string()
}

/// The same value with the keys of every table sorted, however they were written.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(table) => {
            let sorted: std::collections::BTreeMap<&String, Value> =
                table.iter().map(|(name, value)| (name, canonical(value))).collect();
            sorted.into_iter().map(|(name, value)| (name.clone(), value)).collect()
        }
        Value::Array(values) => values.iter().map(canonical).collect(),
        other => other.clone(),
    }
}

impl fmt::Display for ReproducibilityClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exact => "exact",
            Self::ModelDependent => "model-dependent",
        })
    }
}

/// What one image was made from, as metrics see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The case id: the same on every machine.
    pub id: String,
    /// The prompt.
    pub prompt: String,
    /// The negative prompt, where there is one.
    pub negative_prompt: Option<String>,
    /// The seed.
    pub seed: u64,
    /// Further facts (steps, scheduler, ...), sorted by name.
    pub attributes: Vec<(String, String)>,
}

/// What a metric says of one image. `value` is finite and inside the declared range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Score {
    /// The score.
    pub value: f64,
    /// Named parts of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
    /// What the sandbox spent on it: the same on every machine with the same plugin and wasmtime version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
}

/// A named part of a score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Detail {
    /// What it is.
    pub name: String,
    /// How much of it.
    pub value: f64,
}

/// What a metric is given to score one case.
#[derive(Clone, Debug)]
pub struct Item {
    /// The image.
    pub image: Image,
    /// What it was made from.
    pub sample: Sample,
    /// What it is compared with: always there for a [`MetricKind::Pair`], never looked at by a [`MetricKind::Image`].
    pub reference: Option<Image>,
}

impl Item {
    /// An image without a reference.
    #[must_use]
    pub fn new(image: Image, sample: Sample) -> Self {
        Self { image, sample, reference: None }
    }
}

/// A metric of any kind, ready to measure.
#[derive(Clone)]
pub enum AnyMetric {
    /// Of [`MetricKind::Image`] or [`MetricKind::Pair`].
    Each(Arc<dyn Metric>),
    /// Of [`MetricKind::Set`].
    Set(Arc<dyn SetMetric>),
}

impl AnyMetric {
    /// What it is.
    #[must_use]
    pub fn info(&self) -> &MetricInfo {
        match self {
            Self::Each(metric) => metric.info(),
            Self::Set(metric) => metric.info(),
        }
    }
}

/// A metric that gives each case a score; ready to measure: its plugin loaded, its config checked.
pub trait Metric: Send + Sync {
    /// What it is.
    fn info(&self) -> &MetricInfo;

    /// How many images it likes to see at once. Scores never depend on it.
    fn batch_size(&self) -> usize {
        1
    }

    /// Scores each image: one answer for each item, in order. One failing image does not fail its neighbours.
    fn measure(&self, items: &[Item]) -> Vec<Result<Score, MetricError>>;
}

/// A metric that gives all images of a test one score.
pub trait SetMetric: Send + Sync {
    /// What it is.
    fn info(&self) -> &MetricInfo;

    /// Scores the set; `reference` is what it is compared with, where the suite names that.
    ///
    /// # Errors
    /// When the metric has no score for these images, or an image it asks for cannot be read.
    fn measure(&self, images: &Arc<dyn ImageSet>, reference: Option<&Arc<dyn ImageSet>>) -> Result<Score, MetricError>;
}

/// Images in an order, each read when it is asked for, so that a set of any size fits into memory.
pub trait ImageSet: Send + Sync {
    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The image at `index`, which is less than [`ImageSet::len`].
    ///
    /// # Errors
    /// When it cannot be read, or is not the image any more that the set was made of.
    fn get(&self, index: usize) -> Result<Image, MetricError>;
}

/// Why there is no score. Always an error of the run, never a failed threshold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize, JsonSchema)]
#[error("{message}")]
pub struct MetricError {
    /// A stable word for programs: `fuel`, `memory`, `panic`, `not-finite`, `out-of-range`, ...
    pub kind: String,
    /// What happened, naming the plugin.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn metric_keys_depend_on_everything_that_a_score_does() {
        let plugin = |digest: &[u8]| MetricInfo {
            name: "p/m".to_owned(),
            summary: "whatever".to_owned(),
            kind: MetricKind::Image,
            direction: Direction::HigherIsBetter,
            range: None,
            unit: None,
            config_schema: None,
            variant: format!("sha256:{}", Digest::of(digest)),
            source: MetricSource::Plugin(PluginId {
                name: "p".to_owned(),
                version: None,
                digest: Digest::of(digest),
                class: ReproducibilityClass::Exact,
            }),
        };
        let key = metric_key(&plugin(b"a"), &Value::Null);
        assert_eq!(key.len(), 64);
        assert_eq!(key, metric_key(&MetricInfo { summary: "other".to_owned(), ..plugin(b"a") }, &json!({})));
        assert_ne!(key, metric_key(&plugin(b"b"), &Value::Null));
        assert_ne!(key, metric_key(&MetricInfo { name: "p/n".to_owned(), ..plugin(b"a") }, &Value::Null));
        let configured = |text: &str| metric_key(&plugin(b"a"), &serde_json::from_str(text).unwrap());
        assert_ne!(key, configured(r#"{"x": 1}"#));
        assert_eq!(configured(r#"{"x": 1, "y": {"b": 2, "a": 3}}"#), configured(r#"{"y": {"a": 3, "b": 2}, "x": 1}"#));
    }

    #[test]
    fn an_open_range_survives_json() {
        let info = MetricInfo {
            name: "psnr".to_owned(),
            summary: String::new(),
            kind: MetricKind::Image,
            direction: Direction::HigherIsBetter,
            range: Some((0.0, f64::INFINITY)),
            unit: Some("dB".to_owned()),
            config_schema: None,
            variant: "v1".to_owned(),
            source: MetricSource::Host { models: Vec::new() },
        };
        let text = serde_json::to_string(&info).unwrap();
        assert!(text.contains("[0.0,null]"), "{text}");
        assert_eq!(serde_json::from_str::<MetricInfo>(&text).unwrap(), info);
    }
}
