//! A model for unit tests: a closure that answers in the host's place. Not on WebAssembly.
//!
//! ```
//! use difftest_sdk::models::{self, testing::{Input, with_embedder}};
//! use difftest_sdk::{Error, Image};
//!
//! /// Knows one model, which sees the mean of the red channel and of the others.
//! fn redness(model: &str, input: Input<'_>) -> Result<Vec<f32>, Error> {
//!     match (model, input) {
//!         ("clip", Input::Image(image)) => {
//!             let sum = |of: fn(&difftest_sdk::Rgb) -> u8| image.pixels().map(|pixel| f32::from(of(&pixel))).sum();
//!             Ok(vec![sum(|pixel| pixel.r), sum(|pixel| pixel.g) + sum(|pixel| pixel.b)])
//!         }
//!         ("clip", Input::Text(text)) => Ok(if text.contains("red") { vec![1.0, 0.0] } else { vec![0.0, 1.0] }),
//!         (other, _) => Err(Error::ModelNotFound(other.to_owned())),
//!     }
//! }
//!
//! with_embedder(redness, || {
//!     let red = Image::from_rgb8(1, 1, [255, 0, 0]);
//!     assert_eq!(models::embed_image("clip", &red), models::embed_text("clip", "a red square"));
//! });
//! ```

use std::cell::RefCell;
use std::rc::Rc;

use crate::double::{self, Slot};
use crate::{Error, Image, ImageSet};

/// What is to be embedded.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// By the text tower.
    Text(&'a str),
    /// By the image tower.
    Image(&'a Image),
}

type Embedder = dyn Fn(&str, Input<'_>) -> Result<Vec<f32>, Error>;

thread_local! {
    static EMBEDDER: Slot<Embedder> = const { RefCell::new(None) };
}

/// Runs `body`; whatever it embeds on this thread, `embedder` answers, given the model's name and the input. As the host does,
/// this divides each answer by its Euclidean length. [`dimensions`](super::dimensions) is the length of the answer to an empty text.
pub fn with_embedder<R>(
    embedder: impl Fn(&str, Input<'_>) -> Result<Vec<f32>, Error> + 'static,
    body: impl FnOnce() -> R,
) -> R {
    double::with(&EMBEDDER, Rc::new(embedder), body)
}

fn embed(model: &str, input: Input<'_>) -> Result<Vec<f32>, Error> {
    let embedder = double::get(&EMBEDDER).ok_or_else(|| {
        Error::other(
            "embeddings come from difftest, which a unit test runs without: answer in its place with \
             `difftest_sdk::models::testing::with_embedder`",
        )
    })?;
    let row = embedder(model, input)?;
    let length = row.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
    if !(length.is_finite() && length > 0.0) {
        return Err(Error::other(format_args!("an embedding of length {length} cannot be normalised")));
    }
    #[expect(clippy::cast_possible_truncation, reason = "what the host gives has 32 bits")]
    let normalised = row.into_iter().map(|value| (f64::from(value) / length) as f32);
    Ok(normalised.collect())
}

pub(super) fn dimensions(model: &str) -> Result<usize, Error> {
    Ok(embed(model, Input::Text(""))?.len())
}

pub(super) fn embed_text(model: &str, text: &str) -> Result<Vec<f32>, Error> {
    embed(model, Input::Text(text))
}

pub(super) fn embed_image(model: &str, image: &Image) -> Result<Vec<f32>, Error> {
    embed(model, Input::Image(image))
}

/// All rows, one after the other.
pub(super) fn embed_set(model: &str, images: &ImageSet) -> Result<Vec<f32>, Error> {
    let mut values = Vec::new();
    for image in images {
        values.extend(embed_image(model, &image)?);
    }
    Ok(values)
}
