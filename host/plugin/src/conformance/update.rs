//! `plugin test --update`: what was seen goes into the author's file, and nothing else in it changes.

use difftest_core::metric::MetricError;
use toml_edit::{Array, DocumentMut, Item, Table, Value};

use super::cases::{CaseFile, Seen};

/// Why a file was left as it is.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotUpdated {
    /// Not the text that was read.
    #[error("{path} has no `[[case]]` tables in the order that they were read in")]
    Shape {
        /// The file.
        path: String,
    },
}

impl From<NotUpdated> for MetricError {
    fn from(error: NotUpdated) -> Self {
        Self { kind: "cases".into(), message: error.to_string(), hint: Some("write each case as `[[case]]`".into()) }
    }
}

/// The text of `file` with the scores and prompts that were seen in the run before, and how many cases that changes. Comments, order
/// and spaces stay. A case that expects an error, or met one, is left alone, and so is a score within its tolerance.
///
/// # Errors
/// When the cases are not written as `[[case]]`.
pub fn update(file: &CaseFile) -> Result<(String, usize), NotUpdated> {
    let fail = || NotUpdated::Shape { path: file.path.display().to_string() };
    let mut document: DocumentMut = file.text.parse().map_err(|_| fail())?;
    if file.is_empty() {
        return Ok((file.text.clone(), 0));
    }
    let cases = document.get_mut("case").and_then(Item::as_array_of_tables_mut).ok_or_else(fail)?;
    if cases.len() != file.seen.len() {
        return Err(fail());
    }
    let mut changed = 0;
    for (case, seen) in cases.iter_mut().zip(&file.seen) {
        let new = match seen {
            None => None,
            Some(Seen::Score(score)) => (!fits(case, *score)).then(|| ("score", Value::from(*score))),
            Some(Seen::Prompts(prompts)) => (!same(case, prompts)).then(|| ("prompts", Value::Array(list(prompts)))),
        };
        if let Some((key, value)) = new {
            changed += 1;
            set(case, key, value);
        }
    }
    Ok((document.to_string(), changed))
}

fn fits(case: &Table, score: f64) -> bool {
    let number = |key: &str| {
        let value = case.get(key)?;
        value.as_float().or_else(|| value.as_integer().map(|number| number as f64))
    };
    number("score").is_some_and(|old| match number("tolerance") {
        Some(tolerance) => (old - score).abs() <= tolerance,
        None => old.to_bits() == score.to_bits(),
    })
}

fn same(case: &Table, prompts: &[String]) -> bool {
    let old = case.get("prompts").and_then(Item::as_array);
    old.is_some_and(|old| old.iter().map(Value::as_str).eq(prompts.iter().map(|prompt| Some(prompt.as_str()))))
}

/// One prompt on each line.
fn list(prompts: &[String]) -> Array {
    let mut array: Array = prompts.iter().map(String::as_str).collect();
    for item in array.iter_mut() {
        item.decor_mut().set_prefix("\n    ");
    }
    if !array.is_empty() {
        array.set_trailing("\n");
        array.set_trailing_comma(true);
    }
    array
}

/// Puts `value` where the old one was, with the space and the comment around it.
fn set(case: &mut Table, key: &str, mut value: Value) {
    match case.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        None => drop(case.insert(key, Item::Value(value))),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn only_what_is_missing_or_changed_is_written() {
        let text = "# mine\n\n[[case]] # first\nmetric = \"a\"\nimage = \"x.png\"\n\n[[case]]\nmetric  =  \"a\"\nimage=\"y.png\"\nscore = 0.25 # why\n\n\
                    [[case]]\nmetric = \"a\"\nimage = \"z.png\"\nscore = 0.333\ntolerance = 0.01\n\n[[case]]\ngenerator = \"g\"\n";
        let mut file = CaseFile::parse(Path::new("golden.toml"), text.to_owned()).unwrap();
        file.seen = vec![
            Some(Seen::Score(1.0)),
            Some(Seen::Score(1.0 / 3.0)),
            Some(Seen::Score(1.0 / 3.0)),
            Some(Seen::Prompts(vec!["a \"cat\"".into(), "b".into()])),
        ];
        let (new, changed) = update(&file).unwrap();
        assert_eq!(changed, 3);
        let expected = text
            .replace("\"x.png\"\n", "\"x.png\"\nscore = 1.0\n")
            .replace("score = 0.25 # why", "score = 0.3333333333333333 # why")
            .replace("generator = \"g\"\n", "generator = \"g\"\nprompts = [\n    'a \"cat\"',\n    \"b\",\n]\n");
        assert_eq!(new, expected);

        let mut again = CaseFile::parse(Path::new("golden.toml"), new.clone()).unwrap();
        again.seen = file.seen;
        assert_eq!(update(&again).unwrap(), (new, 0), "a second time changes nothing");
    }

    #[test]
    fn cases_that_met_errors_are_left_alone() {
        let text = "[[case]]\nmetric = \"a\"\nimage = \"x.png\"\nerror = \"unsupported-input\"\n";
        let file = CaseFile::parse(Path::new("golden.toml"), text.to_owned()).unwrap();
        assert_eq!(update(&file).unwrap(), (text.to_owned(), 0));
    }
}
