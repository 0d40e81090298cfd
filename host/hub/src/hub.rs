//! The hub: its endpoints, and the one question that is asked about a model.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::answer::{Asked, judge};
use crate::cache::{Cache, Snapshot};
use crate::error::Error;
use crate::event::{Event, Observer};
use crate::id::ModelId;
use crate::listing::Listing;
use crate::redirect::Origin;
use crate::settings::Settings;
use crate::transport::Transport;

/// Most of a listing that is read: about 100,000 files.
const LISTING: u64 = 32 << 20;

/// What stays as it is in a part of a path: as Python's `quote`.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The hub and the cache.
pub struct Hub {
    pub(crate) settings: Settings,
    pub(crate) cache: Cache,
    /// The endpoint, and the mirror where one is named.
    endpoints: Vec<Endpoint>,
}

/// Where requests go.
pub(crate) struct Endpoint {
    url: String,
    pub(crate) transport: Transport,
}

impl Hub {
    /// With the settings of the environment; `offline` is what the command line says.
    ///
    /// # Errors
    /// When a variable has a value that means nothing.
    pub fn from_env(offline: bool) -> Result<Self, Error> {
        Self::new(Settings::from_env(offline)?)
    }

    /// With these settings. Nothing is sent or written yet.
    ///
    /// # Errors
    /// When an endpoint is no URL.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let endpoint = |url: &str, variable, token| {
            let home = Origin::of(url)
                .ok_or_else(|| Error::Settings { variable, reason: format!("`{url}` is no URL of a hub") })?;
            let transport = Transport::new(home, token, settings.patience);
            Ok(Endpoint { url: url.to_owned(), transport })
        };
        let mut endpoints = vec![endpoint(&settings.endpoint, "HF_ENDPOINT", settings.token.clone())?];
        if let Some(url) = &settings.fallback {
            // the token belongs to the hub, not to its mirror
            endpoints.push(endpoint(url, "DIFFTEST_HF_FALLBACK_ENDPOINT", None)?);
        }
        let cache = Cache { root: settings.cache.clone(), copies: settings.copies };
        Ok(Self { settings, cache, endpoints })
    }

    /// What it works with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What the cache has of the revision, as it was when it was last asked. No request is sent.
    #[must_use]
    pub fn cached(&self, id: &ModelId) -> Option<Snapshot> {
        self.cache.find(id)
    }

    /// The error that offline mode is: for a caller that finds out that something is missing.
    #[must_use]
    pub fn offline_error(&self, what: &str) -> Error {
        let switch = self.settings.offline.clone().unwrap_or_else(|| "the network".into());
        Error::Offline { model: what.to_owned(), cache: self.settings.cache.clone(), switch }
    }

    /// Asks the hub what the model has at its revision.
    ///
    /// # Errors
    /// Offline, when the hub cannot be asked, or has no such model, or gives it to nobody who asks like this.
    pub fn list(&self, id: &ModelId, observer: &dyn Observer) -> Result<Listing, Error> {
        let asked = Asked { model: id.repository(), revision: id.revision(), file: None };
        let name = id.to_string();
        self.ask(id, 0, observer, &|index, endpoint: &Endpoint| {
            let Endpoint { url, transport } = endpoint;
            observer.event(Event::Asking { model: &name, host: &transport.host() });
            let revision = utf8_percent_encode(id.revision(), PART);
            let url = format!("{url}/api/models/{}/revision/{revision}?blobs=true", id.repository());
            let answer = judge(transport, asked, transport.get(&url, 0, &asked.what(), observer)?)?;
            let host = answer.host.clone();
            Listing::parse(id, &host, index, &transport.body(answer, LISTING, &asked.what())?)
        })
        .and_then(|listing| match id.commit() {
            Some(commit) if commit != listing.commit => Err(Error::Protocol {
                host: self.endpoints[listing.endpoint].transport.host(),
                reason: format!("asked for commit {commit}, it tells of {}", listing.commit),
            }),
            _ => Ok(listing),
        })
    }

    /// Asks the endpoint at `first`, then the others where that cannot be reached.
    pub(crate) fn ask<T>(
        &self,
        id: &ModelId,
        first: usize,
        observer: &dyn Observer,
        question: &dyn Fn(usize, &Endpoint) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.settings.offline.is_some() {
            return Err(self.offline_error(&id.to_string()));
        }
        let mut index = first;
        loop {
            let endpoint = &self.endpoints[index];
            match (question(index, endpoint), self.endpoints.get(index + 1)) {
                (Err(error), Some(next)) if error.is_unreachable() => {
                    let (from, to) = (endpoint.transport.host(), next.transport.host());
                    observer.event(Event::Fallback { from: &from, to: &to, why: &error.to_string() });
                    index += 1;
                }
                (outcome, _) => return outcome,
            }
        }
    }
}

impl Endpoint {
    /// The URL of a file.
    pub(crate) fn file(&self, listing: &Listing, path: &str) -> String {
        let quoted = path.split('/').map(|part| utf8_percent_encode(part, PART).to_string());
        let path = quoted.collect::<Vec<_>>().join("/");
        format!("{}/{}/resolve/{}/{path}", self.url, listing.id.repository(), listing.commit)
    }
}
