//! Who decides: a run that passed, or a person, and never a machine in a person's name.

use std::process::{Command, Stdio};

use difftest_store::baseline::{Because, Decider};

use crate::environment;
use crate::error::CliError;

/// Variables that CI services set beside `CI`, which not all of them do.
const SERVICES: [&str; 8] = [
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "BUILDKITE",
    "CIRCLECI",
    "JENKINS_URL",
    "TEAMCITY_VERSION",
    "TF_BUILD",
    "BITBUCKET_BUILD_NUMBER",
];

/// Refuses on CI what only a person may do. `what` reads as a sentence's beginning: "`run --update` accepts images".
pub(crate) fn must_be_a_person(what: &str, allow_ci: bool) -> Result<(), CliError> {
    if allow_ci {
        return Ok(());
    }
    let set = |name: &&&str| {
        std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "false" && value != "0")
    };
    let why = match SERVICES.iter().find(set) {
        Some(name) => format!("{name} is set"),
        None if environment::in_ci() => "this is CI".to_owned(),
        None => return Ok(()),
    };
    let message = format!("{what}, which a person decides, and {why}: nobody looks at images there");
    Err(CliError::new("ci", message)
        .hint("do it on your machine and commit the baseline; `--allow-ci` where this is a person's machine after all"))
}

/// A decision that is made now.
pub(crate) fn now(because: Because, run: Option<&str>) -> Decider {
    let at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    Decider { by: person(), at, because, run: run.map(ToOwned::to_owned) }
}

/// Who works here, as git knows them; else as the system does.
fn person() -> String {
    let git = |key: &str| {
        let output =
            Command::new("git").args(["config", "--get", key]).stderr(Stdio::null()).stdin(Stdio::null()).output();
        let text = String::from_utf8(output.ok().filter(|output| output.status.success())?.stdout).ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let system = || {
        ["USER", "USERNAME", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()))
    };
    match (git("user.name"), git("user.email")) {
        (Some(name), Some(email)) => format!("{name} <{email}>"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => system().unwrap_or_else(|| "unknown".to_owned()),
    }
}
