//! Steps with their names and times, and how they fail.

use std::fmt;
use std::process::{Child, Command, ExitStatus};
use std::time::Instant;

/// Why xtask stopped.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    /// What the process ends with: the code of the command that failed, or 2.
    pub(crate) exit_code: u8,
}

impl Failure {
    /// Something outside the commands xtask runs is wrong.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit_code: 2 }
    }

    /// The command line is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// A numbered list of steps; the first failure ends it.
pub(crate) struct Steps {
    of: usize,
    done: usize,
    began: Instant,
}

impl Steps {
    /// There will be `of` steps.
    pub(crate) fn new(of: usize) -> Self {
        Self { of, done: 0, began: Instant::now() }
    }

    /// Runs one step: a title, then whatever it prints, then how long it took.
    pub(crate) fn run(&mut self, title: &str, step: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
        self.done += 1;
        eprintln!("[{}/{}] {title}", self.done, self.of);
        let began = Instant::now();
        let result = step();
        let seconds = began.elapsed().as_secs_f64();
        let word = if result.is_ok() { "done" } else { "failed" };
        eprintln!("[{}/{}] {word} in {seconds:.1} s", self.done, self.of);
        result
    }

    /// Seconds since the first step.
    pub(crate) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}

/// Runs a command with its output on this terminal.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let mut child = spawn(command)?;
    wait(command, &mut child)
}

/// Starts a command.
pub(crate) fn spawn(command: &mut Command) -> Result<Child, Failure> {
    command.spawn().map_err(|error| Failure::new(format!("cannot run `{}`: {error}", command_line(command))))
}

/// Waits for a command that was started; any exit code but 0 is a failure that says how to repeat it.
pub(crate) fn wait(command: &Command, child: &mut Child) -> Result<(), Failure> {
    let line = command_line(command);
    let status = child.wait().map_err(|error| Failure::new(format!("cannot wait for `{line}`: {error}")))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure { message: format!("{}\nrepeat it with: {line}", ended(status)), exit_code: code(status) })
}

/// Runs a command and returns what it printed; its errors go to this terminal.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let line = command_line(command);
    let output = command.stderr(std::process::Stdio::inherit()).output();
    let output = output.map_err(|error| Failure::new(format!("cannot run `{line}`: {error}")))?;
    if !output.status.success() {
        let message = format!("{}\nrepeat it with: {line}", ended(output.status));
        return Err(Failure { message, exit_code: code(output.status) });
    }
    String::from_utf8(output.stdout).map_err(|_| Failure::new(format!("`{line}` printed something that is not text")))
}

/// Runs a command and returns how it ended and what it said on its error stream.
pub(crate) fn said(command: &mut Command) -> Result<(Result<(), Failure>, String), Failure> {
    use std::process::Stdio;
    let mut child = spawn(command.stderr(Stdio::piped()))?;
    let mut said = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        let mut bytes = Vec::new();
        let read = std::io::Read::read_to_end(&mut stderr, &mut bytes);
        read.map_err(|error| Failure::new(format!("cannot read what `{}` says: {error}", command_line(command))))?;
        said.push_str(&String::from_utf8_lossy(&bytes));
    }
    Ok((wait(command, &mut child), said))
}

/// Whether a command can be started and succeeds; silent.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    use std::process::Stdio;
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

fn ended(status: ExitStatus) -> String {
    status.code().map_or_else(|| format!("the command was ended: {status}"), |code| format!("exit code {code}"))
}

/// The exit code, so that `cargo xtask demo` ends as `difftest run` did; 2 for a signal.
fn code(status: ExitStatus) -> u8 {
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(2)
}

/// The command as a person would type it in the workspace.
fn command_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let quoted = words.map(|word| {
        let word = word.to_string_lossy();
        if word.contains([' ', '\'', '"', '*']) {
            format!("'{}'", word.replace('\'', "'\\''"))
        } else {
            word.into_owned()
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}
