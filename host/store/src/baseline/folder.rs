//! Reading: which baselines there are, and what one of them has.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use difftest_core::baseline::{Baseline, BaselineCase, BaselineInfo, BaselineScore};
use difftest_core::digest::Digest;
use difftest_core::image::Image;
use difftest_metrics::decode;

use super::audit::{self, Entry};
use super::manifest::{Case, MAX_BYTES, Manifest};
use super::{AUDIT, BaselineError, MANIFEST, STAGED, image, name};

/// Where baselines are, from the working directory, where nothing else is said.
pub const DEFAULT_ROOT: &str = "baselines";

/// A baseline: a folder with one folder for each environment in it. It need not be there yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    path: PathBuf,
    name: String,
}

impl Folder {
    /// The baseline `name` of those in `root`.
    ///
    /// # Errors
    /// [`BaselineError::Name`].
    pub fn named(root: &Path, name: &str) -> Result<Self, BaselineError> {
        name::check_name(name)?;
        Ok(Self { path: root.join(name), name: name.to_owned() })
    }

    /// The baseline that lies in `path`; it is called as its folder is.
    ///
    /// # Errors
    /// [`BaselineError::Name`].
    pub fn at(path: &Path) -> Result<Self, BaselineError> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name::check_name(&name)?;
        Ok(Self { path: path.to_owned(), name })
    }

    /// Every baseline in `root`, sorted by name; none where there is no such folder.
    ///
    /// # Errors
    /// [`BaselineError::Read`] when the folder is there and cannot be read.
    pub fn list(root: &Path) -> Result<Vec<Self>, BaselineError> {
        let names = folders_in(root)?.into_iter().filter_map(|name| Self::named(root, &name).ok());
        let mut all = Vec::new();
        for folder in names {
            if !folder.environments()?.is_empty() {
                all.push(folder);
            }
        }
        Ok(all)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The environments it has something for, sorted; also those whose manifest is gone, for that is damage.
    ///
    /// # Errors
    /// [`BaselineError::Read`] when the folder is there and cannot be read.
    pub fn environments(&self) -> Result<Vec<String>, BaselineError> {
        let mut environments = folders_in(&self.path)?;
        environments.retain(|name| {
            let folder = self.path.join(name);
            folder.join(MANIFEST).exists() || has_remains(&folder)
        });
        Ok(environments)
    }

    /// What it has for an environment.
    ///
    /// # Errors
    /// [`BaselineError::NotFound`] when there is no such baseline, [`BaselineError::NoEnvironment`] when it has other environments
    /// only; otherwise what keeps its manifest from being read.
    pub fn read(&self, environment: &str) -> Result<Accepted, BaselineError> {
        if let Some(accepted) = self.find(environment)? {
            return Ok(accepted);
        }
        let has = self.environments()?;
        if !has.is_empty() {
            return Err(BaselineError::NoEnvironment {
                folder: self.path.clone(),
                wanted: environment.to_owned(),
                has,
            });
        }
        let beside = self.path.parent().map(Self::list).transpose()?.unwrap_or_default();
        let available = beside.into_iter().map(|folder| folder.name).collect();
        Err(BaselineError::NotFound { folder: self.path.clone(), available })
    }

    /// [`Folder::read`]; `None` where it has nothing for the environment.
    ///
    /// # Errors
    /// When its manifest is there and cannot be read, or is gone from beside images and an audit; and where a folder has another name
    /// than its manifest says, for it may be the one.
    pub fn find(&self, environment: &str) -> Result<Option<Accepted>, BaselineError> {
        name::check_environment(environment)?;
        let folder = self.path.join(environment);
        let Some(manifest) = read_manifest(&folder, environment)? else {
            self.refuse_misplaced()?;
            return Ok(None);
        };
        let staged = folder.join(STAGED).is_dir();
        Ok(Some(Accepted { name: self.name.clone(), folder, manifest, staged }))
    }
}

impl Folder {
    /// A folder that was renamed would make the images of its environment new ones.
    pub(super) fn refuse_misplaced(&self) -> Result<(), BaselineError> {
        for other in self.environments()? {
            if let Err(error @ BaselineError::Misplaced { .. }) = read_manifest(&self.path.join(&other), &other) {
                return Err(error);
            }
        }
        Ok(())
    }
}

/// What a baseline has for one environment.
#[derive(Clone, Debug)]
pub struct Accepted {
    pub(super) name: String,
    pub(super) folder: PathBuf,
    pub(super) manifest: Manifest,
    /// Whether a change was cut short: then images may still lie where they were prepared.
    pub(super) staged: bool,
}

impl Accepted {
    /// Which baseline this is.
    #[must_use]
    pub fn info(&self) -> BaselineInfo {
        BaselineInfo {
            name: self.name.clone(),
            environment: self.manifest.environment.clone(),
            digest: self.manifest.digest(),
        }
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What was accepted.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The file with the image of `case`.
    #[must_use]
    pub fn path_of(&self, case: &Case) -> PathBuf {
        let staged = self.staged.then(|| staged_path(&self.folder, case)).filter(|path| path.exists());
        staged.unwrap_or_else(|| self.folder.join(&case.file))
    }

    /// The image of the case `id`, checked against its digest.
    ///
    /// # Errors
    /// [`BaselineError::Image`] when the file is not there, cannot be read, or is not the image that was accepted.
    pub fn image(&self, id: &str, case: &Case) -> Result<Image, BaselineError> {
        image::read(id, &self.path_of(case), case)
    }

    /// Whether the file with the image of the case `id` is as it was accepted, which is mostly known without decoding it.
    ///
    /// # Errors
    /// As [`Accepted::image`].
    pub fn check(&self, id: &str, case: &Case) -> Result<(), BaselineError> {
        image::check(id, &self.path_of(case), case).map(drop)
    }

    /// As gates need it.
    #[must_use]
    pub fn baseline(&self) -> Baseline {
        let cases = self.manifest.cases.iter().map(|(id, case)| {
            let (path, scores, question) = (self.path_of(case), case.scores.clone(), case.question());
            (id.clone(), BaselineCase { path, image: case.image, scores, question })
        });
        let sets = self.manifest.sets.iter().flat_map(|(test, scores)| {
            let now = self.manifest.set_digest(test);
            let valid = scores.iter().filter(move |(_, score)| score.images == now);
            valid.map(move |(metric, score)| {
                let value = BaselineScore { value: score.value, metric: score.metric.clone() };
                ((test.clone(), metric.clone()), value)
            })
        });
        Baseline { info: self.info(), cases: cases.collect(), sets: sets.collect(), changed: BTreeMap::new() }
    }

    /// Every decision that was made, the oldest first.
    ///
    /// # Errors
    /// When the audit is there and cannot be read.
    pub fn audit(&self) -> Result<Vec<Entry>, BaselineError> {
        audit::read(&self.folder.join(AUDIT))
    }

    /// Images that were rejected and not accepted since, by case and digest.
    ///
    /// # Errors
    /// As [`Accepted::audit`].
    pub fn rejected(&self) -> Result<BTreeMap<(String, Digest), Entry>, BaselineError> {
        self.audit().map(audit::rejected)
    }
}

pub(super) fn staged_path(folder: &Path, case: &Case) -> PathBuf {
    folder.join(STAGED).join(format!("{}.png", case.image))
}

/// The manifest in `folder`; `None` where there is none, and nothing that a manifest tells of.
pub(super) fn read_manifest(folder: &Path, environment: &str) -> Result<Option<Manifest>, BaselineError> {
    let path = folder.join(MANIFEST);
    // Looked for again after the remains of one were seen: another difftest may have written it in between.
    let mut remains = false;
    let bytes = loop {
        let mut bytes = Vec::new();
        match decode::open(&path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && remains => {
                return Err(BaselineError::damaged(&path, "it is gone, and the images or the audit beside it are not"));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                remains = has_remains(folder);
                if !remains {
                    return Ok(None);
                }
            }
            Err(error) => return Err(BaselineError::read(&path, error)),
            Ok(_) => break bytes,
        }
    };
    if bytes.len() as u64 > MAX_BYTES {
        return Err(BaselineError::damaged(&path, "it is larger than a manifest can be"));
    }
    let text = String::from_utf8(bytes).map_err(|_| BaselineError::damaged(&path, "it is not UTF-8 text"))?;
    Manifest::parse(&path, &text, environment).map(Some)
}

/// Whether there is what only comes after a manifest: a decision in the audit, or an image that is not staged.
fn has_remains(folder: &Path) -> bool {
    if fs::metadata(folder.join(AUDIT)).is_ok_and(|audit| audit.len() > 0) {
        return true;
    }
    let suites = folders_in(folder).unwrap_or_default();
    suites.iter().filter(|name| *name != STAGED).any(|name| {
        let mut files = fs::read_dir(folder.join(name)).into_iter().flatten().flatten();
        files.any(|file| file.path().extension().is_some_and(|extension| extension == "png"))
    })
}

/// Names of the folders in `path`, sorted; none where it is not there.
fn folders_in(path: &Path) -> Result<Vec<String>, BaselineError> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|source| BaselineError::read(path, source))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|source| BaselineError::read(path, source))?;
        if let Ok(name) = entry.file_name().into_string()
            && entry.path().is_dir()
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
