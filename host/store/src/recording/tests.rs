#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use difftest_core::digest::Digest;
use difftest_core::event::{Conclusion, Event, ImageRecord, Origin, Outcome, VERSION};
use difftest_core::shard::{self, Frozen, Shard, Strategy};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::*;

/// A run with two images of the same content, recorded.
struct World {
    dir: tempfile::TempDir,
    plan: Frozen,
}

impl World {
    fn new() -> Self {
        let mut plan = Frozen {
            format: shard::FORMAT,
            difftest: "0.1.0".into(),
            digest: String::new(),
            strategy: Strategy::Slice,
            suites: Vec::new(),
        };
        plan.digest = plan.computed_digest();
        let world = Self { dir: tempfile::tempdir().unwrap(), plan };
        world.run("run", 2, VERSION);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A run's folder.
    fn run(&self, name: &str, images: usize, version: u32) {
        let folder = self.path(name);
        fs::create_dir_all(&folder).unwrap();
        let mut events = vec![Event::RunStarted {
            version,
            difftest: "0.1.0".into(),
            run: name.into(),
            started: "2026-01-02T03:04:05Z".into(),
            folder: folder.clone(),
            suites: 1,
            cases: images,
            commit: None,
            label: None,
        }];
        for case in 0..images {
            let path = folder.join(format!("{case}.png"));
            fs::write(&path, b"the same bytes").unwrap();
            events.push(Event::Generated {
                case,
                outcome: Outcome::Ok(ImageRecord {
                    path,
                    digest: Digest::of(b""),
                    width: 1,
                    height: 1,
                    attributes: Vec::new(),
                    warnings: Vec::new(),
                }),
                seconds: 0.1 + 0.2,
                origin: Origin::Made,
            });
        }
        events.push(Event::RunFinished { conclusion: Conclusion::Passed, seconds: 1.0 });
        let lines: String = events.iter().map(|event| serde_json::to_string(event).unwrap() + "\n").collect();
        fs::write(folder.join("events.jsonl"), lines).unwrap();
    }

    fn source<'a>(&'a self, folder: &'a Path, shard: &str) -> Source<'a> {
        Source { folder, plan: &self.plan, shard: shard.parse::<Shard>().unwrap(), commit: Some("abc") }
    }

    fn recorded(&self) -> PathBuf {
        let path = self.path("out/one.difftest");
        write(&path, &self.source(&self.path("run"), "2/4")).unwrap();
        path
    }

    /// The recording with `change` made to its entries.
    fn forged(&self, change: impl FnOnce(&mut Vec<(String, Vec<u8>)>)) -> PathBuf {
        let mut zip = ZipArchive::new(File::open(self.recorded()).unwrap()).unwrap();
        let mut entries = Vec::new();
        for index in 0..zip.len() {
            let mut entry = zip.by_index(index).unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            entries.push((entry.name().unwrap().into_owned(), bytes));
        }
        change(&mut entries);
        self.zip(&entries)
    }

    fn zip(&self, entries: &[(String, Vec<u8>)]) -> PathBuf {
        let path = self.path("forged.difftest");
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        for (name, bytes) in entries {
            let method =
                if name.starts_with("objects/") { CompressionMethod::Stored } else { CompressionMethod::Deflated };
            zip.start_file(name.as_str(), SimpleFileOptions::default().compression_method(method)).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
        path
    }
}

fn refused(path: &Path) -> String {
    let error = Recording::open(path).unwrap_err();
    assert!(error.hint().is_some(), "{error}");
    format!("{}: {error}", error.kind())
}

fn manifest(entries: &mut [(String, Vec<u8>)]) -> &mut Vec<u8> {
    &mut entries.iter_mut().find(|(name, _)| name == MANIFEST).unwrap().1
}

#[test]
fn what_is_recorded_is_read_back() {
    let world = World::new();
    let path = world.recorded();
    let mut recording = Recording::open(&path).unwrap();
    assert_eq!((recording.manifest.of, recording.manifest.parts.len()), (4, 1));
    let part = recording.manifest.parts[0].clone();
    assert_eq!((part.shard, part.images, part.conclusion.as_str()), (2, 2, "passed"));
    assert_eq!(recording.plan, world.plan);

    let events = recording.events(&part).unwrap();
    let Event::Generated { outcome: Outcome::Ok(image), seconds, .. } = &events[1] else { panic!("{events:?}") };
    assert_eq!(*seconds, 0.1 + 0.2, "to the last bit");
    let to = world.path("image.png");
    recording.extract(&image.path, &to).unwrap();
    assert_eq!(fs::read(&to).unwrap(), b"the same bytes");
    assert!(recording.extract(&image.path, &to).is_err(), "nothing is replaced");

    let text = fs::read(&path).unwrap();
    let folder = world.path("run").to_string_lossy().into_owned();
    assert!(!text.windows(folder.len()).any(|window| window == folder.as_bytes()), "no path of this machine");
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file stays");

    // The same run gives the same bytes.
    let again = world.path("again.difftest");
    write(&again, &world.source(&world.path("run"), "2/4")).unwrap();
    assert_eq!(fs::read(&again).unwrap(), text);
}

#[test]
fn a_recording_that_cannot_be_made_leaves_nothing() {
    let world = World::new();
    let path = world.path("out/one.difftest");
    fs::remove_file(world.path("run/1.png")).unwrap();
    let error = write(&path, &world.source(&world.path("run"), "2/4")).unwrap_err();
    assert!(error.to_string().contains("1.png"), "{error}");
    assert!(!path.exists());
    let error = write(&path, &world.source(&world.path("nothing"), "2/4")).unwrap_err();
    assert!(error.to_string().contains("nothing"), "{error}");
    assert!(!path.exists());
}

#[test]
fn recordings_are_combined_and_each_shard_is_there_once() {
    let world = World::new();
    world.run("other", 1, VERSION);
    let (one, other) = (world.recorded(), world.path("other.difftest"));
    write(&other, &world.source(&world.path("other"), "1/4")).unwrap();
    let both = world.path("both.difftest");
    let open = |paths: &[&PathBuf]| paths.iter().map(|path| Recording::open(path).unwrap()).collect::<Vec<_>>();
    combine(&both, &mut open(&[&one, &other, &one])).unwrap();
    let mut recording = Recording::open(&both).unwrap();
    assert_eq!(recording.manifest.parts.iter().map(|part| part.shard).collect::<Vec<_>>(), [1, 2]);
    for part in recording.manifest.parts.clone() {
        assert_eq!(recording.events(&part).unwrap().len(), if part.shard == 1 { 3 } else { 4 });
    }
    let again = world.path("again.difftest");
    combine(&again, &mut open(&[&both, &one])).unwrap();
    assert_eq!(Recording::open(&again).unwrap().manifest, recording.manifest);
}

#[test]
fn no_foreign_entry_is_let_in() {
    let world = World::new();
    for name in [
        "../evil.png",
        "/etc/passwd",
        "objects/../../evil.png",
        "objects\\evil.png",
        "C:\\evil.png",
        "objects/short.png",
        "events/x.jsonl",
        "readme.txt",
        "objects/\u{1b}[2J.png",
    ] {
        let path = world.forged(|entries| entries.push((name.into(), b"x".to_vec())));
        let error = refused(&path);
        assert!(error.starts_with("recording-refused") && error.contains("which no recording has"), "{name}: {error}");
        assert!(!error.contains('\u{1b}'));
    }
}

#[test]
fn links_and_folders_are_refused() {
    let world = World::new();
    let name = format!("objects/{}.png", "a".repeat(64));
    let path = world.path("link.difftest");
    let mut zip = ZipWriter::new(File::create(&path).unwrap());
    zip.add_symlink(name.as_str(), "/etc/passwd", SimpleFileOptions::default()).unwrap();
    zip.finish().unwrap();
    let error = refused(&path);
    assert!(error.contains("is a link"), "{error}");
}

#[test]
fn names_that_occur_twice_are_refused() {
    let world = World::new();
    // The writer makes no such file, so the name of one entry is patched into that of another, in both places it stands.
    let (one, two) = (format!("objects/{}.png", "a".repeat(64)), format!("objects/{}.png", "b".repeat(64)));
    let path = world.forged(|entries| {
        entries.push((one.clone(), b"1".to_vec()));
        entries.push((two.clone(), b"2".to_vec()));
    });
    let mut bytes = fs::read(&path).unwrap();
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(two.len()).position(|window| window == two.as_bytes()) {
        bytes[at + found..at + found + two.len()].copy_from_slice(one.as_bytes());
        at += found;
    }
    fs::write(&path, bytes).unwrap();
    assert!(refused(&path).contains("the same name"));
}

#[test]
fn bombs_are_not_unpacked() {
    let world = World::new();
    let path = world.forged(|entries| {
        entries.iter_mut().find(|(name, _)| name == PLAN).unwrap().1 = vec![b' '; 100 << 20];
    });
    assert!(fs::metadata(&path).unwrap().len() < 1 << 20);
    assert!(refused(&path).contains("a bomb"), "{}", refused(&path));

    let path = world.forged(|entries| *manifest(entries) = vec![b' '; 5 << 20]);
    assert!(refused(&path).contains("more than it may have"));

    // An image that is packed could grow without end.
    let path = world.path("packed.difftest");
    let mut zip = ZipWriter::new(File::create(&path).unwrap());
    let packed = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    zip.start_file(format!("objects/{}.png", "a".repeat(64)), packed).unwrap();
    zip.write_all(&vec![0; 1 << 20]).unwrap();
    zip.finish().unwrap();
    assert!(refused(&path).contains("not stored as it is"));
}

#[test]
fn newer_ones_are_named_and_older_streams_are_read() {
    let world = World::new();
    let newer = world.forged(|entries| {
        let bytes = manifest(entries);
        let mut json: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        json["format"] = (FORMAT + 1).into();
        json["difftest"] = "9.9.9".into();
        // What a newer format is like nobody knows.
        json.as_object_mut().unwrap().remove("parts");
        *bytes = serde_json::to_vec(&json).unwrap();
    });
    let error = refused(&newer);
    assert!(error.starts_with("recording-newer") && error.contains("format 2, written by difftest 9.9.9"), "{error}");

    for (version, readable) in [(VERSION - 1, true), (VERSION, true)] {
        world.run("run", 1, version);
        let mut recording = Recording::open(&world.recorded()).unwrap();
        let part = recording.manifest.parts[0].clone();
        assert_eq!(recording.events(&part).is_ok(), readable);
    }
    let newer = world.forged(|entries| {
        let (name, bytes) = entries.iter_mut().find(|(name, _)| name.starts_with("events/")).unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        *bytes = text.replace(&format!("\"version\":{VERSION}"), "\"version\":99").into_bytes();
        let (old, new) = (name.clone(), events_name(blake3::hash(bytes).to_hex().as_str()));
        *name = new.clone();
        let digest = |name: &str| name[7..71].to_owned();
        let bytes = manifest(entries);
        *bytes = String::from_utf8(bytes.clone()).unwrap().replace(&digest(&old), &digest(&new)).into_bytes();
    });
    let mut recording = Recording::open(&newer).unwrap();
    let part = recording.manifest.parts[0].clone();
    let error = recording.events(&part).unwrap_err().to_string();
    assert!(error.contains("event stream version 99"), "{error}");
}

#[test]
fn whatever_is_damaged_is_found() {
    let world = World::new();
    let mut whole = fs::read(world.recorded()).unwrap();
    let path = world.path("forged.difftest");
    for cut in [0, 10, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..cut]).unwrap();
        assert!(refused(&path).starts_with("not-a-recording"), "{}", refused(&path));
    }
    fs::write(&path, "no zip").unwrap();
    assert!(refused(&path).starts_with("not-a-recording"));
    assert!(refused(&world.path("run")).starts_with("recording-read"));
    assert!(refused(&world.path("nothing")).starts_with("recording-read"));
    let other = world.zip(&[]);
    assert!(refused(&other).starts_with("not-a-recording"), "{}", refused(&other));

    // One bit of an image.
    let at = whole.windows(14).position(|window| window == b"the same bytes").unwrap();
    whole[at] ^= 1;
    fs::write(&path, &whole).unwrap();
    let mut recording = Recording::open(&path).unwrap();
    let part = recording.manifest.parts[0].clone();
    let events = recording.events(&part).unwrap();
    let Event::Generated { outcome: Outcome::Ok(image), .. } = &events[1] else { panic!("{events:?}") };
    let to = world.path("image.png");
    assert!(matches!(recording.extract(&image.path, &to), Err(RecordingError::Damaged { .. })));
    assert!(!to.exists());

    for (change, says) in
        [(r#""plan": "#, "not the one that its manifest names"), (r#""of": 4"#, "there is no shard 2 of 1")]
    {
        let path = world.forged(|entries| {
            let bytes = manifest(entries);
            let text = String::from_utf8(bytes.clone()).unwrap();
            assert!(text.contains(change));
            let replacement = if change.contains("plan") { "\"plan\": \"x\", \"was\": " } else { "\"of\": 1" };
            *bytes = text.replace(change, replacement).into_bytes();
        });
        assert!(refused(&path).contains(says), "{}", refused(&path));
    }

    // An event stream that names a file of this machine.
    let hostile = world.forged(|entries| {
        let (name, bytes) = entries.iter_mut().find(|(name, _)| name.starts_with("events/")).unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        let start = text.find("objects/").unwrap();
        *bytes = text.replace(&text[start..start + 76], "/etc/passwd").into_bytes();
        let (old, new) = (name.clone(), events_name(blake3::hash(bytes).to_hex().as_str()));
        *name = new.clone();
        let bytes = manifest(entries);
        *bytes = String::from_utf8(bytes.clone()).unwrap().replace(&old[7..71], &new[7..71]).into_bytes();
    });
    let mut recording = Recording::open(&hostile).unwrap();
    let part = recording.manifest.parts[0].clone();
    let error = recording.events(&part).unwrap_err().to_string();
    assert!(error.contains("/etc/passwd") && error.contains("not in the recording"), "{error}");
}
