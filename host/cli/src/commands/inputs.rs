//! Files that a plan needs are there: known before anything is loaded, for `list` as for `run`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use difftest_core::suite::{LoraUse, ModelSpec, Suite, SuiteError};
use difftest_diffusion::pipeline::described;
use difftest_diffusion::repository::Repository;
use difftest_hub::ModelId;

use crate::args::Selection;
use crate::error::CliError;

/// What `suite` names and is not there, or is there twice. `model` is what makes the images, and the LoRA files are the suite's or
/// those of the command line, whose mistakes are an error at once.
pub(super) fn missing(suite: &Suite, model: &ModelSpec, selection: &Selection) -> Result<Vec<SuiteError>, CliError> {
    let base = suite.path.parent().unwrap_or(Path::new(""));
    let mut mistakes = Vec::new();
    if let Some((message, hint)) = no_model(model, base) {
        match suite.model_span.as_ref().filter(|_| selection.model.is_none()) {
            Some(span) => mistakes.push(with_hint(SuiteError::at(span, message), hint)),
            None => {
                let error = CliError::new("model", message);
                return Err(hint.into_iter().fold(error, CliError::hint));
            }
        }
    }
    let given = !selection.lora.is_empty();
    let mut seen = HashMap::new();
    for lora in &suite.loras {
        let Some((message, hint)) = no_lora(lora, base, given, &mut seen) else { continue };
        if given {
            return Err(CliError::new("lora", format!("--lora: {message}")).hint(hint));
        }
        mistakes.push(SuiteError::at(&lora.span, message).hint(hint));
    }
    Ok(mistakes)
}

/// What is wrong with a model that is neither here nor a name on the hub.
fn no_model(model: &ModelSpec, base: &Path) -> Option<(String, Option<String>)> {
    let ModelSpec::Diffusion(name) = model else { return None };
    let on_hub = || name.contains('/') && name.parse::<ModelId>().is_ok();
    if name.starts_with("builtin:") || base.join(name).exists() || on_hub() {
        return None;
    }
    let error = Repository::stable_diffusion(name, base).err()?;
    Some((described(&error), error.hint()))
}

/// What is wrong with a LoRA file, as far as that is seen without opening it; `seen` are those before it.
fn no_lora(lora: &LoraUse, base: &Path, given: bool, seen: &mut HashMap<PathBuf, PathBuf>) -> Option<(String, String)> {
    let shown = lora.path.display();
    let Ok(real) = base.join(&lora.path).canonicalize() else {
        let start = if given { "the working directory" } else { "the folder of the suite file" };
        return Some((
            format!("cannot read LoRA {shown}: there is no such file"),
            format!("name a file that is there; relative paths start at {start}"),
        ));
    };
    let first = seen.insert(real, lora.path.clone())?;
    let also = if first == lora.path { String::new() } else { format!(", first as {}", first.display()) };
    Some((format!("LoRA {shown} is named twice{also}"), "name it once, with the sum of the weights".to_owned()))
}

fn with_hint(error: SuiteError, hint: Option<String>) -> SuiteError {
    hint.into_iter().fold(error, SuiteError::hint)
}
