//! Looking for NaN and infinity in a file, a block at a time.
//!
//! Blocks are read, not mapped: the whole pass costs one small buffer however large the model is, and the pages it
//! brings into the file cache are those that the runtime maps a moment later.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use difftest_core::digest::{Digest, Hasher};
use safetensors::Dtype;

use crate::error::{Error, Result};

const BLOCK: usize = 1 << 20;

/// Stands for these tensors having no NaN and no infinity.
pub(super) fn sought(places: impl Iterator<Item = (Dtype, u64, u64)>) -> Digest {
    let mut hasher = Hasher::new();
    hasher.field(b"finite");
    for (dtype, offset, length) in places {
        hasher.field(format!("{dtype:?}").as_bytes());
        hasher.update(&offset.to_le_bytes());
        hasher.update(&length.to_le_bytes());
    }
    hasher.finish()
}

/// A file being scanned.
pub(super) struct Reader {
    path: PathBuf,
    file: File,
    block: Vec<u8>,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = crate::files::open(path).map_err(Error::io(path))?;
        Ok(Self { path: path.to_path_buf(), file, block: vec![0; BLOCK] })
    }

    /// Index of the first element of a tensor that is not a finite number.
    pub(super) fn first_bad(&mut self, dtype: Dtype, offset: u64, length: u64) -> Result<Option<usize>> {
        self.file.seek(SeekFrom::Start(offset)).map_err(Error::io(&self.path))?;
        let mut done = 0u64;
        while done < length {
            let size = BLOCK.min(usize::try_from(length - done).unwrap_or(BLOCK));
            let block = &mut self.block[..size];
            self.file.read_exact(block).map_err(Error::io(&self.path))?;
            let found = match dtype {
                Dtype::F16 => first::<2>(block, |bits| u16::from_le_bytes(bits) & 0x7c00 == 0x7c00),
                Dtype::BF16 => first::<2>(block, |bits| u16::from_le_bytes(bits) & 0x7f80 == 0x7f80),
                _ => first::<4>(block, |bits| u32::from_le_bytes(bits) & 0x7f80_0000 == 0x7f80_0000),
            };
            if let Some(index) = found {
                let width = if dtype == Dtype::F32 { 4 } else { 2 };
                return Ok(Some(done as usize / width + index));
            }
            done += size as u64;
        }
        Ok(None)
    }
}

/// First element for which all exponent bits are set. The common case, none, is a loop without branches.
fn first<const WIDTH: usize>(block: &[u8], bad: impl Fn([u8; WIDTH]) -> bool) -> Option<usize> {
    let (elements, _) = block.as_chunks::<WIDTH>();
    let any = elements.chunks(4096).any(|part| part.iter().fold(false, |found, &bits| found | bad(bits)));
    if any { elements.iter().position(|&bits| bad(bits)) } else { None }
}
