//! difftest's side of `cargo xtask bench`: each command does what one script in `host/xtask/bench/` does in Python, from the
//! same inputs, and prints one JSON line that begins with its peak memory.
//!
//! | command | counterpart |
//! |---|---|
//! | `image-stats sandbox|native PLUGINS IMAGES COUNT SIDE SCORES` | `image_stats.py` |
//! | `ssim sandbox|native PLUGINS IMAGES COUNT SIDE SCORES` | `ssim.py` |
//! | `phash PLUGINS FOLDER COUNT THREADS SCORES` | `phash.py` |
//! | `memory PLUGINS CASES` | none |
//! | `shapes WORK.json OUT THREADS` | `shapes.py` |
//! | `unet FOLDER THREADS REPEATS` | `unet.py run` |
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the measurement goes to stdout, trouble to stderr")]

mod image_stats;
mod memory;
mod pairs;
mod shapes;
mod unet;

use std::error::Error;
use std::process::ExitCode;

use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    difftest_metrics::memory::keep_freed();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let measured = match words[..] {
        ["image-stats", side, plugins, images, count, side_length, scores] => {
            image_stats::measure(side, plugins, images, count, side_length, scores)
        }
        ["ssim", side, plugins, images, count, length, scores] => {
            pairs::ssim(side, plugins, images, [count, length], scores)
        }
        ["phash", plugins, folder, count, threads, scores] => pairs::phash(plugins, folder, [count, threads], scores),
        ["memory", plugins, cases] => memory::measure(plugins, cases),
        ["shapes", work, out, threads] => shapes::measure(work, out, threads),
        ["unet", folder, threads, repeats] => unet::measure(folder, threads, repeats),
        _ => Err("see the top of host/bench/src/main.rs for the commands; `cargo xtask bench` runs them".into()),
    };
    match measured {
        Ok(Value::Object(mut fields)) => {
            fields.insert("peak_bytes".to_owned(), json!(peak_bytes()));
            println!("{}", Value::Object(fields));
            ExitCode::SUCCESS
        }
        Ok(other) => {
            println!("{other}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("difftest-bench: {error}");
            ExitCode::from(2)
        }
    }
}

/// The largest resident memory this process has had; `None` where the system does not tell in a file.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}
