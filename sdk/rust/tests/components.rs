//! Components as authors build them: each exports the interfaces it has functions for, imports what it calls and nothing else,
//! and keeps the names that a backtrace shows.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use wasmparser::{KnownCustom, Name, Parser, Payload};

/// A package for each block of code, by its name.
const CRATES: [(&str, &str); 4] = [
    ("sdk-test-exact", EXACT),
    ("sdk-test-exact-set", EXACT_SET),
    ("sdk-test-embeddings", EMBEDDINGS),
    ("sdk-test-nn", NN),
];

/// All kinds that need no models, with `models` and `nn` in scope and unused.
const EXACT: &str = r#"
difftest_sdk::metrics! {
    /// Mean brightness.
    fn brightness(image: &Image) -> f64 {
        difftest_sdk::log::info("looking");
        mean_of_rows(&image.resize(2, 2, Filter::Nearest))
    }

    /// Difference of two means.
    fn difference(image: &Image, reference: &Image, sample: &Sample) -> Result<f64, Error> {
        sample.attribute("steps").ok_or_else(|| Error::other("no steps"))?;
        Ok(mean_of_rows(image) - mean_of_rows(reference))
    }

    /// The only one of its kind, and left out.
    #[cfg(any())]
    fn left_out(images: &ImageSet) -> f64 {
        images.len() as f64
    }
}

difftest_sdk::prompts! {
    /// One prompt.
    fn one(seed: u64) -> Vec<Prompt> {
        vec![Prompt::new(format!("number {seed}"))]
    }
}

#[inline(never)]
fn mean_of_rows(image: &Image) -> f64 {
    let luma = image.luma8();
    luma.iter().map(|&v| f64::from(v)).sum::<f64>() / luma.len() as f64
}
"#;

const EXACT_SET: &str = r#"
difftest_sdk::metrics! {
    /// How many different images there are.
    fn different(images: &ImageSet, reference: Option<&ImageSet>) -> f64 {
        let all = images.iter().chain(reference.into_iter().flatten());
        all.map(|image| image.digest()).collect::<std::collections::BTreeSet<_>>().len() as f64
    }
}
"#;

const EMBEDDINGS: &str = r#"
difftest_sdk::metrics! {
    /// First number of the first embedding.
    fn first(images: &ImageSet) -> Result<f64, Error> {
        let rows = models::embed_set("clip", images)?;
        Ok(f64::from(rows.row(0)[0]))
    }

    /// Similarity of image and prompt.
    fn similarity(image: &Image, sample: &Sample) -> Result<f64, Error> {
        let [image, text] = [models::embed_image("clip", image)?, models::embed_text("clip", &sample.prompt)?];
        Ok(image.iter().zip(&text).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum())
    }
}
"#;

const NN: &str = r#"
difftest_sdk::metrics! {
    /// What a model says of the reference.
    fn head(image: &Image, reference: &Image) -> Result<f64, Error> {
        let pixels = nn::Tensor::new(&[1, image.height() as usize, image.width() as usize, 3], &image.rgb8())?;
        let outputs = nn::Graph::by_name("head")?.compute(&[("pixels", pixels)])?;
        Ok(f64::from(outputs[0].1.values::<f32>()?[0]) * f64::from(reference.width()))
    }
}
"#;

/// Where cargo built them, all at once, with the workspace's settings, so that the SDK is built once for both.
static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sdk-components");
    for (name, code) in CRATES {
        fs::create_dir_all(root.join(name).join("src")).unwrap();
        let sdk = env!("CARGO_MANIFEST_DIR");
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"1.2.3\"\nedition = \"2024\"\n\n[lib]\ncrate-type = [\"cdylib\"]\n\n\
             [dependencies]\ndifftest-sdk = {{ path = {sdk:?} }}\n"
        );
        fs::write(root.join(name).join("Cargo.toml"), manifest).unwrap();
        fs::write(root.join(name).join("src/lib.rs"), code).unwrap();
    }
    let members: Vec<_> = CRATES.iter().map(|(name, _)| *name).collect();
    let manifest = format!(
        "[workspace]\nresolver = \"3\"\nmembers = {members:?}\n\n[profile.release]\ndebug = \"line-tables-only\"\n"
    );
    fs::write(root.join("Cargo.toml"), manifest).unwrap();
    fs::copy(workspace.join("Cargo.lock"), root.join("Cargo.lock")).unwrap();
    let target = workspace.join("target");
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(&root)
        .args(["build", "--release", "--offline", "--target", "wasm32-wasip2", "--target-dir"])
        .arg(&target)
        // what .cargo/config.toml sets for the workspace
        .env("CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS", "-Ctarget-feature=+simd128 -Cstrip=debuginfo")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    target.join("wasm32-wasip2/release")
});

/// What a component shows of itself, without the interfaces of `wasi:` that the standard library brings.
#[derive(Default)]
struct Component {
    imports: BTreeSet<String>,
    exports: BTreeSet<String>,
    /// Lines of the custom sections with the package's name.
    package: String,
    /// Of all modules in it.
    functions: Vec<String>,
}

fn component(name: &str) -> Component {
    let bytes = fs::read(BUILT.join(name.replace('-', "_")).with_extension("wasm")).unwrap();
    let mut component = Component::default();
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(&bytes) {
        match payload.unwrap() {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 1 => {
                let names = section.into_iter().map(|import| import.unwrap().name.0);
                component.imports.extend(names.filter_map(short));
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                let names = section.into_iter().map(|export| export.unwrap().name.0);
                component.exports.extend(names.filter_map(short));
            }
            Payload::CustomSection(section) if section.name() == "difftest:package" => {
                component.package += std::str::from_utf8(section.data()).unwrap();
            }
            Payload::CustomSection(section) => {
                let KnownCustom::Name(names) = section.as_known() else { continue };
                for name in names {
                    let Name::Function(functions) = name.unwrap() else { continue };
                    component.functions.extend(functions.into_iter().map(|named| named.unwrap().name.to_owned()));
                }
            }
            _ => {}
        }
    }
    component
}

/// `media` for `difftest:plugin/media@0.1.0`, `nn/tensor` for that of `wasi:nn`, nothing for what the standard library needs.
fn short(name: &str) -> Option<String> {
    let (own, nn) =
        (name.strip_prefix("difftest:plugin/"), name.strip_prefix("wasi:nn/").map(|rest| format!("nn/{rest}")));
    assert!(own.is_some() || name.starts_with("wasi:"), "{name}");
    let name = own.map(str::to_owned).or(nn)?;
    Some(name.split('@').next().unwrap().to_owned())
}

fn assert_component(name: &str, imports: &[&str], exports: &[&str]) {
    let component = component(name);
    assert_eq!(component.imports.iter().map(String::as_str).collect::<Vec<_>>(), imports, "imports of {name}");
    assert_eq!(component.exports.iter().map(String::as_str).collect::<Vec<_>>(), exports, "exports of {name}");
}

#[test]
fn what_asks_no_model_is_exact() {
    assert_component("sdk-test-exact", &["log", "media", "types"], &["metric", "pair-metric", "prompts"]);
    assert_component("sdk-test-exact-set", &["media", "types"], &["set-metric"]);
}

#[test]
fn what_asks_a_model_says_so_in_its_imports() {
    assert_component("sdk-test-embeddings", &["embeddings", "media", "types"], &["metric", "set-metric"]);
    let imports = ["media", "nn/errors", "nn/graph", "nn/inference", "nn/tensor", "types"];
    assert_component("sdk-test-nn", &imports, &["pair-metric"]);
}

#[test]
fn a_component_names_its_package_and_its_functions() {
    let component = component("sdk-test-exact");
    // one line for each block, of which the host reads the first
    assert_eq!(component.package, "sdk-test-exact 1.2.3\n".repeat(2));
    assert!(component.functions.iter().any(|name| name.contains("mean_of_rows")), "{:?}", component.functions);
}
