//! What earlier runs computed, and what of it a plan can use.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use difftest_core::digest::Digest;
use difftest_core::event::ErrorInfo;
use difftest_core::generate::Generator;
use difftest_diffusion::pipeline::Options;
use difftest_plugin::Registry;
use difftest_report::list::{CaseWork, SuiteWork};
use difftest_run::baselines::Baselines;
use difftest_run::conduct::{LogRelay, SuiteRun};
use difftest_run::evidence::{CaseEvidence, Evidence, Force};
use difftest_run::load::Loader;
use difftest_store::cache::{Cache, CacheError};
use difftest_store::run_folder::DEFAULT_ROOT;

use super::{Planned, device, run};
use crate::args::explain::{Engine, Forced};
use crate::error::CliError;
use crate::ui::Ui;

/// The folder that what earlier runs computed lies in.
pub(crate) fn store() -> &'static Path {
    Path::new(DEFAULT_ROOT)
}

/// The cache of the working folder, made where there is none.
pub(crate) fn open() -> Result<Cache, CliError> {
    // Where it cannot be made, the cache says that nothing is kept, and the run goes on.
    let _ = difftest_store::run_folder::make_root(store());
    Cache::open(store()).map_err(CliError::from)
}

/// The cache of the working folder, if it has one, for whoever only looks.
pub(crate) fn look(ui: &mut Ui) -> Result<Option<Arc<Cache>>, CliError> {
    match Cache::look_at(store()) {
        Ok(cache) => Ok(cache.map(Arc::new)),
        // A run sets it aside and says so; nothing of it is known either way.
        Err(error @ CacheError::Open { .. }) => {
            ui.note(&format!("nothing is known of earlier runs: {error}"));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// What `--force` asks for.
pub(crate) fn force(asked: Option<Forced>) -> Force {
    match asked {
        None => Force::Nothing,
        Some(Forced::Score) => Force::Score,
        Some(Forced::Generate) => Force::Generate,
    }
}

/// The engine that a run with the same arguments would use.
pub(crate) fn engine(args: &Engine) -> Result<Options, CliError> {
    let device = device(&args.device)?;
    let precision = run::precision(args.precision.as_deref(), device)?;
    Ok(Options { device, precision, ..Options::default() })
}

/// A plan as it is run, without what it is compared with.
pub(crate) fn suite_run(planned: Planned) -> SuiteRun {
    let Planned { suite, plan, models } = planned;
    SuiteRun {
        digest: Digest::of(suite.text.as_bytes()),
        folder: suite.path.parent().map(ToOwned::to_owned).unwrap_or_else(PathBuf::new),
        models,
        plan,
    }
}

/// What is known of a suite, and the generator that knows its settings; or why that cannot be said.
pub(crate) type Known = Result<(Evidence, Arc<dyn Generator>), ErrorInfo>;

/// What is known of each suite.
pub(crate) fn examine(
    suites: &[SuiteRun],
    registry: &Registry,
    engine: &Options,
    cache: Option<&Arc<Cache>>,
    compared: Baselines,
) -> Vec<Known> {
    let logs = LogRelay::default();
    let loader = Loader::new(registry, &logs, *engine, 1).with_cache(cache.cloned()).comparing(compared);
    suites.iter().map(|suite| loader.evidence(suite, Force::Nothing)).collect()
}

/// What is known of a case, as it is told.
pub(crate) fn work(case: &CaseEvidence) -> CaseWork {
    CaseWork { action: case.action, because: case.because.clone(), judged: case.last.is_some() }
}

/// What is known of a suite, as it is told; nothing where it cannot be said.
pub(crate) fn suite_work(suite: &SuiteRun, known: &Known) -> SuiteWork {
    let Ok((evidence, generator)) = known else { return SuiteWork::default() };
    let of_test = |test: usize| {
        let case = suite.plan.cases.iter().find(|case| case.test == test)?;
        Some(generator.resolve(&case.settings).ok()?.into_iter().collect())
    };
    SuiteWork {
        environment: evidence.environment.clone(),
        cases: evidence.cases.iter().map(work).collect(),
        settings: (0..suite.plan.tests.len()).map(|test| of_test(test).unwrap_or_default()).collect(),
    }
}

impl From<CacheError> for CliError {
    fn from(error: CacheError) -> Self {
        Self::new("cache", error.to_string()).hint_if(error.hint())
    }
}
