//! One command per file: arguments in, an exit code or an error out.

pub(crate) mod baseline;
pub(crate) mod cache;
pub(crate) mod calibrate;
pub(crate) mod compare;
pub(crate) mod doctor;
pub(crate) mod evidence;
pub(crate) mod explain;
pub(crate) mod history;
pub(crate) mod html;
pub(crate) mod init;
mod inputs;
pub(crate) mod list;
pub(crate) mod merge;
pub(crate) mod model;
mod open;
mod output;
pub(crate) mod plan;
pub(crate) mod plugin;
pub(crate) mod remote;
pub(crate) mod report;
mod reports;
pub(crate) mod review;
pub(crate) mod run;
pub(crate) mod runtime;
mod shard;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use difftest_core::digest::Digest;
use difftest_core::nearest::did_you_mean;
use difftest_core::plan::SuitePlan;
use difftest_core::select::Expression;
use difftest_core::suite::{LoraUse, ModelSpec, PromptSource, Suite, SuiteError, SuiteErrors, Test};
use difftest_diffusion::declared::{DeclaredModels, Opened};
use difftest_diffusion::noise::Stream;
use difftest_diffusion::pipeline::{Options, described};
use difftest_diffusion::scheduler::Kind;
use difftest_diffusion::session::{self, Device, UnknownDevice};
use difftest_plugin::{Compiler, Limits, Registry};
use difftest_run::catalog::{self, CLIP_SCORE, Catalog};
use difftest_run::conduct::SuiteRun;

use crate::args::Selection;
use crate::environment;
use crate::error::CliError;
use crate::models::{Finder, names_a_file};
use crate::suites;
use crate::ui::{self, Ui};

/// The plugins of the folders that `selection` names, compiled in child processes of this program.
pub(crate) fn registry(folders: &[std::path::PathBuf], fuel: Option<u64>) -> Result<Registry, CliError> {
    let mut limits = Limits::default();
    if let Some(fuel) = fuel {
        limits.fuel = fuel;
    }
    let registry = Registry::discover(&environment::plugin_folders(folders)?, limits).map_err(|error| {
        CliError::new("plugins", error.to_string()).hint("name folders that exist with `--plugins DIR`")
    })?;
    let compiler = Compiler::this_program()
        .map_err(|error| CliError::new("plugins", format!("difftest does not find its own program: {error}")))?;
    let notice = |name: &str| ui::note(&format!("compiling plugin {name} (first use; kept for later) ..."));
    Ok(registry.with_compiler(compiler).with_notice(notice))
}

/// Starts ONNX Runtime on the device, or says why it cannot.
pub(crate) fn start_device(device: Device) -> Result<(), CliError> {
    session::start_device(device).map_err(|error| {
        CliError::new("device", format!("--device {device}: {}", described(&error))).hint_if(error.hint())
    })
}

/// What `--device` says, or the variable that stands for it.
pub(crate) fn device(name: &str) -> Result<Device, CliError> {
    let from_environment = std::env::var("DIFFTEST_DEVICE").is_ok_and(|value| value == name)
        && !std::env::args().any(|argument| argument.starts_with("--device"));
    let place = if from_environment { "DIFFTEST_DEVICE" } else { "--device" };
    name.parse().map_err(|error: UnknownDevice| CliError::new("usage", format!("{place}: {error}")))
}

/// A suite and what it comes to.
pub(crate) struct Planned {
    pub(crate) suite: Suite,
    pub(crate) plan: SuitePlan,
    /// The models it declares; none is loaded yet.
    pub(crate) models: Arc<DeclaredModels>,
}

/// Planned suites as the conductor takes them.
pub(crate) fn suite_runs(plans: Vec<Planned>) -> Vec<SuiteRun> {
    let run = |Planned { suite, plan, models }: Planned| SuiteRun {
        digest: Digest::of(suite.text.as_bytes()),
        folder: suite.path.parent().map(ToOwned::to_owned).unwrap_or_default(),
        models,
        plan,
    };
    plans.into_iter().map(run).collect()
}

/// From arguments to plans: the same cases for `list` and `run`. Models that are opened for them will run with `options`,
/// and are shared with whoever has the same `opened`. Names of the
/// hub's models become folders by `finder`.
pub(crate) fn plans(
    selection: &Selection,
    registry: &Registry,
    options: &Options,
    opened: &Arc<Opened>,
    finder: &Finder,
    ui: &mut Ui,
) -> Result<Vec<Planned>, CliError> {
    let expression = selection.expression.as_deref().map(Expression::parse).transpose().map_err(|error| {
        CliError::new("usage", format!("-k: {error}")).hint("for example: -k 'colours and not (blue or seed=42)'")
    })?;
    let (mut suites, left_out) = suites::load(&selection.suites, &selection.test_dir)?;
    if !left_out.is_empty() {
        ui.note(&format!("left out (manual): {}", left_out.join(", ")));
    }
    let seeds = (!selection.seed.is_empty()).then_some(&selection.seed[..]);
    if let Some(expression) = &expression {
        suites.iter_mut().for_each(|suite| suite.narrow(expression, seeds));
        suites.retain(|suite| !suite.tests.is_empty());
    }
    registry.prepare(suites.iter().flat_map(|suite| &suite.tests).flat_map(plugin_names));
    let mut plans = Vec::new();
    let mut broken = Vec::new();
    let loras = loras_on_command_line(&selection.lora)?;
    for mut suite in suites {
        let mut model = model_of(&suite, selection.model.as_deref())?;
        if !loras.is_empty() {
            adapted(&suite, &model)?;
            suite.loras.clone_from(&loras);
        }
        let unknown = unknown_names(&suite);
        if !unknown.errors.is_empty() {
            broken.push(unknown);
            continue;
        }
        let problems = finder.settle(&mut suite, &mut model, selection.model.is_some())?;
        if !problems.is_empty() {
            broken.push(SuiteErrors::new(&suite.path, &suite.text, problems));
            continue;
        }
        let mut mistakes = inputs::missing(&suite, &model, selection)?;
        let models = catalog::models_of(&suite, &model, options, opened);
        let plan = difftest_core::plan::expand(&suite, &model, seeds, &Catalog::new(registry, &suite, &models));
        match plan {
            Ok(plan) if mistakes.is_empty() => plans.push(Planned { suite, plan, models }),
            plan => {
                mistakes.extend(plan.err().into_iter().flat_map(|errors| errors.errors));
                broken.push(SuiteErrors::new(&suite.path, &suite.text, mistakes));
            }
        }
    }
    if !broken.is_empty() {
        return Err(CliError::Suites(broken));
    }
    if let Some(expression) = &expression {
        for planned in &mut plans {
            planned.plan.select(expression);
        }
        plans.retain(|planned| !planned.plan.tests.is_empty());
        if plans.is_empty() {
            let text = selection.expression.as_deref().unwrap_or_default();
            return Err(CliError::new("nothing-selected", format!("-k {text:?} matches no case"))
                .hint("`difftest list` prints every case id"));
        }
    }
    Ok(plans)
}

/// What a test names that plugins have: nothing else of the folders is opened.
fn plugin_names(test: &Test) -> impl Iterator<Item = &str> {
    let generator = match &test.prompts {
        PromptSource::Generator { name, .. } => Some(name.as_str()),
        PromptSource::List(_) | PromptSource::Manifest => None,
    };
    let metrics = test.metrics.iter().map(|metric| metric.name.as_str()).filter(|name| *name != CLIP_SCORE);
    metrics.chain(generator)
}

/// A scheduler or a noise stream that no model has is a mistake in the suite, known before any model is loaded.
fn unknown_names(suite: &Suite) -> SuiteErrors {
    let mut errors = Vec::new();
    for test in &suite.tests {
        let settings = &test.settings;
        let scheduler = settings.scheduler.as_deref().filter(|name| name.parse::<Kind>().is_err());
        let noise = settings.noise.as_deref().filter(|name| name.parse::<Stream>().is_err());
        let schedulers = || Kind::ALL.map(Kind::name).to_vec();
        let streams = || Stream::ALL.map(Stream::id).to_vec();
        let unknown = [
            scheduler.map(|name| ("scheduler", "scheduler", name, schedulers())),
            noise.map(|name| ("noise", "noise stream", name, streams())),
        ];
        for (key, what, name, known) in unknown.into_iter().flatten() {
            let span = test.setting_spans.get(key).unwrap_or(&test.span);
            let error = SuiteError::at(span, format!("unknown {what} `{name}`")).label(format!("no such {what}"));
            let error = error.hint(did_you_mean(name, known, "there are"));
            // Tests that have it from [defaults] share its line.
            if !errors.contains(&error) {
                errors.push(error);
            }
        }
    }
    SuiteErrors::new(&suite.path, &suite.text, errors)
}

/// `--model`, or the suite's.
fn model_of(suite: &Suite, asked: Option<&str>) -> Result<ModelSpec, CliError> {
    match (asked, &suite.model) {
        (Some(model), _) => Ok(ModelSpec::Diffusion(on_command_line(model, suite)?)),
        (None, Some(model)) => Ok(model.clone()),
        (None, None) => Err(CliError::new("no-model", format!("{} names no model", suite.path.display()))
            .hint("add `model = \"builtin:shapes\"`, a folder or ORG/NAME to the suite, or pass `--model`")),
    }
}

/// Paths of `--lora` start at the working directory, as a model's folder does.
fn loras_on_command_line(given: &[(PathBuf, f64)]) -> Result<Vec<LoraUse>, CliError> {
    let lora = |(path, weight): &(PathBuf, f64)| {
        let path = std::path::absolute(path)
            .map_err(|error| CliError::new("usage", format!("--lora {}: {error}", path.display())))?;
        Ok(LoraUse { path, weight: *weight, span: 0..0 })
    };
    given.iter().map(lora).collect()
}

/// Refuses `--lora` where no weights are used.
fn adapted(suite: &Suite, model: &ModelSpec) -> Result<(), CliError> {
    match model {
        ModelSpec::Diffusion(_) => Ok(()),
        ModelSpec::Images { .. } => {
            let message = format!(
                "--lora changes a diffusion model, and {} is about images that are there already",
                suite.path.display()
            );
            Err(CliError::new("usage", message).hint("name the suites that it is for, or pass `--model`"))
        }
    }
}

/// A folder (or a file, which its loader explains) on the command line is relative to the working directory, one in a suite to the
/// suite's folder.
fn on_command_line(model: &str, suite: &Suite) -> Result<String, CliError> {
    if model.is_empty() {
        return Err(CliError::new("usage", "--model is empty")
            .hint("give it a folder, ORG/NAME or builtin:shapes; a variable of the shell may not be set"));
    }
    if model.starts_with("builtin:") {
        return Ok(model.to_owned());
    }
    let path = Path::new(model);
    if path.exists() {
        let path = std::path::absolute(path).map_err(|e| CliError::new("usage", format!("--model {model}: {e}")))?;
        return Ok(path.to_string_lossy().into_owned());
    }
    let is_path = path.is_absolute() || model.starts_with('.') || !model.contains('/') || names_a_file(model);
    let beside = suite.path.parent().map(|folder| folder.join(path)).filter(|path| path.exists());
    match beside {
        // another model than the one that was asked for: nobody would notice
        Some(beside) => Err(CliError::new("model", format!("model folder {model} does not exist")).hint(format!(
            "there is one beside the suite, {}; paths on the command line start at the working directory",
            beside.display()
        ))),
        None if is_path => Err(CliError::new("model", format!("model folder {model} does not exist"))
            .hint("paths on the command line start at the working directory; a model of the hub is ORG/NAME")),
        None => Ok(model.to_owned()),
    }
}
