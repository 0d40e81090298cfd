//! `difftest init`: a first suite and a CI workflow, both full of comments.

use std::path::Path;

use difftest_store::atomic;

use crate::args::InitArgs;
use crate::error::{CliError, Exit};
use crate::ui::Ui;

const SUITE: &str = include_str!("init/first.toml");
const WORKFLOW: &str = include_str!("init/difftest.yml");

pub(crate) fn init(args: &InitArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let suite = SUITE.replace("builtin:shapes", &toml_escape(&args.model));
    let files = [("suites/first.toml", suite.as_str()), (".github/workflows/difftest.yml", WORKFLOW)];
    let taken = files.iter().map(|(name, _)| args.folder.join(name)).find(|path| path.exists());
    if let Some(path) = taken.filter(|_| !args.force) {
        return Err(CliError::new("exists", format!("{} is already there", path.display()))
            .hint("nothing was written; `difftest init --force` replaces it"));
    }
    for (name, text) in files {
        let path = args.folder.join(name);
        atomic::write(&path, text.as_bytes())?;
        ui.note(&format!("wrote {}", path.display()));
    }
    let change =
        if args.folder == Path::new(".") { String::new() } else { format!("cd {} && ", args.folder.display()) };
    ui.note(&format!("next: {change}difftest run        (and `difftest doctor` if something is missing)"));
    Ok(Exit::Success)
}

fn toml_escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
