//! `difftest calibrate`: the same work again and again, and what the scores vary by.
//!
//! ```text
//! repeat 1..k: plan -> conduct, nothing taken from a cache -> scores by case
//! repeat 1: its images -> controls
//! ```

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use difftest_core::calibrate::{Calibration, Repeats};
use difftest_core::digest::Digest;
use difftest_core::event::{CaseInfo, ErrorInfo, Event, ImageRecord, Outcome};
use difftest_core::metric::MetricKind;
use difftest_core::plan::SuitePlan;
use difftest_diffusion::declared::Opened;
use difftest_diffusion::session::Device;
use difftest_report::calibration::{Calibrations, FORMAT, Repeat, SuiteCalibration};
use difftest_report::text::count;
use difftest_run::conduct::{self, LogRelay, Options, SuiteRun};
use difftest_run::controls::{self, Controlled};
use difftest_run::load::Loader;
use difftest_run::visual::Update;
use difftest_store::run_folder::{DEFAULT_ROOT, RunFolder};

use crate::args::Format;
use crate::args::calibrate::CalibrateArgs;
use crate::commands::run::{CANCEL, precision, stop_on_ctrl_c};
use crate::commands::{self, Planned};
use crate::environment;
use crate::error::{CliError, Exit};
use crate::lock_file;
use crate::models::Finder;
use crate::ui::Ui;

/// What one repeat said of a suite; by case id, so that the order does not matter.
#[derive(Default)]
struct Said {
    environment: String,
    /// Ids of its cases, by index.
    ids: Vec<String>,
    /// Names of its metrics, by index of the case.
    metrics: Vec<Vec<String>>,
    images: BTreeMap<String, ImageRecord>,
    /// By case id and metric.
    scores: BTreeMap<(String, String), f64>,
    errors: Vec<ErrorInfo>,
}

/// By suite.
type Heard = BTreeMap<String, Said>;

pub(crate) fn calibrate(args: &CalibrateArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let logs = LogRelay::default();
    let registry = commands::registry(&args.selection.plugins, args.selection.fuel)?;
    let registry = lock_file::keep(registry, args.pinning)?.with_stop(|| !CANCEL.may_continue());
    let device = commands::device(&args.device)?;
    let most = environment::threads(args.jobs);
    if device != Device::Cpu {
        commands::start_device(device)?;
    }
    stop_on_ctrl_c()?;
    let began = crate::run_name::next(ui);
    let root = Path::new(DEFAULT_ROOT).join("calibrations").join(&began.name);
    let mut found = Calibrations { format: FORMAT, suites: Vec::new() };
    let mut plans: Vec<SuitePlan> = Vec::new();
    let mut repeats: Vec<(Repeat, Heard)> = Vec::new();
    for number in 1..=usize::from(args.repeats) {
        // The first as `run` does it; then what should make no difference.
        let (threads, reversed) = if number % 2 == 1 { (most, false) } else { (1, true) };
        let engine = difftest_diffusion::pipeline::Options {
            device,
            precision: precision(args.precision.as_deref(), device)?,
            threads: Some(threads),
            ..Default::default()
        };
        let finder = Finder::new(args.selection.offline, engine.graph_precision(), ui);
        let planned = commands::plans(&args.selection, &registry, &engine, &Arc::new(Opened::default()), &finder, ui)?;
        let runs: Vec<SuiteRun> = planned.into_iter().map(|planned| suite_run(planned, reversed)).collect();
        ui.note(&format!("repeat {number} of {} with {}", args.repeats, count(threads, "thread")));
        let loader = Loader::new(&registry, &logs, engine, threads);
        let mut folder = RunFolder::create(&root.join(format!("repeat-{number}")))?;
        let options = Options {
            run: format!("{}-{number}", began.name),
            started: began.started.clone(),
            commit: None,
            label: None,
            jobs: threads,
            batch: 1,
            fail_fast: false,
            force: difftest_run::evidence::Force::Nothing,
            update: Update::Nothing,
        };
        let clock = Instant::now();
        let mut heard = Hearing::default();
        let (_, fatal) =
            conduct::conduct(&runs, &loader, &mut folder, &options, &CANCEL, &mut |event| heard.event(event));
        if let Some(error) = fatal {
            return Err(CliError::new("run", error.message).hint_if(error.hint));
        }
        if CANCEL.interrupted() {
            return Ok(Exit::Interrupted);
        }
        if number == 1 {
            found.suites = runs.iter().map(|run| with_controls(run, &loader, &heard.said)).collect();
            plans = runs.into_iter().map(|run| run.plan).collect();
        }
        repeats.push((Repeat { threads, reversed, seconds: clock.elapsed().as_secs_f64() }, heard.said));
    }
    for (suite, plan) in found.suites.iter_mut().zip(&plans) {
        measured(suite, plan, &repeats);
    }
    let text = match args.message_format {
        Format::Human => found.human(ui.color_stdout()),
        Format::Json => found.json(),
    };
    ui.data(&text)?;
    let broken = found.suites.iter().any(|suite| !suite.errors.is_empty());
    Ok(if broken { Exit::Error } else { Exit::Success })
}

/// A suite without its gates and comparisons: nothing is judged. Reversed, the cases of each test come from the last to the first.
fn suite_run(Planned { suite, mut plan, models }: Planned, reversed: bool) -> SuiteRun {
    for test in &mut plan.tests {
        test.gates.clear();
        test.visual = None;
    }
    if reversed {
        plan.cases.reverse();
        plan.cases.sort_by_key(|case| case.test);
    }
    SuiteRun {
        digest: Digest::of(suite.text.as_bytes()),
        folder: suite.path.parent().map(ToOwned::to_owned).unwrap_or_default(),
        models,
        plan,
    }
}

/// A fold over a repeat's events.
#[derive(Default)]
struct Hearing {
    said: Heard,
    suite: String,
}

impl Hearing {
    fn event(&mut self, event: &Event) {
        match event {
            Event::SuiteStarted { suite, environment, tests, cases, .. } => {
                self.suite.clone_from(suite);
                let names = |case: &CaseInfo| tests[case.test].metrics.iter().map(|m| m.name.clone()).collect();
                let said = self.said.entry(suite.clone()).or_default();
                said.environment.clone_from(environment);
                said.ids = cases.iter().map(|case| case.id.clone()).collect();
                said.metrics = cases.iter().map(names).collect();
            }
            Event::SuiteError { suite, error } => {
                self.said.entry(suite.clone()).or_default().errors.push(error.clone());
            }
            Event::Generated { case, outcome: Outcome::Ok(record), .. } => {
                let said = self.said.entry(self.suite.clone()).or_default();
                said.images.insert(said.ids[*case].clone(), record.clone());
            }
            Event::Scored { case, metric, outcome: Outcome::Ok(score), .. } => {
                let said = self.said.entry(self.suite.clone()).or_default();
                let name = said.metrics[*case][*metric].clone();
                said.scores.insert((said.ids[*case].clone(), name), score.value);
            }
            Event::TestFinished { errors, .. } => {
                let said = self.said.entry(self.suite.clone()).or_default();
                for error in errors {
                    if !said.errors.contains(error) {
                        said.errors.push(error.clone());
                    }
                }
            }
            _ => {}
        }
    }
}

/// The controls of a suite, measured on the images of its first repeat; the rest of what is found comes later.
fn with_controls(run: &SuiteRun, loader: &Loader<'_>, heard: &Heard) -> SuiteCalibration {
    let mut suite = SuiteCalibration { suite: run.plan.suite.clone(), ..SuiteCalibration::default() };
    let Some(said) = heard.get(&run.plan.suite) else { return suite };
    suite.environment.clone_from(&said.environment);
    suite.errors.clone_from(&said.errors);
    let records: Vec<Option<ImageRecord>> =
        run.plan.cases.iter().map(|case| said.images.get(&case.id).cloned()).collect();
    let score = |case: usize, metric: usize| {
        let case = &run.plan.cases[case];
        let name = &run.plan.tests[case.test].metrics.get(metric)?.0.name;
        said.scores.get(&(case.id.clone(), name.clone())).copied()
    };
    match controls::measure(run, loader, &records, &score) {
        Err(error) => suite.errors.push(error),
        Ok(controlled) => {
            for Controlled { test, metric, outcome } in controlled {
                let test = &run.plan.tests[test];
                let Some((wanted, _)) = test.metrics.get(metric) else { continue };
                match outcome {
                    Ok(controls) => suite.controls.push((test.name.clone(), wanted.name.clone(), controls)),
                    Err(error) if !suite.errors.contains(&error) => suite.errors.push(error),
                    Err(_) => {}
                }
            }
        }
    }
    suite
}

/// What all repeats together say.
fn measured(suite: &mut SuiteCalibration, plan: &SuitePlan, repeats: &[(Repeat, Heard)]) {
    let said: Vec<&Said> = repeats.iter().filter_map(|(_, heard)| heard.get(&plan.suite)).collect();
    suite.repeats = repeats.iter().map(|(repeat, _)| repeat.clone()).collect();
    for error in said.iter().skip(1).flat_map(|said| &said.errors) {
        // The case of an error is an index, and the order differs.
        if !suite.errors.iter().any(|known| known.message == error.message) {
            suite.errors.push(error.clone());
        }
    }
    let digest = |said: &Said, id: &str| said.images.get(id).map(|image| image.digest);
    suite.same_images = plan.cases.iter().all(|case| {
        said.iter()
            .all(|other| digest(other, &case.id).is_some() && digest(other, &case.id) == digest(said[0], &case.id))
    });
    for (index, test) in plan.tests.iter().enumerate() {
        let cases: Vec<(&str, &str)> = plan
            .cases
            .iter()
            .filter(|case| case.test == index)
            .map(|case| (case.id.as_str(), case.prompt.id.as_str()))
            .collect();
        for (wanted, info) in test.metrics.iter().filter(|(_, info)| info.kind != MetricKind::Set) {
            let of_repeat = |said: &&Said| -> Option<Vec<f64>> {
                let score = |(id, _): &(&str, &str)| said.scores.get(&((*id).to_owned(), wanted.name.clone())).copied();
                cases.iter().map(score).collect()
            };
            // A score that is missing has its error already.
            let Some(scores) = said.iter().map(of_repeat).collect::<Option<Vec<_>>>() else { continue };
            if scores.is_empty() || cases.is_empty() {
                continue;
            }
            let repeats = Repeats { cases: &cases, scores: &scores };
            let mut found = Calibration::of(&test.name, &wanted.name, info.direction, repeats);
            let controls = suite.controls.iter().find(|(of, metric, _)| *of == test.name && *metric == wanted.name);
            found.controls = controls.map(|(_, _, controls)| controls.clone()).unwrap_or_default();
            suite.metrics.push(found);
        }
    }
}
