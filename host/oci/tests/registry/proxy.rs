//! A proxy before the real registry that can do to its answers what networks, faulty servers and attackers do.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use difftest_oci::Reference;

/// A request as it came.
pub struct Request {
    pub method: String,
    pub path: String,
    head: String,
    body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1);
        lines.find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v))
    }

    pub fn is_blob(&self) -> bool {
        self.method == "GET" && self.path.contains("/blobs/")
    }
}

/// The registry's answer.
pub struct Answer {
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn bytes(&self) -> Vec<u8> {
        [self.head.as_bytes(), &self.body].concat()
    }

    /// The head without one of its headers.
    pub fn without(mut self, name: &str) -> Self {
        let keep = |line: &&str| !line.to_ascii_lowercase().starts_with(&format!("{name}:"));
        self.head = self.head.split_inclusive("\r\n").filter(keep).collect();
        self
    }

    /// The head with one more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let end = self.head.len() - 2;
        self.head.insert_str(end, &format!("{name}: {value}\r\n"));
        self
    }
}

/// What is sent, and what is done then.
pub enum Reply {
    Send(Vec<u8>),
    /// Sends this and then nothing, with the connection open.
    Hang(Vec<u8>),
    /// Sends this over and over, for ever.
    Forever(Vec<u8>, Vec<u8>),
    /// Sends this, and then a byte now and again.
    Drops(Vec<u8>),
}

pub type Handler = dyn Fn(&Request, &dyn Fn() -> Answer) -> Reply + Send + Sync;

/// Where the proxy listens. It ends with the test's process.
pub struct Proxy {
    pub address: String,
}

impl Proxy {
    /// In front of `upstream`: `handler` may ask it, and says what is sent.
    pub fn start(
        upstream: &str,
        handler: impl Fn(&Request, &dyn Fn() -> Answer) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let upstream = upstream.to_owned();
        let handler: Arc<Handler> = Arc::new(handler);
        let own = address.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (upstream, own, handler) = (upstream.clone(), own.clone(), Arc::clone(&handler));
                std::thread::spawn(move || serve(stream, &upstream, &own, &*handler));
            }
        });
        Self { address }
    }

    pub fn reference(&self, rest: &str) -> Reference {
        format!("oci://{}/{rest}", self.address).parse().unwrap()
    }
}

/// One request, one connection.
fn serve(mut stream: TcpStream, upstream: &str, own: &str, handler: &Handler) -> Option<()> {
    let (head, mut body) = read_head(&mut stream)?;
    let mut words = head.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut request = Request { method, path, head, body: Vec::new() };
    let length: usize = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    let rest = length.saturating_sub(body.len());
    std::io::copy(&mut (&mut stream).take(rest as u64), &mut body).ok()?;
    request.body = body;
    let ask = || {
        let mut server = TcpStream::connect(upstream).unwrap();
        let mut lines = request.head.trim_end().split("\r\n");
        let mut head = format!("{}\r\nConnection: close\r\n", lines.next().unwrap());
        // the registry makes upload addresses out of the host's name: they shall lead through here
        for line in lines.filter(|line| !line.to_ascii_lowercase().starts_with("connection:")) {
            head += &format!("{line}\r\n");
        }
        server.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        server.write_all(&request.body).unwrap();
        let (head, mut body) = read_head(&mut server).unwrap();
        server.read_to_end(&mut body).unwrap();
        Answer { head: head.replace(upstream, own), body }
    };
    match handler(&request, &ask) {
        Reply::Send(bytes) => {
            let _ = stream.write_all(&bytes);
        }
        Reply::Hang(bytes) => {
            let _ = stream.write_all(&bytes);
            std::thread::sleep(Duration::from_secs(20));
        }
        Reply::Forever(head, bytes) => {
            let _ = stream.write_all(&head);
            while stream.write_all(&bytes).is_ok() {}
        }
        Reply::Drops(head) => {
            let _ = stream.write_all(&head);
            while stream.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
    Some(())
}

/// The head up to and with the empty line, and what came after it.
fn read_head(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Some((String::from_utf8(bytes).unwrap(), rest));
        }
        match stream.read(&mut buffer).ok()? {
            0 => return None,
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}
