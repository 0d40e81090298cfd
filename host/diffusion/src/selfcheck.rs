//! Whether this machine repeats itself: the built-in model, twice and with other threads.
//!
//! Bit-identical images are measured on some processors and promised by nobody, ONNX Runtime's makers included. So it is
//! checked where it matters, by `difftest doctor`, in a few seconds.

use std::fmt;
use std::path::Path;

use difftest_core::generate::{GenerateError, Generated, Generator as _, Request, Settings};

use crate::pipeline::{LoadError, Options, StableDiffusion, described};
use crate::session::Device;

/// Two ways to make the same images, and what differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// `from run to run`, ...
    pub what: &'static str,
    /// Bytes that differ.
    pub bytes: usize,
    /// Bytes in all.
    pub of: usize,
    /// The largest difference, in levels of 255.
    pub largest: u8,
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, bytes, of, largest } = self;
        write!(f, "{bytes} of {of} bytes differ {what}, by up to {largest} of 255")
    }
}

/// Why nothing could be compared.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The model does not load.
    #[error("{}", described(.0))]
    Load(Box<LoadError>),
    /// An image could not be made.
    #[error(transparent)]
    Generate(#[from] GenerateError),
}

impl From<LoadError> for CheckError {
    fn from(error: LoadError) -> Self {
        Self::Load(Box::new(error))
    }
}

impl CheckError {
    /// What to do about it, where that can be said.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Load(error) => error.hint(),
            Self::Generate(error) => error.hint.clone(),
        }
    }
}

/// Makes images with `builtin:shapes` on the device: twice with one thread, then, loaded anew, with two.
///
/// # Errors
/// The device, the runtime or the model cannot be used.
pub fn determinism(device: Device) -> Result<Vec<Compared>, CheckError> {
    let load = |threads| {
        let options = Options { device, threads: Some(threads), lanes: Some(1), ..Options::default() };
        StableDiffusion::load("builtin:shapes", Path::new(""), &options)
    };
    let model = load(1)?;
    let first = images(&model)?;
    let again = compare("from run to run", &first, &images(&model)?);
    drop(model);
    Ok(vec![again, compare("from one thread to two", &first, &images(&load(2)?)?)])
}

/// Few steps are enough: a difference of one bit in the first is many in the last.
fn images(model: &StableDiffusion) -> Result<Vec<Generated>, GenerateError> {
    let settings = Settings { steps: Some(8), guidance: Some(5.0), ..Settings::default() };
    let requests =
        ["a red circle on a blue background", "a small yellow star on a black background"].map(|prompt| Request {
            id: prompt.to_owned(),
            prompt: prompt.to_owned(),
            negative_prompt: None,
            seed: 42,
            settings: settings.clone(),
        });
    model.generate(&requests, &|_| true).into_iter().collect()
}

fn compare(what: &'static str, one: &[Generated], other: &[Generated]) -> Compared {
    let pairs = one.iter().zip(other).flat_map(|(one, other)| one.image.rgb8().iter().zip(other.image.rgb8()));
    let mut compared = Compared { what, bytes: 0, of: 0, largest: 0 };
    for (a, b) in pairs {
        compared.of += 1;
        compared.bytes += usize::from(a != b);
        compared.largest = compared.largest.max(a.abs_diff(*b));
    }
    compared
}
