//! Text encoders that were exported: which states of which layer they give, and by which names.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::config::Config;
use super::network::{Feed, Network, Values};
use super::part::{Part, listed};
use super::{OnnxFault, TextFeatures, TextTap};
use crate::error::{Error, Result};
use crate::models::{check_ids, check_size};
use crate::onnx::{Element, Port};
use crate::session::SessionOptions;

/// Tokens in a row where neither the graph nor a config says it: CLIP's.
const CLIP_LENGTH: usize = 77;

/// An exported text encoder.
#[derive(Debug)]
pub(crate) struct TextEncoder {
    part: Part,
    options: SessionOptions,
    ids: Port,
    /// The last layer, normed.
    last: Option<Port>,
    /// States before the norm, by the number of layers behind them.
    states: BTreeMap<usize, String>,
    pooled: Option<Port>,
    length: usize,
    width: usize,
    layers: usize,
    vocabulary: Option<usize>,
    projection: Option<usize>,
    network: Mutex<Option<Arc<Network>>>,
}

impl TextEncoder {
    pub(crate) fn load(folder: &Path, options: &SessionOptions) -> Result<Self> {
        let part = Part::open("the text encoder", folder, options.device)?;
        part.only_inputs(&["input_ids"])?;
        let ids = part.needed_input(&["input_ids"])?;
        if !matches!(ids.element, Element::I32 | Element::I64) || ids.rank().is_some_and(|rank| rank != 2) {
            return Err(part.wrong_type(&ids, "int32 or int64 [batch, tokens]"));
        }
        let config = Config::read(&[folder.join("config.json")])?;
        // ONNX Runtime's own exporter has one name for the normed tokens and for the pooled text: the rank tells them apart.
        let embeddings = part.output(&["text_embeddings"]);
        let ranked = |rank: usize| embeddings.clone().filter(|port| port.rank() == Some(rank));
        let last = part.output(&["last_hidden_state"]).or_else(|| ranked(3));
        let pooled = part.output(&["text_embeds"]).or_else(|| ranked(2));
        let layers = config.size("num_hidden_layers")?;
        let states = states(&part, layers);
        let Some(tokens) =
            last.clone().or_else(|| part.output(&states.values().map(String::as_str).collect::<Vec<_>>()))
        else {
            return Err(part.fault(OnnxFault::Missing {
                kind: "output",
                wanted: "`last_hidden_state`, `text_embeddings` or `hidden_states.N`".to_owned(),
                found: listed(&part.file.outputs),
            }));
        };
        for port in last.iter().chain([&tokens]) {
            part.floats(port, 3, "floats [batch, tokens, width]")?;
        }
        if let Some(pooled) = &pooled {
            part.floats(pooled, 2, "floats [batch, width]")?;
        }
        let width = part.size("width of a token", tokens.fixed(2), &config.path, config.size("hidden_size")?)?;
        let told = config.size("projection_dim")?;
        let projection = match &pooled {
            Some(port) => Some(part.size("width of a pooled text", port.fixed(1), &config.path, told)?),
            None => None,
        };
        Ok(Self {
            length: ids.fixed(1).or(config.size("max_position_embeddings")?).unwrap_or(CLIP_LENGTH),
            layers: layers.or(states.keys().last().copied()).unwrap_or(0),
            vocabulary: config.size("vocab_size")?,
            options: options.clone(),
            network: Mutex::new(None),
            part,
            ids,
            last,
            states,
            pooled,
            width,
            projection,
        })
    }

    pub(crate) fn length(&self) -> usize {
        self.length
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// 0 where neither the config nor the graph tells.
    pub(crate) fn layers(&self) -> usize {
        self.layers
    }

    pub(crate) fn projection_dim(&self) -> Option<usize> {
        self.projection
    }

    pub(crate) fn prepare(&self, tap: TextTap) -> Result<()> {
        self.outputs(tap)?;
        self.network().map(|_| ())
    }

    pub(crate) fn release(&self) {
        *self.network.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn encode(&self, ids: &[i64], batch: usize, tap: TextTap) -> Result<TextFeatures> {
        check_size("token ids", batch * self.length, ids.len())?;
        if let Some(vocabulary) = self.vocabulary {
            check_ids(ids, vocabulary)?;
        }
        let (hidden, pooled) = self.outputs(tap)?;
        let network = self.network()?;
        let together = self.part.together(&self.ids, batch, self.options.device)?;
        let mut features = TextFeatures { hidden: Vec::new(), pooled: pooled.map(|_| Vec::new()) };
        for rows in ids.chunks(together * self.length) {
            let batch = rows.len() / self.length;
            let feed = Feed { port: &self.ids, shape: vec![batch, self.length], values: Values::Ids(rows) };
            let mut wanted = vec![(hidden, rows.len() * self.width)];
            wanted.extend(pooled.map(|name| (name, batch * self.projection.unwrap_or(0))));
            let mut found = network.run(vec![feed], &wanted)?.into_iter();
            features.hidden.extend(found.next().unwrap_or_default());
            if let (Some(all), Some(more)) = (&mut features.pooled, found.next()) {
                all.extend(more);
            }
        }
        Ok(features)
    }

    /// Built on first use, because encoders are dropped when their texts are known.
    fn network(&self) -> Result<Arc<Network>> {
        let mut network = self.network.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(network) = network.as_ref() {
            return Ok(Arc::clone(network));
        }
        let loaded = Arc::new(Network::load(&self.part, &self.options)?);
        *network = Some(Arc::clone(&loaded));
        Ok(loaded)
    }

    /// The outputs that `tap` reads.
    fn outputs(&self, tap: TextTap) -> Result<(&str, Option<&str>)> {
        let hidden = match (&self.last, tap) {
            (Some(last), TextTap { skip: 0, norm: true, .. }) => Some(last.name.as_str()),
            (_, TextTap { norm: true, .. }) => None,
            _ => self.layers.checked_sub(tap.skip).and_then(|layer| self.states.get(&layer)).map(String::as_str),
        };
        let Some(hidden) = hidden else { return Err(self.no_state(tap)) };
        let pooled = match (&self.pooled, tap.pooled) {
            (_, false) => None,
            (Some(port), true) => Some(port.name.as_str()),
            (None, true) => {
                let folder = self.part.path.parent().unwrap_or(Path::new("")).to_path_buf();
                return Err(Error::NoProjection { folder });
            }
        };
        Ok((hidden, pooled))
    }

    fn no_state(&self, TextTap { skip, norm, .. }: TextTap) -> Error {
        if self.layers > 0 && skip > self.layers {
            return Error::SkippedLayers { skip, layers: self.layers };
        }
        let layer = match skip {
            0 => "the last layer".to_owned(),
            1 => "the layer before the last".to_owned(),
            _ => format!("the layer {skip} before the last"),
        };
        let (with, advice) = if norm && skip > 0 {
            ("with", "clip_skip is not possible with this export")
        } else if norm {
            ("with", "it is not the text encoder of this kind of pipeline")
        } else {
            ("without", "it cannot be a text encoder of Stable Diffusion XL at this clip_skip")
        };
        let wanted = format!("the state of {layer} {with} the final norm");
        self.part.fault(OnnxFault::Layer { wanted, found: listed(&self.part.file.outputs), advice })
    }
}

/// The outputs that hold a state before the norm. optimum numbers them; the only one of ONNX Runtime's exporter is that of the
/// layer before the last.
fn states(part: &Part, layers: Option<usize>) -> BTreeMap<usize, String> {
    let names = || part.file.outputs.iter().map(|port| &port.name);
    let numbered = |name: &String| Some((name.strip_prefix("hidden_states.")?.parse().ok()?, name.clone()));
    let mut states: BTreeMap<usize, String> = names().filter_map(numbered).collect();
    if let (Some(layers), Some(name)) = (layers, names().find(|name| *name == "hidden_states")) {
        states.insert(layers.saturating_sub(1), name.clone());
    }
    states
}
