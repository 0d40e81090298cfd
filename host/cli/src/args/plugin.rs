//! What can be said after `difftest plugin`.

use std::path::PathBuf;

use clap::Subcommand;

use super::Format;

mod distribute;

pub(crate) use distribute::{AddArgs, LockArgs, Pinning, PublishArgs, RegistryArgs, VerifyArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// List the plugins of the plugin folders: what each offers, or why it cannot be used.
    List(ListArgs),
    /// Show one plugin: metrics, config schema, imports, class, digest.
    Inspect(InspectArgs),
    /// Add a plugin from a file or a registry to this project, and pin it.
    Add(AddArgs),
    /// Put a plugin into a registry, under a version.
    Publish(PublishArgs),
    /// Pin the plugins that are here in difftest.lock.
    Lock(LockArgs),
    /// Check, without a network, that the plugins here are those that difftest.lock pins.
    Verify(VerifyArgs),
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
