//! JSON as Python writes it.
//!
//! Python's `json` writes numbers that are not finite as bare words, which JSON does not have; every saved
//! `DPMSolverMultistepScheduler` holds `"lambda_min_clipped": -Infinity`.

use serde_json::{Map, Value};

/// Reads an object. Bare `Infinity`, `-Infinity` and `NaN` become text of the same letters.
///
/// # Errors
/// Where and why it is no JSON object.
pub(crate) fn object(text: &[u8]) -> Result<Map<String, Value>, serde_json::Error> {
    serde_json::from_slice(text).or_else(|error| {
        let quoted = quoted(text);
        // of the text as it is, unless it was only for those words that it could not be read
        if quoted.len() == text.len() { Err(error) } else { serde_json::from_slice(&quoted).map_err(|_| error) }
    })
}

/// The text with quotes around those words where they are outside of quotes.
fn quoted(text: &[u8]) -> Vec<u8> {
    const WORDS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];
    let mut out = Vec::with_capacity(text.len() + 8);
    let mut rest = text;
    let mut inside = false;
    while let Some((&byte, after)) = rest.split_first() {
        if let Some(word) = WORDS.into_iter().find(|word| !inside && rest.starts_with(word)) {
            out.push(b'"');
            out.extend_from_slice(word);
            out.push(b'"');
            rest = &rest[word.len()..];
            continue;
        }
        out.push(byte);
        rest = after;
        match (byte, rest.split_first()) {
            (b'"', _) => inside = !inside,
            (b'\\', Some((&escaped, after))) if inside => {
                out.push(escaped);
                rest = after;
            }
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_that_are_not_finite_become_text() {
        let read = object(br#"{"a": -Infinity, "b": [NaN, Infinity, 1], "c": "say \"-Infinity\" \\"}"#).unwrap();
        assert_eq!(
            Value::Object(read).to_string(),
            r#"{"a":"-Infinity","b":["NaN","Infinity",1],"c":"say \"-Infinity\" \\"}"#
        );
    }

    #[test]
    fn errors_are_those_of_the_text_as_it_is() {
        let error = object(b"{\"a\": -Infinity,\n \"b\": }").unwrap_err();
        assert_eq!((error.line(), error.column()), (1, 8));
        assert_eq!(object(b"{\"b\": }").unwrap_err().column(), 7);
        assert!(object(b"[]").is_err());
    }
}
