//! The HTML report, for every command that writes one.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use difftest_report::html::{self, GENERATOR, HtmlOptions, HtmlSummary};
use difftest_report::json::Results;
use difftest_report::text::count;
use difftest_store::atomic;

use crate::error::CliError;
use crate::ui::Ui;

/// Writes the page of `results` to `path`, whole or not at all, and says what is in it.
pub(crate) fn write(
    results: &Results,
    options: &HtmlOptions,
    path: &Path,
    ui: &mut Ui,
) -> Result<HtmlSummary, CliError> {
    let summary = atomic::write_with(path, |out| html::write(results, options, out).map_err(io::Error::from))?;
    let left_out = summary.thumbnails_left_out + summary.pictures_left_out;
    let mut said = format!("        html {}", path.display());
    if left_out > 0 {
        said += &format!(" ({} left out to keep it small: --html-budget SIZE)", count(left_out, "picture"));
    }
    ui.note(&said);
    Ok(summary)
}

/// Whether a file is a page that an earlier run wrote.
pub(crate) fn is_page(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(1024).read_to_end(&mut head));
    read.is_ok() && String::from_utf8_lossy(&head).contains(GENERATOR)
}
