//! What only pairs and sets can be attacked by.

use difftest_sdk::{Error, Image, ImageSet, Score};

use crate::attacks::succeeded;

/// How to treat a pair.
#[difftest_sdk::config]
pub(crate) struct PairConfig {
    /// The attack.
    pub(crate) trick: PairTrick,
}

/// One way to use a handle that is not there.
#[difftest_sdk::config]
pub(crate) enum PairTrick {
    /// Behaves well: the share of equal bytes.
    None,
    /// Lets go of the reference and looks at it again.
    AfterDrop,
    /// Makes handles up.
    Forged,
}

impl PairTrick {
    /// Plays it.
    ///
    /// # Errors
    /// When the two images have different sizes.
    pub(crate) fn play(&self, image: &Image, reference: &Image) -> Result<Score, Error> {
        match self {
            Self::None => {}
            Self::AfterDrop => forged::after_drop(),
            Self::Forged => forged::number(0x00ff_ffff),
        }
        if image.size() != reference.size() {
            return Err(Error::unsupported_input("the two images have different sizes"));
        }
        let (ours, theirs) = (image.rgb8(), reference.rgb8());
        let equal = ours.iter().zip(theirs.iter()).filter(|(ours, theirs)| ours == theirs).count();
        Ok(Score::new(equal as f64 / ours.len() as f64))
    }
}

#[cfg(target_family = "wasm")]
mod forged {
    use difftest_sdk::bindings::host::difftest::plugin::media::Image;

    use crate::attacks::succeeded;

    /// What has no handle must not be seen.
    #[expect(unsafe_code, reason = "a handle that was never given: that is the attack")]
    pub(super) fn number(handle: u32) {
        let size = unsafe { Image::from_handle(handle) }.size();
        succeeded(&format!("saw an image of {}x{} that it was not given", size.width, size.height));
    }

    /// The image of the case has the first handle, the reference the second.
    #[expect(unsafe_code, reason = "a handle that is gone: that is the attack")]
    pub(super) fn after_drop() {
        drop(unsafe { Image::from_handle(2) });
        number(2);
    }
}

#[cfg(not(target_family = "wasm"))]
mod forged {
    pub(super) fn number(_: u32) {}
    pub(super) fn after_drop() {}
}

/// How to treat a set.
#[difftest_sdk::config]
pub(crate) struct SetConfig {
    /// The attack.
    pub(crate) trick: SetTrick,
}

/// One limit of reading images each.
#[difftest_sdk::config]
pub(crate) enum SetTrick {
    /// Behaves well: mean luma of all images and of those of the reference, 1 is white.
    None,
    /// Keeps every image it reads.
    KeepAll,
    /// Reads without end, keeping nothing.
    ReadFlood,
    /// Reads behind the end.
    AfterTheEnd,
}

impl SetTrick {
    /// Plays it.
    pub(crate) fn play(&self, images: &ImageSet, reference: Option<&ImageSet>) -> Score {
        match self {
            Self::None => {}
            Self::KeepAll => {
                let hoard: Vec<_> = (0..100_000).map(|i| images.get(i % images.len())).collect();
                succeeded(&format!("holds {} images", hoard.len()));
            }
            Self::ReadFlood => {
                let seen = (0..1_000_000).filter(|i| images.get(i % images.len()).is_some()).count();
                succeeded(&format!("made the host read {seen} images"));
            }
            Self::AfterTheEnd => {
                let past = [images.len(), images.len() + 1, 1 << 31, u32::MAX as usize];
                if past.into_iter().any(|index| raw_get(images, index).is_some()) {
                    succeeded("read an image behind the end");
                }
            }
        }
        let mut score = Score::new(mean(images));
        if let Some(reference) = reference {
            score = score.detail("reference", mean(reference));
        }
        score
    }
}

/// The set's own answer: an iterator would stop by itself.
fn raw_get(images: &ImageSet, index: usize) -> Option<Image> {
    images.get(index)
}

fn mean(images: &ImageSet) -> f64 {
    let of = |image: Image| {
        let luma = image.luma8();
        luma.iter().map(|&luma| f64::from(luma)).sum::<f64>() / (255.0 * luma.len() as f64)
    };
    images.iter().map(of).sum::<f64>() / images.len().max(1) as f64
}
