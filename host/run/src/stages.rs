//! The stages of one suite: lanes that generate, a pool that encodes and scores, one thread for inference in batches.
//!
//! An image holds a ticket from the moment its generation begins until its last score is in. There is a fixed number of tickets,
//! so a slow metric slows generation down instead of filling the memory.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use difftest_core::event::{Event, ImageRecord, Origin, Outcome};
use difftest_core::generate::{GenerateError, Generated, Generator, Request, Step};
use difftest_core::image::Image;
use difftest_core::metric::{AnyMetric, Item, Metric, MetricError, MetricKind, Sample};
use difftest_core::plan::{Case, SuitePlan};

use crate::cancel::Cancel;
use crate::references::Reference;
use crate::visual::Comparer;

/// Everything the stages of a suite work on.
pub(crate) struct Stages<'a> {
    pub(crate) plan: &'a SuitePlan,
    pub(crate) generator: &'a dyn Generator,
    /// For each test, its metrics in order; `None` where one could not be loaded.
    pub(crate) metrics: &'a [Vec<Option<AnyMetric>>],
    /// For each test, what its pair metrics compare with.
    pub(crate) references: &'a [Option<Reference>],
    /// For each test, what compares its images with their baseline.
    pub(crate) visual: &'a [Option<Comparer>],
    /// For each case, where its PNG goes.
    pub(crate) image_paths: &'a [PathBuf],
    pub(crate) jobs: usize,
    pub(crate) batch: usize,
    pub(crate) cancel: &'a Cancel,
    pub(crate) pool: &'a rayon::ThreadPool,
}

/// The kind of the error of whoever was asked to stop.
pub(crate) const CANCELLED: &str = "cancelled";

/// A message to the collector. `Scored` of a case may overtake its `Generated`; the collector puts them in order.
pub(crate) enum Message {
    Event(Event),
    /// A case was dropped before its image was finished.
    Dropped,
    /// A file could not be written: the run cannot go on.
    Fatal(GenerateError),
    /// Every case was done or dropped.
    CasesDone,
    /// A set metric was asked to stop.
    SetDropped,
}

/// The ticket of one image; gives itself back when dropped.
pub(crate) struct Ticket(Sender<()>);

impl Drop for Ticket {
    fn drop(&mut self) {
        // The pool of tickets outlives the stages; if it is gone, nobody waits any more.
        let _ = self.0.send(());
    }
}

/// One image on its way through the metrics.
struct Work {
    case: usize,
    image: Image,
    sample: Sample,
    /// Read when the first pair metric wants it.
    reference: OnceLock<Result<Image, MetricError>>,
    _ticket: Ticket,
}

impl Work {
    fn item(&self) -> Item {
        Item::new(self.image.clone(), self.sample.clone())
    }

    /// The image beside what `reference` has for its case.
    fn pair(&self, case: &Case, reference: Option<&Reference>) -> Result<Item, MetricError> {
        let found = self.reference.get_or_init(|| match reference {
            Some(reference) => reference.of(&request(case)),
            None => Err(MetricError {
                kind: "no-reference".into(),
                message: "the test has no reference".into(),
                hint: Some("this is a bug in difftest: please report it".into()),
            }),
        });
        Ok(Item { reference: Some(found.clone()?), ..self.item() })
    }
}

/// One image for one metric that likes batches.
struct Inference {
    work: Arc<Work>,
    index: usize,
    metric: Arc<dyn Metric>,
}

impl Stages<'_> {
    /// Runs every case and sends what happens to `messages`; returns when all of it is done or dropped.
    pub(crate) fn run(&self, messages: &Sender<Message>) {
        let light = self.generator.is_light();
        let (lanes, batch) = if light { (1, 1) } else { (self.generator.lanes().max(1), self.batch) };
        let in_flight = lanes * batch + 2 * self.jobs;
        let (give_back, tickets) = bounded(in_flight);
        for _ in 0..in_flight {
            let _ = give_back.send(());
        }
        let (batches, next_batch) = unbounded();
        for batch in self.batches(batch) {
            let _ = batches.send(batch);
        }
        drop(batches);
        let (to_inference, inference) = unbounded();
        std::thread::scope(|threads| {
            threads.spawn(|| self.infer(&inference, messages));
            self.pool.in_place_scope(|pool| {
                std::thread::scope(|lane_threads| {
                    for _ in 0..lanes {
                        let (next_batch, tickets, give_back) = (&next_batch, &tickets, &give_back);
                        let to_inference = to_inference.clone();
                        lane_threads.spawn(move || {
                            for batch in next_batch {
                                let held = (0..batch.len())
                                    .filter_map(|_| tickets.recv().ok())
                                    .map(|()| Ticket(give_back.clone()))
                                    .collect();
                                if light {
                                    // The lane only hands out tickets: what -j says is then what runs.
                                    let to_inference = to_inference.clone();
                                    pool.spawn(move |pool| self.generate(batch, held, pool, &to_inference, messages));
                                } else {
                                    self.generate(batch, held, pool, &to_inference, messages);
                                }
                            }
                        });
                    }
                });
                drop(to_inference);
            });
        });
    }

    /// Neighbouring cases of one test, at most `most` together.
    fn batches(&self, most: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
        let cases = &self.plan.cases;
        let mut start = 0;
        std::iter::from_fn(move || {
            let first = cases.get(start)?;
            let same = |case: &&Case| case.test == first.test && case.settings == first.settings;
            let length = cases[start..].iter().take(most).take_while(same).count();
            let batch = start..start + length;
            start = batch.end;
            Some(batch)
        })
    }

    fn generate<'s>(
        &'s self,
        batch: std::ops::Range<usize>,
        tickets: Vec<Ticket>,
        pool: &rayon::Scope<'s>,
        to_inference: &Sender<Inference>,
        messages: &'s Sender<Message>,
    ) {
        let send = |event| drop(messages.send(Message::Event(event)));
        if !self.cancel.may_begin() {
            batch.for_each(|_| drop(messages.send(Message::Dropped)));
            return;
        }
        let requests: Vec<Request> = self.plan.cases[batch.clone()].iter().map(request).collect();
        batch.clone().for_each(|case| send(Event::CaseStarted { case }));
        let began = Instant::now();
        let progress = |Step { step, of }: Step| {
            batch.clone().for_each(|case| send(Event::Step { case, step, of }));
            self.cancel.may_continue()
        };
        let results = self.generator.generate(&requests, &progress);
        let seconds = began.elapsed().as_secs_f64() / requests.len() as f64;
        for ((case, ticket), result) in batch.zip(tickets).zip(results) {
            match result {
                Ok(generated) => self.dispatch(case, generated, seconds, ticket, pool, to_inference, messages),
                Err(error) if error.kind == CANCELLED => drop(messages.send(Message::Dropped)),
                Err(error) => {
                    send(Event::Generated { case, outcome: Outcome::Error(error), seconds, origin: Origin::Made })
                }
            }
        }
    }

    /// Hands a fresh image to everyone who wants it.
    #[expect(clippy::too_many_arguments, reason = "one call site; a struct would only rename the arguments")]
    fn dispatch<'s>(
        &'s self,
        case: usize,
        generated: Generated,
        seconds: f64,
        ticket: Ticket,
        pool: &rayon::Scope<'s>,
        to_inference: &Sender<Inference>,
        messages: &'s Sender<Message>,
    ) {
        let plan = &self.plan.cases[case];
        let work = Arc::new(Work {
            case,
            image: generated.image.clone(),
            sample: sample(plan, &generated.attributes),
            reference: OnceLock::new(),
            _ticket: ticket,
        });
        {
            let work = Arc::clone(&work);
            let path = &self.image_paths[case];
            pool.spawn(move |_| {
                let message = match store(generated, path) {
                    Ok(record) => Message::Event(Event::Generated {
                        case,
                        outcome: Outcome::Ok(record),
                        seconds,
                        origin: Origin::Made,
                    }),
                    Err(error) => Message::Fatal(error),
                };
                drop(messages.send(message));
                drop(work);
            });
        }
        if let Some(comparer) = &self.visual[plan.test] {
            let (work, path) = (Arc::clone(&work), &self.image_paths[case]);
            pool.spawn(move |_| {
                let began = Instant::now();
                let outcome = comparer.compare(&plan.id, &work.image, path);
                let seconds = began.elapsed().as_secs_f64();
                drop(messages.send(Message::Event(Event::Compared { case, outcome, seconds })));
                drop(work);
            });
        }
        for (index, metric) in self.metrics[plan.test].iter().enumerate() {
            let Some(AnyMetric::Each(metric)) = metric else { continue };
            if metric.batch_size() > 1 {
                let _ = to_inference.send(Inference { work: Arc::clone(&work), index, metric: Arc::clone(metric) });
            } else {
                let (work, metric) = (Arc::clone(&work), Arc::clone(metric));
                let reference = self.references[plan.test].as_ref();
                pool.spawn(move |_| {
                    let item = match metric.info().kind {
                        MetricKind::Pair => work.pair(plan, reference),
                        MetricKind::Image | MetricKind::Set => Ok(work.item()),
                    };
                    match item {
                        Ok(item) => measure(&*metric, &[(work.case, index)], &[item], messages),
                        Err(error) => {
                            let (case, outcome) = (work.case, Outcome::Error(error));
                            let event =
                                Event::Scored { case, metric: index, outcome, seconds: 0.0, origin: Origin::Made };
                            drop(messages.send(Message::Event(event)));
                        }
                    }
                    drop(work);
                });
            }
        }
    }

    /// Serves metrics that like batches: takes what is waiting, never waits for a batch to fill.
    fn infer(&self, queue: &Receiver<Inference>, messages: &Sender<Message>) {
        let mut kept_back: Option<Inference> = None;
        while let Some(first) = kept_back.take().or_else(|| queue.recv().ok()) {
            let mut batch = vec![first];
            while batch.len() < batch[0].metric.batch_size() {
                match queue.try_recv() {
                    Ok(next) if Arc::ptr_eq(&next.metric, &batch[0].metric) => batch.push(next),
                    Ok(other) => {
                        kept_back = Some(other);
                        break;
                    }
                    Err(_) => break,
                }
            }
            let keys: Vec<_> = batch.iter().map(|i| (i.work.case, i.index)).collect();
            let items: Vec<_> = batch.iter().map(|i| i.work.item()).collect();
            measure(&*batch[0].metric, &keys, &items, messages);
        }
    }
}

/// What the generator needs to know of a case. A prompt's own negative prompt comes before the test's.
pub(crate) fn request(case: &Case) -> Request {
    Request {
        id: case.id.clone(),
        prompt: case.prompt.text.clone(),
        negative_prompt: case.prompt.negative.clone().or_else(|| case.settings.negative_prompt.clone()),
        seed: case.seed,
        settings: (*case.settings).clone(),
    }
}

/// What metrics see of a case: attributes of the prompt and of the generation, the latter winning, sorted by name.
pub(crate) fn sample(case: &Case, made_with: &[(String, String)]) -> Sample {
    let attributes: std::collections::BTreeMap<_, _> =
        case.prompt.attributes.iter().cloned().chain(made_with.iter().cloned()).collect();
    Sample {
        id: case.id.clone(),
        prompt: case.prompt.text.clone(),
        negative_prompt: case.prompt.negative.clone().or_else(|| case.settings.negative_prompt.clone()),
        seed: case.seed,
        attributes: attributes.into_iter().collect(),
    }
}

/// Measures and reports each item under its `(case, metric index)`.
fn measure(metric: &dyn Metric, keys: &[(usize, usize)], items: &[Item], messages: &Sender<Message>) {
    let began = Instant::now();
    let mut answers = metric.measure(items);
    let seconds = began.elapsed().as_secs_f64() / keys.len() as f64;
    answers.resize_with(keys.len(), || {
        Err(MetricError {
            kind: "internal".into(),
            message: format!("{} gave fewer answers than it was asked for", metric.info().name),
            hint: Some("this is a bug in difftest: please report it".into()),
        })
    });
    for (&(case, index), answer) in keys.iter().zip(answers) {
        let outcome = match answer {
            Ok(score) => Outcome::Ok(score),
            // Neither a score nor a failure: the case stays unfinished, as one whose image was not made.
            Err(error) if error.kind == CANCELLED => {
                drop(messages.send(Message::Dropped));
                continue;
            }
            Err(error) => Outcome::Error(error),
        };
        drop(messages.send(Message::Event(Event::Scored {
            case,
            metric: index,
            outcome,
            seconds,
            origin: Origin::Made,
        })));
    }
}

/// Writes the PNG, unless the image already is a file of the user's.
fn store(generated: Generated, path: &Path) -> Result<ImageRecord, GenerateError> {
    let Generated { image, attributes, warnings, file } = generated;
    let path = match file {
        Some(file) => file,
        None => {
            let png = difftest_metrics::encode::png(&image).map_err(|error| GenerateError {
                kind: "encode".into(),
                message: error.to_string(),
                hint: None,
            })?;
            difftest_store::atomic::write(path, &png).map_err(|error| GenerateError {
                kind: "write".into(),
                message: error.to_string(),
                hint: error.hint(),
            })?;
            path.to_owned()
        }
    };
    Ok(ImageRecord { path, digest: image.digest(), width: image.width(), height: image.height(), attributes, warnings })
}
