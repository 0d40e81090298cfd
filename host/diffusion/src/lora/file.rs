//! One safetensors file: its header, what it says of itself, and its values.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::Metadata;

use super::LoraError;

/// The longest header that the safetensors library reads.
const LONGEST_HEADER: u64 = 100_000_000;

/// A LoRA file with its header read.
#[derive(Debug, PartialEq)]
pub(super) struct LoraFile {
    pub(super) path: PathBuf,
    pub(super) tensors: BTreeMap<String, Place>,
    /// `__metadata__` of the header.
    pub(super) said: HashMap<String, String>,
}

/// Where a tensor lies.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    pub(super) key: String,
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    /// From the start of the file.
    offset: u64,
    length: usize,
}

impl LoraFile {
    pub(super) fn open(path: &Path) -> Result<Self, LoraError> {
        let io = || LoraError::io(path);
        let damaged = |why: String| LoraError::Damaged { path: path.to_owned(), why };
        let mut file = crate::files::open(path).map_err(io())?;
        let size = file.metadata().map_err(io())?.len();
        let mut first = [0; 8];
        if size < 8 {
            return Err(damaged(format!("it is only {size} bytes long")));
        }
        file.read_exact(&mut first).map_err(io())?;
        if first.starts_with(b"PK\x03\x04") || first.starts_with(&[0x80, 0x02]) {
            let what = "a pickle, which can run any program; have it saved as safetensors".to_owned();
            return Err(LoraError::NotLora { path: path.to_owned(), what });
        }
        let header = u64::from_le_bytes(first);
        if header > LONGEST_HEADER || size - 8 < header {
            let what = format!("its first bytes ask for a header of {header} bytes in a file of {size}");
            return Err(damaged(format!("{what}: it is cut off, or no safetensors file")));
        }
        let mut text = vec![0; usize::try_from(header).unwrap_or(0)];
        file.read_exact(&mut text).map_err(io())?;
        let parsed: Metadata = serde_json::from_slice(&text)
            .map_err(|error| damaged(format!("its header is not that of safetensors: {error}")))?;
        let data = 8 + header;
        if data + parsed.data_len() as u64 != size {
            let wanted = data + parsed.data_len() as u64;
            let why = if size > wanted { "too long" } else { "cut off or not whole yet" };
            return Err(damaged(format!("it has {size} bytes where its header describes {wanted}: it is {why}")));
        }
        let place = |(key, info): (String, &safetensors::tensor::TensorInfo)| {
            let (start, end) = info.data_offsets;
            let (dtype, shape) = (info.dtype, info.shape.clone());
            (key.clone(), Place { key, dtype, shape, offset: data + start as u64, length: end - start })
        };
        let tensors = parsed.tensors().into_iter().map(place).collect();
        let said = parsed.metadata().clone().unwrap_or_default();
        Ok(Self { path: path.to_owned(), tensors, said })
    }

    /// The values of a tensor as `f32`.
    ///
    /// # Errors
    /// A file that can no longer be read, another element type, NaN or infinity.
    pub(super) fn values(&self, place: &Place) -> Result<Vec<f32>, LoraError> {
        let mut file = crate::files::open(&self.path).map_err(LoraError::io(&self.path))?;
        let mut bytes = vec![0; place.length];
        file.seek(SeekFrom::Start(place.offset)).map_err(LoraError::io(&self.path))?;
        file.read_exact(&mut bytes).map_err(LoraError::io(&self.path))?;
        let values: Vec<f32> = match place.dtype {
            Dtype::F32 => bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
            Dtype::F16 => bytes.as_chunks().0.iter().map(|&bytes| f16::from_le_bytes(bytes).to_f32()).collect(),
            Dtype::BF16 => bytes.as_chunks().0.iter().map(|&bytes| bf16::from_le_bytes(bytes).to_f32()).collect(),
            Dtype::F64 => bytes.as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes) as f32).collect(),
            Dtype::I64 => bytes.as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes) as f32).collect(),
            Dtype::I32 => bytes.as_chunks().0.iter().map(|&bytes| i32::from_le_bytes(bytes) as f32).collect(),
            other => {
                let what = format!("element type {other:?}");
                return Err(LoraError::Unsupported { path: self.path.clone(), what, key: place.key.clone() });
            }
        };
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(index) => Err(LoraError::Damaged {
                path: self.path.clone(),
                why: format!("tensor {} holds NaN or infinity (element {index})", place.key),
            }),
        }
    }
}
