//! What can be wrong with a baseline.

use std::io;
use std::path::{Path, PathBuf};

use crate::atomic::WriteError;

use super::manifest::FORMAT;

/// Why a baseline cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// The text is no name of a baseline or an environment.
    #[error("{what} name `{}` {reason}", name.escape_debug())]
    Name {
        /// `baseline` or `environment`.
        what: &'static str,
        /// The text.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is no such baseline.
    #[error("there is no baseline {}", folder.display())]
    NotFound {
        /// Where it would be.
        folder: PathBuf,
        /// What there is beside it.
        available: Vec<String>,
    },
    /// The baseline is there, and was not made in this environment: what it has is never compared with images of this one.
    #[error("the baseline {} has nothing for this environment, {wanted}: it was made in {}", folder.display(), has.join(" and "))]
    NoEnvironment {
        /// The baseline.
        folder: PathBuf,
        /// The environment that was asked for.
        wanted: String,
        /// Those it has; at least one.
        has: Vec<String>,
    },
    /// A file or folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A manifest or an audit does not say what it should.
    #[error("{}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// The folder of an environment has another name than it was given: what is in it would be compared with nothing.
    #[error("{}: its images were made in {}, and it lies in the folder of {folder}", path.display(), made_in.escape_debug())]
    Misplaced {
        /// The manifest.
        path: PathBuf,
        /// The environment that it says.
        made_in: String,
        /// The name of its folder.
        folder: String,
    },
    /// The image is the baseline's own: there is nothing to reject.
    #[error("the image of {case} is the one that baseline {} has: rejecting it does not take it out", folder.display())]
    IsBaseline {
        /// Whose image.
        case: String,
        /// The baseline.
        folder: PathBuf,
    },
    /// The manifest was written by a later difftest.
    #[error("{} has format {format}, and this difftest reads up to {FORMAT}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u64,
    },
    /// An image is not there, or is not what was accepted.
    #[error("the baseline's image of {case}, {}: {reason}", path.display())]
    Image {
        /// Whose image.
        case: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Another difftest is changing it.
    #[error("{} is being changed by another difftest", folder.display())]
    Busy {
        /// The folder of the environment.
        folder: PathBuf,
    },
    /// Something cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl BaselineError {
    pub(super) fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }

    pub(super) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), reason: reason.into() }
    }

    /// A stable word for programs.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Name { .. } => "usage",
            Self::NotFound { .. } => "no-baseline",
            Self::NoEnvironment { .. } => "baseline-environment",
            Self::Read { .. }
            | Self::Damaged { .. }
            | Self::Misplaced { .. }
            | Self::Newer { .. }
            | Self::Image { .. } => "baseline",
            Self::IsBaseline { .. } => "accepted",
            Self::Busy { .. } => "baseline-busy",
            Self::Write(_) => "write",
        }
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Name { .. } => {
                "a name is made of letters, digits, `_`, `-`, `+` and `.`, and begins with a letter, a digit or `_`".into()
            }
            Self::NotFound { available, .. } if available.is_empty() => {
                "make one of a run that passed: difftest baseline save --model NAME".into()
            }
            Self::NotFound { available, .. } => {
                format!("there are: {}; `difftest baseline save --model NAME` makes one", available.join(", "))
            }
            Self::NoEnvironment { .. } => {
                "run once where it was made, or accept this environment's images too: difftest baseline save --model NAME".into()
            }
            Self::Damaged { .. } | Self::Image { .. } => {
                "take the file back from version control; `difftest baseline verify` checks all of them".into()
            }
            Self::Misplaced { made_in, .. } => format!("rename the folder to {}", made_in.escape_debug()),
            Self::IsBaseline { case, folder } => {
                format!("to withdraw it: difftest baseline remove {} '{case}'", folder.display())
            }
            Self::Newer { .. } => "install a later difftest".into(),
            Self::Busy { .. } => "try again when it has ended".into(),
            Self::Read { .. } => return None,
            Self::Write(error) => return error.hint(),
        })
    }
}
