//! Keys of work: everything that an image, a score or a judgement depends on, and one BLAKE3 digest over it.
//!
//! [`Inputs`] are named values in the order in which a person would look at them: the model first, then the prompt, then the
//! settings. A value is the thing itself where it is short (`25`, a prompt) and a digest where it is a file. A [`Key`] is the digest
//! of all of them under the name of what is made, so that the key of an image and the key of a score can never be mistaken for one
//! another:
//!
//! ```text
//! key = BLAKE3-derive-key("difftest 1 KIND", for each input, sorted by name: length, name, length, value)
//! ```
//!
//! Two runs with the same key would compute the same thing; a key that is not known says which work is to be done, and
//! [`Inputs::first_difference`] says why.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a [`Key`] is the key of.
pub trait Kind {
    /// Part of every key of this kind; another name, other keys.
    const NAME: &'static str;
}

/// An image.
#[derive(Clone, Copy, Debug)]
pub enum Generation {}
/// What a text encoder makes of a text.
#[derive(Clone, Copy, Debug)]
pub enum Embedding {}
/// The latents that a decoder makes an image of.
#[derive(Clone, Copy, Debug)]
pub enum Latents {}
/// What a metric says of an image, or of a set of images.
#[derive(Clone, Copy, Debug)]
pub enum Scoring {}
/// The gates of a test and what they compare with.
#[derive(Clone, Copy, Debug)]
pub enum Judgement {}

impl Kind for Generation {
    const NAME: &'static str = "generation";
}
impl Kind for Embedding {
    const NAME: &'static str = "embedding";
}
impl Kind for Latents {
    const NAME: &'static str = "latents";
}
impl Kind for Scoring {
    const NAME: &'static str = "scoring";
}
impl Kind for Judgement {
    const NAME: &'static str = "judgement";
}

/// The digest of all inputs of one piece of work, written as 64 lower-case hex digits.
pub struct Key<K>([u8; 32], PhantomData<fn() -> K>);

impl<K> Key<K> {
    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key of these bytes, read back from where it was kept.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes, PhantomData)
    }
}

impl<K> Clone for Key<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Key<K> {}
impl<K> PartialEq for Key<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Key<K> {}
impl<K> std::hash::Hash for Key<K> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<K> fmt::Display for Key<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
impl<K> fmt::Debug for Key<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Named inputs of one piece of work; a name occurs once. Copies share their texts: most inputs of a case are those of its neighbours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Inputs(Vec<(Arc<str>, Arc<str>)>);

/// One input that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// Its name: `model/vae/diffusion_pytorch_model.safetensors`, `prompt`, `settings/steps`, ...
    pub input: String,
    /// Its earlier value; `None` where it is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// Its value now; `None` where it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<String>,
}

impl Difference {
    /// The name of the input as people say it: `steps` for `settings/steps`, `negative prompt` for `negative`.
    #[must_use]
    pub fn named(&self) -> &str {
        match self.input.as_str() {
            "negative" => "negative prompt",
            other => other.strip_prefix("settings/").unwrap_or(other),
        }
    }
}

impl Inputs {
    /// None so far.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an input, or replaces the value of one that is there.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.put(name.into().into(), value.into().into());
    }

    fn put(&mut self, name: Arc<str>, value: Arc<str>) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = value,
            None => self.0.push((name, value)),
        }
    }

    /// Adds those of `others`.
    pub fn extend(&mut self, others: &Self) {
        self.0.reserve(others.0.len());
        others.0.iter().for_each(|(name, value)| self.put(Arc::clone(name), Arc::clone(value)));
    }

    /// [`Inputs::set`], by value.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.set(name, value);
        self
    }

    /// The value of an input.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| **known == *name).map(|(_, value)| &**value)
    }

    /// Every `(name, value)`, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Those whose name satisfies `wanted`.
    #[must_use]
    pub fn only(&self, wanted: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|(name, _)| wanted(name)).cloned().collect())
    }

    /// The digest of all of them; their order does not matter.
    #[must_use]
    pub fn key<K: Kind>(&self) -> Key<K> {
        let mut sorted: Vec<_> = self.0.iter().collect();
        sorted.sort();
        let mut hasher = blake3::Hasher::new_derive_key(&format!("difftest 1 {}", K::NAME));
        for part in sorted.into_iter().flat_map(|(name, value)| [name, value]) {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        Key::from_bytes(*hasher.finalize().as_bytes())
    }

    /// The first input that differs from `earlier`, in the order of these, then what `earlier` had besides.
    #[must_use]
    pub fn first_difference(&self, earlier: &Self) -> Option<Difference> {
        let changed = self.0.iter().find_map(|(name, value)| {
            let was = earlier.get(name);
            (was != Some(&**value)).then(|| Difference {
                input: name.to_string(),
                was: was.map(ToOwned::to_owned),
                is: Some(value.to_string()),
            })
        });
        changed.or_else(|| {
            let (name, was) = earlier.0.iter().find(|(name, _)| self.get(name).is_none())?;
            Some(Difference { input: name.to_string(), was: Some(was.to_string()), is: None })
        })
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Inputs {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(named: I) -> Self {
        let mut inputs = Self::new();
        named.into_iter().for_each(|(name, value)| inputs.set(name, value));
        inputs
    }
}

/// How much work a case still needs; each includes those after it. The order is that of the work, the most first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Its image is not there.
    #[default]
    Generate,
    /// Its image is there, and a score is not.
    Score,
    /// Image and scores are there; what they are judged by is new, or was not passed.
    Judge,
    /// All of it is there, and was passed by the same gates.
    Reuse,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Generate => "generate",
            Self::Score => "score",
            Self::Judge => "judge",
            Self::Reuse => "reuse",
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn inputs(pairs: &[(&str, &str)]) -> Inputs {
        pairs.iter().fold(Inputs::new(), |inputs, (name, value)| inputs.with(*name, *value))
    }

    #[test]
    fn keys_depend_on_kind_names_and_values_and_not_on_order() {
        let one = inputs(&[("prompt", "a cat"), ("seed", "1")]);
        let other = inputs(&[("seed", "1"), ("prompt", "a cat")]);
        assert_eq!(one.key::<Generation>(), other.key::<Generation>());
        assert_ne!(one.key::<Generation>().as_bytes(), one.key::<Scoring>().as_bytes());
        assert_ne!(one.key::<Generation>(), inputs(&[("prompt", "a ca"), ("tseed", "1")]).key());
        assert_ne!(one.key::<Generation>(), one.clone().with("seed", "2").key());
    }

    #[test]
    fn keys_stay_what_they_are() {
        // Keys are kept on disks and shared: a change of this value makes all evidence worthless and needs another context.
        let key = inputs(&[("prompt", "a cat"), ("seed", "1")]).key::<Generation>();
        insta::assert_snapshot!(key);
    }

    #[test]
    fn the_first_difference_is_told_in_order() {
        let earlier = inputs(&[("model", "a"), ("prompt", "x"), ("gone", "g")]);
        let now = inputs(&[("model", "a"), ("prompt", "y"), ("new", "n")]);
        let difference = now.first_difference(&earlier).unwrap();
        assert_eq!((difference.input.as_str(), difference.was.as_deref()), ("prompt", Some("x")));
        let gone = inputs(&[("model", "a"), ("prompt", "x")]).first_difference(&earlier).unwrap();
        assert_eq!((gone.input.as_str(), gone.is), ("gone", None));
        assert_eq!(now.first_difference(&now), None);
    }
}
