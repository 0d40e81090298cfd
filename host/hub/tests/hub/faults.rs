//! Connections that break, servers that are busy, and contents that are not what they should be.

use std::fs;
use std::time::{Duration, Instant};

use difftest_hub::{Error, Hub, Settings};
use difftest_hub_loopback::{Fault, Loopback};

use crate::support::{CONFIG, Diary, LENGTH, MODEL, WEIGHTS, World, id, weights};

/// Bytes of bodies that the storage server sent.
fn sent(world: &World) -> usize {
    world.hub.requests().iter().filter(|request| request.to_storage).map(|request| request.sent).sum()
}

#[test]
fn a_connection_that_breaks_is_continued_from_there() {
    let world = World::new();
    world.hub.fault("/storage/", 1, Fault::Cut(1_000_000));
    let diary = Diary::default();
    let snapshot = world.fetch_with(&world.client(), &[WEIGHTS], &diary).unwrap();
    assert_eq!(fs::read(snapshot.folder.join(WEIGHTS)).unwrap(), weights(LENGTH));
    assert_eq!(world.ranges(), [None, Some("bytes=1000000-".into())]);
    assert_eq!(sent(&world), LENGTH, "bytes were sent twice");
    assert!(diary.says("Again"));
}

#[test]
fn another_process_goes_on_where_one_was_stopped() {
    let world = World::new();
    world.hub.fault("/storage/", 3, Fault::Cut(500_000));
    let error = world.fetch(&[WEIGHTS]).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::CutOff { got: 1_500_000, expected: 3_000_000, .. }), "{text}");
    assert_eq!(fs::metadata(world.incomplete()).unwrap().len(), 1_500_000);
    assert!(world.client().cached(&id()).is_none(), "an unfinished model has no name");
    world.hub.forget();
    let diary = Diary::default();
    world.fetch_with(&world.client(), &[WEIGHTS], &diary).unwrap();
    assert_eq!(world.ranges(), [Some("bytes=1500000-".into())]);
    assert_eq!(sent(&world), LENGTH - 1_500_000);
    assert!(diary.says("there: 1500000"));
}

#[test]
fn connections_that_bring_much_may_break_often() {
    let world = World::new();
    // six breaks, and only three tries without progress
    let large = weights(9_000_000);
    world.hub.commit(MODEL, "main", &[(WEIGHTS, large.clone())]);
    world.hub.fault("/storage/", 6, Fault::Cut(1_200_000));
    let snapshot = world.fetch(&[WEIGHTS]).unwrap();
    assert!(fs::read(snapshot.folder.join(WEIGHTS)).unwrap() == large);
}

#[test]
fn a_server_without_ranges_sends_everything_again() {
    let world = World::new();
    world.hub.fault("/storage/", 1, Fault::Cut(1_000_000));
    world.hub.fault("/storage/", 9, Fault::NoRange);
    let snapshot = world.fetch(&[WEIGHTS]).unwrap();
    assert_eq!(fs::read(snapshot.folder.join(WEIGHTS)).unwrap(), weights(LENGTH));
}

#[test]
fn left_over_bytes_that_are_wrong_are_thrown_away_once() {
    let world = World::new();
    for garbage in [vec![7; 1_000_000], vec![7; LENGTH], vec![7; LENGTH + 1]] {
        fs::create_dir_all(world.incomplete().parent().unwrap()).unwrap();
        fs::write(world.incomplete(), &garbage).unwrap();
        let snapshot = world.fetch(&[WEIGHTS]).unwrap();
        assert_eq!(fs::read(snapshot.folder.join(WEIGHTS)).unwrap(), weights(LENGTH));
        world.client().discard(&snapshot, WEIGHTS).unwrap();
    }
}

#[test]
fn a_range_that_cannot_be_is_started_over() {
    let world = World::new();
    fs::create_dir_all(world.incomplete().parent().unwrap()).unwrap();
    fs::write(world.incomplete(), &weights(LENGTH)[..1000]).unwrap();
    world.hub.fault("/storage/", 1, Fault::Status(416, Vec::new()));
    let snapshot = world.fetch(&[WEIGHTS]).unwrap();
    assert_eq!(fs::read(snapshot.folder.join(WEIGHTS)).unwrap(), weights(LENGTH));
    assert_eq!(world.ranges(), [Some("bytes=1000-".into()), None]);
}

#[test]
fn another_part_than_asked_for_is_refused() {
    let world = World::new();
    fs::create_dir_all(world.incomplete().parent().unwrap()).unwrap();
    fs::write(world.incomplete(), &weights(LENGTH)[..1000]).unwrap();
    world.hub.fault("/storage/", 1, Fault::Header("content-range".into(), "bytes 999-2999999/3000000".into()));
    // the header is set before the range is cut, so both are there, and the first counts
    let error = world.fetch(&[WEIGHTS]).unwrap_err();
    assert!(error.to_string().contains("another part"), "{error}");
}

#[test]
fn other_bytes_are_refused_and_leave_nothing_behind() {
    let world = World::new();
    let mut altered = weights(LENGTH);
    altered[LENGTH - 1] ^= 1;
    world.hub.fault("/storage/", 9, Fault::Body(altered));
    let error = world.fetch(&[WEIGHTS]).unwrap_err();
    assert!(matches!(error, Error::WrongContent { .. }), "{error}");
    let model = world.cache.path().join("models--acme--tiny");
    assert_eq!(fs::metadata(world.incomplete()).map_or(0, |file| file.len()), 0);
    assert!(!model.join("snapshots").join(&world.commit).join(WEIGHTS).exists());
    // small files have git's digest
    world.hub.fault("resolve-cache", 9, Fault::Body(b"{\"a\": 9}\n".to_vec()));
    let error = world.fetch(&[CONFIG]).unwrap_err();
    assert!(matches!(error, Error::WrongContent { .. }), "{error}");
}

#[test]
fn another_length_is_refused() {
    for body in [weights(LENGTH - 1), weights(LENGTH + 1)] {
        let world = World::new();
        world.hub.fault("/storage/", 1, Fault::Body(body));
        let error = world.fetch(&[WEIGHTS]).unwrap_err();
        assert!(matches!(error, Error::WrongSize { .. }), "{error}");
    }
    let world = World::new();
    world.hub.fault("/storage/", 1, Fault::Endless);
    let error = world.fetch(&[WEIGHTS]).unwrap_err();
    assert!(matches!(error, Error::WrongSize { ref sent, .. } if sent == "more"), "{error}");
}

#[test]
fn a_content_that_changed_since_it_was_listed_is_refused() {
    let world = World::new();
    let etag = format!("\"{}\"", difftest_core::digest::Digest::of(b"other"));
    world.hub.fault("/resolve/", 1, Fault::Header("X-Linked-Etag".into(), etag));
    let error = world.fetch(&[WEIGHTS]).unwrap_err();
    assert!(matches!(error, Error::WrongContent { .. }), "{error}");
    assert_eq!(fs::metadata(world.incomplete()).map_or(0, |file| file.len()), 0, "something of it was kept");
}

#[test]
fn a_hub_that_is_busy_is_left_alone_for_as_long_as_it_asks() {
    let world = World::new();
    world.hub.fault("/revision/", 1, Fault::Status(429, vec![("Retry-After".into(), "1".into())]));
    world.hub.fault("/storage/", 1, Fault::Status(503, Vec::new()));
    world.hub.fault("/storage/", 1, Fault::Status(500, Vec::new()));
    let began = Instant::now();
    world.fetch(&[WEIGHTS]).unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1));

    // longer than anyone would wait
    world.hub.fault("/revision/", 1, Fault::Status(429, vec![("Retry-After".into(), "7200".into())]));
    world.hub.forget();
    let error = world.fetch(&[WEIGHTS]).unwrap_err();
    assert!(matches!(error, Error::Busy { after: Some(after), .. } if after.as_secs() == 7200), "{error}");
    assert_eq!(world.hub.requests().len(), 1);
    // a date, and the hub's own header
    let past = ("Retry-After".to_owned(), "Wed, 21 Oct 2015 07:28:00 GMT".to_owned());
    world.hub.fault("/revision/", 1, Fault::Status(429, vec![past]));
    let limit = ("RateLimit".to_owned(), "\"api\";r=0;t=1".to_owned());
    world.hub.fault("/revision/", 1, Fault::Status(429, vec![limit]));
    world.fetch(&[WEIGHTS]).unwrap();
}

#[test]
fn a_hub_that_stays_broken_is_given_up() {
    let world = World::new();
    world.hub.fault("/revision/", 99, Fault::Status(502, Vec::new()));
    let error = world.fetch(&[WEIGHTS]).unwrap_err();
    assert!(matches!(error, Error::Status { status: 502, .. }) && error.is_unreachable(), "{error}");
    assert_eq!(world.hub.requests().len(), 3, "tried as often as it should be");
}

#[test]
fn silence_stalls_and_drops_end() {
    let world = World::new();
    world.hub.fault("/revision/", 99, Fault::Silent);
    let began = Instant::now();
    let error = world.fetch(&[WEIGHTS]).unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    assert!(began.elapsed() < Duration::from_secs(8));

    // what came before it stalled is kept
    let world = World::new();
    world.hub.fault("/storage/", 1, Fault::Stall(2_000_000));
    world.fetch(&[WEIGHTS]).unwrap();
    assert_eq!(world.ranges(), [None, Some("bytes=2000000-".into())]);

    let world = World::new();
    world.hub.fault("/storage/", 99, Fault::Drip(Duration::from_millis(20)));
    let began = Instant::now();
    let error = world.fetch(&[WEIGHTS]).unwrap_err();
    assert!(error.is_unreachable(), "{error}");
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn an_answer_without_end_is_not_read_to_its_end() {
    let world = World::new();
    world.hub.fault("/revision/", 1, Fault::Endless);
    let error = world.fetch(&[WEIGHTS]).unwrap_err();
    assert!(matches!(error, Error::TooLong { .. }), "{error}");
    world.hub.fault("/revision/", 1, Fault::Header("content-length".into(), "99999999999".into()));
    let error = world.fetch(&[WEIGHTS]).unwrap_err();
    assert!(matches!(error, Error::TooLong { .. }), "{error}");
    world.hub.fault("/revision/", 1, Fault::Body(b"<html>captive portal</html>".to_vec()));
    let error = world.fetch(&[WEIGHTS]).unwrap_err();
    assert!(matches!(error, Error::Protocol { .. }), "{error}");
}

#[test]
fn a_mirror_is_asked_only_where_one_is_named() {
    let world = World::new();
    let mirror = Loopback::start();
    mirror.commit(MODEL, "main", &[(WEIGHTS, weights(LENGTH)), (CONFIG, b"{}".to_vec())]);
    world.hub.fault("/", 99, Fault::Status(503, Vec::new()));
    world.fetch(&[CONFIG]).unwrap_err();
    assert!(mirror.requests().is_empty());

    let settings =
        Settings { fallback: Some(mirror.url()), token: difftest_hub::Token::new("hf_secret"), ..world.settings() };
    let diary = Diary::default();
    world.fetch_with(&Hub::new(settings).unwrap(), &[CONFIG, WEIGHTS], &diary).unwrap();
    assert!(diary.says("Fallback") && diary.says(mirror.url().trim_start_matches("http://")));
    assert!(mirror.requests().iter().all(|request| request.header("authorization").is_none()));

    // a refusal is an answer: nobody else is asked
    let world = World::new();
    world.hub.make_private(MODEL, "hf_other");
    mirror.forget();
    let settings = Settings { fallback: Some(mirror.url()), ..world.settings() };
    let error = world.fetch_with(&Hub::new(settings).unwrap(), &[CONFIG], &()).unwrap_err();
    assert!(matches!(error, Error::NoModel { .. }), "{error}");
    assert!(mirror.requests().is_empty());
}
