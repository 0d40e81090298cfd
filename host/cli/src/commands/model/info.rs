//! `difftest model info`: what a model is, what a run takes of it, and what of that is here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use difftest_diffusion::pipeline::Family;
use difftest_diffusion::repository::RepositoryError;
use difftest_diffusion::select::Selection;
use difftest_diffusion::session::Precision;
use difftest_report::text::safe;
use serde::Serialize;
use serde_json::Value;

use super::Named;
use crate::args::Format;
use crate::args::model::InfoArgs;
use crate::error::{CliError, Exit};
use crate::models::{self, Finder, Kind, from_hub, from_repository, size};
use crate::ui::Ui;

/// What is known of a model. The JSON of `--message-format json`.
#[derive(Serialize)]
struct Info {
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    /// `_class_name`, or `CLIP`.
    class: String,
    layout: &'static str,
    precision: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduler: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    defaults: Option<Defaults>,
    /// Bytes that a run takes of each component; `.` is what lies beside them.
    components: BTreeMap<String, u64>,
    files: Vec<String>,
    /// Bytes that a run takes.
    bytes: u64,
    /// Bytes of everything.
    repository_bytes: u64,
    /// Bytes that would have to be fetched.
    to_come: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    folder: Option<PathBuf>,
    /// Why a run would refuse it, as far as that is known without reading its weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

#[derive(Serialize)]
struct Defaults {
    steps: u32,
    guidance: f64,
}

pub(crate) fn info(args: &InfoArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let precision = super::precision(&args.precision)?;
    let (info, refused) = match super::named(&args.model)? {
        Named::Folder(folder) => {
            let sizes = walk(&folder)?;
            let (info, refused) = here(&args.model, &sizes, &folder, precision)?;
            (info, refused.map(|error| error.map(|text| format!("{} cannot be run: {text}", folder.display()))))
        }
        Named::Id(id) => {
            let finder = Finder::new(args.offline, precision, ui);
            let hub = finder.hub()?;
            if hub.settings().offline.is_some() {
                let snapshot = hub.cached(&id).ok_or_else(|| from_hub(hub.offline_error(&id.to_string())))?;
                let sizes: BTreeMap<String, u64> = snapshot.files().map_err(from_hub)?.into_iter().collect();
                let (info, refused) = here(id.repository(), &sizes, &snapshot.folder, precision)?;
                let refused = refused.map(|error| {
                    let error = error.map(|text| format!("what the cache has of {id} cannot be run: {text}"));
                    error.hint(format!("with a network, `difftest model fetch {id}` fetches what is missing"))
                });
                (Info { revision: Some(id.revision().into()), commit: Some(snapshot.commit), ..info }, refused)
            } else {
                let listing = hub.list(&id, finder.progress()).map_err(from_hub)?;
                let selection = finder.select(&listing, Kind::Any)?;
                let small = |file: &&str| file.ends_with("config.json") || *file == "model_index.json";
                let files: Vec<&str> = selection.files.iter().map(String::as_str).collect();
                let configs: Vec<&str> = files.iter().copied().filter(small).collect();
                let snapshot = hub.fetch(&listing, &configs, finder.progress()).map_err(from_hub)?;
                finder.progress().finish();
                if let Err(error @ RepositoryError::Class { .. }) = Kind::Any.open(&snapshot.folder) {
                    return Err(from_repository(&id, &error));
                }
                let sizes = listing.files.iter().map(|file| (file.path.clone(), file.size.unwrap_or(0))).collect();
                let info = describe(id.repository(), Some(&selection), &sizes, &snapshot.folder, precision);
                let to_come = hub.wanted(&listing, &files).to_come;
                let commit = Some(listing.commit.clone());
                (Info { revision: Some(id.revision().into()), commit, to_come, ..info }, None)
            }
        }
    };
    let text = match args.message_format {
        Format::Human => human(&info),
        Format::Json => format!("{:#}\n", serde_json::json!(info)),
    };
    ui.data(&text)?;
    refused.map_or(Ok(Exit::Success), Err)
}

/// Of a model that is here: what there is of it, and why a run would refuse it.
fn here(
    model: &str,
    sizes: &BTreeMap<String, u64>,
    folder: &Path,
    precision: Precision,
) -> Result<(Info, Option<CliError>), CliError> {
    let paths: Vec<&str> = sizes.keys().map(String::as_str).collect();
    let selection = Kind::Any.select(&paths, precision);
    let refused = models::check(folder, false).err().or_else(|| {
        let error = selection.as_ref().err()?;
        Some(CliError::new("model", error.to_string()).hint_if(error.hint()))
    });
    if !["model_index.json", "config.json"].iter().any(|file| sizes.contains_key(*file)) {
        return match refused {
            Some(error) => Err(error),
            None => Err(CliError::new("model", format!("{} holds no model", folder.display()))),
        };
    }
    let mut info = describe(model, selection.ok().as_ref(), sizes, folder, precision);
    if let Some(CliError::Plain(error)) = &refused {
        info.problem = Some(error.message.clone());
    }
    Ok((info, refused))
}

/// From a selection and the configs in `folder`; without a selection, of all files that are there.
fn describe(
    model: &str,
    selection: Option<&Selection>,
    sizes: &BTreeMap<String, u64>,
    folder: &Path,
    precision: Precision,
) -> Info {
    let index = json(folder, "model_index.json");
    let class = |value: &Option<Value>| Some(value.as_ref()?.get("_class_name")?.as_str()?.to_owned());
    let clip = !sizes.contains_key("model_index.json") && sizes.contains_key("config.json");
    let name = class(&index).unwrap_or_else(|| if clip { "CLIP" } else { "unknown" }.into());
    let files = selection.map_or_else(|| sizes.keys().cloned().collect(), |selection| selection.files.clone());
    let defaults = Family::of_class(&name).map(|family| family.usual(model));
    let mut components: BTreeMap<String, u64> = BTreeMap::new();
    for file in &files {
        let component = file.split_once('/').map_or(".", |(component, _)| component);
        *components.entry(component.to_owned()).or_default() += sizes.get(file).copied().unwrap_or(0);
    }
    Info {
        model: model.to_owned(),
        revision: None,
        commit: None,
        class: name,
        layout: selection.map_or("incomplete", |selection| selection.layout.name()),
        precision: precision.to_string(),
        scheduler: class(&json(folder, "scheduler/scheduler_config.json")),
        defaults: defaults.map(|(steps, guidance)| Defaults { steps, guidance }),
        bytes: components.values().sum(),
        components,
        files,
        repository_bytes: sizes.values().sum(),
        to_come: 0,
        folder: Some(folder.to_owned()),
        problem: None,
    }
}

fn human(info: &Info) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<12} {value}");
    };
    let at = match (&info.revision, &info.commit) {
        (Some(revision), Some(commit)) => format!(" ({revision} is {})", &commit[..commit.len().min(12)]),
        _ => String::new(),
    };
    line("model", &format!("{}{at}", safe(&info.model)));
    line("class", &format!("{} ({})", safe(&info.class), info.layout));
    if let Some(scheduler) = &info.scheduler {
        line("scheduler", &safe(scheduler));
    }
    if let Some(Defaults { steps, guidance }) = &info.defaults {
        line("defaults", &format!("{steps} steps, guidance {guidance}"));
    }
    line("precision", &info.precision);
    for (component, bytes) in &info.components {
        let name = if component == "." { "(root)" } else { component };
        line("", &format!("{name:<18} {:>9}", size(*bytes)));
    }
    line("takes", &format!("{} in {} files, of {}", size(info.bytes), info.files.len(), size(info.repository_bytes)));
    if info.commit.is_some() {
        let missing = match info.to_come {
            0 if info.problem.is_some() => "not whole".to_owned(),
            0 => "everything is in the cache".to_owned(),
            bytes => format!("{} to fetch", size(bytes)),
        };
        line("cache", &missing);
    }
    if let Some(folder) = &info.folder {
        line("folder", &folder.display().to_string());
    }
    text
}

fn json(folder: &Path, file: &str) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(folder.join(file)).ok()?).ok()
}

/// The files of a folder with their lengths.
fn walk(folder: &Path) -> Result<BTreeMap<String, u64>, CliError> {
    fn below(folder: &Path, prefix: &str, found: &mut BTreeMap<String, u64>) -> std::io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            match std::fs::metadata(entry.path()) {
                Ok(file) if file.is_dir() && prefix.matches('/').count() < 4 => {
                    below(&entry.path(), &format!("{name}/"), found)?;
                }
                Ok(file) if file.is_file() => drop(found.insert(name, file.len())),
                _ => {}
            }
        }
        Ok(())
    }
    let mut found = BTreeMap::new();
    below(folder, "", &mut found)
        .map_err(|error| CliError::new("model", format!("cannot read {}: {error}", folder.display())))?;
    Ok(found)
}
