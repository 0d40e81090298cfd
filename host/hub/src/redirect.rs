//! Where a request goes next, and whether the token goes with it.

use ureq::http::Uri;

/// Scheme, host and port: what a token belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Origin {
    /// The origin of an absolute http or https URL.
    pub(crate) fn of(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let usual = match scheme.as_str() {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let host = uri.host().filter(|host| !host.is_empty())?.to_ascii_lowercase();
        Some(Self { scheme, host, port: uri.port_u16().unwrap_or(usual) })
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.scheme == "https"
    }

    /// Whether it is this machine: then nobody listens on the way.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Whether a token may be sent there: not in the clear to another machine.
    pub(crate) fn may_see_tokens(&self) -> bool {
        self.is_encrypted() || self.is_loopback()
    }

    /// The host, with its port where that is not the usual one: for messages.
    pub(crate) fn name(&self) -> String {
        let usual = if self.is_encrypted() { 443 } else { 80 };
        if self.port == usual { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }
}

/// The URL that `location` means in the answer to a request for `base`.
///
/// # Errors
/// In words, when it is none, or leads from TLS to plain HTTP.
pub(crate) fn target(base: &str, location: &str) -> Result<String, &'static str> {
    const NONE: &str = "it redirects to what is no URL";
    let origin = Origin::of(base).ok_or(NONE)?;
    let location = location.split('#').next().unwrap_or_default();
    let url = if Origin::of(location).is_some() {
        location.to_owned()
    } else if let Some(rest) = location.strip_prefix("//") {
        format!("{}://{rest}", origin.scheme)
    } else if location.contains("://") || location.is_empty() {
        return Err(NONE);
    } else {
        let (front, path) = split_path(base);
        if location.starts_with('/') {
            format!("{front}{location}")
        } else {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{front}{folder}/{location}")
        }
    };
    let to = Origin::of(&url).ok_or(NONE)?;
    if origin.is_encrypted() && !to.is_encrypted() {
        return Err("it redirects from TLS to plain HTTP");
    }
    Ok(url)
}

/// `https://host` and `/path` without the query.
fn split_path(url: &str) -> (&str, &str) {
    let start = url.find("://").map_or(0, |at| at + 3);
    let path = url[start..].find(['/', '?']).map_or(url.len(), |at| start + at);
    let (front, path) = url.split_at(path);
    (front, path.split('?').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn relative_and_absolute_locations_are_resolved() {
        let base = "https://hub.example/a/resolve/main/x.json?download=true";
        for (location, expected) in [
            ("/api/resolve-cache/x.json?y=1", "https://hub.example/api/resolve-cache/x.json?y=1"),
            ("y.json", "https://hub.example/a/resolve/main/y.json"),
            ("//cdn.example/z", "https://cdn.example/z"),
            ("https://cdn.example:8443/z?sig=1#top", "https://cdn.example:8443/z?sig=1"),
        ] {
            assert_eq!(target(base, location).unwrap(), expected);
        }
        for location in ["http://hub.example/x", "ftp://hub.example/x", "file:///etc/passwd", "", "#top"] {
            assert!(target(base, location).is_err(), "{location}");
        }
    }

    #[test]
    fn another_port_or_scheme_is_another_origin() {
        let origin = |url: &str| Origin::of(url).unwrap();
        assert_eq!(origin("https://Hub.example/x"), origin("https://hub.example:443"));
        assert_ne!(origin("http://127.0.0.1:1"), origin("http://127.0.0.1:2"));
        assert_ne!(origin("http://hub.example:443"), origin("https://hub.example"));
        assert!(origin("http://127.0.0.1:1").may_see_tokens() && origin("http://[::1]:1").may_see_tokens());
        assert!(!origin("http://hub.example").may_see_tokens());
    }
}
