//! From statuses of the hub to errors. The hub says more in `X-Error-Code` than in the status: 401 is also what a model that does
//! not exist answers to whoever sends no token.

use crate::error::Error;
use crate::text;
use crate::transport::{Answer, Transport, retry_after, text_of};

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// `ORG/NAME`.
    pub(crate) model: &'a str,
    /// Branch, tag or commit.
    pub(crate) revision: &'a str,
    /// Path in the repository; `None` for the listing.
    pub(crate) file: Option<&'a str>,
}

impl Asked<'_> {
    /// In words.
    pub(crate) fn what(&self) -> String {
        match self.file {
            Some(file) => format!("{file} of {}", self.model),
            None => format!("the files of {}", self.model),
        }
    }
}

/// Most of an error message that is read.
const MESSAGE: u64 = 16 << 10;

/// The answer, where it is a success; otherwise what it means.
pub(crate) fn judge(transport: &Transport, asked: Asked<'_>, answer: Answer) -> Result<Answer, Error> {
    let status = answer.status();
    if (200..300).contains(&status) {
        return Ok(answer);
    }
    // the headers before any redirect are the hub's own
    let code = answer.header("x-error-code").or_else(|| text_of(&answer.first, "x-error-code")).map(str::to_owned);
    let said = answer.header("x-error-message").map(|message| text::line(message, 200));
    let (host, token) = (answer.host.clone(), transport.has_token());
    let at_home = host == transport.host();
    let model = asked.model.to_owned();
    let no_revision = || Error::NoRevision { model: model.clone(), revision: asked.revision.to_owned() };
    let no_model = || Error::NoModel { model: model.clone(), host: host.clone(), token };
    let no_file = |file: &str| Error::NoFile { model: model.clone(), file: file.to_owned() };
    Err(match (code.as_deref(), status) {
        (Some("GatedRepo"), _) => Error::Gated { model, host, token },
        (Some("RevisionNotFound"), _) => no_revision(),
        (Some("EntryNotFound"), _) => no_file(asked.file.unwrap_or("?")),
        (_, 401) if said.as_deref().is_some_and(|said| said.contains("Invalid credentials")) => {
            Error::BadToken { host }
        }
        (Some("RepoNotFound"), _) | (_, 401) if at_home => no_model(),
        (_, 404) if at_home => match asked.file {
            Some(file) => no_file(file),
            None => no_model(),
        },
        (_, 429) => Error::Busy { after: retry_after(&answer), host },
        (_, 401 | 403) => {
            let message = said.unwrap_or_else(|| message(transport, answer));
            Error::Forbidden { host, what: asked.what(), message, token }
        }
        _ => {
            let message = said.unwrap_or_else(|| message(transport, answer));
            Error::Status { host, what: asked.what(), status, message }
        }
    })
}

/// What an answer says of itself: `{"error": ".."}`, or nothing that is worth showing.
fn message(transport: &Transport, answer: Answer) -> String {
    let body = transport.body(answer, MESSAGE, "an error message").unwrap_or_default();
    let parsed: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
    let said = parsed.as_ref().and_then(|value| value.get("error")?.as_str()).unwrap_or_default();
    text::line(said, 200)
}
