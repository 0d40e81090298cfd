//! Models that a suite declares: real ONNX files and a real CLIP model through ONNX Runtime.
//!
//! Needs ONNX Runtime: `cargo xtask test` provides it. Without it these tests fail, they are never skipped.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use difftest_core::image::Image;
use difftest_core::metric::{Item, Metric as _, Sample};
use difftest_core::model::{Element, ModelError, Models as _, Tensor};
use difftest_core::suite::DeclaredModel;
use difftest_diffusion::clip::ClipScore;
use difftest_diffusion::declared::{DeclaredModels, GraphFiles, Opened};
use difftest_diffusion::pipeline::Options;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/onnx")
}

fn declare(base: &Path, models: &[(&str, &str)]) -> Result<DeclaredModels, String> {
    let models: Vec<_> = models
        .iter()
        .map(|(name, reference)| DeclaredModel { name: (*name).into(), reference: (*reference).into(), span: 0..0 })
        .collect();
    let models = DeclaredModels::new(models, base, &Options::default(), &Arc::<Opened>::default());
    match models.problems() {
        [] => Ok(models),
        [problem, ..] => Err(problem.to_string()),
    }
}

fn compute(file: &str, inputs: Vec<(&str, Tensor)>) -> Result<Vec<(String, Tensor)>, ModelError> {
    let models = declare(&folder(), &[("graph", file)]).unwrap();
    let inputs = inputs.into_iter().map(|(name, tensor)| (name.to_owned(), tensor)).collect();
    models.graph("graph")?.compute(inputs)
}

fn floats(dimensions: &[u32], values: &[f32]) -> Tensor {
    let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor { element: Element::F32, dimensions: dimensions.to_vec(), data }
}

const ELEMENTS: [Element; 7] =
    [Element::F16, Element::F32, Element::F64, Element::Bf16, Element::U8, Element::I32, Element::I64];

fn identity_inputs() -> Vec<(String, Tensor)> {
    let input = |element: Element| {
        // Zero and small numbers, so that no float is a NaN whose bits might change.
        let data = (0..6 * element.bytes()).map(|i| if i % element.bytes() == 0 { i as u8 } else { 0 }).collect();
        (format!("in_{}", element.name()), Tensor { element, dimensions: vec![2, 3], data })
    };
    ELEMENTS.map(input).to_vec()
}

#[test]
fn every_element_type_comes_back_bit_for_bit() {
    let models = declare(&folder(), &[("graph", "identity.onnx")]).unwrap();
    let inputs = identity_inputs();
    let outputs = models.graph("graph").unwrap().compute(inputs.clone()).unwrap();
    assert_eq!(outputs.len(), inputs.len());
    for (name, tensor) in inputs {
        let out = name.replace("in_", "out_");
        assert_eq!(outputs.iter().find(|(name, _)| *name == out).unwrap().1, tensor, "{name}");
    }
}

#[test]
fn what_does_not_fit_is_told_in_words() {
    let says = |result: Result<Vec<(String, Tensor)>, ModelError>| match result {
        Err(ModelError::Input(text)) => text,
        other => panic!("{other:?}"),
    };
    let good = || floats(&[1, 1024], &[1.0; 1024]);
    assert_eq!(
        says(compute("linear.onnx", vec![("z", good())])),
        "the graph has no input `z`; it wants `x` f32[1, 1024]"
    );
    assert_eq!(says(compute("linear.onnx", vec![])), "input `x` was not given; the graph wants `x` f32[1, 1024]");
    assert_eq!(says(compute("linear.onnx", vec![("x", good()), ("x", good())])), "input `x` was given twice");
    let wide = floats(&[1, 3], &[1.0; 3]);
    let text = says(compute("linear.onnx", vec![("x", wide)]));
    assert_eq!(text, "input `x`: the graph wants `x` f32[1, 1024], it was given f32[1, 3]");
    let flat = floats(&[1024], &[1.0; 1024]);
    assert!(says(compute("linear.onnx", vec![("x", flat)])).ends_with("it was given f32[1024]"));
    let other = Tensor { element: Element::I32, ..good() };
    assert!(says(compute("linear.onnx", vec![("x", other)])).ends_with("it was given i32[1, 1024]"));
    let short = Tensor { data: vec![0; 5], ..good() };
    assert!(says(compute("linear.onnx", vec![("x", short)])).contains("5 bytes do not make a tensor f32[1, 1024]"));
    let huge = Tensor { dimensions: vec![u32::MAX; 9], ..good() };
    assert!(says(compute("linear.onnx", vec![("x", huge)])).contains("do not make a tensor"));
    let bytes = Tensor { element: Element::U8, dimensions: vec![2], data: vec![0, 1] };
    assert!(says(compute("bool-in.onnx", vec![("x", bytes)])).contains("the graph wants `x` bool[2]"));
}

#[test]
fn weights_beside_the_file_are_used_and_hashed() {
    let answer = compute("linear.onnx", vec![("x", floats(&[1, 1024], &[1.0; 1024]))]).unwrap();
    let numbers: Vec<f32> =
        answer[0].1.data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    assert_eq!(numbers, [1023.0, 1024.0], "sums of even and odd numbers below 2048, over 1024");

    let copy = tempfile::tempdir().unwrap();
    for file in ["linear.onnx", "linear.weights"] {
        std::fs::copy(folder().join(file), copy.path().join(file)).unwrap();
    }
    let path = copy.path().join("linear.onnx");
    let before = GraphFiles::read(&path).unwrap().digest;
    assert_eq!(before, GraphFiles::read(&folder().join("linear.onnx")).unwrap().digest);
    std::fs::write(copy.path().join("linear.weights"), vec![0; 8192]).unwrap();
    assert_ne!(before, GraphFiles::read(&path).unwrap().digest);
    std::fs::remove_file(copy.path().join("linear.weights")).unwrap();
    assert!(GraphFiles::read(&path).unwrap_err().to_string().contains("linear.weights"));
}

#[test]
fn a_graph_that_fails_or_answers_something_else_is_an_error() {
    let failed = |result: Result<Vec<(String, Tensor)>, ModelError>| match result {
        Err(ModelError::Failed(text)) => text,
        other => panic!("{other:?}"),
    };
    assert!(failed(compute("reshape.onnx", vec![("x", floats(&[3], &[1.0; 3]))])).contains("Reshape"));
    let text = failed(compute("bool-out.onnx", vec![("x", floats(&[2], &[1.0, f32::NAN]))]));
    assert_eq!(text, "output `y` cannot be passed on: it is a tensor of bool");
}

#[test]
fn files_that_are_no_graphs_are_refused_before_anything_is_loaded() {
    let there = tempfile::tempdir().unwrap();
    let whole = std::fs::read(folder().join("reshape.onnx")).unwrap();
    for (name, bytes) in [("text.onnx", &b"hello"[..]), ("empty.onnx", b""), ("cut.onnx", &whole[..whole.len() / 2])] {
        std::fs::write(there.path().join(name), bytes).unwrap();
        let error = declare(there.path(), &[("head", name)]).err().unwrap();
        assert!(error.starts_with("model `head`: ") && error.contains("not an ONNX model"), "{error}");
    }
    let missing = declare(there.path(), &[("head", "nowhere.onnx")]).err().unwrap();
    assert!(missing.contains("cannot read") && missing.contains("nowhere.onnx"), "{missing}");
    let no_clip = declare(there.path(), &[("clip", "nowhere")]).err().unwrap();
    assert!(no_clip.starts_with("model `clip`: model folder"), "{no_clip}");
}

#[test]
fn only_declared_names_are_known_and_each_is_of_one_sort() {
    let models = declare(&folder(), &[("clip", "builtin:shapes-clip"), ("head", "reshape.onnx")]).unwrap();
    let text = |error: ModelError| error.to_string();
    for name in ["nothing", "../onnx/reshape.onnx", "/etc/passwd", ""] {
        let error = text(models.graph(name).err().unwrap());
        assert_eq!(error, format!("the suite declares no model `{name}` under [models]: it declares clip, head"));
    }
    assert!(text(models.graph("clip").err().unwrap()).contains("is a CLIP model"));
    assert!(text(models.embedder("head").err().unwrap()).contains("is an ONNX graph"));
    assert_eq!(models.declared().iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["clip", "head"]);
}

fn picture(shade: u8) -> Image {
    Image::new(64, 64, (0..64 * 64 * 3).map(|i| (i as u8).wrapping_mul(shade)).collect::<Vec<_>>()).unwrap()
}

#[test]
fn one_forward_pass_serves_clip_score_and_every_plugin() {
    let models = declare(&folder(), &[("clip", "builtin:shapes-clip"), ("again", "builtin:shapes-clip")]).unwrap();
    let clip = models.clip("clip").unwrap();
    assert!(Arc::ptr_eq(&clip, &models.clip("again").unwrap()), "one folder is one model");
    let score = ClipScore::new(Arc::clone(&clip));
    let sample = Sample {
        id: "s".into(),
        prompt: "a red circle".into(),
        negative_prompt: None,
        seed: 1,
        attributes: Vec::new(),
    };
    let images: Vec<Image> = (1..=5).map(picture).collect();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let embedder = models.embedder("clip").unwrap();
                let rows = embedder.embed_images(&images).unwrap();
                for row in &rows {
                    assert_eq!(row.len(), embedder.dimensions() as usize);
                    let square: f32 = row.iter().map(|value| value * value).sum();
                    assert!((square - 1.0).abs() < 1e-5, "{square}");
                }
            });
            scope.spawn(|| {
                let items: Vec<_> = images.iter().map(|image| Item::new(image.clone(), sample.clone())).collect();
                assert!(score.measure(&items).into_iter().all(|score| score.is_ok()));
            });
        }
    });
    assert_eq!(clip.passes(), 5, "three plugins and three metrics, five images");

    // The cosine of the rows that plugins get is the score.
    let embedder = models.embedder("clip").unwrap();
    let (text, image) = (embedder.embed_text("a red circle").unwrap(), embedder.embed_images(&images[..1]).unwrap());
    let cosine: f64 = text.iter().zip(image[0].iter()).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    let scored = score.measure(&[Item::new(images[0].clone(), sample)]).remove(0).unwrap().value;
    assert!((cosine - scored).abs() < 1e-6, "{cosine} {scored}");
}
