//! What a metric is told, and what it answers.

use crate::{Error, Image, ImageSet};

/// What one image was made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// The case id: the same on every machine.
    pub id: String,
    /// The prompt.
    pub prompt: String,
    /// The negative prompt, where there is one.
    pub negative_prompt: Option<String>,
    /// The seed of the noise.
    pub seed: u64,
    /// Further facts, sorted by name: of how the image was made (`guidance`, `negative_prompt`, `scheduler`, `seed`, `size` such
    /// as `64x64`, `steps`), and those that a prompt generator gave the prompt.
    pub attributes: Vec<(String, String)>,
}

impl Sample {
    /// A sample of this prompt and otherwise empty, for tests.
    #[must_use]
    pub fn new(prompt: impl Into<String>) -> Self {
        Self { prompt: prompt.into(), ..Self::default() }
    }

    /// With one more attribute, in place of one of the same name: `Sample::new("a cat").with_attribute("size", "64x64")`.
    #[must_use]
    pub fn with_attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        self.attributes.retain(|(own, _)| *own != name);
        self.attributes.push((name, value.into()));
        self.attributes.sort();
        self
    }

    /// The attribute of this name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// A number, and the named numbers it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// The score: finite and inside the declared range, or the host makes it an error.
    pub value: f64,
    /// Named parts of it, in the order they were added.
    pub details: Vec<Detail>,
}

impl Score {
    /// A score without details.
    #[must_use]
    pub fn new(value: f64) -> Self {
        Self { value, details: Vec::new() }
    }

    /// Adds a named part. Two of one name are an error of the run.
    #[must_use]
    pub fn detail(mut self, name: impl Into<String>, value: f64) -> Self {
        self.details.push(Detail { name: name.into(), value });
        self
    }
}

impl From<f64> for Score {
    fn from(value: f64) -> Self {
        Self::new(value)
    }
}

/// A named part of a score.
#[derive(Clone, Debug, PartialEq)]
pub struct Detail {
    /// What it is.
    pub name: String,
    /// How much of it.
    pub value: f64,
}

/// Which way a score is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// A bare threshold in a suite is a minimum.
    HigherIsBetter,
    /// A bare threshold is a maximum.
    LowerIsBetter,
    /// A suite has to say `min` or `max`.
    Neither,
}

/// What a plugin says of a metric before it measures anything.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricInfo {
    /// Kebab-case; suites say `plugin/name`.
    pub name: String,
    /// One line.
    pub summary: String,
    /// Which way is better.
    pub direction: Direction,
    /// Closed range that every score lies in; an open end is infinite.
    pub range: Option<(f64, f64)>,
    /// Unit of the score, such as `dB`.
    pub unit: Option<String>,
    /// JSON Schema of the config table; `None` takes no config.
    pub config_schema: Option<String>,
}

/// A family of metrics of one image. [`metrics!`](crate::metrics) implements it for `Metrics`; tests call it.
pub trait MetricPlugin {
    /// All metrics of one image, in the order they were written.
    fn describe() -> Vec<MetricInfo>;

    /// Scores one image with the metric of this name. `config` is JSON text; empty text is an empty table.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] when the config does not fit, [`Error::Other`] for an unknown name, and what the metric says.
    fn measure(name: &str, image: &Image, sample: &Sample, config: &str) -> Result<Score, Error>;
}

/// A family of metrics of an image against its reference. [`metrics!`](crate::metrics) implements it for `PairMetrics`; tests
/// call it.
pub trait PairMetricPlugin {
    /// All pair metrics, in the order they were written.
    fn describe() -> Vec<MetricInfo>;

    /// Scores one image against its reference with the metric of this name; the sample is the image's. The two may differ in
    /// size. `config` is JSON text; empty text is an empty table.
    ///
    /// # Errors
    /// As [`MetricPlugin::measure`].
    fn measure(name: &str, image: &Image, reference: &Image, sample: &Sample, config: &str) -> Result<Score, Error>;
}

/// A family of metrics of a whole set of images. [`metrics!`](crate::metrics) implements it for `SetMetrics`; tests call it.
pub trait SetMetricPlugin {
    /// All set metrics, in the order they were written.
    fn describe() -> Vec<MetricInfo>;

    /// Scores a set, against a reference set where the suite has one, with the metric of this name. Either set may be empty.
    /// `config` is JSON text; empty text is an empty table.
    ///
    /// # Errors
    /// As [`MetricPlugin::measure`].
    fn measure(name: &str, images: &ImageSet, reference: Option<&ImageSet>, config: &str) -> Result<Score, Error>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_sorted_and_given_once() {
        let sample = Sample::new("a cat").with_attribute("steps", "25").with_attribute("size", "64x64");
        let sample = sample.with_attribute("steps", "9");
        let attributes: Vec<_> =
            sample.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(attributes, [("size", "64x64"), ("steps", "9")]);
        assert_eq!((sample.attribute("steps"), sample.attribute("width")), (Some("9"), None));
    }
}
