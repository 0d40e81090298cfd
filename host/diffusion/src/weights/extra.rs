//! Tensors that no graph reads.
//!
//! diffusers warns of them and goes on, and the image is then that of another network than the one that was trained. Here they are
//! an error, except those that are known to mean nothing: a config that is too small, and layers saved under another name, would
//! otherwise go unnoticed.

use super::{Weights, tensor_error};
use crate::error::{Result, TensorFault};

/// Counters and tables that can be computed, kept by old versions; averages that training keeps beside the weights.
const EVERYWHERE: [&str; 2] = ["position_ids", "num_batches_tracked"];
const AVERAGES: [&str; 1] = ["model_ema."];

impl Weights {
    /// Refuses tensors that neither these weights' graphs nor those of `others` asked for. Names that begin with one of `known` belong
    /// to parts of the model that are not needed here.
    ///
    /// # Errors
    /// The first such tensor by name, and how many there are.
    pub fn refuse_extra(&self, others: &[&Self], known: &[&str]) -> Result<()> {
        let harmless = |name: &str| {
            EVERYWHERE.contains(&name.rsplit('.').next().unwrap_or(name))
                || AVERAGES.iter().chain(known).any(|prefix| name.starts_with(prefix))
        };
        let used = |name: &String| self.used.contains(name) || others.iter().any(|other| other.used.contains(name));
        let mut extra: Vec<&String> = self.tensors.keys().filter(|name| !used(name) && !harmless(name)).collect();
        extra.sort();
        let Some(first) = extra.first() else { return Ok(()) };
        let path = self.tensors.get(*first).map_or(&self.folder, |entry| &self.files[entry.file].path);
        Err(tensor_error(path, first, TensorFault::Extra { others: extra.len() - 1 }))
    }
}
