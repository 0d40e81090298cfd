//! Measurement (w): the HTML report of many cases, written and opened.

use super::environment::Environment;
use super::inputs::{self, PNGS};
use super::measurements::{Measured, all};
use super::sample::{Side, interleave};
use super::table::{Row, Target, Unit};
use crate::step::Failure;

/// Bytes of the page, at most.
const BUDGET: f64 = (32 << 20) as f64;
/// Seconds until every picture of it is there.
const OPEN: f64 = 2.0;

pub(super) fn measure(environment: &Environment<'_>, repeats: usize) -> Result<Measured, Failure> {
    let folder = inputs::pictures(environment)?;
    let sides = [Side::new("difftest", || {
        let mut command = environment.ours();
        command.arg("html").arg(&folder).arg(PNGS.to_string()).arg(environment.path("report.html"));
        command
    })];
    let samples = interleave(&sides, repeats)?;
    let row = |what: &str, field: &str, unit, target| {
        let what = format!("HTML report of {PNGS} cases of 512x512: {what}");
        Ok(Row { measurement: 'w', what, unit, ours: samples[0].of(field)?, theirs: None, target })
    };
    let mut rows = vec![
        row("its size", "file_bytes", Unit::Bytes, Target::Under(BUDGET))?,
        row("writing it, two threads", "seconds", Unit::Seconds, Target::Stated)?,
    ];
    match row("opening it in Chromium", "open_seconds", Unit::Seconds, Target::Under(OPEN)) {
        Ok(row) => rows.push(row),
        Err(_) => eprintln!("skipped: opening the HTML report: there is no Chromium with its chromedriver on the path"),
    }
    Ok(Measured { rows, samples: all(&samples) })
}
