//! The layers of a file: tensors that belong together, checked against each other.

use std::collections::BTreeMap;

use safetensors::Dtype;

use super::file::{LoraFile, Place};
use super::keys::{self, Component, Key, Module, Part, Strange};
use super::ldm::is_ldm;
use super::scale::Scales;
use super::{LoraError, family};

/// What one weight gets: `scale * up x down`.
#[derive(Debug, PartialEq)]
pub(super) struct Layer {
    pub(super) component: Component,
    pub(super) module: Module,
    /// As the file names it, for messages.
    pub(super) key: String,
    pub(super) down: Place,
    pub(super) up: Place,
    pub(super) mid: Option<Place>,
    /// Alpha over rank.
    pub(super) scale: f64,
}

impl Layer {
    /// Shape of the weight that it is made for: `[out, in]` or `[out, in, height, width]`.
    pub(super) fn made_for(&self) -> Vec<usize> {
        let inside = self.mid.as_ref().map_or(&self.down.shape[2..], |mid| &mid.shape[2..]);
        [self.up.shape[0], self.down.shape[1]].into_iter().chain(inside.iter().copied()).collect()
    }
}

#[derive(Default)]
struct Parts {
    down: Option<Place>,
    up: Option<Place>,
    mid: Option<Place>,
    alpha: Option<Place>,
}

/// Groups the tensors of `file`.
///
/// # Errors
/// A file that is no LoRA, another kind of adapter, an incomplete layer, or one whose shapes do not go together.
pub(super) fn read(file: &LoraFile) -> Result<Vec<Layer>, LoraError> {
    let mut found: BTreeMap<(Component, Module), Parts> = BTreeMap::new();
    let mut unknown = None;
    let mut foreign = None;
    for (name, place) in &file.tensors {
        let unsupported = |what: &str| {
            Err(LoraError::Unsupported { path: file.path.clone(), what: what.to_owned(), key: name.clone() })
        };
        match keys::parse(name) {
            Ok(Key { component, module, part }) => {
                let parts = found.entry((component, module)).or_default();
                let slot = match part {
                    Part::Down => &mut parts.down,
                    Part::Up => &mut parts.up,
                    Part::Mid => &mut parts.mid,
                    Part::Alpha => &mut parts.alpha,
                };
                if slot.replace(place.clone()).is_some() {
                    return Err(layer_error(file, name, "is there twice, under two names"));
                }
            }
            Err(Strange::Adapter(what)) => return unsupported(what),
            Err(Strange::Component(component)) => foreign = foreign.or(Some((component, name))),
            Err(Strange::Unknown) => unknown = unknown.or(Some(name)),
        }
    }
    if found.is_empty() && foreign.is_none() {
        return Err(LoraError::NotLora { path: file.path.clone(), what: family::something_else(file) });
    }
    if let Some((component, key)) = foreign {
        let what = format!("a LoRA of a `{component}`: models of difftest have a UNet and text encoders");
        return Err(LoraError::Unsupported { path: file.path.clone(), what, key: key.clone() });
    }
    if let Some(key) = unknown {
        let what = "a tensor that is no part of a LoRA".to_owned();
        return Err(LoraError::Unsupported { path: file.path.clone(), what, key: key.clone() });
    }
    // A file with both spellings of the UNet's names holds the same twice; diffusers takes its own.
    let flat = |module: &Module| if let Module::Flat(name) = module { is_ldm(name) } else { false };
    let both = |own: bool| found.keys().any(|(component, module)| *component == Component::Unet && own != flat(module));
    if both(true) && both(false) {
        found.retain(|(component, module), _| *component != Component::Unet || !flat(module));
    }
    let scales = Scales::read(file)?;
    found.into_iter().map(|((component, module), parts)| layer(file, &scales, component, module, parts)).collect()
}

fn layer(
    file: &LoraFile,
    scales: &Scales<'_>,
    component: Component,
    module: Module,
    parts: Parts,
) -> Result<Layer, LoraError> {
    let (Module::Path(name) | Module::Flat(name)) = &module;
    let wrong = |why: &str| layer_error(file, &format!("{name} of {component}"), why);
    let Parts { down: Some(down), up: Some(up), mid, alpha } = parts else {
        return Err(wrong("is not complete: it needs a down (A) and an up (B) matrix"));
    };
    for part in [Some(&down), Some(&up), mid.as_ref()].into_iter().flatten() {
        if !matches!(part.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16) {
            let what = format!("element type {:?}", part.dtype);
            return Err(LoraError::Unsupported { path: file.path.clone(), what, key: part.key.clone() });
        }
        if !matches!(part.shape.len(), 2 | 4) || part.shape.contains(&0) {
            return Err(wrong(&format!("has a matrix of shape {:?}", part.shape)));
        }
    }
    let rank = down.shape[0];
    let small = |shape: &[usize]| shape[2..].iter().all(|&side| side == 1);
    let chained = match &mid {
        None => up.shape[1] == rank && small(&up.shape),
        Some(mid) => {
            let four = mid.shape.len() == 4 && down.shape.len() == 4;
            four && mid.shape[1] == rank && up.shape[1] == mid.shape[0] && small(&up.shape) && small(&down.shape)
        }
    };
    if !chained {
        let mid = mid.map_or_else(String::new, |mid| format!(", mid {:?}", mid.shape));
        let why = format!("has matrices that cannot be multiplied: down {:?}{mid}, up {:?}", down.shape, up.shape);
        return Err(wrong(&why));
    }
    let alpha = match alpha {
        None => None,
        Some(place) => match file.values(&place)?.as_slice() {
            [alpha] => Some(f64::from(*alpha)),
            _ => return Err(wrong(&format!("has an alpha of shape {:?}", place.shape))),
        },
    };
    let scale = scales.of(component, name, rank, alpha)?;
    let key = keys::layer_of(&down.key).to_owned();
    Ok(Layer { component, module, key, down, up, mid, scale })
}

fn layer_error(file: &LoraFile, key: &str, why: &str) -> LoraError {
    LoraError::Layer { path: file.path.clone(), key: key.to_owned(), why: why.to_owned() }
}
