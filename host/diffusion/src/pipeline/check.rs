//! Whether a run could use a model, without a run: everything is read by what reads it for a run.
//!
//! Configs go through their readers, graphs are built for the weights, components are seen to fit together. ONNX Runtime is not
//! started, so what only it finds (a graph of an export that it refuses) is not found here.

use std::path::Path;

use super::load::{LoadError, Networks, Options};
use super::model::Model;
use super::text::Texts;
use crate::repository::Repository;
use crate::session::{Reach, SessionOptions};

/// Reads a model folder as far as a run with the model's own settings would before its first step: with `values`, every weight
/// too, for NaN and infinity. Relative folders start at `base`.
///
/// # Errors
/// The [`LoadError`] that the run would end with.
pub fn check(reference: &str, base: &Path, values: bool) -> Result<Repository, LoadError> {
    let options = Options::default();
    let model = Model::open(reference, base, &options)?;
    let reach = if values { Reach::Values } else { Reach::Graphs };
    let session = SessionOptions { reach, ..options.session(1) };
    let texts = Texts::open(&model.repository, model.family, &session)?;
    texts.load(0)?;
    Networks::load(&model, &texts, &session)?;
    let steps = model.family.defaults(model.repository.reference()).steps;
    let scheduler = model.scheduler.own().and_then(|own| model.scheduler.scheduler(own, steps));
    scheduler.map_err(|source| LoadError::Scheduler { folder: model.repository.folder().join("scheduler"), source })?;
    Ok(model.repository)
}
