//! Where networks run.

use std::fmt;
use std::str::FromStr;

use ort::ep;
use ort::session::builder::SessionBuilder;

/// A device, as `--device` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Device {
    /// The CPU: the reference, bit-identical from run to run.
    #[default]
    Cpu,
    /// An NVIDIA GPU, by its number.
    Cuda(i32),
    /// Apple's Core ML.
    CoreMl,
    /// Intel's OpenVINO, on the device it chooses.
    OpenVino,
}

/// A device name that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown device {0:?}; known are cpu, cuda, cuda:N, coreml, openvino")]
pub struct UnknownDevice(String);

impl FromStr for Device {
    type Err = UnknownDevice;

    fn from_str(name: &str) -> Result<Self, UnknownDevice> {
        let unknown = || UnknownDevice(name.to_owned());
        match name {
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            "coreml" => Ok(Self::CoreMl),
            "openvino" => Ok(Self::OpenVino),
            _ => {
                let number = name.strip_prefix("cuda:").and_then(|number| number.parse::<u16>().ok());
                number.map(|number| Self::Cuda(i32::from(number))).ok_or_else(unknown)
            }
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
            Self::CoreMl => f.write_str("coreml"),
            Self::OpenVino => f.write_str("openvino"),
        }
    }
}

impl Device {
    /// Registers what the device needs; a runtime without it is an error, never a silent run on the CPU.
    pub(super) fn register(self, builder: SessionBuilder) -> ort::Result<SessionBuilder> {
        let provider = match self {
            Self::Cpu => return Ok(builder),
            Self::Cuda(number) => ep::CUDA::default()
                .with_device_id(number)
                // Both defaults trade repeatable results for speed.
                .with_tf32(false)
                .with_conv_algorithm_search(ep::cuda::ConvAlgorithmSearch::Heuristic)
                .build(),
            Self::CoreMl => ep::CoreML::default().with_model_format(ep::coreml::ModelFormat::MLProgram).build(),
            Self::OpenVino => ep::OpenVINO::default().build(),
        };
        Ok(builder.with_execution_providers([provider.error_on_failure()])?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_round_trip() {
        for name in ["cpu", "cuda:0", "cuda:3", "coreml", "openvino"] {
            assert_eq!(name.parse::<Device>().unwrap().to_string(), name);
        }
        assert_eq!("cuda".parse(), Ok(Device::Cuda(0)));
        for name in ["", "gpu", "CPU", "cuda:", "cuda:-1", "cuda:x"] {
            assert!(name.parse::<Device>().unwrap_err().to_string().contains("cuda:N"), "{name}");
        }
    }
}
