//! `difftest cache`: what earlier runs computed.

use difftest_metrics::decode::{self, Limits as Decoding};
use difftest_report::text::count;
use difftest_store::cache::{self, Cache, Checked, Limits, Swept};
use serde::Serialize;

use super::evidence::store;
use crate::args::Format;
use crate::args::cache::{CacheCommand, GcArgs};
use crate::error::{CliError, Exit};
use crate::models::size as bytes;
use crate::ui::Ui;

pub(crate) fn cache(command: &CacheCommand, ui: &mut Ui) -> Result<Exit, CliError> {
    match command {
        CacheCommand::Info { message_format } => info(*message_format, ui),
        CacheCommand::Gc(args) => gc(args, ui),
        CacheCommand::Verify { repair, message_format } => verify(*repair, *message_format, ui),
    }
}

fn info(format: Format, ui: &mut Ui) -> Result<Exit, CliError> {
    let cache = Cache::look_at(store())?;
    let contents = cache.as_ref().map(Cache::contents).transpose()?.unwrap_or_default();
    let text = match format {
        Format::Json => json(&contents),
        Format::Human => {
            let line =
                |name: &str, (files, size): (usize, u64)| format!("{name:<12}{files:>10}  {:>10}\n", bytes(size));
            let folder = cache.as_ref().map_or_else(|| "nothing yet".to_owned(), |c| c.folder().display().to_string());
            format!("{folder}\n")
                + &line("images", contents.images)
                + &line("embeddings", contents.embeddings)
                + &line("latents", contents.latents)
                + &line("scores", (contents.scores, contents.index))
                + &format!(
                    "{:<12}{:>10}  {:>10}\n",
                    "in all",
                    contents.images.0 + contents.embeddings.0 + contents.latents.0 + contents.scores,
                    bytes(contents.bytes())
                )
                + &format!("{}, {}\n", count(contents.generations, "image key"), count(contents.judged, "judged case"))
        }
    };
    ui.data(&text)?;
    Ok(Exit::Success)
}

fn gc(args: &GcArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let limits = Limits { max_size: args.max_size, older_than: args.older_than };
    let mut swept =
        if limits == Limits::default() { Swept::default() } else { Cache::sweep(store(), limits, args.dry_run)? };
    if let Some(keep) = args.keep_runs {
        swept.runs = cache::sweep_runs(store(), keep, args.dry_run)?;
    }
    let text = match args.message_format {
        Format::Json => json(&swept),
        Format::Human => {
            let what = if args.dry_run { "would be deleted" } else { "deleted" };
            let Swept { files, bytes: size, scores, runs } = &swept;
            let parts = [
                count(*files, "file") + &format!(" ({})", bytes(*size)),
                count(*scores, "score"),
                count(runs.len(), "run"),
            ];
            format!("{what}: {}\n", parts.join(", "))
        }
    };
    ui.data(&text)?;
    Ok(Exit::Success)
}

fn verify(repair: bool, format: Format, ui: &mut Ui) -> Result<Exit, CliError> {
    let Some(cache) = Cache::look_at(store())? else {
        ui.note("there is no cache yet");
        return Ok(Exit::Success);
    };
    let checked = cache.check(&|png| {
        let image = decode::decode(png, &Decoding::default()).map_err(|error| error.to_string())?;
        Ok(image.digest())
    })?;
    let Checked { files, bytes: size, bad, missing } = &checked;
    match format {
        Format::Json => ui.data(&json(&checked))?,
        Format::Human => {
            let mut text: String =
                bad.iter().map(|bad| format!("bad: {}: {}\n", bad.path.display(), bad.reason)).collect();
            text += &format!("{} ({}) read, {} bad", count(*files, "file"), bytes(*size), bad.len());
            if *missing > 0 {
                text += &format!("; {} gone, to be made again", count(*missing, "image"));
            }
            ui.data(&(text + "\n"))?;
        }
    }
    if bad.is_empty() {
        return Ok(Exit::Success);
    }
    if repair {
        let deleted = cache.discard(bad);
        ui.note(&format!("{} deleted: what they were is made again when it is needed", count(deleted, "file")));
        return Ok(if deleted == bad.len() { Exit::Success } else { Exit::Error });
    }
    ui.note("help: `difftest cache verify --repair` deletes them, and what they were is made again when it is needed");
    Ok(Exit::Error)
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}
