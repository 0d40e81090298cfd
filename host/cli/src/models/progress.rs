//! How far downloads are: a bar for each file and one for all on a terminal, a line now and then elsewhere.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use difftest_hub::{Event, Observer};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::ui;

/// How often a line is written where there is no terminal.
const EVERY: Duration = Duration::from_secs(10);

/// Files shorter than this have no bar of their own.
const SMALL: u64 = 1 << 20;

/// Tells what the hub's client does.
pub(crate) struct Progress {
    bars: Option<MultiProgress>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    model: String,
    total: u64,
    /// Bytes of each file that are there.
    done: BTreeMap<String, u64>,
    bar: Option<ProgressBar>,
    files: BTreeMap<String, ProgressBar>,
    last: Option<Instant>,
}

impl Progress {
    /// `drawn`: whether a person watches a terminal.
    pub(crate) fn new(drawn: bool) -> Self {
        let off = std::env::var("HF_HUB_DISABLE_PROGRESS_BARS").unwrap_or_default();
        let off = ["1", "ON", "YES", "TRUE"].iter().any(|word| off.eq_ignore_ascii_case(word));
        let bars = (drawn && !off).then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
        Self { bars, state: Mutex::default() }
    }

    /// Wipes the bars: what is left is the outcome.
    pub(crate) fn finish(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bars) = &self.bars {
            // a terminal that is gone needs no wiping
            let _ = bars.clear();
        }
        *state = State::default();
    }

    /// A line above the bars.
    fn say(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| ui::note(text)),
            None => ui::note(text),
        }
    }

    fn bar(&self, length: u64, template: &str) -> Option<ProgressBar> {
        // the templates are constants; a default bar is better than no download
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = self.bars.as_ref()?.add(ProgressBar::new(length));
        bar.set_style(style.progress_chars("━╸─"));
        Some(bar)
    }

    fn moved(&self, state: &mut State, file: &str, done: u64) {
        match state.done.get_mut(file) {
            Some(known) => *known = done,
            None => drop(state.done.insert(file.to_owned(), done)),
        }
        let sum: u64 = state.done.values().sum();
        if let Some(bar) = &state.bar {
            bar.set_position(sum);
        }
        if let Some(bar) = state.files.get(file) {
            bar.set_position(done);
        }
        if self.bars.is_none() && state.last.is_some_and(|last| last.elapsed() >= EVERY) {
            state.last = Some(Instant::now());
            let percent = sum * 100 / state.total.max(1);
            ui::note(&format!("fetching {}: {percent} % of {}", state.model, size(state.total)));
        }
    }
}

impl Observer for Progress {
    fn event(&self, event: Event<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Begin { model, files, bytes } => {
                let of = if files == 1 { "file" } else { "files" };
                self.say(&format!("fetching {model}: {files} {of}, {}", size(bytes)));
                (state.model, state.total, state.last) = (model.to_owned(), bytes, Some(Instant::now()));
                state.done.clear();
                if let Some(old) = state.bar.take() {
                    old.finish_and_clear();
                }
                state.bar = self.bar(bytes, "{bar:24} {bytes:>10} of {total_bytes}  {bytes_per_sec}, {eta} left");
            }
            Event::File { file, bytes, there } => {
                if there > 0 && there < bytes {
                    self.say(&format!("{file}: going on after {} of {}", size(there), size(bytes)));
                }
                if bytes >= SMALL
                    && let Some(bar) = self.bar(bytes, "  {bar:22} {bytes:>10} of {total_bytes}  {msg}")
                {
                    bar.set_message(file.to_owned());
                    state.files.insert(file.to_owned(), bar);
                }
                self.moved(&mut state, file, there);
            }
            Event::Bytes { file, done } => self.moved(&mut state, file, done),
            Event::Done { file } => {
                if let Some(bar) = state.files.remove(file) {
                    bar.finish_and_clear();
                }
            }
            Event::Locked { file } => self.say(&format!("{file}: another process is fetching it: waiting")),
            Event::Again { why, pause, .. } => {
                self.say(&format!("{why}; trying again in {:.0} s", pause.as_secs_f64().ceil()));
            }
            Event::Fallback { from, to, why } => {
                self.say(&format!(
                    "{from} cannot be used ({why}): asking {to}, the fallback endpoint of the environment"
                ));
            }
            _ => {}
        }
    }
}

/// `5.1 GB`, `512 kB`.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
