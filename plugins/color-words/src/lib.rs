//! Whether the colours that a prompt names are in the image; see the README for the method.
//!
//! `prompt -> terms -> share of the image per term -> score`. One file per arrow: [`terms`] knows the words and the
//! regions of CIELAB, [`share`] counts (with [`opening`]), [`score`] combines.

pub mod opening;
pub mod score;
pub mod share;
pub mod terms;

use score::Combine;

difftest_sdk::metrics! {
    /// How a prompt's colours are judged.
    pub struct AdherenceConfig {
        /// The share of the image, above 0 and at most 1, from which a named colour counts as wholly there.
        #[config(default = 0.02)]
        #[schemars(range(min = 0.0001, max = 1.0))]
        pub min_area: f64,
        /// How several named colours make one score.
        #[config(default = Combine::Min)]
        pub combine: Combine,
        /// What a prompt without a colour word is.
        #[config(default = NoColor::Error)]
        pub when_no_color: NoColor,
    }

    /// What a prompt without a colour word is.
    pub enum NoColor {
        /// An error: there is nothing to measure.
        Error,
        /// A score of 1: nothing was asked for, so nothing is missing.
        Pass,
    }

    /// How well the colours that the prompt names occur in the image, from 0 (one is missing) to 1 (all are there).
    #[metric(range = 0.0..=1.0, direction = higher)]
    pub fn adherence(image: &Image, sample: &Sample, config: &AdherenceConfig) -> Result<Score, Error> {
        if !(config.min_area > 0.0 && config.min_area <= 1.0) {
            return Err(Error::invalid_config(format_args!("`min_area` is {}; it must be above 0 and at most 1", config.min_area)));
        }
        let named = terms::named_in(&sample.prompt);
        let shares = share::shares(&image.rgb8(), image.width() as usize, &named);
        let value = match (score::score(&shares, config.min_area, config.combine), &config.when_no_color) {
            (Some(value), _) => value,
            (None, NoColor::Pass) => 1.0,
            (None, NoColor::Error) => {
                return Err(Error::unsupported_input(format_args!(
                    "the prompt names no colour that is known here ({}); leave this metric out of the test, or set \
                     `when_no_color = \"pass\"`",
                    terms::TERMS.each_ref().map(|term| term.name).join(", ")
                )));
            }
        };
        Ok(named.iter().zip(shares).fold(Score::new(value), |score, (term, share)| score.detail(term.name, share)))
    }
}
