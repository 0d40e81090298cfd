//! Models of a hub: fetched, found again, resumed, checked; what a person is told where one cannot be had.

use std::fs;
use std::process::Command;

use difftest_hub_loopback::{Fault, Loopback};
use serde_json::Value;

use crate::env::{Finished, TestEnv, finished, workspace};

const SUITE: &str = "\
model = \"acme/shapes\"

[models]
clip = \"acme/shapes-clip\"

[[test]]
name = \"a\"
prompts = [\"a red circle on a blue background\"]
seeds = [1]
steps = 2
metrics = [\"clip_score\"]
";

/// A folder to work in, a hub with the built-in models under other names, and a cache of its own.
struct World {
    env: TestEnv,
    hub: Loopback,
    commit: String,
}

impl World {
    fn new() -> Self {
        let hub = Loopback::start();
        let models = workspace().join("suites/models");
        let commit = hub.commit_folder("acme/shapes", "main", &models.join("shapes"));
        hub.commit_folder("acme/shapes-clip", "main", &models.join("shapes-clip"));
        let env = TestEnv::new();
        env.write("suites/suite.toml", SUITE);
        Self { env, hub, commit }
    }

    fn command(&self) -> Command {
        let mut command = self.env.command();
        for name in ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH"] {
            command.env_remove(name);
        }
        for name in ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_SYMLINKS"] {
            command.env_remove(name);
        }
        command.env("HF_ENDPOINT", self.hub.url()).env("HF_HOME", self.env.path("hf"));
        command.env("HF_HUB_DOWNLOAD_TIMEOUT", "2").env("HF_HUB_ETAG_TIMEOUT", "2");
        command
    }

    fn run(&self, arguments: &[&str]) -> Finished {
        finished(self.command().args(arguments).output().unwrap())
    }

    fn results(&self, more: &[&str]) -> Value {
        let arguments = [&["run", "suite", "--output", "results.json"], more].concat();
        self.run(&arguments).exits(0);
        self.env.results()
    }

    /// Requests for contents of large files.
    fn bodies(&self) -> usize {
        self.hub.requests().iter().filter(|request| request.to_storage).count()
    }
}

#[test]
fn a_run_fetches_what_it_needs_records_the_commit_and_asks_no_more() {
    let world = World::new();
    let results = world.results(&[]);
    let generator = &results["suites"][0]["generator"];
    assert_eq!(generator["model"], "acme/shapes");
    assert_eq!(generator["revision"], world.commit.as_str());
    assert_eq!(world.bodies(), 4, "three networks and CLIP");
    let images = |results: &Value| results["suites"][0]["cases"][0]["image"]["digest"].clone();
    assert!(images(&results).is_string());

    // the same from the cache, and offline without any request
    world.hub.forget();
    let again = world.results(&[]);
    assert_eq!(world.bodies(), 0);
    world.hub.forget();
    let offline = world.results(&["--offline"]);
    assert!(world.hub.requests().is_empty());
    assert_eq!([images(&again), images(&offline)], [images(&results), images(&results)]);
    // and the same as from the folder that the hub has
    let folder = workspace().join("suites/models/shapes");
    let local = world.results(&["--model", folder.to_str().unwrap()]);
    assert_eq!(images(&local), images(&results));
    assert!(local["suites"][0]["generator"].get("revision").is_none());

    // a commit that is in the cache needs no hub
    world.hub.forget();
    world.results(&["--model", &format!("acme/shapes@{}", world.commit)]);
    assert!(world.hub.requests().iter().all(|request| !request.path.contains("acme/shapes/")));
}

#[test]
fn a_hub_that_is_away_is_no_reason_not_to_use_the_cache() {
    let world = World::new();
    world.results(&[]);
    world.hub.fault("/api/", 99, Fault::Status(503, Vec::new()));
    let mut command = world.command();
    // nobody listens there
    command.args(["run", "suite"]).env("HF_ENDPOINT", "http://127.0.0.1:1");
    finished(command.output().unwrap()).exits(0).says(&["cannot be reached", "is taken from the cache"]);
}

#[test]
fn offline_what_is_missing_is_named_with_the_way_to_get_it() {
    let world = World::new();
    let all = ["acme/shapes is not in the cache", "--offline forbids", "difftest model fetch acme/shapes"];
    world.run(&["run", "suite", "--offline"]).exits(2).says(&all);
    let mut command = world.command();
    command.args(["run", "suite"]).env("HF_HUB_OFFLINE", "1");
    finished(command.output().unwrap()).exits(2).says(&["HF_HUB_OFFLINE=1 forbids"]);
    assert!(world.hub.requests().is_empty());
    // one file is gone
    world.results(&[]);
    let snapshot = world.env.path("hf/hub/models--acme--shapes/snapshots").join(&world.commit);
    fs::remove_file(snapshot.join("unet/diffusion_pytorch_model.safetensors")).unwrap();
    let missing = world.run(&["run", "suite", "--offline"]).exits(2);
    missing.says(&["diffusion_pytorch_model.safetensors of acme/shapes", "difftest model fetch acme/shapes"]);
}

#[test]
fn list_plans_without_fetching_a_pipeline() {
    let world = World::new();
    world.run(&["list", "suite", "--model", "acme/shapes"]).exits(2).says(&["difftest model fetch acme/shapes-clip"]);
    world.run(&["model", "fetch", "acme/shapes-clip"]).exits(0);
    world.hub.forget();
    world.run(&["list", "suite"]).exits(0);
    assert!(world.hub.requests().is_empty());
}

#[test]
fn a_fetch_that_was_cut_off_goes_on() {
    let world = World::new();
    let unet = fs::read(workspace().join("suites/models/shapes/unet/diffusion_pytorch_model.safetensors")).unwrap();
    let name = difftest_core::digest::Digest::of(&unet).to_string();
    // each of the five tries brings a thousand bytes
    world.hub.fault(&name, 5, Fault::Cut(1000));
    world.run(&["model", "fetch", "acme/shapes"]).exits(2).says(&["5 times", "5000 of", "goes on from there"]);
    world.hub.forget();
    world.run(&["model", "fetch", "acme/shapes"]).exits(0).says(&["going on after 5 kB of"]);
    let requests = world.hub.requests();
    let asked: Vec<_> = requests.iter().filter(|request| request.to_storage && request.path.contains(&name)).collect();
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].header("range"), asked[0].sent), (Some("bytes=5000-"), unet.len() - 5000));
}

#[test]
fn fetch_info_and_check_tell_people_and_programs() {
    let world = World::new();
    let info = world.run(&["model", "info", "acme/shapes"]).exits(0).stdout;
    for part in ["StableDiffusionPipeline", "main is", "50 steps, guidance 7.5", "unet", "to fetch"] {
        assert!(info.contains(part), "no {part:?} in\n{info}");
    }
    assert_eq!(world.bodies(), 0);
    let fetched = world.run(&["model", "fetch", "acme/shapes", "--message-format", "json"]).exits(0).stdout;
    let fetched: Value = serde_json::from_str(&fetched).unwrap();
    assert_eq!(fetched["commit"], world.commit.as_str());
    let folder = fetched["folder"].as_str().unwrap();
    let said = world.run(&["model", "fetch", "acme/shapes"]).exits(0).stdout;
    assert_eq!(said.trim_end(), folder);
    let info = world.run(&["model", "info", "acme/shapes", "--message-format", "json"]).exits(0).stdout;
    let info: Value = serde_json::from_str(&info).unwrap();
    assert_eq!((info["to_come"].as_u64(), info["class"].as_str()), (Some(0), Some("StableDiffusionPipeline")));
    world.run(&["model", "info", "acme/shapes", "--offline"]).exits(0);
    let local = workspace().join("suites/models/shapes-clip");
    let local = world.run(&["model", "info", local.to_str().unwrap()]).exits(0).stdout;
    assert!(local.contains("CLIP"), "{local}");

    let checked = world.run(&["model", "check", "acme/shapes"]).exits(0).stdout;
    assert!(checked.contains("all as they should be"), "{checked}");
    world.run(&["model", "check", folder]).exits(0);
    let weights = std::path::Path::new(folder).join("unet/diffusion_pytorch_model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&weights, bytes).unwrap();
    let damaged = world.run(&["model", "check", "acme/shapes", "--message-format", "json"]).exits(2);
    let document: Value = serde_json::from_str(&damaged.stdout).unwrap();
    assert_eq!(document["good"], false);
    damaged.says(&["1 of", "--remove"]);
    world.run(&["model", "check", "acme/shapes", "--remove"]).exits(2).says(&["removed", "difftest model fetch"]);
    world.hub.forget();
    world.run(&["model", "fetch", "acme/shapes"]).exits(0);
    assert_eq!(world.bodies(), 1);
    world.run(&["model", "check", "acme/shapes"]).exits(0);
    // a folder whose weights were cut short
    let copy = world.env.path("copy");
    fs::create_dir_all(copy.join("unet")).unwrap();
    world.run(&["model", "check", "copy"]).exits(2).says(&["model_index.json"]);
    world.run(&["model", "check", "nobody/nothing"]).exits(2).says(&["not in the cache"]);
}

#[test]
fn every_family_and_every_export_comes_whole() {
    let world = World::new();
    let golden = workspace().join("host/diffusion/tests/golden");
    let folders = ["families", "ready"].map(|folder| fs::read_dir(golden.join(folder)).unwrap());
    let models = folders.into_iter().flatten().flatten().map(|entry| entry.path());
    let mut count = 0;
    for folder in models.filter(|folder| folder.join("model_index.json").is_file()) {
        // what cannot be run from its folder cannot be run from the hub
        if world.run(&["model", "check", folder.to_str().unwrap()]).code != 0 {
            continue;
        }
        let id = format!("acme/{}", folder.file_name().unwrap().to_str().unwrap());
        world.hub.commit_folder(&id, "main", &folder);
        let fetched = world.run(&["model", "fetch", &id]).exits(0).stdout;
        // all that is needed is there
        world.run(&["model", "check", &id]).exits(0);
        world.run(&["model", "check", fetched.trim_end()]).exits(0);
        count += 1;
    }
    assert!(count >= 7, "{count} models");
}

#[test]
fn mistakes_are_told_where_the_suite_makes_them() {
    let world = World::new();
    let ask = |model: &str| {
        let suite = SUITE.replace("\"acme/shapes\"", &format!("\"{model}\""));
        world.env.write("suites/suite.toml", suite);
        world.run(&["run", "suite"]).exits(2)
    };
    ask("acme/none").says(&["there is no model acme/none", "there is no folder", "suite.toml:1", "HF_TOKEN"]);
    ask("acme/shapes@v9").says(&["has no revision", "`v9`", "suite.toml:1"]);
    world.hub.commit(
        "acme/pickles",
        "main",
        &[
            ("model_index.json", b"{}".to_vec()),
            ("unet/config.json", b"{}".to_vec()),
            ("unet/diffusion_pytorch_model.bin", vec![0; 1000]),
        ],
    );
    world.hub.forget();
    ask("acme/pickles").says(&["pickled weights only", "nothing of it was fetched", "save_pretrained"]);
    assert!(world.hub.requests().iter().all(|request| !request.path.contains("/resolve/")));
    // another class is known before its weights come
    let other = br#"{"_class_name": "KandinskyPipeline"}"#.to_vec();
    world.hub.commit(
        "acme/other",
        "main",
        &[
            ("model_index.json", other),
            ("unet/config.json", b"{}".to_vec()),
            ("unet/diffusion_pytorch_model.safetensors", vec![0; 1000]),
        ],
    );
    world.hub.forget();
    ask("acme/other").says(&["KandinskyPipeline", "supported"]);
    assert_eq!(world.bodies(), 0);
    world.hub.make_gated("acme/shapes", "hf_member");
    ask("acme/shapes").says(&["is gated", "accept its conditions"]);
    world.run(&["model", "fetch", "a/b/c"]).exits(2).says(&["ORG/NAME"]);
    world.run(&["model", "fetch", "acme/shapes", "--precision", "int4"]).exits(2).says(&["--precision", "f16"]);
    let mut command = world.command();
    command.args(["model", "fetch", "acme/shapes"]).env("HF_TOKEN", "hf_member");
    let member = finished(command.output().unwrap()).exits(0);
    assert!(!member.stderr.contains("hf_member"));
}
