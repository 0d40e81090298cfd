//! Visual regression: an image beside the one that was accepted for its case.
//!
//! What a run finds new or changed is *pending*: it fails its test until a person accepts it (`difftest review`). Nothing is kept of
//! that but the comparison in the run's results, which names both images by digest, so it cannot get stale unseen.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use difftest_core::baseline::Question;
use difftest_core::digest::Digest;
use difftest_core::event::{ErrorInfo, Outcome};
use difftest_core::image::Image;
use difftest_core::metric::Detail;
use difftest_core::model::{Embedder, Models as _};
use difftest_core::plan::{self, SuitePlan};
use difftest_core::visual::{ComparedImage, Comparison, Differing, Said, Standing, Tier, TierResult, Tolerances};
use difftest_metrics::encode;
use difftest_metrics::visual::picture::{diff_image, heat_map};
use difftest_metrics::visual::{Pair, PixelOptions, VisualError, pixel};
use difftest_store::atomic;
use difftest_store::baseline::{Accepted, Case, Entry, Folder};

use crate::baselines::{self, Baselines};
use crate::catalog::CLIP;
use crate::conduct::SuiteRun;

/// What a person said beforehand of images that are not as their baseline: `--update`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Update {
    /// Nothing: they are pending.
    #[default]
    Nothing,
    /// New ones are accepted.
    New,
    /// New and changed ones are accepted.
    All,
}

impl Update {
    /// Whether an image that stands so is accepted.
    #[must_use]
    pub fn covers(self, standing: Standing) -> bool {
        match standing {
            Standing::Same => true,
            Standing::New => self != Self::Nothing,
            Standing::Changed => self == Self::All,
        }
    }
}

/// Compares the images of one test.
pub(crate) struct Comparer {
    tolerances: Tolerances,
    folder: Folder,
    /// `None` where there is nothing for this environment.
    known: Option<Arc<Known>>,
    update: Update,
    note: Option<String>,
    /// Settings that may be others than they were.
    under_test: Vec<String>,
    /// CLIP, where a tier asks it.
    embedder: Option<Arc<dyn Embedder>>,
}

/// What a baseline has for the environment of a run.
struct Known {
    accepted: Accepted,
    /// Images that a person rejected, by case.
    rejected: BTreeMap<(String, Digest), Entry>,
}

impl Known {
    fn find(folder: &Folder, environment: &str) -> Result<Option<Arc<Self>>, ErrorInfo> {
        let info = |error| baselines::info(&error);
        let Some(accepted) = folder.find(environment).map_err(info)? else { return Ok(None) };
        let rejected = accepted.rejected().map_err(info)?;
        Ok(Some(Arc::new(Self { accepted, rejected })))
    }
}

/// For each test its comparer, where it is a visual regression test; and why one has none.
pub(crate) fn open(
    suite: &SuiteRun,
    plan: &SuitePlan,
    environment: &str,
    named: &Baselines,
    update: Update,
) -> (Vec<Option<Comparer>>, Vec<(usize, ErrorInfo)>) {
    let mut places: HashMap<PathBuf, Option<Arc<Known>>> = HashMap::new();
    let (mut comparers, mut errors) = (Vec::with_capacity(plan.tests.len()), Vec::new());
    for (index, test) in plan.tests.iter().enumerate() {
        let Some(visual) = &test.visual else {
            comparers.push(None);
            continue;
        };
        let comparer = baselines::visual_folder(suite, test, named).and_then(|folder| {
            let known = match places.get(folder.path()) {
                Some(known) => known.clone(),
                None => Known::find(&folder, environment)?,
            };
            places.insert(folder.path().to_owned(), known.clone());
            let others = folder.environments().map_err(|error| baselines::info(&error))?;
            let note = (known.is_none() && !others.is_empty()).then(|| {
                let others = others.join(" and ");
                format!("the baseline has images of {others} only, which are not compared with those of {environment}")
            });
            let embedder = match visual.tolerances.tiers.contains(&Tier::Semantic) {
                true => Some(suite.models.embedder(CLIP).map_err(|error| {
                    let hint = "add `[models]` with `clip = \"FOLDER\"`, or leave `semantic` out of `tiers`";
                    failure("model", format!("the tier `semantic` asks CLIP: {error}"), Some(hint.into()))
                })?),
                false => None,
            };
            let (tolerances, under_test) = (visual.tolerances.clone(), test.under_test.clone());
            Ok(Comparer { tolerances, folder, known, update, note, under_test, embedder })
        });
        comparers.push(comparer.map_err(|error| errors.push((index, error))).ok());
    }
    (comparers, errors)
}

impl Comparer {
    /// Compares the image of the case `id`. Pictures of where it differs go beside `image_path`.
    pub(crate) fn compare(
        &self,
        plan: &plan::Case,
        image: &Image,
        image_path: &Path,
    ) -> Outcome<Comparison, ErrorInfo> {
        let id = plan.id.as_str();
        if let Err(error) = self.refuse_all(u64::from(image.width()) * u64::from(image.height())) {
            return Outcome::Error(error);
        }
        let found = self.known.as_ref().and_then(|known| {
            let accepted = &known.accepted;
            Some((accepted, accepted.manifest().cases.get(id)?))
        });
        let comparison = match found {
            None => self.comparison(Standing::New, None, Vec::new()),
            Some((accepted, case)) => match self.beside(accepted, case, id, image, image_path) {
                Ok(comparison) => {
                    let now = Question::of(&plan.prompt, plan.seed, &plan.settings);
                    let asked = now.change_since(&case.question(), &self.under_test);
                    Comparison { asked, ..comparison }
                }
                Err(error) => return Outcome::Error(error),
            },
        };
        let said = self.said(id, image.digest(), comparison.standing);
        Outcome::Ok(Comparison { said, ..comparison })
    }

    /// What a person said of the image: in an earlier review, or beforehand. What was rejected is not accepted unseen.
    fn said(&self, id: &str, image: Digest, standing: Standing) -> Option<Said> {
        if standing == Standing::Same {
            return None;
        }
        let rejected = self.known.as_ref().and_then(|known| known.rejected.get(&(id.to_owned(), image)));
        match rejected {
            Some(Entry { by, at, .. }) => Some(Said::Rejected { by: by.clone(), at: at.clone() }),
            None => self.update.covers(standing).then_some(Said::Update),
        }
    }

    /// Refuses to compare by a number of pixels that no image of this size could exceed.
    fn refuse_all(&self, pixels: u64) -> Result<(), ErrorInfo> {
        match self.tolerances.differing {
            Differing::Pixels(most) if most >= pixels && self.tolerances.tiers.contains(&Tier::Pixel) => {
                let message = format!("`max_diff_pixels = {most}` tolerates every image: {pixels} pixels are compared");
                Err(failure("visual", message, Some("say how much may differ, or leave the key out".into())))
            }
            _ => Ok(()),
        }
    }

    fn beside(
        &self,
        accepted: &Accepted,
        case: &Case,
        id: &str,
        image: &Image,
        image_path: &Path,
    ) -> Result<Comparison, ErrorInfo> {
        let expected =
            ComparedImage { path: accepted.path_of(case), digest: case.image, width: case.size.0, height: case.size.1 };
        // The very image that was accepted: every tier is known without reading it again.
        if image.digest() == case.image && self.tolerances.ignore.is_empty() {
            // What a reviewer would look at has to be there all the same.
            accepted.check(id, case).map_err(|error| baselines::info(&error))?;
            let tiers = self.tolerances.tiers.iter().map(|&tier| self.equal(tier));
            return Ok(self.comparison(Standing::Same, Some(expected), tiers.collect()));
        }
        let before = accepted.image(id, case).map_err(|error| baselines::info(&error))?;
        let pair = match Pair::new(image, &before, &self.tolerances.ignore) {
            Ok(pair) => pair,
            // Another size is another image, whatever is tolerated.
            Err(VisualError::Sizes { .. }) => {
                return Ok(self.comparison(Standing::Changed, Some(expected), Vec::new()));
            }
            Err(error) => return Err(visual(&error)),
        };
        self.refuse_all(pair.compared())?;
        let mut details = Vec::new();
        let tiers: Result<Vec<_>, _> =
            self.tolerances.tiers.iter().map(|&tier| self.tier(tier, &pair, &mut details)).collect();
        let tiers = tiers?;
        let same = tiers.iter().all(|tier| tier.holds);
        if !same && details.is_empty() {
            // The picture of what differs is drawn by the pixel, whichever tiers were asked: these are its numbers.
            details = numbers(&pixel::compare(&pair, &self.pixel_options()));
        }
        let standing = if same { Standing::Same } else { Standing::Changed };
        let tolerated = same && image.digest() != case.image;
        let mut comparison = Comparison { details, tolerated, ..self.comparison(standing, Some(expected), tiers) };
        if !same {
            let pictures = [("diff.png", diff_image(&pair, &self.pixel_options())), ("heatmap.png", heat_map(&pair))];
            let [diff, heatmap] =
                pictures.map(|(extension, picture)| write(&image_path.with_extension(extension), &picture));
            (comparison.diff, comparison.heatmap) = (Some(diff?), Some(heatmap?));
        }
        Ok(comparison)
    }

    fn comparison(&self, standing: Standing, expected: Option<ComparedImage>, tiers: Vec<TierResult>) -> Comparison {
        Comparison {
            standing,
            baseline: self.folder.name().to_owned(),
            folder: self.folder.path().to_owned(),
            note: self.note.clone(),
            asked: None,
            tolerated: false,
            said: None,
            expected,
            tiers,
            details: Vec::new(),
            diff: None,
            heatmap: None,
        }
    }

    fn pixel_options(&self) -> PixelOptions {
        PixelOptions { threshold: self.tolerances.pixel, ..PixelOptions::default() }
    }

    fn equal(&self, tier: Tier) -> TierResult {
        let value = if tier == Tier::Ssim { 1.0 } else { 0.0 };
        TierResult::new(tier, value, self.tolerances.limit(tier, 1))
    }

    fn tier(&self, tier: Tier, pair: &Pair, details: &mut Vec<Detail>) -> Result<TierResult, ErrorInfo> {
        let limit = self.tolerances.limit(tier, pair.compared());
        let value = match (tier, &self.embedder) {
            (Tier::Pixel, _) => {
                let found = pixel::compare(pair, &self.pixel_options());
                *details = numbers(&found);
                found.share()
            }
            (Tier::Semantic, Some(embedder)) => {
                if pair.is_equal() {
                    0.0
                } else {
                    let images = [pair.image().clone(), pair.baseline().clone()];
                    let embeddings =
                        embedder.embed_images(&images).map_err(|error| failure("model", error.to_string(), None))?;
                    distance(&embeddings)?
                }
            }
            (Tier::Semantic, None) => return Err(failure("internal", "CLIP was not loaded".into(), None)),
            (tier, _) => {
                let value = pair.value(tier, &self.pixel_options()).map_err(|error| visual(&error))?;
                value.ok_or_else(|| failure("internal", format!("the tier {tier} has no value"), None))?
            }
        };
        Ok(TierResult::new(tier, value, limit))
    }
}

fn numbers(found: &pixel::PixelDifference) -> Vec<Detail> {
    let detail = |name: &str, value: f64| Detail { name: name.to_owned(), value };
    vec![
        detail("differing", found.differing as f64),
        detail("share", found.share()),
        detail("antialiased", found.antialiased as f64),
        detail("mean-magnitude", found.mean_magnitude),
        detail("largest-magnitude", found.largest_magnitude),
    ]
}

/// 1 less the cosine of two embeddings: 0 for the same direction, 2 for the opposite.
fn distance(embeddings: &[Arc<[f32]>]) -> Result<f64, ErrorInfo> {
    let [a, b] = embeddings else {
        return Err(failure("model", "CLIP gave no embedding of both images".into(), None));
    };
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let cosine = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
    if cosine.is_finite() {
        Ok((1.0 - cosine).clamp(0.0, 2.0))
    } else {
        Err(failure("not-finite", "CLIP's embedding of an image is not finite".into(), None))
    }
}

fn write(path: &Path, picture: &Image) -> Result<PathBuf, ErrorInfo> {
    let png = encode::png(picture).map_err(|error| failure("encode", error.to_string(), None))?;
    atomic::write(path, &png).map_err(|error| failure("write", error.to_string(), error.hint()))?;
    Ok(path.to_owned())
}

fn visual(error: &VisualError) -> ErrorInfo {
    failure("visual", error.to_string(), Some("change `ignore` or `tiers` of the test".into()))
}

fn failure(kind: &str, message: String, hint: Option<String>) -> ErrorInfo {
    ErrorInfo { kind: kind.into(), message, hint, case: None }
}
