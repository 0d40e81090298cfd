//! The denoiser: diffusers' `UNet2DConditionModel`.

mod texts;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub use texts::{Added, ProjectedTexts};

use super::check_size;
use crate::error::Result;
use crate::graph::unet::{UnetConfig, text_width, unet, unet_text};
use crate::lora::Component;
use crate::session::{Data, Fixed, Input, Network, SessionOptions, joined};
use crate::weights::Weights;

/// The name of its weight files.
const STEM: &str = "diffusion_pytorch_model";

/// A loaded denoiser.
#[derive(Debug)]
pub struct Unet {
    config: UnetConfig,
    folder: PathBuf,
    options: SessionOptions,
    /// Makes keys and values of texts.
    text: Network,
    text_width: usize,
    /// For all sizes that halve evenly; where weights stay in place, up to so many pixels.
    aligned: Network,
    most_pixels: Option<usize>,
    /// The form for another size, which almost nobody asks for: made on first use, and kept until the next.
    other: Mutex<Option<(Form, Arc<Network>)>>,
}

/// What the graph of a size depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Form {
    /// All sides halve evenly.
    aligned: bool,
    /// Pixels of the latents, where weights stay in place.
    pixels: Option<usize>,
}

impl Unet {
    /// Loads `folder` (`config.json` and `diffusion_pytorch_model.safetensors`).
    ///
    /// # Errors
    /// A config that is not implemented, damaged or unfitting weights, or a runtime that does not start.
    pub fn load(folder: &Path, options: &SessionOptions) -> Result<Self> {
        let config = UnetConfig::read(&folder.join("config.json"))?;
        let (mut weights, mut text_weights) = (weights(folder, options)?, weights(folder, options)?);
        let [rows, columns] = config.sample_size;
        let most_pixels = options.keeps_in_place(&weights).then_some(rows * columns);
        let (model, layers) = unet(&config, true, most_pixels, options.precision, &mut weights)?;
        let text_model = unet_text(&config, &layers, options.precision, &mut text_weights)?;
        weights.refuse_extra(&[&text_weights], &[])?;
        // Once for each image: one lane will do.
        let one_lane = SessionOptions { lanes: 1, ..options.clone() };
        let (aligned, text) = std::thread::scope(|scope| {
            let text = || Network::load("the UNet's text projections", &text_model, &text_weights, &one_lane);
            let text = scope.spawn(text);
            (Network::load("the UNet", &model, &weights, options), joined(text))
        });
        let (aligned, text) = (aligned?, text?);
        Ok(Self {
            config,
            folder: folder.to_path_buf(),
            options: options.clone(),
            text,
            text_width: text_width(&layers),
            aligned,
            most_pixels,
            other: Mutex::new(None),
        })
    }

    /// Refuses weights of `folder` that do not fit its config, and LoRA files that do not fit them, without reading any value:
    /// loading would refuse them too.
    ///
    /// # Errors
    /// A config that is not implemented, weights that are missing or do not fit it, or the first LoRA file with a layer for none of
    /// them.
    pub fn check(folder: &Path, options: &SessionOptions) -> Result<()> {
        let config = UnetConfig::read(&folder.join("config.json"))?;
        let open = || Weights::open_for(folder, STEM, options.precision);
        let (mut weights, mut text_weights) = (open()?, open()?);
        let (_, layers) = unet(&config, true, None, options.precision, &mut weights)?;
        unet_text(&config, &layers, options.precision, &mut text_weights)?;
        weights.refuse_extra(&[&text_weights], &[])?;
        if options.adapters.is_empty() {
            return Ok(());
        }
        open()?.adapt(&options.adapters, Component::Unet).map(|_| ())
    }

    /// What `config.json` says.
    pub fn config(&self) -> &UnetConfig {
        &self.config
    }

    /// Height and width of the latents it was trained on.
    pub fn sample_size(&self) -> [usize; 2] {
        self.config.sample_size
    }

    /// Latent channels it reads.
    pub fn in_channels(&self) -> usize {
        self.config.in_channels
    }

    /// Latent channels it predicts.
    pub fn out_channels(&self) -> usize {
        self.config.out_channels
    }

    /// Width of the text embedding it reads.
    pub fn cross_attention_dim(&self) -> usize {
        self.config.cross_attention_dim
    }

    /// Prepares `count` texts `[count, length, cross_attention_dim]` for [`Unet::predict_under`].
    ///
    /// `added` is for networks that read it (Stable Diffusion XL: [`UnetConfig::added`]). `guidance` is the scale, 8.5 say, for
    /// those distilled to read it ([`UnetConfig::guidance_width`]); without it they add nothing to the time.
    ///
    /// # Errors
    /// Wrong size, conditions that this network does not read, or a failure of the runtime.
    pub fn project_texts(
        &self,
        prompt_embeds: &[f32],
        count: usize,
        added: Option<Added<'_>>,
        guidance: Option<f64>,
    ) -> Result<ProjectedTexts> {
        let width = self.config.cross_attention_dim;
        let length = prompt_embeds.len() / (count * width).max(1);
        check_size("prompt embeddings", count * length.max(1) * width, prompt_embeds.len())?;
        let guidance = texts::guidance(&self.config, guidance, count)?;
        let added = texts::added(&self.config, added, count)?;
        let guidance_shape = [count, self.config.guidance_width.unwrap_or(0)];
        let added_shape = [count, self.config.added.map_or(0, |added| added.width)];
        let inputs = [
            Some(Input { name: "text", shape: &[count, length, width], data: Data::F32(prompt_embeds) }),
            guidance.as_deref().map(|values| Input {
                name: "guidance",
                shape: &guidance_shape,
                data: Data::F32(values),
            }),
            added.as_deref().map(|values| Input { name: "added", shape: &added_shape, data: Data::F32(values) }),
        ];
        let inputs: Vec<Input<'_>> = inputs.into_iter().flatten().collect();
        let expected = count * length * self.text_width;
        let [values, conditions] = match self.config.conditions_width() {
            0 => [self.text.run(&inputs, expected)?, Vec::new()],
            width => self.text.run_all(&inputs, [expected, count * width])?,
        };
        Ok(ProjectedTexts::new(count, length, values, conditions))
    }

    /// Predicts for `sample` of `shape` `[batch, in_channels, height, width]` at one `timestep`, under `prompt_embeds`
    /// `[batch, length, cross_attention_dim]`; gives `[batch, out_channels, height, width]`.
    ///
    /// # Errors
    /// Wrong sizes, or a failure of the runtime.
    pub fn predict(&self, sample: &[f32], shape: [usize; 4], timestep: f32, prompt_embeds: &[f32]) -> Result<Vec<f32>> {
        self.check_sample(sample, shape)?;
        self.predict_under(sample, shape, timestep, &self.project_texts(prompt_embeds, shape[0], None, None)?)
    }

    fn check_sample(&self, sample: &[f32], [images, _, rows, columns]: [usize; 4]) -> Result<()> {
        check_size("latents", images * self.config.in_channels * rows * columns, sample.len())
    }

    /// [`Unet::predict`] under texts prepared before, one for each image of the batch. Of one image, it predicts under each of
    /// the texts and gives `[texts, out_channels, height, width]`: the bits that a batch of copies gives, in less time.
    ///
    /// # Errors
    /// Wrong sizes, or a failure of the runtime.
    pub fn predict_under(
        &self,
        sample: &[f32],
        shape: [usize; 4],
        timestep: f32,
        texts: &ProjectedTexts,
    ) -> Result<Vec<f32>> {
        let UnetConfig { in_channels, out_channels, waves, .. } = self.config;
        let [images, _, rows, columns] = shape;
        self.check_sample(sample, shape)?;
        if images != 1 {
            check_size("texts", images, texts.count)?;
        }
        let time = waves.features(timestep);
        let conditions = self.config.conditions_width();
        check_size("conditions of the texts", texts.count * conditions, texts.conditions.len())?;
        let moving = [
            Input { name: "sample", shape: &[images, in_channels, rows, columns], data: Data::F32(sample) },
            Input { name: "time", shape: &[1, time.len()], data: Data::F32(&time) },
        ];
        let inputs = [
            Input {
                name: "text",
                shape: &[texts.count, texts.length, self.text_width],
                data: Data::F32(&texts.values),
            },
            Input { name: "conditions", shape: &[texts.count, conditions], data: Data::F32(&texts.conditions) },
        ];
        let inputs = if conditions > 0 { &inputs[..] } else { &inputs[..1] };
        let fixed = Fixed { key: texts.key, inputs };
        let expected = texts.count * out_channels * rows * columns;
        let aligned = [rows, columns].iter().all(|side| side % self.config.alignment() == 0);
        match self.most_pixels.filter(|_| aligned) {
            None if aligned => self.aligned.run_under(&fixed, &moving, expected),
            Some(most) if rows * columns <= most => self.aligned.run_under(&fixed, &moving, expected),
            // Sizes that do not halve evenly have no number of pixels to count on at each resolution.
            most => {
                self.other(Form { aligned, pixels: most.map(|_| rows * columns) })?.run_under(&fixed, &moving, expected)
            }
        }
    }

    fn other(&self, form: Form) -> Result<Arc<Network>> {
        let mut made = self.other.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, network)) = made.as_ref()
            && *known == form
        {
            return Ok(Arc::clone(network));
        }
        let mut weights = weights(&self.folder, &self.options)?;
        let (model, _) = unet(&self.config, form.aligned, form.pixels, self.options.precision, &mut weights)?;
        // The one before goes first, so that there is room.
        *made = None;
        let network = Arc::new(Network::load("the UNet", &model, &weights, &self.options)?);
        *made = Some((form, Arc::clone(&network)));
        Ok(network)
    }
}

fn weights(folder: &Path, options: &SessionOptions) -> Result<Weights> {
    Weights::open_for(folder, STEM, options.precision)?.adapt(&options.adapters, Component::Unet)
}
