//! What can be said after `difftest plugin`.

use std::path::PathBuf;

use clap::Subcommand;

use super::Format;

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// List the plugins of the plugin folders: what each offers, or why it cannot be used.
    List(ListArgs),
    /// Show one plugin: metrics, config schema, imports, class, digest.
    Inspect(InspectArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Folders with plugins. Default: `plugins`, if it is there.
    #[arg(long, value_name = "DIR", env = "DIFFTEST_PLUGINS", value_delimiter = if cfg!(windows) { ';' } else { ':' })]
    pub(crate) plugins: Vec<PathBuf>,
    /// For people, or as JSON.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) message_format: Format,
}

#[derive(Debug, clap::Args)]
pub(crate) struct InspectArgs {
    /// A plugin's name, or a `.wasm` file.
    pub(crate) plugin: String,
    /// Folders with plugins. Default: `plugins`, if it is there.
    #[arg(long, value_name = "DIR", env = "DIFFTEST_PLUGINS", value_delimiter = if cfg!(windows) { ';' } else { ':' })]
    pub(crate) plugins: Vec<PathBuf>,
    /// For people, or as JSON.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) message_format: Format,
}
