//! The process's one ONNX Runtime environment.

use std::sync::{Mutex, PoisonError};

use ort::LoadDynamicError;
use ort::environment::Environment;

use super::Device;
use crate::error::{Error, Result};
use crate::runtime::{self, Provider};

/// The environment, made on first use with the library that suits `device`. A library that is missing can be installed
/// and asked for again; one that is loaded stays.
pub(super) fn get(device: Device) -> Result<Environment> {
    static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);
    let mut environment = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(made) = environment.as_ref() {
        return Ok(made.clone());
    }
    let made = make(device)?;
    *environment = Some(made.clone());
    Ok(made)
}

fn make(device: Device) -> Result<Environment> {
    let library = runtime::find_for(match device {
        Device::Cpu | Device::CoreMl => Provider::Cpu,
        Device::Cuda(_) => Provider::Cuda,
        Device::OpenVino => Provider::OpenVino,
    })?;
    let path = library.path;
    // The version in names was checked by the search; this is the library's own answer.
    let builder = ort::init_from(&path).map_err(|error| Error::Library {
        why: match error {
            LoadDynamicError::BadVersion { version_str, .. } => {
                format!("it is version {version_str}, and difftest needs 1.{} or newer", ort::MINOR_VERSION)
            }
            LoadDynamicError::Dlopen { error, .. } => error.to_string(),
            LoadDynamicError::MissingApi { .. } => "it is another library".to_owned(),
            other => other.to_string(),
        },
        path: path.clone(),
    })?;
    let environment = builder.with_name("difftest").with_telemetry(false).build();
    environment.map_err(|error| Error::Library { path, why: error.to_string() })
}
