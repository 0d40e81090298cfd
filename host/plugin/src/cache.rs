//! Compiled code, kept between runs.
//!
//! One file for each pair of engine and plugin: `plugins/<engine>/<sha256 of the wasm>.cwasm` in difftest's cache folder. It
//! begins with a mark and the SHA-256 of the code behind it, is written beside and moved into place, and is compiled anew
//! when anything about it is wrong. The digest finds damage, not malice: whoever can write to this folder can already run
//! programs as this user, so it is created for that user alone and must never be restored from a source one does not trust.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use difftest_core::digest::Digest;
use serde::Serialize;
use wasmtime::component::Component;

use crate::engine::Engine;

const MARK: &[u8; 16] = b"difftest-cwasm-1";

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

/// The folder, or none to compile every time.
#[derive(Clone, Debug)]
pub(crate) struct Cache(Option<PathBuf>);

impl Cache {
    /// In `DIFFTEST_CACHE_DIR`, or the user's cache folder.
    pub(crate) fn standard() -> Self {
        let named = std::env::var_os("DIFFTEST_CACHE_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
        Self(named.or_else(|| Some(directories::ProjectDirs::from("", "", "difftest")?.cache_dir().to_owned())))
    }

    /// Where it is.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.0.as_deref()
    }

    /// In `folder`.
    pub(crate) fn at(folder: Option<PathBuf>) -> Self {
        Self(folder)
    }

    /// The compiled `wasm`, whose digest is `digest`: from the folder, or through `compile` and then kept there.
    pub(crate) fn component<E>(
        &self,
        engine: &Engine,
        digest: &Digest,
        compile: impl FnOnce() -> Result<Component, E>,
    ) -> Result<(Component, Origin), E> {
        let path = self
            .0
            .as_ref()
            .map(|folder| folder.join("plugins").join(engine.compatibility().short()).join(format!("{digest}.cwasm")));
        if let Some(component) = path.as_deref().and_then(|path| load(engine, path)) {
            return Ok((component, Origin::Cache));
        }
        let component = compile()?;
        let kept = path.is_some_and(|path| component.serialize().is_ok_and(|code| store(&path, &code).is_ok()));
        Ok((component, if kept { Origin::Compiled } else { Origin::CompiledNotKept }))
    }
}

/// The code in `path`, where it is whole.
fn load(engine: &Engine, path: &Path) -> Option<Component> {
    let file = fs::read(path).ok()?;
    let (digest, code) = file.strip_prefix(MARK)?.split_first_chunk::<32>()?;
    if Digest::of(code).to_string() != hex(digest) {
        return None;
    }
    #[expect(
        unsafe_code,
        reason = "the bytes are what `Component::serialize` of this wasmtime version wrote: the digest says so"
    )]
    // SAFETY: `deserialize` asks for bytes that `serialize` made. They come from a folder of this user's own and carry the
    // digest that `store` put in front of them; wasmtime itself refuses code of another version or other settings.
    let component = unsafe { Component::deserialize(engine.inner(), code) };
    component.ok()
}

/// Writes `code` whole or not at all.
fn store(path: &Path, code: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(MARK)?;
    file.write_all(&digest_bytes(code))?;
    file.write_all(code)?;
    file.as_file().sync_data()?;
    file.persist(path)?;
    Ok(())
}

fn digest_bytes(code: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(code).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn damage_is_found_and_mended() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::new().unwrap();
        let wasm = wat::parse_str("(component (core module (func (export \"f\"))))").unwrap();
        let digest = Digest::of(&wasm);
        let cache = Cache::at(Some(folder.path().to_owned()));
        let get = || {
            let compile = || Component::from_binary(engine.inner(), &wasm);
            cache.component(&engine, &digest, compile).unwrap().1
        };
        assert_eq!(get(), Origin::Compiled);
        assert_eq!(get(), Origin::Cache);

        let path = fs::read_dir(folder.path().join("plugins")).unwrap().next().unwrap().unwrap().path();
        let path = path.join(format!("{digest}.cwasm"));
        let whole = fs::read(&path).unwrap();
        let flip = |at: usize| {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            bytes
        };
        let cut = whole[..whole.len() - 1].to_vec();
        for damaged in [flip(0), flip(20), flip(100), flip(whole.len() - 1), cut, whole[..30].to_vec(), Vec::new()] {
            fs::write(&path, damaged).unwrap();
            assert_eq!(get(), Origin::Compiled, "damage must not be loaded");
            assert_eq!(fs::read(&path).unwrap(), whole, "the file is mended");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_no_obstacle() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let engine = Engine::new().unwrap();
        let wasm = wat::parse_str("(component)").unwrap();
        for cache in [Cache::at(None), Cache::at(Some(file.path().to_owned()))] {
            let compile = || Component::from_binary(engine.inner(), &wasm);
            assert_eq!(cache.component(&engine, &Digest::of(&wasm), compile).unwrap().1, Origin::CompiledNotKept);
        }
    }
}
