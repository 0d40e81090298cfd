//! Round trips, and files edited by hand.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

const DIGEST: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

fn sample(name: &str) -> Entry {
    Entry {
        name: name.into(),
        version: Some("0.3.1".into()),
        sha256: DIGEST.parse().unwrap(),
        source: Source::Registry(format!("oci://ghcr.io/acme/{name}:0.3.1")),
        class: ReproducibilityClass::ModelDependent,
        exports: vec!["difftest:plugin/metric@0.1.0".into()],
    }
}

fn problems(text: &str) -> Vec<String> {
    let path = Path::new(FILE);
    let errors = Lock::parse(path, text).unwrap_err();
    errors.errors.iter().map(|error| error.located(path, &errors.text)).collect()
}

#[test]
fn what_is_written_is_read_sorted_and_the_same_bytes() {
    let mut lock = Lock::missing(Path::new(FILE));
    lock.insert(sample("zoom"));
    lock.insert(Entry { version: None, source: Source::Path("plugins/a \"b\".wasm".into()), ..sample("alpha") });
    let text = lock.render();
    assert!(text.starts_with("# Written by difftest"), "{text}");
    assert!(text.find("alpha") < text.find("zoom"), "{text}");
    let read = Lock::parse(Path::new(FILE), &text).unwrap();
    assert_eq!(read.entries().collect::<Vec<_>>(), lock.entries().collect::<Vec<_>>());
    assert_eq!(read.render(), text);
    assert!(!read.is_missing() && read.get("zoom").is_some());
}

#[test]
fn an_empty_lock_is_one() {
    assert_eq!(Lock::parse(Path::new(FILE), "version = 1\n").unwrap().entries().count(), 0);
}

/// A good lock with one thing changed by hand.
fn edited(from: &str, to: &str) -> String {
    let mut lock = Lock::missing(Path::new(FILE));
    lock.insert(sample("zoom"));
    let text = lock.render();
    assert!(text.contains(from), "{from}");
    text.replace(from, to)
}

#[test]
fn what_was_edited_into_nonsense_is_told_with_its_place() {
    for (from, to, place, says) in [
        ("version = 1", "version = 2", "3:11", "reads version 1"),
        ("version = 1", "version = \"1\"", "3:11", "reads version 1"),
        ("version = 1\n", "", "difftest.lock: ", "no `version`"),
        ("name = \"zoom\"", "name = \"Zoom\"", "6:8", "no name of a plugin"),
        ("name = \"zoom\"", "name = \"../zoom\"", "6:8", "no name of a plugin"),
        (DIGEST, &DIGEST[1..], "8:10", "64 lower-case hex"),
        (DIGEST, &DIGEST.to_uppercase(), "8:10", "64 lower-case hex"),
        ("sha256 =", "sha265 =", "8:1", "unknown field `sha265`"),
        ("source = \"oci:", "source = \"http:", "9:10", "neither `oci://"),
        ("/zoom:0.3.1\"", "/zo om\"", "9:10", "neither `oci://"),
        ("model-dependent", "reliable", "10:9", "unknown variant `reliable`"),
        ("[[plugin]]", "[plugin]", "5:1", "sequence"),
        ("[[plugin]]", "[[plugin]", "5:10", ""),
        ("exports = [\"", "exports = [\"\\u001b", "11:12", "control characters"),
    ] {
        let found = problems(&edited(from, to));
        assert!(found[0].contains(place) && found[0].contains(says), "{from} -> {to}: {found:?}");
    }
}

#[test]
fn every_problem_is_told_at_once_and_a_name_counts_once() {
    let one = edited(DIGEST, "0");
    let entry = &one[one.find("[[plugin]]").unwrap()..];
    assert_eq!(problems(&format!("{one}{}", entry.replace("oci://", "ftp://"))).len(), 3);
    let good = edited("x", "x");
    let twice = problems(&format!("{good}{}", &good[good.find("[[plugin]]").unwrap()..]));
    assert!(twice.len() == 1 && twice[0].contains("`zoom` is there twice"), "{twice:?}");
}
