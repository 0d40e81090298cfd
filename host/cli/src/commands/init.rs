//! `difftest init`: a first suite and a CI workflow, both full of comments.

use std::path::Path;

use difftest_store::atomic;

use crate::args::InitArgs;
use crate::error::{CliError, Exit};
use crate::ui::Ui;

const SUITE: &str = include_str!("init/first.toml");
const WORKFLOW: &str = include_str!("init/difftest.yml");

pub(crate) fn init(args: &InitArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let suite = for_model(&args.model);
    let files = [("suites/first.toml", suite.as_str()), (".github/workflows/difftest.yml", WORKFLOW)];
    let taken = files.iter().map(|(name, _)| args.folder.join(name)).find(|path| path.exists());
    if let Some(path) = taken.filter(|_| !args.force) {
        return Err(CliError::new("exists", format!("{} is already there", path.display()))
            .hint("nothing was written; `difftest init --force` replaces it"));
    }
    for (name, text) in files {
        let path = args.folder.join(name);
        atomic::write(&path, text.as_bytes())
            .map_err(|error| CliError::new("write", error.to_string()).hint("name a folder you may write to"))?;
        ui.note(&format!("wrote {}", path.display()));
    }
    let change =
        if args.folder == Path::new(".") { String::new() } else { format!("cd {} && ", args.folder.display()) };
    ui.note(&format!("next: {change}difftest run        (and `difftest doctor` if something is missing)"));
    Ok(Exit::Success)
}

/// The template tests the builtin model; another one needs a CLIP model of its own to be judged by.
fn for_model(model: &str) -> String {
    if model == "builtin:shapes" {
        return SUITE.to_owned();
    }
    // A JSON string is a TOML string.
    let model_line = format!("model = {}", serde_json::Value::from(model));
    SUITE
        .replace("\nmodel = \"builtin:shapes\"", &format!("\n{model_line}"))
        .replace("# The CLIP model that `clip_score` uses; builtin:shapes brings its own.", "# The CLIP model that `clip_score` uses: one of the hub, or a folder as transformers saves a CLIPModel.")
        .replace("# [models]\n# clip", "[models]\nclip")
        // Made for the small model: another one has steps and guidance of its own.
        .replace("\nsteps = 25\nguidance = 5.0", "\n# steps = 25                    # default: the model's own\n# guidance = 5.0                # default: the model's own")
}
