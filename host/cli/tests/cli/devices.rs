//! Devices that are not here: an error before the run, with its reason, and never a run on the CPU.

use crate::env::{TestEnv, finished};

/// A suite that would run anywhere.
fn suite(env: &TestEnv) {
    env.write(
        "suites/one.toml",
        "model = \"builtin:shapes\"\n[defaults]\nsteps = 2\n[[test]]\nname = \"t\"\nprompts = [\"a red circle\"]\n\
         metrics = [\"clip_score\"]\nthreshold = { clip_score = 0.0 }\n[models]\nclip = \"builtin:shapes-clip\"\n",
    );
}

fn refused(env: &TestEnv, device: &str, says: &[&str]) {
    suite(env);
    let run = env.run(["run", "--device", device]).exits(2).says(says);
    assert!(run.stdout.is_empty() && !env.path(".difftest").exists(), "nothing was run on {device}");
}

#[test]
fn names_that_are_no_devices_get_the_list() {
    let env = TestEnv::new();
    for name in ["gpu", "cuda:", "cuda:-1", "CPU"] {
        refused(&env, name, &["--device: unknown device", "cpu, cuda, cuda:N, coreml, openvino"]);
    }
}

#[test]
#[cfg(not(target_os = "macos"))]
fn core_ml_is_apples() {
    refused(&TestEnv::new(), "coreml", &["coreml does not exist on", "use `--device cpu`"]);
}

/// No machine has ten thousand GPUs; without a driver the reason is that, and the libraries are not asked for first.
#[test]
#[cfg(not(target_os = "macos"))]
fn a_gpu_that_is_not_there_is_told_from_a_driver_that_is_not() {
    let env = TestEnv::new();
    suite(&env);
    let run = env.run(["run", "--device", "cuda:9999"]).exits(2).says(&["--device cuda:9999: ", "next:"]);
    let driver = run.stderr.contains("there is no GPU number 9999");
    let reasons = ["there is no NVIDIA driver", "the NVIDIA driver does not start", "sees no GPU", "is too old"];
    assert!(driver || reasons.iter().any(|reason| run.stderr.contains(reason)), "{}", run.stderr);
}

#[test]
#[cfg(all(target_arch = "x86_64", not(target_os = "macos")))]
fn openvino_says_how_it_is_installed() {
    let env = TestEnv::new();
    suite(&env);
    let listed = env.run(["runtime", "list"]).exits(0).stdout;
    let cpu =
        listed.lines().find_map(|line| line.split_whitespace().find(|word| word.contains("onnxruntime"))).unwrap();
    let mut command = env.command();
    command.args(["run", "--device", "openvino"]).env("ORT_DYLIB_PATH", cpu);
    if !cpu.contains("openvino") {
        finished(command.output().unwrap()).exits(2).says(&[
            "cannot use openvino",
            "is not beside it",
            "difftest runtime install openvino",
        ]);
    }
}

#[test]
fn formats_are_refused_by_name_where_a_device_has_none() {
    let env = TestEnv::new();
    suite(&env);
    env.run(["run", "--precision", "f64"]).exits(2).says(&["--precision: unknown precision", "f32, f16, bf16"]);
    env.run(["run", "--precision", "bf16"]).exits(2).says(&["cpu does not run networks in bf16", "--precision f32"]);
    let out = env.path("out.json");
    env.run(["run", "--precision", "f32", "--output", out.to_str().unwrap()]).exits(0);
    let results: serde_json::Value = serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap();
    let environment = &results["suites"][0]["generator"]["environment"];
    assert_eq!((&environment["precision"], &environment["provider"]), (&"f32".into(), &"CPUExecutionProvider".into()));
}

#[test]
fn doctor_tries_the_device_and_speaks_json() {
    let env = TestEnv::new();
    let run = env.run(["doctor", "--message-format", "json"]).exits(0);
    let said: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let check =
        |name: &str| said["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap().clone();
    assert_eq!(said["ok"], true);
    assert!(check("ONNX Runtime")["text"].as_str().unwrap().contains("CPUExecutionProvider"), "{said}");
    let determinism = check("determinism");
    assert_eq!(determinism["status"], "ok", "{determinism}");
    assert!(
        determinism["text"].as_str().unwrap().contains("the same bytes from run to run and from one thread to two")
    );
    #[cfg(not(target_os = "macos"))]
    {
        let run = env.run(["doctor", "--device", "coreml"]).exits(2);
        assert!(run.stdout.contains("BAD ") && run.stdout.contains("coreml does not exist on"), "{}", run.stdout);
    }
}

#[test]
fn what_cannot_be_installed_here_is_refused_before_a_download() {
    let env = TestEnv::new();
    env.run(["runtime", "install", "gpu"]).exits(2).says(&["unknown provider `gpu`", "cpu, cuda, openvino"]);
    #[cfg(target_os = "macos")]
    env.run(["runtime", "install", "cuda"])
        .exits(2)
        .says(&["nobody publishes ONNX Runtime with cuda for macos", "--device cpu"]);
}
