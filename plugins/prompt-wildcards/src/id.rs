//! Ids that a person can read and that follow from the prompt alone.

/// Characters of the readable part.
const READABLE: usize = 48;

/// The prompt's words in lower case with hyphens between them, and 16 hexadecimal digits of [`hash`] where that is not all
/// there is to the prompt: a list of ten thousand prompts that begin alike still has different ids.
#[must_use]
pub fn id(text: &str, negative: Option<&str>) -> String {
    let words: Vec<String> = text
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let mut slug = words.join("-");
    if negative.is_none() && !slug.is_empty() && slug.len() <= READABLE && text == words.join(" ") {
        return slug;
    }
    if slug.len() > READABLE {
        // whole words, where that leaves any
        let end = slug[..=READABLE].rfind('-').unwrap_or(READABLE);
        slug.truncate(end);
    }
    let hyphen = if slug.is_empty() { "" } else { "-" };
    format!("{slug}{hyphen}{:016x}", hash(text, negative))
}

/// The 64-bit FNV-1a hash of both texts.
#[must_use]
pub fn hash(text: &str, negative: Option<&str>) -> u64 {
    let bytes = |hash: u64, bytes: &[u8]| {
        bytes.iter().fold(hash, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
    };
    let hash = bytes(0xcbf2_9ce4_8422_2325, text.as_bytes());
    // a byte that UTF-8 never contains keeps ("ab", "c") and ("a", "bc") apart
    negative.map_or(hash, |negative| bytes(bytes(hash, &[0xff]), negative.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_are_their_own_id() {
        assert_eq!(id("a red circle", None), "a-red-circle");
        // FNV-1a of "a", from its published test vectors
        assert_eq!(hash("a", None), 0xaf63_dc4c_8601_ec8c);
    }

    #[test]
    fn what_the_words_lose_the_hash_keeps() {
        let all = [
            id("A red circle", None),
            id("a red circle", Some("")),
            id("a red circle", Some("x")),
            id("a red, circle", None),
            id("a  red circle", None),
            id("猫", None),
            id("犬", None),
            id(&"a long prompt ".repeat(9), None),
            id(&"a long prompt ".repeat(10), None),
        ];
        for (place, one) in all.iter().enumerate() {
            assert!(all[..place].iter().all(|other| other != one), "{one}");
            assert!(one.len() <= READABLE + 17, "{one}");
        }
        assert_eq!(id("猫", None).len(), 16);
        assert!(id(&"abcd ".repeat(12), None).starts_with(&format!("{}-", ["abcd"; 9].join("-"))));
        assert!(id(&"x".repeat(99), None).starts_with(&format!("{}-", "x".repeat(48))));
    }
}
