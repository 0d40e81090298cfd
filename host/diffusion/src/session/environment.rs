//! The process's one ONNX Runtime environment.

use std::sync::OnceLock;

use ort::LoadDynamicError;
use ort::environment::Environment;

use crate::error::{Error, Result};
use crate::runtime;

/// The environment, with the library loaded on first use. A failure stays: the library cannot be loaded twice.
pub(super) fn get() -> Result<&'static Environment> {
    static ENVIRONMENT: OnceLock<Result<Environment, String>> = OnceLock::new();
    ENVIRONMENT.get_or_init(load).as_ref().map_err(|message| Error::Runtime(message.clone()))
}

fn load() -> Result<Environment, String> {
    let path = runtime::find().map_err(|error| format!("{error}: {}", error.hint()))?.path;
    let builder = ort::init_from(&path).map_err(|error| match error {
        LoadDynamicError::BadVersion { version_str, path } => format!(
            "ONNX Runtime {version_str} ({}) is too old, 1.{} or newer is needed: run `difftest runtime install`",
            path.display(),
            ort::MINOR_VERSION
        ),
        other => format!("cannot load ONNX Runtime: {other}; run `difftest runtime install`"),
    })?;
    builder
        .with_name("difftest")
        .with_telemetry(false)
        .build()
        .map_err(|error| format!("cannot start ONNX Runtime from {}: {error}", path.display()))
}
