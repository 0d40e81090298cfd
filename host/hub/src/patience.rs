//! How long to wait, and how often to try.

use std::time::Duration;

/// How much a server may try a person's patience.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// To connect, TLS included, and to begin an answer. Default: 10 s, `HF_HUB_ETAG_TIMEOUT`.
    pub answer: Duration,
    /// Between two pieces of a file. Default: 10 s, `HF_HUB_DOWNLOAD_TIMEOUT`.
    pub stall: Duration,
    /// A file that comes slower than this many bytes a second, measured over six times [`Patience::stall`], counts as stalled.
    /// Default: 1,024.
    pub slowest: u64,
    /// Tries of one request, or of one file without a MiB between them. Default: 5.
    pub tries: u32,
    /// Pause before the second try; doubles with each. Default: 1 s.
    pub pause: Duration,
    /// The longest pause that a server may ask for (`Retry-After`). Default: 5 minutes; beyond that the error says when to come back.
    pub longest: Duration,
}

/// Bytes after which a connection that breaks counts as a new trouble and not as the same again.
pub(crate) const PROGRESS: u64 = 1 << 20;

impl Default for Patience {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(10),
            stall: Duration::from_secs(10),
            slowest: 1024,
            tries: 5,
            pause: Duration::from_secs(1),
            longest: Duration::from_secs(300),
        }
    }
}

/// The tries of one thing.
#[derive(Debug)]
pub(crate) struct Tries {
    patience: Patience,
    done: u32,
}

impl Patience {
    pub(crate) fn tries(self) -> Tries {
        Tries { patience: self, done: 1 }
    }
}

impl Tries {
    /// The pause before the next try; `None` when it is time to give up. `asked` is what the server asks for.
    pub(crate) fn again(&mut self, asked: Option<Duration>) -> Option<Duration> {
        if self.done >= self.patience.tries || asked.is_some_and(|asked| asked > self.patience.longest) {
            return None;
        }
        let own = self.patience.pause * 2_u32.saturating_pow(self.done - 1).min(64);
        self.done += 1;
        Some(asked.map_or(own, |asked| asked.max(own)))
    }

    /// There was progress: what fails next is a new trouble.
    pub(crate) fn reset(&mut self) {
        self.done = 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_servers_are_heard_and_everything_ends() {
        let seconds = Duration::from_secs;
        let mut tries = Patience::default().tries();
        assert_eq!(
            [None, Some(seconds(7)), None].map(|asked| tries.again(asked)),
            [Some(seconds(1)), Some(seconds(7)), Some(seconds(4))]
        );
        assert_eq!(tries.again(None), Some(seconds(8)));
        assert_eq!(tries.again(None), None);
        tries.reset();
        assert_eq!(tries.again(Some(seconds(301))), None);
    }
}
