//! `ORG/NAME[@REVISION]`.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// The branch that is meant where no revision is named.
const DEFAULT_REVISION: &str = "main";

/// A model on the hub. Its parts are safe in URLs and as names of files.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModelId {
    repository: String,
    revision: Option<String>,
}

impl ModelId {
    /// `ORG/NAME`; `NAME` alone for a few old models.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Branch, tag or commit; `main` where none is named.
    #[must_use]
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or(DEFAULT_REVISION)
    }

    /// The revision, where it is a whole commit id: then nothing about it can change.
    #[must_use]
    pub fn commit(&self) -> Option<&str> {
        self.revision.as_deref().filter(|revision| is_commit(revision))
    }

    /// The same model at another revision.
    ///
    /// # Errors
    /// When `revision` is no name of a revision.
    pub fn at(&self, revision: &str) -> Result<Self, Error> {
        format!("{}@{revision}", self.repository).parse()
    }

    /// Its folder in the cache: `models--ORG--NAME`.
    pub(crate) fn folder(&self) -> String {
        format!("models--{}", self.repository.replace('/', "--"))
    }
}

/// 40 lower-case hex digits.
pub(crate) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository)?;
        self.revision.iter().try_for_each(|revision| write!(f, "@{revision}"))
    }
}

impl FromStr for ModelId {
    type Err = Error;

    /// The Python client's rules for names: letters, digits, `-`, `_`, `.`; no `--` or `..`; neither `-` nor `.` at an end; at
    /// most 96 characters; not `.git` at the end. Revisions follow git's rules, without the characters that no hub allows.
    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = |reason: &str| Err(Error::Id { text: text.to_owned(), reason: reason.to_owned() });
        let (repository, revision) = match text.split_once('@') {
            Some((repository, revision)) => (repository, Some(revision)),
            None => (text, None),
        };
        let parts: Vec<&str> = repository.split('/').collect();
        if parts.len() > 2 {
            return refuse("a model is named ORG/NAME");
        }
        if repository.len() > 96 {
            return refuse("its name is longer than 96 characters");
        }
        for part in parts {
            let plain = part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
            if part.is_empty() || !plain {
                return refuse("names have letters, digits, `-`, `_` and `.`");
            }
            if part.starts_with(['-', '.']) || part.ends_with(['-', '.']) {
                return refuse("names do not start or end with `-` or `.`");
            }
            if part.contains("--") || part.contains("..") {
                return refuse("names have no `--` and no `..`");
            }
        }
        if repository.ends_with(".git") {
            return refuse("names do not end with `.git`");
        }
        if let Some(revision) = revision {
            let plain = revision.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./+".contains(&b));
            let bad = |part: &str| part.is_empty() || part.starts_with(['.', '-']) || part.ends_with(['.', ' ']);
            if !plain || revision.len() > 200 || revision.contains("..") || revision.split('/').any(bad) {
                return refuse("what follows `@` is no name of a branch, a tag or a commit");
            }
        }
        Ok(Self { repository: repository.to_owned(), revision: revision.map(str::to_owned) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_and_revisions_are_taken_apart() {
        let id: ModelId = "stabilityai/sdxl-turbo".parse().unwrap();
        assert_eq!((id.repository(), id.revision(), id.commit()), ("stabilityai/sdxl-turbo", "main", None));
        assert_eq!(id.folder(), "models--stabilityai--sdxl-turbo");
        let pinned = id.at("71153311d3dbb46851df1931d3ca6e939de83304").unwrap();
        assert_eq!(pinned.commit(), Some(pinned.revision()));
        assert_eq!(pinned.to_string(), "stabilityai/sdxl-turbo@71153311d3dbb46851df1931d3ca6e939de83304");
        for text in ["gpt2", "a/b@refs/pr/1", "Foo-BAR_foo.bar123", "a/b@v1.0+fp16"] {
            assert_eq!(text.parse::<ModelId>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_could_lead_elsewhere_is_no_name() {
        for text in [
            "",
            "/",
            "a/",
            "/a",
            "a/b/c",
            "../a",
            "a/..",
            "a/b..c",
            "a--b/c",
            ".a/b",
            "a/b.",
            "a/-b",
            "a/b.git",
            "a/b c",
            "a\\b/c",
            "C:/a",
            "a/b@",
            "a/b@..",
            "a/b@../../x",
            "a/b@/x",
            "a/b@x/",
            "a/b@x//y",
            "a/b@x@y",
            "a/b@-x",
            "a/b@x\n",
            "a/b?c",
            "a/b#c",
            "a/b%2e",
            "ä/b",
            "a/b@.x",
            "datasets/a/b",
        ] {
            assert!(text.parse::<ModelId>().is_err(), "{text:?}");
        }
        assert!(format!("a/{}", "b".repeat(95)).parse::<ModelId>().is_err());
    }
}
