//! What can be said after `difftest plugin`.

use std::path::PathBuf;

use clap::Subcommand;

use super::Format;

mod author;
mod distribute;

pub(crate) use author::{BenchArgs, BuildArgs, CheckArgs, Givens, Kind, Language, NewArgs, TestArgs, WhichPlugin};
pub(crate) use distribute::{AddArgs, LockArgs, Pinning, PublishArgs, RegistryArgs, VerifyArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// List the plugins of the plugin folders: what each offers, or why it cannot be used.
    List(ListArgs),
    /// Show one plugin: metrics, config schema, imports, class, digest.
    Inspect(InspectArgs),
    /// Write a new plugin: sources, tests, a suite and all it needs; works offline.
    #[command(after_help = author::NEW_HELP)]
    New(NewArgs),
    /// Build a plugin's component, with cargo or componentize-py, and check it.
    #[command(after_help = author::BUILD_HELP)]
    Build(BuildArgs),
    /// Check whether a component may be used: its imports, its contract, what it says of itself.
    #[command(after_help = author::CHECK_HELP)]
    Check(CheckArgs),
    /// Test a plugin: the same checks for every language, and the author's own cases.
    #[command(after_help = author::TEST_HELP)]
    Test(TestArgs),
    /// Measure what a plugin costs, in fuel and in time.
    #[command(after_help = author::BENCH_HELP)]
    Bench(BenchArgs),
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
    /// A plugin's name, its folder, or a `.wasm` file.
    pub(crate) plugin: String,
    /// Folders with plugins. Default: `plugins`, if it is there.
    #[arg(long, value_name = "DIR", env = "DIFFTEST_PLUGINS", value_delimiter = if cfg!(windows) { ';' } else { ':' })]
    pub(crate) plugins: Vec<PathBuf>,
    /// For people, or as JSON.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) message_format: Format,
}
