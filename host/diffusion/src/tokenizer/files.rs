//! The files of a tokenizer: pieces and merges in either of two layouts, and the settings beside them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};
use tokenizers::AddedToken;

use super::TokenizerError;

/// What `model_max_length` is where no sensible one is given: all CLIP text towers have 77 positions.
const POSITIONS: usize = 77;

/// Ids by piece.
type Vocabulary = HashMap<String, u32>;

/// What byte-pair encoding needs.
pub(super) struct Pieces {
    /// Where the vocabulary was read, for messages.
    pub(super) path: PathBuf,
    pub(super) vocab: Vocabulary,
    /// The pairs that become one piece, in their order.
    pub(super) merges: Vec<(String, String)>,
}

/// The pieces of the tokenizer in `folder`.
pub(super) fn pieces(folder: &Path) -> Result<Pieces, TokenizerError> {
    let path = folder.join("vocab.json");
    let whole = folder.join("tokenizer.json");
    if !path.exists() && whole.exists() {
        return whole_pieces(whole);
    }
    let vocab = serde_json::from_slice(&read(&path)?).map_err(|error| content(&path, &error))?;
    Ok(Pieces { path, vocab, merges: merges(folder)? })
}

/// The parts of `tokenizer.json` that transformers' `CLIPTokenizer` reads; normalizer, words and template are the class's own.
#[derive(Deserialize)]
struct Whole {
    #[serde(default)]
    added_tokens: Vec<Value>,
    model: Model,
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type")]
    kind: Option<String>,
    end_of_word_suffix: Option<String>,
    vocab: Vocabulary,
    merges: Vec<Pair>,
}

/// A merge, as older and newer files write it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Pair {
    Line(String),
    Two(String, String),
}

fn whole_pieces(path: PathBuf) -> Result<Pieces, TokenizerError> {
    let Whole { added_tokens, model } =
        serde_json::from_slice(&read(&path)?).map_err(|error| content(&path, &error))?;
    // files of some years leave the type out
    if model.kind.as_deref().is_some_and(|kind| kind != "BPE") || model.end_of_word_suffix.as_deref() != Some("</w>") {
        return Err(content(&path, &"not CLIP's byte-pair encoding, whose words end in `</w>`"));
    }
    refuse_unknown(&path, added_tokens.iter(), &model.vocab)?;
    let merges = model.merges.into_iter().enumerate().map(|(index, pair)| match pair {
        Pair::Two(a, b) => Ok((a, b)),
        Pair::Line(line) => split(&line).ok_or_else(|| content(&path, &format!("merge {} is not a pair", index + 1))),
    });
    Ok(Pieces { merges: merges.collect::<Result<_, _>>()?, vocab: model.vocab, path })
}

fn refuse_unknown<'a>(
    path: &Path,
    mut added: impl Iterator<Item = &'a Value>,
    vocab: &Vocabulary,
) -> Result<(), TokenizerError> {
    let name = |token: &'a Value| token.get("content")?.as_str();
    match added.find_map(|token| name(token).filter(|name| !vocab.contains_key(*name))) {
        Some(name) => Err(content(path, &format!("the added token `{name}` is not supported"))),
        None => Ok(()),
    }
}

/// The optional settings: both files are `{}` where they are missing.
pub(super) struct Config {
    path: PathBuf,
    file: Map<String, Value>,
    map: Map<String, Value>,
}

impl Config {
    pub(super) fn read(folder: &Path) -> Result<Self, TokenizerError> {
        let path = folder.join("tokenizer_config.json");
        Ok(Self { file: object(&path)?, map: object(&folder.join("special_tokens_map.json"))?, path })
    }

    /// A special token, written as a string or as an object.
    pub(super) fn special(&self, key: &str, default: &str) -> AddedToken {
        let value = [&self.file, &self.map].into_iter().filter_map(|map| map.get(key)).find(|value| !value.is_null());
        let text = |value: &Value| value.as_str().or_else(|| value.get("content")?.as_str()).map(str::to_owned);
        let token = AddedToken::from(value.and_then(text).unwrap_or_else(|| default.to_owned()), true);
        let flag = |name: &str| value.and_then(|value| value.get(name)).and_then(Value::as_bool).unwrap_or(false);
        token
            .normalized(flag("normalized"))
            .lstrip(flag("lstrip"))
            .rstrip(flag("rstrip"))
            .single_word(flag("single_word"))
    }

    pub(super) fn max_length(&self) -> usize {
        let given = self.file.get("model_max_length").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        given.filter(|n| (3..=POSITIONS).contains(n)).unwrap_or(POSITIONS)
    }

    /// Tokens beyond the vocabulary (textual inversion) need embeddings that are not read.
    pub(super) fn refuse_added(&self, vocab: &Vocabulary) -> Result<(), TokenizerError> {
        let added = self.file.get("added_tokens_decoder").and_then(Value::as_object);
        refuse_unknown(&self.path, added.into_iter().flat_map(Map::values), vocab)
    }
}

/// The merges in order: two pieces on a line, separated by a space; a first line with the version is skipped.
fn merges(folder: &Path) -> Result<Vec<(String, String)>, TokenizerError> {
    let path = folder.join("merges.txt");
    let text = String::from_utf8(read(&path)?).map_err(|error| content(&path, &error))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with("#version"));
    lines
        .map(|(index, line)| split(line).ok_or_else(|| content(&path, &format!("line {} is not a pair", index + 1))))
        .collect()
}

fn split(line: &str) -> Option<(String, String)> {
    let (a, b) = line.split_once(' ').filter(|(_, b)| !b.contains(' '))?;
    Some((a.to_owned(), b.to_owned()))
}

fn read(path: &Path) -> Result<Vec<u8>, TokenizerError> {
    std::fs::read(path).map_err(|source| TokenizerError::Io { path: path.to_owned(), source })
}

/// The object in a file; empty when there is no file.
fn object(path: &Path) -> Result<Map<String, Value>, TokenizerError> {
    if !path.exists() {
        return Ok(Map::new());
    }
    serde_json::from_slice(&read(path)?).map_err(|error| content(path, &error))
}

pub(super) fn content(path: &Path, message: &impl ToString) -> TokenizerError {
    TokenizerError::Content { path: path.to_owned(), message: message.to_string() }
}
