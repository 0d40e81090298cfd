//! Networks that somebody exported to ONNX, with the same calls as the built ones.
//!
//! A folder in the layout of optimum holds `<part>/model.onnx` where diffusers has safetensors, and the VAE in two halves, of which
//! `vae_decoder` is used. Who exported it, and when, shows in names, types and ranks only, so they are read from each graph:
//!
//! | dialect | text encoder | UNet | VAE decoder |
//! |---|---|---|---|
//! | optimum from 1.24, optimum-onnx | ids `int64`; `last_hidden_state`, `hidden_states.N`, `text_embeds` | `timestep` a float; `out_sample` | `latent_sample` to `sample` |
//! | optimum up to 1.23 | ids `int32` (`int64` with projection) | `timestep` `int64` of one dimension | the same |
//! | diffusers' old script | ids `int32`; no config | `timestep` of one dimension, in the type of the model; perhaps a `return_dict` | the same, no config |
//! | ONNX Runtime's tools | ids `int32`; `text_embeddings`, `hidden_states` | `latent` | `latent` to `images` |
//!
//! All of them come in half precision too. Stable Diffusion XL adds `text_embeds` and `time_ids`, distilled models `timestep_cond`.
//!
//! Invariants: nothing is loaded before the graph, its weights and its operators were checked; an input that is not in this table
//! is refused by name; sizes that the graph fixes are honoured, and others refused by number; a timestep is never rounded to fit an
//! integer input; on the CPU each row of a batch is a call of its own, so results do not depend on what else is asked.

mod config;
mod fault;
mod network;
mod part;
mod text_encoder;
mod unet;
mod vae;

pub(crate) use self::config::constants;
pub use self::fault::OnnxFault;
pub(crate) use self::part::{graph_files, graph_in, graph_weights};
pub(crate) use self::text_encoder::TextEncoder;
pub(crate) use self::unet::{Texts, Unet};
pub(crate) use self::vae::VaeDecoder;
use super::text_encoder::{TextFeatures, TextTap};
use super::unet::Added;
