//! `difftest compare`.

use super::Format;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  difftest compare latest~1 latest                     what the last run changed
  difftest compare 20261120 20261121                   beginnings of names of runs
  difftest compare main candidate                      labels: `difftest run --label candidate`
  difftest compare stabilityai/sd-turbo ./my-model     the last run of each model

Scores are paired by prompt and seed. The interval is over prompts (Student's t, 95 %), the seeds of a prompt averaged first.
Scores of another variant of a metric, plugin, model of it or config are named and not compared.")]
pub(crate) struct CompareArgs {
    /// The run to compare with: its name or the beginning of it, `latest`, `latest~1`, a label, or a model.
    #[arg(value_name = "A")]
    pub(crate) a: String,
    /// The run that is compared.
    #[arg(value_name = "B", default_value = "latest")]
    pub(crate) b: String,
    /// For people, or as JSON.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) message_format: Format,
}
