//! What the environment says: the Python client's variables, with the meanings they have there.
//!
//! | variable | what |
//! |---|---|
//! | `HF_HUB_CACHE`, else `HUGGINGFACE_HUB_CACHE` | the cache; `HF_HOME/hub` where not set |
//! | `HF_HOME` | `XDG_CACHE_HOME/huggingface` where not set, `~/.cache/huggingface` without that |
//! | `HF_TOKEN`, else `HUGGING_FACE_HUB_TOKEN`, else the file `HF_TOKEN_PATH` (`HF_HOME/token`) | the token |
//! | `HF_HUB_DISABLE_IMPLICIT_TOKEN` | no token is sent |
//! | `HF_ENDPOINT` | another hub |
//! | `HF_HUB_OFFLINE`, else `TRANSFORMERS_OFFLINE` | no request is sent |
//! | `HF_HUB_ETAG_TIMEOUT`, `HF_HUB_DOWNLOAD_TIMEOUT` | seconds to wait for an answer, and for more bytes |
//! | `HF_HUB_DISABLE_SYMLINKS` | copies instead of links |
//! | `DIFFTEST_HF_FALLBACK_ENDPOINT` | a mirror that is asked where the endpoint cannot be reached; never sent the token |
//!
//! An empty variable is one that is not set. `1`, `ON`, `YES` and `TRUE` switch on, in any case of letters.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::Error;
use crate::patience::Patience;
use crate::redirect::Origin;

/// The hub that is asked where `HF_ENDPOINT` names no other.
pub const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// The mirror that difftest alone knows.
const FALLBACK: &str = "DIFFTEST_HF_FALLBACK_ENDPOINT";

/// A secret that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token without the white space around it; `None` where nothing is left, or what no header can carry.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())).then(|| Self(text.to_owned()))
    }

    pub(crate) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Where models come from and where they are kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The cache: `models--ORG--NAME` and `.locks` lie in it.
    pub cache: PathBuf,
    /// URL of the hub, without a slash at its end.
    pub endpoint: String,
    /// URL of the mirror that is asked where the endpoint cannot be reached.
    pub fallback: Option<String>,
    /// The token that the endpoint gets.
    pub token: Option<Token>,
    /// What forbids requests, in words (`--offline`, `HF_HUB_OFFLINE=1`); `None` where they are allowed.
    pub offline: Option<String>,
    /// Copies instead of symbolic links.
    pub copies: bool,
    /// How long to wait.
    pub patience: Patience,
}

impl Settings {
    /// From the environment of the process. `offline` is what the command line says.
    ///
    /// # Errors
    /// When a variable has a value that means nothing, or no home folder is known.
    pub fn from_env(offline: bool) -> Result<Self, Error> {
        Self::read(&|name| std::env::var_os(name), std::env::home_dir(), offline)
    }

    pub(crate) fn read(
        get: &dyn Fn(&str) -> Option<OsString>,
        home: Option<PathBuf>,
        offline: bool,
    ) -> Result<Self, Error> {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        let text = |name: &str| get(name).map(|value| value.to_string_lossy().into_owned());
        let on = |name: &str| text(name).filter(|value| is_true(value));
        let folder = |name: &str| get(name).map(|value| expanded(&value, home.as_deref(), &get));
        let hf_home = folder("HF_HOME").or_else(|| Some(folder("XDG_CACHE_HOME")?.join("huggingface")));
        let hf_home = hf_home.or_else(|| Some(home.as_deref()?.join(".cache").join("huggingface")));
        let needs_home = || Error::Settings {
            variable: "HF_HOME",
            reason: "it is not set, and no home folder is known to keep models in".into(),
        };
        let cache = folder("HF_HUB_CACHE").or_else(|| folder("HUGGINGFACE_HUB_CACHE"));
        let cache = match cache.or_else(|| Some(hf_home.as_ref()?.join("hub"))) {
            // links lie at several depths, and the working directory may change
            Some(cache) => std::path::absolute(&cache).unwrap_or(cache),
            None => return Err(needs_home()),
        };
        let endpoint = |variable: &'static str| text(variable).map(|url| checked_endpoint(variable, &url)).transpose();
        let token = || {
            let said = text("HF_TOKEN").or_else(|| text("HUGGING_FACE_HUB_TOKEN"));
            let file = || folder("HF_TOKEN_PATH").or_else(|| Some(hf_home.as_ref()?.join("token")));
            // what is there and cannot be read is as good as no token: most models need none
            said.or_else(|| std::fs::read_to_string(file()?).ok()).as_deref().and_then(Token::new)
        };
        let seconds = |variable: &'static str, default: Duration| match text(variable) {
            None => Ok(default),
            Some(value) => match value.trim().parse::<u64>() {
                Ok(seconds) if (1..=86_400).contains(&seconds) => Ok(Duration::from_secs(seconds)),
                // Python's `int(..) or DEFAULT`
                Ok(0) => Ok(default),
                _ => Err(Error::Settings { variable, reason: format!("`{value}` is no number of seconds") }),
            },
        };
        let usual = Patience::default();
        let forbidden = |name: &str| on(name).map(|value| format!("{name}={value}"));
        // the first that is set counts, as in Python's `A or B`
        let variable = if text("HF_HUB_OFFLINE").is_some() { "HF_HUB_OFFLINE" } else { "TRANSFORMERS_OFFLINE" };
        Ok(Self {
            cache,
            endpoint: endpoint("HF_ENDPOINT")?.unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned()),
            fallback: endpoint(FALLBACK)?,
            token: if on("HF_HUB_DISABLE_IMPLICIT_TOKEN").is_some() { None } else { token() },
            offline: if offline { Some("--offline".to_owned()) } else { forbidden(variable) },
            copies: on("HF_HUB_DISABLE_SYMLINKS").is_some(),
            patience: Patience {
                answer: seconds("HF_HUB_ETAG_TIMEOUT", usual.answer)?,
                stall: seconds("HF_HUB_DOWNLOAD_TIMEOUT", usual.stall)?,
                ..usual
            },
        })
    }
}

fn is_true(value: &str) -> bool {
    ["1", "ON", "YES", "TRUE"].iter().any(|word| word.eq_ignore_ascii_case(value))
}

fn checked_endpoint(variable: &'static str, url: &str) -> Result<String, Error> {
    let url = url.trim().trim_end_matches('/');
    match Origin::of(url) {
        Some(_) if !url.contains(['?', '#', '@']) => Ok(url.to_owned()),
        _ => Err(Error::Settings { variable, reason: format!("`{url}` is no http or https URL of a hub") }),
    }
}

/// `~` and `$NAME` or `${NAME}` replaced, as Python's `expanduser` and `expandvars` do; unknown names stay.
fn expanded(value: &OsString, home: Option<&Path>, get: &dyn Fn(&str) -> Option<OsString>) -> PathBuf {
    let Some(text) = value.to_str() else { return PathBuf::from(value) };
    let text = match (text.strip_prefix('~'), home.and_then(Path::to_str)) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with(['/', '\\']) => format!("{home}{rest}"),
        _ => text.to_owned(),
    };
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
        let (name, behind) = braced.unwrap_or_else(|| after.split_at(end));
        match get(name).filter(|_| !name.is_empty()) {
            Some(value) => out.push_str(&value.to_string_lossy()),
            None => out.push_str(&rest[before.len()..rest.len() - behind.len()]),
        }
        rest = behind;
    }
    out.push_str(rest);
    PathBuf::from(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, Error> {
        let get = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        Settings::read(&get, Some("/home/ada".into()), false)
    }

    #[test]
    #[cfg(unix)]
    fn the_cache_is_where_python_has_it() {
        for (variables, cache) in [
            (&[][..], "/home/ada/.cache/huggingface/hub"),
            (&[("XDG_CACHE_HOME", "/x")], "/x/huggingface/hub"),
            (&[("XDG_CACHE_HOME", "/x"), ("HF_HOME", "~/hf")], "/home/ada/hf/hub"),
            (&[("HF_HOME", "/hf"), ("HUGGINGFACE_HUB_CACHE", "/old")], "/old"),
            (&[("HF_HUB_CACHE", "$DATA/${SUB}/$NO"), ("DATA", "/d"), ("SUB", "s"), ("HF_HOME", "/hf")], "/d/s/$NO"),
            (&[("HF_HUB_CACHE", ""), ("HF_HOME", "/hf")], "/hf/hub"),
        ] {
            assert_eq!(read(variables).unwrap().cache, Path::new(cache), "{variables:?}");
        }
    }

    #[test]
    fn switches_and_numbers_mean_what_they_mean_in_python() {
        assert_eq!(read(&[("HF_HUB_OFFLINE", "yes")]).unwrap().offline.as_deref(), Some("HF_HUB_OFFLINE=yes"));
        assert_eq!(read(&[("HF_HUB_OFFLINE", "0"), ("TRANSFORMERS_OFFLINE", "1")]).unwrap().offline, None);
        assert!(read(&[("TRANSFORMERS_OFFLINE", "ON")]).unwrap().offline.is_some());
        assert_eq!(read(&[("HF_HUB_DOWNLOAD_TIMEOUT", "3")]).unwrap().patience.stall, Duration::from_secs(3));
        let error = read(&[("HF_HUB_ETAG_TIMEOUT", "soon")]).unwrap_err().to_string();
        assert!(error.contains("HF_HUB_ETAG_TIMEOUT") && error.contains("soon"), "{error}");
    }

    #[test]
    fn endpoints_are_urls() {
        assert_eq!(read(&[]).unwrap().endpoint, DEFAULT_ENDPOINT);
        assert_eq!(read(&[("HF_ENDPOINT", "http://127.0.0.1:9/")]).unwrap().endpoint, "http://127.0.0.1:9");
        for wrong in ["hub.example", "ftp://hub.example", "https://user:pw@hub.example", "https://"] {
            assert!(read(&[("HF_ENDPOINT", wrong)]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_token_is_found_switched_off_and_never_shown() {
        let settings = read(&[("HF_TOKEN", " hf_secret\n")]).unwrap();
        assert_eq!(settings.token.as_ref().map(Token::header).as_deref(), Some("Bearer hf_secret"));
        assert!(!format!("{settings:?}").contains("secret"));
        assert_eq!(read(&[("HF_TOKEN", "hf_secret"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]).unwrap().token, None);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "from-file\n").unwrap();
        let path = file.path().to_str().unwrap();
        let settings = read(&[("HF_TOKEN_PATH", path)]).unwrap();
        assert_eq!(settings.token.map(|token| token.header()).as_deref(), Some("Bearer from-file"));
        assert_eq!(Token::new("two words"), None);
    }
}
