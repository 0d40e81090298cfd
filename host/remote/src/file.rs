//! Files of any size, as a list of blobs.
//!
//! A file is cut into pieces of [`PIECE`] bytes. So memory stays flat, an upload that was cut off goes on where it ended, and what two
//! files share is there once.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};

use crate::blob::BlobId;
use crate::error::Error;
use crate::store::Remote;

/// Bytes of a piece; the last one has the rest.
pub const PIECE: usize = 16 << 20;

/// Pieces in memory at a time.
const AT_ONCE: usize = 4;

/// A file in a remote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its name, or its path in a folder, with `/`.
    pub name: String,
    /// Its length.
    pub size: u64,
    /// Of all of it.
    pub digest: BlobId,
    /// Its pieces, in order.
    pub pieces: Vec<BlobId>,
}

fn local(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Local { action, path, source }
}

/// The pieces of a file, one after the other.
struct Pieces<'a> {
    file: File,
    path: &'a Path,
    whole: blake3::Hasher,
    size: u64,
}

impl<'a> Pieces<'a> {
    fn open(path: &'a Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(local("read", path))?;
        Ok(Self { file, path, whole: blake3::Hasher::new(), size: 0 })
    }

    /// The next piece; none after the last. An empty file has none at all.
    fn next(&mut self) -> Option<Result<Vec<u8>, Error>> {
        let mut piece = Vec::new();
        let read = (&self.file).take(PIECE as u64).read_to_end(&mut piece);
        match read.map_err(local("read", self.path)) {
            Ok(0) => None,
            Ok(read) => {
                self.whole.update(&piece);
                self.size += read as u64;
                Some(Ok(piece))
            }
            Err(error) => Some(Err(error)),
        }
    }
}

/// What a file would be in a remote, without sending it.
///
/// # Errors
/// Where it cannot be read.
pub fn described(path: &Path, name: &str) -> Result<FileEntry, Error> {
    let mut pieces = Pieces::open(path)?;
    let mut ids = Vec::new();
    while let Some(piece) = pieces.next() {
        ids.push(BlobId::of(&piece?));
    }
    Ok(FileEntry { name: name.to_owned(), size: pieces.size, digest: BlobId::finished(&pieces.whole), pieces: ids })
}

impl Remote {
    /// Puts the pieces of a file; `sent` is told the bytes of each that is there.
    pub(crate) async fn put_file(
        &self,
        path: &Path,
        name: &str,
        sent: &mut dyn FnMut(u64),
    ) -> Result<FileEntry, Error> {
        let mut pieces = Pieces::open(path)?;
        let mut ids = Vec::new();
        {
            let reading = std::iter::from_fn(|| pieces.next());
            let mut puts = futures_util::stream::iter(reading)
                .map(|piece| async move {
                    let piece = piece?;
                    let length = piece.len() as u64;
                    Ok::<_, Error>((self.put_blob(piece).await?.0, length))
                })
                .buffered(AT_ONCE);
            while let Some((id, length)) = puts.try_next().await? {
                ids.push(id);
                sent(length);
            }
        }
        let digest = BlobId::finished(&pieces.whole);
        Ok(FileEntry { name: name.to_owned(), size: pieces.size, digest, pieces: ids })
    }

    /// Gets a file to `path`: into a temporary file beside it, verified, then renamed. `came` is told the bytes of each piece.
    pub(crate) async fn get_file(
        &self,
        entry: &FileEntry,
        path: &Path,
        came: &mut dyn FnMut(u64),
    ) -> Result<(), Error> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(local("make the folder", folder))?;
        let file = tempfile::Builder::new().prefix(".difftest-").tempfile_in(folder);
        let mut file = file.map_err(local("write", path))?;
        let (mut whole, mut size) = (blake3::Hasher::new(), 0);
        let mut gets =
            futures_util::stream::iter(entry.pieces.iter().copied()).map(|id| self.get_blob(id)).buffered(AT_ONCE);
        while let Some(piece) = gets.try_next().await? {
            whole.update(&piece);
            size += piece.len() as u64;
            // a manifest that lies about the length must not fill the disk
            if size > entry.size {
                break;
            }
            file.write_all(&piece).map_err(local("write", path))?;
            came(piece.len() as u64);
        }
        if size != entry.size || BlobId::finished(&whole) != entry.digest {
            return Err(self.corrupt(&entry.name, "is not the sum of its pieces"));
        }
        file.as_file().sync_all().map_err(local("write", path))?;
        make_readable(file.as_file()).map_err(local("write", path))?;
        file.persist(path).map_err(|error| local("write", path)(error.error))?;
        Ok(())
    }
}

/// Temporary files are private to their owner; what was pulled is as readable as any other new file.
#[cfg(unix)]
fn make_readable(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_: &File) -> std::io::Result<()> {
    Ok(())
}
