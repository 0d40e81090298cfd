//! The memory of this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The largest resident memory this process has had; `None` where the system does not tell in a file.
pub(crate) fn resident() -> Option<u64> {
    status("VmHWM:")
}

/// The largest resident memory that no file backs, looked at fifty times a second: the system keeps no mark of it.
pub(crate) struct Anonymous(Arc<AtomicU64>);

impl Anonymous {
    /// Starts looking, until the process ends.
    pub(crate) fn watch() -> Self {
        let peak = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&peak);
        std::thread::spawn(move || {
            while let Some(now) = status("RssAnon:") {
                seen.fetch_max(now, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self(peak)
    }

    /// The largest so far.
    pub(crate) fn peak(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

fn status(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}
