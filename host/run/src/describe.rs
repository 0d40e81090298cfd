//! What a plan and its loaded metrics look like in the event that starts a suite: everything a result came from, by name and digest.

use difftest_core::digest::Digest;
use difftest_core::event::{CaseInfo, TestInfo};
use difftest_core::metric::{MetricSource, ReproducibilityClass};
use difftest_core::model::Models as _;
use difftest_core::plan::SuitePlan;

use crate::conduct::SuiteRun;
use crate::load::{Loaded, Loader};

/// The tests; planned metrics are replaced by what the loaded ones say of themselves.
pub(crate) fn tests(plan: &SuitePlan, loaded: &Loaded, loader: &Loader<'_>) -> Vec<TestInfo> {
    let Loaded { metrics, references, .. } = loaded;
    let mut cases = vec![0; plan.tests.len()];
    plan.cases.iter().for_each(|case| cases[case.test] += 1);
    let infos =
        plan.tests.iter().zip(metrics).zip(references).zip(cases).map(|(((test, loaded), reference), cases)| {
            TestInfo {
                name: test.name.clone(),
                prompts: loader.prompt_origin(&test.prompts),
                metrics: test
                    .metrics
                    .iter()
                    .zip(loaded)
                    .map(|((_, planned), metric)| metric.as_ref().map_or_else(|| planned.clone(), |m| m.info().clone()))
                    .collect(),
                reference: reference.as_ref().map(|(_, info)| info.clone()),
                configs: test
                    .metrics
                    .iter()
                    .filter(|(wanted, _)| !wanted.config.is_null())
                    .map(|(wanted, _)| (wanted.name.clone(), wanted.config.clone()))
                    .collect(),
                cases,
            }
        });
    infos.collect()
}

/// The models that a suite declares, where one of its metrics may have asked them.
pub(crate) fn models(plan: &SuitePlan, suite: &SuiteRun) -> Vec<(String, Digest)> {
    let plugins = plan.tests.iter().flat_map(|test| &test.metrics).filter(|(_, info)| {
        matches!(info.source, MetricSource::Plugin(_)) && info.class() == ReproducibilityClass::ModelDependent
    });
    if plugins.count() == 0 { Vec::new() } else { suite.models.declared().to_vec() }
}

/// The cases, as planned.
pub(crate) fn cases(plan: &SuitePlan) -> Vec<CaseInfo> {
    let infos = plan.cases.iter().map(|case| CaseInfo {
        id: case.id.clone(),
        test: case.test,
        prompt: (*case.prompt).clone(),
        seed: case.seed,
        settings: (*case.settings).clone(),
    });
    infos.collect()
}
