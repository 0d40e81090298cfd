//! The images that pair and set metrics compare with, and a test's own images as a set.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use difftest_core::digest::Digest;
use difftest_core::event::ImageRecord;
use difftest_core::generate::{GenerateError, Generator as _, GeneratorInfo, Request};
use difftest_core::image::Image;
use difftest_core::metric::{ImageSet, MetricError};
use difftest_diffusion::images::ImageFolder;
use difftest_metrics::decode;

/// A folder of images with a manifest, to compare with.
#[derive(Clone)]
pub(crate) struct Reference(Arc<ImageFolder>, Arc<OnceLock<Result<Digest, MetricError>>>);

impl Reference {
    pub(crate) fn new(folder: ImageFolder) -> Self {
        Self(Arc::new(folder), Arc::default())
    }

    /// Where it is, and the digest of its manifest; with `every_file`, the digest of each image too.
    ///
    /// # Errors
    /// When a listed file cannot be read.
    pub(crate) fn info(&self, every_file: bool) -> Result<GeneratorInfo, MetricError> {
        let mut info = self.0.info().clone();
        if every_file {
            info.files.extend(self.0.digests().map_err(reference_error)?);
        }
        Ok(info)
    }

    /// One digest over all of its files, in the order of the manifest.
    ///
    /// # Errors
    /// When a listed file cannot be read.
    pub(crate) fn digest(&self) -> Result<Digest, MetricError> {
        let read = || {
            let files = self.0.digests().map_err(reference_error)?;
            Ok(crate::evidence::images_digest(files.iter().map(|(_, digest)| digest)))
        };
        self.1.get_or_init(read).clone()
    }

    /// The digest of the file that the manifest lists for a request.
    ///
    /// # Errors
    /// As [`Reference::of`].
    pub(crate) fn digest_of(&self, request: &Request) -> Result<Digest, MetricError> {
        self.0.file_digest(request).map_err(reference_error)
    }

    /// The image that the manifest lists for the prompt and seed of a case.
    ///
    /// # Errors
    /// Kind `no-reference` when it lists none, otherwise why it cannot be read.
    pub(crate) fn of(&self, request: &Request) -> Result<Image, MetricError> {
        match self.0.generate(std::slice::from_ref(request), &|_| true).pop() {
            Some(Ok(found)) => Ok(found.image),
            Some(Err(error)) => Err(reference_error(error)),
            None => {
                Err(MetricError { kind: "no-reference".into(), message: "there is no reference".into(), hint: None })
            }
        }
    }

    /// All of its images, in the order of the manifest.
    pub(crate) fn set(&self) -> Arc<dyn ImageSet> {
        Arc::new(self.clone())
    }
}

fn reference_error(error: GenerateError) -> MetricError {
    let missing = error.kind == "missing-image";
    MetricError {
        kind: if missing { "no-reference".into() } else { error.kind },
        message: format!("reference: {}", error.message),
        hint: if missing {
            Some("add the image and a line for it to the manifest of `reference`".into())
        } else {
            error.hint
        },
    }
}

impl ImageSet for Reference {
    fn len(&self) -> usize {
        self.0.rows().len()
    }

    fn get(&self, index: usize) -> Result<Image, MetricError> {
        let Some((prompt, seed)) = self.0.rows().get(index) else {
            return Err(MetricError {
                kind: "no-reference".into(),
                message: format!("there is no image {index}"),
                hint: None,
            });
        };
        self.of(&Request {
            id: String::new(),
            prompt: prompt.text.clone(),
            negative_prompt: None,
            seed: *seed,
            settings: difftest_core::generate::Settings::default(),
        })
    }
}

/// The images of a test, read back from where the run keeps them.
pub(crate) struct StoredImages(Vec<(PathBuf, Digest)>);

impl StoredImages {
    pub(crate) fn new(records: impl IntoIterator<Item = ImageRecord>) -> Self {
        Self(records.into_iter().map(|record| (record.path, record.digest)).collect())
    }
}

impl ImageSet for StoredImages {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn get(&self, index: usize) -> Result<Image, MetricError> {
        let fail = |message: String| MetricError { kind: "image-file".into(), message, hint: None };
        let Some((path, digest)) = self.0.get(index) else {
            return Err(fail(format!("there is no image {index}")));
        };
        let image = decode::read(path, &decode::Limits::default()).map_err(|error| fail(error.to_string()))?;
        if image.digest() != *digest {
            return Err(fail(format!("{} was changed during the run", path.display())));
        }
        Ok(image)
    }
}
