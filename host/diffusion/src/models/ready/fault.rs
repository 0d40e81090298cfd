//! Why a ready ONNX file cannot be used.

use crate::onnx::ExternalFault;
use crate::session::Device;

/// What is wrong with an ONNX file, or with what is asked of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxFault {
    /// It is no ONNX file, or not all of it.
    #[error("is not a usable ONNX file: {0}")]
    Damaged(String),
    /// Its weights are not where it says.
    #[error("cannot be used: {0}")]
    Weights(#[from] ExternalFault),
    /// The device has no code for some operators.
    #[error("does not run on {device}, which has no code for {}: {why}", names.join(", "))]
    Operators {
        /// Where it was to run.
        device: Device,
        /// The operators.
        names: Vec<String>,
        /// Where they come from.
        why: &'static str,
    },
    /// It wants something that no pipeline has.
    #[error("wants an input {input}, which is not one that difftest knows ({known})")]
    UnknownInput {
        /// The input with its type and shape.
        input: String,
        /// Names that are known.
        known: String,
    },
    /// It does not take what the pipeline has, or give what it needs.
    #[error("has no {kind} {wanted}; it has {found}")]
    Missing {
        /// `input` or `output`.
        kind: &'static str,
        /// Names that would do.
        wanted: String,
        /// What there is instead.
        found: String,
    },
    /// An input or output of a type or rank that makes no sense.
    #[error("its {port} should be {expected}")]
    Type {
        /// The input or output with its type and shape.
        port: String,
        /// What it should be.
        expected: &'static str,
    },
    /// It was exported for one size only.
    #[error("was exported for {what} {fixed} only, so {asked} is not possible")]
    Frozen {
        /// Which size.
        what: &'static str,
        /// What it was exported for.
        fixed: usize,
        /// What is asked for.
        asked: usize,
    },
    /// A timestep with a fraction for a graph that takes integers: it would be cut off, and the image be another one.
    #[error("takes whole timesteps ({port}), and this scheduler visits {timestep}")]
    WholeTimesteps {
        /// The input with its type and shape.
        port: String,
        /// The first timestep that has a fraction.
        timestep: f32,
    },
    /// A layer of the text encoder that was not exported.
    #[error("does not give {wanted}; it gives {found}, so {advice}")]
    Layer {
        /// Which state is asked for.
        wanted: String,
        /// The outputs.
        found: String,
        /// What that means for whoever asked.
        advice: &'static str,
    },
    /// A LoRA file for a network whose weights have lost their names.
    #[error("cannot take LoRA files: exported graphs do not keep the names of weights")]
    Adapters,
    /// Its config does not say something that the graph does not say either.
    #[error("does not say its {what}, and neither does {config}")]
    Config {
        /// What is not said.
        what: &'static str,
        /// The file or files that could have.
        config: String,
    },
    /// The config and the graph are of different models.
    #[error("has {what} {graph}, where {config} says {told}")]
    OtherConfig {
        /// Of what.
        what: &'static str,
        /// In the graph.
        graph: usize,
        /// The config file.
        config: String,
        /// In the config.
        told: usize,
    },
}

impl OnnxFault {
    /// What to do about it, where that can be said.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Damaged(_) | Self::Weights(_) => "download or copy the folder again",
            Self::Operators { .. } => {
                "run it on the device that it was made for, or take the safetensors form of the model, which runs on every device"
            }
            Self::Adapters => "take the safetensors form of the model",
            Self::WholeTimesteps { .. } | Self::Layer { .. } | Self::Frozen { .. } => {
                "take the safetensors form of the model, or export it again with optimum-onnx"
            }
            Self::UnknownInput { .. } | Self::Missing { .. } | Self::Type { .. } => {
                "difftest reads exports by optimum, by diffusers' old script and by ONNX Runtime's tools; take the safetensors form \
                 of the model"
            }
            Self::Config { .. } | Self::OtherConfig { .. } => "copy the config.json files of the model too",
        })
    }
}
