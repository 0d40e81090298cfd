//! `difftest model fetch`.

use serde_json::json;

use crate::args::Format;
use crate::args::model::FetchArgs;
use crate::error::{CliError, Exit};
use crate::models::{Finder, Kind, from_hub};
use crate::ui::Ui;

pub(crate) fn fetch(args: &FetchArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let id = super::id(&args.model)?;
    let finder = Finder::new(args.offline, super::precision(&args.precision)?, ui);
    let snapshot = if args.all && !args.offline {
        let hub = finder.hub()?;
        let listing = hub.list(&id, finder.progress()).map_err(from_hub)?;
        let files: Vec<&str> = listing.files.iter().map(|file| file.path.as_str()).collect();
        let fetched = hub.fetch(&listing, &files, finder.progress());
        finder.progress().finish();
        fetched.map_err(from_hub)?
    } else {
        finder.obtain(&id, Kind::Any)?
    };
    let files = snapshot.files().map_err(from_hub)?;
    let text = match args.message_format {
        Format::Human => format!("{}\n", snapshot.folder.display()),
        Format::Json => {
            let files: Vec<_> = files.iter().map(|(path, bytes)| json!({ "path": path, "bytes": bytes })).collect();
            let (model, commit, folder) = (id.repository(), &snapshot.commit, &snapshot.folder);
            let document = json!({ "model": model, "revision": id.revision(), "commit": commit, "folder": folder, "files": files });
            format!("{document:#}\n")
        }
    };
    ui.data(&text)?;
    Ok(Exit::Success)
}
