//! What `add` and `publish` share: a client with the user's logins, its errors, its progress, and paths in the lock.

use std::path::{Component, Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use difftest_oci::{AuthFiles, Client, Options, Progress, Reference};

use crate::args::plugin::RegistryArgs;
use crate::error::CliError;
use crate::ui::{self, Ui};

/// A registry that has not answered for so long is named, so that nobody wonders what is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) fn client(args: &RegistryArgs) -> Client {
    Client::new(Options { plain_http: args.plain_http, auth: AuthFiles::from_env(), ..Options::default() })
}

pub(super) fn error(error: difftest_oci::Error) -> CliError {
    CliError::new(error.kind(), error.to_string()).hint_if(error.hint())
}

/// Runs `work`, which speaks to the registry of `reference`; says whom it waits for where nothing comes for a while, and shows a
/// person who watches how far it is.
pub(super) fn with_progress<T>(
    ui: &mut Ui,
    verb: &str,
    reference: &Reference,
    work: impl FnOnce(&mut dyn FnMut(Progress)) -> Result<T, difftest_oci::Error>,
) -> Result<T, CliError> {
    let watched = ui.interactive();
    let mut shown = u64::MAX;
    let done = while_silent(reference.registry(), |heard| {
        work(&mut |progress| {
            heard();
            let percent = progress.done * 100 / progress.total.max(1);
            if watched && percent != shown {
                shown = percent;
                ui.error_text(&format!("\r{verb} {percent} % of {} kB", progress.total.div_ceil(1000)));
            }
        })
    });
    if shown != u64::MAX {
        // the line is wiped: what is left is the outcome
        ui.error_text("\r\u{1b}[2K");
    }
    done.map_err(error)
}

/// Runs `work`, and names `host` once where neither the end nor the first call of `heard` comes within [`PATIENCE`].
fn while_silent<T>(host: &str, work: impl FnOnce(&dyn Fn()) -> T) -> T {
    let (tell, told) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if told.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                ui::note(&format!("asking {host} ..."));
            }
        });
        // nobody listens any more once the host was named; dropping `tell` ends the wait too
        let done = work(&|| {
            let _ = tell.send(());
        });
        drop(tell);
        done
    })
}

/// `path` as seen from the working folder, with `/` on every system, so that a lock file reads the same everywhere.
pub(super) fn relative(path: &Path) -> String {
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let (path, here) = (whole(path), whole(Path::new(".")));
    let (to, from): (Vec<_>, Vec<_>) = (path.components().collect(), here.components().collect());
    let shared = to.iter().zip(&from).take_while(|(a, b)| a == b).count();
    let out: PathBuf = if shared == 0 {
        path.clone()
    } else {
        std::iter::repeat_n(Component::ParentDir, from.len() - shared).chain(to[shared..].iter().copied()).collect()
    };
    let parts = out.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
    parts.collect::<Vec<_>>().join("/").replacen("//", "/", 1)
}
