//! Whether weights stay where their file is mapped.

use super::{Device, Precision, SessionOptions};
use crate::weights::Weights;

/// When large weights are read where their file is mapped, instead of being repacked for the kernels as a network is loaded. Only
/// on the CPU, in `f32`, of files in `f32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InPlace {
    /// In networks of 256 MB or more: loading takes a fifth of the time and memory without a file a quarter, for steps that are
    /// some percent longer.
    #[default]
    Large,
    /// In all networks that can.
    Always,
    /// In none.
    Never,
}

impl InPlace {
    /// From which size of a network on.
    const LARGE: u64 = 256 << 20;
}

impl SessionOptions {
    /// Whether a network of these weights keeps them in place.
    pub(crate) fn keeps_in_place(&self, weights: &Weights) -> bool {
        let wanted = match self.in_place {
            InPlace::Large => weights.bytes() >= InPlace::LARGE,
            InPlace::Always => true,
            InPlace::Never => false,
        };
        wanted && self.device == Device::Cpu && self.precision == Precision::F32
    }
}
