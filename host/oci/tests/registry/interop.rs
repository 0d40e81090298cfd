//! Other tools read what is pushed here, and what they push is read here.

use std::path::Path;
use std::process::Command;

use difftest_core::digest::Digest;
use difftest_oci::Error;

use crate::server::{Registry, artifact, client, component, quiet, skip, tool};

/// Runs a tool; a failure shows what it said.
#[track_caller]
fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{said}{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn skopeo_copies_a_plugin_out_and_in_again_without_changing_a_digest() {
    let Some(skopeo) = tool("DIFFTEST_SKOPEO", "usr/bin/skopeo", "skopeo") else {
        skip("there is no skopeo on the path");
        return;
    };
    let Some(registry) = Registry::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let wasm = component(100_000);
    let reference = registry.reference("acme/a:1.0.0");
    let pushed = client().push(&reference, &artifact(&wasm), false, &mut quiet).unwrap();
    // skopeo wants to be told whose signatures to trust; these have none
    let policy = folder.path().join("policy.json");
    std::fs::write(&policy, "{\"default\":[{\"type\":\"insecureAcceptAnything\"}]}").unwrap();
    let copy = |from: &str, to: &str| {
        let mut command = Command::new(&skopeo);
        command.arg("--policy").arg(&policy).args(["copy", "--src-tls-verify=false", "--dest-tls-verify=false"]);
        succeed(command.args([from, to]));
    };
    let layout = format!("oci:{}:1.0.0", folder.path().join("layout").display());
    copy(&format!("docker://{}", reference.bare()), &layout);
    let blob = folder.path().join("layout/blobs/sha256").join(Digest::of(&wasm).to_string());
    assert_eq!(std::fs::read(blob).unwrap(), wasm);
    copy(&layout, &format!("docker://{}/copied:1.0.0", registry.address));
    let pulled = client().pull(&registry.reference("copied:1.0.0"), &mut quiet).unwrap();
    assert_eq!((pulled.wasm, pulled.resolved.manifest), (wasm, pushed.manifest));
}

#[test]
fn a_container_image_pushed_by_skopeo_is_told_from_a_plugin() {
    let Some(skopeo) = tool("DIFFTEST_SKOPEO", "usr/bin/skopeo", "skopeo") else {
        skip("there is no skopeo on the path");
        return;
    };
    let Some(registry) = Registry::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    container_image(&folder.path().join("layout"));
    let mut command = Command::new(&skopeo);
    command.args(["--insecure-policy", "copy", "--dest-tls-verify=false"]);
    command.arg(format!("oci:{}:1.0.0", folder.path().join("layout").display()));
    succeed(command.arg(format!("docker://{}/image:1.0.0", registry.address)));
    let error = client().pull(&registry.reference("image:1.0.0"), &mut quiet).unwrap_err();
    assert!(matches!(error, Error::NotAPlugin { .. }), "{error}");
    assert!(error.to_string().contains("it is a container image"), "{error}");
    // and is not pushed over by mistake
    let (reference, wasm) = (registry.reference("image:1.0.0"), component(100));
    let error = client().push(&reference, &artifact(&wasm), false, &mut quiet).unwrap_err();
    assert!(matches!(error, Error::Occupied { .. }), "{error}");
    client().push(&reference, &artifact(&wasm), true, &mut quiet).unwrap();
    assert_eq!(client().pull(&reference, &mut quiet).unwrap().wasm, wasm);
}

/// The smallest container image, as an OCI layout: an empty tar as its one layer.
fn container_image(folder: &Path) {
    let blobs = folder.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let blob = |bytes: &[u8], kind: &str| {
        let digest = Digest::of(bytes);
        std::fs::write(blobs.join(digest.to_string()), bytes).unwrap();
        format!(
            "{{\"mediaType\":\"application/vnd.oci.image.{kind}\",\"digest\":\"sha256:{digest}\",\"size\":{}",
            bytes.len()
        )
    };
    let tar = vec![0; 1024];
    let layer = blob(&tar, "layer.v1.tar") + "}";
    let config = format!(
        "{{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{{}},\"rootfs\":{{\"type\":\"layers\",\"diff_ids\":[\"sha256:{}\"]}}}}",
        Digest::of(&tar)
    );
    let config = blob(config.as_bytes(), "config.v1+json") + "}";
    let manifest = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":{config},\"layers\":[{layer}]}}"
    );
    let manifest = blob(manifest.as_bytes(), "manifest.v1+json")
        + ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"1.0.0\"}}";
    std::fs::write(folder.join("index.json"), format!("{{\"schemaVersion\":2,\"manifests\":[{manifest}]}}")).unwrap();
    std::fs::write(folder.join("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}").unwrap();
}

#[test]
fn wkg_pulls_what_is_pushed_here_and_pushes_what_is_pulled_here() {
    let Some(wkg) = tool("DIFFTEST_WKG", "bin/wkg", "wkg") else {
        skip("there is no wkg in target/tools/bin or on the path");
        return;
    };
    let Some(registry) = Registry::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    // wkg reads the component, so this is a real one
    let wasm = wat::parse_str("(component (core module $m (func (export \"f\"))))").unwrap();
    let reference = registry.reference("acme/a:1.0.0");
    client().push(&reference, &artifact(&wasm), false, &mut quiet).unwrap();
    let out = folder.path().join("out.wasm");
    let insecure = ["--insecure", &registry.address];
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&wkg);
        command.current_dir(folder.path()).env("HOME", folder.path()).env("XDG_CONFIG_HOME", folder.path());
        succeed(command.arg("oci").args(arguments));
    };
    run(&["pull", insecure[0], insecure[1], &reference.bare(), "--output", out.to_str().unwrap()]);
    assert_eq!(std::fs::read(&out).unwrap(), wasm);

    let theirs = registry.reference("acme/theirs:0.2.0");
    run(&["push", insecure[0], insecure[1], &theirs.bare(), out.to_str().unwrap(), "--annotation", "a=b"]);
    let pulled = client().pull(&theirs, &mut quiet).unwrap();
    assert_eq!(pulled.wasm, wasm);
    assert_eq!(pulled.resolved.annotations["a"], "b");
}

#[test]
fn oras_pulls_what_is_pushed_here_and_pushes_what_is_pulled_here() {
    let Some(oras) = tool("DIFFTEST_ORAS", "bin/oras", "oras") else {
        skip("there is no oras in target/tools/bin or on the path");
        return;
    };
    let Some(registry) = Registry::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let wasm = component(10_000);
    std::fs::write(folder.path().join("mine.wasm"), &wasm).unwrap();
    let run = |arguments: &[&str]| {
        succeed(Command::new(&oras).current_dir(folder.path()).args(arguments).arg("--plain-http"));
    };
    let theirs = registry.reference("theirs:1.0.0");
    run(&["push", &theirs.bare(), "mine.wasm:application/wasm"]);
    assert_eq!(client().pull(&theirs, &mut quiet).unwrap().wasm, wasm);

    let ours = registry.reference("ours:1.0.0");
    let layer = client().push(&ours, &artifact(&wasm), false, &mut quiet).unwrap().layer;
    let blob = format!("{}@sha256:{layer}", ours.bare().rsplit_once(':').unwrap().0);
    run(&["blob", "fetch", "--output", "out.wasm", &blob]);
    assert_eq!(std::fs::read(folder.path().join("out.wasm")).unwrap(), wasm);
    run(&["manifest", "fetch", &ours.bare()]);
}
