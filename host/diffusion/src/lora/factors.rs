//! What a weight gets from all files together, as two matrices.

use super::LoraError;
use super::fit::Addition;
use super::layers::Layer;

/// `up [out, rank] x down [rank, in]`: the ranks of all files lie side by side, and every scale and weight is in `up`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Factors {
    /// Sum of the ranks.
    pub(crate) rank: usize,
    /// Row-major `[out, rank]`.
    pub(crate) up: Vec<f32>,
    /// Row-major `[rank, in]`; of a convolution `[rank, in * height * width]`.
    pub(crate) down: Vec<f32>,
}

impl Factors {
    /// Reads the values of `additions`, which are all for one weight of `rows` rows.
    ///
    /// # Errors
    /// A file that cannot be read, or a value in it that is not finite.
    pub(crate) fn read(additions: &[Addition], rows: usize) -> Result<Self, LoraError> {
        let mut parts = Vec::with_capacity(additions.len());
        for Addition { lora, layer } in additions {
            let layer = &lora.layers[*layer];
            let up = lora.file.values(&layer.up)?;
            let down = lora.file.values(&layer.down)?;
            let down = match &layer.mid {
                None => down,
                Some(mid) => through(&lora.file.values(mid)?, &down, layer),
            };
            parts.push((layer.up.shape[1], lora.weight * layer.scale, up, down));
        }
        let rank = parts.iter().map(|(rank, ..)| rank).sum();
        let mut up = Vec::with_capacity(rows * rank);
        for row in 0..rows {
            for (rank, scale, values, _) in &parts {
                let row = &values[row * rank..][..*rank];
                up.extend(row.iter().map(|&value| (f64::from(value) * scale) as f32));
            }
        }
        let down = parts.into_iter().flat_map(|(.., down)| down).collect();
        Ok(Self { rank, up, down })
    }

    /// The same for `rows` of the weight from row `first` on.
    pub(crate) fn rows(mut self, first: usize, rows: usize) -> Self {
        self.up = self.up[first * self.rank..][..rows * self.rank].to_vec();
        self
    }
}

/// `mid [a, b, height, width]` after `down [b, in, 1, 1]` as one convolution `[a, in, height, width]`.
fn through(mid: &[f32], down: &[f32], layer: &Layer) -> Vec<f32> {
    let (inner, inputs) = (layer.down.shape[0], layer.down.shape[1]);
    let outer = layer.up.shape[1];
    let inside = mid.len() / (outer * inner);
    let mut sum = vec![0.0; outer * inputs * inside];
    for (out, row) in sum.chunks_exact_mut(inputs * inside).enumerate() {
        for (place, value) in row.iter_mut().enumerate() {
            let (input, at) = (place / inside, place % inside);
            let product =
                |b: usize| f64::from(mid[(out * inner + b) * inside + at]) * f64::from(down[b * inputs + input]);
            *value = (0..inner).map(product).sum::<f64>() as f32;
        }
    }
    sum
}
