//! The conductor: takes a plan and the engines it names, and turns them into one ordered stream of events.
//!
//! ```text
//!            bounded by tickets: at most N images are alive at once
//!  cases -> [ lanes: generate ] -> image -+-> [ rayon: encode PNG, store ]          -+
//!                                         +-> [ rayon: plugin metrics, one store each ] -+-> [ collector ] -> events
//!                                         +-> [ inference: CLIP, in batches ]         -+
//!  all images of a test stored and scored -> [ one thread for each such test: set metrics ] -+
//! ```
//!
//! Where making an image is only decoding a file, the lanes are the rayon threads too: `-j` says how many there are.
//!
//! | module | holds |
//! |---|---|
//! | [`load`] | from names in a plan to a generator and metrics that are ready |
//! | [`catalog`] | what a suite may name: host metrics, plugins, manifests |
//! | [`evidence`] | how much work each case still needs, and why |
//! | `found` | cases whose image is there already |
//! | [`stages`] | the threads and channels above, for one suite |
//! | `begin` | how they begin, and that their end is told, also where a thread dies |
//! | [`collect`] | counts what each case still lacks, judges each test when its last case is done |
//! | [`conduct`] | suite after suite; start, end and conclusion of a run |
//! | [`baselines`] | what gates on a baseline compare with, scored again where metrics are others now |
//! | [`lacking`] | tests that have none, known before the first image |
//! | [`visual`] | an image beside the one that was accepted for its case |
//! | [`controls`] | images that are no good, to see whether a metric can tell |
//! | `sets` | a thread for each test whose images are all there |
//! | `references` | images to compare with, and a test's own images as a set |
//! | `describe` | the plan as the event stream tells it |
//! | [`merge`] | the streams of many shards as the stream of one run |
//! | [`cancel`] | how a run is stopped |
//!
//! Invariants: scores and pixels do not depend on threads, lanes or batches; a case's events come in the order that
//! [`difftest_core::event`] states; an error of one case or metric never keeps another from its result; what a run holds in memory
//! does not grow with its number of images.

pub mod baselines;
mod begin;
pub mod cancel;
pub mod catalog;
pub mod collect;
pub mod conduct;
pub mod controls;
mod describe;
pub mod evidence;
mod found;
pub mod lacking;
pub mod load;
pub mod merge;
mod references;
mod sets;
pub mod stages;
pub mod visual;
