//! A folder of images that another program made, as a generator: no model is loaded, each case gets the file that the
//! manifest lists for its prompt and seed.
//!
//! The manifest is JSON Lines, one image a line: `{"file": "a.png", "prompt": "a red circle", "seed": 42}`, with `seed` 0 where
//! none is given and optional `negative_prompt` and `id`. Files lie inside the folder. The manifest is read at once, images are
//! decoded when they are asked for.

use std::collections::{HashMap, HashSet};
use std::path::{Component, Path, PathBuf};

use difftest_core::digest::Digest;
use difftest_core::generate::{GenerateError, Generated, Generator, GeneratorInfo, Prompt, Request, Step};
use difftest_core::key::Inputs;
use difftest_metrics::decode::{self, Limits};
use rayon::prelude::*;
use serde::Deserialize;

/// What the manifest is called where no name is given.
pub const MANIFEST: &str = "manifest.jsonl";

/// Counted up when files are decoded differently in a way that may change a pixel.
const DECODER: &str = "difftest-1";

/// The largest manifest, in bytes.
const MANIFEST_BYTES: u64 = 1 << 30;

/// One line of the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    file: PathBuf,
    prompt: String,
    #[serde(default)]
    seed: u64,
    negative_prompt: Option<String>,
    id: Option<String>,
}

/// The generator.
#[derive(Debug)]
pub struct ImageFolder {
    info: GeneratorInfo,
    folder: PathBuf,
    rows: Vec<(Prompt, u64)>,
    /// By prompt and seed.
    files: HashMap<(String, u64), PathBuf>,
}

/// Why a folder of images cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ImagesError {
    /// There is no such folder.
    #[error("image folder {} does not exist", folder.display())]
    NoFolder {
        /// Where it would be.
        folder: PathBuf,
    },
    /// It is a file.
    #[error("{} is a file, not a folder of images", path.display())]
    AFile {
        /// Where it lies.
        path: PathBuf,
    },
    /// The manifest cannot be read.
    #[error("cannot read the manifest {}: {source}", path.display())]
    Manifest {
        /// Where it would be.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line of the manifest is wrong.
    #[error("{}:{line}: {message}", path.display())]
    Line {
        /// The manifest.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// The manifest lists nothing.
    #[error("the manifest {} lists no image", path.display())]
    Empty {
        /// The manifest.
        path: PathBuf,
    },
}

impl ImagesError {
    /// What to do about it, where that can be said.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoFolder { .. } => Some("paths start at the folder of the suite file".to_owned()),
            Self::AFile { .. } => {
                Some("name the folder; a manifest inside it is named with `manifest = \"FILE\"`".to_owned())
            }
            _ => Some(r#"each line is like {"file": "a.png", "prompt": "a red circle", "seed": 42}"#.to_owned()),
        }
    }
}

impl ImageFolder {
    /// Reads the manifest of `folder`; `manifest` is relative to the folder.
    ///
    /// # Errors
    /// [`ImagesError`] names the file, the line and the reason.
    pub fn open(folder: &Path, manifest: Option<&Path>) -> Result<Self, ImagesError> {
        if !folder.is_dir() {
            let path = folder.to_owned();
            return Err(if path.exists() {
                ImagesError::AFile { path }
            } else {
                ImagesError::NoFolder { folder: path }
            });
        }
        let name = manifest.unwrap_or(Path::new(MANIFEST));
        let path = folder.join(name);
        let text = read(&path).map_err(|source| ImagesError::Manifest { path: path.clone(), source })?;
        let mut prompts = Prompts::default();
        let mut rows = Vec::new();
        let mut files = HashMap::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let wrong = |message: String| ImagesError::Line { path: path.clone(), line: index + 1, message };
            let row: Row = serde_json::from_str(line).map_err(|error| wrong(without_position(&error)))?;
            if !stays_inside(&row.file) {
                return Err(wrong(format!("`{}` leads out of the image folder", row.file.display())));
            }
            let key = (row.prompt.clone(), row.seed);
            if files.insert(key, row.file.clone()).is_some() {
                return Err(wrong(format!("the prompt was listed before with seed {}", row.seed)));
            }
            let seed = row.seed;
            rows.push((prompts.prompt(row).map_err(wrong)?, seed));
        }
        if rows.is_empty() {
            return Err(ImagesError::Empty { path });
        }
        let info = GeneratorInfo {
            model: folder.display().to_string(),
            revision: None,
            kind: "images".to_owned(),
            files: vec![(slashes(name), Digest::of(text.as_bytes()))],
            loras: Vec::new(),
            environment: Vec::new(),
        };
        Ok(Self { info, folder: folder.to_owned(), rows, files })
    }

    /// Every image of the manifest as its prompt and seed, in the order of the file. Prompts with the same text and negative
    /// prompt share their id: the one that the manifest gives, otherwise `p` and the prompt's number, counted from 0.
    #[must_use]
    pub fn rows(&self) -> &[(Prompt, u64)] {
        &self.rows
    }

    /// The SHA-256 of every listed file, in the order of the manifest; names relative to the folder, with `/`.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn digests(&self) -> Result<Vec<(String, Digest)>, GenerateError> {
        let file = |(prompt, seed): &(Prompt, u64)| {
            let name = &self.files[&(prompt.text.clone(), *seed)];
            let path = self.folder.join(name);
            let digest = crate::repository::digest(&path).map_err(|error| GenerateError {
                kind: "image-file".to_owned(),
                message: format!("{}: {error}", path.display()),
                hint: None,
            })?;
            Ok((slashes(name), digest))
        };
        self.rows.par_iter().map(file).collect()
    }

    /// The file that is listed for a request, as the manifest names it and where it lies: inside the folder.
    fn listed(&self, request: &Request) -> Result<(&Path, PathBuf), GenerateError> {
        let Some(name) = self.files.get(&(request.prompt.clone(), request.seed)) else {
            return Err(GenerateError {
                kind: "missing-image".to_owned(),
                message: format!("the manifest lists no image of \"{}\" with seed {}", request.prompt, request.seed),
                hint: Some("add it, or use `prompts = \"manifest\"` to test just what is there".to_owned()),
            });
        };
        let path = self.folder.join(name);
        let kind = if path.exists() { "image-file" } else { "missing-image" };
        let failed = |message: String| GenerateError { kind: kind.to_owned(), message, hint: None };
        // a link inside the folder may lead out of it
        let inside = |path: &Path| Ok(path.canonicalize()?.starts_with(self.folder.canonicalize()?));
        if !inside(&path).map_err(|error: std::io::Error| failed(format!("{}: {error}", path.display())))? {
            return Err(failed(format!("{} leads out of the image folder", path.display())));
        }
        Ok((name, path))
    }

    /// The SHA-256 of the file that the manifest lists for a request.
    ///
    /// # Errors
    /// When it lists none, or the file cannot be read.
    pub fn file_digest(&self, request: &Request) -> Result<Digest, GenerateError> {
        let (_, path) = self.listed(request)?;
        crate::repository::digest(&path).map_err(|error| unreadable(format!("{}: {error}", path.display())))
    }

    fn image(&self, request: &Request) -> Result<Generated, GenerateError> {
        let (name, path) = self.listed(request)?;
        let failed = unreadable;
        let limits = Limits::default();
        let content = decode::bytes(&path, &limits).map_err(|error| failed(format!("{}: {error}", path.display())))?;
        let image =
            decode::decode(&content, &limits).map_err(|error| failed(format!("{}: {error}", path.display())))?;
        let attributes = vec![
            ("file".to_owned(), slashes(name)),
            ("file_digest".to_owned(), Digest::of(&content).to_string()),
            ("seed".to_owned(), request.seed.to_string()),
            ("size".to_owned(), format!("{}x{}", image.width(), image.height())),
        ];
        Ok(Generated { image, attributes, warnings: Vec::new(), file: Some(path) })
    }
}

impl Generator for ImageFolder {
    fn info(&self) -> &GeneratorInfo {
        &self.info
    }

    fn lanes(&self) -> usize {
        1
    }

    fn is_light(&self) -> bool {
        true
    }

    fn file(&self, request: &Request) -> Option<PathBuf> {
        Some(self.listed(request).ok()?.1)
    }

    fn inputs(&self, request: &Request) -> Result<Inputs, GenerateError> {
        let (name, _) = self.listed(request)?;
        let digest = self.file_digest(request)?;
        let mut inputs = Inputs::new().with("image/file", slashes(name)).with("image/digest", digest.to_string());
        inputs.set("prompt", &request.prompt);
        inputs.set("seed", request.seed.to_string());
        inputs.set("runtime/decoder", DECODER);
        Ok(inputs)
    }

    fn generate(
        &self,
        requests: &[Request],
        progress: &(dyn Fn(Step) -> bool + Sync),
    ) -> Vec<Result<Generated, GenerateError>> {
        let images = requests.iter().map(|request| self.image(request)).collect();
        if progress(Step { step: 1, of: 1 }) {
            return images;
        }
        let cancelled = || GenerateError {
            kind: "cancelled".to_owned(),
            message: "the image was not finished".to_owned(),
            hint: None,
        };
        requests.iter().map(|_| Err(cancelled())).collect()
    }
}

/// Gives prompts their ids.
#[derive(Default)]
struct Prompts {
    known: HashMap<(String, Option<String>), Prompt>,
    ids: HashSet<String>,
}

impl Prompts {
    fn prompt(&mut self, row: Row) -> Result<Prompt, String> {
        let key = (row.prompt, row.negative_prompt);
        if let Some(known) = self.known.get(&key) {
            return match row.id {
                Some(id) if id != known.id => Err(format!("the prompt has two ids: `{}` and `{id}`", known.id)),
                _ => Ok(known.clone()),
            };
        }
        let id = row.id.unwrap_or_else(|| format!("p{}", self.known.len()));
        if !self.ids.insert(id.clone()) {
            return Err(format!("the id `{id}` belongs to another prompt"));
        }
        let prompt = Prompt { id, text: key.0.clone(), negative: key.1.clone(), attributes: Vec::new() };
        self.known.insert(key, prompt.clone());
        Ok(prompt)
    }
}

/// Whether a path can only mean something below the folder it is joined to.
fn stays_inside(path: &Path) -> bool {
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    path.components().all(plain) && path.components().any(|part| matches!(part, Component::Normal(_)))
}

/// The same text on every system: scores may depend on attributes.
fn slashes(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}

fn unreadable(message: String) -> GenerateError {
    GenerateError { kind: "image-file".to_owned(), message, hint: None }
}

fn read(path: &Path) -> std::io::Result<String> {
    if crate::files::regular(path)?.len() > MANIFEST_BYTES {
        return Err(std::io::Error::other(format!("it is larger than {MANIFEST_BYTES} bytes")));
    }
    std::fs::read_to_string(path)
}

/// The message without "at line 1 column 8": the line is the manifest's, not the parser's.
fn without_position(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let end = message.rfind(" at line ").unwrap_or(message.len());
    format!("{} (column {})", &message[..end], error.column())
}
