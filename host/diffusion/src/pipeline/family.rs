//! What the pipelines of the family have in common and where they differ, and which settings a model gets that says nothing.
//!
//! | `_class_name` | text | guidance | steps, guidance where nothing is said |
//! |---|---|---|---|
//! | `StableDiffusionPipeline` | the last layer, normed | two texts | 50, 7.5 |
//! | `StableDiffusionXLPipeline` | the layer before the last of two encoders, and a pooled text; sizes as numbers | two texts; no negative prompt means zeros where `force_zeros_for_empty_prompt` | 50, 5.0 |
//! | `LatentConsistencyModelPipeline` | the last layer, normed | an input of the UNet; a negative prompt has no effect | 4, 8.5 |
//!
//! Those are diffusers' defaults. Models distilled for a few steps cannot be told from their files: they are known by name, the
//! last part of the reference. Anything in the suite comes before both.
//!
//! | name | steps | guidance | source |
//! |---|---|---|---|
//! | `sdxl-turbo`, `sd-turbo` | 1 | 0 | their model cards: 1 to 4 steps, trained without guidance |

use serde_json::Value;

/// Which of diffusers' pipelines a folder is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `StableDiffusionPipeline`: Stable Diffusion 1 and 2, SD-Turbo and their like.
    StableDiffusion,
    /// `StableDiffusionXLPipeline`: SDXL, SDXL-Turbo and their like.
    Xl,
    /// `LatentConsistencyModelPipeline`.
    LatentConsistency,
}

/// Settings of a model that the suite leaves open.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Defaults {
    pub(super) steps: u32,
    pub(super) guidance: f64,
    /// Whose they are, for the record.
    pub(super) of: &'static str,
}

/// Models known by name.
const KNOWN: [(&str, Defaults); 2] = [
    ("sdxl-turbo", Defaults { steps: 1, guidance: 0.0, of: "sdxl-turbo" }),
    ("sd-turbo", Defaults { steps: 1, guidance: 0.0, of: "sd-turbo" }),
];

impl Family {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::StableDiffusion, Self::Xl, Self::LatentConsistency];

    /// diffusers' class.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::StableDiffusion => "StableDiffusionPipeline",
            Self::Xl => "StableDiffusionXLPipeline",
            Self::LatentConsistency => "LatentConsistencyModelPipeline",
        }
    }

    /// The pipeline of a class name; optimum's `ORTStableDiffusionPipeline` and the old `OnnxStableDiffusionPipeline` are the same
    /// pipelines.
    #[must_use]
    pub fn of_class(name: &str) -> Option<Self> {
        let plain = name.strip_prefix("ORT").or_else(|| name.strip_prefix("Onnx")).unwrap_or(name);
        Self::ALL.into_iter().find(|family| family.class() == plain)
    }

    /// What results record.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::StableDiffusion => "stable-diffusion",
            Self::Xl => "stable-diffusion-xl",
            Self::LatentConsistency => "latent-consistency",
        }
    }

    /// Whether it looks at mean and deviation of the latents in the VAE's config; the others divide by the scaling factor alone.
    #[must_use]
    pub fn reads_statistics(self) -> bool {
        self == Self::Xl
    }

    /// The folders of its text encoders, each with that of its tokenizer.
    #[must_use]
    pub fn text_encoders(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Xl => &[("text_encoder", "tokenizer"), ("text_encoder_2", "tokenizer_2")],
            Self::StableDiffusion | Self::LatentConsistency => &[("text_encoder", "tokenizer")],
        }
    }

    /// Steps and guidance of the model that is called `reference`, where a suite says nothing.
    #[must_use]
    pub fn usual(self, reference: &str) -> (u32, f64) {
        let Defaults { steps, guidance, .. } = self.defaults(reference);
        (steps, guidance)
    }

    /// Settings of the model that is called `reference`.
    pub(super) fn defaults(self, reference: &str) -> Defaults {
        let (path, _revision) = reference.split_once('@').unwrap_or((reference, ""));
        let name = path.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or(path);
        let known = KNOWN.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
        known.map_or_else(|| self.pipeline_defaults(), |(_, defaults)| defaults)
    }

    fn pipeline_defaults(self) -> Defaults {
        let of = self.class();
        match self {
            Self::StableDiffusion => Defaults { steps: 50, guidance: 7.5, of },
            Self::Xl => Defaults { steps: 50, guidance: 5.0, of },
            Self::LatentConsistency => Defaults { steps: 4, guidance: 8.5, of },
        }
    }

    /// Width and height in latents that images have where the suite asks for none.
    ///
    /// `StableDiffusionPipeline` takes a `sample_size` below 64 for a mistake where the file was written by a version before 0.9.
    pub(super) fn trained_size(self, unet: &Value) -> Option<[usize; 2]> {
        let size = unet.get("sample_size")?;
        let side = |value: &Value| value.as_u64().and_then(|side| usize::try_from(side).ok()).filter(|side| *side > 0);
        let own = match size {
            Value::Array(sides) => [side(sides.get(1)?)?, side(sides.first()?)?],
            _ => [side(size)?; 2],
        };
        let small = size.is_u64() && own[0] < 64;
        let mistaken = self == Self::StableDiffusion && small && written_before_0_9(unet);
        Some(if mistaken { [64; 2] } else { own })
    }
}

fn written_before_0_9(config: &Value) -> bool {
    let version = config.get("_diffusers_version").and_then(Value::as_str).unwrap_or_default();
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().ok());
    numbers.next() == Some(Some(0)) && numbers.next().flatten().is_some_and(|minor| minor < 9)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn classes_of_exported_folders_are_the_same_pipelines() {
        for family in Family::ALL {
            assert_eq!(Family::of_class(family.class()), Some(family));
            assert_eq!(Family::of_class(&format!("ORT{}", family.class())), Some(family));
        }
        assert_eq!(Family::of_class("OnnxStableDiffusionPipeline"), Some(Family::StableDiffusion));
        assert_eq!(Family::of_class("StableDiffusionXLImg2ImgPipeline"), None);
    }

    #[test]
    fn few_step_models_are_known_by_the_end_of_their_name() {
        for name in ["stabilityai/sdxl-turbo", "models/SDXL-Turbo/", "stabilityai/sdxl-turbo@71153311"] {
            assert_eq!(Family::Xl.defaults(name).steps, 1, "{name}");
        }
        assert_eq!(Family::Xl.defaults("org/sdxl-turbo-of-mine").of, "StableDiffusionXLPipeline");
    }

    #[test]
    fn old_configs_with_a_small_sample_size() {
        let old = json!({ "sample_size": 32, "_diffusers_version": "0.6.0" });
        assert_eq!(Family::StableDiffusion.trained_size(&old), Some([64, 64]));
        assert_eq!(Family::LatentConsistency.trained_size(&old), Some([32, 32]));
        let new = json!({ "sample_size": [8, 16], "_diffusers_version": "0.20.0" });
        assert_eq!(Family::StableDiffusion.trained_size(&new), Some([16, 8]));
        assert_eq!(Family::StableDiffusion.trained_size(&json!({})), None);
    }
}
