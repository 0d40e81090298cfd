//! Set metrics: one thread for each test whose images are all there.

use std::sync::Arc;
use std::thread::{Builder, Scope};
use std::time::Instant;

use crossbeam_channel::Sender;
use difftest_core::event::{Event, ImageRecord, Origin, Outcome};
use difftest_core::metric::{AnyMetric, ImageSet, MetricError, SetMetric};

use crate::load::WORKER_STACK;
use crate::references::{Reference, StoredImages};
use crate::stages::{CANCELLED, Message};

/// Begins to measure the set metrics among `metrics`, one after another; each answers with one `SetScored`.
pub(crate) fn measure<'s>(
    threads: &'s Scope<'s, '_>,
    test: usize,
    images: Vec<ImageRecord>,
    metrics: &'s [Option<AnyMetric>],
    reference: Option<&'s Reference>,
    messages: &Sender<Message>,
) {
    let images: Arc<dyn ImageSet> = Arc::new(StoredImages::new(images));
    let reference = reference.map(Reference::set);
    let sender = messages.clone();
    let all = move |sender: &Sender<Message>, measure: &dyn Fn(&dyn SetMetric) -> Outcome<_, MetricError>| {
        for (index, metric) in metrics.iter().enumerate() {
            let Some(AnyMetric::Set(metric)) = metric else { continue };
            let began = Instant::now();
            let outcome = measure(&**metric);
            let seconds = began.elapsed().as_secs_f64();
            let message = match outcome {
                Outcome::Error(error) if error.kind == CANCELLED => Message::SetDropped,
                outcome => {
                    Message::Event(Event::SetScored { test, metric: index, outcome, seconds, origin: Origin::Made })
                }
            };
            drop(sender.send(message));
        }
    };
    let work = move || {
        all(&sender, &|metric| match metric.measure(&images, reference.as_ref()) {
            Ok(score) => Outcome::Ok(score),
            Err(error) => Outcome::Error(error),
        });
    };
    if let Err(error) = Builder::new().name(format!("sets-{test}")).stack_size(WORKER_STACK).spawn_scoped(threads, work)
    {
        let message = format!("cannot start a thread: {error}");
        all(messages, &|_| {
            Outcome::Error(MetricError { kind: "threads".into(), message: message.clone(), hint: None })
        });
    }
}
