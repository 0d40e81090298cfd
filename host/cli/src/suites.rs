//! From arguments to suite files.

use std::fs;
use std::path::{Path, PathBuf};

use difftest_core::nearest::did_you_mean;
use difftest_core::suite::{self, Suite, SuiteErrors};

use crate::error::CliError;

/// A suite larger than this is a mistake: 10,000 written-out prompts need about one megabyte.
const MAX_BYTES: u64 = 16 << 20;

/// Reads the named suites, or all of the test folder that are not `manual`. Answers the names of those left out, too.
pub(crate) fn load(named: &[PathBuf], test_dir: &Path) -> Result<(Vec<Suite>, Vec<String>), CliError> {
    let files = files(named, test_dir)?;
    let mut suites = Vec::new();
    let mut broken: Vec<SuiteErrors> = Vec::new();
    for file in files {
        match suite::parse(&file, &read(&file)?) {
            Ok(suite) => suites.push(suite),
            Err(errors) => broken.push(errors),
        }
    }
    if !broken.is_empty() {
        return Err(CliError::Suites(broken));
    }
    let mut left_out = Vec::new();
    if named.is_empty() {
        suites.retain(|suite| {
            if suite.manual {
                left_out.push(suite.name.clone());
            }
            !suite.manual
        });
        if suites.is_empty() {
            return Err(CliError::new(
                "no-suites",
                format!("every suite in {} is marked `manual`", test_dir.display()),
            )
            .hint(format!("name the suites to run: {}", left_out.join(", "))));
        }
    }
    let mut names: Vec<_> = suites.iter().map(|suite| (&suite.name, &suite.path)).collect();
    names.sort();
    if let Some(pair) = names.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        let message =
            format!("two suites are called `{}`: {} and {}", pair[0].0, pair[0].1.display(), pair[1].1.display());
        return Err(CliError::new("usage", message).hint("rename one, or run them one after the other"));
    }
    Ok((suites, left_out))
}

/// The files of the named suites, each once, or all of the test folder.
pub(crate) fn files(named: &[PathBuf], test_dir: &Path) -> Result<Vec<PathBuf>, CliError> {
    if named.is_empty() {
        return all(test_dir);
    }
    let found: Result<Vec<_>, _> = named.iter().map(|name| find(name, test_dir)).collect();
    let mut files = found?;
    let mut seen = std::collections::HashSet::new();
    files.retain(|file| seen.insert(fs::canonicalize(file).unwrap_or_else(|_| file.clone())));
    Ok(files)
}

/// Every `*.toml` of the folder itself, by name.
fn all(test_dir: &Path) -> Result<Vec<PathBuf>, CliError> {
    let entries = fs::read_dir(test_dir).map_err(|error| {
        let next = "name a suite file, point `--test-dir` at your suites, or write a first suite with `difftest init`";
        CliError::new("no-suites", format!("cannot read the test folder {}: {error}", test_dir.display())).hint(next)
    })?;
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "toml") && path.is_file())
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(CliError::new("no-suites", format!("there is no suite (*.toml) in {}", test_dir.display()))
            .hint("write a first one with `difftest init`"));
    }
    Ok(files)
}

/// A path as given, or a name inside the test folder with or without `.toml`.
fn find(name: &Path, test_dir: &Path) -> Result<PathBuf, CliError> {
    let with_extension = |path: &Path| {
        let mut name = path.as_os_str().to_owned();
        name.push(".toml");
        PathBuf::from(name)
    };
    let in_folder = test_dir.join(name);
    let candidates = [name.to_owned(), with_extension(name), in_folder.clone(), with_extension(&in_folder)];
    if let Some(file) = candidates.iter().find(|path| path.is_file()) {
        return Ok(file.clone());
    }
    let mut error = CliError::new(
        "no-suite",
        format!("there is no suite {0}, neither as a file nor in {1}", name.display(), test_dir.display()),
    );
    if let Ok(files) = all(test_dir) {
        let names: Vec<_> = files.iter().filter_map(|f| Some(f.file_stem()?.to_string_lossy().into_owned())).collect();
        let asked = name.file_stem().unwrap_or(name.as_os_str()).to_string_lossy();
        let has = format!("{} has", test_dir.display());
        error = error.hint(did_you_mean(&asked, names.iter().map(String::as_str), &has));
    } else {
        error = error.hint("name a suite file, or write a first suite with `difftest init`");
    }
    Err(error)
}

fn read(file: &Path) -> Result<String, CliError> {
    let fail = |reason: String| CliError::new("suite", format!("cannot read the suite {}: {reason}", file.display()));
    let size = fs::metadata(file).map_err(|e| fail(e.to_string()))?.len();
    if size > MAX_BYTES {
        return Err(fail(format!("it has {size} bytes, more than a suite may have ({MAX_BYTES})"))
            .hint("let a prompt generator plugin make the prompts instead of writing them out"));
    }
    let bytes = fs::read(file).map_err(|e| fail(e.to_string()))?;
    String::from_utf8(bytes).map_err(|e| fail(format!("it is not UTF-8 text: {e}")))
}
