//! From pinned packages to a folder that [`super::find`] looks at.
//!
//! ```text
//! for each wheel: kept from a killed install, or pip -> .unfinished-*/ -> digest -> downloaded/
//! all of them:    unpacked -> .unfinished-*/ -> renamed to onnxruntime-VERSION-PROVIDER/
//! ```

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::error::RuntimeError;
use super::package::{InstallSize, Provider, Wheel};
use super::pip::Client;
use super::search::main_library;
use super::unpack::{name_of, unpack, verify};
use super::{data_folder, nvidia, provider_folder, runtimes_folder};

/// Folders of unfinished installs start with it.
const UNFINISHED: &str = ".unfinished-";

/// Holds the wheels that arrived whole until all of them have: what a killed install has downloaded is not downloaded again.
const DOWNLOADED: &str = "downloaded";

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
    /// What it takes, told before anything is downloaded.
    Needs {
        /// Download and final size.
        size: InstallSize,
        /// Bytes that the disk needs while installing.
        peak: u64,
        /// Bytes free there, where the system tells.
        free: Option<u64>,
    },
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
    /// A killed install has left this package whole.
    Kept {
        /// Name of the Python package.
        package: &'static str,
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
/// Safe to call from several processes at the same time, and to kill at any moment: nothing half-done is ever used, and the
/// next install goes on with the packages that arrived whole.
///
/// # Errors
/// The platform or provider has no package; no package client works or it fails, as it does without a network; a digest is
/// not the pinned one; the disk is or would be full, or the folder cannot be written.
pub fn install_in(
    data_folder: &Path,
    provider: Provider,
    progress: &mut dyn FnMut(InstallStep),
) -> Result<PathBuf, RuntimeError> {
    let wheels = Wheel::for_this_machine(provider)?;
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
    let kept = runtimes.join(DOWNLOADED);
    fs::create_dir_all(&kept).map_err(RuntimeError::io("create", &kept))?;
    check_space(&kept, wheels, progress)?;

    let unpacked = scratch(&runtimes)?;
    let mut client = None;
    for wheel in wheels {
        let file = fetch(wheel, &kept, &runtimes, &mut client, progress)?;
        progress(InstallStep::Unpacking);
        unpack(&file, wheel, unpacked.path())?;
    }
    publish(unpacked, &destination)?;
    // only there to be found by a next install, which has nothing left to do
    let _ = fs::remove_dir_all(&kept);
    complete(&destination, provider).ok_or_else(|| RuntimeError::NoLibrary { file: name_of(&destination) })
}

/// The verified wheel below `kept`, downloaded unless it is there.
fn fetch(
    wheel: &Wheel,
    kept: &Path,
    runtimes: &Path,
    client: &mut Option<Client>,
    progress: &mut dyn FnMut(InstallStep),
) -> Result<PathBuf, RuntimeError> {
    let place = kept.join(wheel.file());
    if place.is_file() && verify(&place, wheel.sha256).is_ok() {
        progress(InstallStep::Kept { package: wheel.package });
        return Ok(place);
    }
    let client = match client {
        Some(client) => client,
        None => client.insert(Client::find()?),
    };
    let named = client.to_string();
    let download = scratch(runtimes)?;
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
    fs::rename(&file, &place).map_err(RuntimeError::io("keep", &place))?;
    Ok(place)
}

/// All wheels lie beside all that is unpacked from them, and the client holds one of them twice.
fn check_space(kept: &Path, wheels: &[Wheel], progress: &mut dyn FnMut(InstallStep)) -> Result<(), RuntimeError> {
    let size = InstallSize::of_wheels(wheels);
    let largest = wheels.iter().map(|wheel| wheel.bytes).max().unwrap_or(0);
    let already: u64 =
        wheels.iter().filter_map(|wheel| fs::metadata(kept.join(wheel.file())).ok()).map(|m| m.len()).sum();
    let peak = (size.download + largest + size.installed).saturating_sub(already);
    let free = fs4::available_space(kept).ok();
    progress(InstallStep::Needs { size, peak, free });
    match free {
        Some(free) if free < peak => Err(RuntimeError::NoSpace { path: kept.to_owned(), needed: peak, free }),
        _ => Ok(()),
    }
}

/// The library in a folder that holds everything the provider needs. Folders come into being by one rename, so what is
/// missing was taken away later.
fn complete(folder: &Path, provider: Provider) -> Option<PathBuf> {
    let companion = provider.companion().map(|name| folder.join(name));
    let there = companion.is_none_or(|path| path.is_file());
    let served = provider != Provider::Cuda || nvidia::complete(folder);
    (there && served).then(|| main_library(folder)).flatten()
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
