//! What is told while models come.

use std::time::Duration;

/// Is told what happens, from several threads.
pub trait Observer: Sync {
    /// Something happened.
    fn event(&self, event: Event<'_>);
}

impl Observer for () {
    fn event(&self, _: Event<'_>) {}
}

/// Something that a person who waits would like to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The hub is asked what a model has.
    Asking {
        /// The model, as it was named.
        model: &'a str,
        /// The hub's host.
        host: &'a str,
    },
    /// It is known what has to come.
    Begin {
        /// The model, as it was named.
        model: &'a str,
        /// Files that have to come; the others are in the cache.
        files: usize,
        /// Their bytes, what an interrupted download left of them included.
        bytes: u64,
    },
    /// A file begins, or goes on where an earlier download ended.
    File {
        /// Its path in the repository.
        file: &'a str,
        /// Its length.
        bytes: u64,
        /// How many of them are there from before.
        there: u64,
    },
    /// Bytes of a file came.
    Bytes {
        /// Its path in the repository.
        file: &'a str,
        /// How many are there now. Goes back where a file has to be started over.
        done: u64,
    },
    /// A file is whole and checked.
    Done {
        /// Its path in the repository.
        file: &'a str,
    },
    /// Another process is fetching the file; its result will be used.
    Locked {
        /// Its path in the repository.
        file: &'a str,
    },
    /// Something failed and is tried again.
    Again {
        /// What is tried.
        what: &'a str,
        /// Why it failed.
        why: &'a str,
        /// After this time.
        pause: Duration,
    },
    /// The endpoint cannot be reached, and the fallback endpoint that the environment names is asked.
    Fallback {
        /// The host that cannot be reached.
        from: &'a str,
        /// The host that is asked instead.
        to: &'a str,
        /// Why.
        why: &'a str,
    },
}
