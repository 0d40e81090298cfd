//! What a suite is compared with: baselines by name, read for the environment that it runs in.
//!
//! Scores that were given by another version of a metric are not comparable. The baseline has the images, so the present metric looks
//! at them again (`rescore`); nothing is written.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use difftest_core::baseline::{Baseline, BaselineScore, Question};
use difftest_core::event::ErrorInfo;
use difftest_core::key::Inputs;
use difftest_core::metric::{AnyMetric, Item, Metric, MetricError, MetricKind};
use difftest_core::plan::{Case, SuitePlan, TestPlan};
use difftest_metrics::decode::{self, Limits};
use difftest_store::baseline::{BaselineError, DEFAULT_ROOT, Folder};
use rayon::prelude::*;

use crate::cancel::Cancel;
use crate::collect::from_metric;
use crate::conduct::SuiteRun;
use crate::load::Slot;
use crate::stages;

/// Where baselines are, and which.
#[derive(Clone, Debug)]
pub struct Baselines {
    /// The folder of those that suites name.
    pub root: PathBuf,
    /// The one to compare with instead of the suites'.
    pub named: Option<String>,
}

impl Default for Baselines {
    fn default() -> Self {
        Self { root: PathBuf::from(DEFAULT_ROOT), named: None }
    }
}

/// For each test, what its verdict depends on of baselines: what they hold, and what of a difference is tolerated. What cannot be read
/// has no digest, so it is judged again, and then it is told.
pub(crate) fn inputs(suite: &SuiteRun, environment: &str, baselines: &Baselines) -> Vec<Inputs> {
    let digest = |folder: Result<Folder, ErrorInfo>| {
        let found = folder.and_then(|folder| folder.find(environment).map_err(|error| info(&error)));
        match found {
            Ok(None) => "none".to_owned(),
            Ok(Some(accepted)) => accepted.info().digest.to_string(),
            Err(_) => "unreadable".to_owned(),
        }
    };
    let of_test = |test: &TestPlan| {
        let mut inputs = Inputs::new();
        if test.gates.iter().any(|gate| gate.check.needs_baseline())
            && let Some(name) = name(test, baselines)
        {
            inputs.set("baseline", digest(Folder::named(&baselines.root, name).map_err(|error| info(&error))));
        }
        if let Some(visual) = &test.visual {
            inputs.set("baseline/images", digest(visual_folder(suite, test, baselines)));
            inputs.set("baseline/tolerances", format!("{:?}", visual.tolerances));
        }
        inputs
    };
    suite.plan.tests.iter().map(of_test).collect()
}

/// The baselines of a suite's tests as one, and why tests that need one have none. Cases that ask something else now than when they
/// were accepted are no part of it.
pub(crate) fn open(
    plan: &SuitePlan,
    environment: &str,
    baselines: &Baselines,
) -> (Option<Baseline>, Vec<(usize, ErrorInfo)>) {
    let mut read: BTreeMap<String, Result<Baseline, ErrorInfo>> = BTreeMap::new();
    let mut errors = Vec::new();
    for (index, test) in plan.tests.iter().enumerate() {
        let Some(name) = name(test, baselines) else { continue };
        let baseline = read.entry(name.to_owned()).or_insert_with(|| {
            let folder = Folder::named(&baselines.root, name).map_err(|error| info(&error))?;
            folder.read(environment).map(|accepted| accepted.baseline()).map_err(|error| info(&error))
        });
        let needed = test.gates.iter().any(|gate| gate.check.needs_baseline());
        if let Err(error) = baseline
            && needed
        {
            errors.push((index, error.clone()));
        }
    }
    // A case belongs to one test, and a test has one baseline: together they are what each test is compared with.
    let mut whole: Option<Baseline> = None;
    let several = read.len() > 1;
    for (name, baseline) in read {
        let Ok(mut baseline) = baseline else { continue };
        if !several {
            whole = Some(baseline);
            break;
        }
        let of_name = |id: &str| {
            plan.tests.iter().any(|test| {
                let rest = id.strip_prefix(&plan.suite).and_then(|rest| rest.strip_prefix("::"));
                let rest = rest.and_then(|rest| rest.strip_prefix(&test.name));
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
                    && self::name(test, baselines) == Some(&name)
            })
        };
        baseline.cases.retain(|id, _| of_name(id));
        baseline.sets.retain(|(test, _), _| of_name(test));
        match &mut whole {
            None => whole = Some(baseline),
            Some(whole) => {
                let mut hasher = difftest_core::digest::Hasher::new();
                [whole.info.digest, baseline.info.digest]
                    .iter()
                    .for_each(|part| hasher.field(part.to_string().as_bytes()));
                whole.info.name = format!("{} + {}", whole.info.name, baseline.info.name);
                whole.info.digest = hasher.finish();
                whole.cases.extend(baseline.cases);
                whole.sets.extend(baseline.sets);
            }
        }
    }
    if let Some(whole) = &mut whole {
        let question = |case: &Case| Question::of(&case.prompt, case.seed, &case.settings);
        let under_test = |case: &Case| plan.tests[case.test].under_test.as_slice();
        whole.ask(plan.cases.iter().map(|case| (case.id.as_str(), question(case), under_test(case))));
    }
    (whole, errors)
}

/// The baseline that the gates of a test compare with: `--baseline`, or the suite's.
pub(crate) fn name<'a>(test: &'a TestPlan, baselines: &'a Baselines) -> Option<&'a str> {
    baselines.named.as_deref().or(test.baseline.as_deref())
}

/// The baseline that the images of a visual regression test are compared with: `baseline_dir`, or that of its gates.
pub(crate) fn visual_folder(suite: &SuiteRun, test: &TestPlan, baselines: &Baselines) -> Result<Folder, ErrorInfo> {
    let folder = match (test.visual.as_ref().and_then(|visual| visual.folder.as_ref()), name(test, baselines)) {
        (Some(folder), _) => Folder::at(&tidy(&suite.folder.join(folder))),
        (None, Some(name)) => Folder::named(&baselines.root, name),
        (None, None) => Folder::named(&baselines.root, ""),
    };
    folder.map_err(|error| info(&error))
}

/// `suites/../baselines/v1` is `baselines/v1`: what people read and git knows.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        let last = tidy.components().next_back();
        match (part, last) {
            (Component::ParentDir, Some(Component::Normal(_))) => drop(tidy.pop()),
            (Component::CurDir, _) => {}
            (part, _) => tidy.push(part),
        }
    }
    tidy
}

/// Gives the cases of gates on a baseline the scores that the present metrics give to the baseline's images, where it has none of
/// them. Answers what could not be scored, by test.
pub(crate) fn rescore(
    baseline: &mut Baseline,
    plan: &SuitePlan,
    metrics: &[Vec<Slot>],
    load: &dyn Fn(usize, usize) -> Result<AnyMetric, MetricError>,
    keys: &[Vec<String>],
    pool: &rayon::ThreadPool,
    cancel: &Cancel,
) -> Vec<(usize, ErrorInfo)> {
    let mut errors = Vec::new();
    for (index, test) in plan.tests.iter().enumerate() {
        for (at, (wanted, planned)) in test.metrics.iter().enumerate() {
            let needed = test.gates.iter().any(|gate| gate.metric == wanted.name && gate.check.needs_baseline());
            let slot = &metrics[index][at];
            // A pair needs its reference as well, which the baseline does not have.
            if !needed || planned.kind != MetricKind::Image || slot.is_broken() {
                continue;
            }
            let key = &keys[index][at];
            let lacking = |case: &&Case| {
                case.test == index
                    && baseline.cases.contains_key(&case.id)
                    && baseline.score(&case.id, &wanted.name, key).is_none()
            };
            let cases: Vec<&Case> = plan.cases.iter().filter(lacking).collect();
            if cases.is_empty() {
                continue;
            }
            let metric = match slot.get(|| load(index, at)) {
                Ok(AnyMetric::Each(metric)) => metric,
                Ok(AnyMetric::Set(_)) => continue,
                Err(error) => {
                    errors.push((index, from_metric(&error, None)));
                    continue;
                }
            };
            let scored: Vec<_> = pool.install(|| {
                let batches = cases.par_chunks(metric.batch_size().max(1));
                batches.flat_map_iter(|batch| measure(baseline, &**metric, batch, cancel)).collect()
            });
            for (case, score) in cases.iter().zip(scored) {
                match score {
                    Ok(value) => {
                        let known = baseline.cases.get_mut(&case.id);
                        let score = BaselineScore { value, metric: key.clone() };
                        known
                            .into_iter()
                            .for_each(|known| drop(known.scores.insert(wanted.name.clone(), score.clone())));
                    }
                    Err(error) => {
                        errors.push((index, error));
                        break;
                    }
                }
            }
        }
    }
    errors
}

/// One answer for each case.
fn measure(baseline: &Baseline, metric: &dyn Metric, cases: &[&Case], cancel: &Cancel) -> Vec<Result<f64, ErrorInfo>> {
    let fail = |case: &Case, reason: String| ErrorInfo {
        kind: "baseline".into(),
        message: format!(
            "the baseline's image of {} has no score of the present `{}`: {reason}",
            case.id,
            metric.info().name
        ),
        hint: Some("`difftest baseline verify` checks the images".into()),
        case: None,
    };
    let image = |case: &&Case| {
        let known = baseline.cases.get(&case.id).ok_or_else(|| fail(case, "it is not there".into()))?;
        let image = decode::read(&known.path, &Limits::default()).map_err(|error| fail(case, error.to_string()))?;
        if image.digest() != known.image {
            return Err(fail(
                case,
                format!("{} is another image than the one that was accepted", known.path.display()),
            ));
        }
        Ok(Item::new(image, stages::sample(case, &[])))
    };
    if !cancel.may_begin() {
        return cases.iter().map(|case| Err(fail(case, "the run was stopped".into()))).collect();
    }
    let items: Result<Vec<Item>, ErrorInfo> = cases.iter().map(image).collect();
    match items {
        Ok(items) => {
            let scores = metric.measure(&items).into_iter().zip(cases);
            scores
                .map(|(score, case)| score.map(|score| score.value).map_err(|error| fail(case, error.message)))
                .collect()
        }
        Err(error) => cases.iter().map(|_| Err(error.clone())).collect(),
    }
}

pub(crate) fn info(error: &BaselineError) -> ErrorInfo {
    ErrorInfo { kind: error.kind().into(), message: error.to_string(), hint: error.hint(), case: None }
}
