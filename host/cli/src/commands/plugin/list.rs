//! `difftest plugin list`: what the plugin folders offer.

use std::fmt::Write as _;

use difftest_core::metric::MetricError;
use difftest_plugin::{RegistryError, report::Inspection};

use super::{from_registry, problem_lines};
use crate::args::Format;
use crate::args::plugin::ListArgs;
use crate::commands;
use crate::error::{CliError, Exit};
use crate::ui::Ui;

/// Plugins that cannot be used are listed with the reason, and are no error: nobody asked for them.
pub(crate) fn list(args: &ListArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let registry = commands::registry(&args.plugins, None)?;
    let listed = registry.list();
    let inspected: Vec<(String, Result<Inspection, MetricError>)> = listed
        .into_iter()
        .map(|plugin| {
            let answer = match plugin.problem {
                Some(problem) => Err(problem),
                None => registry.inspect(&plugin.name).map_err(|error| match error {
                    RegistryError::Load(error) => error.cause.into(),
                    error => from_registry(error),
                }),
            };
            (plugin.name, answer)
        })
        .collect();
    if args.message_format == Format::Json {
        let entry = |(name, answer): &(String, Result<Inspection, MetricError>)| match answer {
            Ok(inspection) => serde_json::json!(inspection),
            Err(problem) => serde_json::json!({ "name": name, "problem": problem }),
        };
        ui.data(&format!("{:#}\n", inspected.iter().map(entry).collect::<serde_json::Value>()))?;
        return Ok(Exit::Success);
    }
    if inspected.is_empty() {
        ui.note("no plugins: name their folder with `--plugins DIR`");
    }
    for (name, answer) in inspected {
        let mut text = String::new();
        match answer {
            Ok(plugin) => {
                let version = plugin.version.as_deref().unwrap_or("");
                let class = plugin.class.map(|class| format!("{class}, ")).unwrap_or_default();
                let _ = writeln!(text, "{name} {version} ({class}{} kB)", plugin.bytes / 1000);
                for metric in &plugin.metrics {
                    let _ = writeln!(text, "  {:<32} {}", metric.name, metric.summary);
                }
                for generator in &plugin.prompt_generators {
                    let _ = writeln!(text, "  {:<32} prompts: {}", generator.name, generator.summary);
                }
                if let Some(problem) = &plugin.problem {
                    problem_lines(&mut text, problem);
                }
            }
            Err(problem) => {
                let _ = writeln!(text, "{name}");
                problem_lines(&mut text, &problem);
            }
        }
        ui.data(&text)?;
    }
    Ok(Exit::Success)
}
