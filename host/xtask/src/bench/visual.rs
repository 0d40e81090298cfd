//! The measurements of visual comparison, (o) and (p).

use std::fs;
use std::path::PathBuf;

use super::environment::Environment;
use super::inputs::{self, PNGS};
use super::measurements::{Measured, all, row};
use super::plugins::{SSIM_TOLERANCE, agree, numbers};
use super::sample::{Side, interleave};
use super::table::Target;
use crate::step::{self, Failure};

/// The package of odiff and its version: compiled for each system, with its server.
const ODIFF: &str = "odiff-bin@4.5.0";
/// Threads of ours, processes of theirs.
const WORKERS: &str = "2";
/// Largest difference of two counts, as a share of the pixels: odiff computes in fixed point and judges soft edges in its own way.
const COUNTS: f64 = 0.002 * 512.0 * 512.0;

/// The `pixel` tier from files to counts, soft edges left out, against odiff with the same threshold. odiff's server must write a diff image
/// for each pair that differs, and its command line starts a process for each pair and need not: both run.
pub(super) fn pixel(environment: &Environment<'_>, repeats: usize) -> Result<Measured, Failure> {
    let Some(odiff) = odiff(environment)? else {
        eprintln!("  skipped: there is no npm here to install {ODIFF} with");
        return Ok(Measured { rows: Vec::new(), samples: all(&[]) });
    };
    let folders = [inputs::changed(environment)?, inputs::pictures(environment)?];
    let count = PNGS.to_string();
    let theirs = |way: &'static str| {
        let (folders, count, odiff) = (&folders, &count, &odiff);
        move || {
            let mut command = environment.python("odiff.py", 1);
            command.arg(odiff).arg(way).args(folders).args([count, WORKERS]);
            command.arg(environment.path(&format!("pixel-{way}.json")));
            command
        }
    };
    let sides = [
        ours(environment, "pixel", &folders, WORKERS),
        Side::new("odiff, server", theirs("server")),
        Side::new("odiff, a process each", theirs("processes")),
    ];
    let samples = interleave(&sides, repeats)?;
    let counts = |way: &str| numbers(&environment.path(&format!("pixel-{way}.json")));
    for way in ["server", "processes"] {
        agree(&counts("ours")?, &counts(way)?, COUNTS)?;
    }
    let what = format!("pixel diff of {PNGS} pairs of PNG files of 512x512, against odiff");
    let rows = vec![
        row('o', format!("{what}'s server"), "seconds", [&samples[0], &samples[1]], Target::TimesLess(1.0))?,
        row('o', format!("{what}, a process each"), "seconds", [&samples[0], &samples[2]], Target::TimesLess(1.0))?,
    ];
    Ok(Measured { rows, samples: all(&samples) })
}

/// The `ssim` tier against scikit-image's, the comparison alone and from files to scores.
pub(super) fn ssim(environment: &Environment<'_>, repeats: usize) -> Result<Measured, Failure> {
    let folders = [inputs::changed(environment)?, inputs::pictures(environment)?];
    let sides = [
        ours(environment, "ssim", &folders, "1"),
        Side::new("scikit-image", || {
            let mut command = environment.python("ssim_luma.py", 1);
            command.args(&folders).arg(PNGS.to_string()).arg(environment.path("ssim-luma-theirs.json"));
            command
        }),
    ];
    let samples = interleave(&sides, repeats)?;
    let scores = |name: &str| numbers(&environment.path(name));
    agree(&scores("ssim-ours.json")?, &scores("ssim-luma-theirs.json")?, SSIM_TOLERANCE)?;
    let what = format!("ssim of the luma of {PNGS} pairs of 512x512");
    let pair = [&samples[0], &samples[1]];
    let rows = vec![
        row('p', format!("{what}, luma included"), "compare_seconds", pair, Target::TimesLess(5.0))?,
        row('p', format!("{what}, decoding of PNG files included"), "seconds", pair, Target::Stated)?,
    ];
    Ok(Measured { rows, samples: all(&samples) })
}

fn ours<'a>(
    environment: &'a Environment<'_>,
    tier: &'static str,
    folders: &'a [PathBuf; 2],
    threads: &'static str,
) -> Side<'a> {
    Side::new("difftest", move || {
        let mut command = environment.ours();
        command.args(["visual", tier]).args(folders).args([&PNGS.to_string(), threads]);
        command.arg(environment.path(&format!("{tier}-ours.json")));
        command
    })
}

/// The folder it is installed in, once; `None` without npm.
fn odiff(environment: &Environment<'_>) -> Result<Option<PathBuf>, Failure> {
    let folder = environment.path(&ODIFF.replace('@', "-"));
    if folder.join("node_modules/odiff-bin/package.json").exists() {
        return Ok(Some(folder));
    }
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    if !step::succeeds(environment.workspace.command(npm).arg("--version")) {
        return Ok(None);
    }
    fs::create_dir_all(&folder).map_err(|error| Failure::new(format!("cannot make {}: {error}", folder.display())))?;
    let mut install = environment.workspace.command(npm);
    step::run(install.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"]).arg(&folder).arg(ODIFF))?;
    Ok(Some(folder))
}
