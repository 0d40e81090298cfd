//! What can go wrong between here and a model on the hub, and what to do next.

use std::path::PathBuf;
use std::time::Duration;

use crate::text::bytes;

/// Why a model could not be listed, fetched, found or checked. `host` is where the request went; URLs are never shown, as those of
/// storage servers are secrets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum Error {
    #[error("`{text}` is not the name of a model on the hub: {reason}")]
    Id { text: String, reason: String },
    #[error("{variable}: {reason}")]
    Settings { variable: &'static str, reason: String },
    #[error("{model} is not in the cache at {}, and {switch} forbids to fetch it", cache.display())]
    Offline { model: String, cache: PathBuf, switch: String },
    #[error("{host} cannot be reached: {reason}")]
    Unreachable { host: String, reason: String },
    #[error("{host} is too slow: {what} took longer than {} s", seconds(*after))]
    Timeout { host: String, what: String, after: Duration },
    #[error("{host} went away in the middle of {what}, {tries} times: {got} of {expected} bytes are there")]
    CutOff { host: String, what: String, tries: u32, got: u64, expected: u64 },
    #[error("{host} does not answer as the hub does: {reason}")]
    Protocol { host: String, reason: String },
    #[error("{host} cannot give {what}: it answers {status}{}", said(message))]
    Status { host: String, what: String, status: u16, message: String },
    #[error("{host} is asked too often{}", wait(*after))]
    Busy { host: String, after: Option<Duration> },
    #[error("there is no model {model} on {host}, or it is private")]
    NoModel { model: String, host: String, token: bool },
    #[error("{model} has no revision `{revision}`")]
    NoRevision { model: String, revision: String },
    #[error("{model} has no file {file}")]
    NoFile { model: String, file: String },
    #[error("{model} is gated: {host} gives its files to accounts that were granted access, and {}", sent(*token))]
    Gated { model: String, host: String, token: bool },
    #[error("{host} does not accept the token")]
    BadToken { host: String },
    #[error("{host} does not allow {what}{}", said(message))]
    Forbidden { host: String, what: String, message: String, token: bool },
    #[error("{model} has a file named {path:?}, which would lead out of the cache: nothing of it was fetched")]
    UnsafePath { model: String, path: String },
    #[error("{what} from {host} is longer than {}", bytes(*limit))]
    TooLong { host: String, what: String, limit: u64 },
    #[error("{file} of {model} should be {expected} bytes long, and {host} sends {sent}")]
    WrongSize { model: String, file: String, host: String, expected: u64, sent: String },
    #[error("{file} of {model} came with other content than the hub lists: {found} instead of {expected}")]
    WrongContent { model: String, file: String, expected: String, found: String },
    #[error("{model} needs {} more on the disk of {}, and {} are free", bytes(*needed), folder.display(), bytes(*free))]
    Space { model: String, needed: u64, free: u64, folder: PathBuf },
    /// Never told: another file failed first.
    #[doc(hidden)]
    #[error("stopped, because another file cannot be had")]
    Stopped,
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
}

fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 10.0 { format!("{seconds:.1}") } else { format!("{seconds:.0}") }
}

fn wait(after: Option<Duration>) -> String {
    after.map(|after| format!(" and wants to be left alone for {} s", after.as_secs())).unwrap_or_default()
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(" ({message})") }
}

fn sent(token: bool) -> &'static str {
    if token { "the account of the token is none of them" } else { "no token was sent" }
}

/// How to get a token.
const TOKEN: &str =
    "make a token at https://huggingface.co/settings/tokens and put it into HF_TOKEN (or run `hf auth login`)";

impl Error {
    pub(crate) fn io(action: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// A stable word for programs.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Id { .. } => "hub-id",
            Self::Settings { .. } => "hub-settings",
            Self::Offline { .. } => "hub-offline",
            Self::Unreachable { .. } => "hub-unreachable",
            Self::Timeout { .. } => "hub-timeout",
            Self::CutOff { .. } => "hub-cut-off",
            Self::Protocol { .. } | Self::Status { .. } | Self::TooLong { .. } => "hub-answer",
            Self::Busy { .. } => "hub-busy",
            Self::NoModel { .. } | Self::NoRevision { .. } | Self::NoFile { .. } => "hub-not-found",
            Self::Gated { .. } => "hub-gated",
            Self::BadToken { .. } | Self::Forbidden { .. } => "hub-denied",
            Self::UnsafePath { .. } => "hub-unsafe-path",
            Self::WrongSize { .. } | Self::WrongContent { .. } => "hub-differs",
            Self::Space { .. } => "disk-space",
            Self::Io { .. } => "hub-cache",
            Self::Stopped => "stopped",
        }
    }

    /// Whether the hub could not be asked at all, so that what is in the cache is the best there is.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::CutOff { .. } | Self::Busy { .. } => true,
            Self::Status { status, .. } => *status >= 500,
            _ => false,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Id { .. } => "write ORG/NAME, or ORG/NAME@REVISION with a branch, a tag or a commit".into(),
            Self::Offline { model, switch, .. } => {
                format!("fetch it once, with a network and without {switch}: difftest model fetch {model}")
            }
            Self::Unreachable { .. } => {
                "check the network, HF_ENDPOINT, and HTTPS_PROXY where there is one; `--offline` takes what is in the cache"
                    .into()
            }
            Self::Timeout { .. } | Self::CutOff { .. } | Self::Busy { .. } => {
                "what came is kept: the same command goes on from there".into()
            }
            Self::NoModel { token: false, .. } => format!("check the name; for a private model, {TOKEN}"),
            Self::NoModel { token: true, .. } => "check the name, and that the token's account may read it".into(),
            Self::NoRevision { model, .. } => format!("`difftest model info {model}` shows what its main branch has"),
            Self::NoFile { .. } => "the model is not whole on the hub; another revision may be".into(),
            Self::Gated { model, token, .. } => {
                let page = format!("accept its conditions at https://huggingface.co/{model}");
                if *token { page } else { format!("{page}; then {TOKEN}") }
            }
            Self::BadToken { .. } => "the token has expired or was revoked: make a new one at \
                 https://huggingface.co/settings/tokens, or unset HF_TOKEN for public models"
                .into(),
            Self::Forbidden { token: false, .. } => TOKEN.into(),
            Self::Forbidden { .. } => "give the token the right to read this repository".into(),
            Self::WrongSize { .. } | Self::WrongContent { .. } => {
                "nothing of it is used; the hub or something on the way to it changed the content. Try again, or another network"
                    .into()
            }
            Self::Space { .. } => "free some space, or let HF_HUB_CACHE name a folder on another disk".into(),
            Self::Io { .. } => "HF_HUB_CACHE names another folder for models".into(),
            Self::Settings { variable, .. } => format!("correct or unset {variable}"),
            Self::Stopped | Self::UnsafePath { .. } | Self::Protocol { .. } | Self::Status { .. } | Self::TooLong { .. } => return None,
        })
    }
}
