//! Logins from the auth files that container tools share: `docker login`, `podman login`, `oras login` and `skopeo login` write
//! them. They are read only after a registry has asked for a login.

use std::path::{Path, PathBuf};
use std::{env, fs};

use docker_credential::{CredentialRetrievalError, DockerCredential};

use crate::error::Error;
use crate::reference::Reference;
use crate::text;

/// Where logins are looked for, in order; the first file that has one for the registry counts.
#[derive(Clone, Debug, Default)]
pub struct AuthFiles {
    files: Vec<PathBuf>,
}

/// A login.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Login {
    Password {
        name: String,
        secret: String,
    },
    /// A refresh token, exchanged for an access token at the registry's token service.
    Identity(String),
}

impl Login {
    /// Whose it is, for messages; never the secret.
    pub(crate) fn account(&self) -> String {
        match self {
            Self::Password { name, .. } => format!("the login of `{}`", text::line(name, 64)),
            Self::Identity(_) => "the stored identity token".to_owned(),
        }
    }
}

impl AuthFiles {
    /// The usual places: `REGISTRY_AUTH_FILE` alone where it is set; else `$DOCKER_CONFIG/config.json`,
    /// `$XDG_RUNTIME_DIR/containers/auth.json`, `~/.config/containers/auth.json`, `~/.docker/config.json`.
    #[must_use]
    pub fn from_env() -> Self {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(file) = set("REGISTRY_AUTH_FILE") {
            return Self::of(vec![file]);
        }
        let home = env::home_dir();
        let below_home = |path| home.as_ref().map(|home| home.join(path));
        let files = [
            set("DOCKER_CONFIG").map(|folder| folder.join("config.json")),
            set("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json")),
            below_home(".config/containers/auth.json"),
            below_home(".docker/config.json"),
        ];
        Self::of(files.into_iter().flatten().collect())
    }

    /// These files and no others; none of them has to be there.
    #[must_use]
    pub fn of(files: Vec<PathBuf>) -> Self {
        Self { files }
    }

    /// The login for `reference`'s registry. A file may have one for a part of the registry only (`ghcr.io/acme`); the longest
    /// that fits counts.
    pub(crate) fn login(&self, reference: &Reference) -> Result<Option<Login>, Error> {
        for path in &self.files {
            let Ok(bytes) = fs::read(path) else { continue };
            if let Some(login) = login_in(&bytes, path, reference)? {
                return Ok(Some(login));
            }
        }
        Ok(None)
    }
}

fn login_in(bytes: &[u8], path: &Path, reference: &Reference) -> Result<Option<Login>, Error> {
    let host = reference.registry();
    let fail = |reason: String| Error::Credentials { host: host.to_owned(), path: path.to_owned(), reason };
    let file: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|error| fail(format!("it is not JSON: {error}")))?;
    let key = best_key(&file, reference);
    match docker_credential::get_credential_from_reader(bytes, &key) {
        Ok(DockerCredential::UsernamePassword(name, secret)) => Ok(Some(Login::Password { name, secret })),
        Ok(DockerCredential::IdentityToken(token)) => Ok(Some(Login::Identity(token))),
        Err(CredentialRetrievalError::NoCredentialConfigured | CredentialRetrievalError::ConfigNotFound) => Ok(None),
        // what helpers say when they simply have nothing for this registry
        Err(CredentialRetrievalError::HelperFailure { stdout, stderr, .. })
            if format!("{stdout}{stderr}").contains("credentials not found") =>
        {
            Ok(None)
        }
        // the helper's output may hold a secret, so it is not shown
        Err(CredentialRetrievalError::HelperFailure { helper, .. }) => Err(fail(format!("`{helper} get` failed"))),
        Err(error) => Err(fail(error.to_string())),
    }
}

/// The most special key of the file that covers `reference`: `host/a/b`, `host/a`, then `host`. Docker Hub's own is `docker.io`.
fn best_key(file: &serde_json::Value, reference: &Reference) -> String {
    let has = |key: &str| {
        ["auths", "credHelpers"].iter().any(|table| file.get(table).is_some_and(|table| table.get(key).is_some()))
    };
    let mut key = format!("{}/{}", reference.registry(), reference.repository());
    while let Some((shorter, _)) = key.rsplit_once('/') {
        if has(&key) {
            return key;
        }
        key = shorter.to_owned();
    }
    // `docker login` writes Docker Hub's address with a path, and helpers know it by that alone
    let hub = "https://index.docker.io/v1/";
    if key == "docker.io" && !has(&key) { hub.to_owned() } else { key }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn login(file: &str, reference: &str) -> Result<Option<Login>, Error> {
        login_in(file.as_bytes(), Path::new("auth.json"), &reference.parse().unwrap())
    }

    fn name(file: &str, reference: &str) -> Option<String> {
        login(file, reference).unwrap().map(|login| match login {
            Login::Password { name, .. } => name,
            Login::Identity(token) => format!("token {token}"),
        })
    }

    #[test]
    fn the_longest_key_that_covers_the_repository_counts() {
        let auth = |name: &str| format!("{{\"auth\":\"{}\"}}", STANDARD.encode(format!("{name}:secret")));
        let file = format!(
            "{{\"auths\":{{\"ghcr.io\":{},\"ghcr.io/acme\":{},\"https://index.docker.io/v1/\":{},\"q.io\":{{\"identitytoken\":\"t\"}}}}}}",
            auth("all"),
            auth("acme"),
            auth("hub")
        );
        assert_eq!(name(&file, "oci://ghcr.io/other/a:1").as_deref(), Some("all"));
        assert_eq!(name(&file, "oci://ghcr.io/acme/a:1").as_deref(), Some("acme"));
        assert_eq!(name(&file, "oci://docker.io/acme/a:1").as_deref(), Some("hub"));
        assert_eq!(name(&file, "oci://q.io/a:1").as_deref(), Some("token t"));
        assert_eq!(name(&file, "oci://ghcr.io.evil.io/a:1"), None);
    }

    #[test]
    fn a_broken_file_is_named_and_no_secret_is_shown() {
        let error = login("{", "oci://ghcr.io/a:1").err().unwrap().to_string();
        assert!(error.contains("auth.json") && error.contains("not JSON"), "{error}");
        let error = login("{\"auths\":{\"ghcr.io\":{\"auth\":\"c2VjcmV0\"}}}", "oci://ghcr.io/a:1").err().unwrap();
        assert!(!error.to_string().contains("secret"), "{error}");
        let missing = "{\"credHelpers\":{\"ghcr.io\":\"no-such-helper\"}}";
        assert!(login(missing, "oci://ghcr.io/a:1").is_err(), "a helper that is not there is told, not passed over");
    }
}
