//! What a plan and its loaded metrics look like in the event that starts a suite: everything a result came from, by name and digest.

use std::collections::BTreeMap;

use difftest_core::baseline::{Baseline, BaselineImage};
use difftest_core::digest::Digest;
use difftest_core::event::{CaseInfo, ErrorInfo, TestInfo};
use difftest_core::generate::Generator;
use difftest_core::metric::{AnyMetric, MetricSource, ReproducibilityClass, metric_key};
use difftest_core::model::Models as _;
use difftest_core::plan::{Case, SuitePlan, TestPlan};
use serde_json::Value;

use crate::conduct::SuiteRun;
use crate::evidence::Evidence;
use crate::load::{Loaded, Loader, Slot};

/// The settings of a test as the generator resolved them, by name.
pub(crate) type Generation = BTreeMap<String, Value>;

/// What the generator makes of each test's settings; a test without cases has none.
pub(crate) fn settings(plan: &SuitePlan, generator: &dyn Generator) -> Result<Vec<Generation>, ErrorInfo> {
    let mut settings = vec![Generation::new(); plan.tests.len()];
    let mut known = vec![false; plan.tests.len()];
    for case in &plan.cases {
        if std::mem::replace(&mut known[case.test], true) {
            continue;
        }
        let resolved = generator.resolve(&case.settings).map_err(|error| {
            let message = format!("test `{}`: {}", plan.tests[case.test].name, error.message);
            ErrorInfo { kind: error.kind, message, hint: error.hint, case: None }
        })?;
        settings[case.test] = resolved.into_iter().collect();
    }
    Ok(settings)
}

/// The tests; planned metrics are replaced by what the loaded ones say of themselves.
pub(crate) fn tests(
    plan: &SuitePlan,
    loaded: &Loaded,
    loader: &Loader<'_>,
    settings: Vec<Generation>,
) -> Vec<TestInfo> {
    let Loaded { metrics, references, .. } = loaded;
    let mut cases = vec![0; plan.tests.len()];
    plan.cases.iter().for_each(|case| cases[case.test] += 1);
    let infos = plan.tests.iter().zip(metrics).zip(references).zip(cases).zip(settings).map(
        |((((test, loaded), reference), cases), generation)| TestInfo {
            name: test.name.clone(),
            line: Some(test.line),
            prompts: loader.prompt_origin(&test.prompts),
            metrics: test
                .metrics
                .iter()
                .zip(loaded)
                .map(|((_, planned), metric)| metric.loaded().map_or_else(|| planned.clone(), |m| m.info().clone()))
                .collect(),
            reference: reference.as_ref().map(|(_, info)| info.clone()),
            configs: test
                .metrics
                .iter()
                .filter(|(wanted, _)| !wanted.config.is_null())
                .map(|(wanted, _)| (wanted.name.clone(), wanted.config.clone()))
                .collect(),
            generation,
            cases,
            split_of: test.split_of,
        },
    );
    infos.collect()
}

/// By test and metric, the key of the exact metric as it was loaded.
pub(crate) fn keys(plan: &SuitePlan, loaded: &Loaded) -> Vec<Vec<String>> {
    let of_test = |(test, loaded): (&TestPlan, &Vec<Slot>)| {
        let metrics = test.metrics.iter().zip(loaded);
        metrics
            .map(|((wanted, planned), slot)| metric_key(slot.loaded().map_or(planned, AnyMetric::info), &wanted.config))
            .collect()
    };
    plan.tests.iter().zip(&loaded.metrics).map(of_test).collect()
}

/// The models that a suite declares, where one of its metrics may have asked them.
pub(crate) fn models(plan: &SuitePlan, suite: &SuiteRun) -> Vec<(String, Digest)> {
    let plugins = plan.tests.iter().flat_map(|test| &test.metrics).filter(|(_, info)| {
        matches!(info.source, MetricSource::Plugin(_)) && info.class() == ReproducibilityClass::ModelDependent
    });
    if plugins.count() == 0 { Vec::new() } else { suite.models.declared().to_vec() }
}

/// The cases, as planned, with the work that they need and what the baseline has for them. `keys` by test and metric.
pub(crate) fn cases(
    plan: &SuitePlan,
    evidence: &Evidence,
    baseline: Option<&Baseline>,
    keys: &[Vec<String>],
) -> Vec<CaseInfo> {
    let before = |case: &Case| -> Option<BaselineImage> {
        let baseline = baseline?;
        let known = baseline.cases.get(&case.id)?;
        let metrics = plan.tests[case.test].metrics.iter().zip(&keys[case.test]);
        let scores = metrics
            .filter_map(|((wanted, _), key)| Some((wanted.name.clone(), baseline.score(&case.id, &wanted.name, key)?)));
        Some(BaselineImage { path: known.path.clone(), digest: known.image, scores: scores.collect() })
    };
    let infos = plan.cases.iter().zip(&evidence.cases).map(|(case, found)| CaseInfo {
        id: case.id.clone(),
        test: case.test,
        prompt: (*case.prompt).clone(),
        seed: case.seed,
        settings: (*case.settings).clone(),
        action: found.action,
        because: found.because.clone(),
        baseline: before(case),
    });
    infos.collect()
}
