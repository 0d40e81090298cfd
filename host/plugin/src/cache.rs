//! Compiled code, kept between runs.
//!
//! One file for each pair of engine and plugin: `plugins/<engine>/<sha256 of the wasm>.cwasm` in difftest's cache folder. It is
//! what wasmtime serialised, with a mark and the BLAKE3 of it all behind it. It is read into memory, and the bytes that were
//! checked are those that are used: nothing that happens to the file later matters. A file is written beside and moved into place, checked whole before each use, and compiled anew
//! when anything about it is wrong, so it is not synced to the disk: a crash can only cost it.
//!
//! The digest finds damage, not malice: whoever can write to this folder can already run programs as this user, so it is created
//! for that user alone and must never be restored from a source one does not trust. BLAKE3 because it is read whole at every
//! start and 40 MB of a Python plugin are no rarity.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use difftest_core::digest::Digest;
use serde::Serialize;
use wasmtime::component::Component;

use crate::compile::{CompileError, Compiler};
use crate::engine::Engine;
use crate::limits::Limits;
use crate::text;

/// Stands behind the code, before its digest.
const MARK: &[u8; 16] = b"difftest-cwasm-2";
const TRAILER: u64 = MARK.len() as u64 + blake3::OUT_LEN as u64;

/// The longest file that is read. Code is 2 to 4 times as long as its component, of which 64 MiB are allowed.
const MOST: u64 = 512 << 20;

/// Files that are being written begin with this.
const PART: &str = ".part-";

/// A part this old belongs to a process that was killed.
const ABANDONED: Duration = Duration::from_secs(600);

/// Where the code of a plugin came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Compiled earlier, and found.
    Cache,
    /// Compiled now, and kept.
    Compiled,
    /// Compiled now; it could not be kept.
    CompiledNotKept,
}

/// Told the name of a plugin whose compilation takes long.
pub(crate) type Notice = Arc<dyn Fn(&str) + Send + Sync>;

/// The folder, or none to compile every time; and who compiles.
#[derive(Clone)]
pub(crate) struct Cache {
    pub(crate) folder: Option<PathBuf>,
    pub(crate) compiler: Compiler,
    pub(crate) notice: Notice,
}

impl Cache {
    /// In `DIFFTEST_CACHE_DIR`, or the user's cache folder.
    pub(crate) fn standard() -> Self {
        let named = std::env::var_os("DIFFTEST_CACHE_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
        let folder = named.or_else(|| Some(directories::ProjectDirs::from("", "", "difftest")?.cache_dir().to_owned()));
        Self { folder, compiler: Compiler::default(), notice: Arc::new(|_| ()) }
    }

    /// The compiled `wasm` of the plugin `name`, whose digest is `digest`: from the folder, or compiled and then kept there.
    pub(crate) fn component(
        &self,
        engine: &Engine,
        limits: &Limits,
        name: &str,
        wasm: &[u8],
        digest: &Digest,
    ) -> Result<(Component, Origin), CompileError> {
        let of_engine = |folder: &PathBuf| folder.join("plugins").join(engine.compatibility().short());
        let path = self.folder.as_ref().map(|folder| of_engine(folder).join(format!("{digest}.cwasm")));
        if let Some(component) = path.as_deref().and_then(|path| load(engine, path)) {
            return Ok((component, Origin::Cache));
        }
        let code = self.compiler.compile(engine, wasm, limits, || (self.notice)(name))?;
        let kept = path.is_some_and(|path| store(&path, &code).is_ok());
        #[expect(unsafe_code, reason = "the bytes are what wasmtime's compiler wrote just now")]
        // SAFETY: `deserialize` asks for bytes that `serialize` made. They were made in this process or by the child process of
        // `compile`, whose program and pipe nobody else holds; wasmtime refuses code of another version or other settings.
        let component = unsafe { Component::deserialize(engine.inner(), &code) };
        let unusable = |error| CompileError::Unusable { reason: text::line(&format!("{error:#}"), 300) };
        Ok((component.map_err(unusable)?, if kept { Origin::Compiled } else { Origin::CompiledNotKept }))
    }
}

/// The code in `path`, where it is whole.
fn load(engine: &Engine, path: &Path) -> Option<Component> {
    let code = read(path).ok()??;
    #[expect(unsafe_code, reason = "the bytes are what `Component::serialize` wrote: their digest says so")]
    // SAFETY: `deserialize` asks for bytes that `serialize` made. These were checked where they lie, in this process's memory, so
    // nothing that happens to the file changes them; wasmtime refuses code of another version or other settings.
    let component = unsafe { Component::deserialize(engine.inner(), &code) };
    component.ok()
}

/// The code in `path`, where it ends with the mark and the digest of everything before them and is no longer than [`MOST`].
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    if length > MOST {
        return Ok(None);
    }
    let mut code = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(MOST).read_to_end(&mut code)?;
    let Some(end) = code.len().checked_sub(TRAILER as usize) else { return Ok(None) };
    let whole = code[end..].strip_prefix(MARK) == Some(blake3::hash(&code[..end]).as_bytes().as_slice());
    code.truncate(end);
    Ok(whole.then_some(code))
}

/// Writes `code` whole or not at all.
fn store(path: &Path, code: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    sweep(folder);
    let mut file = tempfile::Builder::new().prefix(PART).tempfile_in(folder)?;
    file.write_all(code)?;
    file.write_all(MARK)?;
    file.write_all(blake3::hash(code).as_bytes())?;
    file.persist(path)?;
    Ok(())
}

/// Removes what processes left behind that were killed while they wrote.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let now = SystemTime::now();
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PART)) {
        let written = entry.metadata().and_then(|meta| meta.modified());
        if written.is_ok_and(|written| now.duration_since(written).is_ok_and(|age| age > ABANDONED)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const WASM: &str = "(component (core module (func (export \"f\"))))";

    fn at(folder: Option<&Path>) -> Cache {
        Cache { folder: folder.map(Path::to_owned), ..Cache::standard() }
    }

    fn get(cache: &Cache, engine: &Engine, wasm: &[u8]) -> Origin {
        cache.component(engine, &Limits::default(), "p", wasm, &Digest::of(wasm)).unwrap().1
    }

    /// The file of `wasm` in the cache folder.
    fn file(folder: &Path, engine: &Engine, wasm: &[u8]) -> PathBuf {
        folder.join("plugins").join(engine.compatibility().short()).join(format!("{}.cwasm", Digest::of(wasm)))
    }

    #[test]
    fn damage_is_found_and_mended() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::new().unwrap();
        let wasm = wat::parse_str(WASM).unwrap();
        let cache = at(Some(folder.path()));
        assert_eq!(get(&cache, &engine, &wasm), Origin::Compiled);
        assert_eq!(get(&cache, &engine, &wasm), Origin::Cache);

        let path = file(folder.path(), &engine, &wasm);
        let whole = fs::read(&path).unwrap();
        let damaged = |bytes: &[u8], what: &str| {
            fs::write(&path, bytes).unwrap();
            assert!(load(&engine, &path).is_none(), "{what} must not be loaded");
        };
        for at in (0..whole.len()).step_by(97).chain(whole.len() - TRAILER as usize..whole.len()) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            damaged(&bytes, &format!("a flip at {at}"));
        }
        for length in [0, 1, TRAILER as usize - 1, TRAILER as usize, whole.len() / 2, whole.len() - 1] {
            damaged(&whole[..length], &format!("{length} of {} bytes", whole.len()));
        }
        damaged(&[&whole[..], &[0]].concat(), "a byte too many");
        damaged(&whole[1..], "a byte too few");
        assert_eq!(get(&cache, &engine, &wasm), Origin::Compiled, "it is compiled anew");
        assert_eq!(fs::read(&path).unwrap(), whole, "and mended");
        assert_eq!(get(&cache, &engine, &wasm), Origin::Cache);
    }

    /// Whole files with the right digest that hold something else.
    #[test]
    fn code_of_another_wasmtime_or_of_something_else_is_compiled_anew() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::new().unwrap();
        let wasm = wat::parse_str(WASM).unwrap();
        let cache = at(Some(folder.path()));
        assert_eq!(get(&cache, &engine, &wasm), Origin::Compiled);
        let path = file(folder.path(), &engine, &wasm);
        let whole = fs::read(&path).unwrap();
        let code = &whole[..whole.len() - TRAILER as usize];

        let version = engine_version(code);
        let mut other_version = code.to_vec();
        other_version[version] += 1;
        let mut other_settings = wasmtime::Config::new();
        other_settings.consume_fuel(false);
        let other_settings = wasmtime::Engine::new(&other_settings).unwrap().precompile_component(&wasm).unwrap();
        let module = engine.inner().precompile_module(&wat::parse_str("(module)").unwrap()).unwrap();
        for (what, foreign) in [
            ("another version", other_version),
            ("other settings", other_settings),
            ("a core module", module),
            ("text", b"not code at all".to_vec()),
            ("nothing", Vec::new()),
        ] {
            store(&path, &foreign).unwrap();
            assert_eq!(get(&cache, &engine, &wasm), Origin::Compiled, "{what}");
            assert_eq!(fs::read(&path).unwrap(), whole, "{what}");
        }
    }

    /// Where serialised code names its wasmtime version: the last digit of it.
    fn engine_version(code: &[u8]) -> usize {
        let version = crate::WASMTIME_VERSION.as_bytes();
        let named: Vec<_> = (1..code.len() - version.len())
            // a length and the text, as wasmtime's version strategy writes it
            .filter(|&at| code[at..].starts_with(version) && usize::from(code[at - 1]) == version.len())
            .collect();
        let [at] = named[..] else { panic!("the version stands at {named:?}") };
        at + version.len() - 1
    }

    #[cfg(unix)]
    #[test]
    fn a_huge_file_is_replaced_unread_and_a_truncated_one_is_not_missed() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::new().unwrap();
        let wasm = wat::parse_str(WASM).unwrap();
        let cache = at(Some(folder.path()));
        assert_eq!(get(&cache, &engine, &wasm), Origin::Compiled);
        let path = file(folder.path(), &engine, &wasm);
        File::options().write(true).open(&path).unwrap().set_len(20 << 30).unwrap();
        let start = std::time::Instant::now();
        assert_eq!(get(&cache, &engine, &wasm), Origin::Compiled);
        assert!(start.elapsed() < Duration::from_secs(5), "it was read");
        let component = load(&engine, &path).unwrap();
        let before = component.serialize().unwrap();
        File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        assert_eq!(component.serialize().unwrap(), before);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_no_obstacle() {
        let in_the_way = tempfile::NamedTempFile::new().unwrap();
        let engine = Engine::new().unwrap();
        let wasm = wat::parse_str(WASM).unwrap();
        for folder in [None, Some(in_the_way.path())] {
            assert_eq!(get(&at(folder), &engine, &wasm), Origin::CompiledNotKept);
        }
    }

    /// Readers and writers of one file, all at once, as several processes are.
    #[test]
    fn many_may_compile_the_same_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let wasm = wat::parse_str(WASM).unwrap();
        let origins: Vec<_> = std::thread::scope(|scope| {
            let one = || (0..8).map(|_| get(&at(Some(folder.path())), &Engine::new().unwrap(), &wasm)).collect();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
            threads.into_iter().flat_map(|thread| -> Vec<_> { thread.join().unwrap() }).collect()
        });
        assert!(!origins.contains(&Origin::CompiledNotKept), "{origins:?}");
        let engine = Engine::new().unwrap();
        let path = file(folder.path(), &engine, &wasm);
        let entries: Vec<_> =
            fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(entries, [path], "no parts are left");
    }

    #[test]
    fn parts_of_killed_processes_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        let [old, new] = [".part-old", ".part-new"].map(|name| folder.path().join(name));
        fs::write(&new, "").unwrap();
        let file = File::create(&old).unwrap();
        file.set_modified(SystemTime::now() - 2 * ABANDONED).unwrap();
        store(&folder.path().join("code.cwasm"), b"code").unwrap();
        assert!(!old.exists() && new.exists());
    }
}
