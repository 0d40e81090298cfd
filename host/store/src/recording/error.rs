//! What can be wrong with a recording.

use std::io;
use std::path::{Path, PathBuf};

use crate::atomic::WriteError;
use crate::events::ReadError;

/// A recording that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file, or what goes into it, cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// It is something else, or its end is missing.
    #[error("{} is no recording, or only the beginning of one: {why}", path.display())]
    NotARecording {
        /// The file.
        path: PathBuf,
        /// How that shows.
        why: String,
    },
    /// A recording, and not what was written.
    #[error("the recording {} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// No difftest writes such a file.
    #[error("the recording {} is refused: {why}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What is in it.
        why: String,
    },
    /// A newer difftest wrote it.
    #[error(
        "the recording {} has {what} {found}, written by difftest {difftest}; this is difftest {}, which reads up to {reads}",
        path.display(), env!("CARGO_PKG_VERSION")
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Of what the version is: `format` or `event stream version`.
        what: &'static str,
        /// The version found.
        found: u32,
        /// The newest that is understood.
        reads: u32,
        /// What wrote it.
        difftest: String,
    },
    /// The run that it is to be made of cannot be read.
    #[error(transparent)]
    Run(#[from] ReadError),
    /// It cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl RecordingError {
    pub(super) fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }

    pub(super) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), what: what.into() }
    }

    pub(super) fn refused(path: &Path, why: impl Into<String>) -> Self {
        Self::Refused { path: path.to_owned(), why: why.into() }
    }

    /// A stable word for programs.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Read { .. } => "recording-read",
            Self::NotARecording { .. } => "not-a-recording",
            Self::Damaged { .. } => "recording-damaged",
            Self::Refused { .. } => "recording-refused",
            Self::Newer { .. } => "recording-newer",
            Self::Run(_) => "recording-read",
            Self::Write(_) => "write",
        }
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Read { .. } => "check the path and who may read it".into(),
            Self::NotARecording { .. } => {
                "recordings are written by `difftest run --shard I/N` or `--record FILE`; copy the file again".into()
            }
            Self::Damaged { .. } => "copy the file again, or run its shard again".into(),
            Self::Refused { .. } => "take recordings only from machines you trust, and run this shard again".into(),
            Self::Newer { .. } => "update difftest here, or run all shards and the merge with one version".into(),
            Self::Run(error) => error.hint().into(),
            Self::Write(error) => return error.hint(),
        })
    }
}
