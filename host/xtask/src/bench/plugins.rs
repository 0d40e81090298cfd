//! The measurements of the plugin platform, (f) to (k).

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::environment::Environment;
use super::inputs::{self, PNGS, SIDE};
use super::measurements::{Measured, all, row};
use super::sample::{Side, Spread, interleave};
use super::table::{Row, Target, Unit};
use crate::step::Failure;

/// Pairs of (g).
const PAIRS: usize = 40;
/// Largest difference of an SSIM from scikit-image's.
pub(super) const SSIM_TOLERANCE: f64 = 1e-6;
/// Cases of (k).
const CASES: usize = 10_000;

/// Where the Python plugin is when it was built.
const PYTHON_PLUGIN: &str = "plugins/borders/dist/borders.wasm";

/// First use of a plugin, with an empty cache, and later ones: whole processes that load it and ask what it is.
pub(super) fn start(environment: &Environment<'_>, repeats: usize) -> Result<Measured, Failure> {
    let cache = inputs::empty_folder(environment, "cache")?;
    let inspect = |plugin: &'static str| {
        let mut command = environment.difftest();
        command.args(["plugin", "inspect", plugin, "--plugins", "plugins", "--message-format", "json"]);
        command.env("DIFFTEST_CACHE_DIR", &cache);
        command
    };
    let first = || {
        // emptied before each run, which is not measured
        let _ = fs::remove_dir_all(&cache);
        inspect("image-stats")
    };
    let mut sides =
        vec![Side::new("Rust, first use", first), Side::new("Rust, from the cache", || inspect("image-stats"))];
    let mut rows = vec![
        ("first use of a plugin in Rust, compilation included, whole process", Target::Under(0.5)),
        ("a plugin in Rust from the cache, whole process", Target::Under(0.02)),
    ];
    if environment.workspace.root.join(PYTHON_PLUGIN).is_file() {
        // its compiled code has a cache of its own, filled once
        let kept = environment.path("cache-python");
        let borders = move || {
            let mut command = inspect("borders");
            command.env("DIFFTEST_CACHE_DIR", &kept);
            command
        };
        interleave(&[Side::new("Python, first use (not counted)", borders.clone())], 1)?;
        sides.push(Side::new("Python, from the cache", borders));
        rows.push(("a plugin in Python from the cache, whole process", Target::Under(0.2)));
    } else {
        eprintln!("  skipped: the plugin in Python is not built ({PYTHON_PLUGIN}); `cargo xtask test` builds it");
    }
    let samples = interleave(&sides, repeats.max(10))?;
    let rows = rows.into_iter().zip(&samples).map(|((what, target), samples)| {
        let ours = samples.of("wall_seconds")?;
        Ok(Row { measurement: 'f', what: what.to_owned(), unit: Unit::Seconds, ours, theirs: None, target })
    });
    Ok(Measured { rows: rows.collect::<Result<_, Failure>>()?, samples: all(&samples) })
}

/// SSIM against scikit-image, and the price of the sandbox for arithmetic.
pub(super) fn ssim(environment: &Environment<'_>, repeats: usize) -> Result<Measured, Failure> {
    let images = inputs::images(environment)?;
    let size = [PAIRS.to_string(), SIDE.to_string()];
    let ours = |side: &'static str| {
        let (images, size) = (&images, &size);
        move || {
            let mut command = environment.ours();
            command.args(["ssim", side, "plugins"]).arg(images).args(size);
            command.arg(environment.path(&format!("ssim-{side}.json")));
            command
        }
    };
    let sides = [
        Side::new("difftest, in the sandbox", ours("sandbox")),
        Side::new("the same code, native", ours("native")),
        Side::new("scikit-image", || {
            let mut command = environment.python("ssim.py", 1);
            command.arg(&images).args(&size).arg(environment.path("ssim-theirs.json"));
            command
        }),
    ];
    let samples = interleave(&sides, repeats)?;
    let scores = |side: &str| numbers(&environment.path(&format!("ssim-{side}.json")));
    agree(&scores("sandbox")?, &scores("native")?, 0.0)?;
    agree(&scores("sandbox")?, &scores("theirs")?, SSIM_TOLERANCE)?;
    let what = format!("ssim of {PAIRS} pairs of 512x512 in colour, against");
    let rows = vec![
        row('g', format!("{what} scikit-image"), "seconds", [&samples[0], &samples[2]], Target::TimesLess(3.0))?,
        row('g', format!("{what} itself, native"), "seconds", [&samples[0], &samples[1]], Target::TimesAtMost(3.0))?,
    ];
    Ok(Measured { rows, samples: all(&samples) })
}

pub(super) fn phash(environment: &Environment<'_>, repeats: usize) -> Result<Measured, Failure> {
    let folder = inputs::pictures(environment)?;
    let count = PNGS.to_string();
    let ours = |threads: &'static str| {
        let (folder, count) = (&folder, &count);
        move || {
            let mut command = environment.ours();
            command.args(["phash", "plugins"]).arg(folder).arg(count).arg(threads);
            command.arg(environment.path("phash-ours.json"));
            command
        }
    };
    let sides = [
        Side::new("difftest, on all cores", ours("2")),
        Side::new("difftest, on one thread", ours("1")),
        Side::new("ImageHash", || {
            let mut command = environment.python("phash.py", 1);
            command.arg(&folder).arg(&count).arg(environment.path("phash-theirs.json"));
            command
        }),
    ];
    let samples = interleave(&sides, repeats)?;
    let scores = |side: &str| numbers(&environment.path(&format!("phash-{side}.json")));
    agree(&scores("ours")?, &scores("theirs")?, 0.0)?;
    let what = format!("pHash of {PNGS} PNG files of 512x512, decoding included, against ImageHash");
    let rows = vec![
        row('h', format!("{what}, two threads"), "seconds", [&samples[0], &samples[2]], Target::TimesLess(3.0))?,
        row('h', format!("{what}, one thread"), "seconds", [&samples[1], &samples[2]], Target::Stated)?,
    ];
    Ok(Measured { rows, samples: all(&samples) })
}

/// The program itself on one thread and on two.
pub(super) fn threads(environment: &Environment<'_>, repeats: usize) -> Result<Measured, Failure> {
    let suite = inputs::pictures_suite(environment)?;
    let artifacts = environment.path("pictures-run");
    let run = |jobs: &'static str| {
        let (suite, artifacts) = (&suite, &artifacts);
        move || -> Command {
            let mut command = environment.difftest();
            command.arg("run").arg(suite).args(["--plugins", "plugins", "--no-locked", "-q", "-j", jobs]);
            command.arg("--artifacts").arg(artifacts);
            command
        }
    };
    let sides = [Side::new("-j 2", run("2")), Side::new("-j 1", run("1"))];
    let samples = interleave(&sides, repeats)?;
    let what = format!("five metrics on {PNGS} PNG files of 512x512, whole process: -j 2 against -j 1");
    let rows = vec![row('i', what, "wall_seconds", [&samples[0], &samples[1]], Target::TimesLess(1.8))?];
    Ok(Measured { rows, samples: all(&samples) })
}

pub(super) fn memory(environment: &Environment<'_>, repeats: usize) -> Result<Measured, Failure> {
    let sides = [Side::new("difftest", || {
        let mut command = environment.ours();
        command.args(["memory", "plugins", &CASES.to_string()]);
        command
    })];
    let samples = interleave(&sides, repeats.min(3))?;
    let of = |field| -> Result<Spread, Failure> { samples[0].of(field) };
    let rows = vec![Row {
        measurement: 'k',
        what: format!("resident memory at case {CASES}, against case 1,000"),
        unit: Unit::Bytes,
        ours: of("late_bytes")?,
        theirs: Some(of("early_bytes")?),
        target: Target::TimesAtMost(1.05),
    }];
    Ok(Measured { rows, samples: all(&samples) })
}

/// The list of numbers that a side wrote.
pub(super) fn numbers(path: &Path) -> Result<Vec<f64>, Failure> {
    let wrong = |error: String| Failure::new(format!("cannot read {}: {error}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let list = value.as_array().ok_or_else(|| wrong("not a list".to_owned()))?;
    list.iter().map(|score| score.as_f64().ok_or_else(|| wrong("not a number".to_owned()))).collect()
}

/// A fast wrong answer is worth nothing: both sides must have computed the same.
pub(super) fn agree(ours: &[f64], theirs: &[f64], tolerance: f64) -> Result<(), Failure> {
    let worst = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    if ours.is_empty() || ours.len() != theirs.len() || worst > tolerance {
        return Err(Failure::new(format!("the sides disagree by up to {worst:e}: nothing to compare")));
    }
    Ok(())
}
