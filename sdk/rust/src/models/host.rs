//! The functions of the module, asked of the host.

use crate::bindings::host::difftest::plugin::embeddings;
use crate::bindings::own;
use crate::{Error, Image, ImageSet};

pub(super) fn dimensions(model: &str) -> Result<usize, Error> {
    let dimensions = embeddings::dimensions(model).map_err(own)?;
    dimensions.try_into().map_err(Error::other)
}

pub(super) fn embed_text(model: &str, text: &str) -> Result<Vec<f32>, Error> {
    embeddings::embed_text(model, text).map_err(own)
}

pub(super) fn embed_image(model: &str, image: &Image) -> Result<Vec<f32>, Error> {
    embeddings::embed_image(model, image.handle()).map_err(own)
}

/// All rows, one after the other.
pub(super) fn embed_set(model: &str, images: &ImageSet) -> Result<Vec<f32>, Error> {
    embeddings::embed_set(model, images.handle()).map_err(own)
}
