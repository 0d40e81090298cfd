//! Prompts on their way to the denoiser: tokens, then features of one or two text encoders, remembered by their tokens.
//!
//! Text encoders are needed before the first step only. [`Texts::prepare`] encodes what a run will ask for and then drops the
//! encoders of large models, before the denoiser is loaded; a prompt that was not announced brings them back. What an earlier run has
//! kept is taken from there ([`Texts::recall`]): an encoder that has nothing to do is never loaded.

use std::sync::Arc;

use difftest_core::generate::LongPrompt;
use difftest_core::key::{self, Inputs};

use super::embeddings::Embeddings;
use super::family::Family;
use super::kept::Memory;
use super::load::LoadError;
use crate::models::{TextEncoder, TextFeatures, TextTap};
use crate::repository::Repository;
use crate::session::SessionOptions;
use crate::tokenizer::{ClipTokenizer, Cut};

/// Encoders whose weights are larger than this in sum are dropped when they are not needed.
const LARGE: u64 = 256 << 20;

/// The text side of a pipeline.
pub(super) struct Texts {
    family: Family,
    encoders: Vec<Encoder>,
    known: Embeddings<Key>,
    memory: Arc<Memory>,
    drop_when_done: bool,
}

struct Encoder {
    tokenizer: ClipTokenizer,
    network: TextEncoder,
    /// What its features depend on besides the text; `None` where that is not known, and nothing is kept.
    inputs: Option<Inputs>,
}

/// What features depend on.
#[derive(PartialEq, Eq, Hash, Clone)]
struct Key {
    encoder: usize,
    tap: TextTap,
    ids: Vec<i64>,
}

/// A prompt as the denoiser takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    /// `[length, width]`; the widths of two encoders side by side.
    pub tokens: Vec<f32>,
    /// The text as one vector, of the last encoder; Stable Diffusion XL has it.
    pub pooled: Option<Vec<f32>>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// Why a prompt has no embedding.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// The tokenizer refuses it.
    #[error(transparent)]
    Tokenizer(#[from] crate::tokenizer::TokenizerError),
    /// A text encoder does not load or run.
    #[error(transparent)]
    Encoder(#[from] crate::error::Error),
    /// It is longer than the encoder reads, and that is an error.
    #[error(
        "the {prompt} is {} tokens long, {} more than the model reads, and no image is made: it would not see \"{}\"",
        cut.room + cut.tokens, cut.tokens, cut.text
    )]
    TooLong {
        /// `prompt` or `negative prompt`.
        prompt: &'static str,
        /// What there is no room for.
        cut: Cut,
    },
    /// More layers are left out than there are.
    #[error("clip_skip {skip} leaves nothing of {encoder}, which has {layers} layers")]
    ClipSkip {
        /// As the suite says.
        skip: usize,
        /// Folder of the encoder.
        encoder: &'static str,
        /// Its layers.
        layers: usize,
    },
}

impl TextError {
    /// The same of a negative prompt.
    pub(super) fn of_negative(self) -> Self {
        match self {
            Self::TooLong { cut, .. } => Self::TooLong { prompt: "negative prompt", cut },
            other => other,
        }
    }
}

impl Texts {
    /// Opens the encoders' files; their networks are built when they are first used.
    pub(super) fn open(repository: &Repository, family: Family, session: &SessionOptions) -> Result<Self, LoadError> {
        let folder = repository.folder();
        // One prompt at a time on all threads, while nothing else runs.
        let session =
            SessionOptions { threads: session.threads * session.lanes, lanes: 1, spin: false, ..session.clone() };
        let mut encoders = Vec::new();
        for (encoder, tokenizer) in family.text_encoders() {
            let tokenizer = ClipTokenizer::load(&folder.join(tokenizer))?;
            let network = TextEncoder::load(&folder.join(encoder), &session)?;
            let lengths = [tokenizer.max_length(), network.length()];
            super::load::fits(folder, "tokens", lengths, ["of the tokenizer", "of the text encoder"])?;
            encoders.push(Encoder { tokenizer, network, inputs: None });
        }
        let drop_when_done = repository.size_of("text_encoder") + repository.size_of("text_encoder_2") > LARGE;
        Ok(Self { family, encoders, known: Embeddings::default(), memory: Arc::default(), drop_when_done })
    }

    /// Keeps features in `memory` from now on, under what those of each encoder's folder depend on.
    pub(super) fn remember(&mut self, memory: &Arc<Memory>, inputs: impl Fn(&str) -> Inputs) {
        self.memory = Arc::clone(memory);
        for (encoder, (folder, _)) in self.encoders.iter_mut().zip(self.family.text_encoders()) {
            encoder.inputs = Some(inputs(folder));
        }
    }

    /// Whether the encoders are let go once a run's prompts are encoded.
    pub(super) fn are_dropped(&self) -> bool {
        self.drop_when_done
    }

    /// Tokens of a prompt and width of each, as the denoiser takes them.
    pub(super) fn shape(&self) -> [usize; 2] {
        let length = self.encoders.first().map_or(0, |encoder| encoder.network.length());
        [length, self.encoders.iter().map(|encoder| encoder.network.width()).sum()]
    }

    /// Width of the pooled text, where the family has one.
    pub(super) fn pooled_width(&self) -> Option<usize> {
        let last = self.encoders.last().filter(|_| self.family == Family::Xl)?;
        last.network.projection_dim()
    }

    /// Builds the networks for `clip_skip`, so that weights that do not load are known.
    pub(super) fn load(&self, clip_skip: usize) -> Result<(), TextError> {
        for encoder in 0..self.encoders.len() {
            let tap = self.tap(encoder, clip_skip)?;
            self.encoders[encoder].network.prepare(tap)?;
        }
        Ok(())
    }

    /// Whether the features of a text are known, from this run or one before; no encoder is asked.
    pub(super) fn recall(&self, text: &str, clip_skip: usize) -> bool {
        self.encoders.iter().enumerate().all(|(index, encoder)| {
            let (Ok(tokens), Ok(tap)) = (encoder.tokenizer.encode(text), self.tap(index, clip_skip)) else {
                return false;
            };
            self.known.get(Key { encoder: index, tap, ids: tokens.ids }, |key| self.kept(key).ok_or(())).is_ok()
        })
    }

    /// Encodes every text, as far as their features can be kept, and drops large encoders if all could.
    pub(super) fn prepare<'t>(&self, texts: impl Iterator<Item = (&'t str, usize)>, go_on: &(dyn Fn() -> bool + Sync)) {
        let [length, width] = self.shape();
        let size = length * width + self.pooled_width().unwrap_or(0);
        let mut complete = true;
        for (text, clip_skip) in texts {
            complete = self.known.has_room(size) && go_on();
            // What goes wrong here goes wrong again where it can be told, with its case.
            if !complete || self.embed(text, clip_skip, LongPrompt::Cut).is_err() {
                break;
            }
        }
        if complete && self.drop_when_done {
            self.encoders.iter().for_each(|encoder| encoder.network.release());
        }
    }

    /// The embedding of a text.
    pub(super) fn embed(&self, text: &str, clip_skip: usize, long: LongPrompt) -> Result<Embedding, TextError> {
        let mut parts: Vec<Arc<TextFeatures>> = Vec::new();
        let mut warnings = Vec::new();
        for (index, encoder) in self.encoders.iter().enumerate() {
            let tokens = encoder.tokenizer.encode(text)?;
            if let Some(cut) = tokens.cut {
                if long == LongPrompt::Error {
                    return Err(TextError::TooLong { prompt: "prompt", cut });
                }
                let warning = cut.to_string();
                // Both encoders of a model read as many tokens: one warning says it.
                if !warnings.contains(&warning) {
                    warnings.push(warning);
                }
            }
            let key = Key { encoder: index, tap: self.tap(index, clip_skip)?, ids: tokens.ids };
            parts.push(self.known.get(key, |key| self.features(key))?);
        }
        let pooled = parts.last().and_then(|features| features.pooled.clone());
        Ok(Embedding { tokens: self.side_by_side(&parts), pooled, warnings })
    }

    fn features(&self, key: &Key) -> Result<TextFeatures, crate::error::Error> {
        if let Some(kept) = self.kept(key) {
            return Ok(kept);
        }
        let features = self.encoders[key.encoder].network.encode(&key.ids, 1, key.tap)?;
        if let Some(key) = self.key(key) {
            self.memory.keep_features(key, &features);
        }
        Ok(features)
    }

    /// Features of an earlier run, where they have the shape that the encoder would give.
    fn kept(&self, key: &Key) -> Option<TextFeatures> {
        let network = &self.encoders[key.encoder].network;
        let kept = self.memory.features(self.key(key)?)?;
        let pooled = kept.pooled.as_ref().map(Vec::len) == network.projection_dim().filter(|_| key.tap.pooled);
        (pooled && kept.hidden.len() == network.length() * network.width()).then_some(kept)
    }

    fn key(&self, Key { encoder, tap, ids }: &Key) -> Option<key::Key<key::Embedding>> {
        let inputs = self.encoders[*encoder].inputs.clone()?;
        let TextTap { skip, norm, pooled } = tap;
        let read = format!("skip {skip}, norm {norm}, pooled {pooled}");
        Some(inputs.with("text/read", read).with("text/tokens", format!("{ids:?}")).key())
    }

    fn side_by_side(&self, parts: &[Arc<TextFeatures>]) -> Vec<f32> {
        if let [only] = parts {
            return only.hidden.clone();
        }
        let [length, width] = self.shape();
        let mut tokens = Vec::with_capacity(length * width);
        for token in 0..length {
            for (features, encoder) in parts.iter().zip(&self.encoders) {
                let width = encoder.network.width();
                tokens.extend_from_slice(&features.hidden[token * width..][..width]);
            }
        }
        tokens
    }

    /// Where an encoder is read. Stable Diffusion XL reads a layer earlier than the others and without the final norm.
    fn tap(&self, encoder: usize, clip_skip: usize) -> Result<TextTap, TextError> {
        let tap = match self.family {
            Family::Xl => TextTap { skip: clip_skip + 1, norm: false, pooled: encoder + 1 == self.encoders.len() },
            Family::StableDiffusion | Family::LatentConsistency => {
                TextTap { skip: clip_skip, norm: true, pooled: false }
            }
        };
        let layers = self.encoders[encoder].network.layers();
        // All layers left out would read the embeddings of the tokens, which diffusers allows and nobody means.
        if tap.skip >= layers && clip_skip > 0 {
            let encoder = self.family.text_encoders()[encoder].0;
            return Err(TextError::ClipSkip { skip: clip_skip, encoder, layers });
        }
        Ok(tap)
    }
}
