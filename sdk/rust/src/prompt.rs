//! What a prompt generator yields: prompts with stable ids, in pages.

use crate::Error;

/// A prompt, as a test uses it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// Stable and unique within the answer: scores are compared over time by it. Empty is filled in from the text.
    pub id: String,
    /// The text.
    pub text: String,
    /// A negative prompt of its own.
    pub negative: Option<String>,
    /// What it was built from. The SDK sorts them by name.
    pub attributes: Vec<(String, String)>,
}

impl Prompt {
    /// A prompt whose id comes from its text, see [`Prompt::derived_id`].
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// With this id.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// With this negative prompt.
    #[must_use]
    pub fn negative(mut self, text: impl Into<String>) -> Self {
        self.negative = Some(text.into());
        self
    }

    /// With one more fact about what it was built from.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// The id of a prompt that was given none: its lower-case words joined by hyphens, at most 48 characters of them.
    /// Where that loses something (capitals, punctuation, length, a negative prompt), 8 hexadecimal digits of the FNV-1a
    /// hash of the texts follow, so that different prompts keep different ids. It depends on nothing but the prompt itself:
    /// adding a prompt renames no other.
    #[must_use]
    pub fn derived_id(&self) -> String {
        let words: Vec<String> = self
            .text
            .split(|letter: char| !letter.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_ascii_lowercase)
            .collect();
        let lossless = self.negative.is_none() && self.text == words.join(" ");
        let mut slug = words.join("-");
        if lossless && !slug.is_empty() && slug.len() <= 48 {
            return slug;
        }
        slug.truncate(48);
        let mut hash = fnv1a(FNV_OFFSET, self.text.as_bytes());
        if let Some(negative) = &self.negative {
            // A byte that UTF-8 never contains keeps ("ab", "c") and ("a", "bc") apart.
            hash = fnv1a(fnv1a(hash, &[0xff]), negative.as_bytes());
        }
        let slug = slug.trim_end_matches('-');
        let hyphen = if slug.is_empty() { "" } else { "-" };
        format!("{slug}{hyphen}{:08x}", (hash >> 32) ^ (hash & 0xffff_ffff))
    }

    /// Ready to leave the plugin.
    pub(crate) fn finished(mut self) -> Self {
        if self.id.is_empty() {
            self.id = self.derived_id();
        }
        self.attributes.sort();
        self
    }
}

impl From<String> for Prompt {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Prompt {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, 64 bit, <http://www.isthe.com/chongo/tech/comp/fnv/>.
fn fnv1a(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// What a plugin says of a prompt generator before it generates anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratorInfo {
    /// Kebab-case.
    pub name: String,
    /// One line.
    pub summary: String,
    /// JSON Schema of the config table; `None` takes no config.
    pub config_schema: Option<String>,
}

/// A family of prompt generators. [`prompts!`](crate::prompts) implements it; tests call it.
pub trait PromptPlugin {
    /// All generators, in the order they were written.
    fn describe() -> Vec<GeneratorInfo>;

    /// The prompts `offset .. offset + limit` of the generator of this name; a page shorter than `limit` is the last.
    /// `config` is JSON text; empty text is an empty table.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] when the config does not fit, [`Error::Other`] for an unknown name, and what the generator says.
    fn generate(name: &str, seed: u64, offset: u32, limit: u32, config: &str) -> Result<Vec<Prompt>, Error>;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn plain_texts_become_readable_ids() {
        assert_eq!(Prompt::new("a red circle").derived_id(), "a-red-circle");
        assert_eq!(Prompt::new("8 cats").derived_id(), "8-cats");
    }

    #[test]
    fn what_the_words_lose_the_hash_keeps() {
        let texts = ["a red circle", "A red circle", "a red circle.", "a  red circle", " a red circle", "a-red-circle"];
        let mut ids: Vec<String> = texts.iter().map(|text| Prompt::new(*text).derived_id()).collect();
        ids.push(Prompt::new("a red circle").negative("blur").derived_id());
        ids.push(Prompt::new("a red circle").negative("").derived_id());
        for id in &ids {
            assert!(id.starts_with("a-red-circle"), "{id}");
        }
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), texts.len() + 2);
    }

    #[test]
    fn long_foreign_and_empty_texts_have_short_plain_ids() {
        for text in ["word ".repeat(100).as_str(), "ein grüner Kreis", "赤い円", "", "x".repeat(49).as_str()] {
            let id = Prompt::new(text).derived_id();
            assert!(!id.is_empty() && id.len() <= 57, "{id}");
            assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{id}");
            assert!(!id.contains("--") && !id.starts_with('-') && !id.ends_with('-'), "{id}");
        }
    }

    #[test]
    fn fnv1a_matches_its_published_vectors() {
        assert_eq!(fnv1a(FNV_OFFSET, b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(FNV_OFFSET, b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(FNV_OFFSET, b"foobar"), 0x8594_4171_f739_67e8);
    }
}
