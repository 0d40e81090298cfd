//! `difftest push`: what this project has, to where others find it.

use std::path::Path;

use difftest_remote::Remote;
use difftest_remote::evidence::Pushed;
use difftest_remote::store::Put;
use difftest_report::text::count;
use difftest_store::baseline;
use difftest_store::cache::Cache;
use difftest_store::recording::Recording;
use difftest_store::run_folder::DEFAULT_ROOT;

use super::{Unit, Watch, author, baseline_error, cache_error, open, pixels};
use crate::args::remote::PushArgs;
use crate::error::{CliError, Exit};
use crate::models::size;
use crate::ui::Ui;

pub(crate) fn push(args: &PushArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    if !args.cache && args.baseline.is_empty() && args.recording.is_empty() {
        return Err(CliError::new("usage", "nothing is named that could be pushed")
            .hint("say what: `--cache`, `--baseline NAME`, `--recording FILE...`"));
    }
    let remote = open(&args.remote)?;
    for name in &args.baseline {
        push_baseline(&remote, &args.baseline_dir, name, ui)?;
    }
    if args.cache {
        push_cache(&remote, ui)?;
    }
    for path in &args.recording {
        push_recording(&remote, path, args.group.as_deref(), ui)?;
    }
    Ok(Exit::Success)
}

fn push_baseline(remote: &Remote, root: &Path, name: &str, ui: &mut Ui) -> Result<(), CliError> {
    let folder = baseline::Folder::named(root, name).map_err(|error| baseline_error(&error))?;
    let environments = folder.environments().map_err(|error| baseline_error(&error))?;
    if environments.is_empty() {
        return Err(CliError::new("usage", format!("there is no baseline `{name}` in {}", root.display()))
            .hint("`difftest baseline list` shows what there is; `--baseline-dir` names another folder"));
    }
    for environment in environments {
        let lane = format!("baseline/{name}/{environment}");
        let path = folder.path().join(&environment);
        let mut watch = Watch::new(ui, format!("pushing {name} ({environment})"), Unit::Bytes);
        let synced = remote.push_folder(&lane, &path, &author(), &mut |done, total| watch.tell(done, total));
        drop(watch);
        let synced = synced?;
        let what = format!("baseline {name} ({environment}): {}, {}", count(synced.files, "file"), size(synced.bytes));
        let word = if synced.changed { "pushed" } else { "already there:" };
        ui.data(&format!("{word} {what}, as number {}\n", synced.pointer.number))?;
    }
    Ok(())
}

fn push_cache(remote: &Remote, ui: &mut Ui) -> Result<(), CliError> {
    let Some(cache) = Cache::look_at(Path::new(DEFAULT_ROOT)).map_err(|error| cache_error(&error))? else {
        return Err(CliError::new("usage", "this folder has no cache yet").hint("`difftest run` fills it"));
    };
    let (images, scores) = cache.look(|look| (look.all_generations(), look.all_scores()));
    let mut watch = Watch::new(ui, "pushing images and scores", Unit::Things);
    let mut tell = |done, total| watch.tell(done, total);
    let pushed = remote.push_evidence(&cache, &images, &scores, &pixels, &mut tell);
    drop(watch);
    ui.data(&format!("{}\n", told(&pushed?)))
}

/// What a push of evidence came to.
pub(super) fn told(pushed: &Pushed) -> String {
    let mut text = format!("pushed {}; {} there already", count(pushed.made, "image or score"), pushed.there);
    if let Some(first) = pushed.different.first() {
        let number = count(pushed.different.len(), "key");
        text += &format!("; under {number} another machine got something else, which stays (such as {})", &first[..12]);
    }
    text.replace("image or scores", "images and scores")
}

fn push_recording(remote: &Remote, path: &Path, group: Option<&str>, ui: &mut Ui) -> Result<(), CliError> {
    // opened and checked: what is no recording must not be found by a merge
    let manifest = Recording::open(path)?.manifest;
    let numbers: Vec<_> = manifest.parts.iter().map(|part| format!("{:02}", part.shard)).collect();
    let shard = format!("shard-{}-of-{:02}", numbers.join("_"), manifest.of);
    let group = group.unwrap_or(&manifest.plan);
    let mut watch = Watch::new(ui, format!("pushing {}", path.display()), Unit::Bytes);
    let pushed = remote.push_recording(group, &shard, path, &author(), &mut |done, total| watch.tell(done, total));
    drop(watch);
    let (recording, put) = pushed?;
    let word = if put == Put::Made { "pushed" } else { "already there:" };
    ui.data(&format!(
        "{word} {shard} of {group}, {}: merge with `difftest merge {}/run/{group}`\n",
        size(recording.bytes),
        remote.url()
    ))
}
