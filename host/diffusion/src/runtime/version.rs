//! Versions of ONNX Runtime, as file and folder names tell them.

use std::fmt;
use std::path::Path;

/// The oldest ONNX Runtime that difftest works with: weights that stay in their safetensors files are handled correctly from
/// this version on.
pub const MINIMUM: Version = Version { major: 1, minor: 31, patch: 0 };

/// `major.minor.patch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
    /// Third number.
    pub patch: u32,
}

impl Version {
    /// The version that leads `text`, which goes on with anything but a digit; a missing patch number is 0.
    #[must_use]
    pub fn leading(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let mut numbers = text[..end].split('.').filter(|part| !part.is_empty()).map(str::parse);
        let major = numbers.next()?.ok()?;
        let minor = numbers.next()?.ok()?;
        let patch = numbers.next().and_then(Result::ok).unwrap_or(0);
        Some(Self { major, minor, patch })
    }

    /// The version of the library at `path`, without loading it. Three places tell: the name of the file behind all links
    /// (`libonnxruntime.so.1.31.1`, `libonnxruntime.1.31.1.dylib`), the name of its folder (`onnxruntime-1.31.1-cpu`), and the
    /// metadata of the Python package around it (`onnxruntime-1.31.1.dist-info`).
    #[must_use]
    pub fn of_library(path: &Path) -> Option<Self> {
        let real = path.canonicalize().ok()?;
        let name = real.file_name()?.to_str()?;
        let by_name = ["libonnxruntime.so.", "libonnxruntime."]
            .iter()
            .find_map(|prefix| Self::leading(name.strip_prefix(prefix)?));
        by_name.or_else(|| Self::of_folder(real.parent()?)).or_else(|| Self::of_package(&real))
    }

    fn of_folder(folder: &Path) -> Option<Self> {
        Self::leading(folder.file_name()?.to_str()?.strip_prefix("onnxruntime-")?)
    }

    /// `site-packages/onnxruntime/capi/LIBRARY` has `site-packages/onnxruntime*-VERSION.dist-info` beside its package.
    fn of_package(library: &Path) -> Option<Self> {
        let packages = library.parent()?.parent()?.parent()?;
        packages.read_dir().ok()?.flatten().find_map(|entry| {
            let name = entry.file_name();
            let distribution = name.to_str()?.strip_prefix("onnxruntime")?.strip_suffix(".dist-info")?;
            // `onnxruntime_gpu-1.31.1`: the package has other names for other providers
            Self::leading(distribution.rsplit_once('-')?.1)
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}
