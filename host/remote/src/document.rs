//! Small JSON documents that carry their own digest.
//!
//! ```json
//! {"format":1,"b3":"64 hex digits","content":{...}}
//! ```
//!
//! The digest is over the bytes of the content as they stand in the file, so that reading verifies them before anything parses them.

use difftest_core::digest::NotADigest;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::blob::BlobId;

/// The version of everything this crate writes.
pub const FORMAT: u64 = 1;

/// What a document begins with.
#[derive(serde::Deserialize)]
struct Head {
    format: u64,
}

/// Why a document cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It is not what was written.
    #[error("{0}")]
    Damaged(String),
    /// It is of a later version.
    #[error("has format {0}")]
    Newer(u64),
}

fn prefix(digest: BlobId) -> String {
    format!("{{\"format\":{FORMAT},\"b3\":\"{digest}\",\"content\":")
}

/// The bytes of a document.
///
/// # Errors
/// Where `content` is nothing that JSON can say.
pub fn sealed(content: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let content = serde_json::to_vec(content)?;
    let mut bytes = prefix(BlobId::of(&content)).into_bytes();
    bytes.extend_from_slice(&content);
    bytes.extend_from_slice(b"}\n");
    Ok(bytes)
}

/// The content of a document.
///
/// # Errors
/// [`Unusable`] where the bytes are not those that were written, or of a later version.
pub fn opened<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unusable> {
    let damaged = |why: &str| Unusable::Damaged(why.to_owned());
    let Some((digest, content)) = split(bytes) else {
        return match serde_json::from_slice::<Head>(bytes) {
            Ok(Head { format }) if format > FORMAT => Err(Unusable::Newer(format)),
            _ => Err(damaged("is no document of difftest")),
        };
    };
    let digest: BlobId = digest.parse().map_err(|_: NotADigest| damaged("has no digest"))?;
    if BlobId::of(content) != digest {
        return Err(damaged("is not what its digest says"));
    }
    serde_json::from_slice(content).map_err(|error| Unusable::Damaged(format!("has content of another kind: {error}")))
}

/// The digest in it and the bytes that it is over.
fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let head = format!("{{\"format\":{FORMAT},\"b3\":\"");
    let rest = bytes.strip_prefix(head.as_bytes())?;
    let (digest, rest) = rest.split_at_checked(64)?;
    let content = rest.strip_prefix(b"\",\"content\":")?.strip_suffix(b"}\n")?;
    Some((std::str::from_utf8(digest).ok()?, content))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn any_changed_byte_is_noticed() {
        let bytes = sealed(&serde_json::json!({ "score": 0.1, "name": "ä" })).unwrap();
        let read: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(read["content"]["score"], 0.1, "it is JSON for others too");
        assert_eq!(opened::<serde_json::Value>(&bytes).unwrap(), read["content"]);
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(opened::<serde_json::Value>(&damaged).is_err(), "byte {at}");
            assert!(opened::<serde_json::Value>(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_later_format_is_named() {
        let error = opened::<serde_json::Value>(b"{\"format\":7,\"anything\":[]}").unwrap_err();
        assert!(matches!(error, Unusable::Newer(7)), "{error}");
    }
}
