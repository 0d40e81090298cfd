//! Latents that were computed before: with another decoder, an image is only decoded again.
//!
//! What is kept is `[u32: length][JSON: warnings][f32, little-endian: latents]`; whoever keeps it checks it against damage.

use std::sync::{Arc, Mutex, PoisonError};

use difftest_core::generate::Intermediates;
use difftest_core::key::{Key, Latents};

/// The latents of an image after its last step, and what a person should know of its prompt.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finished {
    pub(super) latents: Vec<f32>,
    pub(super) warnings: Vec<String>,
}

/// Where they are kept, where that is anywhere.
#[derive(Default)]
pub(super) struct Memory(Mutex<Option<Arc<dyn Intermediates>>>);

impl Memory {
    pub(super) fn set(&self, intermediates: Arc<dyn Intermediates>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(intermediates);
    }

    fn get(&self) -> Option<Arc<dyn Intermediates>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was kept under `key`. A number that is not finite is none, whoever kept it.
    pub(super) fn find(&self, key: &Key<Latents>) -> Option<Finished> {
        let found = Finished::read(&self.get()?.find(key)?)?;
        found.latents.iter().all(|value| value.is_finite()).then_some(found)
    }

    pub(super) fn keep(&self, key: &Key<Latents>, finished: &Finished) {
        if let Some(intermediates) = self.get() {
            intermediates.keep(key, &finished.write());
        }
    }
}

impl Finished {
    fn write(&self) -> Vec<u8> {
        // Texts can always be written.
        let warnings = serde_json::to_vec(&self.warnings).unwrap_or_default();
        let mut bytes = (warnings.len() as u32).to_le_bytes().to_vec();
        bytes.extend_from_slice(&warnings);
        bytes.extend(self.latents.iter().flat_map(|value| value.to_le_bytes()));
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (warnings, latents) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        let (values, left) = latents.as_chunks::<4>();
        let latents = values.iter().map(|value| f32::from_le_bytes(*value)).collect();
        left.is_empty().then_some(Self { latents, warnings: serde_json::from_slice(warnings).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_to_the_bit() {
        let finished = Finished { latents: vec![0.1, -3.5e-30, 7.0], warnings: vec!["cut \u{1F4A5}".to_owned()] };
        let bytes = finished.write();
        assert_eq!(Finished::read(&bytes), Some(finished));
        for end in 0..bytes.len() {
            let cut = Finished::read(&bytes[..end]);
            assert!(cut.is_none_or(|cut| cut.latents.len() < 3), "{end} bytes are not all of it");
        }
        assert_eq!(Finished::read(&[255; 40]), None);
    }
}
