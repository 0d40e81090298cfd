//! Packages of this workspace as packages of their own: what they inherit is written out, and of the workspace's lock file only
//! what they need is kept, so that a new plugin is built from the versions that the SDK was tested with.

use std::collections::{BTreeSet, HashMap};

use toml::{Table, Value};

/// Something about the embedded manifests that cannot be.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unsound {
    #[error("a manifest is not TOML: {0}")]
    Toml(#[from] toml::de::Error),
    #[error("the workspace has no {0}")]
    NoSuch(String),
    #[error("the lock file has no package {0}")]
    NotLocked(String),
}

/// `text` with everything that it takes from `workspace` written out, without lints, tests and whatever only they need. Packages of
/// the workspace that it depends on lie in folders of their own name's last word below it: `difftest-sdk-macros` in `macros`.
pub(super) fn manifest(text: &str, workspace: &str) -> Result<Table, Unsound> {
    let mut manifest: Table = text.parse()?;
    let root: Table = workspace.parse()?;
    let root = table(&root, "workspace")?;
    for unneeded in ["lints", "dev-dependencies"] {
        manifest.remove(unneeded);
    }
    let shared = table(root, "package")?;
    if let Some(Value::Table(package)) = manifest.get_mut("package") {
        for (key, value) in package.iter_mut().filter(|(_, value)| inherited(value)) {
            *value = shared.get(key).ok_or_else(|| Unsound::NoSuch(format!("package.{key}")))?.clone();
        }
    }
    let known = table(root, "dependencies")?;
    for dependencies in dependency_tables(&mut manifest) {
        for (name, value) in dependencies.iter_mut().filter(|(_, value)| inherited(value)) {
            let theirs = known.get(name).ok_or_else(|| Unsound::NoSuch(format!("dependency {name}")))?;
            *value = Value::Table(merged(name, theirs, value));
        }
    }
    Ok(manifest)
}

/// A workspace's dependency with what the package adds to it.
fn merged(name: &str, theirs: &Value, ours: &Value) -> Table {
    let mut whole = match theirs {
        Value::Table(table) => table.clone(),
        version => Table::from_iter([("version".to_owned(), version.clone())]),
    };
    if whole.contains_key("path") {
        let folder = name.rsplit('-').next().unwrap_or(name);
        whole = Table::from_iter([("path".to_owned(), Value::String(folder.to_owned()))]);
    }
    for (key, value) in ours.as_table().into_iter().flatten().filter(|(key, _)| *key != "workspace") {
        match (whole.get_mut(key), value) {
            (Some(Value::Array(theirs)), Value::Array(more)) if key == "features" => theirs.extend(more.clone()),
            _ => drop(whole.insert(key.clone(), value.clone())),
        }
    }
    whole
}

fn inherited(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

fn table<'a>(table: &'a Table, key: &str) -> Result<&'a Table, Unsound> {
    table.get(key).and_then(Value::as_table).ok_or_else(|| Unsound::NoSuch(key.to_owned()))
}

/// `[dependencies]` and those of single targets.
fn dependency_tables(manifest: &mut Table) -> Vec<&mut Table> {
    let mut found = Vec::new();
    for (key, value) in manifest.iter_mut() {
        match (key.as_str(), value) {
            ("dependencies", Value::Table(table)) => found.push(table),
            ("target", Value::Table(targets)) => {
                let of_targets = targets.iter_mut().filter_map(|(_, target)| target.get_mut("dependencies"));
                found.extend(of_targets.filter_map(Value::as_table_mut));
            }
            _ => {}
        }
    }
    found
}

/// Names of the packages that `manifest` depends on.
pub(super) fn dependencies(manifest: &Table) -> Vec<String> {
    let mut manifest = manifest.clone();
    dependency_tables(&mut manifest).into_iter().flat_map(|table| table.keys().cloned().collect::<Vec<_>>()).collect()
}

/// A manifest as text.
pub(super) fn write(manifest: &Table) -> String {
    let (package, rest): (Table, Table) = manifest.clone().into_iter().partition(|(key, _)| key == "package");
    format!("# A copy that belongs to this plugin; `difftest plugin new` wrote it.\n{package}\n{rest}")
}

/// Of a lock file, the packages that come from a registry and that `used` need.
pub(super) fn lock(text: &str, used: &[String]) -> Result<String, Unsound> {
    let whole: Table = text.parse()?;
    let packages = whole.get("package").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    // A dependency is written as `name`, or as `name version` where there are several of that name.
    let mut by_name: HashMap<String, Vec<&Table>> = HashMap::new();
    for package in packages.iter().filter_map(Value::as_table) {
        let field = |key: &str| package.get(key).and_then(Value::as_str).unwrap_or_default();
        by_name.entry(field("name").to_owned()).or_default().push(package);
        by_name.entry(format!("{} {}", field("name"), field("version"))).or_default().push(package);
    }
    let mut kept: BTreeSet<(String, String)> = BTreeSet::new();
    let mut open: Vec<String> = used.to_vec();
    while let Some(wanted) = open.pop() {
        let found = by_name.get(&wanted).ok_or(Unsound::NotLocked(wanted))?;
        for package in found {
            let field = |key: &str| package.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            if kept.insert((field("name"), field("version"))) {
                let more = package.get("dependencies").and_then(Value::as_array).into_iter().flatten();
                open.extend(more.filter_map(Value::as_str).map(str::to_owned));
            }
        }
    }
    let mut lock = String::from("# The versions that the SDK was tested with; cargo keeps this file.\nversion = 4\n");
    for package in packages.iter().filter_map(Value::as_table) {
        let field = |key: &str| package.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        if package.contains_key("source") && kept.contains(&(field("name"), field("version"))) {
            lock += &format!("\n[[package]]\n{package}");
        }
    }
    Ok(lock)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const WORKSPACE: &str = r#"
        [workspace.package]
        version = "1.2.3"
        [workspace.dependencies]
        a = "1"
        b = { version = "2", default-features = false, features = ["x"] }
        ours-tools = { path = "somewhere/tools", version = "1.2.3" }
    "#;

    #[test]
    fn what_is_inherited_is_written_out() {
        let text = r#"
            [package]
            name = "ours"
            version.workspace = true
            [lints]
            workspace = true
            [dependencies]
            a.workspace = true
            c = "3"
            ours-tools.workspace = true
            [target.'cfg(unix)'.dependencies]
            b = { workspace = true, features = ["y"] }
            [dev-dependencies]
            d.workspace = true
        "#;
        let manifest = manifest(text, WORKSPACE).unwrap();
        let expected: Table = r#"
            [package]
            name = "ours"
            version = "1.2.3"
            [dependencies]
            a = { version = "1" }
            c = "3"
            ours-tools = { path = "tools" }
            [target.'cfg(unix)'.dependencies]
            b = { version = "2", default-features = false, features = ["x", "y"] }
        "#
        .parse()
        .unwrap();
        assert_eq!(manifest, expected);
        assert_eq!(dependencies(&manifest), ["a", "c", "ours-tools", "b"]);
        assert_eq!(write(&manifest).parse::<Table>().unwrap(), expected);
        assert!(super::manifest("[dependencies]\ne.workspace = true", WORKSPACE).is_err());
    }

    #[test]
    fn a_lock_file_keeps_what_is_needed() {
        let package = |name: &str, version: &str, dependencies: &str| {
            format!(
                "[[package]]\nname = {name:?}\nversion = {version:?}\nsource = \"registry\"\ndependencies = {dependencies}\n"
            )
        };
        let text = package("a", "1.0.0", r#"["b 2.0.0"]"#)
            + &package("b", "1.0.0", "[]")
            + &package("b", "2.0.0", "[]")
            + &package("c", "1.0.0", "[]")
            + "[[package]]\nname = \"ours\"\nversion = \"1.0.0\"\n";
        let lock: Table = lock(&text, &["a".into(), "ours".into()]).unwrap().parse().unwrap();
        let names = |lock: &Table| -> Vec<String> {
            let packages = lock["package"].as_array().unwrap();
            packages
                .iter()
                .map(|p| format!("{} {}", p["name"].as_str().unwrap(), p["version"].as_str().unwrap()))
                .collect()
        };
        assert_eq!(names(&lock), ["a 1.0.0", "b 2.0.0"]);
        assert!(super::lock(&text, &["z".into()]).is_err());
    }
}
