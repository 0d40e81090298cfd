//! What one network takes: its weights, and what it computes with, by its config.
//!
//! The forms follow from the graphs; the numbers in them were measured on ONNX Runtime 1.31 (the tests of `memory` have the table).

use serde_json::Value;

use crate::onnx::Widened;

/// `f32`.
pub(super) const VALUE: u64 = 4;
/// Images of its largest resolution that a decoder holds at its peak, in tenths.
const DECODED: u64 = 24;
/// Images of a resolution that a UNet holds for each text, where it attends: among them queries, keys and values in two layouts, the
/// perceptron four times as wide three times over, and what the other half of the network is going to read.
const ATTENDED: u64 = 14;
/// The same of a resolution where it does not attend.
const CONVOLVED: u64 = 8;
/// Matrices of all tokens by all tokens that an exported attention holds: it is several operators, so all scores exist at once. In
/// the graphs made here it is one, which computes them block by block.
const SCORES: u64 = 3;
/// The part of weights in place that each session repacks, or sums up, all the same.
const REPACKED: u64 = 5;

/// What one network takes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Network {
    pub(super) weights: Weights,
    /// Bytes that it computes with, for each latent under each text.
    pub(super) held: u64,
    /// The attention whose scores all exist at once, if there is one.
    pub(super) scores: Option<Scores>,
    /// Whether each text is a call of its own.
    pub(super) one_by_one: bool,
    /// The sizes that its first session serves.
    pub(super) serves: Serves,
}

/// Bytes of a network's weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weights {
    /// Once, however many lanes there are.
    pub(super) once: u64,
    /// In each session.
    pub(super) each: u64,
}

impl Weights {
    /// Weights of so many bytes that are read where their file is mapped, but for what is repacked all the same.
    pub(super) fn in_place(bytes: u64) -> Self {
        let each = bytes / REPACKED;
        Self { once: bytes - each, each }
    }

    /// Weights of so many bytes that each session repacks; of what they were read into, half as much stays with the heap.
    pub(super) fn repacked(bytes: u64) -> Self {
        Self { once: 0, each: bytes.saturating_add(bytes / 2) }
    }

    /// Weights of an exported graph. Of those in its own file, the heap keeps three quarters as much again; those beside it are mapped.
    pub(super) fn exported(Widened { inside, beside }: Widened) -> Self {
        Self { once: 0, each: (product(&[7, inside]) / 4).saturating_add(beside) }
    }

    pub(super) fn all(self) -> u64 {
        self.once.saturating_add(self.each)
    }
}

/// The latents that a network was made for; another session is made for others.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Serves {
    /// Height and width are multiples of it.
    pub(super) multiples: Option<u64>,
    /// There are no more.
    pub(super) most: Option<u64>,
}

impl Serves {
    fn sessions(self, latents: [u64; 2]) -> u64 {
        let aligned = self.multiples.is_none_or(|of| latents.iter().all(|side| side.is_multiple_of(of.max(1))));
        let few = self.most.is_none_or(|most| product(&latents) <= most);
        if aligned && few { 1 } else { 2 }
    }
}

/// An attention that is several operators.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scores {
    pub(super) heads: u64,
    /// Latents for each token.
    pub(super) latents: u64,
}

impl Network {
    /// A decoder of this config, exported or not. At each resolution the first residual block reads what the coarser one gave, which
    /// is wider.
    pub(super) fn vae(config: &Value, ready: bool, weights: Weights, upscale: u64) -> Self {
        let channels = numbers(config, "block_out_channels").unwrap_or_else(|| vec![64]);
        let widest = |(level, &own): (usize, &u64)| {
            let wider = channels.get(level + 1).map_or(own, |&coarser| coarser.max(own));
            at_level(product(&[upscale, upscale, wider, VALUE]), level)
        };
        let image = channels.iter().enumerate().map(widest).max().unwrap_or(0);
        Self {
            weights,
            held: product(&[image, DECODED]) / 10,
            scores: ready.then_some(Scores { heads: 1, latents: 1 }),
            one_by_one: ready,
            serves: Serves::default(),
        }
    }

    /// A denoiser of this config, exported or not, trained for so many latents.
    pub(super) fn unet(config: &Value, ready: bool, weights: Weights, trained: u64) -> Self {
        let channels = numbers(config, "block_out_channels").unwrap_or_else(|| vec![320, 640, 1280, 1280]);
        let blocks = config.get("down_block_types").and_then(Value::as_array);
        let attends = |level: usize| match blocks.and_then(|blocks| blocks.get(level)).and_then(Value::as_str) {
            Some(block) => block.contains("Attn"),
            None => level + 1 < channels.len(),
        };
        let held = |(level, &width): (usize, &u64)| {
            let images = if attends(level) { ATTENDED } else { CONVOLVED };
            product(&[images, at_level(product(&[width, VALUE]), level)])
        };
        let held = channels.iter().enumerate().map(held).max().unwrap_or(0);
        // This key counts heads, one number for all resolutions or one for each.
        let heads = |level: usize| {
            let all = config.get("attention_head_dim");
            all.and_then(Value::as_u64).or_else(|| all?.get(level)?.as_u64()).unwrap_or(8)
        };
        let finest = (0..channels.len()).find(|&level| attends(level)).filter(|_| ready);
        let scores = |level: usize| Scores { heads: heads(level), latents: 1 << (2 * level.min(16)) };
        let serves = Serves {
            multiples: Some(1 << channels.len().saturating_sub(1).min(32)).filter(|_| !ready),
            most: Some(trained).filter(|_| weights.once > 0),
        };
        Self { weights, held, scores: finest.map(scores), one_by_one: ready, serves }
    }

    /// Bytes of its weights in `lanes`, for images of so many latents.
    pub(super) fn weights(&self, latents: [u64; 2], lanes: u64) -> u64 {
        let each = product(&[lanes, self.weights.each, self.serves.sessions(latents)]);
        self.weights.once.saturating_add(each)
    }

    /// Bytes that one lane computes with at most, on an image of so many latents under `texts`. What a config says may be any number,
    /// so nothing overflows.
    pub(super) fn computes_in(&self, latents: [u64; 2], texts: u64) -> u64 {
        let all = product(&latents);
        let images = product(&[self.held, all, if self.one_by_one { 1 } else { texts }]);
        let scores = self.scores.map_or(0, |Scores { heads, latents: each }| {
            let tokens = all / each.max(1);
            product(&[SCORES, heads, tokens, tokens, VALUE])
        });
        // The attention is at a coarse resolution, where images are small.
        images.max(scores)
    }
}

/// What is `finest` for each pixel of the finest resolution, at one that was halved `level` times.
fn at_level(finest: u64, level: usize) -> u64 {
    finest >> (2 * level.min(31))
}

fn numbers(config: &Value, key: &str) -> Option<Vec<u64>> {
    config.get(key)?.as_array()?.iter().map(Value::as_u64).collect()
}

pub(super) fn product(factors: &[u64]) -> u64 {
    factors.iter().fold(1, |product, &factor| product.saturating_mul(factor))
}
