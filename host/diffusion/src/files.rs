//! The files of models, opened so that whatever else lies in their place is said and never waited for.
//!
//! A name in a model folder may be a folder, a link to nothing, or a pipe that blocks whoever opens it; and what a copy or a
//! download left may be a Git LFS pointer or the HTML page of an error. Each of these is an [`io::Error`] whose text says so,
//! to follow "cannot read PATH: ".

use std::fs::{self, File, FileType, Metadata};
use std::io::{self, Read, Seek};
use std::path::Path;

/// What begins every Git LFS pointer.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// So much of a file tells what it is instead.
const START: u64 = 256;

/// Whether something has this name, of whatever kind: links to nothing count, and what may not be looked at, so that reading it has
/// the words for it.
pub(crate) fn there(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Ok(_) => true,
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    }
}

/// Refuses everything but a file, or a link to one, without opening it.
///
/// # Errors
/// `NotFound` only where nothing has this name.
pub(crate) fn regular(path: &Path) -> io::Result<Metadata> {
    let refused = |why: String| Err(io::Error::other(why));
    match fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(found),
        Ok(found) => refused(format!("it is {}, not a regular file", kind(found.file_type()))),
        Err(error) => match fs::read_link(path) {
            Ok(target) if error.kind() == io::ErrorKind::NotFound => refused(format!(
                "it is a link to {}, which does not exist: copy the folder with the files that its links lead to",
                target.display()
            )),
            Ok(target) => refused(format!("it is a link to {} that leads to no file: {error}", target.display())),
            Err(_) => Err(error),
        },
    }
}

/// Opens a file of a model.
///
/// # Errors
/// As [`regular`]; or the content is something that was left in the place of a file.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    regular(path)?;
    let mut file = File::open(path)?;
    let mut start = Vec::new();
    (&mut file).take(START).read_to_end(&mut start)?;
    match instead(&start) {
        Some(what) => Err(io::Error::new(io::ErrorKind::InvalidData, what)),
        None => {
            file.rewind()?;
            Ok(file)
        }
    }
}

/// Reads a file of a model whole.
///
/// # Errors
/// As [`open`].
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    open(path)?.read_to_end(&mut content)?;
    Ok(content)
}

/// What a file is that begins so, where it is none of a model.
fn instead(start: &[u8]) -> Option<&'static str> {
    if start.starts_with(POINTER) {
        return Some(
            "it is a Git LFS pointer in the place of the file: `git lfs pull` in its repository fetches the file",
        );
    }
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    let begins = |with: &[u8]| text.get(..with.len()).is_some_and(|text| text.eq_ignore_ascii_case(with));
    (begins(b"<!doctype html") || begins(b"<html"))
        .then_some("it is an HTML page that was saved in the place of the file: download the file itself")
}

fn kind(found: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        if found.is_fifo() {
            return "a pipe";
        }
        if found.is_socket() {
            return "a socket";
        }
        if found.is_char_device() || found.is_block_device() {
            return "a device";
        }
    }
    if found.is_dir() { "a folder" } else { "something else" }
}
