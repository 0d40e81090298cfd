//! `difftest explain`: everything that is known of one case.

use std::fmt::Write as _;
use std::sync::Arc;

use difftest_core::gate::Gate;
use difftest_core::key::Inputs;
use difftest_core::metric::MetricKind;
use difftest_report::list::reason;
use difftest_report::text::{bound, duration, safe, score, short};
use difftest_run::conduct::SuiteRun;
use difftest_run::evidence::{CaseEvidence, Evidence, ScoreEvidence};
use difftest_store::cache::Cache;
use serde_json::{Value, json};

use super::evidence::{self, work};
use crate::args::Format;
use crate::args::explain::ExplainArgs;
use crate::error::{CliError, Exit};
use crate::lock_file;
use crate::models::Finder;
use crate::ui::Ui;

/// Values are cut to this many characters for people; the JSON has all of them.
const VALUE: usize = 72;

pub(crate) fn explain(args: &ExplainArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let selection = args.selection();
    let registry = super::registry(&selection.plugins, selection.fuel)?;
    let registry = lock_file::keep(registry, args.pinning)?;
    let engine = evidence::engine(&args.engine)?;
    let plans = super::plans(&selection, &registry, &engine, &Arc::default(), &Finder::looking(ui), ui)?;
    let suites: Vec<SuiteRun> = plans.into_iter().map(evidence::suite_run).collect();
    let (suite, index) = find(&args.case, &suites)?;
    let cache = match evidence::look(ui)? {
        Some(cache) => cache,
        None => Arc::new(Cache::nothing(evidence::store())?),
    };
    let known = evidence::examine(
        std::slice::from_ref(&suites[suite]),
        &registry,
        &engine,
        Some(&cache),
        args.compared.baselines(),
    )
    .pop();
    let (found, _) = match known {
        Some(Ok(known)) => known,
        Some(Err(error)) => return Err(CliError::from(error)),
        None => return Ok(Exit::Error),
    };
    let story = Story { suite: &suites[suite], index, evidence: &found, cache: Some(&cache) };
    let text = match args.message_format {
        Format::Human => story.human(),
        Format::Json => serde_json::to_string_pretty(&story.json()).unwrap_or_default() + "\n",
    };
    ui.data(&text)?;
    Ok(Exit::Success)
}

/// The one case that is meant: the one with that id, or the only one whose id has `wanted` in it.
fn find(wanted: &str, suites: &[SuiteRun]) -> Result<(usize, usize), CliError> {
    let all = || {
        let cases = |(suite, run): (usize, &SuiteRun)| {
            let ids: Vec<_> = run.plan.cases.iter().enumerate().map(|(i, case)| (suite, i, case.id.clone())).collect();
            ids
        };
        suites.iter().enumerate().flat_map(cases)
    };
    if let Some((suite, index, _)) = all().find(|(_, _, id)| id == wanted) {
        return Ok((suite, index));
    }
    let found: Vec<_> = all().filter(|(_, _, id)| id.contains(wanted)).collect();
    match found.as_slice() {
        [(suite, index, _)] => Ok((*suite, *index)),
        [] => {
            let ids: Vec<String> = all().map(|(_, _, id)| id).collect();
            let near = difftest_core::nearest::did_you_mean(wanted, ids.iter().map(String::as_str), "there are");
            Err(CliError::new("no-such-case", format!("no case has the id {wanted:?}")).hint(short(&near, 300)))
        }
        [first, second, ..] => {
            let message = format!("{wanted:?} is in the ids of {} cases", found.len());
            Err(CliError::new("no-such-case", message).hint(format!("such as {} and {}", first.2, second.2)))
        }
    }
}

/// Everything about one case.
struct Story<'a> {
    suite: &'a SuiteRun,
    index: usize,
    evidence: &'a Evidence,
    cache: Option<&'a Cache>,
}

impl Story<'_> {
    fn case(&self) -> &CaseEvidence {
        &self.evidence.cases[self.index]
    }

    /// What it had when it was last judged.
    fn earlier(&self) -> Option<Inputs> {
        let id = &self.suite.plan.cases[self.index].id;
        self.cache?.look(|look| look.judged_inputs(id, &self.evidence.environment))
    }

    /// Each metric of its test, with what is known of its score.
    fn scores(&self) -> impl Iterator<Item = (&str, bool, &ScoreEvidence)> {
        let test = self.suite.plan.cases[self.index].test;
        let metrics = self.suite.plan.tests[test].metrics.iter().enumerate();
        metrics.map(move |(index, (used, info))| {
            let set = info.kind == MetricKind::Set;
            let of = if set { &self.evidence.tests[test].sets[index] } else { &self.case().scores[index] };
            (used.name.as_str(), set, of)
        })
    }

    fn gates(&self) -> &[Gate] {
        &self.suite.plan.tests[self.suite.plan.cases[self.index].test].gates
    }

    fn human(&self) -> String {
        let plan = &self.suite.plan.cases[self.index];
        let case = self.case();
        let mut out = format!("{}\n", safe(&plan.id));
        let mut line = |name: &str, text: &str| {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "  {name:<12} {text}");
        };
        line("prompt", &format!("{:?}, seed {}", short(&plan.prompt.text, VALUE), plan.seed));
        line("environment", &safe(&self.evidence.environment));
        line("action", &format!("{}{}", case.action, reason(&work(case))));
        match &case.last {
            Some(last) => {
                let verdict = serde_json::to_value(last.verdict).ok();
                let verdict = verdict.as_ref().and_then(Value::as_str).unwrap_or_default();
                let cost = duration(last.seconds);
                line("last judged", &format!("{verdict} in run {}, after {cost} of work", safe(&last.run)));
            }
            None => line("last judged", "never in this environment"),
        }
        match (&case.made, &case.known) {
            (Some(made), _) => {
                let place = match made.bytes {
                    0 => "your own file".to_owned(),
                    _ => self.cache.map_or_else(String::new, |c| c.image_path(&made.image).display().to_string()),
                };
                let size = format!("{}x{}", made.width, made.height);
                line(
                    "image",
                    &format!("{} {size}, of run {}, {}", made.image.short(), safe(&made.run), duration(made.seconds)),
                );
                line("", &safe(&place));
                made.warnings.iter().for_each(|warning| line("", &format!("warning: {}", safe(warning))));
            }
            (None, Some(known)) => line("image", &format!("{} was made before, and its file is gone", known.short())),
            (None, None) => line("image", "not made yet"),
        }
        if let Some(key) = &case.key {
            line("image key", &key.to_string());
        }
        for (n, (name, set, found)) in self.scores().enumerate() {
            let heading = if n == 0 { "scores" } else { "" };
            let of = if set { " (of all images of the test)" } else { "" };
            let text = match &found.scored {
                Some(known) => {
                    format!("{} of run {}, {}", score(known.score.value), safe(&known.run), duration(known.seconds))
                }
                None => "not known".to_owned(),
            };
            line(heading, &format!("{} = {text}{of}", safe(name)));
            if let Some(key) = &found.key {
                line("", &format!("key {key}"));
            }
        }
        for (n, gate) in self.gates().iter().enumerate() {
            line(
                if n == 0 { "gates" } else { "" },
                &format!("{} {} {}", safe(&gate.metric), gate.of, bound(&gate.bound)),
            );
        }
        let earlier = self.earlier();
        for (n, (name, value)) in case.inputs.iter().flat_map(Inputs::iter).enumerate() {
            let heading = if n == 0 { "inputs" } else { "" };
            let was = earlier.as_ref().map(|earlier| earlier.get(name));
            let change = match was {
                Some(Some(was)) if was != value => format!("   was {}", short(was, VALUE)),
                Some(None) => "   new".to_owned(),
                _ => String::new(),
            };
            line(heading, &format!("{} = {}{change}", safe(name), short(value, VALUE)));
        }
        if let (Some(earlier), Some(now)) = (&earlier, &case.inputs) {
            for (name, was) in earlier.iter().filter(|(name, _)| now.get(name).is_none()) {
                line("", &format!("{} is gone   was {}", safe(name), short(was, VALUE)));
            }
        }
        if case.inputs.is_none() {
            line("inputs", "cannot be told: an image or a file that it needs is not there");
        }
        out
    }

    fn json(&self) -> Value {
        let plan = &self.suite.plan.cases[self.index];
        let case = self.case();
        let table = |inputs: &Inputs| -> Value {
            inputs.iter().map(|(name, value)| (name.to_owned(), json!(value))).collect::<serde_json::Map<_, _>>().into()
        };
        let scores = self.scores().map(|(name, set, found)| {
            json!({
                "metric": name,
                "of": if set { "test" } else { "case" },
                "key": found.key.map(|key| key.to_string()),
                "score": found.scored.as_ref().map(|known| &known.score),
                "run": found.scored.as_ref().map(|known| &known.run),
                "seconds": found.scored.as_ref().map(|known| known.seconds),
            })
        });
        let gates = self
            .gates()
            .iter()
            .map(|gate| json!({ "metric": gate.metric, "of": gate.of, "bound": gate.bound, "check": gate.check }));
        json!({
            "format": 1,
            "case": plan.id,
            "prompt": plan.prompt.text,
            "seed": plan.seed,
            "environment": self.evidence.environment,
            "action": case.action,
            "because": case.because,
            "last": case.last.as_ref().map(|last| json!({ "verdict": last.verdict, "run": last.run, "seconds": last.seconds })),
            "image": {
                "key": case.key.map(|key| key.to_string()),
                "known": case.known,
                "path": case.made.as_ref().filter(|made| made.bytes > 0).and_then(|made| Some(self.cache?.image_path(&made.image))),
                "run": case.made.as_ref().map(|made| &made.run),
                "seconds": case.made.as_ref().map(|made| made.seconds),
            },
            "scores": scores.collect::<Vec<_>>(),
            "gates": gates.collect::<Vec<_>>(),
            "inputs": case.inputs.as_ref().map(table),
            "earlier": self.earlier().as_ref().map(table),
        })
    }
}
