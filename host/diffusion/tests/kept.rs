//! What a pipeline keeps on its way to an image, and takes from there.
//!
//! Needs ONNX Runtime: `cargo xtask test` provides it. Without it these tests fail, they are never skipped.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use difftest_core::generate::{Generator, Intermediate, Intermediates, Request, Settings};
use difftest_core::image::Image;
use difftest_diffusion::pipeline::{Options, StableDiffusion};

#[derive(Default)]
struct Store(Mutex<HashMap<Intermediate, Vec<u8>>>);

impl Store {
    /// Embeddings and latents.
    fn count(&self) -> [usize; 2] {
        let kept = self.0.lock().unwrap();
        let embeddings = kept.keys().filter(|what| matches!(what, Intermediate::Embedding(_))).count();
        [embeddings, kept.len() - embeddings]
    }
}

impl Intermediates for Store {
    fn find(&self, what: &Intermediate) -> Option<Vec<u8>> {
        self.0.lock().unwrap().get(what).cloned()
    }

    fn keep(&self, what: &Intermediate, content: &[u8]) {
        let before = self.0.lock().unwrap().insert(*what, content.to_vec());
        assert_eq!(before, None, "{what:?} was known and computed again");
    }
}

/// An image of a pipeline that has just been opened.
fn image(model: &Path, store: Option<&Arc<Store>>, steps: u32) -> Image {
    let pipeline = StableDiffusion::open(model.to_str().unwrap(), Path::new("."), &Options::default()).unwrap();
    if let Some(store) = store {
        pipeline.remember(Arc::clone(store) as Arc<dyn Intermediates>);
    }
    let request = Request {
        id: "case".to_owned(),
        prompt: "a red circle on a blue background".to_owned(),
        negative_prompt: None,
        seed: 7,
        settings: Settings { steps: Some(steps), ..Settings::default() },
    };
    pipeline.prepare(&mut [request.clone()].into_iter(), &|| true).unwrap();
    pipeline.generate(&[request], &|_| true).remove(0).unwrap().image
}

#[test]
fn prompts_are_encoded_once_for_all_runs() {
    let shapes = support::model("shapes");
    let store = Arc::new(Store::default());
    image(&shapes, Some(&store), 1);
    assert_eq!(store.count(), [2, 1], "the prompt and the empty text; one image");
    let again = image(&shapes, Some(&store), 2);
    assert_eq!(store.count(), [2, 2]);
    assert_eq!(again, image(&shapes, None, 2), "what was kept is what would be computed");

    // What is found is what is used: other features, another image.
    for (what, content) in store.0.lock().unwrap().iter_mut() {
        if matches!(what, Intermediate::Embedding(_)) {
            let values = content.len() - content.len() / 2;
            content[values..].fill(0);
        }
    }
    let other = image(&shapes, Some(&store), 3);
    assert_ne!(other, image(&shapes, None, 3));
}

#[test]
fn another_encoder_has_features_of_its_own() {
    let folder = support::copy_of_shapes();
    let store = Arc::new(Store::default());
    image(folder.path(), Some(&store), 1);
    let edit = |file: &str| {
        let path = folder.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text + "\n").unwrap();
    };
    edit("unet/config.json");
    image(folder.path(), Some(&store), 1);
    assert_eq!(store.count(), [2, 2], "another denoiser reads the same features");
    edit("text_encoder/config.json");
    image(folder.path(), Some(&store), 1);
    assert_eq!(store.count(), [4, 3]);
}
