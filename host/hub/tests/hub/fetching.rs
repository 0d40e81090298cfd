//! What is fetched, where it lies afterwards, and what is not asked again.

use std::fs;
use std::path::Path;

use difftest_hub::{Damage, Error, Hub, Settings};
use difftest_hub_loopback::Fault;

use crate::support::{CONFIG, Diary, LENGTH, MODEL, WEIGHTS, World, id, weights};

#[test]
fn files_lie_where_python_puts_them() {
    let world = World::new();
    let snapshot = world.fetch(&[CONFIG, WEIGHTS]).unwrap();
    let model = world.cache.path().join("models--acme--tiny");
    assert_eq!(snapshot.folder, model.join("snapshots").join(&world.commit));
    assert_eq!(fs::read_to_string(model.join("refs/main")).unwrap(), world.commit);
    assert_eq!(fs::read(snapshot.folder.join(WEIGHTS)).unwrap(), weights(LENGTH));
    assert_eq!(snapshot.files().unwrap(), [(CONFIG.to_owned(), 9), (WEIGHTS.to_owned(), LENGTH as u64)]);
    #[cfg(unix)]
    {
        let link = fs::read_link(snapshot.folder.join(WEIGHTS)).unwrap();
        let name = difftest_core::digest::Digest::of(&weights(LENGTH)).to_string();
        assert_eq!(link, Path::new("../../../blobs").join(&name));
        // printf '{"a": 1}\n' | git hash-object --stdin
        let link = fs::read_link(snapshot.folder.join(CONFIG)).unwrap();
        assert_eq!(link, Path::new("../../../blobs/cb5b2f69babc53f9145b45ad20b9a075d48717ef"));
        assert!(world.cache.path().join(".locks/models--acme--tiny").join(format!("{name}.lock")).is_file());
    }
    let tag = fs::read_to_string(world.cache.path().join("CACHEDIR.TAG")).unwrap();
    assert!(tag.starts_with("Signature: 8a477f597d28d172789f06886806bc55"));
    assert!(!world.incomplete().exists());
}

#[test]
fn what_is_there_is_not_fetched_again() {
    let world = World::new();
    world.fetch(&[CONFIG, WEIGHTS]).unwrap();
    world.hub.forget();
    world.fetch(&[CONFIG, WEIGHTS]).unwrap();
    assert_eq!(world.hub.requests().len(), 1, "one question about the commit, and no file");

    // another commit with the same weights: only what changed comes
    world.hub.commit(MODEL, "main", &[(CONFIG, b"{\"a\": 2}\n".to_vec()), (WEIGHTS, weights(LENGTH))]);
    world.hub.forget();
    let snapshot = world.fetch(&[CONFIG, WEIGHTS]).unwrap();
    assert_ne!(snapshot.commit, world.commit);
    assert!(world.ranges().is_empty(), "the weights were asked for again");
    assert_eq!(fs::read(snapshot.folder.join(WEIGHTS)).unwrap(), weights(LENGTH));
}

#[test]
fn revisions_are_branches_tags_and_commits() {
    let world = World::new();
    let other = world.hub.commit(MODEL, "refs/pr/1", &[(CONFIG, b"{}".to_vec())]);
    let client = world.client();
    let pull: difftest_hub::ModelId = "acme/tiny@refs/pr/1".parse().unwrap();
    let listing = client.list(&pull, &()).unwrap();
    assert_eq!(listing.commit, other);
    client.fetch(&listing, &[CONFIG], &()).unwrap();
    assert_eq!(client.cached(&pull).unwrap().commit, other);
    assert!(world.cache.path().join("models--acme--tiny/refs/refs/pr/1").is_file());
    let pinned = id().at(&world.commit).unwrap();
    client.fetch(&client.list(&pinned, &()).unwrap(), &[CONFIG], &()).unwrap();
    assert_eq!(client.cached(&pinned).unwrap().commit, world.commit);
    assert_eq!(client.cached(&id()), None, "a commit says nothing of the branch");
}

#[test]
fn offline_the_cache_answers_and_the_network_is_not_touched() {
    let world = World::new();
    world.fetch(&[CONFIG]).unwrap();
    world.hub.forget();
    let client = Hub::new(Settings { offline: Some("--offline".into()), ..world.settings() }).unwrap();
    assert_eq!(client.cached(&id()).unwrap().commit, world.commit);
    let error = client.list(&id(), &()).unwrap_err();
    assert!(matches!(error, Error::Offline { .. }), "{error}");
    assert!(error.hint().unwrap().contains("difftest model fetch acme/tiny"), "{error:?}");
    assert!(world.hub.requests().is_empty());
}

#[test]
fn a_listing_without_lengths_and_digests_is_completed_by_asking_for_each_file() {
    let world = World::new();
    world.hub.hide_details(MODEL);
    let snapshot = world.fetch(&[CONFIG, WEIGHTS]).unwrap();
    assert_eq!(fs::read(snapshot.folder.join(WEIGHTS)).unwrap(), weights(LENGTH));
    let heads = world.hub.requests().iter().filter(|request| request.method == "HEAD").count();
    assert!(heads >= 2);
}

#[test]
fn without_links_there_are_copies() {
    let world = World::new();
    let client = Hub::new(Settings { copies: true, ..world.settings() }).unwrap();
    let snapshot = world.fetch_with(&client, &[CONFIG, WEIGHTS], &()).unwrap();
    assert!(!snapshot.folder.join(WEIGHTS).is_symlink());
    assert_eq!(fs::read(snapshot.folder.join(WEIGHTS)).unwrap(), weights(LENGTH));
    world.hub.forget();
    world.fetch_with(&client, &[CONFIG, WEIGHTS], &()).unwrap();
    assert!(world.ranges().is_empty());
    // their digests are known to the listing alone
    let listing = client.list(&id(), &()).unwrap();
    assert!(client.check(&snapshot, Some(&listing), &mut |_, _| {}).unwrap().iter().all(|file| file.damage.is_none()));
    let without = client.check(&snapshot, None, &mut |_, _| {}).unwrap();
    assert!(without.iter().all(|file| file.damage == Some(Damage::Unnamed)));
}

#[test]
fn damage_in_the_cache_is_found_and_repaired() {
    let world = World::new();
    let client = world.client();
    let snapshot = world.fetch(&[CONFIG, WEIGHTS]).unwrap();
    let file = snapshot.folder.join(WEIGHTS);
    let mut changed = weights(LENGTH);
    changed[1_234_567] ^= 1;
    fs::write(&file, &changed).unwrap();
    let damaged: Vec<_> = client.check(&snapshot, None, &mut |_, _| {}).unwrap();
    let damaged: Vec<_> = damaged.into_iter().filter(|file| file.damage.is_some()).collect();
    assert_eq!(damaged.len(), 1);
    assert!(damaged[0].path == WEIGHTS && matches!(damaged[0].damage, Some(Damage::Content { .. })), "{damaged:?}");
    client.discard(&snapshot, WEIGHTS).unwrap();
    world.fetch(&[CONFIG, WEIGHTS]).unwrap();
    assert_eq!(fs::read(&file).unwrap(), weights(LENGTH));

    // a length that is not the listed one is noticed without a check
    fs::write(&file, b"short").unwrap();
    world.fetch(&[CONFIG, WEIGHTS]).unwrap();
    assert_eq!(fs::read(&file).unwrap(), weights(LENGTH));
}

#[test]
fn progress_is_told_and_adds_up() {
    let world = World::new();
    let diary = Diary::default();
    world.fetch_with(&world.client(), &[CONFIG, WEIGHTS], &diary).unwrap();
    assert!(diary.says(&format!("Begin {{ model: \"acme/tiny\", files: 2, bytes: {} }}", LENGTH + 9)));
    assert!(diary.says(&format!("Bytes {{ file: \"{WEIGHTS}\", done: {LENGTH} }}")));
    assert!(diary.says(&format!("Done {{ file: \"{WEIGHTS}\" }}")));
}

#[test]
fn what_fetching_would_take_is_known_before() {
    let world = World::new();
    let client = world.client();
    let listing = client.list(&id(), &()).unwrap();
    let wanted = client.wanted(&listing, &[CONFIG, WEIGHTS]);
    assert_eq!((wanted.files, wanted.missing.len(), wanted.to_come), (2, 2, LENGTH as u64 + 9));
    world.hub.fault("/storage/", 9, Fault::Cut(1_000_000 / 8));
    client.fetch(&listing, &[CONFIG, WEIGHTS], &()).unwrap_err();
    let there = fs::metadata(world.incomplete()).unwrap().len();
    assert!(there > 0);
    let wanted = client.wanted(&listing, &[CONFIG, WEIGHTS]);
    assert_eq!((wanted.missing.len(), wanted.to_come), (1, LENGTH as u64 - there));
}
