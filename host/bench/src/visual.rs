//! Visual comparison of pairs of PNG files: `N.png` of one folder with `N.png` of another.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use difftest_metrics::decode::{self, Limits};
use difftest_metrics::visual::{Pair, PixelOptions, pixel, ssim};
use serde_json::{Value, json};

use crate::Result;

/// A value per pair, and the seconds that the comparison alone took.
type Compared = (usize, f64, f64);

/// The `pixel` or `ssim` tier of `count` pairs on some threads: seconds from the files to the values, and of all threads together
/// without reading and decoding.
pub(crate) fn measure(tier: &str, folders: [&str; 2], [count, threads]: [&str; 2], values: &str) -> Result<Value> {
    let (count, threads): (usize, usize) = (count.parse()?, threads.parse()?);
    let compare: fn(&Pair) -> Result<f64> = match tier {
        "pixel" => |pair| Ok(pixel::compare(pair, &PixelOptions::default()).differing as f64),
        "ssim" => |pair| Ok(ssim::mean(pair)?),
        other => return Err(format!("there is no tier `{other}` here: pixel or ssim").into()),
    };
    let one = |index: usize| -> Result<Compared> {
        let files = folders.map(|folder| Path::new(folder).join(format!("{index}.png")));
        let [image, baseline] = decode::read_pair(files.each_ref().map(|file| file.as_path()), &Limits::default())?;
        let began = Instant::now();
        let value = compare(&Pair::new(&image, &baseline, &[])?)?;
        Ok((index, value, began.elapsed().as_secs_f64()))
    };
    one(0)?;
    let next = AtomicUsize::new(0);
    let work = || -> std::result::Result<Vec<Compared>, String> {
        let indices =
            std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed)).take_while(|index| *index < count);
        indices.map(|index| one(index).map_err(|error| error.to_string())).collect()
    };
    let began = Instant::now();
    let mut compared = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| "a thread panicked")??);
        }
        Result::Ok(all)
    })?;
    let seconds = began.elapsed().as_secs_f64();
    compared.sort_by_key(|(index, ..)| *index);
    let all: Vec<f64> = compared.iter().map(|(_, value, _)| *value).collect();
    std::fs::write(values, serde_json::to_string(&all)?)?;
    let comparing: f64 = compared.iter().map(|(.., seconds)| seconds).sum();
    Ok(json!({ "seconds": seconds, "compare_seconds": comparing }))
}
