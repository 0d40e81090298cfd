//! Requests to one repository, each sent again once with a login where the registry asks for one.
//!
//! The registry names the way (`WWW-Authenticate`): `Basic` sends name and password along; `Bearer` fetches a token first, with the
//! login where there is one and without where there is none, which public repositories accept.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use ureq::http::{Request, Response, StatusCode, request};
use ureq::{Body, SendBody};

use crate::credentials::{AuthFiles, Login};
use crate::error::Error;
use crate::reference::Reference;
use crate::text;
use crate::transport::{BodyError, Timeouts, Transport};

/// The longest answer of a token service. Tokens are a few kilobytes.
const TOKEN_BYTES: u64 = 256 << 10;

/// What is to be done in the repository: the scope that tokens are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Pull,
    Push,
}

/// A conversation with one repository.
pub(crate) struct Session<'a> {
    pub(crate) transport: Transport,
    pub(crate) reference: &'a Reference,
    access: Access,
    auth: &'a AuthFiles,
    authorization: Option<HeaderValue>,
    account: Option<String>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(
        reference: &'a Reference,
        access: Access,
        auth: &'a AuthFiles,
        plain_http: bool,
        timeouts: Timeouts,
    ) -> Self {
        let loopback = reference.is_loopback();
        Self {
            transport: Transport::new(reference.registry(), plain_http || loopback, loopback, timeouts),
            reference,
            access,
            auth,
            authorization: None,
            account: None,
        }
    }

    /// The URL of something of this repository, such as `manifests/1.0.0`.
    pub(crate) fn url(&self, rest: &str) -> String {
        let host = match self.reference.registry() {
            // Docker Hub's registry has another name than people write
            "docker.io" => "registry-1.docker.io",
            host => host,
        };
        format!("{}://{host}/v2/{}/{rest}", self.transport.scheme, self.repository())
    }

    /// The repository's whole name; Docker Hub has a folder for names without one.
    fn repository(&self) -> String {
        match (self.reference.registry(), self.reference.repository()) {
            ("docker.io", name) if !name.contains('/') => format!("library/{name}"),
            (_, name) => name.to_owned(),
        }
    }

    /// A request that changes nothing.
    pub(crate) fn read(&mut self, request: request::Builder, what: &'static str) -> Result<Response<Body>, Error> {
        let request = request.body(()).map_err(|error| self.transport.error(error.into(), what))?;
        let answer = self.transport.read(&self.authorized(&request), what)?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        self.log_in(answer)?;
        self.transport.read(&self.authorized(&request), what)
    }

    /// A request that changes something; `body` makes its body anew.
    pub(crate) fn write<'b>(
        &mut self,
        request: &Request<()>,
        body: &mut dyn FnMut() -> SendBody<'b>,
        what: &'static str,
    ) -> Result<Response<Body>, Error> {
        let answer = self.transport.write(self.authorized(request).map(|()| body()), what)?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        self.log_in(answer)?;
        self.transport.write(self.authorized(request).map(|()| body()), what)
    }

    /// As [`Session::write()`], with a body that cannot be sent again.
    pub(crate) fn send_once(
        &self,
        request: &Request<()>,
        body: SendBody<'_>,
        what: &'static str,
    ) -> Result<Response<Body>, Error> {
        self.transport.write(self.authorized(request).map(|()| body), what)
    }

    /// An error for an answer that is no success.
    pub(crate) fn refusal(&self, answer: Response<Body>, what: &str) -> Error {
        let (host, status) = (self.reference.registry().to_owned(), answer.status());
        let message = self.transport.complaint(answer.into_body());
        match status {
            StatusCode::UNAUTHORIZED => Error::Login { host, account_name: self.account.clone(), message },
            StatusCode::FORBIDDEN => {
                Error::Denied { host, what: what.to_owned(), account_name: self.account.clone(), message }
            }
            StatusCode::NOT_FOUND => Error::NotFound { reference: self.reference.to_string(), message },
            status => Error::Status { host, what: what.to_owned(), status: status.as_u16(), message },
        }
    }

    /// `request` with what was learned about the login, where it goes to the registry itself.
    fn authorized(&self, request: &Request<()>) -> Request<()> {
        let mut request = request.clone();
        let base = self.url("");
        let origin = base.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        // an upload may be sent elsewhere by the registry: that place gets the bytes and no login
        let ours = request.uri().to_string().strip_prefix(&origin).is_some_and(|rest| rest.starts_with('/'));
        if let Some(authorization) = self.authorization.as_ref().filter(|_| ours) {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        request
    }

    /// Does what the registry asks for in `answer`.
    fn log_in(&mut self, answer: Response<Body>) -> Result<(), Error> {
        let login = self.auth.login(self.reference)?;
        self.account = login.as_ref().map(Login::account);
        let challenges = challenges(answer.headers());
        if let Some(bearer) = challenges.iter().find(|challenge| challenge.scheme.eq_ignore_ascii_case("bearer")) {
            let token = self.token(bearer, login.as_ref())?;
            self.authorization = self.secret(format!("Bearer {token}"))?;
            return Ok(());
        }
        let basic = challenges.iter().any(|challenge| challenge.scheme.eq_ignore_ascii_case("basic"));
        match login {
            Some(Login::Password { name, secret }) if basic => {
                self.authorization = self.secret(basic_header(&name, &secret))?;
                Ok(())
            }
            Some(_) | None if basic => Err(self.refusal(answer, "answer")),
            _ => Err(self.protocol("it asks for a login in no way that is known here")),
        }
    }

    fn secret(&self, text: String) -> Result<Option<HeaderValue>, Error> {
        let mut value =
            HeaderValue::try_from(text).map_err(|_| self.protocol("the login cannot be sent in a header"))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    fn protocol(&self, reason: impl Into<String>) -> Error {
        Error::Protocol { host: self.reference.registry().to_owned(), reason: reason.into() }
    }

    /// A token from the service that `challenge` names.
    fn token(&self, challenge: &Challenge, login: Option<&Login>) -> Result<String, Error> {
        const WHAT: &str = "the token service";
        let realm = challenge.parameter("realm").ok_or_else(|| self.protocol("it names no token service"))?;
        if self.transport.scheme == "https" && !realm.starts_with("https://") {
            return Err(self.protocol("its token service has no TLS"));
        }
        let actions = if self.access == Access::Push { "pull,push" } else { "pull" };
        // what this needs, and not what the registry would like it to ask for
        let scope = format!("repository:{}:{actions}", self.repository());
        let mut fields = vec![("scope", scope.as_str())];
        fields.extend(challenge.parameter("service").map(|service| ("service", service)));
        let form = |fields: &[(&str, &str)]| {
            let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
            let pairs = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
            pairs.collect::<Vec<_>>().join("&")
        };
        let wrong = |error: ureq::http::Error| self.transport.error(error.into(), WHAT);
        let answer = if let Some(Login::Identity(token)) = login {
            fields.extend([("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "difftest")]);
            let body = form(&fields);
            let request = Request::post(realm).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
            let mut reader = body.as_bytes();
            let request = request.header("content-length", body.len()).body(SendBody::from_reader(&mut reader));
            self.transport.write(request.map_err(wrong)?, WHAT)?
        } else {
            let separator = if realm.contains('?') { '&' } else { '?' };
            let mut request = Request::get(format!("{realm}{separator}{}", form(&fields)));
            if let Some(Login::Password { name, secret }) = login
                && let Some(header) = self.secret(basic_header(name, secret))?
            {
                request = request.header(AUTHORIZATION, header);
            }
            self.transport.read(&request.body(()).map_err(wrong)?, WHAT)?
        };
        if !answer.status().is_success() {
            return Err(self.refusal(answer, "give a token"));
        }
        let received = self.transport.body(answer.into_body(), TOKEN_BYTES, WHAT, &mut |_| {});
        let received = received.map_err(|error| match error {
            BodyError::TooLong(_) => self.protocol("its token service sends too much"),
            BodyError::Other(error) => error,
        })?;
        let token: Token = serde_json::from_slice(&received.bytes)
            .map_err(|_| self.protocol("its token service does not answer with a token"))?;
        token.token.or(token.access_token).ok_or_else(|| self.protocol("its token service gives no token"))
    }
}

/// The answer of a token service: the older and the newer name of the same thing.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

fn basic_header(name: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{secret}")))
}

/// One way to log in that a registry offers.
#[derive(Debug)]
struct Challenge {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    values
        .filter_map(|value| http_auth::parse_challenges(value).ok())
        .flatten()
        .map(|challenge| Challenge {
            scheme: challenge.scheme.to_owned(),
            parameters: challenge
                .params
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.to_unescaped()))
                .collect(),
        })
        .collect()
}

/// A name that a server gave to what it sent, made safe to show.
pub(crate) fn shown(text: &str) -> String {
    text::line(text, 100)
}
