//! Which file is meant.

use std::path::{Path, PathBuf};

use difftest_core::suite::MAX_LORA_WEIGHT;

use super::LoraError;

/// File names that diffusers and peft save a LoRA under.
const USUAL: [&str; 2] = ["pytorch_lora_weights.safetensors", "adapter_model.safetensors"];

/// The file that `path` names: itself, or the one of a usual name in it.
pub(super) fn locate(path: &Path) -> Result<PathBuf, LoraError> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let files = USUAL.iter().map(|name| path.join(name));
    files.into_iter().find(|file| crate::files::there(file)).ok_or_else(|| LoraError::Folder { path: path.to_owned() })
}

/// Takes `PATH` or `PATH=WEIGHT` apart; the weight is 1 where none is given. Only a number behind the last `=` is a weight, so
/// paths may hold the sign.
///
/// # Errors
/// Says what is wrong, where there is no path or the weight is beyond [`MAX_LORA_WEIGHT`].
pub fn parse_argument(text: &str) -> Result<(PathBuf, f64), String> {
    let (path, weight) = match text.rsplit_once('=') {
        Some((path, weight)) => match weight.trim().parse::<f64>() {
            Ok(weight) => (path, weight),
            Err(_) if Path::new(text).exists() => (text, 1.0),
            Err(_) => {
                return Err(format!(
                    "`{weight}` is not a number; write PATH=WEIGHT, for example style.safetensors=0.7"
                ));
            }
        },
        None => (text, 1.0),
    };
    if path.is_empty() {
        return Err("there is no path".to_owned());
    }
    if !weight.is_finite() || weight.abs() > MAX_LORA_WEIGHT {
        return Err(format!("the weight {weight} is not between -{MAX_LORA_WEIGHT} and {MAX_LORA_WEIGHT}"));
    }
    Ok((path.into(), weight))
}
