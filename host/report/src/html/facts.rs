//! Where a case came from, and how it is repeated.

use std::io::{self, Write};

use difftest_core::key::Difference;

use super::case::PROMPT;
use super::markup::{Text, cut, quoted};
use super::view::{Group, View};
use crate::json::{CaseResult, ImageFile};
use crate::text;

pub(super) fn write(view: &View<'_>, case: &CaseResult, out: &mut dyn Write) -> io::Result<()> {
    let stable = view.options.stable;
    write!(out, "<details class=\"facts\"><summary>where it came from</summary><dl>")?;
    let mut row = |name: &str, value: &str| write!(out, "<dt>{}</dt><dd>{}</dd>", Text(name), Text(value));
    if let Some(negative) = &case.prompt.negative {
        row("negative prompt", &cut(negative, PROMPT))?;
    }
    for (name, value) in &case.prompt.attributes {
        row(name, value)?;
    }
    if let Ok(serde_json::Value::Object(settings)) = serde_json::to_value(&case.settings) {
        for (name, value) in &settings {
            let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            // what was really used is an attribute of the image, and says it
            match case.image.as_ref().and_then(|image| image.attributes.get(name)) {
                Some(used) if is_same(used, &value) => {}
                Some(_) => row(&format!("{name} of the suite"), &cut(&value, PROMPT))?,
                None => row(name, &cut(&value, PROMPT))?,
            }
        }
    }
    if !stable {
        row("work", &because(case))?;
        if let Some(seconds) = case.seconds {
            row("time", &format!("{seconds:.3} s"))?;
        }
    }
    if let Some(ImageFile { path, digest, attributes, .. }) = &case.image {
        for (name, value) in attributes {
            row(name, &cut(value, PROMPT))?;
        }
        row("pixels", &digest.to_string())?;
        if !stable {
            row("file", path)?;
        }
    }
    writeln!(out, "</dl></details>")
}

/// `5` is `5.0`.
fn is_same(one: &str, other: &str) -> bool {
    one == other || one.parse::<f64>().ok().zip(other.parse::<f64>().ok()).is_some_and(|(one, other)| one == other)
}

/// `generate: settings/steps was 20 and is 25`.
fn because(case: &CaseResult) -> String {
    let Some(Difference { input, was, is }) = &case.because else { return case.action.to_string() };
    let shown = |value: &String| cut(value, 80);
    let why = match (input.as_str(), was.as_ref().map(shown), is.as_ref().map(shown)) {
        ("verdict", Some(was), _) => format!("its test did not pass when it was last judged ({was})"),
        ("verdict", None, _) => "its test has no verdict yet".to_owned(),
        (input, Some(was), Some(is)) => format!("{input} was {was} and is {is}"),
        (input, None, Some(is)) => format!("{input} is new: {is}"),
        (input, Some(was), None) => format!("{input} is not there any more, it was {was}"),
        (input, None, None) => format!("{input} changed"),
    };
    format!("{}: {why}", case.action)
}

/// What runs this case again; `None` where its id cannot stand in an expression.
pub(super) fn command(view: &View<'_>, group: &Group<'_>, case: &CaseResult) -> Option<String> {
    let run = match view.options.rerun.as_str() {
        "" => format!("difftest run {}", quoted(&group.suite.name)),
        given => given.to_owned(),
    };
    let quote = ['"', '\''].into_iter().find(|quote| !case.id.contains(*quote))?;
    // what is shown has to be what the id is
    (text::safe(&case.id) == case.id).then(|| format!("{run} -k {}", quoted(&format!("{quote}{}{quote}", case.id))))
}
