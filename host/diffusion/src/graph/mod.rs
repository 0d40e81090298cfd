//! Networks as ONNX graphs, from `config.json` and the names of the weights alone.
//!
//! [`layers`] has the layers all networks share, each in the form that ONNX Runtime runs best; one module per network puts
//! them together exactly as transformers and diffusers do. A network module has two parts: a config type whose reader
//! refuses every value that is not implemented, and a function from config and weights to an encoded model.
//!
//! Forms that matter (measured on ONNX Runtime 1.31, CPU):
//! - attention is `com.microsoft.MultiHeadAttention`: the written-out form needs twenty times the memory;
//! - linear layers are `com.microsoft.FusedMatMul` with `transB`, so `[out, in]` weights are used as stored;
//! - group normalisation is an `InstanceNormalization` over `[batch, groups, rest]`: `GroupNormalization` is expanded by the
//!   runtime into something slower and far less exact.

pub mod clip;
pub mod layers;
pub mod unet;
pub mod vae;
