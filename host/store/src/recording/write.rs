//! From a run's folder to a recording.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use difftest_core::event::{Event, Outcome};
use difftest_core::shard::{Frozen, Shard};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{
    FORMAT, MANIFEST, Manifest, PLAN, Part, Recording, RecordingError, conclusion_name, events_name, is_extension,
};
use crate::atomic::WriteError;

/// What a recording is made of.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The folder of the run, which has ended.
    pub folder: &'a Path,
    /// The whole plan.
    pub plan: &'a Frozen,
    /// What of it was run.
    pub shard: Shard,
    /// The commit that the working folder stands at, where that is known.
    pub commit: Option<&'a str>,
}

/// Writes the recording of a run to `path`. Nothing stands there before it is whole.
///
/// # Errors
/// [`RecordingError`] when the run's events or images cannot be read, or the file cannot be written.
pub fn write(path: &Path, source: &Source<'_>) -> Result<Manifest, RecordingError> {
    let mut packer = Packer::default();
    let events = packer.events(source.folder)?;
    let part = Part {
        shard: source.shard.index(),
        events: blake3::hash(&events).to_hex().to_string(),
        run: packer.run,
        started: packer.started,
        images: packer.images,
        conclusion: packer.conclusion.unwrap_or("interrupted").to_owned(),
        commit: source.commit.map(ToOwned::to_owned),
    };
    let manifest = Manifest {
        format: FORMAT,
        difftest: env!("CARGO_PKG_VERSION").to_owned(),
        plan: source.plan.digest.clone(),
        of: source.shard.of(),
        parts: vec![part],
    };
    let objects = packer.objects;
    replace(path, |zip| {
        head(zip, &manifest, source.plan)?;
        zip.start_file(events_name(&manifest.parts[0].events), packed())?;
        zip.write_all(&events)?;
        for (name, file) in &objects {
            zip.start_file(name.as_str(), stored())?;
            let digest = copy(&mut File::open(file)?, zip)?;
            if !name.contains(&digest) {
                let what = format!("{} was changed while it was recorded", file.display());
                return Err(io::Error::other(what).into());
            }
        }
        Ok(())
    })?;
    Ok(manifest)
}

/// Writes one recording with the shards of all of `recordings`, which are of one plan; a shard that is in several is taken once.
///
/// # Errors
/// [`RecordingError`] when one cannot be read, or the file cannot be written.
pub fn combine(path: &Path, recordings: &mut [Recording]) -> Result<(), RecordingError> {
    let Some(first) = recordings.first() else { return Ok(()) };
    let parts: BTreeSet<Part> = recordings.iter().flat_map(|recording| recording.manifest.parts.clone()).collect();
    let manifest = Manifest {
        difftest: env!("CARGO_PKG_VERSION").to_owned(),
        parts: parts.into_iter().collect(),
        ..first.manifest.clone()
    };
    let plan = first.plan.clone();
    replace(path, |zip| {
        head(zip, &manifest, &plan)?;
        let mut written = BTreeSet::new();
        for recording in recordings {
            recording.copy_contents(zip, &mut written)?;
        }
        Ok(())
    })
}

fn head(zip: &mut ZipWriter<impl Write + io::Seek>, manifest: &Manifest, plan: &Frozen) -> zip::result::ZipResult<()> {
    zip.start_file(MANIFEST, packed())?;
    serde_json::to_writer_pretty(&mut *zip, manifest).map_err(io::Error::from)?;
    zip.start_file(PLAN, packed())?;
    serde_json::to_writer(&mut *zip, plan).map_err(io::Error::from)?;
    Ok(())
}

/// No times of files: the same content gives the same bytes.
fn packed() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).large_file(true)
}

/// Images are packed already, and what is stored as it is cannot be a bomb.
fn stored() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true)
}

/// Writes a zip beside `path`, flushes it, and renames it to `path`.
fn replace(
    path: &Path,
    fill: impl FnOnce(&mut ZipWriter<BufWriter<&mut File>>) -> zip::result::ZipResult<()>,
) -> Result<(), RecordingError> {
    let fail = |source: io::Error| WriteError::new("write", path, source);
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|e| WriteError::new("make the folder", folder, e))?;
    if path.is_dir() {
        return Err(fail(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder")).into());
    }
    let mut file = tempfile::Builder::new().prefix(".difftest-").tempfile_in(folder).map_err(fail)?;
    let mut zip = ZipWriter::new(BufWriter::new(file.as_file_mut()));
    let written = fill(&mut zip).and_then(|()| zip.finish()).map_err(io::Error::from);
    written.and_then(|mut buffer| buffer.flush()).map_err(fail)?;
    file.as_file().sync_all().map_err(fail)?;
    crate::atomic::make_readable(file.as_file()).map_err(fail)?;
    file.persist(path).map_err(|e| fail(e.error))?;
    Ok(())
}

/// Copies all of `from`; answers the BLAKE3 of it.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().to_hex().to_string()),
            length => {
                hasher.update(&buffer[..length]);
                to.write_all(&buffer[..length])?;
            }
        }
    }
}

/// Rewrites an event stream for a recording.
#[derive(Default)]
struct Packer {
    run: String,
    started: String,
    images: usize,
    conclusion: Option<&'static str>,
    /// Name of the entry, by file.
    names: BTreeMap<PathBuf, String>,
    /// A file with that content, by name of the entry.
    objects: BTreeMap<String, PathBuf>,
}

impl Packer {
    /// The stream of the run in `folder`, with objects for files. A torn last line (the run was killed) is left out.
    fn events(&mut self, folder: &Path) -> Result<Vec<u8>, RecordingError> {
        let mut events = Vec::new();
        for event in crate::events::read(folder)? {
            let mut event = event?;
            self.event(&mut event)?;
            serde_json::to_writer(&mut events, &event).map_err(|e| RecordingError::read(folder, e.into()))?;
            events.push(b'\n');
        }
        Ok(events)
    }

    fn event(&mut self, event: &mut Event) -> Result<(), RecordingError> {
        match event {
            Event::RunStarted { run, started, folder, .. } => {
                self.run.clone_from(run);
                self.started.clone_from(started);
                *folder = PathBuf::new();
            }
            Event::Generated { outcome: Outcome::Ok(image), .. } => {
                self.images += 1;
                self.object(&mut image.path)?;
            }
            Event::Compared { outcome: Outcome::Ok(comparison), .. } => {
                for path in super::paths_of(comparison) {
                    self.object(path)?;
                }
            }
            Event::RunFinished { conclusion, .. } => self.conclusion = Some(conclusion_name(Some(*conclusion))),
            _ => {}
        }
        Ok(())
    }

    fn object(&mut self, path: &mut PathBuf) -> Result<(), RecordingError> {
        let name = match self.names.get(path) {
            Some(name) => name.clone(),
            None => {
                let fail = |e| RecordingError::read(path, e);
                let digest = copy(&mut File::open(&*path).map_err(fail)?, &mut io::sink()).map_err(fail)?;
                let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
                let extension = if is_extension(&extension) { &extension } else { "bin" };
                let name = format!("objects/{digest}.{extension}");
                self.names.insert(path.clone(), name.clone());
                self.objects.insert(name.clone(), path.clone());
                name
            }
        };
        *path = name.into();
        Ok(())
    }
}
