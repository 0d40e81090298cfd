//! Which weights of a model the layers are for.

use std::collections::HashMap;
use std::sync::Arc;

use super::keys::Module;
use super::{Adapters, Component, Lora, LoraError, Misfit, family, ldm};

/// One layer of a file, and with it what one weight gets.
#[derive(Debug, Clone)]
pub(crate) struct Addition {
    pub(super) lora: Arc<Lora>,
    /// Index into its layers.
    pub(super) layer: usize,
}

/// The additions to each weight of `component`, whose tensors are `tensors` with their shapes.
///
/// # Errors
/// [`LoraError::OtherBase`] for the first file with a layer that is for none of these weights.
pub(crate) fn fit<'t>(
    adapters: &Adapters,
    component: Component,
    tensors: impl Iterator<Item = (&'t str, &'t [usize])> + Clone,
) -> Result<HashMap<String, Vec<Addition>>, LoraError> {
    let mut additions: HashMap<String, Vec<Addition>> = HashMap::new();
    if !adapters.applied().any(|lora| lora.layers.iter().any(|layer| layer.component == component)) {
        return Ok(additions);
    }
    let names = Names::of(tensors.clone());
    for lora in adapters.applied() {
        let mut misfits = Vec::new();
        let mut matched = 0;
        for (index, layer) in lora.layers.iter().enumerate().filter(|(_, layer)| layer.component == component) {
            let made_for = layer.made_for();
            let found = names.find(&layer.module);
            match found.filter(|(_, shape)| same(shape, &made_for)) {
                Some((tensor, _)) => {
                    matched += 1;
                    let of_tensor = additions.entry(tensor.to_owned()).or_default();
                    if of_tensor.iter().any(|addition| Arc::ptr_eq(&addition.lora, lora)) {
                        let why = "is there twice, under two names".to_owned();
                        return Err(LoraError::Layer { path: lora.name.clone(), key: layer.key.clone(), why });
                    }
                    of_tensor.push(Addition { lora: Arc::clone(lora), layer: index });
                }
                None => {
                    let found = found.map(|(_, shape)| shape.to_vec());
                    misfits.push(Misfit { key: layer.key.clone(), made_for, found });
                }
            }
        }
        if !misfits.is_empty() {
            return Err(LoraError::OtherBase {
                path: lora.name.clone(),
                component,
                matched,
                misfits,
                family: lora.family.clone(),
                base: family::of_model(tensors),
            });
        }
    }
    Ok(additions)
}

/// Linear layers may be stored as convolutions of side 1, on either side.
fn same(shape: &[usize], made_for: &[usize]) -> bool {
    let inside = |shape: &[usize]| shape.iter().skip(2).copied().filter(|&side| side != 1).collect::<Vec<_>>();
    shape.len() >= 2 && shape[..2] == made_for[..2] && inside(shape) == inside(made_for)
}

/// The weights of a component by their modules.
struct Names<'t> {
    paths: HashMap<&'t str, (&'t str, &'t [usize])>,
    flat: HashMap<String, (&'t str, &'t [usize])>,
    /// In a block on the way down.
    resnets: usize,
}

impl<'t> Names<'t> {
    fn of(tensors: impl Iterator<Item = (&'t str, &'t [usize])>) -> Self {
        let mut names = Self { paths: HashMap::new(), flat: HashMap::new(), resnets: 0 };
        for (tensor, shape) in tensors {
            let Some(module) = tensor.strip_suffix(".weight") else { continue };
            let module = module.strip_prefix("text_model.").unwrap_or(module);
            names.paths.insert(module, (tensor, shape));
            names.flat.insert(module.replace('.', "_"), (tensor, shape));
            let resnet = module.strip_prefix("down_blocks.0.resnets.").and_then(|rest| rest.split('.').next());
            if let Some(number) = resnet.and_then(|number| number.parse::<usize>().ok()) {
                names.resnets = names.resnets.max(number.saturating_add(1));
            }
        }
        names
    }

    fn find(&self, module: &Module) -> Option<(&'t str, &'t [usize])> {
        match module {
            Module::Path(name) => self.paths.get(name.as_str()),
            Module::Flat(name) => match self.flat.get(name) {
                None if ldm::is_ldm(name) => self.flat.get(&ldm::to_diffusers(name, self.resnets)?),
                found => found,
            },
        }
        .copied()
    }
}
