//! Diffusion models and CLIP on ONNX Runtime, straight from safetensors folders.
//!
//! The way of the data: a model folder (`repository`) holds components; each component's `config.json` becomes an ONNX
//! graph (`graph` on top of `onnx`) whose initialisers point into the component's own safetensors file (`weights`); the
//! graph becomes sessions of ONNX Runtime (`session`, with the library found by `runtime`); `models` gives every network a
//! typed call on plain `f32` slices. `pipeline` joins them with `tokenizer`, `noise` and `scheduler` to text-to-image, and
//! `clip` is the host's own metric and the embeddings that plugins ask for; `declared` holds the models that a suite names for plugins.
//!
//! `lora` reads LoRA files, whose products `weights` adds to the tensors that they are for.
//!
//! `select` picks the files of a repository on the hub that a run needs, by their names; `origin` tells from a folder of the hub's cache
//! which model and commit it is.
//!
//! `digests` remembers the SHA-256 of large model files from start to start.
//!
//! ONNX Runtime is known to this crate alone.

pub mod builtin;
pub mod clip;
pub mod config;
pub mod declared;
mod digests;
pub mod error;
mod files;
pub mod graph;
pub mod images;
mod json;
pub mod lora;
pub mod models;
pub mod noise;
pub mod onnx;
pub mod origin;
pub mod pipeline;
pub mod repository;
pub mod runtime;
pub mod scheduler;
pub mod select;
pub mod selfcheck;
pub mod session;
pub mod tokenizer;
pub mod weights;
