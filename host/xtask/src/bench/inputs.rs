//! What both sides work on. Large inputs are made once and kept; files come under their final name when they are whole.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::environment::Environment;
use crate::step::{self, Failure};

/// Images of (a) and (b).
pub(super) const IMAGES: usize = 200;
/// Their width and height.
pub(super) const SIDE: usize = 512;
/// Images of (h) and (i), and pairs of (o) and (p).
pub(super) const PNGS: usize = 1_000;
/// Images of (c): every colour with every shape.
pub(super) const PICTURES: usize = COLORS.len() * SHAPES.len();
const COLORS: [&str; 8] = ["red", "green", "blue", "yellow", "purple", "orange", "black", "pink"];
const SHAPES: [&str; 4] = ["circle", "square", "star", "heart"];
/// Cases of (d).
pub(super) const CASES: usize = 10_000;

/// Raw RGB images, one after another.
pub(super) fn images(environment: &Environment<'_>) -> Result<PathBuf, Failure> {
    kept(environment, "images.rgb", |path| {
        let mut make = environment.python("images.py", 1);
        step::run(make.arg(path).args([IMAGES.to_string(), SIDE.to_string()]))
    })
}

/// A folder of [`PNGS`] PNG files with a manifest.
pub(super) fn pictures(environment: &Environment<'_>) -> Result<PathBuf, Failure> {
    let images = images(environment)?;
    kept(environment, "pictures", |path| {
        let mut make = environment.python("pictures.py", 1);
        step::run(make.arg(&images).arg(SIDE.to_string()).arg(path).arg(PNGS.to_string()))
    })
}

/// A folder of as many PNG files, each one of [`pictures`] with a change: every pixel by a level or two, or an area by much.
pub(super) fn changed(environment: &Environment<'_>) -> Result<PathBuf, Failure> {
    let pictures = pictures(environment)?;
    kept(environment, "changed", |path| {
        let mut make = environment.python("changed.py", 1);
        step::run(make.arg(&pictures).arg(path).arg(PNGS.to_string()))
    })
}

/// A suite over those with five metrics of `image-stats`.
pub(super) fn pictures_suite(environment: &Environment<'_>) -> Result<PathBuf, Failure> {
    let folder = pictures(environment)?;
    let metrics = ["brightness", "contrast", "sharpness", "colorfulness", "entropy"];
    let metrics: Vec<_> = metrics.iter().map(|name| format!("\"image-stats/{name}\"")).collect();
    let text = format!(
        "model = {{ images = {:?} }}\n\n[[test]]\nname = \"all\"\nmetrics = [{}]\n",
        folder.display().to_string(),
        metrics.join(", ")
    );
    let path = environment.path("pictures.toml");
    write(&path, &text)?;
    Ok(path)
}

/// A folder with a random network of `kind`, as `networks.py` makes it: weights, an input, and torch's answer.
pub(super) fn network(environment: &Environment<'_>, name: &str, kind: &str) -> Result<PathBuf, Failure> {
    kept(environment, name, |path| step::run(environment.python("networks.py", 2).args(["make", kind]).arg(path)))
}

/// Steps, guidance, and cases that the model was trained for.
pub(super) fn work(environment: &Environment<'_>) -> Result<PathBuf, Failure> {
    let prompts =
        COLORS.iter().flat_map(|color| SHAPES.map(|shape| format!("a {color} {shape} on a white background")));
    let cases: Vec<_> = prompts.enumerate().map(|(index, prompt)| json!([prompt, 100 + index])).collect();
    let path = environment.path("shapes.json");
    write(&path, &json!({ "steps": 25, "guidance": 5.0, "cases": cases }).to_string())?;
    Ok(path)
}

/// A suite of [`CASES`] cases: 100 tests of 10 prompts and 10 seeds.
pub(super) fn suite(environment: &Environment<'_>) -> Result<PathBuf, Failure> {
    let mut text = String::from("model = \"builtin:shapes\"\n\n[defaults]\nseeds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n");
    for test in 0..CASES / 100 {
        let prompts: Vec<_> = (0..10).map(|prompt| format!("\"a picture of thing {test} number {prompt}\"")).collect();
        text += &format!(
            "\n[[test]]\nname = \"test_{test}\"\nprompts = [{}]\nmetrics = [\"clip_score\", \"image-stats/brightness\"]\n\
             threshold = {{ clip_score = 0.2, \"image-stats/brightness\" = {{ min = 0.1 }} }}\n",
            prompts.join(", ")
        );
    }
    let path = environment.path("ten-thousand.toml");
    write(&path, &text)?;
    Ok(path)
}

/// An empty folder for a side to write to.
pub(super) fn empty_folder(environment: &Environment<'_>, name: &str) -> Result<PathBuf, Failure> {
    let path = environment.path(name);
    if path.exists() {
        fs::remove_dir_all(&path).map_err(|error| Failure::new(format!("cannot empty {}: {error}", path.display())))?;
    }
    fs::create_dir_all(&path).map_err(|error| Failure::new(format!("cannot create {}: {error}", path.display())))?;
    Ok(path)
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))
}

/// Makes a file or folder unless it is there.
pub(super) fn kept(
    environment: &Environment<'_>,
    name: &str,
    make: impl FnOnce(&Path) -> Result<(), Failure>,
) -> Result<PathBuf, Failure> {
    let path = environment.path(name);
    if !path.exists() {
        let unfinished = empty_folder(environment, &format!("unfinished-{name}"))?.join(name);
        make(&unfinished)?;
        fs::rename(&unfinished, &path)
            .map_err(|error| Failure::new(format!("cannot rename {} to {name}: {error}", unfinished.display())))?;
    }
    Ok(path)
}
