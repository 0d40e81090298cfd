//! Every way a model folder can be wrong is one error that names the file and the part of it.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;

use difftest_diffusion::models::{ClipModel, TextEncoder, Unet, VaeDecoder};
use safetensors::SafeTensors;
use serde_json::{Value, json};
use support::{copy_of_network as copy, golden_path, options};
use tempfile::TempDir;

const WEIGHTS: &str = "diffusion_pytorch_model.safetensors";

fn edit_config(folder: &Path, edit: impl FnOnce(&mut Value)) {
    let path = folder.join("config.json");
    let mut config = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    edit(&mut config);
    fs::write(path, config.to_string()).unwrap();
}

/// The message of loading a UNet, without the folder's name.
fn unet_error(folder: &TempDir) -> String {
    let error = Unet::load(folder.path(), &options()).unwrap_err();
    error.to_string().replace(folder.path().to_str().unwrap(), "unet").replace('\\', "/")
}

#[test]
fn options_that_are_not_implemented_are_named() {
    let refusals = [
        ("class_embed_type", json!("timestep")),
        ("addition_embed_type", json!("text_image")),
        ("num_attention_heads", json!(8)),
        ("mid_block_type", json!("UNetMidBlock2DSimpleCrossAttn")),
        ("resnet_time_scale_shift", json!("scale_shift")),
        ("encoder_hid_dim_type", json!("text_proj")),
        ("dual_cross_attention", json!(true)),
        ("act_fn", json!("gelu")),
        ("down_block_types", json!(["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "KDownBlock2D"])),
        ("a_key_from_the_future", json!("on")),
    ];
    for (key, value) in refusals {
        let folder = copy("unet-linear");
        edit_config(folder.path(), |config| config[key] = value.clone());
        let message = unet_error(&folder);
        let expected = format!("unet/config.json: {key} = {value} is not supported");
        assert!(message.starts_with(&expected), "{message}");
        // a key that is not known has no value that would do
        assert_eq!(message.contains("(supported: "), key != "a_key_from_the_future", "{message}");
    }
}

#[test]
fn values_that_make_no_sense_are_explained() {
    for (key, value, part) in [
        ("block_out_channels", json!("wide"), "block_out_channels must be a list of sizes, found \"wide\""),
        ("block_out_channels", json!([4, 7, 8]), "must be a list of multiples of norm_num_groups 2, found [4,7,8]"),
        ("attention_head_dim", json!(3), "attention_head_dim must be divisors of block_out_channels"),
        ("layers_per_block", json!([1, 2]), "one value, or a list of 3 (one for each block), found [1,2]"),
        ("in_channels", json!(0), "in_channels must be a positive integer, found 0"),
        (
            "addition_embed_type",
            json!("text_time"),
            "addition_time_embed_dim must be a positive integer, found nothing",
        ),
        ("time_cond_proj_dim", json!(2), "time_cond_proj_dim must be a size of at least 4, found 2"),
        ("transformer_layers_per_block", json!([1, [1, 1], 1]), "reverse_transformer_layers_per_block must be a list"),
        (
            "transformer_layers_per_block",
            json!([1, 2]),
            "for each of 3 blocks a number or [1, 2, 1] numbers, found [1,2]",
        ),
        ("conv_in_kernel", json!(2), "conv_in_kernel must be an odd number, found 2"),
        ("sample_size", Value::Null, "sample_size must be a size, or a height and a width, found nothing"),
    ] {
        let folder = copy("unet-linear");
        edit_config(folder.path(), |config| config[key] = value);
        let message = unet_error(&folder);
        assert!(message.starts_with("unet/config.json: ") && message.contains(part), "{message}");
    }
    let folder = copy("unet-linear");
    fs::write(folder.path().join("config.json"), "{").unwrap();
    assert!(unet_error(&folder).starts_with("unet/config.json is not a JSON object: EOF"), "{}", unet_error(&folder));
    fs::remove_file(folder.path().join("config.json")).unwrap();
    assert_eq!(unet_error(&folder), "cannot read unet/config.json");
}

/// A number that would take a lifetime to build, or all memory to hold, ends at once.
#[test]
fn numbers_beyond_any_network_are_refused() {
    let huge = 1u64 << 62;
    for (key, value) in [
        ("layers_per_block", json!(1_000_000_000)),
        ("layers_per_block", json!(huge)),
        ("transformer_layers_per_block", json!(huge)),
        ("block_out_channels", json!([huge, 8, 8])),
        ("block_out_channels", json!(vec![8; 70])),
        ("cross_attention_dim", json!(huge)),
        ("time_cond_proj_dim", json!(huge)),
        ("sample_size", json!(huge)),
        ("in_channels", json!(huge)),
    ] {
        let folder = copy("unet-linear");
        edit_config(folder.path(), |config| config[key] = value);
        let message = unet_error(&folder);
        assert!(message.starts_with(&format!("unet/config.json: {key} must be ")), "{message}");
    }
    for (key, value) in [("layers_per_block", json!(huge)), ("block_out_channels", json!([huge, huge]))] {
        let folder = copy("vae-old");
        edit_config(folder.path(), |config| config[key] = value);
        let message = VaeDecoder::load(folder.path(), &options()).unwrap_err().to_string();
        assert!(message.contains(&format!("config.json: {key} must be ")), "{message}");
    }
    // Which is many, but not too many to say what is missing.
    let folder = copy("unet-linear");
    edit_config(folder.path(), |config| config["layers_per_block"] = json!(1000));
    assert!(unet_error(&folder).contains("is missing"), "{}", unet_error(&folder));
}

#[test]
fn a_scaling_factor_of_zero_is_refused() {
    for factor in [json!(0), json!(-1.5)] {
        let folder = copy("vae-old");
        edit_config(folder.path(), |config| config["scaling_factor"] = factor);
        let message = VaeDecoder::load(folder.path(), &options()).unwrap_err().to_string();
        assert!(message.contains("config.json: scaling_factor must be a number above 0, found "), "{message}");
    }
}

#[test]
fn other_networks_are_refused_by_their_options_too() {
    let folder = copy("vae-old");
    edit_config(folder.path(), |config| config["act_fn"] = json!("mish"));
    let error = VaeDecoder::load(folder.path(), &options()).unwrap_err().to_string();
    assert!(error.contains("config.json: act_fn = \"mish\" is not supported"), "{error}");

    let folder = copy("clip-gelu");
    edit_config(folder.path(), |config| config["vision_config"]["hidden_act"] = json!("relu"));
    let error = ClipModel::load(folder.path(), &options()).unwrap_err().to_string();
    let expected = "vision_config.hidden_act = \"relu\" is not supported (supported: \"quick_gelu\", \"gelu\")";
    assert!(error.ends_with(expected), "{error}");

    let error = TextEncoder::load(folder.path(), &options()).unwrap_err().to_string();
    assert!(error.contains("config.json: architectures = [\"CLIPModel\"] is not supported"), "{error}");
}

#[test]
fn files_cut_short_at_any_place_are_refused() {
    let whole = fs::read(golden_path("networks/unet-linear").join(WEIGHTS)).unwrap();
    for length in [0, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
        let folder = copy("unet-linear");
        fs::write(folder.path().join(WEIGHTS), &whole[..length]).unwrap();
        let message = unet_error(&folder);
        assert!(message.starts_with(&format!("unet/{WEIGHTS} is not a usable safetensors file: ")), "{message}");
        assert!(message.contains("cut off"), "{length}: {message}");
    }
    let folder = copy("unet-linear");
    fs::write(folder.path().join(WEIGHTS), [whole, vec![0; 3]].concat()).unwrap();
    let message = unet_error(&folder);
    assert!(message.contains("it is too long: ") && !message.contains("cut off"), "{message}");
}

/// What stands in the place of a file is said, with what to do about it.
#[test]
fn what_is_no_file_is_named() {
    let cause = |change: &dyn Fn(&Path), file: &str| {
        let folder = copy("unet-linear");
        let path = folder.path().join(file);
        fs::remove_file(&path).unwrap();
        change(&path);
        let error = Unet::load(folder.path(), &options()).unwrap_err();
        assert!(error.to_string().ends_with(file) && error.to_string().starts_with("cannot read "), "{error}");
        std::error::Error::source(&error).unwrap().to_string()
    };
    for file in [WEIGHTS, "config.json"] {
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n";
        assert!(cause(&|path| fs::write(path, pointer).unwrap(), file).contains("git lfs pull"));
        let page = "\n<!DOCTYPE html><title>403</title>";
        assert!(cause(&|path| fs::write(path, page).unwrap(), file).contains("an HTML page"));
        assert!(cause(&|path| fs::create_dir(path).unwrap(), file).contains("a folder, not a regular file"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::symlink;
            let socket = |path: &Path| drop(std::os::unix::net::UnixListener::bind(path).unwrap());
            assert!(cause(&socket, file).contains("a socket, not a regular file"));
            assert!(cause(&|path| symlink("/dev/zero", path).unwrap(), file).contains("a device, not a regular file"));
            let nothing = cause(&|path| symlink("../blobs/0123", path).unwrap(), file);
            assert!(nothing.contains("a link to ../blobs/0123, which does not exist"), "{nothing}");
            let circle = cause(&|path| symlink(path.file_name().unwrap(), path).unwrap(), file);
            assert!(circle.contains("it is a link to") && circle.contains("leads to no file"), "{circle}");
            // A pipe without a writer blocks whoever opens it.
            let pipe =
                |path: &Path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
            assert!(cause(&pipe, file).contains("a pipe, not a regular file"));
        }
    }
}

#[test]
fn missing_weights_say_what_was_looked_for() {
    let folder = copy("unet-linear");
    fs::remove_file(folder.path().join(WEIGHTS)).unwrap();
    let plain =
        format!("no safetensors weights in unet (looked for {WEIGHTS}, diffusion_pytorch_model.fp16.safetensors, ");
    assert!(unet_error(&folder).starts_with(&plain), "{}", unet_error(&folder));
    fs::write(folder.path().join("diffusion_pytorch_model.bin"), "pickle").unwrap();
    assert!(unet_error(&folder).contains("safe_serialization=True"));

    let folder = copy("unet-cross");
    let shard = "diffusion_pytorch_model-00002-of-00002.safetensors";
    fs::remove_file(folder.path().join(shard)).unwrap();
    assert_eq!(unet_error(&folder), format!("cannot read unet/{shard}"));
    let index = folder.path().join(format!("{WEIGHTS}.index.json"));
    fs::write(&index, json!({"weight_map": {"a": "../secret.safetensors"}}).to_string()).unwrap();
    assert!(unet_error(&folder).contains("outside of its folder"));
}

#[test]
fn the_fp16_variant_is_found() {
    let folder = copy("unet-linear");
    let variant = folder.path().join("diffusion_pytorch_model.fp16.safetensors");
    fs::rename(folder.path().join(WEIGHTS), variant).unwrap();
    support::check_prediction(&Unet::load(folder.path(), &options()).unwrap(), "unet-linear-even");
}

/// Rewrites one tensor of a file: its name, shape, type and bytes.
fn edit_tensor(path: &Path, name: &str, edit: impl Fn(&mut String, &mut Value, &mut [u8])) {
    let bytes = fs::read(path).unwrap();
    let (length, _) = SafeTensors::read_metadata(&bytes).unwrap();
    let mut header: serde_json::Map<String, Value> = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let mut data = bytes[8 + length..].to_vec();
    let mut entry = header.remove(name).unwrap();
    let offsets: [usize; 2] = serde_json::from_value(entry["data_offsets"].clone()).unwrap();
    let mut new_name = name.to_owned();
    edit(&mut new_name, &mut entry, &mut data[offsets[0]..offsets[1]]);
    header.insert(new_name, entry);
    let header = Value::Object(header).to_string();
    let file = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat();
    fs::write(path, file).unwrap();
}

#[test]
fn wrong_tensors_are_named() {
    let name = "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight";
    let message = |edit: &dyn Fn(&mut String, &mut Value, &mut [u8])| {
        let folder = copy("unet-linear");
        edit_tensor(&folder.path().join(WEIGHTS), name, edit);
        let message = unet_error(&folder);
        message
            .strip_prefix(&format!("unet/{WEIGHTS}: tensor {name} "))
            .unwrap_or_else(|| panic!("{message}"))
            .to_owned()
    };
    assert!(message(&|name, _, _| name.push('x')).starts_with("is missing"));
    assert_eq!(
        message(&|_, entry, _| entry["shape"] = json!([6, 8])),
        "has shape [6, 8] where config.json asks for [8, 6]"
    );
    assert!(message(&|_, entry, _| entry["dtype"] = json!("I16")).starts_with("has element type I16"));
    // f16: NaN, infinity
    for bad in [[0x00, 0x7e], [0x00, 0xfc]] {
        let message = message(&|_, _, bytes| bytes[14..16].copy_from_slice(&bad));
        assert!(message.starts_with("holds NaN or infinity (element 7)"), "{message}");
    }
}

#[test]
fn damage_in_tensors_that_no_graph_reads_is_no_error() {
    let folder = copy("clip-gelu");
    // it scales training's logits; an embedding does not depend on it
    edit_tensor(&folder.path().join("model.safetensors"), "logit_scale", |_, _, bytes| {
        bytes.copy_from_slice(&f32::NAN.to_le_bytes());
    });
    ClipModel::load(folder.path(), &options()).unwrap();
}

#[test]
fn arguments_of_other_sizes_are_refused() {
    let unet = Unet::load(&golden_path("networks/unet-linear"), &options()).unwrap();
    let error = unet.predict(&[0.0; 7], [1, 4, 8, 8], 1.0, &[0.0; 6]).unwrap_err();
    assert_eq!(error.to_string(), "latents: expected 256 values, got 7");
    let error = unet.predict(&[0.0; 256], [1, 4, 8, 8], 1.0, &[0.0; 7]).unwrap_err();
    assert_eq!(error.to_string(), "prompt embeddings: expected 6 values, got 7");
    let clip = ClipModel::load(&golden_path("networks/clip-gelu"), &options()).unwrap();
    let error = clip.embed_text(&[1, 2, 3, 4, 5, 6, 7, 8, 40], 1).unwrap_err();
    assert!(error.to_string().starts_with("token id 40 is outside the vocabulary of 40 tokens"));
    assert!(clip.embed_text(&[-1; 9], 1).is_err());
    assert!(clip.embed_image(&[0.0; 5], 1).is_err());
}
