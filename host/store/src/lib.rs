//! What a run leaves on disk, and how it is written so that no kill and no full disk can leave half a file.
//!
//! | module | holds |
//! |---|---|
//! | [`atomic`] | a file that is there whole or not at all |
//! | [`cache`] | what was computed before: images by content, scores by key, the last judgement of each case |
//! | [`checkout`] | which commit of the user's project is checked out |
//! | [`events`] | the recording of a run, read again |
//! | [`recording`] | what a shard did, as one file that travels |
//! | [`runs`] | the runs of a project, found by name |
//! | [`baseline`] | accepted images and scores, in folders that are kept in version control |
//! | [`history`] | what every run came to, in SQLite |
//! | [`run_folder`] | one folder a run: images, the recorded event stream, `results.json` |
//!
//! A run's folder is `.difftest/runs/RUN/` under the working directory unless `--artifacts` names another:
//!
//! ```text
//! .difftest/runs/20261121-093000-4f1c/
//!     events.jsonl                         every event but the denoising steps, one line each, appended as it happens
//!     images/SUITE/0003-TEST-PROMPT-SEED.png
//!     results.json                         written last
//! ```

pub mod atomic;
pub mod baseline;
pub mod cache;
pub mod checkout;
mod database;
pub mod events;
pub mod history;
pub mod recording;
pub mod run_folder;
pub mod runs;
