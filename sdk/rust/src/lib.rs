//! Write metrics and prompt generators for difftest. A doc comment and a function are a plugin:
//!
//! ```
//! difftest_sdk::metrics! {
//!     /// Mean brightness: 0 is black, 1 is white.
//!     fn brightness(image: &Image) -> f64 {
//!         let luma = image.luma8();
//!         luma.iter().map(|&v| f64::from(v)).sum::<f64>() / (255.0 * luma.len() as f64)
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! The author's crate needs `crate-type = ["cdylib"]`, this crate as its one dependency, and
//! `cargo build --release --target wasm32-wasip2`. `README.md` goes from nothing to a score.
//!
//! # The way of the data
//! [`metrics!`] and [`prompts!`] turn functions into implementations of [`MetricPlugin`], [`PairMetricPlugin`],
//! [`SetMetricPlugin`] and [`PromptPlugin`], of those that the functions need; on WebAssembly the crate-private glue exports it through the contract in `wit/`. On other targets there is no glue: an
//! [`Image`] is then a block of memory ([`Image::from_rgb8`]), so that plain `cargo test` tests the functions themselves, and
//! closures answer for [`models`] and [`nn`].
//!
//! # What a plugin cannot do
//! Read a clock, a file, the network, the environment or true randomness: [`Random`] with the seed it is given is all the
//! chance there is. Every call starts from a fresh instance, so nothing is remembered between two images.

// The macros' expansions say `::difftest_sdk`, also in this crate's own tests and documentation.
extern crate self as difftest_sdk;

mod color;
#[cfg(not(target_family = "wasm"))]
mod double;
mod error;
mod image;
pub mod log;
mod metric;
pub mod models;
pub mod nn;
mod prompt;
mod random;

#[doc(hidden)]
pub mod __private;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod bindings;

pub use color::{Lab, Rgb};
pub use error::Error;
pub use image::{Filter, Image, ImageSet, Images, Size};
pub use metric::{Detail, Direction, MetricInfo, MetricPlugin, PairMetricPlugin, Sample, Score, SetMetricPlugin};
pub use prompt::{GeneratorInfo, Prompt, PromptPlugin};
pub use random::Random;

#[doc = include_str!("doc/metrics.md")]
pub use difftest_sdk_macros::metrics;

#[doc = include_str!("doc/prompts.md")]
pub use difftest_sdk_macros::prompts;

#[doc = include_str!("doc/config.md")]
pub use difftest_sdk_macros::config;

/// What [`metrics!`] and [`prompts!`] bring into scope, for modules beside the block.
pub mod prelude {
    pub use crate::{Direction, Error, Filter, Image, ImageSet, Lab, Prompt, Random, Rgb, Sample, Score, Size};
    pub use crate::{models, nn};
}

/// The examples of `README.md`, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
