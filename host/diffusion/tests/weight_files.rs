//! Which weight files are taken, and what is said of those that do not fit or are something else.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use difftest_diffusion::models::{TextEncoder, Unet, VaeDecoder};
use difftest_diffusion::repository::Repository;
use difftest_diffusion::session::Precision;
use difftest_diffusion::weights::Weights;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use support::{copy_of_network as copy, options};
use tempfile::TempDir;

const STEM: &str = "diffusion_pytorch_model";

/// Writes a file with one small tensor for each name.
fn write(path: &Path, names: &[&str]) {
    let data = [0u8; 4];
    let tensors = names.iter().map(|name| (*name, TensorView::new(Dtype::F32, vec![1], &data).unwrap()));
    fs::write(path, safetensors::serialize(tensors, None).unwrap()).unwrap();
}

/// Adds a tensor to a file.
fn add(path: &Path, name: &str) {
    let bytes = fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let data = [0u8; 4];
    let mut tensors: Vec<_> = file.tensors();
    tensors.push((name.to_owned(), TensorView::new(Dtype::F32, vec![1], &data).unwrap()));
    fs::write(path, safetensors::serialize(tensors, None).unwrap()).unwrap();
}

fn names_of(weights: &Weights) -> Vec<String> {
    weights.files().map(|file| file.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn the_wanted_precision_is_taken_where_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let choice = |precision| names_of(&Weights::open_for(folder.path(), STEM, precision).unwrap()).remove(0);
    let [plain, fp16, bf16] = ["", ".fp16", ".bf16"].map(|variant| format!("{STEM}{variant}.safetensors"));
    write(&folder.path().join(&bf16), &["a"]);
    assert_eq!(
        [Precision::F32, Precision::F16, Precision::Bf16].map(choice),
        [bf16.clone(), bf16.clone(), bf16.clone()]
    );
    write(&folder.path().join(&fp16), &["a"]);
    assert_eq!(
        [Precision::F32, Precision::F16, Precision::Bf16].map(choice),
        [fp16.clone(), fp16.clone(), bf16.clone()]
    );
    write(&folder.path().join(&plain), &["a"]);
    assert_eq!([Precision::F32, Precision::F16, Precision::Bf16].map(choice), [plain, fp16, bf16]);
    // other variants are never taken by themselves
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join(format!("{STEM}.non_ema.safetensors")), &["a"]);
    let error = Weights::open(folder.path(), STEM).unwrap_err().to_string();
    assert!(error.ends_with(&format!("; it holds {STEM}.non_ema.safetensors: is the download complete?")), "{error}");
}

#[test]
fn shards_of_a_variant_are_found_under_both_spellings() {
    let folder = copy("text-projected");
    let (own, other) = ("model.safetensors.index.fp16.json", "model.fp16.safetensors.index.json");
    let shards = ["model.fp16-00001-of-00002.safetensors", "model.fp16-00002-of-00002.safetensors"];
    assert_eq!(names_of(&Weights::open(folder.path(), "model").unwrap()), shards);
    fs::rename(folder.path().join(own), folder.path().join(other)).unwrap();
    assert_eq!(names_of(&Weights::open(folder.path(), "model").unwrap()), shards);
    TextEncoder::load(folder.path(), &options()).unwrap();
}

/// A folder of shards, its index and the error of loading it, without the folder's name.
struct Sharded(TempDir);

impl Sharded {
    const INDEX: &'static str = "diffusion_pytorch_model.safetensors.index.json";

    fn new() -> Self {
        Self(copy("unet-cross"))
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn edit_index(&self, edit: impl FnOnce(&mut HashMap<String, String>)) {
        let mut index: Value = serde_json::from_slice(&fs::read(self.path(Self::INDEX)).unwrap()).unwrap();
        let mut map = serde_json::from_value(index["weight_map"].clone()).unwrap();
        edit(&mut map);
        index["weight_map"] = serde_json::to_value(map).unwrap();
        fs::write(self.path(Self::INDEX), index.to_string()).unwrap();
    }

    fn error(&self) -> String {
        let error = Unet::load(self.0.path(), &options()).unwrap_err().to_string();
        error.replace(self.0.path().to_str().unwrap(), "unet").replace('\\', "/")
    }
}

#[test]
fn shards_that_do_not_fit_their_index_are_named() {
    let [first, second] = [1, 2].map(|shard| format!("diffusion_pytorch_model-0000{shard}-of-00002.safetensors"));
    let folder = Sharded::new();
    let whole = fs::read(folder.path(&second)).unwrap();
    fs::write(folder.path(&second), &whole[..whole.len() - 5]).unwrap();
    let message = folder.error();
    assert!(message.starts_with(&format!("unet/{second} is not a usable")) && message.contains("cut off"), "{message}");

    let folder = Sharded::new();
    folder.edit_index(|map| {
        map.insert("conv_in.weights".to_owned(), first.clone());
    });
    let message = folder.error();
    assert!(message.starts_with(&format!("unet/{first} is not a usable safetensors file")), "{message}");
    assert!(
        message.contains("it lacks tensor conv_in.weights, which diffusion_pytorch_model.safetensors.index.json"),
        "{message}"
    );

    // the right tensor in the wrong shard
    let folder = Sharded::new();
    folder.edit_index(|map| {
        let shard = map.get_mut("conv_in.weight").unwrap();
        *shard = if *shard == first { second.clone() } else { first.clone() };
    });
    assert!(folder.error().contains("it lacks tensor conv_in.weight"), "{}", folder.error());

    let folder = Sharded::new();
    folder.edit_index(HashMap::clear);
    assert!(folder.error().contains("an index of shards that lists none"), "{}", folder.error());
    folder.edit_index(|map| {
        map.insert("a".to_owned(), "pytorch_model-00001-of-00002.bin".to_owned());
    });
    assert!(folder.error().contains("a shard that is no safetensors file"), "{}", folder.error());
}

#[test]
fn tensors_without_a_place_are_named() {
    let folder = copy("unet-guided");
    let file = folder.path().join(format!("{STEM}.safetensors"));
    add(&file, "mid_block.attentions.1.norm.weight");
    let error = Unet::load(folder.path(), &options()).unwrap_err().to_string();
    let expected = "tensor mid_block.attentions.1.norm.weight has no place in the network that config.json describes: ";
    assert!(error.contains(expected), "{error}");
    add(&file, "mid_block.attentions.1.norm.bias");
    let error = Unet::load(folder.path(), &options()).unwrap_err().to_string();
    assert!(error.contains("norm.bias has no place") && error.contains("describes, nor have 1 more: "), "{error}");

    // a config that asks for less than the weights hold
    let folder = copy("unet-guided");
    let config = folder.path().join("config.json");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("\"time_cond_proj_dim\": 9", "\"time_cond_proj_dim\": null")).unwrap();
    let error = Unet::load(folder.path(), &options()).unwrap_err().to_string();
    assert!(error.contains("tensor time_embedding.cond_proj.weight has no place"), "{error}");
}

#[test]
fn parts_of_a_model_that_are_not_needed_are_no_error() {
    let folder = copy("text-plain");
    for name in ["vision_model.post_layernorm.weight", "logit_scale", "text_projection.weight", "model_ema.decay"] {
        add(&folder.path().join("model.safetensors"), name);
    }
    TextEncoder::load(folder.path(), &options()).unwrap();
    // the folder as saved holds the whole encoder
    let folder = copy("vae-xl");
    let file = folder.path().join(format!("{STEM}.safetensors"));
    add(&file, "loss.logvar");
    VaeDecoder::load(folder.path(), &options()).unwrap();
    add(&file, "decoder.up_blocks.7.weight");
    let error = VaeDecoder::load(folder.path(), &options()).unwrap_err().to_string();
    assert!(error.contains("tensor decoder.up_blocks.7.weight has no place"), "{error}");
}

#[test]
fn single_file_checkpoints_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let unet = "model.diffusion_model.input_blocks.0.0.weight";
    let families = [
        ("xl", "conditioner.embedders.0.transformer.a", "of Stable Diffusion XL", "StableDiffusionXLPipeline as P"),
        ("sd", "cond_stage_model.transformer.a", "of Stable Diffusion", "StableDiffusionPipeline as P"),
        ("sd3", "model.diffusion_model.joint_blocks.0.a", "of Stable Diffusion 3", "Stable Diffusion 1, 2 or XL"),
    ];
    for (name, tensor, what, advice) in families {
        let path = folder.path().join(format!("{name}.safetensors"));
        write(&path, &[unet, tensor]);
        let error = Repository::stable_diffusion(path.to_str().unwrap(), folder.path()).unwrap_err();
        assert!(error.to_string().ends_with(&format!("is a single-file checkpoint {what}")), "{error}");
        assert!(error.hint().unwrap().contains(advice), "{:?}", error.hint());
    }
    // a folder with nothing else in it
    let error = Repository::stable_diffusion(".", folder.path()).unwrap_err();
    assert!(error.to_string().contains("sd.safetensors is a single-file checkpoint"), "{error}");
    // and one under the name of a component
    let component = copy("unet-guided");
    fs::copy(folder.path().join("xl.safetensors"), component.path().join(format!("{STEM}.safetensors"))).unwrap();
    let error = Unet::load(component.path(), &options()).unwrap_err();
    assert!(error.to_string().ends_with("is a single-file checkpoint of Stable Diffusion XL"), "{error}");
    assert!(error.hint().unwrap().contains("from_single_file("), "{:?}", error.hint());
}

#[test]
fn pickles_and_loras_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let ckpt = folder.path().join("old.ckpt");
    fs::write(&ckpt, "pickle").unwrap();
    for reference in ["old.ckpt", "."] {
        let error = Repository::stable_diffusion(reference, folder.path()).unwrap_err();
        assert!(
            error.to_string().ends_with("a file of pickled weights, which can run code when it is opened"),
            "{error}"
        );
        assert!(error.hint().unwrap().contains("save_pretrained('old')"), "{:?}", error.hint());
    }
    let lora = folder.path().join("style.safetensors");
    write(&lora, &["lora_unet_down_blocks_0_a.lora_up.weight", "lora_unet_down_blocks_0_a.lora_down.weight"]);
    let error = Repository::stable_diffusion("style.safetensors", folder.path()).unwrap_err();
    assert!(error.to_string().ends_with("is a LoRA file"), "{error}");
    assert!(error.hint().unwrap().contains("--lora"), "{:?}", error.hint());

    let component = copy("unet-guided");
    fs::remove_file(component.path().join(format!("{STEM}.safetensors"))).unwrap();
    fs::write(component.path().join(format!("{STEM}.bin")), "pickle").unwrap();
    let error = Unet::load(component.path(), &options()).unwrap_err().to_string();
    assert!(error.contains("pickled weights (diffusion_pytorch_model.bin)"), "{error}");
    assert!(error.contains("safe_serialization=True"), "{error}");
}
