//! The stages of one suite: lanes that generate, a pool that encodes and scores, one thread for inference in batches.
//!
//! An image holds a ticket from the moment its generation begins until its last score is in. There is a fixed number of tickets,
//! so a slow metric slows generation down instead of filling the memory.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread::Builder;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use difftest_core::digest::Digest;
use difftest_core::event::{Event, ImageRecord, Origin, Outcome};
use difftest_core::generate::{GenerateError, Generated, Generator, Request, Step};
use difftest_core::image::Image;
use difftest_core::key::{Key, Scoring};
use difftest_core::metric::{AnyMetric, Item, Metric, MetricError, MetricInfo, MetricKind, Sample};
use difftest_core::plan::{Case, SuitePlan};

use difftest_core::suite::MetricUse;
use difftest_store::cache::Scored;

use crate::cancel::Cancel;
use crate::evidence::{CaseEvidence, Evidence, Force, Keeper, ScoreKeys, warning};
use crate::load::Slot;
use crate::references::Reference;
use crate::visual::Comparer;

/// Everything the stages of a suite work on.
pub(crate) struct Stages<'a> {
    pub(crate) plan: &'a SuitePlan,
    pub(crate) generator: &'a dyn Generator,
    /// For each test, its metrics in order.
    pub(crate) metrics: &'a [Vec<Slot>],
    /// Loads a metric that was not expected to be needed.
    pub(crate) load: &'a (dyn Fn(usize, usize) -> Result<AnyMetric, MetricError> + Sync),
    /// What was found of earlier runs.
    pub(crate) evidence: &'a Evidence,
    /// For each test, the keys of each metric's scores.
    pub(crate) keys: &'a [Vec<ScoreKeys>],
    pub(crate) keeper: &'a Keeper<'a>,
    pub(crate) force: Force,
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
#[expect(clippy::large_enum_variant, reason = "nearly every message is an event")]
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
pub(crate) struct Work {
    case: usize,
    image: Image,
    sample: Sample,
    /// Read when the first pair metric wants it.
    reference: OnceLock<Result<Image, MetricError>>,
    /// Key by metric of the test.
    keys: Vec<Option<Key<Scoring>>>,
    _ticket: Ticket,
}

/// An image, and where it came from.
pub(crate) struct Fresh {
    pub(crate) generated: Generated,
    pub(crate) seconds: f64,
    pub(crate) origin: Origin,
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
pub(crate) struct Inference {
    work: Arc<Work>,
    index: usize,
    metric: Arc<dyn Metric>,
}

impl Stages<'_> {
    /// Runs every case and sends what happens to `messages`; returns when all of it is done or dropped.
    ///
    /// # Errors
    /// The system gives no thread, so nothing was made.
    pub(crate) fn run(&self, messages: &Sender<Message>) -> io::Result<()> {
        let light = self.generator.is_light();
        let (lanes, batch) = if light { (1, 1) } else { (self.generator.lanes().max(1), self.batch) };
        let in_flight = lanes * batch + 2 * self.jobs;
        let (give_back, tickets) = bounded(in_flight);
        for _ in 0..in_flight {
            let _ = give_back.send(());
        }
        let (to_inference, inference) = unbounded();
        std::thread::scope(|threads| {
            Builder::new().name("inference".to_owned()).spawn_scoped(threads, || self.infer(&inference, messages))?;
            self.pool.in_place_scope(|pool| {
                let next_ticket = || tickets.recv().ok().map(|()| Ticket(give_back.clone()));
                let missing = self.find(pool, &next_ticket, &to_inference, messages);
                let (batches, next_batch) = unbounded();
                for batch in self.batches(&missing, batch) {
                    let _ = batches.send(batch);
                }
                drop(batches);
                let lanes = std::thread::scope(|lane_threads| {
                    for lane in 0..lanes {
                        let (next_batch, tickets, give_back) = (&next_batch, &tickets, &give_back);
                        let to_inference = to_inference.clone();
                        let started =
                            Builder::new().name(format!("lane-{lane}")).spawn_scoped(lane_threads, move || {
                                for batch in next_batch {
                                    let held = (0..batch.len())
                                        .filter_map(|_| tickets.recv().ok())
                                        .map(|()| Ticket(give_back.clone()))
                                        .collect();
                                    if light {
                                        // The lane only hands out tickets: what -j says is then what runs.
                                        let to_inference = to_inference.clone();
                                        pool.spawn(move |pool| {
                                            self.generate(batch, held, pool, &to_inference, messages)
                                        });
                                    } else {
                                        self.generate(batch, held, pool, &to_inference, messages);
                                    }
                                }
                            });
                        match started {
                            Err(error) if lane == 0 => return Err(error),
                            // Those that there are do all the work.
                            Err(_) => break,
                            Ok(_) => {}
                        }
                    }
                    Ok(())
                });
                drop(to_inference);
                lanes
            })
        })
    }

    /// Cases of one test that follow one another among the `missing`, at most `most` together.
    fn batches(&self, missing: &[usize], most: usize) -> Vec<Vec<usize>> {
        let same = |a: &usize, b: &usize| {
            let (a, b) = (&self.plan.cases[*a], &self.plan.cases[*b]);
            a.test == b.test && a.settings == b.settings
        };
        missing.chunk_by(same).flat_map(|alike| alike.chunks(most.max(1))).map(<[usize]>::to_vec).collect()
    }

    fn generate<'s>(
        &'s self,
        batch: Vec<usize>,
        tickets: Vec<Ticket>,
        pool: &rayon::Scope<'s>,
        to_inference: &Sender<Inference>,
        messages: &'s Sender<Message>,
    ) {
        let send = |event| drop(messages.send(Message::Event(event)));
        if !self.cancel.may_begin() {
            batch.iter().for_each(|_| drop(messages.send(Message::Dropped)));
            return;
        }
        let requests: Vec<Request> = batch.iter().map(|&case| request(&self.plan.cases[case])).collect();
        batch.iter().for_each(|&case| send(Event::CaseStarted { case }));
        let began = Instant::now();
        let progress = |Step { step, of }: Step| {
            batch.iter().for_each(|&case| send(Event::Step { case, step, of }));
            self.cancel.may_continue()
        };
        let results = self.generator.generate(&requests, &progress);
        let seconds = began.elapsed().as_secs_f64() / requests.len() as f64;
        for ((case, ticket), result) in batch.into_iter().zip(tickets).zip(results) {
            match result {
                Ok(generated) => {
                    // A file of the user's that is known is decoded again to be scored: that makes no image.
                    let found = self.evidence.cases[case].made.as_ref();
                    // The attributes hold the digest of the file: of the same bytes, the pixels are known too.
                    if let Some(made) = found.filter(|made| made.bytes == 0 && made.attributes == generated.attributes)
                    {
                        generated.image.is_known_as(made.image);
                    }
                    let found = found.filter(|made| made.bytes == 0 && made.image == generated.image.digest());
                    let (seconds, origin) =
                        found.map_or((seconds, Origin::Made), |made| (made.seconds, Origin::Cached));
                    let fresh = Fresh { generated, seconds, origin };
                    self.dispatch(case, fresh, ticket, pool, to_inference, messages);
                }
                Err(error) if error.kind == CANCELLED => drop(messages.send(Message::Dropped)),
                Err(error) => {
                    send(Event::Generated { case, outcome: Outcome::Error(error), seconds, origin: Origin::Made })
                }
            }
        }
    }

    /// Hands an image to everyone who wants it, unless what they would say of it is known.
    pub(crate) fn dispatch<'s>(
        &'s self,
        case: usize,
        fresh: Fresh,
        ticket: Ticket,
        pool: &rayon::Scope<'s>,
        to_inference: &Sender<Inference>,
        messages: &'s Sender<Message>,
    ) {
        let Fresh { generated, seconds, origin } = fresh;
        let plan = &self.plan.cases[case];
        let (image, sample) = (generated.image.clone(), sample(plan, &generated.attributes));
        let keys = self.score_keys(case, &image.digest(), &sample);
        let work = Arc::new(Work { case, image, sample, reference: OnceLock::new(), keys, _ticket: ticket });
        {
            let work = Arc::clone(&work);
            let path = &self.image_paths[case];
            pool.spawn(move |_| {
                let found = &self.evidence.cases[case];
                match store(generated, origin, path, found, self.keeper) {
                    Ok((record, bytes, told)) => {
                        if origin == Origin::Made {
                            self.keeper.generation(found, &record, bytes, seconds);
                        }
                        let outcome = Outcome::Ok(record);
                        drop(messages.send(Message::Event(Event::Generated { case, outcome, seconds, origin })));
                        told.into_iter().for_each(|told| {
                            drop(messages.send(Message::Event(warning(Some(case), told))));
                        });
                    }
                    Err(error) => drop(messages.send(Message::Fatal(error))),
                }
                drop(work);
            });
        }
        if let Some(comparer) = &self.visual[plan.test] {
            let (work, path) = (Arc::clone(&work), &self.image_paths[case]);
            pool.spawn(move |_| {
                let began = Instant::now();
                let outcome = comparer.compare(plan, &work.image, path);
                let seconds = began.elapsed().as_secs_f64();
                drop(messages.send(Message::Event(Event::Compared { case, outcome, seconds })));
                drop(work);
            });
        }
        for (index, slot) in self.metrics[plan.test].iter().enumerate() {
            let is_set = self.plan.tests[plan.test].metrics[index].1.kind == MetricKind::Set;
            if is_set || slot.is_broken() {
                continue;
            }
            let known =
                work.keys[index].filter(|_| self.force == Force::Nothing).and_then(|key| self.keeper.known(&key));
            if let Some(known) = known {
                drop(messages.send(Message::Event(found_score(case, index, known))));
                continue;
            }
            let metric = match slot.get(|| (self.load)(plan.test, index)) {
                Ok(AnyMetric::Each(metric)) => metric,
                Ok(AnyMetric::Set(_)) => continue,
                Err(error) => {
                    let (metric, outcome, origin) = (index, Outcome::Error(error), Origin::Made);
                    drop(messages.send(Message::Event(Event::Scored { case, metric, outcome, seconds: 0.0, origin })));
                    continue;
                }
            };
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
                        Ok(item) => self.measure(&*metric, &[(&*work, index)], &[item], messages),
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
            let whose: Vec<_> = batch.iter().map(|i| (&*i.work, i.index)).collect();
            let items: Vec<_> = batch.iter().map(|i| i.work.item()).collect();
            self.measure(&*batch[0].metric, &whose, &items, messages);
        }
    }

    /// The keys of all scores of a case with this image.
    fn score_keys(&self, case: usize, image: &Digest, sample: &Sample) -> Vec<Option<Key<Scoring>>> {
        let plan = &self.plan.cases[case];
        let metrics = self.plan.tests[plan.test].metrics.iter().zip(&self.keys[plan.test]);
        let key = |((_, info), keys): (&(MetricUse, MetricInfo), &ScoreKeys)| match info.kind {
            MetricKind::Image => Some(keys.of_image(image, sample, None).key()),
            MetricKind::Pair => {
                let reference = self.references[plan.test].as_ref()?.digest_of(&request(plan)).ok()?;
                Some(keys.of_image(image, sample, Some(&reference)).key())
            }
            MetricKind::Set => None,
        };
        metrics.map(key).collect()
    }

    /// Measures, reports and keeps each item for the case and the metric's place that it belongs to.
    fn measure(&self, metric: &dyn Metric, whose: &[(&Work, usize)], items: &[Item], messages: &Sender<Message>) {
        let began = Instant::now();
        let mut answers = metric.measure(items);
        let seconds = began.elapsed().as_secs_f64() / whose.len() as f64;
        answers.resize_with(whose.len(), || {
            Err(MetricError {
                kind: "internal".into(),
                message: format!("{} gave fewer answers than it was asked for", metric.info().name),
                hint: Some("this is a bug in difftest: please report it".into()),
            })
        });
        for (&(work, index), answer) in whose.iter().zip(answers) {
            let mut told = None;
            let outcome = match answer {
                Ok(score) => {
                    let key = work.keys[index].as_ref();
                    told = key.and_then(|key| self.keeper.score(&metric.info().name, key, &score, seconds));
                    Outcome::Ok(score)
                }
                // Neither a score nor a failure: the case stays unfinished, as one whose image was not made.
                Err(error) if error.kind == CANCELLED => {
                    drop(messages.send(Message::Dropped));
                    continue;
                }
                Err(error) => Outcome::Error(error),
            };
            let (case, metric, origin) = (work.case, index, Origin::Made);
            drop(messages.send(Message::Event(Event::Scored { case, metric, outcome, seconds, origin })));
            told.into_iter().for_each(|told| drop(messages.send(Message::Event(warning(Some(case), told)))));
        }
    }
}

/// A score that was there already.
pub(crate) fn found_score(case: usize, metric: usize, known: Scored) -> Event {
    let Scored { score, seconds, .. } = known;
    Event::Scored { case, metric, outcome: Outcome::Ok(score), seconds, origin: Origin::Cached }
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

/// The record of an image whose file is where it should be, the length of that file where it is difftest's, and what a person
/// should know. A file of the user's stays where it is.
fn store(
    generated: Generated,
    origin: Origin,
    path: &Path,
    found: &CaseEvidence,
    keeper: &Keeper<'_>,
) -> Result<(ImageRecord, u64, Option<String>), GenerateError> {
    let Generated { image, attributes, warnings, file } = generated;
    let (path, bytes, told) = match file {
        Some(file) => (file, 0, None),
        None => match &found.made {
            // Read from where it is kept.
            Some(made) if origin == Origin::Cached && keeper.link(&made.image, path) => {
                (path.to_owned(), made.bytes, None)
            }
            _ => {
                let (bytes, told) = keeper.image(found, &image, path)?;
                (path.to_owned(), bytes, told)
            }
        },
    };
    let (digest, width, height) = (image.digest(), image.width(), image.height());
    Ok((ImageRecord { path, digest, width, height, attributes, warnings }, bytes, told))
}
