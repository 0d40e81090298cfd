//! A folder of its own for each test, and a way to run `difftest` in it that reads like a transcript.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// The component of a first-party plugin, by file name, where `cargo xtask` builds it.
pub fn component(file: &str) -> PathBuf {
    // The program lies in TARGET/PROFILE/.
    let target = Path::new(env!("CARGO_BIN_EXE_difftest")).ancestors().nth(2).unwrap();
    target.join("wasm32-wasip2/release").join(file)
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// An empty working folder.
pub struct TestEnv {
    folder: tempfile::TempDir,
}

/// What a run of the binary left behind.
pub struct Finished {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl TestEnv {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, making its folders.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// `difftest`, ready to be given arguments: no colour, no CI, nothing of the caller's own settings.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_difftest"));
        command.current_dir(self.folder.path()).env("NO_COLOR", "1");
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            let ours = name.starts_with("DIFFTEST_") && !name.ends_with("_DIR");
            if ours || name == "CI" || name == "FORCE_COLOR" || name == "DIFFTEST_TEST_DIR" {
                command.env_remove(name);
            }
        }
        command
    }

    /// Runs it to its end.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Finished {
        finished(self.command().args(arguments).output().unwrap())
    }

    /// `difftest run` of one suite text, with the first-party plugins.
    pub fn run_suite(&self, suite: &str, more: &[&str]) -> Finished {
        self.write("suites/suite.toml", suite);
        let plugins = workspace().join("plugins");
        let mut arguments = vec!["run", "suite", "--plugins", plugins.to_str().unwrap()];
        arguments.extend(more);
        self.run(arguments)
    }

    /// What a run wrote with `--output results.json`.
    pub fn results(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.path("results.json")).unwrap()).unwrap()
    }

    /// `text` with this test's folder replaced, so that it is the same on every machine.
    pub fn redact(&self, text: &str) -> String {
        let real = std::fs::canonicalize(self.folder.path()).unwrap();
        text.replace(real.to_str().unwrap(), "[DIR]").replace(self.folder.path().to_str().unwrap(), "[DIR]")
    }
}

pub fn finished(output: Output) -> Finished {
    Finished {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Finished {
    /// Checks the exit code, showing everything when it is another.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Checks that stderr has each of `parts`.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "no {part:?} in stderr:\n{}", self.stderr);
        }
        self
    }
}
