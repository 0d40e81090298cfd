//! Suite after suite: the start, the end and the conclusion of a run.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crossbeam_channel::{Sender, unbounded};
use difftest_core::digest::Digest;
use difftest_core::event::{self, Conclusion, ErrorInfo, Event, TestInfo, Verdict};
use difftest_core::gate::{Against, OnInconclusive};
use difftest_core::generate::GenerateError;
use difftest_core::metric::{AnyMetric, MetricError, MetricKind};
use difftest_core::plan::SuitePlan;
use difftest_core::suite::ModelSpec;
use difftest_diffusion::declared::DeclaredModels;
use difftest_store::run_folder::{self, RunFolder};

use crate::baselines;
use crate::cancel::Cancel;
use crate::collect::{Collector, Next, Sink, from_metric};
use crate::controls;
use crate::describe;
use crate::evidence::{CaseEvidence, Force, Keeper};
use crate::load::{self, Loaded, Loader};
use crate::sets;
use crate::stages::{self, Message, Stages};
use crate::visual::{self, Update};

/// One suite, planned, with what else is needed to run it.
#[derive(Clone)]
pub struct SuiteRun {
    /// What to do.
    pub plan: SuitePlan,
    /// Digest of the suite file's text.
    pub digest: Digest,
    /// Folder that relative paths of the suite start from.
    pub folder: PathBuf,
    /// The models it declares.
    pub models: Arc<DeclaredModels>,
}

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of this run: unique, sorts by time.
    pub run: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// The commit that is checked out, where one is.
    pub commit: Option<String>,
    /// What the user calls it.
    pub label: Option<String>,
    /// Threads for generating, encoding and scoring each.
    pub jobs: usize,
    /// Images a lane makes in one go.
    pub batch: usize,
    /// Begin nothing new after the first test that does not pass.
    pub fail_fast: bool,
    /// What becomes of images that a visual regression test finds new or changed.
    pub update: Update,
    /// Work that is done although its outcome is known.
    pub force: Force,
}

/// Where plugins' log lines go: to the suite that is running.
#[derive(Default)]
pub struct LogRelay(Mutex<Option<Running>>);

/// The suite that is running: its messages, and its cases by id.
struct Running {
    messages: Sender<Message>,
    cases: HashMap<String, usize>,
}

impl LogRelay {
    /// Passes one line on. `sample` is the id of the case the plugin worked on.
    pub fn log(&self, plugin: &str, level: &str, message: &str, sample: Option<&str>) {
        let target = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Running { messages, cases }) = target.as_ref() {
            let case = sample.and_then(|id| cases.get(id).copied());
            let (plugin, level, message) = (plugin.to_owned(), level.to_owned(), message.to_owned());
            drop(messages.send(Message::Event(Event::Log { case, plugin, level, message })));
        }
    }

    fn set(&self, target: Option<Running>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = target;
    }
}

/// Runs every suite and tells `listener` each event, in order; events are recorded in `folder` before they are told.
/// Returns how it ended, and the error that ended it early where there is one.
pub fn conduct(
    suites: &[SuiteRun],
    loader: &Loader<'_>,
    folder: &mut RunFolder,
    options: &Options,
    cancel: &Cancel,
    listener: &mut dyn FnMut(&Event),
) -> (Conclusion, Option<ErrorInfo>) {
    let began = Instant::now();
    let mut worst = None;
    let mut inconclusive = OnInconclusive::default();
    let mut fatal = None;
    // Which tests of the running suite are in other shards too: for their verdict the merge is asked, not this run.
    let mut split = Vec::new();
    let root = folder.path().to_owned();
    {
        let mut sink = |event: Event| {
            match &event {
                Event::SuiteStarted { inconclusive: policy, tests, .. } => {
                    inconclusive = *policy;
                    split = tests.iter().map(|test: &TestInfo| test.split_of.is_some()).collect();
                }
                Event::TestFinished { test, verdict: Verdict::NotRun, .. } if split.get(*test) == Some(&true) => {
                    worst = worst.max(Some(Verdict::Pass));
                }
                Event::TestFinished { verdict, .. } => worst = worst.max(Some(inconclusive.counted(*verdict))),
                Event::SuiteError { .. } => worst = worst.max(Some(Verdict::Error)),
                _ => {}
            }
            let recorded = match event {
                Event::Step { .. } => Ok(()),
                _ => folder.record(&event),
            };
            listener(&event);
            recorded.map_err(|e| ErrorInfo { kind: "write".into(), message: e.to_string(), hint: e.hint(), case: None })
        };
        let started = Event::RunStarted {
            version: event::VERSION,
            difftest: env!("CARGO_PKG_VERSION").into(),
            run: options.run.clone(),
            started: options.started.clone(),
            folder: root.clone(),
            suites: suites.len(),
            cases: suites.iter().map(|s| s.plan.cases.len()).sum(),
            commit: options.commit.clone(),
            label: options.label.clone(),
        };
        let mut go_on = sink(started);
        for suite in by_model(suites) {
            if go_on.is_ok() {
                go_on = run_suite(suite, loader, options, cancel, &root, &mut sink);
            }
        }
        if let Err(error) = go_on {
            fatal = Some(error);
        }
    }
    let conclusion = match fatal {
        Some(_) => Conclusion::Error,
        None => conclusion(worst, cancel.interrupted(), suites.is_empty()),
    };
    let finished = Event::RunFinished { conclusion, seconds: began.elapsed().as_secs_f64() };
    if let Err(error) = folder.record(&finished) {
        fatal.get_or_insert(ErrorInfo {
            kind: "write".into(),
            message: error.to_string(),
            hint: error.hint(),
            case: None,
        });
    }
    listener(&finished);
    (if fatal.is_some() { Conclusion::Error } else { conclusion }, fatal)
}

/// What follows from the worst verdict. `nothing` says that there was nothing to do: a shard of a plan with fewer cases than shards.
pub(crate) fn conclusion(worst: Option<Verdict>, interrupted: bool, nothing: bool) -> Conclusion {
    match worst {
        _ if interrupted => Conclusion::Interrupted,
        Some(Verdict::Error) => Conclusion::Error,
        Some(Verdict::Fail | Verdict::Inconclusive | Verdict::NotRun) => Conclusion::Failed,
        None if nothing => Conclusion::Passed,
        // A run without a single verdict has shown nothing.
        None => Conclusion::Error,
        Some(Verdict::Pass) => Conclusion::Passed,
    }
}

/// Suites on the same model one after another, for only one model stays loaded; otherwise in their order.
#[must_use]
pub fn by_model(suites: &[SuiteRun]) -> Vec<&SuiteRun> {
    let place = |suite: &SuiteRun| match &suite.plan.model {
        ModelSpec::Diffusion(reference) => load::place(reference, &suite.folder),
        ModelSpec::Images { folder, .. } => suite.folder.join(folder),
    };
    let mut ordered: Vec<(PathBuf, Vec<&SuiteRun>)> = Vec::new();
    for suite in suites {
        let place = place(suite);
        match ordered.iter_mut().find(|(other, _)| *other == place) {
            Some((_, same)) => same.push(suite),
            None => ordered.push((place, vec![suite])),
        }
    }
    ordered.into_iter().flat_map(|(_, same)| same).collect()
}

fn run_suite(
    suite: &SuiteRun,
    loader: &Loader<'_>,
    options: &Options,
    cancel: &Cancel,
    root: &Path,
    sink: &mut dyn FnMut(Event) -> Result<(), ErrorInfo>,
) -> Result<(), ErrorInfo> {
    let plan = &suite.plan;
    let loaded = match loader.open(suite, options.force) {
        Ok(loaded) => loaded,
        Err(error) => return sink(Event::SuiteError { suite: plan.suite.clone(), error }),
    };
    // Settings that cannot be followed and a model that does not load are known before anything is made.
    let prepared = describe::settings(plan, &*loaded.generator).and_then(|settings| {
        let missing = |(_, found): &(_, &CaseEvidence)| found.made.is_none() || options.force == Force::Generate;
        let missing = plan.cases.iter().zip(&loaded.evidence.cases).filter(missing);
        let mut requests = missing.map(|(case, _)| stages::request(case)).peekable();
        // A model that makes nothing is not loaded.
        let prepared = if requests.peek().is_some() {
            loaded.generator.prepare(&mut requests, &|| cancel.may_begin())
        } else {
            Ok(())
        };
        prepared.map_err(|GenerateError { kind, message, hint }| ErrorInfo { kind, message, hint, case: None })?;
        Ok(settings)
    });
    let settings = match prepared {
        Ok(settings) => settings,
        Err(error) => return sink(Event::SuiteError { suite: plan.suite.clone(), error }),
    };
    let mut errors: Vec<Vec<ErrorInfo>> =
        plan.tests.iter().map(|test| test.refused.iter().map(|e| from_metric(e, None)).collect()).collect();
    for (test, error) in &loaded.broken {
        errors[*test].push(from_metric(error, None));
    }
    let environment = loaded.generator.info().environment_class();
    let keys = describe::keys(plan, &loaded);
    let (mut baseline, lacking) = baselines::open(plan, &environment, &loader.baselines);
    let (visual, unreadable) = visual::open(suite, plan, &environment, &loader.baselines, options.update);
    let load = |test: usize, metric: usize| {
        let wanted = &plan.tests[test].metrics[metric].0;
        loader.metric(&wanted.name, &wanted.config, suite)
    };
    let rescored = baseline
        .as_mut()
        .map(|baseline| baselines::rescore(baseline, plan, &loaded.metrics, &load, &keys, &loaded.pool, cancel));
    for (test, error) in lacking.into_iter().chain(unreadable).chain(rescored.unwrap_or_default()) {
        errors[test].push(error);
    }
    sink(Event::SuiteStarted {
        suite: plan.suite.clone(),
        file: Some(plan.file.clone()),
        digest: suite.digest,
        generator: loaded.generator.info().clone(),
        models: describe::models(plan, suite),
        environment: environment.clone(),
        baseline: baseline.as_ref().map(|baseline| baseline.info.clone()),
        inconclusive: plan.inconclusive,
        tests: describe::tests(plan, &loaded, loader, settings),
        cases: describe::cases(plan, &loaded.evidence, baseline.as_ref(), &keys),
    })?;
    let keeper = Keeper { cache: loader.cache.as_deref(), run: &options.run };
    keeper.troubles().into_iter().try_for_each(&mut *sink)?;
    let image_paths: Vec<PathBuf> = plan
        .cases
        .iter()
        .enumerate()
        .map(|(i, case)| {
            let name = case.id.split_once("::").map_or(case.id.as_str(), |(_, name)| name);
            run_folder::image_path(root, &plan.suite, i, name)
        })
        .collect();
    let Loaded { generator, metrics, references, evidence, keys: score_keys, pool, .. } = loaded;
    let references: Vec<_> = references.into_iter().map(|reference| Some(reference?.0)).collect();
    let usable = |test: usize, set: bool| {
        let of_test = plan.tests[test].metrics.iter().zip(&metrics[test]);
        of_test.filter(|((_, info), slot)| !slot.is_broken() && (info.kind == MetricKind::Set) == set).count()
    };
    // A comparison with the baseline is waited for as a metric is.
    let ready = |test: usize| usable(test, false) + usize::from(visual[test].is_some());
    let sets = |test: usize| usable(test, true);
    // What is said of a test is kept as soon as it is said.
    let mut seconds = vec![0.0; plan.cases.len()];
    let mut keeping = |event: Event| {
        match &event {
            Event::Generated { case, seconds: took, .. } | Event::Scored { case, seconds: took, .. } => {
                seconds[*case] += took;
            }
            Event::TestFinished { test, verdict, .. } => keeper.verdict(plan, &evidence, *test, *verdict, &seconds),
            _ => {}
        }
        sink(event)
    };
    let sink: &mut Sink<'_> = &mut keeping;
    let against = Against { baseline: baseline.as_ref(), environment: &environment };
    let mut collector = Collector::new(plan, against, keys, errors, ready, sets);
    if collector.judge_without_cases(sink)? && options.fail_fast {
        cancel.no_new_cases();
    }
    let (messages, incoming) = unbounded();
    let cases = plan.cases.iter().enumerate().map(|(i, case)| (case.id.clone(), i)).collect();
    loader.logs.set(Some(Running { messages: messages.clone(), cases }));
    let stages = Stages {
        plan,
        generator: &*generator,
        metrics: &metrics,
        load: &load,
        evidence: &evidence,
        keys: &score_keys,
        keeper: &keeper,
        force: options.force,
        references: &references,
        visual: &visual,
        image_paths: &image_paths,
        jobs: options.jobs,
        batch: options.batch,
        cancel,
        pool: &pool,
    };
    let mut outcome = Ok(());
    // Set metrics begin when the last image of their test is there, which may be after every case is done: the loop below ends when
    // the last sender is gone, so one is kept until nothing can begin any more.
    let mut spare = Some(messages.clone());
    let (mut cases_done, mut sets_running) = (false, 0_usize);
    std::thread::scope(|threads| {
        stages.begin(threads, messages);
        for message in incoming {
            cases_done |= matches!(message, Message::CasesDone);
            sets_running -=
                usize::from(matches!(message, Message::Event(Event::SetScored { .. }) | Message::SetDropped));
            match collector.take(message, sink) {
                Ok(Next::Judged(Verdict::Fail | Verdict::Error)) if options.fail_fast => cancel.no_new_cases(),
                Ok(Next::MeasureSet { test, images }) if cancel.may_continue() => {
                    if let Some(messages) = &spare {
                        sets_running += sets(test);
                        let reference = references[test].as_ref();
                        let of_test = sets::Sets {
                            test,
                            metrics: &plan.tests[test].metrics,
                            slots: &metrics[test],
                            keys: &score_keys[test],
                            load: &load,
                            keeper: &keeper,
                            force: options.force,
                        };
                        sets::measure(threads, of_test, images, reference, messages);
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    cancel.fatal();
                    if outcome.is_ok() {
                        outcome = Err(error);
                    }
                }
            }
            if cases_done && sets_running == 0 {
                spare = None;
                loader.logs.set(None);
            }
        }
    });
    for (test, planned) in plan.tests.iter().enumerate().filter(|(_, planned)| planned.controls) {
        if outcome.is_err() || !collector.is_complete(test) || !cancel.may_continue() {
            continue;
        }
        let reals = controls::reals(plan, test, |case| collector.image(case));
        let refused = controls::refused(planned, |metric| {
            let compares = planned.metrics[metric].1.kind == MetricKind::Pair;
            let subject = controls::Subject {
                plan,
                reference: references[test].as_ref().filter(|_| compares),
                kept: (options.force == Force::Nothing).then_some((&score_keys[test][metric], &keeper)),
            };
            let slot = &metrics[test][metric];
            let loaded = || match slot.get(|| load(test, metric))? {
                AnyMetric::Each(metric) => Ok(metric),
                AnyMetric::Set(_) => Err(MetricError {
                    kind: "internal".into(),
                    message: "it looks at sets now".into(),
                    hint: Some("run again: its plugin was replaced meanwhile".into()),
                }),
            };
            pool.install(|| subject.scores(&loaded, &reals, &|case| collector.value(case, metric)))
        });
        collector.refuse(test, refused);
    }
    keeper.touch(&evidence);
    keeper.troubles().into_iter().try_for_each(&mut *sink)?;
    let ended = collector.end(sink).and_then(|()| sink(Event::SuiteFinished { suite: plan.suite.clone() }));
    outcome.and(ended)
}
