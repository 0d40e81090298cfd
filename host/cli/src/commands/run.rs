//! `difftest run`: plan, generate, score, judge, report.

mod update;
mod watch;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use difftest_core::event::Event;
use difftest_diffusion::declared::Opened;
use difftest_diffusion::session::{self, Device, Precision, UnknownPrecision};
use difftest_report::html::HtmlOptions;
use difftest_report::json::Results;
use difftest_report::terminal::{Terminal, TerminalOptions};
use difftest_run::cancel::Cancel;
use difftest_run::conduct::{self, LogRelay, Options};
use difftest_run::evidence::Force;
use difftest_run::load::{Kept, Loader};
use difftest_store::atomic;
use difftest_store::history::RunRecord;
use difftest_store::run_folder::RunFolder;

use crate::args::{DEFAULT_TEST_DIR, RunArgs, Selection};
use crate::commands::remote::session::Session;
use crate::commands::{self, evidence, shard};
use crate::environment;
use crate::error::{CliError, Exit};
use crate::lock_file;
use crate::models::Finder;
use crate::run_name::{self, RunName};
use crate::ui::Ui;

/// Shared with the signal handler.
pub(crate) static CANCEL: Cancel = Cancel::new();

/// While plugins are loaded and prompts drawn, there is nothing to keep: Ctrl-C ends the program at once.
static PLANNING: AtomicBool = AtomicBool::new(false);

/// Models that are open, and stay so from one run of `--watch` to the next.
#[derive(Default)]
struct Open {
    /// CLIP models and graphs.
    declared: Arc<Opened>,
    /// The model that makes the images.
    diffusion: Arc<Kept>,
}

pub(crate) fn run(args: &RunArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    if args.watch { watch::watch(args, ui) } else { once(args, &Open::default(), ui) }
}

/// One run. Where it cannot begin, its reports say why.
fn once(args: &RunArgs, open: &Open, ui: &mut Ui) -> Result<Exit, CliError> {
    args.reports.of(ui, |ui| attempt(args, open, ui))
}

fn attempt(args: &RunArgs, open: &Open, ui: &mut Ui) -> Result<Exit, CliError> {
    let logs = Arc::new(LogRelay::default());
    let relay = Arc::clone(&logs);
    let registry = commands::registry(&args.selection.plugins, args.selection.fuel)?.with_sink(Arc::new(
        move |line: difftest_plugin::log::LogLine| {
            relay.log(&line.plugin, line.level.name(), &line.message, line.sample.as_deref())
        },
    ));
    let update = update::asked(&args.against)?;
    let registry = lock_file::keep(registry, args.pinning)?.with_stop(|| !CANCEL.may_continue());
    let device = commands::device(&args.device)?;
    let jobs = environment::threads(args.jobs);
    if args.jobs.is_some_and(|asked| usize::from(asked) > jobs) {
        ui.note(&format!("-j {jobs}: there are no more cores"));
    }
    let engine = difftest_diffusion::pipeline::Options {
        device,
        precision: precision(args.precision.as_deref(), device)?,
        threads: Some(jobs),
        together: if matches!(device, Device::Cuda(_)) { usize::from(args.batch) } else { 1 },
        ..Default::default()
    };
    // A device that cannot be used is one error before the run, not one for every image.
    if device != Device::Cpu {
        commands::start_device(device)?;
    }
    stop_on_ctrl_c()?;
    // Asked before anything is made: a run that needs its remote must not end without it an hour later.
    let mut remote = Session::open(&args.remote, args.selection.offline, args.evidence.no_cache, ui)?;
    PLANNING.store(true, Ordering::Relaxed);
    let finder = Finder::new(args.selection.offline, engine.graph_precision(), ui);
    let plans = commands::plans(&args.selection, &registry, &engine, &open.declared, &finder, ui);
    PLANNING.store(false, Ordering::Relaxed);
    let plans = plans?;
    args.reports.check(&plans)?;
    let (mut suites, share) = shard::divide(&args.sharding, commands::suite_runs(plans), ui)?;
    let cache = if args.evidence.no_cache { None } else { Some(Arc::new(evidence::open()?)) };
    let loader = Loader::new(&registry, &logs, engine, jobs).keeping(&open.diffusion).with_cache(cache.clone());
    let loader = loader.comparing(args.against.compared.baselines());
    // An hour of images must not end with the word that there was nothing to compare them with.
    let making = update::make_or_refuse(&mut suites, &loader, &args.against, update, ui)?;
    let suites = suites;
    let known = || {
        let known = suites.iter().filter_map(|suite| loader.evidence(suite, Force::Nothing).ok());
        known.map(|(evidence, _)| evidence).collect()
    };
    if let (Some(remote), Some(cache)) = (&mut remote, &cache) {
        PLANNING.store(true, Ordering::Relaxed);
        let pulled = remote.pull(cache, &known, ui);
        PLANNING.store(false, Ordering::Relaxed);
        pulled?;
    }
    let RunName { name: run, started } = run_name::next(ui);
    let mut folder = match &args.artifacts {
        Some(path) => run_name::elsewhere(RunFolder::create(path)?, &run, ui),
        None => RunFolder::create_default(&run)?,
    };
    let options = Options {
        run,
        started,
        commit: difftest_store::checkout::commit(Path::new(".")),
        label: args.label.clone(),
        jobs,
        batch: args.batch.into(),
        fail_fast: args.fail_fast,
        force: evidence::force(args.evidence.force),
        update,
    };

    let mut results = Results::default();
    let mut record = RunRecord::default();
    let mut terminal = Terminal::new(
        std::io::stderr(),
        TerminalOptions {
            color: ui.color_stderr(),
            progress: ui.interactive(),
            verbosity: ui.verbosity(),
            width: terminal_width(),
            rerun: rerun(args),
            diff: args.evidence.diff,
        },
    );
    let (conclusion, fatal) =
        conduct::conduct(&suites, &loader, &mut folder, &options, &CANCEL, &mut |event: &Event| {
            results.apply(event);
            record.apply(event);
            terminal.event(event);
        });
    if let Some(error) = fatal {
        results.fatal(error.clone());
        ui.error(&error.message, error.hint.as_deref());
    }
    let recorded = share.map(|share| share.record(args.sharding.record.as_deref(), folder.path(), &results.run));
    let given =
        remote.as_mut().and_then(|remote| remote.finish(cache.as_deref(), &known, conclusion, &mut results, ui));
    let kept = folder.results_path();
    let trouble = atomic::write(&kept, results.to_json().as_bytes()).map_err(CliError::from).err();
    commands::history::keep(&record, ui);
    let page = HtmlOptions { rerun: rerun(args), ..HtmlOptions::default() };
    let trouble = args.reports.write_with(&results, &folder.recording_path(), page, ui).err().or(trouble);
    if trouble.is_none() {
        let named = args.reports.output.as_deref().filter(|path| *path != Path::new("-"));
        ui.note(&format!("     results {}", named.unwrap_or(&kept).display()));
    }
    let updated = update::accept(&results, update, &making, ui).err();
    let trouble = trouble.or(updated);
    // A recording that was asked for and is not there would be missed only at the merge.
    let trouble = match recorded {
        Some(Ok(path)) => {
            ui.note(&format!("   recording {}", path.display()));
            trouble
        }
        Some(Err(error)) => Some(error),
        None => trouble,
    };
    let mut exit = Exit::from(conclusion);
    for error in trouble.into_iter().chain(given) {
        let error = error.report(ui);
        exit = if exit == Exit::Interrupted { exit } else { error };
    }
    if let Some(remote) = &remote {
        remote.summary(ui);
    }
    terminal.exit_line(exit as u8);
    Ok(exit)
}

/// This run's command up to the `-k` that a reader would add to see one of its tests again: everything that images, scores and verdicts
/// depend on.
fn rerun(args: &RunArgs) -> String {
    let Selection { suites, test_dir, seed, model, offline, lora, plugins, fuel, expression: _ } = &args.selection;
    let mut words = vec!["difftest".to_owned(), "run".to_owned()];
    words.extend(suites.iter().map(|suite| suite.display().to_string()));
    let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
    if test_dir != Path::new(DEFAULT_TEST_DIR) {
        option("--test-dir", test_dir.display().to_string());
    }
    plugins.iter().for_each(|folder| option("--plugins", folder.display().to_string()));
    seed.iter().for_each(|seed| option("--seed", seed.to_string()));
    model.iter().for_each(|model| option("--model", model.clone()));
    lora.iter().for_each(|(path, weight)| option("--lora", format!("{}={weight}", path.display())));
    fuel.iter().for_each(|fuel| option("--fuel", fuel.to_string()));
    if args.device != "cpu" {
        option("--device", args.device.clone());
        if args.batch > 1 {
            option("--batch", args.batch.to_string());
        }
    }
    args.precision.iter().for_each(|precision| option("--precision", precision.clone()));
    args.against.compared.baseline.iter().for_each(|name| option("--baseline", name.clone()));
    if args.against.compared.root.baselines != Path::new(difftest_store::baseline::DEFAULT_ROOT) {
        option("--baselines", args.against.compared.root.baselines.display().to_string());
    }
    let pinning = [(args.pinning.locked, "--locked"), (args.pinning.no_locked, "--no-locked"), (*offline, "--offline")];
    words.extend(pinning.into_iter().filter(|(given, _)| *given).map(|(_, word)| word.to_owned()));
    let quoted = words.into_iter().map(|word| {
        let plain = |c: char| c.is_alphanumeric() || "-_./:=@+".contains(c);
        if word.chars().all(plain) { word } else { format!("'{}'", word.replace('\'', "'\\''")) }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// The format that was asked for, refused now where the device has none.
pub(crate) fn precision(asked: Option<&str>, device: Device) -> Result<Option<Precision>, CliError> {
    let Some(asked) = asked else { return Ok(None) };
    let precision =
        asked.parse().map_err(|error: UnknownPrecision| CliError::new("usage", format!("--precision: {error}")))?;
    session::check_precision(device, precision)
        .map_err(|error| CliError::new("usage", format!("--precision {precision}: {error}")).hint(error.hint()))?;
    Ok(Some(precision))
}

/// For so long the end of a process may wait for what its libraries do at their end.
const PATIENCE: Duration = Duration::from_secs(2);

/// The first Ctrl-C ends the run in good order; the second ends the process, whatever hangs.
pub(crate) fn stop_on_ctrl_c() -> Result<(), CliError> {
    static AGAIN: AtomicBool = AtomicBool::new(false);
    static LISTENING: AtomicBool = AtomicBool::new(false);
    if LISTENING.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    ctrlc::set_handler(|| {
        let planning = PLANNING.load(Ordering::Relaxed);
        if AGAIN.swap(true, Ordering::Relaxed) || planning {
            // Neither a reader of stderr that does not read nor a library that does not let go keeps it from ending.
            std::thread::spawn(|| {
                std::thread::sleep(PATIENCE);
                std::process::abort();
            });
            if planning {
                crate::ui::note("stopped before anything was run");
            }
            #[expect(clippy::exit, reason = "the user insists, or there is nothing to keep")]
            std::process::exit(Exit::Interrupted as i32);
        }
        CANCEL.interrupt();
        // On a thread of its own: the next signal is heard even while nobody reads this.
        std::thread::spawn(|| {
            crate::ui::note("stopping: what is finished is kept and reported; Ctrl-C again ends at once");
        });
    })
    .map_err(|error| CliError::new("signal", format!("cannot listen for Ctrl-C: {error}")))
}

pub(crate) fn terminal_width() -> usize {
    terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0))
}
