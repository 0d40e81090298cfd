//! One HTTP request: bounded in time, in size, and in how often it is tried.
//!
//! Redirects are followed for requests that read (registries keep blobs elsewhere), without credentials, and from TLS only to TLS.

use std::io::Read as _;
use std::time::{Duration, Instant};

use difftest_core::digest::{Digest, Hasher};
use ureq::http::{Request, Response, StatusCode};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, SendBody};

use crate::error::Error;
use crate::text;

/// How long a registry may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// To be found and connected to, TLS included. Default: 10 s.
    pub connect: Duration,
    /// To begin an answer, and between two pieces of it. Default: 30 s; some registries check a large blob before they answer.
    pub stall: Duration,
    /// A body that comes slower than this many bytes in a second, over all of it and `stall` more, is given up. Default: 4,096.
    pub slowest: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), stall: Duration::from_secs(30), slowest: 4096 }
    }
}

/// Waits before the second and third try of a request that reads. Short: a person is waiting.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];

/// An HTTP client for one registry.
pub(crate) struct Transport {
    agent: Agent,
    host: String,
    timeouts: Timeouts,
    /// `http` or `https`.
    pub(crate) scheme: &'static str,
}

/// The body of an answer, checked while it came.
pub(crate) struct Received {
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: Digest,
}

/// Why a body was not taken.
pub(crate) enum BodyError {
    /// It is longer than the most that may come: the declared length, or what came until it was dropped.
    TooLong(Option<u64>),
    Other(Error),
}

impl Transport {
    pub(crate) fn new(host: &str, plain: bool, loopback: bool, timeouts: Timeouts) -> Self {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .https_only(!plain)
            .max_redirects(5)
            .user_agent(concat!("difftest/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(timeouts.connect))
            .timeout_connect(Some(timeouts.connect))
            // headers that come drop by drop
            .timeout_recv_response(Some(timeouts.stall * 2))
            .timeout_per_read(Some(timeouts.stall))
            .timeout_per_write(Some(timeouts.stall))
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build());
        if loopback {
            // a proxy would look for the registry on its own machine
            config = config.proxy(None);
        }
        Self {
            agent: config.build().new_agent(),
            host: host.to_owned(),
            timeouts,
            scheme: if plain { "http" } else { "https" },
        }
    }

    /// Sends a request that changes nothing; tried again where the way to the registry failed, or it says that it is busy.
    pub(crate) fn read(&self, request: &Request<()>, what: &'static str) -> Result<Response<Body>, Error> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let answer = self.agent.run(request.clone());
            let busy = |status: StatusCode| matches!(status.as_u16(), 429 | 502 | 503 | 504);
            let again = match &answer {
                Ok(answer) => busy(answer.status()),
                Err(ureq::Error::Io(_) | ureq::Error::ConnectionFailed | ureq::Error::Protocol(_)) => true,
                Err(_) => false,
            };
            match pauses.next().filter(|_| again) {
                Some(pause) => std::thread::sleep(pause),
                None => return answer.map_err(|error| self.error(error, what)),
            }
        }
    }

    /// Sends a request that changes something, once.
    pub(crate) fn write(&self, request: Request<SendBody<'_>>, what: &'static str) -> Result<Response<Body>, Error> {
        self.agent.run(request).map_err(|error| self.error(error, what))
    }

    /// Reads a body of at most `most` bytes. `piece` is told how many bytes came so far.
    pub(crate) fn body(
        &self,
        body: Body,
        most: u64,
        what: &'static str,
        piece: &mut dyn FnMut(u64),
    ) -> Result<Received, BodyError> {
        let declared = body.content_length();
        if let Some(declared) = declared.filter(|declared| *declared > most) {
            return Err(BodyError::TooLong(Some(declared)));
        }
        // what the server claims is no reason to reserve much: honest small answers fit, large ones grow
        let mut bytes = Vec::with_capacity(declared.unwrap_or(0).min(1 << 20) as usize);
        let mut hasher = Hasher::new();
        let mut reader = body.into_reader();
        let mut buffer = vec![0; 64 << 10];
        let started = Instant::now();
        let whole = self.timeouts.stall
            + Duration::from_secs(declared.unwrap_or(most).min(most) / u64::from(self.timeouts.slowest.max(1)));
        loop {
            let cut = |got: usize| Error::CutOff {
                host: self.host.clone(),
                what: what.to_owned(),
                got: got as u64,
                expected: declared.unwrap_or(most),
            };
            let came = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(came) => came,
                Err(error) => {
                    return Err(BodyError::Other(match ureq::Error::from(error) {
                        ureq::Error::Io(_) | ureq::Error::Protocol(_) | ureq::Error::ConnectionFailed => {
                            cut(bytes.len())
                        }
                        error => self.error(error, what),
                    }));
                }
            };
            if (bytes.len() + came) as u64 > most {
                return Err(BodyError::TooLong(None));
            }
            hasher.update(&buffer[..came]);
            bytes.extend_from_slice(&buffer[..came]);
            piece(bytes.len() as u64);
            if started.elapsed() > whole {
                let after = started.elapsed();
                return Err(BodyError::Other(Error::Timeout { host: self.host.clone(), what, after }));
            }
        }
        if let Some(declared) = declared.filter(|declared| *declared > bytes.len() as u64) {
            let (host, got) = (self.host.clone(), bytes.len() as u64);
            return Err(BodyError::Other(Error::CutOff { host, what: what.to_owned(), got, expected: declared }));
        }
        Ok(Received { bytes, digest: hasher.finish() })
    }

    /// What an answer that is no success says of itself: registries send JSON with a list of errors.
    pub(crate) fn complaint(&self, body: Body) -> String {
        let Ok(received) = self.body(body, 16 << 10, "an error message", &mut |_| {}) else { return String::new() };
        let parsed: Option<serde_json::Value> = serde_json::from_slice(&received.bytes).ok();
        let first = parsed.as_ref().and_then(|value| value.pointer("/errors/0"));
        let word = |key| first.and_then(|error| error.get(key)).and_then(serde_json::Value::as_str);
        match (word("code"), word("message")) {
            (Some(code), Some(message)) => text::line(&format!("{code}: {message}"), 200),
            (Some(word), None) | (None, Some(word)) => text::line(word, 200),
            (None, None) => String::new(),
        }
    }

    /// An error of the way there, in words.
    pub(crate) fn error(&self, error: ureq::Error, what: &'static str) -> Error {
        let host = self.host.clone();
        let unreachable = |reason: String| Error::Unreachable { host: host.clone(), reason };
        let timeout = |what, after| Error::Timeout { host: host.clone(), what, after };
        match error {
            ureq::Error::Timeout(kind) => match kind {
                ureq::Timeout::Resolve | ureq::Timeout::Connect => timeout("connecting", self.timeouts.connect),
                ureq::Timeout::RecvResponse => timeout(what, self.timeouts.stall * 2),
                _ => timeout(what, self.timeouts.stall),
            },
            ureq::Error::Io(error) => unreachable(text::line(&error.to_string(), 200)),
            ureq::Error::HostNotFound => unreachable("its name is not known".into()),
            ureq::Error::ConnectionFailed => unreachable("no connection".into()),
            ureq::Error::Tls(reason) => unreachable(text::line(reason, 200)),
            ureq::Error::Rustls(error) => unreachable(format!("TLS: {}", text::line(&error.to_string(), 200))),
            ureq::Error::RequireHttpsOnly(_) => {
                Error::Protocol { host, reason: "it redirects from TLS to plain HTTP".into() }
            }
            error => Error::Protocol { host, reason: text::line(&error.to_string(), 200) },
        }
    }
}
