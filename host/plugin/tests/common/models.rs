//! Real models of a few lines: arithmetic over pixels and texts, and some that answer what no model should.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use difftest_core::digest::Digest;
use difftest_core::image::Image;
use difftest_core::model::{Element, Embedder, Graph, ModelError, Models, Tensor};

/// How long `slow-graph` takes.
pub const SLOW: Duration = Duration::from_millis(800);

/// Declares `clip` (an embedder), `head` (a graph) and models that are broken in the way of their name.
pub struct TestModels {
    declared: Vec<(String, Digest)>,
    /// The largest number of images that any embedder was given at once.
    pub largest_batch: Arc<AtomicU32>,
}

impl TestModels {
    pub fn new() -> Self {
        let names = ["clip", "head", "huge", "huge-graph", "nan", "nan-graph", "short", "short-graph", "slow-graph"];
        let declared = names.map(|name| (name.to_owned(), Digest::of(name.as_bytes()))).to_vec();
        Self { declared, largest_batch: Arc::default() }
    }

    pub fn shared() -> Arc<dyn Models> {
        Arc::new(Self::new())
    }
}

impl Models for TestModels {
    fn declared(&self) -> &[(String, Digest)] {
        &self.declared
    }

    fn embedder(&self, name: &str) -> Result<Arc<dyn Embedder>, ModelError> {
        let kind = match name {
            "clip" => Kind::Good,
            "nan" => Kind::Nan,
            "short" => Kind::Short,
            "huge" => Kind::Huge,
            // what was not declared never comes here
            "head" => return Err(ModelError::NotFound("the model `head` is a graph, it embeds nothing".into())),
            other => panic!("asked for `{other}`"),
        };
        Ok(Arc::new(Arithmetic { kind, largest_batch: self.largest_batch.clone() }))
    }

    fn graph(&self, name: &str) -> Result<Arc<dyn Graph>, ModelError> {
        match name {
            "head" | "nan-graph" | "huge-graph" | "short-graph" | "slow-graph" => Ok(Arc::new(Sum(name.to_owned()))),
            "clip" => Err(ModelError::NotFound("the model `clip` is no graph".into())),
            other => panic!("asked for `{other}`"),
        }
    }
}

enum Kind {
    Good,
    Nan,
    Short,
    Huge,
}

/// Rows of four numbers: the means of the channels (or the shares of three letters), and 1; normalised.
struct Arithmetic {
    kind: Kind,
    largest_batch: Arc<AtomicU32>,
}

impl Arithmetic {
    fn row(&self, sums: [f64; 3]) -> Arc<[f32]> {
        let mut row = vec![sums[0] as f32, sums[1] as f32, sums[2] as f32, 1.0];
        let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
        row.iter_mut().for_each(|value| *value /= length);
        match self.kind {
            Kind::Nan => row[2] = f32::NAN,
            Kind::Short => row.truncate(3),
            Kind::Good | Kind::Huge => {}
        }
        row.into()
    }
}

impl Embedder for Arithmetic {
    fn dimensions(&self) -> u32 {
        if matches!(self.kind, Kind::Huge) { u32::MAX } else { 4 }
    }

    fn embed_text(&self, text: &str) -> Result<Arc<[f32]>, ModelError> {
        let share = |letter: char| text.chars().filter(|&c| c == letter).count() as f64 / (text.len() + 1) as f64;
        Ok(self.row(['r', 'g', 'b'].map(share)))
    }

    fn embed_images(&self, images: &[Image]) -> Result<Vec<Arc<[f32]>>, ModelError> {
        self.largest_batch.fetch_max(images.len() as u32, Ordering::Relaxed);
        if matches!(self.kind, Kind::Short) {
            return Ok(Vec::new());
        }
        let mean = |image: &Image, channel: usize| {
            let values = image.rgb8().iter().skip(channel).step_by(3);
            values.map(|&value| f64::from(value)).sum::<f64>() / image.rgb8().len() as f64
        };
        Ok(images.iter().map(|image| self.row([0, 1, 2].map(|channel| mean(image, channel)))).collect())
    }
}

/// The sum of its one input `x` of floats.
struct Sum(String);

impl Graph for Sum {
    fn compute(&self, inputs: Vec<(String, Tensor)>) -> Result<Vec<(String, Tensor)>, ModelError> {
        let [(name, tensor)] = inputs.as_slice() else {
            return Err(ModelError::Input(format!("{} inputs were given, it has one", inputs.len())));
        };
        if name != "x" || tensor.element != Element::F32 {
            let element = tensor.element.name();
            return Err(ModelError::Input(format!("it has no input `{name}` of {element}; it has `x` of f32")));
        }
        let float = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap());
        let sum: f32 = tensor.data.chunks_exact(4).map(float).sum();
        let (dimensions, data) = match self.0.as_str() {
            "nan-graph" => (vec![1], f32::NAN.to_le_bytes().to_vec()),
            "short-graph" => (vec![2, 2], vec![0; 3]),
            "huge-graph" => (vec![75 << 20], vec![0; 300 << 20]),
            "slow-graph" => {
                std::thread::sleep(SLOW);
                (vec![1], sum.to_le_bytes().to_vec())
            }
            _ => (vec![1], sum.to_le_bytes().to_vec()),
        };
        Ok(vec![("y".into(), Tensor { element: Element::F32, dimensions, data })])
    }
}
