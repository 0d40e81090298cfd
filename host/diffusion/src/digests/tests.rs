//! On real files with the system's own times, so most of them wait until a file counts as settled.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::process::Command;
use std::thread;

use super::*;

/// A cache and room for files, apart from each other.
struct Room {
    folder: tempfile::TempDir,
}

impl Room {
    fn new() -> Self {
        let room = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(room.files()).unwrap();
        room
    }

    fn files(&self) -> PathBuf {
        self.folder.path().join("files")
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    /// As a process that starts now has it.
    fn start(&self) -> Digests {
        Digests::of(Some(self.cache()))
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.files().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Every file in the folder of the entries.
    fn entries(&self) -> Vec<PathBuf> {
        let Ok(files) = fs::read_dir(self.cache().join("digests")) else { return Vec::new() };
        files.map(|file| file.unwrap().path()).collect()
    }

    fn only_entry(&self) -> PathBuf {
        let [entry] = &self.entries()[..] else { panic!("{:?}", self.entries()) };
        entry.clone()
    }
}

/// Whether the file was looked through, for what `sought` names.
fn look(digests: &Digests, path: &Path, sought: &str) -> bool {
    let mut looked = false;
    let sought = Digest::of(sought.as_bytes());
    let told = digests.looked_through(path, sought, || -> Result<(), ()> {
        looked = true;
        Ok(())
    });
    assert_eq!(told, Ok(looked));
    looked
}

/// Content that is just large enough.
fn large(byte: u8) -> Vec<u8> {
    vec![byte; SMALLEST as usize]
}

fn settle() {
    thread::sleep(SETTLED + Duration::from_millis(100));
}

/// Asks, and holds the answer against the file as it is now.
#[track_caller]
fn ask(digests: &Digests, path: &Path) -> Origin {
    let (digest, origin) = digests.digest(path).unwrap();
    assert_eq!(digest, Digest::of(&fs::read(path).unwrap()), "{origin:?}");
    origin
}

#[test]
fn a_file_is_hashed_once() {
    let room = Room::new();
    let path = room.write("a", &large(1));
    settle();
    let first = room.start();
    assert_eq!(ask(&first, &path), Origin::Hashed);
    assert_eq!(ask(&first, &path), Origin::Known);
    let second = room.start();
    assert_eq!(ask(&second, &path), Origin::Kept);
    assert_eq!(ask(&second, &path), Origin::Known);
    // another way to the same file
    assert_eq!(ask(&room.start(), &room.files().join("../files/a")), Origin::Kept);
    assert!(room.only_entry().ends_with(name(&path.canonicalize().unwrap())));
}

#[test]
fn small_files_are_hashed_each_time() {
    let room = Room::new();
    let path = room.write("a", &large(1)[1..]);
    settle();
    let digests = room.start();
    assert_eq!([ask(&digests, &path), ask(&digests, &path)], [Origin::HashedOnly; 2]);
    assert_eq!(room.entries(), [] as [PathBuf; 0]);
}

#[test]
fn a_file_that_changed_just_now_is_hashed_each_time() {
    let room = Room::new();
    let path = room.write("a", &large(1));
    let digests = room.start();
    assert_eq!([ask(&digests, &path), ask(&digests, &path)], [Origin::HashedOnly; 2]);
    // an old mtime does not make it older
    File::options().write(true).open(&path).unwrap().set_modified(UNIX_EPOCH + Duration::from_nanos(1)).unwrap();
    if cfg!(unix) {
        assert_eq!(ask(&digests, &path), Origin::HashedOnly);
    }
    settle();
    assert_eq!(ask(&digests, &path), Origin::Hashed);
    // nor is it trusted while it seems to come from the future, however well it is known
    File::options().write(true).open(&path).unwrap().set_modified(SystemTime::now() + 1000 * SETTLED).unwrap();
    settle();
    assert_eq!(ask(&digests, &path), Origin::HashedOnly);
}

#[test]
fn any_change_of_the_content_is_noticed() {
    let room = Room::new();
    let path = room.write("a", &large(1));
    settle();
    let digests = room.start();
    assert_eq!(ask(&digests, &path), Origin::Hashed);
    for (step, content) in [large(2), large(3)[..].repeat(2), large(4)].into_iter().enumerate() {
        fs::write(&path, content).unwrap();
        assert_eq!(ask(&digests, &path), Origin::HashedOnly, "{step}: too new");
        settle();
        assert_eq!(ask(&digests, &path), Origin::Hashed, "{step}: not known");
        assert_eq!(ask(&room.start(), &path), Origin::Kept, "{step}: kept anew");
    }
    let other = room.write("b", &large(5));
    settle();
    fs::rename(&other, &path).unwrap();
    settle();
    assert_eq!(ask(&digests, &path), Origin::Hashed, "another file in its place");
}

#[cfg(unix)]
#[test]
fn a_change_that_hides_behind_the_old_length_and_mtime_is_noticed() {
    let room = Room::new();
    let path = room.write("a", &large(1));
    settle();
    let digests = room.start();
    assert_eq!(ask(&digests, &path), Origin::Hashed);
    let before = fs::metadata(&path).unwrap();

    let mut file = File::options().write(true).open(&path).unwrap();
    file.write_all(&large(2)).unwrap();
    file.set_modified(before.modified().unwrap()).unwrap();
    drop(file);
    settle();
    let [before, after] = [Stamp::of(&before), Stamp::of(&fs::metadata(&path).unwrap())].map(Option::unwrap);
    assert_eq!(Stamp { changed: before.changed, ..after }, before, "only the ctime tells");
    assert_eq!(ask(&room.start(), &path), Origin::Hashed);
    assert_eq!(ask(&digests, &path), Origin::Kept, "not what this process knew before");
}

#[test]
fn a_change_while_it_is_hashed_is_seen() {
    let room = Room::new();
    let path = room.write("a", &large(1).repeat(2));
    settle();
    let hashed = |change: &dyn Fn(File)| {
        let mut file = File::open(&path).unwrap();
        let stamp = Stamp::of(&file.metadata().unwrap()).unwrap();
        assert!(stamp.is_reliable(SystemTime::now()));
        change(File::options().write(true).open(&path).unwrap());
        hash_and_check(&mut file, stamp).unwrap()
    };
    let content = Digest::of(&large(1).repeat(2));
    assert_eq!(hashed(&|_| ()), (content, true));
    let written = hashed(&|mut file| file.write_all(&large(2)).unwrap());
    assert_eq!(written, (Digest::of(&[large(2), large(1)].concat()), false));
    settle();
    assert_eq!(hashed(&|file| file.set_len(SMALLEST).unwrap()), (Digest::of(&large(2)), false));
}

#[test]
fn damage_is_found_and_mended() {
    let room = Room::new();
    let path = room.write("a", &large(1));
    let other = room.write("b", &large(2));
    settle();
    assert_eq!(ask(&room.start(), &path), Origin::Hashed);
    let entry = room.only_entry();
    assert_eq!(ask(&room.start(), &other), Origin::Hashed);
    let other = room.entries().into_iter().find(|found| *found != entry).unwrap();

    let whole = fs::read(&entry).unwrap();
    let key = Stamp::of(&fs::metadata(&path).unwrap()).unwrap().key(&path.canonicalize().unwrap());
    assert_eq!(load(&entry, key), Some(Digest::of(&large(1))));
    let damaged = |bytes: &[u8], what: &str| {
        fs::write(&entry, bytes).unwrap();
        assert_eq!(load(&entry, key), None, "{what} must not be believed");
    };
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            damaged(&bytes, &format!("a flip of bit {bit} at {at}"));
        }
        damaged(&whole[..at], &format!("{at} of {} bytes", whole.len()));
    }
    damaged(&[&whole[..], b"\n"].concat(), "a byte too many");
    damaged(&whole.repeat(100), "much too much");
    damaged(&whole.to_ascii_uppercase(), "capitals");
    damaged(&fs::read(other).unwrap(), "the entry of another file");
    assert_eq!(ask(&room.start(), &path), Origin::Hashed);
    assert_eq!(fs::read(&entry).unwrap(), whole, "mended");
    assert_eq!(ask(&room.start(), &path), Origin::Kept);

    fs::remove_file(&entry).unwrap();
    fs::create_dir(&entry).unwrap();
    let digests = room.start();
    assert_eq!([ask(&digests, &path), ask(&digests, &path)], [Origin::Hashed, Origin::Known], "a folder in the way");
}

#[test]
fn a_folder_that_cannot_be_written_is_no_obstacle() {
    let room = Room::new();
    let path = room.write("a", &large(1));
    settle();
    for cache in [None, Some(path.clone())] {
        let start = || Digests::of(cache.clone());
        let digests = start();
        assert_eq!([ask(&digests, &path), ask(&digests, &path)], [Origin::Hashed, Origin::Known]);
        assert_eq!(ask(&start(), &path), Origin::Hashed, "nothing was kept");
    }
    let missing = room.start().digest(&room.files().join("b")).unwrap_err();
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    assert!(room.start().digest(&room.files()).is_err(), "a folder has no digest");
}

#[test]
fn threads_that_ask_at_once_hash_once() {
    let room = Room::new();
    let path = room.write("a", &large(1).repeat(16));
    settle();
    let digests = room.start();
    let mut origins: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| ask(&digests, &path))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    origins.sort_by_key(|origin| *origin != Origin::Hashed);
    assert_eq!(origins, [Origin::Hashed, Origin::Known, Origin::Known, Origin::Known]);
}

/// Times as squashfs, ISO and FAT have them, which a test cannot make.
#[cfg(unix)]
#[test]
fn a_ctime_without_fraction_is_not_relied_on() {
    let second = 1_000_000_000;
    let of = |modified, changed| Stamp { length: SMALLEST, modified, inode: 1, changed };
    let now = UNIX_EPOCH + Duration::from_secs(100);
    assert!(of(50 * second, 50 * second + 1).is_reliable(now));
    assert!(!of(50 * second + 1, 50 * second).is_reliable(now));
    let settled = 100 * second - SETTLED.as_nanos() as i128;
    assert!(of(50 * second, settled - 1).is_reliable(now));
    for unsettled in [settled, 100 * second - 1, 100 * second + 1, 1000 * second + 1] {
        assert!(!of(50 * second, unsettled).is_reliable(now), "{unsettled}");
        assert!(!of(unsettled, 50 * second + 1).is_reliable(now), "{unsettled}");
    }
}

#[test]
fn the_oldest_entries_and_parts_of_killed_processes_go() {
    let folder = tempfile::tempdir().unwrap();
    let aged = |name: &str, seconds: u64| {
        let path = folder.path().join(name);
        let written = SystemTime::now() - Duration::from_secs(seconds);
        File::create(&path).unwrap().set_modified(written).unwrap();
        path
    };
    let entries: Vec<_> = (0..9).map(|age| aged(&Digest::of(&[age]).to_string(), 1000 * u64::from(age))).collect();
    let [foreign, new, old] = [aged("notes", 1 << 20), aged(".part-new", 60), aged(".part-old", 6000)];
    sweep(folder.path(), 9);
    assert!(entries.iter().all(|entry| entry.exists()) && !old.exists(), "as many as may be, and no abandoned part");
    sweep(folder.path(), 8);
    let left: Vec<_> = entries.iter().map(|entry| entry.exists()).collect();
    assert_eq!(left, [true, true, true, true, true, true, false, false, false]);
    assert!(foreign.exists() && new.exists());
}

/// Variable of the test below: the folder whose files its processes hash.
const FILES: &str = "DIFFTEST_TEST_FILES";

#[test]
fn processes_share_what_they_know() {
    let room = Room::new();
    let paths: Vec<_> = (0..4).map(|n| room.write(&n.to_string(), &large(n))).collect();
    let right: Vec<_> = (0..4).map(|n| Digest::of(&large(n)).to_string()).collect();
    settle();
    let child = |off: &str| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "digests::tests::one_process", "--nocapture"]);
        command.env(FILES, room.files()).env(FOLDER_VARIABLE, room.cache()).env(OFF_VARIABLE, off);
        command.stdout(std::process::Stdio::piped()).spawn().unwrap()
    };
    let said = |child: std::process::Child| {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().filter_map(|line| line.strip_prefix("sha256 ")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(said(child("1")), right);
    assert_eq!(room.entries(), [] as [PathBuf; 0], "turned off");
    for _ in 0..3 {
        let children: Vec<_> = (0..4).map(|_| child("")).collect();
        children.into_iter().for_each(|child| assert_eq!(said(child), right));
    }
    let names = |paths: &[PathBuf]| paths.iter().map(|path| name(path)).collect::<std::collections::BTreeSet<_>>();
    let canonical: Vec<_> = paths.iter().map(|path| path.canonicalize().unwrap()).collect();
    let found = room.entries().iter().map(|entry| entry.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(names(&canonical), found, "an entry for each and no parts");

    // whole and false: this is how one sees that it is an entry that speaks
    let key = Stamp::of(&fs::metadata(&paths[2]).unwrap()).unwrap().key(&canonical[2]);
    fs::write(room.cache().join("digests").join(name(&canonical[2])), text(key, Digest::of(b""))).unwrap();
    let mut believed = right.clone();
    believed[2] = Digest::of(b"").to_string();
    assert_eq!(said(child("")), believed);
    assert_eq!(said(child("1")), right);
}

/// The other half of the test above and the one below.
#[test]
fn one_process() {
    let Some(folder) = std::env::var_os(FILES) else { return };
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let start = std::time::Instant::now();
        let digest = digest(&path).unwrap();
        println!("\nsha256 {digest}\ntime {:?}", start.elapsed());
    }
}

/// `cargo test -p difftest-diffusion --lib a_gigabyte -- --ignored --nocapture`
#[test]
#[ignore = "writes a gigabyte and measures"]
fn a_gigabyte() {
    let room = Room::new();
    let mut file = File::create(room.files().join("a")).unwrap();
    (0..=255).for_each(|n| file.write_all(&large(n).repeat(4)).unwrap());
    file.sync_all().unwrap();
    settle();
    for start in ["first", "second", "third", "off"] {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "digests::tests::one_process", "--nocapture"]);
        command.env(FILES, room.files()).env(FOLDER_VARIABLE, room.cache());
        command.env(OFF_VARIABLE, if start == "off" { "1" } else { "" });
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        println!("{start}: {}", text.lines().find(|line| line.starts_with("time")).unwrap());
    }
}

#[test]
fn a_file_is_looked_through_once_for_each_thing_and_again_when_it_changed() {
    let room = Room::new();
    let path = room.write("weights", &large(1));
    settle();
    assert!(look(&room.start(), &path, "NaN in a"));
    assert!(!look(&room.start(), &path, "NaN in a"));
    assert!(look(&room.start(), &path, "NaN in b"), "something else");
    assert_eq!(ask(&room.start(), &path), Origin::Hashed, "an entry is no digest of the file");
    assert!(!look(&room.start(), &path, "NaN in a"), "nor the other way round");

    room.write("weights", &large(2));
    settle();
    assert!(look(&room.start(), &path, "NaN in a"));
    assert!(!look(&room.start(), &path, "NaN in a"));
    for entry in room.entries() {
        fs::write(entry, "damage").unwrap();
    }
    assert!(look(&room.start(), &path, "NaN in a"));
}

#[test]
fn what_was_wrong_or_changed_meanwhile_is_looked_through_again() {
    let room = Room::new();
    let path = room.write("weights", &large(1));
    settle();
    let sought = Digest::of(b"NaN");
    assert_eq!(room.start().looked_through(&path, sought, || Err("tensor 7")), Err("tensor 7"));
    assert_eq!(room.entries(), [] as [PathBuf; 0]);
    let told: Result<bool, ()> = room.start().looked_through(&path, sought, || {
        room.write("weights", &large(2));
        Ok(())
    });
    assert_eq!(told, Ok(true));
    assert_eq!(room.entries(), [] as [PathBuf; 0]);
    let small = room.write("small", b"few");
    settle();
    for _ in 0..2 {
        assert!(look(&room.start(), &small, "NaN"), "it does not pay");
        assert!(look(&room.start(), &room.files().join("none"), "NaN"), "who looks has the words for it");
    }
}
