//! A plugin that attacks its host. The config picks the attack; `README.md` says which limit stops each.
//!
//! Contract: an attack that got through ends in a panic whose message begins with [`SUCCESS`]; an attack that is stopped
//! never returns; one that the plugin cannot see the end of (a flood of log lines, a bad score) returns, and the host's
//! answer is what counts.

mod attacks;

use attacks::{endless_loop, escapes};

/// What the panic message of a successful attack begins with. No test may ever see it.
pub const SUCCESS: &str = "attack succeeded";

difftest_sdk::metrics! {
    /// Attacks the host while it measures.
    #[metric(range = 0.0..=1.0, direction = higher)]
    fn attack(image: &Image, config: Config) -> Result<Score, Error> {
        match config.attack {
            Attack::None => return Ok(Score::new(0.5)),
            Attack::EndlessLoop => endless_loop(),
            Attack::MemoryBomb => attacks::memory_bomb(),
            Attack::DeepRecursion => attacks::deep_recursion(),
            Attack::HugeReturn => return Ok(attacks::huge_score()),
            Attack::HugeError => return Err(Error::other("x".repeat(16 << 20))),
            Attack::HandleFlood => attacks::handle_flood(image),
            Attack::HostCallFlood => attacks::host_call_flood(image),
            Attack::ResizeBomb => attacks::resize_bomb(image),
            Attack::ResizeZero => attacks::resize_zero(image),
            Attack::LogFlood => attacks::log_flood(),
            Attack::StderrFlood => attacks::stderr_flood(),
            Attack::Panic => panic!("giving up on purpose{}", escapes()),
            Attack::Exit => attacks::exit(),
            Attack::NanScore => return Ok(Score::new(f64::NAN)),
            Attack::InfiniteScore => return Ok(Score::new(f64::INFINITY)),
            Attack::OutOfRange => return Ok(Score::new(1.5)),
            Attack::NanDetail => return Ok(Score::new(0.5).detail("part", f64::NAN)),
            Attack::EscapesInDetail => return Ok(Score::new(0.5).detail(escapes(), 0.5)),
            Attack::EscapesInError => return Err(Error::other(escapes())),
        }
        Ok(Score::new(0.5))
    }

    /// What to attack with.
    struct Config {
        /// The attack.
        attack: Attack,
    }

    /// One limit of the host each.
    enum Attack {
        /// Behaves well: 0.5.
        None,
        /// Never returns.
        EndlessLoop,
        /// Allocates until something gives.
        MemoryBomb,
        /// Calls itself until something gives.
        DeepRecursion,
        /// Returns 20 MiB of details.
        HugeReturn,
        /// Returns an error of 16 MiB.
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
}

difftest_sdk::prompts! {
    /// Attacks the host while it asks for prompts.
    fn prompts(config: PromptConfig) -> Box<dyn Iterator<Item = Prompt>> {
        let good = ["a red circle", "a blue square", "a green star"];
        let prompts = match config.attack {
            PromptAttack::None => good.map(Prompt::new).into(),
            PromptAttack::DuplicateIds => good.map(|text| Prompt::new(text).id("same")).into(),
            PromptAttack::EndlessPages => return Box::new((0u64..).map(|n| Prompt::new(format!("circle {n}")))),
            PromptAttack::HugeText => vec![Prompt::new("x".repeat(16 << 20)).id("huge")],
            PromptAttack::EscapesInId => vec![Prompt::new(good[0]).id(escapes())],
            PromptAttack::EscapesInText => vec![Prompt::new(escapes()).id("plain")],
            PromptAttack::EndlessLoop => endless_loop(),
            PromptAttack::Panic => panic!("giving up on purpose{}", escapes()),
        };
        Box::new(prompts.into_iter())
    }

    /// What to attack with.
    struct PromptConfig {
        /// The attack.
        attack: PromptAttack,
    }

    /// One check of the host each.
    enum PromptAttack {
        /// Behaves well: three prompts.
        None,
        /// Three prompts of one id.
        DuplicateIds,
        /// Prompts without end: there is always another page.
        EndlessPages,
        /// One prompt of 16 MiB.
        HugeText,
        /// An id that would change the terminal.
        EscapesInId,
        /// A text that would change the terminal.
        EscapesInText,
        /// Never returns.
        EndlessLoop,
        /// Panics, with terminal escapes in the message.
        Panic,
    }
}
