//! What can go wrong between here and a registry, and what to do next.

use std::path::PathBuf;
use std::time::Duration;

use difftest_core::digest::Digest;

/// Why an artifact could not be pushed, pulled or resolved. `host` is always the registry as it was written.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum Error {
    #[error("`{text}` is not a reference to an artifact: {reason}")]
    Reference { text: String, reason: String },
    #[error("the registry {host} cannot be reached: {reason}")]
    Unreachable { host: String, reason: String },
    #[error("the registry {host} is too slow: {what} took longer than {} s", seconds(*after))]
    Timeout { host: String, what: &'static str, after: Duration },
    #[error("the registry {host} went away in the middle of {what}: {got} of {expected} bytes came")]
    CutOff { host: String, what: String, got: u64, expected: u64 },
    #[error("{host} does not speak as a registry does: {reason}")]
    Protocol { host: String, reason: String },
    #[error("the registry {host} cannot {what}: it answers {status}{}", said(message))]
    Status { host: String, what: String, status: u16, message: String },
    #[error("{reference} is not there{}", said(message))]
    NotFound { reference: String, message: String },
    /// 401 without credentials, or in spite of them.
    #[error("the registry {host} asks for a login{}{}", account(account_name.as_deref()), said(message))]
    Login { host: String, account_name: Option<String>, message: String },
    #[error("the registry {host} does not allow {what}{}{}", account(account_name.as_deref()), said(message))]
    Denied { host: String, what: String, account_name: Option<String>, message: String },
    #[error("the login for {host} in {} cannot be used: {reason}", path.display())]
    Credentials { host: String, path: PathBuf, reason: String },
    #[error("{what} of {reference} is {bytes} bytes long, {limit} is the most")]
    TooLarge { reference: String, what: &'static str, bytes: u64, limit: u64 },
    #[error("{what} of {reference} should be {declared} bytes long by its manifest, and the registry sends {sent}")]
    WrongSize { reference: String, what: &'static str, declared: u64, sent: String },
    #[error(
        "{what} of {reference} is not what was asked for: its digest should be sha256:{expected} and is sha256:{found}"
    )]
    WrongDigest { reference: String, what: &'static str, expected: Digest, found: Digest },
    #[error("{reference} is not a plugin: {reason}")]
    NotAPlugin { reference: String, reason: String },
    #[error("{reference} is taken by something that is no plugin: {reason}")]
    Occupied { reference: String, reason: String },
    #[error(
        "{reference} is taken: it is sha256:{there}, and this would be sha256:{ours}{}",
        if *same_component { " (the same component with other metadata)" } else { "" }
    )]
    Taken { reference: String, there: Digest, ours: Digest, same_component: bool },
}

fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 10.0 { format!("{seconds:.1}") } else { format!("{seconds:.0}") }
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(" ({message})") }
}

fn account(name: Option<&str>) -> String {
    name.map(|name| format!(" and does not accept {name}")).unwrap_or_default()
}

impl Error {
    /// A stable word for programs.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Reference { .. } => "oci-reference",
            Self::Unreachable { .. } => "registry-unreachable",
            Self::Timeout { .. } => "registry-timeout",
            Self::CutOff { .. } => "registry-cut-off",
            Self::Protocol { .. } | Self::Status { .. } => "registry-answer",
            Self::NotFound { .. } => "registry-not-found",
            Self::Login { .. } | Self::Credentials { .. } => "registry-login",
            Self::Denied { .. } => "registry-denied",
            Self::TooLarge { .. } => "artifact-too-large",
            Self::WrongSize { .. } | Self::WrongDigest { .. } => "artifact-differs",
            Self::NotAPlugin { .. } => "artifact-not-a-plugin",
            Self::Taken { .. } | Self::Occupied { .. } => "artifact-taken",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Reference { .. } => "write `oci://HOST/NAME:VERSION` or `oci://HOST/NAME@sha256:DIGEST`".into(),
            Self::Unreachable { .. } => "check the name and the network, and HTTPS_PROXY where there is one; \
                 a registry without TLS that is not on this machine needs `--plain-http`"
                .into(),
            Self::Timeout { .. } | Self::CutOff { .. } => "nothing was changed here; try again".into(),
            Self::NotFound { .. } => {
                "check name and version; some registries say so too when a login is missing".into()
            }
            Self::Login { host, account_name: None, .. } => {
                format!(
                    "log in with `docker login {host}`, `podman login {host}` or `oras login {host}`; their auth files are read"
                )
            }
            Self::Login { host, .. } => format!("log in again: `docker login {host}`"),
            Self::Denied { .. } => "ask whoever owns the repository for the right, or use another login".into(),
            Self::Credentials { host, .. } => format!("log in again: `docker login {host}`"),
            Self::WrongSize { .. } | Self::WrongDigest { .. } => {
                "nothing of it was used; the registry or something on the way to it changed the content".into()
            }
            Self::NotAPlugin { .. } => "a plugin is pushed with `difftest plugin publish`, or `wkg oci push`".into(),
            Self::Taken { .. } | Self::Occupied { .. } => {
                "publish it under another version, or replace what is there with `--force`".into()
            }
            Self::TooLarge { what: "the component", .. } => {
                "a component is to be built in the release profile, and stripped of debug info".into()
            }
            Self::Protocol { .. } | Self::Status { .. } | Self::TooLarge { .. } => return None,
        })
    }
}
