//! `difftest plugin publish`: a plugin into a registry, for everybody's `plugin add`.

use difftest_core::digest::Digest;
use difftest_oci::{Annotations, Artifact, Reference, Target};
use difftest_plugin::Limits;
use difftest_plugin::examine::{Examined, examine};
use difftest_plugin::report::Inspection;

use super::{locate, remote};
use crate::args::Format;
use crate::args::plugin::PublishArgs;
use crate::error::{CliError, Exit};
use crate::ui::Ui;

/// What begins the names of the standard annotations.
const STANDARD: &str = "org.opencontainers.image.";

pub(crate) fn publish(args: &PublishArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let reference: Reference = args.reference.parse().map_err(remote::error)?;
    let version = version(&reference)?;
    let own = own_annotations(&args.annotation)?;
    let (registry, name) = locate::registry(&args.plugin, &args.plugins)?;
    let inspection = registry.inspect(&name).map_err(|error| CliError::refused(super::from_registry(error)))?;
    // what nobody can use is not published
    if let Some(problem) = &inspection.problem {
        return Err(CliError::refused(problem.clone()));
    }
    let examined = examine(&inspection.path, &Limits::default()).map_err(|cause| CliError::refused(cause.into()))?;
    if examined.digest != inspection.digest {
        let message = format!("{} changed while it was read", inspection.path.display());
        return Err(CliError::new("plugin-io", message).hint("try again"));
    }
    if let Some(stated) = examined.version.as_ref().filter(|stated| **stated != version) {
        ui.note(&format!("note: the component says that it is version {stated}; it is published as {version}"));
    }
    let artifact = Artifact {
        wasm: &examined.wasm,
        imports: examined.imports.clone(),
        exports: examined.exports.clone(),
        target: None,
        annotations: annotations(&reference, &version, &examined, &inspection, own),
    };
    let pushed = remote::with_progress(ui, "sending", &reference, |progress| {
        remote::client(&args.registry).push(&reference, &artifact, args.force, progress)
    })?;
    let signed = reference.with_digest(pushed.manifest);
    ui.data(&match args.message_format {
        Format::Human => human(&reference, &signed, pushed.layer, pushed.new),
        Format::Json => {
            let told = serde_json::json!({
                "reference": reference.to_string(), "digest": signed.to_string(), "manifest": pushed.manifest,
                "sha256": pushed.layer, "new": pushed.new, "annotations": artifact.annotations
            });
            format!("{told:#}\n")
        }
    })?;
    Ok(Exit::Success)
}

/// The tag, where it is a version that other tools order and find.
fn version(reference: &Reference) -> Result<String, CliError> {
    let Target::Tag(tag) = reference.target() else {
        return Err(CliError::new(
            "usage",
            format!("{reference} names an artifact by its digest, and a new one has none yet"),
        )
        .hint("write a version: `oci://HOST/NAME:VERSION`"));
    };
    match semver::Version::parse(tag) {
        Ok(version) => Ok(version.to_string()),
        Err(error) => Err(CliError::new("usage", format!("`{tag}` is no semantic version: {error}"))
            .hint("write three numbers, such as `0.3.1` or `1.0.0-rc.1`")),
    }
}

fn own_annotations(written: &[String]) -> Result<Annotations, CliError> {
    let split = |text: &String| match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(CliError::new("usage", format!("--annotation {text}: it has no `=`"))
            .hint("write `--annotation org.opencontainers.image.licenses=MIT`")),
    };
    written.iter().map(split).collect()
}

/// What is known of the plugin, under the standard names; what the user wrote counts more.
fn annotations(
    reference: &Reference,
    version: &str,
    examined: &Examined,
    inspection: &Inspection,
    own: Annotations,
) -> Annotations {
    let mut all = Annotations::new();
    let mut set = |name: &str, value: &str| all.insert(format!("{STANDARD}{name}"), value.to_owned());
    set("title", reference.name());
    set("version", version);
    let summaries = inspection.metrics.iter().map(|metric| metric.summary.as_str());
    let summaries = summaries.chain(inspection.prompt_generators.iter().map(|generator| generator.summary.as_str()));
    let described = summaries.collect::<Vec<_>>().join(" ");
    if !described.is_empty() {
        set("description", &described);
    }
    for (name, value) in &examined.metadata {
        set(if *name == "homepage" { "url" } else { name }, value);
    }
    all.extend(own);
    all
}

fn human(reference: &Reference, signed: &Reference, component: Digest, new: bool) -> String {
    let verb = if new { "published" } else { "already published" };
    format!(
        "{verb} {reference}\n  digest     {}\n  component  sha256:{component}\n\nSign it by digest: cosign sign {0}\nUse it:            difftest plugin add {reference}\n",
        signed.bare()
    )
}
