#![allow(clippy::unwrap_used)]

use difftest_core::key::{Generation, Inputs, Key, Scoring};
use difftest_core::metric::Score;

use super::*;

fn key(text: &str) -> Key<Generation> {
    Inputs::new().with("prompt", text).key()
}

fn made(image: Digest, bytes: u64) -> Made {
    Made {
        image,
        width: 4,
        height: 2,
        bytes,
        attributes: vec![("seed".into(), "1".into())],
        warnings: vec!["cut".into()],
        seconds: 1.5,
        run: "r".into(),
    }
}

use difftest_core::digest::Digest;

fn scored(value: f64) -> Scored {
    Scored { score: Score { value, details: Vec::new(), fuel: Some(3) }, seconds: 0.5, run: "r".into() }
}

#[test]
fn what_is_kept_is_found_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let image = Digest::of(b"pixels");
    let score_key: Key<Scoring> = Inputs::new().with("image", "i").key();
    let inputs = Inputs::new().with("prompt", "x");
    {
        let cache = Cache::open(folder.path()).unwrap();
        assert_eq!(cache.look(|look| look.generation(&key("a"))), None);
        cache.keep_image(&image, b"png").unwrap();
        cache.keep_generation(&key("a"), &made(image, 3));
        cache.keep_score(&score_key, &scored(0.5));
        cache.keep_score(&Inputs::new().key(), &scored(f64::NAN));
        let judged =
            Judged { key: [7; 32], verdict: difftest_core::event::Verdict::Fail, run: "r".into(), seconds: 2.0 };
        cache.keep_judged("cpu", [("s::t[p0,seed=1]", &inputs, judged)]);
        assert!(cache.troubles().is_empty());
    }
    let cache = Cache::open(folder.path()).unwrap();
    cache.look(|look| {
        assert_eq!(look.generation(&key("a")), Some(made(image, 3)));
        assert_eq!(look.generation(&key("b")), None);
        assert_eq!(look.score(&score_key), Some(scored(0.5)));
        assert_eq!(look.score(&Inputs::new().key()), None, "NaN is no score");
        assert_eq!(look.judged("s::t[p0,seed=1]", "cpu").unwrap().seconds, 2.0);
        assert_eq!(look.judged("s::t[p0,seed=1]", "cuda"), None, "another environment, another judgement");
        assert_eq!(look.judged_inputs("s::t[p0,seed=1]", "cpu"), Some(inputs));
    });
    assert!(cache.has_image(&image, 3) && !cache.has_image(&image, 4));
    let run = folder.path().join("run/image.png");
    cache.link_image(&image, &run).unwrap();
    assert_eq!(std::fs::read(run).unwrap(), b"png");
}

#[test]
fn rows_that_were_changed_are_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let (image, other) = (Digest::of(b"pixels"), Digest::of(b"other"));
    let score_key: Key<Scoring> = Inputs::new().key();
    let cache = Cache::open(folder.path()).unwrap();
    cache.keep_generation(&key("a"), &made(image, 3));
    cache.keep_generation(&key("b"), &made(other, 3));
    cache.keep_score(&score_key, &scored(0.5));
    let found =
        |cache: &Cache| cache.look(|look| (look.generation(&key("a")).is_some(), look.score(&score_key).is_some()));
    assert_eq!(found(&cache), (true, true));
    assert!(cache.check(&|_| Ok(image)).unwrap().bad.is_empty());
    let index = rusqlite::Connection::open(folder.path().join("cache/index.db")).unwrap();
    // The score of a picture becomes better, and the image of one prompt that of another.
    index.execute("UPDATE score SET score = replace(score, '0.5', '9.5')", []).unwrap();
    index.execute("UPDATE generation SET image = ?", [other.to_string()]).unwrap();
    assert_eq!(found(&cache), (false, false));
    let bad = cache.check(&|_| Ok(image)).unwrap().bad;
    assert!(bad.len() == 1 && bad[0].reason.contains("2 of its rows"), "{bad:?}");
    cache.keep_score(&score_key, &scored(0.5));
    assert_eq!(found(&cache), (false, true), "made again, and kept again");
}

#[test]
fn an_index_that_is_broken_is_set_aside_and_never_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("cache/index.db");
    std::fs::create_dir_all(index.parent().unwrap()).unwrap();
    for n in 1..=2 {
        for end in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(folder.path().join(format!("cache/index.db{end}")));
        }
        std::fs::write(&index, b"this is no database at all, and long enough to be looked at as one ........").unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let told = cache.troubles().join(" ");
        assert!(told.contains("is broken") && told.contains(&format!("index.broken-{n}.db")), "{told}");
        assert!(folder.path().join(format!("cache/index.broken-{n}.db")).exists());
        assert!(cache.is_writable());
    }
}

#[test]
fn a_newer_index_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(Cache::open(folder.path()).unwrap());
    let index = folder.path().join("cache/index.db");
    let connection = Connection::open(&index).unwrap();
    connection.execute_batch("PRAGMA user_version = 99").unwrap();
    drop(connection);
    for error in [Cache::open(folder.path()).err().unwrap(), Cache::look_at(folder.path()).err().unwrap()] {
        assert!(error.to_string().contains("has format 99"), "{error}");
        assert!(error.hint().unwrap().contains("--no-cache"));
    }
    assert_eq!(
        std::fs::read_dir(folder.path().join("cache"))
            .unwrap()
            .filter(|e| { e.as_ref().unwrap().file_name().to_string_lossy().contains("broken") })
            .count(),
        0
    );
}

#[test]
fn what_cannot_be_written_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cache"), "a file in the way").unwrap();
    let cache = Cache::open(folder.path()).unwrap();
    assert!(cache.keep_image(&Digest::of(b"x"), b"png").is_none());
    cache.keep_generation(&key("a"), &made(Digest::of(b"x"), 3));
    let told = cache.troubles();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("nothing more is kept"), "{told:?}");
    assert_eq!(cache.look(|look| look.generation(&key("a"))), None);
}

#[test]
fn blobs_that_changed_are_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path()).unwrap();
    cache.keep_blob(Sort::Latents, "aabb", b"values");
    assert_eq!(cache.blob(Sort::Latents, "aabb").unwrap(), b"values");
    assert_eq!(cache.blob(Sort::Latents, "aabc"), None);
    let path = folder.path().join("cache/latents/aa/aabb.bin");
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(cache.blob(Sort::Latents, "aabb"), None);
    let checked = cache.check(&|_| Err("no images".into())).unwrap();
    assert_eq!((checked.files, checked.bad.len()), (1, 1));
    assert_eq!(cache.discard(&checked.bad), 1);
    assert!(!path.exists());
}

#[test]
fn a_sweep_deletes_the_least_used_first_and_waits_for_runs() {
    let folder = tempfile::tempdir().unwrap();
    let images: Vec<Digest> = [b"a", b"b", b"c"].iter().map(|name| Digest::of(*name)).collect();
    {
        let cache = Cache::open(folder.path()).unwrap();
        for (n, image) in images.iter().enumerate() {
            cache.keep_image(image, &[0; 100]).unwrap();
            cache.keep_generation(&key(&n.to_string()), &made(*image, 100));
        }
        // The second was used the longest time ago, the third by a clock that runs ahead.
        let set = |n: usize, used: i64| {
            let sql = "UPDATE generation SET used = ? WHERE image = ?";
            cache.index().execute(sql, rusqlite::params![used, images[n].to_string()]).unwrap();
        };
        set(1, 1000);
        set(2, now() + 1_000_000);
        let limits = Limits { max_size: Some(0), older_than: None };
        assert!(matches!(Cache::sweep(folder.path(), limits, false), Err(CacheError::InUse { .. })));
    }
    let limits = Limits { max_size: Some(200), older_than: None };
    let pretended = Cache::sweep(folder.path(), limits, true).unwrap();
    assert_eq!((pretended.files, pretended.bytes), (1, 100));
    assert_eq!(Cache::sweep(folder.path(), limits, false).unwrap(), pretended);
    let cache = Cache::open(folder.path()).unwrap();
    assert_eq!(images.iter().map(|image| cache.has_image(image, 100)).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(cache.contents().unwrap().images, (2, 200));
    drop(cache);
    let limits = Limits { max_size: None, older_than: Some(3600) };
    assert_eq!(Cache::sweep(folder.path(), limits, false).unwrap().files, 0, "none of the others is old");
}

#[test]
fn four_make_a_cache_and_write_at_once() {
    let image = Digest::of(b"pixels");
    for _ in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let together = std::sync::Barrier::new(4);
        std::thread::scope(|threads| {
            for t in 0..4 {
                let (path, together) = (folder.path(), &together);
                threads.spawn(move || {
                    together.wait();
                    let cache = Cache::open(path).unwrap();
                    for n in 0..10 {
                        cache.keep_image(&image, b"png").unwrap();
                        cache.keep_generation(&key(&format!("{t} {n}")), &made(image, 3));
                    }
                    assert!(cache.troubles().is_empty(), "{:?}", cache.troubles());
                });
            }
        });
        assert_eq!(Cache::open(folder.path()).unwrap().contents().unwrap().generations, 40);
    }
}
