//! How much memory a pipeline needs, told before it is loaded: a process that the system ends for its memory has no last words.
//!
//! | file | holds |
//! |---|---|
//! | `sizes` | what the files of a model say |
//! | `network` | what follows from it for one network |
//! | `tests` | the table of what was measured; estimates are within a tenth below it and a third above |
//!
//! The estimate is for the CPU. It holds for every image: without memory patterns (see `session`), the second takes no more than the
//! first. What scores images is not in it.
//!
//! An estimate below the truth costs what happens without one; above it, a run that would have gone well. So nothing is added for
//! safety, and [`UNCHECKED`] turns it off.

use difftest_core::generate::GenerateError;
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

mod network;
mod sizes;

use self::network::product;
pub(super) use self::sizes::Sizes;
use super::settings::Resolved;
use crate::session::SPARE;

/// Of errors about memory.
pub(super) const KIND: &str = "memory";
/// Set to anything, memory is not looked at.
pub const UNCHECKED: &str = "DIFFTEST_NO_MEMORY_CHECK";

/// The program, the runtime and the images on their way.
const BASE: u64 = 105 << 20;

/// Bytes at the two moments that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Need {
    /// While prompts are encoded.
    text: u64,
    /// While an image is made.
    image: u64,
}

impl Need {
    fn most(self) -> u64 {
        self.text.max(self.image)
    }
}

impl Sizes {
    /// For images of `width` x `height`, in `lanes`, each under `texts`.
    fn need(&self, [width, height]: [u32; 2], texts: u64, lanes: u64) -> Need {
        let latents = [width, height].map(|side| u64::from(side) / self.upscale.max(1));
        let networks = [(self.unet, texts), (self.vae, 1)];
        let weights = networks.map(|(network, _)| network.weights(latents, lanes));
        let computes = networks.map(|(network, texts)| product(&[lanes, network.computes_in(latents, texts)]));
        // Networks compute in the same blocks, one after the other; what waits beyond that is no more than there is, and the spare.
        let [one, other] = computes;
        let waiting = one.saturating_add(other).min(SPARE as u64);
        let kept = if self.text_is_dropped { 0 } else { self.text };
        Need {
            text: BASE.saturating_add(self.text),
            image: [BASE, kept, one.max(other), waiting].into_iter().chain(weights).fold(0, u64::saturating_add),
        }
    }

    /// Refuses what does not fit into `free` bytes, and says what would.
    pub(super) fn check(&self, settings: &Resolved, lanes: usize, free: u64) -> Result<(), GenerateError> {
        let texts = if settings.two_texts { 2 } else { 1 };
        let side = [settings.width, settings.height];
        let need = |side, lanes| self.need(side, texts, lanes as u64).most();
        let wanted = need(side, lanes);
        if wanted <= free {
            return Ok(());
        }
        let [width, height] = side;
        let fewer = (1..lanes).rev().find(|&lanes| need(side, lanes) <= free);
        let smaller = (1..5).map(|halvings| side.map(|side| side >> halvings)).find(|side| {
            side.iter().all(|side| *side > 0 && u64::from(*side).is_multiple_of(self.upscale)) && need(*side, 1) <= free
        });
        let advice = match (fewer, smaller) {
            (Some(lanes), _) => format!("-j {lanes} would fit"),
            (None, Some([width, height])) => {
                format!("{width}x{height} would fit (about {})", told(need([width, height], 1)))
            }
            (None, None) => {
                format!(
                    "the weights alone take {} in memory",
                    told(self.unet.weights.all().saturating_add(self.vae.weights.all()).max(self.text))
                )
            }
        };
        Err(GenerateError {
            kind: KIND.to_owned(),
            message: format!("images of {width}x{height} need about {}, {} free", told(wanted), told(free)),
            hint: Some(format!("{advice}; {UNCHECKED}=1 tries it anyway")),
        })
    }

    /// What to do where memory ran out while images were made.
    pub(super) fn advice(&self, settings: &Resolved, lanes: usize) -> String {
        let texts = if settings.two_texts { 2 } else { 1 };
        let [width, height] = [settings.width, settings.height];
        let need = |side, lanes| told(self.need(side, texts, lanes).most());
        let mut advice = format!("memory ran out: images of {width}x{height} need about ");
        if lanes > 1 {
            advice += &format!(
                "{} at {lanes} at a time, and {} one at a time (`-j 1`)",
                need([width, height], lanes as u64),
                need([width, height], 1)
            );
        } else {
            advice += &need([width, height], 1);
        }
        let half = [width / 2, height / 2];
        if half.iter().all(|&side| side > 0 && u64::from(side).is_multiple_of(self.upscale)) {
            advice += &format!("; those of {}x{} about {}", half[0], half[1], need(half, 1));
        }
        advice
    }
}

/// Memory that this process can still have: what the system can give, or what its control group leaves where that is less.
pub(super) fn free() -> Option<u64> {
    if std::env::var_os(UNCHECKED).is_some() {
        return None;
    }
    let system =
        System::new_with_specifics(RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram())).ok()?;
    let group = system.cgroup_limits().map(|limits| limits.free_memory);
    // Nothing available is what a system says that does not tell.
    Some(system.available_memory()).filter(|free| *free > 0).map(|free| free.min(group.unwrap_or(free)))
}

fn told(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

#[cfg(test)]
mod tests;
