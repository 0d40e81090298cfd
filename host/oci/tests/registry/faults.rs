//! The registry's bytes cut, altered, slowed, lied about: each is an error that says so, within its time, with nothing used.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use difftest_core::digest::Digest;
use difftest_oci::{Client, Error, Limits, Options, Reference};

use crate::proxy::{Answer, Proxy, Reply, Request};
use crate::server::{Registry, artifact, client, component, impatient, quiet};

const LENGTH: usize = 200_000;

/// A registry with one component behind a proxy that treats blobs with `fault` and lets everything else through.
fn behind(fault: impl Fn(Answer) -> Reply + Send + Sync + 'static) -> Option<(Registry, Proxy, Reference)> {
    behind_all(Request::is_blob, fault)
}

fn behind_all(
    which: impl Fn(&Request) -> bool + Send + Sync + 'static,
    fault: impl Fn(Answer) -> Reply + Send + Sync + 'static,
) -> Option<(Registry, Proxy, Reference)> {
    let registry = Registry::start()?;
    client().push(&registry.reference("a:1.0.0"), &artifact(&component(LENGTH)), false, &mut quiet).unwrap();
    let proxy = Proxy::start(&registry.address, move |request, ask| {
        let answer = ask();
        if which(request) { fault(answer) } else { Reply::Send(answer.bytes()) }
    });
    let reference = proxy.reference("a:1.0.0");
    Some((registry, proxy, reference))
}

fn cut(mut answer: Answer) -> Reply {
    answer.body.truncate(LENGTH / 2);
    Reply::Send(answer.bytes())
}

#[test]
fn a_layer_that_is_always_cut_off_is_given_up() {
    let tries = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&tries);
    let fault = move |answer| {
        count.fetch_add(1, Ordering::Relaxed);
        cut(answer)
    };
    let Some((_registry, _proxy, reference)) = behind(fault) else { return };
    let error = client().pull(&reference, &mut quiet).unwrap_err();
    assert!(matches!(error, Error::CutOff { got: 100_000, expected: 200_000, .. }), "{error}");
    assert_eq!(tries.load(Ordering::Relaxed), 3, "reading is tried again, and not for ever");
}

#[test]
fn a_layer_that_is_cut_off_once_is_fetched_again() {
    let tries = AtomicUsize::new(0);
    let fault = move |answer: Answer| match tries.fetch_add(1, Ordering::Relaxed) {
        0 => cut(answer),
        _ => Reply::Send(answer.bytes()),
    };
    let Some((_registry, _proxy, reference)) = behind(fault) else { return };
    assert_eq!(client().pull(&reference, &mut quiet).unwrap().wasm, component(LENGTH));
}

#[test]
fn a_busy_registry_is_asked_again_to_read_and_never_to_write() {
    let Some(registry) = Registry::start() else { return };
    let writes = Arc::new(AtomicUsize::new(0));
    let (counted, reads) = (Arc::clone(&writes), AtomicUsize::new(0));
    let busy = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let proxy = Proxy::start(&registry.address, move |request, ask| {
        let reading = matches!(request.method.as_str(), "GET" | "HEAD");
        if !reading {
            counted.fetch_add(1, Ordering::Relaxed);
        }
        if !reading || reads.fetch_add(1, Ordering::Relaxed) == 0 {
            Reply::Send(busy.into())
        } else {
            Reply::Send(ask().bytes())
        }
    });
    let error = client().push(&proxy.reference("a:1.0.0"), &artifact(&component(100)), false, &mut quiet).unwrap_err();
    assert!(matches!(error, Error::Status { status: 503, .. }), "{error}");
    assert_eq!(writes.load(Ordering::Relaxed), 1);
}

#[test]
fn an_altered_layer_is_refused_with_both_digests() {
    let Some((_registry, _proxy, reference)) = behind(|mut answer| {
        answer.body[LENGTH / 2] ^= 1;
        Reply::Send(answer.bytes())
    }) else {
        return;
    };
    let error = client().pull(&reference, &mut quiet).unwrap_err();
    let mut altered = component(LENGTH);
    altered[LENGTH / 2] ^= 1;
    let (expected, found) = (Digest::of(&component(LENGTH)), Digest::of(&altered));
    assert!(
        matches!(error, Error::WrongDigest { expected: e, found: f, .. } if (e, f) == (expected, found)),
        "{error}"
    );
    assert!(error.to_string().contains(&expected.to_string()) && error.to_string().contains(&found.to_string()));
}

#[test]
fn an_altered_manifest_is_refused_before_it_is_read() {
    let broken = |mut answer: Answer| {
        // no longer JSON: had it been parsed first, the error would say so
        answer.body[0] = b'#';
        answer
    };
    let manifests = |request: &Request| request.path.contains("/manifests/");
    let Some((_registry, _proxy, by_tag)) = behind_all(manifests, move |answer| Reply::Send(broken(answer).bytes()))
    else {
        return;
    };
    let error = client().pull(&by_tag, &mut quiet).unwrap_err();
    assert!(matches!(error, Error::WrongDigest { what: "the manifest", .. }), "against the registry's header: {error}");

    let Some((registry, _proxy, by_tag)) =
        behind_all(manifests, move |answer| Reply::Send(broken(answer.without("docker-content-digest")).bytes()))
    else {
        return;
    };
    let manifest = client().resolve(&registry.reference("a:1.0.0")).unwrap().manifest;
    let error = client().pull(&by_tag.with_digest(manifest), &mut quiet).unwrap_err();
    assert!(matches!(error, Error::WrongDigest { what: "the manifest", .. }), "against what was asked for: {error}");
}

#[test]
fn a_registry_that_never_answers_is_given_up_in_time() {
    let Some((_registry, _proxy, reference)) = behind_all(|_| true, |_| Reply::Hang(Vec::new())) else { return };
    given_up(&reference);
}

#[test]
fn a_registry_that_stops_in_the_middle_is_given_up_in_time() {
    let Some((_registry, _proxy, reference)) = behind(|mut answer| {
        answer.body.truncate(1000);
        Reply::Hang(answer.bytes())
    }) else {
        return;
    };
    given_up(&reference);
}

#[test]
fn a_registry_that_sends_drop_by_drop_is_given_up_in_time() {
    let Some((_registry, _proxy, reference)) = behind(|answer| {
        let head = answer.without("content-length").header("X-Slow", "yes").head;
        Reply::Drops(head.into_bytes())
    }) else {
        return;
    };
    given_up(&reference);
}

#[track_caller]
fn given_up(reference: &Reference) {
    let started = Instant::now();
    let error = impatient().pull(reference, &mut quiet).unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    assert!(error.to_string().contains("too slow"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn a_manifest_that_declares_a_huge_layer_is_refused_and_the_layer_not_asked_for() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let Some(registry) = Registry::start() else { return };
    client().push(&registry.reference("a:1.0.0"), &artifact(&component(LENGTH)), false, &mut quiet).unwrap();
    let proxy = Proxy::start(&registry.address, move |request, ask| {
        let answer = ask();
        if request.is_blob() {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if !request.path.contains("/manifests/") {
            return Reply::Send(answer.bytes());
        }
        let body = String::from_utf8(answer.body.clone()).unwrap().replace("\"size\":200000", "\"size\":4000000000000");
        let length = body.len().to_string();
        let answer =
            answer.without("docker-content-digest").without("content-length").header("Content-Length", &length);
        Reply::Send(Answer { body: body.into_bytes(), ..answer }.bytes())
    });
    let error = client().pull(&proxy.reference("a:1.0.0"), &mut quiet).unwrap_err();
    assert!(matches!(error, Error::TooLarge { bytes: 4_000_000_000_000, limit: 67_108_864, .. }), "{error}");
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[test]
fn a_layer_of_another_length_than_declared_is_refused_before_it_is_read() {
    let Some((_registry, _proxy, reference)) = behind(|answer| {
        let head = answer.without("content-length").header("Content-Length", "4000000000000").head;
        Reply::Hang(head.into_bytes())
    }) else {
        return;
    };
    let error = client().pull(&reference, &mut quiet).unwrap_err();
    assert!(matches!(error, Error::WrongSize { declared: 200_000, .. }), "{error}");
}

#[test]
fn a_server_that_sends_more_than_declared_is_stopped() {
    let Some((_registry, _proxy, reference)) = behind(|answer| {
        let bytes = answer.body.clone();
        Reply::Forever(answer.without("content-length").head.into_bytes(), bytes)
    }) else {
        return;
    };
    let error = client().pull(&reference, &mut quiet).unwrap_err();
    assert!(matches!(&error, Error::WrongSize { sent, .. } if sent == "more"), "{error}");
}

#[test]
fn a_manifest_without_end_is_stopped() {
    let Some((_registry, _proxy, reference)) = behind_all(
        |request| request.path.contains("/manifests/"),
        |answer| Reply::Forever(answer.without("content-length").head.into_bytes(), b"{\"a\":".repeat(1000)),
    ) else {
        return;
    };
    let error = client().pull(&reference, &mut quiet).unwrap_err();
    assert!(matches!(error, Error::TooLarge { what: "the manifest", .. }), "{error}");
}

#[test]
fn a_component_above_the_limit_is_neither_pushed_nor_pulled() {
    let Some(registry) = Registry::start() else { return };
    let reference = registry.reference("a:1.0.0");
    let limits = Limits { component: 1000, ..Limits::default() };
    let small = Client::new(Options { limits, ..Options::default() });
    let error = small.push(&reference, &artifact(&component(1001)), false, &mut quiet).unwrap_err();
    assert!(matches!(error, Error::TooLarge { bytes: 1001, limit: 1000, .. }), "{error}");
    client().push(&reference, &artifact(&component(1001)), false, &mut quiet).unwrap();
    let error = small.pull(&reference, &mut quiet).unwrap_err();
    assert!(matches!(error, Error::TooLarge { bytes: 1001, limit: 1000, .. }), "{error}");
}

#[test]
fn what_a_server_says_is_shown_without_control_characters() {
    let body = "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"\\u001b[2Jno\\nno\"}]}";
    let head = format!("HTTP/1.1 403 Forbidden\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    let proxy = Proxy::start("127.0.0.1:1", move |_, _| Reply::Send(head.clone().into_bytes()));
    let error = client().resolve(&proxy.reference("a:1.0.0")).unwrap_err();
    assert!(error.to_string().contains("DENIED: \\u{1b}[2Jno\\nno"), "{error}");
}

#[test]
fn what_is_no_registry_is_told() {
    let proxy = Proxy::start("127.0.0.1:1", |_, _| Reply::Send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec()));
    let error = client().resolve(&proxy.reference("a:1.0.0")).unwrap_err();
    assert!(matches!(error, Error::Protocol { .. } | Error::Unreachable { .. }), "{error}");
}
