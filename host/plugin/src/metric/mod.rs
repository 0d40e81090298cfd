//! A plugin's metrics, as every other part of difftest sees them.
//!
//! | module | holds |
//! |---|---|
//! | [`each`] | metrics that score a case: its image, or its image and a reference |
//! | [`set`] | metrics that score all images of a test |
//! | [`answer`] | what a plugin answers, checked before it is believed |

mod answer;
mod each;
mod set;

use std::sync::Arc;

use difftest_core::metric::{AnyMetric, MetricError, MetricInfo, MetricKind, MetricSource, ReproducibilityClass};
use difftest_core::model::Models;
use serde_json::Value;

pub(crate) use self::answer::said;
use self::each::EachMetric;
use self::set::PluginSet;
use crate::describe::Metric;
use crate::failure::Place;
use crate::plugin::Plugin;
use crate::schema;

/// What metrics of all kinds are made of: one metric of a loaded plugin with its checked config.
struct Wanted {
    plugin: Arc<Plugin>,
    /// The name without the plugin's.
    name: String,
    info: MetricInfo,
    config: String,
    models: Option<Arc<dyn Models>>,
}

impl Wanted {
    fn place<'a>(&'a self, sample: Option<&'a str>) -> Place<'a> {
        Place { plugin: &self.plugin.id.name, of: Some(&self.name), sample }
    }
}

/// The metric `name` of `plugin`, or `None` where it has no such.
pub(crate) fn open(
    plugin: &Arc<Plugin>,
    name: &str,
    config: &Value,
    models: Option<&Arc<dyn Models>>,
) -> Option<Result<AnyMetric, MetricError>> {
    let metric = plugin.metrics.iter().find(|metric| metric.name == name)?;
    let place = Place { plugin: &plugin.id.name, of: Some(name), sample: None };
    let config = match schema::check(metric.schema.as_ref(), config, &place) {
        Ok(config) => config,
        Err(error) => return Some(Err(error)),
    };
    let wanted = Wanted {
        plugin: plugin.clone(),
        name: name.to_owned(),
        info: info(plugin, metric, models),
        config,
        models: models.cloned(),
    };
    let calls = &plugin.calls;
    Some(Ok(match metric.kind {
        MetricKind::Image => AnyMetric::Each(Arc::new(EachMetric::image(wanted, calls.metric.clone()?))),
        MetricKind::Pair => AnyMetric::Each(Arc::new(EachMetric::pair(wanted, calls.pair.clone()?))),
        MetricKind::Set => AnyMetric::Set(Arc::new(PluginSet::new(wanted, calls.set.clone()?))),
    }))
}

/// What a metric of `plugin` is. The variant of one that may ask models has the digest of every declared one, because any of
/// them may have been asked.
pub(crate) fn info(plugin: &Plugin, metric: &Metric, models: Option<&Arc<dyn Models>>) -> MetricInfo {
    let mut variant = format!("sha256:{}", plugin.id.digest);
    if plugin.id.class == ReproducibilityClass::ModelDependent {
        for (name, digest) in models.map(|models| models.declared()).unwrap_or_default() {
            variant += &format!(";{name}={digest}");
        }
    }
    MetricInfo {
        name: format!("{}/{}", plugin.id.name, metric.name),
        summary: metric.summary.clone(),
        kind: metric.kind,
        direction: metric.direction,
        range: metric.range,
        unit: metric.unit.clone(),
        config_schema: metric.schema.as_ref().map(|schema| schema.value.clone()),
        variant,
        source: MetricSource::Plugin(plugin.id.clone()),
    }
}
