//! Where networks run.

use std::fmt;
use std::str::FromStr;

use super::Precision;
use crate::runtime::Provider;

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
    /// Intel's OpenVINO, on the processor.
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
    /// What ONNX Runtime calls the part of it that works there.
    #[must_use]
    pub fn provider_name(self) -> &'static str {
        match self {
            Self::Cpu => "CPUExecutionProvider",
            Self::Cuda(_) => "CUDAExecutionProvider",
            Self::CoreMl => "CoreMLExecutionProvider",
            Self::OpenVino => "OpenVINOExecutionProvider",
        }
    }

    /// The install that brings what it needs; on macOS the plain library holds Core ML.
    pub(crate) fn provider(self) -> Provider {
        match self {
            Self::Cpu | Self::CoreMl => Provider::Cpu,
            Self::Cuda(_) => Provider::Cuda,
            Self::OpenVino => Provider::OpenVino,
        }
    }

    /// What `difftest runtime install` calls what it needs.
    #[must_use]
    pub fn install_name(self) -> String {
        self.provider().to_string()
    }

    /// The format that networks run in where none is asked for: half on a GPU, which is made for it, `f32` elsewhere.
    #[must_use]
    pub fn default_precision(self) -> Precision {
        match self {
            Self::Cuda(_) => Precision::F16,
            Self::Cpu | Self::CoreMl | Self::OpenVino => Precision::F32,
        }
    }

    /// The format that graphs and weights have for networks that run in `asked`. OpenVINO reads `f32` graphs and rounds
    /// by itself, as it is told.
    #[must_use]
    pub fn graph_precision(self, asked: Precision) -> Precision {
        if self == Self::OpenVino { Precision::F32 } else { asked }
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
