//! Changing a baseline: images first, then the manifest, which is the moment it counts, then the audit.
//!
//! ```text
//! lock audit.jsonl -> .staged/DIGEST.png ... -> manifest.json (renamed over the old one) -> SUITE/NAME.png ... -> audit.jsonl
//! ```
//!
//! A kill before the rename leaves the old baseline and some staged files, which the next change deletes. A kill after it leaves the
//! new baseline: a reader takes images from where they are staged, and the next change puts them where they belong and writes the
//! lines that the audit lacks.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use difftest_core::baseline::BaselineScore;
use difftest_core::digest::Digest;
use difftest_core::image::Image;
use difftest_core::key::Inputs;
use difftest_metrics::{decode, encode};

use super::audit::{self, Decision, Entry};
use super::folder::{read_manifest, staged_path};
use super::manifest::{Acceptance, Because, Case, Manifest, SetScore};
use super::{AUDIT, Accepted, BaselineError, Folder, MANIFEST, STAGED, image, name};
use crate::atomic::{self, WriteError};

/// How long a change waits for another one to end: they take milliseconds for each image.
const PATIENCE: Duration = Duration::from_secs(20);

/// What git should know of baselines, written once beside them: the audits of two branches are put together line by line.
const ATTRIBUTES: &str =
    "# Baselines of difftest.\n*.png binary\nmanifest.json text eol=lf\naudit.jsonl text eol=lf merge=union\n";

/// Who decides, when and why: the same for all images of a change.
#[derive(Clone, Debug)]
pub struct Decider {
    /// A person, or what stands for one.
    pub by: String,
    /// RFC 3339, UTC.
    pub at: String,
    /// Why images are accepted.
    pub because: Because,
    /// The run that made the images.
    pub run: Option<String>,
}

/// An image for the baseline.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The case.
    pub id: String,
    /// The pixels.
    pub image: Image,
    /// The prompt.
    pub prompt: String,
    /// The seed.
    pub seed: u64,
    /// By metric name.
    pub scores: Vec<(String, BaselineScore)>,
    /// What was asked besides: [`Question::rest`](difftest_core::baseline::Question::rest).
    pub inputs: Inputs,
}

/// What accepting an image changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The baseline had none for the case.
    New,
    /// It had another.
    Changed,
    /// It had the same; scores may be new.
    Same,
}

/// A change of one environment of a baseline, alone in it as long as this lives. Nothing counts before [`Change::commit`].
#[derive(Debug)]
pub struct Change {
    folder: PathBuf,
    name: String,
    audit: File,
    manifest: Manifest,
    /// Names of image files, in lower case.
    taken: HashSet<String>,
    /// Files of cases that are taken out.
    gone: Vec<String>,
    changed: bool,
    /// By case and digest: what was rejected, and not accepted since.
    rejected: BTreeSet<(String, Digest)>,
    entries: Vec<Entry>,
    decider: Decider,
}

impl Folder {
    /// Begins a change of what the baseline has for `environment`, which may be nothing yet. Waits while another one is under way.
    ///
    /// # Errors
    /// [`BaselineError::Busy`], what keeps the manifest from being read, or that something cannot be written.
    pub fn change(&self, environment: &str, decider: Decider) -> Result<Change, BaselineError> {
        name::check_environment(environment)?;
        let folder = self.path().join(environment);
        fs::create_dir_all(&folder).map_err(|error| WriteError::new("make the folder", &folder, error))?;
        if let Some(root) = self.path().parent() {
            let attributes = root.join(".gitattributes");
            if !attributes.exists() {
                atomic::write(&attributes, ATTRIBUTES.as_bytes())?;
            }
        }
        let mut audit = lock(&folder)?;
        // Read under the lock: what another change did a moment ago is kept.
        let manifest = read_manifest(&folder, environment)?;
        if manifest.is_none() {
            self.refuse_misplaced()?;
        }
        let known = manifest.clone().unwrap_or_else(|| Manifest::empty(environment));
        finish_earlier(&folder, &known)?;
        audit::mend(&folder, &audit)?;
        let told = audit::read(&folder.join(AUDIT))?;
        let lines = audit::missing(&known, &told);
        audit::append(&folder, &mut audit, &lines)?;
        Ok(Change {
            folder,
            name: self.name().to_owned(),
            audit,
            taken: known.cases.values().map(|case| case.file.to_lowercase()).collect(),
            gone: Vec::new(),
            changed: manifest.is_none(),
            manifest: known,
            rejected: audit::rejected(told).into_keys().collect(),
            entries: Vec::new(),
            decider,
        })
    }
}

/// The audit is only appended to and never replaced, so a lock on it is a lock on its folder; a kill gives it back.
fn lock(folder: &Path) -> Result<File, BaselineError> {
    let path = folder.join(AUDIT);
    // A pipe in its place would be waited for.
    match decode::open(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(BaselineError::read(&path, error)),
        _ => {}
    }
    let audit = File::options().create(true).append(true).read(true).open(&path);
    let audit = audit.map_err(|error| WriteError::new("write", &path, error))?;
    let began = Instant::now();
    loop {
        match audit.try_lock() {
            Ok(()) => return Ok(audit),
            Err(TryLockError::WouldBlock) if began.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(20)),
            Err(TryLockError::WouldBlock) => return Err(BaselineError::Busy { folder: folder.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(WriteError::new("lock", &path, error).into()),
        }
    }
}

/// Puts staged images of the manifest where they belong, and deletes the others.
fn finish_earlier(folder: &Path, manifest: &Manifest) -> Result<(), BaselineError> {
    let staged = folder.join(STAGED);
    if !staged.is_dir() {
        return Ok(());
    }
    let mut wanted: HashMap<Digest, usize> = HashMap::new();
    manifest.cases.values().for_each(|case| *wanted.entry(case.image).or_default() += 1);
    for case in manifest.cases.values() {
        place(folder, case, wanted[&case.image] == 1)?;
    }
    fs::remove_dir_all(&staged).map_err(|error| WriteError::new("remove", &staged, error))?;
    Ok(())
}

/// Puts the image of a case where it belongs, where it is still staged. One that several cases have is copied.
fn place(folder: &Path, case: &Case, alone: bool) -> Result<(), BaselineError> {
    let (from, to) = (staged_path(folder, case), folder.join(&case.file));
    if !from.exists() {
        return Ok(());
    }
    if alone {
        let parent = to.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(|error| WriteError::new("make the folder", parent, error))?;
        return fs::rename(&from, &to).map_err(|error| WriteError::new("write", &to, error).into());
    }
    let bytes = fs::read(&from).map_err(|error| BaselineError::read(&from, error))?;
    Ok(atomic::write(&to, &bytes)?)
}

impl Change {
    /// What will be the baseline.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Takes an image into the baseline.
    ///
    /// # Errors
    /// When the image cannot be written.
    pub fn accept(&mut self, candidate: Candidate) -> Result<Effect, BaselineError> {
        let Candidate { id, image, prompt, seed, scores, inputs } = candidate;
        let known = self.manifest.cases.get(&id);
        let replaced = known.map(|case| case.image);
        let effect = match replaced {
            None => Effect::New,
            Some(was) if was == image.digest() => Effect::Same,
            Some(_) => Effect::Changed,
        };
        let free = || name::image_file(&id, |name| self.taken.contains(name));
        let file = known.map_or_else(free, |case| case.file.clone());
        let Decider { by, at, because, run } = self.decider.clone();
        let accepted = match known {
            // Who accepted the image is still who accepted it.
            Some(case) if effect == Effect::Same => case.accepted.clone(),
            _ => Acceptance { by, at, because, run, replaced },
        };
        let size = (image.width(), image.height());
        let scores = scores.into_iter().collect();
        let inputs = Some(inputs.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
        let png = known.filter(|_| effect == Effect::Same).and_then(|case| case.png);
        let mut case = Case { file, image: image.digest(), png, size, prompt, seed, scores, inputs, accepted };
        // The same image again mends a file that is gone or damaged.
        let there = match effect {
            Effect::Same => image::check(&id, &self.folder.join(&case.file), &case).ok(),
            Effect::New | Effect::Changed => None,
        };
        case.png = there;
        if there.is_none() {
            let png = encode::png(&image).map_err(|error| BaselineError::Image {
                case: id.clone(),
                path: self.folder.join(&case.file),
                reason: error.to_string(),
            })?;
            atomic::write(&staged_path(&self.folder, &case), &png)?;
            case.png = Some(Digest::of(&png));
        }
        if effect != Effect::Same {
            self.entries.push(Entry::accepted(&id, case.image, &case.accepted));
        }
        self.changed |= known != Some(&case) || there.is_none();
        self.rejected.remove(&(id.clone(), case.image));
        self.taken.insert(case.file.to_lowercase());
        self.manifest.cases.insert(id, case);
        Ok(effect)
    }

    /// Takes over the score of a set metric; `images` is the [`set_digest`](super::set_digest) of those that it is the score of. It
    /// is left out where the baseline has others for the test.
    pub fn accept_set(&mut self, test: &str, metric: &str, score: BaselineScore, images: Digest) {
        let BaselineScore { value, metric: key } = score;
        let score = SetScore { value, metric: key, images };
        let scores = self.manifest.sets.entry(test.to_owned()).or_default();
        self.changed |= scores.insert(metric.to_owned(), score.clone()) != Some(score);
    }

    /// Notes that an image was looked at and is not what it should be. Answers whether nobody had said so yet.
    ///
    /// # Errors
    /// [`BaselineError::IsBaseline`]: what is accepted is withdrawn by [`Change::remove`], and not by saying that it is wrong.
    pub fn reject(&mut self, id: &str, image: Digest) -> Result<bool, BaselineError> {
        if self.manifest.cases.get(id).is_some_and(|case| case.image == image) {
            let folder = self.folder.parent().unwrap_or(&self.folder).to_owned();
            return Err(BaselineError::IsBaseline { case: id.to_owned(), folder });
        }
        if !self.rejected.insert((id.to_owned(), image)) {
            return Ok(false);
        }
        let Decider { by, at, run, .. } = self.decider.clone();
        let (decision, case) = (Decision::Reject, id.to_owned());
        self.entries.push(Entry { at, by, decision, case, image, replaced: None, because: None, run });
        Ok(true)
    }

    /// Takes a case out of the baseline. Answers whether it was there.
    pub fn remove(&mut self, id: &str) -> bool {
        let Some(case) = self.manifest.cases.remove(id) else { return false };
        self.taken.remove(&case.file.to_lowercase());
        self.gone.push(case.file);
        let Decider { by, at, run, .. } = self.decider.clone();
        let (decision, id) = (Decision::Removed, id.to_owned());
        self.entries.push(Entry { at, by, decision, case: id, image: case.image, replaced: None, because: None, run });
        self.changed = true;
        true
    }

    /// Makes it count.
    ///
    /// # Errors
    /// When something cannot be written. Until the manifest is, the baseline is the old one; from then on it is the new one.
    pub fn commit(mut self) -> Result<Accepted, BaselineError> {
        let tests: Vec<String> = self.manifest.sets.keys().cloned().collect();
        for test in tests {
            let now = self.manifest.set_digest(&test);
            if let Some(scores) = self.manifest.sets.get_mut(&test) {
                scores.retain(|_, score| score.images == now);
            }
        }
        self.manifest.sets.retain(|_, scores| !scores.is_empty());
        if self.changed {
            atomic::write(&self.folder.join(MANIFEST), self.manifest.to_json().as_bytes())?;
            finish_earlier(&self.folder, &self.manifest)?;
            for file in self.gone.iter().filter(|file| !self.taken.contains(&file.to_lowercase())) {
                // What cannot be deleted is listed by `verify` and tried again by `prune`.
                let _ = fs::remove_file(self.folder.join(file));
            }
        }
        audit::append(&self.folder, &mut self.audit, &self.entries)?;
        Ok(Accepted { name: self.name, folder: self.folder, manifest: self.manifest, staged: false })
    }
}
