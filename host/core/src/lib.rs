//! The pure part of difftest: what a suite says, what a run will do, and what its scores mean.
//!
//! No I/O, no clock, no threads: text goes in, data comes out, so every rule here can be tested with a string.
//! The way of the data, one module an arrow:
//!
//! ```text
//! suite::parse(text) -> Suite -> plan::expand(suite, catalog) -> SuitePlan -> [ run ] -> gate::judge -> event::Event
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`image`], [`digest`] | pixels and names of contents, shared by every crate |
//! | [`metric`], [`generate`] | the traits the engines implement: a metric, a generator, a prompt generator |
//! | [`model`] | what a plugin may ask of a model that the suite declares |
//! | [`suite`] | the suite file, parsed once, with spans |
//! | [`plan`], [`select`] | every case with all of its inputs, and the `-k` language over their names |
//! | [`shard`] | how a plan is divided over machines, and the digest that pins it |
//! | [`gate`] | thresholds, and the verdict over a test's scores |
//! | [`stats`] | what scores can prove: intervals, p-values, power |
//! | [`calibrate`] | what repeats and images that are no good say of a metric |
//! | [`event`] | the stream that every output is a fold over |
//! | [`key`] | every input of a piece of work, and the digest that names it |
//! | [`baseline`], [`visual`] | what a run is compared with, and what that comes to |
//! | [`nearest`] | "did you mean" |

pub mod baseline;
pub mod calibrate;
pub mod digest;
pub mod event;
pub mod gate;
pub mod generate;
pub mod image;
pub mod key;
pub mod metric;
pub mod model;
pub mod nearest;
mod pairs;
pub mod plan;
pub mod select;
pub mod shard;
pub mod stats;
pub mod suite;
pub mod visual;
