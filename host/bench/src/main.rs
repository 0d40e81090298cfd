//! difftest's side of `cargo xtask bench`: each command does what one script in `host/xtask/bench/` does in Python, from the
//! same inputs, and prints one JSON line that begins with its peak memory.
//!
//! | command | counterpart |
//! |---|---|
//! | `image-stats sandbox|native PLUGINS IMAGES COUNT SIDE SCORES` | `image_stats.py` |
//! | `ssim sandbox|native PLUGINS IMAGES COUNT SIDE SCORES` | `ssim.py` |
//! | `phash PLUGINS FOLDER COUNT THREADS SCORES` | `phash.py` |
//! | `read FOLDER COUNT THREADS` | none: what decoding alone takes |
//! | `visual pixel|ssim FOLDER FOLDER COUNT THREADS VALUES` | `odiff.py`, `ssim_luma.py` |
//! | `memory PLUGINS CASES` | none |
//! | `history FOLDER RUNS CASES` | none |
//! | `shapes WORK.json OUT THREADS` | `shapes.py` |
//! | `network unet|vae|clip FOLDER THREADS REPEATS` | `networks.py run` |
//! | `decode FOLDER SIDE THREADS` | none: peaks for `host/diffusion/src/pipeline/memory.rs` |
//! | `denoise FOLDER SIDE THREADS` | none: likewise, SIDE in latents |
//! | `html FOLDER COUNT OUT` | none |
//! | `gemm THREADS REPEATS` | `networks.py gemm` |
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the measurement goes to stdout, trouble to stderr")]

mod history;
mod image_stats;
mod memory;
mod networks;
mod page;
mod pairs;
mod peak;
mod shapes;
mod threads;
mod visual;

use std::error::Error;
use std::process::ExitCode;

use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    difftest_metrics::memory::keep_freed();
    let anonymous = peak::Anonymous::watch();
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
        ["read", folder, count, threads] => pairs::read(folder, [count, threads]),
        ["visual", tier, images, baseline, count, threads, values] => {
            visual::measure(tier, [images, baseline], [count, threads], values)
        }
        ["memory", plugins, cases] => memory::measure(plugins, cases),
        ["history", folder, runs, cases] => history::build(folder, runs, cases),
        ["shapes", work, out, threads] => shapes::measure(work, out, threads),
        ["network", kind, folder, threads, repeats] => networks::measure(kind, folder, threads, repeats),
        ["decode", folder, side, threads] => networks::decode(folder, side, threads),
        ["denoise", folder, side, threads] => networks::denoise(folder, side, threads),
        ["html", folder, count, out] => page::measure(folder, count, out),
        ["gemm", threads, repeats] => networks::gemm(threads, repeats),
        _ => Err("see the top of host/bench/src/main.rs for the commands; `cargo xtask bench` runs them".into()),
    };
    match measured {
        Ok(Value::Object(mut fields)) => {
            fields.insert("peak_bytes".to_owned(), json!(peak::resident()));
            fields.insert("peak_anonymous_bytes".to_owned(), json!(anonymous.peak()));
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
