//! Drives the real `difftest` binary over real suites, models and plugins, and looks at what a user sees.
//!
//! Needs what `cargo xtask test` sets up: the plugins built for wasm32-wasip2 and the ONNX Runtime library.
#![allow(clippy::unwrap_used, unreachable_pub, missing_docs)]

mod authors;
mod baselines;
mod checks;
mod commands;
mod compared;
mod compiling;
mod damage;
mod decisions;
mod devices;
mod env;
mod evidence;
mod exported;
mod families;
mod gates;
mod history;
mod html;
mod hub;
mod images;
mod interrupts;
mod locked;
mod loras;
mod memory;
mod models;
mod plugins;
mod registry;
mod remotes;
mod reports;
mod runs;
mod shards;
mod suites;
mod worlds;
mod writing;
