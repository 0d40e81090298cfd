//! Metrics that give all images of a test one score.

use std::sync::Arc;

use difftest_core::metric::{ImageSet, MetricError, MetricInfo, Score, SetMetric};

use super::{Wanted, answer};
use crate::bindings::SetMetricPluginPre;
use crate::imports::set::HostImageSet;
use crate::plugin::About;
use crate::state::State;

/// Scores sets of images, each in a store of its own. Images are read when the plugin asks for them.
pub(super) struct PluginSet {
    wanted: Wanted,
    pre: SetMetricPluginPre<State>,
}

impl PluginSet {
    pub(super) fn new(wanted: Wanted, pre: SetMetricPluginPre<State>) -> Self {
        Self { wanted, pre }
    }
}

impl SetMetric for PluginSet {
    fn info(&self) -> &MetricInfo {
        &self.wanted.info
    }

    fn measure(&self, images: &Arc<dyn ImageSet>, reference: Option<&Arc<dyn ImageSet>>) -> Result<Score, MetricError> {
        let Wanted { plugin, name, info, config, models } = &self.wanted;
        let place = self.wanted.place(None);
        let count = images.len().saturating_add(reference.map_or(0, |reference| reference.len()));
        let grant = plugin.grant(About::Images(count), models.as_ref());
        let (answer, fuel) = plugin.sandbox.call(&place, grant, |store| {
            let images = store.data_mut().insert(HostImageSet::measured(images))?;
            let reference = reference.map(|set| store.data_mut().insert(HostImageSet::reference(set))).transpose()?;
            let instance = self.pre.instantiate(&mut *store)?;
            instance.difftest_plugin_set_metric().call_measure(&mut *store, name, images, reference, config)
        })?;
        let score = answer.map_err(|error| answer::said(&error, &place))?;
        answer::believe(score, fuel, info, plugin.sandbox.limits.details, &place)
    }
}
