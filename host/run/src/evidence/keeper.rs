//! What a run finds out is kept for the next one. Where the same inputs gave something else before, that is told: a key that does
//! not tell everything apart, or a device that does not repeat itself, must not go unseen.

use std::path::Path;

use difftest_core::digest::Digest;
use difftest_core::event::{Event, ImageRecord, Verdict};
use difftest_core::generate::GenerateError;
use difftest_core::image::Image;
use difftest_core::key::{Judgement, Key, Scoring};
use difftest_core::metric::Score;
use difftest_core::plan::SuitePlan;
use difftest_store::cache::{Cache, Judged, Made, Scored};

use super::{CaseEvidence, Evidence};

/// Keeps what comes of one suite.
pub(crate) struct Keeper<'a> {
    pub(crate) cache: Option<&'a Cache>,
    /// Name of this run.
    pub(crate) run: &'a str,
}

impl Keeper<'_> {
    /// Writes a fresh image to `path`, and keeps it. Answers what a person should know besides.
    pub(crate) fn image(
        &self,
        case: &CaseEvidence,
        image: &Image,
        path: &Path,
    ) -> Result<(u64, Option<String>), GenerateError> {
        let png = difftest_metrics::encode::png(image).map_err(|error| GenerateError {
            kind: "encode".into(),
            message: error.to_string(),
            hint: None,
        })?;
        let digest = image.digest();
        let linked = self
            .cache
            .is_some_and(|cache| cache.keep_image(&digest, &png).is_some() && cache.link_image(&digest, path).is_ok());
        if !linked {
            difftest_store::atomic::write(path, &png).map_err(|error| GenerateError {
                kind: "write".into(),
                message: error.to_string(),
                hint: error.hint(),
            })?;
        }
        let other = case.known.filter(|known| *known != digest).map(|known| {
            format!("the same inputs gave another image: {} now, {} before", digest.short(), known.short())
        });
        Ok((png.len() as u64, other))
    }

    /// Keeps which image a case has, whose file lies where it should.
    pub(crate) fn generation(&self, case: &CaseEvidence, record: &ImageRecord, bytes: u64, seconds: f64) {
        let (Some(cache), Some(key)) = (self.cache, &case.key) else { return };
        let ImageRecord { digest, width, height, attributes, warnings, .. } = record.clone();
        let run = self.run.to_owned();
        cache.keep_generation(key, &Made { image: digest, width, height, bytes, attributes, warnings, seconds, run });
    }

    /// What is known of a score.
    pub(crate) fn known(&self, key: &Key<Scoring>) -> Option<Scored> {
        self.cache?.look(|look| look.score(key))
    }

    /// Keeps a score; answers what a person should know where it was another before.
    pub(crate) fn score(&self, metric: &str, key: &Key<Scoring>, score: &Score, seconds: f64) -> Option<String> {
        let cache = self.cache?;
        let before = cache.look(|look| look.score(key));
        cache.keep_score(key, &Scored { score: score.clone(), seconds, run: self.run.to_owned() });
        let before = before.filter(|before| before.score.value.to_bits() != score.value.to_bits())?;
        Some(format!("the same inputs gave another {metric}: {} now, {} before", score.value, before.score.value))
    }

    /// Keeps what was said of the cases of a test. A test that was not run to its end says nothing.
    pub(crate) fn verdict(
        &self,
        plan: &SuitePlan,
        evidence: &Evidence,
        test: usize,
        verdict: Verdict,
        seconds: &[f64],
    ) {
        let Some(cache) = self.cache.filter(|_| verdict != Verdict::NotRun) else { return };
        let of_test = plan.cases.iter().zip(&evidence.cases).zip(seconds).filter(|((case, _), _)| case.test == test);
        let judged = of_test.filter_map(|((case, found), seconds)| {
            let inputs = found.inputs.as_ref()?;
            let key = *inputs.key::<Judgement>().as_bytes();
            let known = found.last.as_ref().is_some_and(|last| last.key == key && last.verdict == verdict);
            let judged = Judged { key, verdict, run: self.run.to_owned(), seconds: *seconds };
            (!known).then_some((case.id.as_str(), inputs, judged))
        });
        cache.keep_judged(&evidence.environment, judged);
    }

    /// Marks what was found as used.
    pub(crate) fn touch(&self, evidence: &Evidence) {
        let Some(cache) = self.cache else { return };
        let images: Vec<_> =
            evidence.cases.iter().filter(|case| case.made.is_some()).filter_map(|case| case.key).collect();
        let each = evidence.cases.iter().flat_map(|case| &case.scores);
        let all = each.chain(evidence.tests.iter().flat_map(|test| &test.sets));
        let scores: Vec<_> = all.filter(|score| score.scored.is_some()).filter_map(|score| score.key).collect();
        cache.touch(&images, &scores);
    }

    /// What keeps the cache from being used, as lines of the run.
    pub(crate) fn troubles(&self) -> Vec<Event> {
        let troubles = self.cache.map(Cache::troubles).unwrap_or_default();
        troubles.into_iter().map(|message| warning(None, message)).collect()
    }

    /// Lets `path` be a kept image; whether that could be done.
    pub(crate) fn link(&self, image: &Digest, path: &Path) -> bool {
        self.cache.is_some_and(|cache| cache.link_image(image, path).is_ok())
    }
}

/// A line of difftest's own in the event stream.
pub(crate) fn warning(case: Option<usize>, message: String) -> Event {
    Event::Log { case, plugin: "difftest".into(), level: "warn".into(), message }
}
