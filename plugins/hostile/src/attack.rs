//! Which attack the config picks, and the way to it. One file for every component that attacks: see `examples/hostile_models`.

use difftest_sdk::{Error, Image, Score};

use crate::attacks::{self, endless_loop, escapes};

/// What to attack with.
#[difftest_sdk::config]
pub(crate) struct Config {
    /// The attack.
    pub(crate) attack: Attack,
}

/// One limit of the host each.
#[difftest_sdk::config]
pub(crate) enum Attack {
    /// Behaves well: 0.5.
    None,
    /// Never returns.
    EndlessLoop,
    /// Allocates until something gives.
    MemoryBomb,
    /// Calls itself until something gives.
    DeepRecursion,
    /// Returns 80 MiB of details.
    HugeReturn,
    /// Returns an error of 80 MiB.
    HugeError,
    /// Keeps every image it makes.
    HandleFlood,
    /// Makes the host work without end, keeping nothing.
    HostCallFlood,
    /// Asks for an image of 2^64 pixels.
    ResizeBomb,
    /// Asks for an image without pixels.
    ResizeZero,
    /// Logs 10,000 lines full of terminal escapes, and one of 1 MiB.
    LogFlood,
    /// Prints 10,000 lines full of terminal escapes, and one of 1 MiB.
    StderrFlood,
    /// Panics, with terminal escapes in the message.
    Panic,
    /// Ends the process, with success.
    Exit,
    /// Scores NaN.
    NanScore,
    /// Scores infinity.
    InfiniteScore,
    /// Scores 1.5 where 1 is the most.
    OutOfRange,
    /// A good score with a part that is NaN.
    NanDetail,
    /// A good score with a part whose name would change the terminal.
    EscapesInDetail,
    /// An error whose text would change the terminal.
    EscapesInError,
}

impl Attack {
    /// Attacks with it, by way of `image` where it takes one.
    ///
    /// # Errors
    /// Those that are the attack.
    pub(crate) fn run(&self, image: &Image) -> Result<Score, Error> {
        match self {
            Self::None => {}
            Self::EndlessLoop => endless_loop(),
            Self::MemoryBomb => attacks::memory_bomb(),
            Self::DeepRecursion => attacks::deep_recursion(),
            Self::HugeReturn => return Ok(attacks::huge_score()),
            Self::HugeError => return Err(Error::other("x".repeat(80 << 20))),
            Self::HandleFlood => attacks::handle_flood(image),
            Self::HostCallFlood => attacks::host_call_flood(image),
            Self::ResizeBomb => attacks::resize_bomb(image),
            Self::ResizeZero => attacks::resize_zero(image),
            Self::LogFlood => attacks::log_flood(),
            Self::StderrFlood => attacks::stderr_flood(),
            Self::Panic => panic!("giving up on purpose{}", escapes()),
            Self::Exit => attacks::exit(),
            Self::NanScore => return Ok(Score::new(f64::NAN)),
            Self::InfiniteScore => return Ok(Score::new(f64::INFINITY)),
            Self::OutOfRange => return Ok(Score::new(1.5)),
            Self::NanDetail => return Ok(Score::new(0.5).detail("part", f64::NAN)),
            Self::EscapesInDetail => return Ok(Score::new(0.5).detail(escapes(), 0.5)),
            Self::EscapesInError => return Err(Error::other(escapes())),
        }
        Ok(Score::new(0.5))
    }
}
