//! Metrics that give each case a score.

use difftest_core::image::Image;
use difftest_core::metric::{Item, Metric, MetricError, MetricInfo, Sample, Score};

use super::{Wanted, answer};
use crate::bindings::{MetricPluginPre, PairMetricPluginPre, types};
use crate::imports::media::HostImage;
use crate::plugin::About;
use crate::state::State;
use crate::text;

/// Scores images, or images beside their references. Each is measured in a store of its own, so scores and fuel do not depend on
/// what was measured before, on which thread, or in which order.
pub(super) struct EachMetric {
    wanted: Wanted,
    call: Call,
}

/// The interface that is called.
enum Call {
    Image(MetricPluginPre<State>),
    Pair(PairMetricPluginPre<State>),
}

impl EachMetric {
    pub(super) fn image(wanted: Wanted, pre: MetricPluginPre<State>) -> Self {
        Self { wanted, call: Call::Image(pre) }
    }

    pub(super) fn pair(wanted: Wanted, pre: PairMetricPluginPre<State>) -> Self {
        Self { wanted, call: Call::Pair(pre) }
    }

    fn one(&self, item: &Item) -> Result<Score, MetricError> {
        let Wanted { plugin, name, info, config, models } = &self.wanted;
        let place = self.wanted.place(Some(&item.sample.id));
        let given = given(&item.sample);
        let pixels = |image: &Image| u64::from(image.width()) * u64::from(image.height());
        let compared = item.reference.as_ref().filter(|_| matches!(self.call, Call::Pair(_)));
        let about = About::Pixels(pixels(&item.image) + compared.map_or(0, pixels));
        let grant = plugin.grant(about, models.as_ref());
        let put = |image: &Image| HostImage::of_case(image.clone());
        let (answer, fuel) = match &self.call {
            Call::Image(pre) => plugin.sandbox.call(&place, grant, |store| {
                let image = store.data_mut().insert(put(&item.image))?;
                let instance = pre.instantiate(&mut *store)?;
                instance.difftest_plugin_metric().call_measure(&mut *store, name, image, &given, config)
            })?,
            Call::Pair(pre) => {
                let Some(reference) = &item.reference else { return Err(no_reference(&info.name, &item.sample.id)) };
                plugin.sandbox.call(&place, grant, |store| {
                    let image = store.data_mut().insert(put(&item.image))?;
                    let reference = store.data_mut().insert(put(reference))?;
                    let instance = pre.instantiate(&mut *store)?;
                    let pair = instance.difftest_plugin_pair_metric();
                    pair.call_measure(&mut *store, name, image, reference, &given, config)
                })?
            }
        };
        let score = answer.map_err(|error| answer::said(&error, &place))?;
        answer::believe(score, fuel, info, plugin.sandbox.limits.details, &place)
    }
}

/// Whoever asks for a pair has to give both; not the plugin's failure.
fn no_reference(metric: &str, case: &str) -> MetricError {
    let case = text::line(case, 200);
    MetricError {
        kind: "no-reference".to_owned(),
        message: format!("`{metric}` compares an image with its reference, and the case `{case}` has none"),
        hint: Some("say what the test compares with: `reference = \"FOLDER\"`".to_owned()),
    }
}

fn given(sample: &Sample) -> types::Sample {
    types::Sample {
        id: sample.id.clone(),
        prompt: sample.prompt.clone(),
        negative_prompt: sample.negative_prompt.clone(),
        seed: sample.seed,
        attributes: sample.attributes.clone(),
    }
}

impl Metric for EachMetric {
    fn info(&self) -> &MetricInfo {
        &self.wanted.info
    }

    fn measure(&self, items: &[Item]) -> Vec<Result<Score, MetricError>> {
        items.iter().map(|item| self.one(item)).collect()
    }
}
