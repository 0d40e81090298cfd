//! What the hub answers.

use serde_json::Value;

use crate::http::{Request, Response};
use crate::repository::Repository;
use crate::{Shared, State};

/// The answer to a request.
pub(crate) fn respond(shared: &Shared, request: &Request) -> Response {
    let state = shared.state();
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let path = unquoted(path);
    let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    if request.to_storage {
        return storage(&state, &path, query);
    }
    if let Some(cached) = path.strip_prefix("/api/resolve-cache/models/") {
        return file(shared, &state, cached, token, true);
    }
    match path.strip_prefix("/api/models/") {
        Some(rest) => api(&state, rest, query, token),
        None => file(shared, &state, path.trim_start_matches('/'), token, false),
    }
}

fn api(state: &State, rest: &str, query: &str, token: Option<&str>) -> Response {
    let (name, kind, revision) = match (rest.split_once("/revision/"), rest.split_once("/tree/")) {
        (Some((name, revision)), _) => (name, "revision", revision),
        (_, Some((name, revision))) => (name, "tree", revision),
        _ => (rest, "revision", "main"),
    };
    let repository = match visible(state, name, token) {
        Ok(repository) => repository,
        Err(response) => return response,
    };
    let Some((commit, files)) = repository.at(revision) else {
        return refusal(404, "RevisionNotFound", "Invalid rev id");
    };
    match kind {
        "tree" => json(&Repository::tree(files)),
        _ => json(&repository.info(commit, files, query.to_ascii_lowercase().contains("blobs=true"))),
    }
}

/// `NAME/resolve/REVISION/PATH`; `cached`: the second half of the way to a small file.
fn file(shared: &Shared, state: &State, rest: &str, token: Option<&str>, cached: bool) -> Response {
    let separator = if cached { "/" } else { "/resolve/" };
    let split = if cached {
        // ORG/NAME/COMMIT/PATH
        rest.match_indices('/').nth(1).map(|(at, _)| (&rest[..at], &rest[at + separator.len()..]))
    } else {
        rest.split_once(separator)
    };
    let Some((name, (revision, path))) = split.and_then(|(name, rest)| Some((name, rest.split_once('/')?))) else {
        return refusal(404, "RepoNotFound", "Repository not found");
    };
    let repository = match visible(state, name, token) {
        Ok(repository) => repository,
        Err(response) => return response,
    };
    if repository.gated.as_deref().is_some_and(|wanted| Some(wanted) != token) {
        let status = if token.is_some() { 403 } else { 401 };
        return refusal(status, "GatedRepo", "Access to this model is restricted");
    }
    let Some((commit, files)) = repository.at(revision) else {
        return refusal(404, "RevisionNotFound", "Invalid rev id");
    };
    let Some(file) = files.get(path) else {
        let mut response = refusal(404, "EntryNotFound", "Entry not found");
        response.headers.push(("X-Repo-Commit".into(), commit.to_owned()));
        return response;
    };
    let header = |name: &str, value: String| (name.to_owned(), value);
    let mut headers = vec![header("X-Repo-Commit", commit.to_owned())];
    if cached {
        headers.push(header("ETag", format!("\"{}\"", file.etag())));
        return Response { status: 200, headers, body: file.content.clone() };
    }
    headers.push(header("X-Linked-Etag", format!("\"{}\"", file.etag())));
    headers.push(header("X-Linked-Size", file.content.len().to_string()));
    let (status, location) = if file.large {
        (302, format!("http://{}/storage/{}?signature=secret", shared.storage, file.etag()))
    } else {
        (307, format!("/api/resolve-cache/models/{name}/{commit}/{path}"))
    };
    headers.push(header("Location", location));
    Response { status, headers, body: Vec::new() }
}

fn storage(state: &State, path: &str, query: &str) -> Response {
    let sha256 = path.strip_prefix("/storage/").filter(|_| query == "signature=secret");
    let found = sha256.and_then(|sha256| state.repositories.iter().find_map(|repository| repository.large(sha256)));
    match found {
        // a storage server's own idea of an ETag, which is not the content's digest
        Some(file) => Response {
            status: 200,
            headers: vec![
                ("ETag".into(), "\"0123456789abcdef0123456789abcdef\"".into()),
                ("Accept-Ranges".into(), "bytes".into()),
            ],
            body: file.content.clone(),
        },
        None => Response { status: 403, headers: Vec::new(), body: b"<Error>AccessDenied</Error>".to_vec() },
    }
}

/// As on the hub, nobody is told whether a private model exists.
fn visible<'a>(state: &'a State, name: &str, token: Option<&str>) -> Result<&'a Repository, Response> {
    let found = state.repositories.iter().find(|repository| repository.name == name);
    match found.filter(|repository| repository.private.as_deref().is_none_or(|wanted| Some(wanted) == token)) {
        Some(repository) => Ok(repository),
        None => Err(refusal(if token.is_some() { 404 } else { 401 }, "RepoNotFound", "Repository not found")),
    }
}

fn json(value: &Value) -> Response {
    let headers = vec![("Content-Type".into(), "application/json".into())];
    Response { status: 200, headers, body: value.to_string().into_bytes() }
}

fn refusal(status: u16, code: &str, message: &str) -> Response {
    let headers = vec![("X-Error-Code".into(), code.into()), ("X-Error-Message".into(), message.into())];
    Response { status, headers, body: serde_json::json!({ "error": message }).to_string().into_bytes() }
}

/// `%2F` and the like replaced.
fn unquoted(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
