//! Accepted images and scores that a run is compared with, as gates and reports need them. Reading and writing them is `store`'s.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::generate::{Prompt, Settings};
use crate::key::{Difference, Inputs};

/// One baseline in one environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// What it is.
    pub info: BaselineInfo,
    /// By case id.
    pub cases: BTreeMap<String, BaselineCase>,
    /// Scores of set metrics, by `suite::test` and metric.
    pub sets: BTreeMap<(String, String), BaselineScore>,
    /// Cases that ask something else now than when they were accepted, by id, with what changed. [`Baseline::ask`] takes them out of
    /// `cases`: their scores answer another question.
    pub changed: BTreeMap<String, Difference>,
}

/// Which baseline, for the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BaselineInfo {
    /// Its name, such as `v1.0`.
    pub name: String,
    /// The class of environments that its images were made in: scores and images of another are never compared with these.
    pub environment: String,
    /// Over everything in it.
    pub digest: Digest,
}

/// What was accepted for a case.
#[derive(Clone, Debug, PartialEq)]
pub struct BaselineCase {
    /// The image file.
    pub path: PathBuf,
    /// SHA-256 of size and pixels.
    pub image: Digest,
    /// By metric name.
    pub scores: BTreeMap<String, BaselineScore>,
    /// What was asked.
    pub question: Question,
}

/// What a case asks for, whoever answers it: prompt, negative prompt, seed, and the sampler settings as the suite gives them. The model,
/// its LoRAs and what they fill in are the answer, and so no part of it.
///
/// Its parts are [`Inputs`]: `prompt`, `negative`, `seed`, `settings/NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    inputs: Inputs,
    /// Whether what is not named was not there. Of a question that was recorded without its settings only prompt and seed are known.
    whole: bool,
}

/// A score that was accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BaselineScore {
    /// The score.
    pub value: f64,
    /// The key of the exact metric that gave it: variant, plugin, models, config. Scores of another key are not comparable.
    pub metric: String,
}

/// What a run found in its baseline for a case, for those who look at both images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BaselineImage {
    /// The image file: relative to the working directory of the run, unless its baselines lie at an absolute place.
    pub path: PathBuf,
    /// SHA-256 of size and pixels.
    pub digest: Digest,
    /// By metric name, the scores that can be compared with those of the run: the same exact metric gave them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scores: BTreeMap<String, f64>,
}

impl Baseline {
    /// The score of a case, if it was given by the metric of this key.
    #[must_use]
    pub fn score(&self, case: &str, metric: &str, key: &str) -> Option<f64> {
        let score = self.cases.get(case)?.scores.get(metric)?;
        (score.metric == key).then_some(score.value)
    }
}

impl Baseline {
    /// Takes out the cases whose question is another one than now, and notes them in `changed`. Cases that are not named stay. `now` has
    /// the settings that are under test with each: [`Question::change_since`].
    pub fn ask<'c>(&mut self, now: impl IntoIterator<Item = (&'c str, Question, &'c [String])>) {
        for (id, question, under_test) in now {
            let known = self.cases.get(id);
            let difference = known.and_then(|known| question.change_since(&known.question, under_test));
            let Some(difference) = difference else { continue };
            self.cases.remove(id);
            self.changed.insert(id.to_owned(), difference);
        }
    }
}

impl Question {
    /// What a case of a plan asks.
    #[must_use]
    pub fn of(prompt: &Prompt, seed: u64, settings: &Settings) -> Self {
        // What becomes of a prompt that is too long decides whether there is an image, and not which.
        let Settings { scheduler, steps, guidance, size, negative_prompt, clip_skip, long_prompt: _, noise } = settings;
        let mut inputs = Inputs::new().with("prompt", &prompt.text);
        let mut set = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                inputs.set(name, value);
            }
        };
        set("negative", prompt.negative.clone().or_else(|| negative_prompt.clone()));
        set("seed", Some(seed.to_string()));
        set("settings/scheduler", scheduler.clone());
        set("settings/steps", steps.map(|steps| steps.to_string()));
        set("settings/guidance", guidance.map(|guidance| guidance.to_string()));
        set("settings/size", size.map(|(width, height)| format!("{width}x{height}")));
        set("settings/clip_skip", clip_skip.map(|layers| layers.to_string()));
        set("settings/noise", noise.clone());
        Self { inputs, whole: true }
    }

    /// What was recorded of a question; `rest` is [`Question::rest`], where that was recorded too.
    #[must_use]
    pub fn recorded(prompt: &str, seed: u64, rest: Option<&Inputs>) -> Self {
        let mut inputs = Inputs::new().with("prompt", prompt).with("seed", seed.to_string());
        if let Some(rest) = rest {
            inputs.extend(rest);
        }
        Self { inputs, whole: rest.is_some() }
    }

    /// What it asks besides prompt and seed.
    #[must_use]
    pub fn rest(&self) -> Inputs {
        self.inputs.only(|name| !matches!(name, "prompt" | "seed"))
    }

    /// The first part of it that is not as in `then`, as far as both are known. Settings that are `under_test`, by their key in a suite,
    /// may differ: they are what is compared.
    #[must_use]
    pub fn change_since(&self, then: &Self, under_test: &[String]) -> Option<Difference> {
        let both = self.whole && then.whole;
        let free = |name: &str| {
            let key = if name == "negative" { "negative_prompt" } else { name.strip_prefix("settings/").unwrap_or("") };
            under_test.iter().any(|free| free == key)
        };
        let known = |name: &str| matches!(name, "prompt" | "seed") || (both && !free(name));
        self.inputs.only(known).first_difference(&then.inputs.only(known))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn prompt(text: &str, negative: Option<&str>) -> Prompt {
        Prompt {
            id: "p0".to_owned(),
            text: text.to_owned(),
            negative: negative.map(ToOwned::to_owned),
            attributes: Vec::new(),
        }
    }

    fn settings(steps: Option<u32>, negative: Option<&str>) -> Settings {
        Settings { steps, negative_prompt: negative.map(ToOwned::to_owned), ..Settings::default() }
    }

    #[test]
    fn every_part_of_a_question_counts_and_is_named() {
        let then = Question::of(&prompt("a cat", None), 1, &settings(Some(20), None));
        let change = |now: &Question| now.change_since(&then, &[]).map(|change| change.named().to_owned());
        assert_eq!(change(&then), None);
        let asked = |text: &str, negative, seed, steps, of_test| {
            Question::of(&prompt(text, negative), seed, &settings(steps, of_test))
        };
        assert_eq!(change(&asked("a dog", None, 1, Some(20), None)).unwrap(), "prompt");
        assert_eq!(change(&asked("a cat", Some("blur"), 1, Some(20), None)).unwrap(), "negative prompt");
        assert_eq!(change(&asked("a cat", None, 1, Some(20), Some("blur"))).unwrap(), "negative prompt");
        assert_eq!(change(&asked("a cat", None, 2, Some(20), None)).unwrap(), "seed");
        assert_eq!(change(&asked("a cat", None, 1, Some(30), None)).unwrap(), "steps");
        assert_eq!(change(&asked("a cat", None, 1, None, None)).unwrap(), "steps", "what is gone counts too");
        let others = [
            Settings { scheduler: Some("ddim".into()), ..Settings::default() },
            Settings { guidance: Some(5.0), ..Settings::default() },
            Settings { size: Some((64, 32)), ..Settings::default() },
            Settings { clip_skip: Some(1), ..Settings::default() },
            Settings { noise: Some("torch-cpu-f32".into()), ..Settings::default() },
        ];
        let plain = Question::of(&prompt("a cat", None), 1, &Settings::default());
        for settings in others {
            let now = Question::of(&prompt("a cat", None), 1, &settings);
            assert!(now.change_since(&plain, &[]).is_some() && plain.change_since(&now, &[]).is_some(), "{settings:?}");
        }
    }

    #[test]
    fn what_is_recorded_is_the_same_question() {
        let asked = Question::of(&prompt("a cat", Some("blur")), 1, &settings(Some(20), None));
        let read = Question::recorded("a cat", 1, Some(&asked.rest()));
        assert_eq!(asked.change_since(&read, &[]), None);
        assert!(asked.rest().get("prompt").is_none() && asked.rest().get("negative") == Some("blur"));
        // Nothing besides is not the same as nothing known.
        let bare = Question::recorded("a cat", 1, Some(&Inputs::new()));
        assert_eq!(asked.change_since(&bare, &[]).unwrap().named(), "negative prompt");
        let old = Question::recorded("a cat", 1, None);
        assert_eq!(asked.change_since(&old, &[]), None, "prompt and seed are all that is known");
        assert_eq!(
            asked.change_since(&Question::recorded("a dog", 1, None), &[]).unwrap().was.as_deref(),
            Some("a dog")
        );
    }

    #[test]
    fn what_is_under_test_may_differ() {
        let asked = |steps, negative| Question::of(&prompt("a cat", None), 1, &settings(Some(steps), negative));
        let free = ["steps".to_owned(), "negative_prompt".to_owned()];
        assert_eq!(asked(15, None).change_since(&asked(25, Some("blur")), &free), None);
        assert_eq!(
            asked(15, None).change_since(&asked(25, Some("blur")), &free[..1]).unwrap().named(),
            "negative prompt"
        );
        let other = Question::of(&prompt("a dog", None), 1, &settings(Some(15), None));
        assert_eq!(other.change_since(&asked(25, None), &free).unwrap().named(), "prompt", "never the prompt");
    }
}
