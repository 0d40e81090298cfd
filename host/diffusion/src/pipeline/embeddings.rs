//! What text encoders made of prompts before: the cases of a suite share their prompts, and all share the empty one.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use crate::models::TextFeatures;

/// Memory for embeddings, in values: 512 MiB, some 800 prompts of Stable Diffusion XL.
const CAPACITY: usize = 128 << 20;

/// A cache that forgets the oldest entries.
pub(super) struct Embeddings<K> {
    store: Mutex<Store<K>>,
    capacity: usize,
}

struct Store<K> {
    known: HashMap<Arc<K>, Arc<TextFeatures>>,
    order: VecDeque<Arc<K>>,
    values: usize,
}

impl<K: Eq + Hash> Default for Embeddings<K> {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl<K: Eq + Hash> Embeddings<K> {
    fn with_capacity(capacity: usize) -> Self {
        Self { store: Mutex::new(Store { known: HashMap::new(), order: VecDeque::new(), values: 0 }), capacity }
    }

    /// What belongs to `key`, from `compute` the first time. Two threads that ask at once may both compute: they get the same.
    pub(super) fn get<E>(
        &self,
        key: K,
        compute: impl FnOnce(&K) -> Result<TextFeatures, E>,
    ) -> Result<Arc<TextFeatures>, E> {
        let lock = || self.store.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().known.get(&key) {
            return Ok(Arc::clone(known));
        }
        let features = Arc::new(compute(&key)?);
        let mut store = lock();
        let key = Arc::new(key);
        if store.known.insert(Arc::clone(&key), Arc::clone(&features)).is_none() {
            store.order.push_back(key);
            store.values += values(&features);
        }
        while store.values > self.capacity {
            let Some(oldest) = store.order.pop_front() else { break };
            store.values -= store.known.remove(&oldest).map_or(0, |features| values(&features));
        }
        Ok(features)
    }

    /// Whether another `more` values fit without forgetting any.
    pub(super) fn has_room(&self, more: usize) -> bool {
        self.store.lock().unwrap_or_else(PoisonError::into_inner).values + more <= self.capacity
    }
}

fn values(features: &TextFeatures) -> usize {
    features.hidden.len() + features.pooled.as_ref().map_or(0, Vec::len)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn computes_once_and_forgets_the_oldest() {
        let cache = Embeddings::with_capacity(16);
        let mut computed = 0;
        let mut ask = |id: i64| {
            let found = cache.get(id, |id| {
                computed += 1;
                Ok::<_, ()>(TextFeatures { hidden: vec![*id as f32; 3], pooled: Some(vec![0.0]) })
            });
            assert_eq!(found.unwrap().hidden[0], id as f32);
            computed
        };
        assert_eq!([ask(1), ask(1), ask(2), ask(1)], [1, 1, 2, 2]);
        // the fifth different one pushes the first out
        assert_eq!([ask(3), ask(4), ask(5), ask(2), ask(1)], [3, 4, 5, 5, 6]);
    }
}
