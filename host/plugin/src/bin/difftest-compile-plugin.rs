//! The compiling child process of [`difftest_plugin::compile`], and nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    difftest_plugin::compile::as_child().unwrap_or(ExitCode::FAILURE)
}
