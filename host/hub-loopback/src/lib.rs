//! A hub on the loopback interface, for tests. See README.md.

mod http;
mod repository;
mod routes;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

pub use http::Request;
use repository::Repository;

/// A server that runs until it is dropped.
pub struct Loopback {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) hub: SocketAddr,
    pub(crate) storage: SocketAddr,
    pub(crate) stopped: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) repositories: Vec<Repository>,
    pub(crate) requests: Vec<Request>,
    faults: Vec<(String, usize, Fault)>,
}

/// Something that goes wrong with an answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This status with these headers and an empty body.
    Status(u16, Vec<(String, String)>),
    /// The connection ends after this many bytes of the body.
    Cut(usize),
    /// Nothing more comes after this many bytes of the body, and the connection stays open.
    Stall(usize),
    /// No answer at all, and the connection stays open.
    Silent,
    /// One byte every few milliseconds.
    Drip(Duration),
    /// The body is this one.
    Body(Vec<u8>),
    /// The body grows without end.
    Endless,
    /// `Range` is not understood: everything is sent, with 200.
    NoRange,
    /// The header has this value.
    Header(String, String),
}

impl Loopback {
    /// Starts a hub without models, and its storage server.
    ///
    /// # Panics
    /// When no port can be had.
    #[must_use]
    pub fn start() -> Self {
        let listen = || TcpListener::bind("127.0.0.1:0").and_then(|listener| Ok((listener.local_addr()?, listener)));
        let ((hub, at_hub), (storage, at_storage)) = match (listen(), listen()) {
            (Ok(hub), Ok(storage)) => (hub, storage),
            (Err(error), _) | (_, Err(error)) => panic!("no port on the loopback interface: {error}"),
        };
        let shared = Arc::new(Shared { hub, storage, stopped: AtomicBool::new(false), state: Mutex::default() });
        for listener in [at_hub, at_storage] {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    if shared.stopped.load(Ordering::Relaxed) {
                        break;
                    }
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || http::serve(&stream, &shared));
                }
            });
        }
        Self { shared }
    }

    /// What `HF_ENDPOINT` should be.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.shared.hub)
    }

    /// Adds a commit with these files to `branch` of the model `name`, made where it is not there; gives the commit's id.
    pub fn commit(&self, name: &str, branch: &str, files: &[(&str, Vec<u8>)]) -> String {
        self.with(name, |repository| repository.commit(branch, files))
    }

    /// Adds a commit with the files of `folder`.
    ///
    /// # Panics
    /// When the folder cannot be read.
    pub fn commit_folder(&self, name: &str, branch: &str, folder: &Path) -> String {
        let files = repository::files(folder);
        let files: Vec<(&str, Vec<u8>)> =
            files.iter().map(|(path, content)| (path.as_str(), content.clone())).collect();
        self.commit(name, branch, &files)
    }

    /// Only requests with this token see the model.
    pub fn make_private(&self, name: &str, token: &str) {
        self.with(name, |repository| repository.private = Some(token.to_owned()));
    }

    /// Only requests with this token get files of the model; everyone may list it.
    pub fn make_gated(&self, name: &str, token: &str) {
        self.with(name, |repository| repository.gated = Some(token.to_owned()));
    }

    /// Lists files without lengths and digests, as some mirrors do.
    pub fn hide_details(&self, name: &str) {
        self.with(name, |repository| repository.bare = true);
    }

    /// The next `times` answers to requests whose path contains `path` go wrong.
    pub fn fault(&self, path: &str, times: usize, fault: Fault) {
        self.shared.state().faults.push((path.to_owned(), times, fault));
    }

    /// What was asked so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.shared.state().requests.clone()
    }

    /// Forgets what was asked so far.
    pub fn forget(&self) {
        self.shared.state().requests.clear();
    }

    fn with<T>(&self, name: &str, change: impl FnOnce(&mut Repository) -> T) -> T {
        let mut state = self.shared.state();
        let at = state.repositories.iter().position(|repository| repository.name == name).unwrap_or_else(|| {
            state.repositories.push(Repository::new(name));
            state.repositories.len() - 1
        });
        change(&mut state.repositories[at])
    }
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What goes wrong with this request.
    pub(crate) fn next_fault(&self, path: &str) -> Option<Fault> {
        let mut state = self.state();
        let found = state.faults.iter_mut().find(|(part, times, _)| *times > 0 && path.contains(part.as_str()))?;
        found.1 -= 1;
        Some(found.2.clone())
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // wakes the listeners
        let _ = (TcpStream::connect(self.shared.hub), TcpStream::connect(self.shared.storage));
    }
}
