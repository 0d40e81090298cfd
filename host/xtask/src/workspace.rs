//! The folders of this workspace, and commands that run in it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::step::Failure;

/// The Rust target of plugins.
pub(crate) const PLUGIN_TARGET: &str = "wasm32-wasip2";

/// Where things are.
pub(crate) struct Workspace {
    /// The repository.
    pub(crate) root: PathBuf,
    /// Where cargo builds.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Finds the folders from this program's own place: cargo put it into the target folder, whatever that is called.
    pub(crate) fn find() -> Result<Self, Failure> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.ancestors().nth(2).filter(|root| root.join("Cargo.toml").is_file());
        let root = root.ok_or_else(|| Failure::new("the repository was moved: run `cargo xtask` inside it"))?;
        let program =
            std::env::current_exe().map_err(|error| Failure::new(format!("cannot find xtask itself: {error}")))?;
        let target = program.ancestors().nth(2).ok_or_else(|| Failure::new("xtask does not lie in a target folder"))?;
        Ok(Self { root: root.to_owned(), target: target.to_owned() })
    }

    /// A command in the repository, as a person would start it: what `cargo run` told about xtask is taken away, since build
    /// scripts notice it and would build again.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") || text == "CARGO_BIN_NAME" {
                command.env_remove(name);
            }
        }
        command
    }

    /// `cargo` with arguments.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = self.command("cargo");
        command.args(arguments);
        command
    }

    /// The program, as the development profile builds it.
    pub(crate) fn difftest(&self) -> PathBuf {
        self.program("debug", "difftest")
    }

    /// A program of this workspace.
    pub(crate) fn program(&self, profile: &str, name: &str) -> PathBuf {
        self.target.join(profile).join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }

    /// Builds plugins to components.
    pub(crate) fn build_plugins(&self, names: &[&str]) -> Command {
        let mut command = self.cargo(&["build", "--release", "--target", PLUGIN_TARGET]);
        for name in names {
            command.args(["-p", name]);
        }
        command
    }
}
