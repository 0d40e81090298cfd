//! `difftest pull`: what others have, to this machine.

use std::path::Path;

use difftest_remote::Remote;
use difftest_report::text::count;
use difftest_store::baseline;
use difftest_store::cache::Cache;
use difftest_store::run_folder::DEFAULT_ROOT;

use super::{Unit, Watch, baseline_error, cache_error, open, pixels};
use crate::args::remote::PullArgs;
use crate::error::{CliError, Exit};
use crate::models::size;
use crate::ui::Ui;

pub(crate) fn pull(args: &PullArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    if !args.cache && args.baseline.is_empty() && args.recordings.is_none() {
        return Err(CliError::new("usage", "nothing is named that could be pulled")
            .hint("say what: `--cache`, `--baseline NAME`, `--recordings GROUP`"));
    }
    let remote = open(&args.remote)?;
    for name in &args.baseline {
        pull_baseline(&remote, &args.baseline_dir, name, ui)?;
    }
    if args.cache {
        pull_cache(&remote, ui)?;
    }
    if let Some(group) = &args.recordings {
        let mut watch = Watch::new(ui, format!("pulling recordings of {group}"), Unit::Bytes);
        let pulled = remote.pull_recordings(Some(group), &args.into, &mut |done, total| watch.tell(done, total));
        drop(watch);
        for recording in pulled? {
            let path = recording.path.unwrap_or_default();
            ui.data(&format!("{} {} {}\n", recording.shard, size(recording.bytes), path.display()))?;
        }
    }
    Ok(Exit::Success)
}

fn pull_baseline(remote: &Remote, root: &Path, name: &str, ui: &mut Ui) -> Result<(), CliError> {
    baseline::check_name(name).map_err(|error| baseline_error(&error))?;
    let lanes = remote.folders(&format!("baseline/{name}"))?;
    if lanes.is_empty() {
        return Err(CliError::new("remote", format!("the remote {} has no baseline `{name}`", remote.url()))
            .hint("push it first, or check the URL and the name"));
    }
    for lane in lanes {
        let environment = lane.rsplit('/').next().unwrap_or_default();
        // it becomes the name of a folder here
        baseline::check_environment(environment).map_err(|error| baseline_error(&error))?;
        let mut watch = Watch::new(ui, format!("pulling {name} ({environment})"), Unit::Bytes);
        let path = root.join(name).join(environment);
        let synced = remote.pull_folder(&lane, &path, &mut |done, total| watch.tell(done, total));
        drop(watch);
        let synced = synced?;
        let word = if synced.changed { "pulled" } else { "up to date:" };
        ui.data(&format!(
            "{word} baseline {name} ({environment}): {}, {}, number {} by {}\n",
            count(synced.files, "file"),
            size(synced.bytes),
            synced.pointer.number,
            difftest_report::text::safe(&synced.pointer.by),
        ))?;
    }
    Ok(())
}

fn pull_cache(remote: &Remote, ui: &mut Ui) -> Result<(), CliError> {
    let cache = Cache::open(Path::new(DEFAULT_ROOT)).map_err(|error| cache_error(&error))?;
    let (mut images, mut scores) = remote.evidence()?;
    cache.look(|look| {
        images.retain(|key| look.generation(key).is_none_or(|made| !cache.has_image(&made.image, made.bytes)));
        scores.retain(|key| look.score(key).is_none());
    });
    let mut watch = Watch::new(ui, "pulling images and scores", Unit::Things);
    let mut tell = |done, total| watch.tell(done, total);
    let came = remote.pull_images(&cache, &images, &pixels, &mut tell);
    let came = came.and_then(|images| Ok((images.len(), remote.pull_scores(&cache, &scores, &mut tell)?.len())));
    drop(watch);
    let (images, scores) = came?;
    if let Some(trouble) = cache.troubles().into_iter().next() {
        return Err(CliError::new("cache", trouble));
    }
    ui.data(&format!("pulled {} and {}\n", count(images, "image"), count(scores, "score")))
}
