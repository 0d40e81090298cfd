//! What only a plugin that asks models can try. Models of these names are declared by the tests: see the host's `tests/common`.

use difftest_sdk::{Error, Image, ImageSet, Score, models, nn};

use crate::attacks::succeeded;
use crate::tensors;

/// How to treat models.
#[difftest_sdk::config]
pub(crate) struct TrickConfig {
    /// The attack.
    pub(crate) trick: Trick,
}

/// One check of the host each.
#[difftest_sdk::config]
pub(crate) enum Trick {
    /// Behaves well: the cosine of image and prompt, and what a graph makes of the image's row.
    None,
    /// Embeds by a model that the suite does not declare.
    Undeclared,
    /// Embeds by a file.
    PathEmbed,
    /// Runs a file as a graph.
    PathGraph,
    /// Embeds by a model that is a graph.
    WrongSort,
    /// Brings a model of its own.
    OwnModel,
    /// Makes a tensor of 80 MiB.
    HugeTensor,
    /// Says that four bytes are 2^128 numbers.
    OverflowingTensor,
    /// Says that four bytes are six numbers.
    ShortTensor,
    /// Gives a graph one input twice.
    TwiceInput,
    /// Gives a graph an input that it does not have.
    UnknownInput,
    /// Gives a graph 1,000 inputs.
    ManyInputs,
    /// Keeps tensors of 16 MiB each.
    TensorFlood,
    /// Keeps every graph that it opens.
    GraphFlood,
    /// Makes errors without end and keeps them.
    ErrorFlood,
    /// Embeds the image again and again.
    EmbedFlood,
    /// Embeds texts without end.
    TextFlood,
    /// Asks for models that are not there, without end.
    NameFlood,
    /// Runs a graph without end.
    ComputeFlood,
    /// Embeds a text of a million characters.
    LongText,
    /// Embeds by a model that answers NaN.
    NanRow,
    /// Embeds by a model whose rows are too short.
    ShortRow,
    /// Embeds by a model that answers no row at all.
    NoRow,
    /// Scores what a graph says, which is NaN.
    NanGraph,
    /// Runs a graph whose output is larger than the host may hold.
    HugeOutput,
    /// Runs a graph whose output does not fill its shape.
    ShortOutput,
    /// Asks a model that takes its time, then counts.
    SlowModel,
    /// Asks a model that takes its time, then never returns.
    SlowModelAndLoop,
}

impl Trick {
    /// Plays it.
    ///
    /// # Errors
    /// Those that the host answers.
    pub(crate) fn play(&self, image: &Image, prompt: &str) -> Result<Score, Error> {
        match self {
            Self::None => honest(image, prompt),
            Self::Undeclared => models::embed_image("nothing", image).map(|_| succeeded("embedded by nothing")),
            Self::PathEmbed => models::embed_text("/etc/passwd", "a").map(|_| succeeded("embedded by a file")),
            Self::PathGraph => nn::Graph::by_name("../models/head.onnx").map(|_| succeeded("opened a file")),
            Self::WrongSort => models::embed_text("head", "a").map(|_| succeeded("embedded by a graph")),
            Self::OwnModel => tensors::own_model(),
            Self::HugeTensor => tensors::huge(),
            Self::OverflowingTensor => tensors::compute(&[("x", &[u32::MAX; 4], &[0; 4])]),
            Self::ShortTensor => tensors::compute(&[("x", &[2, 3], &[0; 4])]),
            Self::TwiceInput => tensors::compute(&[("x", &[1], &[0; 4]), ("x", &[1], &[0; 4])]),
            Self::UnknownInput => tensors::compute(&[("y\u{1b}[2J", &[1], &[0; 4])]),
            Self::ManyInputs => tensors::many_inputs(),
            Self::TensorFlood => tensors::keep_tensors(),
            Self::GraphFlood => tensors::keep_graphs(),
            Self::ErrorFlood => tensors::keep_errors(),
            Self::EmbedFlood => flood(|_| models::embed_image("clip", image).map(drop)),
            Self::TextFlood => flood(|i| models::embed_text("clip", &i.to_string()).map(drop)),
            Self::NameFlood => flood(|i| {
                let _ = models::dimensions(&format!("model {i}"));
                Ok(())
            }),
            Self::ComputeFlood => {
                let graph = nn::Graph::by_name("head")?;
                let one = nn::Tensor::new(&[1], &[1f32])?;
                flood(|_| graph.compute(&[("x", &one)]).map(drop))
            }
            Self::LongText => models::embed_text("clip", &"x".repeat(1_000_000)).map(|_| succeeded("embedded a book")),
            Self::NanRow => models::embed_image("nan", image).map(|_| succeeded("saw a NaN")),
            Self::ShortRow => models::embed_text("short", "a").map(|_| succeeded("saw a row that is too short")),
            Self::NoRow => models::embed_image("short", image).map(|_| succeeded("saw no row")),
            Self::NanGraph => graph("nan-graph"),
            Self::HugeOutput => graph("huge-graph"),
            Self::ShortOutput => graph("short-graph"),
            Self::SlowModel => graph("slow-graph"),
            Self::SlowModelAndLoop => {
                graph("slow-graph")?;
                crate::attacks::endless_loop()
            }
        }
    }
}

fn honest(image: &Image, prompt: &str) -> Result<Score, Error> {
    let (row, text) = (models::embed_image("clip", image)?, models::embed_text("clip", prompt)?);
    if row.len() != models::dimensions("clip")? {
        return Err(Error::other("a row is as long as the model says"));
    }
    let outputs = nn::Graph::by_name("head")?.compute(&[("x", nn::Tensor::new(&[1, row.len()], &row)?)])?;
    let sum = outputs.first().ok_or_else(|| Error::other("no output"))?.1.values::<f32>()?;
    let cosine: f64 = row.iter().zip(&text).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    Ok(Score::new(cosine).detail("sum", f64::from(sum[0])))
}

/// The first number that the graph of that name answers.
fn graph(name: &str) -> Result<Score, Error> {
    let outputs = nn::Graph::by_name(name)?.compute(&[("x", nn::Tensor::new(&[1], &[1f32])?)])?;
    Ok(Score::new(f64::from(outputs[0].1.values::<f32>()?[0])))
}

fn flood(mut ask: impl FnMut(u32) -> Result<(), Error>) -> Result<Score, Error> {
    for i in 0..u32::MAX {
        ask(i)?;
    }
    succeeded("asked a model 2^32 times")
}

/// How to embed a set.
#[difftest_sdk::config]
pub(crate) struct SetConfig {
    /// The attack.
    pub(crate) trick: SetTrick,
}

/// One check of the host each.
#[difftest_sdk::config]
pub(crate) enum SetTrick {
    /// Behaves well: the mean cosine to the first image.
    None,
    /// Embeds the whole set again and again.
    EmbedFlood,
    /// Embeds by a model that the suite does not declare.
    Undeclared,
    /// Embeds by a model that answers NaN.
    NanRow,
    /// Embeds by a model whose rows would be 16 GiB each.
    HugeRow,
}

impl SetTrick {
    /// Plays it.
    ///
    /// # Errors
    /// Those that the host answers.
    pub(crate) fn play(&self, images: &ImageSet) -> Result<Score, Error> {
        match self {
            Self::None => {}
            Self::EmbedFlood => return flood(|_| models::embed_set("clip", images).map(drop)),
            Self::Undeclared => return models::embed_set("nothing", images).map(|_| succeeded("embedded by nothing")),
            Self::NanRow => return models::embed_set("nan", images).map(|_| succeeded("saw a NaN")),
            Self::HugeRow => return models::embed_set("huge", images).map(|_| succeeded("holds rows of 16 GiB")),
        }
        let rows = models::embed_set("clip", images)?;
        let first = rows.row(0);
        let cosine = |row: &[f32]| row.iter().zip(first).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        Ok(Score::new(rows.iter().map(cosine).sum::<f64>() / rows.rows() as f64))
    }
}
