//! Whether memory stays flat over many cases: a fresh store for each of them must leave nothing behind.

use std::path::PathBuf;

use difftest_core::image::Image;
use difftest_core::metric::{AnyMetric, Item, Sample};
use difftest_plugin::{Limits, Registry};
use serde_json::{Value, json};

use crate::Result;

/// When the first look is taken.
const EARLY: usize = 1_000;

/// Scores `cases` images with one plugin; answers the resident memory at case 1,000 and at the end.
pub(crate) fn measure(plugins: &str, cases: &str) -> Result<Value> {
    let cases: usize = cases.parse()?;
    let registry = Registry::discover(&[PathBuf::from(plugins)], Limits::default())?;
    let AnyMetric::Each(metric) = registry.metric("image-stats/sharpness", &Value::Null, None)? else {
        return Err("image-stats/sharpness is a metric of one image".into());
    };
    let mut early = 0;
    for case in 0..cases {
        if case == EARLY {
            early = resident()?;
        }
        let pixels: Vec<u8> = (0..128 * 128 * 3).map(|i: usize| (i * (case + 1)) as u8).collect();
        let sample = Sample {
            id: format!("bench::flat[{case}]"),
            prompt: String::new(),
            negative_prompt: None,
            seed: case as u64,
            attributes: Vec::new(),
        };
        for score in metric.measure(&[Item::new(Image::new(128, 128, pixels)?, sample)]) {
            score?;
        }
    }
    Ok(json!({ "early_bytes": early, "late_bytes": resident()? }))
}

/// Resident memory of this process now.
fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("the system tells no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1024)
}
