//! Pillow's Lanczos resampling of one 8-bit channel, bit for bit: `Image.resize(size, Image.Resampling.LANCZOS)` of mode `L`.
//!
//! The contract's `resize` works on colours, and luma of small colours is not small luma; so this is the same algorithm
//! for one channel. Columns first, then rows, with bytes between; weights in units of 2^-22. That is every Pillow up to 12; Pillow 13
//! does the rows of some tall images first, and single bytes then differ.
//!
//! Both passes are one function that shrinks rows and turns the image on its diagonal, so that sums run along memory. A side that
//! keeps its length goes through it like any other: the weight of one input is then one and the others round to 0.

use std::rc::Rc;

use crate::lanes::{Eight, Sum};
use crate::windows::{BITS, Windows};

/// Rows that are shrunk side by side: each weight is loaded once for all of them.
const ROWS: usize = 4;

/// Width and height.
pub type Size = (usize, usize);

/// A resampling from one size to another, for any number of images.
pub struct Resize {
    from: Size,
    to: Size,
    along_rows: Rc<Windows>,
    down_columns: Rc<Windows>,
}

impl Resize {
    /// The weights are computed here.
    #[must_use]
    pub fn new(from: Size, to: Size) -> Self {
        let along_rows = Rc::new(Windows::new(from.0, to.0));
        let square = from.0 == from.1 && to.0 == to.1;
        let down_columns = if square { Rc::clone(&along_rows) } else { Rc::new(Windows::new(from.1, to.1)) };
        Self { from, to, along_rows, down_columns }
    }

    /// `channel`, which is row-major and of as many bytes as the size says, resized.
    #[must_use]
    pub fn apply(&self, channel: &[u8]) -> Vec<u8> {
        let (width, height) = self.from;
        let upright = shrink_and_turn(channel, width, height, &self.along_rows);
        shrink_and_turn(&upright, height, self.to.0, &self.down_columns)
    }
}

/// Each row mixed to as many bytes as there are windows, and columns in the place of rows.
fn shrink_and_turn(channel: &[u8], width: usize, height: usize, windows: &Windows) -> Vec<u8> {
    let mut outputs = vec![0; windows.outputs() * height];
    if outputs.is_empty() || width == 0 {
        return outputs;
    }
    // what whole eights of weights reach past the end is multiplied with 0
    let mut wide = [(); ROWS].map(|()| vec![0_i16; width + Eight::default().len()]);
    for (rows, top) in channel.chunks(ROWS * width).zip((0..height).step_by(ROWS)) {
        for (wide, row) in wide.iter_mut().zip(rows.chunks(width)) {
            for (wide, &value) in wide.iter_mut().zip(row) {
                *wide = i16::from(value);
            }
        }
        let count = ROWS.min(height - top);
        for ((first, weights), column) in windows.iter().zip(outputs.chunks_exact_mut(height)) {
            let [a, b, c, d] = wide.each_ref().map(|row| row[first..].as_chunks().0);
            let mut sums = [Sum::ZERO; ROWS];
            for ((((weights, a), b), c), d) in weights.iter().zip(a).zip(b).zip(c).zip(d) {
                for (sum, values) in sums.iter_mut().zip([a, b, c, d]) {
                    sum.add(weights, values);
                }
            }
            column[top..][..count].copy_from_slice(&sums.map(|sum| byte(sum.total()))[..count]);
        }
    }
    outputs
}

/// Rounded, and cut off where the negative lobes overshoot.
fn byte(sum: i32) -> u8 {
    ((sum + (1 << (BITS - 1))) >> BITS).clamp(0, 255) as u8
}
