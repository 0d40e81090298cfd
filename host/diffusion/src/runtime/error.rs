//! Why there is no ONNX Runtime, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use super::package::Provider;
use super::search::DYLIB_VARIABLE;
use super::version::{MINIMUM, Version};

/// Why no library was found or installed.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// Nothing anywhere.
    #[error("no ONNX Runtime library{} found; looked at {}", that_knows(*provider), searched.join(", "))]
    Missing {
        /// For which provider.
        provider: Provider,
        /// Each place in the order it was looked at, as a person would name it.
        searched: Vec<String>,
    },

    /// The only libraries found are too old.
    #[error("ONNX Runtime {version} at {} is too old: difftest needs {MINIMUM} or newer", path.display())]
    TooOld {
        /// The first of them.
        path: PathBuf,
        /// Its version.
        version: Version,
        /// For which provider a library was wanted.
        provider: Provider,
    },

    /// `ORT_DYLIB_PATH` names something that is no file.
    #[error("{DYLIB_VARIABLE} names {}, which is not a file", path.display())]
    NotAFile {
        /// What the variable says.
        path: PathBuf,
    },

    /// `ORT_DYLIB_PATH` names a library that cannot use the provider.
    #[error("the ONNX Runtime at {} cannot use {provider}: {companion} is not beside it", path.display())]
    WithoutProvider {
        /// The library.
        path: PathBuf,
        /// The provider.
        provider: Provider,
        /// The file that would have to be there.
        companion: &'static str,
    },

    /// No such provider.
    #[error("unknown provider `{name}`")]
    UnknownProvider {
        /// As it was written.
        name: String,
    },

    /// Nobody publishes the library for this machine.
    #[error("nobody publishes ONNX Runtime with {provider} for {os} on {arch}")]
    UnsupportedPlatform {
        /// The provider.
        provider: Provider,
        /// Operating system.
        os: String,
        /// Architecture.
        arch: String,
    },

    /// Neither the variable nor the platform tells where data goes.
    #[error("there is no data folder to install into: this user has no home folder")]
    NoDataFolder,

    /// There is nothing to download with.
    #[error("no Python package client works here; tried {}", tried.join(", "))]
    NoClient {
        /// The command lines.
        tried: Vec<String>,
    },

    /// The package client gave up.
    #[error("`{client}` could not download {package} {version}: {reason}")]
    Download {
        /// Its command line, without arguments.
        client: String,
        /// What it was asked for.
        package: &'static str,
        /// In which version.
        version: &'static str,
        /// Its own last word.
        reason: String,
        /// Whether its words look like a network that is not there.
        offline: bool,
    },

    /// What arrived is not what was pinned.
    #[error("{file} has the wrong digest: {expected} was pinned, {actual} arrived")]
    WrongDigest {
        /// Name of the wheel.
        file: String,
        /// Pinned SHA-256 in hex.
        expected: String,
        /// SHA-256 in hex of what arrived.
        actual: String,
    },

    /// The verified package does not hold a library.
    #[error("{file} holds no ONNX Runtime library")]
    NoLibrary {
        /// Name of the wheel.
        file: String,
    },

    /// The package is not a readable archive.
    #[error("cannot unpack {file}")]
    Archive {
        /// Name of the wheel.
        file: String,
        /// What the archive reader says.
        #[source]
        source: zip::result::ZipError,
    },

    /// It would not fit, known before anything was downloaded.
    #[error("{} MB are needed on the disk of {}, and {} MB are free", needed / 1_000_000, path.display(), free / 1_000_000)]
    NoSpace {
        /// The folder that would be written to.
        path: PathBuf,
        /// Bytes needed while installing.
        needed: u64,
        /// Bytes free.
        free: u64,
    },

    /// No space is left.
    #[error("no space left while writing to {}", path.display())]
    DiskFull {
        /// The folder that was written to.
        path: PathBuf,
    },

    /// Any other trouble with files.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// A verb: `create`, `write`, `rename`, ...
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

impl RuntimeError {
    /// What to do next, as a sentence without a full stop.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Missing { provider, .. } | Self::TooOld { provider, .. } | Self::WithoutProvider { provider, .. } => {
                format!("run `difftest runtime install {provider}`, or point {DYLIB_VARIABLE} at a library")
            }
            Self::NotAFile { .. } => {
                format!("correct {DYLIB_VARIABLE}, or unset it and run `difftest runtime install cpu`")
            }
            Self::UnknownProvider { .. } => {
                format!("one of {}", Provider::ALL.map(|known| known.to_string()).join(", "))
            }
            Self::UnsupportedPlatform { provider: Provider::Cpu, .. } => {
                format!("build ONNX Runtime {MINIMUM} or newer from source and point {DYLIB_VARIABLE} at the library")
            }
            Self::UnsupportedPlatform { .. } => "run `difftest runtime install cpu` and use `--device cpu`".to_owned(),
            Self::NoDataFolder => format!("set {} to a folder", super::DATA_DIR_VARIABLE),
            Self::NoClient { .. } => "install Python 3 with pip, or uv; it is needed for this download only".to_owned(),
            Self::Download { offline: true, .. } => {
                "check the network and the proxy settings; without a network, download the wheel on another \
                 machine and set PIP_FIND_LINKS to its folder and PIP_NO_INDEX to 1"
                    .to_owned()
            }
            Self::Download { package, version, .. } => {
                format!("see what the client said; its package index must offer {package} {version}")
            }
            Self::WrongDigest { .. } => "do not use it: the package index or a mirror serves a file that was changed; \
                 `python3 -m pip cache purge` rules out a damaged cache"
                .to_owned(),
            Self::NoLibrary { .. } | Self::Archive { .. } => {
                format!("point {DYLIB_VARIABLE} at a library of your own, and report this")
            }
            Self::DiskFull { .. } | Self::NoSpace { .. } => {
                format!("free some space, or set {} to a folder on another disk", super::DATA_DIR_VARIABLE)
            }
            Self::Io { .. } => {
                format!("check the permissions, or set {} to a folder of your own", super::DATA_DIR_VARIABLE)
            }
        }
    }

    /// Wraps an error of the file system, and tells a full disk from the rest.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::Io { action, path, source },
        }
    }
}

fn that_knows(provider: Provider) -> &'static str {
    match provider {
        Provider::Cpu => "",
        Provider::Cuda => " with CUDA",
        Provider::OpenVino => " with the OpenVINO plugin beside it",
    }
}
