//! Files that are there whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A path that could not be written or made, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {}", path.display(), reason(source))]
pub struct WriteError {
    /// What was tried.
    pub action: &'static str,
    /// On what.
    pub path: PathBuf,
    /// The system's answer.
    pub source: io::Error,
}

impl WriteError {
    pub(crate) fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self { action, path: path.to_owned(), source }
    }

    /// What to do next, where that is clear.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "free some space, or let `--artifacts DIR` and `--output FILE` point to another disk".into()
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "choose a folder you may write to with `--artifacts DIR` or `--output FILE`".into()
            }
            io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::ResourceBusy => return None,
            _ => "check the path, or choose another place with `--artifacts DIR` and `--output FILE`".into(),
        })
    }
}

/// The system's message without its error number.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull => "the disk is full".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only".into(),
        _ => error.to_string(),
    }
}

/// Writes `bytes` to `path`: into a temporary file beside it, flushed to the disk, then renamed over it. On any error the
/// temporary file is gone and what stood at `path` before is untouched. Missing parent folders are made.
///
/// A symbolic link is followed. What is neither a file nor a folder (a pipe, a device) is written into, as a shell would.
///
/// # Errors
/// [`WriteError`] naming the path.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    write_with(path, |out| out.write_all(bytes))
}

/// As [`write()`], with what `content` writes: for a file that need not be in memory as a whole.
///
/// # Errors
/// [`WriteError`] naming the path, also where `content` gives up.
pub fn write_with<T>(path: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> Result<T, WriteError> {
    let fail = |source| WriteError::new("write", path, source);
    // Before links are followed: /dev/stdout leads to a pipe, which has no path.
    if let Ok(there) = fs::metadata(path)
        && !there.is_file()
        && !there.is_dir()
    {
        return fs::OpenOptions::new().write(true).open(path).and_then(|mut open| content(&mut open)).map_err(fail);
    }
    let followed;
    let path = if path.is_symlink() {
        followed = fs::canonicalize(path).map_err(fail)?;
        &followed
    } else {
        path
    };
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|e| WriteError::new("make the folder", folder, e))?;
    if path.is_dir() {
        return Err(fail(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder")));
    }
    let file = tempfile::Builder::new().prefix(".difftest-").tempfile_in(folder).map_err(fail)?;
    let mut buffered = io::BufWriter::new(file);
    let written = content(&mut buffered).map_err(fail)?;
    let file = buffered.into_inner().map_err(|e| fail(e.into_error()))?;
    file.as_file().sync_all().map_err(fail)?;
    make_readable(file.as_file()).map_err(fail)?;
    file.persist(path).map_err(|e| fail(e.error))?;
    Ok(written)
}

/// Temporary files are private to their owner; results are as readable as any other new file usually is.
#[cfg(unix)]
pub(crate) fn make_readable(file: &fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
pub(crate) fn make_readable(_: &fs::File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn replaces_whole_files_and_makes_folders() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/results.json");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn what_gives_up_in_the_middle_leaves_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("page.html");
        write(&path, b"old").unwrap();
        let error =
            write_with(&path, |out| out.write_all(&[0; 100_000]).and(Err::<(), _>(io::Error::other("no more"))));
        assert!(error.unwrap_err().to_string().ends_with("page.html: no more"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file stays");
        assert_eq!(write_with(&path, |out| out.write_all(b"new").map(|()| 3)).unwrap(), 3);
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_devices_stay_devices() {
        use std::os::unix::fs::FileTypeExt as _;
        let dir = tempfile::tempdir().unwrap();
        let (link, target) = (dir.path().join("link.json"), dir.path().join("target.json"));
        fs::write(&target, "old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        write(&link, b"new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"new");

        let pipe = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read(pipe).unwrap()
        });
        write(&pipe, b"through").unwrap();
        assert_eq!(reader.join().unwrap(), b"through");
        assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    }

    #[test]
    fn a_folder_in_the_way_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let error = write(dir.path(), b"x").unwrap_err();
        assert!(error.to_string().contains(&dir.path().display().to_string()), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_leaves_the_old_file_alone() {
        // /dev/full cannot hold a temporary file, so the limit on file size stands in for the disk's end.
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("results.json");
        write(&path, b"old").unwrap();
        let status = std::process::Command::new("sh")
            .args(["-c", "ulimit -f 1; trap '' XFSZ; exec \"$0\" --exact atomic::tests::write_a_megabyte --nocapture"])
            .arg(std::env::current_exe().unwrap())
            .env("DIFFTEST_TEST_TARGET", &path)
            .output()
            .unwrap();
        assert!(String::from_utf8_lossy(&status.stdout).contains("cannot write"), "{status:?}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file stays");
    }

    /// The other half of the test above: runs in a process that may only write small files.
    #[test]
    fn write_a_megabyte() {
        if let Some(path) = std::env::var_os("DIFFTEST_TEST_TARGET") {
            let error = write(Path::new(&path), &vec![7; 1 << 20]).unwrap_err();
            #[allow(clippy::print_stdout)]
            {
                println!("{error}");
            }
        }
    }
}
