//! Remotes on a server that speaks S3, with everything that happens on the way to one.
#![allow(clippy::unwrap_used, unreachable_pub, missing_docs)]

mod faults;
mod proxy;
mod racing;
mod refusals;
#[allow(dead_code)]
mod server;

use std::path::{Path, PathBuf};

use difftest_remote::Remote;
use difftest_remote::log::Author;

use server::{Server, Who};

fn start() -> Server {
    Server::start(Path::new(env!("CARGO_BIN_EXE_difftest-s3-loopback")))
}

/// The remote at an address, which is the server's or a proxy's.
fn remote(address: &str, who: Who) -> Remote {
    Remote::open("s3://bucket/project?timeout=5s", &server::environment(address, who)).unwrap()
}

fn author() -> Author {
    Author { by: "test".into(), at: "2026-01-02T03:04:05Z".into() }
}

/// A file of so many bytes that repeat nowhere.
fn recording(folder: &Path, name: &str, length: usize) -> PathBuf {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}
