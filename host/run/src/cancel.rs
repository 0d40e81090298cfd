//! How a run is stopped.

use std::sync::atomic::{AtomicU8, Ordering};

const GO: u8 = 0;
const NO_NEW: u8 = 1;
const FATAL: u8 = 2;
const INTERRUPTED: u8 = 3;

/// A flag that only ever gets more urgent; shared between the signal handler and every stage.
#[derive(Debug, Default)]
pub struct Cancel(AtomicU8);

impl Cancel {
    /// Nothing is stopped.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU8::new(GO))
    }

    /// Begin no new case; what has begun is finished (`-x`).
    pub fn no_new_cases(&self) {
        self.0.fetch_max(NO_NEW, Ordering::Relaxed);
    }

    /// The run cannot go on (the disk is full): drop what is being generated, report what is done, end with an error.
    pub fn fatal(&self) {
        self.0.fetch_max(FATAL, Ordering::Relaxed);
    }

    /// The user said stop: drop what is being generated, report what is done.
    pub fn interrupt(&self) {
        self.0.fetch_max(INTERRUPTED, Ordering::Relaxed);
    }

    /// Another run begins: what stopped the one before does not stop it, unless it was the user.
    pub fn begin_again(&self) {
        let stopped = |state| (state != INTERRUPTED).then_some(GO);
        // nothing is left to do where the user was the one
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, stopped);
    }

    /// Whether a new case may begin.
    #[must_use]
    pub fn may_begin(&self) -> bool {
        self.0.load(Ordering::Relaxed) == GO
    }

    /// Whether the image that is being made is still wanted.
    #[must_use]
    pub fn may_continue(&self) -> bool {
        self.0.load(Ordering::Relaxed) <= NO_NEW
    }

    /// Whether the user said stop.
    #[must_use]
    pub fn interrupted(&self) -> bool {
        self.0.load(Ordering::Relaxed) == INTERRUPTED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_run_begins_unless_the_user_said_stop() {
        let cancel = Cancel::new();
        cancel.no_new_cases();
        cancel.begin_again();
        assert!(cancel.may_begin());
        cancel.fatal();
        cancel.begin_again();
        assert!(cancel.may_begin());
        cancel.interrupt();
        cancel.begin_again();
        assert!(cancel.interrupted() && !cancel.may_begin());
    }
}
