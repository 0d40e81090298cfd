//! Push: the component, the config, and the manifest last, so that the name is whole or as it was before.

use std::io::Read;

use difftest_core::digest::Digest;
use ureq::SendBody;
use ureq::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use ureq::http::{Request, StatusCode, Uri};

use crate::client::{Client, PUSHED, Progress, Pushed, content_digest};
use crate::error::Error;
use crate::manifest::Artifact;
use crate::reference::{Reference, Target};
use crate::session::{Access, Session};

impl Client {
    /// Puts `artifact` where `reference`, a tag, says. Where the tag already names this very artifact, nothing is sent. Where it
    /// names another, that is replaced only with `replace`.
    ///
    /// # Errors
    /// When the registry refuses or cannot be asked, the tag is taken, or the component is larger than the limit.
    pub fn push(
        &self,
        reference: &Reference,
        artifact: &Artifact<'_>,
        replace: bool,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Pushed, Error> {
        let Target::Tag(tag) = reference.target() else {
            let reason = "what is pushed gets a version; its digest follows from its content".to_owned();
            return Err(Error::Reference { text: reference.to_string(), reason });
        };
        let (bytes, limit) = (artifact.wasm.len() as u64, self.options.limits.component);
        if bytes > limit {
            return Err(Error::TooLarge { reference: reference.to_string(), what: "the component", bytes, limit });
        }
        let not = |error: serde_json::Error| Error::NotAPlugin {
            reference: reference.to_string(),
            reason: error.to_string(),
        };
        let packed = artifact.pack().map_err(not)?;
        let pushed = |new| Pushed { manifest: packed.manifest_digest, layer: packed.layer_digest, new };
        let mut session = self.session(reference, Access::Push);
        let there = match self.manifest(&mut session) {
            Ok(there) => Some(there),
            Err(Error::NotFound { .. }) => None,
            Err(Error::NotAPlugin { .. } | Error::TooLarge { .. }) if replace => None,
            Err(Error::NotAPlugin { reference, reason }) => return Err(Error::Occupied { reference, reason }),
            Err(error) => return Err(error),
        };
        match there {
            Some(there) if there.manifest == packed.manifest_digest => return Ok(pushed(false)),
            Some(there) if !replace => {
                return Err(Error::Taken {
                    reference: reference.to_string(),
                    there: there.manifest,
                    ours: packed.manifest_digest,
                    same_component: there.layer == packed.layer_digest,
                });
            }
            _ => {}
        }
        blob(&mut session, artifact.wasm, packed.layer_digest, "the component", progress)?;
        blob(&mut session, &packed.config, packed.config_digest, "the config", &mut |_| {})?;
        let url = session.url(&format!("manifests/{tag}"));
        let what = "the manifest";
        let request = Request::put(url).header(CONTENT_TYPE, PUSHED).header(CONTENT_LENGTH, packed.manifest.len());
        let request = request.body(()).map_err(|error| session.transport.error(error.into(), what))?;
        let mut body = || SendBody::from_owned_reader(std::io::Cursor::new(packed.manifest.clone()));
        let answer = session.write(&request, &mut body, what)?;
        if !answer.status().is_success() {
            return Err(session.refusal(answer, "take the manifest"));
        }
        if let Some(found) = content_digest(answer.headers()).filter(|found| *found != packed.manifest_digest) {
            let (reference, expected) = (reference.to_string(), packed.manifest_digest);
            return Err(Error::WrongDigest { reference, what, expected, found });
        }
        Ok(pushed(true))
    }
}

/// Uploads one blob, unless the registry has it.
fn blob(
    session: &mut Session<'_>,
    bytes: &[u8],
    digest: Digest,
    what: &'static str,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), Error> {
    let total = bytes.len() as u64;
    let there = session.read(Request::head(session.url(&format!("blobs/sha256:{digest}"))), what)?;
    if there.status().is_success() {
        progress(Progress { done: total, total });
        return Ok(());
    }
    if there.status() != StatusCode::NOT_FOUND {
        return Err(session.refusal(there, "say what it has"));
    }
    let wrong = |session: &Session<'_>, error: ureq::http::Error| session.transport.error(error.into(), what);
    let begin = Request::post(session.url("blobs/uploads/")).header(CONTENT_LENGTH, 0).body(());
    let begin = begin.map_err(|error| wrong(session, error))?;
    let answer = session.write(&begin, &mut SendBody::none, what)?;
    if answer.status() != StatusCode::ACCEPTED {
        return Err(session.refusal(answer, "begin an upload"));
    }
    let location = answer.headers().get(LOCATION).and_then(|location| location.to_str().ok()).map(str::to_owned);
    let url = upload_url(session, location.as_deref(), digest)?;
    let put = Request::put(url).header(CONTENT_TYPE, "application/octet-stream").header(CONTENT_LENGTH, total).body(());
    let put = put.map_err(|error| wrong(session, error))?;
    let mut sent = Sent { left: bytes, total, progress };
    // an upload has its session and is sent once; a login that ran out in between shows here as a refusal
    let answer = session.send_once(&put, SendBody::from_reader(&mut sent), what)?;
    if answer.status() != StatusCode::CREATED {
        return Err(session.refusal(answer, "take a blob"));
    }
    Ok(())
}

/// Where to send a blob: what the registry said, made whole, with the digest.
fn upload_url(session: &Session<'_>, location: Option<&str>, digest: Digest) -> Result<String, Error> {
    let protocol =
        |reason: &str| Error::Protocol { host: session.reference.registry().to_owned(), reason: reason.to_owned() };
    let location = location.ok_or_else(|| protocol("it does not say where to upload to"))?;
    let whole = if location.starts_with('/') {
        let base: Uri = session.url("").parse().map_err(|_| protocol("its name makes no URL"))?;
        let authority = base.authority().ok_or_else(|| protocol("its name makes no URL"))?;
        format!("{}://{authority}{location}", session.transport.scheme)
    } else {
        location.to_owned()
    };
    let secure = whole.starts_with("https://");
    if !secure && (session.transport.scheme == "https" || !whole.starts_with("http://")) {
        return Err(protocol("it wants the upload sent without TLS"));
    }
    let separator = if whole.contains('?') { '&' } else { '?' };
    Ok(format!("{whole}{separator}digest=sha256:{digest}"))
}

/// A reader that tells how much of it was read.
struct Sent<'a> {
    left: &'a [u8],
    total: u64,
    progress: &'a mut dyn FnMut(Progress),
}

impl Read for Sent<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.left.read(buffer)?;
        (self.progress)(Progress { done: self.total - self.left.len() as u64, total: self.total });
        Ok(read)
    }
}
