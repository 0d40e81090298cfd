//! Set metrics: one thread for each test whose images are all there.

use std::sync::Arc;
use std::thread::{Builder, Scope};
use std::time::Instant;

use crossbeam_channel::Sender;
use difftest_core::event::{Event, ImageRecord, Origin, Outcome};
use difftest_core::key::{Key, Scoring};
use difftest_core::metric::{AnyMetric, ImageSet, MetricError, MetricInfo, MetricKind, Score};
use difftest_core::suite::MetricUse;

use crate::evidence::{Force, Keeper, ScoreKeys, images_digest, warning};
use crate::load::{Slot, WORKER_STACK};
use crate::references::{Reference, StoredImages};
use crate::stages::{CANCELLED, Message};

/// The set metrics of a test.
#[derive(Clone, Copy)]
pub(crate) struct Sets<'s> {
    pub(crate) test: usize,
    /// All metrics of the test.
    pub(crate) metrics: &'s [(MetricUse, MetricInfo)],
    pub(crate) slots: &'s [Slot],
    pub(crate) keys: &'s [ScoreKeys],
    /// Loads a metric that was not expected to be needed.
    pub(crate) load: &'s (dyn Fn(usize, usize) -> Result<AnyMetric, MetricError> + Sync),
    pub(crate) keeper: &'s Keeper<'s>,
    pub(crate) force: Force,
}

/// Begins to measure the set metrics of a test, one after another; each answers with one `SetScored`.
pub(crate) fn measure<'s>(
    threads: &'s Scope<'s, '_>,
    sets: Sets<'s>,
    images: Vec<ImageRecord>,
    reference: Option<&'s Reference>,
    messages: &Sender<Message>,
) {
    let sender = messages.clone();
    let work = move || {
        let digest = images_digest(images.iter().map(|image| &image.digest));
        let images: Arc<dyn ImageSet> = Arc::new(StoredImages::new(images));
        let compared = reference.map(Reference::set);
        // A reference that cannot be read has no key: the metric says why.
        let of_reference = reference.map(Reference::digest).transpose();
        sets.each(&sender, &|index| {
            let key = of_reference.as_ref().ok().map(|reference| sets.keys[index].of_set(&digest, reference.as_ref()));
            sets.one(index, key, &images, compared.as_ref(), &sender)
        });
    };
    if let Err(error) =
        Builder::new().name(format!("sets-{}", sets.test)).stack_size(WORKER_STACK).spawn_scoped(threads, work)
    {
        let message = format!("cannot start a thread: {error}");
        sets.each(messages, &|_| {
            let error = MetricError { kind: "threads".into(), message: message.clone(), hint: None };
            (Outcome::Error(error), 0.0, Origin::Made)
        });
    }
}

/// What came of a set metric, how long that took, and whether it was done now.
type Answer = (Outcome<Score, MetricError>, f64, Origin);

impl Sets<'_> {
    /// Sends what `answer` says of each set metric.
    fn each(&self, messages: &Sender<Message>, answer: &dyn Fn(usize) -> Answer) {
        for (metric, ((_, info), slot)) in self.metrics.iter().zip(self.slots).enumerate() {
            if info.kind != MetricKind::Set || slot.is_broken() {
                continue;
            }
            let message = match answer(metric) {
                (Outcome::Error(error), ..) if error.kind == CANCELLED => Message::SetDropped,
                (outcome, seconds, origin) => {
                    Message::Event(Event::SetScored { test: self.test, metric, outcome, seconds, origin })
                }
            };
            drop(messages.send(message));
        }
    }

    fn one(
        &self,
        index: usize,
        key: Option<Key<Scoring>>,
        images: &Arc<dyn ImageSet>,
        reference: Option<&Arc<dyn ImageSet>>,
        messages: &Sender<Message>,
    ) -> Answer {
        let known = key.filter(|_| self.force == Force::Nothing).and_then(|key| self.keeper.known(&key));
        if let Some(known) = known {
            return (Outcome::Ok(known.score), known.seconds, Origin::Cached);
        }
        let began = Instant::now();
        let measured = self.slots[index].get(|| (self.load)(self.test, index)).and_then(|metric| match metric {
            AnyMetric::Set(metric) => metric.measure(images, reference),
            AnyMetric::Each(metric) => Err(MetricError {
                kind: "internal".into(),
                message: format!("{} does not look at sets any more", metric.info().name),
                hint: Some("run again: its plugin was replaced meanwhile".into()),
            }),
        });
        let seconds = began.elapsed().as_secs_f64();
        if let (Ok(score), Some(key)) = (&measured, &key) {
            let told = self.keeper.score(&self.metrics[index].0.name, key, score, seconds);
            told.into_iter().for_each(|told| drop(messages.send(Message::Event(warning(None, told)))));
        }
        let outcome = match measured {
            Ok(score) => Outcome::Ok(score),
            Err(error) => Outcome::Error(error),
        };
        (outcome, seconds, Origin::Made)
    }
}
