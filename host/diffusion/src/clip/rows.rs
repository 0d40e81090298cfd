//! Rows that are computed once, however many threads ask for them at the same time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A row of numbers, shared.
pub(super) type Row = Arc<[f32]>;

/// Rows by key, at most a number of them. A key that one thread is computing is waited for by the others; when that thread fails,
/// one of those that wait computes it itself, so an error is told to each who asked and never kept.
pub(super) struct Rows<K> {
    most: usize,
    slots: Mutex<HashMap<K, Slot>>,
    changed: Condvar,
}

enum Slot {
    Ready(Row),
    Busy,
}

impl<K: Clone + Eq + Hash> Rows<K> {
    /// No rows, and never more than `most`.
    pub(super) fn new(most: usize) -> Self {
        Self { most, slots: Mutex::default(), changed: Condvar::new() }
    }

    /// The row of each key, in order. Those that nobody has asked for yet are computed by `compute`, which gets the indices of their
    /// first occurrence, at most `batch` in one call, and gives one row for each.
    ///
    /// # Errors
    /// The first error of `compute`.
    pub(super) fn get<E>(
        &self,
        keys: &[K],
        batch: usize,
        compute: impl Fn(&[usize]) -> Result<Vec<Row>, E>,
    ) -> Result<Vec<Row>, E> {
        let mut rows: Vec<Option<Row>> = vec![None; keys.len()];
        loop {
            let mine = self.claim(keys, &mut rows);
            if mine.is_empty() {
                break;
            }
            let mut claimed = Claimed { rows: self, keys: mine.iter().map(|&index| keys[index].clone()).collect() };
            for indices in mine.chunks(batch.max(1)) {
                claimed.publish(compute(indices)?);
            }
        }
        Ok(rows.into_iter().flatten().collect())
    }

    /// Fills in what is there, waits for what others compute, and answers the indices that this thread has to compute. Returns as
    /// soon as there is something to compute: nobody waits while others wait for them.
    fn claim(&self, keys: &[K], rows: &mut [Option<Row>]) -> Vec<usize> {
        let mut slots = self.lock();
        loop {
            let (mut mine, mut waiting) = (Vec::new(), false);
            for (index, (key, row)) in
                keys.iter().zip(rows.iter_mut()).enumerate().filter(|(_, (_, row))| row.is_none())
            {
                match slots.get(key) {
                    Some(Slot::Ready(ready)) => *row = Some(Arc::clone(ready)),
                    Some(Slot::Busy) => waiting = true,
                    None => mine.push(index),
                }
            }
            if !mine.is_empty() {
                // A key that is there twice is computed once.
                mine.retain(|&index| slots.insert(keys[index].clone(), Slot::Busy).is_none());
                return mine;
            }
            if !waiting {
                return mine;
            }
            slots = self.changed.wait(slots).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keys that this thread is computing, in the order it does. What is left of them when it fails is for whoever asks next.
struct Claimed<'a, K: Clone + Eq + Hash> {
    rows: &'a Rows<K>,
    keys: Vec<K>,
}

impl<K: Clone + Eq + Hash> Claimed<'_, K> {
    /// The rows of the next keys.
    fn publish(&mut self, computed: Vec<Row>) {
        let mut slots = self.rows.lock();
        if slots.len() > self.rows.most {
            slots.retain(|_, slot| matches!(slot, Slot::Busy));
        }
        for (key, row) in self.keys.drain(..computed.len()).zip(computed) {
            slots.insert(key, Slot::Ready(row));
        }
        drop(slots);
        self.rows.changed.notify_all();
    }
}

impl<K: Clone + Eq + Hash> Drop for Claimed<'_, K> {
    fn drop(&mut self) {
        let mut slots = self.rows.lock();
        for key in &self.keys {
            slots.remove(key);
        }
        drop(slots);
        self.rows.changed.notify_all();
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    fn row(key: u32) -> Row {
        Arc::from([key as f32])
    }

    #[test]
    fn many_threads_compute_each_row_once() {
        let rows = Rows::new(1000);
        let computed = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for offset in 0..8_u32 {
                let (rows, computed) = (&rows, &computed);
                scope.spawn(move || {
                    let keys: Vec<u32> = (0..20).map(|i| (i + offset * 3) % 20).chain([5, 5]).collect();
                    let got = rows.get(&keys, 4, |indices| {
                        assert!(indices.len() <= 4);
                        std::thread::sleep(Duration::from_millis(1));
                        computed.fetch_add(indices.len(), Ordering::Relaxed);
                        Ok::<_, ()>(indices.iter().map(|&index| row(keys[index])).collect())
                    });
                    assert_eq!(got.unwrap(), keys.iter().map(|&key| row(key)).collect::<Vec<_>>());
                });
            }
        });
        assert_eq!(computed.into_inner(), 20);
    }

    #[test]
    fn a_failure_is_told_and_not_kept() {
        let rows = Rows::new(10);
        let second_fails = |indices: &[usize]| if indices == [0] { Ok(vec![row(0)]) } else { Err("broken") };
        assert_eq!(rows.get(&[0, 1, 2], 1, second_fails), Err("broken"));
        let got = rows.get(&[1, 2], 8, |indices| Ok::<_, ()>(indices.iter().map(|&i| row(i as u32)).collect()));
        assert_eq!(got.unwrap().len(), 2);
        let panics = std::panic::AssertUnwindSafe(|| rows.get(&[3], 1, |_| -> Result<Vec<Row>, ()> { panic!("bug") }));
        std::panic::catch_unwind(panics).unwrap_err();
        assert_eq!(rows.get(&[3], 1, |_| Ok::<_, ()>(vec![row(3)])).unwrap(), [row(3)]);
    }

    #[test]
    fn the_number_of_rows_is_bounded() {
        let rows = Rows::new(10);
        for key in 0..100 {
            rows.get(&[key], 1, |_| Ok::<_, ()>(vec![row(key)])).unwrap();
        }
        assert!(rows.lock().len() <= 11);
    }
}
