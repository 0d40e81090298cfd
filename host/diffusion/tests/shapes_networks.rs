//! The networks of `builtin:shapes` against what diffusers and transformers compute from the same weights.
#![allow(clippy::unwrap_used)]

mod support;

use difftest_diffusion::models::{ClipModel, TextEncoder, TextTap, Unet, VaeDecoder};
use support::{assert_close, golden, golden_cases, golden_network, model, options, shape, values_f32, values_i64};

#[test]
fn prompt_embeddings_equal_transformers() {
    let encoder = TextEncoder::load(&model("shapes/text_encoder"), &options()).unwrap();
    assert_eq!((encoder.length(), encoder.width()), (77, 128));
    for case in golden_cases() {
        let golden = golden(&case);
        let embeds = encoder.encode(&values_i64(&golden, "input_ids"), 1, TextTap::default()).unwrap().hidden;
        assert_close(&format!("{case} prompt_embeds"), &embeds, &values_f32(&golden, "prompt_embeds"), 1e-4);
    }
}

#[test]
fn clip_embeddings_equal_transformers() {
    let clip = ClipModel::load(&model("shapes-clip"), &options()).unwrap();
    assert_eq!((clip.image_size(), clip.projection_dim(), clip.length()), (64, 64, 77));
    for case in golden_cases() {
        let golden = golden(&case);
        let embeds = clip.embed_text(&values_i64(&golden, "input_ids"), 1).unwrap();
        assert_close(&format!("{case} clip_text_embed"), &embeds, &values_f32(&golden, "clip_text_embed"), 1e-4);
    }
    let golden = golden_network("shapes-clip");
    let text = clip.embed_text(&values_i64(&golden, "ids"), 1).unwrap();
    assert_close("text", &text, &values_f32(&golden, "text"), 1e-4);
    let image = clip.embed_image(&values_f32(&golden, "pixels"), 2).unwrap();
    assert_close("image", &image, &values_f32(&golden, "image"), 1e-4);
}

#[test]
fn a_prediction_equals_diffusers() {
    let unet = Unet::load(&model("shapes/unet"), &options()).unwrap();
    assert_eq!((unet.sample_size(), unet.in_channels(), unet.cross_attention_dim()), ([16, 16], 4, 128));
    support::check_prediction(&unet, "shapes-unet");
}

#[test]
fn a_decoded_image_equals_diffusers() {
    let vae = VaeDecoder::load(&model("shapes/vae"), &options()).unwrap();
    assert_eq!((vae.upscale(), vae.latent_channels()), (4, 4));
    assert!((vae.scaling_factor() - 0.878_351_8).abs() < 1e-7);
    let golden = golden_network("shapes-vae");
    let image = vae.decode(&values_f32(&golden, "latents"), shape(&golden, "latents")).unwrap();
    assert_close("image", &image, &values_f32(&golden, "image"), 1e-4);
}
