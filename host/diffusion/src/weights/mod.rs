//! The safetensors weights of one component, used in place.
//!
//! A safetensors file is a header and then raw little-endian tensors, so any tensor can be an ONNX initialiser whose bytes
//! lie "outside": file, offset, length. ONNX Runtime maps the file itself; no second copy is made on disk or in memory.
//!
//! Invariants: every tensor lies wholly inside its file (checked when the header is read); every place is relative to
//! [`Weights::root`], with symbolic links resolved, because the runtime refuses links that leave the folder it is told
//! (and hub snapshots consist of such links).

mod adapted;
pub(crate) mod doubled;
mod extra;
mod file;
mod find;
mod finite;
pub mod foreign;

pub(crate) use find::variants;

use std::collections::{BTreeSet, HashMap};
use std::path::{Component, Path, PathBuf};

use safetensors::Dtype;

use crate::error::{Error, Result, TensorFault};
use crate::lora::Addition;
use crate::onnx::{ElementType, External, GraphBuilder, Tensor};
use crate::session::Precision;

/// The weights of one component.
#[derive(Debug)]
pub struct Weights {
    folder: PathBuf,
    root: PathBuf,
    files: Vec<WeightFile>,
    tensors: HashMap<String, Entry>,
    /// What graphs asked for: the tensors whose values matter.
    used: BTreeSet<String>,
    /// What LoRA files add to tensors.
    additions: HashMap<String, Vec<Addition>>,
    /// Tensors that graphs read sums of.
    doubled: Vec<doubled::Doubled>,
}

#[derive(Debug)]
struct WeightFile {
    /// As the folder names it, for messages.
    path: PathBuf,
    /// Below `root`, with `/`.
    location: String,
}

#[derive(Debug, Clone)]
struct Entry {
    file: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    offset: u64,
    length: u64,
}

impl Weights {
    /// [`Weights::open_for`] a network in `f32`.
    ///
    /// # Errors
    /// The same.
    pub fn open(folder: &Path, stem: &str) -> Result<Self> {
        Self::open_for(folder, stem, Precision::F32)
    }

    /// Finds and indexes the weights of `folder`.
    ///
    /// `stem` is `model` for transformers components, `diffusion_pytorch_model` for diffusers ones. A file `stem.safetensors` is
    /// taken, or `stem.safetensors.index.json` with its shards, or a variant of them (`stem.fp16.safetensors`). Where there are
    /// several, `f32` takes the plain one before the `fp16` variant, and half precision its own variant first.
    ///
    /// # Errors
    /// No such files, a damaged or half-copied file, an index that does not fit its shards, or shards that do not share a folder
    /// tree.
    pub fn open_for(folder: &Path, stem: &str, precision: Precision) -> Result<Self> {
        let find::Found { files: paths, index } = find::find(folder, stem, precision)?;
        let real =
            |path: &PathBuf| crate::files::regular(path).and_then(|_| path.canonicalize()).map_err(Error::io(path));
        let resolved = paths.iter().map(real).collect::<Result<Vec<_>>>()?;
        let root = common_folder(&resolved).ok_or_else(|| Error::WeightsPlace {
            folder: folder.to_path_buf(),
            why: "its shards lie on different drives".to_owned(),
        })?;
        let mut weights = Self {
            folder: folder.to_path_buf(),
            root,
            files: Vec::new(),
            tensors: HashMap::new(),
            used: BTreeSet::new(),
            additions: HashMap::new(),
            doubled: Vec::new(),
        };
        for (path, real) in paths.into_iter().zip(&resolved) {
            weights.index(path, real)?;
        }
        match index {
            Some(index) => weights.check_index(&index)?,
            None => foreign::refuse(&weights.files[0].path, weights.tensors.keys().map(String::as_str))?,
        }
        Ok(weights)
    }

    /// Every tensor lies in the shard that the index names: a shard of another version would be half of another model.
    fn check_index(&self, index: &find::Index) -> Result<()> {
        for (tensor, shard) in &index.shards {
            let found = self.tensors.get(tensor).map(|entry| &self.files[entry.file].path);
            let path = self.folder.join(shard);
            if found != Some(&path) {
                let index = index.path.file_name().unwrap_or_default().to_string_lossy();
                let why =
                    format!("it lacks tensor {tensor}, which {index} says it holds: the files are of two versions");
                return Err(Error::WeightsFile { path, why });
            }
        }
        Ok(())
    }

    fn index(&mut self, path: PathBuf, real: &Path) -> Result<()> {
        let location = portable(real.strip_prefix(&self.root).unwrap_or(real)).ok_or_else(|| Error::WeightsPlace {
            folder: self.folder.clone(),
            why: format!("the name of {} is not Unicode", real.display()),
        })?;
        let number = self.files.len();
        for tensor in file::header(&path)? {
            let entry = Entry {
                file: number,
                dtype: tensor.dtype,
                shape: tensor.shape,
                offset: tensor.offset,
                length: tensor.length,
            };
            self.tensors.insert(tensor.name, entry);
        }
        self.files.push(WeightFile { path, location });
        Ok(())
    }

    /// The folder that all places are relative to.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The files, as the component's folder names them.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_path())
    }

    /// The number formats of its tensors, by name, sorted.
    pub fn formats(&self) -> BTreeSet<String> {
        self.tensors.values().map(|entry| format!("{:?}", entry.dtype).to_lowercase()).collect()
    }

    /// Values of all tensors whose names `wanted` takes.
    pub fn values(&self, wanted: impl Fn(&str) -> bool) -> u64 {
        let tensors = self.tensors.iter().filter(|(name, _)| wanted(name));
        tensors.map(|(_, entry)| entry.shape.iter().map(|&dim| dim as u64).product::<u64>()).sum()
    }

    /// Whether a tensor of this name exists.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Bytes of all tensors.
    pub fn bytes(&self) -> u64 {
        self.tensors.values().map(|entry| entry.length).sum()
    }

    /// Whether tensor `name` can be read as `f32` where it lies: it is of that type, and no LoRA file adds to it.
    pub fn is_plain_f32(&self, name: &str) -> bool {
        self.tensors.get(name).is_some_and(|entry| entry.dtype == Dtype::F32) && !self.additions.contains_key(name)
    }

    /// Declares tensor `name` in `graph`, as it is stored.
    ///
    /// The stored shape must equal `dims` up to dimensions of size 1 (old checkpoints store linear layers as 1x1
    /// convolutions); the graph sees `dims`.
    ///
    /// # Errors
    /// The tensor is missing or has another shape or type.
    pub fn stored(&mut self, graph: &mut GraphBuilder, name: &str, dims: &[usize]) -> Result<(Tensor, ElementType)> {
        self.place(graph, name, dims, 0, dims)
    }

    /// Declares rows `first .. first + rows` of matrix `name`, which is `[all_rows, columns]`, as a value of type `element`: a
    /// row range is contiguous, so it needs no copy either.
    ///
    /// # Errors
    /// As [`Weights::stored`].
    pub fn rows(
        &mut self,
        graph: &mut GraphBuilder,
        name: &str,
        dims: &[usize],
        first: usize,
        rows: usize,
        element: ElementType,
    ) -> Result<Tensor> {
        let mut part = dims.to_vec();
        part[0] = rows;
        let (tensor, stored) = self.place(graph, name, dims, first, &part)?;
        Ok(as_element(graph, tensor, stored, element))
    }

    /// Declares tensor `name` as a value of type `element`. One stored in another type gets a Cast, which the runtime folds when
    /// it loads the graph.
    ///
    /// # Errors
    /// As [`Weights::stored`].
    pub fn get(
        &mut self,
        graph: &mut GraphBuilder,
        name: &str,
        dims: &[usize],
        element: ElementType,
    ) -> Result<Tensor> {
        let (tensor, stored) = self.stored(graph, name, dims)?;
        Ok(as_element(graph, tensor, stored, element))
    }

    fn place(
        &mut self,
        graph: &mut GraphBuilder,
        name: &str,
        dims: &[usize],
        first: usize,
        part: &[usize],
    ) -> Result<(Tensor, ElementType)> {
        let (place, element) = self.locate(name, dims, first, part)?;
        let value_name = if part == dims { name.to_owned() } else { format!("{name}[{first}..]") };
        let Some(additions) = self.additions.get(name) else {
            return Ok((graph.external(&value_name, element, part, &place), element));
        };
        let stored = adapted::Stored { name: &value_name, element, place: &place, rows: dims[0], first };
        Ok((stored.sum(graph, part, additions)?, ElementType::F32))
    }

    /// Where the rows `part`, from `first` on, of tensor `name` lie, which has to be of shape `dims`; it counts as used.
    fn locate(&mut self, name: &str, dims: &[usize], first: usize, part: &[usize]) -> Result<(External, ElementType)> {
        let Some(entry) = self.tensors.get(name) else {
            let path = self.files.first().filter(|_| self.files.len() == 1).map_or(&self.folder, |file| &file.path);
            return Err(tensor_error(path, name, TensorFault::Missing));
        };
        let file = &self.files[entry.file];
        let squeezed = |shape: &[usize]| shape.iter().copied().filter(|&dim| dim != 1).collect::<Vec<_>>();
        if squeezed(&entry.shape) != squeezed(dims) {
            let fault = TensorFault::Shape { expected: dims.to_vec(), found: entry.shape.clone() };
            return Err(tensor_error(&file.path, name, fault));
        }
        let (element, width) = match entry.dtype {
            Dtype::F32 => (ElementType::F32, 4),
            Dtype::F16 => (ElementType::F16, 2),
            Dtype::BF16 => (ElementType::Bf16, 2),
            other => return Err(tensor_error(&file.path, name, TensorFault::DType(format!("{other:?}")))),
        };
        let row: usize = dims.iter().skip(1).product();
        let place = External {
            location: file.location.clone(),
            offset: entry.offset + (first * row * width) as u64,
            length: (part.iter().product::<usize>() * width) as u64,
        };
        self.used.insert(name.to_owned());
        Ok((place, element))
    }

    /// Reads every tensor a graph asked for and refuses NaN and infinities, which would otherwise end as black images. Of a file in
    /// which none were found, that is remembered.
    ///
    /// # Errors
    /// The first bad tensor in file order, or a read error.
    pub fn check_finite(&self) -> Result<()> {
        for (number, file) in self.files.iter().enumerate() {
            let mut tensors: Vec<_> = self
                .used
                .iter()
                .filter_map(|name| self.tensors.get_key_value(name))
                .filter(|(_, entry)| entry.file == number)
                .collect();
            tensors.sort_by_key(|(_, entry)| entry.offset);
            let places = tensors.iter().map(|(_, entry)| (entry.dtype, entry.offset, entry.length));
            crate::digests::looked_through(&file.path, finite::sought(places), || {
                let mut reader = finite::Reader::open(&file.path)?;
                for &(name, entry) in &tensors {
                    if let Some(index) = reader.first_bad(entry.dtype, entry.offset, entry.length)? {
                        return Err(tensor_error(&file.path, name, TensorFault::NotFinite { index }));
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// A constant cast is folded when the graph is loaded.
fn as_element(graph: &mut GraphBuilder, tensor: Tensor, stored: ElementType, wanted: ElementType) -> Tensor {
    if stored == wanted { tensor } else { graph.cast(&tensor, wanted) }
}

fn tensor_error(path: &Path, name: &str, fault: TensorFault) -> Error {
    Error::Tensor { path: path.to_path_buf(), name: name.to_owned(), fault }
}

/// The deepest folder that holds all files.
pub(crate) fn common_folder(files: &[PathBuf]) -> Option<PathBuf> {
    let mut folder = files.first()?.parent()?.to_path_buf();
    while !files.iter().all(|file| file.starts_with(&folder)) {
        if !folder.pop() {
            return None;
        }
    }
    Some(folder)
}

/// A relative path with `/`, as the ONNX format wants it.
pub(crate) fn portable(path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = path
        .components()
        .map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    parts.map(|parts| parts.join("/"))
}
