//! Several processes and one cache.

use std::fs::{self, File};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use difftest_hub::{Event, Observer};
use difftest_hub_loopback::Fault;

use crate::support::{CONFIG, LENGTH, WEIGHTS, World, weights};

/// Notes that somebody else holds the lock.
#[derive(Default)]
struct Waiting(AtomicBool);

impl Observer for Waiting {
    fn event(&self, event: Event<'_>) {
        if matches!(event, Event::Locked { .. }) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
}

#[test]
fn a_file_that_somebody_else_fetches_is_waited_for_and_used() {
    let world = World::new();
    // what another process does: it holds the lock, and has the blob in the end
    let name = difftest_core::digest::Digest::of(&weights(LENGTH)).to_string();
    let locks = world.cache.path().join(".locks/models--acme--tiny");
    let blobs = world.cache.path().join("models--acme--tiny/blobs");
    fs::create_dir_all(&locks).unwrap();
    fs::create_dir_all(&blobs).unwrap();
    let lock = File::create(locks.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    let waiting = Waiting::default();
    std::thread::scope(|scope| {
        let fetch = scope.spawn(|| world.fetch_with(&world.client(), &[WEIGHTS], &waiting));
        while !waiting.0.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        fs::write(blobs.join(&name), weights(LENGTH)).unwrap();
        lock.unlock().unwrap();
        fetch.join().unwrap().unwrap();
    });
    assert!(world.ranges().is_empty(), "it was fetched twice");
}

#[test]
fn two_at_once_fetch_each_file_once() {
    let world = World::new();
    world.hub.fault("/storage/", 1, Fault::Cut(1_000_000));
    std::thread::scope(|scope| {
        let both: Vec<_> = (0..2).map(|_| scope.spawn(|| world.fetch(&[CONFIG, WEIGHTS]))).collect();
        for one in both {
            one.join().unwrap().unwrap();
        }
    });
    let sent: usize =
        world.hub.requests().iter().filter(|request| request.to_storage).map(|request| request.sent).sum();
    assert_eq!(sent, LENGTH);
}
