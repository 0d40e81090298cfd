//! Against a real registry server on this machine, and against one whose bytes are tampered with on the way.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod faults;
mod interop;
mod login;
mod proxy;
// the program's own tests use more of it
#[allow(dead_code)]
mod server;
mod transfer;
