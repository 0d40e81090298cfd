//! What was measured, as people read it, and what `FIDELITY.md` says of it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::{BYTES, LATENTS, NETWORK};

/// What stands above the tables in `FIDELITY.md`.
const HEAD: &str = include_str!("head.md");
/// Another processor rounds other operations otherwise, so what one machine measured may grow this much on another.
const MACHINES: f64 = 20.0;
/// The part of a tolerance that is too small to be compared.
const SMALL: f64 = 0.1;

/// The networks of a family: largest absolute differences.
pub(crate) struct Networks {
    pub(crate) family: String,
    pub(crate) text: f64,
    pub(crate) pooled: Option<f64>,
    pub(crate) unet: f64,
    pub(crate) vae: f64,
}

/// Runs of one family by one scheduler.
pub(crate) struct Runs {
    pub(crate) family: String,
    pub(crate) scheduler: String,
    /// How many.
    pub(crate) runs: usize,
    /// Largest absolute difference of the latents after the last step.
    pub(crate) latents: f64,
    /// Bytes that differ by more than one level.
    pub(crate) beyond: usize,
    /// All bytes.
    pub(crate) bytes: usize,
    /// The largest difference of a byte.
    pub(crate) worst: u8,
}

impl Runs {
    /// More runs of the same kind.
    pub(crate) fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.latents = if other.latents.is_nan() { f64::NAN } else { self.latents.max(other.latents) };
        self.beyond += other.beyond;
        self.bytes += other.bytes;
        self.worst = self.worst.max(other.worst);
    }

    fn part(&self) -> f64 {
        self.beyond as f64 / self.bytes as f64
    }
}

/// Everything that was measured.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) networks: Vec<Networks>,
    pub(crate) runs: Vec<Runs>,
}

impl Table {
    /// Both tables.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::from("| family | text | pooled | UNet | VAE |\n|---|---|---|---|---|\n");
        for Networks { family, text: hidden, pooled, unet, vae } in &self.networks {
            let pooled = pooled.map_or_else(|| "-".to_owned(), shown);
            let (hidden, unet, vae) = (shown(*hidden), shown(*unet), shown(*vae));
            writeln!(text, "| {family} | {hidden} | {pooled} | {unet} | {vae} |").unwrap();
        }
        text.push_str(
            "\n| family | scheduler | runs | latents | bytes within 1 | worst byte |\n|---|---|---|---|---|---|\n",
        );
        for row in &self.runs {
            let Runs { family, scheduler, runs, worst, .. } = row;
            let latents = shown(row.latents);
            let within = 100.0 - 100.0 * row.part();
            writeln!(text, "| {family} | {scheduler} | {runs} | {latents} | {within:.2} % | {worst} |").unwrap();
        }
        text
    }

    /// What is not within the tolerances.
    pub(crate) fn outside(&self) -> Vec<String> {
        let mut outside = Vec::new();
        for row in &self.networks {
            let parts =
                [("text", Some(row.text)), ("pooled", row.pooled), ("unet", Some(row.unet)), ("vae", Some(row.vae))];
            for (part, off) in parts.into_iter().filter_map(|(part, off)| Some((part, off?))) {
                if off.is_nan() || off > NETWORK {
                    outside.push(format!("{} {part}: {off:.1e}, allowed {NETWORK:e}", row.family));
                }
            }
        }
        for row in &self.runs {
            let name = format!("{} by {}", row.family, row.scheduler);
            if row.latents.is_nan() || row.latents > LATENTS {
                outside.push(format!("{name}: latents {:.1e}, allowed {LATENTS:e}", row.latents));
            }
            if row.part() > BYTES {
                outside.push(format!("{name}: {} of {} bytes differ by more than 1", row.beyond, row.bytes));
            }
        }
        outside
    }

    /// Writes `FIDELITY.md`.
    pub(crate) fn write(&self) {
        let text = format!("{HEAD}\n{}", self.markdown());
        std::fs::write(file(), text).unwrap();
    }

    /// How `FIDELITY.md` is not true any more: rows that it lacks or has too many, deviations far above its own.
    pub(crate) fn stale(&self) -> Vec<String> {
        let text = std::fs::read_to_string(file()).unwrap_or_default();
        if !text.starts_with(HEAD) {
            return vec!["the text above the tables is another one".to_owned()];
        }
        let said = rows(&text);
        let measured = self.markdown();
        let measured = rows(&measured);
        let mut stale = Vec::new();
        for (name, numbers) in &measured {
            match said.iter().find(|(known, _)| known == name) {
                None => stale.push(format!("no row for {name}")),
                Some((_, said)) if said.len() != numbers.len() => stale.push(format!("other columns for {name}")),
                Some((_, said)) => {
                    let tolerance = if name.ends_with("networks") { NETWORK } else { LATENTS };
                    let far = |(now, said): &(&f64, &f64)| **now > (**said * MACHINES).max(tolerance * SMALL);
                    let worse = numbers.iter().zip(said).filter(far);
                    stale.extend(worse.map(|(now, said)| format!("{name}: {now:e} is far above {said:e}")));
                }
            }
        }
        let gone = said.iter().filter(|(name, _)| measured.iter().all(|(known, _)| known != name));
        stale.extend(gone.map(|(name, _)| format!("{name} is not measured")));
        stale
    }
}

/// The rows of both tables: their name, and the deviations in them.
fn rows(markdown: &str) -> Vec<(String, Vec<f64>)> {
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let body = markdown.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| family"));
    let body = body.filter(|line| line.matches('|').count() > 4);
    body.map(|line| {
        let cells = cells(line);
        let numbers = cells.iter().filter(|cell| cell.contains('e')).filter_map(|cell| cell.parse().ok()).collect();
        // the numbers of networks begin where runs have a scheduler and how many they are
        let name = match cells[1].parse::<f64>() {
            Ok(_) => format!("{} networks", cells[0]),
            Err(_) => format!("{} by {} in {} runs", cells[0], cells[1], cells[2]),
        };
        (name, numbers)
    })
    .collect()
}

/// One digit, rounded up: `4e-6`. Less than the rounding of a number of order one is as good as nothing.
fn shown(off: f64) -> String {
    if off.is_nan() {
        return "NaN".to_owned();
    }
    let off = off.max(1e-7);
    let exponent = off.log10().floor() as i32;
    let digit = (off / 10f64.powi(exponent)).ceil();
    if digit >= 10.0 { format!("1e{}", exponent + 1) } else { format!("{digit}e{exponent}") }
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("FIDELITY.md")
}

#[test]
fn deviations_are_rounded_up_to_a_digit() {
    let shown = [3.01e-6, 9.5e-6, 0.0, 4.2e-3, f64::NAN].map(shown);
    assert_eq!(shown, ["4e-6", "1e-5", "1e-7", "5e-3", "NaN"]);
}

#[test]
fn rows_are_read_back_as_they_were_written() {
    let networks = Networks { family: "a".to_owned(), text: 3.5e-6, pooled: None, unet: 1.5e-5, vae: 2.5e-6 };
    let run = Runs {
        family: "a + LoRA".to_owned(),
        scheduler: "ddim".to_owned(),
        runs: 3,
        latents: 2.5e-4,
        beyond: 0,
        bytes: 48,
        worst: 1,
    };
    let table = Table { networks: vec![networks], runs: vec![run] };
    let expected =
        [("a networks".to_owned(), vec![4e-6, 2e-5, 3e-6]), ("a + LoRA by ddim in 3 runs".to_owned(), vec![3e-4])];
    assert_eq!(rows(&format!("{HEAD}\n{}", table.markdown())), expected);
    assert!(table.outside().is_empty());
    let stale = table.stale();
    assert!(stale.contains(&"no row for a networks".to_owned()), "{stale:?}");
    assert!(stale.iter().any(|row| row.ends_with("is not measured")), "{stale:?}");
}
