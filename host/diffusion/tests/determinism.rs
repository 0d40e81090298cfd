//! Results are the same bits whatever the number of threads, the number of lanes, and the size of the batch.
#![allow(clippy::unwrap_used)]

mod support;

use difftest_diffusion::models::{ClipModel, TextEncoder, TextTap, Unet, VaeDecoder};
use difftest_diffusion::session::{InPlace, SessionOptions};
use half::f16;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use support::{golden_network, model, options, shape, values_f32, values_i64};

/// More threads than cores on purpose: it is the division of the work that must not show.
const THREADS: [usize; 4] = [1, 2, 3, 8];

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Runs `network` on one item and on growing batches of items, at every thread count: item by item the same bits.
fn same_for_threads_and_batches<N>(
    load: impl Fn(&SessionOptions) -> N,
    run: impl Fn(&N, &[usize]) -> Vec<f32>,
    items: usize,
) {
    let reference = load(&options());
    let alone: Vec<Vec<u32>> = (0..items).map(|item| bits(&run(&reference, &[item]))).collect();
    assert!(alone.iter().skip(1).all(|item| *item != alone[0]), "items must differ for this to test anything");
    for threads in THREADS {
        let network = load(&SessionOptions { threads, ..options() });
        for batch in 1..=items {
            let chosen: Vec<usize> = (0..batch).rev().collect();
            let together = bits(&run(&network, &chosen));
            let expected: Vec<u32> = chosen.iter().flat_map(|&item| alone[item].clone()).collect();
            assert!(together == expected, "{threads} threads, batch {batch}: other bits");
        }
    }
}

/// `count` variations of `values`, joined for the chosen items.
fn varied(values: &[f32], chosen: &[usize]) -> Vec<f32> {
    chosen.iter().flat_map(|&item| values.iter().map(move |value| value * (1.0 + item as f32 / 8.0))).collect()
}

#[test]
fn predictions() {
    let golden = golden_network("shapes-unet");
    let [_, channels, height, width] = shape(&golden, "sample");
    let (sample, text) = (values_f32(&golden, "sample"), values_f32(&golden, "text"));
    let (sample, text) = (&sample[..sample.len() / 2], &text[..text.len() / 2]);
    let run = |unet: &Unet, chosen: &[usize]| {
        let shape = [chosen.len(), channels, height, width];
        unet.predict(&varied(sample, chosen), shape, 561.0, &varied(text, chosen)).unwrap()
    };
    same_for_threads_and_batches(|options| Unet::load(&model("shapes/unet"), options).unwrap(), run, 4);
}

/// The form of networks that are too large for these tests.
#[test]
fn predictions_with_weights_in_place() {
    let packed = predictions_with(InPlace::Never);
    let in_place = predictions_with(InPlace::Always);
    assert!(bits(&packed) != bits(&in_place), "the form must differ for this to test anything");
    let difference = packed.iter().zip(&in_place).fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs()));
    assert!(difference < 1e-5, "{difference}");
}

/// A component, whose file is in half precision, with a file in `f32`: only that can stay in place.
fn wide(component: &str, name: &str) -> tempfile::TempDir {
    let (from, to) = (model(component), tempfile::tempdir().unwrap());
    let file = std::fs::read(from.join(name)).unwrap();
    let narrow = SafeTensors::deserialize(&file).unwrap();
    let wide: Vec<(String, Vec<usize>, Vec<u8>)> = narrow
        .iter()
        .map(|(name, tensor)| {
            let halves = tensor.data().as_chunks::<2>().0.iter();
            let data = halves.flat_map(|&half| f16::from_le_bytes(half).to_f32().to_le_bytes()).collect();
            (name.to_owned(), tensor.shape().to_vec(), data)
        })
        .collect();
    let views =
        wide.iter().map(|(name, shape, data)| (name, TensorView::new(Dtype::F32, shape.clone(), data).unwrap()));
    safetensors::serialize_to_file(views, None, &to.path().join(name)).unwrap();
    std::fs::copy(from.join("config.json"), to.path().join("config.json")).unwrap();
    to
}

/// One prediction, which is the same whatever is around it.
fn predictions_with(in_place: InPlace) -> Vec<f32> {
    let folder = wide("shapes/unet", "diffusion_pytorch_model.safetensors");
    let golden = golden_network("shapes-unet");
    let [_, channels, height, width] = shape(&golden, "sample");
    let (sample, text) = (values_f32(&golden, "sample"), values_f32(&golden, "text"));
    let (sample, text) = (&sample[..sample.len() / 2], &text[..text.len() / 2]);
    let run = |unet: &Unet, chosen: &[usize]| {
        let shape = [chosen.len(), channels, height, width];
        unet.predict(&varied(sample, chosen), shape, 561.0, &varied(text, chosen)).unwrap()
    };
    let load =
        |options: &SessionOptions| Unet::load(folder.path(), &SessionOptions { in_place, ..options.clone() }).unwrap();
    same_for_threads_and_batches(load, run, 4);
    run(&load(&options()), &[0])
}

/// A network that was made for fewer pixels is not used for more, nor for those that do not halve evenly.
#[test]
fn sizes_with_weights_in_place() {
    let golden = golden_network("shapes-unet");
    let text = values_f32(&golden, "text");
    let text = &text[..text.len() / 2];
    let folder = wide("shapes/unet", "diffusion_pytorch_model.safetensors");
    for size in [[8, 8], [16, 16], [24, 16], [32, 32], [17, 16]] {
        let sample: Vec<f32> = (0..4 * size[0] * size[1]).map(|index| (index as f32 * 0.37).sin()).collect();
        let found = [(InPlace::Never, 1), (InPlace::Always, 1), (InPlace::Always, 3)].map(|(in_place, threads)| {
            let options = SessionOptions { in_place, threads, ..options() };
            let unet = Unet::load(folder.path(), &options).unwrap();
            unet.predict(&sample, [1, 4, size[0], size[1]], 561.0, text).unwrap()
        });
        let [packed, one, three] = &found;
        assert!(bits(one) == bits(three), "{size:?}: other bits with other threads");
        let difference = packed.iter().zip(one).fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs()));
        assert!(difference < 1e-5, "{size:?}: {difference}");
    }
}

/// Guidance gives one image several texts: the bits of a batch with a copy of the image for each.
#[test]
fn predictions_of_one_image_under_several_texts() {
    let golden = golden_network("shapes-unet");
    let [_, channels, height, width] = shape(&golden, "sample");
    let (sample, text) = (values_f32(&golden, "sample"), values_f32(&golden, "text"));
    let (sample, text) = (&sample[..sample.len() / 2], &text[..text.len() / 2]);
    for threads in THREADS {
        let unet = Unet::load(&model("shapes/unet"), &SessionOptions { threads, ..options() }).unwrap();
        for count in 1..=3 {
            let text = varied(text, &[0, 1, 2][..count]);
            let texts = unet.project_texts(&text, count, None, None).unwrap();
            let shared = unet.predict_under(sample, [1, channels, height, width], 561.0, &texts).unwrap();
            let copies = unet.predict(&sample.repeat(count), [count, channels, height, width], 561.0, &text).unwrap();
            assert!(bits(&shared) == bits(&copies), "{threads} threads, {count} texts: other bits");
        }
    }
    let unet = Unet::load(&model("shapes/unet"), &options()).unwrap();
    let texts = unet.project_texts(&varied(text, &[0, 1, 2]), 3, None, None).unwrap();
    let error = unet.predict_under(&sample.repeat(2), [2, channels, height, width], 561.0, &texts).unwrap_err();
    assert!(error.to_string().contains("texts"), "{error}");
}

#[test]
fn decoded_images() {
    let golden = golden_network("shapes-vae");
    let latents = values_f32(&golden, "latents");
    let run =
        |vae: &VaeDecoder, chosen: &[usize]| vae.decode(&varied(&latents, chosen), [chosen.len(), 4, 16, 16]).unwrap();
    same_for_threads_and_batches(|options| VaeDecoder::load(&model("shapes/vae"), options).unwrap(), run, 3);
}

/// The recorded row with another word in it.
fn ids(chosen: &[usize]) -> Vec<i64> {
    let row = values_i64(&golden_network("shapes-clip"), "ids");
    chosen.iter().flat_map(|&item| [&row[..1], &[40 + item as i64], &row[2..]].concat()).collect()
}

#[test]
fn prompt_embeddings() {
    let run = |encoder: &TextEncoder, chosen: &[usize]| {
        encoder.encode(&ids(chosen), chosen.len(), TextTap::default()).unwrap().hidden
    };
    let load = |options: &SessionOptions| TextEncoder::load(&model("shapes/text_encoder"), options).unwrap();
    same_for_threads_and_batches(load, run, 3);
}

#[test]
fn prompt_embeddings_with_weights_in_place() {
    let folder = wide("shapes/text_encoder", "model.safetensors");
    let run = |encoder: &TextEncoder, chosen: &[usize]| {
        encoder.encode(&ids(chosen), chosen.len(), TextTap::default()).unwrap().hidden
    };
    let [packed, in_place] = [InPlace::Never, InPlace::Always].map(|in_place| {
        let load = |options: &SessionOptions| {
            TextEncoder::load(folder.path(), &SessionOptions { in_place, ..options.clone() }).unwrap()
        };
        same_for_threads_and_batches(load, run, 3);
        run(&load(&options()), &[0])
    });
    let difference = packed.iter().zip(&in_place).fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs()));
    assert!(difference < 1e-5, "{difference}");
}

#[test]
fn clip_embeddings() {
    let load = |options: &SessionOptions| ClipModel::load(&model("shapes-clip"), options).unwrap();
    let text = |clip: &ClipModel, chosen: &[usize]| clip.embed_text(&ids(chosen), chosen.len()).unwrap();
    same_for_threads_and_batches(load, text, 3);
    let pixels = values_f32(&golden_network("shapes-clip"), "pixels");
    let pixels = &pixels[..pixels.len() / 2];
    let image = |clip: &ClipModel, chosen: &[usize]| clip.embed_image(&varied(pixels, chosen), chosen.len()).unwrap();
    same_for_threads_and_batches(load, image, 3);
}

#[test]
fn calls_from_many_threads_on_few_lanes() {
    let golden = golden_network("shapes-unet");
    let (sample, text) = (values_f32(&golden, "sample"), values_f32(&golden, "text"));
    let predict = |unet: &Unet, timestep: usize| {
        bits(&unet.predict(&sample, shape(&golden, "sample"), timestep as f32, &text).unwrap())
    };
    let one = Unet::load(&model("shapes/unet"), &options()).unwrap();
    let expected: Vec<_> = (0..6).map(|timestep| predict(&one, timestep)).collect();
    let two = Unet::load(&model("shapes/unet"), &SessionOptions { lanes: 2, ..options() }).unwrap();
    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..6)
            .map(|timestep| {
                let (predict, two) = (&predict, &two);
                scope.spawn(move || (timestep, predict(two, timestep)))
            })
            .collect();
        for call in calls {
            let (timestep, found) = call.join().unwrap();
            assert!(found == expected[timestep], "timestep {timestep}: other bits");
        }
    });
}
