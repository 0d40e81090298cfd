//! The attacks of `hostile` in a component that asks the host to run models, and those that only such a component can try.

#![allow(missing_docs, reason = "a component, not a library")]

#[path = "../../src/attack.rs"]
mod attack;
#[path = "../../src/attacks.rs"]
mod attacks;
mod tensors;
mod tricks;

use attack::Config;
use tricks::{SetConfig, TrickConfig};

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

    /// What the models of the suite make of an image, or an attack on them.
    #[metric(direction = higher)]
    fn trick(image: &Image, sample: &Sample, config: &TrickConfig) -> Result<Score, Error> {
        config.trick.play(image, &sample.prompt)
    }

    /// Mean cosine between the first image of a set and all of them, or an attack by embedding it.
    #[metric(direction = higher)]
    fn set_trick(images: &ImageSet, config: &SetConfig) -> Result<Score, Error> {
        config.trick.play(images)
    }
}
