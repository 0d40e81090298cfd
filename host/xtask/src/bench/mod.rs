//! difftest against the Python tools people use today, side by side on this machine.
//!
//! ```text
//! environment (venv, release build, runtime) -> inputs -> measurements (a) to (y) -> table on stdout, report.json
//! ```
//!
//! Rules of the comparison: both sides get the same bytes and the same threads, and are checked to give the same answer; each
//! repeat runs every side once, one after another, so that a busy minute hits all of them; the middle of the repeats counts,
//! and its spread is shown.

mod cached;
mod environment;
mod history;
mod inputs;
mod measurements;
mod networks;
mod page;
mod plugins;
mod rescore;
mod sample;
mod shards;
mod table;
mod visual;

use std::fs;

use environment::Environment;
use serde_json::json;
use table::Row;

use crate::step::{Failure, Steps};
use crate::tools;
use crate::workspace::Workspace;

pub(crate) const HELP: &str = "\
difftest against the Python tools people use today, side by side on this machine.

Usage: cargo xtask bench [MEASUREMENT...] [--repeats N] [--python PATH]

Measurements (all of them where none is named):
  a  five image-stats metrics on 200 images of 512x512 in the sandbox, against NumPy and scikit-image, one thread
  b  the same code in the sandbox, against itself compiled natively, one thread
  c  32 images x 25 steps of builtin:shapes, against diffusers, two threads
  d  `difftest list` on a suite of 10,000 cases
  e  one step of a random UNet of Stable Diffusion 1.5's size, against torch, two threads
  f  a plugin's start: first use with compilation, and from the cache; in Rust, and in Python where that is built
  g  ssim in the sandbox on 512x512 in colour, against scikit-image and against itself compiled natively, one thread
  h  pHash of 1,000 PNG files of 512x512, decoding included, on two threads as it runs, and on one, against ImageHash (one)
  i  five metrics on those files with -j 2, against -j 1
  k  resident memory over 10,000 cases of one plugin
  l  VAE decoding at 512x512 at Stable Diffusion 1.5's size, against torch, two threads
  m  CLIP ViT-L/14 on 8 images, against transformers' CLIPModel, two threads
  y  `run --diff` over 1,000 cached cases, and after an edited threshold, against pytest with torch imported
  n  from nothing to the first step of (e)'s UNet, start of the program included, against diffusers, two threads
  o  pixel diff of 1,000 pairs of PNG files of 512x512, decoding included, against odiff, two threads or processes
  p  ssim of the luma of those pairs, against scikit-image, one thread
  r  scoring those files again after a plugin changed, against decoding them and nothing else, two threads
  u  `history --metric` and `history show` of 1,000,000 scores
  s  merging the recordings of 16 shards of 1,000 cases each
  w  the HTML report of those 1,000 files: its size, and how soon Chromium has opened it

Options:
  --repeats N    How often each side runs; the middle one counts  [default: 5]
  --python PATH  A Python that has the packages of host/xtask/bench/requirements.txt, instead of an environment of the
                 bench's own in target/bench/venv, which takes some gigabytes

The table goes to stdout, every single measurement to target/bench/report.json. (e), (l) and (m) keep models of 3.4, 0.3 and 1.7 GB
in target/bench, and measure the rate of large matrix products beside the networks.
A target that is missed is marked in the table; the exit code stays 0, since a busy machine is no fault of the code.";

/// What the command line asks for.
struct Options {
    measurements: Vec<char>,
    repeats: usize,
    python: Option<String>,
}

pub(crate) fn bench(arguments: &[&str]) -> Result<(), Failure> {
    let options = parse(arguments).map_err(|message| Failure::usage(format!("{message}\n\n{HELP}")))?;
    let workspace = Workspace::find()?;
    let mut steps = Steps::new(2 + options.measurements.len());
    steps.run("tools", || tools::prepare(&workspace))?;
    let mut environment = None;
    steps.run("difftest (release profile) and the Python environment", || {
        environment = Some(Environment::prepare(&workspace, options.python.as_deref(), &options.measurements)?);
        Ok(())
    })?;
    let environment = environment.ok_or_else(|| Failure::new("there is no environment to measure in"))?;

    let mut rows: Vec<Row> = Vec::new();
    let mut everything = serde_json::Map::new();
    for measurement in &options.measurements {
        let measured = steps.run(measurements::title(*measurement), || {
            let measured = measurements::measure(*measurement, &environment, options.repeats)?;
            rows.extend(measured.rows);
            everything.insert(measurement.to_string(), measured.samples);
            Ok(())
        });
        if let Err(failure) = measured {
            // What was measured until then took its time.
            println!("{}", table::render(&rows));
            return Err(failure);
        }
    }
    println!("{}", table::render(&rows));
    let report = json!({
        "repeats": options.repeats,
        "machine": environment.machine,
        "packages": environment.packages,
        "rows": rows.iter().map(Row::to_json).collect::<Vec<_>>(),
        "samples": everything,
    });
    let path = environment.folder.join("report.json");
    fs::write(&path, format!("{report:#}\n"))
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))?;
    eprintln!("every measurement: {}", path.display());
    Ok(())
}

fn parse(arguments: &[&str]) -> Result<Options, String> {
    let mut options = Options { measurements: Vec::new(), repeats: 5, python: None };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match *word {
            "--repeats" => {
                let given = value()?.parse().ok().filter(|repeats| *repeats > 0);
                options.repeats = given.ok_or("--repeats needs a number of at least 1")?;
            }
            "--python" => options.python = Some((*value()?).to_owned()),
            "a" | "b" | "c" | "d" | "e" | "f" | "g" | "h" | "i" | "k" | "l" | "m" | "n" | "o" | "p" | "r" | "s"
            | "u" | "w" | "y" => options.measurements.extend(word.chars()),
            unknown => return Err(format!("bench takes no `{unknown}`")),
        }
    }
    if options.measurements.is_empty() {
        options.measurements = "abcdefghiklmnoprsuwy".chars().collect();
    }
    options.measurements.sort_unstable();
    options.measurements.dedup();
    Ok(options)
}
