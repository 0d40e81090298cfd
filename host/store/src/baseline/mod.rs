//! Baselines: accepted images and scores that later runs are compared with.
//!
//! A baseline is a folder that people keep in version control, with a folder for each environment in it. Images of different
//! environments (device class, precision, runtime) are never compared: a baseline without the environment of a run is an error that
//! names those it has.
//!
//! ```text
//! baselines/.gitattributes                             images are binary, audits are merged line by line
//! baselines/v1.0/cpu-f32-onnxruntime-1.31.1/
//!     manifest.json                                    what was accepted: case, image digest, file, scores, by whom
//!     audit.jsonl                                      every decision, only ever appended to
//!     SUITE/TEST-PROMPT-seed42.png                     the images, by names that people read
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `folder` | [`Folder`], which baselines there are; [`Accepted`], what one of them has |
//! | `image` | the file of an accepted image |
//! | `manifest` | [`Manifest`], read with suspicion |
//! | `change` | [`Change`]: accept, reject, remove, all at once or not at all |
//! | `audit` | [`Entry`], one decision |
//! | `verify` | [`verify`](Folder::verify): is everything there and as it was accepted |
//! | `name` | names of baselines and image files |
//! | `error` | [`BaselineError`] |
//!
//! Invariants: a baseline is always the old one or the new one, whenever the program is killed; an image is checked against its digest
//! each time it is read; no path of a manifest leads out of its folder; nothing gets in but by a run that passed or by a person, and
//! the audit says by which.

mod audit;
mod change;
mod error;
mod folder;
mod image;
mod manifest;
mod name;
mod verify;

#[cfg(test)]
mod tests;

pub use audit::{Decision, Entry};
pub use change::{Candidate, Change, Decider, Effect};
pub use error::BaselineError;
pub use folder::{Accepted, DEFAULT_ROOT, Folder};
pub use manifest::{Acceptance, Because, Case, FORMAT, Manifest, SetScore, set_digest};
pub use name::{check_environment, check_name};
pub use verify::{Finding, Problem};

const MANIFEST: &str = "manifest.json";
const AUDIT: &str = "audit.jsonl";
/// Where images of a change lie until its manifest counts.
const STAGED: &str = ".staged";
