//! What has to be installed before anything can be built, checked before minutes are spent.

use crate::step::{self, Failure};
use crate::workspace::{PLUGIN_TARGET, Workspace};

/// Checks for cargo and for a way to fetch the ONNX Runtime library, and adds the plugins' Rust target where it is missing.
pub(crate) fn prepare(workspace: &Workspace) -> Result<(), Failure> {
    if !step::succeeds(workspace.command("cargo").arg("--version")) {
        return Err(Failure::new("cargo is not on the path: install Rust with rustup, https://rustup.rs"));
    }
    if python_clients(workspace).is_none() && std::env::var_os("ORT_DYLIB_PATH").is_none() {
        eprintln!(
            "note: neither Python 3 with pip nor uv is on the path, and ORT_DYLIB_PATH is not set. Unless the ONNX Runtime \
             library was installed before, it cannot be fetched later: install one of the two now."
        );
    }
    add_plugin_target(workspace)
}

/// A registry server for the tests of publishing: Debian's, unpacked into target/tools. Needs no root and installs nothing. Where that
/// cannot be, those tests say that they are skipped.
pub(crate) fn registry_server(workspace: &Workspace) -> Result<(), Failure> {
    const PACKAGE: &str = "docker-registry";
    let tools = workspace.target.join("tools");
    if tools.join("usr/bin").join(PACKAGE).is_file() || step::succeeds(workspace.command(PACKAGE).arg("--version")) {
        return Ok(());
    }
    let skip = |reason: &str| {
        eprintln!("skipped: {PACKAGE} is not fetched: {reason}; put it on the path to run the tests that need it");
        Ok(())
    };
    if !["apt-get", "dpkg-deb"].into_iter().all(|name| step::succeeds(workspace.command(name).arg("--version"))) {
        return skip("there is no apt-get and dpkg-deb here");
    }
    std::fs::create_dir_all(&tools)
        .map_err(|error| Failure::new(format!("cannot make {}: {error}", tools.display())))?;
    let download =
        || step::succeeds(workspace.command("apt-get").current_dir(&tools).args(["download", "-q", PACKAGE]));
    // fresh machines have no package lists yet; getting them takes a right that may be missing
    let update = || step::succeeds(workspace.command("apt-get").args(["update", "-q"]));
    let downloaded = download() || (update() && download());
    if !downloaded {
        return skip("apt-get cannot download it (is there a network?)");
    }
    let entries = std::fs::read_dir(&tools).into_iter().flatten().flatten().map(|entry| entry.path());
    let package = entries.filter(|path| path.extension().is_some_and(|extension| extension == "deb")).max();
    match package {
        Some(package) => step::run(workspace.command("dpkg-deb").arg("-x").args([&package, &tools])),
        None => skip("apt-get downloaded nothing"),
    }
}

/// A Chromium with its WebDriver for the tests of the HTML report. Debian's is installed where this is root of a system with apt-get;
/// where that cannot be, those tests say that they are skipped.
pub(crate) fn browser(workspace: &Workspace) {
    let there = |name: &str| step::succeeds(workspace.command(name).arg("--version"));
    let chromium = || ["chromium", "google-chrome", "google-chrome-stable", "chromium-browser"].into_iter().any(there);
    if there("chromedriver") && chromium() {
        return;
    }
    let root = step::output(workspace.command("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    let reason = if !there("apt-get") {
        "there is no apt-get here"
    } else if !root {
        "only root may install packages"
    } else {
        let apt = |words: &[&str]| {
            step::succeeds(workspace.command("apt-get").args(words).env("DEBIAN_FRONTEND", "noninteractive"))
        };
        let install = || apt(&["install", "-q", "-y", "--no-install-recommends", "chromium", "chromium-driver"]);
        // fresh machines have no package lists yet
        if install() || (apt(&["update", "-q"]) && install()) {
            return;
        }
        "apt-get cannot install it (is there a network?)"
    };
    eprintln!(
        "skipped: Chromium is not installed: {reason}; put it and chromedriver on the path to run the tests that need them"
    );
}

/// The first package client that answers.
fn python_clients(workspace: &Workspace) -> Option<&'static [&'static str]> {
    const CLIENTS: [&[&str]; 5] =
        [&["python3", "-m", "pip"], &["python", "-m", "pip"], &["py", "-3", "-m", "pip"], &["pip3"], &["uv"]];
    CLIENTS.into_iter().find(|words| step::succeeds(workspace.command(words[0]).args(&words[1..]).arg("--version")))
}

/// `rustup target add`, only where the target is not there: without a network an installed one is enough.
fn add_plugin_target(workspace: &Workspace) -> Result<(), Failure> {
    let printed =
        step::output(workspace.command("rustc").args(["--print", "target-libdir", "--target", PLUGIN_TARGET]));
    if printed.is_ok_and(|folder| std::path::Path::new(folder.trim()).is_dir()) {
        return Ok(());
    }
    if !step::succeeds(workspace.command("rustup").arg("--version")) {
        return Err(Failure::new(format!(
            "this Rust has no target {PLUGIN_TARGET}, and there is no rustup to add it with: install Rust with rustup, \
             https://rustup.rs, or add the target with your package manager"
        )));
    }
    step::run(workspace.command("rustup").args(["target", "add", PLUGIN_TARGET]))
}
