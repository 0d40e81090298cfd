//! `difftest model`: models of the Hugging Face hub, and folders.

use clap::Subcommand;

use crate::args::Format;

#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// Fetch what a run needs of a model on the Hugging Face hub.
    Fetch(FetchArgs),
    /// Show what a model is, and what fetching it would take.
    Info(InfoArgs),
    /// Read every file of a model again and compare it with its digest.
    Check(CheckArgs),
}

#[derive(Debug, clap::Args)]
#[command(after_help = FETCH_HELP)]
pub(crate) struct FetchArgs {
    /// The model, with a branch, a tag or a commit after `@`. Without: its branch `main`.
    #[arg(value_name = "ORG/NAME[@REVISION]")]
    pub(crate) model: String,
    /// Weights to take where a model has several: `f32`, or `f16` for half of the bytes.
    #[arg(long, value_name = "PRECISION", default_value = "f32")]
    pub(crate) precision: String,
    /// Every file of the repository, also those that no run needs.
    #[arg(long)]
    pub(crate) all: bool,
    /// Take what is in the cache, and send no request. Also: HF_HUB_OFFLINE=1.
    #[arg(long)]
    pub(crate) offline: bool,
    /// For people, or as JSON.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) message_format: Format,
}

const FETCH_HELP: &str = "\
The files go to the cache that the Python client uses too (HF_HOME, HF_HUB_CACHE), and what that
has fetched is not fetched again. Each file is checked by length and digest. What was interrupted
goes on where it ended. The folder is printed; suites and `--model` take ORG/NAME as well.

Of a repository that has the same weights several times, one copy is taken: safetensors, in the
precision that is asked for where there is one, or ONNX graphs where there are no safetensors.
Pickles are never taken.

Examples:
  difftest model fetch stabilityai/sd-turbo
  difftest model fetch stabilityai/sdxl-turbo --precision f16
  difftest model fetch openai/clip-vit-large-patch14
  difftest model fetch runwayml/my-model@refs/pr/1

Private and gated models need a token in HF_TOKEN, or one that `hf auth login` has stored.";

#[derive(Debug, clap::Args)]
#[command(after_help = INFO_HELP)]
pub(crate) struct InfoArgs {
    /// A model on the hub, or a folder.
    #[arg(value_name = "ORG/NAME[@REVISION]|FOLDER")]
    pub(crate) model: String,
    /// Weights to take where a model has several: `f32`, or `f16` for half of the bytes.
    #[arg(long, value_name = "PRECISION", default_value = "f32")]
    pub(crate) precision: String,
    /// Look at what is in the cache, and send no request. Also: HF_HUB_OFFLINE=1.
    #[arg(long)]
    pub(crate) offline: bool,
    /// For people, or as JSON.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) message_format: Format,
}

const INFO_HELP: &str = "\
Of a model on the hub only its small config files are fetched.

Examples:
  difftest model info stabilityai/sdxl-turbo
  difftest model info ./my-model --message-format json";

#[derive(Debug, clap::Args)]
#[command(after_help = CHECK_HELP)]
pub(crate) struct CheckArgs {
    /// A model that is in the cache, or a folder.
    #[arg(value_name = "ORG/NAME[@REVISION]|FOLDER")]
    pub(crate) model: String,
    /// Take damaged files out of the cache, so that the next `fetch` gets them again.
    #[arg(long)]
    pub(crate) remove: bool,
    /// For people, or as JSON.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) message_format: Format,
}

const CHECK_HELP: &str = "\
Files of the cache are named by their digests, so this needs no network (on a Windows without
symbolic links it does: there they are copies, and the hub is asked for the digests). A folder has no digests.
Of both, everything is read as a run reads it (configs, tokenizers, weights, graphs), short of
starting ONNX Runtime: that finds what is missing, cut short, not a number, or of another model.

Exit code 2 says that something is damaged or missing.";
