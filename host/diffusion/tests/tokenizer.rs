//! Our tokens against transformers'. `golden/sampling/make_tokens.py` made the expected ids.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use difftest_diffusion::tokenizer::{ClipTokenizer, TokenizerError};
use serde_json::Value;

fn shapes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../suites/models/shapes/tokenizer")
}

/// A copy of the tokenizer with some files changed.
fn copy(changes: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["vocab.json", "merges.txt"] {
        std::fs::copy(shapes().join(name), folder.path().join(name)).unwrap();
    }
    for (name, text) in changes {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn check(tokenizer: &ClipTokenizer, rows: &Value) {
    let rows = rows.as_array().unwrap();
    assert!(rows.len() >= 15);
    for row in rows {
        let text = row["text"].as_str().unwrap();
        let expected: Vec<i64> = row["ids"].as_array().unwrap().iter().map(|id| id.as_i64().unwrap()).collect();
        let tokens = tokenizer.encode(text).unwrap();
        assert_eq!(tokens.ids, expected, "{text:?}");
        assert_eq!(tokens.cut.is_some(), row["cut"].as_bool().unwrap(), "{text:?}");
    }
}

#[test]
fn ids_are_transformers() {
    let golden: Value = serde_json::from_str(include_str!("golden/sampling/tokens.json")).unwrap();
    check(&ClipTokenizer::load(&shapes()).unwrap(), &golden["end_padded"]);
    // Stable Diffusion 2 pads with "!", which makes a "!" in a prompt the padding token as well
    let bang = copy(&[("special_tokens_map.json", r#"{"pad_token": "!"}"#)]);
    check(&ClipTokenizer::load(bang.path()).unwrap(), &golden["bang_padded"]);
}

#[test]
fn tokenizer_json_alone_gives_the_same_ids() {
    let golden: Value = serde_json::from_str(include_str!("golden/sampling/tokens.json")).unwrap();
    let families = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/families");
    for (folder, rows) in [("lcm/tokenizer", "end_padded"), ("sdxl-turbo/tokenizer_2", "bang_padded")] {
        assert!(!families.join(folder).join("vocab.json").exists());
        check(&ClipTokenizer::load(&families.join(folder)).unwrap(), &golden[rows]);
    }
}

#[test]
fn a_tokenizer_json_of_another_kind_is_refused() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/families/lcm/tokenizer/tokenizer.json");
    let whole: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let error = |change: &dyn Fn(&mut Value)| {
        let folder = tempfile::tempdir().unwrap();
        let mut whole = whole.clone();
        change(&mut whole);
        std::fs::write(folder.path().join("tokenizer.json"), whole.to_string()).unwrap();
        ClipTokenizer::load(folder.path()).err().unwrap().to_string()
    };
    assert!(error(&|whole| whole["model"]["type"] = "Unigram".into()).contains("byte-pair"));
    assert!(error(&|whole| whole["model"]["merges"][3] = "abc".into()).contains("merge 4 is not a pair"));
    assert!(error(&|whole| whole["added_tokens"][0]["content"] = "<my-style>".into()).contains("`<my-style>`"));
    assert!(error(&|whole| whole["model"] = Value::Null).contains("tokenizer.json"));
}

#[test]
fn what_is_cut_is_said() {
    let tokenizer = ClipTokenizer::load(&shapes()).unwrap();
    let tokens = tokenizer.encode(&format!("{}a green heart", "red ".repeat(75))).unwrap();
    let cut = tokens.cut.unwrap();
    assert_eq!((cut.text.as_str(), cut.tokens, cut.room), ("a green heart", 3, 75));
    assert_eq!(tokens.ids.last(), tokenizer.encode("").unwrap().ids.last());
    let warning = cut.to_string();
    assert_eq!(warning, "prompt cut at 75 tokens: the model does not see \"a green heart\"");
    assert!(tokenizer.encode(&"red ".repeat(75)).unwrap().cut.is_none());
}

#[test]
fn broken_files_are_named() {
    let error = |changes: &[(&str, &str)]| ClipTokenizer::load(copy(changes).path()).err().unwrap().to_string();
    assert!(error(&[("merges.txt", "#version: 0.2\na b\nabc\n")]).contains("merges.txt: line 3"));
    assert!(error(&[("vocab.json", "{\"a\": ")]).contains("vocab.json"));
    assert!(error(&[("vocab.json", "{\"a\": 1}")]).contains("`<|startoftext|>` is not in the vocabulary"));
    let added = r#"{"added_tokens_decoder": {"619": {"content": "<my-style>"}}}"#;
    assert!(error(&[("tokenizer_config.json", added)]).contains("`<my-style>`"));
    assert!(matches!(ClipTokenizer::load(Path::new("/nowhere")), Err(TokenizerError::Io { .. })));
}

/// Merges that are not all there make other pieces of the same words, and so another image, without a word.
#[test]
fn merges_that_are_missing_are_noticed() {
    let merges = std::fs::read_to_string(shapes().join("merges.txt")).unwrap();
    let lines: Vec<&str> = merges.lines().collect();
    let error = |text: &str| ClipTokenizer::load(copy(&[("merges.txt", text)]).path()).err().unwrap();
    let all = error("");
    assert!(
        all.to_string().ends_with(
            "none of its 0 merges makes `gr` (token 512 of the vocabulary), nor 104 more: merges are missing"
        ),
        "{all}"
    );
    assert!(all.hint().unwrap().contains("again"));
    let half = error(&lines[..lines.len() / 2].join("\n")).to_string();
    assert!(half.contains("merges.txt: none of its 52 merges makes `") && half.contains("nor 52 more"), "{half}");
    let one = error(&lines[..lines.len() - 1].join("\n")).to_string();
    assert!(one.contains("none of its 104 merges makes `") && !one.contains("more:"), "{one}");
    let foreign = error(&format!("{merges}\ngr zzz\n")).to_string();
    assert!(foreign.contains("merge 106 joins `zzz`, which is not in the vocabulary"), "{foreign}");

    let lcm = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/families/lcm/tokenizer/tokenizer.json");
    let mut whole: Value = serde_json::from_slice(&std::fs::read(lcm).unwrap()).unwrap();
    whole["model"]["merges"] = Value::Array(Vec::new());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tokenizer.json"), whole.to_string()).unwrap();
    let error = ClipTokenizer::load(folder.path()).err().unwrap().to_string();
    assert!(error.contains("tokenizer.json: none of its 0 merges makes `gr`"), "{error}");
}

#[test]
fn settings_of_another_tokenizer_are_refused() {
    let error = |settings: &str| {
        ClipTokenizer::load(copy(&[("tokenizer_config.json", settings)]).path()).err().unwrap().to_string()
    };
    assert!(error(r#"{"pad_token": 3}"#).contains("tokenizer_config.json: `pad_token` must be a text"));
    assert!(
        error(r#"{"tokenizer_class": "T5Tokenizer"}"#)
            .contains("`tokenizer_class` is \"T5Tokenizer\", supported: CLIP")
    );
}
