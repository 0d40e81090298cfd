//! Model folders that are incomplete or of another kind: one clear error each, before anything is loaded.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use difftest_diffusion::repository::{Repository, RepositoryError};

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../suites/models")
}

/// A copy of `models/shapes` that a test may spoil.
fn copy() -> tempfile::TempDir {
    fn all(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let target = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                all(&entry.path(), &target);
            } else {
                std::fs::copy(entry.path(), target).unwrap();
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    all(&models().join("shapes"), folder.path());
    folder
}

fn open(folder: &Path) -> Result<Repository, RepositoryError> {
    Repository::stable_diffusion(".", folder)
}

#[test]
fn every_file_read_has_its_digest() {
    let repository = Repository::stable_diffusion("shapes", &models()).unwrap();
    let files = repository.digests().unwrap();
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "model_index.json",
            "scheduler/scheduler_config.json",
            "text_encoder/config.json",
            "text_encoder/model.safetensors",
            "tokenizer/merges.txt",
            "tokenizer/tokenizer_config.json",
            "tokenizer/vocab.json",
            "unet/config.json",
            "unet/diffusion_pytorch_model.safetensors",
            "vae/config.json",
            "vae/diffusion_pytorch_model.safetensors",
        ]
    );
    let bytes = std::fs::read(models().join("shapes/vae/config.json")).unwrap();
    assert_eq!(files[9].1, difftest_core::digest::Digest::of(&bytes));
    assert_eq!(Repository::clip("shapes-clip", &models()).unwrap().digests().unwrap().len(), 6);
}

#[test]
fn a_half_copied_folder_names_the_file() {
    for file in [
        "unet/diffusion_pytorch_model.safetensors",
        "text_encoder/model.safetensors",
        "vae/config.json",
        "tokenizer/merges.txt",
        "scheduler/scheduler_config.json",
    ] {
        let folder = copy();
        std::fs::remove_file(folder.path().join(file)).unwrap();
        let error = open(folder.path()).unwrap_err();
        assert!(error.to_string().ends_with(&format!("is half-copied: {file} is missing")), "{error}");
    }
}

#[test]
fn a_truncated_file_is_named() {
    let folder = copy();
    let weights = folder.path().join("vae/diffusion_pytorch_model.safetensors");
    let bytes = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &bytes[..bytes.len() / 2]).unwrap();
    let error = open(folder.path()).unwrap_err();
    assert!(matches!(&error, RepositoryError::Weights(_)));
    assert!(error.to_string().contains("diffusion_pytorch_model.safetensors"), "{error}");
}

#[test]
fn other_kinds_of_model_are_refused_by_name() {
    let folder = copy();
    let index = folder.path().join("model_index.json");
    let text = std::fs::read_to_string(&index).unwrap();
    for (from, to) in [
        ("StableDiffusionPipeline", "StableDiffusion3Pipeline"),
        ("UNet2DConditionModel", "SD3Transformer2DModel"),
        ("AutoencoderKL", "AutoencoderTiny"),
    ] {
        std::fs::write(&index, text.replace(from, to)).unwrap();
        let error = open(folder.path()).unwrap_err().to_string();
        assert!(error.contains(to) && error.contains(from), "{error}");
    }
    std::fs::write(&index, "[]").unwrap();
    assert!(matches!(open(folder.path()), Err(RepositoryError::Json { .. })));
    std::fs::remove_file(&index).unwrap();
    assert!(matches!(open(folder.path()), Err(RepositoryError::NotAModel { .. })));
    assert!(matches!(Repository::clip("shapes", &models()), Err(RepositoryError::NotAModel { .. })));
}

#[test]
fn references_that_are_no_folders_say_what_to_do() {
    let error = Repository::stable_diffusion("runwayml/stable-diffusion-v1-5", &models()).unwrap_err();
    assert!(matches!(error, RepositoryError::HubId { .. }), "{error}");
    assert!(error.hint().unwrap().contains("difftest model fetch runwayml/stable-diffusion-v1-5"));
    for reference in ["./nowhere", "/nowhere/at/all", "nowhere"] {
        let error = Repository::stable_diffusion(reference, &models()).unwrap_err();
        assert!(matches!(error, RepositoryError::NoFolder { .. }), "{error}");
        assert!(error.hint().unwrap().contains("builtin:shapes"));
    }
    for reference in ["./shapes/model_index.json", "shapes/model_index.json"] {
        let error = Repository::clip(reference, &models()).unwrap_err();
        assert!(matches!(error, RepositoryError::AFile { .. }) && error.to_string().contains("is a file"), "{error}");
        assert!(error.hint().unwrap().contains("`.onnx`"));
    }
    let error = Repository::stable_diffusion("builtin:nothing", &models()).unwrap_err();
    assert!(error.to_string().contains("builtin:nothing") || error.to_string().contains("`nothing`"), "{error}");
}

/// A pipe blocks whoever opens it, so none is opened, wherever it lies.
#[cfg(unix)]
#[test]
fn pipes_and_links_in_the_place_of_files_are_refused() {
    let pipe = |path: &Path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    for file in [
        "model_index.json",
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "tokenizer/merges.txt",
        "tokenizer/vocab.json",
        "tokenizer/tokenizer_config.json",
        "tokenizer/special_tokens_map.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/config.json",
    ] {
        let folder = copy();
        let path = folder.path().join(file);
        let _ = std::fs::remove_file(&path);
        pipe(&path);
        let error = difftest_diffusion::pipeline::StableDiffusion::open(".", folder.path(), &Default::default());
        let error = difftest_diffusion::pipeline::described(&error.err().unwrap());
        assert!(error.contains(file) && error.contains("it is a pipe, not a regular file"), "{file}: {error}");

        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("nowhere", &path).unwrap();
        let error = difftest_diffusion::pipeline::StableDiffusion::open(".", folder.path(), &Default::default());
        let error = difftest_diffusion::pipeline::described(&error.err().unwrap());
        assert!(error.contains(file) && error.contains("a link to nowhere"), "{file}: {error}");
    }
    let place = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("nowhere", place.path().join("model")).unwrap();
    let error = Repository::stable_diffusion("model", place.path()).unwrap_err().to_string();
    assert!(error.contains("a link to nowhere, which does not exist"), "{error}");
    let lora = place.path().join("style.safetensors");
    pipe(&lora);
    let error = difftest_diffusion::lora::Adapters::read(&[(lora, 1.0)]).unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("a pipe"), "{error}");
}
