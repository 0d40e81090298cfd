//! Which packages hold the libraries for which provider and platform; the packages themselves are in `pins`.

use std::fmt;
use std::str::FromStr;

use super::error::RuntimeError;
use super::pins::PINS;

/// The version of ONNX Runtime that [`install`](super::install()) installs.
pub const PACKAGE_VERSION: &str = "1.31.1";

/// What executes the graphs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provider {
    /// The processor; on macOS the same library holds CoreML.
    Cpu,
    /// NVIDIA GPUs. Its install brings the CUDA 13 and cuDNN 9 libraries; the driver has to be there.
    Cuda,
    /// Intel processors and GPUs: a plugin that is registered into the `Cpu` library, and OpenVINO itself.
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
            (Self::OpenVino, "windows") => Some("onnxruntime_providers_openvino_plugin.dll"),
            (Self::OpenVino, _) => Some("libonnxruntime_providers_openvino_plugin.so"),
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
    /// Its version.
    pub(super) version: &'static str,
    /// The platform tag that pip selects it by.
    pub(super) platform: &'static str,
    /// The folder in the wheel that holds the libraries, ending in a slash.
    pub(super) folder: &'static str,
    /// Length in bytes, for progress.
    pub(super) bytes: u64,
    /// Length in bytes of the files that are taken from it.
    pub(super) unpacked: u64,
    /// SHA-256 in hex.
    pub(super) sha256: &'static str,
}

/// Files that nothing here asks for: bindings of Python, TensorRT, wrappers with the interface of other libraries, and
/// second names of one file.
const UNUSED: [&str; 5] = ["pybind11", "tensorrt", "nvblas", "cufftw", "openvino_plugin.so."];

impl Wheel {
    /// The wheels for a provider on the machine this program was built for.
    pub(super) fn for_this_machine(provider: Provider) -> Result<&'static [Self], RuntimeError> {
        Self::for_machine(provider, std::env::consts::OS, std::env::consts::ARCH)
    }

    pub(super) fn for_machine(provider: Provider, os: &str, arch: &str) -> Result<&'static [Self], RuntimeError> {
        let pin = PINS.iter().find(|pin| (pin.0, pin.1, pin.2) == (provider, os, arch));
        pin.map(|pin| pin.3).ok_or_else(|| RuntimeError::UnsupportedPlatform {
            provider,
            os: os.to_owned(),
            arch: arch.to_owned(),
        })
    }

    /// What it is kept under between its download and the end of the install.
    pub(super) fn file(&self) -> String {
        format!("{}-{}-{}.whl", self.package, self.version, self.platform)
    }

    /// The file name that an entry of the wheel is unpacked to; `None` for what is left out, and for entries that would
    /// land anywhere but in the folder itself.
    pub(super) fn taken<'n>(&self, entry: &'n str) -> Option<&'n str> {
        let name = entry.strip_prefix(self.folder)?;
        let library = [".so", ".dylib", ".dll"].iter().any(|suffix| name.ends_with(suffix)) || name.contains(".so.");
        // kernels that OpenVINO has tuned for GPUs, which it looks for beside itself
        let data = name == "cache.json";
        let plain = !name.contains(['/', '\\']) && !UNUSED.iter().any(|unused| name.contains(unused));
        ((library || data) && plain).then_some(name)
    }
}

/// What an install moves and keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstallSize {
    /// Bytes to download.
    pub download: u64,
    /// Bytes that the installed libraries take.
    pub installed: u64,
}

impl InstallSize {
    /// Of a provider on this machine.
    ///
    /// # Errors
    /// [`RuntimeError::UnsupportedPlatform`] where nobody publishes it for this machine.
    pub fn of(provider: Provider) -> Result<Self, RuntimeError> {
        Ok(Self::of_wheels(Wheel::for_this_machine(provider)?))
    }

    pub(super) fn of_wheels(wheels: &[Wheel]) -> Self {
        Self {
            download: wheels.iter().map(|wheel| wheel.bytes).sum(),
            installed: wheels.iter().map(|wheel| wheel.unpacked).sum(),
        }
    }
}
