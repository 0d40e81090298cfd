//! [`Remote`]: what an object store is asked for, and what its answers mean.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::client::{HttpError, HttpErrorKind};
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, memory::InMemory};
use tokio::runtime::Runtime;

use crate::blob::BlobId;
use crate::connect::connect;
use crate::error::Error;
use crate::location::{Environment, Kind, Location};

/// How many requests of one call are under way at a time.
pub(crate) const TOGETHER: usize = 16;

/// A small object (a document, a pointer) is at most this long: what claims to be longer is damaged or hostile.
pub(crate) const SMALL: u64 = 64 << 20;

/// A remote, open. Cheap to make: nothing is asked before the first call.
pub struct Remote {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) runtime: Runtime,
    pub(crate) asking: Asking,
    /// Where documents are kept that were read before.
    pub(crate) kept: Option<PathBuf>,
}

/// What errors need to know of a remote.
#[derive(Clone, Debug)]
pub(crate) struct Asking {
    location: Location,
    root: Path,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Remote").field(&self.url()).finish()
    }
}

/// What became of an object that was to be put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It was made.
    Made,
    /// There was one of that name. Which, the caller finds out.
    There,
}

/// An object that may have been read before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fresh {
    /// It has not changed.
    Same,
    /// What it is now, and the word to ask with next time, where the store gives one.
    Changed(Vec<u8>, Option<String>),
}

impl Remote {
    /// The remote at a URL or a path, with options from `environment`.
    ///
    /// # Errors
    /// [`Error::Usage`] for what cannot be understood, [`Error::NoStore`] for a folder that is not there.
    pub fn open(url: &str, environment: &Environment) -> Result<Self, Error> {
        let location = Location::parse(url, environment)?;
        let store = connect(&location)?;
        let prefix = if location.kind == Kind::Folder { "" } else { location.path.as_str() };
        let root = Path::parse(prefix).map_err(|error| Error::Usage {
            message: format!("the prefix of {} cannot be used: {error}", location.shown()),
            hint: "use letters, digits, `-`, `_`, `.` and single slashes".into(),
        })?;
        Self::with(store, location, root)
    }

    /// A remote in memory, for tests: the protocol is the same.
    ///
    /// # Errors
    /// Where no runtime can be made.
    pub fn memory() -> Result<Self, Error> {
        Self::with(Arc::new(InMemory::new()), Location::parse("memory", &Vec::new())?, Path::default())
    }

    fn with(store: Arc<dyn ObjectStore>, location: Location, root: Path) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|source| {
            Error::Local { action: "start a runtime in", path: PathBuf::from("this process"), source }
        })?;
        Ok(Self { store, runtime, asking: Asking { location, root }, kept: None })
    }

    /// The same, keeping documents in `folder`: what has not changed since it was last read is not sent again.
    #[must_use]
    pub fn keeping(mut self, folder: &std::path::Path) -> Self {
        let name = BlobId::of(self.url().as_bytes()).to_string();
        self.kept = Some(folder.join(&name[..16]));
        self
    }

    /// Its URL without anything secret.
    #[must_use]
    pub fn url(&self) -> &str {
        self.asking.location.shown()
    }

    /// Finds out whether it can be reached and read, with one request.
    ///
    /// # Errors
    /// Anything that would keep a later read from being answered.
    pub fn check(&self) -> Result<(), Error> {
        self.runtime.block_on(async {
            let mut listing = self.store.list(Some(&self.asking.path("ref/")));
            // one page is enough, and may well be empty
            match listing.next().await {
                Some(Err(error)) => Err(self.asking.error("list what is in it", "ref/", error, false)),
                _ => Ok(()),
            }
        })
    }

    /// The names below `prefix`, which ends with a slash, relative to the remote's root and in order.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.runtime.block_on(self.list_async(prefix))
    }

    pub(crate) async fn list_async(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let listed = self.store.list(Some(&self.asking.path(prefix))).try_collect::<Vec<_>>().await;
        let listed = listed.map_err(|error| self.asking.error("list what is in it", prefix, error, false))?;
        let mut names: Vec<String> = listed.iter().filter_map(|meta| self.asking.key(&meta.location)).collect();
        names.sort();
        Ok(names)
    }

    /// Puts an object where there is none of that name.
    ///
    /// Trying again is always safe: what was made by a request whose answer got lost is [`Put::There`] for the next, and a 409 says
    /// that someone else is writing, not that something is there.
    pub(crate) async fn put_new(&self, key: &str, bytes: Vec<u8>) -> Result<Put, Error> {
        const TRIES: u32 = 5;
        let path = self.asking.path(key);
        let payload = PutPayload::from(bytes);
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match self.store.put_opts(&path, payload.clone(), PutOptions::from(PutMode::Create)).await {
                Ok(_) => return Ok(Put::Made),
                Err(error) => error,
            };
            let taken =
                matches!(error, object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. });
            if taken && self.size(key).await?.is_some() {
                return Ok(Put::There);
            }
            // the client library has tried again already where it found the way closed, or no answer in time
            let lost = is_transport(&error) && !timed_out(&error) && !is_closed(&error);
            if tries == TRIES || !(taken || lost) {
                return Err(self.asking.error("write", key, error, true));
            }
            tokio::time::sleep(Duration::from_millis(50 << tries)).await;
        }
    }

    /// The bytes of an object of at most `most` bytes; none where it is not there.
    pub(crate) async fn get(&self, key: &str, most: u64) -> Result<Option<Vec<u8>>, Error> {
        match self.get_if_changed(key, None, most).await? {
            Some(Fresh::Changed(bytes, _)) => Ok(Some(bytes)),
            Some(Fresh::Same) => {
                Err(self.corrupt(key, "is said not to have changed by a server that was not asked that"))
            }
            None => Ok(None),
        }
    }

    /// The same, where it is not the one that `known` names: an ETag.
    pub(crate) async fn get_if_changed(
        &self,
        key: &str,
        known: Option<String>,
        most: u64,
    ) -> Result<Option<Fresh>, Error> {
        let failed = |error| self.asking.error("read", key, error, false);
        let mut again = 0;
        loop {
            let options = GetOptions { if_none_match: known.clone(), ..GetOptions::default() };
            let answer = match self.store.get_opts(&self.asking.path(key), options).await {
                Ok(answer) => answer,
                Err(object_store::Error::NotModified { .. }) => return Ok(Some(Fresh::Same)),
                Err(error @ object_store::Error::NotFound { .. }) => {
                    return if no_store(&error) { Err(failed(error)) } else { Ok(None) };
                }
                Err(error) => return Err(failed(error)),
            };
            let (size, tag) = (answer.meta.size, answer.meta.e_tag.clone());
            if size > most {
                return Err(self.corrupt(key, format!("is {size} bytes long, and may be at most {most}")));
            }
            match answer.bytes().await {
                Ok(bytes) if bytes.len() as u64 == size => return Ok(Some(Fresh::Changed(bytes.to_vec(), tag))),
                // cut off: the library takes up what broke, but not what ended early
                Ok(_) | Err(_) if again < 2 => {
                    again += 1;
                    tokio::time::sleep(Duration::from_millis(100 << again)).await;
                }
                Ok(bytes) => {
                    let reason = format!("it sent {} of {size} bytes", bytes.len());
                    return Err(self.asking.unreachable(format!("{reason} of {key}")));
                }
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// Whether an object is there, and how long it is.
    pub(crate) async fn size(&self, key: &str) -> Result<Option<u64>, Error> {
        match self.store.head(&self.asking.path(key)).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.asking.error("look at", key, error, false)),
        }
    }

    pub(crate) fn corrupt(&self, key: &str, reason: impl Into<String>) -> Error {
        Error::Corrupt { remote: self.url().to_owned(), key: key.to_owned(), reason: reason.into() }
    }

    pub(crate) fn missing(&self, what: impl Into<String>) -> Error {
        Error::Missing { remote: self.url().to_owned(), what: what.into() }
    }
}

/// S3 answers "no such bucket" with the status of "no such object".
fn no_store(error: &object_store::Error) -> bool {
    let text = error.to_string();
    ["NoSuchBucket", "ContainerNotFound", "bucket does not exist"].iter().any(|word| text.contains(word))
}

impl Asking {
    fn path(&self, key: &str) -> Path {
        key.split('/').filter(|part| !part.is_empty()).fold(self.root.clone(), |path, part| path.join(part))
    }

    /// The key of an object below the root.
    fn key(&self, path: &Path) -> Option<String> {
        let parts = path.prefix_match(&self.root)?;
        Some(parts.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/"))
    }

    pub(crate) fn unreachable(&self, reason: String) -> Error {
        Error::Unreachable { remote: self.location.shown().to_owned(), reason }
    }

    /// An error of the client library in our words.
    fn error(&self, verb: &str, key: &str, error: object_store::Error, writing: bool) -> Error {
        use object_store::Error as E;
        let remote = self.location.shown().to_owned();
        let action = if key.is_empty() || verb.starts_with("list") { verb.to_owned() } else { format!("{verb} {key}") };
        let reason = self.location.secrets.scrub(&reason(&error));
        // listings are answered without the types that other requests have
        let status = |code: &str| error.to_string().contains(&format!("status code: {code}"));
        match &error {
            _ if no_store(&error) => Error::NoStore { remote, reason },
            E::Generic { .. } if status("401") || status("403") => Error::Refused { remote, action, reason, writing },
            E::NotFound { .. } => Error::Missing { remote, what: key.to_owned() },
            E::PermissionDenied { .. } | E::Unauthenticated { .. } => {
                Error::Refused { remote, action, reason, writing }
            }
            E::NotImplemented { .. } | E::NotSupported { .. } => Error::Protocol { remote, action, reason },
            _ if is_transport(&error) => Error::Unreachable { remote, reason },
            _ => Error::Protocol { remote, action, reason },
        }
    }
}

/// The chain of causes.
fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// Whether the way there failed, rather than the server saying something.
fn is_transport(error: &object_store::Error) -> bool {
    causes(error).any(|cause| cause.is::<HttpError>()) || error.to_string().contains("status code: 5")
}

fn is_http(error: &object_store::Error, kind: HttpErrorKind) -> bool {
    causes(error).any(|cause| cause.downcast_ref::<HttpError>().is_some_and(|http| http.kind() == kind))
}

/// Nobody answered in time.
fn timed_out(error: &object_store::Error) -> bool {
    is_http(error, HttpErrorKind::Timeout)
}

/// Nobody took the connection.
fn is_closed(error: &object_store::Error) -> bool {
    is_http(error, HttpErrorKind::Connect)
}

/// What a server or the system says, without the wrapping: the code and message of an XML answer, or the innermost cause.
fn reason(error: &object_store::Error) -> String {
    let whole = error.to_string();
    let element = |name: &str| {
        let (_, rest) = whole.split_once(&format!("<{name}>"))?;
        Some(rest.split_once('<')?.0.to_owned())
    };
    match (element("Code"), element("Message")) {
        (Some(code), Some(message)) => return format!("{code}: {message}"),
        (Some(code), None) => return code,
        _ => {}
    }
    if timed_out(error) {
        return "no answer in time".into();
    }
    match whole.split_once("status code: ") {
        Some((_, status)) => format!("status {status}"),
        None => causes(error).last().map_or(whole, ToString::to_string),
    }
}
