//! Why a device cannot be used.

use std::path::PathBuf;

use super::{Device, Precision};

/// The oldest CUDA that a driver may speak: what the installed libraries are made for.
pub(super) const CUDA: CudaVersion = CudaVersion { major: 13, minor: 0 };

/// `major.minor`, as the driver tells what it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CudaVersion {
    /// First number.
    pub major: i32,
    /// Second number.
    pub minor: i32,
}

impl std::fmt::Display for CudaVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Why a device cannot be used. Nothing falls back to the CPU.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The device belongs to other systems.
    #[error("{device} does not exist on {os} ({arch})", os = std::env::consts::OS, arch = std::env::consts::ARCH)]
    Platform {
        /// The device.
        device: Device,
    },
    /// The driver's library is not there.
    #[error("there is no NVIDIA driver: {why}")]
    NoDriver {
        /// The system's words.
        why: String,
    },
    /// The driver is there and does not work.
    #[error("the NVIDIA driver does not start: {why}")]
    Driver {
        /// Which call, and its code.
        why: String,
    },
    /// The driver is older than the libraries.
    #[error("the NVIDIA driver is too old: it speaks CUDA {found}, and CUDA {CUDA} is needed")]
    OldDriver {
        /// The newest CUDA it speaks.
        found: CudaVersion,
    },
    /// The driver sees no GPU.
    #[error("the NVIDIA driver sees no GPU")]
    NoGpu,
    /// No GPU has that number.
    #[error("there is no GPU number {number}; {}", listed(gpus))]
    NoSuchGpu {
        /// The number asked for.
        number: i32,
        /// The names of those there are, from number 0.
        gpus: Vec<String>,
    },
    /// The GPU is older than the libraries.
    #[error("GPU {number} ({name}) has compute capability {found}, and CUDA {CUDA} needs 7.5 (Turing, 2018) or newer")]
    OldGpu {
        /// Its number.
        number: i32,
        /// Its name.
        name: String,
        /// `major.minor`.
        found: String,
    },
    /// One of the libraries that the provider needs does not load.
    #[error("cannot load {}: {why}", path.display())]
    Library {
        /// The library.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
    /// Another library is loaded already, and a process has one.
    #[error("this process already runs {}, which cannot use {device}", loaded.display())]
    Loaded {
        /// The loaded library.
        loaded: PathBuf,
        /// The device asked for.
        device: Device,
    },
    /// OpenVINO's plugin offers nothing here.
    #[error("OpenVINO offers no device here: it takes Intel processors only, and this one is made by {vendor}")]
    NoOpenVino {
        /// Who made the processor, as ONNX Runtime says.
        vendor: String,
    },
    /// ONNX Runtime or its provider refused.
    #[error("{} cannot be used: {why}", device.provider_name())]
    Provider {
        /// The device.
        device: Device,
        /// The runtime's own words.
        why: String,
    },
    /// The device does not work in that format.
    #[error("{device} does not run networks in {precision}")]
    Precision {
        /// The device.
        device: Device,
        /// The format.
        precision: Precision,
    },
    /// The provider has left work of a network to the CPU.
    #[error("{network}: {} would leave {left} to the CPU", device.provider_name())]
    LeftToCpu {
        /// Which network.
        network: String,
        /// The device.
        device: Device,
        /// Operators and how many of each.
        left: String,
    },
}

impl DeviceError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Platform { device: Device::CoreMl } => "Core ML is Apple's; use `--device cpu`".to_owned(),
            Self::Platform { .. } | Self::NoOpenVino { .. } => "use `--device cpu`".to_owned(),
            Self::NoDriver { .. } | Self::Driver { .. } | Self::OldDriver { .. } => {
                "install the NVIDIA driver, 580 or newer, until `nvidia-smi` shows the GPU; or use `--device cpu`"
                    .to_owned()
            }
            Self::NoGpu => {
                "see whether `nvidia-smi` shows one and what CUDA_VISIBLE_DEVICES hides; or use `--device cpu`"
                    .to_owned()
            }
            Self::NoSuchGpu { gpus, .. } => match gpus.len() {
                1 => "use `--device cuda`".to_owned(),
                several => format!("use a number from 0 to {}", several - 1),
            },
            Self::OldGpu { .. } => "use another GPU, or `--device cpu`".to_owned(),
            Self::Library { .. } => {
                "run `difftest runtime install cuda` again; a library of the system that is missing is named above"
                    .to_owned()
            }
            Self::Loaded { .. } => "use one device in a run".to_owned(),
            Self::Provider { device: Device::Cuda(_), .. } => {
                "run `difftest runtime install cuda`, or use `--device cpu`".to_owned()
            }
            Self::Provider { .. } => "use `--device cpu`".to_owned(),
            Self::Precision { device: Device::Cpu | Device::CoreMl, .. } => "use `--precision f32`".to_owned(),
            Self::Precision { device: Device::OpenVino, .. } => {
                "use `--precision f32` or `--precision bf16`".to_owned()
            }
            Self::Precision { .. } => "use `--precision f32` or `--precision f16`".to_owned(),
            Self::LeftToCpu { .. } => "run this model with `--device cpu`".to_owned(),
        }
    }
}

fn listed(gpus: &[String]) -> String {
    let named = gpus.iter().enumerate().map(|(number, name)| format!("{number}: {name}"));
    format!("there is {}", named.collect::<Vec<_>>().join(", "))
}
