//! What is taken out of a wheel, once its digest is the pinned one.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use difftest_core::digest::{Digest, Hasher};
use zip::ZipArchive;

use super::error::RuntimeError;
use super::package::Wheel;

/// Compares the SHA-256 of a file with the pinned one.
pub(super) fn verify(file: &Path, pinned: &str) -> Result<(), RuntimeError> {
    let mut reader = File::open(file).map_err(RuntimeError::io("open", file))?;
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => hasher.update(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(RuntimeError::io("read", file)(error)),
        }
    }
    let actual: Digest = hasher.finish();
    if actual.to_string() == pinned {
        return Ok(());
    }
    Err(RuntimeError::WrongDigest { file: name_of(file), expected: pinned.to_owned(), actual: actual.to_string() })
}

/// Unpacks the shared libraries of a wheel into `folder`, without the Python modules around them.
pub(super) fn unpack(file: &Path, wheel: &Wheel, folder: &Path) -> Result<(), RuntimeError> {
    let archive_error = |source| RuntimeError::Archive { file: name_of(file), source };
    let reader = File::open(file).map_err(RuntimeError::io("open", file))?;
    let mut archive = ZipArchive::new(reader).map_err(archive_error)?;
    let mut taken = 0;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(archive_error)?;
        let name = entry.name().map_err(archive_error)?.into_owned();
        let Some(name) = wheel.taken(&name) else { continue };
        let path = folder.join(name);
        let mut output = File::create(&path).map_err(RuntimeError::io("create", &path))?;
        io::copy(&mut entry, &mut output).map_err(RuntimeError::io("write", &path))?;
        // on the disk before the rename makes it count
        output.sync_all().map_err(RuntimeError::io("write", &path))?;
        taken += 1;
    }
    if taken > 0 { Ok(()) } else { Err(RuntimeError::NoLibrary { file: name_of(file) }) }
}

pub(super) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
