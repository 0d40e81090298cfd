//! Something between a client and the server that breaks as networks break.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The answer comes so much later.
    Slow(Duration),
    /// The answer's body ends after so many bytes.
    Truncate(usize),
    /// The server gets so many bytes of the body and then no more.
    Hold(usize),
    /// The server does it, and its answer gets lost.
    Lost,
    /// Another answer, without asking the server.
    Answer(&'static str),
}

/// Decides by method and path, and how many such requests there were before.
type Rule = dyn Fn(&str, &str, usize) -> Fault + Send + Sync;

pub struct Proxy {
    pub address: String,
    /// Every request: method and path.
    pub seen: Arc<Mutex<Vec<(String, String)>>>,
    /// How many answers said that nothing has changed.
    pub unchanged: Arc<AtomicUsize>,
}

impl Proxy {
    pub fn start(server: &str, rule: impl Fn(&str, &str, usize) -> Fault + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (rule, server): (Arc<Rule>, _) = (Arc::new(rule), server.to_owned());
        let list = Arc::clone(&seen);
        let unchanged = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&unchanged);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (rule, server, list) = (Arc::clone(&rule), server.clone(), Arc::clone(&list));
                let counter = Arc::clone(&counter);
                // what breaks here is what the tests are about
                std::thread::spawn(move || drop(one(client, &server, &*rule, &list, &counter)));
            }
        });
        Self { address, seen, unchanged }
    }

    /// How many requests of this method had a path with `part` in it.
    pub fn count(&self, method: &str, part: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|(m, p)| m == method && p.contains(part)).count()
    }
}

/// One request and its answer; the connection ends with it.
fn one(
    mut client: TcpStream,
    server: &str,
    rule: &Rule,
    seen: &Mutex<Vec<(String, String)>>,
    unchanged: &AtomicUsize,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut words = head.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let fault = {
        let mut seen = seen.lock().unwrap();
        let before = seen.iter().filter(|(m, p)| *m == method && *p == path).count();
        seen.push((method.clone(), path.clone()));
        rule(&method, &path, before)
    };
    let mut body = vec![0; length.unwrap_or(0)];
    client.read_exact(&mut body)?;
    if let Fault::Answer(answer) = fault {
        return client.write_all(answer.as_bytes());
    }
    let mut upstream = TcpStream::connect(server)?;
    // the header is not among those that are signed
    upstream.write_all(head.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1).as_bytes())?;
    if let Fault::Hold(most) = fault
        && body.len() > most
    {
        upstream.write_all(&body[..most])?;
        // until the server is gone
        let _ = upstream.read(&mut [0]);
        return client.shutdown(Shutdown::Both);
    }
    upstream.write_all(&body)?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer)?;
    if answer.starts_with(b"HTTP/1.1 304") {
        unchanged.fetch_add(1, Ordering::Relaxed);
    }
    match fault {
        Fault::Lost => return client.shutdown(Shutdown::Both),
        Fault::Slow(pause) => std::thread::sleep(pause),
        Fault::Truncate(most) => {
            let end = answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
            answer.truncate(end + most);
        }
        _ => {}
    }
    client.write_all(&answer)
}
