//! Models, their commits and files.

use std::collections::BTreeMap;
use std::path::Path;

use difftest_core::digest::Digest;
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

pub(crate) struct Repository {
    pub(crate) name: String,
    pub(crate) private: Option<String>,
    pub(crate) gated: Option<String>,
    pub(crate) bare: bool,
    branches: BTreeMap<String, String>,
    commits: BTreeMap<String, BTreeMap<String, File>>,
}

#[derive(Clone)]
pub(crate) struct File {
    pub(crate) content: Vec<u8>,
    /// Kept by the storage server.
    pub(crate) large: bool,
}

impl File {
    /// What the hub calls its content.
    pub(crate) fn etag(&self) -> String {
        if self.large { Digest::of(&self.content).to_string() } else { git(&self.content) }
    }

    /// The pointer that git has of a large file.
    fn pointer(&self) -> String {
        let (sha256, size) = (Digest::of(&self.content), self.content.len());
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n")
    }
}

impl Repository {
    pub(crate) fn new(name: &str) -> Self {
        let (branches, commits) = (BTreeMap::new(), BTreeMap::new());
        Self { name: name.to_owned(), private: None, gated: None, bare: false, branches, commits }
    }

    pub(crate) fn commit(&mut self, branch: &str, files: &[(&str, Vec<u8>)]) -> String {
        let large = |path: &str| [".safetensors", ".bin", ".onnx", ".ckpt"].iter().any(|end| path.ends_with(end));
        let file = |(path, content): &(&str, Vec<u8>)| {
            ((*path).to_owned(), File { content: content.clone(), large: large(path) })
        };
        let files: BTreeMap<String, File> = files.iter().map(file).collect();
        let names: String = files.iter().map(|(path, file)| format!("{path} {}\n", file.etag())).collect();
        let id = git(names.as_bytes());
        self.branches.insert(branch.to_owned(), id.clone());
        self.commits.insert(id.clone(), files);
        id
    }

    /// The commit that a revision names, and its files.
    pub(crate) fn at(&self, revision: &str) -> Option<(&str, &BTreeMap<String, File>)> {
        let id = self.branches.get(revision).map_or(revision, String::as_str);
        self.commits.get_key_value(id).map(|(id, files)| (id.as_str(), files))
    }

    pub(crate) fn large(&self, sha256: &str) -> Option<&File> {
        self.commits.values().flat_map(BTreeMap::values).find(|file| file.large && file.etag() == sha256)
    }

    /// The answer of `/api/models/NAME/revision/REVISION`.
    pub(crate) fn info(&self, commit: &str, files: &BTreeMap<String, File>, blobs: bool) -> Value {
        let siblings = files.iter().map(|(path, file)| {
            let mut sibling = json!({ "rfilename": path });
            if blobs && !self.bare {
                sibling["size"] = json!(file.content.len());
                sibling["blobId"] = json!(if file.large { git(file.pointer().as_bytes()) } else { file.etag() });
                if file.large {
                    sibling["lfs"] = json!({ "sha256": file.etag(), "size": file.content.len(), "pointerSize": file.pointer().len() });
                }
            }
            sibling
        });
        json!({ "id": self.name, "modelId": self.name, "sha": commit, "private": self.private.is_some(),
            "gated": self.gated.is_some(), "siblings": siblings.collect::<Vec<_>>() })
    }

    /// The answer of `/api/models/NAME/tree/REVISION?recursive=true`.
    pub(crate) fn tree(files: &BTreeMap<String, File>) -> Value {
        let entry = |(path, file): (&String, &File)| {
            let mut entry = json!({ "type": "file", "path": path, "size": file.content.len(), "oid": file.etag() });
            if file.large {
                entry["oid"] = json!(git(file.pointer().as_bytes()));
                entry["lfs"] =
                    json!({ "oid": file.etag(), "size": file.content.len(), "pointerSize": file.pointer().len() });
            }
            entry
        };
        files.iter().map(entry).collect()
    }
}

/// git's name of a blob.
fn git(content: &[u8]) -> String {
    let mut hasher = Sha1::new();
    hasher.update(format!("blob {}\0", content.len()));
    hasher.update(content);
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The files below a folder, with their paths in it.
pub(crate) fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(below, content)| (format!("{name}/{below}"), content)));
        } else {
            let content = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            found.push((name, content));
        }
    }
    found
}
