//! What is pushed comes back, the same every time, and half of it never has a name.

use difftest_core::digest::Digest;
use difftest_oci::{Error, Progress};

use crate::server::{Registry, artifact, client, component, quiet};

#[test]
fn what_is_pushed_comes_back_to_the_byte_by_tag_and_by_digest() {
    let Some(registry) = Registry::start() else { return };
    let wasm = component(300_000);
    let tag = registry.reference("acme/plugins/sharpness:0.3.1");
    let mut sent = Vec::new();
    let pushed = client().push(&tag, &artifact(&wasm), false, &mut |progress| sent.push(progress)).unwrap();
    assert!(pushed.new);
    assert_eq!(pushed.layer, Digest::of(&wasm), "the layer is the file itself");
    assert_eq!(sent.last(), Some(&Progress { done: 300_000, total: 300_000 }));

    let mut came = Vec::new();
    for reference in [tag.clone(), tag.with_digest(pushed.manifest)] {
        let pulled = client().pull(&reference, &mut |progress| came.push(progress)).unwrap();
        assert_eq!(pulled.wasm, wasm);
        assert_eq!(pulled.resolved.manifest, pushed.manifest);
        assert_eq!(pulled.resolved.annotations["org.opencontainers.image.title"], "sharpness");
    }
    assert_eq!(came.last(), Some(&Progress { done: 300_000, total: 300_000 }));
    assert_eq!(client().resolve(&tag).unwrap().size, 300_000);
}

#[test]
fn pushing_the_same_file_twice_gives_the_same_digest_and_sends_nothing() {
    let Some(registry) = Registry::start() else { return };
    let wasm = component(10_000);
    let push = |name: &str| client().push(&registry.reference(name), &artifact(&wasm), false, &mut quiet).unwrap();
    let first = push("one:1.0.0");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let again = push("one:1.0.0");
    let elsewhere = push("two:1.0.0");
    assert!(first.new && !again.new && elsewhere.new);
    assert_eq!(first.manifest, again.manifest);
    assert_eq!(first.manifest, elsewhere.manifest);
}

#[test]
fn a_version_that_is_taken_is_replaced_only_on_demand() {
    let Some(registry) = Registry::start() else { return };
    let (one, two) = (component(1000), component(2000));
    let reference = registry.reference("one:1.0.0");
    let first = client().push(&reference, &artifact(&one), false, &mut quiet).unwrap();
    let error = client().push(&reference, &artifact(&two), false, &mut quiet).unwrap_err();
    assert!(matches!(&error, Error::Taken { there, same_component: false, .. } if *there == first.manifest), "{error}");
    let mut other = artifact(&one);
    other.annotations.insert("org.opencontainers.image.licenses".into(), "MIT".into());
    let error = client().push(&reference, &other, false, &mut quiet).unwrap_err();
    assert!(matches!(error, Error::Taken { same_component: true, .. }), "{error}");
    assert_eq!(client().pull(&reference, &mut quiet).unwrap().wasm, one);
    client().push(&reference, &artifact(&two), true, &mut quiet).unwrap();
    assert_eq!(client().pull(&reference, &mut quiet).unwrap().wasm, two);
}

#[test]
fn an_unknown_tag_and_an_unknown_repository_are_told() {
    let Some(registry) = Registry::start() else { return };
    client().push(&registry.reference("one:1.0.0"), &artifact(&component(100)), false, &mut quiet).unwrap();
    for name in ["one:1.0.1", "two:1.0.0"] {
        let error = client().pull(&registry.reference(name), &mut quiet).unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn a_server_killed_during_a_pull_leaves_an_error_and_no_component() {
    let Some(mut registry) = Registry::start() else { return };
    // far more than the buffers between two processes hold
    let wasm = component(48 << 20);
    let reference = registry.reference("large:1.0.0");
    client().push(&reference, &artifact(&wasm), false, &mut quiet).unwrap();
    let mut pieces = 0;
    let error = client()
        .pull(&reference, &mut |_| {
            pieces += 1;
            if pieces == 3 {
                registry.kill();
            }
        })
        .unwrap_err();
    assert!(matches!(error, Error::CutOff { .. } | Error::Unreachable { .. }), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn a_server_killed_during_a_push_has_no_such_version_afterwards() {
    let Some(mut registry) = Registry::start() else { return };
    let wasm = component(48 << 20);
    let reference = registry.reference("large:1.0.0");
    let error = client()
        .push(&reference, &artifact(&wasm), false, &mut |progress| {
            if progress.done > 1 << 20 {
                registry.kill();
            }
        })
        .unwrap_err();
    assert!(matches!(error, Error::CutOff { .. } | Error::Unreachable { .. }), "{error}");
    registry.restart();
    let reference = registry.reference("large:1.0.0");
    let error = client().resolve(&reference).unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    // and the next try is as good as the first
    client().push(&reference, &artifact(&wasm), false, &mut quiet).unwrap();
    assert_eq!(client().pull(&reference, &mut quiet).unwrap().wasm, wasm);
}

#[test]
fn nobody_there_is_an_error_within_seconds() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let started = std::time::Instant::now();
    let error = client().resolve(&format!("oci://{free}/a:1.0.0").parse().unwrap()).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains(&free.to_string()), "{error}");
    assert!(started.elapsed().as_secs() < 5);
}
