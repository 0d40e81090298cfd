//! The author's own cases: `tests/*.toml` beside a plugin's sources.
//!
//! ```toml
//! [[case]]
//! metric = "sharpness"              # or generator = "..."
//! image = "cat.png"                 # reference = "..." for a pair; images = [..], references = [..] for a set
//! config = { radius = 2 }
//! score = 0.4375                    # the same bits, or within `tolerance`; or error = "unsupported-input"
//! fuel_at_most = 3_000_000
//! ```
//! Paths start from the file's folder. Also `prompt`, `negative_prompt`, `seed` and `attributes` of the sample; for generators
//! `seed`, `limit` and `prompts`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use difftest_core::image::Image;
use difftest_core::metric::{MetricError, MetricKind};
use difftest_metrics::decode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::trials::{Input, sample};
use super::{Check, Conformance, Outcome, as_metric_error, said};
use crate::failure::grouped;
use crate::prompts::PAGE;
use crate::report::Inspection;

/// A file of cases is text for people; more than this is something else.
const MAX_BYTES: u64 = 4 << 20;
/// Characters of a config that the report shows; the line of the case is beside it.
const CONFIG_CHARS: usize = 60;
/// Prompts that a case asks for where it does not say.
const LIMIT: u32 = 10;

/// A file of cases, and after a run what each really gave.
#[derive(Debug)]
pub struct CaseFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its text.
    pub(super) text: String,
    cases: Vec<Case>,
    /// What was seen, case by case, after a run.
    pub(super) seen: Vec<Option<Seen>>,
}

/// A file of cases that cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct CaseError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// What a case really gave.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Seen {
    Score(f64),
    Prompts(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    case: Vec<toml::Spanned<Case>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    metric: Option<String>,
    generator: Option<String>,
    image: Option<PathBuf>,
    reference: Option<PathBuf>,
    images: Option<Vec<PathBuf>>,
    references: Option<Vec<PathBuf>>,
    prompt: Option<String>,
    negative_prompt: Option<String>,
    seed: Option<u64>,
    attributes: Option<BTreeMap<String, String>>,
    config: Option<Value>,
    score: Option<f64>,
    tolerance: Option<f64>,
    error: Option<String>,
    fuel_at_most: Option<u64>,
    limit: Option<u32>,
    prompts: Option<Vec<String>>,
    #[serde(skip)]
    line: usize,
}

impl CaseFile {
    /// Every `*.toml` of `folder`, by name; none where there is no such folder.
    ///
    /// # Errors
    /// The first file that is not what it should be.
    pub fn read_all(folder: &Path) -> Result<Vec<Self>, CaseError> {
        let fail = |error: std::io::Error| CaseError { path: folder.to_owned(), reason: error.to_string() };
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let entries = std::fs::read_dir(folder).map_err(fail)?.collect::<Result<Vec<_>, _>>().map_err(fail)?;
        let mut paths: Vec<_> = entries.iter().map(std::fs::DirEntry::path).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    fn read(path: &Path) -> Result<Self, CaseError> {
        let fail = |reason: String| CaseError { path: path.to_owned(), reason };
        let bytes = std::fs::metadata(path).map_err(|error| fail(error.to_string()))?.len();
        if bytes > MAX_BYTES {
            return Err(fail(format!("it has {bytes} bytes, more than a file of cases may have ({MAX_BYTES})")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
        Self::parse(path, text)
    }

    /// The cases in `text`, which `path` holds.
    ///
    /// # Errors
    /// What is wrong, with its line.
    pub fn parse(path: &Path, text: String) -> Result<Self, CaseError> {
        let fail = |reason: String| CaseError { path: path.to_owned(), reason };
        let file: File = toml::from_str(&text).map_err(|error| fail(error.to_string().trim_end().to_owned()))?;
        let mut cases = Vec::new();
        for case in file.case {
            let line = text[..case.span().start].matches('\n').count() + 1;
            let case = Case { line, ..case.into_inner() };
            if let Some(wrong) = case.wrong() {
                return Err(fail(format!("the case in line {line} {wrong}")));
            }
            cases.push(case);
        }
        let seen = cases.iter().map(|_| None).collect();
        Ok(Self { path: path.to_owned(), text, cases, seen })
    }

    /// How many cases there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cases.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    /// The configs of the cases of a metric or generator.
    pub(super) fn configs(&self, name: &str) -> impl Iterator<Item = &Value> {
        let of = move |case: &&Case| case.name() == name && case.error.is_none();
        self.cases.iter().filter(of).filter_map(|case| case.config.as_ref())
    }

    /// Runs every case and keeps what each gave.
    pub(super) fn run(&mut self, subject: &Conformance<'_>, inspection: &Inspection, tell: &mut dyn FnMut(Check)) {
        let file = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let folder = self.path.parent().unwrap_or(Path::new("")).to_owned();
        for (case, seen) in self.cases.iter().zip(&mut self.seen) {
            let (outcome, now) = match case.generator {
                Some(_) => case.run_generator(subject),
                None => case.run_metric(subject, inspection, &folder),
            };
            *seen = now;
            tell(Check { of: format!("{file}:{}", case.line), what: case.what(), outcome });
        }
    }
}

type Answer = (Outcome, Option<Seen>);

impl Case {
    fn name(&self) -> &str {
        self.metric.as_deref().or(self.generator.as_deref()).unwrap_or_default()
    }

    /// What the case says that cannot be, if anything.
    fn wrong(&self) -> Option<&'static str> {
        let inputs = [self.image.is_some(), self.images.is_some(), self.reference.is_some(), self.references.is_some()];
        match (&self.metric, &self.generator) {
            (None, None) => return Some("names neither a `metric` nor a `generator`"),
            (Some(_), Some(_)) => return Some("names a `metric` and a `generator`"),
            (Some(_), None) if self.limit.is_some() || self.prompts.is_some() => {
                return Some("has `limit` or `prompts`, which belong to a `generator`");
            }
            (Some(_), None) if self.image.is_some() == self.images.is_some() => {
                return Some("must have `image`, or `images` for a set");
            }
            (None, Some(_)) if inputs.contains(&true) || self.score.is_some() => {
                return Some("has images or a score, which belong to a `metric`");
            }
            _ => {}
        }
        if self.error.is_some() && (self.score.is_some() || self.prompts.is_some()) {
            return Some("has an `error` and an answer; it can have only one of them");
        }
        if self.tolerance.is_some_and(|tolerance| !(tolerance >= 0.0 && tolerance.is_finite())) {
            return Some("has a `tolerance` that is no number from 0 up");
        }
        self.score.is_some_and(|score| !score.is_finite()).then_some("has a `score` that is no number")
    }

    /// How the report calls it.
    fn what(&self) -> String {
        let mut words = vec![self.name().to_owned()];
        let name = |path: &PathBuf| path.display().to_string();
        words.extend(self.image.as_ref().map(name));
        words.extend(self.reference.as_ref().map(|path| format!("against {}", path.display())));
        words.extend(self.images.as_ref().map(|images| match images.len() {
            1 => "1 image".to_owned(),
            count => format!("{count} images"),
        }));
        words.extend(self.config.as_ref().map(|config| {
            let text = config.to_string();
            match text.char_indices().nth(CONFIG_CHARS) {
                Some((end, _)) => format!("{}…", &text[..end]),
                None => text,
            }
        }));
        words.join(" ")
    }

    fn run_metric(&self, subject: &Conformance<'_>, inspection: &Inspection, folder: &Path) -> Answer {
        let name = format!("{}/{}", subject.plugin, self.name());
        let input = match self.input(folder) {
            Ok(input) => input,
            Err(error) => return (Outcome::failed(error.to_string(), None), None),
        };
        let kind = inspection.metrics.iter().find(|info| info.name == name).map(|info| info.kind);
        if let Some(wanted) = kind.and_then(|kind| misfit(kind, &input)) {
            return (Outcome::failed(wanted, None), None);
        }
        let image = match &input {
            Input::One(image) | Input::Pair(image, _) => Some(image),
            Input::Set(..) => None,
        };
        let mut sample = sample(&format!("line {}", self.line), image);
        sample.prompt = self.prompt.clone().unwrap_or(sample.prompt);
        sample.negative_prompt.clone_from(&self.negative_prompt);
        sample.seed = self.seed.unwrap_or(sample.seed);
        if let Some(attributes) = &self.attributes {
            sample.attributes = attributes.clone().into_iter().collect();
        }
        let config = self.config.clone().unwrap_or_else(|| json!({}));
        let answer = subject.metric(&name, &config).and_then(|metric| input.measure(&metric, &sample));
        match answer {
            Err(error) => (self.judge_error(&error, subject), None),
            Ok(score) => {
                let cost = score.fuel.map(|fuel| self.cost(fuel)).unwrap_or_default();
                (self.judge_score(score.value, cost), self.error.is_none().then_some(Seen::Score(score.value)))
            }
        }
    }

    fn run_generator(&self, subject: &Conformance<'_>) -> Answer {
        let name = format!("{}/{}", subject.plugin, self.name());
        let config = self.config.clone().unwrap_or_else(|| json!({}));
        let limit = self.limit.unwrap_or(LIMIT);
        let generator = subject.registry.prompt_generator(&name).map_err(as_metric_error);
        match generator.and_then(|generator| generator.gather(&config, self.seed.unwrap_or(0), limit, PAGE)) {
            Err(error) => (self.judge_error(&error, subject), None),
            Ok((prompts, fuel)) => {
                let texts: Vec<String> = prompts.into_iter().map(|prompt| prompt.text).collect();
                (self.judge_prompts(&texts, self.cost(fuel)), self.error.is_none().then_some(Seen::Prompts(texts)))
            }
        }
    }

    fn input(&self, folder: &Path) -> Result<Input, decode::FileError> {
        let read = |path: &PathBuf| -> Result<Image, decode::FileError> {
            decode::read(&folder.join(path), &decode::Limits::default())
        };
        let all = |paths: &Vec<PathBuf>| paths.iter().map(read).collect::<Result<Vec<_>, _>>();
        Ok(match (&self.image, &self.reference) {
            (Some(image), Some(reference)) => Input::Pair(read(image)?, read(reference)?),
            (Some(image), None) => Input::One(read(image)?),
            (None, _) => Input::Set(
                self.images.as_ref().map(all).transpose()?.unwrap_or_default(),
                self.references.as_ref().map(all).transpose()?,
            ),
        })
    }

    /// What is wrong with the fuel, if anything.
    fn cost(&self, fuel: u64) -> Option<String> {
        let most = self.fuel_at_most.filter(|most| fuel > *most)?;
        Some(format!("it burnt {} fuel, {} is the most", grouped(fuel), grouped(most)))
    }

    fn judge_error(&self, error: &MetricError, subject: &Conformance<'_>) -> Outcome {
        match &self.error {
            Some(wanted) if *wanted == error.kind => Outcome::passed(format!("{wanted}: {}", said(error))),
            Some(wanted) => Outcome::failed(
                format!("the error `{wanted}` was expected, this is `{}`: {}", error.kind, said(error)),
                error.hint.clone(),
            ),
            None => match subject.judge(error) {
                Outcome::Passed { note } => {
                    Outcome::failed(note, Some(format!("where that is right: error = \"{}\"", error.kind)))
                }
                other => other,
            },
        }
    }

    fn judge_score(&self, value: f64, cost: Option<String>) -> Outcome {
        let update = || Some("`--update` writes it".to_owned());
        if let Some(error) = &self.error {
            return Outcome::failed(format!("the error `{error}` was expected, the score is {value}"), None);
        }
        let Some(wanted) = self.score else {
            return Outcome::failed(format!("it has no `score` yet; it is {value}"), update());
        };
        let difference = (wanted - value).abs();
        let fits = match self.tolerance {
            Some(tolerance) => difference <= tolerance,
            None => wanted.to_bits() == value.to_bits(),
        };
        match (fits, cost) {
            (true, None) => Outcome::passed(value.to_string()),
            (true, Some(cost)) => Outcome::failed(cost, None),
            (false, _) => {
                Outcome::failed(format!("{wanted} was expected, {value} is {difference:e} away from it"), update())
            }
        }
    }

    fn judge_prompts(&self, texts: &[String], cost: Option<String>) -> Outcome {
        let update = || Some("`--update` writes them".to_owned());
        if let Some(error) = &self.error {
            return Outcome::failed(
                format!("the error `{error}` was expected, there are {} prompts", texts.len()),
                None,
            );
        }
        let Some(wanted) = &self.prompts else {
            return Outcome::failed(format!("it has no `prompts` yet; there are {}", texts.len()), update());
        };
        if wanted == texts {
            return cost.map_or_else(
                || Outcome::passed(format!("{} prompts", texts.len())),
                |cost| Outcome::failed(cost, None),
            );
        }
        let at = wanted.iter().zip(texts).position(|(a, b)| a != b).unwrap_or(wanted.len().min(texts.len()));
        let show = |prompt: Option<&String>| prompt.map_or("no prompt".to_owned(), |prompt| json!(prompt).to_string());
        let reason =
            format!("prompt {}: {} was expected, this is {}", at + 1, show(wanted.get(at)), show(texts.get(at)));
        Outcome::failed(reason, update())
    }
}

/// What is wrong with giving this to a metric of that kind, if anything.
fn misfit(kind: MetricKind, input: &Input) -> Option<&'static str> {
    match (kind, input) {
        (MetricKind::Image, Input::One(_))
        | (MetricKind::Pair, Input::Pair(..))
        | (MetricKind::Set, Input::Set(..)) => None,
        (MetricKind::Image, _) => Some("the metric looks at one image: give `image` alone"),
        (MetricKind::Pair, _) => Some("the metric compares two images: give `image` and `reference`"),
        (MetricKind::Set, _) => Some("the metric looks at a set: give `images`, and `references` where it wants them"),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<CaseFile, String> {
        CaseFile::parse(Path::new("golden.toml"), text.to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn cases_are_read_with_their_lines() {
        let text = "# mine\n\n[[case]]\nmetric = \"a\"\nimage = \"x.png\"\n\n[[case]]\ngenerator = \"g\"\nlimit = 3\n";
        let file = parse(text).unwrap();
        assert_eq!(file.cases.iter().map(|case| case.line).collect::<Vec<_>>(), [3, 7]);
        assert_eq!(file.cases[0].what(), "a x.png");
    }

    #[test]
    fn a_wrong_case_is_told_with_its_line() {
        for (case, says) in [
            ("image = \"x.png\"", "names neither"),
            ("metric = \"a\"", "line 1 must have `image`"),
            ("metric = \"a\"\nimage = \"x\"\nimages = []", "must have `image`"),
            ("metric = \"a\"\nimage = \"x\"\nlimit = 3", "belong to a `generator`"),
            ("generator = \"a\"\nscore = 1.0", "belong to a `metric`"),
            ("metric = \"a\"\nimage = \"x\"\nscore = 1.0\nerror = \"e\"", "only one"),
            ("metric = \"a\"\nimage = \"x\"\nscore = nan", "no number"),
            ("metric = \"a\"\nimage = \"x\"\ntolerance = -1.0", "from 0 up"),
            ("metric = \"a\"\nimage = \"x\"\nscor = 1.0", "line 4"),
        ] {
            let error = parse(&format!("[[case]]\n{case}\n")).unwrap_err();
            assert!(error.starts_with("golden.toml: ") && error.contains(says), "{case}: {error}");
        }
    }

    #[test]
    fn scores_are_the_same_bits_or_within_the_tolerance() {
        let case =
            |more: &str| parse(&format!("[[case]]\nmetric = \"a\"\nimage = \"x\"\n{more}")).unwrap().cases.remove(0);
        let third = 1.0 / 3.0;
        assert!(!case(&format!("score = {third}")).judge_score(third, None).is_failed());
        assert!(case(&format!("score = {third}")).judge_score(f64::next_up(third), None).is_failed());
        assert!(!case("score = 0.333\ntolerance = 0.001").judge_score(third, None).is_failed());
        assert!(case("score = 0.333\ntolerance = 0.0001").judge_score(third, None).is_failed());
        assert!(case("").judge_score(third, None).is_failed(), "a case without an answer tests nothing");
        assert!(case("error = \"unsupported-input\"").judge_score(third, None).is_failed());
        let dear = case(&format!("score = {third}\nfuel_at_most = 999"));
        assert!(dear.judge_score(third, dear.cost(1_000)).is_failed());
        assert!(!dear.judge_score(third, dear.cost(999)).is_failed());
    }
}
