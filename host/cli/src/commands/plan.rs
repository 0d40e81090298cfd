//! `difftest plan`: the plan that shards agree on, as a file.

use std::path::Path;
use std::sync::Arc;

use difftest_core::shard::{Frozen, Strategy};
use difftest_diffusion::pipeline::Options;
use difftest_run::conduct;
use difftest_store::atomic;

use crate::args::shard::PlanArgs;
use crate::commands::{self, shard};
use crate::error::{CliError, Exit};
use crate::lock_file;
use crate::models::Finder;
use crate::ui::Ui;

pub(crate) fn plan(args: &PlanArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let registry = commands::registry(&args.selection.plugins, args.selection.fuel)?;
    let registry = lock_file::keep(registry, args.pinning)?;
    let finder = Finder::looking(ui);
    let plans = commands::plans(&args.selection, &registry, &Options::default(), &Arc::default(), &finder, ui)?;
    let suites = commands::suite_runs(plans);
    let suites: Vec<_> = conduct::by_model(&suites).into_iter().cloned().collect();
    let seconds = shard::recorded_seconds();
    let known = suites.iter().flat_map(|suite| &suite.plan.cases).filter(|case| seconds.contains_key(&case.id)).count();
    let strategy = match args.shard_by {
        Some(by) => by.into(),
        None if known > 0 => Strategy::Time,
        None => Strategy::Slice,
    };
    let frozen = shard::freeze(&suites, strategy, &|id| seconds.get(id).copied());
    let json = serde_json::to_string(&frozen)
        .map_err(|error| CliError::new("plan", format!("the plan cannot be written: {error}")))?;
    if args.output == Path::new("-") {
        ui.data(&format!("{json}\n"))?;
    } else {
        commands::output::check("--output", &args.output, &[], is_plan)?;
        atomic::write(&args.output, json.as_bytes())?;
    }
    let all: usize = suites.iter().map(|suite| suite.plan.cases.len()).sum();
    let times = match strategy {
        Strategy::Time => format!(", {known} with a known time"),
        Strategy::Slice | Strategy::Hash => String::new(),
    };
    ui.note(&format!("plan {} · {all} cases by {strategy}{times}", &frozen.digest[..12]));
    if let Some(shards) = args.shards {
        for line in preview(&frozen, shards, known > 0) {
            ui.note(&line);
        }
    }
    Ok(Exit::Success)
}

/// One line for each shard, or for the least and the most of many.
fn preview(frozen: &Frozen, shards: u32, seconds: bool) -> Vec<String> {
    const SHOWN: usize = 32;
    let mut loads = vec![(0_usize, 0.0_f64); shards as usize];
    for (suite, split) in frozen.suites.iter().zip(frozen.split(shards)) {
        for (case, shard) in suite.cases().zip(split) {
            let load = &mut loads[shard as usize - 1];
            *load = (load.0 + 1, load.1 + case.weight);
        }
    }
    let timed = seconds && frozen.strategy == Strategy::Time;
    let line = |index: usize, (cases, weight): (usize, f64)| {
        let time = if timed { format!(", {weight:.1} s") } else { String::new() };
        format!("  shard {}/{shards}: {cases} cases{time}", index + 1)
    };
    let mut lines: Vec<String> = loads.iter().enumerate().take(SHOWN).map(|(i, load)| line(i, *load)).collect();
    if loads.len() > SHOWN {
        lines.push(format!("  and {} more", loads.len() - SHOWN));
    }
    lines
}

/// Whether `difftest plan` wrote the file.
fn is_plan(path: &Path) -> bool {
    #[derive(serde::Deserialize)]
    #[expect(dead_code, reason = "being there is what counts")]
    struct Head {
        format: u32,
        digest: String,
        strategy: Strategy,
    }
    let file = std::fs::File::open(path);
    file.is_ok_and(|file| serde_json::from_reader::<_, Head>(std::io::BufReader::new(file)).is_ok())
}
