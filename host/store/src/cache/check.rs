//! Every file read again.

use std::fs;
use std::path::PathBuf;

use difftest_core::digest::Digest;

use super::files::{self, IMAGES};
use super::sweep::list;
use super::{Cache, CacheError, Sort};

/// What reading everything came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Checked {
    /// Files that were read.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Those that are not what they should be.
    pub bad: Vec<Bad>,
    /// Keys whose image is not there: it will be made again.
    pub missing: usize,
}

/// A file that is not what its name says.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Bad {
    /// The file; the index, where that is broken.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

impl Cache {
    /// Reads every file and the index. `digest` decodes a PNG and answers the digest of its pixels.
    ///
    /// # Errors
    /// When the index cannot be asked at all.
    pub fn check(&self, digest: &(dyn Fn(&[u8]) -> Result<Digest, String> + Sync)) -> Result<Checked, CacheError> {
        let mut checked = Checked::default();
        let found: String = self
            .index()
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(|error| self.unreadable(error))?;
        if found != "ok" {
            checked.bad.push(Bad { path: self.folder().join("index.db"), reason: found });
        }
        for (path, bytes, _) in list(&self.folder().join(IMAGES)) {
            let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let problem = match fs::read(&path) {
                Err(error) => Some(error.to_string()),
                Ok(content) => match digest(&content) {
                    Ok(digest) if digest.to_string() == name => None,
                    Ok(digest) => Some(format!("its pixels have the digest {digest}")),
                    Err(reason) => Some(reason),
                },
            };
            checked.count(path, bytes, problem);
        }
        for (path, bytes, _) in Sort::ALL.iter().flat_map(|sort| list(&self.folder().join(sort.folder()))) {
            let problem = match fs::read(&path) {
                Err(error) => Some(error.to_string()),
                Ok(content) if files::is_whole(&content) => None,
                Ok(_) => Some("its checksum is another".into()),
            };
            checked.count(path, bytes, problem);
        }
        let images: Vec<String> = {
            let index = self.index();
            let mut statement = index
                .prepare("SELECT DISTINCT image FROM generation WHERE bytes > 0")
                .map_err(|error| self.unreadable(error))?;
            let rows = statement.query_map([], |row| row.get(0)).map_err(|error| self.unreadable(error))?;
            rows.collect::<Result<_, _>>().map_err(|error| self.unreadable(error))?
        };
        let gone = |image: &&String| image.parse().is_ok_and(|image: Digest| !self.image_path(&image).exists());
        let changed = self.look(|look| {
            let scores = look.all_scores().iter().filter(|key| look.score(key).is_none()).count();
            scores + look.all_generations().iter().filter(|key| look.generation(key).is_none()).count()
        });
        if changed > 0 {
            let reason =
                format!("{changed} of its rows are not as they were written; they are not used, and made again");
            checked.bad.push(Bad { path: self.folder().join("index.db"), reason });
        }
        checked.missing = images.iter().filter(gone).count();
        Ok(checked)
    }

    /// Deletes bad files, so that what they were is made again.
    pub fn discard(&self, bad: &[Bad]) -> usize {
        bad.iter()
            .filter(|bad| bad.path.extension().is_some_and(|end| end != "db") && fs::remove_file(&bad.path).is_ok())
            .count()
    }
}

impl Checked {
    fn count(&mut self, path: PathBuf, bytes: u64, problem: Option<String>) {
        self.files += 1;
        self.bytes += bytes;
        self.bad.extend(problem.map(|reason| Bad { path, reason }));
    }
}
