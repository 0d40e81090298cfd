//! The interfaces that a component exports, found once and ready to be called.

use difftest_core::metric::MetricKind;
use wasmtime::Store;
use wasmtime::component::InstancePre;

use crate::bindings::{MetricPluginPre, PairMetricPluginPre, PromptPluginPre, SetMetricPluginPre, generated, types};
use crate::policy::Abilities;
use crate::state::State;

/// Each holds the linked component, so making an instance from it takes microseconds.
pub(crate) struct Calls {
    pub(crate) metric: Option<MetricPluginPre<State>>,
    pub(crate) pair: Option<PairMetricPluginPre<State>>,
    pub(crate) set: Option<SetMetricPluginPre<State>>,
    pub(crate) prompts: Option<PromptPluginPre<State>>,
}

type Described<T> = wasmtime::Result<Vec<T>>;

impl Calls {
    /// Finds the exports of `pre` that `abilities` tell of; an error where their types are not the contract's.
    pub(crate) fn new(pre: &InstancePre<State>, abilities: Abilities) -> wasmtime::Result<Self> {
        Ok(Self {
            metric: abilities.metric.then(|| MetricPluginPre::new(pre.clone())).transpose()?,
            pair: abilities.pair.then(|| PairMetricPluginPre::new(pre.clone())).transpose()?,
            set: abilities.set.then(|| SetMetricPluginPre::new(pre.clone())).transpose()?,
            prompts: abilities.prompts.then(|| PromptPluginPre::new(pre.clone())).transpose()?,
        })
    }

    /// The kinds of metric that are exported.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = MetricKind> + use<> {
        let kinds = [
            (self.metric.is_some(), MetricKind::Image),
            (self.pair.is_some(), MetricKind::Pair),
            (self.set.is_some(), MetricKind::Set),
        ];
        kinds.into_iter().filter_map(|(is, kind)| is.then_some(kind))
    }

    /// What the interface of `kind` says of its metrics; nothing where it is not exported.
    pub(crate) fn describe(&self, kind: MetricKind, store: &mut Store<State>) -> Described<types::MetricInfo> {
        match (kind, self) {
            (MetricKind::Image, Self { metric: Some(pre), .. }) => {
                pre.instantiate(&mut *store)?.difftest_plugin_metric().call_describe(store)
            }
            (MetricKind::Pair, Self { pair: Some(pre), .. }) => {
                pre.instantiate(&mut *store)?.difftest_plugin_pair_metric().call_describe(store)
            }
            (MetricKind::Set, Self { set: Some(pre), .. }) => {
                pre.instantiate(&mut *store)?.difftest_plugin_set_metric().call_describe(store)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The same for prompt generators.
    pub(crate) fn describe_prompts(&self, store: &mut Store<State>) -> Described<generated::GeneratorInfo> {
        match &self.prompts {
            Some(pre) => pre.instantiate(&mut *store)?.difftest_plugin_prompts().call_describe(store),
            None => Ok(Vec::new()),
        }
    }
}
