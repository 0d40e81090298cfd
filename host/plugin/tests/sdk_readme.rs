//! What the SDK's README shows, done as it says: its crates built, its suites planned, its metrics and prompts run in the sandbox.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use common::models::TestModels;
use common::sets::Gradients;
use common::{each, image, measure_with, sample, set, workspace};
use difftest_core::generate::{Prompt, PromptGenerator};
use difftest_core::image::Image;
use difftest_core::metric::{ImageSet, Item, MetricInfo, ReproducibilityClass};
use difftest_core::plan::{Catalog, Unknown, expand};
use difftest_core::suite::{ModelSpec, parse};
use difftest_plugin::{Limits, Registry, RegistryError};
use serde_json::{Value, json};

/// The blocks of code in one language, in order.
fn blocks(readme: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    readme.split(&opening).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// A crate as the README makes it. Its profile is the workspace's, so that dependencies are built once for both.
fn write_crate(folder: &Path, name: &str, code: &str) {
    fs::create_dir_all(folder.join("src")).unwrap();
    let sdk = workspace().join("sdk/rust");
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"1.2.3\"\nedition = \"2024\"\n\n[lib]\ncrate-type = [\"cdylib\"]\n\n\
         [dependencies]\ndifftest-sdk = {{ path = {sdk:?} }}\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.join("src/lib.rs"), code).unwrap();
}

struct Plugins(Registry);

impl Catalog for Plugins {
    fn metric(&self, name: &str, config: &Value) -> Result<MetricInfo, Unknown> {
        Ok(self.0.metric(name, config, None).map(|metric| metric.info().clone())?)
    }

    fn prompts(&self, name: &str, config: &Value, seed: u64, limit: u32) -> Result<Vec<Prompt>, Unknown> {
        let generator = self.0.prompt_generator(name)?;
        Ok(generator.prompts(config, seed, limit).map_err(RegistryError::from)?)
    }

    fn manifest(&self, model: &ModelSpec) -> Result<Vec<(Prompt, u64)>, Unknown> {
        panic!("the README's suites have no image folder, this one has {model:?}")
    }
}

#[test]
fn the_readme_works_as_it_is_written() {
    let readme = fs::read_to_string(workspace().join("sdk/rust/README.md")).unwrap();
    let (code, suites) = (blocks(&readme, "rust"), blocks(&readme, "toml"));
    // always the same folder: what cargo has built for it is found again
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sdk-readme");
    // the second block takes the place of the first, and the third goes below it; the next two stand alone
    write_crate(&root.join("first"), "my-metrics", &code[0]);
    write_crate(&root.join("second"), "my-metrics-2", &format!("{}\n{}", code[1], code[2]));
    write_crate(&root.join("third"), "my-metrics-3", &code[3]);
    write_crate(&root.join("fourth"), "my-metrics-4", &code[4]);
    let profile = "[profile.release]\ndebug = \"line-tables-only\"\n";
    let members = "[workspace]\nresolver = \"3\"\nmembers = [\"first\", \"second\", \"third\", \"fourth\"]\n\n";
    fs::write(root.join("Cargo.toml"), format!("{members}{profile}")).unwrap();
    fs::copy(workspace().join("Cargo.lock"), root.join("Cargo.lock")).unwrap();
    let target = workspace().join("target");
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(&root)
        .args(["build", "--release", "--offline", "--target", "wasm32-wasip2", "--target-dir"])
        .arg(&target)
        // what .cargo/config.toml sets for the workspace
        .env("CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS", "-Ctarget-feature=+simd128 -Cstrip=debuginfo")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    // each in a folder of its own, since all are `my-metrics`
    let registries = ["my_metrics.wasm", "my_metrics_2.wasm", "my_metrics_3.wasm", "my_metrics_4.wasm"].map(|file| {
        let folder = root.join("plugins").join(file);
        fs::create_dir_all(&folder).unwrap();
        fs::copy(target.join("wasm32-wasip2/release").join(file), folder.join("my_metrics.wasm")).unwrap();
        Registry::discover(&[folder], Limits::default()).unwrap().with_cache(None)
    });
    let inspection = registries[1].inspect("my-metrics").unwrap();
    assert_eq!(inspection.problem, None);
    assert_eq!(inspection.version.as_deref(), Some("1.2.3"), "from the file itself: there is no crate beside it");
    let range = |name: &str| inspection.metrics.iter().find(|metric| metric.name == name).unwrap().range;
    assert_eq!(range("my-metrics/grain"), Some((0.0, f64::INFINITY)));
    assert_eq!(range("my-metrics/has-size"), Some((0.0, 1.0)));

    let measure = |registry: &Registry, name: &str, config: &Value| {
        let sample = difftest_core::metric::Sample {
            attributes: vec![("size".to_owned(), "32x16".to_owned())],
            ..sample("suite::test[a,42]")
        };
        each(registry, name, config).unwrap().measure(&[Item::new(image(32, 16), sample)]).remove(0).unwrap()
    };
    assert!((0.1..0.9).contains(&measure(&registries[0], "my-metrics/mean-brightness", &json!({})).value));
    assert_eq!(measure(&registries[1], "my-metrics/has-size", &json!({})).value, 1.0);
    assert!(measure(&registries[1], "my-metrics/grain", &json!({})).value > 1.0, "above 1, in a range without end");
    let bright = measure(&registries[1], "my-metrics/blown-out", &json!({ "above": 10, "of": "all" }));
    assert!(bright.value > 0.0 && bright.details[0].name == "pixels");
    let slip = registries[1].metric("my-metrics/blown-out", &json!({ "abov": 10 }), None).err().unwrap();
    assert_eq!(
        slip.to_string(),
        "config of `my-metrics/blown-out`: unknown key `abov`; did you mean `above`? known keys: above, of"
    );

    compare_and_ask_models(&registries[2], &registries[3]);

    assert_eq!(suites.len(), 5);
    let [first, second, third, fourth] = registries.map(Plugins);
    for (suite, plugins) in suites.iter().zip([&first, &second, &second, &third, &fourth]) {
        let suite = parse(Path::new("suite.toml"), suite).unwrap_or_else(|errors| panic!("{errors:?}"));
        let plan = expand(&suite, suite.model.as_ref().unwrap(), None, plugins);
        let plan = plan.unwrap_or_else(|errors| panic!("{errors:?}"));
        assert!(!plan.cases.is_empty() && plan.tests.iter().all(|test| test.refused.is_empty()));
    }
}

/// The pair and set metrics, and those that ask a model: each runs, and the class is what the README says.
fn compare_and_ask_models(comparing: &Registry, asking: &Registry) {
    let class = |registry: &Registry| registry.inspect("my-metrics").unwrap().class;
    assert_eq!(class(comparing), Some(ReproducibilityClass::Exact));
    assert_eq!(class(asking), Some(ReproducibilityClass::ModelDependent));

    let drift = each(comparing, "my-metrics/drift", &json!({})).unwrap();
    let beside = |image: Image, reference: Image| {
        drift.measure(&[Item { reference: Some(reference), ..Item::new(image, sample("suite::test[a,42]")) }]).remove(0)
    };
    let grey = |level: u8| Image::new(2, 1, vec![level; 6]).unwrap();
    assert_eq!(beside(grey(10), grey(40)).unwrap().value, 30.0);
    let error = beside(grey(10), image(16, 16)).unwrap_err();
    assert!(error.message.contains("differ in size"), "{error:?}");

    // one image twice, and another
    let images: Arc<dyn ImageSet> = Gradients::new([20, 20, 30]);
    let distinct = set(comparing, "my-metrics/distinct", &json!({}), None);
    assert_eq!(distinct.measure(&images, None).unwrap().value, 2.0 / 3.0);
    // more than a plugin may hold at once: walking a set gives each image back
    let many: Arc<dyn ImageSet> = Gradients::new(vec![8; 2 * Limits::default().handles]);
    assert_eq!(distinct.measure(&many, None).unwrap().value, 1.0 / many.len() as f64);

    let models = TestModels::shared();
    let variety = set(asking, "my-metrics/variety", &json!({}), Some(&models));
    let same: Arc<dyn ImageSet> = Gradients::new([20, 20]);
    assert!((0.0..1e-6).contains(&variety.measure(&same, None).unwrap().value));
    assert!(variety.measure(&images, None).unwrap().value > 1e-6);
    let ours = image(32, 16);
    let taste = measure_with(asking, "my-metrics/taste", &json!({}), &ours, Some(&models)).unwrap();
    let embedding = models.embedder("clip").unwrap().embed_images(std::slice::from_ref(&ours)).unwrap().remove(0);
    assert_eq!(taste.value, f64::from(embedding.iter().sum::<f32>()), "the sum, as the test's `head` computes it");
    let error = measure_with(asking, "my-metrics/taste", &json!({}), &ours, None).unwrap_err();
    assert!(error.message.contains("clip"), "{error:?}");
}
