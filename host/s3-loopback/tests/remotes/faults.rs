//! What happens on the way, and to what is stored.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use difftest_remote::store::Put;
use difftest_remote::{Error, unwatched};

use crate::proxy::{Fault, Proxy};
use crate::server::Who;
use crate::{author, recording, remote, start};

const SHARD: &str = "shard-01-of-01";
const PIECE: usize = difftest_remote::file::PIECE;

#[test]
fn a_server_killed_in_an_upload_has_nothing_half_and_the_next_push_completes_it() {
    let mut server = start();
    let folder = tempfile::tempdir().unwrap();
    let path = recording(folder.path(), "r", 3 * PIECE + 77);
    // of the four pieces, the last arrives and the others break off in the middle
    let proxy = Proxy::start(&server.address, |method, path, _| {
        if method == "PUT" && path.contains("/cas/") { Fault::Hold(1 << 20) } else { Fault::None }
    });
    let address = proxy.address.clone();
    let pushing = std::thread::spawn({
        let path = path.clone();
        move || remote(&address, Who::Writer).push_recording("g", SHARD, &path, &author(), &mut unwatched)
    });
    let began = Instant::now();
    while proxy.count("PUT", "/cas/") < 4 {
        assert!(began.elapsed() < Duration::from_secs(60) && !pushing.is_finished());
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(300));
    server.kill();
    let error = pushing.join().unwrap().unwrap_err();
    assert!(matches!(&error, Error::Unreachable { .. }), "{error:?}");

    server.restart();
    let reader = remote(&server.address, Who::Reader);
    assert!(matches!(reader.recordings(None), Err(Error::Missing { .. })), "nothing points to what is not there");
    let there = reader.list("cas/").unwrap();
    assert_eq!(there.len(), 1, "{there:?}");
    for key in &there {
        let bytes = std::fs::read(server.object(&format!("project/{key}"))).unwrap();
        assert!(key.ends_with(&difftest_remote::blob::BlobId::of(&bytes).to_string()), "{key} is whole");
    }
    let proxy = Proxy::start(&server.address, |_, _, _| Fault::None);
    let (_, put) =
        remote(&proxy.address, Who::Writer).push_recording("g", SHARD, &path, &author(), &mut unwatched).unwrap();
    assert_eq!(put, Put::Made);
    assert_eq!(proxy.count("PUT", "/cas/"), 4, "three pieces and the manifest: the fourth piece was there");
    let into = tempfile::tempdir().unwrap();
    let pulled = reader.pull_recordings(Some("g"), into.path(), &mut unwatched).unwrap();
    assert!(std::fs::read(pulled[0].path.as_ref().unwrap()).unwrap() == std::fs::read(&path).unwrap());
}

#[test]
fn a_corrupted_object_is_named_and_not_kept() {
    let server = start();
    let folder = tempfile::tempdir().unwrap();
    let path = recording(folder.path(), "r", 5000);
    let writer = remote(&server.address, Who::Writer);
    writer.push_recording("g", SHARD, &path, &author(), &mut unwatched).unwrap();
    let pull = || {
        let into = tempfile::tempdir().unwrap();
        let pulled = writer.pull_recordings(None, into.path(), &mut unwatched);
        let left = std::fs::read_dir(into.path().join("g")).map_or(0, Iterator::count);
        assert_eq!(left, usize::from(pulled.is_ok()), "nothing is kept of what is wrong");
        pulled
    };
    pull().unwrap();
    for key in writer.list("cas/").unwrap().into_iter().chain(writer.list("ref/").unwrap()) {
        let object = server.object(&format!("project/{key}"));
        let good = std::fs::read(&object).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 4;
        std::fs::write(&object, bad).unwrap();
        let error = pull().unwrap_err();
        assert!(matches!(&error, Error::Corrupt { .. }), "{error:?}");
        assert!(error.to_string().contains(&key), "{error}");
        std::fs::write(&object, good).unwrap();
    }
    pull().unwrap();
}

#[test]
fn a_body_that_ends_early() {
    let server = start();
    let folder = tempfile::tempdir().unwrap();
    let path = recording(folder.path(), "r", 200_000);
    remote(&server.address, Who::Writer).push_recording("g", SHARD, &path, &author(), &mut unwatched).unwrap();
    for (always, works) in [(false, true), (true, false)] {
        let proxy = Proxy::start(&server.address, move |method, path, before| {
            let cut = method == "GET" && path.contains("/cas/") && (always || before == 0);
            if cut { Fault::Truncate(100) } else { Fault::None }
        });
        let into = tempfile::tempdir().unwrap();
        let pulled = remote(&proxy.address, Who::Reader).pull_recordings(None, into.path(), &mut unwatched);
        match pulled {
            Ok(pulled) => assert!(works && pulled[0].bytes == 200_000),
            Err(error) => assert!(!works && matches!(error, Error::Unreachable { .. }), "{error:?}"),
        }
    }
}

#[test]
fn a_slow_server_is_given_up() {
    let server = start();
    let proxy = Proxy::start(&server.address, |_, _, _| Fault::Slow(Duration::from_secs(9)));
    let url = "s3://bucket/project?timeout=500ms";
    let environment = crate::server::environment(&proxy.address, Who::Reader);
    let remote = difftest_remote::Remote::open(url, &environment).unwrap();
    let began = Instant::now();
    let error = remote.check().unwrap_err();
    assert!(matches!(&error, Error::Unreachable { .. }) && error.to_string().contains("in time"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

/// The answer to a put gets lost: whether it was done is found out, and it is done once.
#[test]
fn a_lost_answer_is_no_conflict() {
    let server = start();
    let folder = tempfile::tempdir().unwrap();
    let path = recording(folder.path(), "r", 5000);
    let proxy = Proxy::start(
        &server.address,
        |method, _, before| {
            if method == "PUT" && before == 0 { Fault::Lost } else { Fault::None }
        },
    );
    let writer = remote(&proxy.address, Who::Writer);
    let (recording, put) = writer.push_recording("g", SHARD, &path, &author(), &mut unwatched).unwrap();
    assert_eq!((put, recording.pointer.number), (Put::Made, 1));
    assert_eq!(writer.list("ref/").unwrap().len(), 1);
}

/// S3 says 409 while another writer of the same name is at work, who may fail.
#[test]
fn a_409_with_nothing_there_is_tried_again() {
    const BUSY: &str = "HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let server = start();
    let folder = tempfile::tempdir().unwrap();
    let path = recording(folder.path(), "r", 5000);
    let proxy =
        Proxy::start(
            &server.address,
            |method, _, before| {
                if method == "PUT" && before < 2 { Fault::Answer(BUSY) } else { Fault::None }
            },
        );
    let writer = remote(&proxy.address, Who::Writer);
    let (recording, put) = writer.push_recording("g", SHARD, &path, &author(), &mut unwatched).unwrap();
    assert_eq!((put, recording.pointer.number), (Put::Made, 1));
}

/// A pointer that was read before is asked for by its ETag.
#[test]
fn what_was_read_before_is_not_sent_again() {
    let server = start();
    let folder = tempfile::tempdir().unwrap();
    let path = recording(folder.path(), "r", 5000);
    remote(&server.address, Who::Writer).push_recording("g", SHARD, &path, &author(), &mut unwatched).unwrap();
    let proxy = Proxy::start(&server.address, |_, _, _| Fault::None);
    let kept = tempfile::tempdir().unwrap();
    let recordings = || remote(&proxy.address, Who::Reader).keeping(kept.path()).recordings(None);
    let first = recordings().unwrap();
    assert_eq!(proxy.unchanged.load(Ordering::Relaxed), 0);
    assert_eq!(recordings().unwrap(), first);
    assert_eq!(proxy.unchanged.load(Ordering::Relaxed), 1);
}
