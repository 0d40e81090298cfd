//! `manifest.json`: what was accepted, one entry for each case, sorted by id so that a diff of it shows what changed.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::path::{Component, Path};

use difftest_core::baseline::{BaselineScore, Question};
use difftest_core::digest::{Digest, Hasher};
use difftest_core::key::Inputs;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::BaselineError;

/// Version of the manifest; goes up whenever a reader of the old one would misread the new one.
pub const FORMAT: u64 = 1;

/// A manifest larger than this is none: a case takes about a kilobyte, and a suite has at most a million.
pub(super) const MAX_BYTES: u64 = 2 << 30;

/// What was accepted in one environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u64,
    /// The class of environments that the images were made in; also the name of the folder.
    pub environment: String,
    /// By case id.
    #[serde(deserialize_with = "each_once")]
    pub cases: BTreeMap<String, Case>,
    /// Scores of set metrics: by `suite::test`, then by metric.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "each_once")]
    pub sets: BTreeMap<String, BTreeMap<String, SetScore>>,
}

/// What was accepted for a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The PNG, relative to the manifest's folder, with `/` between the names.
    pub file: String,
    /// SHA-256 of size and pixels.
    pub image: Digest,
    /// SHA-256 of the file, as it was written: one that still has it needs no decoding to be known. `None` in a manifest of a difftest
    /// that did not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub png: Option<Digest>,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// The prompt.
    pub prompt: String,
    /// The seed.
    pub seed: u64,
    /// What was asked besides: `negative`, and `settings/NAME` as the suite gave them. `None` in a manifest of a difftest that did not
    /// record it; then prompt and seed are all that is known.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_each_once")]
    pub inputs: Option<BTreeMap<String, String>>,
    /// By metric name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "each_once")]
    pub scores: BTreeMap<String, BaselineScore>,
    /// By whom, when and why.
    pub accepted: Acceptance,
}

impl Case {
    /// What was asked when the image was accepted.
    #[must_use]
    pub fn question(&self) -> Question {
        let rest = self.inputs.as_ref().map(|inputs| inputs.iter().collect::<Inputs>());
        Question::recorded(&self.prompt, self.seed, rest.as_ref())
    }
}

/// How a set score came about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetScore {
    /// The score.
    pub value: f64,
    /// The key of the exact metric that gave it.
    pub metric: String,
    /// [`Manifest::set_digest`] of the images that it is the score of.
    pub images: Digest,
}

/// Who accepted an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// A person, or what stands for one: `Ada <ada@example.org>`.
    pub by: String,
    /// RFC 3339, UTC.
    pub at: String,
    /// Why it was accepted.
    pub because: Because,
    /// The run that made the image, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The image that it took the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Digest>,
}

/// Why an image was accepted: there is no third way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Because {
    /// The tests of its run passed.
    Passed,
    /// A person said so.
    Person,
}

impl Manifest {
    pub(super) fn empty(environment: &str) -> Self {
        Self { format: FORMAT, environment: environment.to_owned(), cases: BTreeMap::new(), sets: BTreeMap::new() }
    }

    /// Reads the text of the manifest at `path`, whose folder is called `environment`.
    pub(super) fn parse(path: &Path, text: &str, environment: &str) -> Result<Self, BaselineError> {
        #[derive(Deserialize)]
        struct Head {
            format: u64,
        }
        let damaged = |error: serde_json::Error| BaselineError::damaged(path, told(&error, text));
        let Head { format } = serde_json::from_str(text).map_err(damaged)?;
        if format > FORMAT {
            return Err(BaselineError::Newer { path: path.to_owned(), format });
        }
        let manifest: Self = serde_json::from_str(text).map_err(damaged)?;
        if manifest.environment != environment {
            let (made_in, folder) = (manifest.environment, environment.to_owned());
            return Err(BaselineError::Misplaced { path: path.to_owned(), made_in, folder });
        }
        manifest.check().map_err(|reason| BaselineError::damaged(path, reason))?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), String> {
        let mut files = BTreeMap::new();
        for (id, case) in &self.cases {
            if !lies_inside(&case.file) {
                let file = case.file.escape_debug();
                return Err(format!(
                    "the file of {} is `{file}`, which is no PNG inside of this folder",
                    id.escape_debug()
                ));
            }
            if let Some(other) = files.insert(case.file.to_lowercase(), id) {
                return Err(format!("{other} and {id} have the same file, {}", case.file));
            }
            if case.size.0 == 0 || case.size.1 == 0 {
                return Err(format!("the image of {id} has no pixels"));
            }
            if let Some((metric, _)) = case.scores.iter().find(|(_, score)| !score.value.is_finite()) {
                return Err(format!("the score {metric} of {id} is not a finite number"));
            }
        }
        Ok(())
    }

    /// The text of the file.
    pub(super) fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Over all that a comparison depends on: cases, what they ask, images, scores. Not over who accepted them when, and not over file
    /// names.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut hasher = Hasher::new();
        let mut field = |text: &str| hasher.field(text.as_bytes());
        field(&self.environment);
        for (id, case) in &self.cases {
            field(id);
            field(&case.image.to_string());
            field(&case.prompt);
            field(&case.seed.to_string());
            field(&case.inputs.as_ref().map_or_else(|| "unknown".to_owned(), |inputs| inputs.len().to_string()));
            for (name, value) in case.inputs.iter().flatten() {
                [name, value].into_iter().for_each(|text| field(text));
            }
            field(&case.scores.len().to_string());
            for (name, score) in &case.scores {
                [name, &score.value.to_bits().to_string(), &score.metric].into_iter().for_each(|text| field(text));
            }
        }
        for (test, scores) in &self.sets {
            field(test);
            field(&scores.len().to_string());
            for (name, SetScore { value, metric, images }) in scores {
                let parts = [name, &value.to_bits().to_string(), metric, &images.to_string()];
                parts.into_iter().for_each(|text| field(text));
            }
        }
        hasher.finish()
    }

    /// Over the images of the test `suite::test`: a set score belongs to all of them together.
    #[must_use]
    pub fn set_digest(&self, test: &str) -> Digest {
        let of_test = |id: &str| id.strip_prefix(test).is_some_and(|rest| rest.starts_with('['));
        let images = self.cases.iter().filter(|(id, _)| of_test(id)).map(|(id, case)| (id.as_str(), case.image));
        set_digest(images)
    }
}

/// [`Manifest::set_digest`] of images that are not in a manifest: `(case id, image)`, sorted by id.
pub fn set_digest<'a>(images: impl IntoIterator<Item = (&'a str, Digest)>) -> Digest {
    let mut hasher = Hasher::new();
    for (id, image) in images {
        hasher.field(id.as_bytes());
        hasher.field(image.to_string().as_bytes());
    }
    hasher.finish()
}

/// Whether a path of a manifest is one that this program would have written: below the manifest on every system.
fn lies_inside(file: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '=' | '-' | '/');
    let path = Path::new(file);
    file.ends_with(".png")
        && file.chars().all(plain)
        && !file.starts_with(['/', '.'])
        && !file.contains("//")
        && path.components().all(|part| matches!(part, Component::Normal(_)))
        && path.components().count() == 2
}

/// What is wrong with the text, for a person.
fn told(error: &serde_json::Error, text: &str) -> String {
    let conflict = text.lines().any(|line| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> "));
    if conflict {
        "it has the marks of a merge conflict in it".into()
    } else if error.is_eof() {
        "it is cut short: the text ends before the manifest does".into()
    } else {
        format!("not a manifest of difftest: {error}")
    }
}

fn some_each_once<'de, V: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<BTreeMap<String, V>>, D::Error> {
    each_once(deserializer).map(Some)
}

/// A map whose keys are each there once: of two entries for one case, none is right.
fn each_once<'de, V: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, V>, D::Error> {
    struct EachOnce<V>(PhantomData<V>);

    impl<'de, V: Deserialize<'de>> Visitor<'de> for EachOnce<V> {
        type Value = BTreeMap<String, V>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = BTreeMap::new();
            while let Some((key, value)) = map.next_entry::<String, V>()? {
                if entries.contains_key(&key) {
                    return Err(A::Error::custom(format!("`{}` occurs twice", key.escape_debug())));
                }
                entries.insert(key, value);
            }
            Ok(entries)
        }
    }

    deserializer.deserialize_map(EachOnce(PhantomData))
}
