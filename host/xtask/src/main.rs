//! What contributors run: `cargo xtask demo`, `cargo xtask test`, `cargo xtask bench`.
//!
//! Each command is a list of steps (`step`), and each step is a command line a person could type; `workspace` knows the folders,
//! `tools` what has to be installed. Progress goes to stderr, results to stdout. Compiles in seconds: this crate depends on
//! nothing that the program needs.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "talking to the person at the terminal is its job")]

mod bench;
mod count;
mod demo;
mod python;
mod step;
mod test;
mod tools;
mod workspace;

use std::process::ExitCode;

use step::Failure;

const HELP: &str = "\
What contributors run.

Usage: cargo xtask <COMMAND> [OPTIONS]

Commands:
  demo   Set up what is missing, build, and run suites/quickstart.toml on the model that ships with difftest
  test   Set up what is missing, and run every check and test; this is what CI runs
  bench  Measure difftest against the Python tools people use today, side by side

`cargo xtask <COMMAND> --help` says what a command does, step by step.

All of them need rustup and Python 3 with pip, or uv. Whatever they build goes to the target folder (CARGO_TARGET_DIR is
respected); the ONNX Runtime library goes to difftest's data folder (DIFFTEST_DATA_DIR moves it).";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (command, rest) = words.split_first().map_or(("--help", &[][..]), |(first, rest)| (*first, rest));
    let help = rest.iter().any(|word| matches!(*word, "-h" | "--help"));
    let result = match command {
        "-h" | "--help" | "help" => say(HELP),
        "demo" if help => say(demo::HELP),
        "demo" => demo::demo(rest),
        "test" if help => say(test::HELP),
        "test" => test::test(rest),
        "bench" if help => say(bench::HELP),
        "bench" => bench::bench(rest),
        unknown => Err(Failure::usage(format!("there is no command `{unknown}`\n\n{HELP}"))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nxtask: {failure}");
            ExitCode::from(failure.exit_code)
        }
    }
}

fn say(text: &str) -> Result<(), Failure> {
    println!("{text}");
    Ok(())
}
