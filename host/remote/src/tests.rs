//! The protocol on a store in memory and on a folder: the same tests.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use object_store::ObjectStoreExt as _;

use crate::blob::BlobId;
use crate::error::Error;
use crate::log::{Author, Pointer};
use crate::recordings::split_group;
use crate::store::{Fresh, Put, Remote};
use crate::unwatched;

fn author(by: &str) -> Author {
    Author { by: by.into(), at: "2026-01-02T03:04:05Z".into() }
}

/// On a store in memory, then on a folder.
fn everywhere(test: impl Fn(&Remote)) {
    test(&Remote::memory().unwrap());
    let folder = tempfile::tempdir().unwrap();
    test(&Remote::open(folder.path().to_str().unwrap(), &Vec::new()).unwrap());
}

fn overwrite(remote: &Remote, key: &str, bytes: &[u8]) {
    let put = async { remote.store.put(&object_store::path::Path::from(key), bytes.to_vec().into()).await };
    remote.runtime.block_on(put).unwrap();
}

fn file(folder: &Path, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, content).unwrap();
    path
}

#[test]
fn nothing_is_overwritten() {
    everywhere(|remote| {
        let put = |bytes: &[u8]| remote.runtime.block_on(remote.put_new("a/b", bytes.to_vec())).unwrap();
        assert_eq!(put(b"first"), Put::Made);
        assert_eq!(put(b"second"), Put::There);
        assert_eq!(remote.runtime.block_on(remote.get("a/b", 100)).unwrap().unwrap(), b"first");
        assert!(matches!(remote.runtime.block_on(remote.get("a/b", 4)).unwrap_err(), Error::Corrupt { .. }));
        assert_eq!(remote.list("a/").unwrap(), ["a/b"]);
        assert_eq!(remote.list("b/").unwrap(), [""; 0]);
    });
}

#[test]
fn what_has_not_changed_is_not_sent_again() {
    everywhere(|remote| {
        remote.runtime.block_on(async {
            remote.put_new("a", b"one".to_vec()).await.unwrap();
            let Some(Fresh::Changed(bytes, tag)) = remote.get_if_changed("a", None, 9).await.unwrap() else { panic!() };
            assert_eq!(bytes, b"one");
            assert!(tag.is_some());
            assert_eq!(remote.get_if_changed("a", tag, 9).await.unwrap(), Some(Fresh::Same));
            assert_eq!(remote.get_if_changed("b", None, 9).await.unwrap(), None);
        });
    });
}

#[test]
fn blobs_are_verified_when_put_and_when_read() {
    everywhere(|remote| {
        let blobs = [b"one".to_vec(), b"two".to_vec(), b"one".to_vec()];
        let put = || remote.put_blobs(3, |n| Ok(blobs[n].clone()), &mut unwatched).unwrap();
        assert!((2..=3).contains(&put()), "two are different");
        assert_eq!(put(), 0);
        let id = BlobId::of(b"two");
        let get = |id| {
            let keep = |_, bytes: Vec<u8>| {
                assert_eq!(bytes, b"two");
                Ok(())
            };
            remote.get_blobs(&[id], keep, &mut unwatched)
        };
        get(id).unwrap();
        overwrite(remote, &id.key(), b"tw0");
        let error = get(id).unwrap_err();
        assert!(matches!(&error, Error::Corrupt { key, .. } if key.contains(&id.to_string())), "{error}");
        // cut short, it is noticed by whoever would rely on it
        overwrite(remote, &id.key(), b"tw");
        assert!(matches!(remote.put_blobs(2, |n| Ok(blobs[n].clone()), &mut unwatched), Err(Error::Corrupt { .. })));
        assert!(matches!(get(BlobId::of(b"three")), Err(Error::Missing { .. })));
    });
}

#[test]
fn writers_of_one_lane_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().to_str().unwrap();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            scope.spawn(move || {
                let remote = Remote::open(url, &Vec::new()).unwrap();
                for n in 0..5 {
                    let target = BlobId::of(format!("{writer}/{n}").as_bytes());
                    let next = async |_: Option<&Pointer>| Ok(Some(target));
                    let (pointer, put) = remote.runtime.block_on(remote.append("lane", &author("me"), next)).unwrap();
                    assert_eq!((pointer.target, put), (target, Put::Made));
                }
            });
        }
    });
    let remote = Remote::open(url, &Vec::new()).unwrap();
    let newest = remote.runtime.block_on(remote.newest("lane")).unwrap().unwrap();
    assert_eq!(newest.number, 20);
    // each builds upon the one before
    let mut parent = None;
    for number in 1..=20 {
        let pointer = remote.runtime.block_on(remote.pointer("lane", number)).unwrap().unwrap();
        assert_eq!(pointer.parent, parent);
        parent = Some(pointer.target);
    }
}

#[test]
fn an_entry_of_another_lane_or_a_damaged_one_is_not_believed() {
    everywhere(|remote| {
        let target = BlobId::of(b"x");
        let append = |lane: &str| {
            let next = async |_: Option<&Pointer>| Ok(Some(target));
            remote.runtime.block_on(remote.append(lane, &author("me"), next))
        };
        append("a/b").unwrap();
        let bytes = remote.runtime.block_on(remote.get("ref/a/b/0000000001.json", 9999)).unwrap().unwrap();
        overwrite(remote, "ref/a/c/0000000001.json", &bytes);
        assert!(matches!(remote.runtime.block_on(remote.newest("a/c")), Err(Error::Corrupt { .. })));
        let mut damaged = bytes;
        let at = damaged.len() - 20;
        damaged[at] ^= 1;
        overwrite(remote, "ref/a/b/0000000001.json", &damaged);
        assert!(matches!(append("a/b"), Err(Error::Corrupt { .. })));
        overwrite(remote, "ref/a/b/0000000001.json", b"{\"format\":9}");
        assert!(matches!(append("a/b"), Err(Error::Newer { found: 9, .. })));
    });
}

#[test]
fn recordings_go_up_and_come_down() {
    everywhere(|remote| {
        let here = tempfile::tempdir().unwrap();
        // several pieces, the last one short
        let long: Vec<u8> = (0..(crate::file::PIECE * 2 + 5)).map(|n| (n * 7 + n / 251) as u8).collect();
        let (one, two) = (file(here.path(), "1.zip", &long), file(here.path(), "2.zip", b"short"));
        let push = |group: &str, shard: &str, path: &Path| {
            remote.push_recording(group, shard, path, &author("ci"), &mut unwatched).unwrap()
        };
        assert_eq!(push("plan", "shard-01-of-02", &one).1, Put::Made);
        assert_eq!(push("plan", "shard-01-of-02", &one).1, Put::There);
        push("plan", "shard-02-of-02", &two);
        // the same file name below another group
        push("other", "shard-01-of-02", &two);
        let into = tempfile::tempdir().unwrap();
        let pulled = remote.pull_recordings(Some("plan"), into.path(), &mut unwatched).unwrap();
        let contents: Vec<_> = pulled.iter().map(|r| std::fs::read(r.path.as_ref().unwrap()).unwrap()).collect();
        assert!(contents == [long.clone(), b"short".to_vec()]);
        let all = remote.pull_recordings(None, into.path(), &mut unwatched).unwrap();
        let paths: std::collections::BTreeSet<_> = all.iter().map(|r| r.path.clone().unwrap()).collect();
        assert_eq!(paths.len(), 3, "no file takes the place of another");
        // run again: the newest counts
        push("plan", "shard-01-of-02", &two);
        let again = remote.pull_recordings(Some("plan"), into.path(), &mut unwatched).unwrap();
        assert_eq!(std::fs::read(again[0].path.as_ref().unwrap()).unwrap(), b"short");
        assert!(matches!(remote.recordings(Some("none")), Err(Error::Missing { .. })));
        let bad = remote.push_recording("../x", "s", &two, &author("ci"), &mut unwatched).unwrap_err();
        assert_eq!(bad.kind(), "usage");
    });
}

#[test]
fn a_recording_with_a_damaged_piece_is_not_kept() {
    everywhere(|remote| {
        let here = tempfile::tempdir().unwrap();
        let path = file(here.path(), "1.zip", b"a recording");
        remote.push_recording("plan", "shard-01-of-01", &path, &author("ci"), &mut unwatched).unwrap();
        overwrite(remote, &BlobId::of(b"a recording").key(), b"a recordinG");
        let into = tempfile::tempdir().unwrap();
        let error = remote.pull_recordings(None, into.path(), &mut unwatched).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        let left: Vec<_> = std::fs::read_dir(into.path().join("plan")).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    });
}

#[test]
fn folders_follow_each_other_and_never_lose_a_decision() {
    everywhere(|remote| {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (a, b) = (a.path().join("env"), b.path().join("env"));
        file(&a, "s/one.png", b"png");
        file(&a, ".staged/x", b"unfinished");
        let journal = file(&a, "audit.jsonl", b"accept one\n");
        let push = |folder: &Path, by: &str| remote.push_folder("baseline/v1/cpu", folder, &author(by), &mut unwatched);
        let pull = |folder: &Path| remote.pull_folder("baseline/v1/cpu", folder, &mut unwatched);
        assert!(matches!(pull(&b), Err(Error::Missing { .. })));
        assert!(push(&a, "ann").unwrap().changed);
        assert!(!push(&a, "ann").unwrap().changed);
        assert!(pull(&b).unwrap().changed && !pull(&b).unwrap().changed);
        assert_eq!(std::fs::read(b.join("s/one.png")).unwrap(), b"png");
        assert!(!b.join(".staged").exists());

        // ben goes on from there, and ann has not seen it
        file(&b, "s/two.png", b"two");
        file(&b, "audit.jsonl", b"accept one\naccept two\n");
        assert!(push(&b, "ben").unwrap().changed);
        assert!(matches!(push(&a, "ann"), Err(Error::Conflict { .. })), "behind");
        std::fs::write(&journal, b"accept one\nreject one\n").unwrap();
        std::fs::remove_file(a.join("s/one.png")).unwrap();
        assert!(matches!(push(&a, "ann"), Err(Error::Conflict { .. })), "apart");
        assert!(matches!(pull(&a), Err(Error::Conflict { .. })), "apart");
        assert_eq!(std::fs::read(&journal).unwrap(), b"accept one\nreject one\n", "nothing of ann's is gone");
        std::fs::write(&journal, b"accept one\n").unwrap();
        assert!(pull(&a).unwrap().changed);
        assert_eq!(std::fs::read(a.join("s/two.png")).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(a.parent().unwrap()).unwrap().count(), 1, "no temporary folder stays");
        assert_eq!(remote.folders("baseline/v1").unwrap(), ["baseline/v1/cpu"]);
    });
}

#[test]
fn a_group_in_a_url() {
    let split = |url: &str| split_group(url);
    assert_eq!(split("s3://b/p/run/abc"), ("s3://b/p".into(), Some("abc".into())));
    assert_eq!(split("s3://b/run/abc/?region=x"), ("s3://b?region=x".into(), Some("abc".into())));
    assert_eq!(split("s3://b/p"), ("s3://b/p".into(), None));
}

#[test]
fn a_folder_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("not mounted");
    let error = Remote::open(gone.to_str().unwrap(), &Vec::new()).unwrap_err();
    assert!(matches!(error, Error::NoStore { .. }) && !gone.exists(), "{error}");
}

/// Nobody listens there, or nobody answers: each is told, and soon.
#[test]
fn an_unreachable_remote_is_named_in_time() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    for (address, says) in [(closed, "onnect"), (silent.local_addr().unwrap(), "in time")] {
        let environment = [
            ("AWS_ENDPOINT_URL", format!("http://{address}")),
            ("AWS_ALLOW_HTTP", "true".into()),
            ("AWS_ACCESS_KEY_ID", "somebody".into()),
            ("AWS_SECRET_ACCESS_KEY", "a secret that nobody sees".into()),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let began = std::time::Instant::now();
        let remote = Remote::open("s3://bucket/prefix?timeout=1s", &environment).unwrap();
        let error = remote.check().unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains(says) && !error.to_string().contains("nobody sees"), "{error}");
        assert!(began.elapsed().as_secs() < 60);
    }
}
