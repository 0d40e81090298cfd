//! Where an artifact is: `oci://HOST/NAME:VERSION`, `oci://HOST/NAME@sha256:DIGEST`, or both.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use difftest_core::digest::Digest;

use crate::error::Error;

/// What every reference begins with, where it is written for people.
pub const SCHEME: &str = "oci://";

/// An artifact in a registry. Valid by itself: the host is one, the name and tag have the form that registries accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    registry: String,
    repository: String,
    target: Target,
}

/// Which artifact of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The one that a tag names today.
    Tag(String),
    /// The one with this manifest, whatever tag was written beside it.
    Digest(Digest),
}

impl Reference {
    /// Host, and port where one was given.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path below the host, without tag.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Tag or digest.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The last part of the repository's name: what a plugin from there is called.
    #[must_use]
    pub fn name(&self) -> &str {
        self.repository.rsplit('/').next().unwrap_or(&self.repository)
    }

    /// The same repository by digest: what to sign, and what never changes.
    #[must_use]
    pub fn with_digest(&self, manifest: Digest) -> Self {
        Self { target: Target::Digest(manifest), ..self.clone() }
    }

    /// `HOST/NAME@sha256:..` or `HOST/NAME:VERSION`, as other tools write it.
    #[must_use]
    pub fn bare(&self) -> String {
        self.to_string().split_off(SCHEME.len())
    }

    /// Whether the host is this very machine, where plain HTTP is as good as TLS.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let (host, _) = split_port(&self.registry);
        let v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        host == "localhost"
            || host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
            || v6.and_then(|host| host.parse::<Ipv6Addr>().ok()).is_some_and(|address| address.is_loopback())
    }

    /// The last part of the URL of the manifest.
    pub(crate) fn manifest_name(&self) -> String {
        match &self.target {
            Target::Tag(tag) => tag.clone(),
            Target::Digest(digest) => format!("sha256:{digest}"),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.registry, self.repository)?;
        match &self.target {
            Target::Tag(tag) => write!(f, ":{tag}"),
            Target::Digest(digest) => write!(f, "@sha256:{digest}"),
        }
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fail = |reason: String| Error::Reference { text: text.to_owned(), reason };
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| fail(format!("it does not begin with {SCHEME}")))?;
        let (registry, path) = rest.split_once('/').ok_or_else(|| fail("it names no repository".into()))?;
        check_registry(registry).map_err(|reason| fail(reason.into()))?;
        let (path, digest) = match path.split_once('@') {
            Some((path, digest)) => (path, Some(parse_digest(digest).map_err(|reason| fail(reason.into()))?)),
            None => (path, None),
        };
        // a port stands before the first slash, so a colon here begins the tag
        let (repository, tag) = match path.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (path, None),
        };
        if !is_repository(repository) {
            return Err(fail(format!(
                "`{repository}` is no name for a repository: lower-case letters and digits, joined by `-`, `_`, `.` and `/`"
            )));
        }
        if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
            return Err(fail(format!(
                "`{tag}` is no tag: letters, digits, `.`, `-` and `_`, at most 128, the first a letter or digit"
            )));
        }
        let target = match (digest, tag) {
            (Some(digest), _) => Target::Digest(digest),
            (None, Some(tag)) => Target::Tag(tag.to_owned()),
            (None, None) => return Err(fail("it has no version: add `:VERSION` or `@sha256:DIGEST`".into())),
        };
        Ok(Self { registry: registry.to_owned(), repository: repository.to_owned(), target })
    }
}

/// Host and port, of which the port may be missing. An IPv6 address stands in brackets.
fn split_port(registry: &str) -> (&str, Option<&str>) {
    match registry.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (registry, None),
    }
}

fn check_registry(registry: &str) -> Result<(), &'static str> {
    let (host, port) = split_port(registry);
    if let Some(inside) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        inside.parse::<Ipv6Addr>().map_err(|_| "its host is not an IPv6 address")?;
    } else {
        let label = |part: &str| {
            !part.is_empty()
                && !part.starts_with('-')
                && !part.ends_with('-')
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if !host.split('.').all(label) {
            return Err("what stands before the first `/` is not the name of a registry");
        }
        if port.is_none() && !host.contains('.') && host != "localhost" {
            return Err("it names no registry: write the host too, such as `ghcr.io`");
        }
    }
    match port.map(str::parse::<u16>) {
        None | Some(Ok(1..)) => Ok(()),
        _ => Err("its port is not a number from 1 to 65535"),
    }
}

/// The grammar of the distribution specification: parts of lower-case words joined by `.`, `_`, `__` or dashes.
fn is_repository(name: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let part = |part: &str| {
        let bytes = part.as_bytes();
        let edges = bytes.first().copied().is_some_and(word) && bytes.last().copied().is_some_and(word);
        let separators = part.split(|c: char| c.is_ascii() && word(c as u8)).filter(|s| !s.is_empty());
        edges && separators.into_iter().all(|s| matches!(s, "." | "_" | "__") || s.bytes().all(|b| b == b'-'))
    };
    name.len() <= 255 && name.split('/').all(part)
}

fn is_tag(tag: &str) -> bool {
    let first = tag.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    first && tag.len() <= 128 && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// `sha256:` and 64 lower-case hex digits.
pub(crate) fn parse_digest(text: &str) -> Result<Digest, &'static str> {
    let hex = text.strip_prefix("sha256:").ok_or("its digest is not one of SHA-256")?;
    let lower = hex.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase());
    hex.parse().ok().filter(|_| lower).ok_or("its digest is not `sha256:` and 64 lower-case hex digits")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn names_and_digests_are_read_and_written_alike() {
        let digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        for text in [
            "oci://ghcr.io/acme/plugins/sharp-ness:0.3.1".to_owned(),
            "oci://localhost:5000/a:1.0.0-rc.1".to_owned(),
            "oci://[::1]:5000/a__b:v1".to_owned(),
            format!("oci://127.0.0.1:5000/acme/a@sha256:{digest}"),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), text);
        }
        let both: Reference = format!("oci://ghcr.io/acme/a:1.0.0@sha256:{digest}").parse().unwrap();
        assert_eq!(both.target(), &Target::Digest(digest.parse().unwrap()));
        assert_eq!((both.registry(), both.repository(), both.name()), ("ghcr.io", "acme/a", "a"));
        assert_eq!(both.bare(), format!("ghcr.io/acme/a@sha256:{digest}"));
    }

    #[test]
    fn nonsense_is_told_what_it_is() {
        for (text, says) in [
            ("ghcr.io/a:1", "oci://"),
            ("oci://ghcr.io", "no repository"),
            ("oci://acme/a:1", "no registry"),
            ("oci://user@host.io/a:1", "not the name of a registry"),
            ("oci://host.io:0/a:1", "port"),
            ("oci://host.io:99999/a:1", "port"),
            ("oci://[zz]/a:1", "IPv6"),
            ("oci://host.io/a", "no version"),
            ("oci://host.io/A:1", "no name for a repository"),
            ("oci://host.io/a/../b:1", "no name for a repository"),
            ("oci://host.io/a//b:1", "no name for a repository"),
            ("oci://host.io/a?x=1:1", "no name for a repository"),
            ("oci://host.io/a:1+2", "no tag"),
            ("oci://host.io/a:", "no tag"),
            ("oci://host.io/a@md5:0", "SHA-256"),
            ("oci://host.io/a@sha256:00", "64"),
            (&format!("oci://host.io/a@sha256:{}", "A".repeat(64)), "lower-case"),
        ] {
            let error = text.parse::<Reference>().unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn loopback_is_this_machine_only() {
        for (host, loopback) in [
            ("localhost:5000", true),
            ("127.0.0.1", true),
            ("127.9.9.9:1", true),
            ("[::1]:5000", true),
            ("127.0.0.1.evil.io", false),
            ("localhost.evil.io", false),
            ("10.0.0.1:5000", false),
        ] {
            let reference: Reference = format!("oci://{host}/a:1").parse().unwrap();
            assert_eq!(reference.is_loopback(), loopback, "{host}");
        }
    }
}
