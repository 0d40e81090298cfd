//! Logins: asked for, found in auth files, refused, and kept from whom they are not for.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use difftest_oci::{AuthFiles, Client, Error};

use crate::proxy::{Proxy, Reply};
use crate::server::{Registry, artifact, client, client_with, component, quiet};

/// A client with `docker login ADDRESS` done.
fn logged_in(folder: &tempfile::TempDir, address: &str, name: &str, secret: &str) -> Client {
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{secret}"));
    let path = folder.path().join("auth.json");
    std::fs::write(&path, format!("{{\"auths\":{{\"{address}\":{{\"auth\":\"{auth}\"}}}}}}")).unwrap();
    client_with(AuthFiles::of(vec![path]))
}

#[test]
fn a_registry_that_wants_a_login_says_so_and_takes_one_from_an_auth_file() {
    let Some(registry) = Registry::with_login() else { return };
    let folder = tempfile::tempdir().unwrap();
    let wasm = component(100_000);
    let reference = registry.reference("acme/a:1.0.0");

    let error = client().push(&reference, &artifact(&wasm), false, &mut quiet).unwrap_err();
    assert!(matches!(error, Error::Login { account_name: None, .. }), "{error}");
    assert!(error.hint().unwrap().contains(&format!("docker login {}", registry.address)));

    let wrong = logged_in(&folder, &registry.address, "user", "guess");
    let error = wrong.push(&reference, &artifact(&wasm), false, &mut quiet).unwrap_err();
    assert!(matches!(&error, Error::Login { account_name: Some(_), .. }), "{error}");
    assert!(error.to_string().contains("`user`") && !error.to_string().contains("guess"), "{error}");

    let right = logged_in(&folder, &registry.address, "user", "s3cret");
    right.push(&reference, &artifact(&wasm), false, &mut quiet).unwrap();
    assert_eq!(right.pull(&reference, &mut quiet).unwrap().wasm, wasm);
    let error = client().pull(&reference, &mut quiet).unwrap_err();
    assert!(matches!(error, Error::Login { .. }), "{error}");
}

/// Lets through what has the token, as registries in the cloud do; everybody gets one, named after the login.
fn guarded(upstream: &str, asked: Arc<Mutex<Vec<String>>>) -> Proxy {
    Proxy::start(upstream, move |request, ask| {
        if let Some(query) = request.path.strip_prefix("/token?") {
            asked.lock().unwrap().push(format!("{query} {}", request.header("authorization").unwrap_or("nobody")));
            let body = "{\"access_token\":\"T0ken\",\"expires_in\":60}";
            return Reply::Send(
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).into(),
            );
        }
        if request.header("authorization") == Some("Bearer T0ken") {
            return Reply::Send(ask().bytes());
        }
        let host = request.header("host").unwrap();
        Reply::Send(
            format!(
                "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"http://{host}/token\",service=\"a, \\\"b\\\"\",\
                 scope=\"registry:catalog:*\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            .into(),
        )
    })
}

#[test]
fn tokens_are_fetched_for_this_repository_only_with_and_without_a_login() {
    let Some(registry) = Registry::start() else { return };
    let asked = Arc::new(Mutex::new(Vec::new()));
    let guard = guarded(&registry.address, Arc::clone(&asked));
    let folder = tempfile::tempdir().unwrap();
    let wasm = component(1000);
    let reference = guard.reference("acme/a:1.0.0");
    let logged_in = logged_in(&folder, &guard.address, "user", "s3cret");
    logged_in.push(&reference, &artifact(&wasm), false, &mut quiet).unwrap();
    assert_eq!(client().pull(&reference, &mut quiet).unwrap().wasm, wasm);
    let asked = asked.lock().unwrap().clone();
    let service = "service=a%2C%20%22b%22";
    let basic = base64::engine::general_purpose::STANDARD.encode("user:s3cret");
    assert_eq!(
        asked,
        [
            format!("scope=repository%3Aacme%2Fa%3Apull%2Cpush&{service} Basic {basic}"),
            format!("scope=repository%3Aacme%2Fa%3Apull&{service} nobody"),
        ]
    );
}

#[test]
fn a_redirect_gets_the_request_and_not_the_login() {
    let Some(registry) = Registry::with_login() else { return };
    let folder = tempfile::tempdir().unwrap();
    let wasm = component(1000);
    logged_in(&folder, &registry.address, "user", "s3cret")
        .push(&registry.reference("a:1.0.0"), &artifact(&wasm), false, &mut quiet)
        .unwrap();

    let seen = Arc::new(Mutex::new(Vec::new()));
    let content = wasm.clone();
    let store = Proxy::start("127.0.0.1:1", {
        let seen = Arc::clone(&seen);
        move |request, _| {
            seen.lock().unwrap().push(request.header("authorization").map(str::to_owned));
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len());
            Reply::Send([head.as_bytes(), &content].concat())
        }
    });
    let elsewhere = store.address.clone();
    let front = Proxy::start(&registry.address, move |request, ask| {
        let answer = ask();
        if !request.is_blob() || answer.head.starts_with("HTTP/1.1 401") {
            return Reply::Send(answer.bytes());
        }
        Reply::Send(
            format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: http://{elsewhere}/x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .into(),
        )
    });
    let client = logged_in(&folder, &front.address, "user", "s3cret");
    assert_eq!(client.pull(&front.reference("a:1.0.0"), &mut quiet).unwrap().wasm, wasm);
    assert_eq!(*seen.lock().unwrap(), [None]);
}
