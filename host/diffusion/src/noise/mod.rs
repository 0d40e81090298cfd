//! The normal noise of torch's CPU generator, so that a seed means the same picture as in Python.
//!
//! [`Noise`] follows `torch.Generator().manual_seed(seed)` and `torch.randn(n, dtype)` for contiguous tensors: MT19937 seeded
//! with the low 32 bits, one word per uniform, Box-Muller over blocks of 16, and a double-precision path with a cached second
//! value for fewer than 16 elements. torch takes logarithm, sine and cosine from whatever vector library it was built with, so
//! its own results differ by about 1e-7 between machines; ours come from polynomials of our own (`functions`) and are the same
//! bits everywhere, within 1e-6 of torch.
//!
//! A [`Stream`] is what a seed means, and part of every key and result. The half-precision streams are those of torch 2.15: the
//! values of the `f32` stream rounded, but for what follows a draw whose length is at least 16 and no multiple of 16 (the
//! halves do not draw uniforms for the incomplete block, which the `f32` path draws and throws away). Latents are always whole
//! blocks, so their noise in half precision is the rounded `f32` noise. Older releases of torch (2.7 for one) ran Box-Muller in
//! the half type from 8 or 11 random bits: other pictures, which no stream here reproduces.

mod functions;
mod words;

use std::fmt;
use std::str::FromStr;

use half::{bf16, f16};

use self::functions::{ln, sin_cos};
use self::words::Mt19937;

/// Whose random numbers a seed stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Stream {
    /// `torch-cpu-f32`: torch's CPU generator drawing `float32`.
    #[default]
    TorchCpuF32,
    /// `torch-cpu-f16`: the same drawing `float16`.
    TorchCpuF16,
    /// `torch-cpu-bf16`: the same drawing `bfloat16`.
    TorchCpuBf16,
}

impl Stream {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::TorchCpuF32, Self::TorchCpuF16, Self::TorchCpuBf16];

    /// What suites, keys and results call it.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::TorchCpuF32 => "torch-cpu-f32",
            Self::TorchCpuF16 => "torch-cpu-f16",
            Self::TorchCpuBf16 => "torch-cpu-bf16",
        }
    }

    /// All ids, for messages.
    #[must_use]
    pub fn names() -> String {
        Self::ALL.map(Self::id).join(", ")
    }

    /// The nearest value of the stream's type.
    fn round(self, value: f32) -> f32 {
        match self {
            Self::TorchCpuF32 => value,
            Self::TorchCpuF16 => f16::from_f32(value).to_f32(),
            Self::TorchCpuBf16 => bf16::from_f32(value).to_f32(),
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.id())
    }
}

impl FromStr for Stream {
    type Err = UnknownStream;

    fn from_str(id: &str) -> Result<Self, UnknownStream> {
        Self::ALL.into_iter().find(|stream| stream.id() == id).ok_or_else(|| UnknownStream { id: id.to_owned() })
    }
}

/// No stream has that id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown noise stream `{id}`; there are: {}", Stream::names())]
pub struct UnknownStream {
    /// As asked for.
    pub id: String,
}

/// One generator; the sequence goes on from call to call.
pub struct Noise {
    stream: Stream,
    words: Mt19937,
    /// The second value of the last pair of the short path; survives into the next short call.
    spare: Option<f64>,
}

impl Noise {
    /// As `manual_seed(seed)`: only the low 32 bits count.
    #[must_use]
    pub fn new(stream: Stream, seed: u64) -> Self {
        Self { stream, words: Mt19937::new(seed as u32), spare: None }
    }

    /// Which stream it is.
    #[must_use]
    pub fn stream(&self) -> Stream {
        self.stream
    }

    /// As `torch.randn(n)` in the stream's type, widened to `f32`.
    #[must_use]
    pub fn randn(&mut self, n: usize) -> Vec<f32> {
        self.draw(n, self.stream)
    }

    /// As `torch.randn(n, dtype=torch.float32)` from the same generator, for what torch code draws in `f32` whatever the
    /// model's type is.
    #[must_use]
    pub fn randn_f32(&mut self, n: usize) -> Vec<f32> {
        self.draw(n, Stream::TorchCpuF32)
    }

    fn draw(&mut self, n: usize, stream: Stream) -> Vec<f32> {
        if n < 16 {
            return (0..n).map(|_| stream.round(self.one() as f32)).collect();
        }
        let mut out = vec![0.0; n];
        let whole = match stream {
            // uniforms for all, though those of an incomplete block are never used
            Stream::TorchCpuF32 => n,
            Stream::TorchCpuF16 | Stream::TorchCpuBf16 => n - n % 16,
        };
        out[..whole].fill_with(|| self.words.uniform32());
        out.chunks_exact_mut(16).for_each(box_muller16);
        if !n.is_multiple_of(16) {
            // torch redoes the last 16 with fresh uniforms, writing over the end of the last whole block
            let tail = &mut out[n - 16..];
            tail.fill_with(|| self.words.uniform32());
            box_muller16(tail);
        }
        out.iter_mut().for_each(|value| *value = stream.round(*value));
        out
    }

    fn one(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let angle = 2.0 * std::f64::consts::PI * self.words.uniform64();
        // 1 - u is exact, so this is torch's log1p(-u)
        let radius = (-2.0 * ln(1.0 - self.words.uniform64())).sqrt();
        let (sin, cos) = sin_cos(angle);
        self.spare = Some(radius * sin);
        radius * cos
    }
}

/// Turns 16 uniforms into 16 normals: value `j` and value `j + 8` make a pair.
fn box_muller16(block: &mut [f32]) {
    let (first, second) = block.split_at_mut(8);
    for (a, b) in first.iter_mut().zip(second) {
        let radius = (-2.0 * ln(f64::from(1.0 - *a)) as f32).sqrt();
        // rounded to f32 before the sine, as torch does: at radius 5 it moves the result by 1e-6
        let angle = 2.0 * std::f32::consts::PI * *b;
        let (sin, cos) = sin_cos(f64::from(angle));
        *a = radius * cos as f32;
        *b = radius * sin as f32;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_the_low_half_of_a_seed_counts() {
        let draw = |seed| Noise::new(Stream::default(), seed).randn(16);
        assert_eq!(draw(42), draw(42 + (7 << 32)));
        assert_ne!(draw(42), draw(43));
    }

    #[test]
    fn latents_in_half_precision_are_rounded() {
        let exact = Noise::new(Stream::TorchCpuF32, 3).randn(64);
        let half = Noise::new(Stream::TorchCpuF16, 3).randn(64);
        assert_eq!(half, exact.iter().map(|x| f16::from_f32(*x).to_f32()).collect::<Vec<_>>());
        assert_ne!(half, exact);
    }

    #[test]
    fn ids_are_read_back() {
        for stream in Stream::ALL {
            assert_eq!(stream.to_string().parse::<Stream>().unwrap(), stream);
        }
        let error = "torch-gpu-f32".parse::<Stream>().unwrap_err().to_string();
        assert!(error.contains("torch-gpu-f32") && error.contains("torch-cpu-bf16"), "{error}");
    }
}
