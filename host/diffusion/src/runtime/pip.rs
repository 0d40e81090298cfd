//! Downloading one wheel with the Python package client that is there.
//!
//! pip is asked for a fixed Python version and platform, so the same wheel comes whatever Python runs it, and it follows the
//! user's own settings: indexes, mirrors, proxies, certificates, cache.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::error::RuntimeError;
use super::package::Wheel;

/// Ways to call Python 3.
pub(super) const PYTHONS: &[&[&str]] =
    if cfg!(windows) { &[&["py", "-3"], &["python"], &["python3"]] } else { &[&["python3"], &["python"]] };

/// How often the length of the growing file is looked at.
const POLL: Duration = Duration::from_millis(100);

/// A command line that behaves like `pip`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Client(Vec<&'static str>);

impl Client {
    /// Every client worth trying, the commonest first. uv has no download command of its own, but can run pip.
    fn candidates() -> impl Iterator<Item = Self> {
        let of_python = PYTHONS.iter().map(|python| [python, &["-m", "pip"][..]].concat());
        let others: [&[&str]; 2] = [&["pip3"], &["uv", "tool", "run", "--from", "pip", "pip"]];
        of_python.chain(others.into_iter().map(<[_]>::to_vec)).map(Self)
    }

    /// The first client that answers.
    pub(super) fn find() -> Result<Self, RuntimeError> {
        Self::candidates().find(Self::answers).ok_or_else(|| RuntimeError::NoClient {
            tried: Self::candidates().map(|client| format!("`{client}`")).collect(),
        })
    }

    /// Whether it is there. uv is asked for itself alone: running pip through it may need the network, whose absence is to be
    /// reported by the download.
    fn answers(&self) -> bool {
        let mut command = if self.0[0] == "uv" { Command::new("uv") } else { self.command() };
        let quiet = command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().is_ok_and(|status| status.success())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.0[0]);
        // a setting that is meant for installing must not forbid downloading
        command.args(&self.0[1..]).stdin(Stdio::null()).env("PIP_REQUIRE_VIRTUALENV", "0");
        command
    }

    /// Downloads `wheel` into `folder`, which is empty, and returns its path. `progress` is told the bytes so far.
    pub(super) fn download(
        &self,
        wheel: &Wheel,
        folder: &Path,
        progress: &mut dyn FnMut(u64),
    ) -> Result<PathBuf, RuntimeError> {
        let scratch = folder.join("scratch");
        std::fs::create_dir(&scratch).map_err(RuntimeError::io("create", &scratch))?;
        let mut command = self.command();
        command
            .args(["download", "--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check"])
            .args(["--progress-bar", "off", "--python-version", "3.12", "--implementation", "cp", "--abi", "cp312"])
            .args(["--platform", wheel.platform, "--dest"])
            .arg(folder)
            .arg(format!("{}=={}", wheel.package, wheel.version))
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        // pip writes what arrives below its temporary folder: there it can be watched, and goes away with ours
        for variable in ["TMPDIR", "TEMP", "TMP"] {
            command.env(variable, &scratch);
        }
        let failed = |reason: String| RuntimeError::Download {
            client: self.to_string(),
            package: wheel.package,
            version: wheel.version,
            offline: is_offline(&reason),
            reason: last_word(&reason),
        };
        let child = command.spawn().map_err(|error| failed(error.to_string()))?;
        let (success, said) = watch(child, &scratch, progress).map_err(|error| failed(error.to_string()))?;
        if said.contains("No space left on device") || said.contains("Disk quota exceeded") {
            return Err(RuntimeError::DiskFull { path: folder.to_owned() });
        }
        let arrived = folder.read_dir().map_err(RuntimeError::io("read", folder))?.flatten().map(|entry| entry.path());
        let mut wheels = arrived.filter(|path| path.extension().is_some_and(|extension| extension == "whl"));
        if success { wheels.next() } else { None }.ok_or_else(|| failed(said))
    }
}

impl std::fmt::Display for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

/// Waits for the client, telling the bytes in `scratch` meanwhile. Returns whether it succeeded and what it said.
fn watch(mut child: Child, scratch: &Path, progress: &mut dyn FnMut(u64)) -> std::io::Result<(bool, String)> {
    let stderr = child.stderr.take();
    thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut said = Vec::new();
            // what cannot be read is missing from the message, which is no reason to fail
            let _ = stderr.map(|mut stderr| stderr.read_to_end(&mut said));
            String::from_utf8_lossy(&said).into_owned()
        });
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            progress(bytes_below(scratch));
            thread::sleep(POLL);
        };
        Ok((status.success(), reader.join().unwrap_or_default()))
    })
}

/// The length of the largest file below a folder that others are writing to.
fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = folder.read_dir() else { return 0 };
    let lengths = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    lengths.max().unwrap_or(0)
}

/// Words of pip, urllib3, uv and the systems' resolvers for a network that does not answer.
fn is_offline(said: &str) -> bool {
    const SIGNS: [&str; 9] = [
        "NewConnectionError",
        "NameResolutionError",
        "Temporary failure in name resolution",
        "ConnectTimeoutError",
        "ReadTimeoutError",
        "ProxyError",
        "Network is unreachable",
        "failed to lookup address information",
        // an index that was reached knows every version of a package it has
        "(from versions: none)",
    ];
    SIGNS.iter().any(|sign| said.contains(sign))
}

/// The last `ERROR:` line without its mark, or the last line that says anything.
fn last_word(said: &str) -> String {
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    let error = lines().filter_map(|line| line.strip_prefix("ERROR: ")).next_back();
    error.or_else(|| lines().next_back()).unwrap_or("it said nothing").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_the_last_error() {
        let said =
            "WARNING: Retrying after NewConnectionError\nERROR: No matching distribution found for x\n\n[notice] hi\n";
        assert_eq!(last_word(said), "No matching distribution found for x");
        assert!(is_offline(said));
        assert_eq!(last_word("  \n"), "it said nothing");
        assert!(!is_offline("ERROR: No matching distribution found for x"));
        assert!(is_offline(
            "ERROR: Could not find a version that satisfies x (from versions: none)\nERROR: No matching"
        ));
    }

    #[test]
    fn the_largest_file_counts() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join("pip-unpack"))?;
        std::fs::write(folder.path().join("pip-unpack/a.whl"), [0; 300])?;
        std::fs::write(folder.path().join("small"), [0; 20])?;
        assert_eq!(bytes_below(folder.path()), 300);
        Ok(())
    }
}
