//! How far the run is: image i of N, step s of S, time left. A bar on a terminal; the same words in a line elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use difftest_core::event::Event;
use indicatif::{ProgressBar, ProgressStyle};

use crate::text::duration;

/// The bar counts thousandths of images.
const PART: u64 = 1000;

/// No time left is told before this much of the work is done or this much time is over: it would be a guess.
const SURE: (f64, f64) = (0.01, 2.0);

/// Progress over all suites of a run.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    total: usize,
    /// Images that are there, or known not to come.
    made: usize,
    done: usize,
    /// Cases that have begun, with the step they are at.
    active: BTreeMap<usize, (u32, u32)>,
    /// When the first image began: loading models before that says nothing about what is left.
    began: Option<Duration>,
    ended: bool,
}

impl Progress {
    pub(super) fn new(visible: bool) -> Self {
        let bar = visible.then(ProgressBar::no_length);
        Self { bar, total: 0, made: 0, done: 0, active: BTreeMap::new(), began: None, ended: false }
    }

    /// Takes in the next event.
    pub(super) fn event(&mut self, event: &Event, now: Duration) {
        match event {
            Event::RunStarted { cases, .. } => {
                self.total = *cases;
                if let Some(bar) = &self.bar {
                    // The template is a constant; a default bar is better than no run.
                    let style = ProgressStyle::with_template("{spinner} {bar:24} {msg}");
                    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─"));
                    bar.set_length(self.total as u64 * PART);
                    bar.enable_steady_tick(Duration::from_millis(200));
                }
            }
            Event::CaseStarted { case } => {
                self.began.get_or_insert(now);
                self.active.insert(*case, (0, 0));
            }
            Event::Step { case, step, of } => {
                self.active.insert(*case, (*step, *of));
            }
            Event::Generated { .. } => self.made += 1,
            Event::CaseFinished { case } => {
                self.active.remove(case);
                self.done += 1;
            }
            // Cases of the next suite are counted from 0 again.
            Event::SuiteFinished { .. } => self.active.clear(),
            _ => return,
        }
        if let Some(bar) = &self.bar {
            bar.set_message(self.words(now));
            bar.set_position((self.images_done() * PART as f64) as u64);
        }
    }

    /// Whether images are being made.
    pub(super) fn is_running(&self) -> bool {
        !self.ended && self.began.is_some() && self.done < self.total
    }

    /// `image 3 of 12 · step 14 of 25 · 42s left`.
    pub(super) fn words(&self, now: Duration) -> String {
        if self.began.is_none() {
            return "loading".to_owned();
        }
        let image = (self.done + self.active.len()).clamp(1, self.total.max(1));
        let mut text = format!("image {image} of {}", self.total);
        text += &self.step();
        if let Some(left) = self.left(now) {
            text += &format!(" · {left} left");
        }
        text
    }

    /// `14/60 · step 5 of 25 · about 32s left`, for a line that begins with what was done.
    pub(super) fn heartbeat(&self, now: Duration) -> String {
        let time = match self.left(now) {
            Some(left) => format!("about {left} left"),
            None => format!("{} so far", duration(now.as_secs_f64())),
        };
        format!("{}/{}{} · {time}", self.made, self.total, self.step())
    }

    /// ` · step 5 of 25`: of several images at once, the one that will be done first.
    fn step(&self) -> String {
        let furthest = self.active.values().filter(|(_, of)| *of > 0).max_by_key(|(step, _)| *step);
        furthest.map(|(step, of)| format!(" · step {step} of {of}")).unwrap_or_default()
    }

    /// How long it still takes, once that is more than a guess.
    fn left(&self, now: Duration) -> Option<String> {
        let spent = now.saturating_sub(self.began?).as_secs_f64();
        let part = self.images_done() / self.total.max(1) as f64;
        (part >= SURE.0 && spent >= SURE.1 && part < 1.0).then(|| duration(spent * (1.0 - part) / part))
    }

    /// Images done, the begun ones counted by their steps.
    fn images_done(&self) -> f64 {
        let begun: f64 =
            self.active.values().filter(|(_, of)| *of > 0).map(|(step, of)| f64::from(*step) / f64::from(*of)).sum();
        self.done as f64 + begun
    }

    /// Writes lines with the bar out of the way.
    pub(super) fn around(&self, write: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&mut self) {
        self.ended = true;
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
