//! The files of a new plugin in Python.

use super::embedded::PYTHON_SDK;
use super::rust::{SUITES, pictures};
use super::{Names, NewFile, of_kind};
use crate::args::plugin::Kind;

macro_rules! template {
    ($file:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/python/", $file))
    };
}

const SOURCES: [&str; 4] =
    [template!("src/metric.py"), template!("src/pair.py"), template!("src/set.py"), template!("src/prompts.py")];
const CASES: [&str; 4] = [
    template!("tests/metric.toml"),
    template!("tests/pair.toml"),
    template!("tests/set.toml"),
    template!("tests/prompts.toml"),
];
const UNIT_TESTS: [&str; 4] =
    [template!("unit/metric.py"), template!("unit/pair.py"), template!("unit/set.py"), template!("unit/prompts.py")];

pub(super) fn files(names: &Names<'_>, kind: Kind) -> Vec<NewFile> {
    let module = format!("{}.py", names.module);
    let unit_test = format!("tests/test_{}.py", names.module);
    let texts = [
        ("pyproject.toml", template!("pyproject.toml")),
        (".gitignore", template!("gitignore")),
        ("README.md", template!("README.md")),
        (&module, of_kind(kind, SOURCES)),
        (&unit_test, of_kind(kind, UNIT_TESTS)),
        ("tests/golden.toml", of_kind(kind, CASES)),
        ("suite.toml", of_kind(kind, SUITES)),
    ];
    let mut files: Vec<NewFile> = texts.into_iter().map(|(path, text)| (path.into(), names.fill(text))).collect();
    files.extend(pictures(kind));
    files.extend(PYTHON_SDK.iter().map(|(path, text)| (format!("vendor/{path}").into(), text.as_bytes().into())));
    files
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::commands::plugin::new::embedded::files_below;

    /// A file that is missing here would be missing from every new plugin.
    #[test]
    fn the_whole_sdk_is_embedded() {
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/python");
        let there = files_below(&base, &["README.md", "difftest_sdk"]);
        let embedded = PYTHON_SDK.iter().map(|(path, _)| path.into()).collect();
        assert_eq!(there, embedded, "add the files to the list in embedded.rs, or take them out of it");
    }

    #[test]
    fn nothing_is_left_open() {
        let names = Names { name: "my-metric", module: "my_metric".into() };
        for kind in [Kind::Metric, Kind::Pair, Kind::Set, Kind::Prompts] {
            for (path, content) in files(&names, kind) {
                let Ok(text) = std::str::from_utf8(&content) else { continue };
                assert!(!text.contains("{{name}}") && !text.contains("{{module}}"), "{}", path.display());
            }
        }
    }
}
