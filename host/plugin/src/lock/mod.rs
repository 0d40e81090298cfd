//! The lock file: which plugins a project uses, by the digest of their files.
//!
//! [`Lock::parse`] takes the text of a `difftest.lock` and gives a [`Lock`] or every problem of the file with its place;
//! [`Lock::render`] writes the same plugins as the same bytes, sorted by name. With [`crate::Registry::with_lock`] a plugin that
//! is named is looked up before its file is read, and its digest compared before anything in it is looked at.
//!
//! The digest decides; version, class and exports are written for people who review a change of the file, and
//! [`Entry::differences`] finds where they do not tell the truth.

mod parse;
mod refusal;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use difftest_core::digest::Digest;
use difftest_core::metric::ReproducibilityClass;
use serde::Serialize;

use crate::examine::Examined;
use crate::{policy, text};

pub use refusal::{Difference, Refusal};

/// The file's name; it lies in the project's folder.
pub const FILE: &str = "difftest.lock";

/// The version of the format.
const VERSION: i64 = 1;

const HEADER: &str = "\
# Written by difftest: the plugins of this project, by digest. To be committed.
# `difftest plugin add` and `difftest plugin lock` change it, `difftest plugin verify` checks it, `difftest run --locked` keeps to it.
";

/// The plugins of a project.
#[derive(Clone, Debug, Default)]
pub struct Lock {
    /// Where it was read from, or would have been.
    path: PathBuf,
    /// There is no such file.
    missing: bool,
    plugins: BTreeMap<String, Entry>,
}

/// One plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The name that suites use.
    pub name: String,
    /// The author's version, where one is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Of the component file; equal to the digest of the layer in a registry.
    pub sha256: Digest,
    /// Where it came from.
    pub source: Source,
    /// What its scores can depend on.
    pub class: ReproducibilityClass,
    /// The interfaces of the contract that it exports, sorted.
    pub exports: Vec<String>,
}

/// Where a plugin came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(into = "String")]
pub enum Source {
    /// A registry: `oci://HOST/NAME:VERSION`.
    Registry(String),
    /// A file, relative to the lock file's folder.
    Path(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(reference) => f.write_str(reference),
            Self::Path(path) => write!(f, "path:{path}"),
        }
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        source.to_string()
    }
}

impl std::str::FromStr for Source {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.chars().any(text::is_unsafe) {
            return Err("it has control characters");
        }
        match text.split_once(':') {
            Some(("path", path)) if !path.is_empty() => Ok(Self::Path(path.to_owned())),
            Some(("oci", rest)) if rest.len() > 2 && rest.starts_with("//") && !rest.contains(char::is_whitespace) => {
                Ok(Self::Registry(text.to_owned()))
            }
            _ => Err("it is neither `oci://HOST/NAME:VERSION` nor `path:FILE`"),
        }
    }
}

impl Lock {
    /// A lock that pins nothing, because there is no file at `path`.
    #[must_use]
    pub fn missing(path: &Path) -> Self {
        Self { path: path.to_owned(), missing: true, plugins: BTreeMap::new() }
    }

    /// Whether there is no file.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.missing
    }

    /// The entry of the plugin `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.plugins.get(name)
    }

    /// Every entry, by name.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.plugins.values()
    }

    /// Adds `entry`, or replaces the one of its name, which is given back.
    pub fn insert(&mut self, entry: Entry) -> Option<Entry> {
        self.missing = false;
        self.plugins.insert(entry.name.clone(), entry)
    }

    /// The text of the file.
    #[must_use]
    pub fn render(&self) -> String {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let mut out = format!("{HEADER}version = {VERSION}\n");
        for entry in self.plugins.values() {
            let _ = writeln!(out, "\n[[plugin]]\nname = {}", quoted(&entry.name));
            if let Some(version) = &entry.version {
                let _ = writeln!(out, "version = {}", quoted(version));
            }
            let exports: Vec<_> = entry.exports.iter().map(|name| quoted(name)).collect();
            let _ = writeln!(
                out,
                "sha256 = \"{}\"\nsource = {}\nclass = \"{}\"\nexports = [{}]",
                entry.sha256,
                quoted(&entry.source.to_string()),
                entry.class,
                exports.join(", ")
            );
        }
        out
    }

    /// The entry of `name`, or why the plugin may not run.
    pub(crate) fn expect(&self, name: &str) -> Result<&Entry, Refusal> {
        self.plugins.get(name).ok_or_else(|| {
            let (name, lock) = (name.to_owned(), self.path.clone());
            if self.missing { Refusal::NoLock { name, lock } } else { Refusal::NotLocked { name, lock } }
        })
    }

    /// Whether the file at `path`, of the digest `found`, is the one that `entry` pins.
    pub(crate) fn compare(&self, entry: &Entry, path: &Path, found: Digest) -> Result<(), Refusal> {
        if entry.sha256 == found {
            return Ok(());
        }
        Err(Refusal::Differs(Box::new(Difference {
            name: entry.name.clone(),
            path: path.to_owned(),
            lock: self.path.clone(),
            locked: entry.sha256,
            found,
            source: entry.source.clone(),
        })))
    }

    /// Whether `entry` says of the pinned file what the file says of itself.
    pub(crate) fn believe(
        &self,
        entry: &Entry,
        class: ReproducibilityClass,
        exports: &[String],
    ) -> Result<(), Refusal> {
        match entry.misstatements(class, exports) {
            wrong if wrong.is_empty() => Ok(()),
            wrong => {
                Err(Refusal::Misstated { name: entry.name.clone(), lock: self.path.clone(), what: wrong.join("; ") })
            }
        }
    }
}

impl Entry {
    /// What a lock says of the component `examined`. `version` is used where the file itself has none.
    #[must_use]
    pub fn of(name: &str, examined: &Examined, version: Option<String>, source: Source) -> Self {
        Self {
            name: name.to_owned(),
            version: examined.version.clone().or(version),
            sha256: examined.digest,
            source,
            class: examined.class,
            exports: examined.contract_exports(),
        }
    }

    /// What this entry says wrongly of a component of that class with these exports.
    fn misstatements(&self, class: ReproducibilityClass, exports: &[String]) -> Vec<String> {
        let mut out = Vec::new();
        if self.class != class {
            out.push(format!("its class is {class}, written is {}", self.class));
        }
        let exports = policy::contract_exports(exports);
        if self.exports != exports {
            out.push(format!("it exports {}, written is {}", exports.join(", "), self.exports.join(", ")));
        }
        out
    }

    /// Where this entry does not say what the component is: one line for each difference. Of another file, that alone.
    #[must_use]
    pub fn differences(&self, examined: &Examined) -> Vec<String> {
        if self.sha256 != examined.digest {
            return vec![format!("it is sha256:{}, pinned is sha256:{}", examined.digest, self.sha256)];
        }
        let mut out = self.misstatements(examined.class, &examined.exports);
        if let Some(version) = examined.version.as_ref().filter(|version| self.version.as_ref() != Some(version)) {
            out.push(format!("its version is {version}, written is {}", self.version.as_deref().unwrap_or("none")));
        }
        out
    }
}
