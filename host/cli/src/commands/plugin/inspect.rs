//! `difftest plugin inspect`: everything there is to know about one plugin.

use std::fmt::Write as _;

use difftest_core::metric::{MetricInfo, MetricKind};
use difftest_plugin::report::Inspection;

use super::{locate, problem_lines};
use crate::args::Format;
use crate::args::plugin::InspectArgs;
use crate::error::{CliError, Exit};
use crate::ui::Ui;

pub(crate) fn inspect(args: &InspectArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let (registry, name) = locate::registry(&args.plugin, &args.plugins)?;
    let plugin = registry.inspect(&name)?;
    if args.message_format == Format::Json {
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
    let kind = match metric.kind {
        MetricKind::Image => "metric",
        MetricKind::Pair => "pair metric",
        MetricKind::Set => "set metric",
    };
    let mut text = format!("\n{kind} {}\n  {}\n", metric.name, metric.summary);
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
