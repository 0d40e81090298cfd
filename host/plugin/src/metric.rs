//! A plugin's metric, as every other part of difftest sees it.

use std::collections::HashSet;
use std::sync::Arc;

use difftest_core::image::Image;
use difftest_core::metric::{Detail, Metric, MetricError, MetricInfo, MetricSource, Sample, Score};
use serde_json::Value;

use crate::bindings::{MetricPluginPre, types};
use crate::failure::Place;
use crate::imports::media::HostImage;
use crate::plugin::Plugin;
use crate::state::State;
use crate::{schema, text};

/// One metric of a loaded plugin with its checked config. Each image is measured in a store of its own, so scores and fuel do
/// not depend on what was measured before, on which thread, or in which order.
pub struct PluginMetric {
    plugin: Arc<Plugin>,
    pre: MetricPluginPre<State>,
    /// The name without the plugin's.
    name: String,
    info: MetricInfo,
    config: String,
}

impl PluginMetric {
    /// The metric `name` of `plugin`, or `None` where it has no such.
    pub(crate) fn new(plugin: &Arc<Plugin>, name: &str, config: &Value) -> Option<Result<Self, MetricError>> {
        let pre = plugin.metric.clone()?;
        let metric = plugin.metrics.iter().find(|metric| metric.name == name)?;
        let place = Place { plugin: &plugin.id.name, of: Some(name), sample: None };
        Some(schema::check(metric.schema.as_ref(), config, &place).map(|config| Self {
            plugin: plugin.clone(),
            pre,
            name: name.to_owned(),
            info: info(plugin, metric),
            config,
        }))
    }

    fn one(&self, image: &Image, sample: &Sample) -> Result<Score, MetricError> {
        let place = Place { plugin: &self.plugin.id.name, of: Some(&self.name), sample: Some(&sample.id) };
        let given = types::Sample {
            id: sample.id.clone(),
            prompt: sample.prompt.clone(),
            negative_prompt: sample.negative_prompt.clone(),
            seed: sample.seed,
            attributes: sample.attributes.clone(),
        };
        let (answer, fuel) = self.plugin.sandbox.call(&place, |store| {
            let image = store.data_mut().insert(HostImage::of_case(image.clone()))?;
            let plugin = self.pre.instantiate(&mut *store)?;
            plugin.difftest_plugin_metric().call_measure(&mut *store, &self.name, image, &given, &self.config)
        })?;
        let score = answer.map_err(|error| said(&error, &place))?;
        self.believe(score, fuel, &place)
    }

    /// Checks what the plugin answered.
    fn believe(&self, score: types::Score, fuel: u64, place: &Place<'_>) -> Result<Score, MetricError> {
        let value = score.value;
        if !value.is_finite() {
            let hint = "return an error for images that have no score";
            return Err(place.error("not-finite", format!("its score is {value}, not a number"), Some(hint.into())));
        }
        if let Some((low, high)) = self.info.range
            && !(low..=high).contains(&value)
        {
            let range = match (low.is_finite(), high.is_finite()) {
                (true, false) => format!("below {low}, where the range that it declares begins"),
                (false, true) => format!("above {high}, where the range that it declares ends"),
                _ => format!("outside the range {low} to {high} that it declares"),
            };
            let what = format!("its score is {value}, {range}");
            return Err(place.error(
                "out-of-range",
                what,
                Some("clamp the score, or declare the range it really has".into()),
            ));
        }
        let most = self.plugin.sandbox.limits.details;
        if score.details.len() > most {
            let what = format!("its score has {} details, {most} is the most", score.details.len());
            return Err(place.error("output", what, None));
        }
        let mut seen = HashSet::new();
        let details = score.details.into_iter().map(|detail| {
            let name = text::line(&detail.name, 100);
            if !detail.value.is_finite() {
                let what = format!("the detail `{name}` of its score is {}, not a number", detail.value);
                return Err(place.error("not-finite", what, Some("leave out details that have no value".into())));
            }
            if !seen.insert(name.clone()) {
                let what = format!("two details of its score are called `{name}`");
                return Err(place.error("output", what, Some("give each detail a name of its own".into())));
            }
            Ok(Detail { name, value: detail.value })
        });
        Ok(Score { value, details: details.collect::<Result<_, _>>()?, fuel: Some(fuel) })
    }
}

impl Metric for PluginMetric {
    fn info(&self) -> &MetricInfo {
        &self.info
    }

    fn measure(&self, items: &[(Image, Sample)]) -> Vec<Result<Score, MetricError>> {
        items.iter().map(|(image, sample)| self.one(image, sample)).collect()
    }
}

/// What a metric of `plugin` is.
pub(crate) fn info(plugin: &Plugin, metric: &crate::describe::Metric) -> MetricInfo {
    MetricInfo {
        name: format!("{}/{}", plugin.id.name, metric.name),
        summary: metric.summary.clone(),
        direction: metric.direction,
        range: metric.range,
        unit: metric.unit.clone(),
        config_schema: metric.schema.as_ref().map(|schema| schema.value.clone()),
        variant: format!("sha256:{}", plugin.id.digest),
        source: MetricSource::Plugin(plugin.id.clone()),
    }
}

/// An error that the plugin itself reported, which is an error of the run all the same.
pub(crate) fn said(error: &types::Error, place: &Place<'_>) -> MetricError {
    let (kind, said) = match error {
        types::Error::InvalidConfig(said) => ("invalid-config", said),
        types::Error::UnsupportedInput(said) => ("unsupported-input", said),
        types::Error::ModelNotFound(said) => ("model-not-found", said),
        types::Error::Other(said) => ("plugin-error", said),
    };
    let said = text::line(said.trim(), 1_000);
    place.error(kind, if said.is_empty() { "it gave no reason" } else { &said }, None)
}
