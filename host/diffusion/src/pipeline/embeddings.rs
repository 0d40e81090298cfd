//! Prompt embeddings that were computed before: the cases of a suite share their prompts, and all share the empty one.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Memory for embeddings, in values: 64 MiB.
const CAPACITY: usize = 16 << 20;

/// A cache by token ids that forgets the oldest entries.
#[derive(Default)]
pub(super) struct Embeddings(Mutex<Store>);

#[derive(Default)]
struct Store {
    known: HashMap<Arc<[i64]>, Arc<[f32]>>,
    order: VecDeque<Arc<[i64]>>,
    values: usize,
}

impl Embeddings {
    /// The embedding of `ids`, from `compute` the first time. Two threads that ask at once may both compute: they get the same.
    pub(super) fn get<E>(
        &self,
        ids: Vec<i64>,
        compute: impl FnOnce(&[i64]) -> Result<Vec<f32>, E>,
    ) -> Result<Arc<[f32]>, E> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().known.get(ids.as_slice()) {
            return Ok(Arc::clone(known));
        }
        let embedding: Arc<[f32]> = compute(&ids)?.into();
        let mut store = lock();
        let ids: Arc<[i64]> = ids.into();
        if store.known.insert(Arc::clone(&ids), Arc::clone(&embedding)).is_none() {
            store.order.push_back(ids);
            store.values += embedding.len();
        }
        while store.values > CAPACITY {
            let Some(oldest) = store.order.pop_front() else { break };
            store.values -= store.known.remove(&oldest).map_or(0, |embedding| embedding.len());
        }
        Ok(embedding)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn computes_once_and_forgets_the_oldest() {
        let cache = Embeddings::default();
        let mut computed = 0;
        let mut ask = |id: i64| {
            let found = cache.get(vec![id], |ids| {
                computed += 1;
                Ok::<_, ()>(vec![ids[0] as f32; CAPACITY / 4])
            });
            assert_eq!(found.unwrap()[0], id as f32);
            computed
        };
        assert_eq!([ask(1), ask(1), ask(2), ask(1)], [1, 1, 2, 2]);
        // the fifth different one pushes the first out
        assert_eq!([ask(3), ask(4), ask(5), ask(2), ask(1)], [3, 4, 5, 5, 6]);
    }
}
