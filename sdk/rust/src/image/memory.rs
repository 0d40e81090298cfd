//! Images and sets of them in memory, for tests on the author's machine: the same bytes as the host gives, without a host.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::{Filter, Image, ImageSet, Size};
use crate::Rgb;

#[derive(Clone)]
pub(super) struct Source {
    size: Size,
    /// Shared: an image that comes out of a set is not copied.
    pixels: Arc<Vec<u8>>,
}

pub(super) struct SetSource(Vec<Source>);

impl ImageSet {
    /// A set of these images, in this order. It exists everywhere but on WebAssembly, where sets come from the host.
    #[must_use]
    pub fn from_images(images: impl IntoIterator<Item = Image>) -> Self {
        Self(SetSource(images.into_iter().map(|Image(source)| source).collect()))
    }
}

impl SetSource {
    pub(super) fn len(&self) -> u32 {
        self.0.len().try_into().unwrap_or(u32::MAX)
    }

    pub(super) fn get(&self, index: u32) -> Option<Source> {
        self.0.get(usize::try_from(index).ok()?).cloned()
    }
}

impl Image {
    /// An image of these `width * height * 3` bytes: red, green and blue of each pixel in turn, row by row. It exists
    /// everywhere but on WebAssembly, where images come from the host.
    ///
    /// # Panics
    /// When the number of bytes does not fit the size, or a side is 0.
    #[must_use]
    pub fn from_rgb8(width: u32, height: u32, pixels: impl Into<Vec<u8>>) -> Self {
        let pixels = pixels.into();
        let wanted = u64::from(width) * u64::from(height) * 3;
        assert!(wanted > 0, "an image of {width}x{height} has no pixels");
        assert!(
            wanted == pixels.len() as u64,
            "an image of {width}x{height} has {wanted} bytes, but {} were given",
            pixels.len()
        );
        Self(Source { size: Size { width, height }, pixels: Arc::new(pixels) })
    }

    /// An image whose pixel at column `x` and row `y` is `color(x, y)`. As [`Image::from_rgb8`], it is for tests.
    ///
    /// # Panics
    /// When a side is 0.
    #[must_use]
    pub fn from_fn(width: u32, height: u32, color: impl Fn(u32, u32) -> Rgb) -> Self {
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let pixels = places.map(|(x, y)| color(x, y)).flat_map(|Rgb { r, g, b }| [r, g, b]).collect::<Vec<_>>();
        Self::from_rgb8(width, height, pixels)
    }
}

impl Source {
    pub(super) fn size(&self) -> Size {
        self.size
    }

    pub(super) fn rgb8(&self) -> Vec<u8> {
        self.pixels.to_vec()
    }

    pub(super) fn luma8(&self) -> Vec<u8> {
        self.pixels.as_chunks().0.iter().map(|&pixel: &[u8; 3]| Rgb::from(pixel).luma8()).collect()
    }

    pub(super) fn rows(&self, first: u32, count: u32) -> Vec<u8> {
        let row = self.size.width as usize * 3;
        let first = first.min(self.size.height);
        let end = first.saturating_add(count).min(self.size.height);
        self.pixels[first as usize * row..end as usize * row].to_vec()
    }

    pub(super) fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.size.width.to_le_bytes());
        hasher.update(self.size.height.to_le_bytes());
        hasher.update(&*self.pixels);
        hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn resize(&self, to: Size, filter: Filter) -> Self {
        assert!(to.width > 0 && to.height > 0, "an image of {}x{} has no pixels", to.width, to.height);
        let (support, kernel): (f64, fn(f64) -> f64) = match filter {
            Filter::Nearest => return self.nearest(to),
            Filter::Bilinear => (1.0, triangle),
            Filter::Lanczos3 => (3.0, lanczos3),
        };
        let [width, height] = [self.size.width as usize, self.size.height as usize];
        let [to_width, to_height] = [to.width as usize, to.height as usize];
        // Columns first, then rows, with 8 bits between the two: so does Pillow, and so its roundings are met. A side that
        // keeps its length is not touched.
        let mut pixels = self.pixels.to_vec();
        if to_width != width {
            let windows = windows(width, to_width, support, kernel);
            pixels = (0..height)
                .flat_map(|y| windows.iter().map(move |window| (y, window)))
                .flat_map(|(y, window)| mix(window, |x| &pixels[(y * width + x) * 3..][..3]))
                .collect();
        }
        if to_height != height {
            let windows = windows(height, to_height, support, kernel);
            pixels = windows
                .iter()
                .flat_map(|window| (0..to_width).map(move |x| (window, x)))
                .flat_map(|(window, x)| mix(window, |y| &pixels[(y * to_width + x) * 3..][..3]))
                .collect();
        }
        Self { size: to, pixels: Arc::new(pixels) }
    }

    fn nearest(&self, to: Size) -> Self {
        let column = nearest(self.size.width, to.width);
        let row = nearest(self.size.height, to.height);
        let width = self.size.width as usize;
        let pixels = row
            .iter()
            .flat_map(|&y| column.iter().map(move |&x| (y * width + x) * 3))
            .flat_map(|at| self.pixels[at..at + 3].iter().copied())
            .collect();
        Self { size: to, pixels: Arc::new(pixels) }
    }
}

/// The pixel that covers the middle of each new one. The step is added up, as Pillow does, rather than multiplied.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positions lie inside the image")]
fn nearest(from: u32, to: u32) -> Vec<usize> {
    let step = f64::from(from) / f64::from(to);
    let mut position = step * 0.5;
    let mut places = Vec::new();
    for _ in 0..to {
        places.push((position as usize).min(from as usize - 1));
        position += step;
    }
    places
}

/// The old pixels that one new pixel is mixed from.
struct Window {
    first: usize,
    /// In units of 2^-22.
    weights: Vec<i32>,
}

const PRECISION: u32 = 32 - 8 - 2;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "lengths of images are far below 2^53, and weights below 2"
)]
fn windows(from: usize, to: usize, support: f64, kernel: fn(f64) -> f64) -> Vec<Window> {
    let scale = from as f64 / to as f64;
    let widening = scale.max(1.0);
    let support = support * widening;
    (0..to)
        .map(|place| {
            let center = (place as f64 + 0.5) * scale;
            let first = ((center - support + 0.5) as i64).max(0) as usize;
            let end = ((center + support + 0.5) as usize).min(from);
            let weights: Vec<f64> =
                (first..end).map(|x| kernel((x as f64 - center + 0.5) * (1.0 / widening))).collect();
            let sum: f64 = weights.iter().sum();
            let fixed = |weight: f64| {
                let scaled = weight / sum * f64::from(1u32 << PRECISION);
                (if scaled < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i32
            };
            Window { first, weights: weights.into_iter().map(fixed).collect() }
        })
        .collect()
}

fn mix<'a>(window: &Window, pixel: impl Fn(usize) -> &'a [u8]) -> [u8; 3] {
    let mut sums = [1i32 << (PRECISION - 1); 3];
    for (offset, weight) in window.weights.iter().enumerate() {
        for (sum, &channel) in sums.iter_mut().zip(pixel(window.first + offset)) {
            *sum += i32::from(channel) * weight;
        }
    }
    sums.map(|sum| u8::try_from((sum >> PRECISION).clamp(0, 255)).unwrap_or(u8::MAX))
}

fn triangle(x: f64) -> f64 {
    (1.0 - x.abs()).max(0.0)
}

fn lanczos3(x: f64) -> f64 {
    let sinc = |x: f64| {
        let angle = x * std::f64::consts::PI;
        if x == 0.0 { 1.0 } else { angle.sin() / angle }
    };
    if (-3.0..3.0).contains(&x) { sinc(x) * sinc(x / 3.0) } else { 0.0 }
}
