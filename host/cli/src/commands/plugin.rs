//! `difftest plugin`: what plugins there are and what each is.

use std::fmt::Write as _;

use difftest_core::metric::{MetricError, MetricInfo};
use difftest_plugin::{Registry, RegistryError, report::Inspection};

use crate::args::{Format, PluginCommand};
use crate::commands;
use crate::error::{CliError, Exit};
use crate::ui::Ui;

pub(crate) fn plugin(command: &PluginCommand, ui: &mut Ui) -> Result<Exit, CliError> {
    match command {
        PluginCommand::List { plugins, message_format } => {
            let registry = commands::registry(plugins, None)?;
            list(&registry, *message_format, ui)
        }
        PluginCommand::Inspect { plugin, plugins, message_format } => {
            let registry = commands::registry(plugins, None)?;
            inspect(&registry, plugin, *message_format, ui)
        }
    }
}

/// Plugins that cannot be used are listed with the reason, and are no error: nobody asked for them.
fn list(registry: &Registry, format: Format, ui: &mut Ui) -> Result<Exit, CliError> {
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
    if format == Format::Json {
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

fn problem_lines(text: &mut String, problem: &MetricError) {
    let _ = writeln!(text, "  cannot be used: {}", problem.message);
    if let Some(hint) = &problem.hint {
        let _ = writeln!(text, "  next: {hint}");
    }
}

fn inspect(registry: &Registry, name: &str, format: Format, ui: &mut Ui) -> Result<Exit, CliError> {
    let plugin = registry.inspect(name).map_err(|error| {
        let error = from_registry(error);
        let cli = CliError::new(&error.kind, error.message);
        match error.hint {
            Some(hint) => cli.hint(hint),
            None => cli,
        }
    })?;
    if format == Format::Json {
        ui.data(&format!("{:#}\n", serde_json::json!(plugin)))?;
    } else {
        ui.data(&describe(&plugin))?;
    }
    Ok(if plugin.problem.is_some() { Exit::Error } else { Exit::Success })
}

fn describe(plugin: &Inspection) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<10} {value}");
    };
    row("name", &plugin.name);
    row("version", plugin.version.as_deref().unwrap_or("not stated"));
    row("file", &plugin.path.display().to_string());
    row("size", &format!("{} bytes, {} functions, {} modules", plugin.bytes, plugin.functions, plugin.modules));
    row("sha256", &plugin.digest.to_string());
    if let Some(class) = plugin.class {
        row("class", &class.to_string());
    }
    row(
        "built for",
        &plugin.wit_version.as_ref().map_or("no difftest:plugin".into(), |v| format!("difftest:plugin {v}")),
    );
    row("imports", &plugin.imports.join(", "));
    row("exports", &plugin.exports.join(", "));
    row("made with", &plugin.made_with.join(", "));
    for metric in &plugin.metrics {
        text += &describe_metric(metric);
    }
    for generator in &plugin.prompt_generators {
        let _ = writeln!(text, "\nprompts {}\n  {}", generator.name, generator.summary);
        schema_lines(&mut text, generator.config_schema.as_ref());
    }
    if let Some(problem) = &plugin.problem {
        text.push('\n');
        problem_lines(&mut text, problem);
    }
    text
}

fn describe_metric(metric: &MetricInfo) -> String {
    let mut text = format!("\nmetric {}\n  {}\n", metric.name, metric.summary);
    let direction = serde_json::json!(metric.direction);
    let _ = write!(text, "  {}", direction.as_str().unwrap_or_default());
    if let Some((low, high)) = metric.range {
        let _ = write!(text, ", from {low} to {high}");
    }
    if let Some(unit) = &metric.unit {
        let _ = write!(text, ", in {unit}");
    }
    text.push('\n');
    schema_lines(&mut text, metric.config_schema.as_ref());
    text
}

fn schema_lines(text: &mut String, schema: Option<&serde_json::Value>) {
    match schema {
        Some(schema) => {
            let _ = writeln!(text, "  config:");
            for line in format!("{schema:#}").lines() {
                let _ = writeln!(text, "    {line}");
            }
        }
        None => text.push_str("  takes no config\n"),
    }
}

fn from_registry(error: RegistryError) -> MetricError {
    let message = error.to_string();
    match error {
        RegistryError::NotFound { .. } => MetricError {
            kind: "not-found".into(),
            message,
            hint: Some("`difftest plugin list` shows what is there; `--plugins DIR` names another folder".into()),
        },
        RegistryError::Load(error) => error.into(),
        RegistryError::Refused(error) => error,
    }
}
