//! Reading a lock file, with every problem in its place.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use difftest_core::digest::Digest;
use difftest_core::metric::ReproducibilityClass;
use difftest_core::suite::{SuiteError, SuiteErrors};
use serde::Deserialize;
use toml::Spanned;

use super::{Entry, Lock, Source, VERSION};
use crate::text;

const MEND: &str = "take back the change, or delete the file and write it anew with `difftest plugin lock`";

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
}

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
