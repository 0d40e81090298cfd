//! The networks of `builtin:shapes` against what diffusers and transformers compute from the same weights.
#![allow(clippy::unwrap_used)]

mod support;

use difftest_diffusion::models::{ClipModel, TextEncoder};
use support::{assert_close, golden, golden_cases, model, options, values_f32, values_i64};

#[test]
fn prompt_embeddings_equal_transformers() {
    let encoder = TextEncoder::load(&model("shapes/text_encoder"), &options()).unwrap();
    for case in golden_cases() {
        let golden = golden(&case);
        let embeds = encoder.encode(&values_i64(&golden, "input_ids"), 1).unwrap();
        assert_close(&format!("{case} prompt_embeds"), &embeds, &values_f32(&golden, "prompt_embeds"), 1e-4);
    }
}

#[test]
fn clip_text_embeddings_equal_transformers() {
    let clip = ClipModel::load(&model("shapes-clip"), &options()).unwrap();
    assert_eq!((clip.image_size(), clip.projection_dim(), clip.length()), (64, 64, 77));
    for case in golden_cases() {
        let golden = golden(&case);
        let embeds = clip.embed_text(&values_i64(&golden, "input_ids"), 1).unwrap();
        assert_close(&format!("{case} clip_text_embed"), &embeds, &values_f32(&golden, "clip_text_embed"), 1e-4);
    }
}
