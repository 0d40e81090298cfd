//! The process's one ONNX Runtime environment, and what a device needs before its first session.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use ort::LoadDynamicError;
use ort::environment::Environment;
use ort::ep::{self, ExecutionProvider as _};

use super::driver::Driver;
use super::{Device, DeviceError, allocator};
use crate::error::{Error, Result};
use crate::pipeline::described;
use crate::runtime::{self, Provider, RuntimeLibrary, nvidia};

/// What is loaded.
struct Loaded {
    environment: Environment,
    library: RuntimeLibrary,
    /// Devices whose libraries are loaded and whose providers are registered.
    ready: Vec<Provider>,
}

static LOADED: Mutex<Option<Loaded>> = Mutex::new(None);

/// The environment, made on first use with the library that suits `device`, with all that the device needs. A library
/// that is missing can be installed and asked for again; one that is loaded stays.
pub(super) fn get(device: Device) -> Result<Environment> {
    check_machine(device)?;
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let loaded = match loaded.as_mut() {
        Some(loaded) => loaded,
        None => loaded.insert(make(device)?),
    };
    let provider = device.provider();
    if !loaded.ready.contains(&provider) {
        prepare(device, loaded)?;
        loaded.ready.push(provider);
    }
    Ok(loaded.environment.clone())
}

/// The library in use, once there is one.
pub(super) fn library() -> Option<RuntimeLibrary> {
    let loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    loaded.as_ref().map(|loaded| loaded.library.clone())
}

/// Names of the execution providers that the loaded library has.
pub(super) fn providers() -> Vec<String> {
    let loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(loaded) = loaded.as_ref() else { return Vec::new() };
    let built_in = [(Device::Cuda(0), ep::CUDA::is_available()), (Device::CoreMl, ep::CoreML::is_available())];
    let there = built_in.into_iter().filter(|(_, there)| there.as_ref().is_ok_and(|there| *there));
    let mut names: Vec<_> = there.map(|(device, _)| device.provider_name().to_owned()).collect();
    names.extend(loaded.environment.devices().filter_map(|device| device.ep().ok().map(str::to_owned)));
    names.sort_unstable();
    names.dedup();
    names
}

/// What can be said before any library is looked for: nobody should install gigabytes for a machine that cannot use them.
fn check_machine(device: Device) -> Result<(), DeviceError> {
    let os = std::env::consts::OS;
    match device {
        Device::Cpu => Ok(()),
        Device::CoreMl if os == "macos" => Ok(()),
        Device::OpenVino if os != "macos" && std::env::consts::ARCH == "x86_64" => Ok(()),
        Device::Cuda(number) if os != "macos" => Driver::find()?.check(number),
        _ => Err(DeviceError::Platform { device }),
    }
}

fn make(device: Device) -> Result<Loaded> {
    let library = runtime::find_for(device.provider())?;
    let path = &library.path;
    // The version in names was checked by the search; this is the library's own answer.
    let builder = ort::init_from(path).map_err(|error| Error::Library {
        why: match error {
            LoadDynamicError::BadVersion { version_str, .. } => {
                format!("it is version {version_str}, and difftest needs 1.{} or newer", ort::MINOR_VERSION)
            }
            LoadDynamicError::Dlopen { error, .. } => described(&error),
            LoadDynamicError::MissingApi { .. } => "it is another library".to_owned(),
            other => other.to_string(),
        },
        path: path.clone(),
    })?;
    let environment = builder.with_name("difftest").with_telemetry(false).build();
    let failed = |error: ort::Error| Error::Library { path: path.clone(), why: error.to_string() };
    let environment = environment.map_err(failed)?;
    allocator::register(&environment).map_err(failed)?;
    Ok(Loaded { environment, library, ready: Vec::new() })
}

fn prepare(device: Device, loaded: &Loaded) -> Result<()> {
    let library = &loaded.library;
    match device {
        Device::Cpu | Device::CoreMl => Ok(()),
        Device::Cuda(_) if !library.provides(Provider::Cuda) => {
            Err(DeviceError::Loaded { loaded: library.path.clone(), device }.into())
        }
        Device::Cuda(_) => preload(library.folder()),
        // a plugin goes with any library, whatever folder that is in
        Device::OpenVino if library.provides(Provider::OpenVino) => register(device, library, &loaded.environment),
        Device::OpenVino => register(device, &runtime::find_for(Provider::OpenVino)?, &loaded.environment),
    }
}

/// Loads NVIDIA's libraries from the folder of the provider, which would look for them by name only. Where the folder has
/// none, they are the system's.
fn preload(folder: PathBuf) -> Result<()> {
    for path in nvidia::beside(&folder) {
        ort::util::preload_dylib(&path).map_err(|error| DeviceError::Library { path, why: described(&error) })?;
    }
    Ok(())
}

/// Registers the plugin beside `library`.
fn register(device: Device, library: &RuntimeLibrary, environment: &Environment) -> Result<()> {
    let plugin = library.companion(device.provider()).unwrap_or_else(|| library.path.clone());
    let failed = |why: String| DeviceError::Library { path: plugin.clone(), why };
    environment.register_ep_library("difftest", &plugin).map_err(|error| failed(error.to_string()))?;
    if devices_of(environment, device) == 0 {
        let processor =
            environment.devices().find(|found| found.ep().is_ok_and(|name| name == Device::Cpu.provider_name()));
        let vendor = processor.and_then(|found| found.hardware_device().vendor().ok().map(str::to_owned));
        return Err(DeviceError::NoOpenVino { vendor: vendor.unwrap_or_else(|| "somebody else".to_owned()) }.into());
    }
    Ok(())
}

fn devices_of(environment: &Environment, device: Device) -> usize {
    super::provider::processors(environment, device).count()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_library_that_does_not_load_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(nvidia::LIBRARIES[0]), "not a library").unwrap();
        let error = preload(folder.path().to_path_buf()).unwrap_err();
        assert!(error.to_string().contains(nvidia::LIBRARIES[0]), "{error}");
        assert!(error.hint().unwrap().contains("runtime install cuda"));
    }

    #[test]
    #[cfg(not(target_os = "macos"))]
    fn core_ml_is_refused_where_there_is_none() {
        let error = check_machine(Device::CoreMl).unwrap_err();
        assert!(error.to_string().contains("coreml does not exist on"), "{error}");
    }
}
