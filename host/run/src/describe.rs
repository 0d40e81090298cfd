//! What a plan and its loaded metrics look like in the event that starts a suite: everything a result came from, by name and digest.

use std::sync::Arc;

use difftest_core::event::{CaseInfo, TestInfo};
use difftest_core::metric::Metric;
use difftest_core::plan::SuitePlan;

use crate::load::Loader;

/// The tests; planned metrics are replaced by what the loaded ones say of themselves.
pub(crate) fn tests(plan: &SuitePlan, metrics: &[Vec<Option<Arc<dyn Metric>>>], loader: &Loader<'_>) -> Vec<TestInfo> {
    let mut cases = vec![0; plan.tests.len()];
    plan.cases.iter().for_each(|case| cases[case.test] += 1);
    let infos = plan.tests.iter().zip(metrics).zip(cases).map(|((test, loaded), cases)| TestInfo {
        name: test.name.clone(),
        prompts: loader.prompt_origin(&test.prompts),
        metrics: test
            .metrics
            .iter()
            .zip(loaded)
            .map(|((_, planned), metric)| metric.as_ref().map_or_else(|| planned.clone(), |m| m.info().clone()))
            .collect(),
        reference: None,
        configs: test
            .metrics
            .iter()
            .filter(|(wanted, _)| !wanted.config.is_null())
            .map(|(wanted, _)| (wanted.name.clone(), wanted.config.clone()))
            .collect(),
        cases,
    });
    infos.collect()
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
