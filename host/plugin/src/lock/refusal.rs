//! Why a plugin may not run under a lock.

use std::fmt;
use std::path::PathBuf;

use difftest_core::digest::Digest;

use super::Source;

/// Why a plugin is refused for the lock's sake.
#[derive(Clone, Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum Refusal {
    #[error("there is no {}, and only plugins that are pinned there may run", lock.display())]
    NoLock { name: String, lock: PathBuf },
    #[error("it is not in {}", lock.display())]
    NotLocked { name: String, lock: PathBuf },
    #[error("{0}")]
    Differs(Box<Difference>),
    #[error("{} says something else of it than the file itself: {what}", lock.display())]
    Misstated { name: String, lock: PathBuf, what: String },
}

/// A file that is not the pinned one.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The plugin.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// The lock file.
    pub lock: PathBuf,
    /// The digest there.
    pub locked: Digest,
    /// The file's.
    pub found: Digest,
    /// Where the pinned one came from.
    pub source: Source,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, lock, locked, found, .. } = self;
        write!(f, "{} is sha256:{found}, and {} has sha256:{locked}", path.display(), lock.display())
    }
}

impl Refusal {
    /// A stable word for programs.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::NoLock { .. } | Self::NotLocked { .. } => "plugin-not-locked",
            Self::Differs(_) | Self::Misstated { .. } => "plugin-differs",
        }
    }

    /// What to type.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::NoLock { .. } => {
                "`difftest plugin lock` pins the plugins that are here now; `--no-locked` runs without pins".into()
            }
            Self::NotLocked { name, .. } => {
                format!("`difftest plugin lock {name}` pins what is here now; `--no-locked` runs without pins")
            }
            Self::Misstated { name, .. } => {
                format!("take back what changed the lock, or `difftest plugin lock {name}` writes it anew")
            }
            Self::Differs(difference) => {
                let name = &difference.name;
                let pin = format!("`difftest plugin lock {name}` pins what is here now");
                match &difference.source {
                    Source::Registry(reference) => {
                        format!("`difftest plugin add {reference} --name {name} --force` fetches what is pinned; {pin}")
                    }
                    Source::Path(_) => format!("if you changed or rebuilt it, {pin}"),
                }
            }
        }
    }
}
