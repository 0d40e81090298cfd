//! A plugin that attacks its host. The config picks the attack; `README.md` says which limit stops each.
//!
//! Contract: an attack that got through ends in a panic whose message begins with [`SUCCESS`]; an attack that is stopped
//! never returns; one that the plugin cannot see the end of (a flood of log lines, a bad score) returns, and the host's
//! answer is what counts.

mod attack;
mod attacks;
mod tricks;

use attack::Config;
use attacks::{endless_loop, escapes};
use tricks::{PairConfig, SetConfig};

/// What the panic message of a successful attack begins with. No test may ever see it.
pub const SUCCESS: &str = "attack succeeded";

difftest_sdk::metrics! {
    /// Attacks the host while it measures an image.
    #[metric(range = 0.0..=1.0, direction = higher)]
    fn attack(image: &Image, config: &Config) -> Result<Score, Error> {
        config.attack.run(image)
    }

    /// Attacks the host while it compares an image with its reference.
    #[metric(range = 0.0..=1.0, direction = higher)]
    fn pair_attack(image: &Image, reference: &Image, config: &Config) -> Result<Score, Error> {
        config.attack.run(reference)?;
        config.attack.run(image)
    }

    /// Attacks the host while it measures a set of images.
    #[metric(range = 0.0..=1.0, direction = higher)]
    fn set_attack(images: &ImageSet, config: &Config) -> Result<Score, Error> {
        let first = images.get(0).ok_or_else(|| Error::unsupported_input("the set is empty"))?;
        config.attack.run(&first)
    }

    /// Share of equal bytes, or an attack with handles.
    #[metric(range = 0.0..=1.0, direction = higher)]
    fn pair_trick(image: &Image, reference: &Image, config: &PairConfig) -> Result<Score, Error> {
        config.trick.play(image, reference)
    }

    /// Mean luma of a set, or an attack by reading it.
    #[metric(range = 0.0..=1.0, direction = higher)]
    fn set_trick(images: &ImageSet, reference: Option<&ImageSet>, config: &SetConfig) -> Score {
        config.trick.play(images, reference)
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
