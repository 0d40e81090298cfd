//! Visual comparison of pairs of PNG files: `N.png` of one folder with `N.png` of another.

use std::path::Path;
use std::time::Instant;

use difftest_metrics::decode::{self, Limits};
use difftest_metrics::visual::{Pair, PixelOptions, pixel, ssim};
use serde_json::{Value, json};

use crate::{Result, threads};

/// The `pixel` or `ssim` tier of `count` pairs on some threads: seconds from the files to the values, and of all threads together
/// without reading and decoding.
pub(crate) fn measure(tier: &str, folders: [&str; 2], [count, threads]: [&str; 2], values: &str) -> Result<Value> {
    let (count, threads): (usize, usize) = (count.parse()?, threads.parse()?);
    let compare: fn(&Pair) -> Result<f64> = match tier {
        "pixel" => |pair| Ok(pixel::compare(pair, &PixelOptions::default()).differing as f64),
        "ssim" => |pair| Ok(ssim::mean(pair)?),
        other => return Err(format!("there is no tier `{other}` here: pixel or ssim").into()),
    };
    let one = |index: usize| -> Result<(f64, f64)> {
        let files = folders.map(|folder| Path::new(folder).join(format!("{index}.png")));
        let [image, baseline] = decode::read_pair(files.each_ref().map(|file| file.as_path()), &Limits::default())?;
        let began = Instant::now();
        let value = compare(&Pair::new(&image, &baseline, &[])?)?;
        Ok((value, began.elapsed().as_secs_f64()))
    };
    let (compared, seconds) = threads::each(count, threads, one)?;
    let all: Vec<f64> = compared.iter().map(|(value, _)| *value).collect();
    std::fs::write(values, serde_json::to_string(&all)?)?;
    let comparing: f64 = compared.iter().map(|(_, seconds)| seconds).sum();
    Ok(json!({ "seconds": seconds, "compare_seconds": comparing }))
}
