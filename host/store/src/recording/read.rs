//! Opening a recording that may come from anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use difftest_core::event::{self, Event, Outcome};
use difftest_core::shard::{self, Frozen, Shard};
use serde::de::DeserializeOwned;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::{Entry, FORMAT, MANIFEST, Manifest, PLAN, Part, RecordingError, events_name};
use crate::atomic::WriteError;

/// Deflate packs real event streams about 20 times smaller; something that packs this much better was made to fill a disk.
const MAX_RATIO: u64 = 250;
/// What is smaller than this may be packed as well as it likes.
const SMALL: u64 = 16 << 20;
/// More entries than any plan has cases.
const MAX_ENTRIES: usize = 4_000_000;

/// A recording, opened and checked as far as that goes without reading its events and images.
#[derive(Debug)]
pub struct Recording {
    /// The file.
    pub path: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
    /// The plan that its shards are of.
    pub plan: Frozen,
    zip: ZipArchive<BufReader<File>>,
    /// Index of each object, by name.
    objects: BTreeMap<String, usize>,
}

impl Recording {
    /// Opens `path`: every entry's name, kind and size, the manifest and the plan are checked.
    ///
    /// # Errors
    /// [`RecordingError`] when it cannot be read, is something else, is damaged, was tampered with, or is newer than this program.
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        let fail = |e| RecordingError::read(path, e);
        let file = File::open(path).map_err(fail)?;
        let metadata = file.metadata().map_err(fail)?;
        if !metadata.is_file() {
            return Err(fail(io::Error::other("it is not a file")));
        }
        let mut zip = ZipArchive::new(BufReader::new(file))
            .map_err(|e| RecordingError::NotARecording { path: path.to_owned(), why: e.to_string() })?;
        let objects = check_entries(path, &mut zip, metadata.len())?;
        if zip.index_for_name(MANIFEST).is_none() {
            let why = format!("it has no {MANIFEST}");
            return Err(RecordingError::NotARecording { path: path.to_owned(), why });
        }
        let manifest = manifest(path, &json::<serde_json::Value>(path, &mut zip, MANIFEST)?)?;
        let plan: Frozen = json(path, &mut zip, PLAN)?;
        if plan.format > shard::FORMAT {
            return Err(newer(path, "plan format", plan.format, shard::FORMAT, &manifest.difftest));
        }
        if plan.digest != manifest.plan || plan.computed_digest() != plan.digest {
            return Err(RecordingError::damaged(path, "its plan is not the one that its manifest names"));
        }
        Ok(Self { path: path.to_owned(), manifest, plan, zip, objects })
    }

    /// The event stream of a shard. Paths of images are names of objects that are in the recording.
    ///
    /// # Errors
    /// [`RecordingError`] when it is not what was recorded, or newer than this program.
    pub fn events(&mut self, part: &Part) -> Result<Vec<Event>, RecordingError> {
        let bytes = read(&self.path, &mut self.zip, &events_name(&part.events))?;
        let damaged = |line: usize, what: String| {
            RecordingError::damaged(&self.path, format!("shard {}, event {line}: {what}", part.shard))
        };
        let mut events = Vec::new();
        for (index, line) in bytes.as_slice().split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).enumerate() {
            if index == 0 {
                self.check_stream(line)?;
            }
            let mut event: Event = serde_json::from_slice(line).map_err(|e| damaged(index + 1, e.to_string()))?;
            for path in paths(&mut event) {
                if !path.to_str().is_some_and(|name| self.objects.contains_key(name)) {
                    let what = format!("it names the image {}, which is not in the recording", path.display());
                    return Err(damaged(index + 1, what));
                }
            }
            events.push(event);
        }
        Ok(events)
    }

    /// Writes the object of that name, as [`Recording::events`] gives it, to `to`, which must not be there. Answers its bytes.
    ///
    /// # Errors
    /// [`RecordingError`] when it is not what was recorded, or cannot be written.
    pub fn extract(&mut self, object: &Path, to: &Path) -> Result<Vec<u8>, RecordingError> {
        let name = object.to_string_lossy();
        let bytes = read(&self.path, &mut self.zip, &name)?;
        let written = File::create_new(to).and_then(|mut file| file.write_all(&bytes));
        written.map_err(|e| WriteError::new("write", to, e))?;
        Ok(bytes)
    }

    /// Copies streams and objects to another recording, each name once.
    pub(super) fn copy_contents(
        &mut self,
        to: &mut ZipWriter<impl Write + io::Seek>,
        written: &mut BTreeSet<String>,
    ) -> zip::result::ZipResult<()> {
        for index in 0..self.zip.len() {
            let entry = self.zip.by_index_raw(index)?;
            let name = entry.name()?.into_owned();
            let wanted = matches!(Entry::parse(&name), Some(Entry::Events(_) | Entry::Object(_)));
            if wanted && written.insert(name) {
                to.raw_copy_file(entry)?;
            }
        }
        Ok(())
    }

    /// The first event says how to read the others.
    fn check_stream(&self, line: &[u8]) -> Result<(), RecordingError> {
        #[derive(serde::Deserialize)]
        struct Head {
            event: String,
            #[serde(default)]
            version: u32,
        }
        let head: Head = serde_json::from_slice(line)
            .map_err(|e| RecordingError::damaged(&self.path, format!("its events do not begin as such: {e}")))?;
        if head.event != "run-started" {
            return Err(RecordingError::damaged(&self.path, "its events do not begin with the start of a run"));
        }
        // Older streams lack fields that have a default since, and nothing else.
        if head.version > event::VERSION {
            let difftest = &self.manifest.difftest;
            return Err(newer(&self.path, "event stream version", head.version, event::VERSION, difftest));
        }
        Ok(())
    }
}

/// The files that an event names.
fn paths(event: &mut Event) -> Vec<&mut PathBuf> {
    match event {
        Event::Generated { outcome: Outcome::Ok(image), .. } => vec![&mut image.path],
        Event::Compared { outcome: Outcome::Ok(comparison), .. } => super::paths_of(comparison).collect(),
        _ => Vec::new(),
    }
}

/// Refuses every entry that no recording has. Answers the index of each object, by name.
fn check_entries(
    path: &Path,
    zip: &mut ZipArchive<BufReader<File>>,
    length: u64,
) -> Result<BTreeMap<String, usize>, RecordingError> {
    let refused = |why: String| Err(RecordingError::refused(path, why));
    let unreadable = |e: zip::result::ZipError| RecordingError::damaged(path, e.to_string());
    if zip.len() > MAX_ENTRIES {
        return refused(format!("it has {} entries, more than a recording may have ({MAX_ENTRIES})", zip.len()));
    }
    if zip.has_duplicate_names() {
        return refused("two of its entries have the same name".into());
    }
    if zip.has_overlapping_entries().map_err(unreadable)? {
        return refused("some of its entries share their bytes".into());
    }
    let mut objects = BTreeMap::new();
    for index in 0..zip.len() {
        let file = zip.by_index_data(index).map_err(unreadable)?;
        let name = match std::str::from_utf8(file.name_raw()) {
            Ok(name) => name.to_owned(),
            Err(_) => return refused(format!("entry {index} has a name that is no text")),
        };
        let shown = name.escape_debug();
        let Some(entry) = Entry::parse(&name) else {
            return refused(format!("it has an entry `{shown}`, which no recording has"));
        };
        if !file.is_file() || file.is_symlink() || file.encrypted() {
            return refused(format!("its entry `{shown}` is a link, a folder or encrypted"));
        }
        let (size, packed, method) = (file.size(), file.compressed_size(), file.compression());
        if size > entry.limit() {
            return refused(format!("its entry `{shown}` has {size} bytes, more than it may have ({})", entry.limit()));
        }
        match entry {
            Entry::Object(_) if method != CompressionMethod::Stored || size != packed || size > length => {
                return refused(format!("its image `{shown}` is not stored as it is"));
            }
            Entry::Object(_) => drop(objects.insert(name, index)),
            _ if size > SMALL && size / MAX_RATIO > packed => {
                return refused(format!("its entry `{shown}` unpacks {packed} bytes to {size}: a bomb"));
            }
            _ => {}
        }
    }
    Ok(objects)
}

/// Reads the manifest once its version is known to be one that can be read.
fn manifest(path: &Path, json: &serde_json::Value) -> Result<Manifest, RecordingError> {
    let text = |key: &str| json.get(key).and_then(serde_json::Value::as_str).unwrap_or("unknown").to_owned();
    let format = json.get("format").and_then(serde_json::Value::as_u64).and_then(|format| u32::try_from(format).ok());
    let Some(format) = format else {
        return Err(RecordingError::damaged(path, format!("its {MANIFEST} has no format")));
    };
    if format > FORMAT {
        return Err(newer(path, "format", format, FORMAT, &text("difftest")));
    }
    let damaged = |what: String| RecordingError::damaged(path, format!("its {MANIFEST}: {what}"));
    let manifest: Manifest =
        serde::Deserialize::deserialize(json).map_err(|e: serde_json::Error| damaged(e.to_string()))?;
    if manifest.parts.is_empty() {
        return Err(damaged("it names no shard".into()));
    }
    for part in &manifest.parts {
        Shard::new(part.shard, manifest.of).map_err(|e| damaged(e.to_string()))?;
        if !matches!(Entry::parse(&events_name(&part.events)), Some(Entry::Events(_))) {
            return Err(damaged(format!("shard {} has no digest of its events", part.shard)));
        }
    }
    Ok(manifest)
}

fn newer(path: &Path, what: &'static str, found: u32, reads: u32, difftest: &str) -> RecordingError {
    RecordingError::Newer { path: path.to_owned(), what, found, reads, difftest: difftest.to_owned() }
}

fn json<T: DeserializeOwned>(
    path: &Path,
    zip: &mut ZipArchive<BufReader<File>>,
    name: &str,
) -> Result<T, RecordingError> {
    let bytes = read(path, zip, name)?;
    serde_json::from_slice(&bytes).map_err(|e| RecordingError::damaged(path, format!("its {name}: {e}")))
}

/// A whole entry, never more than it says it has, with the digest that its name says.
fn read(path: &Path, zip: &mut ZipArchive<BufReader<File>>, name: &str) -> Result<Vec<u8>, RecordingError> {
    let damaged = |what: String| RecordingError::damaged(path, what);
    if zip.index_for_name(name).is_none() {
        return Err(damaged(format!("it has no {name}")));
    }
    let entry = zip.by_name(name).map_err(|e| damaged(format!("its {name}: {e}")))?;
    let size = entry.size();
    // The size is the archive's own word: memory is taken as bytes come.
    let mut bytes = Vec::with_capacity(usize::try_from(size.min(SMALL)).unwrap_or(0));
    let read = entry.take(size.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|e| damaged(format!("its {name}: {e}")))?;
    if bytes.len() as u64 != size {
        return Err(damaged(format!("its {name} has {} bytes instead of {size}", bytes.len())));
    }
    if let Some(Entry::Events(digest) | Entry::Object(digest)) = Entry::parse(name)
        && blake3::hash(&bytes).to_hex().as_str() != digest
    {
        return Err(damaged(format!("{name} has other content than was recorded")));
    }
    Ok(bytes)
}
