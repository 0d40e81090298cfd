//! What can be said of the HTML report, wherever one is written.

use std::path::PathBuf;

#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct HtmlArgs {
    /// Write a page for people to this file: images, scores, comparisons; it loads nothing and opens in any browser.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// How large the page may get, such as `8MiB`: pictures are left out, those of passed cases first.
    #[arg(long, value_name = "SIZE", default_value = "32MiB", value_parser = size, requires = "html")]
    pub(crate) html_budget: u64,
}

/// `500000`, `500kB`, `32MiB`.
fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 8] = [
        ("", 1),
        ("b", 1),
        ("kb", 1000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
    ];
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let factor = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
    let number: Option<f64> = number.parse().ok().filter(|number: &f64| *number >= 0.0);
    match number.zip(factor) {
        Some((number, factor)) => Ok((number * factor as f64) as u64),
        None => Err("expected a size such as 32MiB, 500kB or 1000000".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_have_units() {
        assert_eq!(
            ["7", "500kB", "32MiB", "1.5 mib", "2GB"].map(size),
            [7, 500_000, 32 << 20, 3 << 19, 2_000_000_000].map(Ok)
        );
        assert!(["", "MiB", "-1", "1TB", "x"].iter().all(|text| size(text).is_err()));
    }
}
