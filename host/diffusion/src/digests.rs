//! The SHA-256 of model files, remembered from start to start: a file of gigabytes is read once, not every time. And, by the same
//! rules, that a file was looked through and found whole ([`looked_through`]).
//!
//! ```text
//! file -> length, mtime, inode, ctime -> known in this process? -> kept in the cache folder? -> hash, check again, keep
//! ```
//!
//! One small file for each path: `digests/<SHA-256 of the canonical path>` in difftest's cache folder (`DIFFTEST_CACHE_DIR`, or
//! the user's). It holds a digest, a key over the path and everything the [`Stamp`] says, and a checksum of both. What a file was looked
//! through for has an entry of its own, whose digest says what that was. Entries are
//! written beside and moved into place, so processes that run at once see a whole entry, an older one or none; about [`MOST`]
//! are kept. An entry that is damaged or cannot be read is as good as none, and a folder that cannot be written costs time only.
//! `DIFFTEST_NO_DIGEST_CACHE`, set to anything but nothing, turns all of this off: each file is hashed each time it is asked for.
//!
//! An entry may be lost, but a digest may not be wrong, so these files are hashed each time:
//!
//! - files below [`SMALLEST`], for which it does not pay;
//! - files that changed in the last [`SETTLED`]: one more change might leave the same times (git calls that racily clean);
//! - files whose ctime has no fraction of a second, as in squashfs images and on ISO and FAT volumes: it was not taken from the
//!   clock of this system at the last change, but from whoever built the image, and two images may agree in it.
//!
//! A file whose stamp differs after hashing gets the digest of what was read, and nothing is kept.
//!
//! On Unix, a change of the content moves the ctime, which no program can set back, so one of the same length with the old mtime
//! restored is noticed. What is not noticed: a program that goes on writing through a memory map, as the kernel notes the time of
//! its first write to a page only until that page is written back; a change beneath the file system or with the clock turned
//! back to the very nanosecond. Where there is no ctime (Windows), the time of creation stands in for it: content of the same
//! length that is written in place with the mtime restored goes unnoticed there. Whoever does such things sets the variable.
//!
//! The checksum finds damage, not malice: whoever can write to the cache folder can already run programs as this user (the code
//! of compiled plugins lies there too). So it is created for that user alone and must never be restored from a source one does
//! not trust.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use difftest_core::digest::{Digest, Hasher};

/// Turns the cache off.
const OFF_VARIABLE: &str = "DIFFTEST_NO_DIGEST_CACHE";

/// Moves difftest's cache folder.
const FOLDER_VARIABLE: &str = "DIFFTEST_CACHE_DIR";

/// Bytes. Smaller files take about as long to hash as an entry takes to find.
const SMALLEST: u64 = 1 << 20;

/// For so long a file must not have changed: the two seconds by which FAT counts, and some ticks of the kernel's clock.
const SETTLED: Duration = Duration::from_millis(2100);

/// How many entries are kept; the oldest go first. At a block of the disk for each, 16 MB.
const MOST: usize = 4096;

/// After so many new entries, a process looks again whether there are too many.
const BETWEEN_SWEEPS: usize = 256;

/// Begins each entry. Another number, another meaning of what follows.
const MARK: &str = "difftest-digest-1";

/// Files that are being written begin with this.
const PART: &str = ".part-";

/// A part this old belongs to a process that was killed.
const ABANDONED: Duration = Duration::from_secs(600);

/// The digest of a file, remembered where that is safe.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn digest(path: &Path) -> io::Result<Digest> {
    match &*DIGESTS {
        Some(digests) => Ok(digests.digest(path)?.0),
        None => Ok(hash(&mut crate::files::open(path)?)?.0),
    }
}

/// Looks through a file, unless it was looked through for the same before, has not changed since and nothing was wrong.
///
/// `sought` stands for what is looked for, and where in the file.
///
/// # Errors
/// What looking through it gives; that is never remembered.
pub(crate) fn looked_through<E>(path: &Path, sought: Digest, look: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
    match &*DIGESTS {
        Some(digests) => digests.looked_through(path, sought, look).map(|_| ()),
        None => look(),
    }
}

/// As the environment of this process says.
static DIGESTS: LazyLock<Option<Digests>> = LazyLock::new(Digests::of_this_process);

/// Where a digest came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// This process had it.
    Known,
    /// An earlier one had kept it.
    Kept,
    /// The file was hashed, and that is remembered.
    Hashed,
    /// The file was hashed, and will be the next time.
    HashedOnly,
}

/// What is known of a path. Locked while the file is hashed, so that who asks meanwhile waits and hashes nothing.
type Place = Arc<Mutex<Option<(Stamp, Digest)>>>;

/// What this process and the cache folder know.
struct Digests {
    /// `None` where nothing can be kept.
    folder: Option<PathBuf>,
    /// By canonical path.
    known: Mutex<HashMap<PathBuf, Place>>,
    /// How many entries this process wrote.
    written: AtomicUsize,
}

impl Digests {
    /// As the environment says; `None` when it says no.
    fn of_this_process() -> Option<Self> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        if variable(OFF_VARIABLE).is_some() {
            return None;
        }
        let user = || Some(directories::ProjectDirs::from("", "", "difftest")?.cache_dir().to_owned());
        Some(Self::of(variable(FOLDER_VARIABLE).map(PathBuf::from).or_else(user)))
    }

    /// With this cache folder.
    fn of(cache: Option<PathBuf>) -> Self {
        let folder = cache.map(|cache| cache.join("digests"));
        Self { folder, known: Mutex::default(), written: AtomicUsize::new(0) }
    }

    fn digest(&self, path: &Path) -> io::Result<(Digest, Origin)> {
        let mut file = crate::files::open(path)?;
        // before the stamp: what changes after the stamp was taken changed after `now`
        let now = SystemTime::now();
        let stamp = Stamp::of(&file.metadata()?).filter(|stamp| stamp.is_reliable(now));
        // some virtual drives of Windows have no canonical paths
        let (Some(stamp), Ok(path)) = (stamp, path.canonicalize()) else {
            return Ok((hash(&mut file)?.0, Origin::HashedOnly));
        };
        let place = Place::clone(lock(&self.known).entry(path.clone()).or_default());
        let mut place = lock(&place);
        if let Some((of, digest)) = *place
            && of == stamp
        {
            return Ok((digest, Origin::Known));
        }
        let key = stamp.key(&path);
        let entry = self.folder.as_ref().map(|folder| folder.join(name(&path)));
        if let Some(digest) = entry.as_deref().and_then(|entry| load(entry, key)) {
            *place = Some((stamp, digest));
            return Ok((digest, Origin::Kept));
        }
        let (digest, unchanged) = hash_and_check(&mut file, stamp)?;
        if !unchanged {
            return Ok((digest, Origin::HashedOnly));
        }
        *place = Some((stamp, digest));
        // it can only cost time when that fails
        let _ = entry.map(|entry| self.keep(&entry, &text(key, digest)));
        Ok((digest, Origin::Hashed))
    }

    /// [`looked_through`], and whether it was in this call.
    fn looked_through<E>(&self, path: &Path, sought: Digest, look: impl FnOnce() -> Result<(), E>) -> Result<bool, E> {
        let now = SystemTime::now();
        // files that cannot be opened are told by whoever looks
        let stamp = || Stamp::of(&fs::metadata(path).ok()?);
        let before = stamp().filter(|stamp| stamp.is_reliable(now));
        let known = before.zip(path.canonicalize().ok()).zip(self.folder.as_ref());
        let known = known.map(|((stamp, path), folder)| (stamp.key(&path), folder.join(name_of_look(&path, sought))));
        if known.as_ref().is_some_and(|(key, entry)| load(entry, *key) == Some(sought)) {
            return Ok(false);
        }
        look()?;
        if let Some((key, entry)) = known.filter(|_| stamp() == before) {
            // it can only cost time when that fails
            let _ = self.keep(&entry, &text(key, sought));
        }
        Ok(true)
    }

    /// Writes an entry whole or not at all. It is not synced to the disk: a crash can only cost it.
    fn keep(&self, entry: &Path, text: &str) -> io::Result<()> {
        let folder = entry.parent().unwrap_or(Path::new("."));
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
        if self.written.fetch_add(1, Ordering::Relaxed).is_multiple_of(BETWEEN_SWEEPS) {
            sweep(folder, MOST);
        }
        let mut file = tempfile::Builder::new().prefix(PART).tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.persist(entry)?;
        Ok(())
    }
}

/// By what a file is recognised, beside its path. Times in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    length: u64,
    modified: i128,
    /// 0 where the standard library does not tell (Windows).
    inode: u64,
    /// The ctime; on other systems than Unix the time of creation.
    changed: i128,
}

impl Stamp {
    /// `None` where it would mean nothing: pipes, devices, no times.
    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        metadata.is_file().then(|| Self {
            length: metadata.len(),
            modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            inode: metadata.ino(),
            changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// `None` where it would mean nothing: pipes, devices, no times.
    #[cfg(not(unix))]
    fn of(metadata: &Metadata) -> Option<Self> {
        let modified = nanoseconds(metadata.modified().ok()?);
        let changed = nanoseconds(metadata.created().ok()?);
        metadata.is_file().then_some(Self { length: metadata.len(), modified, inode: 0, changed })
    }

    /// Whether any later change of the content shows in it, and it is worth the trouble.
    fn is_reliable(&self, now: SystemTime) -> bool {
        // times in the future are no better than those just now
        let settled = nanoseconds(now) - SETTLED.as_nanos() as i128;
        let from_the_clock = cfg!(not(unix)) || self.changed % 1_000_000_000 != 0;
        self.length >= SMALLEST && self.modified < settled && self.changed < settled && from_the_clock
    }

    /// One value for all of it and the path.
    fn key(&self, path: &Path) -> Digest {
        let mut hasher = Hasher::new();
        hasher.field(path.as_os_str().as_encoded_bytes());
        hasher.field(&self.length.to_le_bytes());
        hasher.field(&self.modified.to_le_bytes());
        hasher.field(&self.inode.to_le_bytes());
        hasher.field(&self.changed.to_le_bytes());
        hasher.finish()
    }
}

fn nanoseconds(time: SystemTime) -> i128 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_nanos() as i128,
        Err(before) => -(before.duration().as_nanos() as i128),
    }
}

/// The digest of a file that had this stamp, and whether it has it still.
fn hash_and_check(file: &mut File, stamp: Stamp) -> io::Result<(Digest, bool)> {
    let (digest, bytes) = hash(file)?;
    Ok((digest, bytes == stamp.length && Stamp::of(&file.metadata()?) == Some(stamp)))
}

/// The rest of a file: its digest and its length.
fn hash(file: &mut File) -> io::Result<(Digest, u64)> {
    let (mut hasher, mut bytes) = (Hasher::new(), 0);
    // small enough to stay in the processor's own memory between being read and being hashed
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((hasher.finish(), bytes)),
            Ok(n) => {
                hasher.update(&buffer[..n]);
                bytes += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The file name of the entry with the digest of a canonical path.
fn name(path: &Path) -> String {
    Digest::of(path.as_os_str().as_encoded_bytes()).to_string()
}

/// The file name of the entry with what it was looked through for.
fn name_of_look(path: &Path, sought: Digest) -> String {
    let mut hasher = Hasher::new();
    hasher.field(path.as_os_str().as_encoded_bytes());
    hasher.field(sought.to_string().as_bytes());
    hasher.finish().to_string()
}

/// What an entry says. There is only one way to say it.
fn text(key: Digest, digest: Digest) -> String {
    let said = format!("{MARK} {key} {digest}");
    format!("{said} {}\n", Digest::of(said.as_bytes()))
}

/// The digest in an entry, where it is whole and has this key.
fn load(entry: &Path, key: Digest) -> Option<Digest> {
    let mut found = String::new();
    // more than an entry has, so that longer ones are seen to be wrong
    File::open(entry).ok()?.take(1024).read_to_string(&mut found).ok()?;
    let digest = found.split(' ').nth(2)?.parse().ok()?;
    (found == text(key, digest)).then_some(digest)
}

/// Removes what killed processes left, and the oldest entries down to three quarters of `most` where there are more.
fn sweep(folder: &Path, most: usize) {
    let Ok(files) = fs::read_dir(folder) else { return };
    let now = SystemTime::now();
    let mut entries = Vec::new();
    for file in files.flatten() {
        let Ok(written) = file.metadata().and_then(|metadata| metadata.modified()) else { continue };
        let name = file.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(PART) && now.duration_since(written).is_ok_and(|age| age > ABANDONED) {
            let _ = fs::remove_file(file.path());
        } else if name.parse::<Digest>().is_ok() {
            entries.push((written, file.path()));
        }
    }
    if entries.len() > most {
        entries.sort();
        for (_, path) in &entries[..entries.len() - most / 4 * 3] {
            let _ = fs::remove_file(path);
        }
    }
}

/// What is behind these locks is whole even where a thread died.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
