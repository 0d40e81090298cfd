//! Resolve and pull. Push is in `push.rs`.

use difftest_core::digest::Digest;
use ureq::http::Request;
use ureq::http::header::{ACCEPT, HeaderMap};

use crate::credentials::AuthFiles;
use crate::error::Error;
use crate::manifest::{self, Annotations, Judged, MANIFEST_TYPE};
use crate::reference::{Reference, Target, parse_digest};
use crate::session::{Access, Session};
use crate::transport::{BodyError, Received, Timeouts};

/// Types of manifest that are asked for. Those that are no plugin's are asked for too, so that they can be told what they are.
const ACCEPTED: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";

/// The most that may come.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a component. Default: 64 MiB, as much as the host loads.
    pub component: u64,
    /// Bytes of a manifest. Default: 1 MiB; a plugin's has about a thousand.
    pub manifest: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { component: 64 << 20, manifest: 1 << 20 }
    }
}

/// How to speak to registries.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// HTTP instead of HTTPS for every registry; those on this machine (`localhost`, `127.0.0.1`, `::1`) are spoken to so anyhow.
    pub plain_http: bool,
    /// Where logins are.
    pub auth: AuthFiles,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// How much to take.
    pub limits: Limits,
}

/// Bytes of the component that went over the network so far, and of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Done.
    pub done: u64,
    /// All.
    pub total: u64,
}

/// An artifact that was found.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Digest of the manifest: what to sign, and what `@sha256:` names.
    pub manifest: Digest,
    /// Digest of the layer, which is the SHA-256 of the component file.
    pub layer: Digest,
    /// Length of the component file in bytes, as declared.
    pub size: u64,
    /// Its metadata. Written by whoever pushed it; to be shown with care.
    pub annotations: Annotations,
}

/// An artifact with its component.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// What it is.
    pub resolved: Resolved,
    /// The file, of the digest and length that `resolved` says.
    pub wasm: Vec<u8>,
}

/// An artifact that is now there.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// Digest of the manifest.
    pub manifest: Digest,
    /// Digest of the layer.
    pub layer: Digest,
    /// Whether it was not there before.
    pub new: bool,
}

/// A client of container registries. Blocking; nothing is sent before an operation is called.
#[derive(Clone, Debug, Default)]
pub struct Client {
    pub(crate) options: Options,
}

impl Client {
    /// A client.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { options }
    }

    /// Finds out what `reference` names, without fetching the component.
    ///
    /// # Errors
    /// When the registry cannot be asked, there is no such artifact, or it is not a plugin.
    pub fn resolve(&self, reference: &Reference) -> Result<Resolved, Error> {
        self.manifest(&mut self.session(reference, Access::Pull))
    }

    /// Fetches the component that `reference` names. `progress` is called for every piece.
    ///
    /// # Errors
    /// As [`Client::resolve`], and when the component is too large, is not of the declared length or digest, or does not come.
    pub fn pull(&self, reference: &Reference, progress: &mut dyn FnMut(Progress)) -> Result<Pulled, Error> {
        let mut session = self.session(reference, Access::Pull);
        let resolved = self.manifest(&mut session)?;
        let limit = self.options.limits.component;
        if resolved.size > limit {
            let (reference, bytes) = (reference.to_string(), resolved.size);
            return Err(Error::TooLarge { reference, what: LAYER, bytes, limit });
        }
        let mut again = 2;
        let received = loop {
            match self.layer(&mut session, &resolved, progress) {
                // whatever came is thrown away, so asking once more changes nothing
                Err(Error::CutOff { .. }) if again > 0 => again -= 1,
                other => break other?,
            }
        };
        Ok(Pulled { resolved, wasm: received.bytes })
    }

    pub(crate) fn session<'a>(&'a self, reference: &'a Reference, access: Access) -> Session<'a> {
        Session::new(reference, access, &self.options.auth, self.options.plain_http, self.options.timeouts)
    }

    /// Fetches the manifest, checks its digest, and only then reads it.
    pub(crate) fn manifest(&self, session: &mut Session<'_>) -> Result<Resolved, Error> {
        const WHAT: &str = "the manifest";
        let reference = session.reference;
        let url = session.url(&format!("manifests/{}", reference.manifest_name()));
        let answer = session.read(Request::get(url).header(ACCEPT, ACCEPTED), WHAT)?;
        if !answer.status().is_success() {
            return Err(session.refusal(answer, "give a manifest"));
        }
        let named = content_digest(answer.headers());
        let limit = self.options.limits.manifest;
        let received =
            session.transport.body(answer.into_body(), limit, WHAT, &mut |_| {}).map_err(|error| match error {
                BodyError::TooLong(bytes) => Error::TooLarge {
                    reference: reference.to_string(),
                    what: WHAT,
                    bytes: bytes.unwrap_or(limit + 1),
                    limit,
                },
                BodyError::Other(error) => error,
            })?;
        let asked = match reference.target() {
            Target::Digest(digest) => Some(*digest),
            Target::Tag(_) => None,
        };
        for expected in asked.into_iter().chain(named) {
            if expected != received.digest {
                let (reference, found) = (reference.to_string(), received.digest);
                return Err(Error::WrongDigest { reference, what: WHAT, expected, found });
            }
        }
        let Judged { layer, size, annotations } = manifest::judge(&received.bytes, reference)?;
        Ok(Resolved { manifest: received.digest, layer, size, annotations })
    }

    fn layer(
        &self,
        session: &mut Session<'_>,
        resolved: &Resolved,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Received, Error> {
        let reference = session.reference.to_string();
        let url = session.url(&format!("blobs/sha256:{}", resolved.layer));
        let answer = session.read(Request::get(url), LAYER)?;
        if !answer.status().is_success() {
            return Err(session.refusal(answer, "give the component"));
        }
        let total = resolved.size;
        let size = |sent: String| Error::WrongSize { reference: reference.clone(), what: LAYER, declared: total, sent };
        if let Some(sent) = answer.body().content_length().filter(|sent| *sent != total) {
            return Err(size(format!("{sent} bytes")));
        }
        let mut piece = |done| progress(Progress { done, total });
        let received =
            session.transport.body(answer.into_body(), total, LAYER, &mut piece).map_err(|error| match error {
                BodyError::TooLong(_) => size("more".into()),
                BodyError::Other(error) => error,
            })?;
        if received.bytes.len() as u64 != total {
            return Err(size(format!("{} bytes", received.bytes.len())));
        }
        if received.digest != resolved.layer {
            let (expected, found) = (resolved.layer, received.digest);
            return Err(Error::WrongDigest { reference, what: LAYER, expected, found });
        }
        Ok(received)
    }
}

const LAYER: &str = "the component";

/// What the registry says the digest of its answer is.
pub(crate) fn content_digest(headers: &HeaderMap) -> Option<Digest> {
    headers.get("docker-content-digest")?.to_str().ok().and_then(|text| parse_digest(text).ok())
}

/// The type that manifests are pushed as.
pub(crate) const PUSHED: &str = MANIFEST_TYPE;
