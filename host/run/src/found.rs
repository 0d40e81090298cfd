//! Cases whose image is there already: they are told as if they had been done, and only what is not known is done.
//!
//! An image whose scores are all known is not even read. One that is read is checked against its digest; what is gone or not what it
//! should be is made again.

use crossbeam_channel::{Sender, unbounded};
use difftest_core::event::{Event, ImageRecord, Origin, Outcome};
use difftest_core::generate::Generated;
use difftest_core::image::Image;
use difftest_core::metric::MetricKind;
use difftest_metrics::decode;
use difftest_store::cache::Made;

use crate::evidence::Force;
use crate::stages::{Fresh, Inference, Message, Stages, Ticket, found_score, request};

impl Stages<'_> {
    /// Passes on every case whose image is there, and answers the others, in order.
    pub(crate) fn find<'s>(
        &'s self,
        pool: &rayon::Scope<'s>,
        next_ticket: &dyn Fn() -> Option<Ticket>,
        to_inference: &Sender<Inference>,
        messages: &'s Sender<Message>,
    ) -> Vec<usize> {
        let mut missing = Vec::new();
        let (fail, failed) = unbounded();
        for (case, found) in self.evidence.cases.iter().enumerate() {
            let made = found.made.as_ref().filter(|_| self.force != Force::Generate);
            let Some(made) = made else {
                missing.push(case);
                continue;
            };
            if !self.cancel.may_begin() {
                drop(messages.send(Message::Dropped));
            } else if !self.is_read(case) {
                if !self.tell(case, made, messages) {
                    missing.push(case);
                }
            } else if made.bytes == 0 {
                // The user's own file: its generator is who reads it.
                missing.push(case);
            } else if let Some(ticket) = next_ticket() {
                let (to_inference, fail) = (to_inference.clone(), fail.clone());
                pool.spawn(move |pool| {
                    let Some(image) = self.read(made) else {
                        // The ticket is free before the case waits for the next.
                        drop(ticket);
                        let _ = fail.send(case);
                        return;
                    };
                    drop(fail);
                    drop(messages.send(Message::Event(Event::CaseStarted { case })));
                    let Made { attributes, warnings, seconds, .. } = made.clone();
                    let generated = Generated { image, attributes, warnings, file: None };
                    let fresh = Fresh { generated, seconds, origin: Origin::Cached };
                    self.dispatch(case, fresh, ticket, pool, &to_inference, messages);
                });
            }
        }
        drop(fail);
        missing.extend(failed);
        missing.sort_unstable();
        missing
    }

    /// Whether somebody has to look at the image of a case: a comparison with its baseline, a metric whose
    /// score is not known, of it or of all images of its test.
    fn is_read(&self, case: usize) -> bool {
        let test = self.plan.cases[case].test;
        if self.visual[test].is_some() {
            return true;
        }
        let metrics = self.plan.tests[test].metrics.iter().zip(&self.metrics[test]).enumerate();
        let mut used = metrics.filter(|(_, (_, slot))| !slot.is_broken());
        used.any(|(index, ((_, info), _))| {
            let score = match info.kind {
                MetricKind::Set => &self.evidence.tests[test].sets[index],
                MetricKind::Image | MetricKind::Pair => &self.evidence.cases[case].scores[index],
            };
            score.scored.is_none() || self.force == Force::Score
        })
    }

    /// Tells an image and its scores that nobody has to look at; `false` when the image is gone since.
    fn tell(&self, case: usize, made: &Made, messages: &Sender<Message>) -> bool {
        let path = if made.bytes == 0 {
            match self.generator.file(&request(&self.plan.cases[case])) {
                Some(file) => file,
                None => return false,
            }
        } else {
            let path = self.image_paths[case].clone();
            if !self.keeper.link(&made.image, &path) {
                return false;
            }
            path
        };
        let send = |event| drop(messages.send(Message::Event(event)));
        send(Event::CaseStarted { case });
        let Made { image: digest, width, height, attributes, warnings, seconds, .. } = made.clone();
        let record = ImageRecord { path, digest, width, height, attributes, warnings };
        send(Event::Generated { case, outcome: Outcome::Ok(record), seconds, origin: Origin::Cached });
        let test = self.plan.cases[case].test;
        for (index, score) in self.evidence.cases[case].scores.iter().enumerate() {
            if let Some(known) = score.scored.clone().filter(|_| !self.metrics[test][index].is_broken()) {
                send(found_score(case, index, known));
            }
        }
        true
    }

    /// The pixels of a kept image, if they are what they should be.
    fn read(&self, made: &Made) -> Option<Image> {
        let path = self.keeper.cache?.image_path(&made.image);
        decode::read(&path, &decode::Limits::default()).ok().filter(|image| image.digest() == made.image)
    }
}
