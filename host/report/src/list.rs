//! The plan, before anything runs: what `difftest list` prints.

use std::fmt::Write as _;

use anstyle::Style;
use difftest_core::gate::{Bound, Check, Statistic};
use difftest_core::generate::{LongPrompt, Prompt, Settings};
use difftest_core::key::{Action, Difference};
use difftest_core::metric::{MetricError, MetricInfo};
use difftest_core::plan::{SuitePlan, TestPlan};
use difftest_core::suite::{LoraUse, ModelSpec};
use serde::Serialize;
use serde_json::Value;

use crate::evidence;
use crate::text::{count, safe, short};

/// Version of the JSON form; goes up whenever a reader of the old one would misread the new one.
pub const FORMAT: u32 = 1;

/// Prompts are cut to this many characters for people; the JSON has all of them.
const PROMPT: usize = 70;

/// How much work the cases of a suite need.
#[derive(Clone, Debug, Default)]
pub struct SuiteWork {
    /// The class of environments that this is said of.
    pub environment: String,
    /// By case of the plan; empty where it is not known.
    pub cases: Vec<CaseWork>,
    /// By test, its settings with the model's own filled in; empty where they are not known.
    pub settings: Vec<std::collections::BTreeMap<String, Value>>,
}

/// How much work a case needs, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CaseWork {
    /// How much.
    pub action: Action,
    /// The first input that is not what it was when the case was last judged.
    pub because: Option<Difference>,
    /// Whether it was ever judged in this environment.
    pub judged: bool,
}

/// Why a case needs work, in words: `: prompt was "a" and is "b"`.
#[must_use]
pub fn reason(work: &CaseWork) -> String {
    let value = |value: &Option<String>| {
        let is_digest = |text: &&String| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let text = value.as_ref()?;
        // As much of a digest as tells it from another.
        Some(if is_digest(&text) { text[..12].to_owned() } else { short(text, 48) })
    };
    match &work.because {
        // The image of what was never judged is there where another test has the same.
        None if !work.judged && work.action != Action::Generate => ": never judged in this environment".to_owned(),
        None => String::new(),
        Some(difference) => {
            let name = safe(&difference.input);
            match (value(&difference.was), value(&difference.is)) {
                (Some(was), Some(is)) => format!(": {name} was {was} and is {is}"),
                (None, Some(is)) => format!(": {name} is new, {is}"),
                (Some(was), None) => format!(": {name} was {was}"),
                (None, None) => format!(": {name} is not there"),
            }
        }
    }
}

/// For people: suites, their tests with metrics and bounds, and each case on a line of its own that begins with its id.
#[must_use]
pub fn human(plans: &[SuitePlan], work: &[SuiteWork], color: bool) -> String {
    let bold = if color { Style::new().bold() } else { Style::new() };
    let dim = if color { Style::new().dimmed() } else { Style::new() };
    let mut out = String::new();
    for (place, plan) in plans.iter().enumerate() {
        let work = work.get(place);
        let mut number = 0;
        let (tests, cases) = (count(plan.tests.len(), "test"), count(plan.cases.len(), "case"));
        let _ =
            writeln!(out, "{bold}{}{bold:#} {dim}{}, {tests}, {cases}{dim:#}", safe(&plan.suite), safe(&model(plan)));
        let mut cases = plan.cases.iter().peekable();
        for (index, test) in plan.tests.iter().enumerate() {
            let metrics = if test.metrics.is_empty() { "no metrics".to_owned() } else { metrics(test) };
            let _ = writeln!(out, "  {bold}{}{bold:#} {dim}{metrics}{dim:#}", safe(&test.name));
            if let Some(case) = cases.peek().filter(|case| case.test == index) {
                let resolved = work.and_then(|work| work.settings.get(index)).filter(|resolved| !resolved.is_empty());
                let settings =
                    resolved.map_or_else(|| settings(&case.settings), |resolved| full(resolved, &case.settings));
                if !settings.is_empty() {
                    let _ = writeln!(out, "    {dim}{settings}{dim:#}");
                }
            }
            for refused in &test.refused {
                let _ = writeln!(out, "    refused: {}", safe(&refused.message));
            }
            while let Some(case) = cases.next_if(|case| case.test == index) {
                let work = work.and_then(|work| work.cases.get(number));
                let work = work.map(|work| format!("{}{}  ", work.action, reason(work))).unwrap_or_default();
                let prompt = short(&case.prompt.text, PROMPT);
                let _ = writeln!(out, "    {}  {work}{dim}{prompt}{dim:#}", safe(&case.id));
                number += 1;
            }
        }
    }
    let (tests, cases) = plans.iter().fold((0, 0), |(t, c), plan| (t + plan.tests.len(), c + plan.cases.len()));
    let all: Vec<Action> = work.iter().flat_map(|work| &work.cases).map(|work| work.action).collect();
    if !all.is_empty() {
        let parts = [Action::Generate, Action::Score, Action::Judge, Action::Reuse]
            .map(|action| format!("{} {action}", all.iter().filter(|known| **known == action).count()));
        let _ = writeln!(out, "Planned {}: {}", count(all.len(), "case"), parts.join(", "));
    }
    let _ = writeln!(out, "{}, {}, {}", count(plans.len(), "suite"), count(tests, "test"), count(cases, "case"));
    out
}

/// `clip_score mean >= 0.250, image-stats/entropy`.
fn metrics(test: &TestPlan) -> String {
    let texts = test.metrics.iter().map(|(used, _)| {
        let gates = test.gates.iter().filter(|gate| gate.metric == used.name);
        let gates: Vec<_> = gates.map(evidence::asked).collect();
        format!("{} {}", safe(&used.name), gates.join(" and ")).trim_end().to_owned()
    });
    texts.collect::<Vec<_>>().join(", ")
}

/// What the suite says of how images are made: `euler, 20 steps, 512x768, guidance 7.5, clip_skip 1`. The rest is the model's.
fn settings(settings: &Settings) -> String {
    let Settings { scheduler, steps, guidance, size, negative_prompt, clip_skip, long_prompt, noise } = settings;
    let parts = [
        scheduler.as_deref().map(safe),
        steps.map(|steps| count(steps as usize, "step")),
        size.map(|(width, height)| format!("{width}x{height}")),
        guidance.map(|guidance| format!("guidance {guidance}")),
        clip_skip.map(|layers| format!("clip_skip {layers}")),
        noise.as_deref().map(|noise| format!("noise {}", safe(noise))),
        long_prompt.filter(|long| *long == LongPrompt::Error).map(|_| "long prompts are errors".to_owned()),
        negative_prompt.as_deref().filter(|text| !text.is_empty()).map(|text| format!("not {:?}", short(text, PROMPT))),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// How images are really made: the model's settings where the suite says nothing.
fn full(resolved: &std::collections::BTreeMap<String, Value>, given: &Settings) -> String {
    let of = |name: &str| resolved.get(name);
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), safe);
    let size = of("size").and_then(|size| Some(format!("{}x{}", size.get(0)?, size.get(1)?)));
    let parts = [
        of("scheduler").map(text),
        of("steps").and_then(Value::as_u64).map(|steps| count(steps as usize, "step")),
        size,
        of("guidance").map(|guidance| format!("guidance {guidance}")),
        of("clip_skip").filter(|skip| **skip != 0).map(|skip| format!("clip_skip {skip}")),
        of("noise").filter(|_| given.noise.is_some()).map(|noise| format!("noise {}", text(noise))),
        given.long_prompt.filter(|long| *long == LongPrompt::Error).map(|_| "long prompts are errors".to_owned()),
        given
            .negative_prompt
            .as_deref()
            .filter(|text| !text.is_empty())
            .map(|text| format!("not {:?}", short(text, PROMPT))),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// `./model + style.safetensors + 0.7 b.safetensors`.
fn model(plan: &SuitePlan) -> String {
    let mut text = match &plan.model {
        ModelSpec::Diffusion(name) => name.clone(),
        ModelSpec::Images { folder, .. } => format!("images in {}", folder.display()),
    };
    for LoraUse { path, weight, .. } in &plan.loras {
        let weight = if *weight == 1.0 { String::new() } else { format!("{weight} ") };
        let _ = write!(text, " + {weight}{}", path.display());
    }
    text
}

/// For programs: everything that is known of each case.
#[must_use]
pub fn json(plans: &[SuitePlan], work: &[SuiteWork]) -> String {
    let suites = plans.iter().enumerate().map(|(place, plan)| listed(plan, work.get(place)));
    let listing = Listing { format: FORMAT, suites: suites.collect() };
    let mut text = serde_json::to_string_pretty(&listing).expect("strings, numbers and lists can always be written");
    text.push('\n');
    text
}

#[derive(Serialize)]
struct Listing<'a> {
    format: u32,
    suites: Vec<ListedSuite<'a>>,
}

#[derive(Serialize)]
struct ListedSuite<'a> {
    suite: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<&'a str>,
    model: ListedModel,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    loras: Vec<ListedLora>,
    tests: Vec<ListedTest<'a>>,
    cases: Vec<ListedCase<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum ListedModel {
    Diffusion(String),
    Images { folder: String, manifest: Option<String> },
}

#[derive(Serialize)]
struct ListedLora {
    path: String,
    weight: f64,
}

#[derive(Serialize)]
struct ListedTest<'a> {
    name: &'a str,
    metrics: Vec<ListedMetric<'a>>,
    gates: Vec<ListedGate<'a>>,
    refused: &'a [MetricError],
    /// Its settings with the model's own filled in.
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<&'a std::collections::BTreeMap<String, Value>>,
}

#[derive(Serialize)]
struct ListedMetric<'a> {
    config: &'a Value,
    #[serde(flatten)]
    info: &'a MetricInfo,
}

#[derive(Serialize)]
struct ListedGate<'a> {
    metric: &'a str,
    of: Statistic,
    bound: Bound,
    #[serde(flatten, skip_serializing_if = "is_plain")]
    check: Check,
}

fn is_plain(check: &Check) -> bool {
    *check == Check::Bound
}

#[derive(Serialize)]
struct ListedCase<'a> {
    id: &'a str,
    test: &'a str,
    prompt: &'a Prompt,
    seed: u64,
    settings: &'a Settings,
    /// How much work it needs, and why.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    work: Option<&'a CaseWork>,
}

fn listed<'a>(plan: &'a SuitePlan, work: Option<&'a SuiteWork>) -> ListedSuite<'a> {
    let tests = plan.tests.iter().enumerate().map(|(index, test)| ListedTest {
        name: &test.name,
        metrics: test.metrics.iter().map(|(used, info)| ListedMetric { config: &used.config, info }).collect(),
        gates: test
            .gates
            .iter()
            .map(|gate| ListedGate { metric: &gate.metric, of: gate.of, bound: gate.bound, check: gate.check })
            .collect(),
        refused: &test.refused,
        generation: work.and_then(|work| work.settings.get(index)).filter(|settings| !settings.is_empty()),
    });
    let cases = plan.cases.iter().enumerate().map(|(index, case)| ListedCase {
        id: &case.id,
        test: &plan.tests[case.test].name,
        prompt: &case.prompt,
        seed: case.seed,
        settings: &case.settings,
        work: work.and_then(|work| work.cases.get(index)),
    });
    ListedSuite {
        suite: &plan.suite,
        environment: work.map(|work| work.environment.as_str()).filter(|class| !class.is_empty()),
        model: match &plan.model {
            ModelSpec::Diffusion(name) => ListedModel::Diffusion(name.clone()),
            ModelSpec::Images { folder, manifest } => ListedModel::Images {
                folder: folder.to_string_lossy().into_owned(),
                manifest: manifest.as_ref().map(|path| path.to_string_lossy().into_owned()),
            },
        },
        loras: plan
            .loras
            .iter()
            .map(|lora| ListedLora { path: lora.path.to_string_lossy().into_owned(), weight: lora.weight })
            .collect(),
        tests: tests.collect(),
        cases: cases.collect(),
    }
}

#[cfg(test)]
mod tests;
