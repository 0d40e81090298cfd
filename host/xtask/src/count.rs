//! How many tests a `cargo test` ran, over all of its binaries.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use crate::step::{self, Failure};

/// What the closing lines of every test binary add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    /// Tests of the binary that is running which said that they do nothing here.
    told: u64,
}

impl Count {
    /// Adds `test result: ok. 12 passed; 0 failed; 1 ignored; ...`, and takes back a test that says `skipped: why`, which the test
    /// harness counts as passed; any other line changes nothing.
    fn add(&mut self, line: &str) {
        if line.starts_with("skipped: ") || line.contains(" ... skipped: ") {
            self.skipped += 1;
            // its closing line comes later
            self.told += 1;
        }
        let Some(numbers) = line.strip_prefix("test result: ") else { return };
        let number = |word: &str| {
            let part = numbers.split(['.', ';']).map(str::trim).find_map(|part| part.strip_suffix(word));
            part.and_then(|number| number.trim().parse::<u64>().ok()).unwrap_or(0)
        };
        self.passed += number("passed").saturating_sub(std::mem::take(&mut self.told));
        self.failed += number("failed");
        self.skipped += number("ignored");
    }
}

/// Runs a `cargo test`, shows its output as it comes, and counts. No test at all is a failure.
pub(crate) fn run(command: &mut Command) -> Result<Count, Failure> {
    let mut child = step::spawn(command.stdout(Stdio::piped()))?;
    let mut count = Count::default();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = line.map_err(|error| Failure::new(format!("cannot read the tests' output: {error}")))?;
            count.add(&String::from_utf8_lossy(&line));
            let mut stdout = std::io::stdout().lock();
            // A reader that went away does not end the tests.
            let _ = stdout.write_all(&line).and_then(|()| stdout.write_all(b"\n"));
        }
    }
    step::wait(command, &mut child)?;
    if count.passed == 0 {
        return Err(Failure::new("no test was run"));
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_closing_lines_and_nothing_else() {
        let mut count = Count::default();
        count.add("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.02s");
        count.add("test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.02s");
        count.add("test runs::test_result_7_passed ... ok");
        assert_eq!(count, Count { passed: 14, failed: 1, skipped: 1, told: 0 });
    }

    #[test]
    fn a_test_that_says_it_was_skipped_did_not_pass() {
        let mut count = Count::default();
        count.add("test interop::wkg ... skipped: there is no wkg");
        count.add("ok");
        count.add("skipped: there is no oras");
        count.add("test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s");
        count.add("test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.02s");
        assert_eq!(count, Count { passed: 5, failed: 0, skipped: 3, told: 0 });
    }
}
