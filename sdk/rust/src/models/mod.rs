//! Embeddings by CLIP-like models that the suite declares by name, computed in the host.
//!
//! All rows are L2-normalised, so the scalar product of two is their cosine similarity. The host computes each image once,
//! whoever asks for it. A plugin that calls any of these functions is *model-dependent*: its scores are close from machine to
//! machine, and not the same to the last bit.
//!
//! Away from WebAssembly there is no host, and every call is an error, unless a test answers in its place:
//! [`testing::with_embedder`].
//!
//! # Errors
//! Of all functions: [`Error::ModelNotFound`] for a name that the suite does not declare, [`Error::UnsupportedInput`] or
//! [`Error::Other`] for what the model cannot take.

mod embeddings;
#[cfg(target_family = "wasm")]
mod host;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

#[cfg(not(target_family = "wasm"))]
use testing as host;

pub use embeddings::Embeddings;

use crate::{Error, Image, ImageSet};

/// How many numbers an embedding by this model has.
///
/// # Errors
/// See [the module](self).
pub fn dimensions(model: &str) -> Result<usize, Error> {
    host::dimensions(model)
}

/// The embedding of a text.
///
/// # Errors
/// See [the module](self).
pub fn embed_text(model: &str, text: &str) -> Result<Vec<f32>, Error> {
    host::embed_text(model, text)
}

/// The embedding of an image, which the host brings to the size that the model wants.
///
/// # Errors
/// See [the module](self).
pub fn embed_image(model: &str, image: &Image) -> Result<Vec<f32>, Error> {
    host::embed_image(model, image)
}

/// The embeddings of all images of a set, one row each, in the order of the set. It is one call into the host, and pixels do not
/// enter the plugin.
///
/// # Errors
/// See [the module](self).
pub fn embed_set(model: &str, images: &ImageSet) -> Result<Embeddings, Error> {
    let rows = images.len();
    let values = host::embed_set(model, images)?;
    let got = values.len();
    let dimensions = match got.checked_div(rows) {
        Some(dimensions) => dimensions,
        // An empty answer does not tell how long its rows would be.
        None => dimensions(model)?,
    };
    match Embeddings::new(dimensions, values) {
        Ok(embeddings) if embeddings.rows() == rows => Ok(embeddings),
        _ => {
            let model = model.escape_debug();
            Err(Error::other(format_args!("{got} numbers are no embeddings of {rows} images by `{model}`")))
        }
    }
}
