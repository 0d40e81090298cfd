//! What a person or a program sees of a plan and of a run.
//!
//! Every output is a fold over [`difftest_core::event::Event`]: it is told each event in order, keeps what it needs, and never asks
//! the run anything. So a live run and a recorded one give the same outputs, and this crate depends on `core` alone
//! (and on the pixel arithmetic of `metrics`, for the page's thumbnails).
//!
//! | module | for | in | out |
//! |---|---|---|---|
//! | [`json`] | programs | events | one JSON document, with a published schema |
//! | [`junit`] | CI services | results | JUnit XML |
//! | [`markdown`] | pull requests | results | Markdown within GitHub's limits |
//! | [`github`] | people, beside the code | results | workflow commands |
//! | [`evidence`] | all of these | gates | what they ask, found and can show, in words |
//! | [`findings`] | the three above | results | sentences |
//! | [`html`] | people, later | results and the images they name | one self-contained page |
//! | [`terminal`] | people, live | events | lines and a progress bar on a writer |
//! | [`calibration`] | both | what repeats showed | text, TOML or JSON |
//! | [`list`] | both, before a run | plans | text or JSON |
//!
//! Whatever came from a suite, a plugin, a manifest or a file name passes through [`text::safe`] before it reaches a terminal.

pub mod calibration;
pub mod evidence;
pub mod findings;
pub mod github;
pub mod html;
pub mod json;
pub mod junit;
pub mod list;
pub mod markdown;
pub mod sparkline;
pub mod terminal;
pub mod text;

#[cfg(test)]
mod examples;
#[cfg(test)]
mod files_tests;
