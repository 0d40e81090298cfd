//! Embeddings as unit vectors in f64.

use std::slice::ChunksExact;

use difftest_sdk::Error;
use difftest_sdk::models::Embeddings;

/// Rows of length 1. The host normalises in f32; here they are divided by their length once more, so that a row's distance to
/// itself is 0 within 1e-15 and not 1e-7.
#[derive(Clone, Debug)]
pub struct Rows {
    dimensions: usize,
    values: Vec<f64>,
}

impl Rows {
    /// The rows of a model's answer.
    ///
    /// # Errors
    /// [`Error::Other`] for an embedding that has no direction: of zeros, or not finite.
    pub fn new(embeddings: &Embeddings) -> Result<Self, Error> {
        let mut values = Vec::with_capacity(embeddings.as_slice().len());
        for (index, row) in embeddings.iter().enumerate() {
            let length = row.iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>().sqrt();
            if !(length.is_finite() && length > 0.0) {
                return Err(Error::other(format_args!("the embedding of image {index} has the length {length}")));
            }
            values.extend(row.iter().map(|&value| f64::from(value) / length));
        }
        Ok(Self { dimensions: embeddings.dimensions(), values })
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len() / self.dimensions
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Numbers of each.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// In order.
    pub fn iter(&self) -> ChunksExact<'_, f64> {
        self.values.chunks_exact(self.dimensions)
    }
}
