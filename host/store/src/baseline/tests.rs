#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use difftest_core::baseline::{BaselineScore, Question};
use difftest_core::image::Image;
use difftest_core::key::Inputs;

use super::*;

const ENVIRONMENT: &str = "cpu-f32-onnxruntime-1.31.1";

fn grey(level: u8) -> Image {
    Image::new(8, 4, vec![level; 8 * 4 * 3]).unwrap()
}

fn decider() -> Decider {
    Decider {
        by: "Ada".into(),
        at: "2026-11-21T12:00:00Z".into(),
        because: Because::Person,
        run: Some("20261121-120000-aaaaaa".into()),
    }
}

fn candidate(id: &str, level: u8) -> Candidate {
    Candidate {
        id: id.into(),
        image: grey(level),
        prompt: "grey".into(),
        seed: 1,
        scores: vec![("m".into(), BaselineScore { value: 0.1 + f64::from(level), metric: "k".into() })],
        inputs: Inputs::new().with("negative", "blur"),
    }
}

fn accept(folder: &Folder, images: &[(&str, u8)]) -> Vec<Effect> {
    let mut change = folder.change(ENVIRONMENT, decider()).unwrap();
    let effects = images.iter().map(|(id, level)| change.accept(candidate(id, *level)).unwrap()).collect();
    change.commit().unwrap();
    effects
}

fn baseline(root: &Path) -> Folder {
    Folder::named(root, "v1").unwrap()
}

#[test]
fn what_is_accepted_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let folder = baseline(dir.path());
    assert_eq!(accept(&folder, &[("s::t[a,seed=1]", 1), ("s::t[b,seed=1]", 2)]), [Effect::New; 2]);
    assert_eq!(accept(&folder, &[("s::t[a,seed=1]", 1), ("s::t[b,seed=1]", 3)]), [Effect::Same, Effect::Changed]);

    let read = folder.read(ENVIRONMENT).unwrap();
    let case = &read.manifest().cases["s::t[b,seed=1]"];
    assert_eq!(case.file, "s/t-b-seed1.png");
    assert_eq!(read.image("s::t[b,seed=1]", case).unwrap(), grey(3));
    assert_eq!(case.accepted.replaced, Some(grey(2).digest()));
    let as_gates_need_it = read.baseline();
    assert_eq!(as_gates_need_it.score("s::t[a,seed=1]", "m", "k"), Some(1.1), "every bit of it");
    assert_eq!(as_gates_need_it.score("s::t[a,seed=1]", "m", "other"), None);
    let audit = read.audit().unwrap();
    assert_eq!(audit.len(), 3, "nothing is noted for an image that stays");
    assert_eq!((audit[2].decision, audit[2].replaced), (Decision::Accept, Some(grey(2).digest())));
    assert!(folder.verify(ENVIRONMENT, &mut |_| ()).unwrap().is_empty());
    assert_eq!(Folder::list(dir.path()).unwrap(), [folder]);
}

#[test]
fn another_environment_is_named_and_never_compared() {
    let dir = tempfile::tempdir().unwrap();
    let folder = baseline(dir.path());
    let none = folder.read(ENVIRONMENT).unwrap_err();
    assert_eq!(none.kind(), "no-baseline");
    accept(&folder, &[("s::t[a,seed=1]", 1)]);
    let error = folder.read("cuda-f16-onnxruntime-1.31.1").unwrap_err();
    assert!(error.to_string().contains(ENVIRONMENT), "{error}");
    assert_eq!(error.kind(), "baseline-environment");
    let other = Folder::named(dir.path(), "v2").unwrap().read(ENVIRONMENT).unwrap_err();
    assert!(other.hint().unwrap().contains("v1"));
    // nor by a folder that is renamed
    fs::rename(folder.path().join(ENVIRONMENT), folder.path().join("cuda")).unwrap();
    assert!(folder.read("cuda").unwrap_err().to_string().contains(ENVIRONMENT));
}

#[test]
fn damaged_manifests_are_clear_errors() {
    let dir = tempfile::tempdir().unwrap();
    let folder = baseline(dir.path());
    accept(&folder, &[("s::t[a,seed=1]", 1), ("s::t[b,seed=1]", 2)]);
    let path = folder.path().join(ENVIRONMENT).join(MANIFEST);
    let good = fs::read_to_string(&path).unwrap();
    let says = |text: &str, part: &str| {
        fs::write(&path, text).unwrap();
        let error = folder.read(ENVIRONMENT).unwrap_err();
        assert!(error.to_string().contains(part), "{part}: {error}");
        assert!(error.to_string().contains("manifest.json"), "{error}");
        // and nothing is built on it
        assert!(folder.change(ENVIRONMENT, decider()).is_err());
    };
    says(&good[..good.len() / 2], "cut short");
    says("", "cut short");
    says("{\"format\": 2, \"new\": true}", "format 2");
    says(&good.replace("\"cases\"", "\"csaes\""), "csaes");
    says(&good.replacen("s::t[a,seed=1]", "s::t[b,seed=1]", 1), "occurs twice");
    says(&format!("<<<<<<< HEAD\n{good}"), "merge conflict");
    for file in
        ["../../../etc/passwd.png", "/etc/x.png", "s/../../x.png", "s\\\\..\\\\x.png", "C:/x.png", "s/t.txt", "x.png"]
    {
        says(&good.replace("s/t-a-seed1.png", file), "no PNG inside");
    }
    says(&good.replace("s/t-a-seed1.png", "S/T-b-seed1.png"), "have the same file");
    fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(folder.read(ENVIRONMENT).unwrap_err().to_string().contains("UTF-8"));
}

#[test]
fn an_image_that_is_another_one_is_never_used() {
    let dir = tempfile::tempdir().unwrap();
    let folder = baseline(dir.path());
    accept(&folder, &[("s::t[a,seed=1]", 1), ("s::t[b,seed=1]", 2)]);
    let images = folder.path().join(ENVIRONMENT).join("s");
    fs::copy(images.join("t-a-seed1.png"), images.join("t-b-seed1.png")).unwrap();
    fs::remove_file(images.join("t-a-seed1.png")).unwrap();
    fs::write(images.join("stray.png"), "x").unwrap();
    let read = folder.read(ENVIRONMENT).unwrap();
    let errors = read.manifest().cases.iter().map(|(id, case)| read.image(id, case).unwrap_err().to_string());
    let errors: Vec<String> = errors.collect();
    assert!(errors[0].contains("not there") && errors[1].contains("another image"), "{errors:?}");
    let findings = folder.verify(ENVIRONMENT, &mut |_| ()).unwrap();
    assert_eq!(findings.iter().filter(|finding| finding.problem.is_damage()).count(), 2, "{findings:?}");
    assert_eq!(findings.last().unwrap().problem, Problem::Unreferenced);
    // accepting the same images again mends them
    accept(&folder, &[("s::t[a,seed=1]", 1), ("s::t[b,seed=1]", 2)]);
    assert!(!folder.verify(ENVIRONMENT, &mut |_| ()).unwrap().iter().any(|finding| finding.problem.is_damage()));
}

#[test]
fn a_kill_leaves_the_old_baseline_or_the_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let folder = baseline(dir.path());
    let id = "s::t[a,seed=1]";
    accept(&folder, &[(id, 1)]);
    let environment = folder.path().join(ENVIRONMENT);
    let level = || {
        let read = folder.read(ENVIRONMENT).unwrap();
        read.image(id, &read.manifest().cases[id]).unwrap().rgb8()[0]
    };
    // killed before the manifest: staged, and given up
    let mut change = folder.change(ENVIRONMENT, decider()).unwrap();
    change.accept(candidate(id, 2)).unwrap();
    drop(change);
    assert!(environment.join(STAGED).exists());
    assert_eq!(level(), 1);
    // killed right after the manifest was renamed: images are staged, the audit knows nothing
    let mut change = folder.change(ENVIRONMENT, decider()).unwrap();
    change.accept(candidate(id, 3)).unwrap();
    let manifest = change.manifest().to_json();
    drop(change);
    fs::write(environment.join(MANIFEST), manifest).unwrap();
    assert_eq!(level(), 3);
    let findings = folder.verify(ENVIRONMENT, &mut |_| ()).unwrap();
    let problems: Vec<_> = findings.into_iter().map(|finding| finding.problem).collect();
    assert_eq!(problems, [Problem::Unfinished, Problem::Unaudited]);
    // the next change finishes it
    folder.change(ENVIRONMENT, decider()).unwrap().commit().unwrap();
    assert!(folder.verify(ENVIRONMENT, &mut |_| ()).unwrap().is_empty());
    assert_eq!(level(), 3);
    let audit = folder.read(ENVIRONMENT).unwrap().audit().unwrap();
    assert_eq!(audit.iter().map(|entry| entry.image).collect::<Vec<_>>(), [grey(1).digest(), grey(3).digest()]);
}

#[test]
fn a_torn_line_of_the_audit_costs_that_line_alone() {
    use std::io::Write as _;
    let dir = tempfile::tempdir().unwrap();
    let folder = baseline(dir.path());
    accept(&folder, &[("s::t[a,seed=1]", 1)]);
    let path = folder.path().join(ENVIRONMENT).join(AUDIT);
    fs::File::options().append(true).open(&path).unwrap().write_all(b"{\"at\":").unwrap();
    assert_eq!(folder.read(ENVIRONMENT).unwrap().audit().unwrap().len(), 1);
    accept(&folder, &[("s::t[a,seed=1]", 2)]);
    assert_eq!(folder.read(ENVIRONMENT).unwrap().audit().unwrap().len(), 2);
    fs::write(&path, format!("nonsense\n{}", fs::read_to_string(&path).unwrap())).unwrap();
    let error = folder.read(ENVIRONMENT).unwrap().audit().unwrap_err();
    assert!(error.to_string().contains("line 1"), "a whole line that says nothing is told: {error}");
}

#[test]
fn two_changes_at_once_both_count() {
    let dir = tempfile::tempdir().unwrap();
    let folder = baseline(dir.path());
    std::thread::scope(|threads| {
        for writer in 0..4 {
            let folder = folder.clone();
            threads.spawn(move || {
                for image in 0..5 {
                    accept(&folder, &[(&format!("s::t[{writer}-{image},seed=1]"), image)]);
                }
            });
        }
    });
    let read = folder.read(ENVIRONMENT).unwrap();
    assert_eq!((read.manifest().cases.len(), read.audit().unwrap().len()), (20, 20));
    assert!(folder.verify(ENVIRONMENT, &mut |_| ()).unwrap().is_empty());
}

#[test]
fn a_set_score_goes_with_its_images() {
    let dir = tempfile::tempdir().unwrap();
    let folder = baseline(dir.path());
    let mut change = folder.change(ENVIRONMENT, decider()).unwrap();
    change.accept(candidate("s::t[a,seed=1]", 1)).unwrap();
    change.accept(candidate("s::tt[a,seed=1]", 1)).unwrap();
    let score = BaselineScore { value: 0.5, metric: "k".into() };
    let images = |level| set_digest([("s::t[a,seed=1]", grey(level).digest())]);
    change.accept_set("s::t", "diversity", score.clone(), images(1));
    change.accept_set("s::t", "other", score.clone(), images(2));
    let key = ("s::t".to_owned(), "diversity".to_owned());
    let sets = change.commit().unwrap().baseline().sets;
    assert_eq!((sets.get(&key), sets.len()), (Some(&score), 1), "not the score of other images");
    accept(&folder, &[("s::tt[a,seed=1]", 9)]);
    assert!(folder.read(ENVIRONMENT).unwrap().baseline().sets.contains_key(&key), "another test's image");
    accept(&folder, &[("s::t[a,seed=1]", 9)]);
    assert!(folder.read(ENVIRONMENT).unwrap().baseline().sets.is_empty());
}

#[test]
fn the_digest_is_over_what_is_compared_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (Folder::named(dir.path(), "one").unwrap(), Folder::named(dir.path(), "other").unwrap());
    let digest = |folder: &Folder| folder.read(ENVIRONMENT).unwrap().info().digest;
    accept(&one, &[("s::t[a,seed=1]", 1)]);
    accept(&other, &[("s::t[a,seed=1]", 2)]);
    assert_ne!(digest(&one), digest(&other));
    accept(&other, &[("s::t[a,seed=1]", 1)]);
    assert_eq!(digest(&one), digest(&other), "how it came about does not matter");
}

#[test]
fn what_was_asked_is_kept_and_an_older_manifest_knows_less_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let folder = baseline(dir.path());
    let id = "s::t[a,seed=1]";
    accept(&folder, &[(id, 1)]);
    let digest = || folder.read(ENVIRONMENT).unwrap().info().digest;
    let question = || folder.read(ENVIRONMENT).unwrap().baseline().cases[id].question.clone();
    let asked = |negative: &str| Question::recorded("grey", 1, Some(&Inputs::new().with("negative", negative)));
    assert_eq!(question(), asked("blur"));
    let changed = asked("noise").change_since(&question(), &[]).unwrap();
    assert_eq!((changed.named(), changed.was.as_deref()), ("negative prompt", Some("blur")));

    // The same image for another question is another baseline, though nobody has to accept it again.
    let before = digest();
    let mut change = folder.change(ENVIRONMENT, decider()).unwrap();
    let effect = change.accept(Candidate { inputs: Inputs::new(), ..candidate(id, 1) }).unwrap();
    assert_eq!(effect, Effect::Same);
    assert_eq!(change.commit().unwrap().audit().unwrap().len(), 1);
    assert_ne!(digest(), before);
    assert_eq!(asked("blur").change_since(&question(), &[]).unwrap().was, None, "none is not the same as unknown");

    let path = folder.path().join(ENVIRONMENT).join(MANIFEST);
    let mut old: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    old["cases"][id].as_object_mut().unwrap().remove("inputs").unwrap();
    fs::write(&path, old.to_string()).unwrap();
    assert_eq!(asked("blur").change_since(&question(), &[]), None, "it cannot tell");
    assert!(Question::recorded("white", 1, None).change_since(&question(), &[]).is_some(), "but prompts it has");
    old["cases"][id]["inputs"] = serde_json::json!([]);
    fs::write(&path, old.to_string()).unwrap();
    assert!(folder.read(ENVIRONMENT).is_err());
}

#[test]
fn what_is_taken_out_is_gone_and_noted() {
    let dir = tempfile::tempdir().unwrap();
    let folder = baseline(dir.path());
    accept(&folder, &[("s::t[a,seed=1]", 1), ("s::t[b,seed=1]", 2)]);
    let mut change = folder.change(ENVIRONMENT, decider()).unwrap();
    assert!(change.remove("s::t[a,seed=1]") && !change.remove("s::t[c,seed=1]"));
    assert!(change.reject("s::t[b,seed=1]", grey(7).digest()).unwrap());
    let read = change.commit().unwrap();
    assert!(!folder.path().join(ENVIRONMENT).join("s/t-a-seed1.png").exists());
    let decisions: Vec<_> = read.audit().unwrap().into_iter().map(|entry| entry.decision).collect();
    assert_eq!(decisions, [Decision::Accept, Decision::Accept, Decision::Removed, Decision::Reject]);
    assert!(folder.verify(ENVIRONMENT, &mut |_| ()).unwrap().is_empty());
}

#[test]
fn what_is_rejected_is_known_until_it_is_accepted_and_noted_once() {
    let dir = tempfile::tempdir().unwrap();
    let folder = baseline(dir.path());
    let id = "s::t[a,seed=1]";
    accept(&folder, &[(id, 1)]);
    let reject = |level| {
        let mut change = folder.change(ENVIRONMENT, decider()).unwrap();
        let said = change.reject(id, grey(level).digest());
        change.commit().unwrap();
        said
    };
    let rejected = || folder.read(ENVIRONMENT).unwrap().rejected().unwrap().into_keys().collect::<Vec<_>>();
    assert!(reject(2).unwrap() && !reject(2).unwrap());
    assert_eq!(rejected(), [(id.to_owned(), grey(2).digest())]);
    assert_eq!(folder.read(ENVIRONMENT).unwrap().audit().unwrap().len(), 2, "said once");
    // the baseline's own image is nothing to reject, and the audit does not say so
    let error = reject(1).unwrap_err();
    assert_eq!(error.kind(), "accepted");
    assert!(error.hint().unwrap().contains("baseline remove"));
    assert_eq!(folder.read(ENVIRONMENT).unwrap().audit().unwrap().len(), 2);
    accept(&folder, &[(id, 2)]);
    assert!(rejected().is_empty(), "accepted after all");
    // and when that is replaced, it may be rejected again
    accept(&folder, &[(id, 1)]);
    assert!(reject(2).unwrap());
}

#[test]
fn a_manifest_that_is_gone_or_lies_elsewhere_is_no_new_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let folder = baseline(dir.path());
    accept(&folder, &[("s::t[a,seed=1]", 1)]);
    let place = folder.path().join(ENVIRONMENT);
    let refused = |environment: &str, part: &str| {
        let found = folder.find(environment).unwrap_err();
        let changed = folder.change(environment, decider()).unwrap_err();
        assert!(found.to_string().contains(part) && changed.to_string().contains(part), "{found}\n{changed}");
    };
    fs::rename(place.join(MANIFEST), dir.path().join("kept")).unwrap();
    refused(ENVIRONMENT, "manifest.json: it is gone");
    assert_eq!(folder.environments().unwrap(), [ENVIRONMENT], "and whoever lists them sees it");
    assert!(folder.verify(ENVIRONMENT, &mut |_| ()).is_err());
    fs::remove_file(place.join(AUDIT)).unwrap();
    refused(ENVIRONMENT, "manifest.json: it is gone");
    fs::rename(dir.path().join("kept"), place.join(MANIFEST)).unwrap();
    folder.read(ENVIRONMENT).unwrap();
    // renamed: neither the old name nor the new one, nor any other, begins anew
    fs::rename(&place, folder.path().join("cpu")).unwrap();
    refused(ENVIRONMENT, "it lies in the folder of cpu");
    refused("cpu", "it lies in the folder of cpu");
    assert!(!folder.path().join(ENVIRONMENT).join(MANIFEST).exists());
    // what a kill leaves of the very first change is no damage
    let first = Folder::named(dir.path(), "v2").unwrap();
    let mut change = first.change(ENVIRONMENT, decider()).unwrap();
    change.accept(candidate("s::t[a,seed=1]", 1)).unwrap();
    drop(change);
    assert!(first.find(ENVIRONMENT).unwrap().is_none() && first.environments().unwrap().is_empty());
    accept(&first, &[("s::t[a,seed=1]", 1)]);
}

#[test]
fn a_file_is_known_by_its_bytes_or_by_its_pixels() {
    let dir = tempfile::tempdir().unwrap();
    let folder = baseline(dir.path());
    let id = "s::t[a,seed=1]";
    accept(&folder, &[(id, 1)]);
    let path = folder.path().join(ENVIRONMENT).join("s/t-a-seed1.png");
    let check = || {
        let read = folder.read(ENVIRONMENT).unwrap();
        read.check(id, &read.manifest().cases[id]).map_err(|error| error.to_string())
    };
    let good = fs::read(&path).unwrap();
    check().unwrap();
    // other bytes of the same pixels: a chunk that says nothing about them, before the end
    let (body, end) = good.split_at(good.len() - 12);
    let text = [&[0, 0, 0, 3][..], b"tEXta\0b", &crc(b"tEXta\0b").to_be_bytes()].concat();
    fs::write(&path, [body, &text, end].concat()).unwrap();
    check().unwrap();
    let mut flipped = good.clone();
    let middle = good.len() / 2;
    flipped[middle] ^= 1;
    fs::write(&path, &flipped).unwrap();
    assert_eq!(flipped.len(), good.len());
    assert!(check().is_err(), "of the same length");
    fs::write(&path, "").unwrap();
    assert!(check().unwrap_err().contains("empty"));
    fs::remove_file(&path).unwrap();
    assert!(check().unwrap_err().contains("not there"));
    #[cfg(unix)]
    {
        let other = dir.path().join("other.png");
        fs::write(&other, &good).unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        assert!(check().unwrap_err().contains("a link"));
        fs::remove_file(&path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert!(check().unwrap_err().contains("not a regular file"));
        let read = folder.read(ENVIRONMENT).unwrap();
        assert!(read.image(id, &read.manifest().cases[id]).is_err());
    }
}

/// The checksum of a PNG's chunk.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc: u32, _| (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}
