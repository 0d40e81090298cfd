//! LoRA files: small corrections of a model's weights, added when the model is loaded.
//!
//! ```text
//! (path, weight) -> source    which file, where a folder was named
//!                -> file      header, description, values
//!                -> keys      key -> component, module, part; and everything that is recognised but not supported
//!                -> layers    parts that belong together, their shapes, and `scale` (alpha over rank)
//!                -> fit       each module is a weight of this model, or the file is for another one
//!                -> factors   what a weight gets: up [out, rank] x down [rank, in]
//! ```
//!
//! A weight becomes `W + sum_i weight_i * scale_i * up_i down_i`, in `f32`, as diffusers' `fuse_lora` makes it. The sum is put
//! into the graph, next to the weight that stays in its file, and the runtime folds it when it loads the graph: only touched
//! weights are in memory a second time, and only for that moment.
//!
//! Invariants: a file is applied as a whole or the model does not load; a weight of 0 applies nothing, whatever the file is made
//! for; what a file means never depends on guesses (a key that is not understood is an error).
//!
//! Names that are understood: kohya's (`lora_unet_down_blocks_0_..._to_q.lora_down.weight`, with `.alpha`), also with the block
//! names of the original UNet that SDXL is trained with (`ldm`); diffusers' and peft's (`unet.<module>.lora_A.weight`), the
//! older ones of diffusers (`unet.<module>.processor.to_q_lora.down.weight`), and `adapter_model.safetensors` with its
//! `adapter_config.json`.
//!
//! One thing differs from diffusers 0.42: where the layers of a kohya file have different alphas, each layer's own is used.
//! There, attention and text layers get the most frequent one, because the names of its table of exceptions do not match.

mod error;
mod factors;
mod family;
mod file;
mod fit;
mod keys;
mod layers;
mod ldm;
mod scale;
mod source;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use difftest_core::digest::Digest;
use difftest_core::generate::LoraInfo;

pub use error::{LoraError, Misfit};
pub(crate) use factors::Factors;
pub use family::Family;
pub(crate) use fit::{Addition, fit};
pub use keys::Component;
pub use source::parse_argument;

use crate::repository::digest;
use file::LoraFile;
use layers::Layer;

/// The LoRA files of a model with their weights; none by default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Adapters {
    loras: Vec<Arc<Lora>>,
}

/// One file, read as far as its header.
#[derive(Debug, PartialEq)]
pub(crate) struct Lora {
    /// As it was named.
    name: PathBuf,
    weight: f64,
    digest: Digest,
    file: LoraFile,
    layers: Vec<Layer>,
    family: Option<Family>,
}

impl Adapters {
    /// Reads the headers of `files`: paths of LoRA files, or of folders that hold one under its usual name, with weights.
    ///
    /// # Errors
    /// A file that is missing, damaged or not a LoRA, one that holds another kind of adapter, or a weight that is not finite.
    pub fn read(files: &[(PathBuf, f64)]) -> Result<Self, LoraError> {
        Self::read_from(Path::new(""), files)
    }

    /// [`Adapters::read`], with relative paths that start at `base`; they are recorded as they are given.
    ///
    /// # Errors
    /// As [`Adapters::read`].
    pub fn read_from(base: &Path, files: &[(PathBuf, f64)]) -> Result<Self, LoraError> {
        let loras = files.iter().map(|(name, weight)| Lora::read(base, name, *weight).map(Arc::new));
        Ok(Self { loras: loras.collect::<Result<_, _>>()? })
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.loras.is_empty()
    }

    /// What is recorded of them, in their order.
    #[must_use]
    pub fn infos(&self) -> Vec<LoraInfo> {
        let info = |lora: &Arc<Lora>| LoraInfo {
            file: lora.name.display().to_string(),
            digest: lora.digest,
            weight: lora.weight,
        };
        self.loras.iter().map(info).collect()
    }

    /// Refuses files with layers for a component that the model does not have; `there` are those it has.
    ///
    /// # Errors
    /// [`LoraError::NoComponent`] for the first such file.
    pub fn check(&self, there: &[Component]) -> Result<(), LoraError> {
        for lora in self.applied() {
            let mut strange = lora.layers.iter().filter(|layer| !there.contains(&layer.component));
            if let Some(first) = strange.next() {
                return Err(LoraError::NoComponent {
                    path: lora.name.clone(),
                    component: first.component,
                    key: first.key.clone(),
                    layers: 1 + strange.filter(|layer| layer.component == first.component).count(),
                    there: there.to_vec(),
                    family: lora.family.clone(),
                });
            }
        }
        Ok(())
    }

    /// Whether they change anything in `component`.
    pub(crate) fn touch(&self, component: Component) -> bool {
        self.applied().any(|lora| lora.layers.iter().any(|layer| layer.component == component))
    }

    /// Those that change anything.
    fn applied(&self) -> impl Iterator<Item = &Arc<Lora>> {
        self.loras.iter().filter(|lora| lora.weight != 0.0)
    }
}

impl Lora {
    fn read(base: &Path, name: &Path, weight: f64) -> Result<Self, LoraError> {
        if !weight.is_finite() {
            return Err(LoraError::Weight { path: name.to_owned(), weight });
        }
        let path = source::locate(&base.join(name))?;
        let file = LoraFile::open(&path)?;
        let layers = layers::read(&file)?;
        let family = family::of(&layers, &file);
        let digest = digest(&path).map_err(LoraError::io(&path))?;
        Ok(Self { name: name.to_owned(), weight, digest, file, layers, family })
    }
}
