//! Two runs, paired by prompt and seed.
//!
//! The difference of a prompt is the mean over its seeds; what is inferred is inferred over prompts (see [`difftest_core::stats`]).
//! Scores of different metric keys are not paired: they are named instead, with the reason.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use difftest_core::stats::{mean, student};
use rusqlite::params;
use serde::Serialize;

use super::read::RunRow;
use super::series::better;
use super::{History, HistoryError};

/// Both ends of an interval by itself: together 95 %.
const LEVEL: f64 = 0.975;

/// How many prompts are named that lost most.
const NAMED: usize = 5;

/// What a second run is beside a first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// The first run.
    pub a: RunRow,
    /// The second.
    pub b: RunRow,
    /// Suites that ran in different classes of environments, with both: a difference may be theirs.
    pub environments: Vec<(String, String, String)>,
    /// What changed, metric by metric of each test.
    pub changes: Vec<MetricChange>,
    /// Scores that have no partner, and why.
    pub not_compared: Vec<NotCompared>,
    /// Cases that have an image in both runs.
    pub images: usize,
    /// Those of them whose pixels are others.
    pub changed_images: Vec<String>,
    /// Cases, by prompt and seed, that only the first run has: they were left out, or their prompt was edited.
    pub only_in_a: Vec<String>,
    /// Cases that only the second run has.
    pub only_in_b: Vec<String>,
    /// Tests with another verdict.
    pub verdicts: Vec<ChangedVerdict>,
}

/// A metric of a test in both runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetricChange {
    /// The suite.
    pub suite: String,
    /// The test.
    pub test: String,
    /// The metric.
    pub metric: String,
    /// `higher`, `lower` or `neither` is better.
    pub better: &'static str,
    /// How many images are paired; 1 for a metric over the whole set.
    pub pairs: usize,
    /// How many prompts those are of.
    pub prompts: usize,
    /// Mean over prompts in the first run.
    pub a: f64,
    /// Mean over prompts in the second.
    pub b: f64,
    /// Mean difference, the second less the first.
    pub difference: f64,
    /// Its 95 % interval by Student's t over prompts; `None` for fewer than two.
    pub interval: Option<(f64, f64)>,
    /// What that shows.
    pub shows: Change,
    /// The prompts that lost most, the worst first; where neither way is better, those that changed most.
    pub lost: Vec<Lost>,
}

/// What an interval shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Every score is the same.
    Same,
    /// The interval lies on the better side of zero.
    Better,
    /// It lies on the worse side.
    Worse,
    /// It does not contain zero, and neither side is better.
    Different,
    /// It contains zero, or there is none.
    NotShown,
}

/// A prompt and how its mean score changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lost {
    /// Its text.
    pub prompt: String,
    /// The second run's mean less the first's.
    pub difference: f64,
}

/// A metric of a test that cannot be compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NotCompared {
    /// The suite.
    pub suite: String,
    /// The test.
    pub test: String,
    /// The metric.
    pub metric: String,
    /// Why.
    pub reason: String,
}

/// A test with another verdict.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChangedVerdict {
    /// The suite.
    pub suite: String,
    /// The test.
    pub test: String,
    /// In the first run.
    pub a: String,
    /// In the second.
    pub b: String,
}

/// Scores of a metric of a test (by number) in one run: by key, then by prompt and seed.
type Scores = BTreeMap<(i64, String), BTreeMap<i64, BTreeMap<(i64, i64), f64>>>;

/// Set scores have no prompt of their own.
const WHOLE_SET: (i64, i64) = (-1, 0);

impl History {
    /// The run that `text` names for a comparison: as [`History::resolve`], or the latest run with that label, or of that model, which
    /// may be named by its path.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn resolve_side(&self, text: &str) -> Result<String, HistoryError> {
        let by_run = match self.resolve(text) {
            Ok(run) => return Ok(run),
            Err(error) => error,
        };
        // Runs of a folder name it by its absolute path.
        let folder = Path::new(text).canonicalize().ok().map(|path| path.to_string_lossy().into_owned());
        for sql in [
            "SELECT name FROM run WHERE label = ? ORDER BY name DESC LIMIT 1",
            "SELECT r.name FROM run r JOIN run_suite s ON s.run = r.id JOIN model m ON m.id = s.model WHERE m.name = ?
             ORDER BY r.name DESC LIMIT 1",
        ] {
            for name in [Some(text), folder.as_deref()].into_iter().flatten() {
                if let Some(run) = self.rows(sql, params![name], |row| row.get(0))?.pop() {
                    return Ok(run);
                }
            }
        }
        Err(by_run)
    }

    /// The run called `b` beside the run called `a`.
    ///
    /// # Errors
    /// When one is not there, or the file cannot be read.
    pub fn compare(&self, a: &str, b: &str) -> Result<Compared, HistoryError> {
        let (run_a, run_b) = (self.id_of(a)?, self.id_of(b)?);
        let (images, changed_images) = self.changed_images(run_a, run_b)?;
        let mut compared = Compared {
            a: self.run_row(run_a)?,
            b: self.run_row(run_b)?,
            environments: self.rows(
                "SELECT s.name, ea.name, eb.name FROM run_suite a JOIN run_suite b ON b.suite = a.suite JOIN suite s ON s.id = a.suite
                 JOIN environment ea ON ea.id = a.environment JOIN environment eb ON eb.id = b.environment
                 WHERE a.run = ? AND b.run = ? AND a.environment <> b.environment ORDER BY s.name",
                params![run_a, run_b],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )?,
            changes: Vec::new(),
            not_compared: Vec::new(),
            images,
            changed_images,
            only_in_a: self.alone(run_a, run_b)?,
            only_in_b: self.alone(run_b, run_a)?,
            verdicts: self.rows(
                "SELECT s.name, t.name, a.verdict, b.verdict FROM run_test a JOIN run_test b ON b.test = a.test JOIN test t ON t.id = a.test
                 JOIN suite s ON s.id = t.suite WHERE a.run = ? AND b.run = ? AND a.verdict <> b.verdict ORDER BY s.name, t.name",
                params![run_a, run_b],
                |row| Ok(ChangedVerdict { suite: row.get(0)?, test: row.get(1)?, a: row.get(2)?, b: row.get(3)? }),
            )?,
        };
        let tests: HashMap<i64, (String, String)> = self
            .rows("SELECT t.id, s.name, t.name FROM test t JOIN suite s ON s.id = t.suite", params![], |row| {
                Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))
            })?
            .into_iter()
            .collect();
        let directions: HashMap<i64, i64> = self
            .rows("SELECT id, direction FROM metric", params![], |row| Ok((row.get(0)?, row.get(1)?)))?
            .into_iter()
            .collect();
        let (scores_a, mut scores_b) = (self.scores_of(run_a)?, self.scores_of(run_b)?);
        for ((test, metric), of_a) in scores_a {
            let (suite, test_name) = tests[&test].clone();
            let of_b = scores_b.remove(&(test, metric.clone())).unwrap_or_default();
            let reason = match of_a.iter().find_map(|(key, scores)| Some((key, scores, of_b.get(key)?))) {
                Some((key, scores, partner)) => {
                    let direction = directions.get(key).copied().unwrap_or_default();
                    match self.change(direction, scores, partner)? {
                        Some(change) => {
                            compared.changes.push(MetricChange { suite, test: test_name, metric, ..change });
                            continue;
                        }
                        None => "no prompt and seed in common",
                    }
                }
                None if of_b.is_empty() => "only in the first run",
                None => "another variant, plugin, model, config or reference: its scores are not comparable",
            };
            compared.not_compared.push(NotCompared { suite, test: test_name, metric, reason: reason.to_owned() });
        }
        for (test, metric) in scores_b.into_keys() {
            let (suite, test) = tests[&test].clone();
            compared.not_compared.push(NotCompared {
                suite,
                test,
                metric,
                reason: "only in the second run".to_owned(),
            });
        }
        let place = |change: &MetricChange| (change.suite.clone(), change.test.clone(), change.metric.clone());
        compared.changes.sort_by_key(place);
        compared.not_compared.sort_by_key(|not| (not.suite.clone(), not.test.clone(), not.metric.clone()));
        Ok(compared)
    }

    fn id_of(&self, name: &str) -> Result<i64, HistoryError> {
        let name = self.resolve(name)?;
        let ids = self.rows("SELECT id FROM run WHERE name = ?", params![name], |row| row.get(0))?;
        ids.first().copied().ok_or_else(|| self.failed(rusqlite::Error::QueryReturnedNoRows))
    }

    fn scores_of(&self, run: i64) -> Result<Scores, HistoryError> {
        let mut scores = Scores::new();
        let mut add = |test: i64, name: String, metric: i64, pair: (i64, i64), value: f64| {
            scores.entry((test, name)).or_default().entry(metric).or_default().insert(pair, value);
        };
        self.rows(
            "SELECT c.test, m.name, m.id, c.prompt, c.seed, s.value FROM score s JOIN sample c ON c.id = s.sample
             JOIN metric m ON m.id = s.metric WHERE s.run = ?",
            params![run],
            |row| {
                add(row.get(0)?, row.get(1)?, row.get(2)?, (row.get(3)?, row.get(4)?), row.get(5)?);
                Ok(())
            },
        )?;
        self.rows(
            "SELECT s.test, m.name, m.id, s.mean FROM summary s JOIN metric m ON m.id = s.metric WHERE s.run = ? AND m.kind = 'set'",
            params![run],
            |row| {
                add(row.get(0)?, row.get(1)?, row.get(2)?, WHOLE_SET, row.get(3)?);
                Ok(())
            },
        )?;
        Ok(scores)
    }

    /// What the scores of one metric come to; `None` without a pair. Names are the caller's to fill in.
    fn change(
        &self,
        direction: i64,
        a: &BTreeMap<(i64, i64), f64>,
        b: &BTreeMap<(i64, i64), f64>,
    ) -> Result<Option<MetricChange>, HistoryError> {
        let mut prompts: BTreeMap<i64, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
        let mut pairs = 0;
        for ((prompt, seed), first) in a {
            if let Some(second) = b.get(&(*prompt, *seed)) {
                let of_prompt = prompts.entry(*prompt).or_default();
                of_prompt.0.push(*first);
                of_prompt.1.push(*second);
                pairs += 1;
            }
        }
        if pairs == 0 {
            return Ok(None);
        }
        let mut lost: Vec<(i64, f64)> = Vec::new();
        let (mut of_a, mut of_b, mut differences) = (Vec::new(), Vec::new(), Vec::new());
        for (prompt, (first, second)) in &prompts {
            let each: Vec<f64> = first.iter().zip(second).map(|(first, second)| second - first).collect();
            let difference = mean(&each);
            of_a.push(mean(first));
            of_b.push(mean(second));
            differences.push(difference);
            lost.push((*prompt, difference));
        }
        let loss = |difference: f64| if direction == 0 { -difference.abs() } else { difference * direction as f64 };
        lost.retain(|(prompt, difference)| *prompt >= 0 && loss(*difference) < 0.0);
        lost.sort_by(|a, b| loss(a.1).total_cmp(&loss(b.1)).then(a.0.cmp(&b.0)));
        lost.truncate(NAMED);
        let named = lost.into_iter().map(|(prompt, difference)| {
            let text = self.rows("SELECT text FROM prompt WHERE id = ?", params![prompt], |row| row.get(0))?.pop();
            Ok(Lost { prompt: text.unwrap_or_default(), difference })
        });
        let interval = student(&differences, LEVEL);
        let same = prompts.values().all(|(first, second)| first == second);
        let shows = match interval {
            _ if same => Change::Same,
            Some((lower, upper)) if lower > 0.0 || upper < 0.0 => match (direction, lower > 0.0) {
                (0, _) => Change::Different,
                (1, true) | (-1, false) => Change::Better,
                _ => Change::Worse,
            },
            _ => Change::NotShown,
        };
        Ok(Some(MetricChange {
            suite: String::new(),
            test: String::new(),
            metric: String::new(),
            better: better(direction),
            pairs,
            prompts: prompts.len(),
            a: mean(&of_a),
            b: mean(&of_b),
            difference: mean(&differences),
            interval,
            shows,
            lost: named.collect::<Result<_, HistoryError>>()?,
        }))
    }

    /// The cases of one run whose prompt and seed another has not.
    fn alone(&self, run: i64, other: i64) -> Result<Vec<String>, HistoryError> {
        self.rows(
            "SELECT c.name FROM execution x JOIN sample c ON c.id = x.sample WHERE x.run = ?1 AND NOT EXISTS (
                 SELECT 1 FROM sample d JOIN execution y ON y.run = ?2 AND y.sample = d.id
                 WHERE d.test = c.test AND d.prompt = c.prompt AND d.seed = c.seed
             ) ORDER BY c.id",
            params![run, other],
            |row| row.get(0),
        )
    }

    /// How many cases have an image in both runs, and the ids of those whose pixels differ.
    fn changed_images(&self, a: i64, b: i64) -> Result<(usize, Vec<String>), HistoryError> {
        let rows = self.rows(
            "SELECT ca.name, x.image <> y.image FROM execution x JOIN sample ca ON ca.id = x.sample
             JOIN sample cb ON cb.test = ca.test AND cb.prompt = ca.prompt AND cb.seed = ca.seed
             JOIN execution y ON y.run = ? AND y.sample = cb.id
             WHERE x.run = ? AND x.image IS NOT NULL AND y.image IS NOT NULL ORDER BY ca.id",
            params![b, a],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?)),
        )?;
        let images = rows.len();
        Ok((images, rows.into_iter().filter(|(_, changed)| *changed).map(|(case, _)| case).collect()))
    }
}
