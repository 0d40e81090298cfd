//! What some schedulers do to the image that they predict at each step, for models in pixel space.

use super::SchedulerError;
use super::fields::Fields;

/// How far the values of a predicted image may lie from 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Limit {
    Free,
    /// Clipped to plus and minus this.
    Clip(f32),
    /// Dynamic thresholding (Saharia et al. 2205.11487): clipped to the `ratio` quantile of the magnitudes, which is itself
    /// kept between 1 and `most`, and divided by it.
    Dynamic {
        ratio: f32,
        most: f32,
    },
}

impl Limit {
    /// Of a class that has `thresholding`, and perhaps `clip_sample`.
    pub(super) fn read(fields: &Fields) -> Result<Self, SchedulerError> {
        if fields.flag("thresholding")? {
            let ratio = fields.number("dynamic_thresholding_ratio")? as f32;
            if !(0.0..=1.0).contains(&ratio) {
                return Err(fields.refuse("dynamic_thresholding_ratio", "a number from 0 to 1"));
            }
            return Ok(Self::Dynamic { ratio, most: fields.number("sample_max_value")? as f32 });
        }
        let clips = fields.get("clip_sample").is_some() && fields.flag("clip_sample")?;
        Ok(if clips { Self::Clip(fields.number("clip_sample_range")?.abs() as f32) } else { Self::Free })
    }

    /// Applies it to one predicted image.
    pub(super) fn apply(self, image: &mut [f32]) {
        match self {
            Self::Free => {}
            Self::Clip(range) => image.iter_mut().for_each(|x| *x = x.clamp(-range, range)),
            Self::Dynamic { ratio, most } => {
                let bound = quantile(image, ratio).max(1.0).min(most).abs();
                image.iter_mut().for_each(|x| *x = x.clamp(-bound, bound) / bound);
            }
        }
    }
}

/// torch's `quantile` of the magnitudes: linear between the two nearest ranks, in `f32`.
fn quantile(values: &[f32], ratio: f32) -> f32 {
    let mut sorted: Vec<f32> = values.iter().map(|x| x.abs()).collect();
    if sorted.is_empty() {
        return 0.0;
    }
    let rank = ratio * (sorted.len() - 1) as f32;
    let below = rank as usize;
    let weight = rank - below as f32;
    let (_, &mut low, above) = sorted.select_nth_unstable_by(below, f32::total_cmp);
    let high = above.iter().copied().reduce(f32::min).unwrap_or(low);
    if weight < 0.5 { low + weight * (high - low) } else { high - (high - low) * (1.0 - weight) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_ranks() {
        let values = [-4.0, 1.0, 3.0, -2.0, 0.0];
        assert_eq!([0.0, 0.5, 0.625, 0.9, 1.0].map(|q| quantile(&values, q)), [0.0, 2.0, 2.5, 3.6, 4.0]);
        assert_eq!(quantile(&[7.0], 0.3), 7.0);
    }

    #[test]
    fn bright_images_are_compressed_and_dark_ones_left() {
        let dynamic = Limit::Dynamic { ratio: 1.0, most: 4.0 };
        let (mut bright, mut dark) = ([2.0, -8.0, 1.0], [0.5, -0.25, 0.0]);
        dynamic.apply(&mut bright);
        dynamic.apply(&mut dark);
        assert_eq!((bright, dark), ([0.5, -1.0, 0.25], [0.5, -0.25, 0.0]));
    }
}
