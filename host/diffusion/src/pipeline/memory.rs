//! How much memory a pipeline needs, told before it is loaded: a process that the system ends for its memory has no last words.
//!
//! The estimate is for the CPU, where a network keeps its weights as `f32` in each lane. What it computes with was measured on
//! ONNX Runtime 1.31 with networks of Stable Diffusion 1.5's size and grows as the formulas below say:
//!
//! | what | measured | estimate |
//! |---|---|---|
//! | VAE decoder, 32x32 latents | 0.28 GB | 0.28 GB |
//! | VAE decoder, 64x64 latents | 1.1 GB | 1.2 GB |
//! | VAE decoder, 96x96 latents | 3.3 GB | 3.2 GB |
//!
//! It holds for every decode: without memory patterns (see `session`), the second takes no more than the first.
//!
//! An estimate below the truth costs what happens without one; above it, a run that would have gone well. So nothing is added for
//! safety, and [`UNCHECKED`] turns it off.

use difftest_core::generate::GenerateError;
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

use super::family::Family;
use super::settings::Resolved;
use crate::repository::Repository;
use crate::weights::Weights;

/// Set to anything, memory is not looked at.
pub const UNCHECKED: &str = "DIFFTEST_NO_MEMORY_CHECK";

/// The program, the runtime and the images on their way.
const BASE: u64 = 100 << 20;
/// `f32`.
const VALUE: u64 = 4;
/// Images of the finest resolution that the UNet holds at its peak, for each text.
const UNET_IMAGES: u64 = 30;
/// Images of the finest resolution that the decoder holds at its peak: two of twice its channels, and what makes the second.
const VAE_IMAGES: u64 = 8;
/// Matrices of all pixels by all pixels that the decoder's attention holds: it has one head, too wide for the fused form.
const VAE_SQUARES: u64 = 3;

/// What the weights and the finest resolutions of a pipeline are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sizes {
    /// Values of all text encoders.
    pub(super) text: u64,
    /// Values of the UNet.
    pub(super) unet: u64,
    /// Values of the decoder.
    pub(super) vae: u64,
    /// Channels of the UNet's finest resolution.
    pub(super) unet_channels: u64,
    /// Channels of the decoder's finest resolution.
    pub(super) vae_channels: u64,
    /// Pixels for each latent, in each direction.
    pub(super) upscale: u64,
    /// Whether text encoders are gone before the UNet is loaded.
    pub(super) text_is_dropped: bool,
}

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
    /// Reads what the files say; parts that cannot be read count nothing, for whoever loads them has the words for it.
    pub(super) fn read(repository: &Repository, family: Family, upscale: usize, text_is_dropped: bool) -> Self {
        let folder = repository.folder();
        let values = |component: &str, stem: &str, wanted: &dyn Fn(&str) -> bool| {
            Weights::open(&folder.join(component), stem).map_or(0, |weights| weights.values(wanted))
        };
        let channels = |component: &str| {
            let config = repository.config(component).unwrap_or_default();
            config.pointer("/block_out_channels/0").and_then(serde_json::Value::as_u64).unwrap_or(0)
        };
        Self {
            text: family.text_encoders().iter().map(|(part, _)| values(part, "model", &|_| true)).sum(),
            unet: values("unet", "diffusion_pytorch_model", &|_| true),
            vae: values("vae", "diffusion_pytorch_model", &|name| {
                !name.contains("encoder.") || name.contains("decoder.")
            }),
            unet_channels: channels("unet"),
            vae_channels: channels("vae"),
            upscale: upscale as u64,
            text_is_dropped,
        }
    }

    /// For images of `width` x `height`, in `lanes`, each under `texts`. What a config says may be any number, so nothing overflows.
    fn need(&self, [width, height]: [u32; 2], texts: u64, lanes: u64) -> Need {
        let product = |factors: &[u64]| factors.iter().fold(1u64, |product, &factor| product.saturating_mul(factor));
        let pixels = u64::from(width) * u64::from(height);
        let latents = pixels / product(&[self.upscale, self.upscale]).max(1);
        let unet = product(&[UNET_IMAGES, texts, latents, self.unet_channels, VALUE]);
        let squares = product(&[latents, latents, VAE_SQUARES, VALUE]);
        let vae = product(&[VAE_IMAGES, pixels, self.vae_channels, VALUE]).saturating_add(squares);
        let weights = product(&[lanes, self.unet.saturating_add(self.vae), VALUE]);
        let text = product(&[self.text, VALUE]);
        let kept = if self.text_is_dropped { 0 } else { text };
        Need {
            text: BASE.saturating_add(text),
            image: [BASE, weights, kept, product(&[lanes, unet.max(vae)])].into_iter().fold(0, u64::saturating_add),
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
                    told(self.unet.saturating_add(self.vae).max(self.text).saturating_mul(VALUE))
                )
            }
        };
        Err(GenerateError {
            kind: "memory".to_owned(),
            message: format!("images of {width}x{height} need about {}, {} free", told(wanted), told(free)),
            hint: Some(format!("{advice}; {UNCHECKED}=1 tries it anyway")),
        })
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
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Stable Diffusion 1.5.
    const SD15: Sizes = Sizes {
        text: 123_000_000,
        unet: 860_000_000,
        vae: 49_500_000,
        unet_channels: 320,
        vae_channels: 128,
        upscale: 8,
        text_is_dropped: true,
    };

    #[test]
    fn the_decoder_grows_as_measured() {
        let decoder = Sizes { text: 0, unet: 0, unet_channels: 0, ..SD15 };
        let weights = decoder.vae * VALUE + BASE;
        for (side, measured) in [(256, 0.276e9), (512, 1.11e9), (768, 3.42e9)] {
            let estimate = (decoder.need([side; 2], 1, 1).image - weights) as f64;
            assert!((0.8..1.25).contains(&(estimate / measured)), "{side}: {estimate:e} against {measured:e}");
        }
    }

    #[test]
    fn numbers_of_a_config_never_overflow() {
        let most = u64::MAX;
        let any = Sizes { text: most, unet: most, vae: most, unet_channels: 1 << 62, vae_channels: most, ..SD15 };
        assert_eq!(any.need([u32::MAX; 2], 2, 8), Need { text: most, image: most });
    }

    #[test]
    fn text_encoders_that_are_dropped_do_not_count_beside_the_unet() {
        let dropped = SD15.need([512; 2], 2, 1);
        let kept = Sizes { text_is_dropped: false, ..SD15 }.need([512; 2], 2, 1);
        assert_eq!(kept.image - dropped.image, SD15.text * VALUE);
        assert_eq!(kept.text, dropped.text);
    }
}
