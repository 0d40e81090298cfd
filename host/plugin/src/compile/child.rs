//! The child's side: takes its limits, reads a component from standard input, writes code to standard output.
//!
//! Exit codes are how the parent tells the ends apart: 0 with code on standard output, [`REFUSED`] with a [`Refusal`] as JSON,
//! [`OUT_OF_MEMORY`] and [`NOT_STARTED`] with a line on standard error. Anything else is a crash.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::thread;

use super::{ARGUMENT, Refusal, compile};
use crate::engine;

/// The component is at fault.
pub(super) const REFUSED: u8 = 10;
/// An allocation failed and wasmtime said so.
pub(super) const OUT_OF_MEMORY: u8 = 11;
/// Nothing of the component was looked at.
pub(super) const NOT_STARTED: u8 = 12;
/// The parent is gone; nobody will see this.
const ORPHANED: i32 = 13;

/// More threads compile no faster and make the need for memory depend on the machine.
const THREADS: usize = 8;

/// Threads that a child process compiles with.
pub(super) fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(THREADS)
}

/// Compiles, where this process was started to do that: the first thing that the `main` of a program must ask which uses
/// [`Compiler::this_program`](super::Compiler::this_program). `None` where it was started for something else.
#[must_use]
pub fn as_child() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != ARGUMENT {
        return None;
    }
    let [memory, cpu, length] = [(); 3].map(|()| arguments.next().as_ref().and_then(number));
    let (Some(memory), Some(cpu), Some(length)) = (memory, cpu, length) else {
        return Some(fail(NOT_STARTED, "this is how difftest starts itself; it is no command"));
    };
    Some(match run(memory, cpu, length) {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, reason)) => fail(code, &reason),
    })
}

fn number(argument: &OsString) -> Option<u64> {
    argument.to_str()?.parse().ok()
}

fn fail(code: u8, reason: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "{reason}");
    ExitCode::from(code)
}

fn run(memory: u64, cpu: u64, length: u64) -> Result<(), (u8, String)> {
    let not_started = |error: &dyn std::fmt::Display| (NOT_STARTED, error.to_string());
    // threads and engine first: they need system calls that are not there afterwards, and see nothing of the component
    rayon::ThreadPoolBuilder::new().num_threads(threads()).build_global().map_err(|error| not_started(&error))?;
    let engine = wasmtime::Engine::new(&engine::settings()).map_err(|error| not_started(&error))?;
    let orphans = thread::Builder::new().name("orphaned".into());
    let (whole, read) = std::sync::mpsc::channel();
    orphans.spawn(move || feed(length, &whole)).map_err(|error| not_started(&error))?;
    limit(memory, cpu).map_err(|error| not_started(&error))?;

    let wasm = read.recv().map_err(|error| not_started(&error))?;
    let code = match compile(&engine, &wasm) {
        Ok(code) => code,
        Err(Refusal::Unsupported { reason }) if out_of_memory(&reason) => return Err((OUT_OF_MEMORY, reason)),
        Err(refusal) => {
            let json = serde_json::to_vec(&refusal).map_err(|error| not_started(&error))?;
            let _ = io::stdout().write_all(&json);
            return Err((REFUSED, String::new()));
        }
    };
    let mut stdout = io::stdout().lock();
    stdout.write_all(&code).and_then(|()| stdout.flush()).map_err(|error| not_started(&error))
}

/// wasmtime answers some failed allocations with an error, others end the process; its texts for them.
fn out_of_memory(reason: &str) -> bool {
    ["out of memory", "memory allocation", "Cannot allocate memory"].iter().any(|text| reason.contains(text))
}

/// Passes on the component, then waits for the end of standard input: it comes when the parent is gone, whatever ended it.
fn feed(length: u64, whole: &std::sync::mpsc::Sender<Vec<u8>>) {
    let mut stdin = io::stdin().lock();
    let mut wasm = Vec::with_capacity(usize::try_from(length).unwrap_or(0).min(1 << 30));
    let read = (&mut stdin).take(length).read_to_end(&mut wasm);
    if read.is_ok() && wasm.len() as u64 == length && whole.send(wasm).is_ok() {
        let _ = stdin.read(&mut [0]);
    }
    #[expect(clippy::exit, reason = "compiling cannot be stopped otherwise, and there is nothing to put in order")]
    std::process::exit(ORPHANED);
}

/// Takes the limits, which cannot be given back.
#[cfg(unix)]
fn limit(memory: u64, cpu: u64) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let set = |resource, most: u64| {
        // whoever started difftest may have set a lower one, which cannot be raised
        let theirs = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        // at the first one of processor time it is told why it ends, at the second it is killed
        let hard = if resource == Resource::Cpu { most.saturating_add(1) } else { most };
        let limit = Rlimit { current: Some(most.min(theirs)), maximum: Some(hard.min(theirs)) };
        let limited = setrlimit(resource, limit);
        // other systems know some of these by name only
        if cfg!(target_os = "linux") { limited.map_err(io::Error::from) } else { Ok(()) }
    };
    // what is writable and private: unlike the address space, it is what is used and not what is reserved
    set(Resource::Data, memory)?;
    set(Resource::Cpu, cpu)?;
    set(Resource::Core, 0)?;
    set(Resource::Fsize, 0)?;
    // no more files or sockets than the three that are open
    set(Resource::Nofile, 0)
}

#[cfg(not(unix))]
fn limit(_memory: u64, _cpu: u64) -> io::Result<()> {
    Ok(())
}
