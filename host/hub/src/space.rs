//! Room on the disk, known before anything is fetched.

use std::path::Path;

/// Bytes that this user may still write where `folder` is, or will be. `None` where the system does not say.
pub(crate) fn free(folder: &Path) -> Option<u64> {
    let there = folder.ancestors().find(|folder| folder.is_dir())?;
    fs4::available_space(there).ok()
}
