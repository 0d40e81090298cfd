//! The parent's side: starts the child, feeds it, waits no longer than is allowed, and makes sense of how it ended.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::{ARGUMENT, CompileError, NOTICE, child};
use crate::limits::Limits;
use crate::text;

/// What is kept of the child's standard error.
const SAID: u64 = 16 << 10;

/// How often to look whether a child that has said everything is gone.
const POLL: Duration = Duration::from_millis(1);

/// Compiles `wasm` in a child process of `program`.
pub(super) fn compile(
    program: &Path,
    wasm: &[u8],
    limits: &Limits,
    notice: impl FnOnce(),
) -> Result<Vec<u8>, CompileError> {
    let not_started = |error: std::io::Error| CompileError::NotStarted { reason: error.to_string() };
    let started = Instant::now();
    let cpu = limits.compile_time.as_secs_f64().ceil() as u64 * child::threads() as u64 + 1;
    let numbers = [limits.compile_memory as u64, cpu, wasm.len() as u64];
    let mut command = Command::new(program);
    command.arg(ARGUMENT).args(numbers.map(|number| number.to_string()));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Guard(command.spawn().map_err(not_started)?);
    let pipes = (child.0.stdin.take(), child.0.stdout.take(), child.0.stderr.take());
    let (Some(mut stdin), Some(mut stdout), Some(mut stderr)) = pipes else {
        return Err(CompileError::NotStarted { reason: "its pipes are missing".into() });
    };
    thread::scope(|scope| {
        // the child ends when its standard input does, so the pipe is given back and held to the end; a child that ends early breaks
        // it, and says why in another way
        let feeding = scope.spawn(move || {
            let _ = stdin.write_all(wasm);
            stdin
        });
        let (done, ended) = mpsc::channel();
        // no code is larger than the memory that it was made in
        let most = limits.compile_memory as u64;
        let answering = scope.spawn(move || {
            let mut answer = Vec::new();
            let read = (&mut stdout).take(most).read_to_end(&mut answer);
            let _ = done.send(());
            read.map(|_| answer)
        });
        let complaining = scope.spawn(move || {
            let mut said = Vec::new();
            let _ = (&mut stderr).take(SAID).read_to_end(&mut said);
            let _ = std::io::copy(&mut stderr, &mut std::io::sink());
            String::from_utf8_lossy(&said).into_owned()
        });

        let status = wait(&mut child.0, &ended, started, limits.compile_time, notice);
        drop(child); // ends it where it still runs, and with it the three threads
        drop(feeding.join());
        let answer = answering.join().ok().and_then(Result::ok).unwrap_or_default();
        let said = complaining.join().unwrap_or_default();
        match status.map_err(not_started)? {
            None => Err(CompileError::Time { limit: limits.compile_time }),
            Some(status) if status.success() => Ok(answer),
            Some(status) => Err(failure(status, &answer, &said, limits)),
        }
    })
}

/// Waits until the child is gone; `None` when the time is over.
fn wait(
    child: &mut Child,
    ended: &mpsc::Receiver<()>,
    started: Instant,
    most: Duration,
    notice: impl FnOnce(),
) -> std::io::Result<Option<ExitStatus>> {
    let mut notice = Some(notice);
    loop {
        let until = if notice.is_some() { NOTICE.min(most) } else { most };
        match ended.recv_timeout(until.saturating_sub(started.elapsed())) {
            Err(RecvTimeoutError::Timeout) if until == most => return Ok(None),
            Err(RecvTimeoutError::Timeout) => {
                if let Some(notice) = notice.take() {
                    notice();
                }
            }
            _ => break,
        }
    }
    loop {
        match child.try_wait()? {
            Some(status) => return Ok(Some(status)),
            None if started.elapsed() >= most => return Ok(None),
            None => thread::sleep(POLL),
        }
    }
}

/// Why a child that ended by itself has no code.
fn failure(status: ExitStatus, answer: &[u8], said: &str, limits: &Limits) -> CompileError {
    // the standard library says this before it gives up
    if said.contains("memory allocation of") {
        return CompileError::Memory { limit: limits.compile_memory };
    }
    if spent_its_time(status) {
        return CompileError::Time { limit: limits.compile_time };
    }
    let said = text::line(said.trim().lines().next().unwrap_or_default(), 300);
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(child::REFUSED) => match serde_json::from_slice(answer) {
            Ok(refusal) => CompileError::Refused(refusal),
            Err(error) => CompileError::Crashed { how: format!("its answer cannot be read: {error}") },
        },
        Some(child::OUT_OF_MEMORY) => CompileError::Memory { limit: limits.compile_memory },
        Some(child::NOT_STARTED) => CompileError::NotStarted { reason: said },
        _ if said.is_empty() => CompileError::Crashed { how: status.to_string() },
        _ => CompileError::Crashed { how: format!("{status}: {said}") },
    }
}

/// Whether the system ended it because of its limit on processor time.
#[cfg(unix)]
fn spent_its_time(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    status.signal() == Some(rustix::process::Signal::XCPU.as_raw())
}

#[cfg(not(unix))]
fn spent_its_time(_: ExitStatus) -> bool {
    false
}

/// Ends the child when it goes out of scope, so that no way out of here leaves it behind.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
