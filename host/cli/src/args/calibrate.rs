//! `difftest calibrate`.

use super::{Format, Selection, plugin};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  difftest calibrate quickstart -n 5
  difftest calibrate quickstart -k base_quality --message-format json > calibration.json

Every image is made again in each repeat, with other numbers of threads and in another order; what the scores vary by is their noise.
Black frames, noise and the prompts of other images show whether a metric can tell good from bad here. The last lines can be pasted
into the suite. Nothing is judged: the exit code is 0 unless something could not be measured.")]
pub(crate) struct CalibrateArgs {
    #[command(flatten, next_help_heading = "Selection")]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) pinning: plugin::Pinning,
    /// How often every image is made.
    #[arg(short = 'n', long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u16).range(2..=100))]
    pub(crate) repeats: u16,
    /// Device for generation and CLIP, as for `run`.
    #[arg(long, value_name = "DEVICE", default_value = "cpu", env = "DIFFTEST_DEVICE", help_heading = "Runner")]
    pub(crate) device: String,
    /// Number format that models run in, as for `run`.
    #[arg(long, value_name = "FORMAT", help_heading = "Runner")]
    pub(crate) precision: Option<String>,
    /// Threads, at most one for each core, which is the default. Every other repeat has one.
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Runner")]
    pub(crate) jobs: Option<u16>,
    /// For people, or as JSON.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) message_format: Format,
}
