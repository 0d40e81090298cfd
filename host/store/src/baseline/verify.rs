//! Is everything there, and as it was accepted.

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::{AUDIT, Accepted, BaselineError, Folder, MANIFEST, STAGED, audit};

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file it is about.
    pub path: PathBuf,
    /// The case, where it is about one.
    pub case: Option<String>,
    /// What it is.
    pub problem: Problem,
}

/// What can be wrong with a baseline whose manifest can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The image is not there, cannot be read, or is another one: why.
    Image(String),
    /// No case has this file.
    Unreferenced,
    /// A change was cut short after it counted.
    Unfinished,
    /// The audit has no line for what the manifest says.
    Unaudited,
}

impl Problem {
    /// Whether a comparison would go wrong; the others are only untidy.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Image(_))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(reason) => f.write_str(reason),
            Self::Unreferenced => f.write_str("no case has this file: difftest baseline prune"),
            Self::Unfinished => f.write_str("a change was cut short: the next one, or `baseline prune`, finishes it"),
            Self::Unaudited => f.write_str("the audit has no line for it: the next change writes it"),
        }
    }
}

impl Folder {
    /// Reads every image of an environment again; `step` is told how many are done. Empty: all is well.
    ///
    /// # Errors
    /// When there is no such baseline, or its manifest or audit cannot be read.
    pub fn verify(&self, environment: &str, step: &mut dyn FnMut(usize)) -> Result<Vec<Finding>, BaselineError> {
        let accepted = self.read(environment)?;
        let mut findings = Vec::new();
        for (done, (id, case)) in accepted.manifest.cases.iter().enumerate() {
            let reason = match accepted.image(id, case) {
                Err(BaselineError::Image { reason, .. }) => Some(reason),
                Err(other) => Some(other.to_string()),
                Ok(image) if (image.width(), image.height()) != case.size => Some("its size is another one".to_owned()),
                Ok(_) => None,
            };
            let (path, case) = (accepted.path_of(case), Some(id.clone()));
            findings.extend(reason.map(|reason| Finding { path, case, problem: Problem::Image(reason) }));
            step(done + 1);
        }
        findings.extend(accepted.unreferenced()?.into_iter().map(|path| {
            let problem = if path.ends_with(STAGED) { Problem::Unfinished } else { Problem::Unreferenced };
            Finding { path, case: None, problem }
        }));
        let path = accepted.folder.join(AUDIT);
        for entry in audit::missing(&accepted.manifest, &accepted.audit()?) {
            findings.push(Finding { path: path.clone(), case: Some(entry.case), problem: Problem::Unaudited });
        }
        Ok(findings)
    }
}

impl Accepted {
    /// Files in its folder that belong to nothing, sorted; the folder of staged images of a change that was cut short is one.
    ///
    /// # Errors
    /// [`BaselineError::Read`].
    pub fn unreferenced(&self) -> Result<Vec<PathBuf>, BaselineError> {
        let known: HashSet<PathBuf> = self.manifest.cases.values().map(|case| self.folder.join(&case.file)).collect();
        let mut found = Vec::new();
        collect(&self.folder, &mut |path| {
            let own = path == self.folder.join(MANIFEST) || path == self.folder.join(AUDIT);
            if !own && !known.contains(path) {
                found.push(path.to_owned());
            }
        })?;
        found.sort();
        Ok(found)
    }
}

fn collect(folder: &Path, found: &mut dyn FnMut(&Path)) -> Result<(), BaselineError> {
    let fail = |source| BaselineError::Read { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let path = entry.path();
        // A link is a file here: what it leads to is not this folder's.
        if entry.file_type().map_err(fail)?.is_dir() && !path.ends_with(STAGED) {
            collect(&path, found)?;
        } else {
            found(&path);
        }
    }
    Ok(())
}
