//! Which file a plugin's name means. Folders are listed; no plugin is opened.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use crate::error::{DiscoverError, LoadCause};

/// A place where a plugin of some name was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A component file.
    File(PathBuf),
    /// A plugin's crate.
    Crate {
        /// The folder of its `Cargo.toml`.
        folder: PathBuf,
        /// The package's name, for `cargo build -p`.
        package: String,
        /// The package's version.
        version: Option<String>,
        /// The component it was built to, where it was.
        built: Option<PathBuf>,
    },
    /// A plugin's Python project.
    Python {
        /// The folder of its `pyproject.toml`.
        folder: PathBuf,
        /// The project's version.
        version: Option<String>,
        /// The component it was built to, where it was.
        built: Option<PathBuf>,
    },
    /// A folder that looks like a crate or a project, and why it cannot be told what it is.
    Broken {
        /// Its `Cargo.toml` or `pyproject.toml`.
        manifest: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// Every name with what was found under it, sorted. More than one source is an error once the name is used.
pub type Found = BTreeMap<String, Vec<Source>>;

/// Looks through `folders`. In each: every `*.wasm` file, and every subfolder that is a crate with a `cdylib` or a Python project
/// with `[tool.difftest]`. A folder may also be such a crate, project or file itself. Giving the same folder twice changes nothing.
///
/// # Errors
/// When a folder cannot be listed.
pub fn discover(folders: &[PathBuf]) -> Result<Found, DiscoverError> {
    let mut found = Found::new();
    let mut add = |name: String, source: Source| {
        let sources = found.entry(name).or_default();
        let place = place(&source);
        if !sources.iter().any(|known| self::place(known) == place) {
            sources.push(source);
        }
    };
    for folder in folders {
        let fail = |error: io::Error| DiscoverError { path: folder.clone(), reason: error.to_string() };
        if folder.is_file() {
            look_at(folder, &mut add);
            continue;
        }
        if ["Cargo.toml", "pyproject.toml"].iter().any(|manifest| folder.join(manifest).is_file())
            && look_at(folder, &mut add)
        {
            continue;
        }
        let mut entries = fs::read_dir(folder).map_err(fail)?.collect::<Result<Vec<_>, _>>().map_err(fail)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            look_at(&entry.path(), &mut add);
        }
    }
    Ok(found)
}

/// Adds what `path` is; answers whether it is a plugin.
fn look_at(path: &Path, add: &mut impl FnMut(String, Source)) -> bool {
    if path.extension().is_some_and(|extension| extension == "wasm") && path.is_file() {
        add(name_of(path), Source::File(path.to_owned()));
        return true;
    }
    let manifest = path.join("Cargo.toml");
    if !manifest.is_file() {
        return look_at_python(path, add);
    }
    match read_manifest(&manifest) {
        Ok(None) => look_at_python(path, add),
        Ok(Some(package)) => {
            let built = built(path, &package.artifact);
            let source = Source::Crate {
                folder: path.to_owned(),
                package: package.name.clone(),
                version: package.version,
                built,
            };
            add(package.name.replace('_', "-"), source);
            true
        }
        Err(reason) => {
            add(name_of(path), Source::Broken { manifest, reason });
            true
        }
    }
}

/// Adds the Python project in `path`, where that is one which says in `[tool.difftest]` that it makes a plugin.
fn look_at_python(path: &Path, add: &mut impl FnMut(String, Source)) -> bool {
    let manifest = path.join("pyproject.toml");
    if !manifest.is_file() {
        return false;
    }
    let text = fs::read_to_string(&manifest).map_err(|error| error.to_string());
    let table = text.and_then(|text| text.parse().map_err(|error: toml::de::Error| error.message().to_owned()));
    let table: toml::Table = match table {
        Ok(table) => table,
        Err(reason) => {
            add(name_of(path), Source::Broken { manifest, reason });
            return true;
        }
    };
    let Some(ours) = table.get("tool").and_then(|tool| tool.get("difftest")) else { return false };
    let about = table.get("project");
    let text = |table: Option<&toml::Value>, key: &str| {
        table.and_then(|table| table.get(key)).and_then(toml::Value::as_str).map(str::to_owned)
    };
    let named = text(Some(ours), "name").or_else(|| text(about, "name")).or_else(|| text(Some(ours), "module"));
    let Some(name) = named.map(|name| name.replace('_', "-").to_lowercase()) else {
        add(name_of(path), Source::Broken { manifest, reason: "it has no [project] with a name".to_owned() });
        return true;
    };
    let built = path.join("dist").join(format!("{name}.wasm"));
    let version = text(about, "version");
    add(name, Source::Python { folder: path.to_owned(), version, built: built.is_file().then_some(built) });
    true
}

/// The plugin name of a file or folder: its name without extension, with dashes as everywhere in suites.
#[must_use]
pub fn name_of(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().replace('_', "-")
}

fn place(source: &Source) -> PathBuf {
    let path = match source {
        Source::File(path) | Source::Broken { manifest: path, .. } => path,
        Source::Crate { folder, .. } | Source::Python { folder, .. } => folder,
    };
    fs::canonicalize(path).unwrap_or_else(|_| path.clone())
}

struct Package {
    name: String,
    version: Option<String>,
    /// File name of the component.
    artifact: String,
}

/// The package, where the crate makes a `cdylib`.
fn read_manifest(path: &Path) -> Result<Option<Package>, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| error.message().to_owned())?;
    let library = table.get("lib");
    let types = library.and_then(|lib| lib.get("crate-type")).and_then(toml::Value::as_array);
    if !types.is_some_and(|types| types.iter().any(|kind| kind.as_str() == Some("cdylib"))) {
        return Ok(None);
    }
    let package = table.get("package").ok_or("it has no [package]")?;
    let name = package.get("name").and_then(toml::Value::as_str).ok_or("its package has no name")?;
    let artifact = library.and_then(|lib| lib.get("name")).and_then(toml::Value::as_str).unwrap_or(name);
    let version = match package.get("version") {
        Some(toml::Value::String(version)) => Some(version.clone()),
        Some(toml::Value::Table(_)) => workspace_version(path),
        _ => None,
    };
    Ok(Some(Package { name: name.to_owned(), version, artifact: format!("{}.wasm", artifact.replace('-', "_")) }))
}

/// `workspace.package.version` of the nearest workspace above.
fn workspace_version(manifest: &Path) -> Option<String> {
    let folder = fs::canonicalize(manifest.parent()?).ok()?;
    folder.ancestors().skip(1).find_map(|above| {
        let table: toml::Table = fs::read_to_string(above.join("Cargo.toml")).ok()?.parse().ok()?;
        Some(table.get("workspace")?.get("package")?.get("version")?.as_str()?.to_owned())
    })
}

/// Where cargo put the component: in `CARGO_TARGET_DIR`, the crate's own `target`, or that of a workspace above it; release
/// before debug.
fn built(folder: &Path, artifact: &str) -> Option<PathBuf> {
    let named = env::var_os("CARGO_TARGET_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let whole = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let targets = named.into_iter().chain(whole.ancestors().map(|above| above.join("target")));
    targets
        .flat_map(|target| {
            ["release", "debug"].map(|profile| target.join("wasm32-wasip2").join(profile).join(artifact))
        })
        .find(|path| path.is_file())
}

/// The one file that `sources` of a name mean, and the version that is written beside it.
///
/// # Errors
/// When there are several, or the one is not built or broken.
pub fn single(sources: &[Source]) -> Result<(PathBuf, Option<String>), LoadCause> {
    let [source] = sources else {
        return Err(LoadCause::Clash { paths: sources.iter().map(place).collect() });
    };
    match source {
        Source::File(path) => Ok((path.clone(), None)),
        Source::Crate { built: Some(path), version, .. } | Source::Python { built: Some(path), version, .. } => {
            Ok((path.clone(), version.clone()))
        }
        Source::Crate { folder, .. } | Source::Python { folder, .. } => {
            Err(LoadCause::NotBuilt { folder: folder.clone() })
        }
        Source::Broken { manifest, reason } => Err(LoadCause::Io { path: manifest.clone(), reason: reason.clone() }),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    const MANIFEST: &str =
        "[package]\nname = \"my_metric\"\nversion.workspace = true\n[lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n";

    #[test]
    fn files_and_crates_are_found_by_name() {
        let root = tempfile::tempdir().unwrap();
        let plugins = root.path().join("plugins");
        write(&root.path().join("Cargo.toml"), "[workspace.package]\nversion = \"1.2.3\"\n");
        write(&plugins.join("image_stats.wasm"), "");
        write(&plugins.join("notes.txt"), "");
        write(&plugins.join("mine/Cargo.toml"), MANIFEST);
        write(&plugins.join("tool/Cargo.toml"), "[package]\nname = \"tool\"\n");
        write(&plugins.join("odd/Cargo.toml"), "[package\n");

        let found = discover(&[plugins.clone(), plugins.clone()]).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["image-stats", "my-metric", "odd"]);
        assert!(found.values().all(|sources| sources.len() == 1), "the same folder twice is no clash");
        assert!(matches!(single(&found["my-metric"]), Err(LoadCause::NotBuilt { .. })));
        assert!(matches!(single(&found["odd"]), Err(LoadCause::Io { .. })));

        // a build in the workspace's target folder is found from below, release before debug
        let release = root.path().join("target/wasm32-wasip2/release/my_metric.wasm");
        write(&root.path().join("target/wasm32-wasip2/debug/my_metric.wasm"), "");
        write(&release, "");
        let found = discover(&[plugins.join("mine")]).unwrap();
        let (path, version) = single(&found["my-metric"]).unwrap();
        assert_eq!((path, version.as_deref()), (fs::canonicalize(release).unwrap(), Some("1.2.3")));
    }

    #[test]
    fn python_projects_are_found_by_what_they_say() {
        let root = tempfile::tempdir().unwrap();
        let project = "[project]\nname = \"My_Metric\"\nversion = \"1.2.3\"\n";
        write(&root.path().join("tool/pyproject.toml"), project);
        write(&root.path().join("odd/pyproject.toml"), "[tool.difftest]\n");
        let mine = root.path().join("mine");
        write(&mine.join("pyproject.toml"), &format!("{project}[tool.difftest]\nmodule = \"app\"\n"));
        let found = discover(&[root.path().to_owned()]).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["my-metric", "odd"]);
        assert!(matches!(single(&found["my-metric"]), Err(LoadCause::NotBuilt { .. })));
        assert!(matches!(single(&found["odd"]), Err(LoadCause::Io { .. })));

        write(&mine.join("dist/my-metric.wasm"), "");
        let found = discover(std::slice::from_ref(&mine)).unwrap();
        let (path, version) = single(&found["my-metric"]).unwrap();
        assert_eq!((path, version.as_deref()), (mine.join("dist/my-metric.wasm"), Some("1.2.3")));
    }

    #[test]
    fn two_files_of_one_name_clash_when_used() {
        let root = tempfile::tempdir().unwrap();
        write(&root.path().join("a/same.wasm"), "");
        write(&root.path().join("b/same.wasm"), "");
        let found = discover(&[root.path().join("a"), root.path().join("b")]).unwrap();
        let text = single(&found["same"]).unwrap_err().to_string();
        assert!(text.contains("a/same.wasm") && text.contains("b/same.wasm"), "{text}");
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        let error = discover(&[PathBuf::from("no/such/folder")]).unwrap_err().to_string();
        assert!(error.contains("no/such/folder"), "{error}");
    }
}
