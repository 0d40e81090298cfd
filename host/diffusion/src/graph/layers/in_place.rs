//! Weights that are read where their file is mapped, instead of being repacked when a network is loaded.
//!
//! Repacking is what loading a large network takes its time for, and its result is a second copy of the weights that no file
//! backs. It pays where a weight is small beside the image it meets. Where it is not, which in a UNet is nine tenths of the
//! weights, a product that reads them as they are is nearly as fast: they are its left side, whose rows the runtime's kernel
//! reads once, in order, and what is repacked for each call is the image, the smaller side.
//!
//! Left side it must be, and the longer one: the runtime divides a product among threads along its longer side, and only when
//! that is the left one the order of all sums is the same for any number of threads. So whether a weight stays in place hangs
//! on the number of pixels, and the bits with it: a network made for so many pixels serves fewer, but not more.

use super::Net;
use crate::onnx::{Attribute, ElementType, Tensor};

impl Net<'_> {
    /// Says how many pixels the next layers' images have at most; until then, and again with `None`, all weights are packed.
    pub fn at_pixels(&mut self, most: Option<usize>) {
        self.pixels = most;
    }

    /// Whether weight `name` with `rows` rows stays in place in the layer at hand.
    pub(super) fn stays_in_place(&self, name: &str, rows: usize) -> bool {
        self.element == ElementType::F32
            && self.pixels.is_some_and(|pixels| rows > pixels)
            && self.weights.is_plain_f32(name)
    }

    /// `x W^T` for `x` `[batch, pixels, input]` and rows of weight `name`, `[output, input]`.
    pub(super) fn pixel_matmul(&mut self, x: &Tensor, weight: &Tensor, name: &str, dims: [usize; 2]) -> Tensor {
        if !self.stays_in_place(name, dims[0]) {
            return self.matmul(x, weight);
        }
        self.graph.keep_in_place(weight, ElementType::F32, &dims);
        let transposed = self.graph.ms_op("FusedMatMul", &[weight, x], &[("transB", Attribute::Int(1))]);
        self.transpose(&transposed, &[0, 2, 1])
    }
}
