//! The file of an accepted image: a regular file of the baseline's own, with the pixels that were accepted.
//!
//! It is one of two things: `check` knows a file by the digest of its bytes, which costs a fraction of decoding it; `read` decodes it and
//! compares its pixels. A link is never followed, for it leads out of the baseline, and a pipe is never opened.

use std::fs;
use std::io;
use std::path::Path;

use difftest_core::digest::Digest;
use difftest_core::image::Image;
use difftest_metrics::decode::{self, Limits};

use super::BaselineError;
use super::manifest::Case;

/// The image in the file at `path`, where it is the one that was accepted for the case `id`.
pub(super) fn read(id: &str, path: &Path, case: &Case) -> Result<Image, BaselineError> {
    decoded(id, path, case, &bytes(id, path)?)
}

/// The digest of the file at `path`, where it has the image that was accepted for the case `id`.
pub(super) fn check(id: &str, path: &Path, case: &Case) -> Result<Digest, BaselineError> {
    let bytes = bytes(id, path)?;
    let digest = Digest::of(&bytes);
    if case.png != Some(digest) {
        // Written by another program, perhaps, with the same pixels.
        decoded(id, path, case, &bytes)?;
    }
    Ok(digest)
}

fn bytes(id: &str, path: &Path) -> Result<Vec<u8>, BaselineError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(wrong(id, path, "it is not there")),
        Err(error) => Err(wrong(id, path, format!("cannot read the file: {error}"))),
        Ok(found) if found.is_symlink() => Err(wrong(id, path, "it is a link, not the file that was accepted")),
        Ok(found) if found.is_file() && found.len() == 0 => Err(wrong(id, path, "the file is empty")),
        Ok(_) => decode::bytes(path, &Limits::default()).map_err(|error| wrong(id, path, error.to_string())),
    }
}

fn decoded(id: &str, path: &Path, case: &Case, bytes: &[u8]) -> Result<Image, BaselineError> {
    let image = decode::decode(bytes, &Limits::default()).map_err(|error| wrong(id, path, error.to_string()))?;
    if image.digest() == case.image {
        return Ok(image);
    }
    let (is, was) = (image.digest().short(), case.image.short());
    Err(wrong(id, path, format!("it is another image than the one that was accepted ({is}, not {was})")))
}

fn wrong(id: &str, path: &Path, reason: impl Into<String>) -> BaselineError {
    BaselineError::Image { case: id.to_owned(), path: path.to_owned(), reason: reason.into() }
}
