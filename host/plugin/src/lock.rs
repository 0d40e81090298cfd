//! The lock file: which plugins a project uses, by the digest of their files.
//!
//! [`Lock::parse`] takes the text of a `difftest.lock` and gives a [`Lock`] or every problem of the file with its place;
//! [`Lock::render`] writes the same plugins as the same bytes, sorted by name. With [`crate::Registry::with_lock`] a plugin that
//! is named is looked up before its file is read, and its digest compared before anything in it is looked at.
//!
//! The digest decides; version, class and exports are written for people who review a change of the file, and
//! [`Entry::differences`] finds where they do not tell the truth.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use difftest_core::digest::Digest;
use difftest_core::metric::ReproducibilityClass;
use difftest_core::suite::{SuiteError, SuiteErrors};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::examine::Examined;
use crate::text;

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

/// Why a plugin is refused for the lock's sake.
#[derive(Clone, Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum Refusal {
    #[error("there is no {}, and only plugins that are pinned there may run", lock.display())]
    NoLock { name: String, lock: PathBuf },
    #[error("it is not in {}", lock.display())]
    NotLocked { name: String, lock: PathBuf },
    #[error("{0}")]
    Differs(Box<Difference>),
}

/// A file that is not the pinned one.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The plugin.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// The lock file.
    pub lock: PathBuf,
    /// The digest there.
    pub locked: Digest,
    /// The file's.
    pub found: Digest,
    /// Where the pinned one came from.
    pub source: Source,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, lock, locked, found, .. } = self;
        write!(f, "{} is sha256:{found}, and {} has sha256:{locked}", path.display(), lock.display())
    }
}

impl Refusal {
    /// A stable word for programs.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::NoLock { .. } | Self::NotLocked { .. } => "plugin-not-locked",
            Self::Differs(_) => "plugin-differs",
        }
    }

    /// What to type.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::NoLock { .. } => {
                "`difftest plugin lock` pins the plugins that are here now; `--no-locked` runs without pins".into()
            }
            Self::NotLocked { name, .. } => {
                format!("`difftest plugin lock {name}` pins what is here now; `--no-locked` runs without pins")
            }
            Self::Differs(difference) => {
                let name = &difference.name;
                let pin = format!("`difftest plugin lock {name}` pins what is here now");
                match &difference.source {
                    Source::Registry(reference) => {
                        format!("`difftest plugin add {reference} --name {name} --force` fetches what is pinned; {pin}")
                    }
                    Source::Path(_) => format!("if you changed or rebuilt it, {pin}"),
                }
            }
        }
    }
}

/// The file as it is written. Unknown keys are mistakes: a misspelt `sha256` must not be a pin that pins nothing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[expect(dead_code, reason = "looked at before the rest")]
    version: i64,
    #[serde(default)]
    plugin: Vec<Spanned<Written>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: Spanned<String>,
    version: Option<Spanned<String>>,
    sha256: Spanned<String>,
    source: Spanned<String>,
    class: ReproducibilityClass,
    exports: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
struct Version {
    version: Option<Spanned<toml::Value>>,
}

impl Lock {
    /// Reads the text of the file at `path`.
    ///
    /// # Errors
    /// Every problem, with its place: another version, unknown or missing keys, a name twice, what is no digest or source.
    pub fn parse(path: &Path, text: &str) -> Result<Self, SuiteErrors> {
        let shared: Arc<str> = text.into();
        let fail = |errors| SuiteErrors::new(path, &shared, errors);
        let toml = |error: toml::de::Error| {
            let message = text::line(error.message(), 300);
            let error = match error.span() {
                Some(span) => SuiteError::at(&span, message),
                None => SuiteError::whole(message),
            };
            fail(vec![error.hint(MEND)])
        };
        // before the rest: a later version may have keys that this one does not know
        let version: Version = toml::from_str(text).map_err(toml)?;
        match version.version {
            Some(version) if version.get_ref().as_integer() == Some(VERSION) => {}
            Some(version) => {
                let error =
                    SuiteError::at(&version.span(), format!("this difftest reads version {VERSION} of lock files"));
                return Err(fail(vec![error.hint(
                    "use the difftest that wrote it, or delete it and write it anew with `difftest plugin lock`",
                )]));
            }
            None => return Err(fail(vec![SuiteError::whole("the lock file has no `version`").hint(MEND)])),
        }
        let file: File = toml::from_str(text).map_err(toml)?;
        let mut errors = Vec::new();
        let mut plugins = BTreeMap::new();
        for written in file.plugin {
            let span = written.get_ref().name.span();
            let name = written.get_ref().name.get_ref().clone();
            let Some(entry) = entry(written.into_inner(), &mut errors) else { continue };
            if plugins.insert(name.clone(), entry).is_some() {
                errors.push(
                    SuiteError::at(&span, format!("the plugin `{name}` is there twice")).hint("keep one of the two"),
                );
            }
        }
        if errors.is_empty() { Ok(Self { path: path.to_owned(), missing: false, plugins }) } else { Err(fail(errors)) }
    }

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
}

const MEND: &str = "take back the change, or delete the file and write it anew with `difftest plugin lock`";

/// One written entry, checked.
fn entry(written: Written, errors: &mut Vec<SuiteError>) -> Option<Entry> {
    let before = errors.len();
    let mut add = |span: Range<usize>, message: String| errors.push(SuiteError::at(&span, message).hint(MEND));
    if !text::is_kebab(written.name.get_ref()) {
        let shown = text::line(written.name.get_ref(), 64);
        add(written.name.span(), format!("`{shown}` is no name of a plugin: lower-case words joined by dashes"));
    }
    if let Some(version) = written.version.as_ref().filter(|version| version.get_ref().chars().any(text::is_unsafe)) {
        add(version.span(), "a version has no control characters".into());
    }
    let digest = written.sha256.get_ref();
    let sha256 = digest.parse::<Digest>().ok().filter(|_| !digest.bytes().any(|b| b.is_ascii_uppercase()));
    if sha256.is_none() {
        add(written.sha256.span(), "a SHA-256 is 64 lower-case hex digits".into());
    }
    let source = written.source.get_ref().parse::<Source>();
    if let Err(reason) = source {
        add(written.source.span(), format!("this is no source: {reason}"));
    }
    for export in &written.exports {
        if export.get_ref().chars().any(text::is_unsafe) {
            add(export.span(), "the name of an interface has no control characters".into());
        }
    }
    let (Some(sha256), Ok(source)) = (sha256, source) else { return None };
    (errors.len() == before).then(|| Entry {
        name: written.name.into_inner(),
        version: written.version.map(Spanned::into_inner),
        sha256,
        source,
        class: written.class,
        exports: written.exports.into_iter().map(Spanned::into_inner).collect(),
    })
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

    /// Where this entry does not say what the component is: one line for each difference. Of another file, that alone.
    #[must_use]
    pub fn differences(&self, examined: &Examined) -> Vec<String> {
        if self.sha256 != examined.digest {
            return vec![format!("it is sha256:{}, pinned is sha256:{}", examined.digest, self.sha256)];
        }
        let mut out = Vec::new();
        if self.class != examined.class {
            out.push(format!("its class is {}, written is {}", examined.class, self.class));
        }
        let exports = examined.contract_exports();
        if self.exports != exports {
            out.push(format!("it exports {}, written is {}", exports.join(", "), self.exports.join(", ")));
        }
        if let Some(version) = examined.version.as_ref().filter(|version| self.version.as_ref() != Some(version)) {
            out.push(format!("its version is {version}, written is {}", self.version.as_deref().unwrap_or("none")));
        }
        out
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const DIGEST: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    fn sample(name: &str) -> Entry {
        Entry {
            name: name.into(),
            version: Some("0.3.1".into()),
            sha256: DIGEST.parse().unwrap(),
            source: Source::Registry(format!("oci://ghcr.io/acme/{name}:0.3.1")),
            class: ReproducibilityClass::ModelDependent,
            exports: vec!["difftest:plugin/metric@0.1.0".into()],
        }
    }

    fn problems(text: &str) -> Vec<String> {
        let path = Path::new(FILE);
        let errors = Lock::parse(path, text).unwrap_err();
        errors.errors.iter().map(|error| error.located(path, &errors.text)).collect()
    }

    #[test]
    fn what_is_written_is_read_sorted_and_the_same_bytes() {
        let mut lock = Lock::missing(Path::new(FILE));
        lock.insert(sample("zoom"));
        lock.insert(Entry { version: None, source: Source::Path("plugins/a \"b\".wasm".into()), ..sample("alpha") });
        let text = lock.render();
        assert!(text.starts_with("# Written by difftest"), "{text}");
        assert!(text.find("alpha") < text.find("zoom"), "{text}");
        let read = Lock::parse(Path::new(FILE), &text).unwrap();
        assert_eq!(read.entries().collect::<Vec<_>>(), lock.entries().collect::<Vec<_>>());
        assert_eq!(read.render(), text);
        assert!(!read.is_missing() && read.get("zoom").is_some());
    }

    #[test]
    fn an_empty_lock_is_one() {
        assert_eq!(Lock::parse(Path::new(FILE), "version = 1\n").unwrap().entries().count(), 0);
    }

    /// A good lock with one thing changed by hand.
    fn edited(from: &str, to: &str) -> String {
        let mut lock = Lock::missing(Path::new(FILE));
        lock.insert(sample("zoom"));
        let text = lock.render();
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    }

    #[test]
    fn what_was_edited_into_nonsense_is_told_with_its_place() {
        for (from, to, place, says) in [
            ("version = 1", "version = 2", "3:11", "reads version 1"),
            ("version = 1", "version = \"1\"", "3:11", "reads version 1"),
            ("version = 1\n", "", "difftest.lock: ", "no `version`"),
            ("name = \"zoom\"", "name = \"Zoom\"", "6:8", "no name of a plugin"),
            ("name = \"zoom\"", "name = \"../zoom\"", "6:8", "no name of a plugin"),
            (DIGEST, &DIGEST[1..], "8:10", "64 lower-case hex"),
            (DIGEST, &DIGEST.to_uppercase(), "8:10", "64 lower-case hex"),
            ("sha256 =", "sha265 =", "8:1", "unknown field `sha265`"),
            ("source = \"oci:", "source = \"http:", "9:10", "neither `oci://"),
            ("/zoom:0.3.1\"", "/zo om\"", "9:10", "neither `oci://"),
            ("model-dependent", "reliable", "10:9", "unknown variant `reliable`"),
            ("[[plugin]]", "[plugin]", "5:1", "sequence"),
            ("[[plugin]]", "[[plugin]", "5:10", ""),
            ("exports = [\"", "exports = [\"\\u001b", "11:12", "control characters"),
        ] {
            let found = problems(&edited(from, to));
            assert!(found[0].contains(place) && found[0].contains(says), "{from} -> {to}: {found:?}");
        }
    }

    #[test]
    fn every_problem_is_told_at_once_and_a_name_counts_once() {
        let one = edited(DIGEST, "0");
        let entry = &one[one.find("[[plugin]]").unwrap()..];
        assert_eq!(problems(&format!("{one}{}", entry.replace("oci://", "ftp://"))).len(), 3);
        let good = edited("x", "x");
        let twice = problems(&format!("{good}{}", &good[good.find("[[plugin]]").unwrap()..]));
        assert!(twice.len() == 1 && twice[0].contains("`zoom` is there twice"), "{twice:?}");
    }
}
