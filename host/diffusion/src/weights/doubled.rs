//! Kernels for images whose pixels are doubled: sums of the weights that meet the same pixel.
//!
//! A convolution of side 3 on an image of repeated pixels is four convolutions of side 2 on the image before, one for each place in
//! a doubled pixel (see [`Net::upsample_conv`](crate::graph::layers::Net::upsample_conv)). Where a network's weights stay in place,
//! their sums are taken here: the runtime, asked to fold them, copies the whole weight for each of the steps in between, which for
//! Stable Diffusion 1.5's UNet is 0.7 GB of memory that is touched and thrown away. All lanes share these sums.

use std::io::{Read as _, Seek as _, SeekFrom};

use super::{Entry, Weights};
use crate::error::{Error, Result};
use crate::onnx::{ElementType, GraphBuilder, Tensor};

/// In one direction: which of the three weights meet the pixel before and after, for the first and the second of a doubled pixel's
/// places.
const SUMS: [[&[usize]; 2]; 2] = [[&[0], &[1, 2]], [&[0, 1], &[2]]];

/// The four places of a doubled pixel: row and column.
pub(crate) const PLACES: [(usize, usize); 4] = [(0, 0), (0, 1), (1, 0), (1, 1)];

/// How much a weight of a side-3 kernel counts in the 4 weights of a place's kernel: a `[9, 4]` matrix of zeros and ones.
pub(crate) fn matrix((row, column): (usize, usize)) -> Vec<f32> {
    let counts = |sums: &[usize], from: usize| sums.contains(&from);
    let count = |from: usize, to: usize| {
        f32::from(counts(SUMS[row][to / 2], from / 3) && counts(SUMS[column][to % 2], from % 3))
    };
    (0..9).flat_map(|from| (0..4).map(move |to| count(from, to))).collect()
}

/// Beyond the end of every file.
const NOWHERE: u64 = 1 << 60;

/// A weight whose sums a graph reads.
#[derive(Debug)]
pub(super) struct Doubled {
    name: String,
    /// Output and input channels.
    channels: [usize; 2],
}

/// Values that a graph reads and no file holds.
#[derive(Debug)]
pub(crate) struct Computed {
    /// What the graph calls them.
    pub(crate) name: String,
    pub(crate) dims: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

impl Weights {
    /// Declares the kernels of side 2 for the four [`PLACES`], made of weight `name`, which is `[output, input, 3, 3]` and plain `f32`.
    ///
    /// # Errors
    /// As [`Weights::stored`].
    pub(crate) fn doubled(
        &mut self,
        graph: &mut GraphBuilder,
        name: &str,
        channels: [usize; 2],
    ) -> Result<[Tensor; 4]> {
        let [output, input] = channels;
        let (mut place, _) = self.locate(name, &[output, input, 3, 3], 0, &[output, input, 3, 3])?;
        // The values come with the session; the place is what the format asks for. It is none: a runtime that does not take the values
        // must fail, and not read others.
        place.length = place.length / 9 * 4;
        place.offset = NOWHERE;
        if !self.doubled.iter().any(|known| known.name == name) {
            self.doubled.push(Doubled { name: name.to_owned(), channels });
        }
        Ok([0, 1, 2, 3].map(|place_number| {
            let dims = [output, input, 2, 2];
            let kernel = graph.external(&kernel_name(name, place_number), ElementType::F32, &dims, &place);
            graph.keep_in_place(&kernel, ElementType::F32, &dims);
            kernel
        }))
    }

    /// The values of everything that graphs [declared](Weights::doubled), computed by `threads` threads.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn computed(&self, threads: usize) -> Result<Vec<Computed>> {
        let sums = self.doubled.iter().map(|doubled| self.sums(doubled, threads.max(1)));
        Ok(sums.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    fn sums(&self, doubled: &Doubled, threads: usize) -> Result<[Computed; 4]> {
        let Doubled { name, channels: [output, input] } = doubled;
        // Declared above, so it is there.
        let entry = &self.tensors[name];
        let dims = vec![*output, *input, 2, 2];
        let mut kernels = [0, 1, 2, 3].map(|place| Computed {
            name: kernel_name(name, place),
            dims: dims.clone(),
            values: vec![0.0; output * input * 4],
        });
        let rows = output.div_ceil(threads);
        let parts = kernels.each_mut().map(|kernel| kernel.values.chunks_mut(rows * input * 4));
        let [a, b, c, d] = parts;
        let parts = a.zip(b).zip(c).zip(d).map(|(((a, b), c), d)| [a, b, c, d]);
        let path = &self.files[entry.file].path;
        std::thread::scope(|scope| {
            let parts: Vec<_> = parts
                .enumerate()
                .map(|(number, part)| scope.spawn(move || sum_rows(path, entry, number * rows * input, part)))
                .collect();
            parts.into_iter().try_for_each(crate::session::joined)
        })?;
        Ok(kernels)
    }
}

fn kernel_name(name: &str, place: usize) -> String {
    let (row, column) = PLACES[place];
    format!("{name} doubled {row}{column}")
}

/// Reads kernels from number `first` on and writes their sums.
fn sum_rows(path: &std::path::Path, entry: &Entry, first: usize, mut parts: [&mut [f32]; 4]) -> Result<()> {
    const KERNELS: usize = 8192;
    let mut file = crate::files::open(path).map_err(Error::io(path))?;
    file.seek(SeekFrom::Start(entry.offset + (first * 9 * 4) as u64)).map_err(Error::io(path))?;
    let count = parts[0].len() / 4;
    let mut bytes = vec![0; KERNELS.min(count) * 9 * 4];
    for start in (0..count).step_by(KERNELS) {
        let here = KERNELS.min(count - start);
        let bytes = &mut bytes[..here * 9 * 4];
        file.read_exact(bytes).map_err(Error::io(path))?;
        for (number, kernel) in bytes.as_chunks::<36>().0.iter().enumerate() {
            let mut weights = [0.0; 9];
            for (weight, bytes) in weights.iter_mut().zip(kernel.as_chunks::<4>().0) {
                *weight = f32::from_le_bytes(*bytes);
            }
            let at = (start + number) * 4;
            for (part, place) in parts.iter_mut().zip(PLACES) {
                part[at..at + 4].copy_from_slice(&sums(&weights, place));
            }
        }
    }
    Ok(())
}

/// The four weights of a place's kernel, each summed in the order of the weights.
fn sums(weights: &[f32; 9], (row, column): (usize, usize)) -> [f32; 4] {
    let sum = |rows: &[usize], columns: &[usize]| {
        rows.iter().flat_map(|y| columns.iter().map(move |x| weights[y * 3 + x])).fold(0.0, |sum, weight| sum + weight)
    };
    let ([above, below], [left, right]) = (SUMS[row], SUMS[column]);
    [sum(above, left), sum(above, right), sum(below, left), sum(below, right)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_what_the_matrix_says() {
        let weights = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];
        for place in PLACES {
            let matrix = matrix(place);
            let product = |to: usize| (0..9).map(|from| weights[from] * matrix[from * 4 + to]).sum::<f32>();
            assert_eq!(sums(&weights, place), [product(0), product(1), product(2), product(3)]);
        }
        assert_eq!(sums(&weights, (0, 1)), [1.0 + 2.0, 4.0, 8.0 + 16.0 + 64.0 + 128.0, 32.0 + 256.0]);
    }
}
