//! Plugins in container registries: push, pull and resolve of WebAssembly components as OCI artifacts.
//!
//! ```text
//! "oci://HOST/NAME:VERSION" -> Reference
//! Client::push(reference, artifact)  blobs first, the manifest last: a name is whole or not there
//! Client::pull(reference)            manifest -> judged -> one layer, its size and digest checked -> bytes
//! Client::resolve(reference)         manifest -> judged; no layer is fetched
//! ```
//!
//! The layout is the CNCF's "Wasm OCI Artifact layout", so that `wkg`, `oras` and `skopeo` read what is pushed here and the other
//! way round: a manifest `application/vnd.oci.image.manifest.v1+json`, a config `application/vnd.wasm.config.v0+json`, one layer
//! `application/wasm` whose digest is the SHA-256 of the component file.
//!
//! Invariants, whatever a server sends:
//! - nothing is parsed before its digest is checked, where a digest is known (a name by version has none: then the digest of what
//!   came is computed, and compared with what the server calls it);
//! - no body is read beyond the size that was declared for it, and no size above the limit is accepted;
//! - every wait ends: connecting, an answer, the next bytes, and the whole of a body (see [`Timeouts`]);
//! - only requests that change nothing are repeated;
//! - credentials go to the registry and to the token service it names, never along a redirect;
//! - what a server says is shown on one line, without control characters, cut.
//!
//! | file | holds |
//! |---|---|
//! | `reference.rs` | `oci://HOST/NAME:VERSION` |
//! | `client.rs`, `push.rs` | the three operations, in terms of requests |
//! | `manifest.rs` | what is pushed, and the judgement of what is pulled |
//! | `transport.rs` | one request: timeouts, retries, bounded bodies |
//! | `session.rs` | requests to one repository, with the logins they need |
//! | `credentials.rs` | the auth files of container tools |
//! | `error.rs` | what can go wrong, and what to do next |

mod client;
mod credentials;
mod error;
mod manifest;
mod push;
mod reference;
mod session;
mod text;
mod transport;

pub use client::{Client, Limits, Options, Progress, Pulled, Pushed, Resolved};
pub use credentials::AuthFiles;
pub use error::Error;
pub use manifest::{Annotations, Artifact, CONFIG_TYPE, LAYER_TYPE, MANIFEST_TYPE};
pub use reference::{Reference, SCHEME, Target};
pub use transport::Timeouts;
