//! `difftest merge`: recordings of shards become the run that they are together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use difftest_metrics::decode::{self, Limits};
use difftest_remote::Remote;
use difftest_report::json::Results;
use difftest_report::terminal::{Terminal, TerminalOptions};
use difftest_run::merge::{self, Claim, Image, MergeError, Merged, Stream};
use difftest_store::atomic;
use difftest_store::history::RunRecord;
use difftest_store::recording::{self, Part, Recording, RecordingError};
use difftest_store::run_folder::{DEFAULT_ROOT, RunFolder};

use crate::args::merge::MergeArgs;
use crate::commands::{self, run, shard};
use crate::error::{CliError, Exit};
use crate::run_name::{self, RunName};
use crate::ui::Ui;

/// Merges. Where that is not possible, the reports say why.
pub(crate) fn merge(args: &MergeArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    args.reports.of(ui, |ui| attempt(args, ui))
}

fn attempt(args: &MergeArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    args.reports.check(&[])?;
    if let Some(path) = &args.record {
        shard::check_target(path)?;
    }
    let paths = find(&args.recordings, ui)?;
    let mut recordings = open(&paths)?;
    let claims: Vec<Claim> = recordings
        .iter()
        .map(|recording| Claim { path: recording.path.clone(), manifest: recording.manifest.clone() })
        .collect();
    let parts = merge::check(&claims, args.expect_shards);
    if let Some(path) = &args.record
        && matches!(parts, Ok(_) | Err(MergeError::Missing { .. } | MergeError::Expected { .. }))
    {
        recording::combine(path, &mut recordings)?;
        ui.note(&format!("recording {}", path.display()));
    }
    let parts = parts?;
    let streams = read(&mut recordings, &parts)?;
    // After every run that is there, also after the shards that ran here: it is the latest, and when it really began is kept.
    let RunName { name, .. } = run_name::next(ui);
    let folder = match &args.artifacts {
        Some(folder) => folder.clone(),
        None => Path::new(DEFAULT_ROOT).join("runs").join(&name),
    };
    let folder = std::path::absolute(&folder)
        .map_err(|error| CliError::new("usage", format!("{}: {error}", folder.display())))?;
    let Some(first) = recordings.first() else { return Err(MergeError::Nothing.into()) };
    let merged = merge::merge(&first.plan, first.manifest.of, &streams, &name, &folder)?;
    keep(args, &name, merged, &parts, recordings, ui)
}

/// Recordings as they were named; folders are looked through, also deeper. A path is taken once however it is written.
fn find(named: &[String], ui: &mut Ui) -> Result<Vec<PathBuf>, CliError> {
    let mut found: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
    for name in named {
        if name.contains("://") {
            let pulled = pull(name, ui)?;
            found.extend(pulled.into_iter().map(|path| (path.canonicalize().unwrap_or_else(|_| path.clone()), path)));
            continue;
        }
        let path = PathBuf::from(name);
        let mut inside = Vec::new();
        if path.is_dir() {
            walk(&path, &mut inside)?;
            if inside.is_empty() {
                let message = format!("{} has no recordings (*.{})", path.display(), recording::EXTENSION);
                return Err(CliError::new("no-recordings", message)
                    .hint("shards write theirs to .difftest/recordings/, or where `--record` says"));
            }
        } else {
            inside.push(path);
        }
        for path in inside {
            found.entry(path.canonicalize().unwrap_or_else(|_| path.clone())).or_insert(path);
        }
    }
    Ok(found.into_values().collect())
}

/// Fetches the recordings of a remote: all of them, or those of the group that `URL/run/GROUP` names. What was fetched before and is whole is
/// not fetched again.
fn pull(url: &str, ui: &mut Ui) -> Result<Vec<PathBuf>, CliError> {
    let fail = |error: difftest_remote::Error| {
        let hint = error.hint();
        CliError::new(error.kind(), error.to_string()).hint_if(hint)
    };
    let (place, group) = difftest_remote::recordings::split_group(url);
    let environment =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let remote = Remote::open(&place, &environment.collect()).map_err(fail)?;
    let folder = Path::new(DEFAULT_ROOT).join("recordings").join("pulled");
    let pulled = remote.pull_recordings(group.as_deref(), &folder, &mut difftest_remote::unwatched).map_err(fail)?;
    ui.note(&format!("{} recordings from {}", pulled.len(), remote.url()));
    Ok(pulled.into_iter().filter_map(|recording| recording.path).collect())
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), CliError> {
    let fail = |error: std::io::Error| CliError::new("read", format!("cannot read {}: {error}", folder.display()));
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        entries.push(entry.map_err(fail)?);
    }
    entries.sort_by_key(std::fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        // links to folders are not followed: they may lead back
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == recording::EXTENSION) {
            found.push(path);
        }
    }
    Ok(())
}

/// Opens all of them, on as many threads as there are cores. The first error, in the order of the paths, is told.
fn open(paths: &[PathBuf]) -> Result<Vec<Recording>, CliError> {
    let opened = in_parallel(paths.iter().collect(), |path| Recording::open(path));
    Ok(opened.into_iter().collect::<Result<_, _>>()?)
}

/// The streams of `parts`, each from the recording that has it.
fn read(recordings: &mut [Recording], parts: &[(Part, usize)]) -> Result<Vec<Stream>, CliError> {
    let wanted = |index: usize| parts.iter().filter(move |(_, of)| *of == index).map(|(part, _)| part.clone());
    let work: Vec<(&mut Recording, Vec<Part>)> =
        recordings.iter_mut().enumerate().map(|(index, recording)| (recording, wanted(index).collect())).collect();
    let read = in_parallel(work, |(recording, parts)| {
        let stream = |part: Part| Ok(Stream { events: recording.events(&part)?, part });
        parts.into_iter().map(stream).collect::<Result<Vec<_>, RecordingError>>()
    });
    let mut streams = Vec::new();
    for of_one in read {
        streams.extend(of_one?);
    }
    Ok(streams)
}

/// Writes the run's folder and the reports.
fn keep(
    args: &MergeArgs,
    name: &str,
    merged: Merged,
    parts: &[(Part, usize)],
    recordings: Vec<Recording>,
    ui: &mut Ui,
) -> Result<Exit, CliError> {
    let folder = match &args.artifacts {
        Some(path) => RunFolder::create(path)?,
        None => RunFolder::create_default(name)?,
    };
    if let Err(error) = extract(merged.images, parts, recordings) {
        // Nothing is left of a merge that was refused: a folder without results would be taken for the latest run. One that was named may
        // have other files in it.
        let path = folder.path().to_owned();
        drop(folder);
        if args.artifacts.is_none() {
            let _ = std::fs::remove_dir_all(path);
        }
        return Err(error);
    }
    let mut folder = if args.artifacts.is_some() { run_name::elsewhere(folder, name, ui) } else { folder };
    let mut results = Results::default();
    let mut record = RunRecord::default();
    let mut terminal = Terminal::new(
        std::io::stderr(),
        TerminalOptions {
            color: ui.color_stderr(),
            progress: false,
            verbosity: ui.verbosity(),
            width: run::terminal_width(),
            rerun: String::new(),
            diff: false,
        },
    );
    folder.record_all(&merged.events)?;
    for event in &merged.events {
        results.apply(event);
        record.apply(event);
        terminal.event(event);
    }
    let kept = folder.results_path();
    let trouble = atomic::write(&kept, results.to_json().as_bytes()).map_err(CliError::from).err();
    commands::history::keep(&record, ui);
    let trouble = args.reports.write(&results, &folder.recording_path(), ui).err().or(trouble);
    if trouble.is_none() {
        let named = args.reports.output.as_deref().filter(|path| *path != Path::new("-"));
        ui.note(&format!("     results {}", named.unwrap_or(&kept).display()));
    }
    let exit = match trouble {
        Some(error) => error.report(ui),
        None => Exit::from(merged.conclusion),
    };
    terminal.exit_line(exit as u8);
    Ok(exit)
}

/// Takes the images out of the recordings, each with the pixels that the events say. They can be had again, so they are not forced to
/// the disk one by one.
fn extract(images: Vec<Image>, parts: &[(Part, usize)], recordings: Vec<Recording>) -> Result<(), CliError> {
    let of_shard: BTreeMap<u32, usize> = parts.iter().map(|(part, index)| (part.shard, *index)).collect();
    let mut work: Vec<(Recording, Vec<Image>)> =
        recordings.into_iter().map(|recording| (recording, Vec::new())).collect();
    let mut folders: Vec<PathBuf> = Vec::new();
    for image in images {
        folders.extend(image.to.parent().map(ToOwned::to_owned));
        if let Some((_, images)) = of_shard.get(&image.shard).and_then(|&index| work.get_mut(index)) {
            images.push(image);
        }
    }
    folders.sort();
    folders.dedup();
    for folder in folders {
        std::fs::create_dir_all(&folder)
            .map_err(|error| CliError::new("write", format!("cannot make {}: {error}", folder.display())))?;
    }
    let done = in_parallel(work, |(mut recording, images)| {
        images.iter().try_for_each(|image| {
            let bytes = recording.extract(&image.object, &image.to)?;
            has_pixels(&bytes, image)
        })
    });
    done.into_iter().collect()
}

/// That the pixels are those that were looked at: the digest of the file is the recording's own word.
fn has_pixels(bytes: &[u8], image: &Image) -> Result<(), CliError> {
    let Some(digest) = image.digest else { return Ok(()) };
    let why = match decode::decode(bytes, &Limits::default()) {
        Ok(pixels) if pixels.digest() == digest => return Ok(()),
        Ok(_) => "has other pixels than its digest says".to_owned(),
        Err(error) => format!("cannot be read: {error}"),
    };
    let what = format!("the image {} of its case {} {why}", image.object.display(), image.case);
    Err(MergeError::Misfit { shard: image.shard, what }.into())
}

/// `work` on as many threads as there are cores; the answers are in its order.
fn in_parallel<T: Send, R: Send>(work: Vec<T>, one: impl Fn(T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(work.len().max(1));
    let queue = std::sync::Mutex::new(work.into_iter().enumerate());
    let next = || queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let worker = || {
            let mut done = Vec::new();
            while let Some((index, item)) = next() {
                done.push((index, one(item)));
            }
            done
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

impl From<MergeError> for CliError {
    fn from(error: MergeError) -> Self {
        Self::new(error.kind(), error.to_string()).hint(error.hint())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use difftest_core::image::Image as Pixels;

    use super::*;

    #[test]
    fn an_image_has_the_pixels_that_were_looked_at() {
        let grey = |value: u8| Pixels::new(2, 1, vec![value; 6]).unwrap();
        let png = difftest_metrics::encode::png(&grey(7)).unwrap();
        let image =
            |digest| Image { shard: 2, object: "objects/x".into(), to: "y".into(), digest, case: "s::t[p]".into() };
        let said = |bytes: &[u8], digest| match has_pixels(bytes, &image(digest)) {
            Ok(()) => String::new(),
            Err(CliError::Plain(info)) => info.message,
            Err(CliError::Suites(_)) => unreachable!(),
        };
        assert_eq!(said(&png, Some(grey(7).digest())), "");
        assert_eq!(said(b"a picture of a difference has no digest", None), "");
        let other = said(&png, Some(grey(8).digest()));
        assert!(other.contains("shard 2") && other.contains("s::t[p] has other pixels"), "{other}");
        assert!(said(b"no image", Some(grey(7).digest())).contains("cannot be read"));
    }
}
