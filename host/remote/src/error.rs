//! What can go wrong with a remote, and what to do about it.

use std::path::PathBuf;

/// A remote that cannot be used, or did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL or an option is not understood.
    #[error("{message}")]
    Usage {
        /// What is wrong with it.
        message: String,
        /// What to write instead.
        hint: String,
    },
    /// No answer, or none in time.
    #[error("the remote {remote} cannot be reached: {reason}")]
    Unreachable {
        /// Its URL.
        remote: String,
        /// Why.
        reason: String,
    },
    /// There is no such bucket, container or folder.
    #[error("the remote {remote} does not exist: {reason}")]
    NoStore {
        /// Its URL.
        remote: String,
        /// Why.
        reason: String,
    },
    /// The remote answers, and says no.
    #[error("the remote {remote} refuses to {action}: {reason}")]
    Refused {
        /// Its URL.
        remote: String,
        /// What was tried.
        action: String,
        /// Its answer.
        reason: String,
        /// Whether something was to be written.
        writing: bool,
    },
    /// An object that has to be there is not.
    #[error("the remote {remote} has no {what}")]
    Missing {
        /// Its URL.
        remote: String,
        /// What is missing.
        what: String,
    },
    /// An object is not what its name or its digest says.
    #[error("the remote {remote} is damaged: {key} {reason}")]
    Corrupt {
        /// Its URL.
        remote: String,
        /// The object.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An object was written by a later version.
    #[error("{key} in the remote {remote} has format {found}, and this difftest reads up to {known}")]
    Newer {
        /// Its URL.
        remote: String,
        /// The object.
        key: String,
        /// Its format.
        found: u64,
        /// What is understood here.
        known: u64,
    },
    /// Others have written since, and the two cannot both be kept.
    #[error("{what} in the remote {remote} has changed since: {reason}")]
    Conflict {
        /// Its URL.
        remote: String,
        /// What was to be written.
        what: String,
        /// How.
        reason: String,
    },
    /// The remote answered something that no such server should.
    #[error("the remote {remote} cannot {action}: {reason}")]
    Protocol {
        /// Its URL.
        remote: String,
        /// What was tried.
        action: String,
        /// Its answer.
        reason: String,
    },
    /// A file on this machine.
    #[error("cannot {action} {}: {source}", path.display())]
    Local {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The same, where it is already worded.
    #[error(transparent)]
    Write(#[from] difftest_store::atomic::WriteError),
}

impl Error {
    /// One word for it, for results: `usage`, `remote` or `write`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Usage { .. } => "usage",
            Self::Local { .. } | Self::Write(_) => "write",
            _ => "remote",
        }
    }

    /// What to do next, where that is clear.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Usage { hint, .. } => hint.clone(),
            Self::Unreachable { .. } => "check the address and the network, or go on without it: `--remote-policy optional`, or `--offline`".into(),
            Self::NoStore { .. } => "create it first, or correct the URL: difftest makes no buckets, and a folder that is not mounted is not made either".into(),
            Self::Refused { writing: true, .. } => {
                "writing takes credentials that may create objects; reading needs none of that: leave `push` and `--upload` to CI".into()
            }
            Self::Refused { .. } => {
                "check the credentials in the environment (AWS_ACCESS_KEY_ID, GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_ACCOUNT_KEY ...) and the policy of the bucket".into()
            }
            Self::Missing { .. } => "push it first, or check the URL and the name".into(),
            Self::Corrupt { .. } => {
                "someone with access has to delete that object; the next `difftest push` of a machine that has the right one puts it back".into()
            }
            Self::Newer { .. } => "update difftest".into(),
            Self::Conflict { .. } => "`difftest pull` first, look at what has changed, then push again".into(),
            Self::Protocol { .. } => return None,
            Self::Local { .. } => "check the path and the free space".into(),
            Self::Write(error) => return error.hint(),
        })
    }

    /// Whether trying again without the remote makes sense: everything but a mistake in how it was called.
    #[must_use]
    pub fn is_about_the_remote(&self) -> bool {
        self.kind() == "remote"
    }
}
