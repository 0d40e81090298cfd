//! What the denoiser is told beside its image: texts, and what belongs to them.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};
use crate::graph::unet::{UnetConfig, guidance_features};
use crate::models::check_size;

/// What Stable Diffusion XL reads beside the tokens of its texts.
#[derive(Debug, Clone, Copy)]
pub struct Added<'a> {
    /// Pooled embeddings, `[texts, width]`.
    pub pooled: &'a [f32],
    /// Sizes and crops in pixels, `[texts, ids]`: height and width of the original, top and left of the crop, height and
    /// width of the target.
    pub time_ids: &'a [f32],
}

/// Texts as the denoiser reads them: the keys and values of all its layers. They serve for all steps.
#[derive(Debug, Clone)]
pub struct ProjectedTexts {
    /// Different for different values: by it a device knows what it has already.
    pub(super) key: u64,
    pub(super) count: usize,
    pub(super) length: usize,
    pub(super) values: Vec<f32>,
    /// What they add to the time, `[count, conditions_width]`.
    pub(super) conditions: Vec<f32>,
}

impl ProjectedTexts {
    pub(super) fn new(count: usize, length: usize, values: Vec<f32>, conditions: Vec<f32>) -> Self {
        static KEYS: AtomicU64 = AtomicU64::new(0);
        Self { key: KEYS.fetch_add(1, Ordering::Relaxed), count, length, values, conditions }
    }

    /// Number of texts.
    pub fn count(&self) -> usize {
        self.count
    }

    /// All texts of `parts`, in that order, for several images in one call.
    ///
    /// # Errors
    /// Nothing to join, or texts of different lengths or for different networks.
    pub fn concat(parts: &[&Self]) -> Result<Self> {
        let mut joined = Self::new(0, 0, Vec::new(), Vec::new());
        for part in parts {
            if joined.count > 0 {
                let width = |texts: &Self| texts.values.len() / (texts.count * texts.length).max(1);
                let conditions = |texts: &Self| texts.conditions.len() / texts.count.max(1);
                check_size("tokens of a text", joined.length, part.length)?;
                check_size("values for a token", width(&joined), width(part))?;
                check_size("conditions of a text", conditions(&joined), conditions(part))?;
            }
            joined.count += part.count;
            joined.length = part.length;
            joined.values.extend_from_slice(&part.values);
            joined.conditions.extend_from_slice(&part.conditions);
        }
        Ok(joined)
    }
}

/// The features of a guidance scale for each text; `None` where the network reads none.
pub(super) fn guidance(config: &UnetConfig, scale: Option<f64>, count: usize) -> Result<Option<Vec<f32>>> {
    match (config.guidance_width, scale) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(unfitting("reads no guidance scale (its time_cond_proj_dim is null)")),
        (Some(width), None) => Ok(Some(vec![0.0; count * width])),
        (Some(width), Some(scale)) => Ok(Some(guidance_features(scale, width).repeat(count))),
    }
}

/// Pooled embedding and waves of the sizes, side by side for each text; `None` where the network reads none.
pub(super) fn added(config: &UnetConfig, added: Option<Added<'_>>, count: usize) -> Result<Option<Vec<f32>>> {
    let (wanted, Added { pooled, time_ids }) = match (config.added, added) {
        (None, None) => return Ok(None),
        (None, Some(_)) => return Err(unfitting("reads no pooled text (its addition_embed_type is null)")),
        (Some(_), None) => return Err(unfitting("reads a pooled text and sizes, and was given none")),
        (Some(wanted), Some(added)) => (wanted, added),
    };
    let ids = time_ids.len() / count.max(1);
    check_size("time ids", count * ids, time_ids.len())?;
    let width = wanted.width.checked_sub(ids * wanted.waves.width);
    let width = width.ok_or_else(|| unfitting(&format!("reads fewer than {ids} sizes for a text")))?;
    check_size("pooled texts", count * width, pooled.len())?;
    let mut rows = Vec::with_capacity(count * wanted.width);
    for text in 0..count {
        rows.extend_from_slice(&pooled[text * width..][..width]);
        rows.extend(time_ids[text * ids..][..ids].iter().flat_map(|&id| wanted.waves.features(id)));
    }
    Ok(Some(rows))
}

fn unfitting(why: &str) -> Error {
    Error::Conditioning { network: "the UNet", why: why.to_owned() }
}
