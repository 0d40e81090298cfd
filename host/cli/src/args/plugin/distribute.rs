//! `plugin add`, `publish`, `lock`, `verify`.

use std::path::PathBuf;

use crate::args::Format;

#[derive(Debug, clap::Args)]
#[command(after_help = ADD_HELP)]
pub(crate) struct AddArgs {
    /// A `.wasm` file, or an artifact: `oci://HOST/NAME:VERSION`, `oci://HOST/NAME@sha256:DIGEST`.
    #[arg(value_name = "PATH|OCI")]
    pub(crate) source: String,
    /// Folder to put it into. Default: `plugins`.
    #[arg(long, value_name = "DIR", env = "DIFFTEST_PLUGINS", value_delimiter = if cfg!(windows) { ';' } else { ':' })]
    pub(crate) plugins: Vec<PathBuf>,
    /// What suites shall call it. Default: the name of the file, or the last part of the artifact's.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Replace a file or an entry of `difftest.lock` that is another.
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    /// For people, or as JSON.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) message_format: Format,
}

const ADD_HELP: &str = "\
The file is checked before it is put anywhere: its size and digest, that it is a component, what
it imports, and that it describes its metrics. Then it is copied to DIR/NAME.wasm and pinned in
difftest.lock, in this folder.

Examples:
  difftest plugin add ./sharpness.wasm
  difftest plugin add oci://ghcr.io/acme/sharpness:0.3.1
  difftest plugin add oci://ghcr.io/acme/sharpness@sha256:2cf24dba...
      the artifact that was signed, whatever the tag says now

Logins are those of `docker login`, `podman login` and `oras login`.";

#[derive(Debug, clap::Args)]
#[command(after_help = PUBLISH_HELP)]
pub(crate) struct PublishArgs {
    /// Where to: `oci://HOST/NAME:VERSION`; the version is a semantic version, such as 0.3.1.
    #[arg(value_name = "OCI")]
    pub(crate) reference: String,
    /// A plugin's name, its folder, or a `.wasm` file.
    pub(crate) plugin: String,
    /// Folders with plugins. Default: `plugins`, if it is there.
    #[arg(long, value_name = "DIR", env = "DIFFTEST_PLUGINS", value_delimiter = if cfg!(windows) { ';' } else { ':' })]
    pub(crate) plugins: Vec<PathBuf>,
    /// Metadata of the artifact; repeat for more.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) annotation: Vec<String>,
    /// Replace the version where it is there and differs.
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    /// For people, or as JSON.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) message_format: Format,
}

const PUBLISH_HELP: &str = "\
The artifact has the layout that wkg, oras and skopeo read and write too. Publishing the same file
with the same metadata again gives the same digest and sends nothing.

Examples:
  difftest plugin publish oci://ghcr.io/acme/sharpness:0.3.1 .
  difftest plugin publish oci://localhost:5000/sharpness:0.3.1 ./sharpness.wasm \\
      --annotation org.opencontainers.image.licenses=MIT

Then sign what was published by its digest, which the command prints:
  cosign sign ghcr.io/acme/sharpness@sha256:...";

#[derive(Debug, clap::Args)]
#[command(after_help = LOCK_HELP)]
pub(crate) struct LockArgs {
    /// Plugins to pin. None: every plugin that is found; entries of plugins that are gone are dropped.
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Folders with plugins. Default: `plugins`, if it is there.
    #[arg(long, value_name = "DIR", env = "DIFFTEST_PLUGINS", value_delimiter = if cfg!(windows) { ';' } else { ':' })]
    pub(crate) plugins: Vec<PathBuf>,
    /// For people, or as JSON.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) message_format: Format,
}

const LOCK_HELP: &str = "\
Writes difftest.lock in this folder: for each plugin its SHA-256, where it came from, its version,
its class and what it exports. Commit that file. Where CI is set, `difftest run` refuses plugins
that it does not pin, or that are others.

Examples:
  difftest plugin lock
  difftest plugin lock sharpness --plugins ../metrics";

#[derive(Debug, clap::Args)]
#[command(after_help = VERIFY_HELP)]
pub(crate) struct VerifyArgs {
    /// Folders with plugins. Default: `plugins`, if it is there.
    #[arg(long, value_name = "DIR", env = "DIFFTEST_PLUGINS", value_delimiter = if cfg!(windows) { ';' } else { ':' })]
    pub(crate) plugins: Vec<PathBuf>,
    /// For people, or as JSON.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) message_format: Format,
}

const VERIFY_HELP: &str = "\
Needs no network: every plugin of difftest.lock is there and is the file that was pinned. Plugins
that are there and not pinned are told, and are no error: a run that keeps to the lock refuses
them when a suite names them.

Exit codes: 0 all are there and equal, 2 anything else.";

/// How to speak to a registry.
#[derive(Debug, clap::Args)]
pub(crate) struct RegistryArgs {
    /// Speak HTTP without TLS. Registries on this machine are always spoken to so.
    #[arg(long)]
    pub(crate) plain_http: bool,
}

/// Whether a run keeps to the lock.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Pinning {
    /// Use only plugins that difftest.lock pins, as it pins them. The default where CI is set.
    #[arg(long, overrides_with = "no_locked")]
    pub(crate) locked: bool,
    /// Use the plugins that are there, whatever difftest.lock says, where CI is set too.
    #[arg(long, overrides_with = "locked")]
    pub(crate) no_locked: bool,
}
