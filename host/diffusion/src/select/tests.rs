#![allow(clippy::unwrap_used)]
use super::*;

/// The listing of `stabilityai/sdxl-turbo`, with what such repositories gather over time.
const TURBO: &[&str] = &[
    ".gitattributes",
    "LICENSE.md",
    "README.md",
    "model_index.json",
    "output_tile.jpg",
    "scheduler/scheduler_config.json",
    "sd_xl_turbo_1.0.safetensors",
    "sd_xl_turbo_1.0_fp16.safetensors",
    "text_encoder/config.json",
    "text_encoder/flax_model.msgpack",
    "text_encoder/model.fp16.safetensors",
    "text_encoder/model.onnx",
    "text_encoder/model.safetensors",
    "text_encoder/openvino_model.bin",
    "text_encoder/openvino_model.xml",
    "text_encoder/pytorch_model.bin",
    "text_encoder_2/config.json",
    "text_encoder_2/model.fp16.safetensors",
    "text_encoder_2/model.onnx",
    "text_encoder_2/model.onnx_data",
    "text_encoder_2/model.safetensors",
    "tokenizer/merges.txt",
    "tokenizer/special_tokens_map.json",
    "tokenizer/tokenizer_config.json",
    "tokenizer/vocab.json",
    "tokenizer_2/merges.txt",
    "tokenizer_2/vocab.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "unet/diffusion_pytorch_model.safetensors",
    "unet/model.onnx",
    "unet/model.onnx_data",
    "vae/config.json",
    "vae/diffusion_pytorch_model.fp16.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
    "vae_decoder/config.json",
    "vae_decoder/model.onnx",
    "vae_encoder/config.json",
    "vae_encoder/model.onnx",
];

fn weights(selection: &Selection) -> Vec<&str> {
    selection.files.iter().map(String::as_str).filter(|file| file.ends_with(".safetensors")).collect()
}

#[test]
fn one_copy_of_each_network_in_the_precision_that_is_run() {
    let whole = pipeline(TURBO, Precision::F32).unwrap();
    assert_eq!(whole.layout, Layout::Safetensors);
    assert_eq!(
        whole.files,
        [
            "model_index.json",
            "scheduler/scheduler_config.json",
            "text_encoder/config.json",
            "text_encoder/model.safetensors",
            "text_encoder_2/config.json",
            "text_encoder_2/model.safetensors",
            "tokenizer/merges.txt",
            "tokenizer/special_tokens_map.json",
            "tokenizer/tokenizer_config.json",
            "tokenizer/vocab.json",
            "tokenizer_2/merges.txt",
            "tokenizer_2/vocab.json",
            "unet/config.json",
            "unet/diffusion_pytorch_model.safetensors",
            "vae/config.json",
            "vae/diffusion_pytorch_model.safetensors",
        ]
    );
    let half = pipeline(TURBO, Precision::F16).unwrap();
    assert_eq!(
        weights(&half),
        [
            "text_encoder/model.fp16.safetensors",
            "text_encoder_2/model.fp16.safetensors",
            "unet/diffusion_pytorch_model.fp16.safetensors",
            "vae/diffusion_pytorch_model.fp16.safetensors",
        ]
    );
}

#[test]
fn the_other_precision_will_do_where_there_is_nothing_else() {
    let only = |part: &str| -> Vec<&str> {
        TURBO.iter().copied().filter(|path| !path.ends_with(".safetensors") || path.contains(part)).collect()
    };
    let half_only = only(".fp16.");
    assert_eq!(weights(&pipeline(&half_only, Precision::F32).unwrap()).len(), 4);
    let whole_only: Vec<&str> = TURBO.iter().copied().filter(|path| !path.contains("fp16")).collect();
    assert_eq!(weights(&pipeline(&whole_only, Precision::F16).unwrap()).len(), 4);
}

#[test]
fn graphs_are_taken_where_there_are_no_safetensors() {
    let graphs: Vec<&str> = TURBO.iter().copied().filter(|path| !path.ends_with(".safetensors")).collect();
    let selection = pipeline(&graphs, Precision::F32).unwrap();
    assert_eq!(selection.layout, Layout::Onnx);
    let networks: Vec<&String> = selection.files.iter().filter(|file| file.contains(".onnx")).collect();
    assert_eq!(
        networks,
        [
            "text_encoder/model.onnx",
            "text_encoder_2/model.onnx",
            "text_encoder_2/model.onnx_data",
            "unet/model.onnx",
            "unet/model.onnx_data",
            "vae_decoder/model.onnx",
        ]
    );
    assert!(selection.files.iter().any(|file| file == "vae_decoder/config.json"));
    assert!(selection.files.iter().all(|file| !file.ends_with(".bin") && !file.starts_with("vae_encoder")));
}

#[test]
fn shards_come_with_their_index_or_not_at_all() {
    let mut paths = vec![
        "model_index.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors.index.fp16.json",
        "unet/diffusion_pytorch_model.fp16-00001-of-00002.safetensors",
        "unet/diffusion_pytorch_model.fp16-00002-of-00002.safetensors",
    ];
    let selection = pipeline(&paths, Precision::F32).unwrap();
    assert_eq!(selection.files.len(), 5);
    paths.pop();
    assert!(matches!(pipeline(&paths, Precision::F32), Err(SelectError::NoWeights { .. })));
}

#[test]
fn what_cannot_be_run_is_explained() {
    let error = |paths: &[&str]| pipeline(paths, Precision::F32).unwrap_err();
    let pickles = ["model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.bin"];
    assert!(matches!(error(&pickles), SelectError::Pickle { component, .. } if component == "unet"));
    let mixed = [
        "model_index.json",
        "unet/diffusion_pytorch_model.safetensors",
        "text_encoder/config.json",
        "text_encoder/pytorch_model.bin",
    ];
    assert!(matches!(error(&mixed), SelectError::Pickle { component, .. } if component == "text_encoder"));
    assert!(matches!(error(&["v1-5-pruned.safetensors", "README.md"]), SelectError::SingleFile { .. }));
    assert!(matches!(error(&["pytorch_lora_weights.safetensors"]), SelectError::Lora { .. }));
    assert!(matches!(error(&["config.json", "model.safetensors"]), SelectError::NotAModel { .. }));
    assert!(matches!(error(&["model_index.json", "transformer/config.json"]), SelectError::Transformer { .. }));
    assert!(matches!(error(&["model_index.json"]), SelectError::NoWeights { .. }));
}

#[test]
fn clip_models_are_one_folder() {
    let paths = [
        "config.json",
        "flax_model.msgpack",
        "merges.txt",
        "model.safetensors",
        "preprocessor_config.json",
        "pytorch_model.bin",
        "tf_model.h5",
        "tokenizer.json",
        "vocab.json",
        "onnx/model.onnx",
    ];
    let selection = any(&paths, Precision::F32).unwrap();
    assert_eq!(selection.layout, Layout::Clip);
    let expected =
        ["config.json", "merges.txt", "model.safetensors", "preprocessor_config.json", "tokenizer.json", "vocab.json"];
    assert_eq!(selection.files, expected);
    let pickled: Vec<&str> = paths.into_iter().filter(|path| *path != "model.safetensors").collect();
    assert!(matches!(clip(&pickled, Precision::F32), Err(SelectError::Pickle { .. })));
    assert!(any(TURBO, Precision::F32).is_ok_and(|selection| selection.layout == Layout::Safetensors));
}
