//! Memory for what networks compute: blocks of the system, kept when they are given back and handed out again.
//!
//! The runtime's own arena grows in regions that double, and what does not fit into the rest of a region is a hole: a decoder that has
//! 0.65 GB in use at its peak takes 1.1 GB. Here each block is as large as was asked for, so there are no holes; a block that comes back
//! waits for somebody who wants about that much, and the longest waiting ones go back to the system as soon as all together would be
//! more than was ever in use at once, and [`SPARE`]. So memory is at most that, and the steps of a run, which ask for the same
//! sizes again and again, find what they need. All sessions share the blocks: what a network is done with, the next one computes in.
//!
//! Invariants: a block is either in use or waiting; all blocks together are at most `most + SPARE` bytes, where `most` is the largest sum
//! of those in use so far.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use memmap2::MmapMut;

/// Bytes that may wait beyond what was in use at once: small networks keep all they have.
pub(crate) const SPARE: usize = 64 << 20;
/// A waiting block serves who wants at least so much of it, as a part: 7 of 8.
const FIT: usize = 8;
/// Blocks of this size on are given to the system's huge pages, where it has them: fewer faults when they are first written.
const HUGE: usize = 4 << 20;
/// What sizes are rounded up to.
const PAGE: usize = 4096;

/// The blocks of a process.
#[derive(Debug, Default)]
pub(super) struct Blocks(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// By address.
    used: HashMap<usize, MmapMut>,
    used_bytes: usize,
    /// The most that was in use at once.
    most: usize,
    /// By length, and then by how long they have waited.
    waiting: BTreeMap<(usize, u64), MmapMut>,
    waiting_bytes: usize,
    /// Counts what was given back.
    clock: u64,
}

impl Blocks {
    /// The address of a block of at least `length` bytes, whose content is anything.
    ///
    /// # Errors
    /// The system has no more memory.
    pub(super) fn take(&self, length: usize) -> io::Result<*mut u8> {
        let length = length.checked_next_multiple_of(PAGE).ok_or(io::ErrorKind::OutOfMemory)?;
        let found = self.lock().fitting(length);
        let block = match found {
            Ok(block) => block,
            Err(surplus) => {
                // before the new one, so that both are never there at once
                drop(surplus);
                self.map(length)?
            }
        };
        Ok(self.lock().put_to_use(block))
    }

    /// Takes a block back; `false` where the address is none of a block in use.
    pub(super) fn give_back(&self, address: *mut u8) -> bool {
        let mut state = self.lock();
        let Some(block) = state.used.remove(&(address as usize)) else { return false };
        state.used_bytes -= block.len();
        state.waiting_bytes += block.len();
        state.clock += 1;
        let place = (block.len(), state.clock);
        state.waiting.insert(place, block);
        true
    }

    /// A new block. Where the system has no more, it gets back all that wait before it is asked once more.
    fn map(&self, length: usize) -> io::Result<MmapMut> {
        let block = MmapMut::map_anon(length).or_else(|_| {
            let waiting = self.lock().all_waiting();
            drop(waiting);
            MmapMut::map_anon(length)
        })?;
        #[cfg(target_os = "linux")]
        if length >= HUGE {
            // a hint: a system without huge pages refuses it
            let _ = block.advise(memmap2::Advice::HugePage);
        }
        Ok(block)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A waiting block of about that length; or else those that have to go before there may be a new one.
    fn fitting(&mut self, length: usize) -> Result<MmapMut, Vec<MmapMut>> {
        let largest = length.saturating_add(length / (FIT - 1));
        let found = self.waiting.range((length, 0)..=(largest, u64::MAX)).next().map(|(&place, _)| place);
        if let Some(block) = found.and_then(|place| self.waiting.remove(&place)) {
            self.waiting_bytes -= block.len();
            return Ok(block);
        }
        let used = self.used_bytes.saturating_add(length);
        let limit = self.most.max(used).saturating_add(SPARE);
        let mut surplus = Vec::new();
        while used.saturating_add(self.waiting_bytes) > limit {
            let longest = self.waiting.keys().copied().min_by_key(|&(_, since)| since);
            let Some(block) = longest.and_then(|place| self.waiting.remove(&place)) else { break };
            self.waiting_bytes -= block.len();
            surplus.push(block);
        }
        Err(surplus)
    }

    fn put_to_use(&mut self, mut block: MmapMut) -> *mut u8 {
        let address = block.as_mut_ptr();
        self.used_bytes += block.len();
        self.most = self.most.max(self.used_bytes);
        self.used.insert(address as usize, block);
        address
    }

    fn all_waiting(&mut self) -> BTreeMap<(usize, u64), MmapMut> {
        self.waiting_bytes = 0;
        std::mem::take(&mut self.waiting)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MB: usize = 1 << 20;

    fn bytes(blocks: &Blocks) -> (usize, usize) {
        let state = blocks.lock();
        assert_eq!(state.used_bytes, state.used.values().map(|block| block.len()).sum::<usize>());
        assert_eq!(state.waiting_bytes, state.waiting.values().map(|block| block.len()).sum::<usize>());
        assert!(state.used_bytes + state.waiting_bytes <= state.most + SPARE);
        (state.used_bytes, state.waiting_bytes)
    }

    #[test]
    fn what_comes_back_is_handed_out_again_to_who_wants_about_that_much() {
        let blocks = Blocks::default();
        let first = blocks.take(8 * MB).unwrap();
        let second = blocks.take(8 * MB - 1).unwrap();
        assert_ne!(first, second);
        assert!(blocks.give_back(first));
        assert_eq!(bytes(&blocks), (8 * MB, 8 * MB));
        // Half of it would waste the other half, and more does not fit.
        let (half, more) = (blocks.take(4 * MB).unwrap(), blocks.take(9 * MB).unwrap());
        assert!(half != first && more != first);
        assert_eq!(blocks.take(7 * MB + MB / 2).unwrap(), first);
        assert_eq!(bytes(&blocks), (29 * MB, 0));
    }

    #[test]
    fn an_address_that_is_none_is_not_taken_back() {
        let blocks = Blocks::default();
        let block = blocks.take(1).unwrap();
        assert!(!blocks.give_back(block.wrapping_add(1)));
        assert!(blocks.give_back(block));
        assert!(!blocks.give_back(block), "it has been given back");
        assert_eq!(bytes(&blocks), (0, PAGE));
    }

    #[test]
    fn blocks_never_are_more_than_was_in_use_at_once_and_the_spare() {
        let blocks = Blocks::default();
        // Each length fits none of those before, so without the limit all of them would wait.
        for length in (1..40).map(|step| step * step * MB / 8) {
            let block = blocks.take(length).unwrap();
            assert!(blocks.give_back(block));
            bytes(&blocks);
        }
        let (used, waiting) = bytes(&blocks);
        assert_eq!(used, 0);
        assert!(waiting >= 39 * 39 * MB / 8, "the last one waits");
    }

    #[test]
    fn those_that_waited_longest_go_first() {
        let blocks = Blocks::default();
        let old = blocks.take(60 * MB).unwrap();
        let young = blocks.take(20 * MB).unwrap();
        assert!(blocks.give_back(old) && blocks.give_back(young));
        // 80 wait, and 64 may be spare beside the 90 that are then in use at once: the old one goes.
        let large = blocks.take(90 * MB).unwrap();
        assert_eq!(bytes(&blocks), (90 * MB, 20 * MB));
        assert_eq!(blocks.take(20 * MB).unwrap(), young);
        assert!(blocks.give_back(large));
    }

    #[test]
    fn memory_that_no_system_has_is_an_error_and_nothing_is_lost() {
        let blocks = Blocks::default();
        let block = blocks.take(MB).unwrap();
        assert!(blocks.take(usize::MAX).is_err());
        assert!(blocks.take(usize::MAX / 2).is_err());
        assert!(blocks.give_back(block));
    }

    #[test]
    fn threads_get_blocks_of_their_own() {
        let blocks = Blocks::default();
        std::thread::scope(|scope| {
            for thread in 0..4_u8 {
                let blocks = &blocks;
                scope.spawn(move || {
                    for round in 1..200_usize {
                        let length = (round * 7919) % (3 * MB) + 1;
                        let block = blocks.take(length).unwrap();
                        #[expect(unsafe_code, reason = "the block is this thread's")]
                        // SAFETY: the block has `length` bytes, and nobody else has it.
                        let content = unsafe { std::slice::from_raw_parts_mut(block, length) };
                        content.fill(thread);
                        std::thread::yield_now();
                        assert!(content.iter().all(|&byte| byte == thread));
                        assert!(blocks.give_back(block));
                    }
                });
            }
        });
        assert_eq!(bytes(&blocks).0, 0);
    }
}
