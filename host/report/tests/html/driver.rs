//! A real Chromium, driven over WebDriver: JSON over HTTP to Debian's `chromedriver`. As much of the protocol as the tests need.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// How long a page gets to do what was asked.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser window of its own; closed when dropped.
pub struct Browser {
    driver: Child,
    address: String,
    session: String,
    /// Where it downloads to, and keeps its profile.
    pub folder: tempfile::TempDir,
}

/// How it is started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    pub dark: bool,
    pub without_javascript: bool,
}

/// A program on the path.
fn find(names: &[&str]) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&paths).collect();
    names.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file()))
}

impl Browser {
    /// Starts it; without one, says that the test is skipped.
    pub fn start(settings: Settings) -> Option<Self> {
        let chromium = find(&["chromium", "google-chrome", "google-chrome-stable", "chromium-browser"]);
        let Some((chromium, chromedriver)) = chromium.zip(find(&["chromedriver"])) else {
            // past the capture of a test's output, which nobody reads of one that passes
            let _ = std::io::stdout().write_all(b"skipped: there is no Chromium with its chromedriver on the path\n");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let mut driver =
            Command::new(chromedriver).arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut said = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = said.find_map(|line| {
            let line = line.unwrap();
            Some(line.strip_prefix("ChromeDriver was started successfully on port ")?.trim_end_matches('.').to_owned())
        });
        // what it says later has to go somewhere
        std::thread::spawn(move || said.for_each(drop));
        let mut arguments = vec![
            "--headless=new".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--hide-scrollbars".to_owned(),
            "--window-size=1400,1000".to_owned(),
            format!("--user-data-dir={}", folder.path().join("profile").display()),
        ];
        // its sandbox refuses to run as root
        if std::env::var_os("USER").is_none_or(|user| user == "root") {
            arguments.push("--no-sandbox".to_owned());
        }
        let javascript = if settings.without_javascript { 2 } else { 1 };
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": {
                "binary": chromium,
                "args": arguments,
                "prefs": {
                    "download.default_directory": folder.path(),
                    "profile.managed_default_content_settings.javascript": javascript,
                },
            },
        } } });
        let address = format!("127.0.0.1:{}", port.expect("chromedriver says its port"));
        let mut browser = Self { driver, address, session: String::new(), folder };
        let session = browser.call("POST", "/session", &capabilities);
        browser.session = format!("/session/{}", session["sessionId"].as_str().unwrap());
        let scheme = if settings.dark { "dark" } else { "light" };
        browser.devtools(
            "Emulation.setEmulatedMedia",
            json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] }),
        );
        Some(browser)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.try_call(method, path, body).unwrap();
        assert!(answer["value"].get("error").is_none(), "{method} {path}: {}", answer["value"]);
        answer["value"].clone()
    }

    fn try_call(&self, method: &str, path: &str, body: &Value) -> std::io::Result<Value> {
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(PATIENCE * 2))?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all((head + &body).as_bytes())?;
        // it keeps the connection open, whatever it is asked: the length says where the answer ends
        let mut answer = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            if answer.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            match line.trim_end().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse().unwrap_or(0)
                }
                Some(_) => {}
                None if line.trim_end().is_empty() => break,
                None => {}
            }
        }
        let mut body = vec![0; length];
        answer.read_exact(&mut body)?;
        Ok(serde_json::from_slice(&body)?)
    }

    fn post(&self, what: &str, body: Value) -> Value {
        self.call("POST", &format!("{}/{what}", self.session), &body)
    }

    fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post("goog/cdp/execute", json!({ "cmd": command, "params": parameters }))
    }

    /// Gives the page a window of this size.
    pub fn resize(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size);
    }

    /// Opens a file, with what stands behind its `#`.
    pub fn open(&self, file: &Path, fragment: &str) {
        self.post("url", json!({ "url": "about:blank" }));
        self.post("url", json!({ "url": format!("file://{}{fragment}", file.display()) }));
    }

    /// What an expression is in the page.
    pub fn value(&self, expression: &str) -> Value {
        self.post("execute/sync", json!({ "script": format!("return ({expression});"), "args": [] }))
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub fn wait(&self, condition: &str) {
        let end = Instant::now() + PATIENCE;
        while self.value(&format!("Boolean({condition})")) != json!(true) {
            assert!(Instant::now() < end, "never came true: {condition}\n{:?}", self.messages());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn element(&self, selector: &str) -> String {
        let found = self.post("element", json!({ "using": "css selector", "value": selector }));
        found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()
    }

    /// Clicks as a person would: what is covered or hidden cannot be clicked.
    pub fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.post(&format!("element/{element}/click"), json!({}));
    }

    /// Types into an element.
    pub fn write(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.post(&format!("element/{element}/value"), json!({ "text": text }));
    }

    /// Presses keys one after another, wherever the focus is.
    pub fn press(&self, keys: &str) {
        let actions: Vec<Value> = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })))
            .collect();
        self.post("actions", json!({ "actions": [{ "type": "key", "id": "keys", "actions": actions }] }));
    }

    /// Holds a key down, or lets it go.
    pub fn hold(&self, key: char, down: bool) {
        let kind = if down { "keyDown" } else { "keyUp" };
        self.post(
            "actions",
            json!({ "actions": [{ "type": "key", "id": "keys", "actions": [{ "type": kind, "value": key }] }] }),
        );
    }

    /// Drags with the mouse from one place of an element to another, in parts of its size.
    pub fn drag(&self, selector: &str, from: (f64, f64), to: (f64, f64)) {
        let script = format!(
            "(() => {{ const b = document.querySelector({}).getBoundingClientRect(); return [b.x, b.y, b.width, b.height] }})()",
            json!(selector)
        );
        let place = self.value(&script);
        let at = |index: usize| place[index].as_f64().unwrap();
        let point = |(x, y): (f64, f64)| json!({ "type": "pointerMove", "duration": 50, "x": (at(0) + at(2) * x).round(), "y": (at(1) + at(3) * y).round() });
        let actions = [
            point(from),
            json!({ "type": "pointerDown", "button": 0 }),
            point(to),
            json!({ "type": "pointerUp", "button": 0 }),
        ];
        self.post("actions", json!({ "actions": [{ "type": "pointer", "id": "mouse", "actions": actions }] }));
    }

    /// What the page, or the browser about it, has written to the console since the last time: a broken policy is told there.
    pub fn messages(&self) -> Vec<String> {
        let log = self.post("se/log", json!({ "type": "browser" }));
        log.as_array().unwrap().iter().map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }

    /// A picture of the window, kept in `target/screenshots`.
    pub fn screenshot(&self, name: &str) -> PathBuf {
        let shot = self.call("GET", &format!("{}/screenshot", self.session), &Value::Null);
        let program = std::env::current_exe().unwrap();
        // TARGET/PROFILE/deps/NAME
        let folder = program.ancestors().nth(3).unwrap().join("screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{name}.png"));
        std::fs::write(&path, STANDARD.decode(shot.as_str().unwrap()).unwrap()).unwrap();
        path
    }

    /// The content of a file that the page downloads.
    pub fn downloaded(&self, name: &str) -> Vec<u8> {
        let path = self.folder.path().join(name);
        let end = Instant::now() + PATIENCE;
        loop {
            // The browser makes the file before it fills it.
            match std::fs::read(&path) {
                Ok(content) if !content.is_empty() => return content,
                _ => assert!(Instant::now() < end, "{name} was never downloaded"),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // also of a test that failed: a driver that is killed leaves its browser behind
        if !self.session.is_empty() {
            let _ = self.try_call("DELETE", &self.session, &Value::Null);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
