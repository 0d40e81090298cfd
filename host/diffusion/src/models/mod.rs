//! The networks as typed calls on `f32` slices.
//!
//! Each model is loaded from one component folder, holds its config and its sessions, and can be called from any thread.
//! Where a graph comes from (built for safetensors files, or exported before) shows in no call; see `dispatch`.
//! Arrays are flat and row-major; shapes are in the documentation of each call, and a slice of another length is an error.

mod clip;
mod clip_vision;
mod dispatch;
mod ready;
mod text_encoder;
mod unet;
mod vae;

pub use clip::ClipModel;
pub use clip_vision::ClipVision;
pub(crate) use dispatch::exported;
pub use dispatch::{ProjectedTexts, TextEncoder, Unet, VaeDecoder};
pub use ready::OnnxFault;
pub(crate) use ready::{constants, graph_files, graph_weights};
pub use text_encoder::{TextFeatures, TextTap};
pub use unet::Added;

/// Networks of safetensors files, for who needs what only they tell.
pub mod built {
    pub use super::text_encoder::TextEncoder;
    pub use super::unet::{ProjectedTexts, Unet};
    pub use super::vae::VaeDecoder;
}

use crate::error::{Error, Result};

/// Refuses a slice that does not have the size of its shape.
fn check_size(what: &'static str, expected: usize, actual: usize) -> Result<()> {
    if expected == actual { Ok(()) } else { Err(Error::InputSize { what, expected, actual }) }
}

/// Latents as a denoiser leaves them, `[batch, channels, height, width]`, as a decoder takes them: divided by `scaling`, and where
/// `known`, by the deviation and mean of each channel.
fn unscale(
    latents: &mut [f32],
    [batch, _, height, width]: [usize; 4],
    channels: usize,
    scaling: f32,
    known: Option<(&[f32], &[f32])>,
) -> Result<()> {
    check_size("latents", batch * channels * height * width, latents.len())?;
    for (plane, values) in latents.chunks_mut((height * width).max(1)).enumerate() {
        let channel = plane % channels;
        let (deviation, mean) = known.map_or((1.0, 0.0), |(deviations, means)| (deviations[channel], means[channel]));
        values.iter_mut().for_each(|x| *x = *x * deviation / scaling + mean);
    }
    Ok(())
}

/// Refuses ids outside the vocabulary.
fn check_ids(ids: &[i64], vocabulary: usize) -> Result<()> {
    match ids.iter().find(|&&id| usize::try_from(id).map_or(true, |id| id >= vocabulary)) {
        Some(&id) => Err(Error::TokenId { id, vocabulary }),
        None => Ok(()),
    }
}
