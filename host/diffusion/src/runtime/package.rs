//! Which package holds the library for which provider and platform, pinned by digest.
//!
//! To move to another version: change [`PACKAGE_VERSION`], download each wheel with the arguments of the `pip` module, and
//! put its SHA-256 and its length here.

use std::fmt;
use std::str::FromStr;

use super::error::RuntimeError;

/// The version of ONNX Runtime that [`install`](super::install()) installs.
pub const PACKAGE_VERSION: &str = "1.31.1";

/// What executes the graphs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provider {
    /// The processor; on macOS the same library holds CoreML.
    Cpu,
    /// NVIDIA GPUs. Needs the CUDA 13 and cuDNN 9 libraries at run time.
    Cuda,
    /// Intel processors and GPUs.
    OpenVino,
}

impl Provider {
    /// All of them, the plainest first.
    pub const ALL: [Self; 3] = [Self::Cpu, Self::Cuda, Self::OpenVino];

    /// The file beside the main library that makes it able to use this provider; `None` where the main library is enough.
    pub(super) fn companion(self) -> Option<&'static str> {
        match (self, std::env::consts::OS) {
            (Self::Cpu, _) => None,
            (Self::Cuda, "windows") => Some("onnxruntime_providers_cuda.dll"),
            (Self::Cuda, _) => Some("libonnxruntime_providers_cuda.so"),
            (Self::OpenVino, "windows") => Some("onnxruntime_providers_openvino.dll"),
            (Self::OpenVino, _) => Some("libonnxruntime_providers_openvino.so"),
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::OpenVino => "openvino",
        })
    }
}

impl FromStr for Provider {
    type Err = RuntimeError;

    fn from_str(text: &str) -> Result<Self, RuntimeError> {
        let known = Self::ALL.into_iter().find(|provider| provider.to_string() == text);
        known.ok_or_else(|| RuntimeError::UnknownProvider { name: text.to_owned() })
    }
}

/// One wheel, pinned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wheel {
    /// Name of the Python package.
    pub(super) package: &'static str,
    /// The platform tag that pip selects it by.
    pub(super) platform: &'static str,
    /// SHA-256 in hex.
    pub(super) sha256: &'static str,
    /// Length in bytes, for progress.
    pub(super) bytes: u64,
}

/// `(provider, operating system, architecture)` as in [`std::env::consts`], and the wheel.
type Pin = (Provider, &'static str, &'static str, Wheel);

#[rustfmt::skip]
const PINS: [Pin; 7] = [
    (Provider::Cpu, "linux", "x86_64", Wheel {
        package: "onnxruntime", platform: "manylinux_2_28_x86_64", bytes: 23_760_988,
        sha256: "1f3dea47f2f0e5117c2404cea7d21fd253ae7836a3bf167a501cdfbb2600d536",
    }),
    (Provider::Cpu, "linux", "aarch64", Wheel {
        package: "onnxruntime", platform: "manylinux_2_28_aarch64", bytes: 21_420_803,
        sha256: "0b9a492176886992e0e875f06bc0367e333f5fff11711a2d642e18b02f3009cc",
    }),
    (Provider::Cpu, "macos", "aarch64", Wheel {
        package: "onnxruntime", platform: "macosx_14_0_arm64", bytes: 20_882_125,
        sha256: "96dd2564b10ea7153ad9c207e7cd8e5917cb3ba521e0e0a62ac03486fdc8d56c",
    }),
    (Provider::Cpu, "windows", "x86_64", Wheel {
        package: "onnxruntime", platform: "win_amd64", bytes: 14_888_466,
        sha256: "ae8a9a351efda685cc59a66226cdefaa37a126c1d66872ca23a2de9425326130",
    }),
    (Provider::Cpu, "windows", "aarch64", Wheel {
        package: "onnxruntime", platform: "win_arm64", bytes: 14_740_724,
        sha256: "fe8b9ac1ae8e894e12c47ee82e4f6dfc1835768133687257866469fda80d0bf1",
    }),
    (Provider::Cuda, "linux", "x86_64", Wheel {
        package: "onnxruntime-gpu", platform: "manylinux_2_28_x86_64", bytes: 255_569_273,
        sha256: "05d548956197b9d01f59b625de740e0d6be3593f874e241a12dc0362650ecdf7",
    }),
    (Provider::Cuda, "windows", "x86_64", Wheel {
        package: "onnxruntime-gpu", platform: "win_amd64", bytes: 168_098_228,
        sha256: "2bb1e9373baba88f6415257f5b6a589d23e23c16004f7d89adf4344eada5749e",
    }),
];

impl Wheel {
    /// The wheel for a provider on the machine this program was built for.
    pub(super) fn for_this_machine(provider: Provider) -> Result<Self, RuntimeError> {
        Self::for_machine(provider, std::env::consts::OS, std::env::consts::ARCH)
    }

    pub(super) fn for_machine(provider: Provider, os: &str, arch: &str) -> Result<Self, RuntimeError> {
        if provider == Provider::OpenVino {
            // its package lags behind: 1.24.1 is the newest one
            return Err(RuntimeError::NotPublished { provider });
        }
        let pin = PINS.iter().find(|pin| (pin.0, pin.1, pin.2) == (provider, os, arch));
        pin.map(|pin| pin.3).ok_or_else(|| RuntimeError::UnsupportedPlatform {
            provider,
            os: os.to_owned(),
            arch: arch.to_owned(),
        })
    }
}
