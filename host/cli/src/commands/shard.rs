//! The part of a plan that this run is to do, and its recording.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use difftest_core::event::Event;
use difftest_core::shard::{self, Frozen, Plan, Shard, Strategy};
use difftest_run::conduct::{self, SuiteRun};
use difftest_store::recording::{self, RecordingError, Source};
use difftest_store::run_folder::DEFAULT_ROOT;
use difftest_store::{events, runs};

use crate::args::shard::Sharding;
use crate::error::CliError;
use crate::ui::Ui;

/// A frozen plan larger than this is none.
const MAX_PLAN: u64 = 1 << 30;

/// How many of the newest runs are asked how long a case takes.
const RUNS: usize = 20;

/// What of the plan is done here.
pub(crate) struct Share {
    /// The whole plan.
    plan: Frozen,
    shard: Shard,
}

/// Keeps of `suites` what `--shard` says. Answers what has to be known to record it; `None` where nothing is recorded.
pub(crate) fn divide(
    sharding: &Sharding,
    suites: Vec<SuiteRun>,
    ui: &mut Ui,
) -> Result<(Vec<SuiteRun>, Option<Share>), CliError> {
    if let Some(path) = &sharding.record {
        check_target(path)?;
    }
    if sharding.shard.is_none() && sharding.record.is_none() {
        return Ok((suites, None));
    }
    let mut suites: Vec<SuiteRun> = conduct::by_model(&suites).into_iter().cloned().collect();
    // Without a plan no time is known that all shards agree on: what they weigh follows from the suites.
    let strategy = sharding.shard_by.map(Strategy::from).unwrap_or_default();
    let mut plan = freeze(&suites, strategy, &|_| None);
    if let Some(path) = &sharding.plan {
        let refuse = |error: shard::PlanMismatch| {
            let message = format!("--plan {} is of something else: {error}", path.display());
            CliError::new("plan", message).hint("plan and run the same suites with the same options, or plan again")
        };
        plan = read_plan(path)?.agreed(&plan).map_err(refuse)?;
    }
    let shard = match sharding.shard {
        Some(shard) => shard,
        None => Shard::new(1, 1).map_err(|error| CliError::new("usage", error.to_string()))?,
    };
    let all: usize = suites.iter().map(|suite| suite.plan.cases.len()).sum();
    for (suite, shards) in suites.iter_mut().zip(plan.split(shard.of())) {
        suite.plan.keep_shard(&shards, shard.index(), shard.is_first());
    }
    suites.retain(|suite| !suite.plan.tests.is_empty());
    if sharding.shard.is_some() {
        let here: usize = suites.iter().map(|suite| suite.plan.cases.len()).sum();
        let (by, digest) = (plan.strategy, &plan.digest[..12]);
        ui.note(&format!("shard {shard} by {by}: {here} of {all} cases · plan {digest}"));
    }
    Ok((suites, Some(Share { plan, shard })))
}

impl Share {
    /// Records the run in `folder`, called `run`. Answers where.
    pub(crate) fn record(&self, named: Option<&Path>, folder: &Path, run: &str) -> Result<PathBuf, CliError> {
        let path = named.map_or_else(|| self.default_path(run), ToOwned::to_owned);
        let commit = difftest_store::checkout::commit(Path::new("."));
        let source = Source { folder, plan: &self.plan, shard: self.shard, commit: commit.as_deref() };
        recording::write(&path, &source)?;
        Ok(path)
    }

    /// `.difftest/recordings/RUN-02-of-04.difftest`: sorts by shard, and no run writes over that of another.
    fn default_path(&self, run: &str) -> PathBuf {
        let (index, of) = (self.shard.index(), self.shard.of());
        let width = of.to_string().len();
        let name = format!("{run}-{index:0width$}-of-{of}.{}", recording::EXTENSION);
        Path::new(DEFAULT_ROOT).join("recordings").join(name)
    }
}

/// The plan of `suites`, which are in the order they run.
pub(crate) fn freeze(suites: &[SuiteRun], strategy: Strategy, recorded: &shard::Recorded<'_>) -> Frozen {
    let plans: Vec<Plan<'_>> = suites.iter().map(|suite| (&suite.plan, suite.digest)).collect();
    Frozen::of(&plans, env!("CARGO_PKG_VERSION"), strategy, recorded)
}

/// How many seconds each case took in the newest recorded runs of this project that had it: image and scores together.
pub(crate) fn recorded_seconds() -> HashMap<String, f64> {
    let root = Path::new(DEFAULT_ROOT);
    let mut known: HashMap<String, f64> = HashMap::new();
    for run in runs::names(root).iter().rev().take(RUNS) {
        let Ok(events) = events::read(&root.join("runs").join(run)) else { continue };
        let mut of_run: HashMap<String, f64> = HashMap::new();
        let mut ids: Vec<String> = Vec::new();
        for event in events.flatten() {
            match event {
                Event::SuiteStarted { cases, .. } => ids = cases.into_iter().map(|case| case.id).collect(),
                Event::Generated { case, seconds, .. } | Event::Scored { case, seconds, .. } => {
                    if let Some(id) = ids.get(case) {
                        *of_run.entry(id.clone()).or_default() += seconds;
                    }
                }
                _ => {}
            }
        }
        for (id, seconds) in of_run {
            known.entry(id).or_insert(seconds);
        }
    }
    known
}

fn read_plan(path: &Path) -> Result<Frozen, CliError> {
    let fail = |why: String| {
        CliError::new("plan", format!("cannot read the plan {}: {why}", path.display()))
            .hint("`difftest plan --output plan.json` writes one")
    };
    let file = std::fs::File::open(path).map_err(|e| fail(e.to_string()))?;
    let mut text = Vec::new();
    file.take(MAX_PLAN).read_to_end(&mut text).map_err(|e| fail(e.to_string()))?;
    let format = serde_json::from_slice::<serde_json::Value>(&text).ok().and_then(|json| json.get("format")?.as_u64());
    if format.is_some_and(|format| format > u64::from(shard::FORMAT)) {
        return Err(fail(format!("a newer difftest wrote it (format {})", format.unwrap_or_default())));
    }
    let plan: Frozen = serde_json::from_slice(&text).map_err(|e| fail(e.to_string()))?;
    if plan.computed_digest() != plan.digest {
        return Err(fail("it was changed after it was written".into()));
    }
    Ok(plan)
}

/// Finds out before the run whether the recording can be written, and that it takes nothing away but an earlier one.
pub(crate) fn check_target(path: &Path) -> Result<(), CliError> {
    let refuse = |why: String| {
        CliError::new("write", format!("--record {} {why}", path.display()))
            .hint(format!("name a file, such as shard-1.{}", recording::EXTENSION))
    };
    match std::fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => Err(refuse("is not a file".into())),
        Ok(metadata) if metadata.len() > 0 => {
            let mut head = [0; 2];
            let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head));
            let zip = read.is_ok() && head == *b"PK";
            if zip { Ok(()) } else { Err(refuse("would replace a file that is no recording".into())) }
        }
        Ok(_) => Ok(()),
        Err(_) => {
            difftest_store::atomic::write(path, b"")?;
            std::fs::remove_file(path).map_err(|error| refuse(format!("cannot be written: {error}")))
        }
    }
}

impl From<RecordingError> for CliError {
    fn from(error: RecordingError) -> Self {
        let hint = error.hint();
        Self::new(error.kind(), error.to_string()).hint_if(hint)
    }
}
