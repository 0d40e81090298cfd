//! As much HTTP/1.1 as clients need: requests without bodies, connections that stay open, ranges, and faults.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::{Fault, Shared, routes};

/// A request that came.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET` or `HEAD`.
    pub method: String,
    /// With the query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Whether it came to the storage server, which is another origin than the hub.
    pub to_storage: bool,
    /// Bytes of a body that were sent.
    pub sent: usize,
}

impl Request {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// An answer before anything goes wrong with it.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Serves one connection until it ends.
pub(crate) fn serve(stream: &TcpStream, shared: &Shared) {
    let to_storage = stream.local_addr().is_ok_and(|address| address == shared.storage);
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader, to_storage) {
        if answer(stream, shared, request).is_none() {
            break;
        }
    }
    let _ = stream.shutdown(std::net::Shutdown::Both);
}

fn read(reader: &mut BufReader<&TcpStream>, to_storage: bool) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
            None => break,
        }
    }
    Some(Request { method, path, headers, to_storage, sent: 0 })
}

/// `None` when the connection is to end.
fn answer(mut stream: &TcpStream, shared: &Shared, request: Request) -> Option<()> {
    let index = {
        let mut state = shared.state();
        state.requests.push(request.clone());
        state.requests.len() - 1
    };
    let fault = shared.next_fault(&request.path);
    let mut response = routes::respond(shared, &request);
    match &fault {
        Some(Fault::Silent) => {
            wait(shared);
            return None;
        }
        Some(Fault::Status(status, headers)) => {
            response = Response { status: *status, headers: headers.clone(), body: Vec::new() };
        }
        Some(Fault::Body(body)) => response.body.clone_from(body),
        Some(Fault::Header(name, value)) => {
            response.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            response.headers.push((name.clone(), value.clone()));
        }
        _ => {}
    }
    if !matches!(fault, Some(Fault::NoRange)) {
        cut_to_range(&mut response, &request);
    }
    let endless = matches!(fault, Some(Fault::Endless));
    let mut head = format!("HTTP/1.1 {} Answer\r\n", response.status);
    for (name, value) in &response.headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !endless && !response.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
        head += &format!("content-length: {}\r\n", response.body.len());
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
    if request.method == "HEAD" {
        return Some(());
    }
    let sent = |more: usize| {
        if let Some(request) = shared.state().requests.get_mut(index) {
            request.sent += more;
        }
    };
    let body = &response.body;
    let most = match fault {
        Some(Fault::Cut(most) | Fault::Stall(most)) => most.min(body.len()),
        _ => body.len(),
    };
    if let Some(Fault::Drip(pause)) = fault {
        for byte in body {
            sent(1);
            stream.write_all(&[*byte]).ok()?;
            std::thread::sleep(pause);
        }
    } else {
        sent(most);
        stream.write_all(&body[..most]).ok()?;
    }
    while endless && !shared.stopped.load(Ordering::Relaxed) {
        stream.write_all(&[b' '; 64 << 10]).ok()?;
    }
    match fault {
        Some(Fault::Cut(_)) => None,
        Some(Fault::Stall(_)) => {
            wait(shared);
            None
        }
        _ => Some(()),
    }
}

/// Until the server is dropped; at most a minute.
fn wait(shared: &Shared) {
    for _ in 0..1200 {
        if shared.stopped.load(Ordering::Relaxed) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// `Range: bytes=FROM-`, as clients that go on ask.
fn cut_to_range(response: &mut Response, request: &Request) {
    let range = request.header("range").and_then(|range| range.strip_prefix("bytes="));
    let from = range.and_then(|range| range.strip_suffix('-')).and_then(|from| from.parse::<usize>().ok());
    let Some(from) = from.filter(|_| response.status == 200) else { return };
    let all = response.body.len();
    if from >= all {
        *response = Response {
            status: 416,
            headers: vec![("content-range".into(), format!("bytes */{all}"))],
            body: Vec::new(),
        };
        return;
    }
    response.status = 206;
    response.headers.push(("content-range".into(), format!("bytes {from}-{}/{all}", all - 1)));
    response.body.drain(..from);
}
