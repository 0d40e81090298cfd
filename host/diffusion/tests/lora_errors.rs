//! LoRA files that cannot be applied: what is said, and that nothing of them is.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use difftest_core::generate::{Generator as _, Request, Settings};
use difftest_diffusion::lora::{Adapters, LoraError, parse_argument};
use difftest_diffusion::pipeline::{Options, StableDiffusion, described};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use support::golden_path;

/// Name, type, shape and bytes of each tensor, to be changed.
type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn lora(file: &str) -> PathBuf {
    golden_path("lora").join(file)
}

fn tensors(file: &Path) -> Tensors {
    let bytes = std::fs::read(file).unwrap();
    let parsed = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = parsed.tensors().into_iter();
    tensors.map(|(name, view)| (name, (view.dtype(), view.shape().to_vec(), view.data().to_vec()))).collect()
}

fn write(path: &Path, tensors: &Tensors) {
    let views = tensors
        .iter()
        .map(|(name, (dtype, shape, bytes))| (name.as_str(), TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

fn floats(shape: &[usize], value: f32) -> (Dtype, Vec<usize>, Vec<u8>) {
    let bytes = std::iter::repeat_n(value.to_le_bytes(), shape.iter().product()).flatten().collect();
    (Dtype::F32, shape.to_vec(), bytes)
}

/// What is said of a file after `change`.
fn refused(change: impl Fn(&mut Tensors)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("style.safetensors");
    let mut changed = tensors(&lora("sd1/kohya.safetensors"));
    change(&mut changed);
    write(&path, &changed);
    let error = open("sd1", &[(path, 1.0)]).err().unwrap();
    error.0.replace(folder.path().to_str().unwrap(), "[DIR]")
}

/// Opens a family's pipeline with files; what is wrong and what to do about it.
fn open(family: &str, files: &[(PathBuf, f64)]) -> Result<StableDiffusion, (String, Option<String>)> {
    let adapters = Adapters::read(files).map_err(|error| (described(&error), error.hint()))?;
    let base = golden_path("families");
    StableDiffusion::load_adapted(family, &base, adapters, &Options::default())
        .map_err(|error| (described(&error), error.hint()))
}

fn assert_says((message, hint): &(String, Option<String>), parts: &[&str], next: &str) {
    for part in parts {
        assert!(message.contains(part), "no {part:?} in: {message}");
    }
    assert!(hint.as_deref().unwrap_or_default().contains(next), "no {next:?} in hint: {hint:?}");
}

#[test]
fn a_file_for_another_model_says_what_does_not_match_and_what_it_looks_made_for() {
    // The other way round, so that a text encoder is not the first thing missing.
    let error = open("sdxl", &[(lora("sd1/kohya.safetensors"), 1.0)]).err().unwrap();
    let parts = ["does not fit this model", "layers for text_encoder match", "layers for unet match", "of width 16"];
    assert!(parts[0..1].iter().all(|part| error.0.contains(part)), "{error:?}");
    assert!(parts[1..3].iter().any(|part| error.0.contains(part)), "{error:?}");
    assert_says(
        &error,
        &["it looks made for a UNet that reads text of width 16", "width 28"],
        "nothing of it was applied",
    );

    // Layers for a second text encoder are told first.
    let error = open("sd1", &[(lora("sdxl/ldm.safetensors"), 0.8)]).err().unwrap();
    assert_says(&error, &["for text_encoder_2, which this model does not have", "lora_te2_", "width 28"], "weight 0");
    open("sd1", &[(lora("sdxl/ldm.safetensors"), 0.0)]).unwrap();
}

#[test]
fn shapes_and_names_that_do_not_match_are_listed() {
    let text = refused(|tensors| {
        let down = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight";
        tensors.insert(down.to_owned(), floats(&[2, 768], 0.5));
        for part in ["lora_down", "lora_up"] {
            let name = format!("lora_unet_down_blocks_9_attentions_0_proj_in.{part}.weight");
            tensors.insert(name, floats(if part == "lora_up" { &[4, 2] } else { &[2, 4] }, 0.5));
        }
    });
    for part in [
        "31 of its 33 layers for unet match",
        "lora_unet_down_blocks_9_attentions_0_proj_in is not in the model",
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k is for a weight of [8, 768], the model's is [8, 16]",
    ] {
        assert!(text.contains(part), "no {part:?} in: {text}");
    }
}

#[test]
fn files_that_are_damaged_or_something_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("style.safetensors");
    let say = |bytes: &[u8], parts: &[&str]| {
        std::fs::write(&path, bytes).unwrap();
        let error = open("sd1", &[(path.clone(), 1.0)]).err().unwrap();
        assert_says(&error, &["style.safetensors"], "");
        assert_says(&error, parts, "");
    };
    let whole = std::fs::read(lora("sd1/kohya.safetensors")).unwrap();
    say(&whole[..whole.len() - 10], &["is damaged", "it is cut off"]);
    say(&whole[..100], &["is damaged", "cut off"]);
    say(b"", &["only 0 bytes"]);
    say(b"PK\x03\x04 and so on", &["a pickle"]);
    say(b"<!DOCTYPE html><html>not found</html>", &["an HTML page", "download the file itself"]);
    say(&[&whole[..], b"and more"].concat(), &["is damaged", "it is too long"]);
    say(&[&16u64.to_le_bytes()[..], b"{\"a\": [1, 2, 3]}"].concat(), &["is damaged", "its header is not"]);
    let checkpoint = golden_path("families/sd1/unet/diffusion_pytorch_model.safetensors");
    say(&std::fs::read(checkpoint).unwrap(), &["is not a LoRA", "the weights of a network", "`model`"]);

    let other = |names: &[&str], parts: &[&str]| {
        write(&path, &names.iter().map(|name| ((*name).to_owned(), floats(&[1, 4], 1.0))).collect());
        assert_says(&open("sd1", &[(path.clone(), 1.0)]).err().unwrap(), parts, "");
    };
    other(&["model.diffusion_model.input_blocks.0.0.weight"], &["is not a LoRA", "a whole checkpoint"]);
    other(&["emb_params"], &["a textual inversion"]);
    other(&["x", "y"], &["is not a LoRA", "it holds x, y"]);
    other(&[], &["it holds no tensors"]);
    other(
        &["transformer.single_blocks.0.proj.lora_A.weight", "transformer.single_blocks.0.proj.lora_B.weight"],
        &["a LoRA of a `transformer`", "not supported"],
    );

    assert_says(&open("sd1", &[(folder.path().join("no"), 1.0)]).err().unwrap(), &["cannot read", "no"], "--lora");
    assert_says(
        &open("sd1", &[(folder.path().to_owned(), 1.0)]).err().unwrap(),
        &["pytorch_lora_weights"],
        "the file itself",
    );
    let config_missing = folder.path().join("adapter_model.safetensors");
    std::fs::copy(lora("sd1/peft/adapter_model.safetensors"), &config_missing).unwrap();
    assert_says(&open("sd1", &[(config_missing, 1.0)]).err().unwrap(), &["adapter_config.json"], "");
}

#[test]
fn values_and_weights_that_are_no_numbers() {
    let text = refused(|tensors| {
        let (_, _, bytes) =
            tensors.get_mut("lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_v.lora_up.weight").unwrap();
        bytes[8..12].copy_from_slice(&f32::NAN.to_le_bytes());
    });
    assert!(text.contains("attn1_to_v.lora_up.weight holds NaN or infinity (element 2)"), "{text}");
    for weight in [f64::NAN, f64::INFINITY] {
        let error = Adapters::read(&[(lora("sd1/kohya.safetensors"), weight)]).unwrap_err();
        assert!(matches!(error, LoraError::Weight { .. }), "{error}");
    }
}

#[test]
fn adapters_of_another_kind_are_named() {
    let layer = "lora_unet_mid_block_attentions_0_proj_in";
    for (key, what) in [
        ("dora_scale", "DoRA is not supported"),
        ("hada_w1_a", "LoHa is not supported"),
        ("lokr_w1", "LoKr is not supported"),
        ("oft_blocks", "OFT is not supported"),
        ("diff", "a difference of whole weights is not supported"),
        ("diff_b", "a difference of whole weights is not supported"),
        ("on_input", "IA3 is not supported"),
        ("weight", "a tensor that is no part of a LoRA is not supported"),
    ] {
        let text = refused(|tensors| drop(tensors.insert(format!("{layer}.{key}"), floats(&[1, 1], 1.0))));
        assert!(text.contains(what) && text.contains(&format!("({layer}.{key})")), "{key}: {text}");
    }
    let text =
        refused(|tensors| drop(tensors.insert("lora_prior_unet_x.lora_up.weight".to_owned(), floats(&[1, 1], 1.0))));
    assert!(text.contains("a LoRA of a `lora_prior`"), "{text}");
}

#[test]
fn layers_that_are_not_whole() {
    let layer = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_v";
    let up = format!("{layer}.lora_up.weight");
    let text = refused(|tensors| drop(tensors.remove(&up)));
    assert!(text.contains("is not complete") && text.contains("attn1_to_v of unet"), "{text}");
    let text = refused(|tensors| drop(tensors.insert(up.clone(), floats(&[8, 3], 0.0))));
    assert!(text.contains("cannot be multiplied: down [2, 8], up [8, 3]"), "{text}");
    let text = refused(|tensors| drop(tensors.insert(format!("{layer}.alpha"), floats(&[2], 1.0))));
    assert!(text.contains("has an alpha of shape [2]"), "{text}");
    let text = refused(|tensors| drop(tensors.insert(up.clone(), (Dtype::I8, vec![8, 2], vec![0; 16]))));
    assert!(text.contains("element type I8 is not supported"), "{text}");
    let text = refused(|tensors| {
        let path = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_v";
        tensors.insert(format!("{path}.lora_A.weight"), floats(&[2, 8], 0.1));
        tensors.insert(format!("{path}.lora_B.weight"), floats(&[8, 2], 0.1));
    });
    assert!(text.contains("is there twice, under two names"), "{text}");
}

/// Too strong a file makes numbers that no image has: it is named among what may have done it.
#[test]
fn latents_that_are_not_finite_name_the_files() {
    let model = open("sd1", &[(lora("sd1/kohya.safetensors"), 1e30)]).ok().unwrap();
    let settings = Settings { steps: Some(2), ..Settings::default() };
    let request =
        Request { id: "case".to_owned(), prompt: "a heart".to_owned(), negative_prompt: None, seed: 1, settings };
    let error = model.generate(&[request], &|_| true).remove(0).unwrap_err();
    assert_eq!(error.kind, "not-finite", "{error}");
    let hint = error.hint.unwrap();
    assert!(hint.contains("kohya.safetensors (weight 1000000"), "{hint}");
    assert!(error.message.ends_with("hold NaN or infinity") || error.message.ends_with("holds NaN or infinity"));
}

#[test]
fn arguments_are_a_path_and_perhaps_a_weight() {
    let parsed = |text: &str| parse_argument(text).map(|(path, weight)| (path.display().to_string(), weight));
    assert_eq!(parsed("a.safetensors"), Ok(("a.safetensors".to_owned(), 1.0)));
    assert_eq!(parsed("a=b/c.safetensors=-0.5"), Ok(("a=b/c.safetensors".to_owned(), -0.5)));
    assert_eq!(parsed("x=1e-1"), Ok(("x".to_owned(), 0.1)));
    for wrong in ["", "=0.5", "a=nan", "a=inf", "a=strong"] {
        assert!(parsed(wrong).is_err(), "{wrong}");
    }
    // A file whose name has the sign needs no weight behind it.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a=b");
    std::fs::write(&path, "").unwrap();
    assert_eq!(parse_argument(path.to_str().unwrap()), Ok((path, 1.0)));
}
