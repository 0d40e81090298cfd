//! How different the images of a set are, by their embeddings; see the README for the formulas.
//!
//! `set -> embeddings -> unit vectors -> score`: [`Rows`] makes the vectors, [`diversity_of`] and [`nearest`] are sums and
//! comparisons over them. All arithmetic is f64 in a fixed order, so equal embeddings give equal scores on every machine; the
//! embeddings themselves are the model's, and close but not equal from machine to machine.

pub mod nearest;
pub mod rows;

use nearest::Nearest;
use rows::Rows;

difftest_sdk::metrics! {
    /// Which model sees the images.
    pub struct DiversityConfig {
        /// Name of a CLIP-like model that the suite declares under `[models]`.
        #[config(default = "clip")]
        pub model: String,
    }

    /// Mean distance between two images of the set (1 - cosine of their embeddings): 0 when all are the same.
    #[metric(range = 0.0..=2.0, direction = higher)]
    pub fn diversity(images: &ImageSet, config: &DiversityConfig) -> Result<Score, Error> {
        let rows = Rows::new(&models::embed_set(&config.model, at_least_two(images)?)?)?;
        Ok(Score::new(diversity_of(&rows)).detail("images", rows.len() as f64))
    }

    /// What counts as a near-duplicate.
    pub struct NearDuplicatesConfig {
        /// Name of a CLIP-like model that the suite declares under `[models]`.
        #[config(default = "clip")]
        pub model: String,
        /// Images at this distance (1 - cosine of their embeddings) or less from each other are near-duplicates.
        #[config(default = 0.05)]
        #[schemars(range(min = 0.0, max = 2.0))]
        pub within: f64,
    }

    /// Share of the images that have a near-duplicate in the set: 0 when none has, 1 when all have.
    #[metric(range = 0.0..=1.0, direction = lower)]
    pub fn near_duplicates(images: &ImageSet, config: &NearDuplicatesConfig) -> Result<Score, Error> {
        if !(0.0..=2.0).contains(&config.within) {
            return Err(Error::invalid_config(format_args!("`within` is {}; distances are 0 to 2", config.within)));
        }
        let rows = Rows::new(&models::embed_set(&config.model, at_least_two(images)?)?)?;
        let Nearest { with_neighbour, pairs, closest } = Nearest::of(&rows, config.within);
        Ok(Score::new(with_neighbour as f64 / rows.len() as f64)
            .detail("images", rows.len() as f64)
            .detail("pairs", pairs as f64)
            .detail("closest-distance", closest.distance)
            .detail("closest-first", closest.first as f64)
            .detail("closest-second", closest.second as f64))
    }
}

/// There is no distance in a set of one.
fn at_least_two(images: &ImageSet) -> Result<&ImageSet, Error> {
    if images.len() < 2 {
        return Err(Error::unsupported_input(format_args!(
            "the set has {} image{}, and distances need two: more prompts or seeds, or a test without this metric",
            images.len(),
            if images.len() == 1 { "" } else { "s" }
        )));
    }
    Ok(images)
}

/// The mean of `1 - a·b` over all pairs of different rows, in `O(n d)`: the scalar products of all pairs add up to half of
/// what the squared length of the sum has more than the squared lengths of the rows, which are 1.
#[must_use]
pub fn diversity_of(rows: &Rows) -> f64 {
    let n = rows.len() as f64;
    let mut sum = vec![0.0_f64; rows.dimensions()];
    for row in rows.iter() {
        for (sum, value) in sum.iter_mut().zip(row) {
            *sum += value;
        }
    }
    let squared: f64 = sum.iter().map(|value| value * value).sum();
    // rounding may leave equal rows an ulp or two on the wrong side of 0, and opposite ones of 2
    (1.0 - (squared - n) / (n * (n - 1.0))).clamp(0.0, 2.0)
}
