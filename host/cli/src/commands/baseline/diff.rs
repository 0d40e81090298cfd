//! `difftest baseline diff A B`: what changed between two baselines, by digests and scores.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use difftest_report::text::{safe, score};
use difftest_store::baseline::{Case, Manifest};
use serde_json::{Value, json};

use crate::args::Format;
use crate::args::baseline::DiffArgs;
use crate::error::{CliError, Exit};
use crate::ui::Ui;

pub(crate) fn diff(args: &DiffArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let (a, b) = (super::present(&args.root, &args.a)?, super::present(&args.root, &args.b)?);
    let environments: Vec<String> = match &args.environment {
        Some(asked) => vec![asked.clone()],
        None => {
            let (has_a, has_b) = (a.environments()?, b.environments()?);
            let both: Vec<_> = has_a.iter().filter(|name| has_b.contains(name)).cloned().collect();
            if both.is_empty() {
                let message = format!(
                    "{} and {} have no environment in common: {} and {}",
                    a.name(),
                    b.name(),
                    has_a.join(", "),
                    has_b.join(", ")
                );
                return Err(CliError::new("baseline-environment", message)
                    .hint("images of different environments are not compared"));
            }
            both
        }
    };
    let (mut text, mut rows) = (String::new(), Vec::new());
    for environment in environments {
        let (before, after) = (a.read(&environment)?, b.read(&environment)?);
        let changes = changes(before.manifest(), after.manifest());
        let of = |kind: Kind| changes.iter().filter(|change| change.kind == kind).count();
        let _ = writeln!(
            text,
            "{environment}: {} only in {}, {} only in {}, {} another image, {} other questions, {} other scores, {} the same",
            of(Kind::Gone),
            a.name(),
            of(Kind::New),
            b.name(),
            of(Kind::Image),
            of(Kind::Question),
            of(Kind::Scores),
            of(Kind::Same)
        );
        for change in changes.iter().filter(|change| change.kind != Kind::Same) {
            let mut what = match (change.kind, &change.asked) {
                (Kind::Gone, _) => format!("only in {}", a.name()),
                (Kind::New, _) => format!("only in {}", b.name()),
                (Kind::Image, None) => "another image".to_owned(),
                (Kind::Image, Some(asked)) => format!("another {asked}, and another image"),
                (_, Some(asked)) => format!("another {asked}"),
                (Kind::Question | Kind::Scores | Kind::Same, None) => "other scores".to_owned(),
            };
            for (metric, was, is, comparable) in &change.scores {
                let _ = if change.asked.is_some() {
                    write!(what, "  {metric} {} and {}, of different questions", score(*was), score(*is))
                } else if *comparable {
                    write!(what, "  {metric} {} -> {} ({:+.3})", score(*was), score(*is), is - was)
                } else {
                    write!(what, "  {metric} {} and {}, of different versions of it", score(*was), score(*is))
                };
            }
            let _ = writeln!(text, "  {}  {what}", safe(&change.id));
        }
        rows.push(
            json!({ "environment": environment, "changes": changes.iter().filter(|change| change.kind != Kind::Same)
            .map(Change::json).collect::<Vec<_>>(), "same": of(Kind::Same) }),
        );
    }
    match args.message_format {
        Format::Human => ui.data(&text)?,
        Format::Json => ui.data(&format!("{:#}\n", json!({ "a": a.name(), "b": b.name(), "environments": rows })))?,
    }
    Ok(Exit::Success)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Gone,
    New,
    Image,
    /// The same image, and the prompt or a setting is another one.
    Question,
    Scores,
    Same,
}

struct Change {
    id: String,
    kind: Kind,
    /// What of the question is another one: `prompt`, `steps`, ...
    asked: Option<String>,
    /// Metric, score before, score after, whether the same metric gave both.
    scores: Vec<(String, f64, f64, bool)>,
}

impl Change {
    fn json(&self) -> Value {
        let kind = match self.kind {
            Kind::Gone => "gone",
            Kind::New => "new",
            Kind::Image => "image",
            Kind::Question => "question",
            Kind::Scores => "scores",
            Kind::Same => "same",
        };
        let score = |(metric, was, is, comparable): &(String, f64, f64, bool)| json!({ "metric": metric, "was": was, "is": is, "comparable": comparable });
        json!({ "case": self.id, "change": kind, "asked": self.asked, "scores": self.scores.iter().map(score).collect::<Vec<_>>() })
    }
}

fn changes(before: &Manifest, after: &Manifest) -> Vec<Change> {
    let ids: BTreeSet<&String> = before.cases.keys().chain(after.cases.keys()).collect();
    let change = |id: &String| {
        let mut asked = None;
        let (kind, scores) = match (before.cases.get(id), after.cases.get(id)) {
            (Some(was), Some(is)) => {
                asked = is.question().change_since(&was.question(), &[]).map(|change| change.named().to_owned());
                let mut scores = scores(was, is);
                scores.iter_mut().for_each(|(.., comparable)| *comparable &= asked.is_none());
                let kind = if was.image != is.image {
                    Kind::Image
                } else if asked.is_some() {
                    Kind::Question
                } else if !scores.is_empty() {
                    Kind::Scores
                } else {
                    Kind::Same
                };
                (kind, scores)
            }
            (Some(_), None) => (Kind::Gone, Vec::new()),
            (None, _) => (Kind::New, Vec::new()),
        };
        Change { id: id.clone(), kind, asked, scores }
    };
    ids.into_iter().map(change).collect()
}

/// Scores that differ.
fn scores(was: &Case, is: &Case) -> Vec<(String, f64, f64, bool)> {
    let both = was.scores.iter().filter_map(|(metric, was)| Some((metric, was, is.scores.get(metric)?)));
    let differ = both.filter(|(_, was, is)| was.value.to_bits() != is.value.to_bits());
    differ.map(|(metric, was, is)| (metric.clone(), was.value, is.value, was.metric == is.metric)).collect()
}
