//! Where a library may already be.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::RuntimeError;
use super::package::Provider;
use super::pip;
use super::version::{MINIMUM, Version};
use super::{data_folder, runtimes_folder};

/// The environment variable that names the library, known to everyone who uses ONNX Runtime from Rust.
pub const DYLIB_VARIABLE: &str = "ORT_DYLIB_PATH";

/// A library that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeLibrary {
    /// The main library file.
    pub path: PathBuf,
    /// Its version, where names tell.
    pub version: Option<Version>,
    /// Who put it there.
    pub source: Source,
}

/// Who put a library there, in the order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Named by `ORT_DYLIB_PATH`.
    Environment,
    /// Shipped with the program.
    BesideBinary,
    /// Installed by `difftest runtime install`.
    DataFolder,
    /// Part of an installed Python package.
    Python,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Environment => DYLIB_VARIABLE,
            Self::BesideBinary => "next to the binary",
            Self::DataFolder => "data folder",
            Self::Python => "Python package",
        })
    }
}

impl RuntimeLibrary {
    fn at(path: PathBuf, source: Source) -> Self {
        Self { version: Version::of_library(&path), path, source }
    }

    /// Whether it is known to be older than [`MINIMUM`].
    #[must_use]
    pub fn is_too_old(&self) -> bool {
        self.version.is_some_and(|version| version < MINIMUM)
    }

    /// Whether it can use the provider, judged by the files beside it.
    #[must_use]
    pub fn provides(&self, provider: Provider) -> bool {
        self.companion(provider).is_none_or(|companion| companion.is_file())
    }

    /// Where the file that makes it able to use the provider has to lie; `None` where there is no such file.
    pub(crate) fn companion(&self, provider: Provider) -> Option<PathBuf> {
        Some(self.folder().join(provider.companion()?))
    }

    /// The folder of the file behind all links.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        let real = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        real.parent().map(Path::to_owned).unwrap_or_default()
    }
}

/// The places to look at, as data.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// A library named by the user. Nothing else is looked at where it is set.
    pub named: Option<PathBuf>,
    /// The folder of the program.
    pub beside_binary: Option<PathBuf>,
    /// difftest's data folder.
    pub data_folder: Option<PathBuf>,
    /// Whether to ask Python for an installed package, which takes a moment and so comes last.
    pub python: bool,
}

impl Search {
    /// The places that the environment of this process names.
    #[must_use]
    pub fn of_this_process() -> Self {
        let binary = std::env::current_exe().and_then(|path| path.canonicalize()).ok();
        Self {
            named: std::env::var_os(DYLIB_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from),
            beside_binary: binary.and_then(|path| path.parent().map(Path::to_owned)),
            data_folder: data_folder(),
            python: true,
        }
    }

    /// The first library that is new enough and can use `provider`.
    ///
    /// # Errors
    /// What the user named is wrong ([`RuntimeError::NotAFile`], [`RuntimeError::TooOld`], [`RuntimeError::WithoutProvider`]);
    /// everything found is too old; nothing is found ([`RuntimeError::Missing`]).
    pub fn find(&self, provider: Provider) -> Result<RuntimeLibrary, RuntimeError> {
        if let Some(path) = &self.named {
            return named(path, provider);
        }
        let mut too_old = None;
        for library in self.places().flat_map(|(_, libraries)| libraries) {
            match library.version {
                _ if !library.provides(provider) => {}
                Some(version) if version < MINIMUM => {
                    too_old.get_or_insert(RuntimeError::TooOld { path: library.path, version, provider });
                }
                _ => return Ok(library),
            }
        }
        Err(too_old.unwrap_or_else(|| RuntimeError::Missing { provider, searched: self.described() }))
    }

    /// Every library, in the order [`Search::find`] looks at them.
    #[must_use]
    pub fn list(&self) -> Vec<RuntimeLibrary> {
        let named = self.named.iter().filter(|path| path.is_file());
        named
            .map(|path| RuntimeLibrary::at(path.clone(), Source::Environment))
            .chain(self.places().flat_map(|(_, libraries)| libraries))
            .collect()
    }

    /// Each place after the named one, with its libraries; a place is looked at when it is asked for.
    fn places(&self) -> impl Iterator<Item = (Source, Vec<RuntimeLibrary>)> {
        [Source::BesideBinary, Source::DataFolder, Source::Python].into_iter().map(|source| {
            let paths = match source {
                Source::Environment => Vec::new(),
                Source::BesideBinary => self.beside_binary.iter().filter_map(|folder| main_library(folder)).collect(),
                Source::DataFolder => self.data_folder.as_deref().map(installed).unwrap_or_default(),
                Source::Python if self.python => {
                    python_package().and_then(|capi| main_library(&capi)).into_iter().collect()
                }
                Source::Python => Vec::new(),
            };
            (source, paths.into_iter().map(|path| RuntimeLibrary::at(path, source)).collect())
        })
    }

    pub(super) fn described(&self) -> Vec<String> {
        let mut places = vec![format!("{DYLIB_VARIABLE} (not set)")];
        places.extend(self.beside_binary.iter().map(|folder| folder.display().to_string()));
        places.extend(self.data_folder.iter().map(|folder| runtimes_folder(folder).display().to_string()));
        if self.python {
            places.push("the Python package `onnxruntime`".to_owned());
        }
        places
    }
}

fn named(path: &Path, provider: Provider) -> Result<RuntimeLibrary, RuntimeError> {
    if !path.is_file() {
        return Err(RuntimeError::NotAFile { path: path.to_owned() });
    }
    let library = RuntimeLibrary::at(path.to_owned(), Source::Environment);
    match (library.version, provider.companion()) {
        (Some(version), _) if version < MINIMUM => Err(RuntimeError::TooOld { path: library.path, version, provider }),
        (_, Some(companion)) if !library.provides(provider) => {
            Err(RuntimeError::WithoutProvider { path: library.path, provider, companion })
        }
        _ => Ok(library),
    }
}

/// The libraries of all installed providers, `cpu` before the others, newest version first.
fn installed(data_folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = runtimes_folder(data_folder).read_dir() else { return Vec::new() };
    let mut found: Vec<_> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let (version, provider) = name.to_str()?.strip_prefix("onnxruntime-")?.rsplit_once('-')?;
            let rank = Provider::ALL.iter().position(|known| known.to_string() == provider)?;
            Some((rank, std::cmp::Reverse(Version::leading(version)?), main_library(&entry.path())?))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, _, path)| path).collect()
}

/// The main library in a folder, whatever version is part of its name; the newest where there are several.
pub(super) fn main_library(folder: &Path) -> Option<PathBuf> {
    let entries = folder.read_dir().ok()?.flatten();
    let libraries = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_main_library));
    let paths = libraries.map(|entry| entry.path()).filter(|path| path.is_file());
    paths.max_by_key(|path| (Version::of_library(path), path.clone()))
}

/// Whether a file of that name is the main library on this operating system.
pub(super) fn is_main_library(name: &str) -> bool {
    if cfg!(windows) {
        name.eq_ignore_ascii_case("onnxruntime.dll")
    } else if cfg!(target_os = "macos") {
        name.starts_with("libonnxruntime.") && name.ends_with(".dylib")
    } else {
        name == "libonnxruntime.so" || name.starts_with("libonnxruntime.so.")
    }
}

/// The folder with the libraries of an installed `onnxruntime` package. The package is located, not imported, and never in
/// the current folder, where anyone may have put one.
fn python_package() -> Option<PathBuf> {
    const LOCATE: &str = "import sys\n\
        sys.path = [p for p in sys.path if p]\n\
        from importlib.util import find_spec\n\
        spec = find_spec('onnxruntime')\n\
        print(spec.submodule_search_locations[0] if spec and spec.submodule_search_locations else '')";
    pip::PYTHONS.iter().find_map(|python| {
        let answer = Command::new(python[0])
            .args(&python[1..])
            .args(["-c", LOCATE])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        let folder = String::from_utf8(answer.stdout).ok()?;
        let folder = folder.trim();
        (answer.status.success() && !folder.is_empty()).then(|| Path::new(folder).join("capi"))
    })
}
