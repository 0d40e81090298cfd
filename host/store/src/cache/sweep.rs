//! Deleting: what was not used for long, and what is more than there is room for.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::files::{self, IMAGES};
use super::{Cache, CacheError, FOLDER, Sort, index, now};
use crate::atomic::WriteError;

/// What is in a cache.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Contents {
    /// Images, and the bytes of their files.
    pub images: (usize, u64),
    /// Embeddings of prompts.
    pub embeddings: (usize, u64),
    /// Latents.
    pub latents: (usize, u64),
    /// Keys that lead to an image.
    pub generations: usize,
    /// Scores.
    pub scores: usize,
    /// Cases that were judged, each once for every environment.
    pub judged: usize,
    /// Bytes of the index.
    pub index: u64,
}

impl Contents {
    /// Bytes of everything.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.images.1 + self.embeddings.1 + self.latents.1 + self.index
    }
}

/// What may stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// So many bytes of images, embeddings and latents; what was not used for the longest time goes first.
    pub max_size: Option<u64>,
    /// What was used in the last so many seconds.
    pub older_than: Option<u64>,
}

/// What went, or would go.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Swept {
    /// Files that were deleted.
    pub files: usize,
    /// Their bytes. Those of an image that a run's folder has too come free when that goes.
    pub bytes: u64,
    /// Scores that were forgotten.
    pub scores: usize,
    /// Folders of runs that were deleted.
    pub runs: Vec<String>,
}

/// A file that was found.
struct Found {
    path: PathBuf,
    bytes: u64,
    used: i64,
}

impl Cache {
    /// What is in it.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn contents(&self) -> Result<Contents, CacheError> {
        let count = |table: &str| -> Result<usize, CacheError> {
            let count =
                self.index().query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0));
            Ok(usize::try_from(count.map_err(|error| self.unreadable(error))?).unwrap_or(0))
        };
        let sum = |folder: &str| {
            let files = list(&self.folder().join(folder));
            (files.len(), files.iter().map(|file| file.1).sum())
        };
        Ok(Contents {
            images: sum(IMAGES),
            embeddings: sum(Sort::Embeddings.folder()),
            latents: sum(Sort::Latents.folder()),
            generations: count("generation")?,
            scores: count("score")?,
            judged: count("judged")?,
            index: index::bytes(self.folder()),
        })
    }

    /// Deletes what is beyond `limits`; with `pretend`, only says what that is. What somebody still needs is made again.
    ///
    /// # Errors
    /// [`CacheError::InUse`] while a run has the cache open, and when the index cannot be read or written.
    pub fn sweep(store: &Path, limits: Limits, pretend: bool) -> Result<Swept, CacheError> {
        let root = store.join(FOLDER);
        if !index::is_there(&root) {
            return Ok(Swept::default());
        }
        let (connection, _) = index::open(&root)?;
        let _alone = match files::lock_alone(&root) {
            Ok(Some(lock)) => Some(lock),
            Ok(None) => return Err(CacheError::InUse { path: root }),
            Err(_) if pretend => None,
            Err(error) => return Err(WriteError::new("lock", &root, error).into()),
        };
        let read = |source| CacheError::Read { path: root.clone(), source };
        let mut used: HashMap<String, i64> = HashMap::new();
        {
            let mut statement =
                connection.prepare("SELECT image, max(used) FROM generation GROUP BY image").map_err(read)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(read)?;
            for row in rows {
                let (image, at) = row.map_err(read)?;
                used.insert(image, at);
            }
        }
        // What a clock that went back since has marked in the future was used just now.
        let now = now();
        let mut found: Vec<Found> = Sort::ALL
            .map(Sort::folder)
            .iter()
            .chain([&IMAGES])
            .flat_map(|folder| list(&root.join(folder)))
            .map(|(path, bytes, written)| {
                let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                Found { used: used.get(&name).copied().unwrap_or(written).min(now), path, bytes }
            })
            .collect();
        found.sort_by(|a, b| (a.used, &a.path).cmp(&(b.used, &b.path)));
        let oldest = limits.older_than.map(|seconds| now.saturating_sub(i64::try_from(seconds).unwrap_or(i64::MAX)));
        let mut left: u64 = found.iter().map(|file| file.bytes).sum();
        let mut swept = Swept::default();
        for file in &found {
            let old = oldest.is_some_and(|oldest| file.used < oldest);
            if !old && limits.max_size.is_none_or(|most| left <= most) {
                continue;
            }
            if !pretend {
                fs::remove_file(&file.path).map_err(|error| WriteError::new("delete", &file.path, error))?;
            }
            left -= file.bytes;
            swept.files += 1;
            swept.bytes += file.bytes;
        }
        if let Some(oldest) = oldest {
            let count = "SELECT count(*) FROM score WHERE used < ?";
            let scores: i64 = connection.query_row(count, [oldest], |row| row.get(0)).map_err(read)?;
            swept.scores = usize::try_from(scores).unwrap_or(0);
            if !pretend {
                connection.execute("DELETE FROM score WHERE used < ?", [oldest]).map_err(read)?;
                connection.execute("DELETE FROM generation WHERE used < ?", [oldest]).map_err(read)?;
                connection.execute_batch("VACUUM").map_err(read)?;
            }
        }
        Ok(swept)
    }

    pub(super) fn unreadable(&self, source: rusqlite::Error) -> CacheError {
        CacheError::Read { path: self.folder().to_owned(), source }
    }
}

/// Deletes the folders of all runs but the last `keep`, and those that are going on; answers their names.
///
/// # Errors
/// When one cannot be deleted.
pub fn sweep_runs(store: &Path, keep: usize, pretend: bool) -> Result<Vec<String>, WriteError> {
    let folder = store.join("runs");
    let Ok(entries) = fs::read_dir(&folder) else { return Ok(Vec::new()) };
    let mut runs: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().join("events.jsonl").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    // Names begin with the time of the run.
    runs.sort_unstable();
    runs.truncate(runs.len().saturating_sub(keep));
    runs.retain(|run| {
        let recording = fs::File::options().write(true).open(folder.join(run).join("events.jsonl"));
        recording.is_ok_and(|recording| recording.try_lock().is_ok())
    });
    for run in runs.iter().filter(|_| !pretend) {
        let path = folder.join(run);
        fs::remove_dir_all(&path).map_err(|error| WriteError::new("delete", &path, error))?;
    }
    Ok(runs)
}

/// Every file of one of the folders with its length, and when it was written.
pub(super) fn list(folder: &Path) -> Vec<(PathBuf, u64, i64)> {
    let mut files = Vec::new();
    for shard in fs::read_dir(folder).into_iter().flatten().flatten() {
        for file in fs::read_dir(shard.path()).into_iter().flatten().flatten() {
            let Ok(metadata) = file.metadata() else { continue };
            let written = metadata.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
            let written = written.and_then(|since| i64::try_from(since.as_secs()).ok()).unwrap_or(0);
            files.push((file.path(), metadata.len(), written));
        }
    }
    files.sort();
    files
}
