//! One self-contained HTML file for people: what came out, which images are to blame, and what to do about it.
//!
//! [`write()`] is a function of [`Results`], of the image files they name, and of [`HtmlOptions`]. The file loads nothing: style,
//! script and pictures are inside, and its content security policy forbids everything else, naming style and script by digest.
//! Sent by mail or opened from the artefacts of a CI job, it shows the same.
//!
//! ```text
//! Results -> view (a status for every case, worst first) -> pictures (decoded, shrunk, within the budget) -> page
//! ```
//!
//! **Without JavaScript** the page is complete: an overview, a contact sheet of prompts x seeds for each test, and a `<details>` for
//! each case with its images, scores, history and the command that repeats it. The script in `assets/` adds to the same elements:
//! one case at a time, ways to compare, a filter, keys, marks that are exported as `approvals.json`. It renders nothing twice.
//!
//! **Only what was judged is said.** A gate over prompts, or on a baseline, says nothing of one image, so its cases neither pass nor fail:
//! each shows what it lost against the baseline's image of it (which stands beside it), and they are sorted by that.
//!
//! **The budget** ([`HtmlOptions::budget`]) is kept by leaving out pictures, never text. What goes in first stays longest:
//!
//! 1. a thumbnail of every case, those that need attention first, in at most two thirds of what the text leaves;
//! 2. the pictures of cases that need attention, the worst first: image, baseline, difference, heat map;
//! 3. the pictures of all other cases, and thumbnails again in what is left.
//!
//! Images of at most `pictures::AS_IT_IS` bytes go in as they are, differences and heat maps of a run always (they are lossless PNG);
//! larger ones, and large heat maps that only the page has drawn, as JPEG of quality 90. A file whose pixels are not those of the run is not shown as if it were: the page says so.
//! A banner says what was left out, and the summary counts it.
//!
//! **What others wrote** (prompts, names, errors, logs) goes through [`crate::text::safe`] and is escaped for HTML; as data it
//! stands in a `<script type="application/json">` with `<`, `>`, `&` and the line separators escaped, so no prompt ends it.
//!
//! | file | holds |
//! |---|---|
//! | `status` | what is said of a single case, and which cases are to blame for a test |
//! | `share` | what a case adds to a gate that judges all images together |
//! | `view` | cases by test, in a grid and worst first |
//! | `pictures`, `encode` | which pictures fit; a file to a data URL |
//! | `page`, `overview`, `test`, `sheet`, `case`, `stage`, `facts` | the parts of the page |
//! | `chart` | score bars, histograms, sparklines as SVG |
//! | `data`, `markup` | the data for the script; escaping |

mod case;
mod chart;
mod data;
mod encode;
mod facts;
mod markup;
mod overview;
mod page;
mod pictures;
mod share;
mod sheet;
mod stage;
mod status;
mod test;
mod view;

use std::io::{self, Write};
use std::path::PathBuf;

use crate::json::Results;
use pictures::Pictures;
use view::View;

/// Bytes of a file, unless said otherwise: what a browser opens at once and every CI keeps.
pub const DEFAULT_BUDGET: u64 = 32 << 20;

/// What is not in the results.
#[derive(Clone, Debug)]
pub struct HtmlOptions {
    /// Bytes the file may have; pictures are left out to keep it.
    pub budget: u64,
    /// The command of the run up to its `-k`, such as `difftest run quickstart`; empty makes one of the suite's name.
    pub rerun: String,
    /// Where the folder of the run is now, if it was moved since: files are looked for in there too.
    pub folder: Option<PathBuf>,
    /// What scores were in the runs that led to this one.
    pub history: Vec<HistorySeries>,
    /// Leaves out what differs between two runs of the same work: the run's name, times, paths.
    pub stable: bool,
}

impl Default for HtmlOptions {
    fn default() -> Self {
        Self { budget: DEFAULT_BUDGET, rerun: String::new(), folder: None, history: Vec::new(), stable: false }
    }
}

/// What a metric said in the runs that led to this one, of a test or of one of its cases. The last point is this run's.
#[derive(Clone, Debug, PartialEq)]
pub struct HistorySeries {
    /// The suite.
    pub suite: String,
    /// The test.
    pub test: String,
    /// The case's id; `None` for the mean over the test.
    pub case: Option<String>,
    /// The metric's name.
    pub metric: String,
    /// The oldest first.
    pub points: Vec<HistoryPoint>,
}

/// A value in one run.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryPoint {
    /// The run.
    pub run: String,
    /// When it began.
    pub started: String,
    /// The value.
    pub value: f64,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HtmlSummary {
    /// Bytes of the file.
    pub bytes: u64,
    /// Cases in it.
    pub cases: usize,
    /// Pictures in it, thumbnails included.
    pub pictures: usize,
    /// Thumbnails left out to keep the budget.
    pub thumbnails_left_out: usize,
    /// Larger pictures left out to keep the budget.
    pub pictures_left_out: usize,
    /// Image files that are gone, damaged, or not what the run made.
    pub unreadable: usize,
}

/// The page could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the HTML report: {0}")]
pub struct HtmlError(#[from] io::Error);

impl From<HtmlError> for io::Error {
    fn from(error: HtmlError) -> Self {
        error.0
    }
}

/// What every version of the page has in its first kilobyte: what has it may be replaced by another.
pub const GENERATOR: &str = "<meta name=\"generator\" content=\"difftest ";

/// Writes the page of a run.
///
/// # Errors
/// [`HtmlError`] when `out` takes no more. An image that cannot be read is no error: the page says why it is not there.
pub fn write(results: &Results, options: &HtmlOptions, out: &mut dyn Write) -> Result<HtmlSummary, HtmlError> {
    let view = View::new(results, options);
    let mut text = Counting { out: io::sink(), bytes: 0 };
    page::render(&view, &Pictures::none(&view), &mut text)?;
    let pictures = Pictures::collect(&view, options.budget.saturating_sub(text.bytes));
    let mut counting = Counting { out, bytes: 0 };
    page::render(&view, &pictures, &mut counting)?;
    counting.flush()?;
    Ok(HtmlSummary { bytes: counting.bytes, cases: view.cases.len(), ..pictures.summary() })
}

/// Counts what passes.
struct Counting<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
