//! `difftest plugin add`: from a file or a registry into the plugins folder and the lock, checked before it is anywhere.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use difftest_oci::{Reference, SCHEME};
use difftest_plugin::examine::{Examined, examine};
use difftest_plugin::lock::{Entry, FILE, Lock, Source};
use difftest_plugin::report::Inspection;
use difftest_plugin::{Limits, Registry, discovery};
use difftest_store::atomic;

use super::remote::{self, relative};
use crate::args::Format;
use crate::args::plugin::AddArgs;
use crate::commands;
use crate::error::{CliError, Exit};
use crate::lock_file;
use crate::ui::Ui;

/// A component that passed every check, not yet in its place.
struct Checked {
    examined: Examined,
    inspection: Inspection,
    source: Source,
    /// The version that its place has, for components that do not say theirs.
    version: Option<String>,
}

pub(crate) fn add(args: &AddArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    // a lock that cannot be read is told before anything is fetched
    let mut lock = lock_file::read()?;
    let folder = args.plugins.first().cloned().unwrap_or_else(|| PathBuf::from("plugins"));
    check_source(&args.source)?;
    let from_registry = args.source.starts_with(SCHEME);
    let reference = from_registry.then(|| args.source.parse::<Reference>()).transpose().map_err(remote::error)?;
    if !from_registry && Path::new(&args.source).is_dir() {
        return Err(CliError::new("usage", format!("{} is a folder", args.source))
            .hint("name the component file; a crate is built with `difftest plugin build`, and used where it is with `--plugins`"));
    }
    let name = name(args, reference.as_ref())?;
    let target = folder.join(format!("{name}.wasm"));
    let checked = match &reference {
        Some(reference) => fetched(args, reference, &name, ui)?,
        None => local(Path::new(&args.source))?,
    };
    let entry = Entry::of(&name, &checked.examined, checked.version, checked.source);
    may_replace(args, &folder, &target, &entry, &lock)?;
    if examine(&target, &Limits::default()).ok().is_none_or(|there| there.digest != entry.sha256) {
        atomic::write(&target, &checked.examined.wasm)?;
    }
    lock.insert(entry.clone());
    lock_file::write(&lock)?;
    ui.data(&match args.message_format {
        Format::Human => human(&entry, &checked.inspection, &target),
        Format::Json => {
            let Inspection { metrics, prompt_generators, .. } = &checked.inspection;
            let told = serde_json::json!({
                "path": target, "entry": entry, "metrics": metrics, "prompt_generators": prompt_generators
            });
            format!("{told:#}\n")
        }
    })?;
    Ok(Exit::Success)
}

/// Refuses what is neither a path nor an artifact, before it is taken for a file that is not there.
fn check_source(source: &str) -> Result<(), CliError> {
    const TAKEN: &str = "name a component file, or an artifact: `oci://HOST/NAME:VERSION`";
    if source.trim().is_empty() {
        return Err(CliError::new("usage", "the source is empty").hint(TAKEN));
    }
    if source.contains("://") && !source.starts_with(SCHEME) && !Path::new(source).exists() {
        let message = format!("`{source}` cannot be added: only files and {SCHEME}... can be");
        return Err(CliError::new("usage", message).hint(format!("{TAKEN}; download other files first")));
    }
    Ok(())
}

/// What it shall be called, in the form that suites use.
fn name(args: &AddArgs, reference: Option<&Reference>) -> Result<String, CliError> {
    let name = match (&args.name, reference) {
        (Some(name), _) => name.clone(),
        (None, Some(reference)) => reference.name().replace('_', "-"),
        (None, None) => discovery::name_of(Path::new(&args.source)),
    };
    let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if name.starts_with(|c: char| c.is_ascii_lowercase()) && name.split('-').all(word) {
        return Ok(name);
    }
    Err(CliError::new("usage", format!("{name:?} is no name for a plugin: lower-case words joined by dashes"))
        .hint("give it one with `--name NAME`"))
}

/// A file of this machine.
fn local(path: &Path) -> Result<Checked, CliError> {
    let (examined, inspection) = check(path)?;
    Ok(Checked { examined, inspection, source: Source::Path(relative(path)), version: None })
}

/// An artifact of a registry. It is checked in a folder of its own, so that nothing reaches the plugins folder that is not one.
fn fetched(args: &AddArgs, reference: &Reference, name: &str, ui: &mut Ui) -> Result<Checked, CliError> {
    let pulled = remote::with_progress(ui, "fetching", reference, |progress| {
        remote::client(&args.registry).pull(reference, progress)
    })?;
    let scratch = tempfile::tempdir()
        .map_err(|error| CliError::new("write", format!("cannot make a temporary folder: {error}")))?;
    let path = scratch.path().join(format!("{name}.wasm"));
    atomic::write(&path, &pulled.wasm)?;
    let place = path.display().to_string();
    let (examined, inspection) = check(&path).map_err(|error| error.map(|text| text.replace(&place, &args.source)))?;
    let version = match reference.target() {
        difftest_oci::Target::Tag(tag) => semver::Version::parse(tag).ok().map(|version| version.to_string()),
        difftest_oci::Target::Digest(_) => None,
    };
    Ok(Checked { examined, inspection, source: Source::Registry(reference.to_string()), version })
}

/// Everything that a run would find out, now.
fn check(path: &Path) -> Result<(Examined, Inspection), CliError> {
    let examined = examine(path, &Limits::default()).map_err(|cause| CliError::refused(cause.into()))?;
    // a file without an extension is a path too, when it has a folder
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let inspection = commands::registry(&[], None).and_then(|registry| {
        registry.inspect(&whole.to_string_lossy()).map_err(|error| CliError::refused(super::from_registry(error)))
    })?;
    if let Some(problem) = inspection.problem.clone() {
        return Err(CliError::refused(problem));
    }
    if inspection.digest != examined.digest {
        return Err(
            CliError::new("plugin-io", format!("{} changed while it was read", path.display())).hint("try again")
        );
    }
    Ok((examined, inspection))
}

/// Refuses to put `entry` where something else is, or was pinned, unless that was asked for.
fn may_replace(args: &AddArgs, folder: &Path, target: &Path, entry: &Entry, lock: &Lock) -> Result<(), CliError> {
    let new = entry.sha256;
    if !args.force
        && let Some(pinned) = lock.get(&entry.name).filter(|pinned| pinned.sha256 != new)
    {
        return Err(CliError::new(
            "plugin-differs",
            format!(
                "{FILE} pins `{}` as sha256:{} from {}, and this is sha256:{new}",
                entry.name, pinned.sha256, pinned.source
            ),
        )
        .hint("if that is wanted, `--force` pins the new one"));
    }
    if !folder.is_dir() {
        return Ok(());
    }
    let registry = Registry::discover(&[folder.to_owned()], Limits::default())
        .map_err(|error| CliError::new("plugins", error.to_string()))?;
    for listed in registry.list().into_iter().filter(|listed| listed.name == entry.name) {
        match listed.path {
            Some(path) if path == target => {
                let there = examine(target, &Limits::default()).ok().map(|there| there.digest);
                if there != Some(new) && !args.force {
                    let what = there.map_or("something else".to_owned(), |there| format!("sha256:{there}"));
                    let message =
                        format!("{} is there already: it is {what}, and this is sha256:{new}", target.display());
                    return Err(CliError::new("plugin-differs", message)
                        .hint("`--force` replaces it; `--name NAME` adds this one beside it"));
                }
            }
            // two of one name could not be told apart by a suite
            other => {
                let place = other.map_or_else(|| folder.display().to_string(), |path| path.display().to_string());
                return Err(CliError::new(
                    "plugin-clash",
                    format!("there is a plugin `{}` already: {place}", entry.name),
                )
                .hint("give this one another name with `--name NAME`"));
            }
        }
    }
    Ok(())
}

fn human(entry: &Entry, inspection: &Inspection, target: &Path) -> String {
    let mut text = format!(
        "added {}{} ({}, {} kB): {}\n",
        entry.name,
        entry.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default(),
        entry.class,
        inspection.bytes.div_ceil(1000),
        target.display()
    );
    let _ = writeln!(text, "  sha256  {}\n  source  {}", entry.sha256, entry.source);
    // the file was described under the name it came with
    let told = |full: &str| match full.split_once('/') {
        Some((_, metric)) => format!("{}/{metric}", entry.name),
        None => entry.name.clone(),
    };
    for metric in &inspection.metrics {
        let _ = writeln!(text, "  {:<32} {}", told(&metric.name), metric.summary);
    }
    for generator in &inspection.prompt_generators {
        let _ = writeln!(text, "  {:<32} prompts: {}", told(&generator.name), generator.summary);
    }
    text
}
