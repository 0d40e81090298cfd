//! A hub with a model, a cache of its own, and a client that does not wait long.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use difftest_hub::{Error, Event, Hub, ModelId, Observer, Patience, Settings, Snapshot};
use difftest_hub_loopback::Loopback;
use tempfile::TempDir;

/// The model that the tests fetch.
pub(crate) const MODEL: &str = "acme/tiny";
/// A large file of it, kept by the storage server.
pub(crate) const WEIGHTS: &str = "unet/diffusion_pytorch_model.safetensors";
/// A small file of it, kept by the hub itself.
pub(crate) const CONFIG: &str = "unet/config.json";
/// Length of the large file.
pub(crate) const LENGTH: usize = 3_000_000;

/// Bytes that look like weights and differ from place to place.
pub(crate) fn weights(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let byte = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(byte).collect()
}

pub(crate) struct World {
    pub(crate) hub: Loopback,
    pub(crate) commit: String,
    pub(crate) cache: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let hub = Loopback::start();
        let commit = hub.commit(
            MODEL,
            "main",
            &[
                ("model_index.json", b"{\"_class_name\": \"StableDiffusionPipeline\"}".to_vec()),
                (CONFIG, b"{\"a\": 1}\n".to_vec()),
                (WEIGHTS, weights(LENGTH)),
                ("README.md", b"about\n".to_vec()),
            ],
        );
        Self { hub, commit, cache: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn settings(&self) -> Settings {
        let patience = Patience {
            answer: Duration::from_millis(400),
            stall: Duration::from_millis(400),
            slowest: 1024,
            tries: 3,
            pause: Duration::from_millis(10),
            longest: Duration::from_secs(3),
        };
        let (cache, endpoint) = (self.cache.path().to_owned(), self.hub.url());
        Settings { cache, endpoint, fallback: None, token: None, offline: None, copies: false, patience }
    }

    pub(crate) fn client(&self) -> Hub {
        Hub::new(self.settings()).unwrap()
    }

    /// Lists and fetches these files.
    pub(crate) fn fetch(&self, files: &[&str]) -> Result<Snapshot, Error> {
        self.fetch_with(&self.client(), files, &())
    }

    pub(crate) fn fetch_with(&self, client: &Hub, files: &[&str], observer: &dyn Observer) -> Result<Snapshot, Error> {
        client.fetch(&client.list(&id(), observer)?, files, observer)
    }

    /// Where a blob that is not whole lies.
    pub(crate) fn incomplete(&self) -> PathBuf {
        let blobs = self.cache.path().join("models--acme--tiny/blobs");
        let name = difftest_core::digest::Digest::of(&weights(LENGTH));
        blobs.join(format!("{name}.incomplete"))
    }

    /// The `Range` headers of all requests for the large file at the storage server, in order.
    pub(crate) fn ranges(&self) -> Vec<Option<String>> {
        let requests = self.hub.requests();
        let bodies = requests.iter().filter(|request| request.to_storage);
        bodies.map(|request| request.header("range").map(str::to_owned)).collect()
    }
}

pub(crate) fn id() -> ModelId {
    MODEL.parse().unwrap()
}

/// Keeps what it is told.
#[derive(Default)]
pub(crate) struct Diary(Mutex<Vec<String>>);

impl Observer for Diary {
    fn event(&self, event: Event<'_>) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }
}

impl Diary {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn says(&self, part: &str) -> bool {
        self.lines().iter().any(|line| line.contains(part))
    }
}
