//! What `difftest calibrate` found: for people, as TOML to paste, and as JSON.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use difftest_core::calibrate::{Calibration, Control, ControlKind, ControlOutcome, blind, cannot_gate};
use difftest_core::event::ErrorInfo;
use difftest_core::gate::Bound;
use difftest_core::metric::Direction;
use serde::Serialize;

use crate::evidence::percent;
use crate::text::{count, safe, score};

/// Version of the JSON form; goes up whenever a reader of the old one would misread the new one.
pub const FORMAT: u32 = 1;

/// Everything that was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Calibrations {
    /// [`FORMAT`].
    pub format: u32,
    /// The suites.
    pub suites: Vec<SuiteCalibration>,
}

/// What was found of a suite.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SuiteCalibration {
    /// Its name.
    pub suite: String,
    /// The class of environments that the tolerances are for.
    pub environment: String,
    /// How each repeat was made.
    pub repeats: Vec<Repeat>,
    /// Whether every repeat made the same pixels.
    pub same_images: bool,
    /// The metrics of its tests.
    pub metrics: Vec<Calibration>,
    /// What could not be measured.
    pub errors: Vec<ErrorInfo>,
    /// By test and metric, until they are part of `metrics`.
    #[serde(skip)]
    pub controls: Vec<(String, String, Vec<Control>)>,
}

/// One repeat.
#[derive(Clone, Debug, Serialize)]
pub struct Repeat {
    /// Threads.
    pub threads: usize,
    /// Whether the cases of each test were made from the last to the first.
    pub reversed: bool,
    /// Time it took.
    pub seconds: f64,
}

impl Calibrations {
    /// For programs.
    #[must_use]
    pub fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("strings, numbers and lists can always be written");
        text.push('\n');
        text
    }

    /// For people; what to paste is last.
    #[must_use]
    pub fn human(&self, color: bool) -> String {
        let mut out = String::new();
        for suite in &self.suites {
            suite.human(color, &mut out);
        }
        out
    }
}

impl SuiteCalibration {
    fn human(&self, color: bool, out: &mut String) {
        let bold = if color { Style::new().bold() } else { Style::new() };
        let red = if color { Style::new().fg_color(Some(AnsiColor::Red.into())) } else { Style::new() };
        let threads: Vec<String> = self.repeats.iter().map(|repeat| repeat.threads.to_string()).collect();
        let _ = writeln!(
            out,
            "{bold}{}{bold:#} in {}: {}, on {} threads, every other one backwards",
            safe(&self.suite),
            safe(&self.environment),
            count(self.repeats.len(), "repeat"),
            threads.join(", "),
        );
        if self.same_images {
            let _ = writeln!(out, "  every repeat made the same pixels");
        }
        for found in &self.metrics {
            let _ = writeln!(
                out,
                "  {bold}{} {}{bold:#} mean {} over {}, {}",
                safe(&found.test),
                safe(&found.metric),
                score(found.mean),
                count(found.prompts, "prompt"),
                count(found.images, "image")
            );
            let _ = writeln!(out, "    noise: {}", noise(found));
            if let Some(modes) = &found.noise.modes {
                let _ = writeln!(
                    out,
                    "    {red}two modes{red:#}: the mean jumps between {} ({} of the repeats) and {}: find what decides, a wider floor hides it",
                    score(modes.low),
                    percent(modes.share_low),
                    score(modes.high)
                );
            }
            if !found.noise.jumping.is_empty() {
                let named: Vec<String> = found.noise.jumping.iter().take(3).map(|id| safe(id)).collect();
                let images = count(found.noise.jumping.len(), "image");
                let _ = writeln!(out, "    {red}two modes{red:#} in {images}: {}", named.join(", "));
            }
            if let Some(variance) = found.variance.filter(|found| found.prompt + found.seed > 0.0) {
                let share = variance.prompt / (variance.prompt + variance.seed);
                let advice = if share >= 0.5 { "more prompts help, more seeds hardly" } else { "more seeds help too" };
                let _ = writeln!(out, "    variance: {} between prompts: {advice}", percent(share));
            }
            for control in &found.controls {
                let _ =
                    writeln!(out, "    {}: {}", kind(control.kind), told(control.outcome, control.mean, control.real));
            }
            if found.can_gate() == Some(false) {
                let told = blind(&found.controls).map(cannot_gate).unwrap_or_default();
                let _ = writeln!(out, "    {red}this metric cannot gate here{red:#}: {told}");
            }
        }
        for error in &self.errors {
            let _ = writeln!(out, "  {red}not measured{red:#}: {}", safe(&error.message));
        }
        let toml = self.toml();
        if !toml.is_empty() {
            let _ = writeln!(out, "\n{toml}");
        }
    }

    /// Tolerances to paste into the suite: for the metrics that can gate and whose scores do not jump.
    #[must_use]
    pub fn toml(&self) -> String {
        let mut out = String::new();
        let mut tests: Vec<&str> = Vec::new();
        for found in &self.metrics {
            if !tests.contains(&found.test.as_str()) {
                tests.push(&found.test);
            }
        }
        for test in tests {
            let metrics = self.metrics.iter().filter(|found| found.test == test && found.can_gate() != Some(false));
            let usable = |found: &&Calibration| found.noise.modes.is_none() && !gates(found).is_empty();
            let metrics: Vec<&Calibration> = metrics.filter(usable).collect();
            if metrics.is_empty() {
                continue;
            }
            let _ = writeln!(out, "# test `{}`, measured in {}", safe(test), safe(&self.environment));
            let _ = writeln!(out, "# in place of its `threshold`, below its other keys");
            let _ = writeln!(out, "[test.threshold]");
            for found in metrics {
                let gates = gates(found);
                let key = if found.metric.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
                    found.metric.clone()
                } else {
                    format!("\"{}\"", found.metric)
                };
                let _ = writeln!(out, "{key} = [{}]", gates.join(", "));
            }
        }
        out
    }
}

fn gates(found: &Calibration) -> Vec<String> {
    let mut gates = Vec::new();
    if let Some(Bound { min, max }) = found.proposed.floor {
        gates.extend(min.map(|min| format!("{{ gate = \"floor\", min = {min} }}")));
        gates.extend(max.map(|max| format!("{{ gate = \"floor\", max = {max} }}")));
    }
    let margin = found.proposed.margin;
    // Over scores that are all the same, nothing can be said of what may be lost.
    if found.direction != Direction::Neither && margin > 0.0 {
        gates.push(format!("{{ gate = \"no_worse_than_baseline\", margin = {margin} }}"));
    }
    gates
}

fn noise(found: &Calibration) -> String {
    let noise = &found.noise;
    if noise.deterministic {
        return "0: deterministic here, to the last bit".to_owned();
    }
    format!(
        "one image {} (standard deviation over repeats), at most {}; the mean of the test {}",
        score(noise.image),
        score(noise.largest),
        score(noise.mean)
    )
}

fn kind(kind: ControlKind) -> &'static str {
    match kind {
        ControlKind::Black => "black frames",
        ControlKind::Noise => "noise",
        ControlKind::ShuffledPrompts => "prompts of other images",
    }
}

fn told(outcome: ControlOutcome, mean: f64, real: f64) -> String {
    let scores = format!("mean {} against {}", score(mean), score(real));
    match outcome {
        ControlOutcome::Separated => format!("told apart, {scores}"),
        ControlOutcome::Better => format!("taken for BETTER, {scores}"),
        ControlOutcome::NotSeparated => format!("NOT told apart, {scores}"),
        ControlOutcome::TooFew => format!("too few prompts to say, {scores}"),
        ControlOutcome::NotApplicable => "not looked at by this metric".to_owned(),
    }
}
