//! Small random models with the options of Stable Diffusion XL, of consistency models and of distilled ones, against diffusers and
//! transformers. `tests/golden/networks/family.py` says what each is for.
#![allow(clippy::unwrap_used)]

mod support;

use difftest_diffusion::models::{Added, ClipVision, ProjectedTexts, TextEncoder, TextTap, Unet, VaeDecoder};
use support::{assert_close, golden_network, golden_path, options, shape, values_f32, values_i64};

fn unet(name: &str) -> Unet {
    Unet::load(&golden_path(&format!("networks/{name}")), &options()).unwrap()
}

/// The texts of a recorded prediction, each with its own conditions.
fn texts(unet: &Unet, golden: &[u8], rows: usize) -> ProjectedTexts {
    let read = |name, wanted: bool| if wanted { values_f32(golden, name) } else { Vec::new() };
    let row = |values: &[f32], row: usize| values[row * values.len() / rows..][..values.len() / rows].to_vec();
    let (has_added, has_guidance) = (unet.reads_added(), unet.reads_guidance());
    let (text, guidance) = (read("text", true), read("guidance", has_guidance));
    let (pooled, time_ids) = (read("pooled", has_added), read("time_ids", has_added));
    let parts: Vec<ProjectedTexts> = (0..rows)
        .map(|number| {
            let (pooled, time_ids) = (row(&pooled, number), row(&time_ids, number));
            let added = has_added.then_some(Added { pooled: &pooled, time_ids: &time_ids });
            let guidance = guidance.get(number).copied().map(f64::from);
            unet.project_texts(&row(&text, number), 1, added, guidance).unwrap()
        })
        .collect();
    ProjectedTexts::concat(&parts.iter().collect::<Vec<_>>()).unwrap()
}

fn check(unet: &Unet, name: &str) {
    let golden = golden_network(name);
    let shape = shape(&golden, "sample");
    let texts = texts(unet, &golden, shape[0]);
    let (sample, time) = (values_f32(&golden, "sample"), values_f32(&golden, "timestep")[0]);
    let prediction = unet.predict_under(&sample, shape, time, &texts).unwrap();
    assert_close(name, &prediction, &values_f32(&golden, "prediction"), 1e-4);
}

#[test]
fn stable_diffusion_xl_in_the_fp16_variant() {
    let unet = unet("unet-xl");
    check(&unet, "unet-xl-even");
    let error = unet.project_texts(&[0.0; 12], 1, None, None).unwrap_err().to_string();
    assert_eq!(error, "the UNet reads a pooled text and sizes, and was given none");
    let added = Added { pooled: &[0.0; 5], time_ids: &[0.0; 6] };
    let error = unet.project_texts(&[0.0; 12], 1, Some(added), None).unwrap_err().to_string();
    assert_eq!(error, "pooled texts: expected 6 values, got 5");
    let added = Added { pooled: &[0.0; 6], time_ids: &[0.0; 6] };
    let error = unet.project_texts(&[0.0; 12], 1, Some(added), Some(8.5)).unwrap_err().to_string();
    assert!(error.starts_with("the UNet reads no guidance scale"), "{error}");
}

#[test]
fn a_consistency_model_reads_its_guidance() {
    let unet = unet("unet-guided");
    check(&unet, "unet-guided-even");
    let added = Added { pooled: &[0.0; 6], time_ids: &[0.0; 6] };
    let error = unet.project_texts(&[0.0; 12], 1, Some(added), None).unwrap_err().to_string();
    assert!(error.starts_with("the UNet reads no pooled text"), "{error}");
}

#[test]
fn a_distilled_xl_with_uneven_depths_and_guidance() {
    check(&unet("unet-uneven"), "unet-uneven-even");
}

#[test]
fn a_distilled_model_without_a_middle_block() {
    check(&unet("unet-shallow"), "unet-shallow-even");
}

/// Texts that add to the time, and attentions without layers: one image under several texts is still a batch of its copies.
#[test]
fn one_image_under_several_texts_of_every_family() {
    for name in ["unet-xl", "unet-guided", "unet-uneven", "unet-shallow"] {
        let (unet, golden) = (unet(name), golden_network(&format!("{name}-even")));
        let [_, channels, height, width] = shape(&golden, "sample");
        let texts = texts(&unet, &golden, 2);
        let sample = &values_f32(&golden, "sample")[..channels * height * width];
        let shared = unet.predict_under(sample, [1, channels, height, width], 41.0, &texts).unwrap();
        let copies = unet.predict_under(&sample.repeat(2), [2, channels, height, width], 41.0, &texts).unwrap();
        assert!(shared == copies, "{name}: other bits");
        assert!(shared[..shared.len() / 2] != shared[shared.len() / 2..], "{name}: texts without effect");
    }
}

#[test]
fn texts_together_are_the_bits_of_each_alone() {
    let (unet, golden) = (unet("unet-xl"), golden_network("unet-xl-even"));
    let read = |name| values_f32(&golden, name);
    let (sample, shape, pooled, time_ids) =
        (read("sample"), shape(&golden, "sample"), read("pooled"), read("time_ids"));
    let added = Added { pooled: &pooled, time_ids: &time_ids };
    let together = unet.project_texts(&read("text"), 2, Some(added), None).unwrap();
    let together = unet.predict_under(&sample, shape, 41.0, &together).unwrap();
    let alone = unet.predict_under(&sample, shape, 41.0, &texts(&unet, &golden, 2)).unwrap();
    assert!(together == alone, "other bits");
}

#[test]
fn a_vae_without_attention_whose_latents_have_statistics() {
    let vae = VaeDecoder::load(&golden_path("networks/vae-xl"), &options()).unwrap();
    let golden = golden_network("vae-xl-image");
    let image = vae.decode(&values_f32(&golden, "latents"), shape(&golden, "latents")).unwrap();
    assert_close("image", &image, &values_f32(&golden, "image"), 1e-4);
    let mut latents = [1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0];
    vae.unscale(&mut latents, [1, 4, 1, 2], true).unwrap();
    assert_eq!(latents, [15.5, 32.5, 2.25, 4.25, 4.0, 5.0, 4.0, 8.0]);
    assert!(vae.unscale(&mut latents, [2, 4, 1, 2], true).is_err());
    // StableDiffusionPipeline does not look at them.
    let mut latents = [1.0; 4];
    vae.unscale(&mut latents, [1, 4, 1, 1], false).unwrap();
    assert_eq!(latents, [1.0 / vae.scaling_factor(); 4]);
}

fn check_text(name: &str, pooled: bool) {
    let encoder = TextEncoder::load(&golden_path(&format!("networks/{name}")), &options()).unwrap();
    let golden = golden_network(&format!("{name}-features"));
    let ids = values_i64(&golden, "ids");
    assert_eq!(encoder.projection_dim().is_some(), pooled);
    let last = encoder.encode(&ids, 2, TextTap::default()).unwrap();
    assert_close("last", &last.hidden, &values_f32(&golden, "last"), 1e-4);
    assert!(last.pooled.is_none());
    for skip in 0..=encoder.layers() {
        for (state, norm) in [("hidden", false), ("normed", true)] {
            let found = encoder.encode(&ids, 2, TextTap { skip, norm, pooled }).unwrap();
            let state = format!("{state}-{skip}");
            assert_close(&state, &found.hidden, &values_f32(&golden, &state), 1e-4);
            if pooled {
                assert_close("pooled", &found.pooled.unwrap(), &values_f32(&golden, "pooled"), 1e-4);
            }
        }
        // what was built for one tap does not stay in memory with the next
        encoder.release();
    }
    let error = encoder.encode(&ids, 2, TextTap { skip: 4, ..TextTap::default() }).unwrap_err().to_string();
    assert_eq!(error, "the text encoder has 3 layers, so 4 cannot be left out");
    if !pooled {
        let error = encoder.encode(&ids, 2, TextTap { pooled: true, ..TextTap::default() }).unwrap_err().to_string();
        assert!(error.ends_with("has no projection (it is no CLIPTextModelWithProjection)"), "{error}");
    }
}

#[test]
fn a_projecting_text_encoder_in_shards_of_the_fp16_variant() {
    check_text("text-projected", true);
}

#[test]
fn a_plain_text_encoder_with_names_of_transformers_4() {
    check_text("text-plain", false);
}

#[test]
fn a_vision_tower_alone() {
    let vision = ClipVision::load(&golden_path("networks/vision-projected"), &options()).unwrap();
    assert_eq!((vision.image_size(), vision.projection_dim()), (14, 10));
    let golden = golden_network("vision-projected-embeds");
    let image = vision.embed(&values_f32(&golden, "pixels"), 2).unwrap();
    assert_close("image", &image, &values_f32(&golden, "image"), 1e-4);
}
