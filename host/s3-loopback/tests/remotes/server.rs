//! The server, started for one test. The tests of the program use it too.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Writer,
    Reader,
    /// The writer with a wrong secret.
    Impostor,
}

/// A running server with one bucket, named `bucket`.
pub struct Server {
    child: Child,
    program: PathBuf,
    pub address: String,
    folder: tempfile::TempDir,
}

impl Server {
    pub fn start(program: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("bucket")).unwrap();
        let (child, address) = launch(program, folder.path(), "0");
        Self { child, program: program.to_owned(), address, folder }
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again at the same address with what it had stored.
    pub fn restart(&mut self) {
        self.kill();
        let port = self.address.rsplit(':').next().unwrap().to_owned();
        (self.child, self.address) = launch(&self.program, self.folder.path(), &port);
    }

    /// Where an object of the bucket lies.
    pub fn object(&self, key: &str) -> PathBuf {
        self.folder.path().join("bucket").join(key)
    }

    /// What `difftest` has to find in its environment.
    pub fn environment(&self, who: Who) -> Vec<(String, String)> {
        environment(&self.address, who)
    }
}

/// The same for another address, such as that of a proxy.
pub fn environment(address: &str, who: Who) -> Vec<(String, String)> {
    let (key, secret) = match who {
        Who::Writer => ("loopback-writer", "a secret of the writer"),
        Who::Reader => ("loopback-reader", "a secret of the reader"),
        Who::Impostor => ("loopback-writer", "not the writer's secret"),
    };
    let endpoint = format!("http://{address}");
    [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", key),
        ("AWS_SECRET_ACCESS_KEY", secret),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn launch(program: &Path, folder: &Path, port: &str) -> (Child, String) {
    let mut child = Command::new(program).arg(folder).arg(port).stdout(Stdio::piped()).spawn().unwrap();
    let mut address = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
    assert!(!address.is_empty(), "{} does not start", program.display());
    (child, address.trim().to_owned())
}
