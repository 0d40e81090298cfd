//! `difftest cache`.

use clap::Subcommand;

use super::Format;

#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// Say what is kept in `.difftest/cache`, and how large it is.
    Info {
        /// For people, or as JSON.
        #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
        message_format: Format,
    },
    /// Delete what was not used for long, and what is more than there is room for. What is needed again is made again.
    #[command(after_help = "\
Examples:
  difftest cache gc --max-size 10GiB
  difftest cache gc --older-than 30d --keep-runs 20 --dry-run")]
    Gc(GcArgs),
    /// Read every file again, and name those that are not what they should be.
    Verify {
        /// Delete bad files, so that what they were is made again.
        #[arg(long)]
        repair: bool,
        /// For people, or as JSON.
        #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
        message_format: Format,
    },
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true, id = "limit", args = ["max_size", "older_than", "keep_runs"])]
pub(crate) struct GcArgs {
    /// Bytes that may stay, such as `500MB` or `10GiB`; what was not used for the longest time goes first.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) max_size: Option<u64>,
    /// Delete what was not used for so long: `12h`, `30d`, `8w`.
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub(crate) older_than: Option<u64>,
    /// Delete the folders of all runs but the last N.
    #[arg(long, value_name = "N")]
    pub(crate) keep_runs: Option<usize>,
    /// Only say what would be deleted.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// For people, or as JSON.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) message_format: Format,
}

/// Bytes with a unit.
fn size(text: &str) -> Result<u64, String> {
    let units = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("kB", 1000),
        ("KB", 1000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("B", 1),
    ];
    scaled(text, &units).ok_or_else(|| "expected a size with a unit, such as 500MB or 10GiB".to_owned())
}

/// Seconds, from a number with a unit.
fn age(text: &str) -> Result<u64, String> {
    let units = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 604_800)];
    scaled(text, &units).ok_or_else(|| "expected a time with a unit, such as 12h, 30d or 8w".to_owned())
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, factor) = match units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor))) {
        Some(found) => found,
        None if text == "0" => ("0", &1),
        None => return None,
    };
    let number: f64 = number.trim().parse().ok()?;
    let scaled = number * *factor as f64;
    (number >= 0.0 && scaled < 1e18).then_some(scaled as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ages_have_units() {
        assert_eq!(size("10GiB"), Ok(10 << 30));
        assert_eq!(size("1.5MB"), Ok(1_500_000));
        assert_eq!(size("0"), Ok(0));
        assert_eq!(age("30d"), Ok(30 * 86_400));
        for wrong in ["", "10", "GiB", "-1GB", "1e40GB", "infGB", "nanGB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
