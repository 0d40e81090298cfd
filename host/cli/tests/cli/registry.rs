//! From one project to another through a real registry server on this machine.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::env::{Finished, TestEnv, component, finished};
use server::Registry;

#[path = "../../../oci/tests/registry/server.rs"]
#[allow(dead_code)]
mod server;

const SUITE: &str = "model = \"builtin:shapes\"\n\n[[test]]\nname = \"one\"\nprompts = [\"a red circle on a blue background\"]\nseeds = [1, 2]\nsteps = 2\nmetrics = [\"image-stats/brightness\", \"image-stats/entropy\"]\n";

/// Runs it with nobody's logins but those in `auth`.
fn run(env: &TestEnv, auth: &Path, arguments: &[&str]) -> Finished {
    finished(env.command().args(arguments).env("REGISTRY_AUTH_FILE", auth).env("NO_PROXY", "*").output().unwrap())
}

fn nobody() -> &'static Path {
    Path::new("/nonexistent/auth.json")
}

/// An author's project.
fn author() -> TestEnv {
    let env = TestEnv::new();
    env.write("plugins/image-stats.wasm", std::fs::read(component("image_stats.wasm")).unwrap());
    env.write("suites/suite.toml", SUITE);
    env
}

/// Every score and its fuel, to the last bit.
fn scores(env: &TestEnv) -> String {
    let results = env.results();
    let cases = results.pointer("/suites/0/cases").unwrap().as_array().unwrap();
    let of =
        |score: &serde_json::Value| format!("{:016x} {}", score["value"].as_f64().unwrap().to_bits(), score["fuel"]);
    cases.iter().flat_map(|case| case["scores"].as_array().unwrap()).map(of).collect::<Vec<_>>().join("\n")
}

#[test]
fn published_here_added_there_and_run_locked_gives_the_same_scores() {
    let Some(registry) = Registry::start() else { return };
    let author = author();
    author.run(["run", "--output", "results.json"]).exits(0);
    let reference = format!("oci://{}/acme/image-stats:0.1.0", registry.address);
    let published = run(&author, nobody(), &["plugin", "publish", &reference, "image-stats"]).exits(0);
    assert!(
        published.stdout.contains("published oci://") && published.stdout.contains("cosign sign"),
        "{}",
        published.stdout
    );
    let signed = published.stdout.split_whitespace().find(|word| word.contains("@sha256:")).unwrap().to_owned();
    // the same again is the same
    let again = run(&author, nobody(), &["plugin", "publish", &reference, "plugins/image-stats.wasm"]).exits(0);
    assert!(again.stdout.contains("already published") && again.stdout.contains(&signed), "{}", again.stdout);

    let user = TestEnv::new();
    user.write("suites/suite.toml", SUITE);
    let added = run(&user, nobody(), &["plugin", "add", &reference]).exits(0);
    assert!(added.stdout.contains("image-stats/brightness") && added.stdout.contains(&reference), "{}", added.stdout);
    user.run(["plugin", "verify"]).exits(0);
    user.run(["run", "--locked", "--output", "results.json"]).exits(0);
    assert_eq!(scores(&user), scores(&author));
    assert_eq!(scores(&user).lines().count(), 4);

    // by digest, under another name
    let by_digest = format!("oci://{signed}");
    run(&user, nobody(), &["plugin", "add", &by_digest, "--name", "signed"]).exits(0);
    let lock = std::fs::read_to_string(user.path("difftest.lock")).unwrap();
    assert!(lock.contains(&format!("source = \"{by_digest}\"")) && lock.contains("version = \"0.1.0\""), "{lock}");
}

#[test]
fn a_version_that_was_moved_is_noticed() {
    let Some(registry) = Registry::start() else { return };
    let author = author();
    let reference = format!("oci://{}/image-stats:1.0.0", registry.address);
    run(&author, nobody(), &["plugin", "publish", &reference, "image-stats"]).exits(0);
    let user = TestEnv::new();
    run(&user, nobody(), &["plugin", "add", &reference]).exits(0);

    let good = std::fs::read(component("image_stats.wasm")).unwrap();
    author.write("plugins/image-stats.wasm", [good, b"\0\x02\x01x".to_vec()].concat());
    run(&author, nobody(), &["plugin", "publish", &reference, "image-stats"]).exits(2).says(&["is taken", "--force"]);
    run(&author, nobody(), &["plugin", "publish", &reference, "image-stats", "--force"]).exits(0);
    // a fresh clone has the lock and not the file
    std::fs::remove_file(user.path("plugins/image-stats.wasm")).unwrap();
    run(&user, nobody(), &["plugin", "add", &reference])
        .exits(2)
        .says(&["difftest.lock pins `image-stats`", "--force"]);
    assert!(!user.path("plugins/image-stats.wasm").exists());
}

#[test]
fn a_registry_with_logins_takes_them_from_an_auth_file() {
    let Some(registry) = Registry::with_login() else { return };
    let author = author();
    let reference = format!("oci://{}/image-stats:1.0.0", registry.address);
    let publish =
        ["plugin", "publish", &reference, "image-stats", "--annotation", "org.opencontainers.image.licenses=MIT"];
    run(&author, nobody(), &publish).exits(2).says(&["asks for a login", "docker login"]);
    // user:s3cret
    let text = format!("{{\"auths\":{{\"{}\":{{\"auth\":\"dXNlcjpzM2NyZXQ=\"}}}}}}", registry.address);
    let auth = author.write("auth.json", text);
    run(&author, &auth, &publish).exits(0);
    let user = TestEnv::new();
    run(&user, nobody(), &["plugin", "add", &reference]).exits(2).says(&["asks for a login"]);
    run(&user, &auth, &["plugin", "add", &reference]).exits(0);
}

#[test]
fn a_certificate_is_accepted_where_the_system_trusts_its_authority() {
    let Some((registry, authority)) = Registry::with_tls() else { return };
    let env = author();
    let reference = format!("oci://{}/image-stats:1.0.0", registry.address);
    let publish = ["plugin", "publish", &reference, "image-stats"];
    run(&env, nobody(), &publish).exits(2).says(&["cannot be reached", "certificate"]);
    // what is no TLS here is no reason to speak without it
    run(&env, nobody(), &[&publish[..], &["--plain-http"]].concat()).exits(2);
    let trusting = |arguments: &[&str]| {
        let mut command = env.command();
        command
            .args(arguments)
            .env("REGISTRY_AUTH_FILE", nobody())
            .env("SSL_CERT_FILE", &authority)
            .env("NO_PROXY", "*");
        finished(command.output().unwrap())
    };
    trusting(&publish).exits(0);
    trusting(&["plugin", "add", &reference]).exits(0);
}

#[test]
fn a_registry_that_never_answers_is_named_soon() {
    let env = TestEnv::new();
    // the system takes the connection, and nobody reads from it
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = silent.local_addr().unwrap().to_string();
    let add = |more: &[&str]| {
        let mut command = env.command();
        command.args(["plugin", "add", &format!("oci://{host}/a:1.0.0")]).args(more);
        command.env("REGISTRY_AUTH_FILE", nobody()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut quiet = add(&["--quiet"]);
    let mut told = add(&[]);
    let mut line = String::new();
    let began = Instant::now();
    BufReader::new(told.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, format!("asking {host} ...\n"));
    // it was said long before the wait is given up
    assert!(began.elapsed() < Duration::from_secs(15));
    std::thread::sleep(Duration::from_secs(1));
    told.kill().unwrap();
    told.wait().unwrap();
    quiet.kill().unwrap();
    assert!(quiet.wait_with_output().unwrap().stderr.is_empty());
}

#[test]
fn mistakes_in_what_is_published_are_told_before_anything_is_sent() {
    let env = author();
    // nobody listens there: to be told so would mean that something was sent
    for (arguments, says) in [
        (&["oci://127.0.0.1:1/a:latest", "image-stats"][..], "no semantic version"),
        (&["oci://127.0.0.1:1/a:1.0", "image-stats"], "no semantic version"),
        (&["oci://acme/a:1.0.0", "image-stats"], "names no registry"),
        (&["127.0.0.1:1/a:1.0.0", "image-stats"], "oci://"),
        (&["oci://127.0.0.1:1/a:1.0.0", "image-stat"], "image-stats"),
        (&["oci://127.0.0.1:1/a:1.0.0", "image-stats", "--annotation", "licenses"], "no `=`"),
    ] {
        run(&env, nobody(), &[&["plugin", "publish"], arguments].concat()).exits(2).says(&[says]);
    }
    run(&env, nobody(), &["plugin", "publish", "oci://127.0.0.1:1/a:1.0.0", "image-stats"])
        .exits(2)
        .says(&["cannot be reached"]);
    run(&env, nobody(), &["plugin", "add", "oci://127.0.0.1:1/a:1.0.0"]).exits(2).says(&["cannot be reached"]);
}
