//! One request: its redirects, how often it is tried, how long it may take, how much of its answer is read.

use std::io::Read as _;
use std::time::{Duration, Instant};

use ureq::http::header::{AUTHORIZATION, HeaderMap, LOCATION, RANGE, RETRY_AFTER};
use ureq::http::{Method, Request, Response};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::error::Error;
use crate::event::{Event, Observer};
use crate::patience::Patience;
use crate::redirect::{self, Origin};
use crate::settings::Token;
use crate::text;

/// Redirects of one request.
const HOPS: usize = 5;

/// A client of one endpoint.
pub(crate) struct Transport {
    agent: Agent,
    home: Origin,
    token: Option<Token>,
    patience: Patience,
}

/// What came of a request, whatever its status is.
pub(crate) struct Answer {
    pub(crate) response: Response<Body>,
    /// The headers of the first answer, before any redirect: there the hub says what the content is.
    pub(crate) first: HeaderMap,
    /// Who gave it.
    pub(crate) host: String,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// A header of the answer.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        text_of(self.response.headers(), name)
    }
}

/// A header, where it is text.
pub(crate) fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

impl Transport {
    /// `home` is the origin that gets `token`.
    pub(crate) fn new(home: Origin, token: Option<Token>, patience: Patience) -> Self {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // followed here: the token must stay behind, and the first answer is read
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("difftest/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(patience.answer))
            .timeout_connect(Some(patience.answer))
            // headers that come drop by drop
            .timeout_recv_response(Some(patience.answer * 2))
            .timeout_per_read(Some(patience.stall))
            .timeout_per_write(Some(patience.stall))
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build());
        if home.is_loopback() {
            // a proxy would look for it on its own machine
            config = config.proxy(None);
        }
        let token = token.filter(|_| home.may_see_tokens());
        Self { agent: config.build().new_agent(), home, token, patience }
    }

    /// The endpoint, for messages.
    pub(crate) fn host(&self) -> String {
        self.home.name()
    }

    /// Whether requests carry a token.
    pub(crate) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    pub(crate) fn patience(&self) -> Patience {
        self.patience
    }

    /// Asks for `url`, from byte `from` on. Tried again where the way there fails and where the server says that it is busy or
    /// broken; the last answer is given back.
    pub(crate) fn get(&self, url: &str, from: u64, what: &str, observer: &dyn Observer) -> Result<Answer, Error> {
        self.persist(what, observer, &|| self.once(&Method::GET, url, from, what))
    }

    fn persist(
        &self,
        what: &str,
        observer: &dyn Observer,
        request: &dyn Fn() -> Result<Answer, Error>,
    ) -> Result<Answer, Error> {
        let mut tries = self.patience.tries();
        loop {
            let outcome = request();
            let (why, asked) = match &outcome {
                Ok(answer) if is_passing(answer.status()) => {
                    (format!("{} answers {}", answer.host, answer.status()), retry_after(answer))
                }
                Err(error @ (Error::Unreachable { .. } | Error::Timeout { .. })) => (error.to_string(), None),
                _ => return outcome,
            };
            let Some(pause) = tries.again(asked) else { return outcome };
            observer.event(Event::Again { what, why: &why, pause });
            std::thread::sleep(pause);
        }
    }

    /// The headers that the endpoint has for `url`, without those of another host that it redirects to; or what it answers instead of
    /// a success.
    pub(crate) fn head(
        &self,
        url: &str,
        what: &str,
        observer: &dyn Observer,
    ) -> Result<Result<HeaderMap, Answer>, Error> {
        let answer = self.persist(what, observer, &|| self.once(&Method::HEAD, url, 0, what))?;
        let ok = answer.response.status().is_success() || answer.response.status().is_redirection();
        Ok(if ok { Ok(answer.response.into_parts().0.headers) } else { Err(answer) })
    }

    fn once(&self, method: &Method, url: &str, from: u64, what: &str) -> Result<Answer, Error> {
        let mut url = url.to_owned();
        let mut first: Option<HeaderMap> = None;
        let mut at_home = true;
        for _ in 0..=HOPS {
            let origin = Origin::of(&url).ok_or_else(|| self.protocol("a request has no URL"))?;
            // once away, a redirect back is somebody else's choice
            at_home &= origin == self.home;
            let mut request = Request::builder().method(method.clone()).uri(&url);
            if let Some(token) = self.token.as_ref().filter(|_| at_home) {
                request = request.header(AUTHORIZATION, token.header());
            }
            if from > 0 {
                request = request.header(RANGE, format!("bytes={from}-"));
            }
            let host = origin.name();
            let request = request.body(()).map_err(|error| self.failure(&host, error.into(), what))?;
            let response = self.agent.run(request).map_err(|error| self.failure(&host, error, what))?;
            let first = first.get_or_insert_with(|| response.headers().clone());
            let location =
                text_of(response.headers(), LOCATION.as_str()).filter(|_| response.status().is_redirection());
            let Some(location) = location else { return Ok(Answer { first: first.clone(), host, response }) };
            let next = redirect::target(&url, location)
                .map_err(|reason| Error::Protocol { host: host.clone(), reason: reason.to_owned() })?;
            if *method == Method::HEAD && Origin::of(&next).as_ref() != Some(&self.home) {
                return Ok(Answer { first: first.clone(), host, response });
            }
            url = next;
        }
        Err(self.protocol("it redirects without end"))
    }

    /// A body of at most `limit` bytes.
    pub(crate) fn body(&self, answer: Answer, limit: u64, what: &str) -> Result<Vec<u8>, Error> {
        let Answer { response, host, .. } = answer;
        let declared = response.body().content_length();
        if declared.is_some_and(|declared| declared > limit) {
            return Err(Error::TooLong { host, what: what.to_owned(), limit });
        }
        let mut reader = response.into_body().into_reader();
        let mut bytes = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        let mut pace = Pace::new(self.patience);
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(came) => bytes.extend_from_slice(&buffer[..came]),
                Err(error) => return Err(self.failure(&host, ureq::Error::from(error), what)),
            }
            if bytes.len() as u64 > limit {
                return Err(Error::TooLong { host, what: what.to_owned(), limit });
            }
            if let Some(after) = pace.too_slow(bytes.len() as u64) {
                return Err(Error::Timeout { host, what: what.to_owned(), after });
            }
        }
        match declared.filter(|declared| *declared > bytes.len() as u64) {
            Some(_) => Err(Error::Unreachable { host, reason: format!("it went away in the middle of {what}") }),
            None => Ok(bytes),
        }
    }

    fn protocol(&self, reason: &str) -> Error {
        Error::Protocol { host: self.host(), reason: reason.to_owned() }
    }

    /// An error of the way there, in words.
    pub(crate) fn failure(&self, host: &str, error: ureq::Error, what: &str) -> Error {
        let host = host.to_owned();
        let timeout = |what: &str, after| Error::Timeout { host: host.clone(), what: what.to_owned(), after };
        let unreachable = |reason: String| Error::Unreachable { host: host.clone(), reason };
        match error {
            ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => {
                timeout("connecting", self.patience.answer)
            }
            ureq::Error::Timeout(ureq::Timeout::RecvResponse) => timeout(what, self.patience.answer * 2),
            ureq::Error::Timeout(_) => timeout(what, self.patience.stall),
            ureq::Error::Io(error) => unreachable(text::line(&error.to_string(), 200)),
            ureq::Error::HostNotFound => unreachable("its name is not known".into()),
            ureq::Error::ConnectionFailed => unreachable("no connection".into()),
            ureq::Error::Tls(reason) => unreachable(text::line(reason, 200)),
            ureq::Error::Rustls(error) => unreachable(format!("TLS: {}", text::line(&error.to_string(), 200))),
            // a connection that ends between or within headers
            ureq::Error::Protocol(error) => unreachable(text::line(&error.to_string(), 200)),
            error => Error::Protocol { host, reason: text::line(&error.to_string(), 200) },
        }
    }
}

/// A status that may be another one soon.
pub(crate) fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

/// How long the server asks to be left alone: `Retry-After` in seconds or as a date, or the seconds to the reset of the hub's
/// `RateLimit` header.
pub(crate) fn retry_after(answer: &Answer) -> Option<Duration> {
    if let Some(value) = answer.header(RETRY_AFTER.as_str()) {
        if let Ok(seconds) = value.trim().parse() {
            return Some(Duration::from_secs(seconds));
        }
        let date = jiff::fmt::rfc2822::parse(value.trim()).ok()?.timestamp();
        let seconds = date.as_second().saturating_sub(jiff::Timestamp::now().as_second());
        return Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
    }
    let rest = answer.header("ratelimit").filter(|_| answer.status() == 429)?.split_once("t=")?.1;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok().map(Duration::from_secs)
}

/// Notices bodies that come drop by drop.
pub(crate) struct Pace {
    patience: Patience,
    since: Instant,
    then: u64,
}

impl Pace {
    pub(crate) fn new(patience: Patience) -> Self {
        Self { patience, since: Instant::now(), then: 0 }
    }

    /// Whether `done` bytes are too few by now; then, after how long that was found.
    pub(crate) fn too_slow(&mut self, done: u64) -> Option<Duration> {
        let window = self.since.elapsed();
        if window < self.patience.stall * 6 {
            return None;
        }
        let least = self.patience.slowest as f64 * window.as_secs_f64();
        if (done.saturating_sub(self.then) as f64) < least {
            return Some(window);
        }
        (self.since, self.then) = (Instant::now(), done);
        None
    }
}
