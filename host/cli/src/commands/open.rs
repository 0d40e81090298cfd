//! Shows files in whatever this system opens them with.

use std::env;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::environment;
use crate::ui::Ui;

/// How long a program that opens files is watched: one that cannot ends at once.
const WATCHED: Duration = Duration::from_millis(1500);

/// What this system opens files with.
const PROGRAM: &str = if cfg!(target_os = "macos") {
    "open"
} else if cfg!(windows) {
    "explorer"
} else {
    "xdg-open"
};

/// Opens a file; what shows it stays open, and nobody waits for it.
pub(super) fn file(path: &Path) -> io::Result<Child> {
    Command::new(PROGRAM).arg(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

/// Opens a page in the browser. Where there is none, that is told: the page is there all the same.
pub(super) fn page(path: &Path, ui: &mut Ui) {
    if let Err(why) = opened(path) {
        ui.note(&format!("not opened: {why}; the page is {}", path.display()));
    }
}

fn opened(path: &Path) -> Result<(), String> {
    if environment::in_ci() {
        return Err("on CI nobody looks at a browser".to_owned());
    }
    // What opens files on other systems finds the screen by itself. `BROWSER` may name one that needs none.
    let unset = |name: &&str| env::var_os(name).is_none_or(|value| value.is_empty());
    if !cfg!(any(windows, target_os = "macos")) && ["DISPLAY", "WAYLAND_DISPLAY", "BROWSER"].iter().all(unset) {
        return Err("there is no display here".to_owned());
    }
    let fail = |error: io::Error| format!("{PROGRAM} cannot be started ({error})");
    let mut child = file(path).map_err(fail)?;
    let until = Instant::now() + WATCHED;
    while Instant::now() < until {
        match child.try_wait().map_err(fail)? {
            // Explorer ends with 1 also where it did open the file.
            Some(status) if !status.success() && !cfg!(windows) => {
                return Err(format!("{PROGRAM} could not open it ({status})"));
            }
            Some(_) => break,
            None => thread::sleep(Duration::from_millis(20)),
        }
    }
    Ok(())
}
