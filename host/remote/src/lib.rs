//! Evidence that machines share: images and scores, baselines and recordings, in an object store or a folder.
//!
//! A remote is a place that several machines read and write at the same time, with no server of ours between them. All of it rests on
//! one promise that S3, Google's and Azure's stores, folders and memory keep alike: *put this object if there is none of this name*.
//! Nothing is ever overwritten and nothing is ever deleted here, so there is no state in which one writer could lose another's work.
//!
//! ```text
//! ROOT/cas/b3/AA/DIGEST                   blobs: immutable bytes under their BLAKE3
//! ROOT/ac/generation/AA/KEY.json          what was found for a key: the image of a generation key,
//! ROOT/ac/score/AA/KEY.json               the score of a score key
//! ROOT/ref/LANE/0000000042.json           pointer logs: the newest number of a lane is its state
//!          run/GROUP/shard-02-of-04       lane of a recording, which points to blobs
//!          baseline/NAME/ENVIRONMENT      lane of a baseline, whose manifest is a blob that points to blobs
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`location`] | URLs and options, and what is wrong with them |
//! | [`store`] | [`Remote`]: get, put if absent, list; timeouts, retries, and what a server's answers mean |
//! | [`blob`] | blobs: put, get, verify |
//! | [`file`](mod@file) | files of any size as a list of blobs |
//! | [`document`] | small JSON documents that carry their own digest |
//! | [`log`] | pointer logs: append, newest |
//! | [`recordings`] | recordings of shards |
//! | [`folder`] | folders (baselines), whose journal tells what builds upon what |
//! | [`evidence`] | the cache of a project, up and down |
//!
//! # Invariants
//!
//! - **Blobs before pointers.** What points to something is put after it, so whatever can be seen is complete; a kill at any moment
//!   leaves blobs that nothing points to, and the next push finds them.
//! - **Every read is verified** against the digest that named it. A wrong byte is [`Error::Corrupt`], never an image and never a score.
//! - **"Already there" is checked, not believed.** It may be another writer's object, our own of a request whose answer got lost, or a
//!   409 between two writers: the object is read back and compared (a pointer by its nonce).
//! - **Bounded.** Each request has a time limit and few retries; a remote that does not answer is an error within about a minute.
//! - **Credentials stay inside.** They come from the environment, are refused in URLs, and are taken out of every message.
//!
//! Calls block; inside, requests of one call run concurrently on a current-thread runtime.

pub mod blob;
mod connect;
pub mod document;
pub mod error;
pub mod evidence;
pub mod file;
pub mod folder;
pub mod location;
pub mod log;
pub mod recordings;
mod secrets;
pub mod store;
#[cfg(test)]
mod tests;

pub use error::Error;
pub use location::{Environment, Location};
pub use store::{Put, Remote};

/// Told how far a transfer is: bytes done, of how many.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// For callers that watch nothing.
pub fn unwatched(_: u64, _: u64) {}
