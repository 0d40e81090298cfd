//! What there is to name, for a person who named something that is not there: every metric and prompt generator of the plugins
//! that open.
//!
//! Only plugins themselves know what they hold, so all of them are opened: this is the way of an error, and a list of files would
//! offer names that are no metrics. It happens off to the side, in a thread that is left behind when the time is over, with short
//! limits and without their log lines; the loaded plugins of the registry are not touched.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::cache::Cache;
use crate::call::{Sandbox, Stop};
use crate::discovery::{self, Found};
use crate::engine::Engine;
use crate::limits::Limits;
use crate::lock::Lock;
use crate::log::Discard;
use crate::plugin::{self, Plugin};

/// For all plugins together. Compiled code is kept, so a second try gets further.
const TIME: Duration = Duration::from_secs(5);

/// For one plugin's answer.
const ANSWER: Duration = Duration::from_secs(1);

/// How alike (Jaro-Winkler) two plugin names must be for one to be a slip of the other.
const ALIKE: f64 = 0.8;

/// The names of some plugins.
#[derive(Default)]
pub(crate) struct Names {
    opened: Vec<Opened>,
    /// Plugins that did not open, or not in time.
    closed: Vec<String>,
}

struct Opened {
    plugin: String,
    metrics: Vec<String>,
    generators: Vec<String>,
}

impl Names {
    /// Opens the plugins of `found`, those first whose names are most like that of `asked`.
    pub(crate) fn collect(
        found: &Found,
        asked: &str,
        engine: &Engine,
        limits: &Limits,
        cache: &Cache,
        lock: Option<Arc<Lock>>,
    ) -> Self {
        let wanted = plugin_of(asked);
        let mut files: Vec<_> =
            found.iter().map(|(name, sources)| (name.clone(), discovery::single(sources).ok())).collect();
        files.sort_by(|a, b| strsim::jaro_winkler(wanted, &b.0).total_cmp(&strsim::jaro_winkler(wanted, &a.0)));
        let mut names = Self { opened: Vec::new(), closed: files.iter().map(|(name, _)| name.clone()).collect() };
        let limits = Limits { wall_clock: limits.wall_clock.min(ANSWER), ..limits.clone() };
        let sandbox = Arc::new(Sandbox {
            engine: engine.clone(),
            limits: Arc::new(limits),
            sink: Arc::new(Discard),
            stop: Stop::never(),
        });
        let (sender, answers) = mpsc::channel();
        let deadline = Instant::now() + TIME;
        let cache = Cache { notice: Arc::new(|_| ()), ..cache.clone() };
        let files = files.into_iter().filter_map(|(name, file)| Some((name, file?))).collect();
        // Without a thread there are no names, and the error is told without them.
        let _ = thread::Builder::new()
            .name("plugin-names".into())
            .spawn(move || open(files, &sandbox, &cache, lock.as_deref(), &sender));
        while let Ok(opened) = answers.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            names.closed.retain(|name| *name != opened.plugin);
            names.opened.push(opened);
        }
        names
    }

    /// Every `plugin/metric`.
    pub(crate) fn metrics(&self, asked: &str) -> Vec<String> {
        let full = |opened: &Opened| -> Vec<_> {
            opened.metrics.iter().map(|metric| format!("{}/{metric}", opened.plugin)).collect()
        };
        self.opened.iter().flat_map(full).chain(self.slips(asked)).collect()
    }

    /// Every prompt generator, in the form that `asked` has: the plugin's name is enough where it has only one.
    pub(crate) fn generators(&self, asked: &str) -> Vec<String> {
        let form = |opened: &Opened| -> Vec<_> {
            if opened.generators.len() == 1 && !asked.contains('/') {
                return vec![opened.plugin.clone()];
            }
            opened.generators.iter().map(|generator| format!("{}/{generator}", opened.plugin)).collect()
        };
        self.opened.iter().flat_map(form).chain(self.slips(asked)).collect()
    }

    /// `asked` with the name of a plugin that looks like its own and did not open: it may well hold what is asked for, and naming
    /// it tells why it does not open.
    fn slips(&self, asked: &str) -> impl Iterator<Item = String> {
        let wanted = plugin_of(asked);
        let alike = self.closed.iter().filter(move |name| strsim::jaro_winkler(wanted, name) > ALIKE);
        alike.map(move |name| format!("{name}{}", &asked[wanted.len()..]))
    }
}

fn plugin_of(asked: &str) -> &str {
    asked.split_once('/').map_or(asked, |(plugin, _)| plugin)
}

/// Tells of each of `files` that opens, until nobody listens.
fn open(
    files: Vec<(String, (PathBuf, Option<String>))>,
    sandbox: &Arc<Sandbox>,
    cache: &Cache,
    lock: Option<&Lock>,
    sender: &Sender<Opened>,
) {
    for (name, (path, version)) in files {
        let loaded = plugin::read_locked(&name, &path, &sandbox.limits, lock)
            .and_then(|artifact| Plugin::load(&name, &path, artifact, version, sandbox, cache));
        let Ok(plugin) = loaded else { continue };
        let opened = Opened {
            plugin: name,
            metrics: plugin.metrics.into_iter().map(|metric| metric.name).collect(),
            generators: plugin.generators.into_iter().map(|generator| generator.name).collect(),
        };
        if sender.send(opened).is_err() {
            return;
        }
    }
}
