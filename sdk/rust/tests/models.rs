//! Embeddings and inference in an author's unit tests: an error without a host, and doubles that answer in its place.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::panic::catch_unwind;

use difftest_sdk::models::testing::{Input, with_embedder};
use difftest_sdk::models::{self, Embeddings};
use difftest_sdk::nn::testing::with_graphs;
use difftest_sdk::nn::{Bf16, Element, ElementType, F16, Graph, Tensor};
use difftest_sdk::{Error, Image, ImageSet, SetMetricPlugin as _};

difftest_sdk::metrics! {
    /// Mean distance of the first image to the others.
    fn distance(images: &ImageSet) -> Result<f64, Error> {
        let rows = models::embed_set("clip", images)?;
        let cosine = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a * b)).sum::<f64>();
        let others = rows.iter().skip(1).map(|row| 1.0 - cosine(rows.row(0), row));
        Ok(others.sum::<f64>() / (rows.rows() - 1) as f64)
    }
}

fn grey(value: u8) -> Image {
    Image::from_rgb8(1, 1, [value; 3])
}

/// Texts by their length, images by their grey.
fn embedder(model: &str, input: Input<'_>) -> Result<Vec<f32>, Error> {
    match (model, input) {
        ("clip", Input::Text(text)) => Ok(vec![3.0, 4.0 * text.len() as f32]),
        ("clip", Input::Image(image)) => Ok(vec![0.0, 0.0, f32::from(image.rgb8()[0])]),
        (other, _) => Err(Error::ModelNotFound(other.to_owned())),
    }
}

#[test]
fn without_a_host_every_call_says_what_is_missing() {
    let set = ImageSet::from_images([grey(1)]);
    let errors = [
        models::dimensions("clip").unwrap_err(),
        models::embed_text("clip", "a cat").unwrap_err(),
        models::embed_image("clip", &grey(1)).unwrap_err(),
        models::embed_set("clip", &set).unwrap_err(),
    ];
    assert!(errors.iter().all(|error| error.to_string().contains("with_embedder")), "{errors:?}");
    assert!(Graph::by_name("head").unwrap_err().to_string().contains("with_graphs"));
}

#[test]
fn a_double_answers_normalised() {
    with_embedder(embedder, || {
        assert_eq!(models::embed_text("clip", "a"), Ok(vec![0.6, 0.8]));
        assert_eq!(models::embed_image("clip", &grey(9)), Ok(vec![0.0, 0.0, 1.0]));
        assert_eq!(models::dimensions("clip"), Ok(2));
        assert_eq!(models::dimensions("clap"), Err(Error::ModelNotFound("clap".to_owned())));
        let black = models::embed_image("clip", &grey(0)).unwrap_err().to_string();
        assert_eq!(black, "an embedding of length 0 cannot be normalised");

        let rows = models::embed_set("clip", &ImageSet::from_images([grey(1), grey(2)])).unwrap();
        assert_eq!((rows.rows(), rows.dimensions(), rows.row(1)), (2, 3, &[0.0, 0.0, 1.0][..]));
        let none = models::embed_set("clip", &ImageSet::from_images([])).unwrap();
        assert_eq!((none.rows(), none.dimensions()), (0, 2));
        let score = SetMetrics::measure("distance", &ImageSet::from_images([grey(1), grey(2)]), None, "");
        assert_eq!(score, Ok(Score::new(0.0)));
    });
}

/// Two images of one set whose embeddings differ in length.
#[test]
fn rows_of_different_lengths_are_no_matrix() {
    let uneven = |_: &str, input: Input<'_>| match input {
        Input::Image(image) => Ok(vec![1.0; image.rgb8()[0].into()]),
        Input::Text(_) => Ok(vec![1.0]),
    };
    let set = ImageSet::from_images([grey(2), grey(3)]);
    let error = with_embedder(uneven, || models::embed_set("clip", &set)).unwrap_err();
    assert_eq!(error.to_string(), "5 numbers are no embeddings of 2 images by `clip`");
}

#[test]
fn a_double_ends_with_its_closure_also_in_a_panic() {
    let text = || models::embed_text("clip", "a").map(|row| row.len());
    let outer = |_: &str, _: Input<'_>| Ok(vec![1.0; 5]);
    with_embedder(outer, || {
        assert_eq!(with_embedder(embedder, text), Ok(2));
        catch_unwind(|| with_embedder(embedder, || panic!("as it must"))).unwrap_err();
        assert_eq!(text(), Ok(5));
    });
    assert!(text().is_err());
}

#[test]
fn embeddings_are_whole_rows() {
    let rows = Embeddings::new(2, vec![1.0, 0.0, 0.0, 1.0]).unwrap();
    assert_eq!(rows.iter().collect::<Vec<_>>(), [[1.0, 0.0], [0.0, 1.0]]);
    assert_eq!((&rows).into_iter().len(), 2);
    assert_eq!(rows.as_slice(), [1.0, 0.0, 0.0, 1.0]);
    for (dimensions, count) in [(0, 0), (0, 3), (2, 3)] {
        let error = Embeddings::new(dimensions, vec![0.0; count]).unwrap_err().to_string();
        assert_eq!(error, format!("{count} numbers do not make rows of {dimensions}"));
    }
}

#[test]
#[should_panic(expected = "there is no row 2 among 2 embeddings")]
fn a_row_that_is_not_there_is_a_mistake_of_the_plugin() {
    let _ = Embeddings::new(1, vec![1.0, 2.0]).unwrap().row(2);
}

fn round<T: Element + PartialEq + std::fmt::Debug>(values: &[T], ty: ElementType, bytes: &[u8]) {
    let tensor = Tensor::new(&[1, values.len()], values).unwrap();
    assert_eq!((tensor.element_type(), tensor.bytes(), tensor.shape()), (ty, bytes, &[1, values.len()][..]));
    assert_eq!(tensor.values::<T>().unwrap(), values);
    assert_eq!(Tensor::from_bytes(&[1, values.len()], ty, bytes).unwrap(), tensor);
}

/// Little-endian, as `numpy.array(values, dtype).tobytes()` on an x86 machine.
#[test]
fn every_type_is_written_and_read() {
    round(&[0u8, 255], ElementType::U8, &[0, 255]);
    round(&[-2i32, 1], ElementType::I32, &[0xfe, 0xff, 0xff, 0xff, 1, 0, 0, 0]);
    round(&[-2i64], ElementType::I64, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    round(&[1.0f32, -0.5], ElementType::F32, &[0, 0, 0x80, 0x3f, 0, 0, 0, 0xbf]);
    round(&[1.0f64], ElementType::F64, &[0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
    round(&[F16::from_f32(1.0), F16::from_f32(-2.0)], ElementType::F16, &[0, 0x3c, 0, 0xc0]);
    round(&[Bf16::from_f32(1.0), Bf16::from_f32(-2.0)], ElementType::Bf16, &[0x80, 0x3f, 0, 0xc0]);
}

#[test]
fn shapes_and_types_are_checked() {
    let text = |result: Result<Tensor, Error>| result.unwrap_err().to_string();
    assert_eq!(
        text(Tensor::new(&[1, 3], &[1.0f32, 2.0])),
        "a tensor of shape [1, 3] has 3 elements, but 2 f32 were given"
    );
    assert_eq!(
        text(Tensor::from_bytes(&[2], ElementType::I64, [0; 8])),
        "a tensor of shape [2] has 2 elements, but 1 i64 were given"
    );
    assert_eq!(text(Tensor::from_bytes(&[2], ElementType::F16, [0; 3])), "3 bytes are no whole number of f16");
    assert!(text(Tensor::new(&[usize::MAX, 3], &[1u8])).contains("has too many elements"));
    assert!(Tensor::new::<u8>(&[0, usize::MAX], &[]).is_err(), "no length of the contract");
    assert!(Tensor::new::<u8>(&[0, 4], &[]).unwrap().values::<u8>().unwrap().is_empty());
    let one = Tensor::new(&[], &[7i32]).unwrap();
    assert_eq!(one.values::<i32>().unwrap(), [7]);
    assert_eq!(one.values::<f32>().unwrap_err().to_string(), "a tensor of i32 was read as one of f32");
}

#[test]
fn a_graph_is_asked_by_name() {
    let double = |graph: &str, inputs: &[(&str, &Tensor)]| {
        let sum: f32 =
            inputs.iter().map(|(_, tensor)| tensor.values::<f32>().map(|all| all[0])).sum::<Result<_, _>>()?;
        let names: String = inputs.iter().map(|(name, _)| *name).collect();
        Ok(vec![(format!("{graph}:{names}"), Tensor::new(&[1], &[sum])?)])
    };
    let [a, b] = [1.0f32, 2.0].map(|value| Tensor::new(&[1], &[value]).unwrap());
    with_graphs(double, || {
        let graph = Graph::by_name("head").unwrap();
        let lent = graph.compute(&[("a", &a), ("b", &b)]).unwrap();
        let given = graph.compute(&[("a", a), ("b", b)]).unwrap();
        assert_eq!(lent, given);
        assert_eq!((lent[0].0.as_str(), lent[0].1.values::<f32>().unwrap()), ("head:ab", vec![3.0]));
    });
}
