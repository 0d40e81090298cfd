//! What metrics are tried on: images that are ordinary, tiny, odd, large and flat, made by arithmetic so that they are the same
//! everywhere.

use std::sync::Arc;

use difftest_core::image::Image;
use difftest_core::metric::{AnyMetric, ImageSet, Item, MetricError, MetricKind, Sample, Score};

/// One input for a metric.
pub(super) struct Trial {
    /// How the report calls it.
    pub(super) label: String,
    pub(super) input: Input,
}

/// What a metric of some kind looks at.
#[derive(Clone)]
pub(super) enum Input {
    One(Image),
    Pair(Image, Image),
    Set(Vec<Image>, Option<Vec<Image>>),
}

/// Sizes that are tried of every kind.
const SIZES: [(u32, u32); 4] = [(1, 1), (7, 5), (33, 17), (2048, 2048)];

/// What a metric of this kind is tried on; the first is ordinary.
pub(super) fn trials(kind: MetricKind) -> Vec<Trial> {
    let trial = |label: String, input| Trial { label, input };
    let sized = |(width, height): (u32, u32)| (format!("{width}x{height}"), picture(width, height, 0));
    let images = std::iter::once((256, 192))
        .chain(SIZES)
        .map(sized)
        .chain([("black 64x64".to_owned(), flat(64, 64, 0)), ("white 64x64".to_owned(), flat(64, 64, 255))]);
    match kind {
        MetricKind::Image => images.map(|(label, image)| trial(label, Input::One(image))).collect(),
        MetricKind::Pair => {
            let pairs = images.map(|(label, image)| {
                let other = picture(image.width(), image.height(), 1);
                trial(label, Input::Pair(image, other))
            });
            let same = picture(96, 64, 0);
            pairs
                .chain([
                    trial("an image against itself".into(), Input::Pair(same.clone(), same.clone())),
                    trial("a reference of another size".into(), Input::Pair(same, picture(64, 96, 1))),
                ])
                .collect()
        }
        MetricKind::Set => {
            let several = |count: u32| -> Vec<Image> { (0..count).map(|i| picture(64, 48, i)).collect() };
            let sizes: Vec<_> = SIZES[..3].iter().map(|&(width, height)| picture(width, height, 0)).collect();
            let set = |label: &str, images, reference| trial(label.to_owned(), Input::Set(images, reference));
            vec![
                set("6 images", several(6), None),
                set("6 images against 5", several(6), Some(several(5))),
                set("no images", Vec::new(), None),
                set("1 image", several(1), None),
                set("twice the same image", vec![picture(64, 48, 0); 2], None),
                set("images of 1x1, 7x5 and 33x17", sizes, None),
                set("3 images of 2048x2048", (0..3).map(|i| picture(2048, 2048, i)).collect(), None),
                set("4 flat images", vec![flat(64, 64, 0), flat(64, 64, 255), flat(64, 64, 9), flat(64, 64, 0)], None),
            ]
        }
    }
}

/// The ordinary input of this kind at a size, for measuring cost. Sets have four images.
pub(super) fn of_size(kind: MetricKind, width: u32, height: u32) -> Input {
    match kind {
        MetricKind::Image => Input::One(picture(width, height, 0)),
        MetricKind::Pair => Input::Pair(picture(width, height, 0), picture(width, height, 1)),
        MetricKind::Set => Input::Set((0..4).map(|i| picture(width, height, i)).collect(), None),
    }
}

impl Input {
    /// One answer in fresh stores.
    pub(super) fn measure(&self, metric: &AnyMetric, sample: &Sample) -> Result<Score, MetricError> {
        match (metric, self) {
            (AnyMetric::Each(metric), Self::One(_) | Self::Pair(..)) => {
                let (image, reference) = match self {
                    Self::Pair(image, reference) => (image.clone(), Some(reference.clone())),
                    Self::One(image) => (image.clone(), None),
                    Self::Set(..) => return Err(mismatch()),
                };
                let mut answers = metric.measure(&[Item { image, sample: sample.clone(), reference }]);
                answers.pop().unwrap_or_else(|| Err(mismatch()))
            }
            (AnyMetric::Set(metric), Self::Set(images, reference)) => {
                let set = |images: &Vec<Image>| -> Arc<dyn ImageSet> { Arc::new(InMemory(images.clone())) };
                metric.measure(&set(images), reference.as_ref().map(set).as_ref())
            }
            _ => Err(mismatch()),
        }
    }

    /// Pixels of all images, references too.
    pub(super) fn pixels(&self) -> u64 {
        let of = |image: &Image| u64::from(image.width()) * u64::from(image.height());
        match self {
            Self::One(image) => of(image),
            Self::Pair(image, _) => of(image),
            Self::Set(images, _) => images.iter().map(of).sum(),
        }
    }
}

/// A metric of one kind was given what another kind looks at.
fn mismatch() -> MetricError {
    MetricError {
        kind: "invalid-config".into(),
        message: "this is not what the metric looks at".into(),
        hint: Some("`image` for one image, `image` and `reference` for a pair, `images` for a set".into()),
    }
}

struct InMemory(Vec<Image>);

impl ImageSet for InMemory {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn get(&self, index: usize) -> Result<Image, MetricError> {
        self.0.get(index).cloned().ok_or_else(mismatch)
    }
}

/// The sample that goes with an image: everything that a model would say of it.
pub(super) fn sample(id: &str, image: Option<&Image>) -> Sample {
    let size = image.map(|image| ("size".to_owned(), format!("{}x{}", image.width(), image.height())));
    let fixed = [("guidance", "5"), ("scheduler", "ddim"), ("seed", "42"), ("steps", "20")];
    let mut attributes: Vec<_> = fixed.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    attributes.extend(size);
    attributes.sort();
    Sample {
        id: id.to_owned(),
        prompt: "a red circle on a blue background".to_owned(),
        negative_prompt: None,
        seed: 42,
        attributes,
    }
}

impl Trial {
    /// The sample that goes with it.
    pub(super) fn sample(&self) -> Sample {
        match &self.input {
            Input::One(image) | Input::Pair(image, _) => sample(&self.label, Some(image)),
            Input::Set(..) => sample(&self.label, None),
        }
    }
}

/// A picture with large shapes, gradients and grain; another for each `variant`.
fn picture(width: u32, height: u32, variant: u32) -> Image {
    let mut pixels = Vec::with_capacity(width as usize * height as usize * 3);
    let mut grain = 0x9e37_79b9_u32 ^ variant.wrapping_mul(0x85eb_ca6b);
    let radius = u64::from(width.min(height)) * 3 / 10 + u64::from(variant);
    for y in 0..height {
        for x in 0..width {
            // xorshift, which is in order and the same everywhere
            grain ^= grain << 13;
            grain ^= grain >> 17;
            grain ^= grain << 5;
            let noise = (grain & 15) as u8;
            let (dx, dy) = (x.abs_diff(width / 2), y.abs_diff(height / 2));
            let inside = u64::from(dx) * u64::from(dx) + u64::from(dy) * u64::from(dy) <= radius * radius;
            let across = (u64::from(x) * 200 / u64::from(width)) as u8;
            let down = (u64::from(y) * 200 / u64::from(height)) as u8;
            let step = (variant % 8) as u8 * 5;
            let pixel = if inside { [220 - step, 20 + noise, 30] } else { [across, down + noise, 180 + step] };
            pixels.extend(pixel);
        }
    }
    solid(width, height, pixels)
}

fn flat(width: u32, height: u32, level: u8) -> Image {
    solid(width, height, vec![level; width as usize * height as usize * 3])
}

#[expect(clippy::expect_used, reason = "three bytes were made for each pixel of a size above 0")]
fn solid(width: u32, height: u32, pixels: Vec<u8>) -> Image {
    Image::new(width, height, pixels).expect("three bytes for each pixel")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_differ_by_variant_and_never_change() {
        assert_ne!(picture(64, 48, 0), picture(64, 48, 1));
        assert_eq!(
            picture(33, 17, 0).digest().to_string(),
            "1ea76ee797db03a6cc9da4d80dc6e5a410d4e2f714f926f58cf17f352e142ac8",
            "costs that were published were measured on these pixels"
        );
    }
}
