//! `difftest plugin new`: a plugin that builds, passes its tests and runs in a suite, written without a network.
//!
//! The templates lie in `templates/` of this crate. The SDK is not on a registry, so the new folder carries a copy of it, which
//! is this program's own: what `plugin new` writes always fits the difftest that wrote it.

mod embedded;
mod python;
mod rust;
mod vendor;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::args::plugin::{Kind, Language, NewArgs};
use crate::error::{CliError, Exit};
use crate::ui::Ui;

/// A file to write: its path inside the new folder, and what is in it.
type NewFile = (PathBuf, Cow<'static, [u8]>);

/// The words that templates leave open.
struct Names<'a> {
    /// Kebab-case: the plugin, its folder, its package.
    name: &'a str,
    /// The same with underscores: the module, the component file.
    module: String,
}

impl Names<'_> {
    /// A template with its open words filled in.
    fn fill(&self, template: &str) -> Cow<'static, [u8]> {
        template.replace("{{name}}", self.name).replace("{{module}}", &self.module).into_bytes().into()
    }
}

pub(crate) fn new(args: &NewArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    check_name(&args.name)?;
    let folder = args.path.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    if folder.symlink_metadata().is_ok() {
        return Err(CliError::new("exists", format!("{} is already there", folder.display()))
            .hint("nothing was written; choose another name, or another place with `--path DIR`"));
    }
    let names = Names { name: &args.name, module: args.name.replace('-', "_") };
    let files = match args.lang {
        Language::Rust => rust::files(&names, args.kind)?,
        Language::Python => python::files(&names, args.kind),
    };
    write_whole(&folder, &files)?;
    ui.note(&format!("wrote {} with {} files", folder.display(), files.len()));
    ui.note("next:");
    let commands = [
        format!("cd {}", folder.display()),
        "difftest plugin build".to_owned(),
        "difftest plugin test".to_owned(),
        "difftest run suite.toml --plugins .".to_owned(),
    ];
    for command in commands {
        ui.note(&format!("  {command}"));
    }
    Ok(Exit::Success)
}

/// Names go into suites, packages, modules and files, so only what is good in all of them is taken.
fn check_name(name: &str) -> Result<(), CliError> {
    let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let kebab = name.starts_with(|first: char| first.is_ascii_lowercase()) && name.split('-').all(word);
    if !kebab || name.len() > 64 {
        let lower = name.to_lowercase();
        let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let suggestion = words.collect::<Vec<_>>().join("-");
        let error = CliError::new("usage", format!("`{name}` is no name for a plugin"));
        let rule =
            "names are kebab-case: lower-case letters and digits in words joined by single hyphens, a letter first";
        return Err(match check_name_plain(&suggestion) {
            true => error.hint(format!("{rule}; for example `{suggestion}`")),
            false => error.hint(format!("{rule}; for example `my-metric`")),
        });
    }
    // A crate or a module of this name cannot be used.
    const TAKEN: [&str; 8] = ["test", "core", "std", "alloc", "proc-macro", "difftest", "difftest-sdk", "wit-world"];
    if TAKEN.contains(&name) || KEYWORDS.contains(&name) {
        return Err(CliError::new("usage", format!("`{name}` means something else in Rust or Python"))
            .hint(format!("for example `{name}-metric`")));
    }
    if is_device(name) {
        return Err(CliError::new(
            "usage",
            format!("`{name}` is a device on Windows: no file there can have this name"),
        )
        .hint(format!("for example `{name}-metric`")));
    }
    Ok(())
}

/// Names that Windows keeps for devices, whatever extension follows.
fn is_device(name: &str) -> bool {
    let numbered = |kind| name.strip_prefix(kind).is_some_and(|n: &str| matches!(n.as_bytes(), [b'1'..=b'9']));
    matches!(name, "con" | "prn" | "aux" | "nul") || numbered("com") || numbered("lpt")
}

/// Whether a suggestion would be taken.
fn check_name_plain(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase()) && name.len() <= 64
}

/// Words that are no names of packages in Rust, or of modules in Python.
const KEYWORDS: [&str; 52] = [
    "abstract", "and", "as", "assert", "async", "await", "become", "box", "break", "class", "const", "continue",
    "crate", "def", "del", "do", "dyn", "elif", "else", "enum", "except", "extern", "false", "final", "finally", "fn",
    "for", "from", "global", "if", "impl", "import", "in", "is", "lambda", "let", "loop", "macro", "match", "mod",
    "nonlocal", "not", "or", "override", "pass", "raise", "return", "self", "try", "while", "with", "yield",
];

/// Writes all files or none: into a folder beside, which is then given its name.
fn write_whole(folder: &Path, files: &[NewFile]) -> Result<(), CliError> {
    let fail = |error: std::io::Error| {
        CliError::new("write", format!("cannot write {}: {error}", folder.display()))
            .hint("name a folder you may write to with `--path DIR`")
    };
    let parent = match folder.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(parent).map_err(fail)?;
    let beside = tempfile::Builder::new().prefix(".difftest-new-").tempdir_in(parent).map_err(fail)?;
    // The temporary folder is for its owner alone; the new one is for whoever the user's own folders are for.
    let whole = beside.path().join("new");
    for (name, content) in files {
        let path = whole.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(&whole)).map_err(fail)?;
        std::fs::write(&path, content).map_err(fail)?;
    }
    std::fs::rename(&whole, folder).map_err(fail)
}

/// The file of a template that depends on the kind.
fn of_kind(kind: Kind, files: [&'static str; 4]) -> &'static str {
    let [metric, pair, set, prompts] = files;
    match kind {
        Kind::Metric => metric,
        Kind::Pair => pair,
        Kind::Set => set,
        Kind::Prompts => prompts,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn hint(name: &str) -> String {
        match check_name(name).unwrap_err() {
            CliError::Plain(info) => info.hint.unwrap(),
            CliError::Suites(_) => unreachable!("a name is no suite"),
        }
    }

    #[test]
    fn names_are_kebab_case() {
        for name in ["a", "brightness", "my-metric", "ssim2", "a-1"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        assert!(hint("MyMetric").ends_with("`mymetric`"));
        assert!(hint("my_metric").ends_with("`my-metric`"));
        assert!(hint("my--metric").ends_with("`my-metric`"));
        assert!(hint("../etc").ends_with("`etc`"));
        assert!(hint("1st").ends_with("`my-metric`"));
        assert!(hint("").ends_with("`my-metric`"));
        assert!(hint("größe").ends_with("`gr-e`"));
        assert!(hint("async").ends_with("`async-metric`"));
        for device in ["con", "prn", "aux", "nul", "com1", "com9", "lpt1", "lpt9"] {
            assert!(hint(device).ends_with(&format!("`{device}-metric`")), "{device}");
        }
        for name in ["com", "com0", "com10", "lpt", "console"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        assert!(check_name(&"x".repeat(65)).is_err());
    }

    #[test]
    fn nothing_is_left_where_a_file_cannot_be_written() {
        let root = tempfile::tempdir().unwrap();
        let bad: Vec<NewFile> =
            vec![("a".into(), Cow::Borrowed(b"a")), ("a/b".into(), Cow::Borrowed(b"a file cannot be a folder"))];
        assert!(write_whole(&root.path().join("x"), &bad).is_err());
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
