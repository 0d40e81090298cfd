//! CLIP's tokenizer from `vocab.json` and `merges.txt`: byte-level byte-pair encoding of lower-cased text, as transformers'
//! `CLIPTokenizer` (5.x, the fast one; older slow ones differ on Chinese, control characters and broken encodings).
//!
//! A prompt becomes exactly [`ClipTokenizer::max_length`] ids: start, text, end, padding. Longer text is cut so that the end
//! token stays, and what was cut is said: a test that silently ignores half a prompt measures something else.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::replace::{Replace, ReplacePattern};
use tokenizers::normalizers::{Lowercase, NFC, Sequence as Normalizers};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, NormalizerWrapper, PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer};

/// Words, single digits, runs of other signs, English contractions, and the two special tokens.
const WORDS: &str = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// What `model_max_length` is where no sensible one is given: all CLIP text towers have 77 positions.
const POSITIONS: usize = 77;

/// A tokenizer, ready.
pub struct ClipTokenizer {
    bpe: Tokenizer,
    start: i64,
    end: i64,
    pad: i64,
    max_length: usize,
}

/// A prompt as the text encoder takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// [`ClipTokenizer::max_length`] token ids.
    pub ids: Vec<i64>,
    /// What was said but not heard: the text from the first cut token on.
    pub cut: Option<String>,
}

/// Why there is no tokenizer, or no tokens.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}: {message}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The vocabulary or a prompt is refused by the tokenizer library.
    #[error("tokenizer: {0}")]
    Library(String),
}

impl From<tokenizers::Error> for TokenizerError {
    fn from(error: tokenizers::Error) -> Self {
        Self::Library(error.to_string())
    }
}

impl ClipTokenizer {
    /// Reads `vocab.json` and `merges.txt` of `folder`; special tokens and length from `tokenizer_config.json` and
    /// `special_tokens_map.json` where they are.
    ///
    /// # Errors
    /// A file that is missing, malformed, or adds tokens that the model does not know.
    pub fn load(folder: &Path) -> Result<Self, TokenizerError> {
        let vocab_path = folder.join("vocab.json");
        let vocab: HashMap<String, u32> =
            serde_json::from_slice(&read(&vocab_path)?).map_err(|error| content(&vocab_path, &error))?;
        let config = Config {
            file: object(&folder.join("tokenizer_config.json"))?,
            map: object(&folder.join("special_tokens_map.json"))?,
        };
        config.refuse_added(&folder.join("tokenizer_config.json"), &vocab)?;

        let mut special = Vec::new();
        let mut id = |key: &str, default: &str| {
            let token = config.special(key, default);
            let id = vocab.get(&token.content).copied().ok_or_else(|| {
                content(
                    &vocab_path,
                    &format!("the {} `{}` is not in the vocabulary", key.replace('_', " "), token.content),
                )
            });
            special.push(token);
            id.map(i64::from)
        };
        let start = id("bos_token", "<|startoftext|>")?;
        let end = id("eos_token", "<|endoftext|>")?;
        let pad = id("pad_token", "<|endoftext|>")?;
        id("unk_token", "<|endoftext|>")?;
        let unknown = special.last().map(|token| token.content.clone()).unwrap_or_default();

        let bpe = BPE::builder()
            .vocab_and_merges(vocab.into_iter().collect::<tokenizers::models::bpe::Vocab>(), merges(folder)?)
            .continuing_subword_prefix(String::new())
            .end_of_word_suffix("</w>".to_owned())
            .unk_token(unknown)
            .build()?;
        let mut tokenizer = Tokenizer::new(bpe);
        let spaces = Replace::new(ReplacePattern::Regex(r"\s+".to_owned()), " ")?;
        tokenizer.with_normalizer(Some(Normalizers::new(vec![
            NormalizerWrapper::NFC(NFC),
            NormalizerWrapper::Replace(spaces),
            NormalizerWrapper::Lowercase(Lowercase),
        ])))?;
        let words = Split::new(SplitPattern::Regex(WORDS.to_owned()), SplitDelimiterBehavior::Removed, true)?;
        tokenizer.with_pre_tokenizer(Some(PreTokenizers::new(vec![
            PreTokenizerWrapper::Split(words),
            PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, true, true)),
        ])));
        tokenizer.add_special_tokens(special)?;
        Ok(Self { bpe: tokenizer, start, end, pad, max_length: config.max_length() })
    }

    /// How many ids every prompt becomes.
    #[must_use]
    pub fn max_length(&self) -> usize {
        self.max_length
    }

    /// The ids of `text`.
    ///
    /// # Errors
    /// [`TokenizerError::Library`] when the library refuses the text.
    pub fn encode(&self, text: &str) -> Result<Tokens, TokenizerError> {
        let encoding = self.bpe.encode(text, false)?;
        let room = self.max_length - 2;
        let cut =
            encoding.get_offsets().get(room).map(|&(start, _)| text.get(start..).unwrap_or(text).trim().to_owned());
        let mut ids = Vec::with_capacity(self.max_length);
        ids.push(self.start);
        ids.extend(encoding.get_ids().iter().take(room).copied().map(i64::from));
        ids.push(self.end);
        ids.resize(self.max_length, self.pad);
        Ok(Tokens { ids, cut })
    }

    /// What a person should know when a prompt was cut.
    #[must_use]
    pub fn cut_warning(&self, cut: &str) -> String {
        const SHOWN: usize = 80;
        let dots = if cut.chars().count() > SHOWN { "..." } else { "" };
        let shown: String = cut.chars().take(SHOWN).collect();
        format!("prompt cut at {} tokens: the model does not see \"{shown}{dots}\"", self.max_length - 2)
    }
}

/// The optional settings: both files are `{}` where they are missing.
struct Config {
    file: Map<String, Value>,
    map: Map<String, Value>,
}

impl Config {
    /// A special token, written as a string or as an object.
    fn special(&self, key: &str, default: &str) -> AddedToken {
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

    fn max_length(&self) -> usize {
        let given = self.file.get("model_max_length").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        given.filter(|n| (3..=POSITIONS).contains(n)).unwrap_or(POSITIONS)
    }

    /// Tokens beyond the vocabulary (textual inversion) need embeddings that are not read.
    fn refuse_added(&self, path: &Path, vocab: &HashMap<String, u32>) -> Result<(), TokenizerError> {
        let added = self.file.get("added_tokens_decoder").and_then(Value::as_object);
        let names = added.into_iter().flat_map(Map::values).filter_map(|token| token.get("content")?.as_str());
        match names.into_iter().find(|name| !vocab.contains_key(*name)) {
            Some(name) => Err(content(path, &format!("the added token `{name}` is not supported"))),
            None => Ok(()),
        }
    }
}

/// The merges in order: two pieces on a line, separated by a space; a first line with the version is skipped.
fn merges(folder: &Path) -> Result<Vec<(String, String)>, TokenizerError> {
    let path = folder.join("merges.txt");
    let text = String::from_utf8(read(&path)?).map_err(|error| content(&path, &error))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with("#version"));
    lines
        .map(|(index, line)| match line.split_once(' ') {
            Some((a, b)) if !b.contains(' ') => Ok((a.to_owned(), b.to_owned())),
            _ => Err(content(&path, &format!("line {} is not a pair", index + 1))),
        })
        .collect()
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

fn content(path: &Path, message: &impl ToString) -> TokenizerError {
    TokenizerError::Content { path: path.to_owned(), message: message.to_string() }
}
