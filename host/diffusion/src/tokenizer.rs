//! CLIP's tokenizer from `vocab.json` and `merges.txt`, or from the `tokenizer.json` that newer libraries write alone:
//! byte-level byte-pair encoding of lower-cased text, as transformers' `CLIPTokenizer` (5.x, the fast one; older slow ones differ
//! on Chinese, control characters and broken encodings).
//!
//! A prompt becomes exactly [`ClipTokenizer::max_length`] ids: start, text, end, padding. Longer text is cut so that the end
//! token stays, and what was cut is said: a test that silently ignores half a prompt measures something else.

mod files;

use std::fmt;
use std::path::{Path, PathBuf};

use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::replace::{Replace, ReplacePattern};
use tokenizers::normalizers::{Lowercase, NFC, Sequence as Normalizers};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{NormalizerWrapper, PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer};

/// Words, single digits, runs of other signs, English contractions, and the two special tokens.
const WORDS: &str = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

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
    /// What was said but not heard.
    pub cut: Option<Cut>,
}

/// The end of a text that is longer than the encoder reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// From the first token on that has no room.
    pub text: String,
    /// How many tokens that are.
    pub tokens: usize,
    /// How many tokens of text there is room for.
    pub room: usize,
}

impl fmt::Display for Cut {
    /// What a person should know when a prompt was cut.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "prompt cut at {} tokens: the model does not see \"{}\"", self.room, self.text)
    }
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

impl TokenizerError {
    /// What to do about it, where that can be said.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { .. } | Self::Content { .. } => {
                Some("copy or download the tokenizer's folder again, all files from the same place".to_owned())
            }
            Self::Library(_) => None,
        }
    }
}

impl From<tokenizers::Error> for TokenizerError {
    fn from(error: tokenizers::Error) -> Self {
        Self::Library(error.to_string())
    }
}

impl ClipTokenizer {
    /// Reads `vocab.json` and `merges.txt` of `folder`, or its `tokenizer.json` where there is no `vocab.json`; special tokens
    /// and length from `tokenizer_config.json` and `special_tokens_map.json` where they are.
    ///
    /// # Errors
    /// A file that is missing, malformed or of another tokenizer, merges that are not all there, or tokens that the model does not
    /// know.
    pub fn load(folder: &Path) -> Result<Self, TokenizerError> {
        let pieces = files::pieces(folder)?;
        let config = files::Config::read(folder)?;
        config.refuse_other_class()?;
        config.refuse_added(&pieces.vocab)?;

        let mut special = Vec::new();
        let mut id = |key: &str, default: &str| {
            let token = config.special(key, default)?;
            let id = pieces.vocab.get(&token.content).copied().ok_or_else(|| {
                let key = key.replace('_', " ");
                files::content(&pieces.path, &format!("the {key} `{}` is not in the vocabulary", token.content))
            });
            special.push(token);
            id.map(i64::from)
        };
        let start = id("bos_token", "<|startoftext|>")?;
        let end = id("eos_token", "<|endoftext|>")?;
        let pad = id("pad_token", "<|endoftext|>")?;
        id("unk_token", "<|endoftext|>")?;
        let unknown = special.last().map(|token| token.content.clone()).unwrap_or_default();
        pieces.refuse_incomplete(&special)?;
        let files::Pieces { vocab, merges, .. } = pieces;

        let bpe = BPE::builder()
            .vocab_and_merges(vocab.into_iter().collect::<tokenizers::models::bpe::Vocab>(), merges)
            .continuing_subword_prefix(String::new())
            .end_of_word_suffix(files::END_OF_WORD.to_owned())
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
        let cut = encoding.get_offsets().get(room).map(|&(start, _)| Cut {
            text: text.get(start..).unwrap_or(text).trim().to_owned(),
            tokens: encoding.len() - room,
            room,
        });
        let mut ids = Vec::with_capacity(self.max_length);
        ids.push(self.start);
        ids.extend(encoding.get_ids().iter().take(room).copied().map(i64::from));
        ids.push(self.end);
        ids.resize(self.max_length, self.pad);
        Ok(Tokens { ids, cut })
    }
}
