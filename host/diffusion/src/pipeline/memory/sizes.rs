//! What the files of a pipeline say about the memory that its networks take.

use super::network::{Network, VALUE, Weights, product};
use crate::models::{exported, graph_weights};
use crate::pipeline::Model;
use crate::session::SessionOptions;
use crate::weights::Weights as Files;

/// Of the files of diffusers' components.
const STEM: &str = "diffusion_pytorch_model";

/// What the networks of a pipeline take.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::pipeline) struct Sizes {
    /// Bytes of all text encoders.
    pub(super) text: u64,
    /// Whether they are gone before the UNet is loaded.
    pub(super) text_is_dropped: bool,
    pub(super) unet: Network,
    pub(super) vae: Network,
    /// Pixels for each latent, in each direction.
    pub(super) upscale: u64,
}

impl Sizes {
    /// Reads what the files say; parts that cannot be read count nothing, for whoever loads them has the words for it.
    pub(in crate::pipeline) fn read(model: &Model, session: &SessionOptions, text_is_dropped: bool) -> Self {
        let (repository, shape) = (&model.repository, &model.shape);
        let weights = |component: &str, stem: &str, in_place: bool, wanted: &dyn Fn(&str) -> bool| {
            let folder = repository.folder().join(component);
            if let Some(folder) = exported(&folder) {
                return graph_weights(&folder).map_or_else(|_| Weights::default(), Weights::exported);
            }
            let Ok(files) = Files::open(&folder, stem) else { return Weights::default() };
            let bytes = product(&[files.values(wanted), VALUE]);
            // as `Net::stays_in_place` decides it for each of them
            let plain = files.formats().iter().eq(["f32"]) && session.adapters.is_empty();
            if in_place && plain && session.keeps_in_place(&files) {
                Weights::in_place(bytes)
            } else {
                Weights::repacked(bytes)
            }
        };
        let text = model.family.text_encoders().iter().map(|(part, _)| weights(part, "model", true, &|_| true).all());
        let component = |name: &str| {
            let ready = exported(&repository.folder().join(name)).is_some();
            (repository.config(name).unwrap_or_default(), ready)
        };
        let upscale = shape.upscale as u64;
        let (unet, vae) = (component("unet"), component("vae"));
        let [unet_weights, vae_weights] = [
            weights("unet", STEM, true, &|_| true),
            weights("vae", STEM, false, &|name| !name.contains("encoder.") || name.contains("decoder.")),
        ];
        let (width, height) = shape.size;
        let trained = u64::from(width) * u64::from(height) / product(&[upscale, upscale]).max(1);
        Self {
            text: text.fold(0, u64::saturating_add),
            text_is_dropped,
            unet: Network::unet(&unet.0, unet.1, unet_weights, trained),
            vae: Network::vae(&vae.0, vae.1, vae_weights, upscale),
            upscale,
        }
    }
}
