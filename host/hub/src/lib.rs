//! Models of the Hugging Face hub, in the cache that the Python client (`huggingface_hub`) uses too.
//!
//! ```text
//! "ORG/NAME@REVISION" -> ModelId
//! Hub::from_env(offline)        where the cache is, which hub, which token
//! Hub::list(id)                 one request -> Listing: the commit, every file with its size and digest
//! Hub::fetch(listing, files)    -> Snapshot: a folder with those files, whole and checked; bytes go over the network once
//! Hub::cached(id)               -> Snapshot of what is already there; no request
//! Hub::check(id)                every file of the cache against the digest it is named by
//! ```
//!
//! Which of a repository's files a run needs is not decided here: the crate knows nothing of diffusion.
//!
//! Invariants, whatever a server sends and whenever a process is killed:
//! - a file under its final name is whole: its length and digest (SHA-256 for large files, git's for small ones) were checked;
//! - what was downloaded is not downloaded again: an interrupted file is continued from where it ends, by any later process;
//! - the token goes to the configured endpoint only, never along a redirect, never over unencrypted HTTP to another machine, and
//!   is part of no message;
//! - a name from a server never leads out of the cache;
//! - no answer is read beyond a limit, and every wait ends;
//! - `refs/REVISION` is written when its snapshot is there, so an interrupted update leaves the old one usable offline;
//! - two processes, difftest or Python, do not fetch the same file at the same time: they lock the same file.
//!
//! | file | holds |
//! |---|---|
//! | `id.rs` | `ORG/NAME[@REVISION]` |
//! | `settings.rs` | the environment: the Python client's variables with its meanings |
//! | `content.rs` | the two digests that the hub names contents by |
//! | `listing.rs` | what a repository has at a commit |
//! | `cache.rs`, `lock.rs`, `link.rs` | the layout on disk, and who may write to it |
//! | `transport.rs`, `redirect.rs`, `patience.rs` | one request: redirects, retries, bounded bodies |
//! | `answer.rs` | from statuses of the hub to errors |
//! | `hub.rs` | endpoints, and the listing |
//! | `fetch.rs`, `download.rs`, `space.rs` | many files; one file; room on the disk |
//! | `check.rs` | rehashing |
//! | `event.rs`, `error.rs` | what is told meanwhile; what can go wrong, and what to do next |

mod answer;
mod cache;
mod check;
mod content;
mod download;
mod error;
mod event;
mod fetch;
mod hub;
mod id;
mod link;
mod listing;
mod lock;
mod patience;
mod redirect;
mod settings;
mod space;
mod text;
mod transport;

pub use cache::Snapshot;
pub use check::{Checked, Damage};
pub use content::Content;
pub use error::Error;
pub use event::{Event, Observer};
pub use fetch::Wanted;
pub use hub::Hub;
pub use id::ModelId;
pub use listing::{Listing, RemoteFile};
pub use patience::Patience;
pub use settings::{DEFAULT_ENDPOINT, Settings, Token};
