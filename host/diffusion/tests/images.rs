//! A folder of existing images: what its manifest may say, and what is refused.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use difftest_core::generate::{GenerateError, Generated, Generator, Request, Settings};
use difftest_core::image::Image;
use difftest_diffusion::images::{ImageFolder, ImagesError};
use difftest_metrics::encode::png;

/// A folder with `a.png` (red) and `sub/b.png` (green), and a manifest.
fn folder(manifest: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    for (name, colour) in [("a.png", [255, 0, 0]), ("sub/b.png", [0, 255, 0])] {
        let image = Image::new(3, 2, colour.repeat(6)).unwrap();
        std::fs::write(folder.path().join(name), png(&image).unwrap()).unwrap();
    }
    std::fs::write(folder.path().join("manifest.jsonl"), manifest).unwrap();
    folder
}

fn one(images: &ImageFolder, prompt: &str, seed: u64) -> Result<Generated, GenerateError> {
    let request = Request {
        id: "case".to_owned(),
        prompt: prompt.to_owned(),
        negative_prompt: None,
        seed,
        settings: Settings::default(),
    };
    images.generate(&[request], &|_| true).remove(0)
}

#[test]
fn each_case_gets_its_file() {
    let folder = folder(
        "{\"file\": \"a.png\", \"prompt\": \"red\"}\n\n{\"file\": \"sub/b.png\", \"prompt\": \"green\", \"seed\": 5, \
         \"negative_prompt\": \"blue\", \"id\": \"leaf\"}\n{\"file\": \"./a.png\", \"prompt\": \"red\", \"seed\": 18446744073709551615}\n",
    );
    let images = ImageFolder::open(folder.path(), None).unwrap();
    let rows: Vec<_> = images
        .rows()
        .iter()
        .map(|(prompt, seed)| (prompt.id.as_str(), prompt.text.as_str(), prompt.negative.as_deref(), *seed))
        .collect();
    assert_eq!(rows, [("p0", "red", None, 0), ("leaf", "green", Some("blue"), 5), ("p0", "red", None, u64::MAX)]);
    let green = one(&images, "green", 5).unwrap();
    assert_eq!(green.image.rgb8(), [0, 255, 0].repeat(6));
    assert_eq!(green.file.unwrap(), folder.path().join("sub/b.png"));
    assert_eq!(green.attributes[0], ("file".to_owned(), "sub/b.png".to_owned()));
    assert_eq!(one(&images, "red", u64::MAX).unwrap().image.rgb8()[0], 255);
    assert_eq!(one(&images, "red", 1).unwrap_err().kind, "missing-image");
    assert_eq!(images.info().kind, "images");
}

#[test]
fn a_broken_line_is_named_by_its_number() {
    let good = "{\"file\": \"a.png\", \"prompt\": \"red\"}\n";
    for (line, words) in [
        ("{\"file\": \"a.png\"", "EOF"),
        ("{\"file\": \"a.png\"}", "missing field `prompt`"),
        ("{\"file\": \"a.png\", \"prompt\": \"x\", \"sed\": 1}", "unknown field `sed`"),
        ("{\"file\": \"a.png\", \"prompt\": \"x\", \"seed\": -1}", "-1"),
        ("{\"file\": \"../a.png\", \"prompt\": \"x\"}", "leads out"),
        ("{\"file\": \"sub/../../a.png\", \"prompt\": \"x\"}", "leads out"),
        ("{\"file\": \"/etc/hostname\", \"prompt\": \"x\"}", "leads out"),
        ("{\"file\": \"\", \"prompt\": \"x\"}", "leads out"),
        ("{\"file\": \"sub/b.png\", \"prompt\": \"red\"}", "listed before with seed 0"),
        ("{\"file\": \"a.png\", \"prompt\": \"x\", \"id\": \"p0\"}", "belongs to another prompt"),
        ("{\"file\": \"a.png\", \"prompt\": \"red\", \"seed\": 1, \"id\": \"q\"}", "two ids"),
    ] {
        let folder = folder(&format!("{good}{line}\n"));
        let error = ImageFolder::open(folder.path(), None).unwrap_err();
        assert!(matches!(error, ImagesError::Line { line: 2, .. }), "{error}");
        assert!(error.to_string().contains("manifest.jsonl:2: "), "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(!error.to_string().contains("at line"), "{error}");
    }
}

#[test]
fn a_missing_manifest_folder_or_content_is_named() {
    let folder = folder("\n");
    assert!(matches!(ImageFolder::open(folder.path(), None), Err(ImagesError::Empty { .. })));
    let other = ImageFolder::open(folder.path(), Some(Path::new("other.jsonl"))).unwrap_err();
    assert!(matches!(&other, ImagesError::Manifest { .. }) && other.to_string().contains("other.jsonl"), "{other}");
    let nowhere = ImageFolder::open(Path::new("/nowhere"), None).unwrap_err();
    assert!(matches!(nowhere, ImagesError::NoFolder { .. }));
    assert!(nowhere.hint().unwrap().contains("folder of the suite file"));
    let file = ImageFolder::open(&folder.path().join("a.png"), None).unwrap_err();
    assert!(matches!(file, ImagesError::AFile { .. }) && file.to_string().contains("is a file"), "{file}");
}

#[test]
fn files_that_are_no_images_fail_their_own_case() {
    let folder = folder(concat!(
        "{\"file\": \"a.png\", \"prompt\": \"good\"}\n",
        "{\"file\": \"gone.png\", \"prompt\": \"gone\"}\n",
        "{\"file\": \"manifest.jsonl\", \"prompt\": \"text\"}\n",
        "{\"file\": \"cut.png\", \"prompt\": \"cut\"}\n",
    ));
    let whole = std::fs::read(folder.path().join("a.png")).unwrap();
    std::fs::write(folder.path().join("cut.png"), &whole[..whole.len() - 20]).unwrap();
    let images = ImageFolder::open(folder.path(), None).unwrap();
    assert!(one(&images, "good", 0).is_ok());
    for (prompt, kind, name) in [
        ("gone", "missing-image", "gone.png"),
        ("text", "image-file", "manifest.jsonl"),
        ("cut", "image-file", "cut.png"),
    ] {
        let error = one(&images, prompt, 0).unwrap_err();
        assert_eq!(error.kind, kind);
        assert!(error.message.contains(name), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_out_of_the_folder_is_refused() {
    let outside = folder("");
    let folder = folder("{\"file\": \"link.png\", \"prompt\": \"x\"}\n");
    std::os::unix::fs::symlink(outside.path().join("a.png"), folder.path().join("link.png")).unwrap();
    let images = ImageFolder::open(folder.path(), None).unwrap();
    assert!(one(&images, "x", 0).unwrap_err().message.contains("leads out"));
}
