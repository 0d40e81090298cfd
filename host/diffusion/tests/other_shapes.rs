//! Small random models whose configs differ from `builtin:shapes` in every option that is implemented, and in how their
//! weights are stored, against diffusers and transformers. `tests/golden/networks/make.py` says what each is for.
#![allow(clippy::unwrap_used)]

mod support;

use difftest_diffusion::models::{ClipModel, Unet, VaeDecoder};
use support::{assert_close, golden_network, golden_path, options, shape, values_f32, values_i64};

#[test]
fn a_unet_like_stable_diffusion_2_at_even_and_odd_sizes() {
    let unet = Unet::load(&golden_path("networks/unet-linear"), &options()).unwrap();
    support::check_prediction(&unet, "unet-linear-even");
    support::check_prediction(&unet, "unet-linear-odd");
}

#[test]
fn a_unet_in_bf16_shards_with_first_attention_on_the_text() {
    let unet = Unet::load(&golden_path("networks/unet-cross"), &options()).unwrap();
    assert_eq!((unet.in_channels(), unet.out_channels()), (3, 5));
    support::check_prediction(&unet, "unet-cross-even");
}

#[test]
#[cfg(unix)]
fn weights_behind_links_are_used_in_place() {
    let cache = tempfile::tempdir().unwrap();
    let (blobs, snapshot) = (cache.path().join("blobs"), cache.path().join("snapshots/main/unet"));
    std::fs::create_dir_all(&blobs).unwrap();
    std::fs::create_dir_all(&snapshot).unwrap();
    for (number, entry) in std::fs::read_dir(golden_path("networks/unet-cross")).unwrap().enumerate() {
        let entry = entry.unwrap();
        let blob = blobs.join(format!("{number:064x}"));
        std::fs::copy(entry.path(), &blob).unwrap();
        std::os::unix::fs::symlink(&blob, snapshot.join(entry.file_name())).unwrap();
    }
    support::check_prediction(&Unet::load(&snapshot, &options()).unwrap(), "unet-cross-even");
}

#[test]
fn a_vae_with_attention_weights_of_2022() {
    let vae = VaeDecoder::load(&golden_path("networks/vae-old"), &options()).unwrap();
    assert_eq!((vae.scaling_factor(), vae.upscale()), (0.18215, 2));
    let golden = golden_network("vae-old-image");
    let image = vae.decode(&values_f32(&golden, "latents"), shape(&golden, "latents")).unwrap();
    assert_close("image", &image, &values_f32(&golden, "image"), 1e-4);
}

#[test]
fn a_clip_with_exact_gelu_and_the_old_pooling_rule() {
    let clip = ClipModel::load(&golden_path("networks/clip-gelu"), &options()).unwrap();
    let golden = golden_network("clip-gelu-embeds");
    let text = clip.embed_text(&values_i64(&golden, "ids"), 2).unwrap();
    assert_close("text", &text, &values_f32(&golden, "text"), 1e-4);
    let image = clip.embed_image(&values_f32(&golden, "pixels"), 2).unwrap();
    assert_close("image", &image, &values_f32(&golden, "image"), 1e-4);
}
