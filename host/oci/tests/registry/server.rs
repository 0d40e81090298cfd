//! Debian's `docker-registry`, started for one test, and the things the tests push to it. The tests of the program use it too.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use difftest_oci::{Artifact, AuthFiles, Client, Limits, Options, Progress, Reference, Timeouts};

/// Names the registry program; where it is set, the program has to be there.
const VARIABLE: &str = "DIFFTEST_DOCKER_REGISTRY";

/// A running registry with an empty store.
pub struct Registry {
    child: Child,
    pub address: String,
    store: tempfile::TempDir,
}

/// The program: named by the variable, put into target/tools by `cargo xtask`, or on the path.
pub fn tool(variable: &str, below_tools: &str, name: &str) -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(variable).map(PathBuf::from) {
        assert!(named.is_file(), "{variable} names {}, which is not there", named.display());
        return Some(named);
    }
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().find(|folder| folder.join("tools").is_dir());
    let tools = target.map(|target| target.join("tools").join(below_tools)).filter(|path| path.is_file());
    tools.or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())
    })
}

/// Says that a test does nothing here, past the harness, which keeps what passing tests print to itself.
pub fn skip(reason: &str) {
    std::io::stdout().write_all(format!("skipped: {reason}\n").as_bytes()).unwrap();
}

impl Registry {
    /// Starts one; `None`, with a word, where this machine has none.
    pub fn start() -> Option<Self> {
        Self::with(tempfile::tempdir().unwrap(), "127.0.0.1", "")
    }

    /// One that wants a login: `user`, `s3cret`.
    pub fn with_login() -> Option<Self> {
        let store = tempfile::tempdir().unwrap();
        let users = store.path().join("users");
        std::fs::write(&users, "user:$2b$04$abcdefghijklmnopqrstuuLZYjhNQAOdpbzt4WxWlUHjv1wsyH5DG\n").unwrap();
        let auth = format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", users.display());
        Self::with(store, "127.0.0.1", &auth)
    }

    /// One with TLS at an address of this machine that is not loopback, and the authority that signed its certificate.
    pub fn with_tls() -> Option<(Self, PathBuf)> {
        // nothing is sent: the system tells which address it would send from
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        let Ok(address) = socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()) else {
            skip("this machine has no address but loopback");
            return None;
        };
        let address = address.ip().to_string();
        let store = tempfile::tempdir().unwrap();
        if !certify(store.path(), &address) {
            skip("there is no openssl to make certificates with");
            return None;
        }
        let [ca, certificate, key] = ["ca.pem", "cert.pem", "key.pem"].map(|name| store.path().join(name));
        let tls = format!("  tls:\n    certificate: {}\n    key: {}\n", certificate.display(), key.display());
        Some((Self::with(store, &address, &tls)?, ca))
    }

    fn with(store: tempfile::TempDir, listen: &str, more: &str) -> Option<Self> {
        let Some(program) = tool(VARIABLE, "usr/bin/docker-registry", "docker-registry") else {
            skip("there is no docker-registry; `cargo xtask test` fetches it");
            return None;
        };
        let config = store.path().join("config.yml");
        let root = store.path().join("store");
        std::fs::write(
            &config,
            format!(
                "version: 0.1\nlog:\n  level: info\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {listen}:0\n{more}",
                root.display()
            ),
        )
        .unwrap();
        let (child, address) = launch(&program, &config);
        Some(Self { child, address, store })
    }

    /// A repository of it.
    pub fn reference(&self, rest: &str) -> Reference {
        format!("oci://{}/{rest}", self.address).parse().unwrap()
    }

    /// Ends the server at once, as a crash would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again, at another address, with what it had stored.
    pub fn restart(&mut self) {
        self.kill();
        let program = tool(VARIABLE, "usr/bin/docker-registry", "docker-registry").unwrap();
        (self.child, self.address) = launch(&program, &self.store.path().join("config.yml"));
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Makes an authority and a certificate for `address` in `folder`: `ca.pem`, `cert.pem`, `key.pem`.
fn certify(folder: &Path, address: &str) -> bool {
    std::fs::write(folder.join("names"), format!("subjectAltName=IP:{address}\n")).unwrap();
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let ca = [
        &["req", "-x509", "-days", "2", "-subj", "/CN=test authority"][..],
        &curve,
        &["-keyout", "ca.key", "-out", "ca.pem"],
    ];
    let request = [&["req", "-subj", "/CN=test registry"][..], &curve, &["-keyout", "key.pem", "-out", "request.pem"]];
    let sign =
        "x509 -req -days 2 -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -extfile names -out cert.pem";
    let sign: Vec<_> = sign.split(' ').collect();
    [ca.concat(), request.concat(), sign].iter().all(|arguments| {
        let done = Command::new("openssl").current_dir(folder).args(arguments).stderr(Stdio::null()).status();
        done.is_ok_and(|status| status.success())
    })
}

/// Starts the program and reads from its log where it listens.
fn launch(program: &Path, config: &Path) -> (Child, String) {
    let mut command = Command::new(program);
    command.arg("serve").arg(config).stdout(Stdio::null()).stderr(Stdio::piped()).env("OTEL_TRACES_EXPORTER", "none");
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut log = String::new();
    let address = loop {
        let Some(Ok(line)) = lines.next() else { panic!("docker-registry does not start:\n{log}") };
        if let Some((_, rest)) = line.split_once("listening on ") {
            break rest.split(['"', ' ', ',']).next().unwrap().to_owned();
        }
        log += &(line + "\n");
    };
    // the log has to be read on, or the server stops when the pipe is full
    std::thread::spawn(move || lines.for_each(drop));
    (child, address)
}

/// A client that gives up quickly and knows no login.
pub fn client() -> Client {
    client_with(AuthFiles::default())
}

pub fn client_with(auth: AuthFiles) -> Client {
    let timeouts = Timeouts { connect: Duration::from_secs(5), stall: Duration::from_secs(5), slowest: 4096 };
    Client::new(Options { auth, timeouts, limits: Limits::default(), plain_http: false })
}

/// For tests of waiting: `stall` as short as a test can be.
pub fn impatient() -> Client {
    let timeouts = Timeouts { connect: Duration::from_secs(2), stall: Duration::from_millis(400), slowest: 1 << 20 };
    Client::new(Options { timeouts, ..Options::default() })
}

/// Bytes that do not repeat, of the form a component file has at its beginning.
pub fn component(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

pub fn artifact(wasm: &[u8]) -> Artifact<'_> {
    let annotations = [("org.opencontainers.image.title".to_owned(), "sharpness".to_owned())].into();
    let exports = vec!["difftest:plugin/metric@0.1.0".to_owned()];
    Artifact { wasm, imports: vec![], exports, target: None, annotations }
}

/// Nobody watches.
pub fn quiet(_: Progress) {}
