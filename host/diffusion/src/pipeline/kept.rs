//! What was computed before on the way to an image: with another denoiser, prompts are not encoded again; with another decoder, an
//! image is only decoded again.
//!
//! What is kept is `[u32: length][JSON: what is not a number][f32, little-endian: values]`; whoever keeps it checks it against damage.

use std::sync::{Arc, Mutex, PoisonError};

use difftest_core::generate::{Intermediate, Intermediates};
use difftest_core::key::{Embedding, Key, Latents};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::models::TextFeatures;

/// The latents of an image after its last step, and what a person should know of its prompt.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finished {
    pub(super) latents: Vec<f32>,
    pub(super) warnings: Vec<String>,
}

/// Where it is kept, where that is anywhere.
#[derive(Default)]
pub(super) struct Memory(Mutex<Option<Arc<dyn Intermediates>>>);

impl Memory {
    pub(super) fn set(&self, intermediates: Arc<dyn Intermediates>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(intermediates);
    }

    fn get(&self) -> Option<Arc<dyn Intermediates>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Latents that were kept.
    pub(super) fn latents(&self, key: Key<Latents>) -> Option<Finished> {
        let (warnings, latents) = unpack(&self.get()?.find(&Intermediate::Latents(key))?)?;
        Some(Finished { latents, warnings })
    }

    pub(super) fn keep_latents(&self, key: Key<Latents>, Finished { latents, warnings }: &Finished) {
        if let Some(intermediates) = self.get() {
            intermediates.keep(&Intermediate::Latents(key), &pack(warnings, [latents.as_slice()]));
        }
    }

    /// What a text encoder made of a text before.
    pub(super) fn features(&self, key: Key<Embedding>) -> Option<TextFeatures> {
        let (pooled, mut hidden) = unpack::<Option<usize>>(&self.get()?.find(&Intermediate::Embedding(key))?)?;
        let pooled = match pooled {
            Some(width) => Some(hidden.split_off(hidden.len().checked_sub(width)?)),
            None => None,
        };
        Some(TextFeatures { hidden, pooled })
    }

    pub(super) fn keep_features(&self, key: Key<Embedding>, TextFeatures { hidden, pooled }: &TextFeatures) {
        if let Some(intermediates) = self.get() {
            let content =
                pack(&pooled.as_ref().map(Vec::len), [hidden.as_slice(), pooled.as_deref().unwrap_or_default()]);
            intermediates.keep(&Intermediate::Embedding(key), &content);
        }
    }
}

fn pack<const N: usize>(words: &impl Serialize, values: [&[f32]; N]) -> Vec<u8> {
    // Texts and numbers can always be written.
    let words = serde_json::to_vec(words).unwrap_or_default();
    let mut bytes = (words.len() as u32).to_le_bytes().to_vec();
    bytes.extend_from_slice(&words);
    bytes.extend(values.iter().copied().flatten().flat_map(|value| value.to_le_bytes()));
    bytes
}

/// A number that is not finite is none, whoever kept it.
fn unpack<W: DeserializeOwned>(bytes: &[u8]) -> Option<(W, Vec<f32>)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (words, values) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let (values, left) = values.as_chunks::<4>();
    let values: Vec<f32> = values.iter().map(|value| f32::from_le_bytes(*value)).collect();
    let whole = left.is_empty() && values.iter().all(|value| value.is_finite());
    whole.then_some((serde_json::from_slice(words).ok()?, values))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashMap;

    use difftest_core::key::Inputs;

    use super::*;

    #[derive(Default)]
    struct Kept(Mutex<HashMap<Intermediate, Vec<u8>>>);

    impl Intermediates for Kept {
        fn find(&self, what: &Intermediate) -> Option<Vec<u8>> {
            self.0.lock().unwrap().get(what).cloned()
        }

        fn keep(&self, what: &Intermediate, content: &[u8]) {
            self.0.lock().unwrap().insert(*what, content.to_vec());
        }
    }

    #[test]
    fn what_is_kept_is_read_to_the_bit() {
        let memory = Memory::default();
        let inputs = Inputs::new().with("prompt", "a red circle");
        assert_eq!(memory.features(inputs.key()), None);
        memory.set(Arc::<Kept>::default());
        let finished = Finished { latents: vec![0.1, -3.5e-30, 7.0], warnings: vec!["cut \u{1F4A5}".to_owned()] };
        memory.keep_latents(inputs.key(), &finished);
        for pooled in [None, Some(vec![]), Some(vec![-0.0, 5.0])] {
            let features = TextFeatures { hidden: vec![1.5, -2.0, 1e-40], pooled };
            memory.keep_features(inputs.key(), &features);
            assert_eq!(memory.features(inputs.key()), Some(features));
        }
        assert_eq!(memory.latents(inputs.key()), Some(finished));
    }

    #[test]
    fn what_is_not_whole_is_none() {
        let bytes = pack(&vec!["cut"], [[0.1_f32, 2.0, 7.0].as_slice()]);
        for end in 0..bytes.len() {
            let cut = unpack::<Vec<String>>(&bytes[..end]);
            assert!(cut.is_none_or(|(_, values)| values.len() < 3), "{end} bytes are not all of it");
        }
        assert_eq!(unpack::<Vec<String>>(&[255; 40]), None);
        assert_eq!(unpack::<Vec<String>>(&pack(&vec!["cut"], [[f32::NAN].as_slice()])), None);
        let memory = Memory::default();
        let kept = Arc::<Kept>::default();
        let key = Inputs::new().key();
        kept.keep(&Intermediate::Embedding(key), &pack(&Some(9_usize), [[1.0].as_slice()]));
        memory.set(kept);
        assert_eq!(memory.features(key), None, "a width beyond what is there");
    }
}
