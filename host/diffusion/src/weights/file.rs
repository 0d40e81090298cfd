//! Reading the headers of weight files.

use std::path::Path;

use safetensors::tensor::Metadata;
use safetensors::{Dtype, SafeTensorError, SafeTensors};

use crate::error::{Error, Result};

/// One tensor of a file.
pub(super) struct TensorPlace {
    pub(super) name: String,
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    /// From the start of the file.
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// The tensors of a file, with every place checked to lie inside it.
pub(super) fn header(path: &Path) -> Result<Vec<TensorPlace>> {
    let file = crate::files::open(path).map_err(Error::io(path))?;
    let size = file.metadata().map_err(Error::io(path))?.len();
    let bad = |why: String| Error::WeightsFile { path: path.to_path_buf(), why };
    if size < 8 {
        return Err(bad(format!("it is only {size} bytes long: the copy or download was cut off")));
    }
    #[expect(unsafe_code, reason = "the map lives for this function, which reads the header only")]
    // SAFETY: undefined behaviour would need another process to change the header while it is parsed.
    let map = unsafe { memmap2::Mmap::map(&file) }.map_err(Error::io(path))?;
    let (header_length, metadata) = SafeTensors::read_metadata(&map).map_err(|error| {
        bad(match error {
            SafeTensorError::MetadataIncompleteBuffer | SafeTensorError::InvalidHeaderLength => match described(&map) {
                Some(wanted) if wanted < size => {
                    format!("it is too long: {size} bytes, its header describes {wanted}, and what follows them is no part of it")
                }
                _ => format!("its header describes another size than its {size} bytes: the copy or download was cut off"),
            },
            other => other.to_string(),
        })
    })?;
    let data = 8 + header_length as u64;
    let place = |(name, info): (String, &safetensors::tensor::TensorInfo)| TensorPlace {
        name,
        dtype: info.dtype,
        shape: info.shape.clone(),
        offset: data + info.data_offsets.0 as u64,
        length: (info.data_offsets.1 - info.data_offsets.0) as u64,
    };
    Ok(metadata.tensors().into_iter().map(place).collect())
}

/// Bytes that a file has by its header, where the header is whole.
fn described(file: &[u8]) -> Option<u64> {
    let (length, rest) = file.split_first_chunk()?;
    let length = u64::from_le_bytes(*length);
    let header: Metadata = serde_json::from_slice(rest.get(..usize::try_from(length).ok()?)?).ok()?;
    Some(8 + length + header.data_len() as u64)
}
