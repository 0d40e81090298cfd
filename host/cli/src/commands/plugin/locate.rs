//! From what a person types to a component: a file, a folder of sources, or a name.

use std::path::{Path, PathBuf};

use difftest_core::nearest::did_you_mean;
use difftest_plugin::Registry;
use difftest_plugin::discovery::{self, Source};
use difftest_plugin::error::LoadCause;

use crate::args::plugin::WhichPlugin;
use crate::commands;
use crate::environment;
use crate::error::CliError;

/// A component and where it comes from.
#[derive(Debug)]
pub(super) struct Located {
    /// The name suites use.
    pub(super) name: String,
    /// The component file.
    pub(super) wasm: PathBuf,
    /// The folder of its sources, where it is known.
    pub(super) sources: Option<PathBuf>,
}

pub(super) fn locate(which: &WhichPlugin) -> Result<Located, CliError> {
    let path = Path::new(&which.plugin);
    if path.is_file() {
        return Ok(Located { name: discovery::name_of(path), wasm: path.to_owned(), sources: None });
    }
    let by_path = path.is_dir();
    let folders = if by_path { vec![path.to_owned()] } else { environment::plugin_folders(&which.plugins)? };
    let found = discovery::discover(&folders).map_err(|error| CliError::new("plugins", error.to_string()))?;
    let names = || found.keys().map(String::as_str);
    let (name, sources) = if by_path {
        let mut all = found.iter();
        match (all.next(), all.next()) {
            (Some(one), None) => one,
            (None, _) => {
                let message = format!("{} holds no plugin: no component and no sources of one", path.display());
                return Err(CliError::new("not-found", message)
                    .hint("name a .wasm file or a plugin's folder; `difftest plugin new` writes one"));
            }
            _ => {
                let list = names().collect::<Vec<_>>().join(", ");
                return Err(CliError::new("usage", format!("{} holds several plugins: {list}", path.display()))
                    .hint(format!("name one of them, with `--plugins {}`", path.display())));
            }
        }
    } else {
        found.get_key_value(&which.plugin).ok_or_else(|| {
            let message = format!("`{}` is neither a file, nor a folder, nor the name of a plugin", which.plugin);
            let error = CliError::new("not-found", message);
            if found.is_empty() {
                return error.hint("name a .wasm file or a plugin's folder, or where plugins are with `--plugins DIR`");
            }
            error.hint(did_you_mean(&which.plugin, names(), "there are"))
        })?
    };
    let (wasm, _) = discovery::single(sources).map_err(from_cause)?;
    let folder = match &sources[..] {
        [Source::Crate { folder, .. } | Source::Python { folder, .. }] => Some(folder.clone()),
        _ => None,
    };
    Ok(Located { name: name.clone(), wasm, sources: folder })
}

/// A registry, and what to call the plugin in it: a plugin's folder is looked into as [`locate`] does, a name or a file is left to
/// the registry.
pub(super) fn registry(plugin: &str, plugins: &[PathBuf]) -> Result<(Registry, String), CliError> {
    if !Path::new(plugin).is_dir() {
        return Ok((commands::registry(plugins, None)?, plugin.to_owned()));
    }
    let which = WhichPlugin { plugin: plugin.to_owned(), plugins: Vec::new() };
    let Located { name, .. } = locate(&which)?;
    // by its name in its own folder, so that the version of the sources is known
    Ok((commands::registry(&[PathBuf::from(plugin)], None)?, name))
}

pub(super) fn from_cause(cause: LoadCause) -> CliError {
    CliError::new(cause.kind(), cause.to_string()).hint_if(cause.hint())
}
