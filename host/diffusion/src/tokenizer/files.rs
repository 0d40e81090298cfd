//! The files of a tokenizer: pieces and merges in either of two layouts, and the settings beside them.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};
use tokenizers::AddedToken;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

use super::TokenizerError;

/// What `model_max_length` is where no sensible one is given: all CLIP text towers have 77 positions.
const POSITIONS: usize = 77;

/// How pieces at the end of a word end.
pub(super) const END_OF_WORD: &str = "</w>";

/// Ids by piece.
type Vocabulary = HashMap<String, u32>;

/// What byte-pair encoding needs.
pub(super) struct Pieces {
    /// Where the vocabulary was read, for messages.
    pub(super) path: PathBuf,
    /// Where the merges were.
    pub(super) merges_path: PathBuf,
    pub(super) vocab: Vocabulary,
    /// The pairs that become one piece, in their order.
    pub(super) merges: Vec<(String, String)>,
}

/// The pieces of the tokenizer in `folder`.
pub(super) fn pieces(folder: &Path) -> Result<Pieces, TokenizerError> {
    let path = folder.join("vocab.json");
    let whole = folder.join("tokenizer.json");
    if !crate::files::there(&path) && crate::files::there(&whole) {
        return whole_pieces(whole);
    }
    let vocab = serde_json::from_slice(&read(&path)?).map_err(|error| content(&path, &error))?;
    let merges_path = folder.join("merges.txt");
    Ok(Pieces { path, vocab, merges: merges(&merges_path)?, merges_path })
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
    if model.kind.as_deref().is_some_and(|kind| kind != "BPE")
        || model.end_of_word_suffix.as_deref() != Some(END_OF_WORD)
    {
        return Err(content(&path, &"not CLIP's byte-pair encoding, whose words end in `</w>`"));
    }
    refuse_unknown(&path, added_tokens.iter(), &model.vocab)?;
    let merges = model.merges.into_iter().enumerate().map(|(index, pair)| match pair {
        Pair::Two(a, b) => Ok((a, b)),
        Pair::Line(line) => split(&line).ok_or_else(|| content(&path, &format!("merge {} is not a pair", index + 1))),
    });
    Ok(Pieces { merges: merges.collect::<Result<_, _>>()?, vocab: model.vocab, merges_path: path.clone(), path })
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

/// What `tokenizer_class` may say, where it says something: all read the same files.
const CLASSES: [&str; 4] = ["CLIPTokenizer", "CLIPTokenizerFast", "PreTrainedTokenizerFast", "TokenizersBackend"];

/// The optional settings: both files are `{}` where they are missing.
pub(super) struct Config {
    path: PathBuf,
    file: Map<String, Value>,
    map_path: PathBuf,
    map: Map<String, Value>,
}

impl Config {
    pub(super) fn read(folder: &Path) -> Result<Self, TokenizerError> {
        let [path, map_path] = ["tokenizer_config.json", "special_tokens_map.json"].map(|name| folder.join(name));
        Ok(Self { file: object(&path)?, map: object(&map_path)?, path, map_path })
    }

    /// Refuses the settings of another kind of tokenizer.
    pub(super) fn refuse_other_class(&self) -> Result<(), TokenizerError> {
        match self.file.get("tokenizer_class") {
            None | Some(Value::Null) => Ok(()),
            Some(class) if class.as_str().is_some_and(|class| CLASSES.contains(&class)) => Ok(()),
            Some(class) => {
                let supported = CLASSES.join(", ");
                Err(content(&self.path, &format!("`tokenizer_class` is {class}, supported: {supported}")))
            }
        }
    }

    /// A special token, written as a string or as an object.
    pub(super) fn special(&self, key: &str, default: &str) -> Result<AddedToken, TokenizerError> {
        let files = [(&self.path, &self.file), (&self.map_path, &self.map)];
        let said =
            files.into_iter().find_map(|(path, map)| Some((path, map.get(key).filter(|value| !value.is_null())?)));
        let text = match said {
            None => default,
            Some((path, value)) => value.as_str().or_else(|| value.get("content")?.as_str()).ok_or_else(|| {
                content(path, &format!("`{key}` must be a text, or an object with a text `content`, found {value}"))
            })?,
        };
        let value = said.map(|(_, value)| value);
        let token = AddedToken::from(text.to_owned(), true);
        let flag = |name: &str| value.and_then(|value| value.get(name)).and_then(Value::as_bool).unwrap_or(false);
        Ok(token
            .normalized(flag("normalized"))
            .lstrip(flag("lstrip"))
            .rstrip(flag("rstrip"))
            .single_word(flag("single_word")))
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
fn merges(path: &Path) -> Result<Vec<(String, String)>, TokenizerError> {
    let text = String::from_utf8(read(path)?).map_err(|error| content(path, &error))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with("#version"));
    lines
        .map(|(index, line)| split(line).ok_or_else(|| content(path, &format!("line {} is not a pair", index + 1))))
        .collect()
}

fn split(line: &str) -> Option<(String, String)> {
    let (a, b) = line.split_once(' ').filter(|(_, b)| !b.contains(' '))?;
    Some((a.to_owned(), b.to_owned()))
}

fn read(path: &Path) -> Result<Vec<u8>, TokenizerError> {
    crate::files::read(path).map_err(|source| TokenizerError::Io { path: path.to_owned(), source })
}

impl Pieces {
    /// Refuses merges that do not belong to the vocabulary or are not all there: words would fall into other pieces, and every
    /// prompt would silently mean something else. CLIP's vocabulary holds each sign of the byte alphabet, alone and as the end of
    /// a word, what each merge makes, and the `special` tokens.
    pub(super) fn refuse_incomplete(&self, special: &[AddedToken]) -> Result<(), TokenizerError> {
        let made: HashSet<String> = self.merges.iter().map(|(left, right)| format!("{left}{right}")).collect();
        let unknown = |piece: &&String| !self.vocab.contains_key(*piece);
        let pieces = self.merges.iter().enumerate().flat_map(|(index, (a, b))| [(index, a), (index, b)]);
        if let Some((index, piece)) = pieces.into_iter().find(|(_, piece)| unknown(piece)) {
            let why = format!(
                "merge {} joins `{piece}`, which is not in the vocabulary: the files are of two tokenizers",
                index + 1
            );
            return Err(content(&self.merges_path, &why));
        }
        if let Some(piece) = made.iter().filter(unknown).min() {
            let why =
                format!("a merge makes `{piece}`, which is not in the vocabulary: the files are of two tokenizers");
            return Err(content(&self.merges_path, &why));
        }
        let alphabet = ByteLevel::alphabet();
        let is_sign = |piece: &str| {
            let mut signs = piece.strip_suffix(END_OF_WORD).unwrap_or(piece).chars();
            signs.next().is_some_and(|sign| alphabet.contains(&sign)) && signs.next().is_none()
        };
        let is_special = |piece: &str| special.iter().any(|token| token.content == piece);
        let mut orphans: Vec<(&u32, &String)> = (self.vocab.iter())
            .filter(|(piece, _)| !made.contains(*piece) && !is_sign(piece) && !is_special(piece))
            .map(|(piece, id)| (id, piece))
            .collect();
        orphans.sort_unstable();
        let Some((id, piece)) = orphans.first() else { return Ok(()) };
        let more = match orphans.len() - 1 {
            0 => String::new(),
            more => format!(", nor {more} more"),
        };
        let why = format!(
            "none of its {} merges makes `{piece}` (token {id} of the vocabulary){more}: merges are missing",
            self.merges.len()
        );
        Err(content(&self.merges_path, &why))
    }
}

/// The object in a file; empty when there is no file.
fn object(path: &Path) -> Result<Map<String, Value>, TokenizerError> {
    if !crate::files::there(path) {
        return Ok(Map::new());
    }
    serde_json::from_slice(&read(path)?).map_err(|error| content(path, &error))
}

pub(super) fn content(path: &Path, message: &impl ToString) -> TokenizerError {
    TokenizerError::Content { path: path.to_owned(), message: message.to_string() }
}
