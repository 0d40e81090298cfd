//! `difftest push`, `difftest pull`, and what `run` has to do with remotes.

use std::path::PathBuf;

use clap::ValueEnum;

/// Which remote.
#[derive(Debug, clap::Args)]
pub(crate) struct RemoteUrl {
    /// Where evidence is shared: `s3://BUCKET/PREFIX`, `gs://...`, `az://...`, `file:///PATH` or a folder. Credentials and other
    /// options come from the environment: AWS_*, GOOGLE_*, AZURE_*.
    #[arg(long = "remote", value_name = "URL", env = "DIFFTEST_REMOTE", hide_env_values = true)]
    pub(crate) url: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  difftest push --remote s3://ci-evidence/my-model --cache
  difftest push --baseline v1.0                            to the remote in DIFFTEST_REMOTE
  difftest push --recording shard-2.difftest --as $GITHUB_RUN_ID

Nothing is ever overwritten: what is there already stays, and a baseline that does not build upon the
one in the remote is refused. Images go before what points to them, so others never see half of it.
Exit code 2 says that something is not there now that should be.")]
pub(crate) struct PushArgs {
    #[command(flatten)]
    pub(crate) remote: RemoteUrl,
    /// Images and scores of this project's cache.
    #[arg(long)]
    pub(crate) cache: bool,
    /// A baseline with all of its environments; repeat for several.
    #[arg(long, value_name = "NAME")]
    pub(crate) baseline: Vec<String>,
    /// Folder that baselines are kept in.
    #[arg(long, value_name = "DIR", default_value = difftest_store::baseline::DEFAULT_ROOT)]
    pub(crate) baseline_dir: PathBuf,
    /// Recordings of shards.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) recording: Vec<PathBuf>,
    /// What the recordings are merged with: CI's number of the run. Default: the digest of their plan.
    #[arg(long = "as", value_name = "GROUP", requires = "recording")]
    pub(crate) group: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  difftest pull --remote s3://ci-evidence/my-model --cache
  difftest pull --baseline v1.0
  difftest pull --recordings $GITHUB_RUN_ID --into recordings/

Everything that comes is checked against its digest before it is kept. A baseline with decisions that the
remote does not have is left as it is, and named.")]
pub(crate) struct PullArgs {
    #[command(flatten)]
    pub(crate) remote: RemoteUrl,
    /// Images and scores, into this project's cache.
    #[arg(long)]
    pub(crate) cache: bool,
    /// A baseline with all of its environments; repeat for several.
    #[arg(long, value_name = "NAME")]
    pub(crate) baseline: Vec<String>,
    /// Folder that baselines are kept in.
    #[arg(long, value_name = "DIR", default_value = difftest_store::baseline::DEFAULT_ROOT)]
    pub(crate) baseline_dir: PathBuf,
    /// Recordings of a group.
    #[arg(long, value_name = "GROUP")]
    pub(crate) recordings: Option<String>,
    /// Folder for recordings.
    #[arg(long, value_name = "DIR", default_value = "recordings", requires = "recordings")]
    pub(crate) into: PathBuf,
}

/// What a run takes from a remote, and gives to it.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Remote")]
pub(crate) struct RunRemote {
    #[command(flatten)]
    pub(crate) remote: RemoteUrl,
    /// Whether the run needs its remote: `required` ends it before anything is made where the remote cannot be used, `optional` goes on
    /// without and says so.
    #[arg(long, value_name = "POLICY", value_enum, default_value_t = Policy::Required, env = "DIFFTEST_REMOTE_POLICY")]
    pub(crate) remote_policy: Policy,
    /// When what was made goes to the remote. Leave it to CI: others have to trust what is there.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Upload::Never, env = "DIFFTEST_UPLOAD")]
    pub(crate) upload: Upload,
}

/// What a remote that cannot be used means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Policy {
    Required,
    Optional,
}

/// When a run pushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Upload {
    /// When every test passed.
    OnSuccess,
    /// Also what was made by a run that failed.
    Always,
    Never,
}
