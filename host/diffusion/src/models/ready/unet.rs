//! UNets that were exported: what they take beside the latents, in which types.

use std::path::Path;

use super::config::Config;
use super::network::{Feed, Network, Values};
use super::part::Part;
use super::{Added, OnnxFault};
use crate::error::{Error, Result};
use crate::graph::unet::guidance_features;
use crate::models::check_size;
use crate::onnx::{Element, Extent, Port};
use crate::session::{Device, SessionOptions};

/// Every input that an exported UNet may have.
const INPUTS: [&str; 7] =
    ["sample", "timestep", "encoder_hidden_states", "text_embeds", "time_ids", "timestep_cond", "return_dict"];

/// An exported denoiser.
#[derive(Debug)]
pub(crate) struct Unet {
    part: Part,
    network: Network,
    device: Device,
    sample: Port,
    timestep: Port,
    text: Port,
    /// Pooled texts and sizes: Stable Diffusion XL.
    added: Option<[Port; 2]>,
    /// The guidance scale as waves: distilled models.
    guidance: Option<(Port, usize)>,
    /// A flag that an exporter forgot to take out.
    flag: Option<Port>,
    output: String,
    sample_size: [usize; 2],
    in_channels: usize,
    out_channels: usize,
    cross_attention_dim: usize,
}

/// Texts with everything that belongs to them, row by row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Texts {
    pub(crate) count: usize,
    length: usize,
    /// `[count, length, width]`
    tokens: Vec<f32>,
    /// `[count, width]`; empty where the model has none. The same for the next two.
    pooled: Vec<f32>,
    time_ids: Vec<f32>,
    guidance: Vec<f32>,
}

impl Texts {
    pub(crate) fn concat(parts: &[&Self]) -> Result<Self> {
        let mut joined = Self::default();
        for part in parts {
            if joined.count > 0 {
                check_size("tokens of a text", joined.length, part.length)?;
                check_size("values for a text", joined.width(), part.width())?;
            }
            joined.count += part.count;
            joined.length = part.length;
            joined.tokens.extend_from_slice(&part.tokens);
            joined.pooled.extend_from_slice(&part.pooled);
            joined.time_ids.extend_from_slice(&part.time_ids);
            joined.guidance.extend_from_slice(&part.guidance);
        }
        Ok(joined)
    }

    /// Values of one text.
    fn width(&self) -> usize {
        let all = [&self.tokens, &self.pooled, &self.time_ids, &self.guidance];
        all.iter().map(|values| values.len()).sum::<usize>() / self.count.max(1)
    }
}

impl Unet {
    pub(crate) fn load(folder: &Path, options: &SessionOptions) -> Result<Self> {
        let part = Part::open("the UNet", folder, options.device)?;
        part.only_inputs(&INPUTS)?;
        let sample = part.needed_input(&["sample"])?;
        part.floats(&sample, 4, "floats [batch, channels, height, width]")?;
        let timestep = part.needed_input(&["timestep"])?;
        let number = timestep.element.is_float() || matches!(timestep.element, Element::I32 | Element::I64);
        if !number || timestep.rank().is_some_and(|rank| rank > 1) {
            return Err(part.wrong_type(&timestep, "one number"));
        }
        let text = part.needed_input(&["encoder_hidden_states"])?;
        part.floats(&text, 3, "floats [batch, tokens, width]")?;
        let output = part.needed_output(&["out_sample", "latent"])?;
        part.floats(&output, 4, "floats [batch, channels, height, width]")?;
        let config = Config::read(&[folder.join("config.json")])?;
        let added = added(&part)?;
        let guidance = guidance(&part, &config)?;
        let flag = part.input(&["return_dict"]);
        let told = |key| config.size(key);
        let in_channels = part.size("latent channels", sample.fixed(1), &config.path, told("in_channels")?)?;
        let out_channels = told("out_channels")?.or(Some(in_channels)).filter(|_| output.fixed(1).is_none());
        let out_channels = part.size("predicted channels", output.fixed(1), &config.path, out_channels)?;
        let width = config.get("cross_attention_dim").and_then(serde_json::Value::as_u64).map(|width| width as usize);
        let cross_attention_dim = part.size("width of a text's token", text.fixed(2), &config.path, width)?;
        let exported = sample.fixed(2).zip(sample.fixed(3)).map(|(rows, columns)| [rows, columns]);
        let sample_size = exported.or(config.area("sample_size")?).ok_or_else(|| {
            part.fault(OnnxFault::Config { what: "latent size", config: config.path.display().to_string() })
        })?;
        Ok(Self {
            network: Network::load(&part, options)?,
            device: options.device,
            output: output.name,
            part,
            sample,
            timestep,
            text,
            added,
            guidance,
            flag,
            sample_size,
            in_channels,
            out_channels,
            cross_attention_dim,
        })
    }

    pub(crate) fn sample_size(&self) -> [usize; 2] {
        self.sample_size
    }

    pub(crate) fn in_channels(&self) -> usize {
        self.in_channels
    }

    pub(crate) fn out_channels(&self) -> usize {
        self.out_channels
    }

    pub(crate) fn cross_attention_dim(&self) -> usize {
        self.cross_attention_dim
    }

    pub(crate) fn reads_added(&self) -> bool {
        self.added.is_some()
    }

    pub(crate) fn reads_guidance(&self) -> bool {
        self.guidance.is_some()
    }

    /// Refuses a size and timesteps that the graph cannot do, before anything is computed.
    pub(crate) fn accepts(&self, [rows, columns]: [usize; 2], timesteps: &[f32]) -> Result<()> {
        self.part.accepts(&self.sample, 2, "a latent height of", rows)?;
        self.part.accepts(&self.sample, 3, "a latent width of", columns)?;
        if self.timestep.element.is_float() {
            return Ok(());
        }
        match timesteps.iter().find(|timestep| timestep.fract() != 0.0) {
            Some(&timestep) => {
                Err(self.part.fault(OnnxFault::WholeTimesteps { port: self.timestep.to_string(), timestep }))
            }
            None => Ok(()),
        }
    }

    pub(crate) fn texts(
        &self,
        tokens: &[f32],
        count: usize,
        added: Option<Added<'_>>,
        scale: Option<f64>,
    ) -> Result<Texts> {
        let length = tokens.len() / (count * self.cross_attention_dim).max(1);
        check_size("prompt embeddings", count * length.max(1) * self.cross_attention_dim, tokens.len())?;
        self.part.accepts(&self.text, 1, "texts of a length of", length)?;
        let mut texts = Texts { count, length, tokens: tokens.to_vec(), ..Texts::default() };
        match (&self.added, added) {
            (None, None) => {}
            (Some([pooled, ids]), Some(added)) => {
                for (port, values, what) in
                    [(pooled, added.pooled, "pooled texts"), (ids, added.time_ids, "sizes of the image")]
                {
                    let width = port.fixed(1).unwrap_or(values.len() / count.max(1));
                    check_size(what, count * width, values.len())?;
                }
                texts.pooled = added.pooled.to_vec();
                texts.time_ids = added.time_ids.to_vec();
            }
            (Some(_), None) => return Err(conditioning("reads a pooled text and sizes too, and was given none")),
            (None, Some(_)) => return Err(conditioning("reads neither a pooled text nor sizes")),
        }
        match (&self.guidance, scale) {
            (None, None) => {}
            (Some((_, width)), Some(scale)) => texts.guidance = guidance_features(scale, *width).repeat(count),
            (Some((_, width)), None) => texts.guidance = vec![0.0; count * width],
            (None, Some(_)) => return Err(conditioning("does not read the guidance scale")),
        }
        Ok(texts)
    }

    pub(crate) fn predict_under(
        &self,
        sample: &[f32],
        shape: [usize; 4],
        timestep: f32,
        texts: &Texts,
    ) -> Result<Vec<f32>> {
        let [images, _, rows, columns] = shape;
        let image = self.in_channels * rows * columns;
        check_size("latents", images * image, sample.len())?;
        if images != 1 {
            check_size("texts", images, texts.count)?;
        }
        self.accepts([rows, columns], &[timestep])?;
        let together = self.part.together(&self.sample, texts.count, self.device)?;
        let mut predicted = Vec::with_capacity(texts.count * self.out_channels * rows * columns);
        for first in (0..texts.count).step_by(together) {
            let repeated;
            let sample = if images == 1 && together > 1 {
                repeated = sample.repeat(together);
                repeated.as_slice()
            } else {
                &sample[if images == 1 { 0 } else { first * image }..][..together * image]
            };
            let feeds = self.feeds(sample, [together, self.in_channels, rows, columns], timestep, texts, first);
            let expected = together * self.out_channels * rows * columns;
            predicted.extend(self.network.run(feeds, &[(&self.output, expected)])?.into_iter().flatten());
        }
        Ok(predicted)
    }

    /// The inputs of one call for the texts from `first` on.
    fn feeds<'d>(
        &'d self,
        sample: &'d [f32],
        shape: [usize; 4],
        timestep: f32,
        texts: &'d Texts,
        first: usize,
    ) -> Vec<Feed<'d>> {
        let batch = shape[0];
        let rows = |values: &'d [f32]| {
            let width = values.len() / texts.count;
            (width, Values::Floats(&values[first * width..][..batch * width]))
        };
        let row = |port: &'d Port, values: &'d [f32]| {
            let (width, values) = rows(values);
            Feed { port, shape: vec![batch, width], values }
        };
        let (_, tokens) = rows(&texts.tokens);
        let tokens =
            Feed { port: &self.text, shape: vec![batch, texts.length, self.cross_attention_dim], values: tokens };
        let mut feeds =
            vec![Feed { port: &self.sample, shape: shape.to_vec(), values: Values::Floats(sample) }, tokens];
        if let Some([pooled, ids]) = &self.added {
            feeds.extend([row(pooled, &texts.pooled), row(ids, &texts.time_ids)]);
        }
        if let Some((port, _)) = &self.guidance {
            feeds.push(row(port, &texts.guidance));
        }
        if let Some(port) = &self.flag {
            feeds.push(Feed { port, shape: vec![1; port.rank().unwrap_or(0)], values: Values::No });
        }
        feeds.push(self.time(timestep, batch));
        feeds
    }

    /// The timestep: a number, a list of one, or one for each row, as the graph declares it.
    fn time(&self, timestep: f32, batch: usize) -> Feed<'_> {
        let each = self.timestep.fixed(0).unwrap_or(if self.one_for_each() { batch } else { 1 });
        let shape = if self.timestep.rank() == Some(1) { vec![each] } else { Vec::new() };
        let count = if shape.is_empty() { 1 } else { each };
        Feed { port: &self.timestep, shape, values: Values::Same(timestep, count) }
    }

    /// Whether the timesteps have the same dimension as the batch, by name.
    fn one_for_each(&self) -> bool {
        let first = |port: &Port| match port.shape.as_ref().and_then(|shape| shape.first()) {
            Some(Extent::Named(name)) => Some(name.clone()),
            _ => None,
        };
        first(&self.timestep).is_some_and(|name| first(&self.sample) == Some(name))
    }
}

/// The two inputs of Stable Diffusion XL, which come together.
fn added(part: &Part) -> Result<Option<[Port; 2]>> {
    let (pooled, ids) = (part.input(&["text_embeds"]), part.input(&["time_ids"]));
    if pooled.is_none() && ids.is_none() {
        return Ok(None);
    }
    let ports = [part.needed_input(&["text_embeds"])?, part.needed_input(&["time_ids"])?];
    for port in &ports {
        part.floats(port, 2, "floats [batch, width]")?;
    }
    Ok(Some(ports))
}

/// The input for the guidance scale, with its width.
fn guidance(part: &Part, config: &Config) -> Result<Option<(Port, usize)>> {
    let Some(port) = part.input(&["timestep_cond"]) else { return Ok(None) };
    part.floats(&port, 2, "floats [batch, width]")?;
    let told = config.size("time_cond_proj_dim")?;
    let width = part.size("width of the guidance scale", port.fixed(1), &config.path, told)?;
    Ok(Some((port, width)))
}

fn conditioning(why: &str) -> Error {
    Error::Conditioning { network: "the UNet", why: why.to_owned() }
}
