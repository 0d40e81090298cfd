//! From a pinned package to a folder that [`super::find`] looks at.

use std::env::consts::DLL_SUFFIX;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use difftest_core::digest::{Digest, Hasher};
use tempfile::TempDir;
use zip::ZipArchive;

use super::error::RuntimeError;
use super::package::{Provider, Wheel};
use super::pip::Client;
use super::search::{is_main_library, main_library};
use super::{data_folder, provider_folder, runtimes_folder};

/// Folders of unfinished installs start with it.
const UNFINISHED: &str = ".unfinished-";

/// Where the libraries lie in the package.
const LIBRARIES: &str = "onnxruntime/capi/";

/// What an install is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstallStep {
    /// It was installed before; nothing else happens.
    AlreadyThere {
        /// The library.
        path: PathBuf,
    },
    /// Another process is installing; its result will be used.
    Waiting,
    /// Told again and again while bytes arrive.
    Downloading {
        /// Name of the Python package.
        package: &'static str,
        /// Command line of the package client.
        client: String,
        /// Bytes so far.
        bytes: u64,
        /// Bytes in all.
        of: u64,
    },
    /// Comparing the digest with the pinned one.
    Verifying,
    /// Writing the libraries.
    Unpacking,
}

/// Installs the library of `provider` into difftest's data folder and returns its path. Immediate where it is there already.
///
/// # Errors
/// See [`install_in`]; [`RuntimeError::NoDataFolder`] where there is no data folder.
pub fn install(provider: Provider, progress: &mut dyn FnMut(InstallStep)) -> Result<PathBuf, RuntimeError> {
    install_in(&data_folder().ok_or(RuntimeError::NoDataFolder)?, provider, progress)
}

/// Installs the library of `provider` below that data folder.
///
/// Safe to call from several processes at the same time, and to kill at any moment: the next install cleans up.
///
/// # Errors
/// The platform or provider has no package; no package client works or it fails, as it does without a network; the digest is
/// not the pinned one; the disk is full or the folder cannot be written.
pub fn install_in(
    data_folder: &Path,
    provider: Provider,
    progress: &mut dyn FnMut(InstallStep),
) -> Result<PathBuf, RuntimeError> {
    let wheel = Wheel::for_this_machine(provider)?;
    let destination = provider_folder(data_folder, provider);
    if let Some(path) = complete(&destination, provider) {
        progress(InstallStep::AlreadyThere { path: path.clone() });
        return Ok(path);
    }

    let runtimes = runtimes_folder(data_folder);
    fs::create_dir_all(&runtimes).map_err(RuntimeError::io("create", &runtimes))?;
    let _lock = lock(&runtimes, progress)?;
    // whoever held the lock before may have done the work
    if let Some(path) = complete(&destination, provider) {
        progress(InstallStep::AlreadyThere { path: path.clone() });
        return Ok(path);
    }
    remove_leftovers(&runtimes);

    let client = Client::find()?;
    let named = client.to_string();
    let download = scratch(&runtimes)?;
    let downloading = |bytes: u64| InstallStep::Downloading {
        package: wheel.package,
        client: named.clone(),
        bytes: bytes.min(wheel.bytes),
        of: wheel.bytes,
    };
    progress(downloading(0));
    let file = client.download(wheel, download.path(), &mut |bytes| progress(downloading(bytes)))?;
    progress(downloading(wheel.bytes));

    progress(InstallStep::Verifying);
    verify(&file, wheel.sha256)?;
    progress(InstallStep::Unpacking);
    let unpacked = scratch(&runtimes)?;
    unpack(&file, unpacked.path())?;
    publish(unpacked, &destination)?;
    complete(&destination, provider).ok_or_else(|| RuntimeError::NoLibrary { file: name_of(&file) })
}

/// The library in a folder that holds everything the provider needs. Folders come into being by one rename, so what is
/// missing was taken away later.
fn complete(folder: &Path, provider: Provider) -> Option<PathBuf> {
    let companion = provider.companion().map(|name| folder.join(name));
    companion.is_none_or(|path| path.is_file()).then(|| main_library(folder)).flatten()
}

/// One install at a time; the lock goes with the process that holds it.
fn lock(runtimes: &Path, progress: &mut dyn FnMut(InstallStep)) -> Result<File, RuntimeError> {
    let path = runtimes.join("install.lock");
    let file = File::create(&path).map_err(RuntimeError::io("create", &path))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(fs::TryLockError::WouldBlock) => progress(InstallStep::Waiting),
        // file systems without locks: the rename at the end still keeps the result whole
        Err(fs::TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => return Ok(file),
        Err(fs::TryLockError::Error(error)) => return Err(RuntimeError::io("lock", &path)(error)),
    }
    file.lock().map_err(RuntimeError::io("lock", &path))?;
    Ok(file)
}

/// Removes what killed installs left. Only called with the lock held, so nobody is working there.
fn remove_leftovers(runtimes: &Path) {
    let Ok(entries) = runtimes.read_dir() else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            // what cannot be removed is in nobody's way
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// A folder that goes away unless it is published; beside its destination, so that a rename can publish it.
fn scratch(runtimes: &Path) -> Result<TempDir, RuntimeError> {
    let folder = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(runtimes);
    folder.map_err(RuntimeError::io("create a folder in", runtimes))
}

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

/// Unpacks the shared libraries of ONNX Runtime, without the Python module that is twice as large.
pub(super) fn unpack(wheel: &Path, folder: &Path) -> Result<(), RuntimeError> {
    let archive_error = |source| RuntimeError::Archive { file: name_of(wheel), source };
    let file = File::open(wheel).map_err(RuntimeError::io("open", wheel))?;
    let mut archive = ZipArchive::new(file).map_err(archive_error)?;
    let mut has_main_library = false;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(archive_error)?;
        let name = entry.name().map_err(archive_error)?.into_owned();
        let Some(name) = name.strip_prefix(LIBRARIES).filter(|name| is_library(name)) else { continue };
        has_main_library |= is_main_library(name);
        let path = folder.join(name);
        let mut output = File::create(&path).map_err(RuntimeError::io("create", &path))?;
        io::copy(&mut entry, &mut output).map_err(RuntimeError::io("write", &path))?;
        // on the disk before the rename makes it count
        output.sync_all().map_err(RuntimeError::io("write", &path))?;
    }
    if has_main_library { Ok(()) } else { Err(RuntimeError::NoLibrary { file: name_of(wheel) }) }
}

/// `libonnxruntime.so.1.31.1`, `libonnxruntime_providers_shared.so`, `onnxruntime.dll`, ...; not TensorRT's, which nobody asked for.
/// Names with a slash are none, so no name leads out of the folder.
fn is_library(name: &str) -> bool {
    let provider = name.strip_prefix("lib").unwrap_or(name).strip_prefix("onnxruntime_providers_");
    let is_provider = provider.is_some_and(|rest| !rest.starts_with("tensorrt") && rest.ends_with(DLL_SUFFIX));
    !name.contains(['/', '\\']) && (is_main_library(name) || is_provider)
}

/// Gives the folder its final name. Somebody else's complete folder is as good; a damaged one is replaced.
fn publish(unpacked: TempDir, destination: &Path) -> Result<(), RuntimeError> {
    if destination.exists() {
        fs::remove_dir_all(destination).map_err(RuntimeError::io("replace", destination))?;
    }
    // readable for everyone who may read the data folder: scratch folders are private
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let shared = fs::Permissions::from_mode(0o755);
        fs::set_permissions(unpacked.path(), shared).map_err(RuntimeError::io("open up", unpacked.path()))?;
    }
    fs::rename(unpacked.path(), destination).map_err(RuntimeError::io("rename a folder to", destination))?;
    // nothing is left to remove under its old name
    let _ = unpacked.keep();
    Ok(())
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
