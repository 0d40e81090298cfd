//! A matrix with one embedding per row.

use std::slice::ChunksExact;

use crate::Error;

/// Embeddings of equal length, one per row.
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings {
    /// At least 1.
    dimensions: usize,
    /// A multiple of `dimensions`, row by row.
    values: Vec<f32>,
}

impl Embeddings {
    /// The rows of this length that `values` holds one after the other.
    ///
    /// # Errors
    /// [`Error::Other`] when a row has no numbers, or the last row is not whole.
    pub fn new(dimensions: usize, values: Vec<f32>) -> Result<Self, Error> {
        if dimensions == 0 || !values.len().is_multiple_of(dimensions) {
            let count = values.len();
            return Err(Error::other(format_args!("{count} numbers do not make rows of {dimensions}")));
        }
        Ok(Self { dimensions, values })
    }

    /// How many embeddings there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.values.len() / self.dimensions
    }

    /// How many numbers each of them has; at least 1.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The embedding at this place, from 0.
    ///
    /// # Panics
    /// From [`Embeddings::rows`] on, as a slice does.
    #[must_use]
    pub fn row(&self, index: usize) -> &[f32] {
        assert!(index < self.rows(), "there is no row {index} among {} embeddings", self.rows());
        &self.values[index * self.dimensions..][..self.dimensions]
    }

    /// All embeddings, in order.
    pub fn iter(&self) -> ChunksExact<'_, f32> {
        self.values.chunks_exact(self.dimensions)
    }

    /// All numbers, row by row.
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        &self.values
    }
}

impl<'a> IntoIterator for &'a Embeddings {
    type Item = &'a [f32];
    type IntoIter = ChunksExact<'a, f32>;

    fn into_iter(self) -> ChunksExact<'a, f32> {
        self.iter()
    }
}
