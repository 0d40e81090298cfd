//! `difftest plugin bench`: what a plugin costs.

use std::fmt::Write as _;

use difftest_plugin::Registry;
use difftest_plugin::conformance::{self, Bench, Cost};
use difftest_plugin::report::grouped;

use super::givens;
use super::locate::locate;
use crate::args::Format;
use crate::args::plugin::BenchArgs;
use crate::commands;
use crate::error::{CliError, Exit};
use crate::ui::Ui;

pub(crate) fn bench(args: &BenchArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let located = locate(&args.which)?;
    let mut cases = givens::cases(&args.givens, &located)?;
    let models = givens::models(&args.givens)?;
    let scratch = tempfile::tempdir()
        .map_err(|error| CliError::new("write", format!("cannot make a temporary folder: {error}")))?;
    let open = || -> Result<Registry, CliError> {
        let registry = commands::registry(std::slice::from_ref(&located.wasm), args.givens.fuel)?;
        Ok(registry.with_cache(Some(scratch.path().to_owned())))
    };
    let bench = conformance::bench(&located.wasm, &open, models, &mut cases)?;
    if args.message_format == Format::Json {
        ui.data(&format!("{:#}\n", serde_json::json!(bench)))?;
    } else {
        ui.data(&table(&bench))?;
    }
    for (name, why) in &bench.skipped {
        ui.error(&format!("`{name}` could not be measured: {why}"), None);
    }
    let mut exit = if bench.skipped.is_empty() { Exit::Success } else { Exit::Error };
    if let Some(most) = args.fuel_at_most {
        for cost in &bench.costs {
            if let Some(fuel) = cost.fuel_per_megapixel.filter(|fuel| *fuel > most) {
                let text = format!(
                    "`{}` burns {} fuel for a megapixel of {}, {} is the most",
                    cost.name,
                    grouped(fuel),
                    cost.of,
                    grouped(most)
                );
                ui.error(&text, Some("make it cheaper, or raise --fuel-at-most"));
                exit = if exit == Exit::Success { Exit::Failed } else { exit };
            }
        }
    }
    Ok(exit)
}

fn table(bench: &Bench) -> String {
    let mut text = format!(
        "{} ({} kB, fuel of wasmtime {})\n  first use {:.0} ms, later {:.1} ms\n\n",
        bench.plugin,
        bench.bytes / 1000,
        bench.wasmtime,
        bench.startup.compiled_seconds * 1e3,
        bench.startup.cached_seconds * 1e3
    );
    let width = |of: fn(&Cost) -> usize, least: usize| bench.costs.iter().map(of).max().unwrap_or(0).max(least);
    let (name, of) = (width(|cost| cost.name.len(), 6), width(|cost| cost.of.len(), 4));
    let _ =
        writeln!(text, "{:<name$}  {:<of$}  {:>15}  {:>15}  {:>10}", "metric", "of", "fuel", "per megapixel", "time");
    for cost in &bench.costs {
        let per_megapixel = cost.fuel_per_megapixel.map(grouped).unwrap_or_default();
        let _ = writeln!(
            text,
            "{:<name$}  {:<of$}  {:>15}  {per_megapixel:>15}  {:>7.2} ms",
            cost.name,
            cost.of,
            grouped(cost.fuel),
            cost.seconds * 1e3
        );
    }
    text
}
