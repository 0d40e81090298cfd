//! The digests that the hub names contents by.

use std::fmt;

use difftest_core::digest::{Digest, Hasher};
use sha1::{Digest as _, Sha1};

/// What a file's content is named by on the hub, and its blob in the cache.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// A large file: the SHA-256 of its bytes, 64 hex digits.
    Sha256(Digest),
    /// A small file: git's name of a blob, the SHA-1 of `blob LENGTH\0` and the bytes, 40 hex digits.
    Git(String),
}

impl Content {
    /// From the hex digits, in either case of letters; `None` where they are of neither digest.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.bytes().all(|b| b.is_ascii_hexdigit());
        match text.len() {
            64 => text.parse().ok().map(Self::Sha256),
            40 if hex => Some(Self::Git(text.to_ascii_lowercase())),
            _ => None,
        }
    }

    /// Begins to digest a file of `length` bytes in the way that this digest was made.
    pub(crate) fn begin(&self, length: u64) -> Digester {
        match self {
            Self::Sha256(_) => Digester::Sha256(Hasher::new()),
            Self::Git(_) => {
                let mut hasher = Sha1::new();
                hasher.update(format!("blob {length}\0"));
                Digester::Git(hasher)
            }
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(digest) => write!(f, "{digest}"),
            Self::Git(name) => f.write_str(name),
        }
    }
}

/// A [`Content`] that is fed piece by piece.
pub(crate) enum Digester {
    Sha256(Hasher),
    Git(Sha1),
}

impl Digester {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Git(hasher) => hasher.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Content {
        match self {
            Self::Sha256(hasher) => Content::Sha256(hasher.finish()),
            Self::Git(hasher) => Content::Git(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// `printf 'hello\n' | git hash-object --stdin`, and its `sha256sum`.
    #[test]
    fn both_digests_are_those_of_git_and_sha256sum() {
        for name in [
            "ce013625030ba8dba906f756967f9e9ca394464a",
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
        ] {
            let content = Content::parse(name).unwrap();
            let mut digester = content.begin(6);
            digester.update(b"hel");
            digester.update(b"lo\n");
            assert_eq!(digester.finish(), content);
            assert_eq!(content.to_string(), name);
        }
        assert_eq!(Content::parse("ce013625030ba8dba906f756967f9e9ca394464"), None);
        assert_eq!(Content::parse("ze013625030ba8dba906f756967f9e9ca394464a"), None);
    }
}
