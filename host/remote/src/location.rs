//! Where a remote is: its URL, its options, and the mistakes one can make with them.
//!
//! ```text
//! s3://BUCKET/PREFIX     options: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL, AWS_ALLOW_HTTP ...
//! gs://BUCKET/PREFIX     options: GOOGLE_APPLICATION_CREDENTIALS, GOOGLE_SERVICE_ACCOUNT ...
//! az://CONTAINER/PREFIX  options: AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ACCOUNT_KEY ...
//! file:///ABSOLUTE/PATH  or a path
//! ```
//!
//! Options that are no credentials may stand in the URL too: `s3://bucket/prefix?region=eu-west-1&timeout=30s`. An option that nobody
//! knows is an error, and so is a variable that is one slip of the keyboard away from a known one; variables that are for other
//! programs are left alone.

use std::path::PathBuf;
use std::str::FromStr as _;

use difftest_core::nearest::did_you_mean;
use object_store::aws::AmazonS3ConfigKey;
use object_store::azure::AzureConfigKey;
use object_store::gcp::GoogleConfigKey;
use url::Url;

use crate::error::Error;
use crate::secrets::{Secrets, is_secret};

/// The variables that options come from.
pub type Environment = Vec<(String, String)>;

/// The kinds of stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    S3,
    Google,
    Azure,
    Folder,
}

/// What URLs may begin with.
const SCHEMES: [(&str, Kind); 5] =
    [("s3", Kind::S3), ("gs", Kind::Google), ("az", Kind::Azure), ("azure", Kind::Azure), ("file", Kind::Folder)];

/// What an `s3` remote is usually told, for messages and to notice slips.
const S3_OPTIONS: [&str; 18] = [
    "access_key_id",
    "secret_access_key",
    "session_token",
    "region",
    "default_region",
    "endpoint",
    "endpoint_url",
    "endpoint_url_s3",
    "allow_http",
    "skip_signature",
    "virtual_hosted_style_request",
    "request_payer",
    "checksum_algorithm",
    "unsigned_payload",
    "web_identity_token_file",
    "role_arn",
    "role_session_name",
    "server_side_encryption",
];

const GOOGLE_OPTIONS: [&str; 5] =
    ["application_credentials", "service_account", "service_account_key", "base_url", "skip_signature"];

const AZURE_OPTIONS: [&str; 10] = [
    "storage_account_name",
    "storage_account_key",
    "storage_sas_key",
    "storage_token",
    "storage_client_id",
    "storage_client_secret",
    "storage_tenant_id",
    "storage_endpoint",
    "storage_use_emulator",
    "federated_token_file",
];

/// Options of the HTTP client, which every remote but a folder has.
const CLIENT_OPTIONS: [&str; 6] =
    ["timeout", "connect_timeout", "read_timeout", "proxy_url", "proxy_excludes", "allow_http"];

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Self::S3 => "AWS_",
            Self::Google => "GOOGLE_",
            Self::Azure => "AZURE_",
            Self::Folder => "",
        }
    }

    fn options(self) -> &'static [&'static str] {
        match self {
            Self::S3 => &S3_OPTIONS,
            Self::Google => &GOOGLE_OPTIONS,
            Self::Azure => &AZURE_OPTIONS,
            Self::Folder => &[],
        }
    }

    /// Whether the client library knows this option.
    fn knows(self, key: &str) -> bool {
        match self {
            Self::S3 => AmazonS3ConfigKey::from_str(key).is_ok(),
            Self::Google => GoogleConfigKey::from_str(key).is_ok(),
            Self::Azure => AzureConfigKey::from_str(key).is_ok(),
            Self::Folder => false,
        }
    }
}

/// A place that was understood.
#[derive(Clone, Debug)]
pub struct Location {
    pub(crate) kind: Kind,
    /// The URL without options and without anything secret, for messages and results.
    shown: String,
    /// The bucket or container; empty for a folder.
    pub(crate) bucket: String,
    /// The path in the bucket, or the folder.
    pub(crate) path: String,
    /// Lower-case names as the client library knows them.
    pub(crate) options: Vec<(String, String)>,
    pub(crate) secrets: Secrets,
}

impl Location {
    /// Reads a URL or a path, with options from it and from `environment`.
    ///
    /// # Errors
    /// [`Error::Usage`] for an unknown scheme or option, a credential in the URL, a URL without a bucket.
    pub fn parse(text: &str, environment: &Environment) -> Result<Self, Error> {
        let Some((scheme, rest)) = text.split_once("://") else { return folder(text) };
        let Some((_, kind)) = SCHEMES.iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name)) else {
            let schemes = SCHEMES.map(|(name, _)| name);
            return Err(usage(
                format!("`{scheme}://` is no kind of remote that difftest knows"),
                format!("{}, or a path of a folder", did_you_mean(scheme, schemes, "known are")),
            ));
        };
        if *kind == Kind::Folder {
            return folder(&decoded(rest)?);
        }
        let url = Url::parse(text).map_err(|error| {
            usage("the URL of the remote cannot be read", format!("{error}; write {scheme}://BUCKET/PREFIX"))
        })?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(usage("the URL of the remote has a name or a password in it", credentials_hint(*kind)));
        }
        let bucket = url.host_str().unwrap_or_default();
        if bucket.is_empty() {
            return Err(usage(format!("{scheme}:// names no bucket"), format!("write {scheme}://BUCKET/PREFIX")));
        }
        let path = url.path().trim_matches('/').to_owned();
        let shown = format!("{scheme}://{bucket}{}{path}", if path.is_empty() { "" } else { "/" });
        let mut location = Self {
            kind: *kind,
            shown,
            bucket: bucket.to_owned(),
            path,
            options: Vec::new(),
            secrets: Secrets::default(),
        };
        location.take_environment(environment)?;
        for (key, value) in url.query_pairs() {
            location.take_option(&key.to_ascii_lowercase(), &value)?;
        }
        Ok(location)
    }

    /// The URL as people may see it.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// An option of the URL.
    fn take_option(&mut self, key: &str, value: &str) -> Result<(), Error> {
        if !self.kind.knows(key) {
            let known = self.kind.options().iter().chain(&CLIENT_OPTIONS).copied().collect::<Vec<_>>();
            return Err(usage(
                format!("`{key}` is no option of a remote at {}", self.shown),
                did_you_mean(key, known, "known options"),
            ));
        }
        if is_secret(key) {
            return Err(usage(format!("`{key}` is a credential, and stands in a URL"), credentials_hint(self.kind)));
        }
        self.options.push((key.to_owned(), value.to_owned()));
        Ok(())
    }

    fn take_environment(&mut self, environment: &Environment) -> Result<(), Error> {
        let prefix = self.kind.prefix();
        for (name, value) in environment {
            if is_secret(name) {
                self.secrets.add(value);
            }
            let Some(rest) = name.strip_prefix(prefix) else {
                if self.kind == Kind::Google && name == "SERVICE_ACCOUNT" {
                    self.options.push(("google_service_account".into(), value.clone()));
                }
                continue;
            };
            let key = name.to_ascii_lowercase();
            // an empty variable is how many set none
            if value.is_empty() {
                continue;
            }
            if self.kind.knows(&key) {
                self.options.push((key, value.clone()));
                continue;
            }
            let rest = rest.to_ascii_lowercase();
            let slip = |known: &&&str| strsim::damerau_levenshtein(&rest, known) <= 2 && rest.len() > 5;
            if let Some(meant) = self.kind.options().iter().find(slip) {
                let meant = format!("{prefix}{}", meant.to_ascii_uppercase());
                return Err(usage(
                    format!("the variable {name} is no option of a remote at {}", self.shown),
                    format!("did you mean {meant}? unset it where it is for another program"),
                ));
            }
        }
        // the general endpoint is read after the one of S3 alone, whatever order the system gives them in
        self.options.sort();
        Ok(())
    }
}

fn usage(message: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::Usage { message: message.into(), hint: hint.into() }
}

fn credentials_hint(kind: Kind) -> String {
    let names = match kind {
        Kind::Google => "GOOGLE_APPLICATION_CREDENTIALS",
        Kind::Azure => "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
        Kind::S3 | Kind::Folder => "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    };
    format!("put credentials into the environment ({names}): URLs are kept in logs and shell histories")
}

/// What follows `file://`: an absolute path, with `%20` and the like.
fn decoded(rest: &str) -> Result<String, Error> {
    let refuse = |why: &str| usage(format!("file://{rest}: {why}"), "write file:///ABSOLUTE/PATH, or just the path");
    if rest.contains(['?', '#']) {
        return Err(refuse("a folder has no options"));
    }
    if !rest.starts_with('/') {
        return Err(refuse("a host or a relative path stands where an absolute one has to"));
    }
    let url = Url::parse(&format!("file://{rest}")).map_err(|error| refuse(&error.to_string()))?;
    let path = url.to_file_path().map_err(|()| refuse("it is no path of this system"))?;
    path.into_os_string().into_string().map_err(|_| refuse("it is not UTF-8"))
}

fn folder(path: &str) -> Result<Location, Error> {
    if path.trim().is_empty() {
        return Err(usage("the remote is empty", "name a URL such as s3://BUCKET/PREFIX, or a folder"));
    }
    let path = std::path::absolute(path).map_err(|source| Error::Local {
        action: "find",
        path: PathBuf::from(path),
        source,
    })?;
    let Some(text) = path.to_str() else {
        return Err(usage("the folder of the remote is not UTF-8", "choose another folder"));
    };
    Ok(Location {
        kind: Kind::Folder,
        shown: format!("file://{}{text}", if text.starts_with('/') { "" } else { "/" }),
        bucket: String::new(),
        path: text.to_owned(),
        options: Vec::new(),
        secrets: Secrets::default(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn refused(text: &str, environment: &[(&str, &str)]) -> String {
        let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let error = Location::parse(text, &environment).unwrap_err();
        assert_eq!(error.kind(), "usage");
        format!("{error}; {}", error.hint().unwrap())
    }

    #[test]
    fn places_and_options() {
        let environment = vec![
            ("AWS_REGION".into(), "eu-west-1".into()),
            ("AWS_PROFILE".into(), "work".into()),
            ("AWS_SECRET_ACCESS_KEY".into(), "a long secret".into()),
            ("AWS_ENDPOINT_URL".into(), String::new()),
        ];
        let s3 = Location::parse("s3://bucket/a/b/?timeout=3s", &environment).unwrap();
        assert_eq!((s3.kind, s3.bucket.as_str(), s3.path.as_str()), (Kind::S3, "bucket", "a/b"));
        assert_eq!(s3.shown(), "s3://bucket/a/b");
        let names: Vec<_> = s3.options.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["aws_region", "aws_secret_access_key", "timeout"]);
        assert!(!format!("{:?}", s3.secrets).contains("long"));
        let folder = Location::parse("file:///tmp/a%20b", &Vec::new()).unwrap();
        assert_eq!((folder.path.as_str(), folder.shown()), ("/tmp/a b", "file:///tmp/a b"));
        assert!(Location::parse("remote", &Vec::new()).unwrap().path.ends_with("/remote"));
    }

    #[test]
    fn unknown_schemes_and_options_are_usage_errors() {
        assert!(refused("gcs://bucket", &[]).contains("did you mean `gs`"));
        assert!(refused("ftp://host/x", &[]).contains("known are: s3"));
        assert!(refused("s3:///prefix", &[]).contains("s3://BUCKET"));
        assert!(refused("s3://b?regoin=eu", &[]).contains("did you mean `region`"));
        assert!(refused("file:///tmp?x=1", &[]).contains("no options"));
        assert!(refused("file://host/tmp", &[]).contains("absolute"));
        assert!(refused("s3://b", &[("AWS_ENDPOINT_ULR", "http://x")]).contains("AWS_ENDPOINT_URL"));
        assert!(refused("", &[]).contains("empty"));
    }

    #[test]
    fn credentials_in_urls_are_refused_and_not_repeated() {
        for url in ["s3://b?secret_access_key=hunter2hunter2", "s3://user:hunter2hunter2@b/x"] {
            let said = refused(url, &[]);
            assert!(!said.contains("hunter2") && said.contains("AWS_SECRET_ACCESS_KEY"), "{said}");
        }
    }
}
